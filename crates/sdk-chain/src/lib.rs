//! FRONT

mod application;
pub mod dialect;
pub mod ini;
mod resolution;
pub mod rules;
mod sdk_id;
pub mod sdks;
pub mod situation;
pub mod walk;

pub use application::{ApplicationSdks, ChainContext};
pub use resolution::{CredentialSource, Resolution, answer, answers, names};
pub use sdk_id::SdkId;
