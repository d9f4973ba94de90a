//! Connections to STS fail, break off, or reach another server.

use std::net::IpAddr;
use std::time::Duration;

use super::Entry;
use crate::evidence::Evidence;
use crate::text::{format_duration, join, sanitize};

/// The phase of a connection in which it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectPhase {
    Connect,
    Tls,
    /// Waiting for the answer to a request.
    Reply,
}

impl ConnectPhase {
    /// The phase in words that follow "while".
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "opening the TCP connection",
            Self::Tls => "in the TLS handshake",
            Self::Reply => "waiting for the answer",
        }
    }
}

/// What an address says about the network between the pod and STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressKind {
    /// An address in a VPC. For STS, it belongs to an interface endpoint.
    Private,
    Local,
    Public,
}

impl AddressKind {
    fn of_first(addresses: &[IpAddr]) -> Option<Self> {
        addresses.first().copied().map(Self::of)
    }

    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) if v4.is_loopback() || v4.is_link_local() => Self::Local,
            IpAddr::V4(v4) => {
                let shared = matches!(v4.octets(), [100, 64..=127, ..]);
                if v4.is_private() || shared { Self::Private } else { Self::Public }
            }
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unicast_link_local() => Self::Local,
            IpAddr::V6(v6) if v6.is_unique_local() => Self::Private,
            IpAddr::V6(_) => Self::Public,
        }
    }
}

/// The advice for the network that an address leads to.
fn network_advice(addresses: &[IpAddr]) -> &'static str {
    match AddressKind::of_first(addresses) {
        Some(AddressKind::Private) => {
            "The address is private; for STS that is usually a VPC endpoint's: its security group has to let this \
             pod's addresses in on TCP 443, and it needs a subnet that the pod can reach."
        }
        Some(AddressKind::Public) => {
            "The address is public, so the pod's subnet needs a way out (a NAT or internet gateway), or the VPC \
             an interface endpoint for STS with private DNS."
        }
        Some(AddressKind::Local) => {
            "The address is on this host, so something local, such as a service mesh or a proxy, should answer."
        }
        None => "",
    }
}

const SHOW_ENDPOINT: &str = "See whether the VPC has an STS endpoint, and with which security groups:\n\
    aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws.REGION.sts";
const POLICIES: &str = "See whether a NetworkPolicy or a security group for pods forbids the way:\n\
    kubectl -n NAMESPACE get networkpolicies,securitygrouppolicies";

/// Nothing listens at the address of STS.
#[derive(Debug, Clone)]
pub struct StsConnectionRefused {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Entry for StsConnectionRefused {
    fn cause(&self) -> String {
        format!(
            "The connection to {} port {} was refused at {}: the host is there, and nothing listens, or a \
             firewall refuses. {}",
            sanitize(&self.host),
            self.port,
            join(&self.addresses),
            network_advice(&self.addresses)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the name leads where it should: a private hosted zone, an entry of hostAliases, or \
             AWS_ENDPOINT_URL_STS may point elsewhere.",
            "If a service mesh is in the way, let irsa-probe run after its proxy is ready, or leave STS out of \
             the mesh.",
            POLICIES
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).texts("addresses", &self.addresses)
    }
}

#[derive(Debug, Clone)]
pub struct StsNoRoute {
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) error: String,
}

impl Entry for StsNoRoute {
    fn cause(&self) -> String {
        format!(
            "No connection to {} ({}) could be opened: {}. Either the pod has no address of \
             that family (IPv4 or IPv6), or no route leads there.",
            sanitize(&self.host),
            join(&self.addresses),
            sanitize(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the pod has an address of the family that STS's name resolves to, and a default route.",
            SHOW_ENDPOINT,
            POLICIES
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).texts("addresses", &self.addresses)
    }
}

#[derive(Debug, Clone)]
pub struct StsTimedOut {
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) phase: ConnectPhase,
    pub(crate) waited: Duration,
}

impl Entry for StsTimedOut {
    fn cause(&self) -> String {
        let addresses =
            if self.addresses.is_empty() { String::new() } else { format!(" ({})", join(&self.addresses)) };
        let advice = if self.phase == ConnectPhase::Connect {
            network_advice(&self.addresses)
        } else {
            "The TCP connection was open."
        };
        format!(
            "{}{addresses} did not answer within {}, while {}. {advice}",
            sanitize(&self.host),
            format_duration(self.waited),
            self.phase.as_str()
        )
    }

    fn remedy(&self) -> Vec<String> {
        match self.phase {
            ConnectPhase::Connect if AddressKind::of_first(&self.addresses) == Some(AddressKind::Local) => {
                steps![
                    "Find out what answers for STS's name on this host, and see whether it runs: a mesh's or a proxy's \
                 sidecar, an entry of hostAliases, a DNS server that rewrites names."
                ]
            }
            ConnectPhase::Connect => steps![
                SHOW_ENDPOINT,
                "Compare the route table of the pod's subnet, and the security groups of the node and of the \
                 endpoint (TCP 443).",
                POLICIES
            ],
            ConnectPhase::Tls | ConnectPhase::Reply => steps![
                "Something between the pod and STS takes the connection and then keeps silent: look at the \
                 firewall, the proxy, the service mesh, and the path's MTU.",
                "If STS is only slow, give it more time with --timeout and --wait."
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("host", &self.host)
            .value("stopped_while", self.phase.as_str())
            .texts_if_any("addresses", &self.addresses)
    }
}

/// The connection broke off.
#[derive(Debug, Clone)]
pub struct StsConnectionLost {
    pub(crate) host: String,
    pub(crate) phase: ConnectPhase,
    pub(crate) error: String,
}

impl Entry for StsConnectionLost {
    fn cause(&self) -> String {
        format!(
            "The connection to {} was open and then broke off {}: {}. A firewall that inspects TLS, a proxy or \
             a service mesh on the way does that.",
            sanitize(&self.host),
            self.phase.as_str(),
            sanitize(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![format!("Let the firewall or proxy pass TLS to {} untouched.", sanitize(&self.host)), POLICIES]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("broke_off_while", self.phase.as_str())
    }
}

/// The answer does not come from STS.
#[derive(Debug, Clone)]
pub struct NotStsReply {
    pub(crate) host: String,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    /// The `Server` header.
    pub(crate) server: Option<String>,
    pub(crate) length: usize,
}

impl Entry for NotStsReply {
    fn cause(&self) -> String {
        let kind = self
            .content_type
            .as_ref()
            .map_or_else(String::new, |kind| format!(" of type {}", sanitize(kind)));
        let server = self
            .server
            .as_ref()
            .map_or_else(String::new, |name| format!(" from a server \"{}\"", sanitize(name)));
        format!(
            "{} answered with status {} and {} bytes{kind}{server}, and that is no answer of STS: a captive \
             portal, a proxy's own page, or another service answers in its place.",
            sanitize(&self.host),
            self.status,
            self.length
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "If AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is set, let it name an STS endpoint, or remove it.",
            "If a proxy or firewall answers, let it pass STS.",
            "The token was sent there: if you do not know that server, treat the token as known to others until \
             it expires."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("host", &self.host)
            .value("http_status", self.status)
            .text_if("content_type", self.content_type.as_deref())
            .text_if("server", self.server.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::AddressKind;

    #[test]
    fn an_address_tells_whose_network_it_is_in() {
        for (address, reach) in [
            ("10.0.12.34", AddressKind::Private),
            ("172.31.0.1", AddressKind::Private),
            ("100.64.3.4", AddressKind::Private),
            ("fd00::1", AddressKind::Private),
            ("::ffff:192.168.1.1", AddressKind::Private),
            ("127.0.0.1", AddressKind::Local),
            ("::1", AddressKind::Local),
            ("54.239.32.126", AddressKind::Public),
            ("100.128.0.1", AddressKind::Public),
            ("2600:1f18::1", AddressKind::Public),
        ] {
            assert_eq!(AddressKind::of(address.parse().unwrap()), reach, "{address}");
        }
    }
}
