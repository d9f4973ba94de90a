//! Looking a name up, so that "no such name" and "no name server" can be told apart.
//!
//! AWS's names are looked up as absolute ones: in a pod, `ndots:5` would otherwise send every
//! lookup through the cluster's search list first.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use domain::base::message::Message;
use domain::base::name::Name;
use domain::rdata::{A, Aaaa};
use domain::resolv::stub::conf::ResolvConf;
use domain::resolv::stub::{Answer, StubResolver};
use tokio::time::{Instant, timeout, timeout_at};

use super::resolv_conf;
use crate::host::Pod;
use iam_trust::partition::Partition;

/// Why the name servers gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsFault {
    TimedOut,
    ErrorCode(String),
    /// They could not be asked; the system's words.
    NotReachable(String),
    /// What they sent is no DNS answer.
    Malformed,
}

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// The most bytes of either file that are read.
const MAX_FILE_BYTES: usize = 1 << 20;

/// The most addresses of a name that count.
const MAX_ADDRESSES: usize = 16;

/// How much longer the second of two answers is waited for, when the first one has addresses.
const GRACE: Duration = Duration::from_millis(500);

/// What is needed to look names up, as this pod's own files say.
#[derive(Debug)]
pub(crate) struct Resolver {
    conf: ResolvConf,
    hosts: String,
}

/// Where an address came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It stood in the URL.
    Literal,
    /// From `/etc/hosts`.
    Hosts,
    Dns,
}

impl Source {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Literal => "the URL",
            Self::Hosts => HOSTS,
            Self::Dns => "DNS",
        }
    }
}

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupFault {
    /// The name servers say so; whether they said that there is no such name at all.
    NotResolved {
        /// NXDOMAIN, instead of an answer without addresses.
        no_such_name: bool,
    },
    /// The name servers do not answer.
    Unavailable(DnsFault),
}

impl LookupFault {
    pub(super) fn fmt_for(&self, host: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotResolved { .. } => write!(f, "the name {host} has no address"),
            Self::Unavailable(_) => write!(f, "the name {host} cannot be looked up"),
        }
    }
}

impl Resolver {
    /// Reads the pod's resolver configuration, or takes one server in its place. The files are our
    /// own: they go with the network, which is the pod's, whoever looks through which process.
    pub(crate) async fn load(pod: &Pod, server: Option<SocketAddr>, until: Instant) -> Self {
        let read = async |path: &str| {
            let file = pod.read_own(Path::new(path), MAX_FILE_BYTES, until).await;
            file.map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default()
        };
        let mut conf = resolv_conf::parse(&read(RESOLV_CONF).await);
        if let Some(server) = server {
            conf.servers = vec![resolv_conf::server(server)];
        }
        conf.finalize();
        Self { conf, hosts: read(HOSTS).await }
    }

    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        let mut servers: Vec<SocketAddr> = self.conf.servers.iter().map(|server| server.addr).collect();
        servers.dedup();
        servers
    }

    /// Looks a host up.
    ///
    /// # Errors
    /// Whether the name or the name servers are to blame.
    pub(crate) async fn lookup(&self, host: &str, until: Instant) -> Result<Resolved, LookupFault> {
        if let Ok(address) = host.parse() {
            return Ok(Resolved { addresses: vec![address], source: Source::Literal });
        }
        let addresses = addresses_in_hosts(&self.hosts, host);
        if !addresses.is_empty() {
            return Ok(Resolved { addresses, source: Source::Hosts });
        }
        let mut verdict = LookupFault::NotResolved { no_such_name: true };
        let mut answered = None;
        for name in self.candidates(host) {
            match timeout_at(until, self.query_with_fallback(&name, until)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(fault @ LookupFault::NotResolved { .. })) => verdict = fault,
                // An error for one name of the search list says nothing of the others.
                Ok(Err(fault @ LookupFault::Unavailable(DnsFault::ErrorCode(_)))) => answered = Some(fault),
                Ok(Err(fault)) => return Err(fault),
                Err(_) => return Err(LookupFault::Unavailable(DnsFault::TimedOut)),
            }
        }
        Err(answered.unwrap_or(verdict))
    }

    /// The absolute names to ask for, in order.
    fn candidates(&self, host: &str) -> Vec<String> {
        let absolute = format!("{}.", host.trim_end_matches('.'));
        if host.ends_with('.') || Partition::owns_host(host) {
            return vec![absolute];
        }
        let suffixes = &self.conf.options.search;
        let searched = suffixes
            .as_slice()
            .iter()
            .filter(|suffix| suffix.len() > 1)
            .map(|suffix| format!("{host}.{suffix}."));
        if host.matches('.').count() >= self.conf.options.ndots {
            std::iter::once(absolute).chain(searched).collect()
        } else {
            searched.chain(std::iter::once(absolute)).collect()
        }
    }

    /// Asks for one name. A server that answers with an error is not the last word if there are others.
    async fn query_with_fallback(&self, name: &str, until: Instant) -> Result<Resolved, LookupFault> {
        let no_name = LookupFault::NotResolved { no_such_name: true };
        let name: Name<Vec<u8>> = name.parse().map_err(|_| no_name)?;
        let mut verdict = query(&name, &self.conf, until).await;
        if self.conf.servers.len() > 1 {
            for server in &self.conf.servers {
                // Who did not answer in time was asked together with the others.
                if !matches!(&verdict, Err(LookupFault::Unavailable(fault)) if *fault != DnsFault::TimedOut) {
                    break;
                }
                let conf = ResolvConf { servers: vec![server.clone()], options: self.conf.options.clone() };
                verdict = query(&name, &conf, until).await;
            }
        }
        verdict
    }
}

/// Asks these servers, all alike, for the addresses of a name.
async fn query(name: &Name<Vec<u8>>, conf: &ResolvConf, until: Instant) -> Result<Resolved, LookupFault> {
    let mut conf = conf.clone();
    conf.options.timeout = until.saturating_duration_since(Instant::now());
    let resolver = StubResolver::from_conf(conf);
    let v4 = std::pin::pin!(resolver.query((name, Rtype::A)));
    let v6 = std::pin::pin!(resolver.query((name, Rtype::AAAA)));
    let (v4, v6) = join_with_grace(v4, v6).await;
    let v4 = v4.map_err(io_fault).and_then(|answer| addresses_in_answer(&answer));
    let v6 = v6.map_err(io_fault).and_then(|answer| addresses_in_answer(&answer));
    let (v4, v6) = match (v4, v6) {
        (Ok(v4), Ok(v6)) => (v4, v6),
        (Ok(some), Err(_)) | (Err(_), Ok(some)) if !some.is_empty() => (some, Vec::new()),
        (Err(fault), _) | (_, Err(fault)) => return Err(fault),
    };
    let addresses: Vec<IpAddr> = v4.into_iter().chain(v6).collect();
    if addresses.is_empty() {
        return Err(LookupFault::NotResolved { no_such_name: false });
    }
    Ok(Resolved { addresses, source: Source::Dns })
}

/// Both answers; once one has addresses, the other is only waited for a little longer, since
/// name servers and firewalls exist that never answer for one of the two families.
async fn join_with_grace<A: Future<Output = io::Result<Answer>>, B: Future<Output = io::Result<Answer>>>(
    mut v4: Pin<&mut A>,
    mut v6: Pin<&mut B>,
) -> (io::Result<Answer>, io::Result<Answer>) {
    let has_addresses = |answer: &io::Result<Answer>| {
        answer.as_ref().is_ok_and(|answer| addresses_in_answer(answer).is_ok_and(|found| !found.is_empty()))
    };
    let late = |_| Err(io::ErrorKind::TimedOut.into());
    tokio::select! {
        v4 = &mut v4 => {
            let v6 = if has_addresses(&v4) { timeout(GRACE, v6).await.unwrap_or_else(late) } else { v6.await };
            (v4, v6)
        }
        v6 = &mut v6 => {
            let v4 = if has_addresses(&v6) { timeout(GRACE, v4).await.unwrap_or_else(late) } else { v4.await };
            (v4, v6)
        }
    }
}

fn io_fault(error: io::Error) -> LookupFault {
    LookupFault::Unavailable(match error.kind() {
        io::ErrorKind::TimedOut => DnsFault::TimedOut,
        _ => DnsFault::NotReachable(error.to_string()),
    })
}

fn addresses_in_answer(answer: &Message<impl AsRef<[u8]>>) -> Result<Vec<IpAddr>, LookupFault> {
    match answer.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Err(LookupFault::NotResolved { no_such_name: true }),
        other => {
            return Err(LookupFault::Unavailable(DnsFault::ErrorCode(other.to_string())));
        }
    }
    let garbled = |_| LookupFault::Unavailable(DnsFault::Malformed);
    let message = Message::from_slice(answer.as_slice()).map_err(garbled)?;
    let section = message.answer().map_err(|_| LookupFault::Unavailable(DnsFault::Malformed))?;
    let v4 = section.limit_to::<A>().flatten().map(|record| IpAddr::from(record.data().addr()));
    let v6 = section.limit_to::<Aaaa>().flatten().map(|record| IpAddr::from(record.data().addr()));
    Ok(v4.chain(v6).take(MAX_ADDRESSES).collect())
}

/// The addresses that a hosts file gives a name.
fn addresses_in_hosts(hosts: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    let mut addresses: Vec<IpAddr> = hosts
        .lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .take(MAX_ADDRESSES)
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

#[cfg(test)]
mod tests {
    use super::{Resolver, addresses_in_hosts, resolv_conf};

    #[test]
    fn a_hosts_file() {
        let hosts = "127.0.0.1 localhost\n::1 localhost ip6 # comment\n10.1.2.3\tSTS.eu-west-1.amazonaws.com sts\nnonsense\n";
        assert_eq!(
            addresses_in_hosts(hosts, "sts.eu-west-1.amazonaws.com"),
            ["10.1.2.3".parse::<std::net::IpAddr>().unwrap()]
        );
        assert_eq!(addresses_in_hosts(hosts, "localhost").len(), 2);
        assert!(addresses_in_hosts(hosts, "comment").is_empty());
    }

    #[test]
    fn only_names_that_are_not_aws_go_through_the_search_list() {
        let text =
            "search payments.svc.cluster.local svc.cluster.local\noptions ndots:5\nnameserver 10.100.0.10\n";
        let mut conf = resolv_conf::parse(text);
        conf.finalize();
        let resolver = Resolver { conf, hosts: String::new() };
        assert_eq!(resolver.candidates("sts.eu-west-1.amazonaws.com"), ["sts.eu-west-1.amazonaws.com."]);
        assert_eq!(
            resolver.candidates("moto.testing"),
            ["moto.testing.payments.svc.cluster.local.", "moto.testing.svc.cluster.local.", "moto.testing."]
        );
        assert_eq!(resolver.candidates("a.b.c.d.e.f")[0], "a.b.c.d.e.f.");
    }
}
