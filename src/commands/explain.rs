//! `explain`: the pages of the catalogue, for reading.

use crate::diagnosis::Name;
use crate::wire;

/// The page without its scenario, which is for tests.
#[must_use]
pub fn page(name: Name) -> &'static str {
    let page = name.page();
    page.split_once("\n## Scenario").map_or(page, |(before, _)| before).trim_end()
}

/// The TOML of the page's scenario: a world in which the probe finds just this.
#[must_use]
pub fn scenario(name: Name) -> Option<&'static str> {
    let (_, after) = name.page().split_once("\n## Scenario")?;
    let (_, block) = after.split_once("```toml\n")?;
    block.split_once("```").map(|(toml, _)| toml)
}

/// The page as JSON.
#[must_use]
pub fn page_json(name: Name) -> wire::CataloguePage {
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
#[must_use]
pub fn list() -> String {
    let width = Name::ALL.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
    let mut text = String::new();
    for name in Name::ALL {
        text.push_str(&format!("{:<width$}  {}\n", name.as_str(), name.title()));
    }
    text
}

/// All names as JSON.
#[must_use]
pub fn list_json() -> wire::Catalogue {
    let entry = |name: &Name| wire::CatalogueEntry {
        name: name.as_str().to_owned(),
        class: name.class().as_str().to_owned(),
        owner: name.owner().as_str().to_owned(),
        title: name.title().to_owned(),
    };
    let diagnoses = Name::ALL.iter().map(entry).collect();
    wire::Catalogue { schema: wire::EXPLAIN_SCHEMA.to_owned(), diagnoses }
}

/// The names that a misspelt one may stand for, the likeliest first.
#[must_use]
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
