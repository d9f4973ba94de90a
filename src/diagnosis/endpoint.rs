//! The region and the endpoint of STS cannot be determined, or contradict other facts.

use std::fmt;

use super::Entry;
use super::identity::{ROLE_ARN, annotate_role, delete_pod};
use crate::aws::endpoint::service_of_host;
use crate::aws::setting::SettingSource;
use crate::evidence::Evidence;
use crate::text::{sanitize, shell_quote};
use iam_trust::partition::Partition;

/// The server that is called for STS, and what decides on it.
#[derive(Debug, Clone)]
pub(crate) struct StsServer {
    pub(crate) host: String,
    /// The endpoint that was set, and where, if the region does not decide.
    pub(crate) url: Option<(String, SettingSource)>,
    pub(crate) region: (String, SettingSource),
}

impl fmt::Display for StsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sanitize(&self.host))
    }
}

impl StsServer {
    /// The step that corrects what decides on the server. `None` if the region decides: AWS runs that server.
    pub(super) fn correct_url(&self) -> Option<String> {
        let ((_, source), (region, _)) = (self.url.as_ref()?, &self.region);
        let own = Partition::of_region(region).map_or_else(String::new, |partition| {
            format!(", https://sts.{}.{}", sanitize(region), partition.dns_suffix)
        });
        Some(format!(
            "Check {source}, which names this server. Correct it, or remove it to use the region's own endpoint{own}."
        ))
    }

    /// The service of AWS whose host this is, if it is one and not STS.
    pub(super) fn other_service(&self) -> Option<&str> {
        service_of_host(&self.host).filter(|service| !service.starts_with("sts"))
    }

    /// The endpoint that was set, and where, if it is not one of STS.
    pub(super) fn foreign_url(&self) -> Option<&(String, SettingSource)> {
        let is_sts = service_of_host(&self.host).is_some_and(|service| service.starts_with("sts"));
        self.url.as_ref().filter(|_| !is_sts)
    }

    pub(super) fn evidence(&self) -> Evidence {
        let source = self.url.as_ref().map(|(_, source)| source.to_string());
        Evidence::new().text("host", &self.host).text_if("endpoint_source", source.as_deref())
    }
}

/// The command that shows where a variable is set, as the further lines of a step.
fn show(source: &SettingSource) -> String {
    match source {
        SettingSource::Variable(name) => {
            format!(" Where it is set:\nkubectl -n NAMESPACE get pod POD -o yaml | grep -n -A2 {name}")
        }
        _ => String::new(),
    }
}

/// No region is set anywhere.
#[derive(Debug, Clone)]
pub struct RegionMissing {
    /// The region in the token's issuer, where there is one: the check then goes on with it.
    pub(crate) of_issuer: Option<String>,
}

/// The lines of a pod spec that set both variables. SDKs differ in which one they read.
fn both_variables(region: &str) -> String {
    format!("env:\n- {{name: AWS_REGION, value: {region}}}\n- {{name: AWS_DEFAULT_REGION, value: {region}}}")
}

/// The cluster's region as a word of YAML, or a placeholder.
fn region_of_cluster(of_issuer: Option<&str>) -> String {
    of_issuer.map_or_else(|| "REGION".to_owned(), shell_quote)
}

fn set_region(region: &str) -> String {
    format!(
        "Set both variables in the pod spec, since SDKs differ in which they read:\n{}",
        both_variables(region)
    )
}

impl Entry for RegionMissing {
    fn cause(&self) -> String {
        let then = self.of_issuer.as_ref().map_or_else(
            || "The token's issuer names none either, so it is not known which STS to call.".to_owned(),
            |region| {
                format!("The checks went on with {}, the region of the token's issuer.", sanitize(region))
            },
        );
        format!(
            "No region is set: not in AWS_REGION, not in AWS_DEFAULT_REGION, not in a profile. Without one \
             Go v2 and Ruby stop with an error, Java v1 and C++ silently take the node's role, Rust asks the \
             node's metadata service, and boto3 and JavaScript v2 use the global STS endpoint. {then}"
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            set_region(&region_of_cluster(self.of_issuer.as_deref())),
            "If the webhook should inject the region, note that it leaves both out when the pod spec sets \
             either."
        ]
    }
}

#[derive(Debug, Clone)]
pub struct RegionMalformed {
    pub(crate) region: String,
    /// The region in the token's issuer, if there is one.
    pub(crate) of_issuer: Option<String>,
    pub(crate) source: SettingSource,
}

impl Entry for RegionMalformed {
    fn cause(&self) -> String {
        format!(
            "\"{}\", from {}, cannot be the name of a region: those have small letters, digits and hyphens, \
             such as eu-west-1.",
            sanitize(&self.region),
            self.source
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![set_region(&region_of_cluster(self.of_issuer.as_deref()))]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("region", &self.region).value("region_source", self.source.to_string())
    }
}

/// The two region variables name different regions.
#[derive(Debug, Clone)]
pub struct RegionsDisagree {
    /// `AWS_REGION`.
    pub(crate) region: String,
    /// `AWS_DEFAULT_REGION`.
    pub(crate) default_region: String,
    /// The region in the token's issuer, if there is one.
    pub(crate) of_issuer: Option<String>,
}

impl Entry for RegionsDisagree {
    fn cause(&self) -> String {
        format!(
            "AWS_REGION is {} and AWS_DEFAULT_REGION is {}. boto3 reads only the second, most other SDKs the \
             first, so programs in this pod may call different regions.",
            sanitize(&self.region),
            sanitize(&self.default_region)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let of_cluster = match &self.of_issuer {
            Some(region) => format!(" The cluster is in {}.", sanitize(region)),
            None => String::new(),
        };
        vec![format!(
            "Set both variables in the pod spec to the region that is meant.{of_cluster}\n{}",
            both_variables(&region_of_cluster(self.of_issuer.as_deref()))
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("aws_region", &self.region).text("aws_default_region", &self.default_region)
    }
}

/// The role, the region and the issuer are not in one partition.
#[derive(Debug, Clone)]
pub struct PartitionMismatch {
    pub(crate) role: &'static str,
    pub(crate) region: (String, &'static str),
    /// Where the region, or the host that belongs to it, was set.
    pub(crate) source: SettingSource,
    /// The region and partition of the issuer, if it is the issuer of an EKS cluster.
    pub(crate) issuer: Option<(String, &'static str)>,
}

impl Entry for PartitionMismatch {
    fn cause(&self) -> String {
        let (region, partition) = (sanitize(&self.region.0), self.region.1);
        let issuer = self.issuer.as_ref().map_or_else(String::new, |(region, partition)| {
            format!(" The cluster that issued the token is in {} (partition {partition}).", sanitize(region))
        });
        if self.role == partition {
            format!(
                "The role and the region {region} are in partition {partition}, but the cluster is not.{issuer} \
                 That can work, if the role's account has an OIDC provider for this cluster, but is rarely meant."
            )
        } else {
            format!(
                "The role is in partition {}, but the region is {region}, of partition {partition}, from {}: its STS \
                 does not know the role.{issuer}",
                self.role, self.source
            )
        }
    }

    fn remedy(&self) -> Vec<String> {
        if self.role == self.region.1 {
            return steps![
                "If it is meant, nothing is to be done. If not, see which role and region belong to this cluster, and \
                 correct them."
            ];
        }
        let own = self.issuer.as_ref().filter(|(_, partition)| *partition == self.role);
        let remove = if self.source.is_endpoint() {
            format!("remove {}, which names an STS of partition {}, and ", self.source, self.region.1)
        } else {
            String::new()
        };
        let region = format!(
            "If the role is right, {remove}set a region of partition {} in both variables, since SDKs differ in \
             which they read:\n{}",
            self.role,
            both_variables(&region_of_cluster(own.map(|(region, _)| region.as_str())))
        );
        let role = format!(
            "If the role is wrong, annotate the service account with one of partition {}:\n{}",
            self.region.1,
            annotate_role(None, ROLE_ARN)
        );
        // The cluster's partition is the third witness.
        let is_role_wrong = self.issuer.as_ref().is_some_and(|(_, partition)| *partition == self.region.1);
        if is_role_wrong {
            vec![role, delete_pod(None, None), region]
        } else {
            vec![region, role, delete_pod(None, None)]
        }
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new()
            .value("role_partition", self.role)
            .text("region", &self.region.0)
            .value("region_partition", self.region.1);
        match &self.issuer {
            Some((region, partition)) => {
                evidence.text("issuer_region", region).value("issuer_partition", *partition)
            }
            None => evidence,
        }
    }
}

/// The configured endpoint is not a URL that can be called.
#[derive(Debug, Clone)]
pub struct EndpointMalformed {
    pub(crate) url: String,
    pub(crate) source: SettingSource,
    pub(crate) fault: &'static str,
}

impl EndpointMalformed {
    /// The text, unless it can contain a password.
    fn printable_url(&self) -> String {
        if self.url.contains(['@', '?', '#', '=']) {
            "a text that is not shown, since it may hold a password".to_owned()
        } else {
            format!("\"{}\"", sanitize(&self.url))
        }
    }
}

impl Entry for EndpointMalformed {
    fn cause(&self) -> String {
        format!("{} is {}, and {}.", self.source, self.printable_url(), self.fault)
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Correct {0}, or remove it to use the region's own endpoint.{1}",
            self.source,
            show(&self.source)
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("endpoint_source", self.source.to_string())
    }
}

#[derive(Debug, Clone)]
pub struct EndpointOptionsConflict {
    /// What the SDK's endpoint rules said.
    pub(crate) message: String,
}

impl Entry for EndpointOptionsConflict {
    fn cause(&self) -> String {
        format!(
            "AWS's rules give no STS endpoint for these settings: {}. SDKs that follow the same rules fail with the same words.",
            sanitize(&self.message)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Keep only one of AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL, AWS_USE_FIPS_ENDPOINT and \
             AWS_USE_DUALSTACK_ENDPOINT, or choose a region that offers the combination."
        ]
    }
}

/// The endpoint would receive the token unencrypted.
#[derive(Debug, Clone)]
pub struct EndpointInsecure {
    pub(crate) url: String,
    /// What set the endpoint.
    pub(crate) source: SettingSource,
}

impl Entry for EndpointInsecure {
    fn cause(&self) -> String {
        format!(
            "The STS endpoint {} is plain HTTP, and not on this host: everyone on the way can read the token \
             and the role's credentials.",
            sanitize(&self.url)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Set an https:// URL in {}, or remove it to use the region's own endpoint.{}",
            self.source,
            show(&self.source)
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("endpoint", &self.url).value("endpoint_source", self.source.to_string())
    }
}

#[cfg(test)]
mod tests {
    use sdk_chain::situation::ChainInput;
    use sdk_chain::{CredentialSource, SdkId, resolve};

    #[test]
    fn sdks_without_a_region_do_as_the_cause_says() {
        let mut input = ChainInput::default();
        input.set_variable("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/checkout");
        input.set_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        let mut input = input.with_working_role();
        input.variables.retain(|name, _| !name.ends_with("REGION"));
        for (sdk, source) in [
            (SdkId::GoV2, CredentialSource::Error),
            (SdkId::Ruby, CredentialSource::Error),
            (SdkId::JavaV1, CredentialSource::NodeRole),
            (SdkId::Cpp, CredentialSource::NodeRole),
        ] {
            assert_eq!(resolve(sdk, &input).source, source, "{sdk:?}");
        }
    }
}
