//! The policy alone does not decide the call.

use super::remedy::edit_policy;
use super::{MAX_NAMED, StatementId, call_evidence, element_evidence, words};
use crate::diagnosis::Entry;
use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::document::Effect;
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::request::{KeyValue, Request};

/// An element of a statement of which the evaluation cannot say whether it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenElement {
    pub(crate) statement: StatementId,
    /// What the statement does if it matches.
    pub(crate) effect: Effect,
    pub(crate) element: ElementResult,
}

impl OpenElement {
    pub(super) fn cause(&self) -> String {
        let place = self.statement.words();
        let what = words::element(&self.element.kind);
        let wanted = words::values(&self.element.expected);
        let does = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let why = match (&self.element.kind, &self.element.actual) {
            (ElementKind::Condition { .. }, KeyValue::Unknown(why)) => (*why).to_owned(),
            (ElementKind::Condition { .. }, _) if self.has_variable("${") => {
                "what its variables stand for is not known".to_owned()
            }
            (ElementKind::Condition { .. }, actual) => {
                format!(
                    "the call has {}, and what IAM makes of both is not documented",
                    words::actual(actual)
                )
            }
            (ElementKind::Principal | ElementKind::Action(_), _) => {
                "what IAM makes of that is not documented".to_owned()
            }
        };
        format!("{place} {does} the call if {what} ({wanted}) fits, and that is not known: {why}.")
    }

    /// Whether a value has a variable that begins with `start`, which is in lower case.
    fn has_variable(&self, start: &str) -> bool {
        self.element.expected.iter().any(|wanted| wanted.to_ascii_lowercase().contains(start))
    }

    /// The step that finds the missing fact, if it is a fact of the call.
    fn lookup(&self) -> Option<String> {
        let ElementKind::Condition { key, .. } = &self.element.kind else { return None };
        let key_small = if self.has_variable("${sts:rolesessionname") {
            "sts:rolesessionname".to_owned()
        } else {
            key.to_ascii_lowercase()
        };
        if !matches!(self.element.actual, KeyValue::Unknown(_)) && key_small == key.to_ascii_lowercase() {
            return None;
        }
        Some(match key_small.as_str() {
            "sts:rolesessionname" => "The session's name is in the report of irsa-probe in the pod; give that report \
                                      to the audit."
                .to_owned(),
            "aws:currenttime" | "aws:epochtime" => {
                "When the call was made is in the report of irsa-probe in the pod; give that report to the audit."
                    .to_owned()
            }
            key_small if key_small.starts_with("aws:source") || key_small.starts_with("aws:vpc") => format!(
                "{} is where the call comes from: see sourceIPAddress and vpcEndpointId in CloudTrail's events \
                 AssumeRoleWithWebIdentity of the account.",
                sanitize(key)
            ),
            _ => return None,
        })
    }
}

/// The policy alone does not decide whether the call gets the role.
#[derive(Debug, Clone)]
pub struct TrustUndecidable {
    pub(crate) request: Request,
    /// The open elements, in the order of the statements.
    pub(crate) open: Vec<OpenElement>,
}

impl Entry for TrustUndecidable {
    fn cause(&self) -> String {
        let causes: Vec<String> = self.open.iter().take(MAX_NAMED).map(OpenElement::cause).collect();
        let more = self.open.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" {more} more are open.") } else { String::new() };
        format!("The policy alone does not decide it. {}{more}", causes.join(" "))
    }

    fn remedy(&self) -> Vec<String> {
        let mut steps: Vec<String> = Vec::new();
        for step in self.open.iter().filter_map(OpenElement::lookup) {
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
        let elements_of = |effect: Effect| {
            let those = self.open.iter().filter(move |open| open.effect == effect).take(MAX_NAMED);
            let mut named: Vec<String> = Vec::new();
            for open in those {
                let place = open.statement.words();
                let what = format!("{} in {place}", words::element(&open.element.kind));
                if !named.contains(&what) {
                    named.push(what);
                }
            }
            named.join(", ")
        };
        let (denying, allowing) = (elements_of(Effect::Deny), elements_of(Effect::Allow));
        let change = match (denying.as_str(), allowing.as_str()) {
            ("", allowing) => format!(
                "Ask whoever wrote {allowing} whom it is to keep out. If that is not this pod, give the pod a \
                 statement of its own without it."
            ),
            (denying, _) => format!(
                "Ask whoever wrote {denying} whether it is to deny this pod. If it is not, have it except {}: no \
                 statement that allows undoes a denial, so a statement of the pod's own does not help.",
                sanitize(&self.request.subject)
            ),
        };
        steps.extend(edit_policy(&self.request.role, &[], None, &change));
        steps
    }

    fn evidence(&self) -> Evidence {
        let evidence = self
            .open
            .first()
            .map_or_else(Evidence::new, |open| element_evidence(&open.statement, &open.element));
        let others: Vec<String> =
            self.open.iter().skip(1).map(|open| words::element(&open.element.kind)).collect();
        evidence.texts_if_any("also", &others).merge(call_evidence(&self.request))
    }
}
