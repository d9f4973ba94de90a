//! The application's SDK can use the role: it is new enough, and has the module that it needs for that.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::sdk::{SdkLacksStsModule, SdkTooOldForIrsa, SdkUnknown};
use crate::evidence::Evidence;
use crate::pod::{Pod, ReadError};
use crate::run::{Budget, Observed, Verdict};
use crate::sdk::minimum::{is_too_old, minimum};
use crate::sdk::{FoundSdk, How, Scan, ScanBudget, ScanEnd, StoppedBy, scan};

/// How long before the end of its time a scan ends by itself, so that what it found is not lost.
const TO_HAND_OVER: Duration = Duration::from_millis(50);

/// Where the application is, and what was found there: it is looked for once, however many attempts
/// there are.
#[derive(Debug)]
pub struct Application {
    root: PathBuf,
    scan: OnceCell<Scan>,
}

impl Application {
    /// An application whose files are below this folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, scan: OnceCell::new() }
    }

    /// The SDKs that it has.
    pub async fn scan(&self, pod: &Pod, budget: Budget) -> &Scan {
        self.scan.get_or_init(|| observe(pod, self.root.clone(), budget)).await
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
    Cannot(Diagnosis),
    /// Its version is not known.
    Unknown,
}

fn judge_one(found: &FoundSdk, scan: &Scan) -> Use {
    if found.sts_module == Some(false)
        && let Some(module) = found.sdk.sts_module()
    {
        return Use::Cannot(SdkLacksStsModule { found: found.clone(), module, scan: scan.clone() }.into());
    }
    let version = found.version.as_deref();
    match (version.and_then(|version| is_too_old(found.sdk, version)), minimum(found.sdk)) {
        (Some(true), Some(least)) => {
            Use::Cannot(SdkTooOldForIrsa { found: found.clone(), least, scan: scan.clone() }.into())
        }
        (Some(_), _) | (None, None) => Use::Can,
        // Code that a bundler took over is found by the variables that it reads.
        (None, Some(_)) if found.how == How::BundledCode => Use::Can,
        (None, Some(_)) => Use::Unknown,
    }
}

/// Judges what was found. It is a failure if everything was seen and no SDK there can use the role; where
/// another one can, the application may use that, and it is a warning.
#[must_use]
pub fn judge(scan: &Scan) -> Verdict<Scan> {
    let mut faults = Vec::new();
    let (mut can, mut unknown) = (false, false);
    for found in &scan.found {
        match judge_one(found, scan) {
            Use::Can => can = true,
            Use::Cannot(diagnosis) => faults.push(diagnosis),
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
    use crate::run::Verdict;
    use crate::sdk::{FoundSdk, How, Scan, ScanEnd, Sdk, StoppedBy};

    fn found(sdk: Sdk, version: Option<&str>, sts_module: Option<bool>, how: How) -> FoundSdk {
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
        let old = || found(Sdk::Boto, Some("1.12.199"), None, metadata);
        let new = || found(Sdk::Boto, Some("1.44.5"), None, metadata);
        let java = |version, sts| found(Sdk::JavaV2, Some(version), sts, How::Archive);
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
            (vec![found(Sdk::GoV2, None, None, How::BuildInfo)], whole, ("pass", vec![])),
            (vec![found(Sdk::JsV3, None, None, How::BundledCode)], whole, ("pass", vec![])),
            (vec![found(Sdk::JsV3, None, None, metadata)], whole, ("warn", vec!["SdkUnknown"])),
            (vec![found(Sdk::Boto, Some("x"), None, metadata)], whole, ("warn", vec!["SdkUnknown"])),
            (vec![old(), found(Sdk::JsV3, None, None, metadata)], whole, ("warn", vec!["SdkTooOldForIrsa"])),
        ] {
            assert_eq!(names(sdks.clone(), end), expected, "{sdks:?} {end:?}");
        }
    }
}
