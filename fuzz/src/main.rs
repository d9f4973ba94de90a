//! Prints generated trust policies with what iam-trust makes of them, for another evaluator to judge.
//!
//! `cargo run --package fuzz -- COUNT` prints a line of JSON with the token's claims, and then one for each policy:
//! the policy, the decision, and the corrected policy or `null`.

use std::io::{self, BufWriter, Write};

use iam_trust::correct::correct;
use iam_trust::document;
use iam_trust::evaluate::{Decision, evaluate};
use near_policies::{CHECKOUT, ISSUER, any_policy, token};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;

// The tests of iam-trust use the rest of it.
#[allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../crates/iam-trust/tests/it/near_policies.rs"]
mod near_policies;

#[allow(clippy::disallowed_methods, reason = "there is no pod here")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).ok_or("how many policies?")?.parse()?;
    let request = token(ISSUER, CHECKOUT);
    let mut out = BufWriter::new(io::stdout().lock());
    let claims = json!({"issuer": ISSUER, "subject": CHECKOUT, "audience": "sts.amazonaws.com"});
    writeln!(out, "{claims}")?;
    let mut runner = TestRunner::deterministic();
    for _ in 0..count {
        let policy = any_policy(1..4).new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        let decision = match evaluate(&document::read(&policy)?, &request).decision {
            Decision::Allows(_) => "allows",
            Decision::Refuses => "refuses",
            Decision::Denies(_) => "denies",
            Decision::Undecidable(_) => "undecidable",
        };
        let corrected = correct(&policy, &request).ok().map(|corrected| corrected.document);
        writeln!(out, "{}", json!({"policy": policy, "decision": decision, "corrected": corrected}))?;
    }
    Ok(out.flush()?)
}
