//! Where output goes: stdout, stderr and the file of the termination message. Only this file, `console.rs` and
//! `last_words.rs` print.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ContextValue;
use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::time::Instant;

use super::console::Writer;
use crate::host::Pod;
use crate::report::model::Report;
use crate::report::style::Color;
use crate::report::{json, text};
use crate::text::{escape_json, redact, sanitize};

/// Where Kubernetes reads why a container ended, unless the pod spec names another file.
pub(crate) const TERMINATION_LOG: &str = "/dev/termination-log";

/// How long a file system can take to store the termination message.
pub(crate) const TERMINATION_LOG_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the readers of stdout and stderr can take at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// The exit code for flags or inputs that cannot be used; `EX_USAGE` of sysexits.h.
pub(crate) const USAGE: u8 = 64;

/// Stdout and stderr.
#[derive(Clone)]
pub struct Console {
    out: Writer,
    pub(super) err: Writer,
}

impl Console {
    /// Opens both.
    #[expect(clippy::new_without_default, reason = "it starts threads")]
    pub fn new() -> Self {
        Self { out: Writer::new(|| Box::new(io::stdout())), err: Writer::new(|| Box::new(io::stderr())) }
    }

    /// Waits for the readers, at most half a second.
    pub fn drain(&self) {
        let until = std::time::Instant::now() + DRAIN_TIMEOUT;
        self.out.drain(until);
        self.err.drain(until);
    }

    pub(super) fn print(&self, text: &str) {
        print_to(&self.out, text);
    }

    pub(super) fn print_error(&self, text: &str) {
        print_to(&self.err, text);
    }
}

fn print_to(writer: &Writer, text: &str) {
    // The writer's thread is gone only if the process is about to end.
    let _ = writer.clone().write_all(text.as_bytes());
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct OutputArgs {
    /// Text for people, or one JSON object on one line; auto is text on a terminal, else JSON
    #[arg(long, value_enum, value_name = "FORM", env = "IRSA_PROBE_OUTPUT", default_value_t)]
    pub(super) output: OutputFormat,
}

/// The forms of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

impl OutputArgs {
    pub(super) const TEXT: Self = Self { output: OutputFormat::Text };

    /// Whether JSON was asked for by name.
    pub(super) fn is_json(self) -> bool {
        self.output == OutputFormat::Json
    }

    pub(super) fn is_text(self) -> bool {
        match self.output {
            OutputFormat::Auto => io::stdout().is_terminal(),
            OutputFormat::Text => true,
            OutputFormat::Json => false,
        }
    }

    pub(super) fn print_report(self, console: &Console, pod: &Pod, report: &Report) {
        if self.is_text() {
            console.print(&text::render(report, color(pod)));
        } else {
            console.print(&format!("{}\n", json::line(report)));
        }
    }

    /// Prints JSON: on one line for programs, with indentation for people.
    pub(super) fn print_json(self, console: &Console, value: &impl Serialize) {
        let text =
            if self.is_text() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        match text {
            Ok(text) => console.print(&format!("{}\n", escape_json(&text))),
            Err(error) => tracing::warn!(%error, "the answer could not be printed"),
        }
    }
}

/// Whether the text on stdout is colored.
pub(super) fn color(pod: &Pod) -> Color {
    let plain = pod.nonempty_variable("NO_COLOR").is_some()
        || pod.variable("TERM").is_some_and(|term| term == "dumb");
    if io::stdout().is_terminal() && !plain { Color::Ansi } else { Color::None }
}

/// Stores the termination message. Outside a pod there is no such file.
pub(super) async fn write_termination_log(pod: &Pod, file: &Path, message: String, timeout: Duration) {
    if let Err(error) = pod.overwrite(file, message, Instant::now() + timeout).await {
        let file = sanitize(&file.to_string_lossy());
        tracing::info!(%file, %error, "no termination message");
    }
}

/// Ends a run that cannot begin: says why on stderr and in the termination message.
pub(super) async fn refuse(console: &Console, pod: &Pod, termination_log: &Path, text: String) -> u8 {
    console.print_error(&text);
    write_termination_log(pod, termination_log, text, TERMINATION_LOG_TIMEOUT).await;
    USAGE
}

/// Prints the help or the version to stdout, or why the arguments cannot be used to stderr and to where
/// `kubectl describe pod` shows it.
pub(super) async fn print_usage(console: &Console, pod: &Pod, error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    let log = pod.raw_variable("IRSA_PROBE_TERMINATION_LOG").filter(|path| !path.is_empty());
    let log = log.map_or_else(|| PathBuf::from(TERMINATION_LOG), PathBuf::from);
    refuse(console, pod, &log, usage_text(error)).await
}

/// What clap says, which quotes the values that it refuses. What a value has before an `@` can be a user name and a
/// password, with a scheme or without.
fn usage_text(error: &clap::Error) -> String {
    let values = error.context().flat_map(|(_, value)| match value {
        ContextValue::String(value) => vec![value],
        ContextValue::Strings(values) => values.iter().collect(),
        _ => Vec::new(),
    });
    let text = values.fold(error.to_string(), |text, value| match value.rsplit_once('@') {
        Some((before, host)) if before.contains(':') => {
            text.replace(value, &format!("[credentials not shown]@{host}"))
        }
        _ => text,
    });
    escape_json(&redact(&text))
}
