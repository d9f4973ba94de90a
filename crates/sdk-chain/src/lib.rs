//! Says which credentials each AWS SDK takes in a given environment, and why.
//!
//! The chains of the SDKs differ in order, in what counts as set, in how they read the shared files, and in what a
//! failure leads to. This crate holds them as data. It does no I/O: the caller reads the environment into a
//! [`ChainInput`](situation::ChainInput), and the answer depends on that alone.
//!
//! ```
//! use sdk_chain::situation::{ChainInput, TokenFile};
//! use sdk_chain::{CredentialSource, SdkId, resolve};
//!
//! // A pod with IRSA, and half a pair of keys in its environment.
//! let mut input = ChainInput::default();
//! for (name, value) in [
//!     ("AWS_REGION", "eu-west-1"),
//!     ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/cart"),
//!     ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
//!     ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
//! ] {
//!     input.set_variable(name, value);
//! }
//! input.tokens.insert("/token".to_owned(), TokenFile::Readable { length: 1200, line_break: false });
//!
//! assert_eq!(resolve(SdkId::GoV2, &input).source, CredentialSource::WebIdentity);
//! let python = resolve(SdkId::Boto, &input);
//! assert_eq!(python.source, CredentialSource::Error);
//! assert_eq!(python.reason, "AWS_ACCESS_KEY_ID is set without its secret.");
//! ```
//!
//! [`sdks`] declares the rules of each SDK and their sources, in the words of [`rules`]. [`walk`] says what the
//! rules mean. [`dialect`] and [`ini`] read the shared files as each SDK does.

#![deny(missing_docs)]

mod application;
mod credential_source;
pub mod dialect;
pub mod ini;
mod resolution;
pub mod rules;
mod sdk_id;
pub mod sdks;
pub mod situation;
pub mod walk;

pub use application::{ApplicationSdks, ChainContext};
pub use credential_source::CredentialSource;
pub use resolution::{Resolution, names_of, resolve, resolve_all};
pub use sdk_id::SdkId;
