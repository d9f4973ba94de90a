//! Other processes of our PID namespace, as `/proc` shows them to everybody: who they are, whose
//! children, and whether they still live.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::ProcessUser;

/// The most bytes of a `status` that are read: a process may be in 65,536 groups.
const MAX_STATUS_BYTES: u64 = 1 << 20;
const MAX_PROCESSES: usize = 4096;
/// The most bytes of a list of mounts that are read.
const MAX_MOUNTS_BYTES: u64 = 1 << 20;

/// What the kernel tells everybody of a process. Source: proc_pid_status(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id, in our PID namespace.
    pub pid: u32,
    /// Its parent's id; 0 if the parent is outside of our PID namespace, or there is none.
    pub(crate) parent: u32,
    /// The name of its program: at most 15 bytes, and whatever the process wants.
    pub(crate) name: String,
    /// Whether it has ended, and only waits for its parent.
    pub(crate) has_ended: bool,
    /// Who it is, by its effective ids and its groups.
    pub user: ProcessUser,
    /// Its real, effective, saved and file system user ids.
    pub(crate) uids: [u32; 4],
    /// Its real, effective, saved and file system group ids.
    pub(crate) gids: [u32; 4],
    /// The capabilities that it may have, a bit each.
    pub(crate) permitted: u64,
    /// The capabilities that it has, a bit each.
    pub(crate) effective: u64,
}

impl Process {
    /// Reads a `status`; `None` if it is none.
    pub(crate) fn parse(pid: u32, status: &str) -> Option<Self> {
        let field = |name: &str| {
            status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let ids = |name: &str| -> Option<Vec<u32>> {
            field(name)?.split_ascii_whitespace().map(|id| id.parse().ok()).collect()
        };
        let four = |name: &str| <[u32; 4]>::try_from(ids(name)?).ok();
        let mask = |name: &str| u64::from_str_radix(field(name)?, 16).ok();
        let (uids, gids) = (four("Uid")?, four("Gid")?);
        let ([_, uid, ..], [_, gid, ..]) = (uids, gids);
        Some(Self {
            pid,
            parent: field("PPid")?.parse().ok()?,
            name: field("Name")?.to_owned(),
            has_ended: field("State")?.starts_with(['Z', 'X']),
            user: ProcessUser { uid, gid, groups: ids("Groups").unwrap_or_default() },
            uids,
            gids,
            permitted: mask("CapPrm")?,
            effective: mask("CapEff")?,
        })
    }
}

impl Process {
    pub(super) fn if_running(self) -> Result<Self, Errno> {
        if self.has_ended { Err(Errno::SRCH) } else { Ok(self) }
    }
}

/// The processes of our PID namespace.
#[derive(Debug, Clone)]
pub struct Processes {
    pub own: Process,
    /// All that can be seen, this one among them, in the order of their ids.
    pub all: Vec<Process>,
    /// Whether the first process of the PID namespace sees mounts that we see, so that it runs in our
    /// own container; `None` if that is not known.
    pub(crate) first_is_in_our_container: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessListError {
    /// There is no `/proc`, or one of another PID namespace.
    NoProc,
    /// `/proc` had not answered at the deadline.
    TimedOut,
}

/// Lists the processes.
///
/// # Errors
/// If there is no `/proc`, or one of another PID namespace.
pub(super) fn list() -> io::Result<Processes> {
    let own = own()?;
    let mut ids: Vec<u32> = std::fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .take(MAX_PROCESSES)
        .collect();
    ids.sort_unstable();
    let all = ids.into_iter().filter_map(|pid| ProcFolder::open(pid).ok()?.status().ok()).collect();
    let first_is_in_our_container = shares_mounts(own.pid, 1).ok();
    Ok(Processes { own, all, first_is_in_our_container })
}

/// One process, however many there are.
pub(super) fn find(pid: u32) -> Option<Process> {
    ProcFolder::open(pid).ok()?.status().ok()
}

/// Whether two processes see the same mounts. Every mount has an id of its own, and those of another
/// mount namespace have others; unlike the namespaces themselves, all may see them.
/// Source: proc_pid_mountinfo(5).
fn shares_mounts(one: u32, other: u32) -> Result<bool, Errno> {
    let mounts = |pid| -> Result<BTreeSet<u64>, Errno> {
        let list = ProcFolder::open(pid)?.read("mountinfo", MAX_MOUNTS_BYTES)?;
        let list = String::from_utf8_lossy(&list);
        Ok(list.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect())
    };
    let (one, other) = (mounts(one)?, mounts(other)?);
    if one.is_empty() || other.is_empty() { Err(Errno::NODATA) } else { Ok(!one.is_disjoint(&other)) }
}

/// This process, by the id that `/proc` gives it.
pub(super) fn own() -> io::Result<Process> {
    let pid = std::fs::read_link("/proc/self")?;
    let pid = pid.to_str().and_then(|pid| pid.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(ProcFolder::open(pid)?.status()?)
}

/// A process's folder in `/proc`. It stays that of this very process: when the process has ended,
/// nothing is found in it any more, even if another process gets the same id.
#[derive(Debug)]
pub(super) struct ProcFolder {
    pid: u32,
    folder: OwnedFd,
}

impl ProcFolder {
    pub(super) fn open(pid: u32) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, format!("/proc/{pid}"), flags, Mode::empty())?;
        Ok(Self { pid, folder })
    }

    /// What the kernel says of the process now.
    pub(super) fn status(&self) -> Result<Process, Errno> {
        let text = self.read("status", MAX_STATUS_BYTES)?;
        Process::parse(self.pid, &String::from_utf8_lossy(&text)).ok_or(Errno::SRCH)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.status().and_then(Process::if_running).is_ok()
    }

    /// The first bytes of a file in the folder, at most so many.
    pub(super) fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = File::from(rustix::fs::openat(&self.folder, name, flags, Mode::empty())?);
        let mut bytes = Vec::new();
        match file.take(most).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }

    /// The process's root directory, which can be resolved in and not read.
    pub(super) fn root(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.folder, "root", flags, Mode::empty())
    }

    /// The program that the process runs, which cannot be read through the handle.
    pub(super) fn program(&self) -> Result<OwnedFd, Errno> {
        rustix::fs::openat(&self.folder, "exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
    }

    pub(super) fn program_path(&self) -> Result<PathBuf, Errno> {
        self.read_link("exe")
    }

    /// The process's working directory, as a path in its root; `None` if it is outside of that.
    pub(super) fn working_directory(&self) -> Result<Option<PathBuf>, Errno> {
        // Both are shown as paths in the mount namespace, in which a chroot has changed only the root.
        let (root, directory) = (self.read_link("root")?, self.read_link("cwd")?);
        Ok(directory.strip_prefix(root).ok().map(|below| Path::new("/").join(below)))
    }

    /// Whether the process is in the same namespace of a kind, by its name in `/proc`, as another.
    pub(super) fn shares_namespace(&self, other: &Self, kind: &str) -> Result<bool, Errno> {
        let link = format!("ns/{kind}");
        Ok(self.read_link(&link)? == other.read_link(&link)?)
    }

    fn read_link(&self, name: &str) -> Result<PathBuf, Errno> {
        let path = rustix::fs::readlinkat(&self.folder, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(path.into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::{ProcFolder, Process, list};
    use crate::host::ProcessUser;

    const STATUS: &str = "Name:\tja va\\n\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t7\nPPid:\t1\n\
        Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 20 \nCapInh:\t0000000000000000\n\
        CapPrm:\t000001fffeffffff\nCapEff:\t0000000000080000\n";

    #[test]
    fn a_status_is_read_line_by_line() {
        let process = Process::parse(7, STATUS).unwrap();
        let expected = Process {
            pid: 7,
            parent: 1,
            name: "ja va\\n".to_owned(),
            has_ended: false,
            user: ProcessUser { uid: 2, gid: 6, groups: vec![10, 20] },
            uids: [1, 2, 3, 4],
            gids: [5, 6, 7, 8],
            permitted: 0x1ff_feff_ffff,
            effective: 1 << 19,
        };
        assert_eq!(process, expected);
        let ended = Process::parse(7, &STATUS.replace("S (sleeping)", "Z (zombie)")).unwrap();
        assert!(ended.has_ended);
        for broken in ["", "Name:\tx\n", &STATUS.replace("PPid", "Parent"), &STATUS.replace("\t4\n", "\n")] {
            assert_eq!(Process::parse(7, broken), None);
        }
    }

    #[test]
    fn this_process_is_among_the_processes() {
        let found = list().unwrap();
        assert!(found.all.contains(&found.own) || found.all.iter().any(|it| it.pid == found.own.pid));
        assert!(ProcFolder::open(found.own.pid).unwrap().is_alive());
    }

    #[test]
    fn the_processes_of_one_container_see_the_same_mounts() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let shares = super::shares_mounts(std::process::id(), child.id());
        child.kill().and_then(|()| child.wait()).unwrap();
        assert_eq!(shares, Ok(true));
        assert!(super::shares_mounts(std::process::id(), child.id()).is_err(), "it has ended");
    }

    #[test]
    fn a_process_that_ended_is_not_taken_for_another() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let handle = ProcFolder::open(child.id()).unwrap();
        child.wait().unwrap();
        assert!(!handle.is_alive() && handle.read("environ", 1).is_err() && handle.root().is_err());
    }
}
