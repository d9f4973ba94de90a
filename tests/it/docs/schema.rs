//! The schemas of the JSON outputs are generated from the structs that write them, with the names from the
//! tables of checks and diagnoses.

use irsa_probe::diagnosis::{Class, Name};
use irsa_probe::report::model::INTERRUPTED;
use irsa_probe::run::check::Check;
use irsa_probe::wire;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{example, hold};
use crate::program::{self, run};
use crate::repository;

/// The schema of a form as it is written, under its public name.
fn schema_of<T: JsonSchema>(id: &str) -> Schema {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), id.into());
    schema
}

/// Allows only these values at a place of the schema.
fn allow(schema: &mut Schema, pointer: &str, values: impl IntoIterator<Item = Value>) {
    let mut unique: Vec<Value> = Vec::new();
    for value in values {
        if !unique.contains(&value) {
            unique.push(value);
        }
    }
    let place = schema.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is in the schema"));
    place["enum"] = unique.into();
}

fn report_schema() -> Schema {
    let mut schema = schema_of::<wire::Report>(wire::SCHEMA);
    let checks = || Check::ALL.into_iter().map(|check| Value::from(check.name()));
    allow(&mut schema, "/$defs/Check/properties/name", checks());
    let reasons = checks().chain([json!("interrupted"), Value::Null]);
    allow(&mut schema, "/$defs/Check/properties/skipped_because", reasons);
    let classes = Class::ALL.map(|class| class.as_str().into());
    allow(&mut schema, "/$defs/Diagnosis/properties/class", classes);
    let owners = Name::ALL.iter().map(|name| name.owner().as_str().into());
    allow(&mut schema, "/$defs/Diagnosis/properties/owner", owners);
    let codes = Class::ALL.map(Class::exit_code).into_iter().chain([0, INTERRUPTED]);
    allow(&mut schema, "/properties/exit_code", codes.map(Value::from));
    schema
}

fn published() -> Value {
    serde_json::from_str(&example("report.v1.schema.json")).unwrap()
}

/// Fails with the reason if a report does not fit the published schema.
#[track_caller]
pub(super) fn validate(report: &Value) {
    jsonschema::validate(&published(), report).unwrap();
}

#[test]
pub(super) fn report_schema_is_rendered() {
    let text = serde_json::to_string_pretty(&report_schema()).unwrap();
    hold(&repository::path("examples/report.v1.schema.json"), &format!("{text}\n"));
}

/// The other forms, by the name of the file with the schema.
fn other_schemas() -> [(&'static str, Vec<Schema>); 3] {
    [
        (
            "chain.v1",
            vec![
                schema_of::<wire::ChainReport>(wire::CHAIN_SCHEMA),
                schema_of::<wire::ChainFailure>(wire::CHAIN_SCHEMA),
            ],
        ),
        (
            "explain.v1",
            vec![
                schema_of::<wire::Catalogue>(wire::EXPLAIN_SCHEMA),
                schema_of::<wire::CataloguePage>(wire::EXPLAIN_SCHEMA),
            ],
        ),
        (
            "trust-policy.v1",
            vec![
                schema_of::<wire::Needs>(wire::TRUST_POLICY_SCHEMA),
                schema_of::<wire::NeedsFailure>(wire::TRUST_POLICY_SCHEMA),
            ],
        ),
    ]
}

#[test]
pub(super) fn other_schemas_are_rendered() {
    for (name, forms) in other_schemas() {
        let text = serde_json::to_string_pretty(&any_of(name, forms)).unwrap();
        hold(&repository::path(format!("examples/{name}.schema.json")), &format!("{text}\n"));
    }
}

/// One schema for an answer that has one of several forms.
fn any_of(name: &str, forms: Vec<Schema>) -> Value {
    let mut forms: Vec<Value> = forms.into_iter().map(Value::from).collect();
    let mut definitions = serde_json::Map::new();
    for form in &mut forms {
        let form = form.as_object_mut().unwrap();
        form.remove("$id");
        form.remove("$schema");
        if let Some(Value::Object(own)) = form.remove("$defs") {
            definitions.extend(own);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("irsa-probe.{}", name.replace(".v1", "/v1")),
        "anyOf": forms,
        "$defs": definitions,
    })
}

#[tokio::test]
async fn answers_fit_their_schemas() {
    let schema =
        |name: &str| -> Value { serde_json::from_str(&example(&format!("{name}.schema.json"))).unwrap() };
    let no_identity = "unset = [\"AWS_ROLE_ARN\", \"AWS_WEB_IDENTITY_TOKEN_FILE\"]\n";
    for (name, command, toml, words) in [
        ("chain.v1", "chain", "", &[][..]),
        ("chain.v1", "chain", "", &["--pid", "4194305"]),
        ("explain.v1", "explain", "", &[]),
        ("explain.v1", "explain", "", &["StsNoRoute"]),
        ("trust-policy.v1", "trust-policy", "", &[]),
        ("trust-policy.v1", "trust-policy", no_identity, &[]),
    ] {
        let words = [words, &["--output", "json"]].concat();
        let answer = program::json(&run(&format!("command = \"{command}\"\n{toml}"), &words).await.stdout);
        let schema = schema(name);
        jsonschema::validate(&schema, &answer)
            .unwrap_or_else(|error| panic!("{command} {words:?}: {error}: {answer}"));
        let mut changed = answer.clone();
        changed["unknown"] = json!(1);
        assert!(
            !jsonschema::is_valid(&schema, &changed),
            "{command} {words:?}: with a field that is not published"
        );
    }
}

#[test]
fn schema_separates_pod_and_audit_reports() {
    let is_valid = |report: &Value| jsonschema::is_valid(&published(), report);
    let read = |name| serde_json::from_str::<Value>(&example(name)).unwrap();
    let (pod, audit) = (read("pass.json"), read("audit.json"));
    assert!(is_valid(&pod) && is_valid(&audit));
    let with = |report: &Value, key: &str, value: &Value| {
        let mut report = report.clone();
        report[key] = value.clone();
        report
    };
    assert!(!is_valid(&with(&pod, "audit", &audit["audit"])), "of a pod, with an audit");
    assert!(!is_valid(&with(&audit, "sts", &pod["sts"])), "of an audit, with an STS that was asked");
    assert!(!is_valid(&with(&pod, "unknown", &json!(1))), "with a field that is not published");
    for field in ["schema", "diagnosis", "sts", "checks"] {
        let mut without = pod.clone();
        without.as_object_mut().unwrap().remove(field);
        assert!(!is_valid(&without), "without {field}");
    }
}

#[test]
fn report_round_trips() {
    for name in ["pass.json", "AssumeRoleNotAuthorized.json", "audit.json"] {
        let text = example(name);
        let report: wire::Report = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&report).unwrap(), text.trim(), "{name}");
    }
}
