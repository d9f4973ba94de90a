//! Corrects a policy so that it lets a token in, from the statement that its author meant for the token.
//!
//! A correction keeps what the author put there and is not the fault: every other condition, the pattern as a
//! pattern, the other subjects, the other clusters, every other statement. Text that no token can match is
//! replaced; a value that another token can need stays, and the token's value is added beside it. Where that
//! cannot be done in place, the statement gets a copy for the token.
//!
//! [`correct`] tries one change after the other, and returns the first that `check` accepts. Otherwise it
//! returns why there is none.

mod check;
mod edit;

use serde_json::{Map, Value};

use super::condition::Truth;
use super::document::{self, Document, Effect, MAX_TRUST_POLICY_CHARACTERS};
use super::evaluate::{Decision, ElementKind, Evaluation, evaluate};
use super::issuer::is_private;
use super::mismatch::{ExplainedRefusal, IssuerDifference, Mismatch, exclusions, explain_refusal};
use super::needed;
use super::request::Request;
use edit::{Manner, StatementEdit};

/// The most characters that a role's trust policy can have by default, whitespace not counted.
pub const DEFAULT_TRUST_POLICY_CHARACTERS: usize = 2_048;

/// A corrected policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectedPolicy {
    /// The whole corrected document.
    pub document: Value,
    /// The kind of correction.
    pub kind: CorrectionKind,
    /// The conditions of its author, kept, that the call must meet, too. Whether it does is not known.
    pub guards: Vec<ElementKind>,
    /// The length in characters, whitespace not counted.
    pub characters: usize,
}

/// A kind of correction. Each has the index of the author's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorrectionKind {
    /// The statement was changed.
    InPlace(usize),
    /// A copy of the statement, changed for the token, was added at the end.
    Copied(usize),
    /// The statement was divided into one for each of its providers.
    Split(usize),
    /// A statement was added at the end, since none is about web identities of this kind.
    Added,
}

/// Why there is no corrected policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Uncorrected {
    /// The policy is malformed, or it does not refuse the call.
    #[error("the policy does not refuse this call")]
    NotRefused,
    /// The token's issuer has a private name or address. Clusters of other people have the same issuer.
    #[error("the token's issuer has a private name or address, which STS cannot reach and others have, too")]
    PrivateIssuer,
    /// A condition keeps the call out that is not about the token's subject or audience.
    #[error("Statement[{0}] has a condition that this call does not meet, {1}: its author has to decide")]
    Guarded(usize, ElementKind),
    /// An element that lists what it excludes keeps the call out.
    #[error("Statement[{0}] excludes this call by {1}: its author has to decide")]
    Excluded(usize, ElementKind),
    /// Each change that lets the token in also lets in tokens that no pattern of the author names.
    #[error("each change that lets this token in lets in others, too, which the policy does not name")]
    Widens,
    /// No change keeps all that the author wrote and lets the token in.
    #[error("no change keeps all that the policy says and lets this token in")]
    NoChange,
    /// The statement names so many providers, subjects and audiences that a change of it is not checked.
    #[error("it names too many providers, subjects and audiences for a change to be checked")]
    TooManyCallers,
    /// The corrected policy has this many characters, more than IAM stores.
    #[error("the corrected policy has {0} characters, and IAM stores at most {MAX_TRUST_POLICY_CHARACTERS}")]
    TooLong(usize),
}

/// Corrects a policy so that it allows a call wherever the author's other conditions hold.
///
/// # Errors
/// The reason why there is no correction that keeps what the author wrote.
pub fn correct(text: &Value, request: &Request) -> Result<CorrectedPolicy, Uncorrected> {
    let document = document::read(text).map_err(|_| Uncorrected::NotRefused)?;
    let evaluation = evaluate(&document, request);
    if evaluation.decision != Decision::Refuses {
        return Err(Uncorrected::NotRefused);
    }
    if is_private(&request.issuer) {
        return Err(Uncorrected::PrivateIssuer);
    }
    if let Some(excluding) = exclusions(&document, &evaluation, request).into_iter().next() {
        return Err(Uncorrected::Excluded(excluding.statement, excluding.element.kind));
    }
    let refusals = explain_refusal(&document, &evaluation, request);
    if let Some((index, guard)) = deciding_guard(&document, &evaluation, &refusals) {
        return Err(Uncorrected::Guarded(index, guard));
    }
    let policy = Policy { text, document: &document, request };
    policy.corrected(&refusals)
}

/// The condition that keeps the call out beside what is about the token: of the nearest statement, or of one that
/// nothing else of keeps it out.
fn deciding_guard(
    document: &Document,
    evaluation: &Evaluation,
    refusals: &[ExplainedRefusal],
) -> Option<(usize, ElementKind)> {
    if let Some(guard) = refusals.iter().find(|refusal| refusal.is_deliberate()) {
        return Some((guard.statement, guard.element.kind.clone()));
    }
    let allowing = document.statements.iter().zip(&evaluation.statements).enumerate();
    allowing.filter(|(_, (statement, _))| statement.effect == Effect::Allow).find_map(
        |(index, (_, result))| {
            let mut refusing = result.elements.iter().filter(|element| element.truth == Truth::False);
            let first = refusing.next()?;
            (check::is_guard(&first.kind) && refusing.all(|element| check::is_guard(&element.kind)))
                .then(|| (index, first.kind.clone()))
        },
    )
}

/// A policy to correct for a call.
struct Policy<'a> {
    text: &'a Value,
    document: &'a Document,
    request: &'a Request,
}

/// A change of a policy: the author's statement at an index, if one is meant, gives way to others.
struct Change {
    kind: CorrectionKind,
    /// The statements in place of the author's.
    replaced: Vec<Map<String, Value>>,
    /// The statement at the end.
    added: Option<Map<String, Value>>,
}

impl Change {
    /// The index of the author's statement.
    fn original(&self) -> Option<usize> {
        match self.kind {
            CorrectionKind::InPlace(index) | CorrectionKind::Copied(index) | CorrectionKind::Split(index) => {
                Some(index)
            }
            CorrectionKind::Added => None,
        }
    }
}

impl Policy<'_> {
    /// The first change that `check` accepts, smallest first.
    fn corrected(&self, refusals: &[ExplainedRefusal]) -> Result<CorrectedPolicy, Uncorrected> {
        let Some(index) = refusals.first().map(|refusal| refusal.statement) else {
            return self.accept(self.added(None));
        };
        let Some(statement) = self.statement(index) else { return Err(Uncorrected::NoChange) };
        let is_elsewhere = |refusal: &ExplainedRefusal| {
            let is_principal = refusal.element.kind == ElementKind::Principal;
            is_principal
                && matches!(
                    refusal.mismatch,
                    Mismatch::Principal(_) | Mismatch::Issuer(IssuerDifference::Whole)
                )
        };
        if refusals.iter().any(is_elsewhere) {
            return self.accept(self.added(Some(statement)));
        }
        let edit = |manner| StatementEdit::new(statement, self.document.version, self.request, manner);
        let change = |kind, replaced, added| Change { kind, replaced, added };
        let copy = |manner| {
            let copied = edit(manner).apply()?;
            Some(change(CorrectionKind::Copied(index), vec![statement.clone()], Some(copied)))
        };
        let split = || Some(change(CorrectionKind::Split(index), edit(Manner::InPlace).split()?, None));
        let in_place =
            || Some(change(CorrectionKind::InPlace(index), vec![edit(Manner::InPlace).apply()?], None));
        let (copy_pattern, copy_subject) = (|| copy(Manner::Copy), || copy(Manner::ExactCopy));
        let changes: [&dyn Fn() -> Option<Change>; 4] = [&split, &in_place, &copy_pattern, &copy_subject];
        let mut reason = Uncorrected::NoChange;
        for change in changes {
            match self.accept(change()) {
                Err(why) if reason == Uncorrected::NoChange => reason = why,
                Err(_) => {}
                corrected => return corrected,
            }
        }
        Err(reason)
    }

    /// A statement for the token alone, with the conditions of the nearest statement that are not about a token.
    fn added(&self, nearest: Option<&Map<String, Value>>) -> Option<Change> {
        let statement = serde_json::to_value(needed(self.request).trust_policy).ok()?;
        let mut statement = statement.get("Statement")?.get(0)?.as_object()?.clone();
        if let Some(nearest) = nearest {
            edit::add_guards(&mut statement, nearest)?;
        }
        Some(Change { kind: CorrectionKind::Added, replaced: Vec::new(), added: Some(statement) })
    }

    /// The statement at an index, in a list or alone.
    fn statement(&self, index: usize) -> Option<&Map<String, Value>> {
        match self.text.get("Statement")? {
            Value::Array(statements) => statements.get(index)?.as_object(),
            Value::Object(one) => Some(one),
            _ => None,
        }
    }

    /// Makes a change, if there is one that keeps what the author wrote.
    fn accept(&self, change: Option<Change>) -> Result<CorrectedPolicy, Uncorrected> {
        let change = change.ok_or(Uncorrected::NoChange)?;
        let guards = check::check(self, &change)?;
        let kind = change.kind;
        let document = self.with(change).ok_or(Uncorrected::NoChange)?;
        let characters = document.to_string().chars().count();
        if characters > MAX_TRUST_POLICY_CHARACTERS {
            return Err(Uncorrected::TooLong(characters));
        }
        Ok(CorrectedPolicy { document, kind, guards, characters })
    }

    /// The policy with a statement replaced, and another one at the end.
    fn with(&self, change: Change) -> Option<Value> {
        let mut text = self.text.clone();
        let element = text.as_object_mut()?.get_mut("Statement")?;
        let is_list = element.is_array();
        let mut statements = match element.take() {
            Value::Array(statements) => statements,
            one => vec![one],
        };
        if let Some(index) = change.original().filter(|index| *index < statements.len()) {
            statements.splice(index..=index, change.replaced.into_iter().map(Value::Object));
        }
        statements.extend(change.added.map(Value::Object));
        *element = match statements.pop() {
            Some(one) if statements.is_empty() && !is_list => one,
            last => {
                statements.extend(last);
                Value::Array(statements)
            }
        };
        Some(text)
    }
}
#[cfg(test)]
mod tests {
    use super::{CorrectionKind, correct};
    use crate::request::sample;
    use serde_json::{Value, json};

    const PROVIDER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const SUBJECT: &str = "system:serviceaccount:payments:checkout";

    fn corrected(policy: &Value) -> Option<(Value, CorrectionKind)> {
        let request = sample("arn:aws:iam::111122223333:role/payments-checkout");
        correct(policy, &request).ok().map(|found| (found.document, found.kind))
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
        assert_eq!((how, &document["Statement"][0]), (CorrectionKind::Copied(0), &others["Statement"]));
        let mut denied = policy(PROVIDER, "StringEquals", &format!("{PROVIDER}:sub"), &json!(SUBJECT));
        denied["Statement"]["Effect"] = json!("Deny");
        assert_eq!(corrected(&denied), None);
        let mut guarded = policy(PROVIDER, "StringEquals", "sts:ExternalId", &json!("x"));
        assert_eq!(corrected(&guarded), None);
        guarded["Statement"]["Condition"] = json!({});
        assert_eq!(corrected(&guarded), None, "it allows already");
    }
}
