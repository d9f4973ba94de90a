//! TLS with STS fails, or the certificates to trust are missing.

use crate::net::tls::PresentedCertificate;
use std::time::SystemTime;

use super::Entry;
use super::endpoint::StsServer;
use crate::evidence::Evidence;
use crate::text::{format_utc, sanitize};

/// The file with trusted certificates cannot be used.
#[derive(Debug, Clone)]
pub struct CaBundleUnusable {
    pub(crate) variable: &'static str,
    pub(crate) path: String,
    pub(crate) fault: String,
}

impl Entry for CaBundleUnusable {
    fn cause(&self) -> String {
        format!(
            "{} names {} as the certificates to trust, and that file cannot be used: {}.",
            self.variable,
            sanitize(&self.path),
            sanitize(&self.fault)
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

/// No trusted certificates were found.
#[derive(Debug, Clone)]
pub struct TrustRootsMissing {
    /// The places that were searched.
    pub(crate) tried: Vec<String>,
}

impl Entry for TrustRootsMissing {
    fn cause(&self) -> String {
        "This container has no CA certificates, so no TLS server can be trusted. The official image of \
         irsa-probe has them; a binary copied into another image needs that image's."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Install the ca-certificates package in the image, or mount a PEM file and name it in AWS_CA_BUNDLE."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("looked_for", &self.tried)
    }
}

/// Something that is not TLS answers on the TLS port.
#[derive(Debug, Clone)]
pub struct TlsNotSpoken {
    pub(crate) server: StsServer,
    pub(crate) port: u16,
}

impl Entry for TlsNotSpoken {
    fn cause(&self) -> String {
        format!(
            "What answers at {} port {} does not speak TLS; plain HTTP on that port looks like this.",
            self.server, self.port
        )
    }

    fn remedy(&self) -> Vec<String> {
        match &self.server.url {
            Some((_, source)) => vec![format!("Correct the scheme or the port of {source}.")],
            None => steps![
                "Find out what answers on the way to STS: a captive portal, a proxy or a service mesh that expects \
                 plain HTTP."
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().value("port", self.port)
    }
}

/// No trusted CA signed the certificate.
#[derive(Debug, Clone)]
pub struct TlsUntrusted {
    pub(crate) server: StsServer,
    pub(crate) presented: PresentedCertificate,
    /// Where the trusted certificates come from.
    pub(crate) roots: String,
    pub(crate) error: String,
}

impl TlsUntrusted {
    /// Whether a CA of Amazon is missing because a variable replaced the trusted certificates.
    fn is_roots_replaced(&self) -> bool {
        self.roots.contains("(from ")
            && self.presented.issuer.as_ref().is_some_and(|name| name.contains("Amazon"))
    }
}

impl Entry for TlsUntrusted {
    fn cause(&self) -> String {
        let issuer = self.presented.issuer.as_ref().map_or_else(
            || "by an unknown signer".to_owned(),
            |issuer| format!("by \"{}\"", sanitize(issuer)),
        );
        let meaning = if self.is_roots_replaced() {
            "The certificate names Amazon, and that file takes the place of the system's certificates: it probably \
             lacks Amazon's."
        } else {
            "AWS's own certificates are signed by Amazon; another signer means that something on the way intercepts \
             TLS."
        };
        format!(
            "{} presented a certificate signed {issuer}, which nothing in {} vouches for ({}). {meaning}",
            self.server,
            sanitize(&self.roots),
            sanitize(&self.error)
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.is_roots_replaced() {
            return steps![
                "Append the public CA certificates to that file, or remove the variable that names it.",
                "If the file is meant to hold them all, compare it with the one of the ca-certificates package."
            ];
        }
        if self.roots.contains("(from ") {
            return steps![
                format!(
                    "If your organisation intercepts TLS, append the certificate of the CA named above to {}: it is not \
                     in it.",
                    sanitize(&self.roots)
                ),
                "If it does not, find out what answers for STS before you send it a token."
            ];
        }
        steps![
            "If your organisation intercepts TLS, mount its CA certificate and name the file in AWS_CA_BUNDLE \
             (and for the application in what its SDK reads).",
            "If it does not, find out what answers for STS before you send it a token."
        ]
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().text("trusted_roots", &self.roots).merge(self.presented.evidence())
    }
}

/// The certificate is for another host.
#[derive(Debug, Clone)]
pub struct TlsNameMismatch {
    pub(crate) server: StsServer,
    pub(crate) names: Vec<String>,
    pub(crate) presented: PresentedCertificate,
}

impl Entry for TlsNameMismatch {
    fn cause(&self) -> String {
        let names = self.names.iter().take(8).map(|name| sanitize(name)).collect::<Vec<_>>();
        if names.is_empty() {
            return format!(
                "{} presented a certificate that holds no names of servers, or only a common name, which TLS no \
                 longer looks at.",
                self.server
            );
        }
        format!(
            "{} presented a certificate for {}: the name leads to another server.",
            self.server,
            names.join(", ")
        )
    }

    fn remedy(&self) -> Vec<String> {
        let configured = self.server.correct_url();
        let mut steps = steps![
            "If a DNS alias points STS's name at a VPC endpoint, use the endpoint's private DNS instead, or \
             set AWS_ENDPOINT_URL_STS to a name that is in the certificate.",
            "If the host is the global sts.amazonaws.com, name the regional host instead. For the application's SDK: \
             AWS_STS_REGIONAL_ENDPOINTS=regional."
        ];
        steps.splice(..0, configured);
        steps
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().texts("certificate_names", &self.names).merge(self.presented.evidence())
    }
}

/// The certificate is not valid now.
#[derive(Debug, Clone)]
pub struct TlsExpired {
    pub(crate) server: StsServer,
    /// The end of its validity, or the beginning if it is not valid yet.
    pub(crate) bound: SystemTime,
    pub(crate) not_yet: bool,
    /// The time by this container's clock.
    pub(crate) now: SystemTime,
    pub(crate) presented: PresentedCertificate,
}

impl Entry for TlsExpired {
    fn cause(&self) -> String {
        format!(
            "{} presented a certificate that {} {}, and this container's clock shows {}. Either the certificate \
             was not renewed, or the clock of this node is wrong.",
            self.server,
            if self.not_yet { "is only valid from" } else { "expired at" },
            format_utc(self.bound),
            format_utc(self.now)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Compare the time above with the real one; if the node's clock is wrong, repair its time service.",
            "AWS renews its certificates in time: an expired one comes from something on the way, such as a \
             proxy, and has to be renewed there."
        ]
    }

    fn evidence(&self) -> Evidence {
        let name = if self.not_yet { "certificate_not_before" } else { "certificate_not_after" };
        self.server
            .evidence()
            .value(name, format_utc(self.bound))
            .value("local_time", format_utc(self.now))
            .merge(self.presented.evidence())
    }
}

#[derive(Debug, Clone)]
pub struct TlsFailed {
    pub(crate) server: StsServer,
    pub(crate) error: String,
    pub(crate) presented: PresentedCertificate,
}

impl Entry for TlsFailed {
    fn cause(&self) -> String {
        format!("The TLS handshake with {} failed: {}.", self.server, sanitize(&self.error))
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "STS itself speaks TLS 1.2 and 1.3 with current ciphers, so look at what is on the way: a proxy, a \
             firewall or a service mesh."
        ]
    }

    fn evidence(&self) -> Evidence {
        self.server.evidence().merge(self.presented.evidence())
    }
}
