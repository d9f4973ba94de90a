//! Decides whether a trust policy allows a call, and keeps the reason for each element.
//!
//! Source: "Policy evaluation logic" in the IAM User Guide. A matching Deny wins, then a matching Allow, else
//! the call is refused.

use std::cmp::Ordering;
use std::fmt;

use foreign_text::sanitize;

use super::condition::{self, Truth};
use super::document::{Action, Condition, Document, Effect, Principal, PrincipalKind, Statement, Version};
use super::pattern::Pattern;
use super::request::{ACTION, KeyValue, Request};

/// The decision of a policy on a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The statement at this index allows the call, and none denies it.
    Allows(usize),
    /// No statement allows the call.
    Refuses,
    /// The statement at this index denies the call.
    Denies(usize),
    /// The statements at these indexes would decide, but something in them is unknown.
    Undecidable(Vec<usize>),
}

/// A decision with the result of each statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The decision.
    pub decision: Decision,
    /// The result of each statement, in the order of the policy.
    pub statements: Vec<StatementResult>,
}

/// A statement evaluated for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementResult {
    /// The effect if the statement matches.
    pub effect: Effect,
    /// The elements in their usual order.
    pub elements: Vec<ElementResult>,
}

impl StatementResult {
    /// Whether the statement matches.
    #[must_use]
    pub fn truth(&self) -> Truth {
        Truth::all(self.elements.iter().map(|element| element.truth))
    }

    /// The elements whose truth is unknown.
    pub fn undecided(&self) -> impl Iterator<Item = &ElementResult> {
        self.elements.iter().filter(|element| element.truth == Truth::Unknown)
    }
}

/// One element of a statement evaluated for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementResult {
    /// The element.
    pub kind: ElementKind,
    /// Whether the element matches.
    pub truth: Truth,
    /// The values in the policy.
    pub expected: Vec<String>,
    /// The value in the call.
    pub actual: KeyValue,
}

/// An element of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElementKind {
    /// `Principal`.
    Principal,
    /// `Action` or `NotAction`.
    Action(&'static str),
    /// A condition: a key under an operator, both as written.
    Condition {
        /// The operator.
        operator: String,
        /// The key.
        key: String,
    },
}

impl fmt::Display for ElementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal => f.write_str("Principal"),
            Self::Action(name) => f.write_str(name),
            Self::Condition { operator, key } => write!(f, "{} on {}", sanitize(operator), sanitize(key)),
        }
    }
}

/// Evaluates a policy for a call.
#[must_use]
pub fn evaluate(document: &Document, request: &Request) -> Evaluation {
    let statements: Vec<StatementResult> = document
        .statements
        .iter()
        .map(|statement| evaluate_statement(statement, document.version, request))
        .collect();
    let with = |effect: Effect, truth: Truth| -> Vec<usize> {
        let those = statements.iter().enumerate();
        those.filter(|(_, it)| it.effect == effect && it.truth() == truth).map(|(index, _)| index).collect()
    };
    let (denies, may_deny) = (with(Effect::Deny, Truth::True), with(Effect::Deny, Truth::Unknown));
    let (allows, may_allow) = (with(Effect::Allow, Truth::True), with(Effect::Allow, Truth::Unknown));
    let decision = match (denies.first(), allows.first()) {
        (Some(index), _) => Decision::Denies(*index),
        (None, Some(index)) if may_deny.is_empty() => Decision::Allows(*index),
        (None, Some(_)) => Decision::Undecidable(may_deny),
        (None, None) if may_allow.is_empty() => Decision::Refuses,
        (None, None) => Decision::Undecidable([may_allow, may_deny].concat()),
    };
    Evaluation { decision, statements }
}

fn evaluate_statement(statement: &Statement, version: Version, request: &Request) -> StatementResult {
    let mut elements = vec![principal(&statement.principal, request), action(&statement.action)];
    let mut sorted: Vec<&Condition> = statement.conditions.iter().collect();
    sorted.sort_unstable_by(|one, other| by_name(one, other));
    let is_same = |place: usize, condition: &Condition| {
        sorted.get(place).is_some_and(|other| by_name(other, condition).is_eq())
    };
    let is_twice = |condition: &Condition| {
        let first = sorted.partition_point(|other| by_name(other, condition).is_lt());
        is_same(first + 1, condition)
    };
    elements.extend(statement.conditions.iter().map(|condition| {
        let (truth, had) = match is_twice(condition) {
            // IAM Access Analyzer's checks call it an error, and do not say what it does.
            true => (Truth::Unknown, KeyValue::Unknown("the key is there twice, in different letters")),
            false => condition::judge(condition, version, request),
        };
        let what =
            ElementKind::Condition { operator: condition.operator.clone(), key: condition.key.clone() };
        ElementResult { kind: what, truth, expected: condition.values.clone(), actual: had }
    }));
    StatementResult { effect: statement.effect, elements }
}

/// The order by operator and key. Keys are case-insensitive.
fn by_name(one: &Condition, other: &Condition) -> Ordering {
    one.operator.cmp(&other.operator).then_with(|| {
        Iterator::cmp(
            one.key.bytes().map(|byte| byte.to_ascii_lowercase()),
            other.key.bytes().map(|byte| byte.to_ascii_lowercase()),
        )
    })
}

fn principal(principal: &Principal, request: &Request) -> ElementResult {
    let provider = request.provider_arn();
    let (truth, wanted) = match principal {
        // For resource policies it is everyone, but by IAM Access Analyzer's checks "is not supported in the
        // principal element of a role trust policy".
        Principal::Everyone => (Truth::Unknown, vec!["*".to_owned()]),
        Principal::Listed(kinds) => {
            let each = kinds.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name)));
            let is = |(kind, name): (PrincipalKind, &String)| match (kind, name.as_str()) {
                (PrincipalKind::Federated, name) if name == provider => Truth::True,
                // "After you create the role, you can change the account to "*" to allow everyone to assume the
                // role." Under `Federated` a star is not supported, and matches no part of a name or ARN.
                (PrincipalKind::Aws, "*") => Truth::True,
                (PrincipalKind::Federated, "*") => Truth::Unknown,
                _ => Truth::False,
            };
            let wanted: Vec<String> = each.clone().map(|(_, name)| name.clone()).collect();
            // IAM Access Analyzer's checks of an empty list: "does not affect the policy".
            (Truth::any(each.map(is)), wanted)
        }
    };
    ElementResult {
        kind: ElementKind::Principal,
        truth,
        expected: wanted,
        actual: KeyValue::Values(vec![provider]),
    }
}

fn action(action: &Action) -> ElementResult {
    let call = ACTION.to_lowercase();
    let fits = action.patterns.iter().any(|pattern| Pattern::parse(&pattern.to_lowercase()).matches(&call));
    // IAM Access Analyzer's checks: "This statement includes no actions and does not affect the policy."
    let matches = !action.patterns.is_empty() && fits != action.is_not;
    let truth = if matches { Truth::True } else { Truth::False };
    let had = KeyValue::Values(vec![ACTION.to_owned()]);
    ElementResult {
        kind: ElementKind::Action(action.name()),
        truth,
        expected: action.patterns.clone(),
        actual: had,
    }
}
