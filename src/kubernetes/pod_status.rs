//! A condition in the status of this very pod.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::text::format_utc;
use crate::token::Claims;

/// This very pod, as its API token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodReference {
    pub(crate) namespace: String,
    /// Its name, which a later pod may have, too.
    pub(crate) name: String,
    /// What no other pod ever has.
    pub(crate) uid: String,
}

impl PodReference {
    /// The pod that a token is bound to, if it is bound to one.
    pub fn from_claims(claims: &Claims) -> Option<Self> {
        Some(Self {
            namespace: claims.service_account()?.namespace,
            name: claims.bound.pod.clone()?,
            uid: claims.bound.pod_uid.clone()?,
        })
    }
}

/// A condition, as the API writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    /// Since when it has this status.
    pub(crate) last_transition_time: Option<String>,
}

impl Condition {
    /// The condition to follow the one `before`. As long as the status stays, so does the time of its
    /// transition.
    pub(crate) fn following(
        before: Option<&Self>,
        kind: &str,
        holds: bool,
        reason: &str,
        message: &str,
        now: SystemTime,
    ) -> Self {
        let status = if holds { "True" } else { "False" };
        let since = before.filter(|before| before.status == status);
        Self {
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            last_transition_time: since
                .and_then(|before| before.last_transition_time.clone())
                .or_else(|| Some(format_utc(now))),
        }
    }

    pub(crate) fn has_same_content(&self, other: &Self) -> bool {
        (&self.status, &self.reason, &self.message) == (&other.status, &other.reason, &other.message)
    }

    /// The patch that sets it on this pod, and on no other that has its name by then.
    pub(crate) fn patch(&self, pod: &PodReference) -> Value {
        json!({
            "metadata": { "uid": pod.uid },
            "status": {
                "conditions": [{
                    "type": self.kind,
                    "status": self.status,
                    "reason": self.reason,
                    "message": self.message,
                    "lastProbeTime": null,
                    "lastTransitionTime": self.last_transition_time,
                }],
            },
        })
    }
}

/// A pod, as far as its conditions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodState {
    pub(crate) uid: String,
    pub(crate) conditions: Vec<Condition>,
}

impl PodState {
    /// The pod in an answer of the API; `None` if there is none in it.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let pod: Value = serde_json::from_slice(json).ok()?;
        let uid = pod.pointer("/metadata/uid")?.as_str()?.to_owned();
        let conditions = pod.pointer("/status/conditions").map(Option::deserialize).transpose().ok()?;
        (pod.get("kind")? == "Pod")
            .then(|| Self { uid, conditions: conditions.flatten().unwrap_or_default() })
    }

    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, PodReference, PodState};
    use crate::token;
    use serde_json::json;
    use std::time::{Duration, SystemTime};

    const PATCHED: &str = include_str!("../../tests/recorded/api-patch-pod-status-ok.json");
    const API_TOKEN: &str = include_str!("../../tests/recorded/default-api-token.jwt");
    const REQUESTED: &str = include_str!("../../tests/recorded/tokenrequest-sts.jwt");

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_recorded_pod() {
        let pod = PodState::parse(PATCHED.as_bytes()).unwrap();
        assert_eq!(pod.uid, "3a425203-8f0c-4f27-90e5-532e21abc2c4");
        let ours = pod.condition("irsa-probe/credentials").unwrap();
        assert_eq!((ours.status.as_str(), ours.reason.as_deref()), ("False", Some("IRSA201")));
        assert_eq!(ours.last_transition_time, None);
        let ready = pod.condition("Ready").unwrap();
        assert_eq!(ready.last_transition_time.as_deref(), Some("2026-11-23T18:04:50Z"));
        assert_eq!(pod.condition("ready"), None);
        for other in ["", "{}", r#"{"kind": "Status", "metadata": {}}"#] {
            assert_eq!(PodState::parse(other.as_bytes()), None);
        }
    }

    #[test]
    fn the_pod_that_a_token_names() {
        let pod = PodReference::from_claims(&token::decode(API_TOKEN).unwrap()).unwrap();
        assert_eq!((pod.namespace.as_str(), pod.name.as_str()), ("payments", "checkout-6d5f9c7b8-abcde"));
        assert_eq!(pod.uid.len(), 36);
        assert_eq!(PodReference::from_claims(&token::decode(REQUESTED).unwrap()), None);
    }

    #[test]
    fn the_time_of_a_transition_moves_with_the_status_alone() {
        let before = |status: &str, time: Option<&str>| Condition {
            status: status.to_owned(),
            last_transition_time: time.map(str::to_owned),
            ..Condition::default()
        };
        let (then, now) = ("1970-01-01T00:00:01Z", "1970-01-01T00:00:09Z");
        for (before, holds, expected) in [
            (None, true, now),
            (None, false, now),
            (Some(before("True", Some(then))), true, then),
            (Some(before("False", Some(then))), false, then),
            (Some(before("True", Some(then))), false, now),
            (Some(before("False", Some(then))), true, now),
            (Some(before("Unknown", Some(then))), false, now),
            (Some(before("False", None)), false, now),
        ] {
            let next = Condition::following(before.as_ref(), "irsa-probe/ready", holds, "R", "m", at(9));
            assert_eq!(next.last_transition_time.as_deref(), Some(expected), "{before:?} {holds}");
        }
    }

    #[test]
    fn the_patch_names_the_pod_and_nothing_of_other_conditions() {
        let pod = PodReference { namespace: "n".to_owned(), name: "p".to_owned(), uid: "u".to_owned() };
        let condition = Condition::following(None, "irsa-probe/ready", false, "TokenExpired", "m", at(1));
        assert_eq!(
            condition.patch(&pod),
            json!({"metadata": {"uid": "u"}, "status": {"conditions": [{
                "type": "irsa-probe/ready", "status": "False", "reason": "TokenExpired", "message": "m",
                "lastProbeTime": null, "lastTransitionTime": "1970-01-01T00:00:01Z",
            }]}})
        );
        assert!(condition.has_same_content(&Condition { last_transition_time: None, ..condition.clone() }));
        assert!(!condition.has_same_content(&Condition { message: None, ..condition.clone() }));
    }
}
