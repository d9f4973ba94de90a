//! The two calls to STS, over one connection, without retries and without a credential chain.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, DATE, HOST, HeaderValue, SERVER};
use hyper::{Request, Uri};
use tokio::time::{Instant, timeout_at};

use super::sts_errors::{self, Meaning};
use crate::evidence::Evidence;
use crate::host::Pod;
use crate::text::{Secret, format_utc, redact_secret, sanitize};

/// An error as STS answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code, for instance `AccessDenied`.
    pub code: String,
    /// STS's own words.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// The request's id, to show to AWS.
    pub request_id: Option<String>,
    /// When the answer came, by this container's clock.
    pub at: SystemTime,
    /// STS's clock then, from the `Date` header.
    pub server_time: Option<SystemTime>,
}

impl Refusal {
    /// What STS says with it, if that is known.
    #[must_use]
    pub fn meaning(&self) -> Option<Meaning> {
        sts_errors::meaning(&self.code, &self.message)
    }

    /// The facts of the answer.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("code", &self.code)
            .text("message", &self.message)
            .value("http_status", self.status)
            .text_if("request_id", self.request_id.as_deref())
            .value("answered_at", format_utc(self.at))
    }

    /// The answer in a sentence, for a cause.
    #[must_use]
    pub fn sentence(&self) -> String {
        let message = self.message.trim_end_matches('.');
        if message.is_empty() {
            return format!("STS answered {} without a word", sanitize(&self.code));
        }
        format!("STS answered {} \"{}\"", sanitize(&self.code), sanitize(message))
    }

    /// The words and the status, unless the status is all that there is.
    /// The answer in a sentence, with its HTTP status.
    #[must_use]
    pub fn sentence_with_status(&self) -> String {
        if self.code.starts_with("HTTP ") {
            return self.sentence();
        }
        format!("{} with HTTP status {}", self.sentence(), self.status)
    }
}

/// How long the session is asked for, in seconds: the least that STS gives.
pub const SESSION_SECONDS: i32 = 900;

/// The session policy: whatever the role may do, these credentials may do nothing.
/// GetCallerIdentity needs no permission, and AWS answers it under an explicit deny.
pub const SESSION_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// The most bytes of an answer that are read; STS's own have about two thousand.
const MAX_REPLY_BYTES: usize = 256 << 10;

/// What the head of an answer said.
#[derive(Debug, Clone, Default)]
struct Head {
    server_time: Option<SystemTime>,
    content_type: Option<String>,
    server: Option<String>,
}

/// An open connection that speaks HTTP/1.1, as the SDK's transport.
#[derive(Clone)]
pub struct HttpConnection {
    sender: Arc<tokio::sync::Mutex<SendRequest<Full<Bytes>>>>,
    head: Arc<Mutex<Head>>,
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionLost {
    /// The connection broke off; the library's words.
    Broken(String),
    /// The answer is longer than any of STS's.
    TooLong,
}

impl fmt::Display for ConnectionLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(words) => f.write_str(words),
            Self::TooLong => write!(f, "the answer has more than {MAX_REPLY_BYTES} bytes"),
        }
    }
}

impl std::error::Error for ConnectionLost {}

impl HttpConnection {
    /// Takes a stream into use.
    ///
    /// # Errors
    /// The library's words, if not even the first byte can be prepared.
    pub async fn over<S>(stream: S) -> Result<Self, String>
    where
        S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::handshake(stream).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        Ok(Self { sender: Arc::new(tokio::sync::Mutex::new(sender)), head: Arc::default() })
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let lost = |error: hyper::Error| ConnectorError::io(ConnectionLost::Broken(in_words(&error)).into());
        let other = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(error, None);
        let request = request.try_into_http1x().map_err(|error| other(error.into()))?;
        let (mut parts, body) = request.into_parts();
        if let Some(host) = host(&parts.uri) {
            parts.headers.insert(HOST, host);
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse::<Uri>().map_err(|error| other(error.into()))?;
        let body = Full::new(Bytes::copy_from_slice(body.bytes().unwrap_or_default()));

        let mut sender = self.sender.lock().await;
        sender.ready().await.map_err(lost)?;
        let reply = sender.send_request(Request::from_parts(parts, body)).await.map_err(lost)?;
        let (parts, body) = reply.into_parts();
        let text = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Head {
            server_time: text(DATE).and_then(http_date),
            content_type: text(CONTENT_TYPE).map(str::to_owned),
            server: text(SERVER).map(str::to_owned),
        };
        let body = Limited::new(body, MAX_REPLY_BYTES).collect().await.map_err(|error| {
            let too_long = error.downcast_ref::<LengthLimitError>().is_some();
            let lost =
                if too_long { ConnectionLost::TooLong } else { ConnectionLost::Broken(in_words(&*error)) };
            ConnectorError::io(lost.into())
        })?;
        let reply = hyper::Response::from_parts(parts, SdkBody::from(body.to_bytes()));
        HttpResponse::try_from(reply).map_err(|error| other(error.into()))
    }

    fn take_head(&self) -> Head {
        std::mem::take(&mut *self.head.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for HttpConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

/// The Host header as the SDK signs it: without the port that the scheme implies
/// (`aws_sigv4`, `http_request/canonical_request.rs`).
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let implied = matches!(
        (uri.scheme_str(), authority.port_u16()),
        (Some("https"), Some(443)) | (Some("http"), Some(80))
    );
    HeaderValue::from_str(if implied { authority.host() } else { authority.as_str() }).ok()
}

/// An error and its source, without the link to its manual that the TLS library adds.
fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let words = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    words.split(": https://").next().unwrap_or_default().to_owned()
}

fn http_date(text: &str) -> Option<SystemTime> {
    let date = aws_smithy_types::DateTime::from_str(text, Format::HttpDate).ok()?;
    SystemTime::try_from(date).ok()
}

/// The SDK signs by the pod's clock.
impl TimeSource for Pod {
    fn now(&self) -> SystemTime {
        Pod::now(self)
    }
}

/// STS at the other end of a connection.
#[derive(Debug)]
pub struct Sts {
    pod: Pod,
    link: HttpConnection,
    url: String,
    region: String,
    sent: Vec<Secret>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Reply<T> {
    /// What STS gave, or why it did not.
    pub result: Result<T, CallFault>,
    /// STS's clock when it answered.
    pub server_time: Option<SystemTime>,
    /// The pod's clock when the answer was there.
    pub at: SystemTime,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFault {
    /// STS said no.
    Refused(Refusal),
    /// What answered is not STS.
    NotSts {
        /// The HTTP status.
        status: u16,
        /// The content type.
        content_type: Option<String>,
        /// What the server calls itself.
        server: Option<String>,
        /// The length of the answer in bytes, as far as it was read.
        length: usize,
    },
    /// The connection broke off.
    ConnectionLost(String),
    /// No answer until the deadline.
    TimedOut,
}

/// A request to STS, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// How it ended.
    pub result: ExchangeResult,
    /// How long it took.
    pub took: Duration,
}

/// How a request to STS ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExchangeResult {
    /// STS gave what was asked for.
    Ok,
    /// STS said no.
    Refused,
    /// STS said that there are too many requests.
    Throttled,
    /// There was no answer, or none that STS gives when it is well.
    Failed,
}

impl ExchangeResult {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Refused, Self::Throttled, Self::Failed];

    /// The name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Throttled => "throttled",
            Self::Failed => "failed",
        }
    }
}

impl<T> Reply<T> {
    /// The request as it is counted.
    #[must_use]
    pub fn exchange(&self, took: Duration) -> Exchange {
        let result = match &self.result {
            Ok(_) => ExchangeResult::Ok,
            Err(CallFault::Refused(refusal))
                if refusal.meaning() == Some(Meaning::Throttled) || refusal.status == 429 =>
            {
                ExchangeResult::Throttled
            }
            Err(CallFault::Refused(refusal)) if refusal.status < 500 => ExchangeResult::Refused,
            Err(_) => ExchangeResult::Failed,
        };
        Exchange { result, took }
    }
}

/// The session that STS opened for the role. The credentials in it are never printed.
#[derive(Debug, Clone)]
pub struct Session {
    credentials: Credentials,
    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub assumed_role_arn: Option<String>,
    /// The request's id, to find the call in CloudTrail.
    pub request_id: Option<String>,
}

/// Whom STS takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsCaller {
    /// The caller's ARN.
    pub arn: String,
    /// The caller's account.
    pub account: String,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Sts {
    /// STS at this URL, signed for this region.
    #[must_use]
    pub fn new(pod: &Pod, link: HttpConnection, url: String, region: String) -> Self {
        Self { pod: pod.clone(), link, url, region, sent: Vec::new() }
    }

    /// The same over another connection.
    #[must_use]
    pub fn over_connection(&self, link: HttpConnection) -> Self {
        Self {
            pod: self.pod.clone(),
            link,
            url: self.url.clone(),
            region: self.region.clone(),
            sent: self.sent.clone(),
        }
    }

    fn client(&self, credentials: Option<Credentials>) -> aws_sdk_sts::Client {
        let link = SharedHttpConnector::new(self.link.clone());
        let http: SharedHttpClient = http_client_fn(move |_, _| link.clone());
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .endpoint_url(self.url.clone())
            .region(Region::new(self.region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(SharedTimeSource::new(self.pod.clone()));
        config.set_credentials_provider(credentials.map(SharedCredentialsProvider::new));
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// Trades the token for credentials of the role that may do nothing.
    pub async fn assume_role(
        &mut self,
        role_arn: &str,
        token: &Secret,
        session_name: &str,
        until: Instant,
    ) -> Reply<Session> {
        self.sent.extend(token.expose().split('.').map(|part| Secret::new(part.to_owned())));
        let call = self
            .client(None)
            .assume_role_with_web_identity()
            .role_arn(role_arn)
            .role_session_name(session_name)
            .web_identity_token(token.expose())
            .policy(SESSION_POLICY)
            .duration_seconds(SESSION_SECONDS)
            .send();
        let reply = self.reply(until, call, |output| {
            let given = output.credentials()?;
            let expires_at = SystemTime::try_from(*given.expiration()).ok();
            let credentials = Credentials::new(
                given.access_key_id(),
                given.secret_access_key(),
                Some(given.session_token().to_owned()),
                expires_at,
                "irsa-probe",
            );
            let request_id = aws_sdk_sts::operation::RequestId::request_id(&output);
            Some(Session {
                credentials,
                assumed_role_arn: output.assumed_role_user().map(|user| self.clean(user.arn())),
                request_id: request_id.map(|id| self.clean(id)),
            })
        });
        let reply = reply.await;
        if let Ok(session) = &reply.result {
            let given = &session.credentials;
            let given = [Some(given.access_key_id()), Some(given.secret_access_key()), given.session_token()];
            self.sent.extend(given.into_iter().flatten().map(|secret| Secret::new(secret.to_owned())));
        }
        reply
    }

    /// Asks STS whose credentials these are.
    pub async fn caller_identity(&self, session: &Session, until: Instant) -> Reply<StsCaller> {
        let call = self.client(Some(session.credentials.clone())).get_caller_identity().send();
        self.reply(until, call, |output| {
            let request_id = aws_sdk_sts::operation::RequestId::request_id(&output);
            Some(StsCaller {
                arn: self.clean(output.arn()?),
                account: self.clean(output.account()?),
                request_id: request_id.map(|id| self.clean(id)),
            })
        })
        .await
    }

    /// A text of an answer without what was sent, or given, in secret, should the server echo it.
    fn clean(&self, text: &str) -> String {
        self.sent.iter().fold(text.to_owned(), |text, secret| redact_secret(&text, secret))
    }

    async fn reply<O, E, T>(
        &self,
        until: Instant,
        call: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        read: impl FnOnce(O) -> Option<T>,
    ) -> Reply<T>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let outcome = timeout_at(until, Box::pin(call)).await;
        let at = self.pod.now();
        let head = self.link.take_head();
        let not_sts = |status, length| CallFault::NotSts {
            status,
            content_type: head.content_type.as_deref().map(|kind| self.clean(kind)),
            server: head.server.as_deref().map(|name| self.clean(name)),
            length,
        };
        let result = match outcome {
            Err(_) => Err(CallFault::TimedOut),
            Ok(Ok(output)) => read(output).ok_or_else(|| not_sts(200, 0)),
            Ok(Err(error)) => Err(match error.raw_response() {
                Some(raw) => {
                    let (status, length) = (raw.status().as_u16(), raw.body().bytes().map_or(0, <[u8]>::len));
                    let request_id = raw.headers().get("x-amzn-requestid").map(|id| self.clean(id));
                    match error.code().map(str::to_owned).or_else(|| code_of_status(status)) {
                        Some(code) => CallFault::Refused(Refusal {
                            code: self.clean(&code),
                            message: self.clean(error.message().unwrap_or_default()),
                            status,
                            request_id,
                            at,
                            server_time: head.server_time,
                        }),
                        None => not_sts(status, length),
                    }
                }
                None => match lost(&error) {
                    Some(ConnectionLost::TooLong) => not_sts(200, MAX_REPLY_BYTES),
                    Some(ConnectionLost::Broken(words)) => CallFault::ConnectionLost(words.clone()),
                    None => CallFault::ConnectionLost(error.to_string()),
                },
            }),
        };
        Reply { result, server_time: head.server_time, at }
    }
}

/// What stands for the code where AWS gave none, and the status says enough by itself.
fn code_of_status(status: u16) -> Option<String> {
    matches!(status, 429 | 500..=599).then(|| format!("HTTP {status}"))
}

/// The reason for which the transport gave up, somewhere in the chain of errors.
fn lost<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Option<&ConnectionLost> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(lost) = source.downcast_ref() {
            return Some(lost);
        }
        next = source.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise STS rejects the signature of a healthy role's call.
    #[test]
    fn the_host_is_what_the_sdk_signs() {
        for (url, expected) in [
            ("https://sts.eu-west-1.amazonaws.com/", "sts.eu-west-1.amazonaws.com"),
            ("https://sts.eu-west-1.amazonaws.com:443/", "sts.eu-west-1.amazonaws.com"),
            ("https://sts.example:8443/", "sts.example:8443"),
            ("https://sts.example:80/", "sts.example:80"),
            ("http://sts.example:80/", "sts.example"),
            ("http://127.0.0.1:443/", "127.0.0.1:443"),
            ("https://[fd00::1]:443/", "[fd00::1]"),
        ] {
            assert_eq!(host(&url.parse().unwrap()).unwrap(), expected, "{url}");
        }
    }
}
