//! The only door to the environment, the file system and the clock.
//!
//! Everything the checks know of the machine comes through a [`Pod`], so that what they judge can
//! be given to them by value, and so that no check can open a device, wait on a pipe, or read
//! without bound.

#![expect(clippy::disallowed_methods, reason = "this is the one file that may call them")]

mod threads;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tokio::time::Instant;

use threads::Threads;

/// Where the kubelet puts the ordinary API token of a pod.
pub const API_TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The process's world, read once at the start: its variables and its clock.
#[derive(Clone)]
pub struct Pod {
    variables: Arc<BTreeMap<OsString, OsString>>,
    clock: Clock,
    threads: Threads,
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
        Self { variables: Arc::new(variables.collect()), clock, threads: Threads::default() }
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
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
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

    /// Who this process is.
    #[must_use]
    pub fn who(&self) -> Who {
        Who {
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
        let path = path.to_owned();
        self.threads.run(until, move || read_regular(&path, limit)).await.unwrap_or(Err(ReadError::Slow))
    }

    /// Does work that asks the file system, in a thread of its own, and waits for it until then.
    pub async fn apart<T: Send + 'static>(
        &self,
        until: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.threads.run(until, work).await
    }

    /// What tells the file at the path from the one that was there before, by `until` at the latest;
    /// `None` if the file system does not say.
    pub async fn stamp(&self, path: &Path, until: Instant) -> Option<Stamp> {
        let path = path.to_owned();
        self.threads.run(until, move || stamp(&path)).await
    }

    /// When the symbolic link at the path was made, by `until` at the latest; `None` if there is none.
    ///
    /// In a volume that the kubelet projects, each file is a link into the folder `..data`. A rotation
    /// swaps that folder, and leaves the links as they are; so a link is as old as the volume, a tmpfs
    /// of the node, and the pod is older. (Source: the kubelet's `AtomicWriter`.)
    pub async fn link_made(&self, path: &Path, until: Instant) -> Option<SystemTime> {
        let path = path.to_owned();
        self.threads.run(until, move || link_made(&path)).await?
    }

    /// Overwrites a file that must exist already, as the kubelet's termination log does, by `until`
    /// at the latest.
    ///
    /// # Errors
    /// If the file does not exist, is not a regular file, or cannot be written in time.
    pub async fn overwrite(&self, path: &Path, text: String, until: Instant) -> io::Result<()> {
        let path = path.to_owned();
        let late = || Err(io::ErrorKind::TimedOut.into());
        self.threads.run(until, move || overwrite(&path, text.as_bytes())).await.unwrap_or_else(late)
    }
}

/// What tells a file from another that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
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

fn stamp(path: &Path) -> Stamp {
    rustix::fs::stat(path).map_or(Stamp::Nothing, |stat| Stamp::File {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: stat.st_size,
        changed: (stat.st_ctime, stat.st_ctime_nsec),
    })
}

fn link_made(path: &Path) -> Option<SystemTime> {
    let meta = path.symlink_metadata().ok()?;
    meta.is_symlink().then(|| meta.modified().ok())?
}

/// Opens a folder, to look for files below it. Blocks for as long as the file system does.
///
/// # Errors
/// What the system says.
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
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

/// The longest leading part of the path that exists.
fn nearest_existing(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|part| part.symlink_metadata().is_ok()).map(Path::to_owned)
}

fn read_regular(path: &Path, limit: usize) -> Result<FileRead, ReadError> {
    let handle = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| ReadError::at_open(path, errno, None))?;
    let stat =
        FileStat::from(&rustix::fs::fstat(&handle).map_err(|errno| ReadError::at_open(path, errno, None))?);
    if stat.kind != FileKind::Regular {
        return Err(ReadError::NotRegular(stat));
    }
    let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(CWD, &through, flags, Mode::empty()) {
        // Without /proc the path itself is opened; non-blocking, so a pipe swapped in cannot hold us.
        Err(Errno::NOENT) => rustix::fs::openat(CWD, path, flags, Mode::empty()),
        other => other,
    };
    let file = File::from(opened.map_err(|errno| ReadError::at_open(path, errno, Some(stat)))?);
    let expected = usize::try_from(stat.size).unwrap_or(limit).min(limit) + 1;
    let mut bytes = Vec::with_capacity(expected);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match file.take(most).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Err(ReadError::TooLarge { stat, limit }),
        Ok(_) => Ok(FileRead { bytes, stat }),
        Err(error) => Err(ReadError::Io { errno: error.raw_os_error() }),
    }
}

/// Who a process is, as far as file permissions go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
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
        }
    }
}

impl ReadError {
    fn at_open(path: &Path, errno: Errno, stat: Option<FileStat>) -> Self {
        match errno {
            Errno::NOENT | Errno::NOTDIR => Self::Missing(nearest_existing(path)),
            Errno::ACCESS | Errno::PERM => Self::Denied(stat),
            Errno::LOOP => Self::Loop,
            other => Self::Io { errno: Some(other.raw_os_error()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, FileKind, Pod, ReadError, Stamp};
    use std::path::Path;
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
        assert_eq!(look().await, Some(Stamp::Nothing));
        std::fs::write(&path, "1").unwrap();
        let first = look().await;
        assert!(matches!(first, Some(Stamp::File { .. })) && look().await == first);
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
        rustix::fs::utimensat(super::CWD, &link, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
        let age = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()));
        assert_eq!(made(&link).await, age);

        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("token"), "rotated").unwrap();
        assert_eq!(made(&link).await, age, "the link leads to a newer file");
        assert_eq!(made(&folder.join("token")).await, None, "a file's age says nothing of the volume");
    }

    #[tokio::test]
    async fn only_regular_files_of_a_bounded_size_are_read() {
        let dir = std::env::temp_dir().join(format!("irsa-probe-pod-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("file"), b"12345").unwrap();
        std::os::unix::fs::symlink("loop", dir.join("loop")).unwrap();
        std::os::unix::fs::symlink("file", dir.join("link")).unwrap();
        rustix::fs::mknodat(super::CWD, dir.join("fifo"), super::FileType::Fifo, 0o600.into(), 0).unwrap();

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
