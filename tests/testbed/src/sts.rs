//! An STS on loopback: HTTP over TLS in front of [`crate::iam`], a script of other answers, and a
//! record of all that was asked. It is IAM's own API, too ([`crate::iam_api`]): that is on another host
//! at AWS, and here told apart by the version in a request's form. With documents it is the web server
//! of an issuer, which has the same ways to go wrong.

mod content;
mod script;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::clock::{self, Clock};
use crate::faults::{self, BlackHole, RefusedPort};
use crate::form;
use crate::iam::{Iam, Refusal, Session};
use crate::iam_api::{self, Account};
use crate::link::{self, Link};
use crate::random;
use crate::sigv4::Signable;
use crate::task::{Task, Tasks};
use crate::xml;
use content::Content;
use script::Script;

/// The content type of STS.
const XML: &str = "text/xml";
/// The content type of an issuer's documents.
const JSON: &str = "application/json";
const HUGE: usize = 64 * 1024 * 1024;
const HALF: &str = "<AssumeRoleWithWebIdentityResponse \
    xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <AssumeRoleWithWebIdentityRe";
const CAPTIVE_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>\
    <body><h1>Welcome</h1><form action=\"/login\" method=\"post\"></form></body></html>\n";

/// What happens to a connection, before any request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// TLS, or plain HTTP if the server has no certificate.
    #[default]
    Serve,
    /// They are served, each for one request, as simple servers and some proxies do it.
    ServeOnce,
    /// Nothing listens.
    Refused,
    /// The connect neither succeeds nor fails.
    BlackHole,
    /// Accepted, and then not a word.
    Hang,
    /// Reset at the first byte.
    Reset,
    /// Plain HTTP, although the client speaks TLS.
    PlainHttp,
    /// Answered with bytes that are no protocol.
    Garbage,
}

/// How a request can go wrong below HTTP, or with a body that is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// No answer ever.
    Hang,
    /// A TCP reset.
    Reset,
    /// The connection ends in the middle of the body.
    Half,
    /// The connection ends before the answer.
    Close,
    /// 200 and the page of a captive portal.
    Html,
    /// A body of 64 MiB.
    Huge,
}

/// One answer of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// What IAM says.
    #[default]
    Verify,
    /// This error, in STS's XML.
    Error(Refusal),
    /// Exactly this.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The headers; `Content-Type` and `Date` are added unless they are among them.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// No proper answer.
    Fault(Fault),
}

/// An answer and how long it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The answer.
    pub answer: Answer,
    /// The time until it comes.
    pub delay: Duration,
}

impl From<Answer> for Step {
    fn from(answer: Answer) -> Self {
        Self { answer, delay: Duration::ZERO }
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The form's `Action`, or nothing.
    pub action: String,
    /// The form, in order.
    pub form: Vec<(String, String)>,
    /// Method and target, as in the request line.
    pub target: String,
    /// The headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// When it had arrived.
    pub time: SystemTime,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
}

impl Recorded {
    fn new(head: &Parts, body: &[u8], connection: u64) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let query = head.uri.query().unwrap_or_default();
        let headers = head.headers.iter();
        let mut recorded = Self {
            action: String::new(),
            form: form::parse(&format!("{query}&{}", text(body))),
            target: format!("{} {}", head.method, head.uri),
            headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            time: SystemTime::now(),
            connection,
        };
        recorded.action = recorded.field("Action").unwrap_or_default().to_owned();
        recorded
    }

    /// A field of the form.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// What an STS is to be like.
#[derive(Debug)]
pub struct Config {
    /// TLS, or plain HTTP without it.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What happens to connections.
    pub accept: Accept,
    /// What IAM knows.
    pub iam: Iam,
    /// The server's clock.
    pub clock: Clock,
    /// Answers to AssumeRoleWithWebIdentity, in order; the last one repeats.
    pub assume: Vec<Step>,
    /// Answers to GetCallerIdentity, in order; the last one repeats.
    pub identity: Vec<Step>,
    /// What IAM's own API tells.
    pub account: Account,
    /// Answers to IAM's calls, by their names, in order; the last one repeats.
    pub told: BTreeMap<String, Vec<Step>>,
    /// What is served to a GET.
    pub documents: Vec<Document>,
    /// How far away the server is.
    pub round_trip: Duration,
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tls: None,
            accept: Accept::Serve,
            iam: Iam::default(),
            clock: Clock::default(),
            assume: Vec::new(),
            identity: Vec::new(),
            account: Account::default(),
            told: BTreeMap::new(),
            documents: Vec::new(),
            round_trip: Duration::ZERO,
            listen: (IpAddr::from(Ipv4Addr::LOCALHOST), 0).into(),
        }
    }
}

/// What is served to a GET of a path.
#[derive(Clone, Debug)]
pub struct Document {
    /// The path.
    pub path: String,
    /// The document, in JSON: what [`Answer::Verify`] is here.
    pub body: String,
    /// Answers in its place, in order; the last one repeats.
    pub steps: Vec<Step>,
}

/// A running STS; it ends when dropped.
pub struct Sts {
    address: SocketAddr,
    state: Arc<State>,
    behind: Behind,
}

/// What keeps the address as it is.
enum Behind {
    Refused { _port: RefusedPort },
    BlackHole { _hole: BlackHole },
    Server { _server: Task, _link: Option<Link> },
}

struct State {
    accept: Mutex<Accept>,
    iam: Mutex<Iam>,
    clock: Clock,
    assume: Script,
    identity: Script,
    account: Mutex<Account>,
    told: BTreeMap<String, Script>,
    documents: Mutex<BTreeMap<String, (String, Script)>>,
    requests: Mutex<Vec<Recorded>>,
    connections: AtomicU64,
    handshakes: AtomicU64,
}

impl Sts {
    /// Starts it.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(config: Config) -> io::Result<Self> {
        let state = Arc::new(State {
            accept: Mutex::new(config.accept),
            iam: Mutex::new(config.iam),
            clock: config.clock,
            assume: Script::new(config.assume),
            identity: Script::new(config.identity),
            account: Mutex::new(config.account),
            told: config.told.into_iter().map(|(call, steps)| (call, Script::new(steps))).collect(),
            documents: Mutex::new(by_path(config.documents)),
            requests: Mutex::default(),
            connections: AtomicU64::new(0),
            handshakes: AtomicU64::new(0),
        });
        let (address, behind) = match config.accept {
            Accept::Refused => {
                let port = faults::refused_port()?;
                (port.address(), Behind::Refused { _port: port })
            }
            Accept::BlackHole => {
                let hole = faults::black_hole().await?;
                (hole.address(), Behind::BlackHole { _hole: hole })
            }
            _ => {
                let outer = TcpListener::bind(config.listen).await?;
                let address = outer.local_addr()?;
                let (listener, link) = if config.round_trip.is_zero() {
                    (outer, None)
                } else {
                    let inner = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                    let link = Link::start_on(outer, inner.local_addr()?, config.round_trip)?;
                    (inner, Some(link))
                };
                let tls = config.tls.map(TlsAcceptor::from);
                let server = Task::spawn(serve(listener, tls, Arc::clone(&state)));
                (address, Behind::Server { _server: server, _link: link })
            }
        };
        Ok(Self { address, state, behind })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The sessions that were given out so far.
    #[must_use]
    pub fn issued(&self) -> Vec<Session> {
        self.state.iam.lock().unwrap().issued().to_vec()
    }

    /// Changes what IAM knows: who asks next is judged by it.
    pub fn edit<T>(&self, edit: impl FnOnce(&mut Iam) -> T) -> T {
        edit(&mut self.state.iam.lock().unwrap())
    }

    /// Changes what IAM's own API tells.
    pub fn edit_account<T>(&self, edit: impl FnOnce(&mut Account) -> T) -> T {
        edit(&mut self.state.account.lock().unwrap())
    }

    /// From now on these are served.
    pub fn publish(&self, documents: Vec<Document>) {
        *self.state.documents.lock().unwrap() = by_path(documents);
    }

    /// From now on this is the answer to every AssumeRoleWithWebIdentity; without one, it is what IAM
    /// says.
    pub fn answer(&self, step: Option<Step>) {
        self.script(step.into_iter().collect());
    }

    /// From now on these are the answers to AssumeRoleWithWebIdentity, in order, the last one repeated;
    /// without any, it is what IAM says.
    pub fn script(&self, steps: Vec<Step>) {
        self.state.assume.replace(steps);
    }

    /// From now on this happens to connections. On those that are open already, the next request is
    /// left without an answer by [`Accept::Hang`], reset by [`Accept::Reset`], and else served.
    ///
    /// # Panics
    /// With [`Accept::Refused`] and [`Accept::BlackHole`], and on an STS that was started with one of
    /// them: these are made at the start.
    pub fn accept(&self, accept: Accept) {
        let served = matches!(self.behind, Behind::Server { .. });
        assert!(
            served && !matches!(accept, Accept::Refused | Accept::BlackHole),
            "an STS that listens cannot become one that does not, or the other way round"
        );
        *self.state.accept.lock().unwrap() = accept;
    }

    /// How many TCP connections were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// How many TLS handshakes were completed.
    #[must_use]
    pub fn handshakes(&self) -> u64 {
        self.state.handshakes.load(Ordering::Relaxed)
    }
}

fn by_path(documents: Vec<Document>) -> BTreeMap<String, (String, Script)> {
    let entry = |document: Document| (document.path, (document.body, Script::new(document.steps)));
    documents.into_iter().map(entry).collect()
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = Tasks::default();
    while let Ok((stream, _)) = listener.accept().await {
        let number = state.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        let accept = *state.accept.lock().unwrap();
        // A client that goes away ends its connection with an error, and that concerns nobody here.
        connections.spawn(async move {
            connection(stream, number, accept, tls, state).await.ok();
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    number: u64,
    accept: Accept,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // A second handle on the socket: the HTTP server owns the first when a request asks for a reset.
    let socket = Arc::new(stream.as_fd().try_clone_to_owned()?);
    match (accept, tls) {
        (Accept::Hang, _) => std::future::pending().await,
        (Accept::Reset, _) => {
            stream.readable().await?;
            drop(socket);
            link::reset(stream);
        }
        (Accept::Garbage, _) => {
            stream.readable().await?;
            stream.write_all(b"\x00\xff\x13garbage\x7f\x00\xfe\r\n\r\n\x80\x81").await?;
            stream.shutdown().await?;
            // Closing with bytes unread would send a reset, and the garbage might be lost.
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
        }
        (Accept::PlainHttp, _) | (_, None) => http(stream, socket, number, accept, state).await,
        (_, Some(tls)) => {
            let stream = tls.accept(stream).await?;
            state.handshakes.fetch_add(1, Ordering::Relaxed);
            http(stream, socket, number, accept, state).await;
        }
    }
    Ok(())
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    socket: Arc<OwnedFd>,
    number: u64,
    accept: Accept,
    state: Arc<State>,
) {
    let service = service_fn(|request| answer(request, Arc::clone(&socket), number, Arc::clone(&state)));
    // Its errors are the faults that were asked for, or clients that went away.
    let mut server = hyper::server::conn::http1::Builder::new();
    server.keep_alive(accept != Accept::ServeOnce);
    server.serve_connection(TokioIo::new(stream), service).await.ok();
}

/// Records a request and answers it by the script.
async fn answer(
    request: Request<Incoming>,
    socket: Arc<OwnedFd>,
    connection: u64,
    state: Arc<State>,
) -> io::Result<Response<Content>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    // Looked up in a statement of its own, so that no lock is held while the request hangs.
    let accept = *state.accept.lock().unwrap();
    match accept {
        // What a network swallows never arrived.
        Accept::Hang => std::future::pending().await,
        Accept::Reset => return reset(&socket),
        _ => {}
    }
    let recorded = Recorded::new(&head, &body, connection);
    state.requests.lock().unwrap().push(recorded.clone());

    let is_iam = recorded.field("Version") == Some(iam_api::VERSION);
    let document = {
        let documents = state.documents.lock().unwrap();
        let found = documents.get(head.uri.path()).filter(|_| head.method == Method::GET);
        found.map(|(body, script)| (body.clone(), script.next()))
    };
    let (document, of_document) = document.unzip();
    let step = match recorded.action.as_str() {
        "" if of_document.is_some() => of_document.unwrap_or_default(),
        call if is_iam => state.told.get(call).map(Script::next).unwrap_or_default(),
        "AssumeRoleWithWebIdentity" => state.assume.next(),
        "GetCallerIdentity" => state.identity.next(),
        other => {
            let message = format!("Could not find operation {other} for version 2011-06-15");
            Answer::Error(Refusal::new(400, "InvalidAction", message)).into()
        }
    };
    if !step.delay.is_zero() {
        tokio::time::sleep(step.delay).await;
    }
    let now = state.clock.now();
    let request_id = random::uuid();
    let by_sts = |status, xml: String| {
        let headers = [("x-amzn-RequestId".to_owned(), request_id.clone())];
        reply(status, XML, &headers, Content::whole(xml), now)
    };
    let error = if is_iam { iam_api::refusal } else { xml::error };
    let refuse = |refusal: Refusal| by_sts(refusal.status, error(&refusal, &request_id));
    match (step.answer, document) {
        (Answer::Verify, Some(document)) => reply(200, JSON, &[], Content::whole(document), now),
        (Answer::Verify, None) => {
            let mut iam = state.iam.lock().unwrap();
            let account = state.account.lock().unwrap();
            match judge(&mut iam, &account, &head, &recorded, &body, &request_id, now) {
                Ok(xml) => by_sts(200, xml),
                Err(refusal) => refuse(refusal),
            }
        }
        (Answer::Error(refusal), _) => refuse(refusal),
        (Answer::Reply { status, headers, body }, _) => {
            reply(status, XML, &headers, Content::whole(body), now)
        }
        (Answer::Fault(Fault::Hang), _) => std::future::pending().await,
        (Answer::Fault(Fault::Reset), _) => reset(&socket),
        (Answer::Fault(Fault::Close), _) => Err(io::ErrorKind::ConnectionAborted.into()),
        (Answer::Fault(Fault::Html), _) => {
            reply(200, "text/html; charset=utf-8", &[], Content::whole(CAPTIVE_PAGE), now)
        }
        (Answer::Fault(Fault::Huge), _) => reply(200, XML, &[], Content::Repeated { left: HUGE }, now),
        (Answer::Fault(Fault::Half), _) => {
            let length = [("Content-Length".to_owned(), (HALF.len() + 1000).to_string())];
            reply(200, XML, &length, Content::broken(HALF), now)
        }
    }
}

/// Ends the connection of a request by a TCP reset.
fn reset<T>(socket: &OwnedFd) -> io::Result<T> {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// What IAM says to a request, in XML.
fn judge(
    iam: &mut Iam,
    account: &Account,
    head: &Parts,
    recorded: &Recorded,
    body: &[u8],
    request_id: &str,
    now: OffsetDateTime,
) -> Result<String, Refusal> {
    let signable = Signable {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &recorded.headers,
        body,
    };
    if recorded.field("Version") == Some(iam_api::VERSION) {
        let caller = iam.identify(&signable, "iam", now)?;
        return account.answer(recorded, &caller.arn, request_id);
    }
    if recorded.action == "GetCallerIdentity" {
        return iam.identify(&signable, "sts", now).map(|session| xml::identity(&session, request_id));
    }
    iam.assume(&recorded.form, now).map(|session| xml::assumed(&session, request_id))
}

/// A reply whose own headers go before the usual ones.
fn reply(
    status: u16,
    content_type: &str,
    headers: &[(String, String)],
    content: Content,
    now: OffsetDateTime,
) -> io::Result<Response<Content>> {
    let usual = [("Content-Type", content_type), ("Date", &clock::http_date(now))];
    let missing =
        usual.into_iter().filter(|(name, _)| !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
    let own = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    own.chain(missing)
        .fold(Response::builder().status(status), |response, (name, value)| response.header(name, value))
        .body(content)
        .map_err(io::Error::other)
}
