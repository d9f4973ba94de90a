//! Where a value is from, and which of several sources counts.

use std::fmt;

/// A source of what an audit knows about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Flag(&'static str),
    Token,
    Report,
    Pod,
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    pub value: T,
    pub source: Source,
}

impl Sourced<Vec<String>> {
    pub(super) fn joined(&self) -> Sourced<String> {
        Sourced { value: self.value.join(", "), source: self.source }
    }
}

/// Two sources that disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    pub what: &'static str,
    pub chosen: Sourced<String>,
    pub other: Sourced<String>,
}

/// Chooses the first candidate that has a value, and notes the others that disagree. A value is one text, or several in
/// any order.
///
/// # Errors
/// A disagreement of one of the contradicting sources, unless a flag was chosen.
pub(super) fn choose<V: IntoIterator<Item = String>>(
    what: &'static str,
    candidates: Vec<(Source, V)>,
    contradicting: &[Source],
    disagreements: &mut Vec<Disagreement>,
) -> Result<Option<Sourced<Vec<String>>>, Box<Disagreement>> {
    let candidates = candidates.into_iter();
    let values = candidates.map(|(source, texts)| Sourced { value: Vec::from_iter(texts), source });
    let mut values = values.filter(|candidate| !candidate.value.iter().all(String::is_empty));
    let Some(chosen) = values.next() else { return Ok(None) };
    let within = |one: &[String], other: &[String]| one.iter().all(|text| other.contains(text));
    for other in values {
        if within(&other.value, &chosen.value) && within(&chosen.value, &other.value) {
            continue;
        }
        let is_contradiction =
            contradicting.contains(&other.source) && !matches!(chosen.source, Source::Flag(_));
        let disagreement = Disagreement { what, chosen: chosen.joined(), other: other.joined() };
        if is_contradiction {
            return Err(Box::new(disagreement));
        }
        disagreements.push(disagreement);
    }
    Ok(Some(chosen))
}
