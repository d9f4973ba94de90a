//! Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why.

pub mod audit;
pub mod aws;
pub mod checks;
pub mod commands;
pub mod diagnosis;
pub mod env;
pub mod evidence;
pub mod host;
pub mod injection;
pub mod kubernetes;
pub mod net;
pub mod plan;
pub mod probes;
pub mod report;
pub mod run;
pub mod sdk_scan;
pub mod text;
pub mod token;
pub mod watch;
pub mod wire;
