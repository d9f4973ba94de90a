//! The flags of `audit`: what is handed in, what is looked up, and how their values are read.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{BoolishValueParser, PathBufValueParser, TypedValueParser};

use crate::net::options::NetworkOptions;
use crate::text::sanitize;
use crate::token::ServiceAccount;

/// The files to read, and what flags say instead of them. One of the files can be `-`, standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct AuditInputPaths {
    /// The log of the pod's probe; the last line that is a report counts. The default is standard input, if no
    /// other flag says for whom the role is asked
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_REPORT")]
    pub(crate) report: Option<Input>,
    /// The pod's token, in place of what the report says of it
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_TOKEN")]
    pub(crate) token: Option<Input>,
    /// What flags say about the token and the role.
    #[command(flatten)]
    pub(crate) subject: SubjectFlags,
    /// The pod, as kubectl get pod POD -o json prints it
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_POD")]
    pub(crate) pod: Option<Input>,
    /// The pod's service account, as kubectl get serviceaccount NAME -o json --show-managed-fields prints it
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_SERVICE_ACCOUNT")]
    pub(crate) service_account: Option<Input>,
    /// The container of the pod or of the log that is meant, instead of all
    #[arg(long, value_name = "NAME", value_parser = nonempty, env = "IRSA_PROBE_CONTAINER")]
    pub(crate) container: Option<String>,
    /// The role's trust policy, bare or as aws iam get-role prints it, in place of asking IAM
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_TRUST_POLICY")]
    pub(crate) trust_policy: Option<Input>,
    /// The OIDC provider, as aws iam get-open-id-connect-provider prints it, in place of asking IAM
    #[arg(long, value_name = "FILE|-", value_parser = input(), env = "IRSA_PROBE_OIDC_PROVIDER")]
    pub(crate) oidc_provider: Option<Input>,
}

impl AuditInputPaths {
    /// Each flag, and what it names.
    pub(super) fn by_flag(&self) -> [(&'static str, &Option<Input>); 6] {
        [
            ("--report", &self.report),
            ("--token", &self.token),
            ("--pod", &self.pod),
            ("--service-account", &self.service_account),
            ("--trust-policy", &self.trust_policy),
            ("--oidc-provider", &self.oidc_provider),
        ]
    }

    /// Takes the report from standard input if something is piped in and nothing else says who asks for the role:
    /// `kubectl logs POD | irsa-probe audit`.
    pub(crate) fn with_piped_report(self, stdin_is_terminal: bool) -> Self {
        let SubjectFlags { issuer, subject, audience, .. } = &self.subject;
        let has_subject = issuer.is_some()
            || subject.is_some()
            || !audience.is_empty()
            || [&self.report, &self.token, &self.pod].into_iter().any(Option::is_some);
        let is_taken = self.by_flag().iter().any(|(_, from)| **from == Some(Input::Stdin));
        if has_subject || is_taken || stdin_is_terminal {
            return self;
        }
        Self { report: Some(Input::Stdin), ..self }
    }
}

/// Where something is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    /// Standard input, written `-`.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Input {
    /// Reads the value of a flag.
    pub(crate) fn from_path(path: PathBuf) -> Self {
        if path.as_os_str() == "-" { Self::Stdin } else { Self::File(path) }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => f.write_str(&sanitize(&path.to_string_lossy())),
        }
    }
}

/// What flags say about the token and the role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct SubjectFlags {
    /// The token's issuer: the cluster's
    #[arg(long, value_name = "URL", value_parser = issuer, env = "IRSA_PROBE_ISSUER")]
    pub issuer: Option<String>,
    /// The token's subject: system:serviceaccount:NAMESPACE:NAME
    #[arg(long, value_name = "SUBJECT", value_parser = subject, env = "IRSA_PROBE_SUBJECT")]
    pub subject: Option<String>,
    /// The token's audience, usually sts.amazonaws.com; may be given several times
    #[arg(long, value_name = "AUDIENCE", value_parser = nonempty, env = "IRSA_PROBE_AUDIENCE")]
    pub audience: Vec<String>,
    /// The role that is asked for
    #[arg(long, value_name = "ARN", value_parser = nonempty, env = "IRSA_PROBE_ROLE_ARN")]
    pub role_arn: Option<String>,
    /// The name of the session, for policies with a condition on it
    #[arg(long, value_name = "NAME", value_parser = nonempty, env = "IRSA_PROBE_SESSION_NAME")]
    pub session_name: Option<String>,
}

/// What is looked up at AWS and at the issuer.
#[derive(Debug, Clone, Default, Args)]
pub struct LookupOptions {
    /// The profile of the AWS configuration whose credentials ask IAM
    #[arg(long, value_name = "NAME", value_parser = nonempty, env = "IRSA_PROBE_PROFILE")]
    pub profile: Option<String>,
    /// An action that the role should be allowed, as s3:GetObject; may be given several times
    #[arg(long, value_name = "ACTION", value_parser = action, env = "IRSA_PROBE_ACTION")]
    pub action: Vec<String>,
    /// What the actions are done to; may be given several times
    #[arg(long, value_name = "ARN", value_parser = nonempty, requires = "action", env = "IRSA_PROBE_RESOURCE")]
    pub resource: Vec<String>,
    /// Also ask the issuer over HTTPS for the token's key, and verify the --token with it
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_ISSUER_CHECK")]
    pub issuer_check: bool,
}

/// What the user wants of an audit, beyond what is handed in.
#[derive(Debug, Clone, Default)]
pub struct AuditOptions {
    /// What is looked up.
    pub lookup: LookupOptions,
    /// The container that is meant.
    pub container: Option<String>,
    /// How servers are found and trusted.
    pub network: NetworkOptions,
}

/// A file, or `-` for standard input.
fn input() -> impl TypedValueParser<Value = Input> {
    PathBufValueParser::new().map(|path: PathBuf| Input::from_path(path))
}

/// A token's issuer, with or without its scheme, as IAM writes it.
fn issuer(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").unwrap_or(text);
    let is_host =
        |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
    if host.contains('@') {
        return Err("a URL without a user name or password, as the token's iss has it".to_owned());
    }
    match host.split('/').next() {
        Some(name) if is_host(name) && !text.starts_with("arn:") && !host.contains("://") => {
            Ok(text.to_owned())
        }
        _ => Err("a URL that begins with https://, as the token's iss has it".to_owned()),
    }
}

/// A service account's subject.
fn subject(text: &str) -> Result<String, String> {
    match ServiceAccount::of_subject(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("system:serviceaccount:NAMESPACE:NAME, as the token's sub has it".to_owned()),
    }
}

fn nonempty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("not nothing".to_owned()) } else { Ok(text.to_owned()) }
}

/// An action as policies name them; a pattern is none that could be done.
fn action(text: &str) -> Result<String, String> {
    let part = |part: &str, also: char| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == also)
    };
    match text.split_once(':') {
        Some((service, name)) if part(service, '-') && part(name, '_') => Ok(text.to_owned()),
        _ => Err("a service and an action, like s3:GetObject".to_owned()),
    }
}
