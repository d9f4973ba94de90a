//! The termination message: what `kubectl describe pod` shows of a container that ended.

use super::model::{Outcome, Report};
use crate::diagnosis::Name;
use crate::text::sanitize;

/// The most bytes of a message. Kubernetes takes 4,096 for a container and 12 KiB for a pod.
pub(crate) const MAX_BYTES: usize = 1024;
/// The fewest bytes for the cause, however long the first step is.
const CAUSE_BYTES: usize = 300;
/// The fewest bytes of a sentence before its command that are worth printing.
const SENTENCE_BYTES: usize = 40;

/// The message of a run that ended before it had a verdict.
pub(crate) const NO_VERDICT: &str = "interrupted before a verdict was known\n";

/// The line of a run that a fault of the process ended at this place.
pub(crate) fn fault_line(place: &str) -> String {
    format!("irsa-probe failed by a fault of its own ({place}); please report it\n")
}

pub(crate) fn message(report: &Report) -> String {
    let text = match (report.diagnosis(), report.outcome()) {
        (Some(diagnosis), _) => {
            let name = diagnosis.name();
            let head = format!(
                "{} (owner: {}, class: {}): {}\n",
                name.as_str(),
                diagnosis.owner().as_str(),
                name.class().as_str(),
                name.title(),
            );
            let first = report.remedy(diagnosis).into_iter().next().unwrap_or_default();
            let first = first_step(&first, MAX_BYTES - CAUSE_BYTES - head.len());
            let cause = truncate(&diagnosis.cause(), MAX_BYTES - head.len() - first.len());
            format!("{head}{cause}{first}")
        }
        (None, Outcome::Fail) => report.fault.as_deref().map_or_else(|| NO_VERDICT.to_owned(), fault_line),
        (None, _) => {
            let warnings: Vec<&str> = report
                .warnings()
                .iter()
                .map(|warning| warning.name())
                .filter(|name| !name.is_information())
                .map(Name::as_str)
                .collect();
            let role = report.facts.role_arn.as_deref().map(sanitize).unwrap_or_default();
            let through = report.target.as_ref().map_or_else(String::new, |process| {
                format!(", through process {} ({})", process.pid, sanitize(&process.name))
            });
            let gets = if report.audit.is_some() { "may have" } else { "gets" };
            if warnings.is_empty() {
                format!("pass: this pod {gets} {role}{through}\n")
            } else {
                format!("warn: this pod {gets} {role}{through}, but: {}\n", warnings.join(", "))
            }
        }
    };
    truncate(&text, MAX_BYTES)
}

/// The first step in at most so many bytes. If the command fits, it stays whole and the sentence before it is cut.
fn first_step(step: &str, most: usize) -> String {
    let (sentence, command) = step
        .split_once('\n')
        .map_or((step, String::new()), |(sentence, command)| (sentence, format!("\n{command}")));
    let sentence = format!("\nFirst: {sentence}");
    match most.checked_sub(command.len() + 1).filter(|left| *left >= SENTENCE_BYTES) {
        Some(left) => format!("{}{command}\n", truncate(&sentence, left)),
        None => truncate(&format!("{sentence}{command}\n"), most),
    }
}

/// The text in at most so many bytes, with whole characters and a sign that it was cut.
pub(crate) fn truncate(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let sign = "…";
    let end = text.floor_char_boundary(most - sign.len());
    format!("{}{sign}", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{first_step, truncate};

    #[test]
    fn the_command_of_the_first_step_stays_whole_if_it_fits() {
        let words = "Let somebody who may look at it say what it is, and print how it is mended:";
        let command = "kubectl -n payments logs checkout | irsa-probe audit";
        let step = format!("{words}\n{command}");
        let whole = format!("\nFirst: {words}\n{command}\n");
        assert_eq!(first_step(&step, whole.len()), whole);
        let short = first_step(&step, whole.len() - 20);
        assert_eq!(short.len(), whole.len() - 20);
        assert!(short.starts_with("\nFirst: Let somebody") && short.ends_with(&format!("…\n{command}\n")));
        assert_eq!(first_step(&step, 60), truncate(&whole, 60), "there is no room for both");
        assert_eq!(first_step(words, 50), truncate(&format!("\nFirst: {words}"), 49) + "\n");
    }

    #[test]
    fn a_cut_keeps_whole_characters() {
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(truncate("abcdef", 5), "ab…");
        assert_eq!(truncate("ääää", 6), "ä…");
    }
}
