//! Checks a changed statement against its original: what must hold before a correction is shown.

use std::collections::BTreeSet;

use super::{Change, Policy, Uncorrected};
use crate::condition::{Operator, Truth};
use crate::document::{Condition, Document, Principal, PrincipalKind, Statement, read_statement};
use crate::evaluate::{ElementKind, StatementResult, evaluate};
use crate::mismatch::{PREFIX, issuer_difference};
use crate::pattern::Pattern;
use crate::reach::{NOBODY, split_subject};
use crate::request::Request;
use serde_json::Value;

/// The most providers, times subjects and audiences, with which a change is tried.
const MAX_CALLERS: usize = 500;

/// Whether a condition says which tokens a statement is for: it compares their subject or audience.
pub(super) fn is_about_token(operator: &str, key: &str) -> bool {
    let Some((provider, claim)) = key.rsplit_once(':') else { return false };
    let is_claim = ["sub", "aud"].iter().any(|known| known.eq_ignore_ascii_case(claim));
    let is_of_provider = provider.contains('.') || provider.contains("://");
    let is_comparison =
        Operator::parse(operator).is_some_and(|operator| !operator.is_negated() && !operator.is_null());
    is_claim && is_of_provider && is_comparison
}

/// Whether an element is a condition that its author put beside what is about the token.
pub(super) fn is_guard(element: &ElementKind) -> bool {
    match element {
        ElementKind::Condition { operator, key } => !is_about_token(operator, key),
        ElementKind::Principal | ElementKind::Action(_) => false,
    }
}

/// Checks that a change lets the token in wherever the author's other conditions hold, lets in all that the author's
/// statement let in, and nobody else but by the author's own patterns. Returns the conditions that are not known.
///
/// # Errors
/// The reason why the change is not to be shown.
pub(super) fn check(policy: &Policy, change: &Change) -> Result<Vec<ElementKind>, Uncorrected> {
    let request = policy.request;
    let before = change.original().and_then(|index| policy.document.statements.get(index));
    let read = |statement: &serde_json::Map<String, Value>| {
        read_statement((0, &Value::Object(statement.clone()))).map_err(|_| Uncorrected::NoChange)
    };
    let after = change.replaced.iter().chain(&change.added).map(read).collect::<Result<Vec<_>, _>>()?;
    let document = |statements| Document { version: policy.document.version, statements };
    let (original, changed) = (document(before.into_iter().cloned().collect()), document(after));

    let result = evaluate(&changed, request);
    let for_token = result.statements.iter().position(matches_but_for_guards).ok_or(Uncorrected::NoChange)?;
    let (Some(result), Some(statement)) =
        (result.statements.get(for_token), changed.statements.get(for_token))
    else {
        return Err(Uncorrected::NoChange);
    };
    let mut guards = before.iter().flat_map(|before| &before.conditions).filter(|it| is_guard_condition(it));
    if !guards.all(|guard| statement.conditions.contains(guard)) {
        return Err(Uncorrected::NoChange);
    }
    let lets_in = |document: &Document, request: &Request| {
        evaluate(document, request).statements.iter().any(matches_but_for_guards)
    };
    let issuers = before.map(|before| issuers_of(before, request)).unwrap_or_default();
    let audiences =
        before.map_or_else(|| vec![request.audience.clone()], |before| audiences_of(before, request));
    let subjects = before.map(|before| subjects_of(before, request)).unwrap_or_default();
    if issuers.len().saturating_mul(subjects.len() + audiences.len()) > MAX_CALLERS {
        return Err(Uncorrected::TooManyCallers);
    }
    for member in members(&issuers, &subjects, &audiences, request) {
        if lets_in(&original, &member) && !lets_in(&changed, &member) {
            return Err(Uncorrected::NoChange);
        }
    }
    let is_named = |subject: &str| {
        let fits = |pattern: &str| Pattern::parse(pattern).matches(subject);
        let is_meant = |(_, pattern): (&str, &str)| {
            fits(pattern) || fits(&pattern.to_ascii_lowercase()) || fits(&format!("{PREFIX}{pattern}"))
        };
        before.is_some_and(|before| values_of(before, "sub").any(is_meant))
    };
    for stranger in strangers(&issuers, &audiences, request) {
        let is_new = lets_in(&changed, &stranger) && !lets_in(&original, &stranger);
        let is_of_policy = stranger.issuer == request.issuer || issuers.contains(&stranger.issuer);
        if is_new && !(is_of_policy && is_named(&stranger.subject)) {
            return Err(Uncorrected::Widens);
        }
    }
    Ok(result.undecided().map(|element| element.kind.clone()).collect())
}

/// Whether a statement matches wherever its author's other conditions hold.
fn matches_but_for_guards(result: &StatementResult) -> bool {
    result.elements.iter().all(|element| match element.truth {
        Truth::True => true,
        Truth::Unknown => is_guard(&element.kind),
        Truth::False => false,
    })
}

fn is_guard_condition(condition: &Condition) -> bool {
    !is_about_token(&condition.operator, &condition.key)
}

/// The values for one claim of a token: provider and value.
fn values_of<'s>(statement: &'s Statement, claim: &'static str) -> impl Iterator<Item = (&'s str, &'s str)> {
    let about = statement.conditions.iter().filter(|condition| !is_guard_condition(condition));
    about.flat_map(move |condition| {
        let (provider, named) = condition.key.rsplit_once(':').unwrap_or_default();
        let is_it = named.eq_ignore_ascii_case(claim);
        condition.values.iter().filter(move |_| is_it).map(move |value| (provider, value.as_str()))
    })
}

/// The issuers whose tokens a statement can be about, and the request's.
fn issuers_of(statement: &Statement, request: &Request) -> BTreeSet<String> {
    let Principal::Listed(kinds) = &statement.principal else {
        return BTreeSet::from([request.issuer.clone()]);
    };
    let federated = kinds.iter().filter(|(kind, _)| *kind == PrincipalKind::Federated);
    let arns = federated.flat_map(|(_, names)| names);
    let listed = arns.filter_map(|arn| arn.split_once(":oidc-provider/")).map(|(_, provider)| provider);
    let keys = values_of(statement, "sub").chain(values_of(statement, "aud")).map(|(provider, _)| provider);
    let own = request.provider();
    // A misspelled issuer is nobody's.
    let exists = |provider: &&str| *provider == own || !issuer_difference(provider, own).is_spelling();
    let named = listed.chain(keys).filter(exists).map(|provider| format!("https://{provider}"));
    named.chain([request.issuer.clone()]).collect()
}

/// Subjects that a statement can be about, the request's, and one that it does not name.
fn subjects_of(statement: &Statement, request: &Request) -> Vec<String> {
    let example = |(_, value): (&str, &str)| Pattern::parse(value).filled(NOBODY, NOBODY);
    let nobody = format!("{PREFIX}{NOBODY}:{NOBODY}");
    values_of(statement, "sub").map(example).chain([request.subject.clone(), nobody]).collect()
}

/// Tokens that a statement can let in: of each of its providers, with its subjects and audiences.
fn members(
    issuers: &BTreeSet<String>,
    subjects: &[String],
    audiences: &[Vec<String>],
    request: &Request,
) -> Vec<Request> {
    let mut members = Vec::new();
    for issuer in issuers {
        // The token's issuer is a cluster's, which has no other subjects.
        let exists = |subject: &&String| *issuer != request.issuer || is_service_account(subject);
        for (at, subject) in subjects.iter().filter(exists).enumerate() {
            // All pairs of a long list would be too many.
            let some = if at < 3 { audiences.len() } else { 3 };
            members.extend(audiences.iter().rev().take(some).map(|audience| Request {
                issuer: issuer.clone(),
                subject: subject.clone(),
                audience: audience.clone(),
                ..request.clone()
            }));
        }
    }
    members
}

/// The audiences of the tokens that a statement can be about, the request's, and another one.
fn audiences_of(statement: &Statement, request: &Request) -> Vec<Vec<String>> {
    let named = values_of(statement, "aud").filter(|(_, value)| !value.starts_with(PREFIX));
    let named = named.map(|(_, value)| vec![Pattern::parse(value).filled(NOBODY, NOBODY)]);
    named.chain([request.audience.clone(), vec![NOBODY.to_owned()]]).collect()
}

/// Whether a subject is that of a service account whose namespace and name Kubernetes allows.
fn is_service_account(subject: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    split_subject(subject)
        .is_some_and(|(namespace, name)| namespace.chars().chain(name.chars()).all(is_of_name))
}

/// Tokens that have nothing to do with the request's: of other service accounts, of each issuer and of none.
fn strangers(issuers: &BTreeSet<String>, audiences: &[Vec<String>], request: &Request) -> Vec<Request> {
    let (namespace, name) = split_subject(&request.subject).unwrap_or((NOBODY, NOBODY));
    let subjects = [
        format!("{PREFIX}{NOBODY}:{NOBODY}"),
        format!("{PREFIX}{namespace}:{NOBODY}"),
        format!("{PREFIX}{NOBODY}:{name}"),
        format!("{PREFIX}{namespace}:{name}{NOBODY}"),
        NOBODY.to_owned(),
    ];
    let unknown = format!("https://{NOBODY}.example");
    let issuers = issuers.iter().chain([&unknown]);
    let of_issuer = |issuer: &String| {
        let own = (*issuer != request.issuer).then_some(&request.subject);
        let each = subjects.iter().chain(own).flat_map(|subject| {
            audiences.iter().map(move |audience| Request {
                issuer: issuer.clone(),
                subject: subject.clone(),
                audience: audience.clone(),
                ..request.clone()
            })
        });
        each.collect::<Vec<_>>()
    };
    issuers.flat_map(of_issuer).collect()
}
