//! Which AWS SDK an application has, from its files and the executable of its process.
//!
//! The files are another container's, and nothing of them is trusted: every file is opened below a
//! handle of the root, no symbolic link is followed, nothing but directories and regular files is
//! opened, and entries, bytes and time are bounded. A scan that ends early says by what.

mod go;
mod java;
mod javascript;
mod meter;
pub mod packages;
mod python;
mod root;
mod walk;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::chain::{SdkId, Used};
use crate::shown::shown;
use meter::Meter;
use root::Root;

/// What shows that an SDK is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// What the package manager keeps about the package.
    PackageMetadata,
    /// The package's own source.
    Source,
    /// What is written only in the code of this SDK, in a file that a bundler made.
    BundledCode,
    /// Classes and properties in a Java archive.
    Archive,
    /// The list of modules that Go's linker puts into a program.
    BuildInfo,
    /// The user says so.
    Said,
}

impl How {
    /// The kind in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PackageMetadata => "package metadata",
            Self::Source => "source",
            Self::BundledCode => "bundled code",
            Self::Archive => "Java archive",
            Self::BuildInfo => "Go build info",
            Self::Said => "said",
        }
    }
}

/// An SDK that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSdk {
    /// Which.
    pub sdk: SdkId,
    /// The version of its [`packages::package`], where it is known.
    pub version: Option<String>,
    /// The file or folder that shows it, from the root.
    pub place: String,
    /// Whether the module of [`packages::sts_module`] is there, too; `None` where there is none such, or
    /// where the scan did not come far enough to say.
    pub sts_module: Option<bool>,
    /// What shows it.
    pub how: How,
}

impl FoundSdk {
    /// The SDK in one line: `boto 1.44.5 (/app/…, package metadata)`.
    #[must_use]
    pub fn line(&self) -> String {
        let version = self.version.as_deref().map_or_else(|| "?".to_owned(), shown);
        let sts = match self.sts_module {
            Some(true) => ", with the sts module",
            Some(false) => ", without the sts module",
            None => "",
        };
        format!("{} {version} ({}, {}{sts})", self.sdk.as_str(), shown(&self.place), self.how.as_str())
    }
}

/// What ended a scan before everything was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedBy {
    /// The bound on directory entries.
    Entries,
    /// The bound on bytes that are read.
    Bytes,
    /// The bound on time.
    Time,
    /// The root cannot be opened, or the kernel has no `openat2` (Linux 5.6).
    Root,
}

impl StoppedBy {
    /// The reason in words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entries => "too many directory entries",
            Self::Bytes => "too many bytes to read",
            Self::Time => "the time was up",
            Self::Root => "the root cannot be opened, or the kernel is older than 5.6",
        }
    }
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Everything that can be read was seen.
    Whole,
    /// It was not.
    Stopped(StoppedBy),
}

/// What a scan may spend.
#[derive(Debug, Clone, Copy)]
pub struct ScanBudget {
    /// Directory entries.
    pub entries: usize,
    /// Bytes that are read.
    pub bytes: u64,
    /// When it has to be over.
    pub until: Instant,
}

/// The longest that a scan may take.
pub const LONGEST: Duration = Duration::from_secs(5);

impl ScanBudget {
    /// The usual bounds: 200,000 entries, 256 MiB, and this time, but no more than [`LONGEST`].
    #[must_use]
    pub fn usual(until: Instant) -> Self {
        Self { entries: 200_000, bytes: 256 << 20, until: until.min(Instant::now() + LONGEST) }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The SDKs: those of the process's executable first, and then as they were come upon. The same
    /// SDK in the same version is listed once.
    pub found: Vec<FoundSdk>,
    /// Whether everything was seen.
    pub end: ScanEnd,
    /// How many directory entries were seen.
    pub entries: usize,
    /// How many bytes were read.
    pub bytes: u64,
    /// How many files and folders could not be read, mostly for their permissions.
    pub unreadable: usize,
}

/// An SDK that the user says the application has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidSdk {
    /// Which.
    pub sdk: SdkId,
    /// Its version, if it is said.
    pub version: Option<String>,
}

impl Scan {
    /// What ended it before everything was seen, if anything did.
    #[must_use]
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        match self.end {
            ScanEnd::Whole => None,
            ScanEnd::Stopped(by) => Some(by),
        }
    }

    /// Which SDKs the application has, as far as was seen.
    #[must_use]
    pub fn used(&self) -> Used {
        let sdks: BTreeSet<SdkId> = self.found.iter().map(|found| found.sdk).collect();
        Used::Found { sdks: sdks.into_iter().collect(), whole: self.end == ScanEnd::Whole }
    }

    /// What is known without a scan, from the user.
    #[must_use]
    pub fn said(SaidSdk { sdk, version }: SaidSdk) -> Self {
        let place = "--expect-sdk".to_owned();
        let found = vec![FoundSdk { sdk, version, place, sts_module: None, how: How::Said }];
        Self { found, end: ScanEnd::Whole, entries: 0, bytes: 0, unreadable: 0 }
    }

    /// What was found of this SDK; where that is nothing, what the user said.
    #[must_use]
    pub fn of(mut self, said: SaidSdk) -> Self {
        self.found.retain(|found| found.sdk == said.sdk);
        if self.found.is_empty() { Self::said(said) } else { self }
    }

    /// A scan that found nothing for this reason.
    #[must_use]
    pub fn stopped(by: StoppedBy) -> Self {
        Self { found: Vec::new(), end: ScanEnd::Stopped(by), entries: 0, bytes: 0, unreadable: 0 }
    }
}

/// The most SDKs that are listed; an image with more of them is not an application's.
const MOST_FOUND: usize = 64;

/// The longest text that is taken for a version: those that Go makes up for a commit have 40 bytes.
const LONGEST_VERSION: usize = 128;

/// SDKs as they are found.
#[derive(Default)]
struct Finds(Vec<FoundSdk>);

impl Finds {
    fn add(&mut self, sdk: SdkId, version: Option<String>, place: String, how: How) {
        self.push(FoundSdk { sdk, version, place, sts_module: None, how });
    }

    fn push(&mut self, mut found: FoundSdk) {
        found.version = found.version.filter(|version| version.len() <= LONGEST_VERSION);
        let is_known = self.0.iter().any(|known| known.sdk == found.sdk && known.version == found.version);
        if !is_known && self.0.len() < MOST_FOUND {
            self.0.push(found);
        }
    }
}

/// The path of a name in a folder, as text.
fn place(folder: &[u8], name: &[u8]) -> String {
    String::from_utf8_lossy(&[folder, b"/", name].concat()).into_owned()
}

/// Looks for AWS SDKs below the root, and in the executable of the application's process.
///
/// An executable that Go built with an AWS SDK in it answers for itself: whatever else lies in the
/// image is not what it uses, and is not looked at. Without an executable those below the root are
/// looked into. Blocks for as long as the file system does: to be called in a thread of its own.
#[must_use]
pub fn scan(root: OwnedFd, exe: Option<OwnedFd>, budget: ScanBudget) -> Scan {
    let meter = Meter::new(budget);
    let mut finds = Finds::default();
    let has_exe = exe.is_some();
    if let Some(exe) = exe.and_then(|exe| root::File::of_handle(exe, &meter)) {
        go::look(&exe, "the process's executable", &mut finds);
    }
    if finds.0.is_empty() {
        let root = Root::new(root, &meter);
        let java = walk::Walk::new(&root, &meter, !has_exe, &mut finds).run();
        java.conclude(meter.stopped().is_none(), &mut finds);
    }
    Scan {
        found: finds.0,
        end: meter.stopped().map_or(ScanEnd::Whole, ScanEnd::Stopped),
        entries: meter.entries(),
        bytes: meter.bytes(),
        unreadable: meter.unreadable(),
    }
}
