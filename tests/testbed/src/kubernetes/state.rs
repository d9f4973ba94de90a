//! What the API server knows, and its judgement over a request.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::failure::Failure;
use super::objects::{self, ServiceAccount};
use super::request::{Attributes, Recorded, Right};
use super::{Config, Mode, event};
use crate::token::SERVICE_ACCOUNT;

const PATCH: &str = "application/strategic-merge-patch+json";
const OUTDATED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// What the API server knows.
pub(super) struct State {
    pub(super) mode: Mode,
    pub(super) token: String,
    pub(super) denied: Vec<Right>,
    pub(super) conflict: bool,
    pub(super) pod: Value,
    pub(super) events: Vec<Value>,
    service_account: Option<Value>,
    version: u64,
}

impl State {
    pub(super) fn new(config: Config) -> Self {
        let mut state = Self {
            mode: config.mode,
            token: config.token,
            denied: config.denied,
            conflict: false,
            pod: objects::pod(),
            events: Vec::new(),
            service_account: None,
            version: 0,
        };
        state.version = state.pod["metadata"]["resourceVersion"]
            .as_str()
            .and_then(|version| version.parse().ok())
            .expect("the recorded pod has a version");
        state.set_service_account(config.service_account.as_ref());
        state
    }

    pub(super) fn set_service_account(&mut self, account: Option<&ServiceAccount>) {
        self.service_account = account.map(ServiceAccount::json);
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Gives the pod a new version.
    pub(super) fn touch_pod(&mut self) {
        self.pod["metadata"]["resourceVersion"] = json!(self.next_version().to_string());
    }

    /// The HTTP status and the body of the answer; none if there is to be no answer.
    pub(super) fn judge(&mut self, request: &Recorded, now: OffsetDateTime) -> Option<(u16, Value)> {
        let outcome = match self.mode {
            Mode::Serve => self.serve(request, now),
            Mode::Hang => return None,
            Mode::Unauthorized => Err(Failure::unauthorized()),
            Mode::Status(code) => Err(Failure::of_status(code)),
        };
        Some(outcome.unwrap_or_else(|failure| (failure.code, failure.json())))
    }

    fn serve(&mut self, request: &Recorded, now: OffsetDateTime) -> Result<(u16, Value), Failure> {
        if request.header("authorization") != Some(&format!("Bearer {}", self.token)) {
            return Err(Failure::unauthorized());
        }
        let Some(attributes) = request.attributes() else {
            return Err(Failure::new(404, "NotFound", "the server could not find the requested resource"));
        };
        match attributes.right().filter(|right| !self.denied.contains(right)) {
            Some(Right::ServiceAccounts) => self.get_service_account(),
            Some(Right::PodsStatus) => self.patch_status(request, &attributes),
            Some(Right::Events) => self.create_event(&request.body, now),
            None => Err(attributes.forbidden()),
        }
    }

    fn get_service_account(&self) -> Result<(u16, Value), Failure> {
        let account = self.service_account.clone();
        account
            .map(|account| (200, account))
            .ok_or_else(|| Failure::not_found("serviceaccounts", SERVICE_ACCOUNT))
    }

    fn patch_status(
        &mut self,
        request: &Recorded,
        attributes: &Attributes<'_>,
    ) -> Result<(u16, Value), Failure> {
        let name = attributes.name.unwrap_or_default();
        let content_type = request.header("content-type").and_then(|value| value.split(';').next());
        if content_type != Some(PATCH) {
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: {PATCH}"
            );
            return Err(Failure::new(415, "UnsupportedMediaType", message));
        }
        if !request.body.is_object() {
            return Err(Failure::bad_request("the patch is no JSON object"));
        }
        if self.pod["metadata"]["name"] != name {
            return Err(Failure::not_found("pods", name));
        }
        let conflict = |why: &str| Failure::conflict("pods", name, why);
        let (wanted, found) = (&request.body["metadata"], &self.pod["metadata"]);
        if let Some(uid) = wanted["uid"].as_str().filter(|uid| found["uid"] != *uid) {
            let real = found["uid"].as_str().unwrap_or_default();
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {real}");
            return Err(conflict(&why));
        }
        let outdated =
            wanted["resourceVersion"].as_str().is_some_and(|version| found["resourceVersion"] != version);
        let mut status = self.pod["status"].clone();
        objects::merge_status(&mut status, &request.body["status"])?;
        // Kubernetes writes nothing where nothing is different, and then nobody can be faster.
        let changed = status != self.pod["status"];
        if outdated || changed && std::mem::take(&mut self.conflict) {
            return Err(conflict(OUTDATED));
        }
        if changed {
            self.pod["status"] = status;
            self.touch_pod();
        }
        Ok((200, self.pod.clone()))
    }

    fn create_event(&mut self, body: &Value, now: OffsetDateTime) -> Result<(u16, Value), Failure> {
        let event = event::create(body, now, self.version + 1)?;
        let name = &event["metadata"]["name"];
        let taken = self.events.iter().any(|other| other["metadata"]["name"] == *name);
        if std::mem::take(&mut self.conflict) || taken {
            return Err(Failure::already_exists("events", name.as_str().unwrap_or_default()));
        }
        self.next_version();
        self.events.push(event.clone());
        Ok((201, event))
    }
}
