//! Work that may never end, such as asking a file system that hangs, in threads that may then stay
//! behind. One of them is kept between two pieces of work, so that a look a second costs little.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// What a thread needs that reads a file, in bytes.
const STACK_BYTES: usize = 128 << 10;

/// How many threads may be at work on one path at once. More than a few are those that a hung file
/// system never let go. Other paths may be on one that is well.
const MAX_THREADS_PER_PATH: usize = 4;

/// A piece of work. It says when its thread is free again, before anybody hears that it is done.
type Work = Box<dyn FnOnce(&dyn Fn()) + Send>;

#[derive(Clone, Default)]
pub(super) struct Threads {
    busy: Arc<Mutex<BTreeMap<PathBuf, usize>>>,
    idle: Arc<Mutex<Option<SyncSender<Work>>>>,
}

impl Threads {
    /// Does the work on a path in a thread, and waits for it until then. Where the system gives no
    /// further thread, the work is done at once, in this one; where too many are still at work on
    /// that path, none is begun.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        path: &Path,
        until: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let busy = PathSlot::acquire(&self.busy, path)?;
        let (sender, result) = oneshot::channel();
        let work: Work = Box::new(move |free| {
            let done = work();
            drop(busy);
            free();
            // The receiver is gone if it did not wait so long.
            let _ = sender.send(done);
        });
        self.start(work);
        timeout_at(until, result).await.ok()?.ok()
    }

    fn start(&self, work: Work) {
        let work = match lock(&self.idle).take() {
            // A thread that is idle takes it at once: there is room for one.
            Some(idle) => match idle.try_send(work) {
                Ok(()) => return,
                Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) => work,
            },
            None => work,
        };
        let (sender, works) = sync_channel(1);
        let first = Arc::new(Mutex::new(Some(work)));
        let (threads, taken) = (self.clone(), Arc::clone(&first));
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            if let Some(work) = lock(&taken).take() {
                threads.serve(work, &sender, &works);
            }
        });
        if thread.is_err()
            && let Some(work) = lock(&first).take()
        {
            work(&|| ());
        }
    }

    /// What a thread does: this work, and then what comes, unless another thread is idle already.
    fn serve(&self, first: Work, sender: &SyncSender<Work>, works: &Receiver<Work>) {
        let mut next = Some(first);
        while let Some(work) = next {
            let is_kept = Cell::new(false);
            work(&|| {
                let mut idle = lock(&self.idle);
                if idle.is_none() {
                    *idle = Some(sender.clone());
                    is_kept.set(true);
                }
            });
            next = if is_kept.get() { works.recv().ok() } else { None };
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One piece of work on a path that has not ended.
struct PathSlot {
    paths: Arc<Mutex<BTreeMap<PathBuf, usize>>>,
    path: PathBuf,
}

impl PathSlot {
    fn acquire(paths: &Arc<Mutex<BTreeMap<PathBuf, usize>>>, path: &Path) -> Option<Self> {
        let mut busy = lock(paths);
        let count = busy.entry(path.to_owned()).or_default();
        (*count < MAX_THREADS_PER_PATH).then(|| {
            *count += 1;
            Self { paths: Arc::clone(paths), path: path.to_owned() }
        })
    }
}

impl Drop for PathSlot {
    fn drop(&mut self) {
        let mut busy = lock(&self.paths);
        match busy.get_mut(&self.path) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(busy.remove(&self.path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_THREADS_PER_PATH, Threads};
    use std::path::Path;
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;
    use tokio::time::Instant;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_file_system_that_hangs_keeps_no_more_than_so_many_threads() {
        let (threads, path) = (Threads::default(), Path::new("/a"));
        let (release, hung) = mpsc::channel::<()>();
        let hung = Arc::new(Mutex::new(hung));
        for _ in 0..MAX_THREADS_PER_PATH {
            let hung = Arc::clone(&hung);
            let hang = move || hung.lock().map(|hung| hung.recv()).is_ok();
            assert_eq!(threads.run(path, Instant::now(), hang).await, None);
        }
        assert_eq!(threads.run(path, soon(), || 1).await, None, "no further thread is begun");
        assert_eq!(threads.run(Path::new("/b"), soon(), || 1).await, Some(1), "another path is well");
        drop(release);
        while !super::lock(&threads.busy).is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(threads.run(path, soon(), || 1).await, Some(1), "and once they are let go, it goes on");
    }

    #[tokio::test]
    async fn one_thread_does_what_comes_one_after_the_other() {
        let threads = Threads::default();
        let id = || std::thread::current().id();
        let first = threads.run(Path::new("/a"), soon(), id).await;
        for _ in 0..100 {
            assert_eq!(threads.run(Path::new("/a"), soon(), id).await, first);
        }
        assert!(first.is_some() && first != Some(id()));
    }
}
