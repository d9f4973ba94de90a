//! Every command and flag, each flag with its `IRSA_PROBE_*` variable.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, Resettable};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::audit::subject::SubjectFlags;
use crate::audit::{self, inputs};
use crate::diagnosis::Class;
use crate::env::API_TOKEN_FILE;
use crate::host::Pod;
use crate::kubernetes::{self, KubernetesUse};
use crate::net::tls::SYSTEM_ROOTS;
use crate::probes::target::ProcessSelector;
use crate::report::model::FailurePolicy;
use crate::run::options::CheckOptions;
use crate::sdk_scan::ExpectedSdk;
use crate::text::format_duration;
use crate::token::ServiceAccount;
use sdk_chain::SdkId;

/// Where Kubernetes reads why a container ended, unless the pod spec names another file.
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// Where `watch` listens, unless a flag says otherwise: every address of both families.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9440);

/// What ends the help of `audit`.
const AUDIT_EXAMPLES: &str = "\
Examples:
  kubectl logs POD -c CONTAINER | irsa-probe audit
  kubectl logs POD -c CONTAINER | irsa-probe audit --profile PROFILE --output text
  irsa-probe audit --report pod.log --trust-policy role.json --oidc-provider provider.json

Exit codes: 0 nothing refuses; 10, 11, 12, 13 as of check; 14 it could not be looked at; 64 wrong input.";

/// The exit code for flags that cannot be understood; `EX_USAGE` of sysexits.h.
pub const USAGE: u8 = 64;

/// Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why and
/// who must change what. Without a command it runs every check once.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `check`, which is what happens without a command.
    #[command(flatten)]
    pub check: CheckCommand,
}

impl Cli {
    /// Reads the process's arguments and variables. A variable that is set to nothing, as templates
    /// do it, counts as not set.
    ///
    /// # Errors
    /// What cannot be understood, or the help and version that were asked for.
    pub fn of_this_process(pod: &Pod) -> Result<Self, clap::Error> {
        let command = without_empty_variables(Self::command(), pod);
        Self::from_arg_matches(&command.try_get_matches()?)
    }
}

fn without_empty_variables(command: clap::Command, pod: &Pod) -> clap::Command {
    let is_empty =
        |name: &OsStr| name.to_str().and_then(|name| pod.raw_variable(name)).is_some_and(OsStr::is_empty);
    command
        .mut_args(|arg| {
            let arg = if arg.get_env().is_some_and(is_empty) { arg.env(Resettable::Reset) } else { arg };
            arg.hide_env_values(true)
        })
        .mut_subcommands(|command| without_empty_variables(command, pod))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run every check once: for init containers and Jobs
    Check(Box<CheckCommand>),
    /// Check again and again, and serve what was found: for sidecars
    Watch(Box<WatchCommand>),
    /// Print the trust policy and the OIDC provider that this pod's token needs; calls nothing
    TrustPolicy(TrustPolicyCommand),
    /// Print which credentials each AWS SDK takes here, and why; asks STS, the container endpoint and IMDS
    Chain(ChainCommand),
    /// Say why a role is refused, and print what mends it: for operators who may read IAM, or offline
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(Box<AuditCommand>),
    /// Print the page of a diagnosis, or the list of all
    Explain(ExplainCommand),
}

/// What the pod is to be taken for.
#[derive(Debug, Args)]
pub struct IdentityArgs {
    /// The role, in place of AWS_ROLE_ARN
    #[arg(long, value_name = "ARN", env = "IRSA_PROBE_ROLE_ARN")]
    pub role_arn: Option<String>,
    /// The token file, in place of AWS_WEB_IDENTITY_TOKEN_FILE
    #[arg(long, value_name = "FILE", env = "IRSA_PROBE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The pod's API token, which names the service account of a pod that was not injected
    #[arg(long, value_name = "FILE", env = "IRSA_PROBE_API_TOKEN_FILE", default_value = API_TOKEN_FILE)]
    pub api_token_file: PathBuf,
    /// Fail unless the pod was given exactly this role
    #[arg(long, value_name = "ARN", env = "IRSA_PROBE_EXPECT_ROLE_ARN")]
    pub expect_role_arn: Option<String>,
    /// Fail unless the token is meant for this audience
    #[arg(long, value_name = "AUDIENCE", env = "IRSA_PROBE_EXPECT_AUDIENCE")]
    pub expect_audience: Option<String>,
}

/// Through which process to look, of those commands that look once.
#[derive(Debug, Args)]
pub struct ProcessArgs {
    /// The process whose variables and files are looked at: its number, auto or none; auto is chosen by
    /// itself where this container has neither an identity nor an API token and was put into the PID
    /// namespace of another
    #[arg(long, value_name = "PID", env = "IRSA_PROBE_PID")]
    pub pid: Option<ProcessSelector>,
}

/// Where the application is, of those commands that look for its SDK.
#[derive(Debug, Args)]
pub struct ApplicationArgs {
    /// Look for the application's AWS SDK below this folder, the root of its file system: / in an image
    /// build or in the application's own container; with --pid it is that process's / by itself
    #[arg(long, value_name = "FOLDER", env = "IRSA_PROBE_SDK_ROOT")]
    pub sdk_root: Option<PathBuf>,
}

/// How servers are found and trusted, of those commands that call any.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// A name server, in place of those in /etc/resolv.conf
    #[arg(long, value_name = "ADDRESS:PORT", env = "IRSA_PROBE_DNS_SERVER")]
    pub dns_server: Option<SocketAddr>,
    /// Where the system's CA certificates are looked for, separated by commas
    #[arg(long, value_name = "FILE,...", value_delimiter = ',', env = "IRSA_PROBE_SYSTEM_ROOTS", default_values = SYSTEM_ROOTS)]
    pub system_roots: Vec<PathBuf>,
}

/// How to print.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Text for people, or one JSON object on one line; auto is text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORM", env = "IRSA_PROBE_OUTPUT", default_value_t)]
    pub output: OutputFormat,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Whether a failure fails the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The exit code says what failed.
    #[default]
    Enforce,
    /// The exit code is 0 whatever is found.
    Observe,
}

/// How much is logged to stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong in the probe itself.
    Warn,
    /// Also each further attempt.
    #[default]
    Info,
}

/// The flags of what makes the checks: `check` and `watch`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What the pod is to be taken for.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// The region, in place of AWS_REGION
    #[arg(long, value_name = "REGION", env = "IRSA_PROBE_REGION")]
    pub region: Option<String>,
    /// Fail unless this SDK of the application takes the role: boto, gov2, jv2 or another of those that
    /// chain lists; the version is that of the package that explain SdkTooOldForIrsa lists, for boto botocore's
    #[arg(long, value_name = "SDK[@VERSION]", value_parser = sdk, env = "IRSA_PROBE_EXPECT_SDK")]
    pub expect_sdk: Option<ExpectedSdk>,
    /// How to print.
    #[command(flatten)]
    pub printing: OutputArgs,
    /// Whether what is found decides the exit code
    #[arg(long, value_enum, value_name = "MODE", env = "IRSA_PROBE_MODE", default_value_t)]
    pub mode: Mode,
    /// Classes of failure that exit with 0 all the same, separated by commas
    #[arg(long, value_enum, value_name = "CLASS,...", value_delimiter = ',', env = "IRSA_PROBE_TOLERATE")]
    pub tolerate: Vec<Class>,
    /// When the pod's service account is read from the Kubernetes API: auto is only where the pod
    /// carries no identity, to say why; always is on every pass, to see whether the annotation changed
    #[arg(long, value_enum, value_name = "WHEN", env = "IRSA_PROBE_KUBERNETES", default_value_t = KubernetesUse::Auto)]
    pub kubernetes: KubernetesUse,
    /// The time for one step of an attempt: a lookup, a connection, a handshake, an answer
    #[arg(long, value_name = "DURATION", value_parser = more_than_none, env = "IRSA_PROBE_TIMEOUT", default_value = "5s")]
    pub timeout: Duration,
    /// Where Kubernetes reads why a container ended
    #[arg(
        long,
        value_name = "FILE",
        env = "IRSA_PROBE_TERMINATION_LOG",
        default_value = TERMINATION_LOG
    )]
    pub termination_log: PathBuf,
    /// The name of this container, for the report
    #[arg(long, value_name = "NAME", env = "IRSA_PROBE_CONTAINER")]
    pub container: Option<String>,
    /// How servers are found and trusted.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// How much is logged to stderr
    #[arg(long, value_enum, value_name = "LEVEL", env = "IRSA_PROBE_LOG", default_value_t)]
    pub log: LogLevel,
}

/// The flags of `check`.
#[derive(Debug, Args)]
pub struct CheckCommand {
    /// How to make the checks.
    #[command(flatten)]
    pub checks: CheckArgs,
    /// Through which process to look.
    #[command(flatten)]
    pub through: ProcessArgs,
    /// The time for everything, spent on trying again what may mend itself; 0s: one attempt, of one --timeout
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "IRSA_PROBE_WAIT", default_value = "30s")]
    pub wait: Duration,
    /// Also try again while IAM refuses, since a change there takes time to spread
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_WAIT_FOR_ACCESS")]
    pub wait_for_access: bool,
    /// Where the application is.
    #[command(flatten)]
    pub files: ApplicationArgs,
}

impl CheckCommand {
    /// What the plan wants to know of the flags.
    #[must_use]
    pub fn wanted(&self) -> CheckOptions {
        CheckOptions { sdk_root: self.files.sdk_root.clone(), ..self.checks.wanted() }
    }
}

/// The flags of `watch`.
#[derive(Debug, Args)]
pub struct WatchCommand {
    /// How to make the checks.
    #[command(flatten)]
    pub checks: CheckArgs,
    /// The time between two checks while the role works, on average
    #[arg(long, value_name = "DURATION", value_parser = interval, env = "IRSA_PROBE_INTERVAL", default_value = "1h")]
    pub interval: Duration,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS:PORT", env = "IRSA_PROBE_LISTEN", default_value_t = LISTEN)]
    pub listen: SocketAddr,
    /// How long a failure has to last until /readyz says so; 0s: at once
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "IRSA_PROBE_READY_GRACE", default_value = "1h")]
    pub ready_grace: Duration,
    /// A condition of the pod to keep, for readiness gates; needs the permission to patch pods/status
    #[arg(long, value_name = "TYPE", value_parser = condition_type, env = "IRSA_PROBE_POD_CONDITION")]
    pub pod_condition: Option<String>,
    /// An Event on the pod for each change of the verdict; needs the permission to create events
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_POD_EVENTS")]
    pub pod_events: bool,
    /// Put the role's ARN, which names the account, into the metrics
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_METRICS_ROLE_ARN")]
    pub metrics_role_arn: bool,
}

/// The flags of `trust-policy`.
#[derive(Debug, Args)]
pub struct TrustPolicyCommand {
    /// What the pod is to be taken for.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Through which process to look.
    #[command(flatten)]
    pub through: ProcessArgs,
    /// How to print.
    #[command(flatten)]
    pub printing: OutputArgs,
}

/// The flags of `chain`.
#[derive(Debug, Args)]
pub struct ChainCommand {
    /// Through which process to look.
    #[command(flatten)]
    pub through: ProcessArgs,
    /// Where the application is.
    #[command(flatten)]
    pub files: ApplicationArgs,
    /// How to print.
    #[command(flatten)]
    pub printing: OutputArgs,
    /// The time for one step: a lookup, a connection, a handshake, an answer
    #[arg(long, value_name = "DURATION", value_parser = more_than_none, env = "IRSA_PROBE_TIMEOUT", default_value = "5s")]
    pub timeout: Duration,
    /// How servers are found and trusted.
    #[command(flatten)]
    pub network: NetworkArgs,
}

impl ChainCommand {
    /// What the plan wants to know of the flags.
    #[must_use]
    pub fn wanted(&self) -> CheckOptions {
        CheckOptions {
            dns_server: self.network.dns_server,
            system_roots: self.network.system_roots.clone(),
            sdk_root: self.files.sdk_root.clone(),
            ..CheckOptions::default()
        }
    }
}

/// The flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainCommand {
    /// The name of a diagnosis, in any case
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// How to print.
    #[command(flatten)]
    pub printing: OutputArgs,
}

/// The flags of `audit`. Of the files one may be `-`, standard input.
#[derive(Debug, Args)]
pub struct AuditCommand {
    /// The log of the pod's probe, with its report anywhere in it; the last one counts. By itself it is
    /// standard input, where nothing else says for whom the role is asked
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_REPORT")]
    pub report: Option<PathBuf>,
    /// The pod's token, in place of what the report says of it
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_TOKEN")]
    pub token: Option<PathBuf>,
    /// The token's issuer: the cluster's
    #[arg(long, value_name = "URL", value_parser = issuer, env = "IRSA_PROBE_ISSUER")]
    pub issuer: Option<String>,
    /// The token's subject: system:serviceaccount:NAMESPACE:NAME
    #[arg(long, value_name = "SUBJECT", value_parser = subject, env = "IRSA_PROBE_SUBJECT")]
    pub subject: Option<String>,
    /// The token's audience, usually sts.amazonaws.com; may be given several times
    #[arg(long, value_name = "AUDIENCE", value_parser = filled, env = "IRSA_PROBE_AUDIENCE")]
    pub audience: Vec<String>,
    /// The role that is asked for
    #[arg(long, value_name = "ARN", value_parser = filled, env = "IRSA_PROBE_ROLE_ARN")]
    pub role_arn: Option<String>,
    /// The name of the session, for policies with a condition on it
    #[arg(long, value_name = "NAME", value_parser = filled, env = "IRSA_PROBE_SESSION_NAME")]
    pub session_name: Option<String>,
    /// The pod, as kubectl get pod POD -o json prints it
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_POD")]
    pub pod: Option<PathBuf>,
    /// The pod's service account, as kubectl get serviceaccount NAME -o json --show-managed-fields prints it
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_SERVICE_ACCOUNT")]
    pub service_account: Option<PathBuf>,
    /// The container of the pod that is meant, in place of all
    #[arg(long, value_name = "NAME", value_parser = filled, env = "IRSA_PROBE_CONTAINER")]
    pub container: Option<String>,
    /// The role's trust policy, bare or as aws iam get-role prints it, in place of asking IAM
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_TRUST_POLICY")]
    pub trust_policy: Option<PathBuf>,
    /// The OIDC provider, as aws iam get-open-id-connect-provider prints it, in place of asking IAM
    #[arg(long, value_name = "FILE|-", env = "IRSA_PROBE_OIDC_PROVIDER")]
    pub oidc_provider: Option<PathBuf>,
    /// The profile of the AWS configuration whose credentials ask IAM
    #[arg(long, value_name = "NAME", value_parser = filled, env = "IRSA_PROBE_PROFILE")]
    pub profile: Option<String>,
    /// An action that the role should be allowed, as s3:GetObject; may be given several times
    #[arg(long, value_name = "ACTION", value_parser = action, env = "IRSA_PROBE_ACTION")]
    pub action: Vec<String>,
    /// What the actions are done to; may be given several times
    #[arg(long, value_name = "ARN", value_parser = filled, requires = "action", env = "IRSA_PROBE_RESOURCE")]
    pub resource: Vec<String>,
    /// Also ask the issuer over HTTPS for the token's key, and verify the --token with it
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_ISSUER_CHECK")]
    pub issuer_check: bool,
    /// Print the least IAM policy that an audit needs, and do nothing else
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_PRINT_IAM_POLICY")]
    pub print_iam_policy: bool,
    /// How to print.
    #[command(flatten)]
    pub printing: OutputArgs,
    /// The time for reading what is handed in, and again for asking AWS and the issuer
    #[arg(long, value_name = "DURATION", value_parser = more_than_none, env = "IRSA_PROBE_TIMEOUT", default_value = "30s")]
    pub timeout: Duration,
    /// Where Kubernetes reads why a container ended, if the audit runs in a pod
    #[arg(
        long,
        value_name = "FILE",
        env = "IRSA_PROBE_TERMINATION_LOG",
        default_value = TERMINATION_LOG
    )]
    pub termination_log: PathBuf,
    /// How servers are found and trusted.
    #[command(flatten)]
    pub network: NetworkArgs,
}

impl AuditCommand {
    /// What is wanted beyond what is handed in.
    #[must_use]
    pub fn wanted(&self) -> audit::AuditOptions {
        audit::AuditOptions {
            profile: self.profile.clone(),
            actions: self.action.clone(),
            resources: self.resource.clone(),
            issuer_check: self.issuer_check,
            container: self.container.clone(),
            dns_server: self.network.dns_server,
            system_roots: self.network.system_roots.clone(),
        }
    }

    /// What is to be read, and what is said by flags instead.
    #[must_use]
    pub fn inputs(&self) -> inputs::AuditInputPaths {
        let input = |path: &Option<PathBuf>| path.clone().map(inputs::Input::of);
        inputs::AuditInputPaths {
            report: input(&self.report),
            token: input(&self.token),
            pod: input(&self.pod),
            service_account: input(&self.service_account),
            trust_policy: input(&self.trust_policy),
            oidc_provider: input(&self.oidc_provider),
            flags: SubjectFlags {
                issuer: self.issuer.clone(),
                subject: self.subject.clone(),
                audience: self.audience.clone(),
                role_arn: self.role_arn.clone(),
                session_name: self.session_name.clone(),
                container: self.container.clone(),
            },
        }
    }
}

impl IdentityArgs {
    /// The same as the plan wants it.
    #[must_use]
    pub fn wanted(&self) -> CheckOptions {
        CheckOptions {
            role_arn: self.role_arn.clone(),
            token_file: self.token_file.clone(),
            expect_role_arn: self.expect_role_arn.clone(),
            expect_audience: self.expect_audience.clone(),
            api_token_file: self.api_token_file.clone(),
            ..CheckOptions::default()
        }
    }
}

impl CheckArgs {
    /// Which failures do not fail the container.
    #[must_use]
    pub fn leniency(&self) -> FailurePolicy {
        FailurePolicy { observe: self.mode == Mode::Observe, tolerate: self.tolerate.clone() }
    }

    /// What the plan wants to know of the flags.
    #[must_use]
    pub fn wanted(&self) -> CheckOptions {
        CheckOptions {
            region: self.region.clone(),
            expect_sdk: self.expect_sdk.clone(),
            kubernetes: self.kubernetes,
            dns_server: self.network.dns_server,
            system_roots: self.network.system_roots.clone(),
            ..self.identity.wanted()
        }
    }
}

fn sdk(text: &str) -> Result<ExpectedSdk, String> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let sdk = SdkId::parse(name).ok_or_else(|| {
        let ids: Vec<&str> = SdkId::ALL.iter().map(|id| id.as_str()).collect();
        format!("one of {}", ids.join(", "))
    })?;
    match version {
        Some("") => Err("a version after the @".to_owned()),
        version => Ok(ExpectedSdk { sdk, version: version.map(str::to_owned) }),
    }
}

/// A token's issuer, with or without its scheme, as IAM writes it.
fn issuer(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").unwrap_or(text);
    let is_host =
        |host: &str| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
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

fn filled(text: &str) -> Result<String, String> {
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

/// A day: longer than any pod waits, and short enough that no clock overflows.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > LONGEST { Err("at most 24h".to_owned()) } else { Ok(duration) }
}

fn more_than_none(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than 0s".to_owned()),
        more => Ok(more),
    }
}

/// The shortest interval: STS is shared by everybody in the account.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);

fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < SHORTEST_INTERVAL => Err(format!("at least {}", format_duration(SHORTEST_INTERVAL))),
        interval => Ok(interval),
    }
}

/// The longest name of a condition after its prefix.
/// Source: `k8s.io/apimachinery`, `IsQualifiedName`.
const LONGEST_CONDITION: usize = 63;

/// A condition of our own: one with a prefix, since those without are Kubernetes'.
fn condition_type(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_condition = |name: &str| {
        name.len() <= LONGEST_CONDITION
            && name.chars().all(inner)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    match text.split_once('/') {
        Some((prefix, name)) if kubernetes::is_object_name(prefix) && is_condition(name) => {
            Ok(text.to_owned())
        }
        _ => Err("a name with a prefix, like irsa-probe/ready".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{AuditCommand, Cli, Command, USAGE};
    use crate::audit::inputs::Input;
    use clap::{Args, CommandFactory, FromArgMatches, Parser};
    use std::path::PathBuf;
    use std::time::Duration;

    fn audit(args: &[&str]) -> Result<AuditCommand, clap::Error> {
        let command = AuditCommand::augment_args(clap::Command::new("audit"));
        let args = std::iter::once("audit").chain(args.iter().copied());
        AuditCommand::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn what_an_audit_is_told() {
        let flags = audit(&[
            "--report",
            "-",
            "--trust-policy",
            "role.json",
            "--audience",
            "a",
            "--audience",
            "b",
            "--action",
            "s3:GetObject",
            "--action",
            "dynamodb:GetItem",
            "--resource",
            "*",
            "--container",
            "app",
        ])
        .unwrap();
        assert_eq!(flags.action, ["s3:GetObject", "dynamodb:GetItem"]);
        let inputs = flags.inputs();
        assert_eq!(inputs.report, Some(Input::Stdin));
        assert_eq!(inputs.trust_policy, Some(Input::File(PathBuf::from("role.json"))));
        assert_eq!((inputs.flags.audience.len(), inputs.flags.container.as_deref()), (2, Some("app")));
        assert_eq!(audit(&[]).unwrap().inputs(), Default::default());
        for args in [
            &["--subject", ""][..],
            &["--subject", "payments:checkout"],
            &["--issuer", "http://oidc.example.com"],
            &["--issuer", "HTTPS://oidc.example.com"],
            &["--issuer", "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"],
            &["--action", "s3:*"],
            &["--action", "GetObject"],
            &["--action", ":"],
            &["--resource", "*"],
            &["--timeout", "0s"],
            &["--report"],
        ] {
            assert!(audit(args).is_err(), "{args:?}");
        }
        for arg in AuditCommand::augment_args(clap::Command::new("audit")).get_arguments() {
            let long = arg.get_long().unwrap();
            let variable = format!("IRSA_PROBE_{}", long.to_uppercase().replace('-', "_"));
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(variable.as_str()), "--{long}");
        }
    }

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
        assert_eq!(USAGE, 64);
    }

    #[test]
    fn check_is_what_happens_without_a_command() {
        let plain = Cli::try_parse_from(["irsa-probe", "--wait", "5s"]).unwrap();
        assert_eq!(plain.check.wait, Duration::from_secs(5));
        let named = Cli::try_parse_from(["irsa-probe", "check", "--wait", "5s"]).unwrap();
        assert!(matches!(named.command, Some(Command::Check(check)) if check.wait == Duration::from_secs(5)));
    }

    #[test]
    fn flags_that_cannot_be_meant_are_refused() {
        for args in [
            &["--wait", "soon"][..],
            &["--wait", "1000000000000h"],
            &["--wait", "48h"],
            &["--timeout", "0s"],
            &["--tolerate", "everything"],
            &["--mode", "maybe"],
            &["--dns-server", "dns"],
            &["--no-such-flag"],
            &["--pid", "0"],
            &["watch", "--pid", "auto"],
            &["--expect-sdk", "cobol"],
            &["--expect-sdk", "boto@"],
            &["watch", "--wait", "1s"],
            &["watch", "--interval", "1s"],
            &["watch", "--listen", "9440"],
            &["watch", "--pod-condition", "a b"],
            &["watch", "--pod-condition", "Ready"],
            &["watch", "--pod-condition", "/"],
            &["watch", "--pod-condition", "a/b/c"],
            &["watch", "--pod-condition", "A/b"],
        ] {
            assert!(
                Cli::try_parse_from(std::iter::once("irsa-probe").chain(args.iter().copied())).is_err(),
                "{args:?}"
            );
        }
    }
}
