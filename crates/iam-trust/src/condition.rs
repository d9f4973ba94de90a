//! Evaluates conditions: the operators, sets, `IfExists`, and values by type.
//!
//! Source: "IAM JSON policy elements: Condition operators", "Conditions with multiple context keys or values",
//! "Single-valued vs. multivalued context keys" and "IAM Access Analyzer policy check reference" in the IAM
//! User Guide. An unknown operator, and any case that the guide leaves open, gives *unknown*.

use std::net::IpAddr;
use std::str::FromStr;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::document::{Condition, Version};
use super::pattern::Pattern;
use super::request::{KeyValue, ROLE_SESSION_NAME, Request, is_always_there};
use super::variable::{Expanded, expand};

/// Three-valued truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// Does not hold.
    False,
    /// Cannot be decided.
    Unknown,
    /// Holds.
    True,
}

impl Truth {
    fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::Unknown => Self::Unknown,
            Self::False => Self::True,
        }
    }

    /// True if all hold; unknown beats true, false beats unknown.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().min().unwrap_or(Self::True)
    }

    /// True if any holds; unknown beats false, true beats unknown.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().max().unwrap_or(Self::False)
    }
}

/// A condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    set: Option<SetOperator>,
    base: Comparison,
    if_exists: bool,
}

/// The set operator, for keys with several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SetOperator {
    Any,
    All,
}

/// The type and direction of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Text { by: TextComparison, negated: bool },
    Arn { negated: bool },
    Ip { negated: bool },
    Number { by: Ordering, negated: bool },
    Date { by: Ordering, negated: bool },
    Bool,
    Null,
}

/// How strings are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextComparison {
    Equals,
    IgnoreCase,
    Like,
}

/// How numbers and dates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ordering {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Ordering {
    fn holds<T: PartialOrd>(self, had: &T, wanted: &T) -> bool {
        match self {
            Self::Equals => had == wanted,
            Self::Less => had < wanted,
            Self::LessOrEqual => had <= wanted,
            Self::Greater => had > wanted,
            Self::GreaterOrEqual => had >= wanted,
        }
    }
}

impl Operator {
    /// Parses an operator; `None` if it is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (set, rest) = match text.split_once(':') {
            None => (None, text),
            Some(("ForAnyValue", rest)) => (Some(SetOperator::Any), rest),
            Some(("ForAllValues", rest)) => (Some(SetOperator::All), rest),
            Some(_) => return None,
        };
        let (rest, if_exists) = match rest.strip_suffix("IfExists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let text = |by, negated| Comparison::Text { by, negated };
        let number = |by, negated| Comparison::Number { by, negated };
        let date = |by, negated| Comparison::Date { by, negated };
        let base = match rest {
            "StringEquals" => text(TextComparison::Equals, false),
            "StringNotEquals" => text(TextComparison::Equals, true),
            "StringEqualsIgnoreCase" => text(TextComparison::IgnoreCase, false),
            "StringNotEqualsIgnoreCase" => text(TextComparison::IgnoreCase, true),
            "StringLike" => text(TextComparison::Like, false),
            "StringNotLike" => text(TextComparison::Like, true),
            "ArnEquals" | "ArnLike" => Comparison::Arn { negated: false },
            "ArnNotEquals" | "ArnNotLike" => Comparison::Arn { negated: true },
            "IpAddress" => Comparison::Ip { negated: false },
            "NotIpAddress" => Comparison::Ip { negated: true },
            "NumericEquals" => number(Ordering::Equals, false),
            "NumericNotEquals" => number(Ordering::Equals, true),
            "NumericLessThan" => number(Ordering::Less, false),
            "NumericLessThanEquals" => number(Ordering::LessOrEqual, false),
            "NumericGreaterThan" => number(Ordering::Greater, false),
            "NumericGreaterThanEquals" => number(Ordering::GreaterOrEqual, false),
            "DateEquals" => date(Ordering::Equals, false),
            "DateNotEquals" => date(Ordering::Equals, true),
            "DateLessThan" => date(Ordering::Less, false),
            "DateLessThanEquals" => date(Ordering::LessOrEqual, false),
            "DateGreaterThan" => date(Ordering::Greater, false),
            "DateGreaterThanEquals" => date(Ordering::GreaterOrEqual, false),
            "Bool" => Comparison::Bool,
            "Null" if !if_exists => Comparison::Null,
            _ => return None,
        };
        Some(Self { set, base, if_exists })
    }

    /// Whether the operator compares `*` and `?` literally, while `StringLike` would match patterns.
    #[must_use]
    pub fn takes_patterns_for_text(self) -> bool {
        matches!(self.base, Comparison::Text { by: TextComparison::Equals | TextComparison::IgnoreCase, .. })
    }

    /// Whether the operator matches patterns.
    #[must_use]
    pub fn knows_patterns(self) -> bool {
        matches!(self.base, Comparison::Text { by: TextComparison::Like, .. } | Comparison::Arn { .. })
    }

    /// Whether the operator is `Null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.base == Comparison::Null
    }

    /// Whether variables are replaced in the values. The User Guide contradicts itself for `Bool`.
    fn knows_variables(self) -> bool {
        matches!(self.base, Comparison::Text { .. } | Comparison::Arn { .. })
    }

    /// Whether the User Guide says that the operator works with a key of a special type.
    fn is_for(self, key: &str) -> bool {
        let is_null_or = |is_it: bool| self.base == Comparison::Null || is_it;
        match key.to_ascii_lowercase().as_str() {
            "aws:currenttime" => is_null_or(matches!(self.base, Comparison::Date { .. })),
            "aws:epochtime" => {
                is_null_or(matches!(self.base, Comparison::Date { .. } | Comparison::Number { .. }))
            }
            "aws:securetransport" | "aws:viaawsservice" => is_null_or(self.base == Comparison::Bool),
            _ => true,
        }
    }

    /// Whether the operator is negated.
    #[must_use]
    pub fn is_negated(self) -> bool {
        match self.base {
            Comparison::Text { negated, .. }
            | Comparison::Arn { negated }
            | Comparison::Ip { negated }
            | Comparison::Number { negated, .. }
            | Comparison::Date { negated, .. } => negated,
            Comparison::Bool | Comparison::Null => false,
        }
    }

    /// Whether a value of the call matches a value of the policy.
    fn value_matches(self, wanted: &Pattern, had: &str) -> Truth {
        let text = || wanted.text();
        let both = |by: Ordering, read: fn(&str) -> Option<f64>| match (read(had), read(&text())) {
            (Some(had), Some(wanted)) => Truth::of(by.holds(&had, &wanted)),
            _ => Truth::Unknown,
        };
        match self.base {
            Comparison::Text { by: TextComparison::Equals, .. } => Truth::of(text() == had),
            Comparison::Text { by: TextComparison::IgnoreCase, .. } => {
                Truth::of(text().to_lowercase() == had.to_lowercase())
            }
            Comparison::Text { by: TextComparison::Like, .. } => Truth::of(wanted.matches(had)),
            Comparison::Arn { .. } => wanted.matches_arn(had).map_or(Truth::Unknown, Truth::of),
            Comparison::Ip { .. } => is_in_range(&text(), had).map_or(Truth::Unknown, Truth::of),
            Comparison::Number { by, .. } => both(by, number),
            Comparison::Date { by, .. } => both(by, seconds),
            Comparison::Bool => match (text().as_str(), had) {
                (wanted @ ("true" | "false"), had @ ("true" | "false")) => Truth::of(wanted == had),
                _ => Truth::Unknown,
            },
            Comparison::Null => Truth::Unknown,
        }
    }

    /// Whether a value of the call satisfies the operator for all policy values.
    fn value_satisfies(self, wanted: &[Expanded], had: &str) -> Truth {
        let fits = |wanted: &Expanded| match wanted {
            Expanded::Pattern(pattern) => self.value_matches(pattern, had),
            Expanded::NoValue => Truth::False,
            Expanded::Unknown(Some(pattern)) if !pattern.can_match(had) && self.knows_case() => Truth::False,
            Expanded::Unknown(_) => Truth::Unknown,
        };
        let any = Truth::any(wanted.iter().map(fits));
        if self.is_negated() { any.not() } else { any }
    }

    /// Whether capital letters count.
    fn knows_case(self) -> bool {
        matches!(self.base, Comparison::Text { by: TextComparison::Equals | TextComparison::Like, .. })
    }

    /// Whether any value that a key can have satisfies the operator for all policy values.
    fn any_value_satisfies(self, wanted: &[Expanded], is_session_name: bool) -> Truth {
        let is_pattern = self.knows_patterns();
        let fits = |wanted: &Expanded| match (wanted, self.base) {
            (Expanded::NoValue, _) => Truth::False,
            (Expanded::Pattern(pattern), Comparison::Text { .. }) if is_session_name => {
                pattern.fits_session_names(is_pattern).map_or(Truth::Unknown, Truth::of)
            }
            (Expanded::Pattern(pattern), Comparison::Text { by: TextComparison::Like, .. })
                if pattern.is_anything() =>
            {
                Truth::True
            }
            _ => Truth::Unknown,
        };
        let any = Truth::any(wanted.iter().map(fits));
        if self.is_negated() { any.not() } else { any }
    }

    /// Evaluates the operator for a key whose value is unknown: what holds for each value that it can have, and
    /// for its absence, holds.
    fn evaluate_unknown(self, key: &str, wanted: &[Expanded]) -> Truth {
        let present = match self.base {
            Comparison::Null => self.evaluate_condition(wanted, &KeyValue::Values(vec!["any".to_owned()])),
            _ => self.any_value_satisfies(wanted, key.eq_ignore_ascii_case(ROLE_SESSION_NAME)),
        };
        let absent =
            if is_always_there(key) { present } else { self.evaluate_condition(wanted, &KeyValue::Absent) };
        if present == absent { present } else { Truth::Unknown }
    }

    /// Evaluates the operator for a key's value.
    fn evaluate_condition(self, wanted: &[Expanded], known: &KeyValue) -> Truth {
        if self.base == Comparison::Null {
            // IAM Access Analyzer's checks: "ForAllValues with Null always returns true", and ForAnyValue false.
            if let Some(set) = self.set {
                return Truth::of(set == SetOperator::All);
            }
            let is_absent = match known {
                KeyValue::Absent => true,
                KeyValue::Values(_) => false,
                KeyValue::Unknown(_) => return Truth::Unknown,
            };
            let wants = |wanted: &Expanded| match wanted {
                Expanded::Pattern(pattern) => match pattern.text().as_str() {
                    "true" => Truth::of(is_absent),
                    "false" => Truth::of(!is_absent),
                    _ => Truth::Unknown,
                },
                Expanded::NoValue | Expanded::Unknown(_) => Truth::Unknown,
            };
            return Truth::any(wanted.iter().map(wants));
        }
        match (known, self.set) {
            (KeyValue::Unknown(_), _) => Truth::Unknown,
            // Without the key `IfExists` holds and `ForAnyValue` does not; of both together nothing is said.
            (KeyValue::Absent, Some(SetOperator::Any)) if self.if_exists => Truth::Unknown,
            (KeyValue::Absent, _) if self.if_exists => Truth::True,
            (KeyValue::Absent, Some(SetOperator::All)) => Truth::True,
            (KeyValue::Absent, Some(SetOperator::Any)) => Truth::False,
            (KeyValue::Absent, None) => Truth::of(self.is_negated()),
            // "…or if the context key value resolves to an empty dataset, such as an empty string."
            (KeyValue::Values(had), Some(set)) if had.iter().all(String::is_empty) => {
                Truth::of(set == SetOperator::All)
            }
            (KeyValue::Values(had), set) => {
                let suits = had.iter().map(|had| self.value_satisfies(wanted, had));
                match set {
                    Some(SetOperator::Any) => Truth::any(suits),
                    Some(SetOperator::All) => Truth::all(suits),
                    // "Multivalued context keys require a condition set operator". What happens without one is not
                    // documented.
                    None if had.len() > 1 => Truth::Unknown,
                    None => Truth::any(suits),
                }
            }
        }
    }
}

/// Evaluates a condition for a call. Returns the truth and the key's value.
#[must_use]
pub fn judge(condition: &Condition, version: Version, request: &Request) -> (Truth, KeyValue) {
    let known = request.value_of(&condition.key);
    let Some(operator) = Operator::parse(&condition.operator) else {
        return (Truth::Unknown, KeyValue::Unknown("its operator is not known here"));
    };
    if !operator.is_for(&condition.key) {
        return (
            Truth::Unknown,
            KeyValue::Unknown("what this operator does with this key is not documented"),
        );
    }
    if condition.values.is_empty() && operator.set == Some(SetOperator::Any) {
        return (Truth::False, known);
    }
    if condition.values.is_empty() && !(operator.if_exists && known == KeyValue::Absent) {
        return (Truth::Unknown, KeyValue::Unknown("what a condition without values does is not documented"));
    }
    // IAM Access Analyzer's checks: "The condition match might not return the results that you expect."
    if matches!(operator.base, Comparison::Bool | Comparison::Null) && condition.values.len() > 1 {
        return (Truth::Unknown, KeyValue::Unknown("what several truth values do is not documented"));
    }
    let expand = |value: &String| match value.contains("${") && !operator.knows_variables() {
        true => Expanded::Unknown(None),
        false => expand(value, version, request),
    };
    let wanted: Vec<Expanded> = condition.values.iter().map(expand).collect();
    let truth = match known {
        KeyValue::Unknown(_) => operator.evaluate_unknown(&condition.key, &wanted),
        _ => operator.evaluate_condition(&wanted, &known),
    };
    // "If AWS cannot resolve a variable, this might cause the entire statement to be invalid." For negated
    // comparisons of text the guide says that the condition holds.
    let is_sure = !wanted.contains(&Expanded::NoValue)
        || operator.is_negated() && matches!(operator.base, Comparison::Text { .. });
    (if is_sure { truth } else { truth.min(Truth::Unknown) }, known)
}

/// A finite number.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A date in seconds since 1970, from ISO 8601 in the W3C profile or from a number. Four digits alone are
/// ambiguous (a year or a number) and give `None`.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let parse = |text: &str| DateTime::from_str(text, Format::DateTimeWithOffset).ok();
    let without_seconds = || {
        let (minute, offset) = text.split_at_checked(16)?;
        parse(&format!("{minute}:00{offset}"))
    };
    if let Some(number) = number(text) {
        return (text.len() != 4).then_some(number);
    }
    let date = parse(text).or_else(without_seconds).or_else(|| parse(&format!("{text}T00:00:00Z")))?;
    Some(date.as_secs_f64())
}

/// Whether an address is in a range such as `10.0.0.0/8`; `None` if either is invalid. By the User Guide an
/// address without a prefix is a `/32`. It does not say what that means for IPv6.
fn is_in_range(range: &str, address: &str) -> Option<bool> {
    let (first, length) = match range.split_once('/') {
        Some((first, length)) => (IpAddr::from_str(first).ok()?, Some(length.parse::<u32>().ok()?)),
        None => (IpAddr::from_str(range).ok().filter(IpAddr::is_ipv4)?, None),
    };
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((first, width), (address, other_width)) = (bits(first), bits(IpAddr::from_str(address).ok()?));
    let length = length.unwrap_or(width);
    if length > width {
        return None;
    }
    let differ = (first ^ address).checked_shr(width - length).unwrap_or(0);
    Some(width == other_width && differ == 0)
}

#[cfg(test)]
mod tests {
    use super::{Operator, is_in_range, seconds};

    #[test]
    fn operators_are_read_whole() {
        for known in
            ["StringEquals", "StringLikeIfExists", "ForAnyValue:StringNotLike", "Null", "DateLessThan"]
        {
            assert!(Operator::parse(known).is_some(), "{known}");
        }
        for unknown in ["", "stringequals", "ForSomeValues:StringEquals", "NullIfExists", "BinaryEquals"] {
            assert!(Operator::parse(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn addresses_and_ranges() {
        for (range, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", Some(true)),
            ("10.0.0.0/8", "11.1.2.3", Some(false)),
            ("10.0.0.1", "10.0.0.1", Some(true)),
            ("0.0.0.0/0", "1.2.3.4", Some(true)),
            ("0.0.0.0/0", "::1", Some(false)),
            ("fd00::/8", "fd12::1", Some(true)),
            ("::/0", "fd12::1", Some(true)),
            ("fd12::1/128", "fd12::1", Some(true)),
            ("fd12::1", "fd12::1", None),
            ("10.0.0.0/33", "10.0.0.1", None),
            ("ten", "10.0.0.1", None),
        ] {
            assert_eq!(is_in_range(range, address), expected, "{range} {address}");
        }
    }

    #[test]
    fn dates_are_seconds() {
        for (text, expected) in [
            ("1970-01-01T00:01:00Z", Some(60.0)),
            ("1970-01-02", Some(86400.0)),
            ("1970-01-01T01:00:00+01:00", Some(0.0)),
            ("1970-01-01T00:01Z", Some(60.0)),
            ("1970-01-01T01:01+01:00", Some(60.0)),
            ("60", Some(60.0)),
            ("1795460000", Some(1_795_460_000.0)),
            ("2026", None),
            ("2026-11", None),
            ("soon", None),
            ("NaN", None),
            ("inf", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
