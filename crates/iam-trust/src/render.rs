//! Renders a policy for a person: the failing lines marked, and the difference to a corrected policy.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

use super::evaluate::ElementKind;
use foreign_text::escape_json;

/// The number of unchanged lines around a change.
const AROUND: usize = 3;

/// A line of a rendered policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The indented line, safe to print.
    pub text: String,
    /// Whether the line belongs to a marked element.
    pub is_marked: bool,
}

/// The text, with `>` before a marked line.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_marked { '>' } else { ' ' }, self.text)
    }
}

/// Renders a policy with elements marked. Each element has the index of its statement.
#[must_use]
pub fn mark_elements<'a>(
    policy: &Value,
    elements: impl IntoIterator<Item = (usize, &'a ElementKind)>,
) -> Vec<Line> {
    let is_list = policy.get("Statement").is_some_and(Value::is_array);
    let places = elements.into_iter().map(|(statement, what)| {
        let mut place = vec!["Statement".to_owned()];
        place.extend(is_list.then(|| statement.to_string()));
        match what {
            ElementKind::Principal => place.push("Principal".to_owned()),
            ElementKind::Action(name) => place.push((*name).to_owned()),
            ElementKind::Condition { operator, key } => {
                place.extend(["Condition".to_owned(), operator.clone(), key.clone()]);
            }
        }
        place
    });
    let mut page = Page { marked: places.collect(), place: Vec::new(), lines: Vec::new() };
    page.write(policy, "", "");
    page.lines
}

/// Writes JSON line by line and tracks the element of each line.
struct Page {
    marked: BTreeSet<Vec<String>>,
    place: Vec<String>,
    lines: Vec<Line>,
}

impl Page {
    fn write(&mut self, value: &Value, before: &str, after: &str) {
        let (open, close) = match value {
            Value::Object(entries) if !entries.is_empty() => ('{', '}'),
            Value::Array(values) if !values.is_empty() => ('[', ']'),
            plain => return self.line(format!("{before}{plain}{after}")),
        };
        self.line(format!("{before}{open}"));
        match value {
            Value::Object(entries) => {
                let named =
                    |(name, value)| (String::clone(name), format!("{}: ", Value::from(name.as_str())), value);
                self.within(entries.iter().map(named));
            }
            Value::Array(values) => {
                let placed = |(place, value): (usize, _)| (place.to_string(), String::new(), value);
                self.within(values.iter().enumerate().map(placed));
            }
            _ => {}
        }
        self.line(format!("{close}{after}"));
    }

    fn within<'v>(&mut self, items: impl ExactSizeIterator<Item = (String, String, &'v Value)>) {
        let last = items.len().saturating_sub(1);
        for (index, (name, before, value)) in items.enumerate() {
            self.place.push(name);
            self.write(value, &before, if index == last { "" } else { "," });
            self.place.pop();
        }
    }

    /// Adds a line at the current depth. Braces belong to their element.
    fn line(&mut self, text: String) {
        let text = format!("{:width$}{}", "", escape_json(&text), width = 2 * self.place.len());
        let is_marked = (1..=self.place.len())
            .any(|depth| self.place.get(..depth).is_some_and(|place| self.marked.contains(place)));
        self.lines.push(Line { text, is_marked });
    }
}

/// The difference between two policies, with `-` and `+` before changed lines. Indentation and trailing commas
/// do not count.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> String {
    let lines =
        |policy: &Value| mark_elements(policy, []).into_iter().map(|line| line.text).collect::<Vec<_>>();
    let (before, after) = (lines(before), lines(after));
    let bare = |lines: &[String]| {
        lines.iter().map(|line| line.trim().trim_end_matches(',').to_owned()).collect::<Vec<_>>()
    };
    let changes = capture_diff_slices(Algorithm::Myers, &bare(&before), &bare(&after));
    let mut text = String::new();
    let mut add = |sign: char, lines: Option<&[String]>| {
        for line in lines.unwrap_or_default() {
            text.push_str(&format!("{sign} {line}\n"));
        }
    };
    for (index, group) in group_diff_ops(changes, AROUND).iter().enumerate() {
        if index > 0 {
            add(' ', Some(&["…".to_owned()]));
        }
        for change in group {
            match change.tag() {
                DiffTag::Equal => add(' ', after.get(change.new_range())),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    add('-', before.get(change.old_range()));
                    add('+', after.get(change.new_range()));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{diff, mark_elements};
    use crate::evaluate::ElementKind;
    use serde_json::{Value, json};

    fn policy() -> Value {
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": {}},
                {
                    "Sid": "Pods",
                    "Principal": {"Federated": "arn"},
                    "Condition": {"StringEquals": {"a:sub": ["x", "y\u{202e}"], "a:aud": "z"}},
                },
            ],
        })
    }

    fn condition(key: &str) -> ElementKind {
        ElementKind::Condition { operator: "StringEquals".to_owned(), key: key.to_owned() }
    }

    #[test]
    fn the_lines_are_the_policy_and_those_of_the_element_are_marked() {
        let element = condition("a:sub");
        let lines = mark_elements(&policy(), [(1, &element)]);
        let whole: String = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), policy());
        let is_marked = |line: &&super::Line| line.is_marked;
        let only: Vec<&str> = lines.iter().filter(is_marked).map(|line| line.text.trim()).collect();
        assert_eq!(only, ["\"a:sub\": [", "\"x\",", "\"y\\u202e\"", "],"]);
        assert!(lines.iter().any(|line| line.to_string() == ">           \"a:sub\": ["), "{lines:?}");
        assert!(mark_elements(&policy(), [(0, &element)]).iter().all(|line| !line.is_marked));
    }

    #[test]
    fn a_statement_that_is_no_list_is_marked_too() {
        let alone = json!({"Statement": policy()["Statement"][1]});
        for (what, first) in [
            (ElementKind::Principal, "    \"Principal\": {"),
            (condition("a:aud"), "        \"a:aud\": \"z\""),
        ] {
            let lines = mark_elements(&alone, [(0, &what)]);
            assert_eq!(lines.iter().find(|line| line.is_marked).unwrap().text, first);
        }
        assert!(
            mark_elements(&policy(), [(0, &ElementKind::Action("Action"))]).iter().any(|line| line.is_marked)
        );
    }

    #[test]
    fn only_what_changes_is_shown() {
        let mut after = policy();
        after["Statement"][1]["Condition"]["StringEquals"]["a:sub"] = json!(["x", "y\u{202e}", "w"]);
        let changes = diff(&policy(), &after);
        let lines: Vec<(&str, &str)> =
            changes.lines().map(|line| (line.split_at(1).0, line.split_at(1).1.trim())).collect();
        let expected = [
            (" ", "\"a:sub\": ["),
            (" ", "\"x\","),
            (" ", "\"y\\u202e\","),
            ("+", "\"w\""),
            (" ", "],"),
            (" ", "\"a:aud\": \"z\""),
            (" ", "}"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(diff(&after, &after), "");
        // A statement that was alone is indented in a list, and that is no change.
        let alone = json!({"Statement": {"Sid": "Pods"}});
        let listed = json!({"Statement": [{"Sid": "Pods"}, {"Sid": "More"}]});
        let signs = |text: &str| {
            text.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect::<Vec<_>>()
        };
        let changed = signs(&diff(&alone, &listed));
        assert!(!changed.iter().any(|line| line.contains("Pods")), "{changed:?}");
        assert!(changed.iter().any(|line| line.contains("More")), "{changed:?}");
    }
}
