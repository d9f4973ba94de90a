//! One request without a body, over a connection of its own and through no proxy.
//!
//! The servers that are asked like this are named by the pod's variables: IMDS and the container endpoint.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use tokio::time::{Instant, timeout_at};

use super::connect::{self, Route};
use super::dns::Resolver;
use super::endpoint::Endpoint;
use super::http::{self, StatusAndBody};
use super::tls::TrustRoots;
use crate::host::Pod;
use crate::host::deadline::Budget;

/// A request without a body.
pub(crate) struct HttpCall<'a> {
    pub(crate) endpoint: &'a Endpoint,
    /// A name server in place of the pod's.
    pub(crate) dns_server: Option<SocketAddr>,
    /// The certificates to trust, if the endpoint speaks TLS.
    pub(crate) trust: &'a TrustRoots,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    /// Headers beside those that every request has.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) max_body_bytes: usize,
}

impl HttpCall<'_> {
    /// Sends the request, by `until` at the latest.
    ///
    /// # Errors
    /// Why there is no response, as a clause that follows the server's name.
    pub(crate) async fn send(self, pod: &Pod, until: Instant) -> Result<StatusAndBody, String> {
        let resolver = Resolver::load(pod, self.dns_server, until).await;
        let route = Route { endpoint: self.endpoint, proxy: None, trust: self.trust, resolver: &resolver };
        let opened = Box::pin(connect::open(pod, &route, Budget::ending_at(until))).await;
        let stream = opened.map_err(|fault| fault.to_string())?.stream;
        let authority = self.endpoint.uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("irsa-probe/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::new())).map_err(|error| error.to_string())?;
        let response = timeout_at(until, http::send_once(stream, request, self.max_body_bytes)).await;
        response.map_err(|_| "it does not answer".to_owned())?
    }
}
