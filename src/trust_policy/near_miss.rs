//! What keeps a policy from giving a token its role, in the words of those who mend it.
//!
//! Of several statements the one is meant that is nearest to the token: the most of its elements match, and
//! of those that do not, the fewest are far off. What is wrong with it is named element by element.

use super::condition::{Operator, Truth};
use super::document::{Document, Effect, Principal, PrincipalKind, Statement};
use super::evaluate::{Decision, Element, Evaluation, Matched, What, evaluate};
use super::issuer_in_iam;
use super::pattern::Pattern;
use super::request::Request;

/// What is wrong with one element, or with the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The subject is another.
    Subject(SubjectGap),
    /// There is a pattern where the operator takes it for plain text.
    SubjectWildcard {
        /// The operator that knows patterns, in place of this one.
        operator: &'static str,
    },
    /// The audience is another.
    Audience,
    /// The issuer is another.
    Issuer(IssuerGap),
    /// The provider is one of another account.
    Account(String),
    /// The provider is one of another partition.
    Partition(String),
    /// The principal is no OIDC provider.
    Principal(PrincipalKind),
    /// The action is not the one that a token is traded by.
    Action,
    /// A key is about one claim, and the value looks like another's.
    KeySwapped {
        /// The claim that the key is about.
        of: &'static str,
        /// The claim that is meant.
        meant: &'static str,
    },
    /// A condition that has nothing to do with the token's claims.
    Other,
}

/// How a subject differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectGap {
    /// In the namespace only.
    Namespace,
    /// In the service account's name only.
    Name,
    /// In both, which are each other's.
    Swapped,
    /// In capital letters only.
    Case,
    /// `system:serviceaccount:` is missing.
    Prefix,
    /// In more than that.
    Whole,
}

/// How an issuer differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerGap {
    /// It has a scheme, `https://`.
    Scheme,
    /// It is a whole ARN, where only the issuer belongs.
    Arn,
    /// It ends in a slash.
    Slash,
    /// Its host is turned around: `oidc.REGION.eks`.
    Reversed,
    /// Its host is that of the dual-stack endpoint, `oidc-eks.REGION.api.aws`.
    DualStack,
    /// In capital letters only.
    Case,
    /// It is in another region.
    Region,
    /// It is another cluster's, or that of a cluster that was created anew.
    Cluster,
    /// It is no issuer of EKS's.
    Whole,
}

/// An element that refuses, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The statement's place.
    pub statement: usize,
    /// The element.
    pub element: Element,
    /// What is wrong with it.
    pub miss: Miss,
}

/// What keeps a policy from giving the role: the elements of the statement that is nearest, the first one
/// first.
#[must_use]
pub fn named(document: &Document, evaluation: &Evaluation, request: &Request) -> Vec<Named> {
    let candidates = document.statements.iter().zip(&evaluation.statements).enumerate();
    let allowing = candidates.filter(|(_, (statement, _))| statement.effect == Effect::Allow);
    let misses = |(index, (statement, matched)): (usize, (&Statement, &Matched))| {
        let refusing = matched.elements.iter().filter(|element| element.truth == Truth::False);
        let named = refusing.map(|element| Named {
            statement: index,
            element: element.clone(),
            miss: miss(statement, element, request),
        });
        named.collect::<Vec<_>>()
    };
    let nearest = allowing.map(misses).filter(|misses| !misses.is_empty());
    nearest
        .min_by_key(|misses| misses.iter().map(|named| distance(&named.miss)).sum::<u32>())
        .unwrap_or_default()
}

/// How far off something is: less than ten is a slip in the right place.
fn distance(miss: &Miss) -> u32 {
    match miss {
        Miss::SubjectWildcard { .. } | Miss::KeySwapped { .. } => 1,
        Miss::Subject(SubjectGap::Whole) => 6,
        Miss::Subject(_) | Miss::Audience => 3,
        Miss::Issuer(IssuerGap::Cluster | IssuerGap::Region) => 5,
        Miss::Issuer(IssuerGap::Whole) => 30,
        Miss::Issuer(_) | Miss::Account(_) | Miss::Partition(_) => 4,
        Miss::Action => 10,
        Miss::Other => 8,
        Miss::Principal(_) => 40,
    }
}

fn miss(statement: &Statement, element: &Element, request: &Request) -> Miss {
    match &element.what {
        What::Principal => of_principal(&statement.principal, request),
        What::Action(_) => Miss::Action,
        What::Condition { operator, key } => of_condition(operator, key, &element.wanted, request),
    }
}

fn of_principal(principal: &Principal, request: &Request) -> Miss {
    let Principal::These(kinds) = principal else { return Miss::Other };
    let each = || kinds.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name.as_str())));
    let federated = each().filter(|(kind, _)| *kind == PrincipalKind::Federated);
    let named = federated.map(|(_, name)| of_provider(name, request));
    let nearest = named.min_by_key(distance);
    nearest.unwrap_or_else(|| Miss::Principal(each().next().map_or(PrincipalKind::Aws, |(kind, _)| kind)))
}

/// What is wrong with the name of a provider.
fn of_provider(name: &str, request: &Request) -> Miss {
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let [_, partition, "iam", _, account, resource] = parts.as_slice() else {
        return Miss::Issuer(issuer_gap(name, request.provider()));
    };
    let Some(provider) = resource.strip_prefix("oidc-provider/") else {
        return Miss::Principal(PrincipalKind::Federated);
    };
    if provider != request.provider() {
        return Miss::Issuer(issuer_gap(provider, request.provider()));
    }
    if *partition != request.role.partition.id {
        return Miss::Partition((*partition).to_owned());
    }
    Miss::Account((*account).to_owned())
}

/// How one issuer differs from another, both as IAM writes them.
#[must_use]
pub fn issuer_gap(wanted: &str, had: &str) -> IssuerGap {
    if wanted.starts_with("arn:") {
        return IssuerGap::Arn;
    }
    let without_scheme = issuer_in_iam(wanted).trim_start_matches("http://");
    if without_scheme != wanted {
        return IssuerGap::Scheme;
    }
    if wanted.trim_end_matches('/') == had.trim_end_matches('/') {
        return IssuerGap::Slash;
    }
    if wanted.eq_ignore_ascii_case(had) {
        return IssuerGap::Case;
    }
    let ((wanted_host, wanted_path), (host, path)) = (split(wanted), split(had));
    let labels: Vec<&str> = wanted_host.split('.').collect();
    let region = host.split('.').nth(2).unwrap_or_default();
    match labels.as_slice() {
        ["oidc", other, "eks", ..] if *other != "eks" => IssuerGap::Reversed,
        ["oidc-eks", _, "api", ..] => IssuerGap::DualStack,
        ["oidc", "eks", other, ..] if *other != region && wanted_path == path => IssuerGap::Region,
        ["oidc", "eks", ..] => IssuerGap::Cluster,
        _ => IssuerGap::Whole,
    }
}

fn split(issuer: &str) -> (&str, &str) {
    issuer.split_once('/').unwrap_or((issuer, ""))
}

const PREFIX: &str = "system:serviceaccount:";

fn of_condition(operator: &str, key: &str, wanted: &[String], request: &Request) -> Miss {
    let Some((provider, claim)) = key.rsplit_once(':') else { return Miss::Other };
    if !matches!(claim.to_ascii_lowercase().as_str(), "sub" | "aud") || provider.eq_ignore_ascii_case("aws") {
        return Miss::Other;
    }
    if !provider.eq_ignore_ascii_case(request.provider()) {
        return Miss::Issuer(issuer_gap(provider, request.provider()));
    }
    let is_subject = |value: &String| value.starts_with(PREFIX);
    if claim.eq_ignore_ascii_case("aud") {
        return if wanted.iter().any(is_subject) {
            Miss::KeySwapped { of: "aud", meant: "sub" }
        } else {
            Miss::Audience
        };
    }
    if wanted.iter().any(|value| request.audience.contains(value)) {
        return Miss::KeySwapped { of: "sub", meant: "aud" };
    }
    let operator = Operator::parse(operator);
    let is_plain = operator.is_some_and(|operator| !operator.knows_patterns() && !operator.is_negated());
    if is_plain
        && wanted.iter().any(|value| value.contains(['*', '?']) && Pattern::of(value).fits(&request.subject))
    {
        return Miss::SubjectWildcard { operator: "StringLike" };
    }
    let gaps = wanted.iter().map(|value| subject_gap(value, &request.subject));
    Miss::Subject(gaps.min_by_key(|gap| *gap == SubjectGap::Whole).unwrap_or(SubjectGap::Whole))
}

/// How one subject differs from another.
#[must_use]
pub fn subject_gap(wanted: &str, had: &str) -> SubjectGap {
    if wanted.eq_ignore_ascii_case(had) {
        return SubjectGap::Case;
    }
    let parts = |subject: &str| -> Option<(String, String)> {
        let (namespace, name) = subject.strip_prefix(PREFIX)?.split_once(':')?;
        Some((namespace.to_owned(), name.to_owned()))
    };
    if had.strip_prefix(PREFIX) == Some(wanted) {
        return SubjectGap::Prefix;
    }
    match (parts(wanted), parts(had)) {
        (Some(wanted), Some(had)) if (&wanted.0, &wanted.1) == (&had.1, &had.0) => SubjectGap::Swapped,
        (Some(wanted), Some(had)) if Pattern::of(&wanted.1).fits(&had.1) => SubjectGap::Namespace,
        (Some(wanted), Some(had)) if Pattern::of(&wanted.0).fits(&had.0) => SubjectGap::Name,
        _ => SubjectGap::Whole,
    }
}

/// Whom a policy lets in beside the token's own service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Other service accounts of the namespace.
    Namespace,
    /// Any service account of the cluster.
    Cluster,
}

/// Whether the policy also lets in others: tried with subjects that nobody has.
#[must_use]
pub fn reach(document: &Document, request: &Request) -> Option<Reach> {
    let allows = |subject: String| {
        let request = Request { subject, ..request.clone() };
        matches!(evaluate(document, &request).decision, Decision::Allows(_))
    };
    let namespace = request
        .subject
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'))
        .map(|(namespace, _)| namespace);
    if allows(format!("{PREFIX}zz-nobody-s-namespace:zz-nobody-s-account")) {
        Some(Reach::Cluster)
    } else {
        namespace
            .filter(|namespace| allows(format!("{PREFIX}{namespace}:zz-nobody-s-account")))
            .map(|_| Reach::Namespace)
    }
}
