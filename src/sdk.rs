//! Which AWS SDK an application has, from its files and the executable of its process.
//!
//! The files are another container's, and nothing of them is trusted: every file is opened below a
//! handle of the root, no symbolic link is followed, nothing but directories and regular files is
//! opened, and entries, bytes and time are bounded. A scan that ends early says by what.

mod go;
mod java;
mod javascript;
mod meter;
pub mod minimum;
mod python;
mod root;
mod walk;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::shown::shown;
use meter::Meter;
use root::Root;

/// An AWS SDK, as far as the choice of credentials tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sdk {
    /// botocore, which boto3, aiobotocore and version 1 of the AWS CLI stand on.
    Boto,
    /// Version 2 of the AWS CLI.
    CliV2,
    /// Version 2 of the JavaScript SDK.
    JsV2,
    /// Version 3 of the JavaScript SDK.
    JsV3,
    /// Version 1 of the Go SDK.
    GoV1,
    /// Version 2 of the Go SDK.
    GoV2,
    /// Version 1 of the Java SDK.
    JavaV1,
    /// Version 2 of the Java SDK.
    JavaV2,
}

impl Sdk {
    /// Every SDK that is looked for.
    pub const ALL: [Self; 8] =
        [Self::Boto, Self::CliV2, Self::JsV2, Self::JsV3, Self::GoV1, Self::GoV2, Self::JavaV1, Self::JavaV2];

    /// The id in reports.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Boto => "boto",
            Self::CliV2 => "cliv2",
            Self::JsV2 => "jsv2",
            Self::JsV3 => "jsv3",
            Self::GoV1 => "gov1",
            Self::GoV2 => "gov2",
            Self::JavaV1 => "jv1",
            Self::JavaV2 => "jv2",
        }
    }

    /// The package whose version counts, as its registry names it.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Boto => "botocore",
            Self::CliV2 => "awscli",
            Self::JsV2 => "aws-sdk",
            Self::JsV3 => "@aws-sdk/credential-provider-node",
            Self::GoV1 => go::V1,
            Self::GoV2 => go::V2_CONFIG,
            Self::JavaV1 => "com.amazonaws:aws-java-sdk-core",
            Self::JavaV2 => "software.amazon.awssdk:auth",
        }
    }

    /// The module without which the SDK has no web identity, where that is a module of its own.
    #[must_use]
    pub fn sts_module(self) -> Option<&'static str> {
        match self {
            Self::JavaV1 => Some("com.amazonaws:aws-java-sdk-sts"),
            Self::JavaV2 => Some("software.amazon.awssdk:sts"),
            _ => None,
        }
    }
}

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
        }
    }
}

/// An SDK that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSdk {
    /// Which.
    pub sdk: Sdk,
    /// The version of [`Sdk::package`], where it is known.
    pub version: Option<String>,
    /// The file or folder that shows it, from the root.
    pub place: String,
    /// Whether the module of [`Sdk::sts_module`] is there, too; `None` where there is none such, or
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
        format!("{} {version} ({}, {}{sts})", self.sdk.id(), shown(&self.place), self.how.as_str())
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

impl Scan {
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
    fn add(&mut self, sdk: Sdk, version: Option<String>, place: String, how: How) {
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
