//! The answers that are given in place of IAM's, one after the other.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::Step;

/// Answers in order; the last one repeats.
pub(super) struct Script(Mutex<VecDeque<Step>>);

impl Script {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        Self(Mutex::new(steps.into()))
    }

    /// Begins with these from now on.
    pub(super) fn replace(&self, steps: Vec<Step>) {
        *self.0.lock().unwrap() = steps.into();
    }

    pub(super) fn next(&self) -> Step {
        let mut steps = self.0.lock().unwrap();
        let next = if steps.len() > 1 { steps.pop_front() } else { steps.front().cloned() };
        next.unwrap_or_default()
    }
}
