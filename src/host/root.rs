//! Where paths lead: into our own file system, or into another process's.
//!
//! In another process's, the kernel resolves a path within that process's root (`openat2` with
//! `RESOLVE_IN_ROOT`), whatever symbolic links are there; and files are opened with no more rights
//! than that process has, so that it can neither make us read what it may not read, nor pass for
//! a process that may. What `/proc` holds is never read there: it is about the reader.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::kernel_files::is_of_kernel;
use super::process::{ProcFolder, Process};
use super::{
    FileFingerprint, FileKind, FileRead, FileStat, Presence, ProcAccessError, ProcFault, Program, ReadError,
};

/// How often a path is resolved anew when something was renamed meanwhile.
const TRIES: usize = 16;

#[derive(Debug, Clone)]
pub(super) enum Root {
    Ours,
    OtherProcess(Arc<OtherRoot>),
}

#[derive(Debug)]
pub(super) struct OtherRoot {
    pub(super) own: Process,
    pub(super) process: Process,
    handle: ProcFolder,
    root: OwnedFd,
    /// `None` if it is outside of the root.
    working_directory: Option<PathBuf>,
    /// Whether its network is ours, if that is known.
    pub(super) shares_network: Option<bool>,
    shares_processes: Option<bool>,
}

impl OtherRoot {
    pub(super) fn open(
        own: Process,
        process: Process,
        handle: ProcFolder,
    ) -> Result<Self, Box<ProcAccessError>> {
        let blocked = |fault| ProcAccessError::boxed(&own, &process, fault);
        let of_errno = |errno| blocked(ProcFault::from_errno(errno, &handle));
        let root = handle.root().map_err(of_errno)?;
        match open_in_root(&root, Path::new("/"), OFlags::DIRECTORY) {
            // Older container runtimes forbid system calls that they do not know with EPERM.
            Err(Errno::NOSYS | Errno::PERM) => return Err(blocked(ProcFault::NoOpenat2)),
            outcome => drop(outcome.map_err(of_errno)?),
        }
        let working_directory = handle.working_directory().map_err(of_errno)?;
        // One who sees all processes of the node may be looking at another pod.
        let shares = |kind| ProcFolder::open(own.pid).and_then(|us| handle.shares_namespace(&us, kind)).ok();
        let (shares_network, shares_processes) = (shares("net"), shares("pid"));
        Ok(Self { own, process, handle, root, working_directory, shares_network, shares_processes })
    }

    /// Whether it is of our pod, as far as namespaces tell.
    pub(super) fn is_of_our_pod(&self) -> bool {
        self.shares_network != Some(false) && self.shares_processes != Some(false)
    }

    /// The path from the root, if that is known.
    fn resolve_relative(&self, path: &Path) -> Option<PathBuf> {
        if path.is_absolute() {
            Some(path.to_owned())
        } else {
            Some(self.working_directory.as_ref()?.join(path))
        }
    }

    /// Gives up, in this thread, the rights to files that the process does not have, where only the file
    /// system is asked what is there: where its user may not be taken, that is asked with our own. Says
    /// which it is.
    fn drop_rights_to_look(&self) -> bool {
        is_worker_thread() && take_rights_of(&self.process).is_ok()
    }

    pub(super) fn has_ended(&self) -> bool {
        !self.handle.is_alive()
    }

    fn blocked(&self, fault: ProcFault) -> ReadError {
        ReadError::Blocked(ProcAccessError::boxed(&self.own, &self.process, fault))
    }
}

/// Resolves a path within a root to a handle that cannot read.
fn open_in_root(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | flags;
    // This alone keeps links of /proc from being followed, and says so with an error of its own.
    let resolve = ResolveFlags::IN_ROOT;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if tries < TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

impl Root {
    /// Resolves a path to a handle that cannot read.
    fn open(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        match self {
            Self::Ours => {
                rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
            }
            Self::OtherProcess(other) => {
                open_in_root(&other.root, &other.resolve_relative(path).ok_or(Errno::XDEV)?, flags)
            }
        }
    }

    fn stat(&self, path: &Path, flags: OFlags) -> Result<Stat, Errno> {
        rustix::fs::fstat(self.open(path, flags)?)
    }

    /// See [`Other::look_like`].
    fn drop_rights_to_look(&self) {
        if let Self::OtherProcess(other) = self {
            other.drop_rights_to_look();
        }
    }

    pub(super) fn fingerprint(&self, path: &Path) -> FileFingerprint {
        self.drop_rights_to_look();
        self.stat(path, OFlags::empty()).map_or(FileFingerprint::Unavailable, |stat| FileFingerprint::File {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        })
    }

    pub(super) fn presence(&self, path: &Path) -> Presence {
        self.drop_rights_to_look();
        match self.stat(path, OFlags::empty()) {
            Ok(_) => Presence::Exists,
            Err(Errno::NOENT | Errno::NOTDIR) => Presence::Missing,
            Err(_) => Presence::Unknown,
        }
    }

    pub(super) fn link_created_at(&self, path: &Path) -> Option<SystemTime> {
        self.drop_rights_to_look();
        let stat = self.stat(path, OFlags::NOFOLLOW).ok()?;
        let is_link = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink();
        let since = Duration::new(stat.st_mtime.try_into().ok()?, stat.st_mtime_nsec.try_into().ok()?);
        is_link.then(|| SystemTime::UNIX_EPOCH.checked_add(since))?
    }

    /// The longest leading part of the path that exists.
    fn nearest_existing(&self, path: &Path) -> Option<PathBuf> {
        path.ancestors().find(|part| self.stat(part, OFlags::NOFOLLOW).is_ok()).map(Path::to_owned)
    }

    /// Hands on a folder, and what the process runs if it is another one.
    pub(super) fn with_folder<T>(
        &self,
        folder: &Path,
        look: impl FnOnce(OwnedFd, Option<Program>) -> T,
    ) -> Result<T, ReadError> {
        let program = match self {
            Self::Ours => None,
            Self::OtherProcess(other) => {
                let (file, path) = (other.handle.program().ok(), other.handle.program_path().ok());
                let is_like = other.drop_rights_to_look() && has_read_overrides_of(&other.process);
                Some(Program {
                    file,
                    path,
                    working_directory: other.working_directory.clone(),
                    has_its_rights: is_like,
                })
            }
        };
        let opened =
            self.open(folder, OFlags::DIRECTORY).map_err(|errno| self.open_error(folder, errno, None))?;
        Ok(look(opened, program))
    }

    /// Reads a regular file of at most so many bytes.
    pub(super) fn read(&self, path: &Path, limit: usize) -> Result<FileRead, ReadError> {
        let Self::OtherProcess(other) = self else { return self.read_regular(path, limit, None) };
        if !is_worker_thread() {
            return Err(ReadError::Io { errno: Some(Errno::AGAIN.raw_os_error()) });
        }
        let is_like = take_rights_of(&other.process).is_ok();
        let read = self.read_regular(path, limit, (!is_like).then_some(&**other));
        // Its mounts go with it: what was found, or not, after its end is not what it saw.
        if other.handle.is_alive() { read } else { Err(other.blocked(ProcFault::Exited)) }
    }

    /// The same; where the rights of another process are not ours, it is judged by the file's mode
    /// whether that one may read it.
    fn read_regular(
        &self,
        path: &Path,
        limit: usize,
        unlike: Option<&OtherRoot>,
    ) -> Result<FileRead, ReadError> {
        let at_open = |errno, stat| self.open_error(path, errno, stat);
        let handle = self.open(path, OFlags::empty()).map_err(|errno| match (errno, unlike) {
            (Errno::ACCESS | Errno::PERM, Some(other)) => other.blocked(ProcFault::UserNotAssumable),
            _ => at_open(errno, None),
        })?;
        let mut stat = FileStat::from(&rustix::fs::fstat(&handle).map_err(|errno| at_open(errno, None))?);
        let is_of_kernel = || is_of_kernel(&handle).map_err(|errno| at_open(errno, Some(stat)));
        if stat.kind == FileKind::Regular && is_of_kernel()? {
            stat.kind = FileKind::Kernel;
        }
        if stat.kind != FileKind::Regular {
            return Err(ReadError::NotRegular(stat));
        }
        if unlike.is_some_and(|other| !may_read(&other.process, &stat)) {
            return Err(ReadError::Denied(Some(stat)));
        }
        let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = match (rustix::fs::openat(CWD, &through, flags, Mode::empty()), unlike) {
            // Without /proc the path itself is opened; non-blocking, so a pipe swapped in cannot hold us.
            (Err(Errno::NOENT), _) if matches!(self, Self::Ours) => {
                rustix::fs::openat(CWD, path, flags, Mode::empty())
            }
            (Err(Errno::ACCESS | Errno::PERM), Some(other)) => {
                return Err(other.blocked(ProcFault::UserNotAssumable));
            }
            (outcome, _) => outcome,
        };
        let file = File::from(opened.map_err(|errno| at_open(errno, Some(stat)))?);
        let expected = usize::try_from(stat.size).unwrap_or(limit).min(limit) + 1;
        let mut bytes = Vec::with_capacity(expected);
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        match file.take(most).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() > limit => Err(ReadError::TooLarge { stat, limit }),
            Ok(_) => Ok(FileRead { bytes, stat }),
            Err(error) => Err(ReadError::Io { errno: error.raw_os_error() }),
        }
    }

    fn open_error(&self, path: &Path, errno: Errno, stat: Option<FileStat>) -> ReadError {
        match (errno, self) {
            (Errno::XDEV, Self::OtherProcess(other)) if other.resolve_relative(path).is_none() => {
                other.blocked(ProcFault::RelativePath)
            }
            (Errno::XDEV, Self::OtherProcess(other)) => other.blocked(ProcFault::ProcLink),
            (Errno::NOENT | Errno::NOTDIR, _) => ReadError::NotFound(self.nearest_existing(path)),
            (Errno::ACCESS | Errno::PERM, _) => ReadError::Denied(stat),
            (Errno::LOOP, _) => ReadError::Loop,
            (other, _) => ReadError::Io { errno: Some(other.raw_os_error()) },
        }
    }
}

/// Whether this is a thread beside the first one: such a one may take another process's rights for good.
fn is_worker_thread() -> bool {
    rustix::thread::gettid() != rustix::process::getpid()
}

/// Gives up, in this thread, every right to files that the process does not have.
fn take_rights_of(process: &Process) -> Result<(), Errno> {
    let [.., uid] = process.uids;
    let [.., gid] = process.gids;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let groups: BTreeSet<u32> = process.user.groups.iter().copied().collect();
    let ours = rustix::process::getgroups()?.into_iter().map(Gid::as_raw).collect::<BTreeSet<u32>>();
    if groups != ours {
        let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
        rustix::thread::set_thread_groups(&groups)?;
    }
    let is_user = rustix::process::geteuid() == uid && rustix::process::getegid() == gid;
    if !is_user {
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    }
    let its = CapabilitySet::from_bits_retain(process.effective);
    let ours = rustix::thread::capabilities(None)?;
    let sets = CapabilitySets {
        effective: ours.effective & its,
        permitted: ours.permitted & its,
        inheritable: ours.inheritable & its,
    };
    if sets == ours { Ok(()) } else { rustix::thread::set_capabilities(None, sets) }
}

/// Whether this thread, which has become like the process, also has those of its capabilities that let it
/// read whatever a file's mode says.
fn has_read_overrides_of(process: &Process) -> bool {
    let its = CapabilitySet::from_bits_retain(process.effective) & OVERRIDES;
    rustix::thread::capabilities(None).is_ok_and(|ours| ours.effective.contains(its))
}

/// The capabilities that let a process read a file whatever its mode is.
const OVERRIDES: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Whether a process may read a file, by its mode.
fn may_read(process: &Process, file: &FileStat) -> bool {
    if CapabilitySet::from_bits_retain(process.effective).intersects(OVERRIDES) {
        return true;
    }
    let ([.., uid], [.., gid]) = (process.uids, process.gids);
    let right = if file.uid == uid {
        0o400
    } else if file.gid == gid || process.user.groups.contains(&file.gid) {
        0o040
    } else {
        0o004
    };
    file.mode & right != 0
}
