//! What the SDKs find in a pod, as it is read from real files: they pick from it what they really picked.

use std::fs;
use std::time::{Duration, SystemTime};

use irsa_probe::host::{Clock, Pod};
use irsa_probe::probes::chain_input::{read_chain_input, roles_and_tokens};
use sdk_chain::CredentialSource::{Error, WebIdentity};
use sdk_chain::situation::ChainInput;
use sdk_chain::{SdkId, resolve};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use situations::{RECORDED, Situation, TokenFiles, compare, recorded};

#[path = "../../../crates/sdk-chain/tests/situations/mod.rs"]
mod situations;

const TOKEN: &str = include_str!("../../recorded/projected-token.jwt");

/// A folder with the files that situations name.
struct Files {
    folder: TempDir,
    tokens: TokenFiles,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let tokens = TokenFiles {
            token: write("token", TOKEN.trim_end()),
            with_line_break: write("token-newline", &format!("{}\n", TOKEN.trim_end())),
            empty: write("empty", ""),
        };
        Self { folder, tokens }
    }

    /// What is read in a pod in which the situation is found.
    async fn input(&self, described: &Value) -> ChainInput {
        let situation = Situation::of(described, &self.tokens);
        let home = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (name, content) in [("config", &situation.config), ("credentials", &situation.credentials)] {
            if let Some(content) = content {
                fs::create_dir_all(home.path().join(".aws")).unwrap();
                fs::write(home.path().join(".aws").join(name), content).unwrap();
            }
        }
        let home = ("HOME".to_owned(), home.path().to_str().unwrap().to_owned());
        let variables = situation.variables.clone().into_iter().chain([home]);
        let pod = Pod::recorded(variables, Clock::Fixed(SystemTime::UNIX_EPOCH));
        let mut input = read_chain_input(&pod, Instant::now() + Duration::from_secs(20)).await;
        situation.add_answers(roles_and_tokens(&input), &mut input);
        input
    }
}

#[tokio::test]
async fn every_sdk_picks_as_recorded() {
    let files = Files::new();
    let mut inputs = Vec::new();
    for (id, described) in recorded() {
        let input = files.input(&described).await;
        inputs.push(((id, described), input));
    }
    assert_eq!(compare(inputs), RECORDED);
}

/// Only so many profiles are looked at: those in use come first.
#[tokio::test]
async fn profiles_in_use_are_read_before_others() {
    let files = Files::new();
    let others = (0..40).map(|number| profile(&format!("a{number}"), &format!("/a/{number}")));
    let config: String = others.chain([profile("zz", "@TOKENNL")]).collect();
    let in_pod = |variables: Value| json!({ "config_file": config, "env": variables });

    let of_pod = in_pod(json!({
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/podrole",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "@TOKEN",
    }));
    let of_pod = files.input(&of_pod).await;
    for sdk in [SdkId::Boto, SdkId::GoV2, SdkId::JsV3, SdkId::Rust, SdkId::JavaV2] {
        let answer = resolve(sdk, &of_pod);
        assert_eq!(answer.source, WebIdentity, "{answer:?}");
    }

    let of_profile = in_pod(json!({ "AWS_PROFILE": "zz", "STS": "http://127.0.0.1:18999/stsdeny" }));
    let of_profile = files.input(&of_profile).await;
    for sdk in [SdkId::Boto, SdkId::GoV2, SdkId::JsV3, SdkId::Rust] {
        let answer = resolve(sdk, &of_profile);
        assert_eq!(answer.source, Error, "{answer:?}");
        assert!(answer.reason.contains("AccessDenied"), "{answer:?}");
    }
}

/// A profile with a role, and with a token file for it.
fn profile(name: &str, token_file: &str) -> String {
    format!(
        "[profile {name}]\nrole_arn = arn:aws:iam::111122223333:role/{name}\n\
         web_identity_token_file = {token_file}\n"
    )
}
