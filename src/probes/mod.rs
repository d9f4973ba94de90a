//! What several checks look at: the process that is inspected, and where SDKs find credentials.

pub mod chain_input;
pub mod container_endpoint;
pub mod imds;
pub mod target;
