//! Replaces policy variables: `${aws:username}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}`.
//!
//! Source: "IAM policy elements: Variables and tags" in the IAM User Guide.

use super::document::Version;
use super::pattern::Pattern;
use super::request::{KeyValue, ROLE_SESSION_NAME, Request, is_time};

/// A policy value with its variables replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expanded {
    /// The resulting pattern.
    Pattern(Pattern),
    /// A variable has no value, so nothing matches.
    NoValue,
    /// The value of a variable is unknown. If there is a pattern, only what fits it can be the result.
    Unknown(Option<Pattern>),
}

/// Replaces the variables in a policy value.
#[must_use]
pub fn expand(value: &str, version: Version, request: &Request) -> Expanded {
    let mut pattern = Pattern::default();
    let (mut rest, mut is_known) = (value, true);
    if version == Version::V2012 {
        while let Some((before, after)) = rest.split_once("${") {
            // IAM Access Analyzer's checks call a missing brace an error, and do not say what it does.
            let Some((variable, behind)) = after.split_once('}') else { return Expanded::Unknown(None) };
            pattern.push(before);
            rest = behind;
            match variable {
                "*" | "?" | "$" => pattern.push_literal(variable),
                _ => match value_of(variable, request) {
                    Expanded::Pattern(plain) => pattern.push_literal(&plain.text()),
                    Expanded::Unknown(None) if variable.eq_ignore_ascii_case(ROLE_SESSION_NAME) => {
                        pattern.push_session_name();
                        is_known = false;
                    }
                    other => return other,
                },
            }
        }
    }
    pattern.push(rest);
    if is_known { Expanded::Pattern(pattern) } else { Expanded::Unknown(Some(pattern)) }
}

fn value_of(variable: &str, request: &Request) -> Expanded {
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => {
            let quoted = default.strip_prefix(" '").and_then(|default| default.strip_suffix('\''));
            // How anything but a comma, a space and a text in single quotes is read is not documented.
            let Some(default) = quoted else { return Expanded::Unknown(None) };
            (key, Some(default))
        }
        None => (variable, None),
    };
    // How the time is written as a text is not documented.
    if is_time(key) {
        return Expanded::Unknown(None);
    }
    let plain = |text: &str| Expanded::Pattern(Pattern::parse(text));
    match (request.value_of(key), default) {
        (KeyValue::Values(values), _) => match values.as_slice() {
            [one] => plain(one),
            // "You can't use a multivalued context key as a policy variable."
            _ => Expanded::Unknown(None),
        },
        (KeyValue::Absent, Some(default)) => plain(default),
        (KeyValue::Absent, None) => Expanded::NoValue,
        (KeyValue::Unknown(_), _) => Expanded::Unknown(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Expanded, expand};
    use crate::document::Version;
    use crate::request::sample;

    #[test]
    fn variables_become_what_they_stand_for() {
        let mut request = sample("arn:aws:iam::111122223333:role/a");
        request.session_name = Some("a*b".to_owned());
        let expanded = |value: &str| expand(value, Version::V2012, &request);
        for (value, expected) in [
            ("plain", "plain"),
            ("x-${sts:RoleSessionName}-y", "x-a*b-y"),
            ("${STS:rolesessionname}", "a*b"),
            ("${*}${?}${$}", "*?$"),
            ("${$}{aws:username}", "${aws:username}"),
            ("${aws:username, 'nobody'}", "nobody"),
            ("${aws:username, ''}", ""),
            ("$}{", "$}{"),
        ] {
            let Expanded::Pattern(pattern) = expanded(value) else { panic!("{value}") };
            assert_eq!(pattern.text(), expected, "{value}");
        }
        for value in [
            "${}",
            "a${unfinished",
            "${aws:SourceIp}",
            "${aws:username, nobody}",
            "${aws:username,'nobody'}",
            "${aws:username,  'nobody'}",
            "${aws:username, 'nobody}",
            "${aws:CurrentTime}",
            "${${aws:username}}",
        ] {
            assert_eq!(expanded(value), Expanded::Unknown(None), "{value}");
        }
        assert_eq!(expanded("a${aws:username}b"), Expanded::NoValue);
        let Expanded::Pattern(pattern) = expanded("${sts:RoleSessionName}") else { panic!() };
        assert!(pattern.matches("a*b") && !pattern.matches("aXb"), "what comes from the call is no pattern");
        let Expanded::Pattern(pattern) = expand("${aws:username}", Version::V2008, &request) else {
            panic!()
        };
        assert_eq!(pattern.text(), "${aws:username}");
    }
}
