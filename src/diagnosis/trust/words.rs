//! The vocabulary of the sentences about a trust policy.

use super::{ForeignCondition, MAX_NAMED};
use crate::text::{list, sanitize};
use iam_trust::evaluate::ElementKind;
use iam_trust::reach::split_subject;
use iam_trust::request::{KeyValue, Request};

/// An element in a sentence.
pub(super) fn element(element: &ElementKind) -> String {
    match element {
        ElementKind::Principal | ElementKind::Action(_) => format!("its {element}"),
        ElementKind::Condition { .. } => element.to_string(),
    }
}

/// Values in a sentence.
pub(in crate::diagnosis) fn values(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("\"{}\"", sanitize(value))).collect();
    match values.len() {
        0 => "nothing".to_owned(),
        1..=MAX_NAMED => quoted.join(" or "),
        _ => list(&quoted, MAX_NAMED),
    }
}

/// The service accounts whose subjects match patterns.
pub(super) fn service_accounts(patterns: &[String]) -> String {
    let mut each: Vec<String> =
        patterns.iter().take(MAX_NAMED).map(|pattern| service_accounts_of(pattern)).collect();
    let more = patterns.len().saturating_sub(MAX_NAMED);
    if more > 0 {
        each.push(format!("those that fit {more} more patterns"));
    }
    each.join("; ")
}

fn service_accounts_of(pattern: &str) -> String {
    let is_wild = |text: &str| text.contains(['*', '?']);
    let Some((namespace, name)) = split_subject(pattern).filter(|_| !pattern.contains("${")) else {
        return match pattern {
            "*" => "every service account of the cluster".to_owned(),
            pattern => format!("every service account whose subject fits \"{}\"", sanitize(pattern)),
        };
    };
    let whose = match name {
        "*" => "every service account".to_owned(),
        name if is_wild(name) => format!("every service account whose name fits \"{}\"", sanitize(name)),
        name => format!("the service account \"{}\"", sanitize(name)),
    };
    match namespace {
        "*" if name == "*" => format!("{whose} of the cluster"),
        "*" => format!("{whose} in any namespace"),
        namespace if is_wild(namespace) => {
            format!("{whose} in any namespace that fits \"{}\"", sanitize(namespace))
        }
        namespace => format!("{whose} in the namespace \"{}\"", sanitize(namespace)),
    }
}

/// The key of the token's issuer that replaces the key of a condition.
pub(super) fn key_correction(foreign: &ForeignCondition, request: &Request) -> String {
    format!(
        "the key {}:{} in place of {}",
        sanitize(request.provider()),
        sanitize(foreign.claim()),
        sanitize(&foreign.condition.key)
    )
}

/// The value that the call has for a key, after "has".
pub(super) fn actual(value: &KeyValue) -> String {
    match value {
        KeyValue::Values(actual) => values(actual).replace("\" or \"", "\" and \""),
        KeyValue::Absent => "none".to_owned(),
        KeyValue::Unknown(why) => format!("something that is not known ({why})"),
    }
}

/// Two texts with `«»` around the parts that differ: around one or two characters, or else around whole words.
pub(in crate::diagnosis) fn mark_difference(one: &str, other: &str) -> (String, String) {
    let (one, other) = (sanitize(one), sanitize(other));
    if one == other {
        return (one, other);
    }
    let (ones, others): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |(one, other): &(&char, &char)| one == other;
    let mut start = ones.iter().zip(&others).take_while(same).count();
    let rest = ones.len().min(others.len()) - start;
    let mut end = ones.iter().rev().zip(others.iter().rev()).take(rest).take_while(same).count();
    let few = |text: &[char]| (1..=2).contains(&(text.len() - start - end));
    if !(few(&ones) && few(&others)) {
        let is_word = |c: Option<&char>| c.is_some_and(|c| !matches!(c, ':' | '/' | '.'));
        let (ones_differ, others_differ) = (middle(&ones, start, end), middle(&others, start, end));
        let begins_within = is_word(ones_differ.first()) || is_word(others_differ.first());
        let ends_within = is_word(ones_differ.last()) || is_word(others_differ.last());
        while begins_within && start > 0 && is_word(ones.get(start - 1)) {
            start -= 1;
        }
        while ends_within && end > 0 && is_word(ones.get(ones.len() - end)) {
            end -= 1;
        }
    }
    let mark = |text: &[char]| {
        let text_of = |part: &[char]| part.iter().collect::<String>();
        let differs = text_of(middle(text, start, end));
        let (before, after) = (middle(text, 0, text.len() - start), middle(text, text.len() - end, 0));
        format!("{}«{differs}»{}", text_of(before), text_of(after))
    };
    (mark(&ones), mark(&others))
}

/// A text without its first `start` and its last `end` characters.
fn middle(text: &[char], start: usize, end: usize) -> &[char] {
    text.get(start..text.len().saturating_sub(end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::mark_difference;
    use crate::text::sanitize;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn marks_take_nothing_away(one in "[a-c:/.\u{200b}]{0,12}|\\PC{0,300}", other in "[a-c:/.]{0,12}|\\PC{0,300}") {
            let (first, second) = mark_difference(&one, &other);
            let bare = |text: &str| text.replace(['«', '»'], "");
            prop_assert_eq!((bare(&first), bare(&second)), (bare(&sanitize(&one)), bare(&sanitize(&other))));
        }
    }

    #[test]
    fn what_differs_is_marked() {
        for (one, other, marked) in [
            ("a:payment:b", "a:payments:b", ("a:«payment»:b", "a:«payments»:b")),
            ("111122223334", "111122223333", ("11112222333«4»", "11112222333«3»")),
            ("x/id/A", "x/id/B", ("x/id/«A»", "x/id/«B»")),
            ("https://x/y", "x/y", ("«https://»x/y", "«»x/y")),
            ("x/y/", "x/y", ("x/y«/»", "x/y«»")),
            (
                "oidc.eu-west-1.eks.b",
                "oidc.eks.eu-west-1.b",
                ("oidc.«eu-west-1.eks».b", "oidc.«eks.eu-west-1».b"),
            ),
            ("aaa", "aaaa", ("«aaa»", "«aaaa»")),
            ("", "a", ("«»", "«a»")),
            ("same", "same", ("same", "same")),
            ("a\u{200b}", "a", ("«a\\u{200b}»", "«a»")),
        ] {
            let (first, second) = mark_difference(one, other);
            assert_eq!((first.as_str(), second.as_str()), marked);
        }
    }
}
