//! Every page's scenario through the real binary: it must end in the page's own name, with the exit code of
//! its class, in a report that fits the schema, and without a secret of its world.
//!
//! Each page is a test by its name: `cargo test --locked --test it pages::NotInjected`.

use std::path::Path;

use irsa_probe::diagnosis::Name;
use serde_json::Value;
use testbed::scenario::{self, Scenario};
use testbed::world::{Exit, Finished, World};

use crate::diagnosis::commands::missing_in_page;
use crate::program::schema_error;

/// A test for every row of the catalogue.
macro_rules! pages {
    ($($name:ident)*) => {
        $(
            #[test]
            #[allow(non_snake_case, reason = "the test has the name of the diagnosis")]
            fn $name() {
                reaches_its_name(Name::$name);
            }
        )*
    };
}

irsa_probe::for_each_diagnosis!(pages);

#[tokio::main]
async fn reaches_its_name(name: Name) {
    let scenario = Scenario::parse(scenario::of_page(name.page()).unwrap()).unwrap();
    let (json, text) = tokio::join!(run(&scenario, "json"), run(&scenario, "text"));
    judge(name, &scenario, &json).unwrap_or_else(|wrong| panic!("{wrong}\n{}", printed(&json)));
    judge_text(name, &text).unwrap_or_else(|wrong| panic!("{wrong}\n{}", printed(&text)));
}

/// Which remedy is printed depends on the SDK, and a page has one scenario.
#[tokio::test]
async fn the_page_of_an_old_sdk_has_the_command_for_each() {
    for sdk in ["boto", "jsv2", "jsv3", "gov1", "jv1", "jv2"] {
        let toml = format!("args = [\"--expect-sdk\", \"{sdk}@0.0.1\"]");
        let finished = run(&Scenario::parse(&toml).unwrap(), "json").await;
        let report: Value = serde_json::from_slice(&finished.stdout).unwrap();
        assert_eq!(report["diagnosis"]["name"], "SdkTooOldForIrsa", "{report}");
        assert_eq!(judge_commands(&report), Ok(()), "{sdk}");
    }
}

async fn run(scenario: &Scenario, output: &str) -> Finished {
    let world = World::start(scenario).await;
    world.run(Path::new(env!("CARGO_BIN_EXE_irsa-probe")), &["--output", output]).await.unwrap()
}

/// Whatever the program said.
fn printed(finished: &Finished) -> String {
    let Finished { stdout, stderr, termination_log, .. } = finished;
    let [stdout, stderr, message] = [stdout, stderr, termination_log].map(|it| String::from_utf8_lossy(it));
    format!(
        "{:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n--- termination message\n{message}",
        finished.status
    )
}

fn judge(name: Name, scenario: &Scenario, finished: &Finished) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&finished.stdout);
    if stdout.lines().count() != 1 {
        return Err("the JSON is not one line".to_owned());
    }
    let report: Value = serde_json::from_str(&stdout).map_err(|error| format!("no JSON: {error}"))?;
    if let Some(error) = schema_error(&report) {
        return Err(error);
    }

    judge_commands(&report)?;
    let diagnosis = report["diagnosis"]["name"].as_str();
    let warnings: Vec<&str> =
        report["warnings"].as_array().into_iter().flatten().filter_map(name_of).collect();
    let warned = warnings.contains(&name.as_str());
    let (found, exit) = if let Some(beside) = &scenario.beside {
        let found = warned && diagnosis == Some(beside) && report["outcome"] == "fail";
        (found, exit_code(Name::parse(beside).unwrap()))
    } else if scenario.warns {
        let outcome = if name.is_information() { "pass" } else { "warn" };
        (warned && report["outcome"] == outcome, 0)
    } else {
        (diagnosis == Some(name.as_str()) && report["outcome"] == "fail", exit_code(name))
    };
    if !found {
        let name = name.as_str();
        return Err(format!(
            "the scenario of {name} ends with the diagnosis {diagnosis:?} and the warnings {warnings:?}"
        ));
    }
    if finished.status != Exit::Code(exit) || report["exit_code"] != exit {
        return Err(format!("the exit code is not {exit}"));
    }
    if name != Name::Unclassified && stdout.contains("Unclassified") {
        return Err("it also speaks of Unclassified".to_owned());
    }
    let message = String::from_utf8_lossy(&finished.termination_log);
    let is_named = message.contains(scenario.beside.as_deref().unwrap_or(name.as_str()));
    if message.is_empty() || message.len() > 1024 || is_named == name.is_information() {
        return Err("the termination message is empty, too long, or of something else".to_owned());
    }
    no_leaks(finished)
}

/// Each command that the report prints is on the page of its diagnosis.
fn judge_commands(report: &Value) -> Result<(), String> {
    let found = report["warnings"].as_array().into_iter().flatten().chain([&report["diagnosis"]]);
    for found in found.filter(|found| !found.is_null()) {
        let name = name_of(found).and_then(Name::parse).ok_or("a name is unknown")?;
        let steps: Vec<&str> =
            found["remedy"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !(1..=3).contains(&steps.len()) {
            return Err(format!("{} has {} steps, and a reader takes three", name.as_str(), steps.len()));
        }
        if let Some(silent) = steps.iter().find_map(|step| unannounced(step)) {
            return Err(format!("{} does not say that {silent} is to be replaced", name.as_str()));
        }
        let missing = missing_in_page(name, &steps);
        if !missing.is_empty() {
            let name = name.as_str();
            return Err(format!("src/diagnosis/pages/{name}.md lacks commands of its remedy: {missing:#?}"));
        }
    }
    Ok(())
}

/// A word in capital letters in the commands of a step that its sentence does not name, and no program knows.
fn unannounced(step: &str) -> Option<&str> {
    const KNOWN: [&str; 9] =
        ["ARN", "GET", "ROLE_ARN", "NAME", "Z", "RESOURCE", "SERVICE", "CONTROL", "POLICY"];
    let (sentence, commands) = step.split_once('\n')?;
    let commands = commands.lines().filter(|line| line.starts_with("kubectl ") || line.starts_with("aws "));
    let words = commands.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let is_placeholder = |word: &&str| {
        word.len() > 2
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            && !["AWS_", "IRSA_PROBE_"].iter().any(|prefix| word.starts_with(prefix))
            && !word.split('_').all(|part| KNOWN.contains(&part))
            && !KNOWN.contains(word)
    };
    words.filter(is_placeholder).find(|word| !sentence.contains(word))
}

fn judge_text(name: Name, finished: &Finished) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&finished.stdout);
    if !stdout.contains(name.as_str()) || !stdout.contains(name.title()) || stdout.contains('\u{1b}') {
        return Err("the text lacks the name or the title, or has colors".to_owned());
    }
    no_leaks(finished)
}

fn no_leaks(finished: &Finished) -> Result<(), String> {
    let leaks = finished.leaks();
    if leaks.is_empty() { Ok(()) } else { Err(format!("secrets are printed: {leaks:?}")) }
}

fn name_of(diagnosis: &Value) -> Option<&str> {
    diagnosis["name"].as_str()
}

fn exit_code(name: Name) -> i32 {
    i32::from(name.class().exit_code())
}
