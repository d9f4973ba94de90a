//! `trust-policy`: what AWS must have for this pod's token. It calls nothing.

use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::options::ProcessArgs;
use super::output::{Console, OutputArgs};
use crate::diagnosis::Class;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::plan::{self, TrustPolicyFacts};
use crate::probes::target;
use crate::report::needs;
use crate::run::options::{CheckOptions, IdentityOptions};
use crate::run::probe::Probe;

/// How long reading the files can take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The flags of `trust-policy`.
#[derive(Debug, Args)]
pub(crate) struct TrustPolicyCommand {
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) async fn run(console: &Console, pod: &Pod, args: &TrustPolicyCommand) -> u8 {
    let budget = Budget { deadline: Instant::now() + TIMEOUT, timeout: TIMEOUT };
    let options = CheckOptions { identity: args.identity.clone(), ..CheckOptions::default() };
    let judged = match target::resolve(pod, args.process.pid, &options, budget.step_deadline()).await {
        Ok(target) => plan::trust_policy(&Probe { pod: &target, options: &options, budget }).await,
        Err(diagnosis) => Err(Some(diagnosis)),
    };
    match judged {
        Ok(TrustPolicyFacts { role, claims, warnings }) => {
            args.output.print_json(console, &needs::to_wire(&role, &claims, warnings.iter()));
            0
        }
        Err(found) => {
            let Some(found) = found else { return Class::NotJudged.exit_code() };
            args.output.print_json(console, &needs::failure_to_wire(&found));
            found.name().class().exit_code()
        }
    }
}
