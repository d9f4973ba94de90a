//! Policy variables: `${aws:username}`, `${key, 'default'}`, and the three that stand for a character.
//!
//! Source: "IAM policy elements: Variables and tags" in the IAM User Guide.

use super::document::Version;
use super::pattern::Pattern;
use super::request::{Known, Request};

/// A value of a policy with its variables replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expanded {
    /// What it comes to.
    To(Pattern),
    /// A variable in it has no value, so that nothing fits it.
    ToNothing,
    /// What a variable in it comes to is not known.
    Unknown,
}

/// Replaces the variables in a value.
#[must_use]
pub fn expand(value: &str, version: Version, request: &Request) -> Expanded {
    let mut pattern = Pattern::default();
    let mut rest = value;
    if version == Version::Of2012 {
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, behind)) = after.split_once('}') else { break };
            pattern.push(before);
            rest = behind;
            match variable {
                "*" | "?" | "$" => pattern.push_plain(variable),
                _ => match value_of(variable, request) {
                    Expanded::To(plain) => pattern.push_plain(&plain.text()),
                    other => return other,
                },
            }
        }
    }
    pattern.push(rest);
    Expanded::To(pattern)
}

fn value_of(variable: &str, request: &Request) -> Expanded {
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => (key.trim(), Some(default.trim().trim_matches('\''))),
        None => (variable.trim(), None),
    };
    let plain = |text: &str| Expanded::To(Pattern::of(text));
    match (request.key(key), default) {
        (Known::Values(values), _) => match values.as_slice() {
            [one] => plain(one),
            _ => Expanded::Unknown,
        },
        (Known::Absent, Some(default)) => plain(default),
        (Known::Absent, None) => Expanded::ToNothing,
        (Known::Unknown(_), _) => Expanded::Unknown,
    }
}
