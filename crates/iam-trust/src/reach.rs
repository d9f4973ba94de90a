//! Who else a policy lets in.

use crate::condition::Operator;
use crate::document::{Condition, Document, Statement};
use crate::evaluate::{Decision, evaluate};
use crate::mismatch::PREFIX;
use crate::pattern::Pattern;
use crate::request::Request;
use crate::variable::{Expanded, expand};

/// The callers that a policy lets in beside the token's service account and those that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Other service accounts of the same namespace.
    Namespace,
    /// Service accounts of namespaces that match a pattern.
    Namespaces,
    /// Every service account of the cluster.
    Cluster,
    /// Every web identity of any provider.
    Providers,
}

/// A name that no service account has.
pub(crate) const NOBODY: &str = "zz-nobody-s";

/// Finds out who else gets in, by evaluating invented subjects that match the patterns of the policy.
#[must_use]
pub fn reach(document: &Document, request: &Request) -> Option<Reach> {
    let allows = |request: &Request| matches!(evaluate(document, request).decision, Decision::Allows(_));
    let of_subject = &|subject: String| allows(&Request { subject, ..request.clone() });
    let nobody = format!("{PREFIX}{NOBODY}:{NOBODY}");
    let elsewhere =
        Request { issuer: format!("https://{NOBODY}.example"), subject: nobody.clone(), ..request.clone() };
    if allows(&elsewhere) {
        return Some(Reach::Providers);
    }
    if of_subject(nobody) {
        return Some(Reach::Cluster);
    }
    let namespace = split_subject(&request.subject).map(|(namespace, _)| namespace);
    let patterns = document.statements.iter().flat_map(|statement| {
        subject_patterns(statement, request).filter_map(|(_, value)| {
            match expand(value, document.version, request) {
                Expanded::Pattern(pattern) => Some(pattern),
                Expanded::NoValue | Expanded::Unknown(_) => None,
            }
        })
    });
    let several = format!("{NOBODY}:{NOBODY}");
    // A pattern that names a namespace is about that one, which is the token's or another that is meant.
    let namespaces = patterns.flat_map(|pattern| {
        let text = pattern.text();
        let filled = [pattern.filled(NOBODY, NOBODY), pattern.filled(&several, NOBODY)];
        filled.into_iter().filter_map(move |subject| {
            let theirs = split_subject(&subject)?.0.to_owned();
            let is_named = text.contains(&format!(":{theirs}:")) && Some(theirs.as_str()) != namespace;
            (!is_named && of_subject(subject)).then_some(theirs)
        })
    });
    let of_patterns = namespaces.map(|theirs| match Some(theirs.as_str()) == namespace {
        true => Reach::Namespace,
        false => Reach::Namespaces,
    });
    let of_namespace = namespace.filter(|namespace| of_subject(format!("{PREFIX}{namespace}:{NOBODY}")));
    of_patterns.chain(of_namespace.map(|_| Reach::Namespace)).max()
}

/// The reach of one statement, as if it were alone.
#[must_use]
pub fn reach_of(document: &Document, statement: &Statement, request: &Request) -> Option<Reach> {
    reach(&Document { version: document.version, statements: vec![statement.clone()] }, request)
}

/// The patterns for the subject in a statement: operator and value as written.
pub fn subject_patterns<'s>(
    statement: &'s Statement,
    request: &Request,
) -> impl Iterator<Item = (&'s str, &'s str)> {
    let key = format!("{}:sub", request.provider());
    let of_subject = statement.conditions.iter().filter(move |condition| {
        let read = Operator::parse(&condition.operator);
        let is_positive = read.is_some_and(|read| read.knows_patterns() && !read.is_negated());
        is_positive && condition.key.eq_ignore_ascii_case(&key)
    });
    let is_wild = |value: &&String| Pattern::parse(value).is_wild();
    let each = move |condition: &'s Condition| {
        condition.values.iter().filter(is_wild).map(|value| (condition.operator.as_str(), value.as_str()))
    };
    of_subject.flat_map(each)
}

/// Splits the subject of a service account into namespace and name.
#[must_use]
pub fn split_subject(subject: &str) -> Option<(&str, &str)> {
    let (namespace, name) = subject.strip_prefix(PREFIX)?.split_once(':')?;
    let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
    is_whole.then_some((namespace, name))
}
