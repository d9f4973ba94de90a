//! The commands: one file each, with its flags beside it. Every flag has a variable `IRSA_PROBE_*`.

pub(crate) mod audit;
pub(crate) mod chain;
pub(crate) mod check;
mod console;
pub mod explain;
pub mod last_words;
mod logging;
pub(crate) mod options;
pub mod output;
mod signals;
pub(crate) mod trust_policy;
mod values;
pub mod watch;

use std::ffi::OsStr;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::host::Pod;
use audit::AuditCommand;
use chain::ChainCommand;
use check::CheckCommand;
use explain::ExplainCommand;
use output::Console;
use trust_policy::TrustPolicyCommand;
use watch::WatchCommand;

/// Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why and
/// who must change what. Without a command it runs every check once.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    // The flags of `check`, which runs without a command.
    #[command(flatten)]
    check: CheckCommand,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check once: for init containers and Jobs
    Check(Box<CheckCommand>),
    /// Check again and again, and serve what was found: for sidecars
    Watch(Box<WatchCommand>),
    /// Print the trust policy and the OIDC provider that this pod's token needs; calls nothing
    TrustPolicy(TrustPolicyCommand),
    /// Print which credentials each AWS SDK takes here, and why; asks STS, the container endpoint and IMDS
    Chain(ChainCommand),
    /// Say why a role is refused, and print what mends it: for operators who may read IAM, or offline
    #[command(after_help = audit::EXAMPLES)]
    Audit(Box<AuditCommand>),
    /// Print the page of a diagnosis, or the list of all
    Explain(ExplainCommand),
}

impl Cli {
    /// Reads the arguments and variables of this process. A variable with an empty value, as templates leave it,
    /// counts as not set.
    fn of_this_process(pod: &Pod) -> Result<Self, clap::Error> {
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

/// Runs the command that the arguments name, and returns the exit code.
pub async fn run(console: &Console) -> u8 {
    let pod = Pod::of_this_process();
    let cli = match Cli::of_this_process(&pod) {
        Ok(cli) => cli,
        Err(error) => return output::print_usage(console, &pod, &error).await,
    };
    match cli.command {
        None => check::run(console, &pod, &cli.check).await,
        Some(Command::Check(args)) => check::run(console, &pod, &args).await,
        Some(Command::Watch(args)) => Box::pin(watch::run(console, &pod, &args)).await,
        Some(Command::TrustPolicy(args)) => {
            signals::or_interrupted(trust_policy::run(console, &pod, &args)).await
        }
        Some(Command::Chain(args)) => {
            signals::or_interrupted(Box::pin(chain::run(console, &pod, &args))).await
        }
        Some(Command::Audit(args)) => {
            signals::or_interrupted(Box::pin(audit::run(console, &pod, &args))).await
        }
        Some(Command::Explain(args)) => explain::run(console, &args),
    }
}

#[cfg(test)]
mod tests {
    use super::output::USAGE;
    use super::{Cli, Command};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
        assert_eq!(USAGE, 64);
    }

    #[test]
    fn check_is_what_happens_without_a_command() {
        let plain = Cli::try_parse_from(["irsa-probe", "--wait", "5s"]).unwrap();
        assert!(plain.command.is_none());
        let named = Cli::try_parse_from(["irsa-probe", "check", "--wait", "5s"]).unwrap();
        let Some(Command::Check(check)) = named.command else { panic!("another command") };
        assert_eq!(format!("{:?}", plain.check), format!("{check:?}"));
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
