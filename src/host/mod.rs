//! The only door to the environment, the file system and the clock.
//!
//! Everything the checks know of the machine comes through a [`Pod`]. So their input can be given by value in a
//! test, and no check can open a device, wait on a pipe, or read without bound. A [`Pod`] is the world of this
//! process or of another one ([`Pod::open_process`]). Then the variables and the files are that process's; the clock,
//! the network and the flags stay ours.

#![expect(clippy::disallowed_methods, reason = "this is the one file that may call them")]

mod access;
pub(crate) mod backoff;
mod clock;
pub(crate) mod command;
pub mod deadline;
mod files;
mod kernel_files;
pub mod process;
mod root;
pub(crate) mod stdin;
mod threads;
mod variables;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

pub use access::{MAX_ENVIRONMENT_BYTES, ProcAccessError, ProcFault, ProcessUser, Program};
pub use clock::Clock;
pub use files::{FileFingerprint, FileKind, FileRead, FileStat, Folder, Presence, ReadError};

use command::CommandFault;
use files::overwrite;
use process::{Process, ProcessListError, Processes};
use root::Root;
use stdin::Stdin;
use threads::Threads;
use variables::Variables;

/// The world of a process: its variables, read once at the start, its files, and our clock.
#[derive(Clone)]
pub struct Pod {
    variables: Variables,
    clock: Clock,
    threads: Threads,
    /// The threads that read files. For another process they have its rights.
    readers: Threads,
    root: Root,
}

/// Shows nothing: variables may hold secrets.
impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pod")
    }
}

impl Pod {
    /// The world of this process.
    pub fn of_this_process() -> Self {
        Self::recorded(std::env::vars_os(), Clock::System)
    }

    /// A world with these variables and this clock.
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
        listed.ok_or(ProcessListError::TimedOut)?.map_err(|_| ProcessListError::NoProc)
    }

    /// One process, by `until` at the latest.
    pub(crate) async fn process(&self, pid: u32, until: Instant) -> Option<Process> {
        self.threads.run(Path::new("/proc"), until, move || process::find(pid)).await?
    }

    /// The world of another process, with our clock, by `until` at the latest.
    ///
    /// # Errors
    /// Why the process cannot be inspected.
    pub async fn open_process(
        &self,
        own: &Process,
        process: &Process,
        until: Instant,
    ) -> Result<Self, Box<ProcAccessError>> {
        let (us, it) = (own.clone(), process.clone());
        let late = || Err(ProcAccessError::boxed(own, process, ProcFault::TimedOut));
        let folder = PathBuf::from(format!("/proc/{}", process.pid));
        let opened =
            self.threads.run(&folder, until, move || access::open(us, it)).await.unwrap_or_else(late);
        let (environment, other) = opened?;
        Ok(Self {
            variables: Variables::Theirs(Arc::new(environment)),
            clock: self.clock.clone(),
            threads: self.threads.clone(),
            readers: Threads::default(),
            root: Root::OtherProcess(Arc::new(other)),
        })
    }

    /// Whether this is another process of our own pod, as far as namespaces tell.
    pub(crate) fn is_of_our_pod(&self) -> bool {
        matches!(&self.root, Root::OtherProcess(other) if other.is_of_our_pod())
    }

    /// Whether this is another process with a network namespace of its own.
    pub(crate) fn has_another_network(&self) -> bool {
        matches!(&self.root, Root::OtherProcess(other) if other.shares_network == Some(false))
    }

    /// Whether the other process has ended, by `until` at the latest. False for our own world.
    pub(crate) async fn has_ended(&self, until: Instant) -> bool {
        let Root::OtherProcess(other) = &self.root else { return false };
        let (path, asked) = (PathBuf::from(format!("/proc/{}", other.process.pid)), Arc::clone(other));
        self.threads.run(&path, until, move || asked.has_ended()).await.unwrap_or(false)
    }

    /// The other process, if this is not our own world.
    pub(crate) fn target(&self) -> Option<&Process> {
        match &self.root {
            Root::Ours => None,
            Root::OtherProcess(other) => Some(&other.process),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// A variable's raw value, if set.
    pub(crate) fn raw_variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name)
    }

    /// A variable's value as text, if set. Invalid UTF-8 becomes U+FFFD.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.raw_variable(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable's value as text, if set and not empty.
    pub fn nonempty_variable(&self, name: &str) -> Option<String> {
        self.variable(name).filter(|value| !value.is_empty())
    }

    /// The pod's name, as the kubelet sets it in `HOSTNAME`. The pod's spec can give the pod another host name.
    pub(crate) fn pod_name(&self) -> Option<String> {
        self.nonempty_variable("HOSTNAME")
    }

    /// The user of the inspected process.
    pub fn user(&self) -> ProcessUser {
        self.target().map_or_else(|| self.own_user(), |process| process.user.clone())
    }

    pub(crate) fn own_user(&self) -> ProcessUser {
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
        read.unwrap_or(Err(ReadError::TimedOut))
    }

    /// Reads a file of our own file system, also for another process's world.
    ///
    /// # Errors
    /// As of [`Pod::read`].
    pub(crate) async fn read_own(
        &self,
        path: &Path,
        limit: usize,
        until: Instant,
    ) -> Result<FileRead, ReadError> {
        let of_thread = path.to_owned();
        let read = self.threads.run(path, until, move || Root::Ours.read(&of_thread, limit)).await;
        read.unwrap_or(Err(ReadError::TimedOut))
    }

    pub(crate) fn stdin(&self) -> Stdin {
        Stdin::start(io::stdin())
    }

    /// Whether our standard input is a terminal.
    pub(crate) fn stdin_is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Gives `look` a handle of a folder and, for another process, its program, by `until` at the latest. The
    /// handles cannot read.
    ///
    /// # Errors
    /// Why there is no such folder.
    pub async fn with_folder<T: Send + 'static>(
        &self,
        folder: &Path,
        until: Instant,
        look: impl FnOnce(OwnedFd, Option<Program>) -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        let (of_thread, root) = (folder.to_owned(), self.root.clone());
        let seen = self.readers.run(folder, until, move || root.with_folder(&of_thread, look)).await;
        seen.unwrap_or(Err(ReadError::TimedOut))
    }

    /// What is in the folder of a file, by `until` at the latest. `None` if it cannot be listed.
    pub(crate) async fn folder_of(&self, file: &Path, until: Instant) -> Option<Folder> {
        let (folder, name) = (file.parent()?, file.file_name()?.to_owned());
        self.with_folder(folder, until, move |handle, _| Folder::list(&handle, &name)).await.ok()?
    }

    /// The fingerprint of the file at a path, by `until` at the latest. It changes when the file is replaced. `None`
    /// if the file system does not answer.
    pub(crate) async fn fingerprint(&self, path: &Path, until: Instant) -> Option<FileFingerprint> {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        self.readers.run(path, until, move || root.fingerprint(&of_thread)).await
    }

    /// Whether a path exists, by `until` at the latest.
    pub(crate) async fn presence(&self, path: &Path, until: Instant) -> Presence {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        let seen = self.readers.run(path, until, move || root.presence(&of_thread)).await;
        seen.unwrap_or(Presence::Unknown)
    }

    /// The creation time of the symbolic link at a path, by `until` at the latest. `None` if there is no link.
    ///
    /// In a volume that the kubelet projects, each file is a link into the folder `..data`. A rotation
    /// swaps that folder, and leaves the links as they are; so a link is as old as the volume, a tmpfs
    /// of the node, and the pod is older. (Source: the kubelet's `AtomicWriter`.)
    pub(crate) async fn link_created_at(&self, path: &Path, until: Instant) -> Option<SystemTime> {
        let (of_thread, root) = (path.to_owned(), self.root.clone());
        self.readers.run(path, until, move || root.link_created_at(&of_thread)).await?
    }

    /// Runs a command of the shell, and returns the at most `limit` bytes that it prints, by `until` at the latest.
    ///
    /// # Errors
    /// Why there is no output. Nothing of the command is then left behind.
    pub(crate) async fn run_command(
        &self,
        command: &str,
        limit: usize,
        until: Instant,
    ) -> Result<Vec<u8>, CommandFault> {
        command::run(command, limit, until).await
    }

    /// Overwrites a file of our own that must exist already, as the kubelet's termination log does, by
    /// `until` at the latest.
    ///
    /// # Errors
    /// If the file does not exist, is not a regular file, or cannot be written in time.
    pub(crate) async fn overwrite(&self, path: &Path, text: String, until: Instant) -> io::Result<()> {
        let of_thread = path.to_owned();
        let late = || Err(io::ErrorKind::TimedOut.into());
        let written = self.threads.run(path, until, move || overwrite(&of_thread, text.as_bytes())).await;
        written.unwrap_or_else(late)
    }

    /// The same at once, for a process that ends by a fault of its own.
    ///
    /// # Errors
    /// As of [`Pod::overwrite`].
    pub(crate) fn overwrite_now(&self, path: &Path, text: &str) -> io::Result<()> {
        overwrite(path, text.as_bytes())
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
        let look = || pod.fingerprint(&path, Instant::now() + Duration::from_secs(20));
        assert_eq!(look().await, Some(FileFingerprint::Unavailable));
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
        let made =
            async |path: &Path| pod.link_created_at(path, Instant::now() + Duration::from_secs(20)).await;
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

    #[tokio::test]
    async fn folder_of_a_missing_file_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let pod = Pod::recorded([("A", "b")], Clock::System);
        let folder = async |file: &str| {
            let found = pod.folder_of(&dir.path().join(file), Instant::now() + Duration::from_secs(20)).await;
            found.map(|found| (found.names, found.is_mount, found.link))
        };
        assert_eq!(folder("token").await, Some((vec![], false, None)));
        assert_eq!(folder("none/token").await, None);
        std::os::unix::fs::symlink("..data/token", dir.path().join("token")).unwrap();
        std::fs::create_dir(dir.path().join("..old")).unwrap();
        let link = Some("..data/token".into());
        assert_eq!(folder("token").await, Some((vec!["token".to_owned()], false, link)));
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
        rustix::fs::mknodat(rustix::fs::CWD, dir.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();

        assert_eq!(read(&dir.join("link"), 5).await, Ok(b"12345".to_vec()));
        assert!(matches!(read(&dir.join("file"), 4).await, Err(ReadError::TooLarge { limit: 4, .. })));
        assert_eq!(read(&dir.join("none/x"), 4).await, Err(ReadError::NotFound(Some(dir.clone()))));
        assert!(matches!(read(&dir.join("file/x"), 4).await, Err(ReadError::NotFound(_))));
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
