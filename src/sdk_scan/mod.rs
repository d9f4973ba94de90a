//! Which AWS SDK an application has, from its files and the executable of its process.
//!
//! The files are another container's, and nothing of them is trusted: every file is opened below a
//! handle of the root, no symbolic link is followed, nothing but directories and regular files is
//! opened, and entries, bytes and time are bounded. A scan that ends early says by what.

mod go;
mod java;
mod javascript;
mod meter;
pub(crate) mod packages;
mod python;
mod root;
mod walk;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::host::Program;
use crate::text::sanitize;
use meter::Meter;
use root::Root;
use sdk_chain::{ApplicationSdks, SdkId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SdkEvidence {
    /// What the package manager keeps about the package.
    PackageMetadata,
    Source,
    /// What is written only in the code of this SDK, in a file that a bundler made.
    BundledCode,
    /// Classes and properties in a Java archive.
    Archive,
    /// Java classes and properties that lie in folders.
    Classes,
    /// The list of modules that Go's linker puts into a program.
    BuildInfo,
    Stated,
}

impl SdkEvidence {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PackageMetadata => "package metadata",
            Self::Source => "source",
            Self::BundledCode => "bundled code",
            Self::Archive => "Java archive",
            Self::Classes => "Java classes",
            Self::BuildInfo => "Go build info",
            Self::Stated => "said",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSdk {
    pub sdk: SdkId,
    /// The version of its `packages::package`, where it is known.
    pub version: Option<String>,
    /// The file or folder that shows it, from the root.
    pub(crate) place: String,
    /// Whether the module of `packages::sts_module` is there, too; `None` where there is none such, or
    /// where it was not found and not everything was seen.
    pub sts_module: Option<bool>,
    pub(crate) evidence: SdkEvidence,
}

impl FoundSdk {
    /// The SDK in one line: `boto 1.44.5 (/app/…, package metadata)`.
    pub fn describe(&self) -> String {
        let version = self.version.as_deref().map_or_else(|| "?".to_owned(), sanitize);
        let sts = match self.sts_module {
            Some(true) => ", with the sts module",
            Some(false) => ", without the sts module",
            None => "",
        };
        format!(
            "{} {version} ({}, {}{sts})",
            self.sdk.as_str(),
            sanitize(&self.place),
            self.evidence.as_str()
        )
    }
}

/// What ended a scan before everything was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoppedBy {
    /// The bound on directory entries.
    Entries,
    /// The bound on bytes that are read.
    Bytes,
    Time,
    /// There is no folder at the root's path.
    Missing,
    /// The root's permissions forbid it.
    Denied,
    /// The kernel has no `openat2` (Linux 5.6), or a profile of the container forbids it.
    Kernel,
    /// The root cannot be opened for another reason.
    Root,
}

impl StoppedBy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Entries => "too many directory entries",
            Self::Bytes => "too many bytes to read",
            Self::Time => "the time was up",
            Self::Missing => "there is no such folder",
            Self::Denied => "the folder's permissions forbid it",
            Self::Kernel => {
                "the kernel is older than Linux 5.6, or the container's seccomp profile forbids openat2"
            }
            Self::Root => "the folder cannot be opened",
        }
    }
}

/// What a scan may spend.
#[derive(Debug, Clone, Copy)]
pub struct ScanBudget {
    pub entries: usize,
    pub bytes: u64,
    /// When it has to be over.
    pub until: Instant,
}

/// The longest that a scan may take.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(5);

impl ScanBudget {
    /// The usual bounds: 200,000 entries, 256 MiB, and this time, but no more than [`LONGEST`].
    pub(crate) fn standard(until: Instant) -> Self {
        Self { entries: 200_000, bytes: 256 << 20, until: until.min(Instant::now() + MAX_DURATION) }
    }
}

/// What the process runs whose files are searched, which says what of them can be its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeHint {
    /// No process is known.
    Unknown,
    /// A Go program, which names the modules in it.
    Go,
    Java,
    Python,
    Node,
    /// Something else, or what cannot be seen.
    Other,
}

impl RuntimeHint {
    /// By the name of the program's file.
    fn from_path(path: &Path) -> Self {
        let name = path.file_name().map_or(&b""[..], OsStrExt::as_bytes);
        // What the kernel adds where the file is gone, as after an update.
        let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
        match name {
            b"java" => Self::Java,
            b"node" | b"nodejs" => Self::Node,
            name if name.starts_with(b"python") || name.starts_with(b"pypy") => Self::Python,
            _ => Self::Other,
        }
    }

    /// Whether packages for `runs` are looked for.
    fn can_be(self, runs: Self) -> bool {
        self == runs || matches!(self, Self::Unknown | Self::Other)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// What the process runs.
    pub runtime: RuntimeHint,
    /// The SDKs: those of the process's executable first, and then as they were come upon. The same
    /// SDK in the same version is listed once.
    pub found: Vec<FoundSdk>,
    /// What ended it before everything was seen, if anything did.
    pub stopped_by: Option<StoppedBy>,
    /// How many directory entries were seen.
    pub entries: usize,
    /// How many bytes were read.
    pub bytes: u64,
    /// How many files and folders could not be read, mostly for their permissions.
    pub unreadable: usize,
    /// How many of those the application may have its packages in.
    pub unseen: usize,
    /// How many Java archives could not be looked into.
    pub closed_archives: usize,
}

/// An SDK that the user says the application has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSdk {
    pub(crate) sdk: SdkId,
    /// Its version, if it is said.
    pub(crate) version: Option<String>,
}

impl Scan {
    /// Whether the application has what was found, and nothing else: everything was seen, and its process,
    /// if there is one, is such that uses it.
    pub fn is_certain(&self) -> bool {
        self.stopped_by.is_none() && self.unseen == 0 && self.runtime != RuntimeHint::Other
    }

    /// What was found that the application may have for its own: the AWS CLI is a tool beside it, unless
    /// nothing else was found.
    pub(crate) fn of_application(&self) -> impl Iterator<Item = &FoundSdk> {
        let is_tool = |found: &FoundSdk| found.sdk == SdkId::CliV2;
        let only_tools = self.found.iter().all(is_tool);
        self.found.iter().filter(move |found| only_tools || !is_tool(found))
    }

    /// Which SDKs the application has, as far as was seen.
    pub(crate) fn application_sdks(&self) -> ApplicationSdks {
        let sdks: BTreeSet<SdkId> = self.of_application().map(|found| found.sdk).collect();
        ApplicationSdks::Found { sdks: sdks.into_iter().collect(), complete: self.is_certain() }
    }

    /// What is known without a scan, from the user.
    pub(crate) fn from_user(ExpectedSdk { sdk, version }: ExpectedSdk) -> Self {
        let place = "--expect-sdk".to_owned();
        let found = vec![FoundSdk { sdk, version, place, sts_module: None, evidence: SdkEvidence::Stated }];
        Self { found, ..Self::empty(None) }
    }

    /// What was found of this SDK; where that is nothing, what the user said.
    pub(crate) fn narrowed_to(mut self, said: ExpectedSdk) -> Self {
        self.found.retain(|found| found.sdk == said.sdk);
        // That the process uses it need not be shown.
        if self.runtime == RuntimeHint::Other {
            self.runtime = RuntimeHint::Unknown;
        }
        if self.found.is_empty() {
            self.found = Self::from_user(said).found;
        }
        self
    }

    /// A scan that found nothing for this reason.
    pub(crate) fn stopped(by: StoppedBy) -> Self {
        Self::empty(Some(by))
    }

    fn empty(stopped_by: Option<StoppedBy>) -> Self {
        let (runtime, found) = (RuntimeHint::Unknown, Vec::new());
        Self {
            runtime,
            found,
            stopped_by,
            entries: 0,
            bytes: 0,
            unreadable: 0,
            unseen: 0,
            closed_archives: 0,
        }
    }
}

/// The most SDKs that are listed; an image with more of them is not an application's.
const MAX_FOUND: usize = 64;

/// The longest text that is taken for a version: those that Go makes up for a commit have 40 bytes.
const MAX_VERSION_BYTES: usize = 128;

#[derive(Default)]
struct FoundSdks(Vec<FoundSdk>);

impl FoundSdks {
    fn add(&mut self, sdk: SdkId, version: Option<String>, place: String, how: SdkEvidence) {
        self.push(FoundSdk { sdk, version, place, sts_module: None, evidence: how });
    }

    fn push(&mut self, mut found: FoundSdk) {
        found.version = found.version.filter(|version| version.len() <= MAX_VERSION_BYTES);
        let is_known = self.0.iter().any(|known| known.sdk == found.sdk && known.version == found.version);
        if !is_known && self.0.len() < MAX_FOUND {
            self.0.push(found);
        }
    }
}

/// The path of a name in a folder, as text.
fn path_text(folder: &[u8], name: &[u8]) -> String {
    String::from_utf8_lossy(&[folder, b"/", name].concat()).into_owned()
}

/// Looks for AWS SDKs below the root, and in what the application's process runs, if there is one.
///
/// A Go program answers for itself, also if that is that it has none: whatever else lies in the image is not
/// what it uses, and is not looked at. Of Java, Python and Node.js only their own packages are looked for. A
/// program that cannot be opened may be one of those below the root, so that these are looked into. Blocks for
/// as long as the file system does: to be called in a thread of its own.
pub fn scan(root: OwnedFd, program: Option<Program>, budget: ScanBudget) -> Scan {
    let meter = Meter::new(budget, program.as_ref().is_some_and(|program| program.has_its_rights));
    let mut finds = FoundSdks::default();
    let mut runs = RuntimeHint::Unknown;
    let mut plan = walk::WalkPlan { runtime: runs, with_programs: true, first: None };
    if let Some(Program { file, path, working_directory, .. }) = program {
        runs = path.as_deref().map_or(RuntimeHint::Other, RuntimeHint::from_path);
        let file = file.and_then(|file| root::File::of_handle(file, &meter));
        if let Some(list) = file.as_ref().and_then(go::modules) {
            runs = RuntimeHint::Go;
            go::add_found(&list, "the process's executable", &mut finds);
        }
        let with_programs = file.is_none() && runs == RuntimeHint::Other;
        plan = walk::WalkPlan { runtime: runs, with_programs, first: working_directory };
    }
    let mut closed_archives = 0;
    if runs != RuntimeHint::Go {
        let root = Root::new(root, &meter);
        closed_archives = walk::Walk::new(&root, &meter, plan, &mut finds).run();
    }
    Scan {
        runtime: runs,
        found: finds.0,
        stopped_by: meter.stopped(),
        entries: meter.entries.get(),
        bytes: meter.bytes.get(),
        unreadable: meter.unreadable.get(),
        unseen: meter.unseen.get(),
        closed_archives,
    }
}

#[cfg(test)]
mod tests {
    use super::RuntimeHint;
    use std::path::Path;

    #[test]
    fn a_program_is_known_by_its_name() {
        for (path, runs) in [
            ("/usr/lib/jvm/17/bin/java", RuntimeHint::Java),
            ("/usr/bin/python3.11", RuntimeHint::Python),
            ("/opt/pypy/bin/pypy3", RuntimeHint::Python),
            ("/usr/local/bin/node", RuntimeHint::Node),
            ("/usr/local/bin/node (deleted)", RuntimeHint::Node),
            ("/usr/bin/javac", RuntimeHint::Other),
            ("/usr/bin/ruby", RuntimeHint::Other),
            ("/", RuntimeHint::Other),
        ] {
            assert_eq!(RuntimeHint::from_path(Path::new(path)), runs, "{path}");
        }
    }
}
