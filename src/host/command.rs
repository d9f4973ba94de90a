//! A program that the operator's profile names for credentials. It is bounded in time and output, and what it started
//! ends with it.

use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

/// Whether no command runs. While one does, an end of this process has to take it along.
static IS_IDLE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(true)));

/// Whether no command runs, as it changes.
pub(crate) fn is_idle() -> Arc<AtomicBool> {
    Arc::clone(&IS_IDLE)
}

/// Why a program gave nothing, in words that follow its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandFault {
    #[error("failed")]
    Failed,
    #[error("printed more than {0} bytes")]
    TooLarge(usize),
    #[error("had not ended when the time was over")]
    TimedOut,
}

/// Runs a command of the shell, and returns the at most `limit` bytes that it prints, by `until` at the latest.
///
/// # Errors
/// Why there is no output. Nothing of the command is then left behind.
pub(super) async fn run(command: &str, limit: usize, until: Instant) -> Result<Vec<u8>, CommandFault> {
    let failed = |_: io::Error| CommandFault::Failed;
    let mut group = Group::of_none();
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    group.0 = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = child.stdout.take().ok_or(CommandFault::Failed)?;
    let read = async {
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        output.take(most).read_to_end(&mut bytes).await.map_err(failed)?;
        if bytes.len() > limit {
            return Err(CommandFault::TooLarge(limit));
        }
        if child.wait().await.map_err(failed)?.success() { Ok(bytes) } else { Err(CommandFault::Failed) }
    };
    let printed = timeout_at(until, read).await.unwrap_or(Err(CommandFault::TimedOut))?;
    group.0 = None;
    Ok(printed)
}

/// The processes of a command, which end with this value.
struct Group(Option<Pid>);

impl Group {
    /// No process yet, but one that comes.
    fn of_none() -> Self {
        IS_IDLE.store(false, Ordering::SeqCst);
        Self(None)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // They can have ended already.
            let _ = kill_process_group(leader, Signal::KILL);
        }
        IS_IDLE.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{CommandFault, run};
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test]
    async fn a_command_is_bounded_in_output_and_time() {
        let run = async |command, wait| run(command, 8, Instant::now() + Duration::from_millis(wait)).await;
        assert_eq!(run("printf '%s' 12345678", 20_000).await, Ok(b"12345678".to_vec()));
        assert_eq!(run("echo 12345678", 20_000).await, Err(CommandFault::TooLarge(8)));
        assert_eq!(run("yes", 20_000).await, Err(CommandFault::TooLarge(8)));
        assert_eq!(run("exit 3", 20_000).await, Err(CommandFault::Failed));
        assert_eq!(run("sleep 1000", 50).await, Err(CommandFault::TimedOut));
    }

    #[tokio::test]
    async fn nothing_of_a_command_that_hangs_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let started = folder.path().join("pid");
        let command = format!("sleep 1000 & echo $! > {}; wait", started.display());
        let until = Instant::now() + Duration::from_millis(500);
        assert_eq!(run(&command, 8, until).await, Err(CommandFault::TimedOut));
        let pid = std::fs::read_to_string(started).unwrap();
        let status = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        while !status().is_empty() && !status().contains(") Z ") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
