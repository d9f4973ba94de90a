//! The URL of a server, taken apart.

use hyper::Uri;
use rustls::pki_types::ServerName;

/// Where a server is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub(crate) uri: Uri,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

pub(crate) type UrlFault = &'static str;

const HAS_CREDENTIALS: UrlFault = "it carries a user name or password, which is none of an endpoint";

impl Endpoint {
    /// Reads the URL of an endpoint that a person set. An `@` that seems to be in its path can come after a password
    /// with a slash, whose beginning is then no host to call or to print.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub(crate) fn parse_setting(url: &str) -> Result<Self, UrlFault> {
        if url.contains('@') { Err(HAS_CREDENTIALS) } else { Self::parse(url) }
    }

    /// Reads the URL of an endpoint.
    ///
    /// # Errors
    /// What is wrong with the URL, in words that follow "and".
    pub fn parse(url: &str) -> Result<Self, UrlFault> {
        let uri: Uri = url.parse().map_err(|_| "that is not a URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err("its scheme is neither https nor http"),
            None => return Err("it does not start with https://"),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err(HAS_CREDENTIALS);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || host.contains("..") {
            return Err("it names no host");
        }
        let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !after_host.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
            return Err("its port is no number from 1 to 65535");
        }
        if tls && ServerName::try_from(host.as_str()).is_err() {
            return Err("no certificate can be for its host");
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, port, tls, uri })
    }

    /// The endpoint as it may be printed: scheme, host and port, since a path or a query may hold
    /// anything.
    pub(crate) fn origin(&self) -> String {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}", if self.tls { "https" } else { "http" })
    }

    /// Whether the host is this very machine's loopback.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn password_in_a_setting_is_no_host() {
        for url in [
            "https://u:p@h",
            "https://u:1/p@h",
            "https://u:1?p@h",
            "https://u:1#p@h",
            "u:1/p@h",
            "https://u/p@h",
        ] {
            assert_eq!(Endpoint::parse_setting(url), Err(super::HAS_CREDENTIALS), "{url}");
        }
        assert!(Endpoint::parse_setting("https://h:1/x").is_ok());
    }

    #[test]
    fn urls() {
        let good = Endpoint::parse("https://[::1]:8443/x").unwrap();
        assert_eq!((good.host.as_str(), good.port, good.tls, good.is_loopback()), ("::1", 8443, true, true));
        for url in [
            "",
            "sts.amazonaws.com",
            "ftp://x",
            "https://",
            "https://u:p@x",
            "https://sts..amazonaws.com",
            "https://h:99999",
            "https://h:abc",
            "https://h:0",
            "https://user:s3cr3t/pw@h",
            "https://a b",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
