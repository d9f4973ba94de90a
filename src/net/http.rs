//! HTTP/1.1 over an open stream: the one connection type of the project.
//!
//! It also opens a proxy's tunnel, for which the stream goes on as something else than HTTP.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

/// A byte stream to a server, with or without TLS and a proxy's tunnel.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
    /// The connection broke off; hyper's message.
    #[error("{0}")]
    ConnectionLost(String),
}

/// A status, and the body as far as it could be read.
pub(crate) type StatusAndBody = (StatusCode, Result<Bytes, ResponseError>);

/// An open connection that takes one request after the other. Clones share it.
#[derive(Clone)]
pub struct HttpConnection(Arc<Mutex<SendRequest<Full<Bytes>>>>);

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpConnection")
    }
}

impl HttpConnection {
    /// Speaks HTTP/1.1 over a stream.
    ///
    /// # Errors
    /// hyper's message, if not even the first byte can be prepared.
    pub async fn open(stream: Box<dyn Stream>) -> Result<Self, String> {
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // The task ends when the connection does, or when its last clone is dropped.
        tokio::spawn(connection.with_upgrades());
        Ok(Self(Arc::new(Mutex::new(sender))))
    }

    /// Sends a request. The next one has to wait until the response's body is read or dropped.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let mut sender = self.0.lock().await;
        sender.ready().await?;
        sender.send_request(request).await
    }

    /// Sends a CONNECT request. A response of success carries the stream behind the proxy.
    pub(crate) async fn open_tunnel(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Option<Box<dyn Stream>>), hyper::Error> {
        let response = self.0.lock().await.send_request(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Ok((status, None));
        }
        let stream = hyper::upgrade::on(response).await?;
        Ok((status, Some(Box::new(TokioIo::new(stream)))))
    }
}

/// Reads a body of at most `max_bytes`. `describe` words the error if the connection breaks off.
pub(crate) async fn read_body(
    body: Incoming,
    max_bytes: usize,
    describe: impl FnOnce(&(dyn Error + 'static)) -> String,
) -> Result<Bytes, ResponseError> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ResponseError::TooLong(max_bytes)),
        Err(error) => Err(ResponseError::ConnectionLost(describe(&*error))),
    }
}

/// Sends one request over a connection that ends with it, and reads at most `max_body_bytes` of the body.
///
/// # Errors
/// hyper's message, if there is no response.
pub(crate) async fn send_once(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    max_body_bytes: usize,
) -> Result<StatusAndBody, String> {
    let connection = HttpConnection::open(stream).await?;
    let (head, body) = connection.send(request).await.map_err(|error| error.to_string())?.into_parts();
    Ok((head.status, read_body(body, max_body_bytes, |error| error.to_string()).await))
}
