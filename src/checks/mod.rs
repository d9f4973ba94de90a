//! One file for each check: what it observes, and how it judges that.

pub(crate) mod application_sdk;
pub(crate) mod assume_role;
pub(crate) mod caller_identity;
pub(crate) mod credential_sources;
pub(crate) mod node_role;
pub mod refusal;
pub(crate) mod role_arn;
pub(crate) mod sdk_outcome;
pub(crate) mod sts_endpoint;
pub(crate) mod sts_reachable;
pub(crate) mod token;
pub mod token_file;
pub(crate) mod token_fresh;
pub(crate) mod web_identity;
