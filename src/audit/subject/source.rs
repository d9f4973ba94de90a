//! Where a value is from, and which of several sources counts.

use std::fmt;

/// A source of what an audit knows about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag of this name.
    Flag(&'static str),
    /// The token.
    Token,
    /// The report.
    Report,
    /// The pod.
    Pod,
    /// The service account.
    ServiceAccount,
    /// The role that was printed with the trust policy.
    Role,
}

impl Source {
    /// The name, without the flag that named the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flag(name) => name,
            Self::Token => "the token",
            Self::Report => "the report",
            Self::Pod => "the pod",
            Self::ServiceAccount => "the service account",
            Self::Role => "the role",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag(name) => name,
            Self::Token => "the token (--token)",
            Self::Report => "the report (--report)",
            Self::Pod => "the pod (--pod)",
            Self::ServiceAccount => "the service account (--service-account)",
            Self::Role => "the role (--trust-policy)",
        })
    }
}

/// A value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The source.
    pub source: Source,
}

/// Two sources that disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// What they disagree on.
    pub what: &'static str,
    /// The value that counts.
    pub chosen: Sourced<String>,
    /// The value that does not count.
    pub other: Sourced<String>,
}

/// A value that several sources can have.
pub(super) trait SourceValue: Clone {
    fn is_empty(&self) -> bool;
    fn is_same(&self, other: &Self) -> bool;
    fn text(&self) -> String;
}

impl SourceValue for String {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }
    fn is_same(&self, other: &Self) -> bool {
        self == other
    }
    fn text(&self) -> String {
        self.clone()
    }
}

/// The audiences of a token, in any order.
#[derive(Clone)]
pub(super) struct Audience(pub(super) Vec<String>);

impl SourceValue for Audience {
    fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }
    fn is_same(&self, Self(others): &Self) -> bool {
        let within = |one: &[String], other: &[String]| one.iter().all(|audience| other.contains(audience));
        within(&self.0, others) && within(others, &self.0)
    }
    fn text(&self) -> String {
        self.0.join(", ")
    }
}

/// What each source has of a value, the source that counts most first.
pub(super) type Candidates<T> = Vec<(Source, Option<T>)>;

/// Chooses the first candidate that has a value, and notes the others that disagree.
///
/// # Errors
/// A disagreement of one of the contradicting sources, unless a flag was chosen.
pub(super) fn choose<T: SourceValue>(
    what: &'static str,
    candidates: Candidates<T>,
    contradicting: &[Source],
    disagreements: &mut Vec<Disagreement>,
) -> Result<Option<Sourced<T>>, Box<Disagreement>> {
    let values = candidates.into_iter().filter_map(|(source, value)| Some(Sourced { value: value?, source }));
    let mut values = values.filter(|candidate| !candidate.value.is_empty());
    let Some(chosen) = values.next() else { return Ok(None) };
    let text = |candidate: &Sourced<T>| Sourced { value: candidate.value.text(), source: candidate.source };
    for other in values.filter(|other| !other.value.is_same(&chosen.value)) {
        let is_contradiction =
            contradicting.contains(&other.source) && !matches!(chosen.source, Source::Flag(_));
        let disagreement = Disagreement { what, chosen: text(&chosen), other: text(&other) };
        if is_contradiction {
            return Err(Box::new(disagreement));
        }
        disagreements.push(disagreement);
    }
    Ok(Some(chosen))
}
