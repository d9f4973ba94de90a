//! `/livez`, `/readyz` and `/metrics`: they read the status, and cause no work.
//!
//! Clients can send anything, slowly or in masses. Each connection has one request, a small buffer and a few
//! seconds. If there are too many, the oldest is closed, so that the kubelet is always served.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::metrics::{CONTENT_TYPE as OPEN_METRICS, Metrics};

/// How long the head of a request can take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 32;
/// The size of a request's buffer: the smallest that hyper accepts.
const BUFFER_BYTES: usize = 8 << 10;
/// The most connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// How long to wait if a connection cannot be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the address. The unspecified IPv6 address includes IPv4, and becomes the unspecified IPv4 address on a
/// system without IPv6.
///
/// # Errors
/// The system's.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = match listen(address) {
        Err(error) if is_without_ipv6(&error) && address.is_ipv6() && address.ip().is_unspecified() => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))?
        }
        other => other?,
    };
    TcpListener::from_std(listener.into())
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restarted sidecar does not wait for the connections of the one before it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn is_without_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, metrics: Metrics) -> Infallible {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // No file descriptor is left, or the client is gone.
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= MAX_CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let metrics = metrics.clone();
        connections.push_back(tokio::spawn(serve_connection(stream, metrics)).abort_handle());
    }
}

async fn serve_connection(stream: TcpStream, metrics: Metrics) {
    let answer =
        service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(&request, &metrics)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    // A client that is slow, gone or wrong is not our fault.
    let _ = timeout(CONNECTION_TIMEOUT, connection).await;
}

fn answer<B>(request: &Request<B>, metrics: &Metrics) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let status = |good: bool| if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match request.uri().path() {
        "/livez" => {
            let alive = metrics.status.snapshot().is_alive(Instant::now());
            reply(status(alive), TEXT, if alive { "alive\n" } else { "a check is overdue\n" })
        }
        "/readyz" => {
            let readiness = metrics.status.readiness();
            reply(status(readiness.ready), TEXT, &format!("{}\n", readiness.reason))
        }
        "/metrics" => match metrics.text() {
            Ok(text) => reply(StatusCode::OK, OPEN_METRICS, &text),
            Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, &format!("{error}\n")),
        },
        _ => reply(StatusCode::NOT_FOUND, TEXT, "there are /livez, /readyz and /metrics\n"),
    }
}

fn reply(status: StatusCode, content_type: &'static str, body: &str) -> Response<Full<Bytes>> {
    use hyper::header::HeaderValue;
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
