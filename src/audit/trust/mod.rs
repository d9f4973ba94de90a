//! Judges whether the role's trust policy allows the call, names what refuses it, and corrects the policy.

mod findings;

use serde_json::Value;

use super::Findings;
pub use crate::diagnosis::trust::StsAnswer;
use crate::diagnosis::trust::TrustPolicyMalformed;
use crate::run::Verdict;
pub use findings::AllowingStatement;
use findings::EvaluatedPolicy;
use iam_trust::condition::Truth;
use iam_trust::correct::{Uncorrected, correct};
use iam_trust::document;
use iam_trust::evaluate::{Decision, ElementKind, ElementResult, Evaluation, evaluate};
use iam_trust::mismatch::{ExplainedRefusal, explain_refusal};
use iam_trust::render::{Line, diff, mark_elements};
use iam_trust::request::Request;

/// A trust policy, prepared for a reader.
#[derive(Debug, Clone)]
pub struct PolicyExhibit {
    pub document: Value,
    /// The document line by line, with the elements that refuse marked.
    pub lines: Vec<Line>,
    /// The whole corrected document and the difference, if the policy can be corrected.
    pub corrected: Option<(Value, String)>,
}

/// Judges a policy, given as text, for a call.
///
/// `has_provider` says that the account has the token's OIDC provider, and `answer` what STS said to this call.
/// There is nothing to show of a text that is not JSON or is too long.
pub fn judge(
    text: &str,
    request: &Request,
    has_provider: bool,
    answer: Option<StsAnswer>,
) -> (Findings<AllowingStatement>, Option<PolicyExhibit>) {
    let value =
        serde_json::from_str::<Value>(text).ok().filter(|_| text.len() <= document::MAX_DOCUMENT_BYTES);
    let plain =
        |document: Value| PolicyExhibit { lines: mark_elements(&document, []), document, corrected: None };
    // JSON without a statement is not a policy, and can be anything, even a secret.
    let has_statements = |document: &Value| document.get("Statement").is_some();
    let document = match document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let verdict = Verdict::Fail(TrustPolicyMalformed { role: request.role.clone(), error }.into());
            return (Findings { verdict, others: Vec::new() }, value.filter(has_statements).map(plain));
        }
    };
    let evaluation = evaluate(&document, request);
    let refusals = explain_refusal(&document, &evaluation, request);
    let corrected = value.as_ref().map_or(Err(Uncorrected::NotRefused), |value| correct(value, request));
    let policy = value.map(|document| PolicyExhibit {
        lines: mark_elements(&document, deciding_elements(&evaluation, &refusals)),
        corrected: corrected
            .as_ref()
            .ok()
            .map(|policy| (policy.document.clone(), diff(&document, &policy.document))),
        document,
    });
    let evaluated = EvaluatedPolicy { document: &document, evaluation: &evaluation, request, has_provider };
    (evaluated.judge(refusals, corrected, answer), policy)
}

/// The elements that refuse the call or leave it undecided, each with the index of its statement.
fn deciding_elements<'a>(
    evaluation: &'a Evaluation,
    refusals: &'a [ExplainedRefusal],
) -> Vec<(usize, &'a ElementKind)> {
    let of = |index: usize, is: fn(&ElementResult) -> bool| {
        let elements = evaluation
            .statements
            .get(index)
            .map(|statement| statement.elements.as_slice())
            .unwrap_or_default();
        elements.iter().filter(move |element| is(element)).map(move |element| (index, &element.kind))
    };
    match &evaluation.decision {
        Decision::Allows(_) => Vec::new(),
        Decision::Refuses => {
            refusals.iter().map(|refusal| (refusal.statement, &refusal.element.kind)).collect()
        }
        Decision::Denies(index) => {
            let is_condition =
                |element: &ElementResult| matches!(element.kind, ElementKind::Condition { .. });
            let conditions: Vec<_> = of(*index, is_condition).collect();
            if conditions.is_empty() { of(*index, |_| true).collect() } else { conditions }
        }
        Decision::Undecidable(places) => {
            let open = |index: &usize| of(*index, |element| element.truth == Truth::Unknown);
            places.iter().flat_map(open).collect()
        }
    }
}
