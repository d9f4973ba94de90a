//! The few calls to the Kubernetes API that the probe makes, with the pod's own API token.
//!
//! Everything here is optional: a cluster that grants nothing is the rule, so a call that fails says
//! in one line what to grant, and nobody depends on its answer.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::net::connect::{self, Route};
use crate::net::dns::Resolver;
use crate::net::endpoint::Endpoint;
use crate::net::http::{self, ResponseError};
use crate::net::tls::TrustRoots;
use crate::text::{Secret, redact_secret};
use crate::token::{MAX_TOKEN_FILE_BYTES, ServiceAccount};
use fault::{ApiFault, ApiRequest};
use pod_status::{PodReference, PodState};
use service_account::AnnotatedAccount;

pub mod event;
pub mod fault;
pub mod pod_status;
pub mod service_account;

/// The variables by which the kubelet names the API server to every container.
pub const SERVER_VARIABLES: [&str; 2] = ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"];
/// The file of the API server's CA, beside the token.
pub const CA_FILE: &str = "ca.crt";

/// The most bytes of an answer that are read.
const MAX_REPLY_BYTES: usize = 256 << 10;

/// The API server of this pod's cluster. Each call opens a connection of its own, and reads the token
/// anew, since the kubelet rotates it.
#[derive(Debug, Clone)]
pub struct Api {
    pod: Pod,
    url: String,
    token_file: PathBuf,
}

/// When the pod's service account is read from the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KubernetesUse {
    /// Only where the pod carries no identity, to say why.
    Auto,
    /// On every pass, to see whether the annotation still names the pod's role.
    Always,
    /// Never: what is true of whoever does not ask for it.
    #[default]
    Off,
}

/// A body, after its content type.
type Body<'a> = (&'static str, &'a Value);

impl Api {
    /// The API server that the pod's variables name; `None` outside a cluster. Its CA lies beside the
    /// token.
    pub fn from_variables(pod: &Pod, api_token_file: &Path) -> Option<Self> {
        let [host, port] = SERVER_VARIABLES.map(|name| pod.nonempty_variable(name));
        let (host, port) = (host?, port?);
        let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host };
        Some(Self {
            pod: pod.clone(),
            url: format!("https://{host}:{port}"),
            token_file: api_token_file.to_owned(),
        })
    }

    /// Reads a service account.
    pub async fn service_account(
        &self,
        account: &ServiceAccount,
        until: Instant,
    ) -> Result<AnnotatedAccount, ApiFault> {
        let request = ApiRequest { verb: "get", resource: "serviceaccounts", namespace: &account.namespace };
        let parts = ["serviceaccounts", account.name.as_str()];
        let reply = self.call(Method::GET, request, &parts, None, until).await?;
        AnnotatedAccount::parse(&reply).ok_or(ApiFault::NotKubernetes(StatusCode::OK.as_u16()))
    }

    /// Patches the pod's status by strategic merge; a patch of nothing reads it.
    pub async fn patch_pod_status(
        &self,
        pod: &PodReference,
        patch: &Value,
        until: Instant,
    ) -> Result<PodState, ApiFault> {
        let request = ApiRequest { verb: "patch", resource: "pods/status", namespace: &pod.namespace };
        let (parts, body) =
            (["pods", pod.name.as_str(), "status"], ("application/strategic-merge-patch+json", patch));
        let reply = self.call(Method::PATCH, request, &parts, Some(body), until).await?;
        PodState::parse(&reply).ok_or(ApiFault::NotKubernetes(StatusCode::OK.as_u16()))
    }

    /// Creates an event on the pod.
    pub(crate) async fn create_event(
        &self,
        pod: &PodReference,
        event: &Value,
        until: Instant,
    ) -> Result<(), ApiFault> {
        let request = ApiRequest { verb: "create", resource: "events", namespace: &pod.namespace };
        let body = ("application/json", event);
        self.call(Method::POST, request, &["events"], Some(body), until).await.map(drop)
    }

    async fn call(
        &self,
        method: Method,
        asked: ApiRequest<'_>,
        parts: &[&str],
        body: Option<Body<'_>>,
        until: Instant,
    ) -> Result<Bytes, ApiFault> {
        let path = namespaced_path(asked.namespace, parts)?;
        let token = self.token(until).await?;
        let trust = self.trust(until).await?;
        let endpoint = Endpoint::parse(&self.url)
            .map_err(|fault| ApiFault::AddressUnusable { url: self.url.clone(), fault })?;
        let resolver = Resolver::load(&self.pod, None, until).await;
        let route = Route { endpoint: &endpoint, proxy: None, trust: &trust, resolver: &resolver };
        let connected = Box::pin(connect::open(&self.pod, &route, Budget::ending_at(until))).await;
        let stream = connected.map_err(ApiFault::from_connect)?.stream;
        let request = build_request(method, &path, body, &endpoint, &token)?;
        match timeout_at(until, http::send_once(stream, request, MAX_REPLY_BYTES)).await {
            Err(_) => Err(ApiFault::TimedOut),
            Ok(Err(words)) => Err(ApiFault::ConnectionLost(words)),
            Ok(Ok((status, reply))) if status.is_success() => {
                reply.map(|reply| redact_token(&reply, &token)).map_err(|unread| match unread {
                    ResponseError::TooLong(_) => ApiFault::TooLong,
                    ResponseError::ConnectionLost(words) => ApiFault::ConnectionLost(words),
                })
            }
            Ok(Ok((status, reply))) => {
                let reply = redact_token(&reply.unwrap_or_default(), &token);
                Err(ApiFault::from_reply(&asked, status.as_u16(), &reply))
            }
        }
    }

    async fn token(&self, until: Instant) -> Result<Secret, ApiFault> {
        let unreadable = |fault: String| ApiFault::file(&self.token_file, "API token", "read", &fault);
        let file = self.pod.read(&self.token_file, MAX_TOKEN_FILE_BYTES, until).await;
        let text = String::from_utf8(file.map_err(|error| unreadable(error.to_string()))?.bytes);
        let text = text.map_err(|_| unreadable("it is not text".to_owned()))?;
        match text.trim() {
            "" => Err(unreadable("it is empty".to_owned())),
            token if !token.chars().all(|c| c.is_ascii_graphic()) => {
                Err(unreadable("it is no token".to_owned()))
            }
            token => Ok(Secret::new(token.to_owned())),
        }
    }

    async fn trust(&self, until: Instant) -> Result<TrustRoots, ApiFault> {
        let path = self.token_file.with_file_name(CA_FILE);
        TrustRoots::from_file(&self.pod, &path, until)
            .await
            .map_err(|fault| ApiFault::file(&path, "API's CA", "used", &fault))
    }
}

/// An answer without what of the token it echoes.
fn redact_token(reply: &[u8], token: &Secret) -> Bytes {
    let text = String::from_utf8_lossy(reply).into_owned();
    Bytes::from(redact_secret(&text, token))
}

/// The path of something in a namespace. The names come out of a token: none may lead elsewhere.
fn namespaced_path(namespace: &str, parts: &[&str]) -> Result<String, ApiFault> {
    let mut path = "/api/v1/namespaces".to_owned();
    for part in std::iter::once(&namespace).chain(parts) {
        if !is_object_name(part) {
            return Err(ApiFault::NameUnusable((*part).to_owned()));
        }
        path.push('/');
        path.push_str(part);
    }
    Ok(path)
}

/// The longest name of an object. Source: RFC 1123, as `k8s.io/apimachinery` checks it.
pub const MAX_NAME_BYTES: usize = 253;

/// Whether an object can have the name: a DNS subdomain.
pub fn is_object_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    name.len() <= MAX_NAME_BYTES
        && name.chars().all(inner)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn build_request(
    method: Method,
    path: &str,
    body: Option<Body<'_>>,
    endpoint: &Endpoint,
    token: &Secret,
) -> Result<Request<Full<Bytes>>, ApiFault> {
    let unfit = |error: hyper::http::Error| ApiFault::ConnectionLost(error.to_string());
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    let mut bearer = bearer.map_err(|error| unfit(error.into()))?;
    bearer.set_sensitive(true);
    let authority = endpoint.uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, authority)
        .header(AUTHORIZATION, bearer)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("irsa-probe/", env!("CARGO_PKG_VERSION")));
    if let Some((content_type, _)) = body {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let body = body.map_or_else(Bytes::new, |(_, value)| Bytes::from(value.to_string()));
    request.body(Full::new(body)).map_err(unfit)
}

#[cfg(test)]
mod tests {
    use super::{Api, Endpoint, Secret, is_object_name, namespaced_path, redact_token};
    use crate::host::{Clock, Pod};
    use std::path::Path;
    use std::time::SystemTime;

    #[test]
    fn the_server_is_where_the_variables_say() {
        for (variables, url) in [
            (&[][..], None),
            (&[("KUBERNETES_SERVICE_HOST", "10.100.0.1")], None),
            (&[("KUBERNETES_SERVICE_HOST", ""), ("KUBERNETES_SERVICE_PORT", "443")], None),
            (
                &[("KUBERNETES_SERVICE_HOST", "10.100.0.1"), ("KUBERNETES_SERVICE_PORT", "443")],
                Some("https://10.100.0.1:443"),
            ),
            (
                &[("KUBERNETES_SERVICE_HOST", "fd30:1c53:5f8a::1"), ("KUBERNETES_SERVICE_PORT", "443")],
                Some("https://[fd30:1c53:5f8a::1]:443"),
            ),
            (
                &[("KUBERNETES_SERVICE_HOST", "api.cluster.example"), ("KUBERNETES_SERVICE_PORT", "6443")],
                Some("https://api.cluster.example:6443"),
            ),
        ] {
            let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
            let api = Api::from_variables(&pod, Path::new("/token"));
            assert_eq!(api.as_ref().map(|api| api.url.as_str()), url, "{variables:?}");
            assert!(api.is_none_or(|api| Endpoint::parse(&api.url).is_ok()), "{variables:?}");
        }
    }

    #[test]
    fn an_answer_that_echoes_the_token_is_cleaned() {
        let token =
            Secret::new("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0x.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg".to_owned());
        let echo = br#"{"message":"bad c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"}"#;
        assert_eq!(redact_token(echo, &token), br#"{"message":"bad [not shown]"}"#[..]);
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for (name, good) in [
            ("checkout", true),
            ("checkout-6d5f9c7b8-abcde", true),
            ("a.b", true),
            ("", false),
            ("..", false),
            (".", false),
            ("a/b", false),
            ("a?b", false),
            ("-a", false),
            ("A", false),
            ("ä", false),
        ] {
            assert_eq!(is_object_name(name), good, "{name}");
        }
        let expected = "/api/v1/namespaces/payments/pods/checkout-1/status";
        assert_eq!(
            namespaced_path("payments", &["pods", "checkout-1", "status"]).ok().as_deref(),
            Some(expected)
        );
        assert!(namespaced_path("..", &["events"]).is_err());
    }
}
