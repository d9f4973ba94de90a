//! What several checks need: the process that is inspected, and what SDKs find in the pod.

pub mod chain_input;
pub(crate) mod container_endpoint;
pub(crate) mod imds;
pub(crate) mod target;
