//! A statement of the policy denies the call.

use super::remedy::edit_policy;
use super::{ForeignCondition, MAX_NAMED, StatementId, call_evidence, difference, words};
use crate::diagnosis::Entry;
use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::condition::Operator;
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::request::Request;

/// A statement denies the call.
#[derive(Debug, Clone)]
pub struct TrustDenied {
    pub(crate) request: Request,
    pub(crate) statement: StatementId,
    pub(crate) elements: Vec<ElementResult>,
    /// Its conditions on claims of other issuers' tokens.
    pub(crate) foreign: Vec<ForeignCondition>,
    /// Whether the statement stops denying once the misspelled keys among these are corrected.
    pub(crate) is_misspelled: bool,
}

impl TrustDenied {
    fn conditions(&self) -> impl Iterator<Item = &ElementResult> {
        self.elements.iter().filter(|element| matches!(element.kind, ElementKind::Condition { .. }))
    }
}

impl Entry for TrustDenied {
    fn cause(&self) -> String {
        let met = |element: &ElementResult| {
            let negated = match &element.kind {
                ElementKind::Condition { operator, .. } => {
                    Operator::parse(operator).is_some_and(Operator::is_negated)
                }
                ElementKind::Principal | ElementKind::Action(_) => false,
            };
            format!(
                "{} {} {}, and the call has {}",
                words::element(&element.kind),
                if negated { "is met by all but" } else { "is met by" },
                words::values(&element.expected),
                words::actual(&element.actual)
            )
        };
        let met: Vec<String> = self.conditions().take(MAX_NAMED).map(met).collect();
        let why = match met.as_slice() {
            [] => "it has no condition, so that it denies every such call".to_owned(),
            met => met.join("; "),
        };
        let foreign = difference::foreign_conditions(&self.foreign, &self.request);
        format!(
            "{} denies this call, whatever other statements allow: {why}.{foreign}",
            self.statement.words()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let place = self.statement.words();
        let subject = sanitize(&self.request.subject);
        let keys: Vec<String> = self
            .foreign
            .iter()
            .filter(|foreign| foreign.difference.is_spelling())
            .map(|foreign| words::key_correction(foreign, &self.request))
            .collect();
        let keys = keys.join(", and ");
        let asks = format!(
            "{place} was put there to keep callers out, so ask its author. If this pod is not to be kept out, let its \
             conditions except {subject}."
        );
        let change = match (self.is_misspelled, self.foreign.is_empty(), keys.as_str()) {
            (_, true, _) => asks,
            (true, ..) => format!(
                "In {place}, write {keys}. It then denies whom its author meant, and not this call; let its author \
                 see it."
            ),
            (false, false, "") => format!(
                "{asks} A condition on a key that is not this cluster's denies all its tokens or none; a Principal \
                 Federated of the provider that is meant keeps the statement to that provider's tokens."
            ),
            (false, false, keys) => {
                format!("In {place}, write {keys}; it then still denies this call, so ask its author. {asks}")
            }
        };
        edit_policy(&self.request.role, &[], None, &change)
    }

    fn evidence(&self) -> Evidence {
        let met: Vec<String> = self.conditions().map(|element| words::element(&element.kind)).collect();
        self.statement.evidence().texts("conditions", &met).merge(call_evidence(&self.request))
    }
}
