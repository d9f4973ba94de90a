//! A program that runs in a world while the test goes on: what it prints, and its end.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

use super::run::{Exit, Finished, HARD_LIMIT, Printed, RunError};
use super::surroundings::{Counts, Surroundings};
use crate::task::Task;

/// A program that was started in a world. It is killed if this is dropped before its end; the world's
/// servers stay as long as it runs.
pub struct Running {
    child: Child,
    process: Pid,
    stdout: Stream,
    stderr: Stream,
    started: Instant,
    before: Counts,
    surroundings: Arc<Surroundings>,
    _signal: Option<Task>,
}

impl Running {
    /// Follows a child whose outputs are pipes; after the delay, if there is one, it gets a SIGTERM.
    pub(super) fn follow(
        mut child: Child,
        signal_after: Option<Duration>,
        before: Counts,
        surroundings: Arc<Surroundings>,
        started: Instant,
    ) -> Option<Self> {
        let process = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))?;
        let (stdout, stderr) = (Stream::follow(child.stdout.take()?), Stream::follow(child.stderr.take()?));
        let signal = signal_after.map(|delay| {
            Task::spawn(async move {
                tokio::time::sleep(delay).await;
                terminate(process);
            })
        });
        Some(Self { child, process, stdout, stderr, started, before, surroundings, _signal: signal })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_raw_nonzero().get().unsigned_abs()
    }

    /// The whole lines on its standard output so far.
    #[must_use]
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// The whole lines on its standard error so far.
    #[must_use]
    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.lines()
    }

    /// Waits for a line on standard output that is like this, among those after the one that this
    /// method returned last.
    ///
    /// # Errors
    /// If it does not come within the hard limit, or the output ends without it.
    pub async fn line(&mut self, what: impl Fn(&str) -> bool) -> Result<String, RunError> {
        let line = timeout(HARD_LIMIT, self.stdout.line(what)).await;
        self.or_printed(line)
    }

    /// As [`Self::line`], on standard error.
    ///
    /// # Errors
    /// If it does not come within the hard limit, or the output ends without it.
    pub async fn stderr_line(&mut self, what: impl Fn(&str) -> bool) -> Result<String, RunError> {
        let line = timeout(HARD_LIMIT, self.stderr.line(what)).await;
        self.or_printed(line)
    }

    fn or_printed<E>(&self, line: Result<Option<String>, E>) -> Result<String, RunError> {
        match line {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(RunError::Ended(self.printed())),
            Err(_) => Err(RunError::Hung(self.printed())),
        }
    }

    fn printed(&self) -> Printed {
        Printed { stdout: self.stdout.bytes(), stderr: self.stderr.bytes() }
    }

    /// What it wrote for the kubelet so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn termination_log(&self) -> io::Result<String> {
        fs::read(self.surroundings.termination_log()).map(|log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Sends it a SIGTERM.
    pub fn terminate(&self) {
        terminate(self.process);
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If it has not within the hard limit.
    pub async fn end(mut self) -> Result<Finished, RunError> {
        let whole = async {
            let status = self.child.wait().await;
            self.stdout.end().await;
            self.stderr.end().await;
            status
        };
        let Ok(status) = timeout(HARD_LIMIT, whole).await else {
            return Err(RunError::Hung(self.printed()));
        };
        let elapsed = self.started.elapsed();
        let (before, now) = (self.before, &self.surroundings);
        Ok(Finished {
            status: Exit::of(status?),
            stdout: self.stdout.bytes(),
            stderr: self.stderr.bytes(),
            termination_log: fs::read(now.termination_log())?,
            elapsed,
            secrets: now.secrets(),
            requests: now.sts.requests().split_off(before.requests),
            dns_queries: now.dns.queries().split_off(before.dns_queries),
            proxy_connects: now.proxy_connects().split_off(before.proxy_connects),
            connections: now.sts.connections() - before.connections,
            handshakes: now.sts.handshakes() - before.handshakes,
        })
    }
}

fn terminate(process: Pid) {
    // It may have ended by itself; the outcome then says so.
    kill_process(process, Signal::TERM).ok();
}

/// One output of a program, read as it comes.
struct Stream {
    captured: watch::Receiver<Captured>,
    /// Where the line after the last returned one begins.
    seen: usize,
    _task: Task,
}

#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    ended: bool,
}

impl Captured {
    /// The whole line that begins there, and where the next one does. What follows the last line break
    /// is a whole line only once the output has ended.
    fn line_at(&self, start: usize) -> Option<(String, usize)> {
        let rest = &self.bytes[start..];
        let length = match rest.iter().position(|byte| *byte == b'\n') {
            Some(length) => length,
            None if self.ended && !rest.is_empty() => rest.len(),
            None => return None,
        };
        let line = String::from_utf8_lossy(&rest[..length]).into_owned();
        Some((line, (start + length + 1).min(self.bytes.len())))
    }
}

impl Stream {
    fn follow(mut output: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, captured) = watch::channel(Captured::default());
        let task = Task::spawn(async move {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = output.read(&mut buffer).await {
                sender.send_modify(|captured| captured.bytes.extend(&buffer[..count]));
            }
            sender.send_modify(|captured| captured.ended = true);
        });
        Self { captured, seen: 0, _task: task }
    }

    fn bytes(&self) -> Vec<u8> {
        self.captured.borrow().bytes.clone()
    }

    fn lines(&self) -> Vec<String> {
        let captured = self.captured.borrow();
        let mut at = 0;
        std::iter::from_fn(|| {
            let (line, next) = captured.line_at(at)?;
            at = next;
            Some(line)
        })
        .collect()
    }

    /// The next line like this; none if the output ends before.
    async fn line(&mut self, what: impl Fn(&str) -> bool) -> Option<String> {
        let (mut at, mut found) = (self.seen, None);
        self.until(|captured| {
            while let Some((line, next)) = captured.line_at(at) {
                at = next;
                if what(&line) {
                    found = Some(line);
                    return true;
                }
            }
            captured.ended
        })
        .await;
        if found.is_some() {
            self.seen = at;
        }
        found
    }

    async fn end(&mut self) {
        self.until(|captured| captured.ended).await;
    }

    async fn until(&mut self, condition: impl FnMut(&Captured) -> bool) {
        // The sender goes away only after the end was noted, so this does not fail before.
        self.captured.wait_for(condition).await.map(drop).ok();
    }
}
