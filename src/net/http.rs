//! One request over a connection that ends with it; also one without a body to a server that the pod's
//! variables name.

use std::net::SocketAddr;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::connect::{self, Route, Stream};
use super::dns::Resolver;
use super::endpoint::Endpoint;
use super::tls::TrustRoots;
use crate::host::Pod;
use crate::host::deadline::Budget;

/// Why an answer's body was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseError {
    /// It has more bytes than are read.
    TooLong,
    /// The connection broke off; the library's words.
    ConnectionLost(String),
}

/// An answer's status, and its body as far as that could be read.
pub type HttpResponse = (StatusCode, Result<Bytes, ResponseError>);

/// Sends a request, and reads at most `longest` bytes of the answer's body.
///
/// # Errors
/// The library's words, if there is no answer.
pub async fn send_once(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<HttpResponse, String> {
    let lost = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let (head, body) = sender.send_request(request).await.map_err(lost)?.into_parts();
        let body = Limited::new(body, longest).collect().await;
        let body = body.map(|body| body.to_bytes()).map_err(|error| {
            let too_long = error.downcast_ref::<LengthLimitError>().is_some();
            if too_long { ResponseError::TooLong } else { ResponseError::ConnectionLost(error.to_string()) }
        });
        Ok((head.status, body))
    });
    tokio::select! {
        answer = &mut answer => answer,
        // Whatever came before the end has been handed over.
        _ = &mut connection => answer.await,
    }
}

/// A request without a body, which is sent through no proxy.
pub struct HttpCall<'a> {
    /// The server.
    pub endpoint: &'a Endpoint,
    /// A name server, in place of the pod's.
    pub dns_server: Option<SocketAddr>,
    /// Whom to trust, if it speaks TLS.
    pub trust: &'a TrustRoots,
    /// The method.
    pub method: Method,
    /// The path and query.
    pub path: &'a str,
    /// Headers beside those that every request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The most bytes of the answer's body that are read.
    pub max_body_bytes: usize,
}

impl HttpCall<'_> {
    /// Sends it, by `until` at the latest.
    ///
    /// # Errors
    /// Why there is no answer, in words that follow the server's name.
    pub async fn send(self, pod: &Pod, until: Instant) -> Result<HttpResponse, String> {
        let resolver = Resolver::load(pod, self.dns_server, until).await;
        let route = Route { endpoint: self.endpoint, proxy: None, trust: self.trust, resolver: &resolver };
        let budget = Budget { deadline: until, timeout: until.saturating_duration_since(Instant::now()) };
        let opened = Box::pin(connect::open(pod, &route, budget)).await;
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
        let answer = timeout_at(until, send_once(stream, request, self.max_body_bytes)).await;
        answer.map_err(|_| "it does not answer".to_owned())?
    }
}
