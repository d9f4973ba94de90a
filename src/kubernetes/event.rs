//! An event on this very pod, for `kubectl describe pod`.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use super::MAX_NAME_BYTES;
use super::pod_status::PodReference;
use crate::text::format_utc;

const COMPONENT: &str = "irsa-probe";
/// For how long the same is not told of a pod again.
const DEDUPLICATION_PERIOD: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum EventType {
    Normal,
    Warning,
}

/// An event on a pod, to be created. All events of one reason in the same ten minutes have one name, so the API
/// server itself refuses the second, also after a restart.
pub(crate) fn of_pod(
    pod: &PodReference,
    kind: EventType,
    reason: &str,
    message: &str,
    now: SystemTime,
) -> Value {
    let time = format_utc(now);
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "namespace": pod.namespace, "name": event_name(pod, reason, now) },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": pod.uid,
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": { "component": COMPONENT },
        "reportingComponent": COMPONENT,
        "reportingInstance": pod.name,
    })
}

fn event_name(pod: &PodReference, reason: &str, now: SystemTime) -> String {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let tail =
        format!(".{}.{:x}", reason.to_ascii_lowercase(), since.as_secs() / DEDUPLICATION_PERIOD.as_secs());
    let most = MAX_NAME_BYTES.saturating_sub(tail.len()).min(pod.name.len());
    let head = pod.name.get(..most).unwrap_or_default().trim_end_matches(['.', '-']);
    format!("{head}{tail}")
}

#[cfg(test)]
mod tests {
    use super::super::is_object_name;
    use super::{EventType, MAX_NAME_BYTES, event_name, of_pod};
    use crate::kubernetes::pod_status::PodReference;
    use serde_json::json;
    use std::time::{Duration, SystemTime};

    fn pod(name: &str) -> PodReference {
        PodReference { namespace: "payments".to_owned(), name: name.to_owned(), uid: "u".to_owned() }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_event() {
        let event = of_pod(&pod("checkout-1"), EventType::Warning, "TokenExpired", "m", at(1_795_000_000));
        assert_eq!(
            event,
            json!({
                "apiVersion": "v1", "kind": "Event",
                "metadata": {"namespace": "payments", "name": "checkout-1.tokenexpired.2da632"},
                "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "payments",
                    "name": "checkout-1", "uid": "u"},
                "type": "Warning", "reason": "TokenExpired", "message": "m",
                "firstTimestamp": "2026-11-18T11:06:40Z", "lastTimestamp": "2026-11-18T11:06:40Z", "count": 1,
                "source": {"component": "irsa-probe"},
                "reportingComponent": "irsa-probe", "reportingInstance": "checkout-1",
            })
        );
    }

    #[test]
    fn one_name_for_ten_minutes() {
        let named = |reason: &str, seconds| event_name(&pod("a"), reason, at(seconds));
        assert_eq!(named("X", 600), named("X", 1199));
        assert_ne!(named("X", 600), named("X", 1200));
        assert_ne!(named("X", 600), named("Y", 600));
    }

    #[test]
    fn the_name_of_the_longest_pod_is_cut_and_stays_one() {
        for pod_name in ["a".repeat(MAX_NAME_BYTES), format!("{}-b", "a-".repeat(125)), "a.b".to_owned()] {
            let name = event_name(&pod(&pod_name), "ShadowedByContainerCredentials", at(u64::MAX >> 24));
            assert!(is_object_name(&name), "{name}");
        }
    }
}
