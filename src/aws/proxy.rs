//! Whether the way to STS goes through a proxy, as the variables say.

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;

use crate::pod::Pod;

/// A proxy on the way.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the connection to the proxy itself is TLS.
    pub tls: bool,
    /// The value of `Proxy-Authorization`, marked sensitive: it is not printed.
    pub authorization: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy as `http://host:port`, without credentials.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }
}

/// A proxy variable that is no URL of an HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadProxy {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
}

/// The proxy for an endpoint, by the variables that curl and the AWS SDKs read.
///
/// # Errors
/// If the variable that decides names no HTTP proxy.
pub fn for_endpoint(pod: &Pod, endpoint: &Uri) -> Result<Option<Proxy>, BadProxy> {
    let variables: [&'static str; 4] = if endpoint.scheme_str() == Some("http") {
        ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"]
    } else {
        ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    };
    let Some((variable, value)) = variables.into_iter().find_map(|name| Some((name, pod.filled(name)?)))
    else {
        return Ok(None);
    };
    let bad = || BadProxy { variable, value: value.clone() };
    let everywhere = Matcher::builder().all(value.clone()).build();
    if everywhere.intercept(endpoint).is_none() {
        return Err(bad());
    }
    let except = pod.filled("NO_PROXY").or_else(|| pod.filled("no_proxy")).unwrap_or_default();
    let Some(found) = Matcher::builder().all(value.clone()).no(except).build().intercept(endpoint) else {
        return Ok(None);
    };
    let tls = match found.uri().scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(bad()),
    };
    let host = found.uri().host().ok_or_else(bad)?.trim_matches(['[', ']']).to_owned();
    let authorization = found.basic_auth().cloned().map(|mut value| {
        value.set_sensitive(true);
        value
    });
    Ok(Some(Proxy {
        variable,
        host,
        port: found.uri().port_u16().unwrap_or(if tls { 443 } else { 80 }),
        tls,
        authorization,
    }))
}

#[cfg(test)]
mod tests {
    use super::for_endpoint;
    use crate::pod::{Clock, Pod};
    use std::time::SystemTime;

    fn choose(variables: &[(&str, &str)]) -> Result<Option<String>, &'static str> {
        let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
        let endpoint = "https://sts.eu-west-1.amazonaws.com".parse().unwrap();
        match for_endpoint(&pod, &endpoint) {
            Ok(proxy) => {
                Ok(proxy.map(|proxy| format!("{} {}", proxy.shown(), proxy.authorization.is_some())))
            }
            Err(bad) => Err(bad.variable),
        }
    }

    #[test]
    fn the_variables_decide() {
        for (variables, expected) in [
            (&[][..], Ok(None)),
            (&[("HTTP_PROXY", "http://p:1")][..], Ok(None)),
            (&[("HTTPS_PROXY", "http://p:3128")][..], Ok(Some("http://p:3128 false".to_owned()))),
            (&[("https_proxy", "p:3128")][..], Ok(Some("http://p:3128 false".to_owned()))),
            (&[("ALL_PROXY", "http://u:w@p:3128")][..], Ok(Some("http://p:3128 true".to_owned()))),
            (&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", ".amazonaws.com")][..], Ok(None)),
            (&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "*")][..], Ok(None)),
            (
                &[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "10.0.0.0/8")][..],
                Ok(Some("http://p:1 false".to_owned())),
            ),
            (&[("HTTPS_PROXY", "socks5://p:1")][..], Err("HTTPS_PROXY")),
            (&[("HTTPS_PROXY", "::not a url::")][..], Err("HTTPS_PROXY")),
        ] {
            assert_eq!(choose(variables), expected, "{variables:?}");
        }
    }
}
