//! The signals that end the process: SIGTERM and SIGINT.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::host::command::is_idle;
use crate::report::model::INTERRUPTED;

pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self { terminate: catch(SignalKind::terminate()), interrupt: catch(SignalKind::interrupt()) }
    }

    pub(super) async fn received(&mut self) {
        tokio::select! {
            () = received(&mut self.terminate) => {}
            () = received(&mut self.interrupt) => {}
        }
    }
}

/// The exit code of a command, unless a signal ends it. A signal ends the process at once, whatever the command is doing;
/// only where it runs a program, the command is given up first, and the program with it.
pub(super) async fn or_interrupted(command: impl Future<Output = u8>) -> u8 {
    let mut signals = Signals::new();
    for signal in [SIGTERM, SIGINT] {
        if let Err(error) = register_conditional_shutdown(signal, INTERRUPTED.into(), is_idle()) {
            tracing::warn!(%error, "a signal cannot be caught");
        }
    }
    tokio::select! {
        biased;
        () = signals.received() => INTERRUPTED,
        code = command => code,
    }
}

fn catch(kind: SignalKind) -> Option<Signal> {
    signal(kind).inspect_err(|error| tracing::warn!(%error, "a signal cannot be caught")).ok()
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
