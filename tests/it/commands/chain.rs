//! The chain against what the real SDKs did, through the real reading of files; and the command that
//! prints it, with what it asks the node.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use irsa_probe::host::{Clock, Pod};
use irsa_probe::probes::chain_input::{read_chain_input, roles_and_tokens};
use sdk_chain::situation::{ChainInput, ContainerEndpoint, EndpointReply, TokenExchange};
use sdk_chain::{SdkId, resolve};
use serde_json::Value;
use tempfile::TempDir;
use testbed::scenario::Scenario;
use testbed::world::{Exit, Finished, World};
use tokio::time::Instant;

/// The 34 situations in which the real SDKs were run, with what each picked.
const MATRIX: &str = include_str!("../../../crates/sdk-chain/tests/recorded/sdk-matrix.json");

/// More of them, each with one condition, in a pod with a web identity and in one without: what 13 SDKs
/// picked when the conformance run asked them.
const SINGLES: &str = include_str!("../../../crates/sdk-chain/tests/recorded/sdk-singles.json");

/// Situations written by hand: half of something, and spellings that parsers differ about.
const WRITTEN: &str = include_str!("../../../crates/sdk-chain/tests/recorded/sdk-written.json");

/// The region that is set unless a situation says otherwise.
const REGION: &str = "eu-west-1";
const STS_WORKS: &str = "http://127.0.0.1:18999/sts";

/// The files that situations name.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, content) in [
            ("token", include_str!("../../recorded/projected-token.jwt").trim_end().to_owned()),
            ("empty", String::new()),
            (
                "token-newline",
                include_str!("../../recorded/projected-token.jwt").trim_end().to_owned() + "\n",
            ),
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

async fn situation(files: &Files, described: &Value) -> ChainInput {
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
    let mut situation = read_chain_input(&pod, Instant::now() + Duration::from_secs(20)).await;
    for pair in roles_and_tokens(&situation) {
        let trade = match sts.as_str() {
            sts if sts.ends_with("deny") => TokenExchange::Refused("AccessDenied".to_owned()),
            sts if sts.ends_with(":1") => TokenExchange::Unreachable("connection refused".to_owned()),
            _ => TokenExchange::Given,
        };
        situation.exchanges.insert(pair, trade);
    }
    // As `ask` finds out, where there is only a role to assume.
    situation.sts_unreachable = sts.ends_with(":1").then(|| "connection refused".to_owned());
    let reply = match situation.filled("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        Some(uri) if uri.ends_with("403") => EndpointReply::Status(403),
        Some(uri) if uri.contains(":1/") || uri.ends_with(":1") => {
            EndpointReply::Unreachable("connection refused".to_owned())
        }
        _ => EndpointReply::Given,
    };
    situation.full = ContainerEndpoint { with_token: reply.clone(), without_token: reply };
    situation.relative =
        ContainerEndpoint { with_token: EndpointReply::Given, without_token: EndpointReply::Given };
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
            let answer = resolve(sdk, &situation);
            compared += 1;
            if answer.source.as_str() != picks {
                differ.push(format!(
                    "{id} {}: the SDK {picks}, we {} [{}]\n    {}",
                    sdk.as_str(),
                    answer.source.as_str(),
                    described["desc"],
                    answer.reason
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
    let (compared, differ) = differences(WRITTEN).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
    assert_eq!(compared, 276 * 13);
}

/// More situations, in the form of the recorded ones, from the conformance run.
#[tokio::test]
async fn every_sdk_picks_what_it_picked_in_further_situations() {
    let Some(path) = std::env::var_os("SDK_MATRIX") else { return };
    let (compared, differ) = differences(&std::fs::read_to_string(Path::new(&path)).unwrap()).await;
    assert!(differ.is_empty(), "{} of {compared} differ:\n{}", differ.len(), differ.join("\n"));
}

/// A situation with this config file.
async fn with_config(files: &Files, config: &str, env: &Value) -> ChainInput {
    let described = serde_json::json!({ "config_file": config, "env": env });
    situation(files, &described).await
}

#[tokio::test]
async fn what_is_looked_at_first_is_what_is_in_use() {
    let files = Files::new();
    let mut config = String::new();
    for number in 0..40 {
        config += &format!(
            "[profile a{number}]\nrole_arn = arn:aws:iam::111122223333:role/a{number}\n\
             web_identity_token_file = /a/{number}\n"
        );
    }
    config += "[profile zz]\nrole_arn = arn:aws:iam::111122223333:role/zz\n\
               web_identity_token_file = @TOKENNL\n";
    let sts = "http://127.0.0.1:18999/stsdeny";
    let own = serde_json::json!({
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/podrole", "AWS_WEB_IDENTITY_TOKEN_FILE": "@TOKEN"
    });
    let situation_of_pod = with_config(&files, &config, &own).await;
    for sdk in [SdkId::Boto, SdkId::GoV2, SdkId::JsV3, SdkId::Rust, SdkId::JavaV2] {
        let answer = resolve(sdk, &situation_of_pod);
        assert_eq!(answer.source.as_str(), "web-id", "{answer:?}");
    }
    let selected = serde_json::json!({ "AWS_PROFILE": "zz", "STS": sts });
    let situation_of_profile = with_config(&files, &config, &selected).await;
    for sdk in [SdkId::Boto, SdkId::GoV2, SdkId::JsV3, SdkId::Rust] {
        let answer = resolve(sdk, &situation_of_profile);
        assert_eq!(answer.source.as_str(), "error", "{answer:?}");
        assert!(answer.reason.contains("AccessDenied"), "{answer:?}");
    }
}

const OWN: &str = "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/podrole AWS_WEB_IDENTITY_TOKEN_FILE=@TOKEN ";
const PAIR: &str = "aws_access_key_id = a\naws_secret_access_key = b\n";
const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/other\n";
const TRADE: &str = "role_arn = arn:aws:iam::111122223333:role/other\nweb_identity_token_file = @TOKEN\n";

/// The situation of variables in one line, `NAME=VALUE ...`, and of files in which `+` and a name stand for
/// settings.
async fn written(files: &Files, env: &str, config: &str, credentials: &str) -> ChainInput {
    let text = |text: &str| {
        let filled = text.replace("+pair", PAIR).replace("+role", ROLE).replace("+trade", TRADE);
        (!text.is_empty()).then_some(filled)
    };
    let variable = |word: &str| {
        let (name, value) = word.split_once('=').unwrap();
        (name.to_owned(), if value == "-" { Value::Null } else { Value::from(value) })
    };
    let env: Value = env.split_whitespace().map(variable).collect::<serde_json::Map<_, _>>().into();
    let described =
        serde_json::json!({ "config_file": text(config), "credentials_file": text(credentials), "env": env });
    situation(files, &described).await
}

/// What the sources of the SDKs say that are not run: each row where a rule was once another.
#[tokio::test]
async fn sdks_that_are_only_read_pick_what_their_source_says() {
    let files = Files::new();
    let irsa = |more: &str| format!("{OWN}{more}");
    let denied = irsa("STS=http://127.0.0.1:18999/stsdeny");
    for (sdk, env, config, credentials, picks) in [
        // Ruby: no role of nil is assumed; the config file's web identity goes by AWS_PROFILE alone.
        ("ruby", "", "[default]\nsource_profile = b\n[profile b]\n+pair", "", "error"),
        ("ruby", "", "[default]\n+rolesource_profile = b\n[profile b]\n+pair", "", "assume-role"),
        ("ruby", "AWS_DEFAULT_PROFILE=foo", "[profile foo]\n+trade", "", "error"),
        ("ruby", "AWS_PROFILE=foo", "[profile foo]\n+trade", "", "web-id(profile)"),
        ("ruby", "AWS_SHARED_CREDENTIALS_FILE=", "", "[default]\n+pair", "IMDS"),
        ("ruby", "AWS_CONFIG_FILE=", "[default]\n+pair", "", "IMDS"),
        ("ruby", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=", "", "", "none"),
        ("ruby", "AWS_CONTAINER_CREDENTIALS_FULL_URI=", "", "", "error"),
        ("ruby", "AWS_SDK_CONFIG_OPT_OUT=1", "[default]\n+pair", "", "IMDS"),
        ("ruby", "AWS_SDK_CONFIG_OPT_OUT=1", "[default]\n+trade", "[default]\n+pair", "profile"),
        ("ruby", "AWS_SDK_CONFIG_OPT_OUT=", "", "[default]\ncredential_process = /x\n", "IMDS"),
        ("ruby", &irsa("AWS_SDK_CONFIG_OPT_OUT=1"), "", "", "web-id"),
        (
            "ruby",
            "",
            "[default]\n+rolesource_profile = b\n[profile b]\n+rolecredential_source = Ec2InstanceMetadata\n",
            "",
            "error",
        ),
        ("ruby", &irsa("AWS_REGION= AWS_DEFAULT_REGION=x"), "", "", "error"),
        ("ruby", &irsa("AWS_REGION= AWS_DEFAULT_REGION=-"), "[default]\nregion = x\n", "", "web-id"),
        (
            "ruby",
            &irsa("AWS_REGION=- AWS_DEFAULT_REGION=- AWS_DEFAULT_PROFILE=foo"),
            "[profile foo]\nregion = x\n",
            "",
            "error",
        ),
        // .NET: only version 4 wants the profile, and what is thrown while credentials are built leads on.
        ("dotnet4", "AWS_PROFILE=missing", "", "", "error"),
        ("dotnet4", "AWS_PROFILE=default", "", "", "IMDS"),
        ("dotnet4", &irsa("AWS_PROFILE=missing"), "", "", "web-id"),
        ("dotnet3", "AWS_PROFILE=missing", "", "", "IMDS"),
        ("dotnet3", "", "[default]\n+rolesource_profile = b\n", "", "IMDS"),
        ("dotnet4", "", "[default]\n+rolesource_profile = b\n", "", "IMDS"),
        ("dotnet4", "", "[default]\n+rolecredential_source = x\n", "", "IMDS"),
        ("dotnet4", "", "[default]\n+rolecredential_source = ec2instancemetadata\n", "", "assume-role"),
        ("dotnet3", "", "[default]\nsso_account_id = 1\nsso_start_url = x\n", "", "IMDS"),
        ("dotnet4", &denied, "", "[default]\n+pair", "error"),
        // PHP: the config file of the home directory, by `profile NAME` as it is written.
        ("php", "", "[default]\n+pair", "", "IMDS"),
        ("php", "", "[profile default]\n+pair", "", "profile"),
        ("php", "AWS_PROFILE=foo", "[profile foo]\n+pair", "", "profile"),
        ("php", "AWS_CONFIG_FILE=/nope", "[profile default]\n+pair", "", "profile"),
        ("php", "", "[profile default]\n+rolesource_profile = b\n[profile b]\n+pair", "", "IMDS"),
        (
            "php",
            "",
            "[profile default]\n+rolesource_profile = profile b\n[profile b]\n+pair",
            "",
            "assume-role",
        ),
        ("php", "", "[default]\n+trade", "", "web-id(profile)"),
        ("php", "AWS_PROFILE=foo", "[profile foo]\n+trade", "", "web-id(profile)"),
        (
            "php",
            "AWS_ROLE_ARN=arn:aws:iam::111122223333:role/podrole AWS_WEB_IDENTITY_TOKEN_FILE=/nope",
            "[default]\n+trade",
            "",
            "IMDS",
        ),
        // Kotlin: a source without a role is nobody's, and half of a kind throws.
        ("kotlin", "", "[default]\nsource_profile = b\n[profile b]\n+pair", "", "IMDS"),
        ("kotlin", "", "[default]\nsource_profile = b\n+pair", "", "profile"),
        ("kotlin", "", "[default]\ncredential_source = Ec2InstanceMetadata\n+pair", "", "IMDS"),
        ("kotlin", "", "[default]\nsso_region = x\n+pair", "", "IMDS"),
        ("kotlin", "", "[default]\nweb_identity_token_file = @TOKEN\n+pair", "", "IMDS"),
        // Swift: keys, a source, a named source, a web identity, a program; all before the pod's own role.
        ("swift", "", "[default]\n+rolesource_profile = b\n+pair[profile b]\n+pair", "", "profile"),
        ("swift", &irsa(""), "[default]\n+trade", "", "web-id(profile)"),
        ("swift", &irsa(""), "[default]\n+rolesource_profile = b\n", "", "web-id"),
        ("swift", &irsa("AWS_PROFILE="), "", "[default]\n+pair", "web-id"),
        ("swift", "", "[default]\n+rolesource_profile = b\n[profile b]\n+trade", "", "assume-role"),
    ] {
        let situation = written(&files, env, config, credentials).await;
        let answer = resolve(SdkId::parse(sdk).unwrap(), &situation);
        assert_eq!(answer.source.as_str(), picks, "{sdk} [{env}] {config} {credentials}: {}", answer.reason);
    }
}

#[tokio::test]
async fn what_is_no_text_is_no_file_to_rust() {
    let files = Files::new();
    let mut situation = written(&files, OWN, "", "[default]\n+pair").await;
    assert_eq!(resolve(SdkId::Rust, &situation).source.as_str(), "profile");
    for content in situation.files.values_mut() {
        content.0.extend_from_slice(b"# \xff\n");
    }
    assert_eq!(resolve(SdkId::Rust, &situation).source.as_str(), "web-id");
    assert_eq!(resolve(SdkId::Boto, &situation).source.as_str(), "error");
}

#[tokio::test]
async fn a_source_that_nobody_knows_is_not_shown() {
    let files = Files::new();
    let config = "[default]\n+rolecredential_source = wJalrXUtnFEMI\n";
    let situation = written(&files, "", config, "").await;
    for id in SdkId::ALL {
        let answer = resolve(*id, &situation);
        assert!(!answer.reason.contains("wJalr"), "{answer:?}");
    }
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
async fn a_signal_ends_it_while_sts_is_silent() {
    let toml = "command = \"chain\"\nsignal_after_ms = 600\n[sts]\naccept = \"hang\"\n";
    let (finished, _) = run(toml, &["--timeout", "30s"]).await;
    assert_eq!((finished.status, finished.stdout.len()), (Exit::Code(143), 0));
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
