//! Arguments in, a report and an exit code out. With `console.rs`, the only file that prints or ends
//! the process.

mod console;

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use console::Writer;
use irsa_probe::audit::permissions::operator_policy;
use irsa_probe::audit::{inputs, subject};
use irsa_probe::checks::token_file;
use irsa_probe::commands::cli::{self, Cli, Command, LogLevel, OutputFormat};
use irsa_probe::commands::explain;
use irsa_probe::diagnosis::{Class, Name};
use irsa_probe::host::Pod;
use irsa_probe::host::deadline::Budget;
use irsa_probe::kubernetes::Api;
use irsa_probe::kubernetes::pod_status::PodReference;
use irsa_probe::plan::attempts::Attempts;
use irsa_probe::plan::{self, TrustPolicyFacts};
use irsa_probe::probes::target;
use irsa_probe::report::chain as chains_report;
use irsa_probe::report::json::line;
use irsa_probe::report::model::{INTERRUPTED, Report};
use irsa_probe::report::needs;
use irsa_probe::report::style::Color;
use irsa_probe::report::termination;
use irsa_probe::report::text;
use irsa_probe::run::CheckRun;
use irsa_probe::text::{escape_json, format_utc, redact, sanitize};
use irsa_probe::watch::board::WatchStatus;
use irsa_probe::watch::metrics::Metrics;
use irsa_probe::watch::publish::publish;
use irsa_probe::watch::schedule::Schedule;
use irsa_probe::watch::{Notice, Watch, WatchSettings, server};

/// How long a file system may take to take the termination message.
const TERMINATION_LOG_TIMEOUT: Duration = Duration::from_secs(1);
/// The same for a sidecar that is to end within a second.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(400);
/// How long to wait until an API token that cannot be read is tried again.
const API_TOKEN_PAUSE: Duration = Duration::from_secs(10);
/// How long whoever reads the output may take for it, at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long `trust-policy` may take to read its files.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the process writes to.
struct Console {
    out: Writer,
    err: Writer,
}

fn main() -> ExitCode {
    end_well_even_by_a_fault_of_our_own();
    let console =
        Console { out: Writer::new(|| Box::new(io::stdout())), err: Writer::new(|| Box::new(io::stderr())) };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(io::stderr(), "irsa-probe cannot start: {error}");
            return ExitCode::from(Class::NotJudged.exit_code());
        }
    };
    let code = runtime.block_on(run(&console));
    let until = std::time::Instant::now() + DRAIN_TIMEOUT;
    console.out.drain(until);
    console.err.drain(until);
    ExitCode::from(code)
}

/// A panic, of ours or of a library's, says so in one line, and exits as what is not judged.
#[expect(clippy::disallowed_methods, clippy::exit, reason = "only here may the process be ended")]
fn end_well_even_by_a_fault_of_our_own() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |location| {
            let file = Path::new(location.file()).file_name().unwrap_or_default();
            format!(" ({}:{})", file.to_string_lossy(), location.line())
        });
        let _ = writeln!(io::stderr(), "irsa-probe failed by a fault of its own{place}; please report it");
        std::process::exit(Class::NotJudged.exit_code().into());
    }));
}

async fn run(console: &Console) -> u8 {
    let pod = Pod::of_this_process();
    let cli = match Cli::of_this_process(&pod) {
        Ok(cli) => cli,
        Err(error) => return print_usage(console, &pod, &error).await,
    };
    match cli.command {
        None => check(console, &pod, &cli.check).await,
        Some(Command::Check(flags)) => check(console, &pod, &flags).await,
        Some(Command::Watch(flags)) => Box::pin(watch(console, &pod, &flags)).await,
        Some(Command::TrustPolicy(flags)) => {
            unless_interrupted(print_trust_policy(console, &pod, &flags)).await.unwrap_or(INTERRUPTED)
        }
        Some(Command::Chain(flags)) => {
            // It exits with 0 whatever it finds.
            let printed = unless_interrupted(Box::pin(print_chain(console, &pod, &flags))).await;
            printed.map_or(INTERRUPTED, |()| 0)
        }
        Some(Command::Audit(flags)) => {
            unless_interrupted(Box::pin(audit(console, &pod, &flags))).await.unwrap_or(INTERRUPTED)
        }
        Some(Command::Explain(flags)) => print_page(console, &flags),
    }
}

/// What comes of something, if neither SIGTERM nor SIGINT ends it.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut signals = Signals::new();
    tokio::select! {
        biased;
        () = signals.received() => None,
        done = work => Some(done),
    }
}

/// Help and version on stdout; what cannot be understood on stderr, and where `kubectl describe pod`
/// shows it.
async fn print_usage(console: &Console, pod: &Pod, error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    let log = pod.raw_variable("IRSA_PROBE_TERMINATION_LOG").filter(|path| !path.is_empty());
    let log = log.map_or_else(|| PathBuf::from(cli::TERMINATION_LOG), PathBuf::from);
    refuse(console, pod, &log, escape_json(&redact(&error.to_string()))).await
}

/// Ends a run that cannot begin.
async fn refuse(console: &Console, pod: &Pod, termination_log: &Path, text: String) -> u8 {
    print_to(&console.err, &text);
    // Outside a pod there is none, and stderr has it anyway.
    let _ = pod.overwrite(termination_log, text, Instant::now() + TERMINATION_LOG_TIMEOUT).await;
    cli::USAGE
}

async fn check(console: &Console, pod: &Pod, flags: &cli::CheckCommand) -> u8 {
    let checks = &flags.checks;
    log_to(&console.err, checks.log);
    let mut attempts = Attempts::new(pod);
    let wait = if flags.wait.is_zero() { checks.timeout } else { flags.wait };
    let budget = Budget { deadline: Instant::now() + wait, timeout: checks.timeout.min(wait) };
    let wanted = flags.wanted();
    let once = flags.wait.is_zero();
    let mut signals = Signals::new();
    let mut world = pod.clone();
    let run = async {
        match target::world(pod, flags.through.pid, &wanted, budget.step_deadline()).await {
            Ok(found) => {
                world = found;
                attempts.run(&world, &wanted, &budget, flags.wait_for_access, once).await;
            }
            Err(diagnosis) => attempts.end(diagnosis),
        }
    };
    let interrupted = tokio::select! {
        biased;
        () = signals.received() => true,
        () = run => false,
    };
    let report = attempts.into_report(&world, checks.container.clone(), checks.leniency(), interrupted);
    tell(console, pod, checks, &report).await;
    report.exit_code()
}

async fn watch(console: &Console, pod: &Pod, flags: &cli::WatchCommand) -> u8 {
    let checks = &flags.checks;
    log_to(&console.err, checks.log);
    let mut signals = Signals::new();
    let listener = match server::bind(flags.listen) {
        Ok(listener) => listener,
        Err(error) => {
            let text = format!(
                "irsa-probe watch cannot listen on {}: {error}; choose another --listen\n",
                flags.listen
            );
            return refuse(console, pod, &checks.termination_log, text).await;
        }
    };
    let address = listener.local_addr().unwrap_or(flags.listen);
    tracing::info!(%address, "serving /livez, /readyz and /metrics");
    let board = Arc::new(WatchStatus::new(flags.ready_grace));
    let metrics = Metrics { board: Arc::clone(&board), with_role_arn: flags.metrics_role_arn };
    let settings = WatchSettings {
        timeout: checks.timeout,
        leniency: checks.leniency(),
        container: checks.container.clone(),
    };
    let wanted = checks.wanted();
    let schedule = Schedule::new(flags.interval, fastrand::Rng::new());
    let mut watch = Watch::new(pod, &wanted, &settings, &board, schedule);
    let tell = async |news: Notice<'_>| match news {
        Notice::Verdict(report) => tell(console, pod, checks, report).await,
        Notice::Rotation { expires_at } => {
            tracing::info!(expires_at = expires_at.map(format_utc), "the token was rotated");
        }
        Notice::Steady(report) => {
            let diagnosis = report.diagnosis().map(|diagnosis| diagnosis.name().as_str());
            tracing::info!(outcome = report.outcome().as_str(), diagnosis, "no change");
        }
    };
    tokio::select! {
        biased;
        () = signals.received() => {}
        never = watch.run(tell) => match never {},
        never = server::serve(listener, metrics) => match never {},
        never = tell_cluster(pod, flags, &board) => match never {},
    }
    match watch.last() {
        Some(report) => report.exit_code(),
        None => {
            tell_kubelet(pod, checks, termination::NO_VERDICT.to_owned(), LAST_WORDS_TIMEOUT).await;
            if settings.leniency.observe { 0 } else { INTERRUPTED }
        }
    }
}

/// The pod that the API token names, once it can be read; none, if it names none.
async fn pod_reference(pod: &Pod, file: &Path, timeout: Duration) -> Option<PodReference> {
    let mut is_told = false;
    loop {
        let budget = Budget::single_pass(timeout);
        if let Some(claims) = token_file::api_token(pod, file, budget).await {
            return PodReference::from_claims(&claims);
        }
        if !std::mem::replace(&mut is_told, true) {
            let file = sanitize(&file.to_string_lossy());
            tracing::info!(%file, "no condition and no event is published, until the API token can be read");
        }
        tokio::time::sleep(API_TOKEN_PAUSE).await;
    }
}

/// Keeps the pod's condition and events, as far as they are wanted and the pod may be named.
async fn tell_cluster(pod: &Pod, flags: &cli::WatchCommand, board: &WatchStatus) -> Infallible {
    if flags.pod_condition.is_some() || flags.pod_events {
        let file = &flags.checks.identity.api_token_file;
        match Api::from_variables(pod, file) {
            Some(api) => {
                let reference = pod_reference(pod, file, flags.checks.timeout).await;
                if let Some(reference) = reference {
                    let condition = flags.pod_condition.clone();
                    publish(pod.clone(), api, reference, condition, flags.pod_events, board.subscribe())
                        .await;
                } else {
                    let file = sanitize(&file.to_string_lossy());
                    tracing::warn!(%file, "the API token does not name a pod: no condition and no event is published");
                }
            }
            None => tracing::warn!("there is no Kubernetes API here: no condition and no event is published"),
        }
    }
    std::future::pending().await
}

/// Says what was found to Kubernetes and to whoever reads the output.
async fn tell(console: &Console, pod: &Pod, checks: &cli::CheckArgs, report: &Report) {
    tell_kubelet(pod, checks, termination::message(report), TERMINATION_LOG_TIMEOUT).await;
    print_report(console, pod, checks.printing.output, report);
}

fn print_report(console: &Console, pod: &Pod, output: OutputFormat, report: &Report) {
    if is_text(output) {
        print(console, &text::page(report, colour(pod)));
    } else {
        print(console, &format!("{}\n", line(report)));
    }
}

async fn tell_kubelet(pod: &Pod, checks: &cli::CheckArgs, message: String, within: Duration) {
    let until = Instant::now() + within;
    if let Err(error) = pod.overwrite(&checks.termination_log, message, until).await {
        let file = sanitize(&checks.termination_log.to_string_lossy());
        tracing::info!(%file, %error, "no termination message");
    }
}

/// What ends the process.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn new() -> Self {
        Self {
            terminate: signal_or_never(SignalKind::terminate()),
            interrupt: signal_or_never(SignalKind::interrupt()),
        }
    }

    async fn received(&mut self) {
        tokio::select! {
            () = received(&mut self.terminate) => {}
            () = received(&mut self.interrupt) => {}
        }
    }
}

fn signal_or_never(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| tracing::warn!(%error, "a signal cannot be caught")).ok()
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn is_text(output: OutputFormat) -> bool {
    match output {
        OutputFormat::Auto => io::stdout().is_terminal(),
        OutputFormat::Text => true,
        OutputFormat::Json => false,
    }
}

fn colour(pod: &Pod) -> Color {
    let plain = pod.nonempty_variable("NO_COLOR").is_some()
        || pod.variable("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !plain { Color::Ansi } else { Color::None }
}

fn print(console: &Console, text: &str) {
    print_to(&console.out, text);
}

fn print_to(writer: &Writer, text: &str) {
    // The writer's thread is gone only if the process is about to end.
    let _ = writer.clone().write_all(text.as_bytes());
}

/// Logs of this program only: at no level does anything of the libraries below it get out.
fn log_to(writer: &Writer, level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
    };
    let ours = Targets::new().with_target("irsa_probe", level);
    let writer = writer.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let layer =
        if io::stderr().is_terminal() { layer.with_ansi(false).boxed() } else { layer.json().boxed() };
    tracing_subscriber::registry().with(layer.with_filter(ours)).init();
}

async fn print_trust_policy(console: &Console, pod: &Pod, flags: &cli::TrustPolicyCommand) -> u8 {
    let budget = Budget { deadline: Instant::now() + LOCAL_TIMEOUT, timeout: LOCAL_TIMEOUT };
    let output = flags.printing.output;
    let wanted = flags.identity.wanted();
    let judged = match target::world(pod, flags.through.pid, &wanted, budget.step_deadline()).await {
        Ok(world) => plan::trust_policy(&world, &wanted, budget).await,
        Err(diagnosis) => {
            let mut run = CheckRun::default();
            plan::nothing(diagnosis, &mut run);
            Err(run)
        }
    };
    match judged {
        Ok(TrustPolicyFacts { role, claims, run }) => {
            print_json(console, &needs::form(&role, &claims, run.warnings()), output);
            0
        }
        Err(run) => {
            let Some(found) = run.failures().next() else { return Class::NotJudged.exit_code() };
            print_json(console, &needs::failure(found), output);
            found.name().class().exit_code()
        }
    }
}

/// Prints why a role is refused. Nothing at AWS is changed.
async fn audit(console: &Console, pod: &Pod, flags: &cli::AuditCommand) -> u8 {
    let output = flags.printing.output;
    if flags.print_iam_policy {
        print_json(console, &operator_policy(), OutputFormat::Text);
        return 0;
    }
    let refused = async |text: String| refuse(console, pod, &flags.termination_log, text).await;
    let (began, started) = (pod.now(), Instant::now());
    let handed_in = flags.inputs().with_piped_report(pod.stdin_is_terminal());
    let inputs = match inputs::observe(pod, &handed_in, started + flags.timeout).await {
        Ok(inputs) => inputs,
        Err(bad) => return refused(format!("{bad}\n")).await,
    };
    let wanted = flags.wanted();
    let mut run = CheckRun::default();
    let found = match subject::asked(inputs.sources(&handed_in.flags)) {
        Ok(asked) => {
            let until = Instant::now() + flags.timeout;
            plan::audit(pod, &wanted, &inputs, asked, until, &mut run).await
        }
        Err(unclear) => match plan::audit_of_nobody(&wanted, &inputs, &unclear, &mut run) {
            Some(found) => found,
            None => return refused(format!("{unclear}\n")).await,
        },
    };
    let report = Report::of_audit(found, pod, (began, started), run);
    let until = Instant::now() + TERMINATION_LOG_TIMEOUT;
    // Outside a pod there is none.
    let _ = pod.overwrite(&flags.termination_log, termination::message(&report), until).await;
    print_report(console, pod, output, &report);
    report.exit_code()
}

/// Prints which credentials each SDK takes. Nothing that it finds is a failure of its own.
async fn print_chain(console: &Console, pod: &Pod, flags: &cli::ChainCommand) {
    let budget = Budget::single_pass(flags.timeout);
    let (wanted, output) = (flags.wanted(), flags.printing.output);
    let found = match target::world(pod, flags.through.pid, &wanted, budget.step_deadline()).await {
        Ok(world) => {
            let chains = plan::chain(&world, &wanted, budget).await;
            target::still(&world, budget.step_deadline()).await.map(|()| (world, chains))
        }
        Err(found) => Err(found),
    };
    match found {
        Ok((world, chains)) if is_text(output) => {
            print(console, &chains_report::page(&chains, &world, colour(pod)));
        }
        Ok((world, chains)) => print_json(console, &chains_report::form(&chains, &world), output),
        Err(found) if is_text(output) => print(console, &text::failure(&found, colour(pod))),
        Err(found) => print_json(console, &chains_report::failure(&found), output),
    }
}

/// Prints JSON: on one line for programs, with indentation for people.
fn print_json(console: &Console, value: &impl Serialize, output: OutputFormat) {
    let text =
        if is_text(output) { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    match text {
        Ok(text) => print(console, &format!("{}\n", escape_json(&text))),
        Err(error) => tracing::warn!(%error, "the answer could not be printed"),
    }
}

fn print_page(console: &Console, flags: &cli::ExplainCommand) -> u8 {
    let output = flags.printing.output;
    // Pages are text also for a pager; only who asks for JSON gets it.
    let as_text = output != OutputFormat::Json;
    match flags.name.as_deref() {
        None if as_text => print(console, &explain::list()),
        None => print_json(console, &explain::list_json(), output),
        Some(text) => match Name::parse(text) {
            Some(name) if as_text => print(console, &format!("{}\n", explain::page(name))),
            Some(name) => print_json(console, &explain::page_json(name), output),
            None => {
                let near = explain::did_you_mean(text);
                let hint = if near.is_empty() {
                    "the names are listed by: irsa-probe explain".to_owned()
                } else {
                    format!("did you mean {}?", near.join(", "))
                };
                print_to(&console.err, &format!("no diagnosis is called \"{}\"; {hint}\n", sanitize(text)));
                return cli::USAGE;
            }
        },
    }
    0
}
