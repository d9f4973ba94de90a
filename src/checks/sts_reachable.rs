//! STS can be reached: its name resolves, a connection opens, and its certificate is trusted.

use crate::net::proxy::{self, Proxy, ProxyFault, ProxyUrlError};
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::checks::sts_endpoint::StsEndpoint;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::dns::{DnsUnavailable, StsNameNotResolved};
use crate::diagnosis::endpoint::StsServer;
use crate::diagnosis::network::{
    ConnectPhase, StsConnectionLost, StsConnectionRefused, StsNoRoute, StsTimedOut,
};
use crate::diagnosis::proxy::{ProxyFailed, ProxyMalformed};
use crate::diagnosis::tls::{
    CaBundleUnusable, TlsExpired, TlsFailed, TlsNameMismatch, TlsNotSpoken, TlsUntrusted, TrustRootsMissing,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::net::connect::{self, ConnectFault, Connected, Route, TcpFault, TlsFault};
use crate::net::dns::{LookupFault, Resolver};
use crate::net::http::HttpConnection;
use crate::net::tls::{TrustFault, TrustRoots};
use crate::run::Verdict;
use crate::run::probe::Probe;

pub(crate) struct ConnectAttempt {
    server: StsServer,
    port: u16,
    options: Vec<&'static str>,
    result: Result<OpenConnection, ConnectError>,
}

enum ConnectError {
    Trust(TrustFault),
    ProxyVariable(ProxyUrlError),
    Way { fault: ConnectFault, proxy: Option<Proxy>, servers: Vec<SocketAddr>, roots: String },
}

#[derive(Debug, Clone)]
pub(crate) struct StsConnection {
    /// The addresses of STS, or of the proxy if there is one.
    pub(crate) addresses: Vec<String>,
    pub(crate) address_source: &'static str,
    pub(crate) peer: String,
    pub(crate) tls_version: Option<&'static str>,
    pub(crate) proxy: Option<String>,
}

#[derive(Debug)]
pub(crate) struct OpenConnection {
    link: HttpConnection,
    reached: StsConnection,
}

impl OpenConnection {
    pub(crate) fn split(self) -> (HttpConnection, StsConnection) {
        (self.link, self.reached)
    }
}

impl HasEvidence for OpenConnection {
    fn evidence(&self) -> Evidence {
        let reached = &self.reached;
        Evidence::new()
            .texts("addresses", &reached.addresses)
            .value("address_source", reached.address_source)
            .value("connected_to", reached.peer.as_str())
            .text_if("tls_version", reached.tls_version)
            .text_if("proxy", reached.proxy.as_deref())
    }
}

pub(crate) async fn observe(probe: &Probe<'_>, endpoint: &StsEndpoint) -> ConnectAttempt {
    let Probe { pod, options, budget } = *probe;
    let (server, endpoint_options) = (endpoint.server(), endpoint.options.variables());
    let endpoint = &endpoint.endpoint;
    let result = async {
        let proxy = proxy::for_endpoint(pod, &endpoint.uri).map_err(ConnectError::ProxyVariable)?;
        let trust = if endpoint.tls || proxy.as_ref().is_some_and(|proxy| proxy.tls) {
            TrustRoots::load(pod, &options.network.system_roots, budget.step_deadline())
                .await
                .map_err(ConnectError::Trust)?
        } else {
            TrustRoots::empty()
        };
        let resolver = Resolver::load(pod, options.network.dns_server, budget.step_deadline()).await;
        let route = Route { endpoint, proxy: proxy.as_ref(), trust: &trust, resolver: &resolver };
        let opened = match connect::open(pod, &route, budget).await {
            Ok(Connected { stream, resolved: found, peer, tls_version }) => {
                let reached = StsConnection {
                    addresses: found.addresses.iter().map(ToString::to_string).collect(),
                    address_source: found.source.as_str(),
                    peer: peer.to_string(),
                    tls_version,
                    proxy: proxy.as_ref().map(Proxy::origin),
                };
                let link = HttpConnection::open(stream).await;
                link.map(|link| OpenConnection { link, reached }).map_err(ConnectFault::before_first_request)
            }
            Err(fault) => Err(fault),
        };
        opened.map_err(|fault| {
            let (servers, roots) = (resolver.servers(), trust.source.clone());
            ConnectError::Way { fault, proxy, servers, roots }
        })
    };
    ConnectAttempt { server, port: endpoint.port, options: endpoint_options, result: result.await }
}

pub(crate) fn judge(attempt: ConnectAttempt, now: SystemTime) -> Verdict<OpenConnection> {
    let ConnectAttempt { server, port, options, result } = attempt;
    match result {
        Ok(connection) => Verdict::Pass(connection),
        Err(ConnectError::Trust(TrustFault::Bundle { variable, path, fault })) => {
            Verdict::fail(CaBundleUnusable { variable, path, fault })
        }
        Err(ConnectError::Trust(TrustFault::NoRoots { tried })) => Verdict::fail(TrustRootsMissing { tried }),
        Err(ConnectError::ProxyVariable(ProxyUrlError { variable })) => {
            Verdict::fail(ProxyMalformed { variable })
        }
        Err(ConnectError::Way { fault, proxy, servers, roots }) => Verdict::Fail(connect_fault_diagnosis(
            StsAddress { server, port, options },
            fault,
            proxy.as_ref(),
            servers,
            roots,
            now,
        )),
    }
}

struct StsAddress {
    server: StsServer,
    port: u16,
    options: Vec<&'static str>,
}

fn connect_fault_diagnosis(
    StsAddress { server, port, options }: StsAddress,
    fault: ConnectFault,
    proxy: Option<&Proxy>,
    servers: Vec<SocketAddr>,
    roots: String,
    now: SystemTime,
) -> Diagnosis {
    let through = |proxy: &Proxy, fault| ProxyFailed {
        proxy: proxy.origin(),
        variable: proxy.variable,
        target: format!("{}:{port}", server.host),
        fault,
    };
    match fault {
        ConnectFault::Lookup { host, fault: LookupFault::Unavailable(fault) } => {
            DnsUnavailable { host, servers, fault }.into()
        }
        ConnectFault::Lookup { host: looked_up, fault: LookupFault::NotResolved { no_such_name } } => {
            match proxy {
                Some(proxy) => through(proxy, ProxyFault::NameNotResolved).into(),
                None => StsNameNotResolved { host: looked_up, server, servers, no_such_name, options }.into(),
            }
        }
        ConnectFault::Tcp { addresses, fault } => match fault {
            TcpFault::Refused => StsConnectionRefused { server, port, addresses }.into(),
            TcpFault::TimedOut(after) => {
                StsTimedOut { server, addresses, phase: ConnectPhase::Connect, waited: after }.into()
            }
            TcpFault::ConnectionLost(error) => {
                StsConnectionLost { server, phase: ConnectPhase::Connect, error }.into()
            }
            TcpFault::NoRoute(error) => StsNoRoute { server, addresses, error }.into(),
        },
        // A proxy's fault without a proxy: what answers does not speak TLS.
        ConnectFault::Proxy(fault) => match proxy {
            Some(proxy) => through(proxy, fault).into(),
            None => TlsNotSpoken { server, port }.into(),
        },
        ConnectFault::Tls { addresses, fault, presented } => match fault {
            TlsFault::TimedOut(after) => {
                StsTimedOut { server, addresses, phase: ConnectPhase::Tls, waited: after }.into()
            }
            TlsFault::ConnectionLost(error) => {
                StsConnectionLost { server, phase: ConnectPhase::Tls, error }.into()
            }
            TlsFault::NotTls => TlsNotSpoken { server, port }.into(),
            TlsFault::Untrusted(error) => TlsUntrusted { server, presented, roots, error }.into(),
            TlsFault::WrongName(names) => TlsNameMismatch { server, names, presented }.into(),
            TlsFault::NotValidNow { bound, not_yet } => {
                TlsExpired { server, bound, not_yet, now, presented }.into()
            }
            TlsFault::Other(error) => TlsFailed { server, error, presented }.into(),
        },
    }
}
