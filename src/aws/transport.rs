//! The SDK's HTTP transport over the project's own connections.
//!
//! So proxies and CA bundles count for the SDK as they do for the probe, and what stood in the way keeps its type.
//! A `SmithyConnection` is one open connection. A [`SmithyConnector`] opens connections as the SDK needs them.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderValue, SERVER};
use hyper::{Request, Response, Uri};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::net::connect::{self, ConnectFault, Connected, Route};
use crate::net::dns::Resolver;
use crate::net::endpoint::{Endpoint, UrlFault};
use crate::net::http::{self, HttpConnection, ResponseError};
use crate::net::options::NetworkOptions;
use crate::net::proxy::{self, ProxyUrlError};
use crate::net::tls::{TrustFault, TrustRoots};
use crate::text::{Secret, redact_secret};

/// The most bytes of AWS's answer that are read; those of STS have about two thousand.
pub(super) const MAX_REPLY_BYTES: usize = 256 << 10;

/// What the head of AWS's answer says beside the status.
#[derive(Debug, Clone, Default)]
pub(super) struct ResponseHead {
    pub(super) server_time: Option<SystemTime>,
    pub(super) content_type: Option<String>,
    pub(super) server: Option<String>,
}

/// An open connection as the SDK's transport.
#[derive(Debug, Clone)]
pub(super) struct SmithyConnection {
    connection: HttpConnection,
    head: Arc<Mutex<ResponseHead>>,
}

impl SmithyConnection {
    pub(super) fn new(connection: HttpConnection) -> Self {
        Self { connection, head: Arc::default() }
    }

    /// An SDK's client that makes every call over this connection.
    pub(super) fn http_client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// The head of the last answer, once.
    pub(super) fn take_head(&self) -> ResponseHead {
        std::mem::take(&mut *self.head.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let lost = |error: ResponseError| ConnectorError::io(error.into());
        let other = |error: Box<dyn Error + Send + Sync>| ConnectorError::other(error, None);
        let request = request.try_into_http1x().map_err(|error| other(error.into()))?;
        let (mut parts, body) = request.into_parts();
        if let Some(host) = host_header(&parts.uri) {
            parts.headers.insert(HOST, host);
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse::<Uri>().map_err(|error| other(error.into()))?;
        let body = Full::new(Bytes::copy_from_slice(body.bytes().unwrap_or_default()));

        let lost_at_send =
            |error: hyper::Error| lost(ResponseError::ConnectionLost(error_with_source(&error)));
        let response = self.connection.send(Request::from_parts(parts, body)).await.map_err(lost_at_send)?;
        let (parts, body) = response.into_parts();
        let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let time = |text| SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok();
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = ResponseHead {
            server_time: header(DATE).and_then(time),
            content_type: header(CONTENT_TYPE).map(str::to_owned),
            server: header(SERVER).map(str::to_owned),
        };
        let body = http::read_body(body, MAX_REPLY_BYTES, error_with_source).await.map_err(lost)?;
        let response = Response::from_parts(parts, SdkBody::from(body));
        HttpResponse::try_from(response).map_err(|error| other(error.into()))
    }
}

impl HttpConnector for SmithyConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().send(request))
    }
}

/// The Host header as the SDK signs it: without the port that the scheme implies
/// (`aws_sigv4`, `http_request/canonical_request.rs`).
fn host_header(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let implied = matches!(
        (uri.scheme_str(), authority.port_u16()),
        (Some("https"), Some(443)) | (Some("http"), Some(80))
    );
    HeaderValue::from_str(if implied { authority.host() } else { authority.as_str() }).ok()
}

/// An error and its source, without the link to its manual that the TLS library adds.
fn error_with_source(error: &(dyn Error + 'static)) -> String {
    let text = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    text.split(": https://").next().unwrap_or_default().to_owned()
}

/// The first error of a type among the sources of another, which the SDK wraps several times.
pub(super) fn find_source<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref() {
            return Some(found);
        }
        next = source.source();
    }
    None
}

/// The SDK signs by the pod's clock.
impl TimeSource for Pod {
    fn now(&self) -> SystemTime {
        Pod::now(self)
    }
}

/// Opens connections for an SDK, and keeps those that are idle for its next call.
#[derive(Clone)]
pub struct SmithyConnector(Arc<Shared>);

struct Shared {
    pod: Pod,
    network: NetworkOptions,
    until: Instant,
    trust: OnceCell<Result<TrustRoots, TrustFault>>,
    idle: Mutex<HashMap<String, Vec<SmithyConnection>>>,
}

impl fmt::Debug for SmithyConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmithyConnector")
    }
}

#[derive(Debug, Clone)]
pub struct ServerUnreachable {
    pub(crate) host: String,
    /// What stood in the way.
    pub(crate) cause: Arc<UnreachableCause>,
}

/// What stood in the way.
#[derive(Debug)]
pub(crate) enum UnreachableCause {
    Url(UrlFault),
    Trust(TrustFault),
    ProxyVariable(ProxyUrlError),
    /// A step on the way failed.
    Connect(ConnectFault),
}

/// In a sentence, which the host begins or the proxy.
impl fmt::Display for ServerUnreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &*self.cause {
            UnreachableCause::Url(fault) => write!(f, "the endpoint of {host} cannot be called: {fault}"),
            UnreachableCause::Trust(TrustFault::Bundle { variable, path, fault }) => {
                write!(f, "{variable} names {path}, and {fault}")
            }
            UnreachableCause::Trust(TrustFault::NoRoots { .. }) => {
                write!(f, "no CA certificates were found to trust {host} by")
            }
            UnreachableCause::ProxyVariable(ProxyUrlError { variable }) => {
                write!(f, "{variable} is no proxy's URL")
            }
            UnreachableCause::Connect(fault @ (ConnectFault::Lookup { .. } | ConnectFault::Proxy(_))) => {
                fault.fmt(f)
            }
            UnreachableCause::Connect(fault) => write!(f, "{host} cannot be reached: {fault}"),
        }
    }
}

impl Error for ServerUnreachable {}

impl SmithyConnector {
    /// One that opens nothing after `until`.
    pub fn new(pod: &Pod, network: NetworkOptions, until: Instant) -> Self {
        let (trust, idle) = (OnceCell::new(), Mutex::default());
        Self(Arc::new(Shared { pod: pod.clone(), network, until, trust, idle }))
    }

    pub(super) fn http_client(&self) -> SharedHttpClient {
        let connector = self.clone();
        SharedHttpClient::new(http_client_fn(move |settings: &HttpConnectorSettings, _| {
            SharedHttpConnector::new(SmithyCall {
                connector: connector.clone(),
                connect_timeout: settings.connect_timeout(),
                read_timeout: settings.read_timeout(),
            })
        }))
    }

    /// An idle connection to where the URL leads, or a new one.
    async fn connection_for(
        &self,
        url: &str,
        key: &str,
        until: Instant,
    ) -> Result<SmithyConnection, ServerUnreachable> {
        let idle = self.idle(|idle| idle.get_mut(key).and_then(Vec::pop));
        if let Some(link) = idle {
            return Ok(link);
        }
        let endpoint = Endpoint::parse(url).map_err(|fault| {
            // What comes before an @ can be a password, with any characters.
            let after = url.rsplit('@').next().unwrap_or_default();
            let after = after.split_once("//").map_or(after, |(_, rest)| rest);
            let host = after.split(['/', '?', '#']).next().unwrap_or_default();
            ServerUnreachable { host: host.to_owned(), cause: Arc::new(UnreachableCause::Url(fault)) }
        })?;
        let stream = self.connect(&endpoint, until).await?.stream;
        HttpConnection::open(stream).await.map(SmithyConnection::new).map_err(|words| {
            let fault = ConnectFault::before_first_request(words);
            ServerUnreachable { host: endpoint.host, cause: Arc::new(UnreachableCause::Connect(fault)) }
        })
    }

    /// Opens a new connection for something else than the SDK, by `until` at the latest.
    pub(crate) async fn connect(
        &self,
        endpoint: &Endpoint,
        until: Instant,
    ) -> Result<Connected, ServerUnreachable> {
        let unreachable = |cause| ServerUnreachable { host: endpoint.host.clone(), cause: Arc::new(cause) };
        let Shared { pod, network, .. } = &*self.0;
        let proxy = if is_on_this_machine(endpoint) {
            None
        } else {
            proxy::for_endpoint(pod, &endpoint.uri)
                .map_err(|fault| unreachable(UnreachableCause::ProxyVariable(fault)))?
        };
        let trust = if endpoint.tls || proxy.as_ref().is_some_and(|proxy| proxy.tls) {
            self.trust().await.map_err(|fault| unreachable(UnreachableCause::Trust(fault)))?
        } else {
            TrustRoots::empty()
        };
        let resolver = Resolver::load(pod, network.dns_server, until).await;
        let route = Route { endpoint, proxy: proxy.as_ref(), trust: &trust, resolver: &resolver };
        Box::pin(connect::open(pod, &route, Budget::ending_at(until)))
            .await
            .map_err(|fault| unreachable(UnreachableCause::Connect(fault)))
    }

    async fn trust(&self) -> Result<TrustRoots, TrustFault> {
        let Shared { pod, network, until, trust, .. } = &*self.0;
        trust.get_or_init(|| TrustRoots::load(pod, &network.system_roots, *until)).await.clone()
    }

    fn idle<T>(&self, change: impl FnOnce(&mut HashMap<String, Vec<SmithyConnection>>) -> T) -> T {
        change(&mut self.0.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The SDK's call, with the time that it gives it.
#[derive(Debug, Clone)]
struct SmithyCall {
    connector: SmithyConnector,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl SmithyCall {
    fn until(&self, most: Option<Duration>) -> Instant {
        let until = self.connector.0.until;
        most.map_or(until, |most| until.min(Instant::now() + most))
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url = request.uri().to_owned();
        let key = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let sent = request.headers().get("x-amz-security-token").map(|token| Secret::new(token.to_owned()));
        let connect_until = self.until(self.connect_timeout);
        let link = self.connector.connection_for(&url, &key, connect_until).await;
        let link = link.map_err(|unreached| ConnectorError::io(unreached.into()))?;
        let answer = timeout_at(self.until(self.read_timeout), link.call(request)).await;
        let answer = answer.map_err(|_| ConnectorError::timeout("it does not answer".into()))??;
        let closes = |value: &str| value.eq_ignore_ascii_case("close");
        if !answer.headers().get("connection").is_some_and(closes) {
            self.connector.idle(|idle| idle.entry(key).or_default().push(link));
        }
        Ok(match sent {
            Some(sent) => answer.map(|body| redact_body(body, &sent)),
            None => answer,
        })
    }
}

/// The answer without the session token that was sent, should the server echo it.
fn redact_body(body: SdkBody, sent: &Secret) -> SdkBody {
    match body.bytes().map(std::str::from_utf8) {
        Some(Ok(text)) => SdkBody::from(redact_secret(text, sent)),
        _ => body,
    }
}

impl HttpConnector for SmithyCall {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

/// Whether it is a server of this very machine: loopback, or one of the addresses at which AWS's
/// machines give out credentials. No proxy leads there.
fn is_on_this_machine(endpoint: &Endpoint) -> bool {
    let of_machine = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments().starts_with(&[0xfd00, 0x0ec2]),
    };
    endpoint.is_loopback() || endpoint.host.parse().is_ok_and(of_machine)
}

#[cfg(test)]
mod tests {
    use super::{host_header, is_on_this_machine};
    use crate::net::endpoint::Endpoint;

    #[test]
    fn no_proxy_leads_to_this_machine() {
        for (url, is) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://localhost:8080/creds", true),
            ("https://iam.amazonaws.com/", false),
            ("https://10.0.0.1/", false),
            ("https://[fd00:ec3::1]/", false),
        ] {
            assert_eq!(is_on_this_machine(&Endpoint::parse(url).unwrap()), is, "{url}");
        }
    }

    /// Otherwise STS rejects the signature of a healthy role's call.
    #[test]
    fn the_host_is_what_the_sdk_signs() {
        for (url, expected) in [
            ("https://sts.eu-west-1.amazonaws.com/", "sts.eu-west-1.amazonaws.com"),
            ("https://sts.eu-west-1.amazonaws.com:443/", "sts.eu-west-1.amazonaws.com"),
            ("https://sts.example:8443/", "sts.example:8443"),
            ("https://sts.example:80/", "sts.example:80"),
            ("http://sts.example:80/", "sts.example"),
            ("http://127.0.0.1:443/", "127.0.0.1:443"),
            ("https://[fd00::1]:443/", "[fd00::1]"),
        ] {
            assert_eq!(host_header(&url.parse().unwrap()).unwrap(), expected, "{url}");
        }
    }
}
