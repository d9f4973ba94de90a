//! Why a call to the Kubernetes API brought nothing.

use std::path::Path;

use serde::Deserialize;

use crate::net::connect::{ConnectFault, TcpFault, TlsFault};
use crate::net::dns::{DnsFault, LookupFault};
use crate::net::endpoint::UrlFault;
use crate::text::sanitize;

/// What was asked of the API, as a rule in a Role would name it.
#[derive(Debug, Clone, Copy)]
pub struct ApiRequest<'a> {
    pub verb: &'static str,
    pub resource: &'static str,
    pub namespace: &'a str,
}

/// Why a call brought nothing: a sentence without its full stop, for one line of the log. Where a permission is missing,
/// it says what to grant.
#[derive(Debug, thiserror::Error)]
pub enum ApiFault {
    #[error("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set, so there is no API to ask")]
    NotConfigured,
    #[error("the pod's API token cannot be read, or names no service account")]
    NoServiceAccount,
    #[error("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT make {}, and {fault}", sanitize(url))]
    AddressUnusable { url: String, fault: UrlFault },
    #[error("\"{}\" cannot be a name in Kubernetes", sanitize(.0))]
    NameUnusable(String),
    /// The file of the pod's API token, or of the API server's CA, cannot be used; in a sentence.
    #[error("{0}")]
    File(String),
    #[error("the API cannot be reached: {}", sanitize(&.0.to_string()))]
    Connect(ConnectFault),
    /// With the library's words.
    #[error("the connection to the API broke off: {}", sanitize(.0))]
    ConnectionLost(String),
    #[error("the API did not answer in time")]
    TimedOut,
    #[error(
        "the pod's service account may not {verb} {resource} in namespace {}; to allow it, grant the verb {verb} on \
         the resource {resource} there, by a Role and a RoleBinding",
        sanitize(namespace)
    )]
    Denied { verb: &'static str, resource: &'static str, namespace: String },
    #[error("the API does not accept the pod's API token (401 Unauthorized)")]
    Unauthorized,
    #[error("the API knows no such object")]
    NotFound,
    #[error("an object of this name exists already")]
    AlreadyExists,
    /// The object is not the one, or not in the state, that the request was meant for; the server's words.
    #[error("the API answered 409 Conflict: {}", sanitize(.0))]
    Conflict(String),
    /// Kubernetes says no in another way.
    #[error("the API answered {status} {}: {}", sanitize(reason), sanitize(message))]
    Other { status: u16, reason: String, message: String },
    #[error("what answered (HTTP {0}) does not speak as the Kubernetes API does")]
    NotKubernetes(u16),
    /// The request was granted.
    #[error("the API's answer is too long to be read")]
    TooLong,
}

/// The object in which Kubernetes says no.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    kind: String,
    reason: String,
    message: String,
}

impl ApiFault {
    /// What an answer says that grants nothing.
    pub fn from_reply(asked: &ApiRequest<'_>, status: u16, body: &[u8]) -> Self {
        let Status { kind, reason, message } = serde_json::from_slice(body).unwrap_or_default();
        if kind != "Status" {
            return Self::NotKubernetes(status);
        }
        match (status, reason.as_str()) {
            // So says the authorizer; admission and quota forbid in other words.
            (403, "Forbidden") if message.contains(&format!("cannot {} resource", asked.verb)) => {
                let ApiRequest { verb, resource, namespace } = *asked;
                Self::Denied { verb, resource, namespace: namespace.to_owned() }
            }
            (401, _) => Self::Unauthorized,
            (404, "NotFound") => Self::NotFound,
            (409, "AlreadyExists") => Self::AlreadyExists,
            (409, _) => Self::Conflict(message),
            _ => Self::Other { status, reason, message },
        }
    }

    /// A file cannot be read or used.
    pub(super) fn file(path: &Path, what: &str, verb: &str, fault: &str) -> Self {
        let path = sanitize(&path.to_string_lossy());
        Self::File(format!("the {what} {path} cannot be {verb}: {}", sanitize(fault)))
    }

    pub(crate) fn from_connect(fault: ConnectFault) -> Self {
        match fault {
            ConnectFault::Lookup { fault: LookupFault::Unavailable(DnsFault::TimedOut), .. }
            | ConnectFault::Tcp { fault: TcpFault::TimedOut(_), .. }
            | ConnectFault::Tls { fault: TlsFault::TimedOut(_), .. } => Self::TimedOut,
            other => Self::Connect(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiFault, ApiRequest, ConnectFault, TlsFault};
    use crate::net::tls::PresentedCertificate;
    use std::time::Duration;

    const GET_FORBIDDEN: &str = include_str!("../../tests/recorded/api-get-sa-forbidden.json");
    const PATCH_FORBIDDEN: &str = include_str!("../../tests/recorded/api-patch-pod-status-forbidden.json");
    const UNAUTHORIZED: &str = include_str!("../../tests/recorded/api-unauthorized.json");

    #[test]
    fn each_way_of_saying_no() {
        let get = ApiRequest { verb: "get", resource: "serviceaccounts", namespace: "payments" };
        let patch = ApiRequest { verb: "patch", resource: "pods/status", namespace: "payments" };
        let status = |code: u16, reason: &str, message: &str| {
            serde_json::json!({"kind": "Status", "status": "Failure", "reason": reason, "message": message,
                "code": code})
            .to_string()
        };
        let terminating = status(
            403,
            "Forbidden",
            "events \"a\" is forbidden: unable to create new content in namespace payments because it is \
             being terminated",
        );
        for (asked, code, body, expected) in [
            (
                &get,
                403,
                GET_FORBIDDEN,
                "the pod's service account may not get serviceaccounts in namespace payments; to allow it, \
                 grant the verb get on the resource serviceaccounts there, by a Role and a RoleBinding",
            ),
            (
                &patch,
                403,
                PATCH_FORBIDDEN,
                "the pod's service account may not patch pods/status in namespace payments; to allow it, \
                 grant the verb patch on the resource pods/status there, by a Role and a RoleBinding",
            ),
            (&get, 401, UNAUTHORIZED, "the API does not accept the pod's API token (401 Unauthorized)"),
            (
                &get,
                403,
                &terminating,
                "the API answered 403 Forbidden: events \"a\" is forbidden: unable to create new content in \
                 namespace payments because it is being terminated",
            ),
            (&get, 404, &status(404, "NotFound", "no"), "the API knows no such object"),
            (
                &get,
                404,
                "404 page not found",
                "what answered (HTTP 404) does not speak as the Kubernetes API does",
            ),
            (&get, 409, &status(409, "AlreadyExists", "no"), "an object of this name exists already"),
            (&get, 409, &status(409, "Conflict", "other uid"), "the API answered 409 Conflict: other uid"),
            (&get, 503, "", "what answered (HTTP 503) does not speak as the Kubernetes API does"),
            (
                &get,
                429,
                &status(429, "TooManyRequests", "slow\u{1b}[0m"),
                "the API answered 429 TooManyRequests: slow\\u{1b}[0m",
            ),
        ] {
            assert_eq!(ApiFault::from_reply(asked, code, body.as_bytes()).to_string(), expected);
        }
    }

    #[test]
    fn whatever_an_answer_holds_one_short_line_is_made_of_it() {
        let get = ApiRequest { verb: "get", resource: "serviceaccounts", namespace: "payments" };
        let long =
            serde_json::json!({"kind": "Status", "reason": "r\n".repeat(9999), "message": "m".repeat(99999)});
        for body in [long.to_string().as_bytes(), GET_FORBIDDEN.as_bytes(), b"\xff", b"[]", b"{\"kind\": 1}"]
        {
            for status in [400, 401, 403, 404, 409, 422, 500] {
                for end in [body.len(), body.len() / 2, body.len() / 3] {
                    let words = ApiFault::from_reply(&get, status, &body[..end]).to_string();
                    assert!(words.len() < 2000 && !words.contains('\n'), "{words}");
                }
            }
        }
    }

    #[test]
    fn whatever_took_too_long_is_called_so() {
        let tls = |fault| ConnectFault::Tls {
            addresses: Vec::new(),
            fault,
            presented: PresentedCertificate::default(),
        };
        let hung = ApiFault::from_connect(tls(TlsFault::TimedOut(Duration::from_secs(1))));
        assert!(matches!(hung, ApiFault::TimedOut));
        let untrusted = ApiFault::from_connect(tls(TlsFault::Untrusted("UnknownIssuer".to_owned())));
        assert_eq!(
            untrusted.to_string(),
            "the API cannot be reached: its certificate is not trusted: UnknownIssuer"
        );
    }
}
