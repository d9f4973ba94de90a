//! The walk through the folders below a root, each name of which is shown to those who look for SDKs.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

use super::java::{self, Java};
use super::meter::Meter;
use super::root::Root;
use super::{FoundSdks, RuntimeHint, SdkEvidence, StoppedBy, go, javascript, path_text, python};
use sdk_chain::SdkId;

/// Folders at the root that hold no application.
const KERNEL_FOLDERS: [&[u8]; 3] = [b"/proc", b"/sys", b"/dev"];
/// Folders in which most applications are: they come first, behind that in which the process works, so that a
/// bound is not reached among what the distribution brings.
const APPLICATION_FOLDERS: [&[u8]; 9] = [
    b"/app",
    b"/opt",
    b"/srv",
    b"/home",
    b"/deployments",
    b"/workspace",
    b"/var/task",
    b"/usr/src",
    b"/usr/local",
];
/// What the distribution brings, which comes behind everything but the last.
const SYSTEM_FOLDERS: [&[u8]; 4] = [b"/usr", b"/lib", b"/lib64", b"/etc"];
/// Folders that hold much and seldom an application: they come last.
const LATE_FOLDERS: [&[u8]; 8] =
    [b"/var", b"/tmp", b"/mnt", b"/media", b"/run", b"/boot", b"/data", b"/usr/share"];
/// Folders anywhere that hold much and no package of its own, or a tool with an SDK for itself.
const SKIPPED_NAMES: [&[u8]; 5] = [b".git", b"__pycache__", b"locale", b"lost+found", b"google-cloud-sdk"];

/// The most bytes of paths that are kept for later, so that no tree can take the memory of the pod.
const MAX_LIST_BYTES: usize = 4 << 20;
/// The space for what the kernel says of a folder at a time.
const LISTING_BYTES: usize = 32 << 10;
/// The smallest executable that is looked into: a Go program with an AWS SDK has more than 5 MB.
const MIN_PROGRAM_BYTES: i64 = 1 << 20;

/// A file or folder that is to be seen, and the file system that the folder above is on.
type Found = (Vec<u8>, Option<u64>);

/// What a walk looks for, and where it begins.
pub(super) struct WalkPlan {
    pub(super) runtime: RuntimeHint,
    /// Whether programs are looked into.
    pub(super) with_programs: bool,
    /// The folder in which the process works.
    pub(super) first: Option<PathBuf>,
}

/// A walk that is under way.
pub(super) struct Walk<'w, 'm> {
    root: &'w Root<'m>,
    meter: &'m Meter,
    runtime: RuntimeHint,
    with_programs: bool,
    finds: &'w mut FoundSdks,
    java: Java,
    /// The folders that come first, in order.
    first: Vec<Vec<u8>>,
    folders: PathStack,
    system: PathStack,
    last: PathStack,
    scripts: PathStack,
}

impl<'w, 'm> Walk<'w, 'm> {
    pub(super) fn new(
        root: &'w Root<'m>,
        meter: &'m Meter,
        WalkPlan { runtime: runs, with_programs, first }: WalkPlan,
        finds: &'w mut FoundSdks,
    ) -> Self {
        let first = first.map(|path| path.into_os_string().into_vec());
        // The root itself needs no second look, and what is not below it has none.
        let first = first.filter(|path| path.starts_with(b"/") && path.len() > 1);
        let usual = APPLICATION_FOLDERS.into_iter().map(<[u8]>::to_vec);
        let usual = usual.filter(|path| Some(path) != first.as_ref()).collect::<Vec<_>>();
        Self {
            root,
            meter,
            runtime: runs,
            with_programs,
            finds,
            java: Java::default(),
            first: first.into_iter().chain(usual).collect(),
            folders: PathStack::default(),
            system: PathStack::default(),
            last: PathStack::default(),
            scripts: PathStack::default(),
        }
    }

    /// Walks, and at the end reads the scripts, which are the most to read. Hands on how many Java archives
    /// could not be looked into.
    pub(super) fn run(mut self) -> usize {
        let mut listing = Vec::with_capacity(LISTING_BYTES);
        self.visit(&[], None, listing.spare_capacity_mut());
        for folder in self.first.clone().into_iter().rev() {
            // There is room: nothing but the folders at the root is there yet.
            self.folders.push((folder, None));
        }
        while let Some((folder, parent)) = self.next().filter(|_| self.meter.may_continue()) {
            self.visit(&folder, parent, listing.spare_capacity_mut());
        }
        // Which scripts are read says nothing about archives.
        let is_whole = self.meter.stopped().is_none() && self.meter.unseen.get() == 0;
        let closed_archives = self.java.conclude(is_whole, self.finds);
        while let Some((script, _)) = self.scripts.pop().filter(|_| self.meter.may_continue()) {
            if let Some(file) = self.root.file(&script) {
                javascript::look_into(&file, &String::from_utf8_lossy(&script), self.finds);
            }
        }
        closed_archives
    }

    fn next(&mut self) -> Option<Found> {
        self.folders.pop().or_else(|| self.system.pop()).or_else(|| self.last.pop())
    }

    fn visit(&mut self, folder: &[u8], parent: Option<u64>, listing: &mut [MaybeUninit<u8>]) {
        let is_guess = self.first.iter().any(|first| first == folder);
        match self.root.directory(folder, parent) {
            Ok(Some((handle, device))) => self.enter(folder, &handle, device, listing),
            Ok(None) | Err(Errno::NOENT) => {}
            // Where a link stands in place of the folder, what it leads to is seen where it is.
            Err(Errno::LOOP | Errno::NOTDIR) if is_guess => {}
            // Older container runtimes forbid system calls that they do not know with EPERM.
            Err(Errno::NOSYS | Errno::PERM) if folder.is_empty() => self.meter.stop(StoppedBy::Kernel),
            Err(Errno::ACCESS) if folder.is_empty() => self.meter.stop(StoppedBy::Denied),
            Err(_) if folder.is_empty() => self.meter.stop(StoppedBy::Root),
            Err(_) => self.meter.note_unreadable(folder),
        }
    }

    fn enter(&mut self, folder: &[u8], handle: &OwnedFd, device: u64, listing: &mut [MaybeUninit<u8>]) {
        let mut names = RawDir::new(handle, listing);
        let mut python = python::Folder::default();
        while let Some(entry) = names.next() {
            let Ok(entry) = entry else {
                self.meter.note_unreadable(folder);
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
            let is_folder = match kind {
                FileType::Directory => true,
                FileType::RegularFile => false,
                // A link leads to what is seen where it is, or out of the root.
                _ => continue,
            };
            if self.runtime.can_be(RuntimeHint::Python) {
                python.see(folder, name, is_folder, self.finds);
            }
            if is_folder {
                self.see_folder(folder, name, device);
            } else {
                self.see_file(folder, handle, name);
            }
        }
        python.conclude(self.root, folder, self.finds);
    }

    fn see_folder(&mut self, folder: &[u8], name: &[u8], device: u64) {
        let path = [folder, b"/", name].concat();
        if let Some(sdk) = javascript::package(folder, name)
            && self.runtime.can_be(RuntimeHint::Node)
        {
            javascript::look(self.root, folder, name, sdk, self.finds);
        }
        // The AWS CLI's installer: aws-cli/v2/VERSION, with a Python and its packages for itself below.
        let is_cli = folder.ends_with(b"/aws-cli/v2");
        if is_cli && let Some(version) = std::str::from_utf8(name).ok().filter(|name| name.starts_with("2."))
        {
            let (place, how) = (path_text(folder, name), SdkEvidence::PackageMetadata);
            self.finds.add(SdkId::CliV2, Some(version.to_owned()), place, how);
        }
        let is_of_cli = is_cli || folder.ends_with(b"/aws-cli") && name != b"v2";
        let is_data_of_botocore = name == b"data" && folder.ends_with(b"/botocore");
        if KERNEL_FOLDERS.contains(&path.as_slice())
            || SKIPPED_NAMES.contains(&name)
            || is_of_cli
            || is_data_of_botocore
            || self.first.contains(&path)
        {
            return;
        }
        let list = match path.as_slice() {
            path if LATE_FOLDERS.contains(&path) => &mut self.last,
            path if SYSTEM_FOLDERS.contains(&path) => &mut self.system,
            _ => &mut self.folders,
        };
        if !list.push((path, Some(device))) {
            self.meter.stop(StoppedBy::Entries);
        }
    }

    fn see_file(&mut self, folder: &[u8], handle: &OwnedFd, name: &[u8]) {
        let path = || [folder, b"/", name].concat();
        if java::is_archive(name) || java::is_sign(name) {
            if self.runtime.can_be(RuntimeHint::Java)
                && let Some(file) = self.root.file(&path())
            {
                self.java.look(&file, &path_text(folder, name));
            }
        } else if is_script(name) {
            let may_be_bundle = self.runtime.can_be(RuntimeHint::Node) && !is_in_packages(folder);
            if may_be_bundle && !self.scripts.push((path(), None)) {
                self.meter.stop(StoppedBy::Entries);
            }
        } else if self.with_programs
            && can_be_program(name)
            && self.is_program(handle, name)
            && let Some(file) = self.root.file(&path())
        {
            let list = go::modules(&file).unwrap_or_default();
            go::add_found(&list, &path_text(folder, name), self.finds);
        }
    }

    fn is_program(&self, handle: &OwnedFd, name: &[u8]) -> bool {
        self.root
            .regular(handle, name)
            .is_some_and(|stat| stat.st_mode & 0o111 != 0 && stat.st_size >= MIN_PROGRAM_BYTES)
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
fn can_be_program(name: &[u8]) -> bool {
    let extension = name.iter().rposition(|byte| *byte == b'.').and_then(|dot| name.get(dot + 1..));
    extension.is_none_or(|extension| {
        matches!(extension, b"bin" | b"exe" | b"elf")
            || extension.len() > 4
            || !extension.iter().all(u8::is_ascii_lowercase)
    })
}

/// Paths for later, up to so many bytes of them.
#[derive(Default)]
struct PathStack {
    paths: Vec<Found>,
    bytes: usize,
}

impl PathStack {
    /// Keeps the path, if there is room.
    fn push(&mut self, found: Found) -> bool {
        let bytes = self.bytes + cost(&found);
        if bytes > MAX_LIST_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.paths.push(found);
        true
    }

    fn pop(&mut self) -> Option<Found> {
        let found = self.paths.pop()?;
        self.bytes = self.bytes.saturating_sub(cost(&found));
        Some(found)
    }
}

/// The bytes that it takes for as long as it is kept.
fn cost((path, _): &Found) -> usize {
    path.len() + size_of::<Vec<u8>>()
}

#[cfg(test)]
mod tests {
    use super::{can_be_program, is_in_packages, is_script};

    #[test]
    fn names_say_what_is_worth_a_look() {
        for (name, expected) in
            [("server", true), ("app-v1.2", true), ("app.bin", true), ("x.py", false), ("x.so", false)]
        {
            assert_eq!(can_be_program(name.as_bytes()), expected, "{name}");
        }
        assert!(is_script(b"index.js") && is_script(b"main.mjs") && !is_script(b"main.json"));
        assert!(is_in_packages(b"/app/node_modules/x") && !is_in_packages(b"/app/dist"));
    }
}
