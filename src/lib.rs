//! Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why.

pub mod aws {
    pub mod arn;
    pub mod partition;
}
pub mod diagnosis;
pub mod evidence;
pub mod pod;
pub mod shown;
pub mod token;
pub mod trust_policy;
