//! The chain against what the real SDKs did, through the real reading of files.

#![expect(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "JSON is indexed, the test makes the files that are read, and more situations can be given by a variable"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use irsa_probe::chain::gather::{gather, pairs};
use irsa_probe::chain::situation::{Container, Reply, Situation, Trade};
use irsa_probe::chain::{SdkId, answer};
use irsa_probe::pod::{Clock, Pod};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

/// The 34 situations in which the real SDKs were run, with what each picked.
const MATRIX: &str = include_str!("recorded/sdk-matrix.json");

/// The region that is set unless a situation says otherwise.
const REGION: &str = "eu-west-1";
const STS_WORKS: &str = "http://127.0.0.1:18999/sts";

/// The files that situations name.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, content) in [
            ("token", include_str!("recorded/projected-token.jwt").trim_end().to_owned()),
            ("empty", String::new()),
            ("token-newline", include_str!("recorded/projected-token.jwt").trim_end().to_owned() + "\n"),
        ] {
            std::fs::write(files.path(name), content).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn filled(&self, text: &str) -> String {
        let path = |name: &str| self.path(name).to_string_lossy().into_owned();
        // Longest first: one is the beginning of another.
        text.replace("@TOKENNL", &path("token-newline"))
            .replace("@TOKEN", &path("token"))
            .replace("@EMPTY", &path("empty"))
            .replace("@PROCESS", "/bin/true")
    }
}

async fn situation(files: &Files, described: &Value) -> Situation {
    let home = tempfile::tempdir_in(files.0.path()).unwrap();
    for name in ["credentials", "config"] {
        if let Some(text) = described[format!("{name}_file")].as_str() {
            std::fs::create_dir_all(home.path().join(".aws")).unwrap();
            std::fs::write(home.path().join(".aws").join(name), files.filled(text)).unwrap();
        }
    }
    let mut env: BTreeMap<&str, Option<String>> = BTreeMap::from([
        ("AWS_REGION", Some(REGION.to_owned())),
        ("AWS_DEFAULT_REGION", Some(REGION.to_owned())),
        ("HOME", Some(home.path().to_string_lossy().into_owned())),
        ("STS", Some(STS_WORKS.to_owned())),
    ]);
    for (name, value) in described["env"].as_object().unwrap() {
        env.insert(name, value.as_str().map(|value| files.filled(value)));
    }
    let sts = env.remove("STS").flatten().unwrap();
    env.insert("AWS_ENDPOINT_URL_STS", Some(sts.clone()));
    let set = env.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let pod = Pod::recorded(set, Clock::Fixed(SystemTime::UNIX_EPOCH));
    let mut situation = gather(&pod, Instant::now() + Duration::from_secs(20)).await;
    for pair in pairs(&situation) {
        let trade = match sts.as_str() {
            sts if sts.ends_with("deny") => Trade::Refused("AccessDenied".to_owned()),
            sts if sts.ends_with(":1") => Trade::Unreachable("connection refused".to_owned()),
            _ => Trade::Given,
        };
        situation.trades.insert(pair, trade);
    }
    let reply = match situation.filled("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        Some(uri) if uri.ends_with("403") => Reply::Status(403),
        Some(uri) if uri.contains(":1/") || uri.ends_with(":1") => {
            Reply::Unreachable("connection refused".to_owned())
        }
        _ => Reply::Given,
    };
    situation.full = Container { with_token: reply.clone(), without_token: reply };
    situation.relative = Container { with_token: Reply::Given, without_token: Reply::Given };
    situation
}

async fn differences(matrix: &str) -> (usize, Vec<String>) {
    let files = Files::new();
    let matrix: Value = serde_json::from_str(matrix).unwrap();
    let (mut compared, mut differ) = (0, Vec::new());
    for (id, described) in matrix["situations"].as_object().unwrap() {
        let situation = situation(&files, described).await;
        for (sdk, picks) in described["winner"].as_object().unwrap() {
            let sdk = SdkId::parse(sdk).unwrap();
            let answer = answer(sdk, &situation);
            compared += 1;
            if answer.picks.as_str() != picks {
                differ.push(format!(
                    "{id} {}: the SDK {picks}, we {} [{}]\n    {}",
                    sdk.as_str(),
                    answer.picks.as_str(),
                    described["desc"],
                    answer.because
                ));
            }
        }
    }
    (compared, differ)
}

#[tokio::test]
async fn every_sdk_picks_what_it_really_picked() {
    let (compared, differ) = differences(MATRIX).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
    assert_eq!(compared, 34 * 13);
}

/// More situations, in the form of the recorded ones, from the conformance run.
#[tokio::test]
async fn every_sdk_picks_what_it_picked_in_further_situations() {
    let Some(path) = std::env::var_os("SDK_MATRIX") else { return };
    let (compared, differ) = differences(&std::fs::read_to_string(Path::new(&path)).unwrap()).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
}
