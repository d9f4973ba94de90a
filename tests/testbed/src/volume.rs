//! A token in the file system, as the kubelet lays it there, and the ways in which that goes wrong.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};
use time::OffsetDateTime;

use crate::random;

/// User and group that a program in a world runs as, when the testbed is root.
pub const POD_USER: u32 = 65532;

const TOKEN: &str = "token";

/// Whose the token is and who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The permission bits.
    pub mode: u32,
    /// Owner and group, if they are to be changed from those of the testbed.
    pub owner: Option<u32>,
}

impl Access {
    /// As in a pod with an `fsGroup`: the file is the pod user's own.
    #[must_use]
    pub fn pod() -> Self {
        Self { mode: 0o640, owner: is_root().then_some(POD_USER) }
    }

    /// Root's file with this mode. Who is not root owns the file whatever is asked for, so a mode
    /// that would keep the pod user out becomes 0000.
    #[must_use]
    pub fn root(mode: u32) -> Self {
        let kept_out = mode & 0o004 == 0;
        Self { mode: if kept_out && !is_root() { 0 } else { mode }, owner: None }
    }
}

/// Whether the testbed runs as root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A volume directory that was laid out as the kubelet does it.
#[derive(Clone, Debug)]
pub struct TokenVolume {
    directory: PathBuf,
    access: Access,
    beside: Vec<(&'static str, Vec<u8>)>,
}

impl TokenVolume {
    /// Creates the directory and projects the token into it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn project(directory: &Path, token: &[u8], access: Access) -> io::Result<Self> {
        Self::project_with(directory, token, Vec::new(), access)
    }

    /// Creates the directory and projects the token into it, and beside it these files by their names,
    /// which stay as they are when the token is rotated.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn project_with(
        directory: &Path,
        token: &[u8],
        beside: Vec<(&'static str, Vec<u8>)>,
        access: Access,
    ) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let volume = Self { directory: directory.to_owned(), access, beside };
        volume.rotate(token)?;
        for name in volume.names() {
            symlink(Path::new("..data").join(name), directory.join(name))?;
        }
        Ok(volume)
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(TOKEN).chain(self.beside.iter().map(|(name, _)| *name))
    }

    /// The path by which a pod reads the token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.directory.join(TOKEN)
    }

    /// Puts another token in place: a new directory, and `..data` swapped by one rename.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn rotate(&self, token: &[u8]) -> io::Result<()> {
        let name = payload_name();
        let payload = self.directory.join(&name);
        fs::create_dir(&payload)?;
        fs::set_permissions(&payload, Permissions::from_mode(0o755))?;
        self.write(&payload.join(TOKEN), token)?;
        for (name, content) in &self.beside {
            self.write(&payload.join(name), content)?;
        }
        let data = self.directory.join("..data");
        let before = fs::read_link(&data).ok();
        let next = self.directory.join("..data_tmp");
        symlink(&name, &next)?;
        fs::rename(&next, &data)?;
        before.map_or(Ok(()), |old| fs::remove_dir_all(self.directory.join(old)))
    }

    fn write(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        fs::write(file, content)?;
        fs::set_permissions(file, Permissions::from_mode(self.access.mode))?;
        self.access.owner.map_or(Ok(()), |owner| chown(file, Some(owner), Some(owner)))
    }

    /// Makes it look as if the volume had been mounted then. The kubelet makes the links that a pod
    /// sees once, when it mounts the volume, and never touches them again.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn mounted_at(&self, at: OffsetDateTime) -> io::Result<()> {
        let time = Timespec { tv_sec: at.unix_timestamp(), tv_nsec: at.nanosecond().into() };
        let times = Timestamps { last_access: time, last_modification: time };
        for name in self.names() {
            utimensat(CWD, self.directory.join(name), &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}

/// As the kubelet names it: `..2026_11_24_05_04_49.1503317917`.
fn payload_name() -> String {
    let now = OffsetDateTime::now_utc();
    format!(
        "..{:04}_{:02}_{:02}_{:02}_{:02}_{:02}.{}",
        now.year(),
        u8::from(now.month()),
        now.day(),
        now.hour(),
        now.minute(),
        now.second(),
        random::text(b"0123456789", 10)
    )
}

/// How the token lies in the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// As the kubelet projects it.
    #[default]
    Kubelet,
    /// The directory is there, the file is not.
    Missing,
    /// Not even the directory is there: the volume is not mounted.
    MissingDir,
    /// A file of no bytes.
    Empty,
    /// A directory in place of the file.
    Directory,
    /// A named pipe that nobody writes to.
    Fifo,
    /// A symbolic link to `/dev/zero`.
    Device,
    /// A token of more than 20,000 characters, the most that STS takes.
    Huge,
    /// Bytes that are not UTF-8.
    Binary,
    /// `..data` points to nothing.
    Dangling,
    /// A symbolic link to itself.
    Loop,
}

impl Layout {
    /// Lays the token out; a volume comes back where it has the kubelet's shape.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn lay_out(self, directory: &Path, token: &[u8], access: Access) -> io::Result<Option<TokenVolume>> {
        let project = |content: &[u8]| TokenVolume::project(directory, content, access).map(Some);
        let file = directory.join(TOKEN);
        match self {
            Self::Kubelet | Self::Huge => return project(token),
            Self::Empty => return project(b""),
            Self::Binary => {
                return project(&[0xff, 0xfe, 0x00, 0x80, b'e', b'y', 0xc3, 0x28, b'\n']);
            }
            Self::MissingDir => {
                return directory.parent().map_or(Ok(()), fs::create_dir_all).map(|()| None);
            }
            _ => fs::create_dir_all(directory)?,
        }
        match self {
            Self::Directory => fs::create_dir(file)?,
            Self::Fifo => {
                mknodat(CWD, &file, FileType::Fifo, Mode::from_raw_mode(0o644), 0)?;
                fs::set_permissions(file, Permissions::from_mode(0o644))?;
            }
            Self::Device => symlink("/dev/zero", file)?,
            Self::Loop => symlink(TOKEN, file)?,
            Self::Dangling => {
                symlink(payload_name(), directory.join("..data"))?;
                symlink(Path::new("..data").join(TOKEN), file)?;
            }
            _ => {}
        }
        Ok(None)
    }
}
