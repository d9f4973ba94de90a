//! Judges the role's trust policy: lays it beside the call, names what refuses, and corrects it.

use serde_json::Value;

use super::Findings;
use super::trust_findings::{EvaluatedPolicy, TrustVerdict};
use crate::diagnosis::trust::TrustPolicyMalformed;
use crate::run::Verdict;
use iam_trust::condition::Truth;
use iam_trust::correct::correct;
use iam_trust::evaluate::{Decision, ElementKind, ElementResult, Evaluation, evaluate};
use iam_trust::mismatch::{ExplainedRefusal, explain_refusal};
use iam_trust::render::{Line, diff, mark_elements};
use iam_trust::request::Request;
use iam_trust::{TrustPolicy, document};

/// The policy as a reader wants to see it.
#[derive(Debug, Clone)]
pub struct PolicyExhibit {
    pub(crate) document: Value,
    /// The same, line by line, with what refuses marked.
    pub lines: Vec<Line>,
    /// The whole corrected document, and what changes, where it can be corrected.
    pub corrected: Option<(Value, String)>,
}

/// Judges a policy, given as text, for a call; `needed` is what the call needs,
/// and whether the account has the token's provider may be known. What can be shown of it is
/// nothing if it is no JSON, or too long.
#[must_use]
pub fn judge(
    text: &str,
    request: &Request,
    needed: &TrustPolicy,
    has_provider: bool,
) -> (Findings<TrustVerdict>, Option<PolicyExhibit>) {
    let value =
        serde_json::from_str::<Value>(text).ok().filter(|_| text.len() <= document::MAX_DOCUMENT_BYTES);
    let plain =
        |document: Value| PolicyExhibit { lines: mark_elements(&document, []), document, corrected: None };
    // What has no statement is no policy, and may be anything, a secret too.
    let is_like_one = |document: &Value| document.get("Statement").is_some();
    let document = match document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let verdict = Verdict::Fail(TrustPolicyMalformed { role: request.role.clone(), error }.into());
            return (Findings { verdict, others: Vec::new() }, value.filter(is_like_one).map(plain));
        }
    };
    let evaluation = evaluate(&document, request);
    let refusals = explain_refusal(&document, &evaluation, request);
    let corrected = value.as_ref().and_then(|value| correct(value, needed, request));
    let policy = value.map(|document| PolicyExhibit {
        lines: mark_elements(&document, deciding(&evaluation, &refusals)),
        corrected: corrected.as_ref().map(|it| (it.document.clone(), diff(&document, &it.document))),
        document,
    });
    let evaluated = EvaluatedPolicy { document: &document, evaluation: &evaluation, request, has_provider };
    (evaluated.judge(refusals, corrected), policy)
}

/// The elements that decide against the call, or that leave it open, each by the place of its statement.
fn deciding<'a>(
    evaluation: &'a Evaluation,
    refusals: &'a [ExplainedRefusal],
) -> Vec<(usize, &'a ElementKind)> {
    let of = |index: usize, is: fn(&ElementResult) -> bool| {
        let elements = evaluation.statements.get(index).map(|it| it.elements.as_slice()).unwrap_or_default();
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
