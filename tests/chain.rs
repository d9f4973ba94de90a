//! The chain against what the real SDKs did, through the real reading of files; and the command that
//! prints it, with what it asks the node.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, makes the files that are read, and takes more situations by a variable"
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
use testbed::scenario::Scenario;
use testbed::world::{Exit, Finished, World};
use tokio::time::Instant;

/// The 34 situations in which the real SDKs were run, with what each picked.
const MATRIX: &str = include_str!("recorded/sdk-matrix.json");

/// More of them, each with one condition, in a pod with a web identity and in one without: what 13 SDKs
/// picked when the conformance run asked them.
const SINGLES: &str = include_str!("recorded/sdk-singles.json");

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
    let (compared, differ) = differences(SINGLES).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
    assert_eq!(compared, 144 * 13);
}

/// More situations, in the form of the recorded ones, from the conformance run.
#[tokio::test]
async fn every_sdk_picks_what_it_picked_in_further_situations() {
    let Some(path) = std::env::var_os("SDK_MATRIX") else { return };
    let (compared, differ) = differences(&std::fs::read_to_string(Path::new(&path)).unwrap()).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
}

async fn run(toml: &str, args: &[&str]) -> (Finished, Vec<String>) {
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let finished = world.run(Path::new(env!("CARGO_BIN_EXE_irsa-probe")), args).await.unwrap();
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    let asked = world.node().map(testbed::node::Node::requests).unwrap_or_default();
    (finished, asked)
}

fn json(finished: &Finished) -> Value {
    serde_json::from_slice(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&finished.stdout)))
}

fn picks(answer: &Value, sdk: &str) -> String {
    let sdks = answer["sdks"].as_array().unwrap();
    let found = sdks.iter().find(|answer| answer["sdk"] == sdk).unwrap();
    assert!(found["because"].as_str().is_some_and(|because| because.ends_with('.')), "{found}");
    found["picks"].as_str().unwrap().to_owned()
}

const NODE: &str = "[node]\nrole = \"eks-node\"\n";
const IMDS_CALLS: [&str; 2] = ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/"];

#[tokio::test]
async fn every_sdk_is_listed_and_the_exit_code_says_nothing() {
    for (toml, boto, java, reachable) in [
        (format!("command = \"chain\"\n{NODE}"), "web-id", "web-id", true),
        ("command = \"chain\"\n[sts]\naccept = \"refused\"\n".to_owned(), "error", "IMDS", false),
        (format!("command = \"chain\"\n[role]\npresent = false\n{NODE}"), "error", "IMDS", true),
        (
            "command = \"chain\"\n[env]\nAWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = \"b\"\n"
                .to_owned(),
            "env",
            "env",
            false,
        ),
    ] {
        let (finished, asked) = run(&toml, &["--output", "json"]).await;
        let answer = json(&finished);
        assert_eq!(finished.status, Exit::Code(0), "{toml}");
        let ids: Vec<&str> = SdkId::ALL.iter().map(|id| id.as_str()).collect();
        let listed: Vec<&str> =
            answer["sdks"].as_array().unwrap().iter().map(|sdk| sdk["sdk"].as_str().unwrap()).collect();
        assert_eq!(listed, ids);
        assert_eq!(
            (picks(&answer, "boto"), picks(&answer, "jv2")),
            (boto.to_owned(), java.to_owned()),
            "{toml}"
        );
        assert_eq!(answer["node_role"]["reachable"], reachable, "{toml}");
        if reachable {
            assert_eq!(asked, IMDS_CALLS, "the node's credentials are not asked for");
        }
    }
}

#[tokio::test]
async fn the_table_is_for_people() {
    let (finished, _) = run("command = \"chain\"\n", &["--output", "text"]).await;
    let text = String::from_utf8_lossy(&finished.stdout);
    assert!(
        text.contains("boto") && text.contains("web-id") && text.contains("IMDS: not reachable"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[tokio::test]
async fn the_container_endpoint_is_asked_for_its_status_alone() {
    let toml = format!(
        "command = \"chain\"\nunset = [\"AWS_ROLE_ARN\", \"AWS_WEB_IDENTITY_TOKEN_FILE\"]\n[env]\n\
         AWS_CONTAINER_CREDENTIALS_FULL_URI = \"${{node_url}}/v1/credentials\"\n\
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = \"${{api_token}}\"\n{NODE}"
    );
    let (finished, asked) = run(&toml, &["--output", "json"]).await;
    let answer = json(&finished);
    assert_eq!(picks(&answer, "boto"), "container");
    assert_eq!(picks(&answer, "jv1"), "error", "this version sends no token from a file");
    assert!(asked.contains(&format!("GET {}", testbed::node::CREDENTIALS)), "{asked:?}");
}

#[tokio::test]
async fn imds_is_asked_after_a_failure_that_is_hidden_and_never_on_a_healthy_start() {
    let refused = format!("args = [\"--wait\", \"0s\"]\n[sts]\naccept = \"refused\"\n{NODE}");
    let disabled = format!("{refused}[env]\nAWS_EC2_METADATA_DISABLED = \"true\"\n");
    let mended = format!("[sts]\nassume = [{{ fault = \"reset\" }}, {{ verify = true }}]\n{NODE}");
    let unexpected = format!("args = [\"--expect-role-arn\", \"arn:aws:iam::111122223333:role/b\"]\n{NODE}");
    let unreachable = format!("{refused}hop_limit = 1\n");
    let by_v1 = format!("{unreachable}http_tokens = \"optional\"\n");
    for (toml, expected, hides) in [
        (NODE, &[][..], false),
        (&refused, &IMDS_CALLS, true),
        (&disabled, &[], false),
        (&mended, &[], false),
        (&unexpected, &[], false),
        (&unreachable, &IMDS_CALLS, false),
        (&by_v1, &IMDS_CALLS, true),
    ] {
        let (finished, asked) = run(toml, &["--output", "json"]).await;
        let warnings = json(&finished)["warnings"].to_string();
        assert_eq!(asked, expected, "{toml}");
        for expected in ["FallsToNodeRole", "NodeRoleReachable", "eks-node"] {
            assert_eq!(warnings.contains(expected), hides, "{toml}: {warnings}");
        }
        assert_eq!(warnings.contains("\"IMDSv1\""), toml == by_v1, "{warnings}");
    }
}

#[tokio::test]
async fn a_failure_of_the_expected_sdk_names_the_node_s_role() {
    let (finished, asked) = run(NODE, &["--output", "json", "--expect-sdk", "gov1old"]).await;
    let diagnosis = json(&finished)["diagnosis"].clone();
    assert_eq!((diagnosis["name"].as_str(), asked.len()), (Some("FallsToNodeRole"), 2), "{diagnosis}");
    assert_eq!(diagnosis["evidence"]["node_role"], "eks-node");
}

#[tokio::test]
async fn an_old_sdk_is_judged_by_its_version() {
    for (sdk, exit, name) in [
        ("boto@1.12.199", 11, "SdkTooOldForIrsa"),
        ("boto@1.12.200", 0, ""),
        ("boto", 0, ""),
        ("ruby@3.50.0", 11, "SdkTooOldForIrsa"),
        ("swift@0.1.0", 0, ""),
    ] {
        let (finished, asked) = run(NODE, &["--output", "json", "--expect-sdk", sdk]).await;
        let report = json(&finished);
        assert_eq!(finished.status, Exit::Code(exit), "{sdk}: {report}");
        assert_eq!(report["diagnosis"]["name"].as_str().unwrap_or_default(), name, "{sdk}");
        let hides = report["warnings"].to_string().contains("FallsToNodeRole");
        assert_eq!((hides, asked.is_empty()), (exit != 0, exit == 0), "{sdk}: {report}");
    }
}

#[tokio::test]
async fn an_expected_sdk_makes_a_failure_of_a_warning() {
    let keys = "[env]\nAWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = \"b\"\n";
    for (sdk, exit, name) in [
        ("boto@1.44.5", 11, "ShadowedByStaticKeys"),
        ("dotnet3", 0, ""),
        ("gov1old", 11, "ShadowedByStaticKeys"),
    ] {
        let (finished, _) = run(keys, &["--output", "json", "--expect-sdk", sdk]).await;
        let report = json(&finished);
        assert_eq!(finished.status, Exit::Code(exit), "{sdk}: {report}");
        assert_eq!(report["diagnosis"]["name"].as_str().unwrap_or_default(), name, "{sdk}");
    }
}
