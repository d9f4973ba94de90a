//! When to check next. Only numbers go in and come out, so that tests simulate a fleet of sidecars in a second.
//!
//! The sidecars of a fleet start together, share one STS and fail together. Every pause is drawn at random, so
//! that they do not call STS together.

use std::ops::Range;
use std::time::Duration;

use crate::host::backoff;

/// How a check ended, as far as the next one depends on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckEnd {
    Works,
    Fails,
    Throttled,
}

/// The bound of the first pause after a failure. Each further bound is twice as high.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The highest bound after a failure.
const MAX_RETRY: Duration = Duration::from_secs(300);
/// The lowest bound while STS throttles.
const MIN_THROTTLED: Duration = Duration::from_secs(120);
/// The highest bound while STS throttles.
const MAX_THROTTLED: Duration = Duration::from_secs(1200);
const MIN_PAUSE: Duration = Duration::from_millis(500);

/// The pause, in intervals, after a check that ended like the one before it.
const STEADY: Range<f64> = 0.9..1.1;
/// The pause, in intervals, after the first check and the first that passes again. It spreads a fleet whose
/// checks came together over a whole interval.
const SPREAD: Range<f64> = 0.5..1.5;

/// The shortest time between two checks, if the token file changes all the time.
const MIN_BETWEEN_CHECKS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    random: fastrand::Rng,
    failures: u32,
    last: Option<CheckEnd>,
}

impl Schedule {
    /// A schedule with one check an interval, on average, while the role works.
    pub fn new(interval: Duration, random: fastrand::Rng) -> Self {
        Self { interval, random, failures: 0, last: None }
    }

    pub fn pause_after(&mut self, ended: CheckEnd) -> Duration {
        let before = self.last.replace(ended);
        if ended == CheckEnd::Works {
            self.failures = 0;
            let range = if before == Some(CheckEnd::Works) { STEADY } else { SPREAD };
            let share = range.start + (range.end - range.start) * self.random.f64();
            return self.interval.mul_f64(share);
        }
        self.failures = self.failures.saturating_add(1);
        let most = match ended {
            CheckEnd::Throttled => {
                backoff::max_pause(FIRST_RETRY * 4, MAX_THROTTLED, self.failures).max(MIN_THROTTLED)
            }
            _ => backoff::max_pause(FIRST_RETRY, MAX_RETRY, self.failures),
        };
        most.min(self.interval.max(FIRST_RETRY)).mul_f64(self.random.f64()).max(MIN_PAUSE)
    }

    /// The remaining pause after a change of the pod, this long `since` the last check. While STS throttles, it
    /// stays as `planned`.
    pub(crate) fn remaining_after_change(&self, since: Duration, planned: Duration) -> Duration {
        if self.last == Some(CheckEnd::Throttled) {
            planned
        } else {
            planned.min(Self::remaining_without_sts(since))
        }
    }

    /// The remaining pause after a change that STS need not be asked about.
    pub(crate) fn remaining_without_sts(since: Duration) -> Duration {
        MIN_BETWEEN_CHECKS.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckEnd, MAX_RETRY, MAX_THROTTLED, MIN_BETWEEN_CHECKS, MIN_PAUSE, MIN_THROTTLED, Schedule};
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    fn schedule(seed: u64) -> Schedule {
        Schedule::new(HOUR, fastrand::Rng::with_seed(seed))
    }

    #[test]
    fn while_the_role_works_there_is_one_check_an_interval() {
        let mut schedule = schedule(1);
        let first = schedule.pause_after(CheckEnd::Works);
        assert!(first >= HOUR / 2 && first <= HOUR * 3 / 2);
        let pauses: Vec<Duration> = (0..1000).map(|_| schedule.pause_after(CheckEnd::Works)).collect();
        assert!(pauses.iter().all(|pause| *pause >= HOUR * 9 / 10 && *pause <= HOUR * 11 / 10));
        let mean = pauses.iter().sum::<Duration>() / 1000;
        assert!(mean > HOUR * 98 / 100 && mean < HOUR * 102 / 100, "{mean:?}");
    }

    #[test]
    fn after_a_failure_it_is_sooner_and_then_slower() {
        let longest_of = |failures: usize, ended| {
            (0..300)
                .map(|seed| {
                    let mut schedule = schedule(seed);
                    (0..failures).map(|_| schedule.pause_after(ended)).last().unwrap_or_default()
                })
                .max()
                .unwrap_or_default()
        };
        let first = longest_of(1, CheckEnd::Fails);
        assert!(first <= Duration::from_secs(1) && first > MIN_PAUSE);
        let third = longest_of(3, CheckEnd::Fails);
        assert!(third <= Duration::from_secs(4) && third > Duration::from_secs(2));
        let late = longest_of(50, CheckEnd::Fails);
        assert!(late <= MAX_RETRY && late > MAX_RETRY / 2);
        let throttled = longest_of(1, CheckEnd::Throttled);
        assert!(throttled <= MIN_THROTTLED && throttled > MIN_THROTTLED / 2);
        let late = longest_of(50, CheckEnd::Throttled);
        assert!(late <= MAX_THROTTLED && late > MAX_THROTTLED / 2);
    }

    #[test]
    fn a_pass_forgets_the_failures_and_spreads_the_next_check() {
        let mut schedule = schedule(3);
        for _ in 0..20 {
            schedule.pause_after(CheckEnd::Fails);
        }
        assert!(schedule.pause_after(CheckEnd::Works) >= HOUR / 2);
        assert!(schedule.pause_after(CheckEnd::Fails) <= Duration::from_secs(1));
    }

    #[test]
    fn a_short_interval_bounds_the_pauses_after_failures_too() {
        let short = Duration::from_secs(10);
        let mut schedule = Schedule::new(short, fastrand::Rng::with_seed(4));
        assert!((0..100).all(|_| schedule.pause_after(CheckEnd::Throttled) <= short));
    }

    #[test]
    fn a_change_of_the_pod_is_looked_at_soon_but_not_while_sts_throttles() {
        let mut schedule = schedule(5);
        let planned = Duration::from_secs(200);
        schedule.pause_after(CheckEnd::Fails);
        assert_eq!(schedule.remaining_after_change(Duration::ZERO, planned), MIN_BETWEEN_CHECKS);
        assert_eq!(schedule.remaining_after_change(HOUR, planned), Duration::ZERO);
        schedule.pause_after(CheckEnd::Throttled);
        assert_eq!(schedule.remaining_after_change(HOUR, planned), planned);
    }
}
