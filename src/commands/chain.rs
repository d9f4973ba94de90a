//! `chain`: the credentials that each AWS SDK takes here. Nothing that it finds is a failure.

use std::time::Duration;

use clap::Args;

use super::options::{ApplicationArgs, ProcessArgs};
use super::output::{self, Console, OutputArgs};
use super::values::longer_than_zero;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::net::options::NetworkOptions;
use crate::plan;
use crate::probes::target;
use crate::report::{chain, text};
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;

/// The flags of `chain`.
#[derive(Debug, Args)]
pub(crate) struct ChainCommand {
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    application: ApplicationArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The time for one step: a lookup, a connection, a handshake, an answer
    #[arg(long, value_name = "DURATION", value_parser = longer_than_zero, env = "IRSA_PROBE_TIMEOUT", default_value = "5s")]
    timeout: Duration,
    #[command(flatten)]
    network: NetworkOptions,
}

pub(super) async fn run(console: &Console, pod: &Pod, args: &ChainCommand) -> u8 {
    let budget = Budget::single_pass(args.timeout);
    let output = args.output;
    let options = CheckOptions {
        network: args.network.clone(),
        sdk_root: args.application.sdk_root.clone(),
        ..CheckOptions::default()
    };
    let found = match target::resolve(pod, args.process.pid, &options, budget.step_deadline()).await {
        Ok(target) => {
            let chains = plan::chain::resolve(&Probe { pod: &target, options: &options, budget }).await;
            target::ensure_alive(&target, budget.step_deadline()).await.map(|()| (target, chains))
        }
        Err(diagnosis) => Err(diagnosis),
    };
    match found {
        Ok((target, chains)) if output.is_text() => {
            console.print(&chain::render(&chains, &target, output::color(pod)));
        }
        Ok((target, chains)) => output.print_json(console, &chain::to_wire(&chains, &target)),
        Err(diagnosis) if output.is_text() => {
            console.print(&text::render_diagnosis(&diagnosis, output::color(pod)));
        }
        Err(diagnosis) => output.print_json(console, &chain::failure_to_wire(&diagnosis)),
    }
    0
}
