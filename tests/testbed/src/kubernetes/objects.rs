//! The pod and its service account, made from recorded answers.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::failure::Failure;
use crate::clock;
use crate::scenario::DEFAULT_ROLE_ARN;

const SERVICE_ACCOUNT: &str = include_str!("../../../recorded/api-get-sa-ok.json");
const POD: &str = include_str!("../../../recorded/api-patch-pod-status-ok.json");

/// The annotation that the webhook reads.
const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// Who had patched the recorded pod, and with which condition.
const PATCHED: [&str; 2] = ["curl", "irsa-probe/credentials"];

/// The pod's service account: the recorded one, but for what is said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// The annotated role; without one there is no annotation.
    pub role_arn: Option<String>,
    /// When `kubectl annotate` set the annotation, if Kubernetes still knows that.
    pub annotated: Option<OffsetDateTime>,
    /// When it was created, if not when the recorded one was.
    pub created: Option<OffsetDateTime>,
}

impl Default for ServiceAccount {
    /// Annotated with the healthy world's role.
    fn default() -> Self {
        Self { role_arn: Some(DEFAULT_ROLE_ARN.to_owned()), annotated: None, created: None }
    }
}

impl ServiceAccount {
    pub(super) fn json(&self) -> Value {
        let mut account = recorded(SERVICE_ACCOUNT);
        let metadata = object(&mut account["metadata"]);
        match &self.role_arn {
            Some(arn) => metadata.insert("annotations".to_owned(), json!({ROLE_ARN: arn})),
            None => metadata.remove("annotations"),
        };
        if let Some(at) = self.created {
            metadata.insert("creationTimestamp".to_owned(), json!(clock::xml_date(at)));
        }
        if let Some(at) = self.annotated {
            let field = format!("f:{ROLE_ARN}");
            let entry = json!({
                "manager": "kubectl-annotate",
                "operation": "Update",
                "apiVersion": "v1",
                "time": clock::xml_date(at),
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:metadata": {"f:annotations": {".": {}, field: {}}}},
            });
            metadata.insert("managedFields".to_owned(), json!([entry]));
        }
        account
    }
}

/// The pod before anybody patched it.
pub(super) fn pod() -> Value {
    let mut pod = recorded(POD);
    let untouched = |entry: &Value| {
        PATCHED.iter().all(|patched| entry["manager"] != *patched && entry["type"] != *patched)
    };
    for list in ["/metadata/managedFields", "/status/conditions"] {
        let list = pod.pointer_mut(list).and_then(Value::as_array_mut);
        list.expect("the recorded pod has both lists").retain(untouched);
    }
    pod
}

/// Lays a patch over the status, as a strategic merge does it: conditions by their type, fields of
/// other names as a whole, and null takes a field away.
pub(super) fn merge_status(status: &mut Value, patch: &Value) -> Result<(), Failure> {
    for (field, value) in patch.as_object().into_iter().flatten() {
        if field == "conditions" {
            let conditions = status["conditions"].as_array_mut().expect("the pod has conditions");
            merge_conditions(conditions, value)?;
        } else {
            merge_field(object(status), field, value);
        }
    }
    Ok(())
}

fn merge_conditions(conditions: &mut Vec<Value>, patches: &Value) -> Result<(), Failure> {
    let malformed = || Failure::bad_request("the list of conditions is malformed");
    // A new condition goes before those that were there, as in the recorded answer.
    let mut new = Vec::new();
    for patch in patches.as_array().ok_or_else(malformed)? {
        let fields = patch.as_object().ok_or_else(malformed)?;
        let condition_type = fields.get("type").filter(|value| value.is_string()).ok_or_else(|| {
            Failure::bad_request(format!("map: {patch} does not contain declared merge key: type"))
        })?;
        time(fields, "lastProbeTime")?;
        time(fields, "lastTransitionTime")?;
        let known = conditions.iter_mut().chain(&mut new).find(|known| known["type"] == *condition_type);
        let condition = match known {
            Some(condition) => condition,
            None => {
                new.push(json!({}));
                new.last_mut().ok_or_else(malformed)?
            }
        };
        for (field, value) in fields {
            merge_field(object(condition), field, value);
        }
        // Kubernetes always shows these two.
        for time in ["lastProbeTime", "lastTransitionTime"] {
            object(condition).entry(time).or_insert(Value::Null);
        }
    }
    conditions.splice(..0, new);
    Ok(())
}

fn merge_field(fields: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value.clone());
    }
}

/// Fails where a field holds something else than a time as Kubernetes reads it.
pub(super) fn time(fields: &Map<String, Value>, name: &str) -> Result<(), Failure> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if clock::is_rfc3339(text) => Ok(()),
        Some(other) => Err(Failure::bad_request(format!("{name}: parsing time {other}: no RFC 3339 time"))),
    }
}

fn recorded(json: &str) -> Value {
    serde_json::from_str(json).expect("the recorded answer is JSON")
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("the recorded object has objects there")
}
