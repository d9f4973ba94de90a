//! Why STS refused: the trust policy and the provider, seen with an operator's eyes.

pub mod iam;
