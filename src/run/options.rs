//! What the user wants of the checks.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::kubernetes::KubernetesUse;
use crate::sdk_scan::ExpectedSdk;

/// What the user wants of the checks, beyond what the pod says.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The role, in place of `AWS_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// The token file, in place of `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// The region, in place of `AWS_REGION`.
    pub region: Option<String>,
    /// The role that the pod must have been given.
    pub expect_role_arn: Option<String>,
    /// The audience that the token must have.
    pub expect_audience: Option<String>,
    /// The pod's API token.
    pub api_token_file: PathBuf,
    /// The SDK that the application has.
    pub expect_sdk: Option<ExpectedSdk>,
    /// When the pod's service account is read from the Kubernetes API.
    pub kubernetes: KubernetesUse,
    /// A name server, in place of those in `/etc/resolv.conf`.
    pub dns_server: Option<SocketAddr>,
    /// Where the system's CA certificates are looked for.
    pub system_roots: Vec<PathBuf>,
    /// Where the application's SDK is looked for, if it is.
    pub sdk_root: Option<PathBuf>,
}
