//! Corrects a policy so that it lets a token in, with the smallest change.
//!
//! A spelling error is fixed in its place. A value that another caller can need stays, and the token's value is
//! added beside it: a subject to a list, or a statement at the end. An element that keeps callers out, such as
//! a Deny, an exclusion or a condition on something else than the token, is its author's to change: then there
//! is no correction. The result is evaluated again and returned only if it allows the call.

use serde_json::{Map, Value};

use super::document::{self, Document};
use super::evaluate::{Decision, ElementKind, evaluate};
use super::mismatch::{ExplainedRefusal, Mismatch, SubjectDifference, exclusions, explain_refusal};
use super::pattern::Pattern;
use super::reach::{Reach, reach_of, subject_patterns};
use super::request::{ACTION, Request};
use super::{TrustPolicy, literal};

/// A corrected policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectedPolicy {
    /// The whole corrected document.
    pub document: Value,
    /// The kind of correction.
    pub kind: CorrectionKind,
}

/// A kind of correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorrectionKind {
    /// The statement at this index was changed.
    InPlace(usize),
    /// A statement was added at the end.
    Added,
}

/// Corrects a policy so that it allows a call. `statement` is added if no statement can be fixed. `None` if the
/// document is malformed, allows the call already, or refuses it by an element that only its author can change.
#[must_use]
pub fn correct(text: &Value, statement: &TrustPolicy, request: &Request) -> Option<CorrectedPolicy> {
    let document = document::read(text).ok()?;
    let evaluation = evaluate(&document, request);
    if evaluation.decision != Decision::Refuses {
        return None;
    }
    let misses = explain_refusal(&document, &evaluation, request);
    let is_kept_out = misses.iter().any(ExplainedRefusal::is_deliberate);
    if is_kept_out || !exclusions(&document, &evaluation, request).is_empty() {
        return None;
    }
    let in_place = || {
        let index = misses.first()?.statement;
        let fixed = fix_statement(text.clone(), index, &misses, request)?;
        let is_right = allows(&fixed, request) && !widens(&document, &fixed, index, request);
        is_right.then_some(CorrectedPolicy { document: fixed, kind: CorrectionKind::InPlace(index) })
    };
    let added = || {
        let longer = append_statement(text.clone(), statement)?;
        allows(&longer, request).then_some(CorrectedPolicy { document: longer, kind: CorrectionKind::Added })
    };
    in_place().or_else(added)
}

fn allows(text: &Value, request: &Request) -> bool {
    let allowing = |document: Document| matches!(evaluate(&document, request).decision, Decision::Allows(_));
    document::read(text).is_ok_and(allowing)
}

/// Whether the fixed statement lets in callers that no pattern of its author names.
fn widens(before: &Document, fixed: &Value, index: usize, request: &Request) -> bool {
    let Ok(after) = document::read(fixed) else { return true };
    let alone =
        |document: &Document| document.statements.get(index).and_then(|it| reach_of(document, it, request));
    let (had, has) = (alone(before), alone(&after));
    let says_so =
        after.statements.get(index).is_some_and(|it| subject_patterns(it, request).next().is_some());
    has > had && !(says_so && has < Some(Reach::Providers))
}

/// The statement at an index, in a list or alone.
fn statement_mut(text: &mut Value, index: usize) -> Option<&mut Map<String, Value>> {
    match text.get_mut("Statement")? {
        Value::Array(statements) => statements.get_mut(index)?.as_object_mut(),
        Value::Object(one) => Some(one),
        _ => None,
    }
}

/// Fixes every mismatch of a statement; `None` if one of them cannot be fixed in place.
fn fix_statement(
    mut text: Value,
    index: usize,
    misses: &[ExplainedRefusal],
    request: &Request,
) -> Option<Value> {
    let statement = statement_mut(&mut text, index)?;
    let exchanged = swap_claim_keys(statement, misses, request);
    for ExplainedRefusal { element, mismatch: miss, .. } in misses {
        match (&element.kind, miss) {
            (_, Mismatch::KeySwapped { .. }) if exchanged => {}
            (ElementKind::Principal, Mismatch::Issuer(gap)) if gap.is_spelling() => {
                replace_provider(statement, &element.expected, request)?;
            }
            (ElementKind::Action("Action"), Mismatch::Action) => {
                add_value(statement.get_mut("Action")?, ACTION)
            }
            (ElementKind::Condition { operator, key }, miss) => {
                fix_condition(
                    statement.get_mut("Condition")?.as_object_mut()?,
                    (operator, key),
                    &element.expected,
                    miss,
                    request,
                )?;
            }
            _ => return None,
        }
    }
    Some(text)
}

/// Replaces the only provider with the token's provider.
fn replace_provider(statement: &mut Map<String, Value>, wanted: &[String], request: &Request) -> Option<()> {
    let [_] = wanted else { return None };
    let federated = statement.get_mut("Principal")?.as_object_mut()?.get_mut("Federated")?;
    match federated {
        Value::String(one) => *one = request.provider_arn(),
        Value::Array(list) => *list = vec![Value::String(request.provider_arn())],
        _ => return None,
    }
    Some(())
}

fn fix_condition(
    operators: &mut Map<String, Value>,
    (operator, key): (&str, &str),
    wanted: &[String],
    miss: &Mismatch,
    request: &Request,
) -> Option<()> {
    let keys = operators.get_mut(operator)?.as_object_mut()?;
    let claim = key.rsplit_once(':')?.1.to_owned();
    match miss {
        Mismatch::Issuer(gap) if gap.is_spelling() => {
            rename_key(keys, key, &format!("{}:{claim}", request.provider()))
        }
        Mismatch::KeySwapped { meant, .. } => {
            rename_key(keys, key, &format!("{}:{meant}", request.provider()))
        }
        Mismatch::Audience => {
            let [audience] = request.audience.as_slice() else { return None };
            add_value(keys.get_mut(key)?, &literal(audience));
            Some(())
        }
        Mismatch::Subject(
            SubjectDifference::Case | SubjectDifference::Prefix | SubjectDifference::Swapped,
        ) => {
            let value = keys.get_mut(key)?;
            // Of several only one is meant, and which is not known.
            match value {
                Value::String(one) => *one = literal(&request.subject),
                list => add_value(list, &literal(&request.subject)),
            }
            Some(())
        }
        Mismatch::Subject(
            SubjectDifference::Namespace | SubjectDifference::Name | SubjectDifference::Whole,
        ) => {
            add_value(keys.get_mut(key)?, &literal(&request.subject));
            Some(())
        }
        // What is beside the pattern is compared as it was, and both operators on one key would have to hold.
        Mismatch::SubjectWildcard { operator: pattern } => {
            let fits = |value: &String| Pattern::parse(value).matches(&request.subject);
            let moves = wanted.iter().all(fits) && !operator.contains("IgnoreCase");
            if moves { move_to_operator(operators, operator, key, pattern) } else { None }
        }
        _ => None,
    }
}

/// Adds a text to a single value or a list.
fn add_value(value: &mut Value, text: &str) {
    let more = Value::String(text.to_owned());
    match value {
        Value::Array(list) if !list.contains(&more) => list.push(more),
        Value::Array(_) => {}
        one => *one = Value::Array(vec![one.take(), more]),
    }
}

/// Swaps the keys for subject and audience where each has the other's value under one operator. Returns whether
/// it did.
fn swap_claim_keys(
    statement: &mut Map<String, Value>,
    misses: &[ExplainedRefusal],
    request: &Request,
) -> bool {
    let swapped: Vec<(&str, &str)> = misses
        .iter()
        .filter(|named| matches!(named.mismatch, Mismatch::KeySwapped { .. }))
        .filter_map(|named| match &named.element.kind {
            ElementKind::Condition { operator, key } => Some((operator.as_str(), key.as_str())),
            ElementKind::Principal | ElementKind::Action(_) => None,
        })
        .collect();
    let [(operator, one), (other_operator, other)] = swapped.as_slice() else { return false };
    let keys = statement.get_mut("Condition").and_then(|condition| condition.get_mut(*operator));
    let (Some(Value::Object(keys)), true) = (keys, operator == other_operator) else { return false };
    let entries = std::mem::take(keys);
    let right = |name: String| match name.rsplit_once(':') {
        Some((_, claim)) if name == *one || name == *other => {
            let meant = if claim.eq_ignore_ascii_case("sub") { "aud" } else { "sub" };
            format!("{}:{meant}", request.provider())
        }
        _ => name,
    };
    *keys = entries.into_iter().map(|(name, value)| (right(name), value)).collect();
    true
}

/// Renames a key in its place; `None` if the new key exists already.
fn rename_key(map: &mut Map<String, Value>, from: &str, to: &str) -> Option<()> {
    if map.keys().any(|name| name.eq_ignore_ascii_case(to) && name != from) {
        return None;
    }
    let entries = std::mem::take(map);
    *map = entries
        .into_iter()
        .map(|(name, value)| (if name == from { to.to_owned() } else { name }, value))
        .collect();
    Some(())
}

/// Moves a key to another operator. The new operator comes before the old one if the key was first there, else
/// after it, so that the difference shows only this key moving.
fn move_to_operator(operators: &mut Map<String, Value>, from: &str, key: &str, to: &str) -> Option<()> {
    let keys = operators.get_mut(from)?.as_object_mut()?;
    let is_first = keys.keys().next().is_some_and(|first| first == key);
    let value = keys.shift_remove(key)?;
    let is_empty = keys.is_empty();
    match operators.get_mut(to) {
        Some(others) => {
            let others = others.as_object_mut()?;
            if others.contains_key(key) {
                return None;
            }
            others.insert(key.to_owned(), value);
        }
        None => {
            let entries = std::mem::take(operators);
            let moved = Value::Object([(key.to_owned(), value)].into_iter().collect());
            for (name, keys) in entries {
                let is_it = name == from;
                if is_it && is_first {
                    operators.insert(to.to_owned(), moved.clone());
                }
                operators.insert(name, keys);
                if is_it && !is_first {
                    operators.insert(to.to_owned(), moved.clone());
                }
            }
        }
    }
    if is_empty {
        operators.shift_remove(from);
    }
    Some(())
}

/// Appends a statement to the policy.
fn append_statement(mut text: Value, needed: &TrustPolicy) -> Option<Value> {
    let policy = serde_json::to_value(needed).ok()?;
    let statement = policy.get("Statement")?.get(0)?.clone();
    let document = text.as_object_mut()?;
    match document.get_mut("Statement")? {
        Value::Array(statements) => statements.push(statement),
        one => *one = Value::Array(vec![one.take(), statement]),
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{CorrectionKind, correct};
    use crate::needed;
    use crate::request::sample;
    use serde_json::{Value, json};

    const PROVIDER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const SUBJECT: &str = "system:serviceaccount:payments:checkout";

    fn corrected(policy: &Value) -> Option<(Value, CorrectionKind)> {
        let request = sample("arn:aws:iam::111122223333:role/payments-checkout");
        correct(policy, &needed(&request).trust_policy, &request).map(|found| (found.document, found.kind))
    }

    fn policy(provider: &str, operator: &str, key: &str, value: &Value) -> Value {
        json!({
            "Version": "2012-10-17",
            "Statement": {
                "Sid": "Pods",
                "Effect": "Allow",
                "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{provider}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {operator: {key: value}},
            },
        })
    }

    #[test]
    fn a_slip_is_mended_where_it_is() {
        let sub = format!("{PROVIDER}:sub");
        let good = |value: &Value| policy(PROVIDER, "StringEquals", &sub, value);
        for (what, wrong, right) in [
            (
                "a name",
                good(&json!("system:serviceaccount:payments:cart")),
                good(&json!(["system:serviceaccount:payments:cart", SUBJECT])),
            ),
            ("a prefix", good(&json!("payments:checkout")), good(&json!(SUBJECT))),
            (
                "a pattern",
                good(&json!("system:serviceaccount:payments:*")),
                policy(PROVIDER, "StringLike", &sub, &json!("system:serviceaccount:payments:*")),
            ),
            (
                "a key",
                policy(PROVIDER, "StringEquals", &format!("{PROVIDER}:aud"), &json!(SUBJECT)),
                good(&json!(SUBJECT)),
            ),
            (
                "both keys",
                {
                    let mut wrong = policy(PROVIDER, "StringEquals", &sub, &json!("sts.amazonaws.com"));
                    let keys = &mut wrong["Statement"]["Condition"]["StringEquals"];
                    keys[format!("{PROVIDER}:aud")] = json!(SUBJECT);
                    wrong
                },
                {
                    let mut right = policy(
                        PROVIDER,
                        "StringEquals",
                        &format!("{PROVIDER}:aud"),
                        &json!("sts.amazonaws.com"),
                    );
                    right["Statement"]["Condition"]["StringEquals"][&sub] = json!(SUBJECT);
                    right
                },
            ),
            (
                "an issuer",
                policy(
                    &format!("https://{PROVIDER}"),
                    "StringEquals",
                    &format!("https://{PROVIDER}:sub"),
                    &json!(SUBJECT),
                ),
                good(&json!(SUBJECT)),
            ),
        ] {
            assert_eq!(corrected(&wrong), Some((right, CorrectionKind::InPlace(0))), "{what}");
        }
    }

    #[test]
    fn what_may_be_another_s_stays_and_what_keeps_out_is_left_alone() {
        let other = "oidc.eks.eu-west-1.amazonaws.com/id/00000000000000000000000000000000";
        let others = policy(other, "StringEquals", &format!("{other}:sub"), &json!(SUBJECT));
        let (document, how) = corrected(&others).unwrap();
        assert_eq!((how, &document["Statement"][0]), (CorrectionKind::Added, &others["Statement"]));
        let mut denied = policy(PROVIDER, "StringEquals", &format!("{PROVIDER}:sub"), &json!(SUBJECT));
        denied["Statement"]["Effect"] = json!("Deny");
        assert_eq!(corrected(&denied), None);
        let mut guarded = policy(PROVIDER, "StringEquals", "sts:ExternalId", &json!("x"));
        assert_eq!(corrected(&guarded), None);
        guarded["Statement"]["Condition"] = json!({});
        assert_eq!(corrected(&guarded), None, "it allows already");
    }
}
