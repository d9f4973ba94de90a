//! Runs a program in a world as a container of the pod, and gathers all that it left behind.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::World;
use crate::dns::Query;
use crate::proxy::{Connect, Proxy};
use crate::secrets::{self, Leak, Secret};
use crate::sts::Recorded;
use crate::task::Task;
use crate::volume::{POD_USER, is_root};

const HARD_LIMIT: Duration = Duration::from_secs(60);

impl World {
    /// Runs a program with the scenario's command and arguments, and these after them. If the testbed
    /// is root, the program runs as [`crate::volume::POD_USER`].
    ///
    /// # Errors
    /// If it cannot be run or does not end.
    pub async fn run(&self, program: &Path, extra_args: &[&str]) -> Result<Finished, RunError> {
        let termination_log = self.empty_termination_log()?;
        let before = Counts::of(self);
        let started = Instant::now();
        let mut command = Command::new(self.executable(program)?);
        command
            .arg(&self.scenario.command)
            .args(self.scenario.args.iter().map(|arg| self.expand(arg)))
            .args(extra_args)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if is_root() {
            // The standard library drops the supplementary groups along with the user.
            command.uid(POD_USER).gid(POD_USER);
        }
        let child = spawn(&mut command).await?;
        let _signal = self.scenario.signal_after_ms.map(|delay| terminate_later(&child, delay));
        let output = tokio::time::timeout(HARD_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| RunError::Hung)??;
        let elapsed = started.elapsed();
        Ok(Finished {
            status: Exit::of(output.status),
            stdout: output.stdout,
            stderr: output.stderr,
            termination_log: fs::read(termination_log)?,
            elapsed,
            secrets: self.secrets(),
            requests: self.sts.requests().split_off(before.requests),
            dns_queries: self.dns.queries().split_off(before.dns_queries),
            proxy_connects: self.proxy_connects().split_off(before.proxy_connects),
            connections: self.sts.connections() - before.connections,
            handshakes: self.sts.handshakes() - before.handshakes,
        })
    }

    /// An empty termination log that the pod user may write.
    pub(super) fn empty_termination_log(&self) -> io::Result<PathBuf> {
        let path = self.directory.join("termination-log");
        fs::write(&path, "")?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(path)
    }

    /// The program, where the pod user can execute it.
    fn executable(&self, program: &Path) -> io::Result<PathBuf> {
        let directory = self.directory.join("bin");
        fs::create_dir_all(&directory)?;
        let name = program.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let path = directory.join(name);
        if path.exists() {
            return Ok(path);
        }
        let for_all = fs::metadata(program)?.permissions().mode() & 0o005 == 0o005;
        if !for_all || fs::hard_link(program, &path).is_err() {
            fs::copy(program, &path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        }
        Ok(path)
    }

    fn proxy_connects(&self) -> Vec<Connect> {
        self.proxy().map(Proxy::connects).unwrap_or_default()
    }
}

/// How much had happened when a run began.
struct Counts {
    requests: usize,
    dns_queries: usize,
    proxy_connects: usize,
    connections: u64,
    handshakes: u64,
}

impl Counts {
    fn of(world: &World) -> Self {
        Self {
            requests: world.sts.requests().len(),
            dns_queries: world.dns.queries().len(),
            proxy_connects: world.proxy_connects().len(),
            connections: world.sts.connections(),
            handshakes: world.sts.handshakes(),
        }
    }
}

/// Another thread that forks while the program is being copied holds the copy open for writing for a
/// moment, and Linux executes no such file.
async fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..100 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
    command.spawn()
}

fn terminate_later(child: &Child, delay_ms: u64) -> Task {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Task::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        if let Some(pid) = pid {
            // It may have ended by itself; the outcome then says so.
            kill_process(pid, Signal::TERM).ok();
        }
    })
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// What a run left behind; the records hold only what happened during it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How the program ended.
    pub status: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// What it wrote for the kubelet.
    pub termination_log: Vec<u8>,
    /// How long it ran.
    pub elapsed: Duration,
    /// What it must not print.
    pub secrets: Vec<Secret>,
    /// What it asked STS.
    pub requests: Vec<Recorded>,
    /// What it asked the DNS server.
    pub dns_queries: Vec<Query>,
    /// What it asked the proxy.
    pub proxy_connects: Vec<Connect>,
    /// How many connections STS accepted.
    pub connections: u64,
    /// How many TLS handshakes STS completed.
    pub handshakes: u64,
}

impl Finished {
    /// The secrets that stand in an output.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        [("stdout", &self.stdout), ("stderr", &self.stderr), ("termination log", &self.termination_log)]
            .into_iter()
            .flat_map(|(place, output)| secrets::find(&self.secrets, place, output))
            .collect()
    }
}

/// Why there is no [`Finished`].
#[derive(Debug)]
pub enum RunError {
    /// It was still running after the hard limit.
    Hung,
    /// It could not be run.
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung => write!(f, "the probe hung: it had not ended after {HARD_LIMIT:?}"),
            Self::Io(error) => write!(f, "the probe could not be run: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
