//! The way to STS: names, routes, TLS and proxies.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::{Class, Entry, Owner};
use crate::evidence::Evidence;
use crate::shown::{sh, shown, span, utc};

/// Where on the way something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Waiting for the answer to a request.
    Reply,
}

impl Phase {
    /// The phase in words that follow "while".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "opening the TCP connection",
            Self::Tls => "in the TLS handshake",
            Self::Reply => "waiting for the answer",
        }
    }
}

/// What kind of address it is, as far as the way to it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A private address: in a VPC, so for STS an interface endpoint.
    Private,
    /// This very host.
    Local,
    /// A public address.
    Public,
}

impl Reach {
    /// The kind of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
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

fn addresses_text(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// What an address kind means for whoever looks after the network.
fn way(addresses: &[IpAddr]) -> &'static str {
    match addresses.first().map(|address| Reach::of(*address)) {
        Some(Reach::Private) => {
            "The address is private; for STS that is usually a VPC endpoint's: its security group has to let this \
             pod's addresses in on TCP 443, and it needs a subnet that the pod can reach."
        }
        Some(Reach::Public) => {
            "The address is public, so the pod's subnet needs a way out (a NAT or internet gateway), or the VPC \
             an interface endpoint for STS with private DNS."
        }
        Some(Reach::Local) => {
            "The address is on this host, so something local, such as a service mesh or a proxy, should answer."
        }
        None => "",
    }
}

const SHOW_ENDPOINT: &str = "See whether the VPC has an STS endpoint, and with which security groups:\n\
    aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws.REGION.sts";
const POLICIES: &str = "See whether a NetworkPolicy or a security group for pods forbids the way:\n\
    kubectl -n NAMESPACE get networkpolicies,securitygrouppolicies";

/// The file of certificates to trust cannot be used.
#[derive(Debug, Clone)]
pub struct CaBundleUnusable {
    /// The variable that names it.
    pub variable: &'static str,
    /// The path.
    pub path: String,
    /// What is wrong with it.
    pub fault: String,
}

impl Entry for CaBundleUnusable {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "{} names {} as the certificates to trust, and that file cannot be used: {}.",
            self.variable,
            shown(&self.path),
            shown(&self.fault)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Mount a readable PEM file with the CA certificates there, or remove {} to trust the system's.",
            self.variable
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("variable", self.variable).text("ca_bundle", &self.path)
    }
}

/// There are no certificates to trust.
#[derive(Debug, Clone)]
pub struct TrustRootsMissing {
    /// Where they were looked for.
    pub tried: Vec<String>,
}

impl Entry for TrustRootsMissing {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        "This container has no CA certificates, so no TLS server can be trusted. The official image of \
         irsa-probe has them; a binary copied into another image needs that image's."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        vec!["Install the ca-certificates package in the image, or mount a PEM file and name it in AWS_CA_BUNDLE.".to_owned()]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("looked_for", &self.tried)
    }
}

/// The proxy variable is no URL of a proxy.
#[derive(Debug, Clone)]
pub struct ProxyMalformed {
    /// The variable.
    pub variable: &'static str,
}

impl Entry for ProxyMalformed {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "{} is not the URL of an HTTP proxy. Its value is not shown, since it may hold a password. A SOCKS \
             proxy, a port that is no number, a path, or a / or space in an unescaped password look like this.",
            self.variable
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Set {} to http://HOST:PORT, or remove it; to reach STS without the proxy, add .amazonaws.com to \
             NO_PROXY.",
            self.variable
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("variable", self.variable)
    }
}

/// What a proxy did instead of opening a tunnel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyFault {
    /// Its name has no address.
    NameNotResolved,
    /// Nothing listens there, or there is no route; the system's words.
    NotReached(String),
    /// It did not answer in time.
    TimedOut,
    /// It wants a user name and password, or others than were given.
    AuthenticationRequired,
    /// It answered with this status.
    Refused(u16),
    /// It answered with something that is not HTTP, or closed the connection.
    NotAProxy,
    /// It is an HTTPS proxy, and its certificate is not trusted.
    Untrusted(String),
}

/// The proxy does not open a way to STS.
#[derive(Debug, Clone)]
pub struct ProxyFailed {
    /// The proxy, without credentials.
    pub proxy: String,
    /// The variable that names it.
    pub variable: &'static str,
    /// What it was asked to open.
    pub target: String,
    /// What it did.
    pub fault: ProxyFault,
}

impl Entry for ProxyFailed {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        let fault = match &self.fault {
            ProxyFault::NameNotResolved => "its name has no address".to_owned(),
            ProxyFault::NotReached(error) => format!("it cannot be reached ({})", shown(error)),
            ProxyFault::TimedOut => "it does not answer".to_owned(),
            ProxyFault::AuthenticationRequired => {
                "it asks for a user name and password, or does not accept the ones given (407)".to_owned()
            }
            ProxyFault::Refused(status) => format!("it refuses with HTTP status {status}"),
            ProxyFault::NotAProxy => "what answers there is not an HTTP proxy".to_owned(),
            ProxyFault::Untrusted(error) => {
                format!("its certificate is not trusted ({})", shown(error))
            }
        };
        format!(
            "{} sends the way to {} through the proxy {}, and {fault}.",
            self.variable,
            shown(&self.target),
            shown(&self.proxy)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let mut steps = match &self.fault {
            ProxyFault::AuthenticationRequired => {
                vec![format!(
                    "Put the right user name and password into {} (http://USER:PASSWORD@HOST:PORT).",
                    self.variable
                )]
            }
            ProxyFault::Refused(_) => {
                vec![format!("Let the proxy allow CONNECT to {}.", shown(&self.target))]
            }
            _ => vec![format!("Correct {}, or mend the proxy.", self.variable)],
        };
        steps.push(
            "If STS is to be reached without the proxy, add .amazonaws.com to NO_PROXY, together with \
             169.254.169.254 and 169.254.170.23."
                .to_owned(),
        );
        steps
    }

    fn may_pass(&self) -> bool {
        match self.fault {
            ProxyFault::NameNotResolved | ProxyFault::NotReached(_) | ProxyFault::TimedOut => true,
            ProxyFault::Refused(status) => status == 429 || status >= 500,
            ProxyFault::AuthenticationRequired | ProxyFault::NotAProxy | ProxyFault::Untrusted(_) => false,
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("proxy", &self.proxy).value("proxy_source", self.variable)
    }
}

/// Why the name servers gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsFault {
    /// None answered in time.
    TimedOut,
    /// They answered with this error.
    Answered(String),
    /// They could not be asked; the system's words.
    NotReached(String),
    /// What they sent is no DNS answer.
    Garbled,
}

/// The name servers do not answer.
#[derive(Debug, Clone)]
pub struct DnsUnavailable {
    /// The name that was looked up.
    pub host: String,
    /// The servers that were asked.
    pub servers: Vec<SocketAddr>,
    /// What happened.
    pub fault: DnsFault,
}

fn servers(servers: &[SocketAddr]) -> String {
    servers.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(", ")
}

impl Entry for DnsUnavailable {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Cluster;

    fn cause(&self) -> String {
        let fault = match &self.fault {
            DnsFault::TimedOut => "gave no answer in time".to_owned(),
            DnsFault::Answered(code) => format!("answered {}", shown(code)),
            DnsFault::NotReached(error) => format!("could not be asked ({})", shown(error)),
            DnsFault::Garbled => "sent something that is no DNS answer".to_owned(),
        };
        format!(
            "The name {} could not be looked up: the name servers ({}) {fault}. This says nothing about the \
             name itself.",
            shown(&self.host),
            servers(&self.servers)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "See whether the cluster's DNS works:\nkubectl -n kube-system get pods -l k8s-app=kube-dns\n\
             kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50"
                .to_owned(),
            "Let every NetworkPolicy of the pod allow UDP and TCP 53 to the cluster's DNS, and the nodes' \
             security groups let it through:\nkubectl -n NAMESPACE get networkpolicies"
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("dns_servers", servers(&self.servers))
    }
}

/// The name servers say that the name has no address.
#[derive(Debug, Clone)]
pub struct StsNameNotResolved {
    /// The name.
    pub host: String,
    /// The servers that said so.
    pub servers: Vec<SocketAddr>,
    /// Whether they said that there is no such name (NXDOMAIN), or only that it has no address.
    pub no_such_name: bool,
    /// The variables that ask for a kind of endpoint that not every region has.
    pub options: Vec<&'static str>,
}

impl Entry for StsNameNotResolved {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        let why = if self.options.is_empty() {
            "Either the region or the endpoint is misspelt, or the DNS of this network does not know AWS's names."
                .to_owned()
        } else {
            format!(
                "{} asks for a kind of endpoint that this region may not have.",
                self.options.join(" and ")
            )
        };
        format!(
            "The name servers ({}) answer, and say that {} {}. {why}",
            servers(&self.servers),
            shown(&self.host),
            if self.no_such_name { "does not exist (NXDOMAIN)" } else { "has no address" }
        )
    }

    fn remedy(&self) -> Vec<String> {
        let mut steps = Vec::new();
        if !self.options.is_empty() {
            steps.push(format!(
                "Remove {} from the pod, or use a region that has such an endpoint.",
                self.options.join(" and ")
            ));
        }
        steps.push(
            "Check the region's spelling in AWS_REGION, and AWS_ENDPOINT_URL_STS where it is set.".to_owned(),
        );
        steps.push(format!(
            "If the name is right, see who should answer for it: in a private cluster, an STS endpoint with private \
             DNS, or a forwarder to the VPC's resolver.\n\
             kubectl run dns-check --rm -it --restart=Never --image=busybox -- nslookup {}",
            sh(&self.host)
        ));
        steps
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("dns_servers", servers(&self.servers))
    }
}

/// Nothing listens at STS's address.
#[derive(Debug, Clone)]
pub struct StsConnectionRefused {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The addresses that were tried.
    pub addresses: Vec<IpAddr>,
}

impl Entry for StsConnectionRefused {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        format!(
            "The connection to {} port {} was refused at {}: the host is there, and nothing listens, or a \
             firewall refuses. {}",
            shown(&self.host),
            self.port,
            addresses_text(&self.addresses),
            way(&self.addresses)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "See whether the name leads where it should: a private hosted zone, an entry of hostAliases, or \
             AWS_ENDPOINT_URL_STS may point elsewhere."
                .to_owned(),
            "If a service mesh is in the way, let irsa-probe run after its proxy is ready, or leave STS out of \
             the mesh."
                .to_owned(),
            POLICIES.to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("addresses", addresses_text(&self.addresses))
    }
}

/// There is no route to STS.
#[derive(Debug, Clone)]
pub struct StsNoRoute {
    /// The host.
    pub host: String,
    /// The addresses that were tried.
    pub addresses: Vec<IpAddr>,
    /// The system's words.
    pub error: String,
}

impl Entry for StsNoRoute {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        format!(
            "No connection to {} ({}) could be opened: {}. Either the pod has no address of \
             that family (IPv4 or IPv6), or no route leads there.",
            shown(&self.host),
            addresses_text(&self.addresses),
            shown(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "See whether the pod has an address of the family that STS's name resolves to, and a default route."
                .to_owned(),
            SHOW_ENDPOINT.to_owned(),
            POLICIES.to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("addresses", addresses_text(&self.addresses))
    }
}

/// STS does not answer in time.
#[derive(Debug, Clone)]
pub struct StsTimedOut {
    /// The host.
    pub host: String,
    /// The addresses that its name has.
    pub addresses: Vec<IpAddr>,
    /// Where it stopped.
    pub phase: Phase,
    /// How long it was waited for.
    pub after: Duration,
}

impl Entry for StsTimedOut {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        let addresses = if self.addresses.is_empty() {
            String::new()
        } else {
            format!(" ({})", addresses_text(&self.addresses))
        };
        let way =
            if self.phase == Phase::Connect { way(&self.addresses) } else { "The TCP connection was open." };
        format!(
            "{}{addresses} did not answer within {}, while {}. {way}",
            shown(&self.host),
            span(self.after),
            self.phase.as_str()
        )
    }

    fn remedy(&self) -> Vec<String> {
        match self.phase {
            Phase::Connect if self.addresses.first().is_some_and(|first| Reach::of(*first) == Reach::Local) => vec![
                "Find out what answers for STS's name on this host, and see whether it runs: a mesh's or a proxy's \
                 sidecar, an entry of hostAliases, a DNS server that rewrites names."
                    .to_owned(),
            ],
            Phase::Connect => vec![
                SHOW_ENDPOINT.to_owned(),
                "Compare the route table of the pod's subnet, and the security groups of the node and of the \
                 endpoint (TCP 443)."
                    .to_owned(),
                POLICIES.to_owned(),
            ],
            Phase::Tls | Phase::Reply => vec![
                "Something between the pod and STS takes the connection and then keeps silent: look at the \
                 firewall, the proxy, the service mesh, and the path's MTU."
                    .to_owned(),
                "If STS is only slow, give it more time with --timeout and --wait.".to_owned(),
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new().text("host", &self.host).value("stopped_while", self.phase.as_str());
        if self.addresses.is_empty() {
            evidence
        } else {
            evidence.value("addresses", addresses_text(&self.addresses))
        }
    }
}

/// The connection broke off.
#[derive(Debug, Clone)]
pub struct StsConnectionLost {
    /// The host.
    pub host: String,
    /// Where it broke.
    pub phase: Phase,
    /// What was seen.
    pub error: String,
}

impl Entry for StsConnectionLost {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;

    fn cause(&self) -> String {
        format!(
            "The connection to {} was open and then broke off {}: {}. A firewall that inspects TLS, a proxy or \
             a service mesh on the way does that.",
            shown(&self.host),
            self.phase.as_str(),
            shown(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            format!("Let the firewall or proxy pass TLS to {} untouched.", shown(&self.host)),
            POLICIES.to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("broke_off_while", self.phase.as_str())
    }
}

/// Something that is not TLS answers on the TLS port.
#[derive(Debug, Clone)]
pub struct TlsNotSpoken {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Entry for TlsNotSpoken {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        format!(
            "What answers at {} port {} does not speak TLS; plain HTTP on that port looks like this.",
            shown(&self.host),
            self.port
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "If AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is set, correct its scheme or port.".to_owned(),
            "If not, something on the way answers in STS's place: a captive portal, a proxy or a service mesh \
             that expects plain HTTP."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).value("port", self.port)
    }
}

/// The certificate that was presented.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// Its subject.
    pub subject: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
}

impl Presented {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text_if("certificate_subject", self.subject.as_deref())
            .text_if("certificate_issuer", self.issuer.as_deref())
    }
}

/// The certificate was signed by nobody who is trusted here.
#[derive(Debug, Clone)]
pub struct TlsUntrusted {
    /// The host.
    pub host: String,
    /// What it presented.
    pub presented: Presented,
    /// Where the trusted certificates come from.
    pub roots: String,
    /// What the TLS library said.
    pub error: String,
}

impl TlsUntrusted {
    /// Whether the certificate names Amazon, and a variable replaced the certificates to trust.
    fn is_roots_replaced(&self) -> bool {
        self.roots.contains("(from ")
            && self.presented.issuer.as_ref().is_some_and(|name| name.contains("Amazon"))
    }
}

impl Entry for TlsUntrusted {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        let issuer = self
            .presented
            .issuer
            .as_ref()
            .map_or_else(|| "by an unknown signer".to_owned(), |issuer| format!("by \"{}\"", shown(issuer)));
        let meaning = if self.is_roots_replaced() {
            "The certificate names Amazon, and that file takes the place of the system's certificates: it probably \
             lacks Amazon's."
        } else {
            "AWS's own certificates are signed by Amazon; another signer means that something on the way intercepts \
             TLS."
        };
        format!(
            "{} presented a certificate signed {issuer}, which nothing in {} vouches for ({}). {meaning}",
            shown(&self.host),
            shown(&self.roots),
            shown(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.is_roots_replaced() {
            return vec![
                "Append the public CA certificates to that file, or remove the variable that names it.".to_owned(),
                "If the file is meant to hold them all, compare it with the one of the ca-certificates package.".to_owned(),
            ];
        }
        vec![
            "If your organisation intercepts TLS, mount its CA certificate and name the file in AWS_CA_BUNDLE \
             (and for the application in what its SDK reads)."
                .to_owned(),
            "If it does not, find out what answers for STS before you send it a token.".to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("host", &self.host)
            .text("trusted_roots", &self.roots)
            .and(self.presented.evidence())
    }
}

/// The certificate is for another name.
#[derive(Debug, Clone)]
pub struct TlsNameMismatch {
    /// The host that was called.
    pub host: String,
    /// The names in the certificate.
    pub names: Vec<String>,
    /// What it presented.
    pub presented: Presented,
}

impl Entry for TlsNameMismatch {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        let names = self.names.iter().take(8).map(|name| shown(name)).collect::<Vec<_>>();
        if names.is_empty() {
            return format!(
                "{} presented a certificate that holds no names of servers, or only a common name, which TLS no \
                 longer looks at.",
                shown(&self.host)
            );
        }
        format!(
            "{} presented a certificate for {}: the name leads to another server.",
            shown(&self.host),
            names.join(", ")
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "If a DNS alias points STS's name at a VPC endpoint, use the endpoint's private DNS instead, or \
             set AWS_ENDPOINT_URL_STS to a name that is in the certificate."
                .to_owned(),
            "If the global name sts.amazonaws.com was redirected, use the regional one: \
             AWS_STS_REGIONAL_ENDPOINTS=regional."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("host", &self.host)
            .texts("certificate_names", &self.names)
            .and(self.presented.evidence())
    }
}

/// The certificate is not valid now.
#[derive(Debug, Clone)]
pub struct TlsExpired {
    /// The host.
    pub host: String,
    /// Until when it was valid, or, if it is not valid yet, from when on.
    pub bound: SystemTime,
    /// Whether it is not valid yet, instead of no longer.
    pub not_yet: bool,
    /// This container's clock.
    pub now: SystemTime,
    /// What it presented.
    pub presented: Presented,
}

impl Entry for TlsExpired {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        format!(
            "{} presented a certificate that {} {}, and this container's clock shows {}. Either the certificate \
             was not renewed, or the clock of this node is wrong.",
            shown(&self.host),
            if self.not_yet { "is only valid from" } else { "expired at" },
            utc(self.bound),
            utc(self.now)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "Compare the time above with the real one; if the node's clock is wrong, mend its time service."
                .to_owned(),
            "AWS renews its certificates in time: an expired one comes from something on the way, such as a \
             proxy, and has to be renewed there."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        let name = if self.not_yet { "certificate_not_before" } else { "certificate_not_after" };
        Evidence::new()
            .text("host", &self.host)
            .value(name, utc(self.bound))
            .value("local_time", utc(self.now))
            .and(self.presented.evidence())
    }
}

/// The TLS handshake failed in another way.
#[derive(Debug, Clone)]
pub struct TlsFailed {
    /// The host.
    pub host: String,
    /// What the TLS library said.
    pub error: String,
    /// What it presented.
    pub presented: Presented,
}

impl Entry for TlsFailed {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        format!("The TLS handshake with {} failed: {}.", shown(&self.host), shown(&self.error))
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "STS itself speaks TLS 1.2 and 1.3 with current ciphers, so look at what is on the way: a proxy, a \
             firewall or a service mesh."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).and(self.presented.evidence())
    }
}

/// An answer that STS does not give.
#[derive(Debug, Clone)]
pub struct NotStsReply {
    /// The host.
    pub host: String,
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: Option<String>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// The length of the answer in bytes.
    pub length: usize,
}

impl Entry for NotStsReply {
    const CLASS: Class = Class::Unreachable;
    const OWNER: Owner = Owner::Network;
    const MAY_PASS: bool = false;

    fn cause(&self) -> String {
        let kind =
            self.content_type.as_ref().map_or_else(String::new, |kind| format!(" of type {}", shown(kind)));
        let server = self
            .server
            .as_ref()
            .map_or_else(String::new, |name| format!(" from a server \"{}\"", shown(name)));
        format!(
            "{} answered with status {} and {} bytes{kind}{server}, and that is no answer of STS: a captive \
             portal, a proxy's own page, or another service answers in its place.",
            shown(&self.host),
            self.status,
            self.length
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "If AWS_ENDPOINT_URL_STS or AWS_ENDPOINT_URL is set, let it name an STS endpoint, or remove it.".to_owned(),
            "If a proxy or firewall answers, let it pass STS.".to_owned(),
            "The token was sent there: if you do not know that server, treat the token as known to others until \
             it expires."
                .to_owned(),
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
    use super::Reach;

    #[test]
    fn an_address_tells_whose_network_it_is_in() {
        for (address, reach) in [
            ("10.0.12.34", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("100.64.3.4", Reach::Private),
            ("fd00::1", Reach::Private),
            ("::ffff:192.168.1.1", Reach::Private),
            ("127.0.0.1", Reach::Local),
            ("::1", Reach::Local),
            ("54.239.32.126", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("2600:1f18::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
        }
    }
}
