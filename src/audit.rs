//! Why a role was refused, for an operator's eyes: what the pod says, held against what AWS has.

pub mod report;
