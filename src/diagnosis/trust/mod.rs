//! What is wrong with a role's trust policy, seen from the token that is to get the role.
//!
//! [`crate::audit::trust`] decides which of these diagnoses a policy comes to.

mod denied;
pub(super) mod difference;
mod malformed;
mod mismatch;
mod remedy;
mod subject;
mod too_wide;
mod undecidable;
pub(super) mod words;

pub(crate) use denied::TrustDenied;
pub(crate) use malformed::TrustPolicyMalformed;
pub(crate) use mismatch::{
    Fix, NothingAllowed, RefusingStatement, TrustAccountMismatch, TrustActionMissing, TrustAudienceMismatch,
    TrustConditionUnmet, TrustIssuerMismatch, TrustKeySwapped, TrustPartitionMismatch, TrustPrincipalWrong,
    TrustSubjectMismatch, TrustSubjectWildcard,
};
pub(crate) use remedy::Caution;
pub(super) use remedy::use_public_issuer;
pub(crate) use too_wide::TrustTooWide;
pub use undecidable::StsAnswer;
pub(crate) use undecidable::{OpenElement, OpenPolicy, TrustUndecidable};

use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::document::{Condition, Document};
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::mismatch::IssuerDifference;
use iam_trust::request::{KeyValue, Request};

/// The most items of one kind that a sentence names.
const MAX_NAMED: usize = 4;

/// Which statement of the policy is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatementId {
    /// Its place, counted from 0.
    pub(crate) index: usize,
    /// Its `Sid`, if it has one.
    pub(crate) sid: Option<String>,
}

impl StatementId {
    /// The statement at a place of a document.
    pub(crate) fn at(document: &Document, index: usize) -> Self {
        Self { index, sid: document.statements.get(index).and_then(|statement| statement.sid.clone()) }
    }

    /// The statement in a sentence.
    fn words(&self) -> String {
        match self.sid.as_deref().filter(|sid| !sid.is_empty()) {
            Some(sid) => format!("Statement[{}] (Sid \"{}\")", self.index, sanitize(sid)),
            None => format!("Statement[{}]", self.index),
        }
    }

    fn evidence(&self) -> Evidence {
        let statement = format!("Statement[{}]", self.index);
        Evidence::new().value("statement", statement).text_if("sid", self.sid.as_deref())
    }
}

/// A condition on a claim of another issuer's tokens. The token has no such key, so the condition holds.
#[derive(Debug, Clone)]
pub(crate) struct ForeignCondition {
    pub(crate) condition: Condition,
    /// How the issuer in its key differs from the token's issuer.
    pub(crate) difference: IssuerDifference,
}

impl ForeignCondition {
    /// The claim that the condition's key is about.
    pub(crate) fn claim(&self) -> &str {
        self.condition.key.rsplit_once(':').map_or("", |(_, claim)| claim)
    }
}

pub(super) fn call_evidence(request: &Request) -> Evidence {
    Evidence::new()
        .text("role_arn", &request.role.text)
        .text("issuer", &request.issuer)
        .text("subject", &request.subject)
        .texts("audience", &request.audience)
}

/// Facts of an element: what it expects and what the call has.
fn element_evidence(statement: &StatementId, element: &ElementResult) -> Evidence {
    let evidence = statement.evidence();
    let evidence = match &element.kind {
        ElementKind::Principal => evidence.value("element", "Principal"),
        ElementKind::Action(name) => evidence.value("element", *name),
        ElementKind::Condition { operator, key } => {
            evidence.value("element", "Condition").text("operator", operator).text("key", key)
        }
    };
    let evidence = evidence.texts("wanted", &element.expected);
    match &element.actual {
        KeyValue::Values(values) => evidence.texts("had", values),
        KeyValue::Absent => evidence.value("had", Vec::<String>::new()),
        KeyValue::Unknown(why) => evidence.value("not_known", *why),
    }
}
