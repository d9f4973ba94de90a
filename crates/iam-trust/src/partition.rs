//! AWS partitions: separate clouds with their own ARNs, regions and host names.

/// A partition. Source: `partitions.json` and the STS endpoint rules of botocore.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name, the second part of an ARN.
    pub id: &'static str,
    /// What its regions start with; for the commercial one see [`Partition::of_region`].
    region_prefixes: &'static [&'static str],
    /// What its STS host names end with.
    pub dns_suffix: &'static str,
    /// What its dual-stack host names end with.
    dual_stack_suffix: &'static str,
    /// A region of it, for commands that need any.
    pub home_region: &'static str,
}

/// The regions of the commercial partition that each account has without opting in.
/// Source: "Enable or disable AWS Regions in your account" in the AWS Account Management Reference Guide.
const ENABLED_BY_DEFAULT: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
];

/// Whether each account has a region of the commercial partition without opting in.
#[must_use]
pub fn is_enabled_by_default(region: &str) -> bool {
    ENABLED_BY_DEFAULT.contains(&region)
}

static PARTITIONS: [Partition; 8] = [
    Partition {
        id: "aws",
        region_prefixes: &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        home_region: "us-east-1",
    },
    Partition {
        id: "aws-cn",
        region_prefixes: &["cn-"],
        dns_suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
        home_region: "cn-north-1",
    },
    Partition {
        id: "aws-us-gov",
        region_prefixes: &["us-gov-"],
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        home_region: "us-gov-west-1",
    },
    Partition {
        id: "aws-eusc",
        region_prefixes: &["eusc-"],
        dns_suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
        home_region: "eusc-de-east-1",
    },
    Partition {
        id: "aws-iso",
        region_prefixes: &["us-iso-"],
        dns_suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
        home_region: "us-iso-east-1",
    },
    Partition {
        id: "aws-iso-b",
        region_prefixes: &["us-isob-"],
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
        home_region: "us-isob-east-1",
    },
    Partition {
        id: "aws-iso-e",
        region_prefixes: &["eu-isoe-"],
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
        home_region: "eu-isoe-west-1",
    },
    Partition {
        id: "aws-iso-f",
        region_prefixes: &["us-isof-"],
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
        home_region: "us-isof-south-1",
    },
];

impl Partition {
    /// The partition of this name.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        PARTITIONS.iter().find(|partition| partition.id == id)
    }

    /// The partition that a region is in, by the longest prefix that fits. `None` for a region
    /// that starts like no known one.
    #[must_use]
    pub fn of_region(region: &str) -> Option<&'static Self> {
        PARTITIONS
            .iter()
            .flat_map(|partition| partition.region_prefixes.iter().map(move |prefix| (prefix, partition)))
            .filter(|(prefix, _)| region.starts_with(**prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, partition)| partition)
    }

    /// Whether the host name is one of AWS's own, in any partition.
    #[must_use]
    pub fn owns_host(host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        PARTITIONS
            .iter()
            .flat_map(|partition| [partition.dns_suffix, partition.dual_stack_suffix])
            .any(|suffix| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.')))
    }

    /// All names, as `aws, aws-cn, …`.
    #[must_use]
    pub fn names() -> String {
        PARTITIONS.iter().map(|partition| partition.id).collect::<Vec<_>>().join(", ")
    }
}

/// The region that one of AWS's own hosts serves, as its name says it; `sts.amazonaws.com`, which
/// names none, is in us-east-1.
#[must_use]
pub fn region_of_host(host: &str) -> Option<&str> {
    if host.trim_end_matches('.').eq_ignore_ascii_case("sts.amazonaws.com") {
        return Some("us-east-1");
    }
    let is_region =
        |label: &&str| Partition::of_region(label).is_some() && label.ends_with(|c: char| c.is_ascii_digit());
    host.split('.').find(is_region).filter(|_| Partition::owns_host(host))
}

/// The region in the URL of an EKS cluster's issuer, `https://oidc.eks.REGION.SUFFIX/id/ID`, also
/// in its dual-stack form `https://oidc-eks.REGION.api.aws/id/ID`.
#[must_use]
pub fn region_of_issuer(issuer: &str) -> Option<&str> {
    let host = issuer.strip_prefix("https://")?.split('/').next()?;
    let after = host.strip_prefix("oidc.eks.").or_else(|| host.strip_prefix("oidc-eks."))?;
    let region = after.split('.').next()?;
    (Partition::owns_host(host) && Partition::of_region(region).is_some()).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::{Partition, region_of_host, region_of_issuer};

    #[test]
    fn regions_and_their_partitions() {
        for (region, partition) in [
            ("eu-west-1", Some("aws")),
            ("us-gov-west-1", Some("aws-us-gov")),
            ("cn-north-1", Some("aws-cn")),
            ("us-iso-east-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-isoe-west-1", Some("aws-iso-e")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("mars-1", None),
        ] {
            assert_eq!(Partition::of_region(region).map(|found| found.id), partition, "{region}");
        }
    }

    #[test]
    fn the_region_in_an_issuer() {
        for (issuer, region) in [
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/AB", Some("eu-west-1")),
            ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/AB", Some("cn-north-1")),
            ("https://oidc-eks.eu-west-1.api.aws/id/AB", Some("eu-west-1")),
            ("https://oidc.eu-west-1.eks.amazonaws.com/id/AB", None),
            ("https://oidc.eks.eu-west-1.evil.example/id/AB", None),
            ("https://kubernetes.default.svc", None),
        ] {
            assert_eq!(region_of_issuer(issuer), region, "{issuer}");
        }
    }

    #[test]
    fn the_region_of_a_host() {
        for (host, region) in [
            ("sts.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sts-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("sts.amazonaws.com", Some("us-east-1")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("vpce-0a1b-2c.sts.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("sts.eu-west-1.evil.example", None),
            ("localhost", None),
        ] {
            assert_eq!(region_of_host(host), region, "{host}");
        }
    }

    #[test]
    fn which_hosts_are_aws() {
        for (host, is) in [
            ("sts.eu-west-1.amazonaws.com", true),
            ("STS.amazonaws.com.", true),
            ("sts.eu-west-1.api.aws", true),
            ("evilamazonaws.com", false),
            ("localhost", false),
        ] {
            assert_eq!(Partition::owns_host(host), is, "{host}");
        }
    }
}
