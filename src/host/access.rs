//! Access to another process: what it runs, as whom, and why the kernel keeps us from looking.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::Errno;

use super::process::{ProcFolder, Process};
use super::root::OtherRoot;

/// The maximum length of another process's environment, in bytes. Linux allows a program that much for its
/// arguments and variables, unless its stack limit was raised.
pub const MAX_ENVIRONMENT_BYTES: usize = 4 << 20;

/// The program of another process, for finding its SDK.
#[derive(Debug)]
pub struct Program {
    /// A handle of the program that cannot read.
    pub file: Option<OwnedFd>,
    /// The program's path in the process's root. The file can be gone.
    pub path: Option<PathBuf>,
    /// The working directory as a path in the process's root. `None` if it is outside.
    pub working_directory: Option<PathBuf>,
    /// Whether we have the process's rights: what we cannot read, it cannot read either.
    pub has_its_rights: bool,
}

/// Another process cannot be inspected, or not completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcAccessError {
    pub(crate) own: Process,
    pub(crate) process: Process,
    pub fault: ProcFault,
}

impl ProcAccessError {
    pub(super) fn boxed(own: &Process, process: &Process, fault: ProcFault) -> Box<Self> {
        Box::new(Self { own: own.clone(), process: process.clone(), fault })
    }
}

/// Why another process cannot be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcFault {
    Exited,
    Denied,
    /// The process can perhaps read the file; we cannot take on its user.
    UserNotAssumable,
    /// The environment is longer than [`MAX_ENVIRONMENT_BYTES`].
    EnvironmentTooLarge,
    /// The kernel has no `openat2`, or the container's seccomp profile forbids it.
    NoOpenat2,
    /// A path goes through a link of `/proc` that differs for every process.
    ProcLink,
    /// A path is relative, and the working directory is outside of the root.
    RelativePath,
    /// The process's memory or file system did not answer before the deadline.
    TimedOut,
    Io(i32),
}

impl ProcFault {
    pub(super) fn from_errno(errno: Errno, handle: &ProcFolder) -> Self {
        match errno {
            _ if !handle.is_alive() => Self::Exited,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            other => Self::Io(other.raw_os_error()),
        }
    }
}

/// The user of a process, for file permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessUser {
    /// The effective user id.
    pub uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// Opens another process: its environment and its root.
pub(super) fn open(own: Process, process: Process) -> Result<(Vec<u8>, OtherRoot), Box<ProcAccessError>> {
    let blocked = |fault| ProcAccessError::boxed(&own, &process, fault);
    let handle = ProcFolder::open(process.pid).map_err(|_| blocked(ProcFault::Exited))?;
    let most = u64::try_from(MAX_ENVIRONMENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let environment = match handle.read("environ", most) {
        Ok(bytes) if bytes.len() > MAX_ENVIRONMENT_BYTES => {
            return Err(blocked(ProcFault::EnvironmentTooLarge));
        }
        outcome => outcome.map_err(|errno| blocked(ProcFault::from_errno(errno, &handle)))?,
    };
    // A process that has ended has an empty environment and gives no error. Its user can have changed since it was
    // listed: a first process often starts as root.
    let Ok(process) = handle.status().and_then(Process::if_running) else {
        return Err(blocked(ProcFault::Exited));
    };
    Ok((environment, OtherRoot::open(own, process, handle)?))
}
