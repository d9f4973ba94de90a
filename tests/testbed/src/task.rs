//! Background tasks that end with their owner, so that a dropped server is really gone, and waiting
//! for an exact moment.

use std::future::Future;

use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::{Duration, Instant, sleep_until};

#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

impl Task {
    pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Any number of tasks. Those that are over are forgotten, so that a server can live long.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.0.try_join_next().is_some() {}
        self.0.spawn(work);
    }
}

/// The runtime's timer is only as fine as this; what is left is waited for without it.
const TIMER: Duration = Duration::from_millis(2);

/// Waits until then, to the microsecond, so that added round trips are as long as they should be.
pub(crate) async fn wait_until(due: Instant) {
    if let Some(early) = due.checked_sub(TIMER).filter(|early| *early > Instant::now()) {
        sleep_until(early).await;
    }
    while Instant::now() < due {
        yield_now().await;
    }
}
