//! `check`: every check once, and again while a failure can pass.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use tokio::time::Instant;

use super::logging;
use super::options::{ApplicationArgs, CheckArgs, ProcessArgs};
use super::output::Console;
use super::signals::Signals;
use super::values::duration;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::plan::retry::{Attempts, RetryLimits};
use crate::probes::target;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;

/// The flags of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckCommand {
    #[command(flatten)]
    checks: CheckArgs,
    #[command(flatten)]
    process: ProcessArgs,
    /// The time for everything, spent on trying again what may mend itself; 0s: one attempt, of one --timeout
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "IRSA_PROBE_WAIT", default_value = "30s")]
    wait: Duration,
    /// Also try again while IAM refuses, since a change there takes time to spread
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_WAIT_FOR_ACCESS")]
    wait_for_access: bool,
    #[command(flatten)]
    application: ApplicationArgs,
}

pub(super) async fn run(console: &Console, pod: &Pod, args: &CheckCommand) -> u8 {
    let checks = &args.checks;
    logging::start(console, checks.log);
    checks.keep_last_words(console, pod);
    let limits = RetryLimits { once: args.wait.is_zero(), wait_for_access: args.wait_for_access };
    let wait = if limits.once { checks.timeout } else { args.wait };
    let budget = Budget { deadline: Instant::now() + wait, timeout: checks.timeout.min(wait) };
    let options = CheckOptions { sdk_root: args.application.sdk_root.clone(), ..checks.options() };
    let mut attempts = Attempts::new(pod, &options);
    let mut signals = Signals::new();
    let mut target = pod.clone();
    let run = async {
        match target::resolve(pod, args.process.pid, &options, budget.step_deadline()).await {
            Ok(found) => {
                target = found;
                attempts.run(&Probe { pod: &target, options: &options, budget }, limits).await;
            }
            Err(diagnosis) => attempts.end(pod, diagnosis),
        }
    };
    let interrupted = tokio::select! {
        biased;
        () = signals.received() => true,
        () = run => false,
    };
    let report =
        attempts.into_report(&target, checks.container.clone(), checks.failure_policy(), interrupted);
    checks.publish(console, pod, &report).await;
    report.exit_code()
}
