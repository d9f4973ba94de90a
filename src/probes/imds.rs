//! Whether this pod can get the role of its node from IMDS.
//!
//! IMDS is asked for a token and for the name of the role, never for its credentials. If it gives no token, as with a
//! hop limit of 1, the name is requested without one. Many SDKs do the same, and nodes that allow IMDSv1 answer.
//!
//! Security tools watch for calls to IMDS. So IMDS is asked only for `chain`, and after a failure that some SDK would
//! hide behind the node's role.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use iam_trust::arn;
use tokio::time::Instant;

use crate::host::Pod;
use crate::net::endpoint::Endpoint;
use crate::net::http_call::HttpCall;
use crate::net::tls::TrustRoots;

/// The addresses of IMDS. Source: the EC2 user guide, "Access instance metadata for an EC2 instance".
const DEFAULT_ENDPOINTS: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];
/// The variable that sets another endpoint. Every SDK reads it.
const ENDPOINT_VARIABLE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// How long both calls can take.
const TIMEOUT: Duration = Duration::from_millis(300);
/// How long the call for a token can take. The rest of the time is left for the call without one.
const TOKEN_TIMEOUT: Duration = Duration::from_millis(150);
/// The most bytes of a reply that are read. A token has about 60, the name of a role up to 64.
const MAX_REPLY_BYTES: usize = 1024;

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_LIFETIME_HEADER: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// What IMDS answers this pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeRole {
    /// It offers the credentials of this role.
    Reachable {
        role: String,
        endpoint: String,
        /// Whether only IMDSv1 works, which needs no token.
        only_v1: bool,
    },
    None {
        endpoint: String,
    },
    /// It does not answer, or refuses, for this reason.
    Unreachable(String),
}

/// Asks IMDS at its IPv4 and its IPv6 address, both at once.
pub(crate) async fn ask_node_role(pod: &Pod, dns_server: Option<SocketAddr>) -> NodeRole {
    if let Some(endpoint) = pod.nonempty_variable(ENDPOINT_VARIABLE) {
        return ask_endpoint(pod, endpoint.trim_end_matches('/'), dns_server).await;
    }
    let [first, second] = DEFAULT_ENDPOINTS;
    let (first, second) = tokio::join!(ask_endpoint(pod, first, None), ask_endpoint(pod, second, None));
    match (first, second) {
        (NodeRole::Unreachable(why), NodeRole::Unreachable(_)) => NodeRole::Unreachable(why),
        (NodeRole::Unreachable(_), answered) => answered,
        (answered, _) => answered,
    }
}

async fn ask_endpoint(pod: &Pod, url: &str, dns_server: Option<SocketAddr>) -> NodeRole {
    let begun = Instant::now();
    let until = begun + TIMEOUT;
    let Ok(endpoint) = Endpoint::parse(url) else {
        return NodeRole::Unreachable(format!("{ENDPOINT_VARIABLE} is no URL"));
    };
    if endpoint.tls {
        return NodeRole::Unreachable("it is not asked over TLS".to_owned());
    }
    let trust = TrustRoots::empty();
    let call = |method, path, headers, until| {
        let (endpoint, trust) = (&endpoint, &trust);
        HttpCall { endpoint, dns_server, trust, method, path, headers, max_body_bytes: MAX_REPLY_BYTES }
            .send(pod, until)
    };
    let seconds = vec![(TOKEN_LIFETIME_HEADER, HeaderValue::from_static("60"))];
    let token = match call(Method::PUT, TOKEN_PATH, seconds, begun + TOKEN_TIMEOUT).await {
        Ok((StatusCode::OK, Ok(token))) => token_header(token),
        Ok((status, _)) => Err(format!("it answers {} to the call for a token", status.as_u16())),
        Err(why) => Err(why),
    };
    let only_v1 = token.is_err();
    let headers = token.as_ref().map_or_else(|_| Vec::new(), |token| vec![(TOKEN_HEADER, token.clone())]);
    match (call(Method::GET, ROLES_PATH, headers, until).await, token) {
        // A mock, or a proxy, can answer every path alike, and that with credentials.
        (Ok((StatusCode::OK, Ok(names))), Ok(token)) if names == token.as_bytes() => {
            NodeRole::Unreachable("it answers every call alike, so it is not IMDS".to_owned())
        }
        (Ok((StatusCode::OK, Ok(names))), _) => {
            let name = String::from_utf8_lossy(&names);
            match name.trim() {
                "" => NodeRole::None { endpoint: endpoint.origin() },
                role if arn::is_role_name(role) => {
                    NodeRole::Reachable { role: role.to_owned(), endpoint: endpoint.origin(), only_v1 }
                }
                _ => NodeRole::Unreachable("it answers with something else than a role's name".to_owned()),
            }
        }
        (Ok((StatusCode::NOT_FOUND, _)), Ok(_)) => NodeRole::None { endpoint: endpoint.origin() },
        // The reason why there is no token says more than the refusal of a call without one.
        (_, Err(why)) | (Err(why), Ok(_)) => NodeRole::Unreachable(why),
        (Ok((status, _)), Ok(_)) => {
            NodeRole::Unreachable(format!("it answers {} to the call for the role's name", status.as_u16()))
        }
    }
}

fn token_header(token: Bytes) -> Result<HeaderValue, String> {
    let mut token = HeaderValue::from_maybe_shared(token).map_err(|_| "its token is none".to_owned())?;
    token.set_sensitive(true);
    Ok(token)
}
