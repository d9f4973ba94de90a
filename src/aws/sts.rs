//! The two calls to STS, over one connection, without retries and without a credential chain.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, timeout_at};

use super::keys::KeyFault;
use super::sts_errors::{self, Meaning};
use super::transport::{SmithyConnection, find_source};
use crate::evidence::Evidence;
use crate::host::Pod;
use crate::net::http::{HttpConnection, ResponseError};
use crate::text::{Secret, format_utc, redact_secret, sanitize};

/// An error as STS answered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code, for instance `AccessDenied`.
    pub code: String,
    pub message: String,
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
    pub(crate) fn meaning(&self) -> Option<Meaning> {
        sts_errors::meaning(&self.code, &self.message)
    }

    /// The facts of the answer.
    pub(crate) fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("code", &self.code)
            .text("message", &self.message)
            .value("http_status", self.status)
            .text_if("request_id", self.request_id.as_deref())
            .value("answered_at", format_utc(self.at))
    }

    /// The answer in a sentence, for a cause.
    pub(crate) fn sentence(&self) -> String {
        let message = self.message.trim_end_matches('.');
        if message.is_empty() {
            return format!("STS answered {} without a word", sanitize(&self.code));
        }
        format!("STS answered {} \"{}\"", sanitize(&self.code), sanitize(message))
    }

    /// The answer in a sentence, with its HTTP status unless the status is all that there is.
    pub(crate) fn sentence_with_status(&self) -> String {
        if self.code.starts_with("HTTP ") {
            return self.sentence();
        }
        format!("{} with HTTP status {}", self.sentence(), self.status)
    }
}

/// How long the session is asked for, in seconds: the least that STS gives.
pub(crate) const SESSION_SECONDS: i32 = 900;

/// The session policy: whatever the role may do, these credentials may do nothing.
/// GetCallerIdentity needs no permission, and AWS answers it under an explicit deny.
pub(crate) const SESSION_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

/// STS at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Sts {
    pod: Pod,
    connection: SmithyConnection,
    url: String,
    region: String,
    /// What was sent, or given, in secret.
    secrets: Vec<Secret>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Reply<T> {
    /// What STS gave, or why it did not.
    pub result: Result<T, CallFault>,
    /// STS's clock when it answered.
    pub(crate) server_time: Option<SystemTime>,
    /// The pod's clock when the answer was there.
    pub(crate) at: SystemTime,
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFault {
    Refused(Refusal),
    NotSts {
        status: u16,
        content_type: Option<String>,
        server: Option<String>,
        /// The length of the answer in bytes, as far as it was read.
        length: usize,
    },
    ConnectionLost(String),
    /// No answer until the deadline.
    TimedOut,
}

/// A request to STS, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) result: ExchangeResult,
    pub(crate) took: Duration,
}

/// How a request to STS ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExchangeResult {
    /// STS gave what was asked for.
    Ok,
    Refused,
    /// STS said that there are too many requests.
    Throttled,
    /// There was no answer, or none that STS gives when it is well.
    Failed,
}

impl ExchangeResult {
    pub const ALL: [Self; 4] = [Self::Ok, Self::Refused, Self::Throttled, Self::Failed];

    /// The name in metrics.
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
    pub(crate) fn exchange(&self, took: Duration) -> Exchange {
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
    pub(crate) assumed_role_arn: Option<String>,
    /// The request's id, to find the call in CloudTrail.
    pub(crate) request_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsCaller {
    pub arn: String,
    pub account: String,
    pub(crate) request_id: Option<String>,
}

impl Sts {
    /// STS at this URL, signed for this region.
    pub fn new(pod: &Pod, connection: HttpConnection, url: String, region: String) -> Self {
        Self {
            pod: pod.clone(),
            connection: SmithyConnection::new(connection),
            url,
            region,
            secrets: Vec::new(),
        }
    }

    pub(crate) fn over_connection(&self, connection: HttpConnection) -> Self {
        Self { connection: SmithyConnection::new(connection), ..self.clone() }
    }

    fn client(&self, credentials: Option<Credentials>) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.connection.http_client())
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
        self.secrets.push(token.clone());
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
            let keys = [given.access_key_id(), given.secret_access_key(), given.session_token()];
            if keys.into_iter().any(|key| KeyFault::of(key).is_some()) {
                return None;
            }
            let expires_at = SystemTime::try_from(*given.expiration()).ok();
            let credentials = Credentials::new(
                given.access_key_id(),
                given.secret_access_key(),
                Some(given.session_token().to_owned()),
                expires_at,
                "irsa-probe",
            );
            let given = keys.map(|key| Secret::new(key.to_owned()));
            let clean =
                |text: &str| given.iter().fold(self.clean(text), |text, key| redact_secret(&text, key));
            let request_id = aws_sdk_sts::operation::RequestId::request_id(&output);
            Some(Session {
                credentials,
                assumed_role_arn: output
                    .assumed_role_user()
                    .map(|user| clean(user.arn()))
                    .filter(|text| is_arn(text)),
                request_id: request_id.map(clean).filter(|text| is_request_id(text)),
            })
        });
        let reply = reply.await;
        if let Ok(session) = &reply.result {
            let given = &session.credentials;
            let given = [Some(given.access_key_id()), Some(given.secret_access_key()), given.session_token()];
            self.secrets.extend(given.into_iter().flatten().map(|secret| Secret::new(secret.to_owned())));
        }
        reply
    }

    /// Asks STS whose credentials these are.
    pub(crate) async fn caller_identity(&self, session: &Session, until: Instant) -> Reply<StsCaller> {
        let call = self.client(Some(session.credentials.clone())).get_caller_identity().send();
        self.reply(until, call, |output| {
            let request_id = aws_sdk_sts::operation::RequestId::request_id(&output);
            Some(StsCaller {
                arn: Some(self.clean(output.arn()?)).filter(|text| is_arn(text))?,
                account: Some(self.clean(output.account()?)).filter(|text| is_account(text))?,
                request_id: request_id.map(|id| self.clean(id)).filter(|text| is_request_id(text)),
            })
        })
        .await
    }

    /// A text of an answer without the secrets, should the server echo them.
    fn clean(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| redact_secret(&text, secret))
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
        let head = self.connection.take_head();
        let not_sts = |status, length| CallFault::NotSts {
            status,
            content_type: head
                .content_type
                .as_deref()
                .map(|kind| self.clean(kind))
                .filter(|text| is_of_header(text)),
            server: head.server.as_deref().map(|name| self.clean(name)).filter(|text| is_of_header(text)),
            length,
        };
        let result = match outcome {
            Err(_) => Err(CallFault::TimedOut),
            Ok(Ok(output)) => read(output).ok_or_else(|| not_sts(200, 0)),
            Ok(Err(error)) => Err(match error.raw_response() {
                Some(raw) => {
                    let (status, length) = (raw.status().as_u16(), raw.body().bytes().map_or(0, <[u8]>::len));
                    let request_id = raw.headers().get("x-amzn-requestid").map(|id| self.clean(id));
                    let request_id = request_id.filter(|text| is_request_id(text));
                    // Where AWS gave no code, these statuses say enough.
                    let code_of_status =
                        || matches!(status, 429 | 500..=599).then(|| format!("HTTP {status}"));
                    let code = error.code().map(|code| self.clean(code)).filter(|text| is_code(text));
                    match code.or_else(code_of_status) {
                        Some(code) => CallFault::Refused(Refusal {
                            code,
                            message: self.clean(error.message().unwrap_or_default()),
                            status,
                            request_id,
                            at,
                            server_time: head.server_time,
                        }),
                        None => not_sts(status, length),
                    }
                }
                None => match find_source(&error) {
                    Some(ResponseError::TooLong(length)) => not_sts(200, *length),
                    Some(ResponseError::ConnectionLost(message)) => {
                        CallFault::ConnectionLost(message.clone())
                    }
                    None => CallFault::ConnectionLost(error.to_string()),
                },
            }),
        };
        Reply { result, server_time: head.server_time, at }
    }
}

/// Whether a text has only these characters, and at most so many. What a server says in another form than that of its
/// kind is not shown.
fn is_of_form(text: &str, max: usize, others: &str) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn is_request_id(id: &str) -> bool {
    is_of_form(id, 64, "-_.=+/")
}

fn is_code(code: &str) -> bool {
    is_of_form(code, 64, "-_.:")
}

fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

/// Source: the STS API model, `arnType` and `roleSessionNameType`.
fn is_arn(arn: &str) -> bool {
    arn.starts_with("arn:") && is_of_form(arn, 2048, "_+=,.@-:/")
}

fn is_of_header(value: &str) -> bool {
    is_of_form(value, 128, " _+=,.;@-/()*[]")
}
