//! Names that EKS, Kubernetes and the AWS SDKs share: variables, paths and audiences.

pub const ROLE_ARN_VARIABLE: &str = "AWS_ROLE_ARN";
pub const TOKEN_FILE_VARIABLE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The variables that name container credentials instead, as EKS Pod Identity sets them.
pub(crate) const CONTAINER_CREDENTIALS_VARIABLES: [&str; 2] =
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];

/// Where the webhook mounts the token. Source: amazon-eks-pod-identity-webhook, its defaults.
pub const DEFAULT_TOKEN_FILE: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";

/// Where the kubelet puts the ordinary API token of a pod.
pub(crate) const API_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

pub(crate) use iam_trust::USUAL_AUDIENCE;
