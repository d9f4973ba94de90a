//! The report: what a run found, and how it is printed.

mod audit;
pub(crate) mod chain;
pub(crate) mod facts;
pub(crate) mod json;
pub mod model;
pub(crate) mod needs;
pub(crate) mod style;
pub(crate) mod termination;
pub(crate) mod text;
