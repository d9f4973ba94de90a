//! What the cluster is told about the pod: by the pod's condition, and by its events.

use crate::diagnosis::Name;

pub const ROLE_WORKS: &str = "RoleWorks";

/// The status of the pod, for its condition and its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// What `/readyz` says.
    pub ready: bool,
    /// The name of the diagnosis, or [`ROLE_WORKS`].
    pub reason: String,
    /// The reason in words, in at most 1,024 bytes: the API accepts no more.
    pub message: String,
    /// What is odd besides.
    pub warnings: Vec<Warning>,
}

impl PodStatus {
    /// Whether the cluster learns nothing from the other one. A message alone, which contains times, is no news.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        (self.ready, &self.reason) == (other.ready, &other.reason)
            && Warning::names(&self.warnings).eq(Warning::names(&other.warnings))
    }
}

/// A warning, and what it means in this pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub name: Name,
    /// What is odd, in full sentences.
    pub cause: String,
}

impl Warning {
    pub(super) fn names(warnings: &[Self]) -> impl Iterator<Item = Name> {
        warnings.iter().map(|warning| warning.name)
    }
}
