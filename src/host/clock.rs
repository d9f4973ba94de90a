//! The clock.

use std::sync::Arc;
use std::time::SystemTime;

/// Where the wall-clock time comes from.
#[derive(Clone)]
pub enum Clock {
    System,
    /// A clock that stands still, to judge a recorded world.
    Fixed(SystemTime),
    /// A clock that a test drives, to live through hours in seconds.
    Driven(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

impl Clock {
    pub(super) fn now(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Fixed(time) => *time,
            Self::Driven(clock) => clock(),
        }
    }
}
