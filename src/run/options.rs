//! What the user wants of the checks, beyond what the pod says.

use std::path::PathBuf;

use clap::Args;

use crate::env::API_TOKEN_FILE;
use crate::kubernetes::KubernetesUse;
use crate::net::options::NetworkOptions;
use crate::sdk_scan::ExpectedSdk;

/// What the pod is taken for, and what it must be.
#[derive(Debug, Clone, Default, Args)]
pub struct IdentityOptions {
    /// The role, in place of AWS_ROLE_ARN
    #[arg(long, value_name = "ARN", env = "IRSA_PROBE_ROLE_ARN")]
    pub role_arn: Option<String>,
    /// The token file, in place of AWS_WEB_IDENTITY_TOKEN_FILE
    #[arg(long, value_name = "FILE", env = "IRSA_PROBE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The pod's API token, which names the service account of a pod that was not injected
    #[arg(long, value_name = "FILE", env = "IRSA_PROBE_API_TOKEN_FILE", default_value = API_TOKEN_FILE)]
    pub api_token_file: PathBuf,
    /// Fail unless the pod was given exactly this role
    #[arg(long, value_name = "ARN", env = "IRSA_PROBE_EXPECT_ROLE_ARN")]
    pub expect_role_arn: Option<String>,
    /// Fail unless the token is meant for this audience
    #[arg(long, value_name = "AUDIENCE", env = "IRSA_PROBE_EXPECT_AUDIENCE")]
    pub expect_audience: Option<String>,
}

/// What the user wants of the checks.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// What the pod is taken for, and what it must be.
    pub identity: IdentityOptions,
    /// The region, in place of `AWS_REGION`.
    pub region: Option<String>,
    /// The SDK that the application has.
    pub expect_sdk: Option<ExpectedSdk>,
    /// When the pod's service account is read from the Kubernetes API.
    pub kubernetes: KubernetesUse,
    /// How servers are found and trusted.
    pub network: NetworkOptions,
    /// Where the application's SDK is looked for, if it is.
    pub sdk_root: Option<PathBuf>,
}
