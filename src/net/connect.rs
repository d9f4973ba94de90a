//! One connection: the name, TCP, a proxy's tunnel and TLS, each with its own failure.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Method, Request, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, Error as TlsError};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::dns::{LookupFault, Resolved, Resolver};
use super::endpoint::Endpoint;
use super::http::{HttpConnection, Stream};
use super::proxy::Proxy;
use super::tls::{CertificateRecorder, TrustRoots};
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::net::proxy::ProxyFault;
use crate::net::tls::PresentedCertificate;

/// How long one address may take before the next is tried beside it.
/// Source: RFC 8305, section 5, the recommended connection attempt delay.
const STAGGER: Duration = Duration::from_millis(250);

pub(crate) struct Route<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) proxy: Option<&'a Proxy>,
    pub(crate) trust: &'a TrustRoots,
    /// How to look names up.
    pub(crate) resolver: &'a Resolver,
}

/// An open connection, and what was seen while opening it.
pub(crate) struct Connected {
    pub(crate) stream: Box<dyn Stream>,
    /// The addresses of the host, or of the proxy if there is one.
    pub(crate) resolved: Resolved,
    pub(crate) peer: SocketAddr,
    pub(crate) tls_version: Option<&'static str>,
}

#[derive(Debug)]
pub enum ConnectFault {
    Lookup {
        /// The name. With a proxy, the proxy's name.
        host: String,
        fault: LookupFault,
    },
    /// No address accepted a connection.
    Tcp {
        addresses: Vec<IpAddr>,
        fault: TcpFault,
    },
    Proxy(ProxyFault),
    Tls {
        /// The addresses of the host. Empty behind a proxy.
        addresses: Vec<IpAddr>,
        fault: TlsFault,
        presented: PresentedCertificate,
    },
}

impl ConnectFault {
    /// The connection broke off before the first request; the system's message.
    pub(crate) fn before_first_request(words: String) -> Self {
        Self::Tls {
            addresses: Vec::new(),
            fault: TlsFault::ConnectionLost(words),
            presented: PresentedCertificate::default(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TcpFault {
    #[error("the connection is refused")]
    Refused,
    /// The server did not answer before the deadline.
    #[error("it does not answer")]
    TimedOut(Duration),
    /// There is no route; the system's message.
    #[error("{0}")]
    NoRoute(String),
    /// The connection broke off at once; the system's message.
    #[error("{0}")]
    ConnectionLost(String),
}

#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The server did not answer before the deadline.
    #[error("it does not answer the TLS handshake")]
    TimedOut(Duration),
    /// With the system's message.
    #[error("the connection broke off: {0}")]
    ConnectionLost(String),
    #[error("it does not speak TLS")]
    NotTls,
    /// No trusted CA signed the certificate; the library's message.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    #[error("its certificate is for other names")]
    WrongName(Vec<String>),
    #[error("its certificate is {}", if *not_yet { "not valid yet" } else { "no longer valid" })]
    NotValidNow {
        /// The start or the end of its validity.
        bound: SystemTime,
        /// Whether the validity has not begun, rather than ended.
        not_yet: bool,
    },
    /// Another failure; the library's message.
    #[error("TLS failed: {0}")]
    Other(String),
}

/// The fault as a clause about the server, for use after its name and a colon.
impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup { host, fault } => fault.fmt_for(host, f),
            Self::Tcp { fault, .. } => fault.fmt(f),
            Self::Proxy(fault) => fault.fmt(f),
            Self::Tls { fault, .. } => fault.fmt(f),
        }
    }
}

/// Opens a connection.
///
/// # Errors
/// What failed on the way, and where.
pub(crate) async fn open(pod: &Pod, route: &Route<'_>, budget: Budget) -> Result<Connected, ConnectFault> {
    let (host, port) = match route.proxy {
        Some(proxy) => (&proxy.host, proxy.port),
        None => (&route.endpoint.host, route.endpoint.port),
    };
    let found = route
        .resolver
        .lookup(host, budget.step_deadline())
        .await
        .map_err(|fault| ConnectFault::Lookup { host: host.clone(), fault })?;
    let (tcp, peer) = match connect_tcp(&found.addresses, port, budget.step_deadline()).await {
        Ok(connected) => connected,
        Err(fault) if route.proxy.is_some() => {
            return Err(ConnectFault::Proxy(match fault {
                TcpFault::Refused => ProxyFault::NotReachable("connection refused".to_owned()),
                TcpFault::NoRoute(error) | TcpFault::ConnectionLost(error) => ProxyFault::NotReachable(error),
                TcpFault::TimedOut(_) => ProxyFault::TimedOut,
            }));
        }
        Err(fault) => {
            return Err(ConnectFault::Tcp { addresses: found.addresses, fault });
        }
    };

    let mut stream: Box<dyn Stream> = Box::new(tcp);
    if let Some(proxy) = route.proxy {
        stream = open_tunnel(pod, stream, proxy, route, budget).await.map_err(ConnectFault::Proxy)?;
    }
    let mut tls_version = None;
    if route.endpoint.tls {
        let addresses = if route.proxy.is_none() { found.addresses.clone() } else { Vec::new() };
        let handshake =
            handshake_tls(pod, stream, &route.endpoint.host, route.trust, budget.step_deadline()).await;
        let (secured, version) =
            handshake.map_err(|(fault, presented)| ConnectFault::Tls { addresses, fault, presented })?;
        stream = secured;
        tls_version = Some(version);
    }
    Ok(Connected { stream, resolved: found, peer, tls_version })
}

/// Connects to the first address that answers, each getting a head start before the next.
async fn connect_tcp(
    addresses: &[IpAddr],
    port: u16,
    until: Instant,
) -> Result<(TcpStream, SocketAddr), TcpFault> {
    let started = Instant::now();
    let mut attempts = JoinSet::new();
    for (place, address) in addresses.iter().take(8).enumerate() {
        let peer = SocketAddr::new(*address, port);
        let head_start = STAGGER * u32::try_from(place).unwrap_or(u32::MAX);
        attempts.spawn(async move {
            tokio::time::sleep(head_start).await;
            TcpStream::connect(peer).await.map(|stream| (stream, peer))
        });
    }
    let mut faults = Vec::new();
    loop {
        match timeout_at(until, attempts.join_next()).await {
            Err(_) => faults.push(TcpFault::TimedOut(started.elapsed())),
            Ok(Some(Ok(Ok((stream, peer))))) => {
                // Small requests and answers: waiting to fill a segment would only cost time.
                let _ = stream.set_nodelay(true);
                return Ok((stream, peer));
            }
            Ok(Some(Ok(Err(error)))) => {
                faults.push(tcp_fault(&error, started));
                continue;
            }
            Ok(Some(Err(_))) => continue,
            Ok(None) => {}
        }
        let telling = faults.into_iter().max_by_key(TcpFault::rank);
        return Err(telling.unwrap_or_else(|| TcpFault::NoRoute("there is no address".to_owned())));
    }
}

impl TcpFault {
    /// How much it tells: what an address answered more than that none did, and that more than that
    /// this pod cannot send to one of the address families.
    fn rank(&self) -> u8 {
        match self {
            Self::NoRoute(_) => 0,
            Self::TimedOut(_) => 1,
            Self::ConnectionLost(_) => 2,
            Self::Refused => 3,
        }
    }
}

fn tcp_fault(error: &io::Error, started: Instant) -> TcpFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => TcpFault::Refused,
        io::ErrorKind::ConnectionReset => TcpFault::ConnectionLost(error.to_string()),
        io::ErrorKind::TimedOut => TcpFault::TimedOut(started.elapsed()),
        _ => TcpFault::NoRoute(error.to_string()),
    }
}

async fn open_tunnel(
    pod: &Pod,
    mut stream: Box<dyn Stream>,
    proxy: &Proxy,
    route: &Route<'_>,
    budget: Budget,
) -> Result<Box<dyn Stream>, ProxyFault> {
    if proxy.tls {
        stream = match handshake_tls(pod, stream, &proxy.host, route.trust, budget.step_deadline()).await {
            Ok((secured, _)) => secured,
            Err((TlsFault::TimedOut(_), _)) => return Err(ProxyFault::TimedOut),
            Err((TlsFault::NotTls | TlsFault::ConnectionLost(_), _)) => return Err(ProxyFault::NotAProxy),
            Err((TlsFault::Untrusted(error) | TlsFault::Other(error), _)) => {
                return Err(ProxyFault::Untrusted(error));
            }
            Err((TlsFault::WrongName(_), _)) => {
                return Err(ProxyFault::Untrusted("it is for another name".to_owned()));
            }
            Err((TlsFault::NotValidNow { .. }, _)) => {
                return Err(ProxyFault::Untrusted("it is not valid now".to_owned()));
            }
        };
    }
    let target = format!("{}:{}", route.endpoint.uri.host().unwrap_or_default(), route.endpoint.port);
    let mut request = Request::builder().method(Method::CONNECT).uri(&target).header(HOST, &target);
    if let Some(authorization) = &proxy.authorization {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let request = request.body(Full::new(Bytes::new())).map_err(|_| ProxyFault::NotAProxy)?;
    let ask = async {
        let connection = HttpConnection::open(stream).await.map_err(|_| ProxyFault::NotAProxy)?;
        connection.open_tunnel(request).await.map_err(|_| ProxyFault::NotAProxy)
    };
    match timeout_at(budget.step_deadline(), ask).await.unwrap_or(Err(ProxyFault::TimedOut))? {
        (_, Some(stream)) => Ok(stream),
        (StatusCode::PROXY_AUTHENTICATION_REQUIRED, None) => Err(ProxyFault::AuthenticationRequired),
        (status, None) => Err(ProxyFault::Refused(status.as_u16())),
    }
}

/// Speaks TLS over a stream.
async fn handshake_tls(
    pod: &Pod,
    stream: Box<dyn Stream>,
    host: &str,
    trust: &TrustRoots,
    until: Instant,
) -> Result<(Box<dyn Stream>, &'static str), (TlsFault, PresentedCertificate)> {
    let nothing = PresentedCertificate::default();
    let started = Instant::now();
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| (TlsFault::Other("the host cannot be in a certificate".to_owned()), nothing.clone()))?;
    let (config, witness) =
        trust.client_config(pod).map_err(|error| (TlsFault::Other(error), nothing.clone()))?;
    match timeout_at(until, TlsConnector::from(Arc::new(config)).connect(name, stream)).await {
        Err(_) => Err((TlsFault::TimedOut(started.elapsed()), nothing)),
        Ok(Err(error)) => Err(tls_fault(&error, &witness)),
        Ok(Ok(stream)) => {
            let version = match stream.get_ref().1.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
                _ => "TLS 1.2",
            };
            Ok((Box::new(stream), version))
        }
    }
}

/// A name of a certificate without the library's wrapping: `DnsName("a.example")`.
fn unquoted_name(name: &str) -> String {
    name.split('"').nth(1).unwrap_or(name).to_owned()
}

fn tls_fault(error: &io::Error, witness: &CertificateRecorder) -> (TlsFault, PresentedCertificate) {
    let presented = witness.presented();
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
        return (TlsFault::ConnectionLost(error.to_string()), presented);
    };
    let after =
        |time: rustls::pki_types::UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    let fault = match error {
        TlsError::InvalidMessage(_) => TlsFault::NotTls,
        TlsError::InvalidCertificate(reason) => match reason {
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsFault::WrongName(presented.iter().map(|name| unquoted_name(name)).collect())
            }
            CertificateError::NotValidForName => TlsFault::WrongName(Vec::new()),
            CertificateError::ExpiredContext { not_after, .. } => {
                TlsFault::NotValidNow { bound: after(*not_after), not_yet: false }
            }
            CertificateError::NotValidYetContext { not_before, .. } => {
                TlsFault::NotValidNow { bound: after(*not_before), not_yet: true }
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsFault::Untrusted(error.to_string())
            }
            // A certificate that signed itself, which the library reports in another way.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                TlsFault::Untrusted("it is self-signed".to_owned())
            }
            _ => TlsFault::Other(error.to_string()),
        },
        other => TlsFault::Other(other.to_string()),
    };
    (fault, presented)
}
