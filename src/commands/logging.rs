//! The log on stderr.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::output::Console;

/// How much is logged to stderr.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Off,
    /// What went wrong in the probe itself.
    Warn,
    /// Also each further attempt.
    #[default]
    Info,
}

/// Starts the log: as text on a terminal, as JSON otherwise. It holds only what this program says: the libraries
/// below it can log secrets, so that nothing of theirs gets out at any level.
pub(super) fn start(console: &Console, level: LogLevel) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
    };
    let ours = Targets::new().with_target("irsa_probe", level);
    let writer = console.err.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    let layer =
        if io::stderr().is_terminal() { layer.with_ansi(false).boxed() } else { layer.json().boxed() };
    tracing_subscriber::registry().with(layer.with_filter(ours)).init();
}
