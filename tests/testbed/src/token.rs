//! The claims of the tokens that Kubernetes hands to a pod, and edits on them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};

use crate::issuer::Issuer;
use crate::random;

/// Namespace of the pod.
pub const NAMESPACE: &str = "payments";
/// Service account of the pod.
pub const SERVICE_ACCOUNT: &str = "checkout";
/// Name of the pod.
pub const POD: &str = "checkout-6d5f9c7b8-abcde";
/// Name of the pod's node.
pub const NODE: &str = "ip-10-0-12-34.eu-west-1.compute.internal";

const POD_UID: &str = "3a425203-8f0c-4f27-90e5-532e21abc2c4";
const NODE_UID: &str = "4a0bdb9b-53af-4a87-8429-ea682ba543f6";
const SERVICE_ACCOUNT_UID: &str = "79cffbed-a92b-41b0-8722-e4b3433cc961";

/// Which of Kubernetes' tokens it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Projected by the kubelet for STS, as the webhook asks for it.
    #[default]
    Projected,
    /// The pod's ordinary token for the Kubernetes API.
    Api,
    /// Of a Secret of type service-account-token: never expires.
    LegacySecret,
    /// Projected for EKS Pod Identity.
    PodIdentity,
    /// From `kubectl create token`: knows no pod and no node.
    #[serde(rename = "tokenrequest")]
    TokenRequest,
}

impl Kind {
    /// How long Kubernetes lets it live, in seconds, if nobody asks for another time.
    #[must_use]
    pub fn lifetime(self) -> i64 {
        match self {
            Self::Projected | Self::PodIdentity | Self::LegacySecret => 24 * 3600,
            Self::Api => 365 * 24 * 3600,
            Self::TokenRequest => 3600,
        }
    }

    /// The claims of such a token, issued and expiring at these Unix times.
    #[must_use]
    pub fn claims(self, issuer: &str, issued: i64, expires: i64) -> Map<String, Value> {
        let mut kubernetes = json!({
            "namespace": NAMESPACE,
            "node": {"name": NODE, "uid": NODE_UID},
            "pod": {"name": POD, "uid": POD_UID},
            "serviceaccount": {"name": SERVICE_ACCOUNT, "uid": SERVICE_ACCOUNT_UID},
        });
        let fields = kubernetes.as_object_mut().expect("it is an object");
        let audience = match self {
            Self::LegacySecret => return legacy_secret_claims(),
            Self::Projected => "sts.amazonaws.com",
            Self::PodIdentity => "pods.eks.amazonaws.com",
            Self::Api => {
                fields.insert("warnafter".to_owned(), json!(issued + 3607));
                "https://kubernetes.default.svc"
            }
            Self::TokenRequest => {
                fields.retain(|name, _| name != "node" && name != "pod");
                "sts.amazonaws.com"
            }
        };
        let claims = json!({
            "aud": [audience], "exp": expires, "iat": issued, "iss": issuer, "jti": random::uuid(),
            "kubernetes.io": kubernetes, "nbf": issued, "sub": subject(),
        });
        object(claims)
    }
}

/// `system:serviceaccount:NAMESPACE:NAME` of the pod.
#[must_use]
pub fn subject() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}")
}

fn legacy_secret_claims() -> Map<String, Value> {
    object(json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": NAMESPACE,
        "kubernetes.io/serviceaccount/secret.name": "legacy",
        "kubernetes.io/serviceaccount/service-account.name": SERVICE_ACCOUNT,
        "kubernetes.io/serviceaccount/service-account.uid": SERVICE_ACCOUNT_UID,
        "sub": subject(),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// What is changed in a token before it is signed.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Laid over the claims; a claim is replaced as a whole.
    pub claims: Map<String, Value>,
    /// Claims that are left out.
    pub remove: Vec<String>,
    /// Laid over the header.
    pub header: Map<String, Value>,
}

impl Edits {
    /// Applies the edits and signs the outcome.
    #[must_use]
    pub fn sign(&self, issuer: &Issuer, mut claims: Map<String, Value>) -> String {
        claims.extend(self.claims.clone());
        claims.retain(|name, _| !self.remove.contains(name));
        let mut header = object(issuer.header());
        header.extend(self.header.clone());
        issuer.sign_with(&Value::Object(header), &Value::Object(claims))
    }
}

/// The header and the claims of a token, unverified.
#[must_use]
pub fn decode(token: &str) -> Option<(Value, Value)> {
    let mut parts = token.split('.');
    let mut part = || {
        let json = BASE64.decode(parts.next()?).ok()?;
        serde_json::from_slice(&json).ok()
    };
    Some((part()?, part()?))
}
