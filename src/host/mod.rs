//! The only door to the environment, the file system and the clock.
//!
//! Everything the checks know of the machine comes through a [`Pod`], so that what they judge can
//! be given to them by value, and so that no check can open a device, wait on a pipe, or read
//! without bound. It is our own world, or another process's ([`Pod::through`]): then the variables
//! and the files are that one's, and the clock, the network and what is asked of us by flags stay ours.

#![expect(clippy::disallowed_methods, reason = "this is the one file that may call them")]

pub mod backoff;
pub mod deadline;
pub mod process;
mod root;
pub mod stdin;
mod threads;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use tokio::time::Instant;

use process::{Handle, Process, ProcessListError, Processes};
use root::{OtherRoot, Root};
use stdin::Stdin;
use threads::Threads;

/// The most bytes of another process's environment. Linux gives a program that many for its arguments
/// and variables together, unless the limit of its stack was raised.
pub const LONGEST_ENVIRONMENT: usize = 4 << 20;

/// A process's world: its variables, read once at the start, its files, and our clock.
#[derive(Clone)]
pub struct Pod {
    variables: Variables,
    clock: Clock,
    threads: Threads,
    /// Those that read the world's files. Where it is another process's, they have its rights.
    readers: Threads,
    root: Root,
}

/// The variables of a world.
#[derive(Clone)]
enum Variables {
    /// Our own, or recorded ones.
    Ours(Arc<BTreeMap<OsString, OsString>>),
    /// Another process's, as the kernel shows them: they may be so many that a list of them would need
    /// many times their memory.
    Theirs(Arc<Vec<u8>>),
}

impl Variables {
    /// Of two with the same name the first counts, as it does for the C library.
    fn get(&self, name: &str) -> Option<&OsStr> {
        match self {
            Self::Ours(all) => all.get(OsStr::new(name)).map(OsString::as_os_str),
            Self::Theirs(environment) => {
                let mut entries = environment.split(|byte| *byte == 0);
                let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
                value.map(OsStr::from_bytes)
            }
        }
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that stands still, to judge a recorded world.
    Fixed(SystemTime),
    /// A clock that somebody else moves, to live through hours in minutes.
    Driven(Arc<dyn Fn() -> SystemTime + Send + Sync>),
}

/// Shows nothing: variables may hold secrets.
impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pod")
    }
}

impl Pod {
    /// The world of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self::recorded(std::env::vars_os(), Clock::System)
    }

    /// A world with these variables and this clock.
    #[must_use]
    pub fn recorded<N: Into<OsString>, V: Into<OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
        clock: Clock,
    ) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let threads = Threads::default();
        Self {
            variables: Variables::Ours(Arc::new(variables.collect())),
            clock,
            readers: threads.clone(),
            threads,
            root: Root::Ours,
        }
    }

    /// The processes of our PID namespace, by `until` at the latest.
    ///
    /// # Errors
    /// Why they cannot be listed.
    pub async fn processes(&self, until: Instant) -> Result<Processes, ProcessListError> {
        let listed = self.threads.run(Path::new("/proc"), until, process::list).await;
        listed.ok_or(ProcessListError::Slow)?.map_err(|_| ProcessListError::NoProc)
    }

    /// One of them, by `until` at the latest.
    pub async fn process(&self, pid: u32, until: Instant) -> Option<Process> {
        self.threads.run(Path::new("/proc"), until, move || process::one(pid)).await?
    }

    /// The world of another process, with our clock, by `until` at the latest.
    ///
    /// # Errors
    /// Why it cannot be looked at.
    pub async fn through(
        &self,
        own: &Process,
        process: &Process,
        until: Instant,
    ) -> Result<Self, Box<ProcAccessError>> {
        let (us, it) = (own.clone(), process.clone());
        let late = || Err(ProcAccessError::boxed(own, process, ProcFault::Slow));
        let folder = PathBuf::from(format!("/proc/{}", process.pid));
        let opened = self.threads.run(&folder, until, move || open(us, it)).await.unwrap_or_else(late);
        let (environment, other) = opened?;
        Ok(Self {
            variables: Variables::Theirs(Arc::new(environment)),
            clock: self.clock.clone(),
            threads: self.threads.clone(),
            readers: Threads::default(),
            root: Root::Of(Arc::new(other)),
        })
    }

    /// Whether it is that of another process that is of our own pod, as far as namespaces tell.
    #[must_use]
    pub fn is_of_our_pod(&self) -> bool {
        matches!(&self.root, Root::Of(other) if other.is_of_our_pod())
    }

    /// Whether it is that of another process, and that one has a network of its own.
    #[must_use]
    pub fn has_another_network(&self) -> bool {
        matches!(&self.root, Root::Of(other) if other.shares_network == Some(false))
    }

    /// Whether it is another process's world, and that has ended; asked until then at the latest.
    pub async fn has_ended(&self, until: Instant) -> bool {
        let Root::Of(other) = &self.root else { return false };
        let (path, asked) = (PathBuf::from(format!("/proc/{}", other.process.pid)), Arc::clone(other));
        self.threads.run(&path, until, move || asked.has_ended()).await.unwrap_or(false)
    }

    /// The other process whose world it is, if it is not ours.
    #[must_use]
    pub fn target(&self) -> Option<&Process> {
        match &self.root {
            Root::Ours => None,
            Root::Of(other) => Some(&other.process),
        }
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        match &self.clock {
            Clock::System => SystemTime::now(),
            Clock::Fixed(time) => *time,
            Clock::Driven(clock) => clock(),
        }
    }

    /// A variable's value as it is, if the variable is set at all.
    #[must_use]
    pub fn raw_variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name)
    }

    /// A variable's value as text, with U+FFFD for what is not UTF-8, if the variable is set.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.raw_variable(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// Like [`Pod::variable`], where an empty value counts as not set.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<String> {
        self.variable(name).filter(|value| !value.is_empty())
    }

    /// Who the process is whose world it is.
    #[must_use]
    pub fn who(&self) -> ProcessUser {
        self.target().map_or_else(|| self.own_who(), |process| process.who.clone())
    }

    /// Who this process is.
    #[must_use]
    pub fn own_who(&self) -> ProcessUser {
        ProcessUser {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            groups: rustix::process::getgroups()
                .unwrap_or_default()
                .into_iter()
                .map(rustix::process::Gid::as_raw)
                .collect(),
        }
    }

    /// Reads a regular file of at most `limit` bytes, by `until` at the latest.
    ///
    /// Nothing but a regular file is ever opened for reading: the path is first resolved to a
    /// handle that cannot read (`O_PATH`), and only then, through that handle, opened.
    ///
    /// # Errors
    /// Says which step failed, and what is known of the file by then.
    pub async fn read(&self, path: &Path, limit: usize, until: Instant) -> Result<FileRead, ReadError> {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        let read = self.readers.run(path, until, move || root.read(&of_thread, limit)).await;
        read.unwrap_or(Err(ReadError::Slow))
    }

    /// The same of our own file system, whoever's world it is.
    ///
    /// # Errors
    /// As of [`Pod::read`].
    pub async fn read_own(&self, path: &Path, limit: usize, until: Instant) -> Result<FileRead, ReadError> {
        let of_thread = path.to_owned();
        let read = self.threads.run(path, until, move || Root::Ours.read(&of_thread, limit)).await;
        read.unwrap_or(Err(ReadError::Slow))
    }

    /// Begins to read our own standard input. Who reads it twice gets the rest.
    #[must_use]
    pub fn stdin(&self) -> Stdin {
        Stdin::of(io::stdin())
    }

    /// Whether somebody would have to type our own standard input.
    #[must_use]
    pub fn stdin_is_typed(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Hands a folder to work that looks at what is below it, and what the process runs if it is another
    /// one; by `until` at the latest. The handles cannot read.
    ///
    /// # Errors
    /// Why there is no such folder.
    pub async fn look_below<T: Send + 'static>(
        &self,
        folder: &Path,
        until: Instant,
        look: impl FnOnce(OwnedFd, Option<Program>) -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let (of_thread, root) = (folder.to_owned(), self.root.clone());
        let seen = self.readers.run(folder, until, move || root.look_below(&of_thread, look)).await;
        seen.unwrap_or(Err(ReadError::Slow))
    }

    /// What tells the file at the path from the one that was there before, by `until` at the latest;
    /// `None` if the file system does not say.
    pub async fn stamp(&self, path: &Path, until: Instant) -> Option<FileFingerprint> {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        self.readers.run(path, until, move || root.stamp(&of_thread)).await
    }

    /// Whether there is anything at the path, by `until` at the latest.
    pub async fn presence(&self, path: &Path, until: Instant) -> Presence {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        let seen = self.readers.run(path, until, move || root.presence(&of_thread)).await;
        seen.unwrap_or(Presence::Unknown)
    }

    /// When the symbolic link at the path was made, by `until` at the latest; `None` if there is none.
    ///
    /// In a volume that the kubelet projects, each file is a link into the folder `..data`. A rotation
    /// swaps that folder, and leaves the links as they are; so a link is as old as the volume, a tmpfs
    /// of the node, and the pod is older. (Source: the kubelet's `AtomicWriter`.)
    pub async fn link_made(&self, path: &Path, until: Instant) -> Option<SystemTime> {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        self.readers.run(path, until, move || root.link_made(&of_thread)).await?
    }

    /// Overwrites a file of our own that must exist already, as the kubelet's termination log does, by
    /// `until` at the latest.
    ///
    /// # Errors
    /// If the file does not exist, is not a regular file, or cannot be written in time.
    pub async fn overwrite(&self, path: &Path, text: String, until: Instant) -> io::Result<()> {
        let of_thread = path.to_owned();
        let late = || Err(io::ErrorKind::TimedOut.into());
        let written = self.threads.run(path, until, move || overwrite(&of_thread, text.as_bytes())).await;
        written.unwrap_or_else(late)
    }
}

/// What another process runs, and how its files are looked at.
#[derive(Debug)]
pub struct Program {
    /// The program, as a handle that cannot read.
    pub file: Option<OwnedFd>,
    /// Its path in the process's root, which may be gone from there.
    pub path: Option<PathBuf>,
    /// The process's working directory, as a path in its root; `None` if it is outside of that.
    pub working_directory: Option<PathBuf>,
    /// Whether what we cannot read of its files it cannot read either.
    pub is_like: bool,
}

/// What tells a file from another that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFingerprint {
    /// There is none that can be looked at.
    Nothing,
    /// There is this one.
    File {
        /// The file system.
        device: u64,
        /// The inode.
        inode: u64,
        /// The size in bytes.
        size: i64,
        /// When the inode was changed, in seconds since 1970 and nanoseconds.
        changed: (i64, u64),
    },
}

/// Whether there is anything at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// There is.
    There,
    /// There is not.
    NotThere,
    /// It cannot be seen: a directory forbids it, the file system is too slow, or broken.
    Unknown,
}

fn overwrite(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        file.set_len(0)?;
    } else if FileType::from_raw_mode(meta.mode()) != FileType::CharacterDevice {
        return Err(io::Error::other("not a regular file"));
    }
    file.write_all(text)
}

/// The variables, as the kernel shows them, and the root of a process.
fn open(own: Process, process: Process) -> Result<(Vec<u8>, OtherRoot), Box<ProcAccessError>> {
    let blocked = |fault| ProcAccessError::boxed(&own, &process, fault);
    let handle = Handle::open(process.pid).map_err(|_| blocked(ProcFault::Gone))?;
    let most = u64::try_from(LONGEST_ENVIRONMENT).unwrap_or(u64::MAX).saturating_add(1);
    let environment = match handle.read("environ", most) {
        Ok(bytes) if bytes.len() > LONGEST_ENVIRONMENT => {
            return Err(blocked(ProcFault::EnvironmentTooLarge));
        }
        outcome => outcome.map_err(|errno| blocked(ProcFault::of_errno(errno, &handle)))?,
    };
    // What has ended has no environment any more, and no error says so. And who it was when it was listed,
    // it may not be any more: a first process often starts as root.
    let Ok(process) = handle.look().and_then(Process::alive) else { return Err(blocked(ProcFault::Gone)) };
    Ok((environment, OtherRoot::open(own, process, handle)?))
}

/// Another process's world that cannot be looked at, or not to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcAccessError {
    /// We ourselves.
    pub own: Process,
    /// The other process.
    pub process: Process,
    /// Why.
    pub fault: ProcFault,
}

impl ProcAccessError {
    fn boxed(own: &Process, process: &Process, fault: ProcFault) -> Box<Self> {
        Box::new(Self { own: own.clone(), process: process.clone(), fault })
    }
}

/// Why another process's world cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcFault {
    /// The process has ended.
    Gone,
    /// The kernel does not allow it.
    Denied,
    /// A file may be one that the process can read, but not we, who may not take its user.
    NotAsThatUser,
    /// Its environment has more than [`LONGEST_ENVIRONMENT`] bytes.
    EnvironmentTooLarge,
    /// The kernel has no `openat2`, or the container's seccomp profile forbids it.
    NoOpenat2,
    /// A path leads through a link of `/proc` that is another one for every process.
    LinkOfProc,
    /// A path is relative, and the process's working directory is outside of its root.
    RelativePath,
    /// Its memory or its file system had not answered at the deadline.
    Slow,
    /// The system reported another error.
    Io(i32),
}

impl ProcFault {
    fn of_errno(errno: Errno, handle: &Handle) -> Self {
        match errno {
            _ if !handle.is_alive() => Self::Gone,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            other => Self::Io(other.raw_os_error()),
        }
    }
}

/// Who a process is, as far as file permissions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessUser {
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
    /// The supplementary group ids.
    pub groups: Vec<u32>,
}

/// What the file system says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// The owner's user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
}

impl FileStat {
    /// The permission bits as `0640`.
    #[must_use]
    pub fn octal(&self) -> String {
        format!("{:04o}", self.mode)
    }
}

impl From<&Stat> for FileStat {
    fn from(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::Regular,
            FileType::Directory => FileKind::Directory,
            FileType::Fifo => FileKind::Fifo,
            FileType::Socket => FileKind::Socket,
            _ => FileKind::Device,
        };
        Self {
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            kind,
            size: u64::try_from(stat.st_size).unwrap_or(0),
        }
    }
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
    /// A file of `/proc`, where another process names it: it would be about us.
    Proc,
}

impl FileKind {
    /// The kind in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Proc => "a file of /proc",
        }
    }
}

/// A file's content and what the file system said of that very file.
#[derive(Clone)]
pub struct FileRead {
    /// The content.
    pub bytes: Vec<u8>,
    /// Owner, mode and size when it was opened.
    pub stat: FileStat,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// No such file, or a part of the path is missing or no directory; the longest part that exists.
    Missing(Option<PathBuf>),
    /// The permissions forbid it; the file's own are known unless a directory already forbade it.
    Denied(Option<FileStat>),
    /// The symbolic links lead in a circle.
    Loop,
    /// It is no regular file, and was not opened.
    NotRegular(FileStat),
    /// It holds more bytes than the limit.
    TooLarge {
        /// What the file system says of it.
        stat: FileStat,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The system reported another error.
    Io {
        /// Its number.
        errno: Option<i32>,
    },
    /// The file system had not answered at the deadline.
    Slow,
    /// The process whose file it is ended meanwhile, or may not be taken for.
    Blocked(Box<ProcAccessError>),
}

/// In words that follow the name of the file.
impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("it does not exist"),
            Self::Denied(_) => f.write_str("its permissions forbid reading it"),
            Self::Loop => f.write_str("its symbolic links lead in a circle"),
            Self::NotRegular(stat) => write!(f, "it is {}", stat.kind.as_str()),
            Self::TooLarge { limit, .. } => write!(f, "it has more than {limit} bytes"),
            Self::Io { errno: Some(number) } => io::Error::from_raw_os_error(*number).fmt(f),
            Self::Io { errno: None } => f.write_str("reading it failed"),
            Self::Slow => f.write_str("the file system did not answer"),
            Self::Blocked(blocked) => f.write_str(match blocked.fault {
                ProcFault::Gone => "its process has ended",
                ProcFault::LinkOfProc => "it lies behind a link of /proc, which is not followed",
                ProcFault::RelativePath => {
                    "its path is relative, and the process's working directory is not known"
                }
                _ => "its process may read it, and this one may not",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, FileFingerprint, FileKind, Pod, ReadError, Variables};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, SystemTime};
    use tokio::time::Instant;

    async fn read(path: &Path, limit: usize) -> Result<Vec<u8>, ReadError> {
        let pod = Pod::recorded([("A", "b")], Clock::Fixed(SystemTime::UNIX_EPOCH));
        pod.read(path, limit, Instant::now() + Duration::from_secs(20)).await.map(|file| file.bytes)
    }

    #[tokio::test]
    async fn a_stamp_tells_one_file_from_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let pod = Pod::recorded([("A", "b")], Clock::System);
        let look = || pod.stamp(&path, Instant::now() + Duration::from_secs(20));
        assert_eq!(look().await, Some(FileFingerprint::Nothing));
        std::fs::write(&path, "1").unwrap();
        let first = look().await;
        assert!(matches!(first, Some(FileFingerprint::File { .. })) && look().await == first);
        std::fs::write(dir.path().join("next"), "2").unwrap();
        std::fs::rename(dir.path().join("next"), &path).unwrap();
        assert_ne!(look().await, first);
    }

    #[tokio::test]
    async fn a_link_is_as_old_as_the_volume_whatever_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let (link, folder) = (dir.path().join("token"), dir.path().join("..data"));
        let pod = Pod::recorded([("A", "b")], Clock::System);
        let made = async |path: &Path| pod.link_made(path, Instant::now() + Duration::from_secs(20)).await;
        assert_eq!(made(&link).await, None);

        std::os::unix::fs::symlink("..data/token", &link).unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let since = hour_ago.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let time = rustix::fs::Timespec { tv_sec: since.as_secs().cast_signed(), tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(rustix::fs::CWD, &link, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let age = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()));
        assert_eq!(made(&link).await, age);

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("token"), "rotated").unwrap();
        assert_eq!(made(&link).await, age, "the link leads to a newer file");
        assert_eq!(made(&folder.join("token")).await, None, "a file's age says nothing of the volume");
    }

    #[test]
    fn an_environment_is_read_as_the_c_library_reads_it() {
        let environment = b"AA=0\0A=1\0B=x=y\0A=2\0nothing\0=C=z\0\0D=\xff\0E=";
        let found = Variables::Theirs(Arc::new(environment.to_vec()));
        let expected: [(&str, Option<&[u8]>); 7] = [
            ("A", Some(b"1")),
            ("B", Some(b"x=y")),
            ("C", None),
            ("D", Some(b"\xff")),
            ("E", Some(b"")),
            ("nothing", None),
            ("0", None),
        ];
        for (name, value) in expected {
            assert_eq!(found.get(name).map(OsStrExt::as_bytes), value, "{name}");
        }
    }

    #[tokio::test]
    async fn only_regular_files_of_a_bounded_size_are_read() {
        let dir = std::env::temp_dir().join(format!("irsa-probe-pod-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), b"12345").unwrap();
        std::os::unix::fs::symlink("loop", dir.join("loop")).unwrap();
        std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("fifo"), super::FileType::Fifo, 0o600.into(), 0)
            .unwrap();

        assert_eq!(read(&dir.join("link"), 5).await, Ok(b"12345".to_vec()));
        assert!(matches!(read(&dir.join("file"), 4).await, Err(ReadError::TooLarge { limit: 4, .. })));
        assert_eq!(read(&dir.join("none/x"), 4).await, Err(ReadError::Missing(Some(dir.clone()))));
        assert!(matches!(read(&dir.join("file/x"), 4).await, Err(ReadError::Missing(_))));
        assert_eq!(read(&dir.join("loop"), 4).await, Err(ReadError::Loop));
        let kind = |result: Result<Vec<u8>, ReadError>| match result {
            Err(ReadError::NotRegular(stat)) => Some(stat.kind),
            _ => None,
        };
        assert_eq!(kind(read(&dir.join("fifo"), 4).await), Some(FileKind::Fifo));
        assert_eq!(kind(read(&dir, 4).await), Some(FileKind::Directory));
        assert_eq!(kind(read(Path::new("/dev/zero"), 4).await), Some(FileKind::Device));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
