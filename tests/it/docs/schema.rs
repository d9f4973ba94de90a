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
