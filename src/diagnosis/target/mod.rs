//! Inspecting a pod through one of its other processes.
//!
//! Linux decides whether that is allowed: `ptrace_may_access` with `PTRACE_MODE_READ_FSCREDS`, see ptrace(2), "Ptrace
//! access mode checking". What each profile of `kubectl debug` allows was tried on a cluster.

mod debug;
mod no_identity;
mod not_found;
mod not_readable;

pub(crate) use no_identity::TargetHasNoIdentity;
pub(crate) use not_found::{TargetNotFound, TargetSearch};
pub(crate) use not_readable::TargetNotReadable;

use super::Diagnosis;
use crate::evidence::Evidence;
use crate::host::process::Process;
use crate::host::{ProcAccessError, ProcFault};
use crate::text::sanitize;

/// The process cannot be inspected, or not completely.
#[derive(Debug, Clone)]
pub(crate) struct InaccessibleTarget {
    pub(crate) error: ProcAccessError,
    /// The pod's name, if known.
    pub(crate) pod: Option<String>,
}

impl From<InaccessibleTarget> for Diagnosis {
    fn from(target: InaccessibleTarget) -> Self {
        let InaccessibleTarget { error, pod } = target;
        match error.fault {
            ProcFault::Exited => TargetNotFound { search: TargetSearch::Ended(error.process), pod }.into(),
            _ => TargetNotReadable { error, pod }.into(),
        }
    }
}

/// A process in a sentence.
fn words(process: &Process) -> String {
    format!("process {} ({}), user {}", process.pid, sanitize(&process.name), process.user.uid)
}

fn evidence(process: &Process) -> Evidence {
    Evidence::new()
        .value("target_pid", process.pid)
        .text("target_name", &process.name)
        .value("target_uid", process.user.uid)
        .value("target_gid", process.user.gid)
}
