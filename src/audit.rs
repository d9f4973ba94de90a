//! Why a role was refused, for an operator's eyes: what the pod says, held against what AWS has.

pub mod claims;
pub mod inputs;
pub mod pod;
pub mod policy;
pub mod printed;
pub mod provider;
pub mod report;
