//! Events, checked as Kubernetes checks those of the version `v1`.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::failure::Failure;
use super::objects;
use crate::clock;
use crate::random;
use crate::token::NAMESPACE;

const RESOURCE: &str = "events";

/// The event as Kubernetes keeps it.
pub(super) fn create(body: &Value, now: OffsetDateTime, version: u64) -> Result<Value, Failure> {
    let fields = body.as_object().ok_or_else(|| Failure::bad_request("the body is no JSON object"))?;
    let name = name(&body["metadata"])?;
    check(fields, &name)?;
    let mut event = body.clone();
    let metadata = event["metadata"].as_object_mut();
    let metadata = metadata.ok_or_else(|| Failure::bad_request("the metadata are no JSON object"))?;
    metadata.insert("name".to_owned(), json!(name));
    metadata.insert("namespace".to_owned(), json!(NAMESPACE));
    metadata.insert("uid".to_owned(), json!(random::uuid()));
    metadata.insert("resourceVersion".to_owned(), json!(version.to_string()));
    metadata.insert("creationTimestamp".to_owned(), json!(clock::xml_date(now)));
    event["kind"] = json!("Event");
    event["apiVersion"] = json!("v1");
    Ok(event)
}

/// The name that the event has or gets.
fn name(metadata: &Value) -> Result<String, Failure> {
    let text = |field: &str| metadata[field].as_str().filter(|text| !text.is_empty());
    match (text("name"), text("generateName")) {
        (Some(name), _) => Ok(name.to_owned()),
        (None, Some(prefix)) => Ok(format!("{prefix}{}", random::text(b"bcdfghjklmnpqrstvwxz2456789", 5))),
        (None, None) => {
            let field = "metadata.name: Required value: name or generateName is required";
            Err(Failure::invalid("Event", RESOURCE, "", field))
        }
    }
}

fn check(event: &Map<String, Value>, name: &str) -> Result<(), Failure> {
    let invalid = |field: String| Failure::invalid("Event", RESOURCE, name, &field);
    let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
    let namespace = |object: &str| event.get(object).and_then(|object| object["namespace"].as_str());
    if namespace("metadata").is_some_and(|namespace| namespace != NAMESPACE) {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Failure::bad_request(message));
    }
    if namespace("involvedObject") != Some(NAMESPACE) {
        let found = namespace("involvedObject").unwrap_or_default();
        let field =
            format!("involvedObject.namespace: Invalid value: \"{found}\": does not match event.namespace");
        return Err(invalid(field));
    }
    objects::time(event, "firstTimestamp")?;
    objects::time(event, "lastTimestamp")?;
    let Some(at) = event.get("eventTime").filter(|at| !at.is_null()) else {
        return Ok(());
    };
    // Who sets this means the newer kind of event, in which more is required.
    let micro = |text: &str| {
        let fraction =
            text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
        clock::is_rfc3339(text) && fraction == 6
    };
    if !at.as_str().is_some_and(micro) {
        return Err(Failure::bad_request(format!("eventTime: parsing time {at}: no time with microseconds")));
    }
    for (field, longest) in
        [("reportingComponent", usize::MAX), ("reportingInstance", 128), ("action", 128), ("reason", 128)]
    {
        if text(field).is_empty() {
            return Err(invalid(format!("{field}: Required value")));
        }
        if text(field).len() > longest {
            return Err(invalid(format!("{field}: Too long: may not be more than {longest} bytes")));
        }
    }
    if text("message").len() > 1024 {
        return Err(invalid("message: Too long: may not be more than 1024 bytes".to_owned()));
    }
    Ok(())
}
