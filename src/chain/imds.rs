//! Whether the node's role can be reached from this pod: IMDSv2's token and the role's name, and never
//! its credentials.
//!
//! A call to IMDS from a pod is what security tools watch for. So nothing asks but who asked to see the
//! chain, or after a failure that some SDK would hide behind that role.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::time::Instant;

use crate::net::endpoint::Endpoint;
use crate::net::http::Call;
use crate::net::tls::Trust;
use crate::pod::Pod;

/// IMDS's own addresses. Source: the EC2 user guide, "Access instance metadata for an EC2 instance".
const USUAL: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];
/// The variable that names another, which every SDK reads.
const ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// How long all of it may take.
const LONGEST: Duration = Duration::from_millis(300);
/// The most bytes of an answer that are read: a token has about sixty, a role's name up to 64.
const LONGEST_REPLY: usize = 1024;

const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const TOKEN_SECONDS: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// What IMDS says to this pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeRole {
    /// It would give this role's credentials.
    Reachable {
        /// The role's name.
        role: String,
        /// Where it answered.
        endpoint: String,
    },
    /// It answers, but the node has no role.
    None {
        /// Where it answered.
        endpoint: String,
    },
    /// It does not answer, or refuses; why.
    Unreachable(String),
}

/// Asks IMDS, at its IPv4 and its IPv6 address at once.
pub async fn node_role(pod: &Pod) -> NodeRole {
    let until = Instant::now() + LONGEST;
    if let Some(endpoint) = pod.filled(ENDPOINT) {
        return ask(pod, endpoint.trim_end_matches('/'), until).await;
    }
    let [first, second] = USUAL;
    let (first, second) = tokio::join!(ask(pod, first, until), ask(pod, second, until));
    match (first, second) {
        (NodeRole::Unreachable(why), NodeRole::Unreachable(_)) => NodeRole::Unreachable(why),
        (NodeRole::Unreachable(_), answered) => answered,
        (answered, _) => answered,
    }
}

async fn ask(pod: &Pod, url: &str, until: Instant) -> NodeRole {
    let Ok(endpoint) = Endpoint::parse(url) else {
        return NodeRole::Unreachable(format!("{ENDPOINT} is no URL"));
    };
    if endpoint.tls {
        return NodeRole::Unreachable("it is not asked over TLS".to_owned());
    }
    let trust = Trust::nobody();
    let call = |method, path, header| {
        let (endpoint, trust, headers) = (&endpoint, &trust, vec![header]);
        Call { endpoint, dns_server: None, trust, method, path, headers, longest: LONGEST_REPLY }
            .send(pod, until)
    };
    let seconds = (TOKEN_SECONDS, HeaderValue::from_static("60"));
    let token = match call(Method::PUT, TOKEN_PATH, seconds).await {
        Ok((StatusCode::OK, Ok(token))) => token,
        Ok((status, _)) => {
            return NodeRole::Unreachable(format!("it answers {} to the call for a token", status.as_u16()));
        }
        Err(why) => return NodeRole::Unreachable(why),
    };
    let Ok(mut token) = HeaderValue::from_maybe_shared(token) else {
        return NodeRole::Unreachable("its token is none".to_owned());
    };
    token.set_sensitive(true);
    match call(Method::GET, ROLES_PATH, (TOKEN, token)).await {
        Ok((StatusCode::OK, Ok(names))) => {
            let names = String::from_utf8_lossy(&names).into_owned();
            match names.lines().next().map(str::trim).filter(|name| !name.is_empty()) {
                Some(role) => NodeRole::Reachable { role: role.to_owned(), endpoint: endpoint.shown() },
                None => NodeRole::None { endpoint: endpoint.shown() },
            }
        }
        Ok((StatusCode::NOT_FOUND, _)) => NodeRole::None { endpoint: endpoint.shown() },
        Ok((status, _)) => {
            NodeRole::Unreachable(format!("it answers {} to the call for the role's name", status.as_u16()))
        }
        Err(why) => NodeRole::Unreachable(why),
    }
}
