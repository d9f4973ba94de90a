//! The report: what a run found ([`model`]), as text, as JSON and as the termination message.
//!
//! The JSON forms themselves are in [`crate::wire`].

mod audit;
pub(crate) mod chain;
pub(crate) mod facts;
pub(crate) mod json;
pub mod model;
pub(crate) mod needs;
pub(crate) mod style;
pub(crate) mod termination;
pub(crate) mod text;
