//! AWS as a pod sees it, on loopback: an OIDC issuer, a TLS STS that really verifies what it is
//! sent, DNS, a CONNECT proxy, the pod's part of the Kubernetes API, and their faults.
//!
//! It judges `irsa-probe` from outside and so shares no code with it. Start at [`scenario`], which
//! says what a world may hold, and [`world`], which starts one and runs a program in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests run this crate, and a testbed that cannot start has to stop the test at once"
)]

pub mod archive;
pub mod clock;
pub mod dns;
pub mod executable;
pub mod faults;
pub mod form;
pub mod iam;
pub mod iam_api;
pub mod issuer;
pub mod kubernetes;
pub mod link;
pub mod node;
mod parameters;
pub mod proxy;
mod random;
pub mod scenario;
pub mod secrets;
pub mod sigv4;
pub mod sts;
mod task;
pub mod tls;
pub mod token;
pub mod volume;
pub mod world;
mod xml;

pub use scenario::{Scenario, ScenarioError};
pub use world::{Finished, Running, World};
