//! Where AWS is called: STS by AWS's own endpoint rules, and the configuration of clients for it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_smithy_async::time::SharedTimeSource;
use iam_trust::partition::Partition;

use super::transport::SmithyConnector;
use crate::host::Pod;

/// A call that is throttled, or lost, is made once more, after at most this.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Where AWS is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// The region whose IAM is asked: each partition has one IAM.
    pub iam_region: String,
    pub iam_url: Option<String>,
    pub sts_region: String,
    pub sts_url: Option<String>,
    /// Endpoints that keep to FIPS 140.
    pub fips: bool,
    /// Endpoints with IPv6 addresses, too.
    pub dual_stack: bool,
}

impl Endpoints {
    /// The configuration of a client for IAM.
    pub(super) fn iam_config(
        &self,
        pod: &Pod,
        dialer: &SmithyConnector,
        credentials: Option<Credentials>,
    ) -> SdkConfig {
        self.config(pod, dialer, credentials, (&self.iam_region, self.iam_url.as_deref()))
    }

    /// The configuration of a client for STS.
    pub(super) fn sts_config(
        &self,
        pod: &Pod,
        dialer: &SmithyConnector,
        credentials: Option<Credentials>,
    ) -> SdkConfig {
        self.config(pod, dialer, credentials, (&self.sts_region, self.sts_url.as_deref()))
    }

    fn config(
        &self,
        pod: &Pod,
        dialer: &SmithyConnector,
        credentials: Option<Credentials>,
        (region, url): (&str, Option<&str>),
    ) -> SdkConfig {
        let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(RETRY_PAUSE);
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(dialer.http_client())
            .region(Region::new(region.to_owned()))
            .use_fips(self.fips)
            .use_dual_stack(self.dual_stack)
            .retry_config(retry.with_max_backoff(RETRY_PAUSE))
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(SharedTimeSource::new(pod.clone()));
        config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
        config.set_endpoint_url(url.map(str::to_owned));
        config.build()
    }
}

/// The URL that AWS's endpoint rules give, in every partition.
///
/// # Errors
/// The rules' own words, if they give none for this combination.
pub(crate) async fn sts_url(
    region: &str,
    fips: bool,
    dual_stack: bool,
    url: Option<&str>,
) -> Result<String, String> {
    let params = Params::builder()
        .region(region)
        .use_fips(fips)
        .use_dual_stack(dual_stack)
        .set_endpoint(url.map(str::to_owned))
        .build()
        .map_err(|error| error.to_string())?;
    match DefaultResolver::new().resolve_endpoint(&params).await {
        Ok(endpoint) => Ok(endpoint.url().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The service in the name of a host of AWS, such as `ec2` in `api.ec2.us-east-1.aws`. `None` for other hosts.
pub(crate) fn service_of_host(host: &str) -> Option<&str> {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws", ".aws"];
    let names = domains.iter().find_map(|domain| host.strip_suffix(domain))?;
    let is_region = |name: &str| Partition::of_region(name).is_some();
    let is_prefix = |name: &str| ["api", "vpce", "dualstack"].contains(&name) || name.starts_with("vpce-");
    // A bucket's name comes before the service.
    names.split('.').rfind(|name| !is_region(name) && !is_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::{service_of_host, sts_url};

    #[test]
    fn host_names_its_service() {
        for (host, service) in [
            ("api.ec2.us-east-1.aws", Some("ec2")),
            ("ec2.us-east-1.amazonaws.com", Some("ec2")),
            ("sts.eu-west-1.amazonaws.com", Some("sts")),
            ("sts.amazonaws.com", Some("sts")),
            ("sts.eu-west-1.api.aws", Some("sts")),
            ("sts-fips.us-east-1.amazonaws.com", Some("sts-fips")),
            ("sts.cn-north-1.amazonaws.com.cn", Some("sts")),
            ("bucket.s3.dualstack.eu-west-1.amazonaws.com", Some("s3")),
            ("vpce-0a1b-c2.secretsmanager.eu-west-1.vpce.amazonaws.com", Some("secretsmanager")),
            ("localhost", None),
            ("amazonaws.com.example", None),
        ] {
            assert_eq!(service_of_host(host), service, "{host}");
        }
    }

    #[tokio::test]
    async fn every_partition_has_its_rules() {
        let usual = async |region| sts_url(region, false, false, None).await.unwrap();
        assert_eq!(usual("eu-west-1").await, "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(usual("cn-north-1").await, "https://sts.cn-north-1.amazonaws.com.cn");
        assert_eq!(usual("eusc-de-east-1").await, "https://sts.eusc-de-east-1.amazonaws.eu");
        assert_eq!(usual("us-iso-east-1").await, "https://sts.us-iso-east-1.c2s.ic.gov");

        let fips = async |region| sts_url(region, true, false, None).await.unwrap();
        assert_eq!(fips("us-gov-west-1").await, "https://sts.us-gov-west-1.amazonaws.com");
        assert_eq!(fips("us-east-1").await, "https://sts-fips.us-east-1.amazonaws.com");

        let dual_stack = async |region| sts_url(region, false, true, None).await.unwrap();
        assert_eq!(dual_stack("eu-west-1").await, "https://sts.eu-west-1.api.aws");
    }

    #[tokio::test]
    async fn conflicting_options_are_refused_by_the_rules() {
        let error = sts_url("eu-west-1", true, false, Some("https://sts.example")).await.unwrap_err();
        assert!(error.contains("FIPS and custom endpoint are not supported"), "{error}");
    }
}
