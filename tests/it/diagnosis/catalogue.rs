//! The pages of the catalogue: none missing, none left over, each in its form, no name reused.

use std::collections::BTreeSet;
use std::path::Path;

use irsa_probe::commands::explain;
use irsa_probe::diagnosis::{Class, Name};
use testbed::scenario::{self, Scenario};

/// Every name that was ever published, in order; it only grows.
const PUBLISHED: &str = include_str!("../../published-names.txt");

const SECTIONS: [&str; 5] = ["What it means", "Why it happens", "Fix", "Confirm", "Scenario"];

#[test]
fn published_names_match_the_catalogue() {
    let published: BTreeSet<&str> = PUBLISHED.lines().collect();
    let names: BTreeSet<&str> = Name::ALL.iter().map(|name| name.as_str()).collect();
    let missing: Vec<_> = names.difference(&published).collect();
    assert!(missing.is_empty(), "add to the end of tests/published-names.txt: {missing:?}");
    let removed: Vec<_> = published.difference(&names).collect();
    assert!(removed.is_empty(), "a published name stays in the catalogue: {removed:?}");
    assert_eq!(PUBLISHED.lines().count(), names.len(), "tests/published-names.txt lists a name twice");
}

#[test]
fn every_page_has_a_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnosis/pages");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let files = files.filter_map(|name| name.to_str().unwrap().strip_suffix(".md").map(str::to_owned));
    let names: BTreeSet<String> = Name::ALL.iter().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_page_has_the_form() {
    for name in Name::ALL {
        let page = name.page();
        let mut lines = page.lines().filter(|line| !line.trim().is_empty());
        let heading = format!("# {}", name.as_str());
        assert_eq!(lines.next(), Some(heading.as_str()), "the first line of pages/{}.md", name.as_str());
        let title = lines.next().unwrap();
        assert_eq!(title, name.title());
        let is_short = title.chars().count() <= 90 && !title.ends_with('.');
        assert!(is_short, "{}: a title has at most 90 characters and no full stop: {title}", name.as_str());

        let scenario = Scenario::parse(scenario::of_page(name.page()).unwrap()).unwrap();
        let ends = if scenario.beside.is_some() {
            "a warning beside the failure".to_owned()
        } else if name.is_information() {
            "for information (exit code 0)".to_owned()
        } else if scenario.warns {
            "a warning (exit code 0)".to_owned()
        } else {
            format!("exit code {}", name.class().exit_code())
        };
        let class = format!("Class {}, owner {}, {ends}.", name.class().as_str(), name.owner().as_str());
        assert_eq!(lines.next(), Some(class.as_str()), "the third line of pages/{}.md", name.as_str());

        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(sections, SECTIONS, "the sections of pages/{}.md", name.as_str());
        assert!(!explain::page(*name).contains("## Scenario"));
    }
}

#[test]
fn since_is_a_version_up_to_the_next_one() {
    let version =
        |text: &str| -> Vec<u64> { text.split('.').map(|number| number.parse().unwrap()).collect() };
    let mut next = version(env!("CARGO_PKG_VERSION"));
    next[1] += 1;
    next[2] = 0;
    for name in Name::ALL {
        let since = version(name.since());
        assert!(since.len() == 3 && since <= next, "{} is since {}", name.as_str(), name.since());
    }
}

#[test]
fn titles_are_unique() {
    let mut titles = BTreeSet::new();
    for name in Name::ALL {
        assert!(
            titles.insert(name.title()),
            "{} has the title of another page: {}",
            name.as_str(),
            name.title()
        );
    }
}

#[test]
fn every_class_has_an_exit_code_of_its_own() {
    let codes: BTreeSet<u8> = Class::ALL.iter().map(|class| class.exit_code()).collect();
    assert_eq!(codes, BTreeSet::from([10, 11, 12, 13, 14]));
    for class in Class::ALL {
        assert!(Name::ALL.iter().any(|name| name.class() == class), "{class:?}");
    }
}
