//! `explain`: the pages of the catalogue, for reading.

use clap::Args;

use super::output::{Console, OutputArgs, USAGE};
use crate::diagnosis::Name;
use crate::text::sanitize;
use crate::wire;

/// The flags of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainCommand {
    /// The name of a diagnosis, in any case
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(console: &Console, args: &ExplainCommand) -> u8 {
    let output = args.output;
    // A page is text also for a pager: JSON is printed only on request.
    match args.name.as_deref().map(|text| Name::parse(text).ok_or(text)) {
        None if output.is_json() => output.print_json(console, &list_json()),
        None => console.print(&list()),
        Some(Ok(name)) if output.is_json() => output.print_json(console, &page_json(name)),
        Some(Ok(name)) => console.print(&format!("{}\n", page(name))),
        Some(Err(text)) => {
            let hint = match did_you_mean(text).as_slice() {
                [] => "the names are listed by: irsa-probe explain".to_owned(),
                near => format!("did you mean {}?", near.join(", ")),
            };
            console.print_error(&format!("no diagnosis is called \"{}\"; {hint}\n", sanitize(text)));
            return USAGE;
        }
    }
    0
}

/// The page without its scenario, which is for tests.
pub fn page(name: Name) -> &'static str {
    let page = name.page();
    page.split_once("\n## Scenario").map_or(page, |(before, _)| before).trim_end()
}

fn page_json(name: Name) -> wire::CataloguePage {
    wire::CataloguePage {
        schema: wire::EXPLAIN_SCHEMA.to_owned(),
        name: name.as_str().to_owned(),
        class: name.class().as_str().to_owned(),
        owner: name.owner().as_str().to_owned(),
        title: name.title().to_owned(),
        page: page(name).to_owned(),
    }
}

/// All names with their titles, in the order of the checks.
pub fn list() -> String {
    let width = Name::ALL.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
    let mut text = String::new();
    for name in Name::ALL {
        text.push_str(&format!("{:<width$}  {}\n", name.as_str(), name.title()));
    }
    text
}

fn list_json() -> wire::Catalogue {
    let entry = |name: &Name| wire::CatalogueEntry {
        name: name.as_str().to_owned(),
        class: name.class().as_str().to_owned(),
        owner: name.owner().as_str().to_owned(),
        title: name.title().to_owned(),
    };
    let diagnoses = Name::ALL.iter().map(entry).collect();
    wire::Catalogue { schema: wire::EXPLAIN_SCHEMA.to_owned(), diagnoses }
}

/// The names that are like a misspelt one, the likeliest first.
pub fn did_you_mean(text: &str) -> Vec<&'static str> {
    let text: String = text.to_ascii_lowercase().chars().take(64).collect();
    let mut near: Vec<(f64, &'static str)> = Name::ALL
        .iter()
        .map(|name| (strsim::jaro_winkler(&text, &name.as_str().to_ascii_lowercase()), name.as_str()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;
    use crate::diagnosis::Name;

    #[test]
    fn names_in_any_case_and_mismatches() {
        assert_eq!(Name::parse("notinjected"), Some(Name::NotInjected));
        assert_eq!(did_you_mean("NotInjcted").first(), Some(&"NotInjected"));
        assert_eq!(did_you_mean("stsTimeOut").first(), Some(&"StsTimedOut"));
        assert!(did_you_mean("xyz").is_empty());
    }
}
