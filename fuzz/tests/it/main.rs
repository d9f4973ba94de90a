//! Generated input for what irsa-probe reads: nothing panics, what is said is bounded, and no secret is printed.
//!
//! `PROPTEST_CASES` says how many inputs each test tries. They are different ones in each run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod audit_inputs;
mod issuers;
mod parsers;
mod trust_policies;
