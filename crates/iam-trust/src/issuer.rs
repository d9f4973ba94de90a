//! Issuers of tokens.

use std::net::IpAddr;

use crate::issuer_without_scheme;

/// Endings of host names that only exist inside a cluster, a machine or a private network.
const PRIVATE_ENDINGS: [&str; 6] = ["svc", "local", "localhost", "internal", "home.arpa", "test"];

/// Whether an issuer is one whose keys STS cannot read: a private name or address, as that of a virtual cluster.
/// Source: "an OIDC provider must be publicly available", in "Create an OpenID Connect (OIDC) identity provider in
/// IAM" of the IAM User Guide.
#[must_use]
pub fn is_private(issuer: &str) -> bool {
    let authority = issuer_without_scheme(issuer).split('/').next().unwrap_or_default();
    let (host, rest) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest),
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    if host.is_empty() || rest.contains('[') {
        return false;
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => {
            let has_ending =
                |ending: &&str| host.strip_suffix(*ending).is_some_and(|rest| rest.ends_with('.'));
            !host.contains('.') || PRIVATE_ENDINGS.iter().any(has_ending)
        }
    }
}

/// The region in the name of an EKS issuer: `oidc.eks.REGION.…`, or `oidc-eks.REGION.…` for dual stack.
#[must_use]
pub fn eks_region(issuer: &str) -> Option<&str> {
    let host = issuer_without_scheme(issuer).split('/').next()?;
    let (region, domain) = eks_region_and_domain(host)?;
    (!region.is_empty() && !domain.is_empty()).then_some(region)
}

/// The region and the domain of an EKS issuer's host.
pub(crate) fn eks_region_and_domain(host: &str) -> Option<(&str, &str)> {
    let rest = host.strip_prefix("oidc.eks.").or_else(|| host.strip_prefix("oidc-eks."))?;
    Some(rest.split_once('.').unwrap_or((rest, "")))
}

#[cfg(test)]
mod tests {
    use super::{eks_region, is_private};

    #[test]
    fn an_eks_issuer_names_its_region() {
        for (issuer, region) in [
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/A", Some("eu-west-1")),
            ("https://oidc-eks.cn-north-1.api.amazonwebservices.com.cn/id/A", Some("cn-north-1")),
            ("https://oidc.eks.", None),
            ("https://oidc.eks..com", None),
            ("https://oidc.example.com/eks", None),
        ] {
            assert_eq!(eks_region(issuer), region, "{issuer}");
        }
    }

    #[test]
    fn names_and_addresses_inside_of_a_cluster_are_private() {
        for private in [
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc/",
            "https://kubernetes",
            "https://localhost:8443",
            "https://api.kind.local.",
            "https://oidc.corp.internal/x",
            "https://10.0.0.1:6443",
            "https://192.168.49.2",
            "https://127.0.0.1",
            "https://[fd00::1]:6443/x",
            "https://[::1]",
        ] {
            assert!(is_private(private), "{private}");
        }
        for public in [
            "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C",
            "https://s3.eu-west-1.amazonaws.com/my-bucket",
            "https://svc.example.com",
            "https://203.0.113.9",
            "https://[2001:db8::1]/x",
            "",
            "https://",
        ] {
            assert!(!is_private(public), "{public}");
        }
    }
}
