//! Each command of a remedy occurs in the page of its diagnosis, so that both give the same advice.

use iam_trust::pattern::Pattern;
use irsa_probe::commands::explain;
use irsa_probe::diagnosis::Name;

/// The programs that pages and remedies call.
const PROGRAMS: [&str; 9] = ["kubectl", "aws", "curl", "openssl", "irsa-probe", "pip", "npm", "go", "mvn"];

/// The commands of a remedy that its page does not show. The page can have placeholders, such as `NAMESPACE`, and
/// further options.
pub(crate) fn missing_in_page(name: Name, remedy: &[impl AsRef<str>]) -> Vec<String> {
    let page = explain::page(name).replace("\\\n", " ");
    let shown: Vec<Vec<Pattern>> =
        page.lines().map(str::trim).filter(|line| is_command(line)).map(patterns).collect();
    let commands =
        remedy.iter().flat_map(|step| step.as_ref().lines().skip(1)).filter(|line| is_command(line));
    commands.filter(|command| !shown.iter().any(|shown| shows(shown, command))).map(str::to_owned).collect()
}

fn is_command(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|program| PROGRAMS.contains(&program))
}

/// The words of a command as a shell splits it, without quotes.
fn words(command: &str) -> Vec<String> {
    let mut quote = None;
    let mut words = vec![String::new()];
    for c in command.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty() && word != "&&");
    words
}

/// The words of a page's command, in which placeholders match every text.
fn patterns(command: &str) -> Vec<Pattern> {
    let pattern = |word: &str| {
        let is_of_placeholder = |c: char| c.is_ascii_uppercase() || c == '_';
        let mut pattern = Pattern::default();
        let mut rest = word;
        while let Some(start) = rest.find(is_of_placeholder) {
            let end =
                rest[start..].find(|c| !is_of_placeholder(c)).map_or(rest.len(), |length| start + length);
            pattern.push_literal(&rest[..start]);
            // A single capital letter is part of a word.
            if end - start > 2 {
                pattern.push("*");
            } else {
                pattern.push_literal(&rest[start..end]);
            }
            rest = &rest[end..];
        }
        pattern.push_literal(rest);
        pattern
    };
    words(command).iter().map(|word| pattern(word)).collect()
}

/// Whether the words of a command occur in a page's command, in their order.
fn shows(page: &[Pattern], command: &str) -> bool {
    let mut page = page.iter();
    words(command).iter().all(|word| page.any(|pattern| pattern.matches(word)))
}

#[test]
fn a_command_is_found_with_its_placeholders_filled_in() {
    let missing = |command: &str| missing_in_page(Name::NotInjected, &[format!("Do this:\n{command}")]);
    assert_eq!(missing("kubectl -n payments delete pod checkout-1"), Vec::<String>::new());
    for other in ["kubectl -n payments delete pods checkout-1", "aws iam delete-role --role-name checkout"] {
        assert_eq!(missing(other), [other]);
    }
}
