//! A Kubernetes API server on loopback for one pod: its service account, its status and its events,
//! in recorded words, and what can be switched while it runs.

mod event;
mod failure;
mod objects;
mod request;
mod state;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::clock::{self, Clock};
use crate::random;
use crate::task::{Task, Tasks};
use state::State;

pub use objects::ServiceAccount;
pub use request::{Recorded, Right};

/// How requests are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As Kubernetes does.
    #[default]
    Serve,
    /// Not at all.
    Hang,
    /// With 401, whatever the token.
    Unauthorized,
    /// With this HTTP status of a failure, whatever was asked.
    Status(u16),
}

/// What an API server is to be like.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its certificate.
    pub tls: Arc<rustls::ServerConfig>,
    /// Where it listens, at a free port.
    pub listen: IpAddr,
    /// How requests are answered.
    pub mode: Mode,
    /// The token of the pod.
    pub token: String,
    /// What the pod's service account may not do.
    pub denied: Vec<Right>,
    /// The pod's service account, if there is one.
    pub service_account: Option<ServiceAccount>,
    /// The server's clock.
    pub clock: Clock,
}

impl Config {
    /// A healthy server on loopback with this certificate, which takes this token.
    #[must_use]
    pub fn new(tls: Arc<rustls::ServerConfig>, token: &str) -> Self {
        Self {
            tls,
            listen: Ipv4Addr::LOCALHOST.into(),
            mode: Mode::Serve,
            token: token.to_owned(),
            denied: Vec::new(),
            service_account: Some(ServiceAccount::default()),
            clock: Clock::default(),
        }
    }
}

/// A running API server; it ends when dropped.
pub struct Kubernetes {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: Task,
}

struct Shared {
    clock: Clock,
    requests: Mutex<Vec<Recorded>>,
    state: Mutex<State>,
}

impl Kubernetes {
    /// Starts it.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind((config.listen, 0)).await?;
        let address = listener.local_addr()?;
        let tls = TlsAcceptor::from(Arc::clone(&config.tls));
        let shared = Arc::new(Shared {
            clock: config.clock.clone(),
            requests: Mutex::default(),
            state: Mutex::new(State::new(config)),
        });
        let server = Task::spawn(serve(listener, tls, Arc::clone(&shared)));
        Ok(Self { address, shared, _server: server })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The pod as it is now.
    #[must_use]
    pub fn pod(&self) -> Value {
        self.state().pod.clone()
    }

    /// The conditions of the pod.
    #[must_use]
    pub fn conditions(&self) -> Vec<Value> {
        self.state().pod["status"]["conditions"].as_array().cloned().unwrap_or_default()
    }

    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, condition_type: &str) -> Option<Value> {
        self.conditions().into_iter().find(|condition| condition["type"] == condition_type)
    }

    /// The events that were created, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.state().events.clone()
    }

    /// From now on the pod's service account has this right.
    pub fn allow(&self, right: Right) {
        self.state().denied.retain(|denied| *denied != right);
    }

    /// From now on the pod's service account does not have this right.
    pub fn deny(&self, right: Right) {
        self.state().denied.push(right);
    }

    /// From now on these are the rights that the pod's service account does not have.
    pub fn set_denied(&self, denied: Vec<Right>) {
        self.state().denied = denied;
    }

    /// From now on requests are answered in this way.
    pub fn set_mode(&self, mode: Mode) {
        self.state().mode = mode;
    }

    /// The next patch that would change something finds that somebody else was faster, or the next
    /// creation that there is one of that name already: whichever comes first is answered with a 409,
    /// and not done.
    pub fn conflict_once(&self) {
        self.state().conflict = true;
    }

    /// From now on this is the pod's service account; there is none without one.
    pub fn set_service_account(&self, account: Option<&ServiceAccount>) {
        self.state().set_service_account(account);
    }

    /// From now on this is the token of the pod, and none other is taken.
    pub fn set_token(&self, token: &str) {
        token.clone_into(&mut self.state().token);
    }

    /// Changes the pod as somebody else would: its resource version goes up.
    pub fn edit_pod(&self, edit: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        edit(&mut state.pod);
        state.touch_pod();
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut connections = Tasks::default();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        // A client that goes away ends its connection with an error, and that concerns nobody here.
        connections.spawn(async move {
            connection(stream, tls, shared).await.ok();
        });
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let service = service_fn(|request| answer(request, Arc::clone(&shared)));
    let server = hyper::server::conn::http1::Builder::new();
    server.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

/// Records a request and answers it.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let recorded = Recorded::new(&head, &body);
    shared.requests.lock().unwrap().push(recorded.clone());
    let now = shared.clock.now();
    // Not in the match itself, so that no lock is held while the request hangs.
    let judgement = shared.state.lock().unwrap().judge(&recorded, now);
    let Some((status, json)) = judgement else {
        return std::future::pending().await;
    };
    let mut response = Response::builder()
        .status(status)
        .header("audit-id", random::uuid())
        .header("cache-control", "no-cache, private")
        .header("content-type", "application/json")
        .header("date", clock::http_date(now));
    if status == 403 {
        response = response.header("x-content-type-options", "nosniff");
    }
    if status == 429 {
        response = response.header("retry-after", "1");
    }
    response.body(Full::from(json.to_string())).map_err(io::Error::other)
}
