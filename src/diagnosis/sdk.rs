//! The application's SDK cannot use the role, or could not be found.

use super::{Class, Entry, Owner};
use crate::chain::SdkId;
use crate::evidence::Evidence;
use crate::run::Observed;
use crate::sdk::packages::package;
use crate::sdk::{FoundSdk, Scan, ScanEnd};
use crate::shown::shown;

/// What is known of one SDK, and then what else was seen.
fn evidence_of(found: &FoundSdk, scan: &Scan, own: (&'static str, &'static str)) -> Evidence {
    Evidence::new()
        .value("sdk", found.sdk.as_str())
        .value("package", package(found.sdk))
        .text_if("version", found.version.as_deref())
        .text("place", &found.place)
        .value("found_by", found.how.as_str())
        .value(own.0, own.1)
        .and(scan.evidence())
}

/// An SDK from before IRSA.
#[derive(Debug, Clone)]
pub struct SdkTooOldForIrsa {
    /// The SDK.
    pub found: FoundSdk,
    /// The least version that AWS supports with IRSA.
    pub least: &'static str,
    /// Everything that was seen.
    pub scan: Scan,
}

impl Entry for SdkTooOldForIrsa {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "The application has {} {} ({}). AWS supports IRSA from {} on. An older one does not look at the \
             web identity: it takes whatever else it finds, on a node that lets pods ask for it the node's role, or \
             fails as if the pod had no credentials.",
            package(self.found.sdk),
            self.found.version.as_deref().map(shown).unwrap_or_default(),
            shown(&self.found.place),
            self.least,
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
            SdkId::GoV1 | SdkId::GoV1LoadConfig | SdkId::GoV1Old | SdkId::GoV2 => format!(
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
    /// The SDK.
    pub found: FoundSdk,
    /// The module that is missing.
    pub module: &'static str,
    /// Everything that was seen.
    pub scan: Scan,
}

impl Entry for SdkLacksStsModule {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let version =
            self.found.version.as_deref().map_or_else(String::new, |text| format!(" {}", shown(text)));
        format!(
            "The application has {}{version} ({}), and no archive below that root holds {}. Without that module the SDK \
             cannot change the web identity for credentials. It says so only in its log, and goes on to whatever \
             comes next, on a node that lets pods ask for it the node's role.",
            package(self.found.sdk),
            shown(&self.found.place),
            self.module,
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (group, artifact) = self.module.split_once(':').unwrap_or((self.module, ""));
        let version = self.found.version.as_deref().map_or_else(|| "VERSION".to_owned(), shown);
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

/// No SDK was found, or none whose version is known.
#[derive(Debug, Clone)]
pub struct SdkUnknown {
    /// The scan.
    pub scan: Scan,
}

impl Entry for SdkUnknown {
    const CLASS: Class = Class::NotJudged;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let what = match self.scan.found.first() {
            Some(found) => format!(
                "{} was found ({}), and nothing says its version.",
                package(found.sdk),
                shown(&found.place)
            ),
            None => {
                "No AWS SDK was found in the application's files; those for Python, JavaScript, Java and Go \
                     are known."
                    .to_owned()
            }
        };
        let stopped = match self.scan.end {
            ScanEnd::Whole => String::new(),
            ScanEnd::Stopped(by) => format!(" Not everything was seen: {}.", by.as_str()),
        };
        let unreadable = match self.scan.unreadable {
            0 => String::new(),
            count => format!(" {count} files and folders could not be read."),
        };
        format!("{what}{stopped}{unreadable} So whether it can use the role is not known.")
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "If the application uses an AWS SDK, compare its version with the least one that AWS supports with \
             IRSA: \"Use IRSA with the AWS SDK\" in the Amazon EKS User Guide."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        self.scan.evidence()
    }
}
