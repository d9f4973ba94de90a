//! What every check of a pod is given.

use tokio::time::Instant;

use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::run::options::CheckOptions;

/// Where checks look, what the user wants of them, and how much time they have.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The pod, as one process in it sees it.
    pub pod: &'a Pod,
    pub options: &'a CheckOptions,
    pub budget: Budget,
}

impl Probe<'_> {
    /// When a step that begins now must be over.
    pub(crate) fn step_deadline(&self) -> Instant {
        self.budget.step_deadline()
    }
}
