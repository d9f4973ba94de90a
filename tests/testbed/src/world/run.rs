//! Starts a program in a world as a container of the pod, and what it leaves behind.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::World;
use super::running::Running;
use super::surroundings::Counts;
use crate::dns::Query;
use crate::executable;
use crate::proxy::Connect;
use crate::secrets::{self, Leak, Secret};
use crate::sts::Recorded;
use crate::volume::{POD_USER, is_root};

pub(super) const HARD_LIMIT: Duration = Duration::from_secs(60);

impl World {
    /// Runs a program with the scenario's command and arguments, and these after them. If the testbed
    /// is root, the program runs as [`crate::volume::POD_USER`].
    ///
    /// # Errors
    /// If it cannot be run or does not end.
    pub async fn run(&self, program: &Path, extra_args: &[&str]) -> Result<Finished, RunError> {
        self.spawn(program, extra_args).await?.end().await
    }

    /// Starts a program as [`Self::run`] does, and leaves it running.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn spawn(&self, program: &Path, extra_args: &[&str]) -> Result<Running, RunError> {
        self.surroundings.empty_termination_log()?;
        let before = Counts::of(&self.surroundings);
        let started = Instant::now();
        let mut command = Command::new(self.executable(program)?);
        command
            .arg(&self.scenario.command)
            .args(self.scenario.args.iter().map(|arg| self.expand(arg)))
            .args(extra_args)
            .env_clear()
            .envs(&self.env)
            .current_dir(self.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if is_root() {
            // The standard library drops the supplementary groups along with the user.
            command.uid(POD_USER).gid(POD_USER);
        }
        let child = command.spawn()?;
        let signal_after = self.scenario.signal_after_ms.map(Duration::from_millis);
        Running::follow(child, signal_after, before, Arc::clone(&self.surroundings), started)
            .ok_or_else(|| RunError::Io(io::Error::other("it has no process id or no outputs")))
    }

    /// The program, where the pod user can execute it.
    fn executable(&self, program: &Path) -> io::Result<PathBuf> {
        let directory = self.dir().join("bin");
        fs::create_dir_all(&directory)?;
        let name = program.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let path = directory.join(name);
        if path.exists() {
            return Ok(path);
        }
        let for_all = fs::metadata(program)?.permissions().mode() & 0o005 == 0o005;
        if !for_all || fs::hard_link(program, &path).is_err() {
            executable::install(program, &path, 0o755)?;
        }
        Ok(path)
    }
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
    pub(super) fn of(status: ExitStatus) -> Self {
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

/// What a program had printed when it was given up.
#[derive(Clone, PartialEq, Eq)]
pub struct Printed {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [stdout, stderr] = [&self.stdout, &self.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        write!(f, "standard output:\n{stdout}\nstandard error:\n{stderr}")
    }
}

impl fmt::Debug for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why there is no [`Finished`], or no such line.
#[derive(Debug)]
pub enum RunError {
    /// It was still running after the hard limit, or had not printed the line.
    Hung(Printed),
    /// Its output ended without the line.
    Ended(Printed),
    /// It could not be run.
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung(printed) => {
                write!(f, "the probe hung: what was waited for had not come after {HARD_LIMIT:?}; {printed}")
            }
            Self::Ended(printed) => {
                write!(f, "the probe's output ended without what was waited for; {printed}")
            }
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
