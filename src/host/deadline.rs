//! One deadline for a run, and how much of it one step can take.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff;

/// The time that may be spent.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// When everything has to be over.
    pub(crate) deadline: Instant,
    /// The most that one step of a pass may take: a lookup, a connection, a handshake, an answer.
    pub(crate) timeout: Duration,
}

/// The least and the most that is waited between two passes, before jitter.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How many steps of a pass wait for something one after the other: the files, the lookup, the
/// connection, a proxy's tunnel, the handshake, and two answers.
const STEPS: u32 = 7;

impl Budget {
    /// A single pass that begins now, each step of which may take its time.
    pub fn single_pass(timeout: Duration) -> Self {
        Self { deadline: Instant::now() + timeout.saturating_mul(STEPS), timeout }
    }

    /// All the time until a deadline, for every step.
    pub(crate) fn ending_at(deadline: Instant) -> Self {
        Self { deadline, timeout: deadline.saturating_duration_since(Instant::now()) }
    }

    /// When a step that begins now has to be over.
    pub(crate) fn step_deadline(&self) -> Instant {
        self.deadline.min(Instant::now() + self.timeout)
    }

    pub(crate) fn is_spent(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// How long to wait after this many passes, with full jitter; `None` if no time would be left.
    pub(crate) fn pause(&self, passes: u32) -> Option<Duration> {
        let pause = backoff::random_pause(BACKOFF.0, BACKOFF.1, passes);
        (pause < self.deadline.saturating_duration_since(Instant::now())).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn pauses_grow_up_to_a_bound_and_end_with_the_budget() {
        let now = Instant::now();
        let budget = |left| Budget { deadline: now + left, timeout: Duration::from_secs(5) };
        assert!(budget(Duration::ZERO).pause(1).is_none() && budget(Duration::ZERO).is_spent());
        assert!(
            budget(Duration::from_secs(60)).pause(1).is_some_and(|pause| pause <= Duration::from_millis(500))
        );
        assert!(
            budget(Duration::from_secs(60)).pause(30).is_some_and(|pause| pause <= Duration::from_secs(10))
        );
    }
}
