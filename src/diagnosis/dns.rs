//! The name of the STS endpoint cannot be resolved.

use crate::net::dns::DnsFault;
use std::net::SocketAddr;

use super::Entry;
use super::endpoint::StsServer;
use crate::evidence::Evidence;
use crate::text::{join, sanitize, shell_quote};

/// The name servers do not answer.
#[derive(Debug, Clone)]
pub struct DnsUnavailable {
    pub(crate) host: String,
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) fault: DnsFault,
}

impl Entry for DnsUnavailable {
    fn cause(&self) -> String {
        let fault = match &self.fault {
            DnsFault::TimedOut => "gave no answer in time".to_owned(),
            DnsFault::ErrorCode(code) => format!("answered {}", sanitize(code)),
            DnsFault::NotReachable(error) => format!("could not be asked ({})", sanitize(error)),
            DnsFault::Malformed => "sent something that is no DNS answer".to_owned(),
        };
        format!(
            "The name {} could not be looked up: the name servers ({}) {fault}. This says nothing about the \
             name itself.",
            sanitize(&self.host),
            join(&self.servers)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "See whether the cluster's DNS works:\nkubectl -n kube-system get pods -l k8s-app=kube-dns\n\
             kubectl -n kube-system logs -l k8s-app=kube-dns --tail=50",
            "Let every NetworkPolicy of the pod allow UDP and TCP 53 to the cluster's DNS, and the nodes' \
             security groups let it through:\nkubectl -n NAMESPACE get networkpolicies"
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).texts("dns_servers", &self.servers)
    }
}

/// The name servers say that the name has no address.
#[derive(Debug, Clone)]
pub struct StsNameNotResolved {
    pub(crate) host: String,
    pub(crate) server: StsServer,
    pub(crate) servers: Vec<SocketAddr>,
    /// Whether they said that there is no such name (NXDOMAIN), or only that it has no address.
    pub(crate) no_such_name: bool,
    /// The variables that select a kind of endpoint that not every region has.
    pub(crate) options: Vec<&'static str>,
}

impl StsNameNotResolved {
    /// The step that corrects what the name is made of.
    fn check_spelling(&self) -> String {
        let (region, source) = &self.server.region;
        self.server.correct_url().unwrap_or_else(|| {
            format!("Check the spelling of the region, {}, from {source}.", sanitize(region))
        })
    }
}

impl Entry for StsNameNotResolved {
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
            join(&self.servers),
            sanitize(&self.host),
            if self.no_such_name { "does not exist (NXDOMAIN)" } else { "has no address" }
        )
    }

    fn remedy(&self) -> Vec<String> {
        let options = self.options.join(" and ");
        let remove = format!("Remove {options} from the pod, or use a region that has such an endpoint.");
        let steps = steps![
            self.check_spelling(),
            format!(
                "If the name is right, see who should answer for it: in a private cluster, an STS endpoint with \
                 private DNS, or a forwarder to the VPC's resolver.\n\
                 kubectl -n NAMESPACE run dns-check --rm -it --restart=Never --image=busybox -- nslookup {}",
                shell_quote(&self.host)
            )
        ];
        (!options.is_empty()).then_some(remove).into_iter().chain(steps).collect()
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("host", &self.host).texts("dns_servers", &self.servers)
    }
}
