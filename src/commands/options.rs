//! Groups of flags that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::last_words::LastWords;
use super::logging::LogLevel;
use super::output::{self, Console, OutputArgs, TERMINATION_LOG};
use super::values::{longer_than_zero, sdk};
use crate::diagnosis::Class;
use crate::host::Pod;
use crate::kubernetes::KubernetesUse;
use crate::net::options::NetworkOptions;
use crate::probes::target::ProcessSelector;
use crate::report::model::{FailurePolicy, Report};
use crate::report::termination;
use crate::run::options::{CheckOptions, IdentityOptions};
use crate::sdk_scan::ExpectedSdk;

/// The process whose variables and files are read, for commands that run once.
#[derive(Debug, Args)]
pub(crate) struct ProcessArgs {
    /// The process whose variables and files are looked at: its number, auto or none; auto is chosen by
    /// itself where this container has neither an identity nor an API token and was put into the PID
    /// namespace of another
    #[arg(long, value_name = "PID", env = "IRSA_PROBE_PID")]
    pub(crate) pid: Option<ProcessSelector>,
}

/// Where the application is, for commands that search for its SDK.
#[derive(Debug, Args)]
pub(crate) struct ApplicationArgs {
    /// Look for the application's AWS SDK below this folder, the root of its file system: / in an image
    /// build or in the application's own container; with --pid it is that process's / by itself
    #[arg(long, value_name = "FOLDER", env = "IRSA_PROBE_SDK_ROOT")]
    pub(crate) sdk_root: Option<PathBuf>,
}

/// Whether a failure fails the container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The exit code says what failed.
    #[default]
    Enforce,
    /// The exit code is 0 whatever is found.
    Observe,
}

/// The flags of the commands that run the checks: `check` and `watch`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) identity: IdentityOptions,
    /// The region, in place of AWS_REGION
    #[arg(long, value_name = "REGION", env = "IRSA_PROBE_REGION")]
    pub(crate) region: Option<String>,
    /// Fail unless this SDK of the application takes the role: boto, gov2, jv2 or another of those that
    /// chain lists; the version is that of the package that explain SdkTooOldForIrsa lists, for boto botocore's
    #[arg(long, value_name = "SDK[@VERSION]", value_parser = sdk, env = "IRSA_PROBE_EXPECT_SDK")]
    pub(crate) expect_sdk: Option<ExpectedSdk>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Whether what is found decides the exit code
    #[arg(long, value_enum, value_name = "MODE", env = "IRSA_PROBE_MODE", default_value_t)]
    pub(crate) mode: Mode,
    /// Classes of failure that exit with 0 all the same, separated by commas
    #[arg(long, value_enum, value_name = "CLASS,...", value_delimiter = ',', env = "IRSA_PROBE_TOLERATE")]
    pub(crate) tolerate: Vec<Class>,
    /// When the pod's service account is read from the Kubernetes API: auto is only where the pod
    /// carries no identity, to say why; always is on every pass, to see whether the annotation changed
    #[arg(long, value_enum, value_name = "WHEN", env = "IRSA_PROBE_KUBERNETES", default_value_t = KubernetesUse::Auto)]
    pub(crate) kubernetes: KubernetesUse,
    /// The time for one step of an attempt: a lookup, a connection, a handshake, an answer
    #[arg(long, value_name = "DURATION", value_parser = longer_than_zero, env = "IRSA_PROBE_TIMEOUT", default_value = "5s")]
    pub(crate) timeout: Duration,
    /// Where Kubernetes reads why a container ended
    #[arg(
        long,
        value_name = "FILE",
        env = "IRSA_PROBE_TERMINATION_LOG",
        default_value = TERMINATION_LOG
    )]
    pub(crate) termination_log: PathBuf,
    /// The name of this container, for the report
    #[arg(long, value_name = "NAME", env = "IRSA_PROBE_CONTAINER")]
    pub(crate) container: Option<String>,
    #[command(flatten)]
    pub(crate) network: NetworkOptions,
    /// How much is logged to stderr
    #[arg(long, value_enum, value_name = "LEVEL", env = "IRSA_PROBE_LOG", default_value_t)]
    pub(crate) log: LogLevel,
}

impl CheckArgs {
    /// What the plan needs to know of these flags.
    pub(crate) fn options(&self) -> CheckOptions {
        CheckOptions {
            identity: self.identity.clone(),
            region: self.region.clone(),
            expect_sdk: self.expect_sdk.clone(),
            kubernetes: self.kubernetes,
            network: self.network.clone(),
            sdk_root: None,
        }
    }

    /// Which failures do not fail the container.
    pub(crate) fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy { observe: self.mode == Mode::Observe, tolerate: self.tolerate.clone() }
    }

    /// Keeps what is said if the process fails.
    pub(crate) fn keep_last_words(&self, console: &Console, pod: &Pod) {
        LastWords {
            console: console.clone(),
            pod: pod.clone(),
            output: self.output,
            termination_log: self.termination_log.clone(),
            container: self.container.clone(),
            failure_policy: self.failure_policy(),
            started: (pod.now(), Instant::now()),
        }
        .keep();
    }

    /// Gives the report to Kubernetes and to stdout.
    pub(crate) async fn publish(&self, console: &Console, pod: &Pod, report: &Report) {
        let message = termination::message(report);
        output::write_termination_log(pod, &self.termination_log, message, output::TERMINATION_LOG_TIMEOUT)
            .await;
        self.output.print_report(console, pod, report);
    }
}
