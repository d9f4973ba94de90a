//! The parts of an audit: what is handed in, what IAM and the issuer say, and the trust policy.

mod hostile;
mod iam;
mod issuer;
mod pods;
mod reports;
