//! What a check finds: a verdict, and the fact that later checks need.

use crate::diagnosis::Diagnosis;
use crate::run::check::Check;

/// What a check found: its fact holds, perhaps with warnings, or it does not.
#[derive(Debug)]
pub enum Verdict<T> {
    Pass(T),
    Warn(T, Vec<Diagnosis>),
    Fail(Diagnosis),
}

impl<T> Verdict<T> {
    /// The fact holds, with these warnings if there are any.
    pub(crate) fn holds(fact: T, warnings: Vec<Diagnosis>) -> Self {
        if warnings.is_empty() { Self::Pass(fact) } else { Self::Warn(fact, warnings) }
    }

    pub(crate) fn fail(entry: impl Into<Diagnosis>) -> Self {
        Self::Fail(entry.into())
    }
}

/// A fact is not known, because this check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockedBy(pub(crate) Check);

/// What a check hands to later ones: its fact, or the check whose failure keeps it unknown.
///
/// A later check asks for it with `fact.get()?`. If the fact is unknown, that check is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T>(Result<T, BlockedBy>);

impl<T> Fact<T> {
    /// The fact.
    ///
    /// # Errors
    /// The check that failed.
    pub(crate) fn get(&self) -> Result<&T, BlockedBy> {
        self.0.as_ref().map_err(|blocked| *blocked)
    }

    /// The fact, for a check that uses it up.
    ///
    /// # Errors
    /// The check that failed.
    pub(crate) fn take(self) -> Result<T, BlockedBy> {
        self.0
    }

    pub(crate) fn known(&self) -> Option<&T> {
        self.0.as_ref().ok()
    }
}

impl<T> From<Result<T, BlockedBy>> for Fact<T> {
    fn from(result: Result<T, BlockedBy>) -> Self {
        Self(result)
    }
}
