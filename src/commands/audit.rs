//! `audit`: why a role is refused, for an operator. It changes nothing at AWS.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use tokio::time::Instant;

use super::last_words::LastWords;
use super::output::{self, Console, OutputArgs, TERMINATION_LOG, TERMINATION_LOG_TIMEOUT};
use super::values::longer_than_zero;
use crate::audit::inputs;
use crate::audit::options::{AuditInputPaths, AuditOptions, LookupOptions};
use crate::audit::subject::{self, SubjectSources};
use crate::aws::iam::operator_policy;
use crate::host::Pod;
use crate::net::options::NetworkOptions;
use crate::plan;
use crate::report::model::{FailurePolicy, Report};
use crate::report::termination;
use crate::run::CheckRun;

/// What ends the help of `audit`.
pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl logs POD -c CONTAINER | irsa-probe audit
  kubectl logs POD -c CONTAINER | irsa-probe audit --profile PROFILE --output text
  irsa-probe audit --report pod.log --trust-policy role.json --oidc-provider provider.json

Exit codes: 0 nothing refuses; 10, 11, 12, 13 as of check; 14 it could not be looked at; 64 wrong input.";

/// The flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(flatten)]
    inputs: AuditInputPaths,
    #[command(flatten)]
    lookup: LookupOptions,
    /// Print the least IAM policy that an audit needs, and do nothing else
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_PRINT_IAM_POLICY")]
    print_iam_policy: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// The time for reading what is handed in, and again for asking AWS and the issuer
    #[arg(long, value_name = "DURATION", value_parser = longer_than_zero, env = "IRSA_PROBE_TIMEOUT", default_value = "30s")]
    timeout: Duration,
    /// Where Kubernetes reads why a container ended, if the audit runs in a pod
    #[arg(
        long,
        value_name = "FILE",
        env = "IRSA_PROBE_TERMINATION_LOG",
        default_value = TERMINATION_LOG
    )]
    termination_log: PathBuf,
    #[command(flatten)]
    network: NetworkOptions,
}

impl AuditCommand {
    fn options(&self) -> AuditOptions {
        AuditOptions {
            lookup: self.lookup.clone(),
            container: self.inputs.container.clone(),
            network: self.network.clone(),
        }
    }
}

pub(super) async fn run(console: &Console, pod: &Pod, args: &AuditCommand) -> u8 {
    if args.print_iam_policy {
        OutputArgs::TEXT.print_json(console, &operator_policy());
        return 0;
    }
    let refuse = async |text: String| output::refuse(console, pod, &args.termination_log, text).await;
    let (began, started) = (pod.now(), Instant::now());
    LastWords {
        console: console.clone(),
        pod: pod.clone(),
        output: args.output,
        termination_log: args.termination_log.clone(),
        container: args.inputs.container.clone(),
        failure_policy: FailurePolicy::default(),
        started: (began, started),
    }
    .keep();
    let paths = args.inputs.clone().with_piped_report(pod.stdin_is_terminal());
    let inputs = match inputs::observe(pod, &paths, started + args.timeout).await {
        Ok(inputs) => inputs,
        Err(bad) => return refuse(format!("{bad}\n")).await,
    };
    let options = args.options();
    let run = CheckRun::of([]);
    let found =
        match subject::resolve(SubjectSources::new(&inputs, &paths.subject, paths.container.as_deref())) {
            Ok(asked) => {
                let until = Instant::now() + args.timeout;
                plan::audit::audit_subject(pod, &options, &inputs, asked, until, &run).await
            }
            Err(unclear) => match plan::audit::audit_without_subject(&options, &inputs, &unclear, &run).await
            {
                Some(found) => found,
                None => return refuse(format!("{unclear}\n")).await,
            },
        };
    let report = Report::of_audit(found, pod, (began, started), run);
    let message = termination::message(&report);
    output::write_termination_log(pod, &args.termination_log, message, TERMINATION_LOG_TIMEOUT).await;
    args.output.print_report(console, pod, &report);
    report.exit_code()
}

#[cfg(test)]
mod tests {
    use super::{AuditCommand, AuditInputPaths};
    use crate::audit::options::Input;
    use clap::{Args, FromArgMatches};
    use std::path::PathBuf;

    fn audit(args: &[&str]) -> Result<AuditCommand, clap::Error> {
        let command = AuditCommand::augment_args(clap::Command::new("audit"));
        let args = std::iter::once("audit").chain(args.iter().copied());
        AuditCommand::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    #[test]
    fn the_flags_of_an_audit() {
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
        assert_eq!(flags.lookup.action, ["s3:GetObject", "dynamodb:GetItem"]);
        let inputs = flags.inputs;
        assert_eq!(inputs.report, Some(Input::Stdin));
        assert_eq!(inputs.trust_policy, Some(Input::File(PathBuf::from("role.json"))));
        assert_eq!((inputs.subject.audience.len(), inputs.container.as_deref()), (2, Some("app")));
        assert_eq!(audit(&[]).unwrap().inputs, AuditInputPaths::default());
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
}
