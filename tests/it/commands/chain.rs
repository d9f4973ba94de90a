//! The command that prints what each SDK picks, and what it asks the node and STS.

use sdk_chain::SdkId;
use serde_json::Value;
use testbed::node::{CREDENTIALS, Node};
use testbed::world::{Exit, Finished};

use crate::program::{self, json, world};
use crate::snapshot::assert_screen;

/// Runs the program in a world, and says what its node was asked.
async fn run(toml: &str, args: &[&str]) -> (Finished, Vec<String>) {
    let world = world(toml).await;
    let finished = program::run_in(&world, args).await;
    (finished, world.node().map(Node::requests).unwrap_or_default())
}

fn picks(answer: &Value, sdk: &str) -> String {
    let sdks = answer["sdks"].as_array().unwrap();
    let found = sdks.iter().find(|answer| answer["sdk"] == sdk).unwrap();
    assert!(found["because"].as_str().is_some_and(|because| because.ends_with('.')), "{found}");
    found["picks"].as_str().unwrap().to_owned()
}

const NODE: &str = "[node]\nrole = \"eks-node\"\n";
const IMDS_CALLS: [&str; 2] = ["PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/"];

/// A pod, and what its SDKs pick.
struct Listed {
    pod: &'static str,
    boto: &'static str,
    java_v2: &'static str,
    node_is_reachable: bool,
}

const LISTED: [Listed; 4] = [
    Listed {
        pod: "[node]\nrole = \"eks-node\"\n",
        boto: "web-id",
        java_v2: "web-id",
        node_is_reachable: true,
    },
    Listed { pod: "[sts]\naccept = \"refused\"\n", boto: "error", java_v2: "IMDS", node_is_reachable: false },
    Listed {
        pod: "[role]\npresent = false\n[node]\nrole = \"eks-node\"\n",
        boto: "error",
        java_v2: "IMDS",
        node_is_reachable: true,
    },
    Listed {
        pod: "[env]\nAWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = \"b\"\n",
        boto: "env",
        java_v2: "env",
        node_is_reachable: false,
    },
];

#[tokio::test]
async fn every_sdk_is_listed_and_the_exit_code_is_zero() {
    for Listed { pod, boto, java_v2, node_is_reachable } in LISTED {
        let (finished, asked) = run(&format!("command = \"chain\"\n{pod}"), &["--output", "json"]).await;
        let answer = json(&finished.stdout);
        assert_eq!(finished.status, Exit::Code(0), "{pod}");
        let listed = answer["sdks"].as_array().unwrap().iter().map(|sdk| sdk["sdk"].as_str().unwrap());
        assert!(listed.eq(SdkId::ALL.iter().map(|id| id.as_str())), "{answer}");
        assert_eq!(picks(&answer, "boto"), boto, "{pod}");
        assert_eq!(picks(&answer, "jv2"), java_v2, "{pod}");
        assert_eq!(answer["node_role"]["reachable"], node_is_reachable, "{pod}");
        if node_is_reachable {
            assert_eq!(asked, IMDS_CALLS, "the node's credentials are not asked for");
        }
    }
}

#[tokio::test]
async fn text_is_a_table() {
    let unreachable = world("command = \"chain\"\n").await;
    let finished = program::run_in(&unreachable, &["--output", "text"]).await;
    assert_screen("chain", &unreachable, &finished);
    let text = String::from_utf8_lossy(&finished.stdout);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");

    let reachable = world(&format!("command = \"chain\"\n[role]\npresent = false\n{NODE}")).await;
    let finished = program::run_in(&reachable, &["--output", "text"]).await;
    assert_screen("chain-without-role-on-a-node", &reachable, &finished);
}

#[tokio::test]
async fn only_the_status_of_the_container_endpoint_is_used() {
    let toml = format!(
        "command = \"chain\"\nunset = [\"AWS_ROLE_ARN\", \"AWS_WEB_IDENTITY_TOKEN_FILE\"]\n[env]\n\
         AWS_CONTAINER_CREDENTIALS_FULL_URI = \"${{node_url}}/v1/credentials\"\n\
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = \"${{api_token}}\"\n{NODE}"
    );
    let (finished, asked) = run(&toml, &["--output", "json"]).await;
    let answer = json(&finished.stdout);
    assert_eq!(picks(&answer, "boto"), "container");
    assert_eq!(picks(&answer, "jv1"), "error", "this version sends no token from a file");
    assert!(asked.contains(&format!("GET {}", CREDENTIALS)), "{asked:?}");
}

#[tokio::test]
async fn imds_is_called_only_after_a_hidden_failure() {
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
        let warnings = json(&finished.stdout)["warnings"].to_string();
        assert_eq!(asked, expected, "{toml}");
        for expected in ["FallsToNodeRole", "NodeRoleReachable", "eks-node"] {
            assert_eq!(warnings.contains(expected), hides, "{toml}: {warnings}");
        }
        assert_eq!(warnings.contains("\"IMDSv1\""), toml == by_v1, "{warnings}");
    }
}

#[tokio::test]
async fn sigterm_ends_chain_while_sts_hangs() {
    let toml = "command = \"chain\"\nsignal_after_ms = 600\n[sts]\naccept = \"hang\"\n";
    let (finished, _) = run(toml, &["--timeout", "30s"]).await;
    assert_eq!((finished.status, finished.stdout.len()), (Exit::Code(143), 0));
}

#[tokio::test]
async fn expected_sdk_that_falls_back_names_the_node_role() {
    let (finished, asked) = run(NODE, &["--output", "json", "--expect-sdk", "gov1old"]).await;
    let diagnosis = json(&finished.stdout)["diagnosis"].clone();
    assert_eq!((diagnosis["name"].as_str(), asked.len()), (Some("FallsToNodeRole"), 2), "{diagnosis}");
    assert_eq!(diagnosis["evidence"]["node_role"], "eks-node");
}

#[tokio::test]
async fn sdk_version_decides_irsa_support() {
    for (sdk, exit, name) in [
        ("boto@1.12.199", 11, "SdkTooOldForIrsa"),
        ("boto@1.12.200", 0, ""),
        ("boto", 0, ""),
        ("ruby@3.50.0", 11, "SdkTooOldForIrsa"),
        ("swift@0.1.0", 0, ""),
    ] {
        let (finished, asked) = run(NODE, &["--output", "json", "--expect-sdk", sdk]).await;
        let report = json(&finished.stdout);
        assert_eq!(finished.status, Exit::Code(exit), "{sdk}: {report}");
        assert_eq!(report["diagnosis"]["name"].as_str().unwrap_or_default(), name, "{sdk}");
        let hides = report["warnings"].to_string().contains("FallsToNodeRole");
        assert_eq!((hides, asked.is_empty()), (exit != 0, exit == 0), "{sdk}: {report}");
    }
}

#[tokio::test]
async fn expected_sdk_turns_warning_into_failure() {
    let keys = "[env]\nAWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = \"b\"\n";
    for (sdk, exit, name) in [
        ("boto@1.44.5", 11, "ShadowedByStaticKeys"),
        ("dotnet3", 0, ""),
        ("gov1old", 11, "ShadowedByStaticKeys"),
    ] {
        let (finished, _) = run(keys, &["--output", "json", "--expect-sdk", sdk]).await;
        let report = json(&finished.stdout);
        assert_eq!(finished.status, Exit::Code(exit), "{sdk}: {report}");
        assert_eq!(report["diagnosis"]["name"].as_str().unwrap_or_default(), name, "{sdk}");
    }
}
