//! The way of the operator's calls: the SDK's transport over the project's own connections, so that
//! proxies and CA bundles count as they do for STS, and what stood in the way keeps its type.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_util::rt::TokioIo;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::sts::HttpConnection;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::net::connect::{self, ConnectFault, Connected, Route};
use crate::net::dns::Resolver;
use crate::net::endpoint::{Endpoint, UrlFault};
use crate::net::options::NetworkOptions;
use crate::net::proxy::{self, ProxyUrlError};
use crate::net::tls::{TrustFault, TrustRoots};
use crate::text::{Secret, redact_secret};

/// Opens connections for an SDK, and keeps those that are idle for its next call.
#[derive(Clone)]
pub struct SmithyConnector(Arc<Shared>);

struct Shared {
    pod: Pod,
    network: NetworkOptions,
    until: Instant,
    trust: OnceCell<Result<TrustRoots, TrustFault>>,
    idle: Mutex<HashMap<String, Vec<HttpConnection>>>,
}

impl fmt::Debug for SmithyConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

/// Why no connection could be opened.
#[derive(Debug, Clone)]
pub struct ServerUnreachable {
    /// The host that was to be called.
    pub host: String,
    /// What stood in the way.
    pub cause: Arc<UnreachableCause>,
}

/// What stood in the way.
#[derive(Debug)]
pub enum UnreachableCause {
    /// The URL is no endpoint's.
    Url(UrlFault),
    /// There is nobody to trust.
    Trust(TrustFault),
    /// A proxy variable is no proxy's URL.
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

impl std::error::Error for ServerUnreachable {}

/// The time that the SDK gives a call is over.
#[derive(Debug)]
struct DeadlinePassed;

impl fmt::Display for DeadlinePassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it does not answer")
    }
}

impl std::error::Error for DeadlinePassed {}

impl SmithyConnector {
    /// One that opens nothing after `until`.
    #[must_use]
    pub fn new(pod: &Pod, network: NetworkOptions, until: Instant) -> Self {
        let (trust, idle) = (OnceCell::new(), Mutex::default());
        Self(Arc::new(Shared { pod: pod.clone(), network, until, trust, idle }))
    }

    /// The same for another runtime, with which no connection can be shared.
    pub(super) fn for_other_runtime(&self) -> Self {
        let Shared { pod, network, until, .. } = &*self.0;
        Self::new(pod, network.clone(), *until)
    }

    /// It as the SDK's client.
    #[must_use]
    pub(super) fn http_client(&self) -> SharedHttpClient {
        let dialer = self.clone();
        SharedHttpClient::new(http_client_fn(move |settings: &HttpConnectorSettings, _| {
            SharedHttpConnector::new(SmithyCall {
                dialer: dialer.clone(),
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
    ) -> Result<HttpConnection, ServerUnreachable> {
        let idle = self.idle(|idle| idle.get_mut(key).and_then(Vec::pop));
        if let Some(link) = idle {
            return Ok(link);
        }
        let endpoint = Endpoint::parse(url).map_err(|fault| {
            let host = url.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            // What stands before an @ may be a password.
            let host = host.rsplit('@').next().unwrap_or_default();
            ServerUnreachable { host: host.to_owned(), cause: Arc::new(UnreachableCause::Url(fault)) }
        })?;
        self.open(&endpoint, until)
            .await
            .map_err(|obstacle| ServerUnreachable { host: endpoint.host.clone(), cause: Arc::new(obstacle) })
    }

    async fn open(&self, endpoint: &Endpoint, until: Instant) -> Result<HttpConnection, UnreachableCause> {
        let opened = self.connect(endpoint, until).await?;
        let link = HttpConnection::over(TokioIo::new(opened.stream)).await;
        link.map_err(|words| UnreachableCause::Connect(ConnectFault::before_first_request(words)))
    }

    /// Opens a new connection for something else than the SDK, by `until` at the latest.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn connect(&self, endpoint: &Endpoint, until: Instant) -> Result<Connected, UnreachableCause> {
        let Shared { pod, network, .. } = &*self.0;
        let proxy = if is_on_this_machine(endpoint) {
            None
        } else {
            proxy::for_endpoint(pod, &endpoint.uri).map_err(UnreachableCause::ProxyVariable)?
        };
        let trust = if endpoint.tls || proxy.as_ref().is_some_and(|proxy| proxy.tls) {
            self.trust().await.map_err(UnreachableCause::Trust)?
        } else {
            TrustRoots::empty()
        };
        let resolver = Resolver::load(pod, network.dns_server, until).await;
        let route = Route { endpoint, proxy: proxy.as_ref(), trust: &trust, resolver: &resolver };
        let budget = Budget { deadline: until, timeout: until.saturating_duration_since(Instant::now()) };
        Box::pin(connect::open(pod, &route, budget)).await.map_err(UnreachableCause::Connect)
    }

    async fn trust(&self) -> Result<TrustRoots, TrustFault> {
        let Shared { pod, network, until, trust, .. } = &*self.0;
        trust.get_or_init(|| TrustRoots::load(pod, &network.system_roots, *until)).await.clone()
    }

    fn idle<T>(&self, change: impl FnOnce(&mut HashMap<String, Vec<HttpConnection>>) -> T) -> T {
        change(&mut self.0.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The SDK's call, with the time that it gives it.
#[derive(Debug, Clone)]
struct SmithyCall {
    dialer: SmithyConnector,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl SmithyCall {
    fn until(&self, most: Option<Duration>) -> Instant {
        let until = self.dialer.0.until;
        most.map_or(until, |most| until.min(Instant::now() + most))
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let url = request.uri().to_owned();
        let key = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let sent = request.headers().get("x-amz-security-token").map(|token| Secret::new(token.to_owned()));
        let connect_until = self.until(self.connect_timeout);
        let link = self.dialer.connection_for(&url, &key, connect_until).await;
        let link = link.map_err(|unreached| ConnectorError::io(unreached.into()))?;
        let answer = timeout_at(self.until(self.read_timeout), link.call(request)).await;
        let answer = answer.map_err(|_| ConnectorError::timeout(DeadlinePassed.into()))??;
        let closes = |value: &str| value.eq_ignore_ascii_case("close");
        if !answer.headers().get("connection").is_some_and(closes) {
            self.dialer.idle(|idle| idle.entry(key).or_default().push(link));
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
    use super::is_on_this_machine;
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
}
