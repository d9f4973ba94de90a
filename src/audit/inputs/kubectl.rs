//! Kubernetes objects as `kubectl get -o json` prints them: one by itself, or one in a list.

use serde_json::{Map, Value};

use super::fault::InputFault;
use super::printed;
use crate::injection::view::WEBHOOK_DOMAIN;

/// Reads the only object of a kind in what `kubectl` printed.
///
/// # Errors
/// If there is none of this kind, or several.
pub(super) fn read(bytes: &[u8], kind: &'static str, plural: &'static str) -> Result<Value, InputFault> {
    let value = printed::json(&printed::text(bytes)?)?;
    match kind_of(&value) {
        Some(found) if found == kind => Ok(value),
        Some(found) if found.ends_with("List") => {
            // The items of a typed list have no kind of their own.
            let is_of_kind = |item: &&Value| {
                kind_of(item).map_or(found.strip_suffix("List") == Some(kind), |of| of == kind)
            };
            let items: Vec<&Value> = list(&value, "items").iter().filter(is_of_kind).collect();
            match items.as_slice() {
                [] => Err(InputFault::Without(kind)),
                [item] => Ok((*item).clone()),
                several => Err(InputFault::Several { what: plural, count: several.len() }),
            }
        }
        Some("Status") => Err(InputFault::Another("an error of the Kubernetes API")),
        Some("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob") => {
            Err(InputFault::Another("what makes pods, and not one of them: give a pod that it made"))
        }
        Some(_) => Err(InputFault::Another("an object of Kubernetes of another kind")),
        None => Err(InputFault::Another("no object of Kubernetes, as kubectl get -o json prints them")),
    }
}

fn kind_of(value: &Value) -> Option<&str> {
    value.get("kind").and_then(Value::as_str)
}

/// The items of a member; none if there is no such member.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The names and texts in a member, such as labels.
pub(super) fn texts<'a>(value: &'a Value, name: &str) -> Vec<(&'a str, &'a str)> {
    let object = value.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    object.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}

/// Those annotations whose value is a role, and whose name says so.
pub(super) fn role_annotations(annotations: &[(&str, &str)]) -> Vec<(String, String)> {
    let is_role = |value: &str| value.trim().starts_with("arn:") && value.contains(":role");
    let is_named = |key: &str| key.starts_with(WEBHOOK_DOMAIN) || key.to_ascii_lowercase().contains("role");
    let found = annotations.iter().filter(|(key, value)| is_named(key) && is_role(value));
    found.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
