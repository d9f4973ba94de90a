//! Pauses after faults, with full jitter, so that many that failed together do not come back together.
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog.

use std::time::Duration;

/// The most that the pause after so many faults is: `first` after one, twice as much after each
/// further one, and never more than `longest`.
pub(crate) fn max_pause(first: Duration, longest: Duration, faults: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(faults.saturating_sub(1).min(30))).min(longest)
}

/// The pause after so many faults, drawn from nothing up to the most.
pub(crate) fn random_pause(first: Duration, longest: Duration, faults: u32) -> Duration {
    max_pause(first, longest, faults).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::{max_pause, random_pause};
    use std::time::Duration;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let second = Duration::from_secs(1);
        let seconds = |faults| max_pause(second, second * 10, faults).as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, u32::MAX].map(seconds), [1, 1, 2, 4, 8, 10, 10]);
        assert!((0..100).all(|faults| random_pause(second, second * 10, faults) <= second * 10));
    }
}
