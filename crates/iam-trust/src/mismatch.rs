//! Explains a refusal: how the nearest statement differs from the token, element by element.
//!
//! The nearest statement is the one with the smallest total distance. Each kind of difference has a distance; a
//! typing error in the right place is near, another kind of principal is far.

use super::USUAL_AUDIENCE;
use super::condition::{Operator, Truth};
use super::document::{Document, Effect, Principal, PrincipalKind, Statement};
use super::evaluate::{ElementKind, ElementResult, Evaluation, StatementResult};
use super::issuer::eks_region_and_domain;
use super::pattern::Pattern;
use super::request::Request;
use foreign_text::sanitize;

/// How an element of the policy differs from the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The subject differs.
    Subject(SubjectDifference),
    /// The value has a pattern, but the operator compares literally.
    SubjectWildcard {
        /// The operator that matches patterns.
        operator: String,
    },
    /// The audience differs.
    Audience,
    /// The issuer differs.
    Issuer(IssuerDifference),
    /// The provider is in another account.
    Account(String),
    /// The provider is in another partition.
    Partition(String),
    /// The principal is not an OIDC provider.
    Principal(PrincipalKind),
    /// The action is not `sts:AssumeRoleWithWebIdentity`.
    Action,
    /// The key names one claim, and the value looks like that of another claim.
    KeySwapped {
        /// The claim in the key.
        of: &'static str,
        /// The claim that the value belongs to.
        meant: &'static str,
    },
    /// The condition is not about the token's claims.
    Other,
}

/// How a subject differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectDifference {
    /// In the namespace only.
    Namespace,
    /// In the service account's name only.
    Name,
    /// Namespace and name are swapped.
    Swapped,
    /// In letter case only.
    Case,
    /// In an invisible character.
    Invisible,
    /// `system:serviceaccount:` is missing or misspelled.
    Prefix,
    /// Not at all: a negated operator excludes this subject.
    Excluded,
    /// In namespace and name.
    Whole,
}

/// How an issuer differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerDifference {
    /// The policy has `https://`.
    Scheme,
    /// The policy has a whole ARN where only the issuer belongs.
    Arn,
    /// The policy has only the issuer where the provider's ARN belongs.
    NoArn,
    /// A slash at the end.
    Slash,
    /// The host is in the wrong order: `oidc.REGION.eks`.
    Reversed,
    /// One host is the dual-stack endpoint, `oidc-eks.REGION.api.aws`, and the other is not.
    DualStack,
    /// In letter case only.
    Case,
    /// In an invisible character.
    Invisible,
    /// In the domain suffix, for example `amazonaws.com` and `amazonaws.com.cn`.
    Domain,
    /// In the region.
    Region,
    /// In the cluster id: another cluster, or one that was recreated.
    Cluster,
    /// The policy names an issuer that is not an EKS issuer.
    Whole,
}

impl IssuerDifference {
    /// Whether the policy means this issuer and only spells it wrongly.
    #[must_use]
    pub fn is_spelling(self) -> bool {
        match self {
            Self::Scheme
            | Self::Arn
            | Self::NoArn
            | Self::Slash
            | Self::Reversed
            | Self::DualStack
            | Self::Case
            | Self::Invisible => true,
            Self::Domain | Self::Region | Self::Cluster | Self::Whole => false,
        }
    }
}

/// An element that does not match, and how it differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRefusal {
    /// The index of the statement.
    pub statement: usize,
    /// The element.
    pub element: ElementResult,
    /// The difference.
    pub mismatch: Mismatch,
}

impl ExplainedRefusal {
    /// Whether the author put the element there to keep callers out. Only the author can decide to remove it.
    #[must_use]
    pub fn is_deliberate(&self) -> bool {
        self.mismatch == Mismatch::Other || self.is_exclusion()
    }

    /// Whether the element lists what it excludes.
    #[must_use]
    pub fn is_exclusion(&self) -> bool {
        match &self.element.kind {
            ElementKind::Principal => false,
            ElementKind::Action(name) => *name == "NotAction",
            ElementKind::Condition { operator, .. } => {
                Operator::parse(operator).is_some_and(Operator::is_negated)
            }
        }
    }
}

/// The elements of the nearest statement that do not match, in their order. A statement that names this subject
/// and has a condition that keeps it out is the nearest of all.
#[must_use]
pub fn explain_refusal(
    document: &Document,
    evaluation: &Evaluation,
    request: &Request,
) -> Vec<ExplainedRefusal> {
    let allowing = allow_statements(document, evaluation, request);
    let nearest = allowing.filter(|(_, misses)| !misses.is_empty()).min_by_key(|(matched, misses)| {
        let is_kept_out =
            misses.iter().any(ExplainedRefusal::is_deliberate) && names_subject(matched, request);
        if is_kept_out { 0 } else { total_distance(misses, request) }
    });
    nearest.map(|(_, misses)| misses).unwrap_or_default()
}

/// The elements of statements that fail only by what they exclude.
#[must_use]
pub fn exclusions(document: &Document, evaluation: &Evaluation, request: &Request) -> Vec<ExplainedRefusal> {
    let misses = allow_statements(document, evaluation, request).map(|(_, misses)| misses);
    misses.filter(|misses| misses.iter().all(ExplainedRefusal::is_exclusion)).flatten().collect()
}

/// Each Allow statement with its mismatches.
fn allow_statements<'a>(
    document: &'a Document,
    evaluation: &'a Evaluation,
    request: &'a Request,
) -> impl Iterator<Item = (&'a StatementResult, Vec<ExplainedRefusal>)> {
    let candidates = document.statements.iter().zip(&evaluation.statements).enumerate();
    candidates.filter(|(_, (statement, _))| statement.effect == Effect::Allow).map(
        move |(index, (statement, matched))| {
            let refusing = matched.elements.iter().filter(|element| element.truth == Truth::False);
            let named = refusing.map(|element| ExplainedRefusal {
                statement: index,
                element: element.clone(),
                mismatch: mismatch_of(statement, element, request),
            });
            (matched, named.collect())
        },
    )
}

/// Whether a statement matches the principal and has a matching condition on the subject.
fn names_subject(matched: &StatementResult, request: &Request) -> bool {
    let key_of_subject = format!("{}:sub", request.provider());
    let is_subject = |element: &ElementResult| match &element.kind {
        ElementKind::Condition { operator, key } => {
            let read = Operator::parse(operator);
            key.eq_ignore_ascii_case(&key_of_subject)
                && read.is_some_and(|read| !read.is_negated() && !read.is_null())
        }
        ElementKind::Principal | ElementKind::Action(_) => false,
    };
    let of_principal = |element: &ElementResult| element.kind == ElementKind::Principal;
    let holds = |is: &dyn Fn(&ElementResult) -> bool| {
        matched.elements.iter().any(|element| is(element) && element.truth == Truth::True)
    };
    holds(&of_principal) && holds(&is_subject)
}

/// The distance of a statement. The same difference in several places counts once.
fn total_distance(misses: &[ExplainedRefusal], request: &Request) -> u32 {
    let hidden = misses.iter().any(|named| is_for_another_subject(named, request));
    let mut different = if hidden { vec![Mismatch::Subject(SubjectDifference::Whole)] } else { Vec::new() };
    for ExplainedRefusal { mismatch: miss, .. } in misses {
        if !different.contains(miss) {
            different.push(miss.clone());
        }
    }
    different.iter().map(distance).sum()
}

/// Whether a condition on another issuer's subject also names another subject.
fn is_for_another_subject(named: &ExplainedRefusal, request: &Request) -> bool {
    let ElementKind::Condition { key, .. } = &named.element.kind else { return false };
    let is_subject = key.rsplit_once(':').is_some_and(|(_, claim)| claim.eq_ignore_ascii_case("sub"));
    let fits = |wanted: &String| Pattern::parse(wanted).matches(&request.subject);
    matches!(named.mismatch, Mismatch::Issuer(_)) && is_subject && !named.element.expected.iter().any(fits)
}

/// The distance of a difference. Less than ten is an error in the right place.
fn distance(miss: &Mismatch) -> u32 {
    match miss {
        Mismatch::SubjectWildcard { .. } | Mismatch::KeySwapped { .. } => 1,
        Mismatch::Subject(SubjectDifference::Whole) => 6,
        Mismatch::Subject(_) | Mismatch::Audience => 3,
        Mismatch::Issuer(IssuerDifference::Cluster | IssuerDifference::Region) => 5,
        Mismatch::Issuer(IssuerDifference::Whole) => 30,
        Mismatch::Issuer(_) | Mismatch::Account(_) | Mismatch::Partition(_) => 4,
        Mismatch::Action => 10,
        Mismatch::Other => 8,
        Mismatch::Principal(_) => 40,
    }
}

fn mismatch_of(statement: &Statement, element: &ElementResult, request: &Request) -> Mismatch {
    match &element.kind {
        ElementKind::Principal => principal_mismatch(&statement.principal, request),
        ElementKind::Action(_) => Mismatch::Action,
        ElementKind::Condition { operator, key } => {
            condition_mismatch(operator, key, &element.expected, request)
        }
    }
}

fn principal_mismatch(principal: &Principal, request: &Request) -> Mismatch {
    let Principal::Listed(kinds) = principal else { return Mismatch::Other };
    let each = || kinds.iter().flat_map(|(kind, names)| names.iter().map(move |name| (*kind, name.as_str())));
    let federated = each().filter(|(kind, _)| *kind == PrincipalKind::Federated);
    let named = federated.map(|(_, name)| provider_mismatch(name, request));
    let nearest = named.min_by_key(distance);
    nearest.unwrap_or_else(|| Mismatch::Principal(each().next().map_or(PrincipalKind::Aws, |(kind, _)| kind)))
}

/// How the name of a provider differs.
pub(crate) fn provider_mismatch(name: &str, request: &Request) -> Mismatch {
    if differs_invisibly(name, &request.provider_arn()) {
        return Mismatch::Issuer(IssuerDifference::Invisible);
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let [_, partition, "iam", _, account, resource] = parts.as_slice() else {
        return match name {
            _ if name == request.provider() => Mismatch::Issuer(IssuerDifference::NoArn),
            _ if name.starts_with("arn:") => Mismatch::Principal(PrincipalKind::Federated),
            _ => Mismatch::Issuer(issuer_difference(name, request.provider())),
        };
    };
    let Some(provider) = resource.strip_prefix("oidc-provider/") else {
        return Mismatch::Principal(PrincipalKind::Federated);
    };
    if provider != request.provider() {
        return Mismatch::Issuer(issuer_difference(provider, request.provider()));
    }
    if *partition != request.role.partition.id {
        return Mismatch::Partition((*partition).to_owned());
    }
    if *account != request.role.account {
        return Mismatch::Account((*account).to_owned());
    }
    // What differs then is no part of it that has a name.
    Mismatch::Principal(PrincipalKind::Federated)
}

/// How one issuer differs from another, both without a scheme. A spelling error counts only for the same issuer;
/// the issuer of another cluster is another cluster, however it is spelled.
#[must_use]
pub fn issuer_difference(wanted: &str, had: &str) -> IssuerDifference {
    let mut spelling = None;
    let mut bare = wanted;
    // A loop: the text comes from outside, and can be wrapped thousands of times.
    while let Some((gap, inner)) = unwrapped(bare) {
        spelling.get_or_insert(gap);
        bare = inner;
    }
    let (host, path) = split_host(bare);
    let is_eks = eks_region_and_domain(split_host(had).0).is_some();
    let straight = unreversed_host(host).filter(|_| is_eks).map(|host| format!("{host}/{path}"));
    let spelling = spelling.or_else(|| straight.is_some().then_some(IssuerDifference::Reversed));
    let difference = bare_issuer_difference(straight.as_deref().unwrap_or(bare), had);
    spelling.filter(|_| difference.is_spelling()).unwrap_or(difference)
}

/// What an issuer is in, if only an issuer belongs there, and the issuer.
fn unwrapped(issuer: &str) -> Option<(IssuerDifference, &str)> {
    if issuer.starts_with("arn:") {
        let (_, inner) = issuer.split_once(":oidc-provider/")?;
        return Some((IssuerDifference::Arn, inner));
    }
    without_scheme(issuer).map(|inner| (IssuerDifference::Scheme, inner))
}

/// How one issuer differs from another, with nothing around either.
fn bare_issuer_difference(wanted: &str, had: &str) -> IssuerDifference {
    if differs_invisibly(wanted, had) {
        return IssuerDifference::Invisible;
    }
    if wanted.trim_end_matches('/') == had.trim_end_matches('/') {
        return IssuerDifference::Slash;
    }
    if wanted.eq_ignore_ascii_case(had) {
        return IssuerDifference::Case;
    }
    let ((wanted_host, wanted_path), (host, path)) = (split_host(wanted), split_host(had));
    let same_path = wanted_path == path;
    match (eks_region_and_domain(wanted_host), eks_region_and_domain(host)) {
        (Some((wanted, _)), Some((region, _))) if same_path => {
            match (wanted == region, is_dual_stack(wanted_host) == is_dual_stack(host)) {
                (true, true) => IssuerDifference::Domain,
                (true, false) => IssuerDifference::DualStack,
                (false, true) => IssuerDifference::Region,
                (false, false) => IssuerDifference::Whole,
            }
        }
        (Some(_), _) if wanted_path.starts_with("id/") => IssuerDifference::Cluster,
        _ => IssuerDifference::Whole,
    }
}

/// The issuer without its scheme, if it has one.
fn without_scheme(issuer: &str) -> Option<&str> {
    let after = |scheme: &str| {
        let (start, rest) = issuer.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    after("https://").or_else(|| after("http://"))
}

/// The host `oidc.REGION.eks.…` with region and `eks` in the right order.
fn unreversed_host(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.splitn(4, '.').collect();
    match labels.as_slice() {
        // A host with `eks` twice is as straight as it gets.
        ["oidc", region, "eks", domain] if *region != "eks" => Some(format!("oidc.eks.{region}.{domain}")),
        _ => None,
    }
}

fn is_dual_stack(host: &str) -> bool {
    host.starts_with("oidc-eks.")
}

fn split_host(issuer: &str) -> (&str, &str) {
    issuer.split_once('/').unwrap_or((issuer, ""))
}

/// Whether a character is visible.
#[must_use]
pub fn is_visible(c: char) -> bool {
    c.is_ascii_graphic() || !c.is_whitespace() && sanitize(&c.to_string()) == c.to_string()
}

/// Whether two texts differ only in invisible characters.
#[must_use]
pub fn differs_invisibly(text: &str, other: &str) -> bool {
    let is_seen = |c: &char| is_visible(*c);
    text != other && text.chars().filter(is_seen).eq(other.chars().filter(is_seen))
}

pub(crate) const PREFIX: &str = "system:serviceaccount:";

fn condition_mismatch(operator: &str, key: &str, wanted: &[String], request: &Request) -> Mismatch {
    let Some((provider, claim)) = key.rsplit_once(':') else { return Mismatch::Other };
    let is_of_no_issuer = ["aws", "saml"].iter().any(|service| provider.eq_ignore_ascii_case(service));
    if !matches!(claim.to_ascii_lowercase().as_str(), "sub" | "aud") || is_of_no_issuer {
        return Mismatch::Other;
    }
    if !provider.eq_ignore_ascii_case(request.provider()) {
        return Mismatch::Issuer(issuer_difference(provider, request.provider()));
    }
    let read = Operator::parse(operator);
    if read.is_some_and(Operator::is_null) {
        return Mismatch::Other;
    }
    let is_negated = read.is_some_and(Operator::is_negated);
    let is_audience = |value: &String| value == USUAL_AUDIENCE || request.audience.contains(value);
    match claim.eq_ignore_ascii_case("aud") {
        true if !is_negated && wanted.iter().any(|value| value.starts_with(PREFIX)) => {
            return Mismatch::KeySwapped { of: "aud", meant: "sub" };
        }
        true => return Mismatch::Audience,
        false if is_negated => return Mismatch::Subject(SubjectDifference::Excluded),
        false if wanted.iter().any(is_audience) => return Mismatch::KeySwapped { of: "sub", meant: "aud" },
        false => {}
    }
    let is_pattern =
        |value: &String| value.contains(['*', '?']) && Pattern::parse(value).matches(&request.subject);
    if read.is_some_and(Operator::takes_patterns_for_text) && wanted.iter().any(is_pattern) {
        let like =
            operator.replace("StringEqualsIgnoreCase", "StringLike").replace("StringEquals", "StringLike");
        return Mismatch::SubjectWildcard { operator: like };
    }
    let gaps = wanted.iter().map(|value| subject_difference(value, &request.subject));
    Mismatch::Subject(
        gaps.min_by_key(|gap| *gap == SubjectDifference::Whole).unwrap_or(SubjectDifference::Whole),
    )
}

/// How one subject differs from another.
#[must_use]
pub fn subject_difference(wanted: &str, had: &str) -> SubjectDifference {
    if differs_invisibly(wanted, had) {
        return SubjectDifference::Invisible;
    }
    let small = |text: &str| text.to_ascii_lowercase();
    if Pattern::parse(&small(wanted)).matches(&small(had)) {
        return SubjectDifference::Case;
    }
    let parts = |subject: &str| -> Option<(String, String)> {
        let (namespace, name) = subject.strip_prefix(PREFIX)?.split_once(':')?;
        Some((namespace.to_owned(), name.to_owned()))
    };
    let is_tail = |rest: &str| match wanted.strip_suffix(rest) {
        Some(before) => before.is_empty() || before.ends_with(':') && before != PREFIX,
        None => false,
    };
    let fits_with_prefix = || Pattern::parse(&format!("{PREFIX}{wanted}")).matches(had);
    if had.strip_prefix(PREFIX).is_some_and(is_tail) || !wanted.starts_with(['*', '?']) && fits_with_prefix()
    {
        return SubjectDifference::Prefix;
    }
    match (parts(wanted), parts(had)) {
        (Some(wanted), Some(had)) if (&wanted.0, &wanted.1) == (&had.1, &had.0) => SubjectDifference::Swapped,
        (Some(wanted), Some(had)) if Pattern::parse(&wanted.1).matches(&had.1) => {
            SubjectDifference::Namespace
        }
        (Some(wanted), Some(had)) if Pattern::parse(&wanted.0).matches(&had.0) => SubjectDifference::Name,
        _ => SubjectDifference::Whole,
    }
}
