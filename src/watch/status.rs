//! Status to publish to the pod.

use crate::diagnosis::Name;

/// The reason while the role works.
pub const ROLE_WORKS: &str = "RoleWorks";

/// How the sidecar stands, as the cluster is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodStatus {
    /// What `/readyz` says.
    pub ready: bool,
    /// Whether the role works.
    pub works: bool,
    /// The name of the diagnosis, or [`ROLE_WORKS`].
    pub reason: String,
    /// Why, for a reader, in at most 1,024 bytes, since the API takes no more.
    pub message: String,
    /// What was found beside that.
    pub warnings: Vec<Warning>,
}

/// A warning, and what it means here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Its name.
    pub name: Name,
    /// What is wrong, in full sentences.
    pub cause: String,
}
