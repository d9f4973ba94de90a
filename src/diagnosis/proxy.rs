//! The proxy for STS.

use super::Entry;
use crate::evidence::Evidence;
use crate::net::proxy::ProxyFault;
use crate::text::sanitize;

/// The proxy variable is not the URL of a proxy.
#[derive(Debug, Clone)]
pub struct ProxyMalformed {
    pub(crate) variable: &'static str,
}

impl Entry for ProxyMalformed {
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

/// The proxy does not connect to STS.
#[derive(Debug, Clone)]
pub struct ProxyFailed {
    /// The proxy, without credentials.
    pub(crate) proxy: String,
    pub(crate) variable: &'static str,
    /// The host and port that it was asked for.
    pub(crate) target: String,
    pub(crate) fault: ProxyFault,
}

impl Entry for ProxyFailed {
    fn cause(&self) -> String {
        let fault = match &self.fault {
            ProxyFault::NameNotResolved => "its name has no address".to_owned(),
            ProxyFault::NotReachable(error) => format!("it cannot be reached ({})", sanitize(error)),
            ProxyFault::TimedOut => "it does not answer".to_owned(),
            ProxyFault::AuthenticationRequired => {
                "it asks for a user name and password, or does not accept the ones given (407)".to_owned()
            }
            ProxyFault::Refused(status) => format!("it refuses with HTTP status {status}"),
            ProxyFault::NotAProxy => "what answers there is not an HTTP proxy".to_owned(),
            ProxyFault::Untrusted(error) => {
                format!("its certificate is not trusted ({})", sanitize(error))
            }
        };
        format!(
            "{} sends the way to {} through the proxy {}, and {fault}.",
            self.variable,
            sanitize(&self.target),
            sanitize(&self.proxy)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let variable = self.variable;
        let first = match &self.fault {
            ProxyFault::AuthenticationRequired => {
                format!(
                    "Put the right user name and password into {variable} (http://USER:PASSWORD@HOST:PORT)."
                )
            }
            ProxyFault::Refused(_) => format!("Let the proxy allow CONNECT to {}.", sanitize(&self.target)),
            _ => format!("Correct {variable}, or repair the proxy."),
        };
        steps![
            first,
            "If STS is to be reached without the proxy, add .amazonaws.com to NO_PROXY, together with \
             169.254.169.254 and 169.254.170.23."
        ]
    }

    fn may_pass(&self) -> bool {
        match self.fault {
            ProxyFault::NameNotResolved | ProxyFault::NotReachable(_) | ProxyFault::TimedOut => true,
            ProxyFault::Refused(status) => status == 429 || status >= 500,
            ProxyFault::AuthenticationRequired | ProxyFault::NotAProxy | ProxyFault::Untrusted(_) => false,
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("proxy", &self.proxy).value("proxy_source", self.variable)
    }
}
