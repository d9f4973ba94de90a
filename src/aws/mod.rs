//! AWS as the probe meets it: names and partitions, the endpoint and the calls.
//!
//! No type of the AWS SDK leaves this module.

pub(crate) mod endpoint;
pub mod iam;
pub(crate) mod keys;
pub mod operator;
pub(crate) mod profile;
pub(crate) mod setting;
pub mod sts;
pub(crate) mod sts_errors;
pub mod transport;
