//! A world described in TOML. Everything has a healthy default, so that a page states only what is
//! different; [`crate::world`] starts what is described here.

mod aws_side;
mod issuer;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::dns;
use crate::iam::Refusal;
use crate::kubernetes::Right;
use crate::sts::{Accept, Answer, Fault, Step};
use crate::tls::Certificate;
use crate::token;
use crate::volume::Layout;

pub use aws_side::{DEFAULT_ACCOUNT, Iam, IamProvider, IamRole, IamSimulation, SimulatedDecision};
pub use issuer::{Issuer, PublishedKeys};

/// The role of the healthy world.
pub const DEFAULT_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/payments-checkout";
/// The STS endpoint of the healthy world.
pub const DEFAULT_STS_HOST: &str = "sts.eu-west-1.amazonaws.com";

/// What `${…}` may name in arguments, in the environment, in files and in the token's content.
pub const PLACEHOLDERS: [&str; 13] = [
    "dir",
    "token",
    "token_file",
    "api_token",
    "ca",
    "sts_port",
    "sts_url",
    "proxy_url",
    "node_url",
    "role_arn",
    "issuer",
    "provider",
    "pid",
];

/// The TOML of the scenario at the end of a page of the catalogue.
#[must_use]
pub fn of_page(page: &str) -> Option<&str> {
    let (_, scenario) = page.split_once("\n## Scenario")?;
    let (_, block) = scenario.split_once("```toml\n")?;
    block.split_once("```").map(|(toml, _)| toml)
}

/// A world, and the program's part in it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The sub-command.
    pub command: String,
    /// The arguments after it.
    pub args: Vec<String>,
    /// Variables that are not set.
    pub unset: Vec<String>,
    /// Whether the page's name is expected among the warnings instead of as the diagnosis.
    pub warns: bool,
    /// The diagnosis beside which the page's name is expected among the warnings.
    pub beside: Option<String>,
    /// When the program gets a SIGTERM.
    pub signal_after_ms: Option<u64>,
    /// Variables besides the injected ones, or instead of them.
    pub env: BTreeMap<String, String>,
    /// Files by their path in the world's directory.
    pub files: BTreeMap<String, String>,
    /// Zip archives by their path in the world's directory, each with its files.
    pub archives: BTreeMap<String, BTreeMap<String, String>>,
    /// The web identity token.
    pub token: Token,
    /// How the token lies in the file system.
    pub file: File,
    /// The pod's ordinary API token.
    pub api_token: ApiToken,
    /// STS.
    pub sts: Sts,
    /// The IAM OIDC provider in the role's account.
    pub provider: Provider,
    /// The role.
    pub role: Role,
    /// IAM as an operator reads it, if there is an operator.
    pub iam: Option<Iam>,
    /// The web server of the tokens' issuer, if there is one. It has a port of its own, which the issuer's
    /// URL then has, too.
    pub issuer: Option<Issuer>,
    /// The DNS server.
    pub dns: Dns,
    /// The proxy, if there is one.
    pub proxy: Option<Proxy>,
    /// The Kubernetes API, if there is one.
    pub kubernetes: Option<Kubernetes>,
    /// Another process of the pod, `${pid}`, if there is one.
    pub application: Option<Application>,
    /// The node, if it serves anything.
    pub node: Option<Node>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            command: "check".to_owned(),
            args: Vec::new(),
            unset: Vec::new(),
            warns: false,
            beside: None,
            signal_after_ms: None,
            env: BTreeMap::new(),
            files: BTreeMap::new(),
            archives: BTreeMap::new(),
            token: Token::default(),
            file: File::default(),
            api_token: ApiToken::default(),
            sts: Sts::default(),
            provider: Provider::default(),
            role: Role::default(),
            iam: None,
            issuer: None,
            dns: Dns::default(),
            proxy: None,
            kubernetes: None,
            application: None,
            node: None,
        }
    }
}

/// The web identity token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Token {
    /// Which of Kubernetes' tokens it is.
    pub kind: token::Kind,
    /// This text in place of the signed token, which it may hold as `${token}`.
    pub content: Option<String>,
    /// Laid over the claims.
    pub claims: Map<String, Value>,
    /// Claims that are left out.
    pub remove: Vec<String>,
    /// Laid over the header.
    pub header: Map<String, Value>,
    /// How long ago it was issued; five minutes if not said.
    pub issued_ago: Option<Span>,
    /// How long it lives; as Kubernetes has it if not said.
    pub lifetime: Option<Span>,
    /// Who signed it.
    pub key: Key,
}

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The one that the issuer publishes.
    #[default]
    Issuer,
    /// One that it does not publish.
    Other,
}

/// How the token lies in the file system.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// What is there.
    pub kind: Layout,
    /// With a mode the file is root's; without, it is the pod user's own with mode 0640.
    pub mode: Option<FileMode>,
}

/// Permission bits, written in octal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FileMode(pub u32);

impl TryFrom<String> for FileMode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match u32::from_str_radix(&text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Self(mode)),
            _ => Err(format!("`{text}` is no file mode, such as \"0640\"")),
        }
    }
}

/// The pod's ordinary API token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiToken {
    /// Whether it is mounted.
    pub present: bool,
    /// Laid over the claims.
    pub claims: Map<String, Value>,
    /// How long ago its volume was mounted; when the world began if not said.
    pub mounted_ago: Option<Span>,
}

impl Default for ApiToken {
    fn default() -> Self {
        Self { present: true, claims: Map::new(), mounted_ago: None }
    }
}

/// STS and its endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sts {
    /// Its certificate.
    pub tls: Tls,
    /// What happens to connections.
    pub accept: Accept,
    /// The name in the endpoint URL.
    pub host: String,
    /// How the program learns the endpoint.
    pub endpoint: Endpoint,
    /// How far its clock is ahead.
    pub clock_ahead: Span,
    /// How far away it is.
    pub round_trip: Span,
    /// Answers to AssumeRoleWithWebIdentity.
    pub assume: Vec<Entry>,
    /// Answers to GetCallerIdentity.
    pub identity: Vec<Entry>,
}

impl Default for Sts {
    fn default() -> Self {
        Self {
            tls: Tls::default(),
            accept: Accept::default(),
            host: DEFAULT_STS_HOST.to_owned(),
            endpoint: Endpoint::default(),
            clock_ahead: Span::default(),
            round_trip: Span::default(),
            assume: Vec::new(),
            identity: Vec::new(),
        }
    }
}

/// STS's certificate, if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// A good one.
    #[default]
    Valid,
    /// By a CA that is not trusted.
    OtherCa,
    /// For another name.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// A good one, and a server that breaks the handshake off.
    Alert,
    /// None: plain HTTP, and the URL says so.
    Plain,
}

impl Tls {
    /// The certificate.
    #[must_use]
    pub fn certificate(self) -> Option<Certificate> {
        match self {
            Self::Valid => Some(Certificate::Valid),
            Self::OtherCa => Some(Certificate::OtherCa),
            Self::WrongName => Some(Certificate::WrongName),
            Self::Expired => Some(Certificate::Expired),
            Self::NotYetValid => Some(Certificate::NotYetValid),
            Self::Alert => Some(Certificate::Alert),
            Self::Plain => None,
        }
    }
}

/// How the program learns the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// By `AWS_ENDPOINT_URL_STS`.
    #[default]
    Override,
    /// By the region alone, so that only a proxy leads to it.
    None,
}

/// The IAM OIDC provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// Whether it is registered.
    pub present: bool,
    /// Its client ids.
    pub client_ids: Vec<String>,
}

impl Default for Provider {
    fn default() -> Self {
        Self { present: true, client_ids: vec!["sts.amazonaws.com".to_owned()] }
    }
}

/// The role and its trust policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    /// Its ARN; `AWS_ROLE_ARN` unless the environment says otherwise, or the command is `audit`.
    pub arn: String,
    /// Whether it exists.
    pub present: bool,
    /// Who may be `sub`.
    pub subjects: Vec<String>,
    /// What may be `aud`.
    pub audiences: Vec<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            arn: DEFAULT_ROLE_ARN.to_owned(),
            present: true,
            subjects: vec![token::subject()],
            audiences: vec!["sts.amazonaws.com".to_owned()],
        }
    }
}

/// The DNS server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// How it answers.
    pub mode: dns::Mode,
    /// How long each answer takes.
    pub delay: Span,
}

/// The proxy in `HTTPS_PROXY`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// How it answers.
    pub mode: ProxyMode,
    /// The `user:password` in its URL.
    pub credentials: Option<String>,
    /// The host in its URL; its address if not said.
    pub host: Option<String>,
}

/// How the proxy answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyMode {
    /// With a tunnel.
    #[default]
    Normal,
    /// With a tunnel for who sends the URL's credentials, and with 407 if the URL has none.
    Auth,
    /// With 403.
    Refuse,
    /// Not at all.
    Hang,
    /// With bytes that are no HTTP.
    Garbage,
    /// By closing the connection.
    Close,
    /// Nothing listens there.
    Refused,
}

/// Another process of the pod, in the program's PID namespace.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Application {
    /// Whether the program may look at it.
    pub readable: bool,
    /// How long it lives, in milliseconds.
    pub lives_ms: u64,
    /// Its variables, all of them.
    pub env: BTreeMap<String, String>,
}

impl Default for Application {
    fn default() -> Self {
        Self { readable: true, lives_ms: 3_600_000, env: BTreeMap::new() }
    }
}

/// What the node serves to its pods. With it, `AWS_EC2_METADATA_SERVICE_ENDPOINT` leads there; without,
/// to where nothing listens, so that no test asks the IMDS of the machine it runs on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// The node's role, if it has one.
    pub role: Option<String>,
    /// How far an answer with a token goes: at 1 it does not get to a pod.
    pub hop_limit: u8,
    /// Whether IMDS wants a token.
    pub http_tokens: HttpTokens,
}

impl Default for Node {
    fn default() -> Self {
        Self { role: None, hop_limit: 2, http_tokens: HttpTokens::Required }
    }
}

/// Whether IMDS wants a token, in the words of EC2's API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpTokens {
    /// Without one it answers 401.
    #[default]
    Required,
    /// It answers IMDSv1, too.
    Optional,
}

/// The API server of the pod's cluster. With it, `ca.crt` and `namespace` lie beside the API token,
/// and `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` are set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Kubernetes {
    /// How it answers.
    pub mode: KubernetesMode,
    /// What the pod's service account may not do; it may do the rest.
    pub deny: Vec<Right>,
    /// What is known of the pod's service account.
    pub service_account: ServiceAccount,
    /// The annotated role; the scenario's role if not said.
    pub role_arn: Option<String>,
    /// How long ago `kubectl annotate` set the annotation; Kubernetes does not know if not said.
    pub annotated_ago: Option<Span>,
    /// How long ago the service account was created; when the recorded one was if not said.
    pub created_ago: Option<Span>,
}

/// How the API server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KubernetesMode {
    /// As Kubernetes does.
    #[default]
    Serve,
    /// Not at all.
    Hang,
    /// Nothing listens there.
    Refused,
    /// With 401, whatever the token.
    Unauthorized,
}

/// The pod's service account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceAccount {
    /// Annotated with a role.
    #[default]
    Annotated,
    /// Without annotations.
    Bare,
    /// There is none.
    Missing,
}

/// A time span: a number with `ms`, `s`, `m`, `h` or `d`; negative with a leading minus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub time::Duration);

impl Span {
    /// The span as a delay; a negative one is none.
    #[must_use]
    pub fn delay(self) -> Duration {
        self.0.try_into().unwrap_or_default()
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60 * 1000),
            "h" => Some(3600 * 1000),
            "d" => Some(24 * 3600 * 1000),
            _ => None,
        };
        unit.zip(digits.parse::<i64>().ok())
            .and_then(|(unit, count)| count.checked_mul(unit))
            .map(|milliseconds| Self(time::Duration::milliseconds(milliseconds)))
            .ok_or_else(|| format!("`{text}` is no time span, such as \"5m\""))
    }
}

/// One answer in a script.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawEntry")]
pub struct Entry(pub Step);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    verify: Option<bool>,
    error: Option<RawError>,
    reply: Option<RawReply>,
    fault: Option<Fault>,
    #[serde(default)]
    delay_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawError {
    status: u16,
    code: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReply {
    status: u16,
    body: String,
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl TryFrom<RawEntry> for Entry {
    type Error = &'static str;

    fn try_from(raw: RawEntry) -> Result<Self, Self::Error> {
        let answer = match (raw.verify, raw.error, raw.reply, raw.fault) {
            (Some(true), None, None, None) => Answer::Verify,
            (None, Some(RawError { status, code, message }), None, None) => {
                Answer::Error(Refusal { status, code, message })
            }
            (None, None, Some(reply), None) => {
                let content_type = reply.content_type.map(|value| ("Content-Type".to_owned(), value));
                Answer::Reply {
                    status: reply.status,
                    headers: reply.headers.into_iter().chain(content_type).collect(),
                    body: reply.body.into_bytes(),
                }
            }
            (None, None, None, Some(fault)) => Answer::Fault(fault),
            _ => return Err("an answer is one of `verify = true`, `error`, `reply` and `fault`"),
        };
        Ok(Self(Step { answer, delay: Duration::from_millis(raw.delay_ms) }))
    }
}

/// Why a text describes no world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(String);

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no scenario: {}", self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// If it is no TOML, has an unknown key, or names an unknown placeholder.
    pub fn parse(toml: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = toml::from_str(toml).map_err(|error| ScenarioError(error.to_string()))?;
        let content = scenario.token.content.as_ref();
        let texts = scenario.args.iter().chain(scenario.env.values()).chain(scenario.files.values());
        let of_application = scenario.application.iter().flat_map(|application| application.env.values());
        let of_iam = scenario.iam.iter().flat_map(Iam::texts);
        for text in texts.chain(content).chain(of_application).chain(of_iam) {
            expand(text, &|name| PLACEHOLDERS.contains(&name).then(String::new))?;
        }
        Ok(scenario)
    }
}

/// Replaces each `${name}`.
///
/// # Errors
/// If a name has no value.
pub fn expand(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String, ScenarioError> {
    let mut pieces = text.split("${");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) =
            piece.split_once('}').ok_or_else(|| ScenarioError(format!("`${{{piece}` is not closed")))?;
        out += &value(name).ok_or_else(|| ScenarioError(format!("no placeholder `${{{name}}}`")))?;
        out += rest;
    }
    Ok(out)
}
