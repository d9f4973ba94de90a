//! The application's SDK can use the role: it is new enough, and has the module for web identities.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::sdk::{SdkLacksStsModule, SdkTooOldForIrsa, SdkUnknown};
use crate::evidence::{Evidence, HasEvidence};
use crate::host::{Pod, ReadError};
use crate::run::Verdict;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;
use crate::sdk_scan::packages::{IrsaSupport, irsa_support, minimum_version, package, sts_module};
use crate::sdk_scan::{ExpectedSdk, FoundSdk, RuntimeHint, Scan, ScanBudget, SdkEvidence, StoppedBy, scan};
use crate::text::sanitize;
use sdk_chain::situation::SdkLimitation;
use sdk_chain::{ApplicationSdks, SdkId};

/// How long before its deadline a scan stops, so that it can return what it found.
const TIME_TO_RETURN: Duration = Duration::from_millis(50);

/// The application: where it is or which SDK it has. Its files are searched once, however many attempts
/// there are.
#[derive(Debug)]
pub(crate) struct Application {
    known: KnownApplication,
    scan: OnceCell<Scan>,
}

/// What the user or the process says of an application.
#[derive(Debug)]
enum KnownApplication {
    /// The folder that it is below.
    Root(PathBuf),
    /// Its SDK, and what a search would say of that.
    Sdk(ExpectedSdk, Box<Scan>),
    Both(PathBuf, ExpectedSdk),
}

impl Application {
    /// The application that the user names, or whose process is inspected, if there is either.
    pub(crate) fn of(pod: &Pod, options: &CheckOptions) -> Option<Self> {
        let expected = options.expect_sdk.clone();
        let of_target = || pod.target().map(|_| PathBuf::from("/"));
        let root = options.sdk_root.clone().or_else(of_target);
        // A user who states the version has searched already.
        let root = root.filter(|_| expected.as_ref().is_none_or(|expected| expected.version.is_none()));
        let known = match (root, expected) {
            (None, None) => return None,
            (Some(root), None) => KnownApplication::Root(root),
            (None, Some(sdk)) => KnownApplication::Sdk(sdk.clone(), Box::new(Scan::from_user(sdk))),
            (Some(root), Some(sdk)) => KnownApplication::Both(root, sdk),
        };
        Some(Self { known, scan: OnceCell::new() })
    }

    /// Which SDKs it has, in which copies. Searches the files at most once.
    pub(crate) async fn scan(&self, probe: &Probe<'_>) -> &Scan {
        match &self.known {
            KnownApplication::Sdk(_, scan) => scan,
            KnownApplication::Root(root) => self.scan.get_or_init(|| search(probe, root)).await,
            KnownApplication::Both(root, sdk) => {
                self.scan.get_or_init(async || search(probe, root).await.narrowed_to(sdk.clone())).await
            }
        }
    }

    /// What a search of its files found, if they were searched.
    pub(crate) fn into_scan(self) -> Option<Scan> {
        self.scan.into_inner()
    }

    /// Which SDKs it uses: the one that the user names, or those that the scan found.
    pub(crate) fn sdks(&self, scan: &Scan) -> ApplicationSdks {
        match &self.known {
            KnownApplication::Sdk(sdk, _) | KnownApplication::Both(_, sdk) => {
                ApplicationSdks::Stated(sdk.sdk)
            }
            KnownApplication::Root(_) => scan.application_sdks(),
        }
    }
}

async fn search(probe: &Probe<'_>, root: &Path) -> Scan {
    let until = probe.step_deadline();
    let bounds =
        ScanBudget::standard(until.into_std().checked_sub(TIME_TO_RETURN).unwrap_or(until.into_std()));
    let seen = probe.pod.with_folder(root, until, move |root, program| scan(root, program, bounds)).await;
    seen.unwrap_or_else(|error| {
        Scan::stopped(match error {
            ReadError::TimedOut => StoppedBy::Time,
            ReadError::NotFound(_) => StoppedBy::Missing,
            ReadError::Denied(_) => StoppedBy::Denied,
            _ => StoppedBy::Root,
        })
    })
}

impl HasEvidence for Scan {
    fn evidence(&self) -> Evidence {
        let lines: Vec<String> = self.found.iter().map(FoundSdk::describe).collect();
        let evidence = Evidence::new().texts("sdks", &lines);
        if self.found.iter().any(|found| found.evidence == SdkEvidence::Stated)
            && self.stopped_by.is_none()
            && self.entries == 0
        {
            return evidence;
        }
        evidence
            .value("entries_seen", self.entries)
            .value("bytes_read", self.bytes)
            .value("unreadable", self.unreadable)
            .value("closed_archives", self.closed_archives)
            .value_if("stopped_by", self.stopped_by.map(StoppedBy::as_str))
    }
}

enum SdkUse {
    Can,
    Cannot(SdkLimitation),
    /// Perhaps it cannot, because of this.
    Doubtful(SdkLimitation),
    Unknown,
}

fn sdk_use(found: &FoundSdk, scan: &Scan) -> SdkUse {
    let limitation = |minimum| {
        let version = found.version.as_deref().map(sanitize).unwrap_or_default();
        SdkLimitation::TooOld { package: format!("{} {version}", package(found.sdk)), minimum }
    };
    // The version comes first: a module does not help an SDK that is older than IRSA.
    let support = found.version.as_deref().and_then(|version| irsa_support(found.sdk, version));
    match (support, minimum_version(found.sdk)) {
        (Some(IrsaSupport::TooOld), Some(minimum)) => {
            return SdkUse::Cannot(limitation(minimum));
        }
        (Some(IrsaSupport::Undocumented), Some(minimum)) => {
            return SdkUse::Doubtful(limitation(minimum));
        }
        _ => {}
    }
    let is_searched =
        matches!(found.evidence, SdkEvidence::Archive | SdkEvidence::Classes) && scan.stopped_by.is_none();
    match (sts_module(found.sdk), found.sts_module) {
        (Some(module), Some(false)) => return SdkUse::Cannot(SdkLimitation::MissingModule(module)),
        (Some(module), None) if is_searched => return SdkUse::Doubtful(SdkLimitation::MissingModule(module)),
        _ => {}
    }
    match (support, minimum_version(found.sdk)) {
        (Some(_), _) | (None, None) => SdkUse::Can,
        // Bundled code is found by the variables that it reads. A user states only an SDK that should use the role.
        // In Java version 2, the class for web identities came with the first version that reads the variables.
        _ if matches!(found.evidence, SdkEvidence::BundledCode | SdkEvidence::Stated) => SdkUse::Can,
        _ if found.sdk == SdkId::JavaV2 && found.sts_module == Some(true) => SdkUse::Can,
        _ => SdkUse::Unknown,
    }
}

/// The SDKs that cannot use the role in any of their copies, and why.
pub(crate) fn sdk_limitations(scan: &Scan) -> BTreeMap<SdkId, SdkLimitation> {
    // The files beside a process of another language are not used by it.
    let found = scan.found.iter().filter(|_| scan.runtime != RuntimeHint::Other);
    let mut limitations = BTreeMap::new();
    for found in found {
        for sdk in ids_of_same_sdk(found.sdk) {
            match sdk_use(found, scan) {
                SdkUse::Cannot(limitation) => drop(limitations.entry(*sdk).or_insert(Some(limitation))),
                SdkUse::Can | SdkUse::Doubtful(_) | SdkUse::Unknown => drop(limitations.insert(*sdk, None)),
            }
        }
    }
    limitations.into_iter().filter_map(|(sdk, limitation)| Some((sdk, limitation?))).collect()
}

/// The ids of an SDK, one for each way to use it.
fn ids_of_same_sdk(sdk: SdkId) -> &'static [SdkId] {
    match sdk {
        SdkId::GoV1 => &[SdkId::GoV1, SdkId::GoV1LoadConfig, SdkId::GoV1Old],
        SdkId::JsV2 => &[SdkId::JsV2, SdkId::JsV2LoadConfig],
        other => SdkId::ALL.iter().find(|id| **id == other).map_or(&[], std::slice::from_ref),
    }
}

fn limitation_diagnosis(found: &FoundSdk, limitation: SdkLimitation, scan: &Scan) -> Diagnosis {
    let (found, scan) = (found.clone(), scan.clone());
    match limitation {
        SdkLimitation::TooOld { minimum, .. } => SdkTooOldForIrsa { found, least: minimum, scan }.into(),
        SdkLimitation::MissingModule(module) => SdkLacksStsModule { found, module, scan }.into(),
    }
}

/// Judges what was found. If no SDK can use the role, and the application certainly has no other, this is a failure.
/// If another SDK can, the application might use that one, and this is a warning.
pub(crate) fn judge(scan: &Scan) -> Verdict<Scan> {
    let mut faults = Vec::new();
    let (mut can, mut may) = (false, false);
    for found in scan.of_application() {
        match sdk_use(found, scan) {
            SdkUse::Can => can = true,
            SdkUse::Cannot(limitation) => faults.push(limitation_diagnosis(found, limitation, scan)),
            SdkUse::Doubtful(limitation) => {
                may = true;
                faults.push(limitation_diagnosis(found, limitation, scan));
            }
            SdkUse::Unknown => may = true,
        }
    }
    if scan.is_certain() && !can && !may && !faults.is_empty() {
        return Verdict::Fail(faults.swap_remove(0));
    }
    // An SDK that an incomplete search found is perhaps not the one that the application uses.
    let is_its = can && scan.stopped_by.is_none() && scan.runtime != RuntimeHint::Other;
    if faults.is_empty() && !is_its {
        faults.push(SdkUnknown { scan: scan.clone() }.into());
    }
    Verdict::holds(scan.clone(), faults)
}

#[cfg(test)]
mod tests {
    use super::{judge, sdk_limitations};
    use crate::run::Verdict;
    use crate::sdk_scan::{FoundSdk, RuntimeHint, Scan, SdkEvidence, StoppedBy};
    use sdk_chain::SdkId;

    fn found(sdk: SdkId, version: Option<&str>, sts_module: Option<bool>, how: SdkEvidence) -> FoundSdk {
        FoundSdk {
            sdk,
            version: version.map(str::to_owned),
            place: "/app".to_owned(),
            sts_module,
            evidence: how,
        }
    }

    fn scan(found: Vec<FoundSdk>, stopped_by: Option<StoppedBy>) -> Scan {
        let runtime = RuntimeHint::Unknown;
        Scan {
            runtime,
            found,
            stopped_by,
            entries: 1,
            bytes: 1,
            unreadable: 0,
            unseen: 0,
            closed_archives: 0,
        }
    }

    fn names(scan: &Scan) -> (&'static str, Vec<&'static str>) {
        match judge(scan) {
            Verdict::Pass(_) => ("pass", vec![]),
            Verdict::Warn(_, found) => ("warn", found.iter().map(|found| found.name().as_str()).collect()),
            Verdict::Fail(found) => ("fail", vec![found.name().as_str()]),
        }
    }

    #[test]
    fn each_sdk_is_judged_by_its_own_least_version_and_module() {
        let metadata = SdkEvidence::PackageMetadata;
        let boto = |version| found(SdkId::Boto, Some(version), None, metadata);
        let (old, new) = (|| boto("1.12.199"), || boto("1.44.5"));
        let js = |version| found(SdkId::JsV3, Some(version), None, metadata);
        let cli = || found(SdkId::CliV2, Some("2.27.1"), None, metadata);
        let java = |version, sts| found(SdkId::JavaV2, version, sts, SdkEvidence::Archive);
        let jv1 = |version, sts| found(SdkId::JavaV1, version, sts, SdkEvidence::Archive);
        let said = |sdk, version| found(sdk, version, None, SdkEvidence::Stated);
        let whole = None;
        let stopped = Some(StoppedBy::Entries);
        for (sdks, end, expected) in [
            (vec![new()], whole, ("pass", vec![])),
            (vec![new()], stopped, ("warn", vec!["SdkUnknown"])),
            (vec![old()], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![old()], stopped, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![old(), new()], whole, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![cli()], whole, ("pass", vec![])),
            (vec![cli(), old()], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![js("3.14.0")], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![js("3.26.0")], whole, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![js("3.14.0"), js("3.26.0")], whole, ("warn", vec!["SdkTooOldForIrsa", "SdkTooOldForIrsa"])),
            (vec![java(Some("2.31.78"), Some(true))], whole, ("pass", vec![])),
            (vec![java(Some("2.31.78"), Some(false))], whole, ("fail", vec!["SdkLacksStsModule"])),
            (vec![java(Some("2.31.78"), None)], whole, ("warn", vec!["SdkLacksStsModule"])),
            (vec![java(Some("2.31.78"), None)], stopped, ("warn", vec!["SdkUnknown"])),
            (vec![java(Some("2.9.1"), Some(true))], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![java(Some("2.10.10"), Some(false))], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![java(None, Some(true))], whole, ("pass", vec![])),
            (vec![java(None, Some(false))], whole, ("fail", vec!["SdkLacksStsModule"])),
            (vec![jv1(None, Some(true))], whole, ("warn", vec!["SdkUnknown"])),
            (vec![jv1(Some("1.11.703"), Some(true))], whole, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![], whole, ("warn", vec!["SdkUnknown"])),
            (vec![], stopped, ("warn", vec!["SdkUnknown"])),
            (vec![found(SdkId::GoV2, None, None, SdkEvidence::BuildInfo)], whole, ("pass", vec![])),
            (vec![found(SdkId::JsV3, None, None, SdkEvidence::BundledCode)], whole, ("pass", vec![])),
            (vec![found(SdkId::JsV3, None, None, metadata)], whole, ("warn", vec!["SdkUnknown"])),
            (vec![boto("x")], whole, ("warn", vec!["SdkUnknown"])),
            (vec![said(SdkId::JavaV2, Some("2.31.78"))], whole, ("pass", vec![])),
            (vec![said(SdkId::Ruby, Some("3.50.0"))], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (
                vec![old(), found(SdkId::JsV3, None, None, metadata)],
                whole,
                ("warn", vec!["SdkTooOldForIrsa"]),
            ),
        ] {
            assert_eq!(names(&scan(sdks.clone(), end)), expected, "{sdks:?} {end:?}");
        }
    }

    #[test]
    fn only_what_is_certain_is_a_failure() {
        let old = || scan(vec![found(SdkId::Boto, Some("1.12.199"), None, SdkEvidence::Source)], None);
        let new = || scan(vec![found(SdkId::Boto, Some("1.44.5"), None, SdkEvidence::Source)], None);
        for (runs, unseen, if_old, if_new) in [
            (RuntimeHint::Unknown, 0, "fail", "pass"),
            (RuntimeHint::Python, 0, "fail", "pass"),
            (RuntimeHint::Python, 1, "warn", "pass"),
            (RuntimeHint::Unknown, 1, "warn", "pass"),
            (RuntimeHint::Other, 0, "warn", "warn"),
        ] {
            let (old, new) =
                (Scan { runtime: runs, unseen, ..old() }, Scan { runtime: runs, unseen, ..new() });
            assert_eq!((names(&old).0, names(&new).0), (if_old, if_new), "{runs:?} {unseen}");
            assert_eq!(old.application_sdks().is_complete(), if_old == "fail", "{runs:?} {unseen}");
            assert_eq!(sdk_limitations(&old).len(), usize::from(runs != RuntimeHint::Other), "{runs:?}");
        }
    }
}
