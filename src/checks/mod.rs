//! One file for each check: what it observes, and how it judges that.

pub mod application_sdk;
pub mod assume_role;
pub mod caller_identity;
pub mod credential_sources;
pub mod node_role;
pub mod refusal;
pub mod role_arn;
pub mod sdk_outcome;
pub mod sts_endpoint;
pub mod sts_reachable;
pub mod token;
pub mod token_file;
pub mod token_fresh;
pub mod web_identity;
