//! Evaluates the trust policy of an AWS IAM role for `sts:AssumeRoleWithWebIdentity`, offline.
//!
//! IAM answers a refused call with one sentence and no reason. This crate reads the policy, evaluates it for
//! one token, names the condition that fails, says how it differs from the token, and proposes a correction.
//! It does no I/O. Where the AWS documentation does not say how IAM decides, the answer is *undecidable*
//! rather than a guess.
//!
//! ```
//! use iam_trust::{arn, document, evaluate, mismatch, request::Request};
//!
//! let policy = document::parse(r#"{
//!     "Version": "2012-10-17",
//!     "Statement": {
//!         "Effect": "Allow",
//!         "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id/A"},
//!         "Action": "sts:AssumeRoleWithWebIdentity",
//!         "Condition": {"StringEquals": {"oidc.example.com/id/A:sub": "system:serviceaccount:shop:cart"}}
//!     }
//! }"#)?;
//! let role = arn::parse("arn:aws:iam::111122223333:role/cart").expect("a role ARN");
//! let subject = "system:serviceaccount:store:cart";
//! let request = Request::new(&role, "https://oidc.example.com/id/A", subject, &["sts.amazonaws.com".into()]);
//!
//! let evaluation = evaluate::evaluate(&policy, &request);
//! assert_eq!(evaluation.decision, evaluate::Decision::Refuses);
//!
//! let refusals = mismatch::explain_refusal(&policy, &evaluation, &request);
//! let namespace = mismatch::Mismatch::Subject(mismatch::SubjectDifference::Namespace);
//! assert_eq!(refusals[0].mismatch, namespace);
//! # Ok::<(), document::PolicyError>(())
//! ```
//!
//! The way of a policy: [`document`] parses it, [`evaluate`] decides ([`condition`], [`pattern`] and
//! [`variable`] know the language, [`request`] knows the call), [`mismatch`] explains a refusal,
//! [`reading`] says whether policy or pod is likelier wrong, [`reach`] says who else gets in, [`correct`] proposes a
//! changed policy, [`render`] shows both. [`needed()`] builds a policy from nothing.

#![deny(missing_docs)]

pub mod arn;
pub mod condition;
pub mod correct;
pub mod document;
pub mod evaluate;
pub mod issuer;
pub mod mismatch;
mod needed;
pub mod partition;
pub mod pattern;
pub mod reach;
pub mod reading;
pub mod render;
pub mod request;
pub mod variable;

pub use arn::{issuer_without_scheme, provider_arn};
pub use needed::{Needed, OidcProvider, TrustPolicy, USUAL_AUDIENCE, literal, needed};
