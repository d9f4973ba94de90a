//! The only door to the files of a scan: a root that is not trusted, and what is opened below it.
//!
//! The kernel resolves every path inside the root (`openat2`), follows no symbolic link on the way,
//! and a file is opened for reading only after a handle that cannot read has shown that it is a
//! regular one. So no link leads out of the root, and no pipe and no device is ever opened.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rawzip::ReaderAt;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::meter::Meter;

const RESOLVE: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_SYMLINKS);

/// File systems that hold no application, by their number in `linux/magic.h`: proc, sysfs, cgroup 1 and
/// 2, devpts, mqueue, debugfs, tracefs, securityfs, bpf, configfs, pstore.
const NO_FILES: [u64; 12] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x1cd1,
    0x1980_0202,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0xcafe_4a11,
    0x6265_6570,
    0x6165_676c,
];

pub(super) struct Root<'m> {
    handle: OwnedFd,
    meter: &'m Meter,
}

impl<'m> Root<'m> {
    pub(super) fn new(handle: OwnedFd, meter: &'m Meter) -> Self {
        Self { handle, meter }
    }

    /// Opens a directory for listing, and says on which file system it lies; `None` if that holds no
    /// application. `parent` is the file system that the directory above is on.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn directory(
        &self,
        path: &[u8],
        parent: Option<u64>,
    ) -> Result<Option<(OwnedFd, u64)>, Errno> {
        let flags =
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let path = if path.is_empty() { b"/" } else { path };
        let handle = rustix::fs::openat2(&self.handle, path, flags, Mode::empty(), RESOLVE)?;
        let device = rustix::fs::fstat(&handle)?.st_dev;
        if parent != Some(device) {
            let kind = rustix::fs::fstatfs(&handle)?.f_type;
            if NO_FILES.iter().any(|number| i128::from(kind) == i128::from(*number)) {
                return Ok(None);
            }
        }
        Ok(Some((handle, device)))
    }

    /// What a name in the directory is, where listing it does not say; a link is a link.
    pub(super) fn kind(&self, directory: &OwnedFd, name: &[u8]) -> FileType {
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// What the file system says of a file, if it is a regular one.
    pub(super) fn regular(&self, directory: &OwnedFd, name: &[u8]) -> Option<Stat> {
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        is_regular(&stat).then_some(stat)
    }

    /// Opens a regular file; `None` if it is none, or cannot be opened.
    pub(super) fn file(&self, path: &[u8]) -> Option<File<'m>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat2(&self.handle, path, flags, Mode::empty(), RESOLVE) {
            Err(Errno::NOENT) => return None,
            handle => handle.ok().and_then(|handle| File::of_handle(handle, self.meter)),
        };
        if file.is_none() {
            self.meter.note_unreadable(path);
        }
        file
    }
}

fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// A regular file, read by position; what is read of it is counted.
pub(super) struct File<'m> {
    handle: OwnedFd,
    pub(super) size: u64,
    meter: &'m Meter,
}

impl<'m> File<'m> {
    /// The file behind a handle, which need not be able to read; `None` if it is no regular file, or
    /// must not be read.
    pub(super) fn of_handle(handle: OwnedFd, meter: &'m Meter) -> Option<Self> {
        let stat = rustix::fs::fstat(&handle).ok()?;
        if !is_regular(&stat) {
            return None;
        }
        let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(CWD, through, flags, Mode::empty()).ok()?;
        Some(Self { handle, size: u64::try_from(stat.st_size).ok()?, meter })
    }

    /// Notes that the file is not read to its end.
    pub(super) fn cut(&self) {
        self.meter.is_cut.set(true);
    }

    /// The first bytes of the file, up to so many.
    pub(super) fn head(&self, limit: usize) -> Option<Vec<u8>> {
        self.part(0, limit)
    }

    /// The bytes from there on, up to so many.
    pub(super) fn part(&self, offset: u64, limit: usize) -> Option<Vec<u8>> {
        let rest = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; rest.min(limit)];
        let count = self.fill(&mut bytes, offset).ok()?;
        bytes.truncate(count);
        Some(bytes)
    }

    /// Fills the buffer from there on, as far as the file reaches.
    ///
    /// # Errors
    /// If reading fails, or the scan may not go on.
    pub(super) fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match self.read_at(rest, at)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }
}

impl ReaderAt for File<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        let Some(buffer) = buffer.get_mut(..wanted).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        if !self.meter.take_bytes(buffer.len()) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        loop {
            match rustix::io::pread(&self.handle, &mut *buffer, offset) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }
}
