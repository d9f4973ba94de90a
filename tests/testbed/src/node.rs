//! What a node serves to its pods without TLS, on loopback: IMDS, and the agent of EKS Pod Identity.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::scenario::{HttpTokens, Node as Form};
use crate::task::{Task, Tasks};

/// The token that IMDS gives.
const IMDS_TOKEN: &str = "AQAEAEXAMPLEoftheinstancemetadatasession==";
const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// Where the agent gives credentials.
pub const CREDENTIALS: &str = "/v1/credentials";
/// The secret access key in all credentials that a node gives.
pub const SECRET_KEY: &str = "nodeSecretKeyEXAMPLEKEYthatnobodymayprint";

/// A running node; it ends when dropped.
pub struct Node {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _server: Task,
}

impl Node {
    /// Starts it.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(listen: IpAddr, form: Form) -> io::Result<Self> {
        let listener = TcpListener::bind((listen, 0)).await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = Task::spawn(serve(listener, form, Arc::clone(&requests)));
        Ok(Self { address, requests, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, as method and path.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, form: Form, requests: Arc<Mutex<Vec<String>>>) {
    let mut connections = Tasks::default();
    while let Ok((stream, _)) = listener.accept().await {
        let (form, requests) = (form.clone(), Arc::clone(&requests));
        // A client that goes away ends its connection with an error, and that concerns nobody here.
        connections.spawn(async move {
            connection(stream, form, requests).await.ok();
        });
    }
}

async fn connection(stream: TcpStream, form: Form, requests: Arc<Mutex<Vec<String>>>) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let line = format!("{} {}", request.method(), request.uri().path());
        requests.lock().unwrap().push(line);
        let answer = answer(&request, &form);
        async move {
            let Some((status, body)) = answer else { return std::future::pending().await };
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status;
            Ok::<_, io::Error>(response)
        }
    });
    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
}

/// What it answers; `None` if that does not get to the pod.
fn answer(request: &Request<Incoming>, form: &Form) -> Option<(StatusCode, String)> {
    let is_token = request.method() == Method::PUT && request.uri().path() == TOKEN;
    (!is_token || form.hop_limit > 1).then(|| sent(request, form))
}

fn sent(request: &Request<Incoming>, form: &Form) -> (StatusCode, String) {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let path = request.uri().path();
    if request.method() == Method::PUT && path == TOKEN {
        return match header("x-aws-ec2-metadata-token-ttl-seconds") {
            Some(_) => (StatusCode::OK, IMDS_TOKEN.to_owned()),
            None => (StatusCode::BAD_REQUEST, String::new()),
        };
    }
    if path == CREDENTIALS {
        return match header("authorization") {
            Some(_) => (StatusCode::OK, credentials()),
            None => (StatusCode::UNAUTHORIZED, String::new()),
        };
    }
    match (header("x-aws-ec2-metadata-token"), form.http_tokens) {
        (Some(IMDS_TOKEN), _) | (None, HttpTokens::Optional) => {}
        _ => return (StatusCode::UNAUTHORIZED, String::new()),
    }
    match (path.strip_prefix(ROLES), form.role.as_deref()) {
        (Some(""), Some(role)) => (StatusCode::OK, role.to_owned()),
        (Some(name), Some(role)) if name == role => (StatusCode::OK, credentials()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}

fn credentials() -> String {
    serde_json::json!({
        "AccessKeyId": "ASIANODEEXAMPLE",
        "SecretAccessKey": SECRET_KEY,
        "Token": "session",
        "Expiration": "2030-01-01T00:00:00Z",
    })
    .to_string()
}
