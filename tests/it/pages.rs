//! Every page's scenario through the real binary: it must end in the page's own name, with the
//! exit code of its class, in a report that fits the schema, and without a secret of its world.

use std::path::Path;
use std::sync::Arc;

use clap::CommandFactory;
use irsa_probe::commands::Cli;
use irsa_probe::diagnosis::Name;
use serde_json::Value;
use testbed::scenario::{self, Scenario};
use testbed::world::{Exit, Finished, World};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::diagnosis::commands::missing_in_page;

/// How many worlds run at once.
const AT_ONCE: usize = 8;

fn scenario_of(name: Name) -> Result<Scenario, String> {
    let toml = scenario::of_page(name.page()).ok_or("the page has no scenario")?;
    Scenario::parse(toml).map_err(|error| error.to_string())
}

async fn run(scenario: &Scenario, output: &str) -> Result<Finished, String> {
    let world = World::start(scenario).await;
    let program = Path::new(env!("CARGO_BIN_EXE_irsa-probe"));
    world.run(program, &["--output", output]).await.map_err(|error| error.to_string())
}

fn names(values: &Value) -> Vec<&str> {
    values.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect()
}

fn judge(name: Name, scenario: &Scenario, finished: &Finished, schema: &Value) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&finished.stdout);
    let stderr = String::from_utf8_lossy(&finished.stderr);
    let report: Value =
        serde_json::from_str(&stdout).map_err(|error| format!("no JSON: {error}\n{stdout}\n{stderr}"))?;
    let show = || {
        format!(
            "diagnosis {} warnings {:?}\n{stdout}",
            report["diagnosis"]["name"],
            names(&report["warnings"])
        )
    };
    if stdout.lines().count() != 1 {
        return Err("the JSON is not one line".to_owned());
    }
    if let Err(error) = jsonschema::validate(schema, &report) {
        return Err(format!("against the schema: {error} at {}", error.instance_path()));
    }
    let warned = names(&report["warnings"]).contains(&name.as_str());
    let (found, exit) = if let Some(beside) = &scenario.beside {
        let found = warned && report["diagnosis"]["name"] == beside.as_str() && report["outcome"] == "fail";
        (found, Name::parse(beside).map_or(-1, |beside| i32::from(beside.class().exit_code())))
    } else if scenario.warns {
        let outcome = if name.is_information() { "pass" } else { "warn" };
        (warned && report["outcome"] == outcome, 0)
    } else {
        let found = report["diagnosis"]["name"] == name.as_str() && report["outcome"] == "fail";
        (found, i32::from(name.class().exit_code()))
    };
    if !found {
        return Err(format!("expected {}: {}", name.as_str(), show()));
    }
    if finished.status != Exit::Code(exit) || report["exit_code"] != exit {
        return Err(format!("exit {:?}, expected {exit}: {}", finished.status, show()));
    }
    if name != Name::Unclassified && stdout.contains("Unclassified") {
        return Err("it also speaks of Unclassified".to_owned());
    }
    let found = report["warnings"].as_array().into_iter().flatten().chain([&report["diagnosis"]]);
    for diagnosis in found.filter(|diagnosis| !diagnosis.is_null()) {
        let found = Name::parse(diagnosis["name"].as_str().unwrap_or_default()).ok_or("a name is unknown")?;
        let steps = diagnosis["remedy"].as_array().into_iter().flatten();
        let steps: Vec<&str> = steps.filter_map(Value::as_str).collect();
        let missing = missing_in_page(found, &steps);
        if !missing.is_empty() {
            return Err(format!("the page of {} does not show {missing:#?}", found.as_str()));
        }
    }
    let message = String::from_utf8_lossy(&finished.termination_log);
    if finished.termination_log.is_empty()
        || finished.termination_log.len() > 1024
        || message.contains(scenario.beside.as_deref().unwrap_or(name.as_str())) == name.is_information()
    {
        return Err(format!("termination message: {message}"));
    }
    leaks(finished)
}

fn leaks(finished: &Finished) -> Result<(), String> {
    let leaks = finished.leaks();
    if leaks.is_empty() { Ok(()) } else { Err(format!("secrets are printed: {leaks:?}")) }
}

fn judge_text(name: Name, finished: &Finished) -> Result<(), String> {
    let stdout = String::from_utf8_lossy(&finished.stdout);
    if !stdout.contains(name.as_str()) || !stdout.contains(name.title()) || stdout.contains('\u{1b}') {
        return Err(format!("text:\n{stdout}"));
    }
    leaks(finished)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_reaches_its_own_name() {
    let schema: Arc<Value> =
        Arc::new(serde_json::from_str(include_str!("../../examples/report.v1.schema.json")).unwrap());
    let only = std::env::var("SCENARIO").ok();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    let has_audit = Cli::command().find_subcommand("audit").is_some();
    // What only `audit` finds cannot be run through a binary that does not have it yet.
    let can_run =
        |name: &Name| has_audit || scenario_of(*name).is_ok_and(|scenario| scenario.command != "audit");
    let chosen = |name: &Name| only.as_deref().is_none_or(|only| only == name.as_str()) && can_run(name);
    for name in Name::ALL.iter().copied().filter(chosen) {
        let (schema, places) = (Arc::clone(&schema), Arc::clone(&places));
        runs.spawn(async move {
            let _place = places.acquire().await;
            let outcome = async {
                let scenario = scenario_of(name)?;
                let (json, text) = tokio::join!(run(&scenario, "json"), run(&scenario, "text"));
                judge(name, &scenario, &json?, &schema)?;
                judge_text(name, &text?)
            };
            outcome.await.map_err(|error| format!("{}: {error}", name.as_str()))
        });
    }
    let failed: Vec<String> = runs.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{} scenarios fail:\n\n{}", failed.len(), failed.join("\n\n"));
}
