//! The report: what a run found, and how it is printed.

mod audit;
pub mod chain;
pub mod facts;
pub mod json;
pub mod model;
pub mod needs;
pub mod style;
pub mod termination;
pub mod text;
