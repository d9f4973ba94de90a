//! What several checks look at: the process that is inspected, and where SDKs find credentials.

pub mod chain_input;
pub(crate) mod container_endpoint;
pub(crate) mod imds;
pub(crate) mod target;
