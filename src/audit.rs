//! Why a role is refused, for an operator who may look at AWS's side.
//!
//! Data flows one way: what is given in files ([`inputs`]) and what IAM ([`iam`]) and the token's issuer
//! ([`issuer`]) say is evidence; for whom a role is asked is put together of it ([`claims`]), and laid beside
//! the role's trust policy.

pub mod claims;
pub mod iam;
pub mod inputs;
pub mod issuer;
pub mod pod;
pub mod policy;
pub mod printed;
pub mod provider;
pub mod report;
