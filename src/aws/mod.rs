//! AWS as the probe meets it: names and partitions, the endpoint and the calls.
//!
//! No type of the AWS SDK leaves this module.

pub mod endpoint;
pub mod iam;
pub mod operator;
pub mod profile;
pub mod sts;
pub mod sts_errors;
pub mod transport;
