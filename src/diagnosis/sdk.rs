//! The application's SDK cannot use the role, or could not be found.

use super::Entry;
use crate::evidence::{Evidence, HasEvidence};
use crate::sdk_scan::packages::{IrsaSupport, first_with_web_identity, irsa_support, package};
use crate::sdk_scan::{FoundSdk, RuntimeHint, Scan, SdkEvidence, StoppedBy};
use crate::text::sanitize;
use sdk_chain::SdkId;

/// The facts of one SDK, and then of the scan.
fn evidence_of(found: &FoundSdk, scan: &Scan, own: (&'static str, &'static str)) -> Evidence {
    Evidence::new()
        .value("sdk", found.sdk.as_str())
        .value("package", package(found.sdk))
        .text_if("version", found.version.as_deref())
        .text("place", &found.place)
        .value("found_by", found.evidence.as_str())
        .value(own.0, own.1)
        .merge(scan.evidence())
}

/// Where the SDK is, in a sentence without its full stop. The sentence claims no more than the scan shows.
fn location(found: &FoundSdk, scan: &Scan) -> String {
    let version = found.version.as_deref().map_or_else(String::new, |text| format!(" {}", sanitize(text)));
    let what = format!("{}{version} ({})", package(found.sdk), sanitize(&found.place));
    match (found.evidence, scan.runtime) {
        (SdkEvidence::Stated, _) | (_, RuntimeHint::Go) => format!("The application has {what}"),
        (_, RuntimeHint::Java | RuntimeHint::Python | RuntimeHint::Node) if scan.is_certain() => {
            format!("The application has {what}")
        }
        (_, RuntimeHint::Unknown | RuntimeHint::Java | RuntimeHint::Python | RuntimeHint::Node) => {
            format!("Below that root lies {what}")
        }
        (_, RuntimeHint::Other) => {
            format!(
                "Among the files of the application's process lies {what}, and nothing shows that it uses that"
            )
        }
    }
}

/// What the scan missed, in sentences that follow others.
fn scan_gaps(scan: &Scan) -> String {
    let stopped =
        scan.stopped_by.map_or_else(String::new, |by| format!(" Not everything was seen: {}.", by.as_str()));
    let unreadable = match scan.unreadable {
        0 => String::new(),
        1 => " One file or folder could not be read.".to_owned(),
        count => format!(" {count} files and folders could not be read."),
    };
    format!("{stopped}{unreadable}")
}

#[derive(Debug, Clone)]
pub struct SdkTooOldForIrsa {
    pub(crate) found: FoundSdk,
    /// The first version that AWS supports with IRSA.
    pub(crate) least: &'static str,
    pub(crate) scan: Scan,
}

impl Entry for SdkTooOldForIrsa {
    fn cause(&self) -> String {
        let (place, least) = (location(&self.found, &self.scan), self.least);
        let age = self.found.version.as_deref().and_then(|version| irsa_support(self.found.sdk, version));
        let looks = match (age, first_with_web_identity(self.found.sdk)) {
            (Some(IrsaSupport::TooOld), Some(_)) => {
                "and this one does not look at the web identity: it takes"
            }
            _ => "and an older one may not look at the web identity: it then takes",
        };
        format!(
            "{place}. AWS supports IRSA from {least} on, {looks} whatever else it finds, on a node that lets pods \
             ask for it the node's role, or fails as if the pod had no credentials.{}",
            scan_gaps(&self.scan)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let least = self.least;
        let update = match self.found.sdk {
            SdkId::Boto => format!(
                "Update boto3, and with it botocore to {least} or newer, where the image is built:\n\
                 pip install --upgrade boto3 'botocore>={least}'"
            ),
            SdkId::JsV2 | SdkId::JsV2LoadConfig => format!(
                "Update aws-sdk to {least} or newer, and build the image anew:\nnpm install 'aws-sdk@^{least}'"
            ),
            SdkId::JsV3 => format!(
                "Update the packages under @aws-sdk that bring the old one, until it is {least} or newer, and build \
                 the image anew:\nnpm ls @aws-sdk/credential-provider-node"
            ),
            SdkId::GoV1 | SdkId::GoV1LoadConfig | SdkId::GoV1Old => format!(
                "Update the module to v{least} or newer, and build the program anew:\n\
                 go get {}@latest && go mod tidy",
                package(self.found.sdk)
            ),
            SdkId::JavaV1 | SdkId::JavaV2 => format!(
                "Update the SDK's version in the build file to {least} or newer, for all its modules alike, and \
                 build the image anew. What brings the old one:\n\
                 mvn dependency:tree -Dincludes={}",
                package(self.found.sdk)
            ),
            other => format!("Update {} to {least} or newer, and build the image anew.", package(other)),
        };
        vec![update]
    }

    fn evidence(&self) -> Evidence {
        evidence_of(&self.found, &self.scan, ("least_version", self.least))
    }
}

/// A Java SDK without the module that calls STS.
#[derive(Debug, Clone)]
pub struct SdkLacksStsModule {
    pub(crate) found: FoundSdk,
    pub(crate) module: &'static str,
    pub(crate) scan: Scan,
}

impl Entry for SdkLacksStsModule {
    fn cause(&self) -> String {
        let closed = self.scan.closed_archives;
        let absent = match (self.found.sts_module, closed) {
            (Some(_), _) => "and no archive below that root holds it",
            (None, 0) if self.scan.unseen > 0 => "and it was not found",
            (None, 0) => "and it was not found; but the SDK's classes were moved, and it may be with them",
            (None, _) => "and it was not found",
        };
        let archives = match (self.found.sts_module, closed) {
            (Some(_), _) | (None, 0) => String::new(),
            (None, 1) => " One archive could not be looked into, and it may be there.".to_owned(),
            (None, count) => format!(" {count} archives could not be looked into, and it may be there."),
        };
        format!(
            "{}. It needs the module {}, {absent}. Without that module the SDK cannot change the web identity for \
             credentials. It says so only in its log, and goes on to whatever comes next, on a node that lets pods \
             ask for it the node's role.{archives}{}",
            location(&self.found, &self.scan),
            self.module,
            scan_gaps(&self.scan),
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (group, artifact) = self.module.split_once(':').unwrap_or((self.module, ""));
        let version = self.found.version.as_deref().map_or_else(|| "VERSION".to_owned(), sanitize);
        vec![format!(
            "Add the module to the application's build file, in the version of the SDK's other modules, and build \
             the image anew:\n\
             <dependency>\n  <groupId>{group}</groupId>\n  <artifactId>{artifact}</artifactId>\n  \
             <version>{version}</version>\n  <scope>runtime</scope>\n</dependency>"
        )]
    }

    fn evidence(&self) -> Evidence {
        evidence_of(&self.found, &self.scan, ("missing_module", self.module))
    }
}

/// No SDK was found, or its version is not known.
#[derive(Debug, Clone)]
pub struct SdkUnknown {
    pub(crate) scan: Scan,
}

impl Entry for SdkUnknown {
    fn cause(&self) -> String {
        use StoppedBy::{Denied, Kernel, Missing, Root};
        if let Some(by @ (Missing | Denied | Kernel | Root)) = self.scan.stopped_by
            && self.scan.entries == 0
        {
            return format!(
                "Nothing was searched for the application's SDK: {}. So whether it can use the role is not known.",
                by.as_str()
            );
        }
        let what = match (self.scan.of_application().next(), self.scan.runtime) {
            (Some(found), _) => {
                let unsaid = if found.version.is_none() { "; nothing says its version" } else { "" };
                format!("{}{unsaid}.", location(found, &self.scan))
            }
            (None, RuntimeHint::Go) => {
                "The application's process runs a Go program with no AWS SDK among its modules.".to_owned()
            }
            (
                None,
                RuntimeHint::Unknown
                | RuntimeHint::Java
                | RuntimeHint::Python
                | RuntimeHint::Node
                | RuntimeHint::Other,
            ) => {
                "No AWS SDK was found in the application's files; those for Python, JavaScript, Java and Go \
                 are known."
                    .to_owned()
            }
        };
        format!("{what}{} So whether it can use the role is not known.", scan_gaps(&self.scan))
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "If the application uses an AWS SDK, compare its version with the least one that AWS supports with \
             IRSA: \"Use IRSA with the AWS SDK\" in the Amazon EKS User Guide."
        ]
    }

    fn evidence(&self) -> Evidence {
        self.scan.evidence()
    }
}
