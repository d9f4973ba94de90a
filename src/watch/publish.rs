//! Publishes the status of the pod, as a condition and as events.
//!
//! Only the newest status counts: one that was replaced before it could be written is not published. The
//! condition and the events need different permissions, so neither waits for the other.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::pod_status::{PodStatus, ROLE_WORKS, Warning};
use crate::host::{Pod, backoff};
use crate::kubernetes::Api;
use crate::kubernetes::event::{self, EventType};
use crate::kubernetes::fault::ApiFault;
use crate::kubernetes::pod_status::{Condition, PodReference};
use crate::report::termination;
use crate::text::sanitize;

impl PodStatus {
    /// The events that tell it: one about the role, and one for each warning.
    fn events(&self) -> Vec<PodEvent> {
        let kind = if self.reason == ROLE_WORKS { EventType::Normal } else { EventType::Warning };
        let main = PodEvent { kind, reason: self.reason.clone(), message: self.message.clone() };
        let warnings = self.warnings.iter().map(|Warning { name, cause }| PodEvent {
            kind: EventType::Warning,
            reason: name.as_str().to_owned(),
            message: termination::truncate(&format!("{}: {cause}", name.title()), termination::MAX_BYTES),
        });
        std::iter::once(main).chain(warnings).collect()
    }
}

struct PodEvent {
    kind: EventType,
    reason: String,
    message: String,
}

/// How long calls and the pauses after faults take.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    pub call: Duration,
    /// The bound of the first pause after a fault, which is drawn at random. Each further bound is twice as high.
    pub first: Duration,
    /// The highest bound after a fault.
    pub longest: Duration,
    /// The highest bound after a denial.
    pub denied: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(5),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            denied: Duration::from_secs(600),
        }
    }
}

/// Publishes the status of one pod.
#[derive(Debug)]
pub struct Publisher {
    /// For its clock.
    pub pod: Pod,
    pub api: Api,
    pub reference: PodReference,
    /// How long to wait, and for how long.
    pub retry: RetryPolicy,
}

impl Publisher {
    /// Publishes every status until its sender is dropped, or until the pod is gone.
    pub async fn run(&self, condition_type: Option<&str>, events: bool, status: Receiver<Option<PodStatus>>) {
        let condition = async {
            if let Some(kind) = condition_type {
                self.publish_condition(kind, status.clone()).await;
            }
        };
        let told = async {
            if events {
                self.publish_events(status.clone()).await;
            }
        };
        tokio::join!(condition, told);
    }

    async fn publish_condition(&self, kind: &str, mut status: Receiver<Option<PodStatus>>) {
        let mut pauses = Backoff::new(self.retry, "the pod's condition is not published");
        let mut written = PublishedCondition::Unknown;
        loop {
            let next = match &written {
                PublishedCondition::Unknown => self.read_back(kind, &mut written).await,
                PublishedCondition::Known(before) => {
                    let newest = status.borrow_and_update().clone();
                    let wanted = newest.map(|PodStatus { ready, reason, message, .. }| {
                        Condition::following(before.as_ref(), kind, ready, &reason, &message, self.pod.now())
                    });
                    let news = |wanted: &Condition| {
                        before.as_ref().is_none_or(|before| !before.has_same_content(wanted))
                    };
                    match wanted.filter(news) {
                        Some(wanted) => self.write(wanted, &mut written).await,
                        None if status.changed().await.is_err() => return,
                        None => continue,
                    }
                }
            };
            match next {
                Ok(()) => pauses.reset(),
                Err(ApiFault::NotFound) => {
                    tracing::info!(
                        pod = %sanitize(&self.reference.name),
                        "this pod was deleted or replaced; its condition is published no longer"
                    );
                    return;
                }
                Err(fault) => pauses.wait_after(&fault).await,
            }
        }
    }

    /// Reads the condition with an empty patch, which needs no other permission than writing it. A pod that has
    /// another uid is not found.
    async fn read_back(&self, kind: &str, written: &mut PublishedCondition) -> Result<(), ApiFault> {
        let known = match self.api.patch_pod_status(&self.reference, &json!({}), self.call_deadline()).await {
            Ok(pod) if pod.uid != self.reference.uid => return Err(ApiFault::NotFound),
            Ok(pod) => pod.condition(kind).cloned(),
            // A pod too long to read can still be patched.
            Err(ApiFault::TooLong) => None,
            Err(fault) => return Err(fault),
        };
        *written = PublishedCondition::Known(known);
        Ok(())
    }

    async fn write(&self, condition: Condition, written: &mut PublishedCondition) -> Result<(), ApiFault> {
        let patch = condition.patch(&self.reference);
        match self.api.patch_pod_status(&self.reference, &patch, self.call_deadline()).await {
            Ok(_) | Err(ApiFault::TooLong) => {
                *written = PublishedCondition::Known(Some(condition));
                Ok(())
            }
            // Another pod has the name now, or another writer was faster. Reading shows which.
            Err(fault @ (ApiFault::Conflict(_) | ApiFault::Other { status: 422, .. })) => {
                match self.read_back(&condition.kind, written).await {
                    Err(ApiFault::NotFound) => Err(ApiFault::NotFound),
                    _ => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    async fn publish_events(&self, mut status: Receiver<Option<PodStatus>>) {
        let mut pauses = Backoff::new(self.retry, "no event is published");
        // The reasons that hold, and were told or need not be.
        let mut told: Vec<String> = Vec::new();
        let mut is_first = true;
        loop {
            let newest = status.borrow_and_update().clone();
            let events = newest.map_or_else(Vec::new, |status| status.events());
            told.retain(|reason| events.iter().any(|event| event.reason == *reason));
            let Some(PodEvent { kind, reason, message }) =
                events.into_iter().find(|event| !told.contains(&event.reason))
            else {
                if status.changed().await.is_err() {
                    return;
                }
                continue;
            };
            // A role that works from the start is no event.
            if std::mem::take(&mut is_first) && reason == ROLE_WORKS {
                told.push(reason);
                continue;
            }
            let event = event::of_pod(&self.reference, kind, &reason, &message, self.pod.now());
            match self.api.create_event(&self.reference, &event, self.call_deadline()).await {
                Ok(()) | Err(ApiFault::AlreadyExists | ApiFault::TooLong) => {
                    told.push(reason);
                    pauses.reset();
                }
                Err(fault) => pauses.wait_after(&fault).await,
            }
        }
    }

    fn call_deadline(&self) -> Instant {
        Instant::now() + self.retry.call
    }
}

enum PublishedCondition {
    Unknown,
    /// `None` if the pod has no such condition.
    Known(Option<Condition>),
}

/// The pauses after faults, with full jitter. Logs each series of faults once.
struct Backoff {
    pace: RetryPolicy,
    what: &'static str,
    faults: u32,
    denied: bool,
}

impl Backoff {
    fn new(pace: RetryPolicy, what: &'static str) -> Self {
        Self { pace, what, faults: 0, denied: false }
    }

    fn reset(&mut self) {
        (self.faults, self.denied) = (0, false);
    }

    async fn wait_after(&mut self, fault: &ApiFault) {
        tokio::time::sleep(self.next_pause(fault)).await;
    }

    fn next_pause(&mut self, fault: &ApiFault) -> Duration {
        let is_denied = matches!(fault, ApiFault::Denied { .. });
        if is_denied && !std::mem::replace(&mut self.denied, true) {
            tracing::warn!(%fault, "{}", self.what);
        } else if !is_denied && self.faults == 0 {
            tracing::info!(%fault, "{}, for now", self.what);
        }
        self.faults = self.faults.saturating_add(1);
        // A denied permission can be granted at any moment, or never.
        backoff::random_pause(
            self.pace.first,
            if is_denied { self.pace.denied } else { self.pace.longest },
            self.faults,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, RetryPolicy};
    use crate::kubernetes::fault::ApiFault;

    #[test]
    fn pauses_grow_up_to_a_bound_and_a_denial_has_its_own() {
        let pace = RetryPolicy::default();
        let mut pauses = Backoff::new(pace, "nothing");
        assert!(pauses.next_pause(&ApiFault::TimedOut) <= pace.first);
        for _ in 0..40 {
            assert!(pauses.next_pause(&ApiFault::TimedOut) <= pace.longest);
        }
        let denied =
            || ApiFault::Denied { verb: "patch", resource: "pods/status", namespace: "payments".to_owned() };
        assert!((0..40).map(|_| pauses.next_pause(&denied())).max() > Some(pace.longest));
        assert!(pauses.next_pause(&denied()) <= pace.denied && pauses.denied);
        pauses.reset();
        assert!(!pauses.denied, "what is revoked later is told again");
        assert!(pauses.next_pause(&ApiFault::TimedOut) <= pace.first);
    }
}
