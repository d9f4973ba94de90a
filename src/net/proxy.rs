//! Whether the way goes through a proxy, as the variables say.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;

use crate::host::Pod;

/// What a proxy did instead of opening a tunnel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    #[error("the proxy's name has no address")]
    NameNotResolved,
    /// Nothing listens there, or there is no route; the system's words.
    #[error("the proxy cannot be reached: {0}")]
    NotReachable(String),
    #[error("the proxy does not answer")]
    TimedOut,
    #[error("the proxy requires other credentials")]
    AuthenticationRequired,
    #[error("the proxy opens no tunnel (HTTP status {0})")]
    Refused(u16),
    /// It answered with something that is not HTTP, or closed the connection.
    #[error("the proxy does not speak HTTP")]
    NotAProxy,
    /// It is an HTTPS proxy.
    #[error("the proxy's certificate is not trusted: {0}")]
    Untrusted(String),
}

#[derive(Debug, Clone)]
pub struct Proxy {
    pub(crate) variable: &'static str,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether the connection to the proxy itself is TLS.
    pub(crate) tls: bool,
    /// The value of `Proxy-Authorization`, marked sensitive: it is not printed.
    pub(crate) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy as `http://host:port`, without credentials.
    pub(crate) fn origin(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{}://{host}:{}", if self.tls { "https" } else { "http" }, self.port)
    }
}

/// A proxy variable that is no URL of an HTTP proxy. Its value is not kept: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrlError {
    pub(crate) variable: &'static str,
}

/// The proxy for an endpoint, by the variables that the AWS SDKs read.
///
/// # Errors
/// If the variable that decides names no HTTP proxy.
pub fn for_endpoint(pod: &Pod, endpoint: &Uri) -> Result<Option<Proxy>, ProxyUrlError> {
    let variables: [&'static str; 2] = if endpoint.scheme_str() == Some("http") {
        ["http_proxy", "HTTP_PROXY"]
    } else {
        ["HTTPS_PROXY", "https_proxy"]
    };
    let Some((variable, value)) =
        variables.into_iter().find_map(|name| Some((name, pod.nonempty_variable(name)?)))
    else {
        return Ok(None);
    };
    let except =
        pod.nonempty_variable("NO_PROXY").or_else(|| pod.nonempty_variable("no_proxy")).unwrap_or_default();
    // The library knows `.amazonaws.com` and not `*.amazonaws.com`, which Go takes for the same.
    let except = except.replace("*.", ".");
    if Matcher::builder().all("http://any").no(except).build().intercept(endpoint).is_none() {
        return Ok(None);
    }
    parse_proxy(variable, value.trim()).map(Some).ok_or(ProxyUrlError { variable })
}

fn parse_proxy(variable: &'static str, value: &str) -> Option<Proxy> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if authority.contains(['/', '?', '#', '\\']) || authority.contains(char::is_whitespace) {
        return None;
    }
    let found = Uri::try_from(format!("http://{host_and_port}")).ok()?;
    let found = found.authority()?;
    let after_host = host_and_port.strip_prefix(found.host())?;
    let port = match (after_host.is_empty(), found.port_u16()) {
        (true, _) => {
            if tls {
                443
            } else {
                80
            }
        }
        (false, Some(port)) if port > 0 => port,
        (false, _) => return None,
    };
    let host = found.host().trim_matches(['[', ']']).to_owned();
    let endpoint = Uri::from_static("https://any");
    let intercept = Matcher::builder().all(format!("{scheme}://{authority}")).build().intercept(&endpoint)?;
    let authorization = intercept.basic_auth().cloned().map(|mut value| {
        value.set_sensitive(true);
        value
    });
    (!host.is_empty()).then_some(Proxy { variable, host, port, tls, authorization })
}

#[cfg(test)]
mod tests {
    use super::for_endpoint;
    use crate::host::{Clock, Pod};
    use std::time::SystemTime;

    fn choose(variables: &[(&str, &str)]) -> Result<Option<String>, &'static str> {
        let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
        let endpoint = "https://sts.eu-west-1.amazonaws.com".parse().unwrap();
        match for_endpoint(&pod, &endpoint) {
            Ok(proxy) => {
                Ok(proxy.map(|proxy| format!("{} {}", proxy.origin(), proxy.authorization.is_some())))
            }
            Err(bad) => Err(bad.variable),
        }
    }

    #[test]
    fn the_variables_decide() {
        let https = |value| [("HTTPS_PROXY", value), ("UNUSED", "")];
        let but = |value, except| [("HTTPS_PROXY", value), ("NO_PROXY", except)];
        for (variables, expected) in [
            ([("HTTP_PROXY", "http://p:1"), ("ALL_PROXY", "socks5://p:1")], Ok(None)),
            ([("https_proxy", "p:3128"), ("UNUSED", "")], Ok(Some("http://p:3128 false".to_owned()))),
            (https("http://p:3128"), Ok(Some("http://p:3128 false".to_owned()))),
            (https(" http://u:w@p:3128/\n"), Ok(Some("http://p:3128 true".to_owned()))),
            (https("https://p"), Ok(Some("https://p:443 false".to_owned()))),
            (https("http://[::1]:3128"), Ok(Some("http://[::1]:3128 false".to_owned()))),
            (but("http://p:1", ".amazonaws.com"), Ok(None)),
            (but("http://p:1", "*.amazonaws.com"), Ok(None)),
            (but("socks5://p:1", "*"), Ok(None)),
            (but("http://p:1", "10.0.0.0/8"), Ok(Some("http://p:1 false".to_owned()))),
            (https("socks5://p:1"), Err("HTTPS_PROXY")),
            (https("::not a url::"), Err("HTTPS_PROXY")),
            (https("http://p:99999"), Err("HTTPS_PROXY")),
            (https("http://bob:pa/ss@p:1"), Err("HTTPS_PROXY")),
            (https("http:/user:pw@h:1"), Err("HTTPS_PROXY")),
            (https("http://user:s3cr3t pw@h:1"), Err("HTTPS_PROXY")),
        ] {
            assert_eq!(choose(&variables), expected, "{variables:?}");
        }
    }
}
