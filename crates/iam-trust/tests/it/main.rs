//! The evaluator from outside: cases from AWS's documentation, and properties of made-up policies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads the folder of its cases"
)]

mod corrections;
mod documented;
mod generated;
mod near_policies;
mod properties;
