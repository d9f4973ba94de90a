//! The README and the examples say what the code does: their tables and outputs are rendered here
//! and compared. `just docs` writes them again.

mod readme_story;
mod schema;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::program::RENDER;
use crate::repository;
use crate::settled::settled;
use crate::watch::simulated_fleet as fleet;
use clap::{ArgAction, CommandFactory, Parser};
use irsa_probe::aws::iam::operator_policy;
use irsa_probe::commands::Cli;
use irsa_probe::diagnosis::{Class, Name};
use irsa_probe::run::check::{Check, RunKind};
use irsa_probe::text::format_duration;
use irsa_probe::watch::metrics;
use readme_story::{Story, story};
use serde_json::Value;
use testbed::scenario::{self, Scenario};
use testbed::world::{Finished, World};

fn readme() -> String {
    repository::read("README.md")
}

/// The file has this content, or gets it when asked.
fn hold(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = |number: &usize| found.lines().nth(*number) != expected.lines().nth(*number);
    let Some(at) = (0..=found.lines().count().max(expected.lines().count())).find(differs) else {
        assert_eq!(found, expected, "{}", repository::shown(path));
        return;
    };
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").chars().take(500).collect::<String>();
    panic!(
        "{}:{} is stale. {RENDER}\n   found {}\nexpected {}",
        repository::shown(path),
        at + 1,
        line(&found),
        line(expected)
    );
}

/// An example, if it was rendered.
fn example(name: &str) -> String {
    std::fs::read_to_string(repository::path("examples").join(name)).unwrap_or_default()
}

/// The README with what stands between two markers replaced.
fn with_block(readme: &str, marker: &str, block: &str) -> String {
    let (start, end) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->\n"));
    let (before, after) = readme.split_once(&start).unwrap();
    let (_, rest) = after.split_once(&end).unwrap();
    format!("{before}{start}\n{block}\n{end}{rest}")
}

/// A table of the flags of a command that are none of the other's.
fn flags(command: &clap::Command, but: Option<&clap::Command>) -> String {
    let mut table = "| flag | variable | default | |\n|---|---|---|---|\n".to_owned();
    let known = |arg: &&clap::Arg| {
        but.is_some_and(|but| but.get_arguments().any(|other| other.get_id() == arg.get_id()))
    };
    for arg in command.get_arguments().filter(|arg| !known(arg)) {
        let Some(long) = arg.get_long().filter(|long| !matches!(*long, "help" | "version")) else {
            continue;
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => String::new(),
            _ => format!(" {}", arg.get_value_names().unwrap_or_default().join(" ")),
        };
        let choices: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        let choices = match arg.get_action() {
            ArgAction::SetTrue => String::new(),
            _ if choices.is_empty() => String::new(),
            _ => format!(": {}", choices.join(", ")),
        };
        let defaults: Vec<String> = match arg.get_action() {
            ArgAction::SetTrue => Vec::new(),
            _ => arg
                .get_default_values()
                .iter()
                .map(|value| format!("`{}`", value.to_string_lossy()))
                .collect(),
        };
        let default = match defaults.as_slice() {
            [first, _, ..] => format!("{first} and others"),
            other => other.concat(),
        };
        let _ = writeln!(
            table,
            "| `--{long}{value}` | `{}` | {default} | {}{choices} |",
            arg.get_env().unwrap().to_string_lossy(),
            arg.get_help().unwrap()
        );
    }
    table
}

fn checks() -> String {
    let mut table = "| check | the fact that holds when it passes | made by |\n|---|---|---|\n".to_owned();
    for check in Check::ALL {
        let is_made = |by_audit: bool| check.kinds().iter().any(|kind| (*kind == RunKind::Audit) == by_audit);
        let in_pod = is_made(false).then_some("`check`, `watch`");
        let by_audit = is_made(true).then_some("`audit`");
        let by: Vec<&str> = in_pod.into_iter().chain(by_audit).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", check.name(), check.title(), by.join(", "));
    }
    table
}

fn metrics() -> String {
    let mut table = "| metric | labels | |\n|---|---|---|\n".to_owned();
    for metric in metrics::ALL {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{}` | {} | {} |", metric.name, labels.join(", "), metric.help);
    }
    table
}

/// What becomes of a fleet, as a table.
fn fleet() -> String {
    let plan = fleet::usual();
    let life = fleet::live(&plan);
    let up_to = |hour: u32| fleet::HOUR * hour;
    let hundredth = |of_hundred| format_duration(fleet::percentile(&life.first_pass, of_hundred));
    let each = life.requests(Duration::ZERO..up_to(1)) as f64 / plan.sidecars as f64;
    let steady = up_to(2)..up_to(9);
    let (second, minute) = life.peaks(steady.clone());
    let down = plan.down.end.saturating_sub(plan.down.start).as_secs();
    format!(
        "| | |\n|---|---|\n\
         | half, 99 of 100, and all of them have had their role after | {}, {}, {} |\n\
         | requests in the first hour, throttled ones included | {:.1} for each (2 is the least) |\n\
         | then, requests an hour | {:.2} for each |\n\
         | the most of them in one minute, and in one second (even would be {}, and {:.1}) | {minute}, {second} |\n\
         | requests a second while STS is gone | {:.0} |\n\
         | half, and all, of those that noticed have their role again after | {}, {} |\n",
        hundredth(50),
        hundredth(99),
        hundredth(100),
        each,
        life.requests(steady) as f64 / plan.sidecars as f64 / 7.0,
        plan.sidecars / 60,
        plan.sidecars as f64 / 3600.0,
        life.requests(plan.down.clone()) as f64 / down as f64,
        format_duration(fleet::percentile(&life.back, 50)),
        format_duration(fleet::percentile(&life.back, 100)),
    )
}

/// The schema first, which the examples must fit; then the examples, which the README quotes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_and_readme_are_rendered() {
    schema::report_schema_is_rendered();
    schema::other_schemas_are_rendered();
    examples().await;
    story_of_the_readme().await;
    tables_and_blocks();
}

fn tables_and_blocks() {
    let message = format!("```text\n{}```\n", example("AssumeRoleNotAuthorized.termination.txt"));
    let command = Cli::command();
    let watch = command.find_subcommand("watch").unwrap();
    let audit = command.find_subcommand("audit").unwrap();
    let expected = with_block(&readme(), "flags", &flags(&command, None));
    let expected = with_block(&expected, "watch flags", &flags(watch, Some(&command)));
    let expected = with_block(&expected, "audit flags", &flags(audit, None));
    let expected = with_block(&expected, "metrics", &metrics());
    let expected = with_block(&expected, "fleet", &fleet());
    let expected = with_block(&expected, "checks", &checks());
    let expected = with_block(&expected, "termination message", &message);
    let headline = message.lines().nth(1).unwrap_or_default();
    let expected = with_block(&expected, "refused", &format!("```text\n{headline}\n```\n"));
    let to_run = message.lines().find(|line| line.ends_with("| irsa-probe audit")).unwrap_or_default();
    let audit = example("audit.txt");
    let block = format!("```console\n$ {to_run}\n{audit}```\n");
    let expected = with_block(&expected, "audited", &block);
    let after = example("pass.termination.txt");
    let expected = with_block(&expected, "after", &format!("```text\n{after}```\n"));
    let table = example("chain.txt");
    let rows = table.lines().skip(2).take_while(|line| !line.contains("jsv2lc"));
    let rows: String = rows.map(|row| format!("{row}\n")).collect();
    let expected = with_block(&expected, "chain", &format!("```text\n{rows}```\n"));
    hold(&repository::path("README.md"), &expected);
}

#[test]
fn documents_name_files_that_exist() {
    // The walk-throughs name files that a reader writes.
    let written_by_reader = ["src/checks/my_check.rs", "src/diagnosis/pages/MyCause.md"];
    let rooms = ["src/", "crates/", "tests/", "e2e/", "examples/", "manifests/", "benches/", ".ci/"];
    for document in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "RELEASING.md", "SECURITY.md"]
    {
        let text = repository::read(document);
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |path: &&str| {
            rooms.iter().any(|room| path.starts_with(room)) && !path.contains([' ', '*', '$', '<', '\n'])
        };
        for path in quoted.filter(is_path).filter(|path| !written_by_reader.contains(path)) {
            assert!(repository::path(path).exists(), "{document} names {path}, which does not exist");
        }
    }
}

#[test]
fn every_flag_has_its_variable() {
    let command = Cli::command();
    let all = command.get_subcommands().chain(std::iter::once(&command));
    for arg in all.flat_map(clap::Command::get_arguments) {
        let Some(long) = arg.get_long().filter(|long| !matches!(*long, "help" | "version")) else {
            continue;
        };
        let expected = format!("IRSA_PROBE_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().map(|name| name.to_string_lossy().into_owned()), Some(expected));
    }
}

/// Words of AWS's that look like a diagnosis.
const OF_AWS: [&str; 3] = ["AssumeRoleWithWebIdentity", "GetCallerIdentity", "StringEquals"];

#[test]
fn readme_names_and_exit_codes_exist() {
    let readme = readme();
    for class in Class::ALL {
        assert!(readme.contains(&format!("| {} | `{}` |", class.exit_code(), class.as_str())), "{class:?}");
    }
    let prose: String = readme.split("```").step_by(2).collect();
    let words = prose.split('`').skip(1).step_by(2);
    let names = words.filter(|word| {
        let humps = word.chars().filter(char::is_ascii_uppercase).count();
        humps >= 2
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_alphabetic())
    });
    for name in names.filter(|name| !OF_AWS.contains(name)) {
        assert!(Name::parse(name).is_some() || name.chars().all(|c| c.is_ascii_uppercase()), "{name}");
    }
}

#[test]
fn readme_containers_are_accepted() {
    accepted("init container");
    let sidecar = accepted("native sidecar");
    assert_eq!(sidecar["ports"][0]["containerPort"], irsa_probe::commands::watch::LISTEN.port());
    assert_eq!(sidecar["restartPolicy"], "Always");
}

fn accepted(marker: &str) -> Value {
    let readme = readme();
    let (_, block) = readme.split_once(&format!("<!-- {marker} -->\n```yaml\n")).unwrap();
    let (yaml, _) = block.split_once("```").unwrap();
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    let container = &value["initContainers"][0];
    let args = container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap());
    Cli::try_parse_from(std::iter::once("irsa-probe").chain(args)).unwrap();
    assert_eq!(container["env"][0]["value"], container["name"]);
    let security = &container["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &security["capabilities"]["drop"][0]),
        (&true.into(), &"ALL".into())
    );
    container.clone()
}

async fn run(toml: &str, args: &[&str]) -> (World, Finished) {
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let finished = world.run(Path::new(env!("CARGO_BIN_EXE_irsa-probe")), args).await.unwrap();
    (world, finished)
}

/// A pod that gets its role, with keys in a shared file beside it.
const KEYS_IN_A_FILE: &str = r#"
command = "chain"

[env]
HOME = "${dir}/root"

[files]
"root/.aws/credentials" = """
[default]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
"""
"#;

async fn examples() {
    for (output, ending) in [("text", "txt"), ("json", "json")] {
        let (world, finished) = run(KEYS_IN_A_FILE, &["--output", output]).await;
        hold(
            &repository::path("examples").join(format!("chain.{ending}")),
            &settled(&world, &finished.stdout),
        );
    }
    let refused = scenario::of_page(Name::AssumeRoleNotAuthorized.page()).unwrap();
    for (name, toml) in [("pass", ""), ("AssumeRoleNotAuthorized", refused)] {
        for (output, ending) in [("text", "txt"), ("json", "json")] {
            let (world, finished) = run(toml, &["--output", output, "--container", "irsa-probe"]).await;
            let examples = repository::path("examples");
            hold(&examples.join(format!("{name}.{ending}")), &settled(&world, &finished.stdout));
            hold(
                &examples.join(format!("{name}.termination.txt")),
                &settled(&world, &finished.termination_log),
            );
        }
    }
}

async fn story_of_the_readme() {
    let Story { refused, audited, pasted, after, audited_after } = story().await;
    for (output, ending) in [(&audited.text, "txt"), (&audited.json, "json")] {
        let path = repository::path("examples").join(format!("audit.{ending}"));
        hold(&path, &settled(&audited.world, output));
    }
    let report = audited.report();
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused["diagnosis"]["name"], Name::AssumeRoleNotAuthorized.as_str());
    assert_eq!(report["diagnosis"]["name"], Name::TrustSubjectMismatch.as_str());
    assert!(
        pasted.starts_with("aws iam update-assume-role-policy --role-name payments-checkout "),
        "{pasted}"
    );
    let after: Value = serde_json::from_slice(&after.stdout).unwrap();
    assert_eq!((&after["outcome"], &after["exit_code"]), (&"pass".into(), &0.into()), "{after}");
    let in_order = audited_after.report();
    assert_eq!((&in_order["outcome"], &in_order["exit_code"]), (&"pass".into(), &0.into()), "{in_order}");
    for report in [&refused, &report, &after, &in_order] {
        schema::validate(report);
    }
}

#[test]
fn operator_policy_manifest_is_rendered() {
    let path = repository::path("manifests/audit-iam-policy.json");
    hold(&path, &format!("{:#}\n", operator_policy()));
    let printed = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--print-iam-policy"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), std::fs::read_to_string(path).unwrap());
}
