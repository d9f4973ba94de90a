//! The termination message: what `kubectl describe pod` shows of a container that ended.

use super::model::{Outcome, Report};
use crate::diagnosis::Name;
use crate::shown::shown;

/// The most bytes of a message. Kubernetes takes 4,096 for a container and 12 KiB for a pod.
pub const MOST_BYTES: usize = 1024;
/// The fewest bytes that are left to the cause, however long the first step is.
const CAUSE_BYTES: usize = 300;

/// What a run says that was ended before it had anything to say.
pub const NO_VERDICT: &str = "interrupted before a verdict was known\n";

/// The message.
#[must_use]
pub fn message(report: &Report) -> String {
    let text = match (report.diagnosis(), report.outcome()) {
        (Some(diagnosis), _) => {
            let name = diagnosis.name();
            let head = format!(
                "{} (owner: {}, class: {}): {}\n",
                name.as_str(),
                name.owner().as_str(),
                name.class().as_str(),
                name.title(),
            );
            let first = report.remedy(diagnosis).into_iter().next().unwrap_or_default();
            let first = cut(&format!("\nFirst: {first}\n"), MOST_BYTES - CAUSE_BYTES - head.len());
            let cause = cut(&diagnosis.cause(), MOST_BYTES - head.len() - first.len());
            format!("{head}{cause}{first}")
        }
        (None, Outcome::Fail) => NO_VERDICT.to_owned(),
        (None, _) => {
            let warnings: Vec<&str> = report
                .warnings()
                .iter()
                .map(|warning| warning.name())
                .filter(|name| !name.is_information())
                .map(Name::as_str)
                .collect();
            let role = report.facts.role_arn.as_deref().map(shown).unwrap_or_default();
            let through = report.target.as_ref().map_or_else(String::new, |process| {
                format!(", through process {} ({})", process.pid, shown(&process.name))
            });
            if warnings.is_empty() {
                format!("pass: this pod gets {role}{through}\n")
            } else {
                format!("warn: this pod gets {role}{through}, but: {}\n", warnings.join(", "))
            }
        }
    };
    cut(&text, MOST_BYTES)
}

/// The text, cut at a character so that it has at most so many bytes, with a sign that it was.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let sign = "…";
    let end = text.floor_char_boundary(most - sign.len());
    format!("{}{sign}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_cut_keeps_whole_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("ääää", 6), "ä…");
    }
}
