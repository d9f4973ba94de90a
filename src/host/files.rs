//! Files: what reading one gives, why it fails, and how one is overwritten.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::access::{ProcAccessError, ProcFault};
use super::kernel_files::is_of_kernel;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
    pub(crate) kind: FileKind,
    pub(crate) size: u64,
}

impl FileStat {
    /// The permission bits as `0640`.
    pub(crate) fn octal_mode(&self) -> String {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Regular,
    Directory,
    Fifo,
    Socket,
    Device,
    /// A file of `/proc` or `/sys`. Of another process it would describe us, and some act when they are read.
    Kernel,
}

impl FileKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Kernel => "a file of /proc or /sys",
        }
    }
}

#[derive(Clone)]
pub struct FileRead {
    pub bytes: Vec<u8>,
    /// The metadata when the file was opened.
    pub(crate) stat: FileStat,
}

/// Why a file cannot be read: a clause that follows its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The longest part of the path that does.
    #[error("it does not exist")]
    NotFound(Option<PathBuf>),
    /// The file's metadata, unless a directory already forbade access.
    #[error("its permissions forbid reading it")]
    Denied(Option<FileStat>),
    #[error("its symbolic links lead in a circle")]
    Loop,
    /// It was not opened.
    #[error("it is {}", .0.kind.as_str())]
    NotRegular(FileStat),
    #[error("it has more than {limit} bytes")]
    TooLarge { stat: FileStat, limit: usize },
    #[error("{}", errno_words(*errno))]
    Io { errno: Option<i32> },
    #[error("the file system did not answer")]
    TimedOut,
    /// The other process ended, or the kernel denies access to it.
    #[error("{}", match .0.fault {
        ProcFault::Exited => "its process has ended",
        ProcFault::ProcLink => "it lies behind a link of /proc, which is not followed",
        ProcFault::RelativePath => "its path is relative, and the process's working directory is not known",
        _ => "its process may read it, and this one may not",
    })]
    Blocked(Box<ProcAccessError>),
}

/// The system's words for an error number of reading.
pub(super) fn errno_words(errno: Option<i32>) -> String {
    errno.map_or_else(
        || "reading it failed".to_owned(),
        |number| io::Error::from_raw_os_error(number).to_string(),
    )
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The first names in it that do not begin with a dot, at most [`MAX_FOLDER_NAMES`].
    pub(crate) names: Vec<String>,
    /// Whether a file system of its own is mounted here. A mount of the same file system is not told apart.
    pub(crate) is_mount: bool,
    /// Where the symbolic link of the wanted name leads, if there is one.
    pub(crate) link: Option<PathBuf>,
}

/// The most names of a folder that are read: a sentence names no more.
const MAX_FOLDER_NAMES: usize = 4;

impl Folder {
    /// Lists a folder by its handle, and reads the link of a name in it. `None` if it cannot be listed.
    pub(super) fn list(handle: &OwnedFd, wanted: &OsStr) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(handle, ".", flags, Mode::empty()).ok()?;
        let [own, parent] = [".", ".."]
            .map(|path| rustix::fs::statat(&opened, path, AtFlags::empty()).map(|stat| stat.st_dev));
        let is_mount = own.ok()? != parent.ok()?;
        let names = Dir::read_from(&opened).ok()?.filter_map(Result::ok);
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let names = names.filter(|name| !name.starts_with('.')).take(MAX_FOLDER_NAMES).collect();
        let link = rustix::fs::readlinkat(&opened, wanted, Vec::new()).ok();
        let link = link.map(|link| PathBuf::from(OsString::from_vec(link.into_bytes())));
        Some(Self { names, is_mount, link })
    }
}

/// Tells a file from another one that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFingerprint {
    /// The file cannot be inspected.
    Unavailable,
    File {
        device: u64,
        inode: u64,
        /// The size in bytes.
        size: i64,
        /// The change time of the inode, in seconds since 1970 and nanoseconds.
        changed: (i64, u64),
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Exists,
    Missing,
    /// Unknown: a directory forbids access, or the file system is slow or broken.
    Unknown,
}

/// The most bytes of a file that is overwritten: what the kubelet takes of a termination message. Source: Kubernetes,
/// `MaxContainerTerminationMessageLength`.
const MAX_OVERWRITTEN_BYTES: u64 = 4096;

/// Overwrites an existing regular file that is no larger than a termination message.
pub(super) fn overwrite(path: &Path, text: &[u8]) -> io::Result<()> {
    // Devices act when they are opened. A handle that cannot write shows what it is.
    let handle = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    check_overwritable(&handle)?;
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(CWD, &through, flags, Mode::empty()) {
        // There is no /proc.
        Err(Errno::NOENT) => rustix::fs::openat(CWD, path, flags | OFlags::NOFOLLOW, Mode::empty()),
        opened => opened,
    };
    let mut file = File::from(opened?);
    check_overwritable(&file)?;
    file.set_len(0)?;
    file.write_all(text)
}

fn check_overwritable(file: impl AsFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || is_of_kernel(&file)? {
        return Err(io::Error::other("it is no regular file"));
    }
    match u64::try_from(stat.st_size) {
        Ok(size) if size <= MAX_OVERWRITTEN_BYTES => Ok(()),
        _ => Err(io::Error::other("it is larger than a termination message, so it is something else")),
    }
}
