//! The `Status` with which the API server says no.

use serde_json::{Map, Value, json};

const RECORDED: &str = include_str!("../../../recorded/api-unauthorized.json");

/// A request that is not granted, and why.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u16,
    reason: &'static str,
    message: String,
    details: Option<Value>,
}

impl Failure {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// Names the object, or the resource alone where the object has no name yet.
    pub(super) fn about(mut self, resource: &str, name: Option<&str>) -> Self {
        let fields = [("name", name), ("kind", Some(resource))];
        let fields: Map<String, Value> = fields
            .into_iter()
            .filter_map(|(field, value)| Some((field.to_owned(), Value::from(value?))))
            .collect();
        self.details = Some(fields.into());
        self
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(super) fn not_found(resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{resource} \"{name}\" not found")).about(resource, Some(name))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// An object that Kubernetes does not take for what its field says.
    pub(super) fn invalid(kind: &str, resource: &str, name: &str, field: &str) -> Self {
        Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {field}"))
            .about(resource, Some(name))
    }

    pub(super) fn conflict(resource: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, Some(name))
    }

    pub(super) fn already_exists(resource: &str, name: &str) -> Self {
        let message = format!("{resource} \"{name}\" already exists");
        Self::new(409, "AlreadyExists", message).about(resource, Some(name))
    }

    /// A failure of the server's own with this HTTP status.
    pub(super) fn of_status(code: u16) -> Self {
        let (reason, message) = match code {
            401 => return Self::unauthorized(),
            429 => ("TooManyRequests", "Too many requests, please try again later."),
            500 => ("InternalError", "Internal error occurred: etcdserver: request timed out"),
            503 => ("ServiceUnavailable", "The server is currently unable to handle the request"),
            504 => ("Timeout", "Timeout: request did not complete within the allotted timeout"),
            _ => ("Unknown", "an error on the server has prevented the request from succeeding"),
        };
        Self::new(code, reason, message)
    }

    /// In the shape of a recorded one.
    pub(super) fn json(self) -> Value {
        let mut status: Value = serde_json::from_str(RECORDED).expect("the recorded answer is JSON");
        status["code"] = json!(self.code);
        status["reason"] = json!(self.reason);
        status["message"] = json!(self.message);
        if let Some(details) = self.details {
            status["details"] = details;
        }
        status
    }
}
