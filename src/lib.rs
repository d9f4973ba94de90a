//! Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why.

pub mod attempts;
pub mod audit;
pub mod aws;
pub mod backoff;
pub mod chain;
pub mod checks;
pub mod cli;
pub mod diagnosis;
pub mod evidence;
pub mod explain;
pub mod kubernetes;
pub mod net;
pub mod plan;
pub mod pod;
pub mod report;
pub mod run;
pub mod sdk;
pub mod shown;
pub mod target;
pub mod token;
pub mod trust_policy;
pub mod watch;
