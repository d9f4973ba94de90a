//! The real `irsa-probe`, run in worlds of the testbed.

use std::path::Path;

use serde_json::Value;
use testbed::scenario::Scenario;
use testbed::world::{Exit, Finished, World};

use crate::repository;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_irsa-probe");

/// A world as its scenario describes it.
pub(crate) async fn world(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))).await
}

/// Runs the program in a world. It prints no secret of the world.
pub(crate) async fn run_in(world: &World, args: &[&str]) -> Finished {
    let finished = world.run(Path::new(PROGRAM), args).await.unwrap();
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    finished
}

/// Runs the program in a world of its own.
pub(crate) async fn run(toml: &str, args: &[&str]) -> Finished {
    run_in(&world(toml).await, args).await
}

/// What was printed, as one line of JSON.
pub(crate) fn json(printed: &[u8]) -> Value {
    let text = String::from_utf8_lossy(printed);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The report, which fits the schema and has the exit code of the process.
pub(crate) fn report(finished: &Finished) -> Value {
    let report = json(&finished.stdout);
    fits_schema(&report);
    let code = i32::try_from(report["exit_code"].as_i64().unwrap()).unwrap();
    assert_eq!(finished.status, Exit::Code(code), "{report}");
    report
}

/// How to render the generated files again.
pub(crate) const RENDER: &str = "If you changed this on purpose, run `just docs`: \
    UPDATE_DOCS=1 cargo test --locked --test it docs -- --test-threads 1";

pub(crate) fn fits_schema(report: &Value) {
    if let Some(error) = schema_error(report) {
        panic!("{error}\n{report}");
    }
}

/// Why a report does not fit the published schema.
pub(crate) fn schema_error(report: &Value) -> Option<String> {
    let path = "examples/report.v1.schema.json";
    let schema = serde_json::from_str(&repository::read(path)).unwrap();
    let error = jsonschema::validate(&schema, report).err()?;
    Some(format!("the report does not fit {path} at \"{}\": {error}. {RENDER}", error.instance_path()))
}

/// The C library's lookup of names loads modules that `/etc/nsswitch.conf` names, and waits past every deadline. Only
/// `getaddrinfo` reads this file, and it is linked if anything can call it.
#[test]
fn no_path_leads_to_the_lookup_of_the_c_library() {
    let program = std::fs::read(PROGRAM).unwrap();
    let holds = |text: &[u8]| memchr::memmem::find(&program, text).is_some();
    assert!(holds(b"/etc/resolv.conf") && !holds(b"/etc/gai.conf"));
}
