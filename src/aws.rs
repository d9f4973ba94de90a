//! AWS as the probe meets it: names and partitions, the endpoint, the connection and the calls.
//!
//! No type of the AWS SDK leaves this module.

pub mod arn;
pub mod connect;
pub mod dns;
pub mod endpoint;
pub mod partition;
pub mod profile;
pub mod proxy;
pub mod sts;
pub mod tls;
