//! Arguments in, a report and an exit code out. The only file that prints or ends the process.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use irsa_probe::attempts::Attempts;
use irsa_probe::cli::{self, Cli, Command, Log, Mode, Output};
use irsa_probe::diagnosis::{Class, Name};
use irsa_probe::explain;
use irsa_probe::plan;
use irsa_probe::pod::Pod;
use irsa_probe::report::json::{WireDiagnosis, line};
use irsa_probe::report::model::{Leniency, Report};
use irsa_probe::report::termination;
use irsa_probe::report::text::{self, Colour};
use irsa_probe::run::Budget;
use irsa_probe::shown::{shown, without_secrets};
use irsa_probe::trust_policy;

fn main() -> ExitCode {
    let pod = Pod::of_this_process();
    let cli = match Cli::of_this_process(&pod) {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            let _ = write!(io::stderr(), "{}", without_secrets(&error.to_string()));
            return ExitCode::from(cli::USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(io::stderr(), "irsa-probe cannot start: {error}");
            return ExitCode::from(Class::NotJudged.exit_code());
        }
    };
    let code = match cli.command {
        None => runtime.block_on(check(&pod, &cli.check)),
        Some(Command::Check(flags)) => runtime.block_on(check(&pod, &flags)),
        Some(Command::TrustPolicy(flags)) => runtime.block_on(print_trust_policy(&pod, &flags)),
        Some(Command::Explain(flags)) => print_page(&flags),
    };
    // A file system that does not answer may still hold a thread; it is not waited for.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// How long a file system may take to take the termination message.
const TERMINATION_LOG_TIMEOUT: Duration = Duration::from_secs(1);

async fn check(pod: &Pod, flags: &cli::Check) -> u8 {
    log_to_stderr(flags.log);
    let mut attempts = Attempts::new(pod);
    let now = Instant::now();
    let wait = if flags.wait.is_zero() { flags.timeout } else { flags.wait };
    let budget = Budget { deadline: now + wait, timeout: flags.timeout.min(wait) };
    let wanted = flags.wanted();

    let interrupted = match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            biased;
            _ = terminate.recv() => true,
            () = attempts.run(pod, &wanted, &budget, flags.wait_for_access) => false,
        },
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be caught");
            attempts.run(pod, &wanted, &budget, flags.wait_for_access).await;
            false
        }
    };

    let leniency = Leniency { observe: flags.mode == Mode::Observe, tolerate: flags.tolerate.clone() };
    let container = flags.container.clone();
    let report = attempts.into_report(pod, container, leniency, interrupted);
    print_report(pod, &report, flags.printing.output);
    let message = termination::message(&report);
    let until = Instant::now() + TERMINATION_LOG_TIMEOUT;
    if let Err(error) = pod.overwrite(&flags.termination_log, message, until).await {
        tracing::info!(file = %shown(&flags.termination_log.to_string_lossy()), %error, "no termination message");
    }
    report.exit_code()
}

fn print_report(pod: &Pod, report: &Report, output: Output) {
    if is_text(output) {
        print(&text::page(report, colour(pod)));
    } else {
        print(&format!("{}\n", line(report)));
    }
}

fn is_text(output: Output) -> bool {
    match output {
        Output::Auto => io::stdout().is_terminal(),
        Output::Text => true,
        Output::Json => false,
    }
}

fn colour(pod: &Pod) -> Colour {
    let plain = pod.filled("NO_COLOR").is_some() || pod.variable("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !plain { Colour::Ansi } else { Colour::None }
}

/// Prints; a reader that went away is no reason to fail.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::warn!(%error, "the report could not be printed");
    }
}

/// Logs of this program only: at no level does anything of the libraries below it get out.
fn log_to_stderr(level: Log) {
    let level = match level {
        Log::Off => LevelFilter::OFF,
        Log::Warn => LevelFilter::WARN,
        Log::Info => LevelFilter::INFO,
    };
    let ours = Targets::new().with_target("irsa_probe", level);
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = if io::stderr().is_terminal() {
        to_stderr.with_ansi(false).boxed()
    } else {
        to_stderr.json().boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(ours)).init();
}

async fn print_trust_policy(pod: &Pod, flags: &cli::TrustPolicy) -> u8 {
    const SCHEMA: &str = "irsa-probe.trust-policy/v1";
    #[derive(Serialize)]
    struct Answer {
        schema: &'static str,
        role_arn: String,
        #[serde(flatten)]
        needed: trust_policy::Needed,
    }
    let timeout = Duration::from_secs(5);
    let budget = Budget { deadline: Instant::now() + timeout, timeout };
    match plan::trust_policy(pod, &flags.identity.wanted(), budget).await {
        Ok((role, claims)) => {
            let answer = Answer {
                schema: SCHEMA,
                role_arn: shown(&role.text),
                needed: trust_policy::needed(&claims, &role),
            };
            print_json(&answer, flags.printing.output);
            0
        }
        Err(run) => {
            let Some(diagnosis) = run.failures().next() else {
                return Class::NotJudged.exit_code();
            };
            print_json(
                &json!({"schema": SCHEMA, "diagnosis": WireDiagnosis::new(diagnosis, diagnosis.remedy())}),
                flags.printing.output,
            );
            diagnosis.name().class().exit_code()
        }
    }
}

/// Prints JSON: on one line for programs, with indentation for people.
fn print_json(value: &impl Serialize, output: Output) {
    let text =
        if is_text(output) { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    match text {
        Ok(text) => print(&format!("{text}\n")),
        Err(error) => tracing::warn!(%error, "the answer could not be printed"),
    }
}

fn print_page(flags: &cli::Explain) -> u8 {
    let output = flags.printing.output;
    let as_text = output != Output::Json;
    match flags.name.as_deref() {
        None if as_text => print(&explain::list()),
        None => print_json(&explain::list_json(), output),
        Some(text) => match Name::parse(text) {
            Some(name) if as_text => print(&format!("{}\n", explain::page(name))),
            Some(name) => print_json(&explain::page_json(name), output),
            None => {
                let near = explain::did_you_mean(text);
                let hint = if near.is_empty() {
                    "the names are listed by: irsa-probe explain".to_owned()
                } else {
                    format!("did you mean {}?", near.join(", "))
                };
                let _ = writeln!(io::stderr(), "no diagnosis is called \"{}\"; {hint}", shown(text));
                return cli::USAGE;
            }
        },
    }
    0
}
