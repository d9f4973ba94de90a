//! The walk through the folders below a root, each name of which is shown to those who look for SDKs.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use super::java::{self, Java};
use super::meter::Meter;
use super::root::Root;
use super::{Finds, StoppedBy, go, javascript, place, python};

/// Folders at the root that hold no application.
const NOT_ENTERED: [&[u8]; 3] = [b"/proc", b"/sys", b"/dev"];
/// Folders that hold much and seldom an application: they come last.
const LAST: [&[u8]; 8] = [b"/var", b"/tmp", b"/mnt", b"/media", b"/run", b"/boot", b"/data", b"/usr/share"];
/// Folders anywhere that hold much and no package of its own.
const NOT_WORTH: [&[u8]; 3] = [b".git", b"__pycache__", b"locale"];

/// The most bytes of paths that are kept for later, so that no tree can take the memory of the pod.
const LONGEST_LIST: usize = 4 << 20;
/// The space for what the kernel says of a folder at a time.
const LISTING: usize = 32 << 10;
/// The smallest executable that is looked into: a Go program with an AWS SDK has more than 5 MB.
const SMALLEST_PROGRAM: i64 = 1 << 20;

/// A folder that is to be entered, and the file system that the folder above is on.
type Folder = (Vec<u8>, Option<u64>);

/// A walk that is under way.
pub(super) struct Walk<'w, 'm> {
    root: &'w Root<'m>,
    meter: &'m Meter,
    /// Whether executables are looked into.
    with_programs: bool,
    finds: &'w mut Finds,
    java: Java,
    folders: Paths<Folder>,
    last: Paths<Folder>,
    scripts: Paths<Vec<u8>>,
}

impl<'w, 'm> Walk<'w, 'm> {
    pub(super) fn new(
        root: &'w Root<'m>,
        meter: &'m Meter,
        with_programs: bool,
        finds: &'w mut Finds,
    ) -> Self {
        Self {
            root,
            meter,
            with_programs,
            finds,
            java: Java::default(),
            folders: Paths::default(),
            last: Paths::default(),
            scripts: Paths::default(),
        }
    }

    /// Walks, and at the end reads the scripts, which are the most to read.
    pub(super) fn run(mut self) -> Java {
        let mut next = Some((Vec::new(), None));
        let mut listing = Vec::with_capacity(LISTING);
        while let Some((folder, parent)) = next {
            if !self.meter.goes_on() {
                break;
            }
            match self.root.directory(&folder, parent) {
                Ok(Some((handle, device))) => {
                    self.enter(&folder, &handle, device, listing.spare_capacity_mut())
                }
                Ok(None) => {}
                Err(_) if folder.is_empty() => self.meter.stop(StoppedBy::Root),
                Err(Errno::NOENT) => {}
                Err(_) => self.meter.skip(),
            }
            next = self.folders.pop().or_else(|| self.last.pop());
        }
        while let Some(script) = self.scripts.pop().filter(|_| self.meter.goes_on()) {
            if let Some(file) = self.root.file(&script) {
                javascript::look_into(&file, &String::from_utf8_lossy(&script), self.finds);
            }
        }
        self.java
    }

    fn enter(&mut self, folder: &[u8], handle: &OwnedFd, device: u64, listing: &mut [MaybeUninit<u8>]) {
        let mut names = RawDir::new(handle, listing);
        let mut python = python::Folder::default();
        while let Some(entry) = names.next() {
            let Ok(entry) = entry else {
                self.meter.skip();
                break;
            };
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if !self.meter.take_entry() {
                return;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.root.kind(handle, name),
                kind => kind,
            };
            match kind {
                FileType::Directory => {
                    python.see(folder, name, true, self.finds);
                    self.see_folder(folder, name, device);
                }
                FileType::RegularFile => {
                    python.see(folder, name, false, self.finds);
                    self.see_file(folder, handle, name);
                }
                // A link leads to what is seen where it is, or out of the root.
                _ => {}
            }
        }
        python.conclude(self.root, folder, self.finds);
    }

    fn see_folder(&mut self, folder: &[u8], name: &[u8], device: u64) {
        let path = [folder, b"/", name].concat();
        if let Some(sdk) = javascript::package(folder, name) {
            javascript::look(self.root, folder, name, sdk, self.finds);
        }
        let is_data_of_botocore = name == b"data" && folder.ends_with(b"/botocore");
        if NOT_ENTERED.contains(&path.as_slice()) || NOT_WORTH.contains(&name) || is_data_of_botocore {
            return;
        }
        let list = if LAST.contains(&path.as_slice()) { &mut self.last } else { &mut self.folders };
        if !list.push((path, Some(device))) {
            self.meter.stop(StoppedBy::Entries);
        }
    }

    fn see_file(&mut self, folder: &[u8], handle: &OwnedFd, name: &[u8]) {
        let path = || [folder, b"/", name].concat();
        if java::is_archive(name) {
            if let Some(file) = self.root.file(&path()) {
                self.java.look(&file, &place(folder, name));
            }
        } else if is_script(name) {
            if !is_in_packages(folder) && !self.scripts.push(path()) {
                self.meter.stop(StoppedBy::Entries);
            }
        } else if self.with_programs
            && may_be_program(name)
            && self.is_program(handle, name)
            && let Some(file) = self.root.file(&path())
        {
            go::look(&file, &place(folder, name), self.finds);
        }
    }

    fn is_program(&self, handle: &OwnedFd, name: &[u8]) -> bool {
        self.root
            .regular(handle, name)
            .is_some_and(|stat| stat.st_mode & 0o111 != 0 && stat.st_size >= SMALLEST_PROGRAM)
    }
}

/// Whether a file of this name may be JavaScript that a bundler made.
fn is_script(name: &[u8]) -> bool {
    [&b".js"[..], b".mjs", b".cjs"].iter().any(|ending| name.ends_with(ending))
}

/// Whether the folder holds packages as they are installed, whose scripts are no bundle of the
/// application's.
fn is_in_packages(folder: &[u8]) -> bool {
    folder
        .split(|byte| *byte == b'/')
        .any(|part| matches!(part, b"node_modules" | b"site-packages" | b"dist-packages"))
}

/// Whether a file of this name may be a program: names like `x.py` and `x.so` are not looked at.
fn may_be_program(name: &[u8]) -> bool {
    let extension = name.iter().rposition(|byte| *byte == b'.').and_then(|dot| name.get(dot + 1..));
    extension.is_none_or(|extension| {
        matches!(extension, b"bin" | b"exe" | b"elf")
            || extension.len() > 4
            || !extension.iter().all(u8::is_ascii_lowercase)
    })
}

/// Paths for later, up to so many bytes of them.
struct Paths<T> {
    paths: Vec<T>,
    bytes: usize,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { paths: Vec::new(), bytes: 0 }
    }
}

impl<T: Path> Paths<T> {
    /// Keeps the path, if there is room.
    fn push(&mut self, path: T) -> bool {
        let bytes = self.bytes + path.cost();
        if bytes > LONGEST_LIST {
            return false;
        }
        self.bytes = bytes;
        self.paths.push(path);
        true
    }

    fn pop(&mut self) -> Option<T> {
        let path = self.paths.pop()?;
        self.bytes = self.bytes.saturating_sub(path.cost());
        Some(path)
    }
}

/// What takes memory for as long as it is kept.
trait Path {
    fn cost(&self) -> usize;
}

impl Path for Vec<u8> {
    fn cost(&self) -> usize {
        self.len() + size_of::<Self>()
    }
}

impl Path for Folder {
    fn cost(&self) -> usize {
        self.0.cost()
    }
}

#[cfg(test)]
mod tests {
    use super::{is_in_packages, is_script, may_be_program};

    #[test]
    fn names_say_what_is_worth_a_look() {
        for (name, expected) in
            [("server", true), ("app-v1.2", true), ("app.bin", true), ("x.py", false), ("x.so", false)]
        {
            assert_eq!(may_be_program(name.as_bytes()), expected, "{name}");
        }
        assert!(is_script(b"index.js") && is_script(b"main.mjs") && !is_script(b"main.json"));
        assert!(is_in_packages(b"/app/node_modules/x") && !is_in_packages(b"/app/dist"));
    }
}
