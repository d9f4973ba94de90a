//! The application's SDK can use the role: it is new enough, and has the module that it needs for that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::chain::situation::Lack;
use crate::chain::{SdkId, Used};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::sdk::{SdkLacksStsModule, SdkTooOldForIrsa, SdkUnknown};
use crate::evidence::Evidence;
use crate::plan::Wanted;
use crate::pod::{Pod, ReadError};
use crate::run::{Budget, Observed, Verdict};
use crate::sdk::packages::{is_too_old, minimum, package, sts_module};
use crate::sdk::{FoundSdk, How, SaidSdk, Scan, ScanBudget, ScanEnd, StoppedBy, scan};
use crate::shown::shown;

/// How long before the end of its time a scan ends by itself, so that what it found is not lost.
const TO_HAND_OVER: Duration = Duration::from_millis(50);

/// The application, as far as it is known where or what it is, and which SDK it has: that is looked for
/// once, however many attempts there are.
#[derive(Debug)]
pub struct Application {
    known: Known,
    scan: OnceCell<Scan>,
}

/// What is known of an application.
#[derive(Debug)]
enum Known {
    /// Below which folder it is.
    Root(PathBuf),
    /// Its SDK.
    Sdk(SaidSdk),
    /// Both.
    Both(PathBuf, SaidSdk),
}

impl Application {
    /// The application that the user names, or whose process is looked through, if there is either.
    #[must_use]
    pub fn of(pod: &Pod, wanted: &Wanted) -> Option<Self> {
        let said = wanted.expect_sdk.clone();
        let of_target = || pod.target().map(|_| PathBuf::from("/"));
        let root = wanted.sdk_root.clone().or_else(of_target);
        // Who says the version has looked.
        let root = root.filter(|_| said.as_ref().is_none_or(|said| said.version.is_none()));
        let known = match (root, said) {
            (None, None) => return None,
            (Some(root), None) => Known::Root(root),
            (None, Some(said)) => Known::Sdk(said),
            (Some(root), Some(said)) => Known::Both(root, said),
        };
        Some(Self { known, scan: OnceCell::new() })
    }

    /// The SDKs that it has.
    pub async fn scan(&self, pod: &Pod, budget: Budget) -> &Scan {
        let look = async || match &self.known {
            Known::Root(root) => observe(pod, root.clone(), budget).await,
            Known::Sdk(said) => Scan::said(said.clone()),
            Known::Both(root, said) => observe(pod, root.clone(), budget).await.of(said.clone()),
        };
        self.scan.get_or_init(look).await
    }

    /// What was found, if it was looked for.
    #[must_use]
    pub fn into_scan(self) -> Option<Scan> {
        self.scan.into_inner()
    }

    /// Which SDKs it has, by a scan.
    #[must_use]
    pub fn used(&self, scan: &Scan) -> Used {
        match &self.known {
            Known::Sdk(said) | Known::Both(_, said) => Used::Said(said.sdk),
            Known::Root(_) => scan.used(),
        }
    }
}

async fn observe(pod: &Pod, root: PathBuf, budget: Budget) -> Scan {
    let until = budget.until();
    let bounds = ScanBudget::usual(until.into_std().checked_sub(TO_HAND_OVER).unwrap_or(until.into_std()));
    let seen = pod.look_below(&root, until, move |root, program| scan(root, program, bounds)).await;
    seen.unwrap_or_else(|error| {
        Scan::stopped(match error {
            ReadError::Slow => StoppedBy::Time,
            _ => StoppedBy::Root,
        })
    })
}

impl Observed for Scan {
    fn evidence(&self) -> Evidence {
        let lines: Vec<String> = self.found.iter().map(FoundSdk::line).collect();
        let evidence = Evidence::new()
            .texts("sdks", &lines)
            .value("entries_seen", self.entries)
            .value("bytes_read", self.bytes)
            .value("unreadable", self.unreadable);
        match self.end {
            ScanEnd::Whole => evidence,
            ScanEnd::Stopped(by) => evidence.value("stopped_by", by.as_str()),
        }
    }
}

/// Whether an SDK can use the role.
enum Use {
    Can,
    Cannot(Lack),
    /// Its version is not known.
    Unknown,
}

fn can_use(found: &FoundSdk) -> Use {
    if found.sts_module == Some(false)
        && let Some(module) = sts_module(found.sdk)
    {
        return Use::Cannot(Lack::Module(module));
    }
    let is_too_old = found.version.as_deref().and_then(|version| is_too_old(found.sdk, version));
    match (is_too_old, minimum(found.sdk)) {
        (Some(true), Some(least)) => {
            let version = found.version.as_deref().map(shown).unwrap_or_default();
            Use::Cannot(Lack::TooOld { package: format!("{} {version}", package(found.sdk)), least })
        }
        (Some(_), _) | (None, None) => Use::Can,
        // Code that a bundler took over is found by the variables that it reads; and who says which SDK
        // it is, says so of one that is meant to use the role.
        (None, Some(_)) if matches!(found.how, How::BundledCode | How::Said) => Use::Can,
        (None, Some(_)) => Use::Unknown,
    }
}

/// The SDKs that were found in no copy that can use the role, and why not.
#[must_use]
pub fn lacks(scan: &Scan) -> BTreeMap<SdkId, Lack> {
    let mut lacks = BTreeMap::new();
    for found in &scan.found {
        for sdk in in_every_use(found.sdk) {
            match can_use(found) {
                Use::Cannot(lack) => drop(lacks.entry(*sdk).or_insert(Some(lack))),
                Use::Can | Use::Unknown => drop(lacks.insert(*sdk, None)),
            }
        }
    }
    lacks.into_iter().filter_map(|(sdk, lack)| Some((sdk, lack?))).collect()
}

/// The ids of an SDK in all the ways in which it may be used.
fn in_every_use(sdk: SdkId) -> &'static [SdkId] {
    match sdk {
        SdkId::GoV1 => &[SdkId::GoV1, SdkId::GoV1LoadConfig, SdkId::GoV1Old],
        SdkId::JsV2 => &[SdkId::JsV2, SdkId::JsV2LoadConfig],
        other => SdkId::ALL.iter().find(|id| **id == other).map_or(&[], std::slice::from_ref),
    }
}

fn diagnosis(found: &FoundSdk, lack: Lack, scan: &Scan) -> Diagnosis {
    let (found, scan) = (found.clone(), scan.clone());
    match lack {
        Lack::TooOld { least, .. } => SdkTooOldForIrsa { found, least, scan }.into(),
        Lack::Module(module) => SdkLacksStsModule { found, module, scan }.into(),
    }
}

/// Judges what was found. It is a failure if everything was seen and no SDK there can use the role; where
/// another one can, the application may use that, and it is a warning.
#[must_use]
pub fn judge(scan: &Scan) -> Verdict<Scan> {
    let mut faults = Vec::new();
    let (mut can, mut unknown) = (false, false);
    for found in &scan.found {
        match can_use(found) {
            Use::Can => can = true,
            Use::Cannot(lack) => faults.push(diagnosis(found, lack, scan)),
            Use::Unknown => unknown = true,
        }
    }
    let is_certain = scan.end == ScanEnd::Whole && !can && !unknown;
    if is_certain && !faults.is_empty() {
        return Verdict::Fail(faults.swap_remove(0));
    }
    if faults.is_empty() && !can {
        faults.push(SdkUnknown { scan: scan.clone() }.into());
    }
    Verdict::holds(scan.clone(), faults)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::chain::SdkId;
    use crate::run::Verdict;
    use crate::sdk::{FoundSdk, How, Scan, ScanEnd, StoppedBy};

    fn found(sdk: SdkId, version: Option<&str>, sts_module: Option<bool>, how: How) -> FoundSdk {
        FoundSdk { sdk, version: version.map(str::to_owned), place: "/app".to_owned(), sts_module, how }
    }

    fn names(found: Vec<FoundSdk>, end: ScanEnd) -> (&'static str, Vec<&'static str>) {
        match judge(&Scan { found, end, entries: 1, bytes: 1, unreadable: 0 }) {
            Verdict::Pass(_) => ("pass", vec![]),
            Verdict::Warn(_, found) => ("warn", found.iter().map(|found| found.name().as_str()).collect()),
            Verdict::Fail(found) => ("fail", vec![found.name().as_str()]),
        }
    }

    #[test]
    fn each_sdk_is_judged_by_its_own_least_version_and_module() {
        let metadata = How::PackageMetadata;
        let old = || found(SdkId::Boto, Some("1.12.199"), None, metadata);
        let new = || found(SdkId::Boto, Some("1.44.5"), None, metadata);
        let java = |version, sts| found(SdkId::JavaV2, Some(version), sts, How::Archive);
        let whole = ScanEnd::Whole;
        let stopped = ScanEnd::Stopped(StoppedBy::Entries);
        for (sdks, end, expected) in [
            (vec![new()], whole, ("pass", vec![])),
            (vec![old()], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![old()], stopped, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![old(), new()], whole, ("warn", vec!["SdkTooOldForIrsa"])),
            (vec![java("2.31.78", Some(true))], whole, ("pass", vec![])),
            (vec![java("2.31.78", Some(false))], whole, ("fail", vec!["SdkLacksStsModule"])),
            (vec![java("2.31.78", None)], stopped, ("pass", vec![])),
            (vec![java("2.9.1", Some(true))], whole, ("fail", vec!["SdkTooOldForIrsa"])),
            (vec![], whole, ("warn", vec!["SdkUnknown"])),
            (vec![], stopped, ("warn", vec!["SdkUnknown"])),
            (vec![found(SdkId::GoV2, None, None, How::BuildInfo)], whole, ("pass", vec![])),
            (vec![found(SdkId::JsV3, None, None, How::BundledCode)], whole, ("pass", vec![])),
            (vec![found(SdkId::JsV3, None, None, metadata)], whole, ("warn", vec!["SdkUnknown"])),
            (vec![found(SdkId::Boto, Some("x"), None, metadata)], whole, ("warn", vec!["SdkUnknown"])),
            (
                vec![old(), found(SdkId::JsV3, None, None, metadata)],
                whole,
                ("warn", vec!["SdkTooOldForIrsa"]),
            ),
        ] {
            assert_eq!(names(sdks.clone(), end), expected, "{sdks:?} {end:?}");
        }
    }
}
