//! Connections to STS fail, break off, or reach another server.

use std::net::IpAddr;
use std::time::Duration;

use super::endpoint::StsServer;
use super::{Catalogued, Entry, Owner};
use crate::aws::setting::SettingSource;
use crate::evidence::Evidence;
use crate::text::{format_duration, join, sanitize, shell_quote};

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

/// The step that shows the VPC's endpoint for STS.
fn show_endpoint(server: &StsServer) -> String {
    let (region, _) = &server.region;
    let filter = shell_quote(&format!("Name=service-name,Values=com.amazonaws.{region}.sts"));
    format!(
        "See whether the VPC has an STS endpoint, and with which security groups:\n\
         aws ec2 describe-vpc-endpoints --filters {filter}"
    )
}

const POLICIES: &str = "See whether a NetworkPolicy or a security group for pods forbids the way:\n\
    kubectl -n NAMESPACE get networkpolicies,securitygrouppolicies";

/// Nothing listens at the address of STS.
#[derive(Debug, Clone)]
pub struct StsConnectionRefused {
    pub(crate) server: StsServer,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Entry for StsConnectionRefused {
    fn cause(&self) -> String {
        format!(
            "The connection to {} port {} was refused at {}: the host is there, and nothing listens, or a \
             firewall refuses. {}",
            self.server,
            self.port,
            join(&self.addresses),
            network_advice(&self.addresses)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let check_name = self.server.correct_url().unwrap_or_else(|| {
            "Check whether the name leads where it should: a private hosted zone or an entry of hostAliases can point \
             elsewhere."
                .to_owned()
        });
        steps![
            check_name,
            "If a service mesh is in the way, let irsa-probe run after its proxy is ready, or leave STS out of \
             the mesh.",
            POLICIES
        ]
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().texts("addresses", &self.addresses)
    }
}

#[derive(Debug, Clone)]
pub struct StsNoRoute {
    pub(crate) server: StsServer,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) error: String,
}

impl Entry for StsNoRoute {
    fn cause(&self) -> String {
        format!(
            "No connection to {} ({}) could be opened: {}. Either the pod has no address of \
             that family (IPv4 or IPv6), or no route leads there.",
            self.server,
            join(&self.addresses),
            sanitize(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the pod has an address of the family that STS's name resolves to, and a default route.",
            show_endpoint(&self.server),
            POLICIES
        ]
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().texts("addresses", &self.addresses)
    }
}

#[derive(Debug, Clone)]
pub struct StsTimedOut {
    pub(crate) server: StsServer,
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
            self.server,
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
                show_endpoint(&self.server),
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
        self.server
            .evidence()
            .value("stopped_while", self.phase.as_str())
            .texts_if_any("addresses", &self.addresses)
    }
}

/// The connection broke off.
#[derive(Debug, Clone)]
pub struct StsConnectionLost {
    pub(crate) server: StsServer,
    pub(crate) phase: ConnectPhase,
    pub(crate) error: String,
}

impl Entry for StsConnectionLost {
    fn cause(&self) -> String {
        format!(
            "The connection to {} was open and then broke off {}: {}. A firewall that inspects TLS, a proxy or \
             a service mesh on the way does that.",
            self.server,
            self.phase.as_str(),
            sanitize(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![format!("Let the firewall or proxy pass TLS to {} untouched.", self.server), POLICIES]
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().value("broke_off_while", self.phase.as_str())
    }
}

/// The answer does not come from STS.
#[derive(Debug, Clone)]
pub struct NotStsReply {
    pub(crate) server: StsServer,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    /// The `Server` header.
    pub(crate) server_header: Option<String>,
    pub(crate) length: usize,
}

impl NotStsReply {
    /// The step that corrects the endpoint that was set, if one was.
    fn correct_url(&self) -> Option<String> {
        let (_, source) = self.server.foreign_url()?;
        let SettingSource::Variable(name) = source else { return self.server.correct_url() };
        let service = self.server.other_service().filter(|_| *name == "AWS_ENDPOINT_URL");
        let instead = service.map_or_else(
            || "let it name an STS endpoint".to_owned(),
            |service| {
                format!("set {}, which only the clients of that service read", endpoint_variable(service))
            },
        );
        Some(format!(
            "Remove {name} where it is set (env, envFrom, the image), or {instead}:\n\
             kubectl -n NAMESPACE get pod POD -o yaml | grep -n -A2 {name}"
        ))
    }
}

/// The variable that sets the endpoint of one service, by the name of the service in its hosts.
///
/// Source: the AWS SDKs and Tools reference guide, service-specific endpoints.
fn endpoint_variable(service: &str) -> String {
    let id = match service {
        "secretsmanager" => "SECRETS_MANAGER".to_owned(),
        "logs" => "CLOUDWATCH_LOGS".to_owned(),
        "monitoring" => "CLOUDWATCH".to_owned(),
        other => sanitize(&other.to_ascii_uppercase().replace('-', "_")),
    };
    format!("AWS_ENDPOINT_URL_{id}")
}

impl Entry for NotStsReply {
    fn cause(&self) -> String {
        let kind = self
            .content_type
            .as_ref()
            .map_or_else(String::new, |kind| format!(" of type {}", sanitize(kind)));
        let server = self
            .server_header
            .as_ref()
            .map_or_else(String::new, |name| format!(" from a server \"{}\"", sanitize(name)));
        let answer = format!(
            "{} answered with status {} and {} bytes{kind}{server}, which is not an answer of STS.",
            self.server, self.status, self.length
        );
        let who = match (self.server.foreign_url(), self.server.other_service()) {
            (Some((url, source)), Some(service)) => format!(
                "{source} is {}: the call to STS, with the token, went to the service {} of AWS.",
                sanitize(url),
                sanitize(service)
            ),
            (Some((url, source)), None) => format!(
                "{source} is {}: the call to STS, with the token, went there, and another service answers there.",
                sanitize(url)
            ),
            (None, _) => {
                "This is the name of STS, so something on the way answered in place of STS: a captive \
                          portal, a proxy or a service mesh."
                    .to_owned()
            }
        };
        format!("{answer} {who}")
    }

    fn remedy(&self) -> Vec<String> {
        let first = self.correct_url().unwrap_or_else(|| {
            let url =
                format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", self.server.host);
            format!(
                "Let the proxy, firewall or service mesh that answers pass STS. The same question from a pod shows whose \
                 page it is:\n\
                 kubectl -n NAMESPACE run sts-check --rm -it --restart=Never --image=curlimages/curl -- curl -si -m 5 {}",
                shell_quote(&url)
            )
        });
        let mut steps = vec![first];
        if self.server.other_service().is_none() {
            steps.push(
                "The token was sent to that server. If you do not know the server, treat the token as known to others \
                 until it expires."
                    .to_owned(),
            );
        }
        steps
    }

    fn evidence(&self) -> Evidence {
        self.server
            .evidence()
            .value("http_status", self.status)
            .text_if("content_type", self.content_type.as_deref())
            .text_if("server", self.server_header.as_deref())
    }

    fn owner(&self) -> Owner {
        if self.server.foreign_url().is_some() { Owner::Workload } else { self.name().owner() }
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
