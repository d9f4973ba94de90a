//! How long it takes to correct many large policies, and how that grows with a policy's size.
//!
//! `cargo bench --package iam-trust` prints both. The targets: 10,000 policies of 50 statements in less than 10 s, and a
//! policy of twice the size in at most four times the time. It judges neither: a busy machine is not an error.
//!
//! All statements but one are for other service accounts and right; the other one is for the token, or nearly. IAM does
//! not store policies of this size, so that most corrections are found, checked, and withheld as too long.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and fails by panicking"
)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it/near_policies.rs"]
mod near_policies;

use std::time::{Duration, Instant};

use iam_trust::correct::{Uncorrected, correct};
use near_policies::{CHECKOUT, ISSUER, any_policy, key, provider_arn, token};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// The statement of another service account.
fn other_statement(index: usize) -> Value {
    json!({
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn(ISSUER)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {key(ISSUER, "sub"): format!("system:serviceaccount:team-{index}:app")}},
    })
}

/// The time for so many policies, and how many were corrected, withheld as too long, and left to their author.
fn time(policies: usize, statements: usize) -> (Duration, [usize; 3]) {
    let mut runner = TestRunner::deterministic();
    let strategy = any_policy(1);
    let request = token(ISSUER, CHECKOUT);
    let (mut took, mut ends) = (Duration::ZERO, [0; 3]);
    for _ in 0..policies {
        let mut policy = strategy.new_tree(&mut runner).unwrap().current();
        let list = policy["Statement"].as_array_mut().unwrap();
        list.extend((1..statements).map(other_statement));
        let start = Instant::now();
        let end = correct(&policy, &request);
        took += start.elapsed();
        ends[match end {
            Ok(_) => 0,
            Err(Uncorrected::TooLong(_)) => 1,
            Err(_) => 2,
        }] += 1;
    }
    (took, ends)
}

fn main() {
    println!("policies  statements  seconds  corrected  too long  left");
    for (policies, statements) in [(10_000, 50), (10_000, 10), (1_000, 100), (1_000, 200), (1_000, 400)] {
        let (took, [corrected, too_long, left]) = time(policies, statements);
        let seconds = took.as_secs_f64();
        println!("{policies:8}  {statements:10}  {seconds:7.2}  {corrected:9}  {too_long:8}  {left:4}");
    }
}
