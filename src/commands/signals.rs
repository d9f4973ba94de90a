//! The signals that end the process: SIGTERM and SIGINT.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Lets each signal end the process at once, whatever it is doing, for commands that have nothing to say then.
pub(super) fn exit_when_signaled() {
    for signal in [SIGTERM, SIGINT] {
        let always = Arc::new(AtomicBool::new(true));
        if let Err(error) = register_conditional_shutdown(signal, INTERRUPTED.into(), always) {
            tracing::warn!(%error, "a signal cannot be caught");
        }
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
