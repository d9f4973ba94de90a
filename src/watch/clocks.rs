//! The two clocks of a sidecar: the steady one of the kernel, and the wall clock, which people can set.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::host::Pod;

/// How far the wall clock can differ from the steady one before it counts as set.
const CLOCK_JUMP: Duration = Duration::from_secs(60);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) steady: Instant,
    pub(super) wall: SystemTime,
}

impl Clocks {
    pub(super) fn now(pod: &Pod) -> Self {
        Self { steady: Instant::now(), wall: pod.now() }
    }

    /// Whether the wall clock was set since `earlier`.
    pub(super) fn jumped_since(&self, earlier: &Self) -> bool {
        let expected = earlier.wall + self.steady.saturating_duration_since(earlier.steady);
        let off = expected.duration_since(self.wall).or_else(|_| self.wall.duration_since(expected));
        off.is_ok_and(|off| off > CLOCK_JUMP)
    }
}
