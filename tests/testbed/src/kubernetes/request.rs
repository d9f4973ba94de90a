//! A request to the API server, and what it asks for in the words of RBAC.

use std::time::SystemTime;

use hyper::http::request::Parts;
use serde_json::Value;

use super::failure::Failure;
use crate::token::{NAMESPACE, SERVICE_ACCOUNT};

/// What a role may allow to the pod's service account, in the pod's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Right {
    /// To get its own service account, and no other.
    #[serde(rename = "serviceaccounts")]
    ServiceAccounts,
    /// To patch the status of pods.
    #[serde(rename = "pods/status")]
    PodsStatus,
    /// To create events.
    #[serde(rename = "events")]
    Events,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; null if it is no JSON.
    pub body: Value,
    /// When it had arrived.
    pub time: SystemTime,
}

impl Recorded {
    pub(super) fn new(head: &Parts, body: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = head.headers.iter();
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            time: SystemTime::now(),
        }
    }

    /// The value of a header, whose name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// What this asks for, if the path leads to a resource in a namespace.
    pub(super) fn attributes(&self) -> Option<Attributes<'_>> {
        let (namespace, rest) = self.path.strip_prefix("/api/v1/namespaces/")?.split_once('/')?;
        let mut parts = rest.split('/');
        let (resource, name) = (parts.next()?, parts.next());
        let subresource = parts.next();
        if parts.next().is_some() {
            return None;
        }
        let verb = match (self.method.as_str(), name) {
            ("GET", Some(_)) => "get",
            ("GET", None) => "list",
            ("POST", _) => "create",
            ("PUT", _) => "update",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => return None,
        };
        Some(Attributes { verb, namespace, resource, name, subresource })
    }
}

/// What RBAC looks at.
pub(super) struct Attributes<'a> {
    verb: &'static str,
    namespace: &'a str,
    resource: &'a str,
    pub(super) name: Option<&'a str>,
    subresource: Option<&'a str>,
}

impl Attributes<'_> {
    /// The right that this takes, if it is one that there is.
    pub(super) fn right(&self) -> Option<Right> {
        if self.namespace != NAMESPACE {
            return None;
        }
        match (self.verb, self.resource, self.name, self.subresource) {
            ("get", "serviceaccounts", Some(SERVICE_ACCOUNT), None) => Some(Right::ServiceAccounts),
            ("patch", "pods", Some(_), Some("status")) => Some(Right::PodsStatus),
            ("create", "events", None, None) => Some(Right::Events),
            _ => None,
        }
    }

    /// What RBAC says to who has not the right.
    pub(super) fn forbidden(&self) -> Failure {
        let Self { verb, namespace, resource, name, subresource } = self;
        let object = name.map_or_else(|| (*resource).to_owned(), |name| format!("{resource} \"{name}\""));
        let asked = subresource.map_or_else(|| (*resource).to_owned(), |sub| format!("{resource}/{sub}"));
        let message = format!(
            "{object} is forbidden: User \"{}\" cannot {verb} resource \"{asked}\" in API group \"\" \
             in the namespace \"{namespace}\"",
            crate::token::subject()
        );
        Failure::new(403, "Forbidden", message).about(resource, *name)
    }
}
