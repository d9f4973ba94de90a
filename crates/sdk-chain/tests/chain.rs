//! The rules against what the real SDKs did, and against what the sources of the others say.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, indexes JSON, and reads a file"
)]

mod situations;

use std::collections::BTreeSet;

use sdk_chain::CredentialSource::{
    self, AssumedRole, Error, NodeRole, Nothing, Profile, ProfileWebIdentity, WebIdentity,
};
use sdk_chain::situation::{ChainInput, FileContent, FileLocation, TokenFile};
use sdk_chain::{SdkId, resolve};
use serde_json::{Map, Value, json};
use situations::{RECORDED, Situation, TokenFiles, compare, described, recorded};

/// The input of a situation, as if its files lay here.
fn input(described: &Value) -> ChainInput {
    let files = TokenFiles {
        token: "/token".to_owned(),
        with_line_break: "/token-newline".to_owned(),
        empty: "/empty".to_owned(),
    };
    let situation = Situation::of(described, &files);
    let mut input = ChainInput::default();
    input.set_variable("HOME", "/home");
    for (name, value) in &situation.variables {
        input.set_variable(name, value);
    }
    for (place, content) in [
        (FileLocation::UsualConfig, &situation.config),
        (FileLocation::UsualCredentials, &situation.credentials),
    ] {
        let content = content.as_ref().map(|text| (place, FileContent(text.clone().into_bytes())));
        input.files.extend(content);
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        if input.variable(name) == Some("/") {
            input.directories.insert(FileLocation::Variable(name));
        }
    }
    for (path, length, line_break) in
        [(&files.token, 1200, false), (&files.with_line_break, 1201, true), (&files.empty, 0, false)]
    {
        input.tokens.insert(path.clone(), TokenFile::Readable { length, line_break });
    }
    let pairs = pairs(&situation);
    situation.add_answers(pairs, &mut input);
    input
}

/// Every role that the situation names, with every token file that it names.
fn pairs(situation: &Situation) -> Vec<(String, String)> {
    let texts = [&situation.config, &situation.credentials];
    let settings = |name: &str| -> Vec<String> {
        let lines = texts.into_iter().flatten().flat_map(|text| text.lines());
        let of_files =
            lines.filter_map(|line| line.split_once(" = ").filter(|(found, _)| found.trim() == name));
        let variable = situation.variables.get(&format!("AWS_{}", name.to_uppercase()));
        of_files.map(|(_, value)| value.to_owned()).chain(variable.cloned()).collect()
    };
    let files = settings("web_identity_token_file");
    let of_role =
        |role: String| files.iter().map(move |file| (role.clone(), file.clone())).collect::<Vec<_>>();
    settings("role_arn").into_iter().flat_map(of_role).collect()
}

#[test]
fn every_sdk_picks_as_recorded() {
    let compared = compare(recorded().into_iter().map(|case| (case.clone(), input(&case.1))));
    assert_eq!(compared, RECORDED, "`RECORDED` is the number of recorded answers");
}

#[test]
fn tables_say_which_sdks_were_run() {
    let recorded = recorded();
    let winners = recorded.iter().map(|(_, situation)| situation["winner"].as_object().unwrap());
    let ids: BTreeSet<&str> = winners.flat_map(Map::keys).map(String::as_str).collect();
    for id in SdkId::ALL {
        let (id, was_run) = (id.as_str(), id.rules().was_run);
        assert_eq!(was_run, ids.contains(id), "{id}: `was_run`, and whether answers are recorded");
    }
}

#[test]
fn readme_lists_every_sdk() {
    for id in SdkId::ALL {
        let id = format!("`{}`", id.as_str());
        let is_row = |line: &str| line.starts_with('|') && line.contains(&id);
        assert!(include_str!("../README.md").lines().any(is_row), "README.md has no row with {id}");
    }
}

/// In more situations, of a conformance run: its file is in the variable `SDK_MATRIX`.
#[test]
fn every_sdk_picks_as_in_a_further_run() {
    let Some(path) = std::env::var_os("SDK_MATRIX") else { return };
    let further = described(&std::fs::read_to_string(path).unwrap());
    compare(further.into_iter().map(|case| (case.clone(), input(&case.1))));
}

const KEYS: &str = "aws_access_key_id = a\naws_secret_access_key = b\n";
const ROLE: &str = "role_arn = arn:aws:iam::111122223333:role/other\n";
const WEB_IDENTITY: &str = "web_identity_token_file = @TOKEN\n";
const CREDENTIALS_REFUSED: &str = "http://127.0.0.1:18999/stsdeny";

/// A pod, with variables and files in which `+keys`, `+role` and `+web-identity` stand for settings.
struct Pod {
    variables: Map<String, Value>,
    config: Option<String>,
    credentials: Option<String>,
}

/// A pod without any credentials.
fn pod() -> Pod {
    Pod { variables: Map::new(), config: None, credentials: None }
}

/// A pod with a role and a token file of its own.
fn irsa() -> Pod {
    pod()
        .with("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/podrole")
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", "@TOKEN")
}

impl Pod {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.insert(name.to_owned(), Value::Null);
        self
    }

    fn config(mut self, text: &str) -> Self {
        self.config = Some(expanded(text));
        self
    }

    fn credentials(mut self, text: &str) -> Self {
        self.credentials = Some(expanded(text));
        self
    }

    fn input(&self) -> ChainInput {
        let Self { variables, config, credentials } = self;
        input(&json!({ "env": variables, "config_file": config, "credentials_file": credentials }))
    }

    #[track_caller]
    fn leads(&self, sdk: SdkId, picks: CredentialSource) {
        let answer = resolve(sdk, &self.input());
        let Self { variables, config, credentials } = self;
        assert_eq!(answer.source, picks, "{variables:?} {config:?} {credentials:?}: {}", answer.reason);
    }
}

fn expanded(text: &str) -> String {
    text.replace("+keys", KEYS).replace("+role", ROLE).replace("+web-identity", WEB_IDENTITY)
}

// What the sources of the SDKs say that are not run. Each case is one in which a rule was once another.

#[test]
fn ruby_reads_its_profiles_as_its_source_says() {
    let sdk = SdkId::Ruby;
    // No role of nil is assumed.
    pod().config("[default]\nsource_profile = b\n[profile b]\n+keys").leads(sdk, Error);
    pod().config("[default]\n+rolesource_profile = b\n[profile b]\n+keys").leads(sdk, AssumedRole);
    pod()
        .config(
            "[default]\n+rolesource_profile = b\n[profile b]\n+rolecredential_source = Ec2InstanceMetadata\n",
        )
        .leads(sdk, Error);
    // A web identity in the config file goes by AWS_PROFILE alone.
    let of_foo = "[profile foo]\n+role+web-identity";
    pod().with("AWS_PROFILE", "foo").config(of_foo).leads(sdk, ProfileWebIdentity);
    pod().with("AWS_DEFAULT_PROFILE", "foo").config(of_foo).leads(sdk, Error);
}

#[test]
fn ruby_takes_empty_variables_as_its_source_says() {
    let sdk = SdkId::Ruby;
    let keys = "[default]\n+keys";
    pod().with("AWS_SHARED_CREDENTIALS_FILE", "").credentials(keys).leads(sdk, NodeRole);
    pod().with("AWS_CONFIG_FILE", "").config(keys).leads(sdk, NodeRole);
    pod().with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "").leads(sdk, Nothing);
    pod().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "").leads(sdk, Error);
}

#[test]
fn ruby_can_be_kept_from_the_config_file() {
    let (sdk, opt_out) = (SdkId::Ruby, "AWS_SDK_CONFIG_OPT_OUT");
    let keys = "[default]\n+keys";
    pod().with(opt_out, "1").config(keys).leads(sdk, NodeRole);
    let both = pod().config("[default]\n+role+web-identity").credentials(keys);
    both.with(opt_out, "1").leads(sdk, Profile);
    pod().with(opt_out, "").credentials("[default]\ncredential_process = /x\n").leads(sdk, NodeRole);
    irsa().with(opt_out, "1").leads(sdk, WebIdentity);
}

#[test]
fn ruby_looks_for_a_region_as_its_source_says() {
    let sdk = SdkId::Ruby;
    irsa().with("AWS_REGION", "").with("AWS_DEFAULT_REGION", "x").leads(sdk, Error);
    let of_default = irsa().config("[default]\nregion = x\n");
    of_default.with("AWS_REGION", "").without("AWS_DEFAULT_REGION").leads(sdk, WebIdentity);
    let of_foo = irsa().with("AWS_DEFAULT_PROFILE", "foo").config("[profile foo]\nregion = x\n");
    of_foo.without("AWS_REGION").without("AWS_DEFAULT_REGION").leads(sdk, Error);
}

/// Only version 4 wants the profile, and what is thrown while credentials are built leads on.
#[test]
fn dotnet_picks_what_its_source_says() {
    let (v3, v4) = (SdkId::DotNet3, SdkId::DotNet4);
    pod().with("AWS_PROFILE", "missing").leads(v4, Error);
    pod().with("AWS_PROFILE", "default").leads(v4, NodeRole);
    irsa().with("AWS_PROFILE", "missing").leads(v4, WebIdentity);
    pod().with("AWS_PROFILE", "missing").leads(v3, NodeRole);
    let without_source = pod().config("[default]\n+rolesource_profile = b\n");
    without_source.leads(v3, NodeRole);
    without_source.leads(v4, NodeRole);
    pod().config("[default]\n+rolecredential_source = x\n").leads(v4, NodeRole);
    pod().config("[default]\n+rolecredential_source = ec2instancemetadata\n").leads(v4, AssumedRole);
    pod().config("[default]\nsso_account_id = 1\nsso_start_url = x\n").leads(v3, NodeRole);
    irsa().with("STS", CREDENTIALS_REFUSED).credentials("[default]\n+keys").leads(v4, Error);
}

/// It reads the config file of the home directory, by `profile NAME` as it is written.
#[test]
fn php_picks_what_its_source_says() {
    let sdk = SdkId::Php;
    let keys = "[profile default]\n+keys";
    pod().config("[default]\n+keys").leads(sdk, NodeRole);
    pod().config(keys).leads(sdk, Profile);
    pod().with("AWS_PROFILE", "foo").config("[profile foo]\n+keys").leads(sdk, Profile);
    pod().with("AWS_CONFIG_FILE", "/nope").config(keys).leads(sdk, Profile);
    pod().config("[profile default]\n+rolesource_profile = b\n[profile b]\n+keys").leads(sdk, NodeRole);
    pod()
        .config("[profile default]\n+rolesource_profile = profile b\n[profile b]\n+keys")
        .leads(sdk, AssumedRole);
    let web_identity = "[default]\n+role+web-identity";
    pod().config(web_identity).leads(sdk, ProfileWebIdentity);
    let of_foo = "[profile foo]\n+role+web-identity";
    pod().with("AWS_PROFILE", "foo").config(of_foo).leads(sdk, ProfileWebIdentity);
    let without_token = irsa().with("AWS_WEB_IDENTITY_TOKEN_FILE", "/nope");
    without_token.config(web_identity).leads(sdk, NodeRole);
}

/// A source without a role belongs to nothing, and half of a kind throws.
#[test]
fn kotlin_picks_what_its_source_says() {
    let sdk = SdkId::Kotlin;
    pod().config("[default]\nsource_profile = b\n[profile b]\n+keys").leads(sdk, NodeRole);
    pod().config("[default]\nsource_profile = b\n+keys").leads(sdk, Profile);
    pod().config("[default]\ncredential_source = Ec2InstanceMetadata\n+keys").leads(sdk, NodeRole);
    pod().config("[default]\nsso_region = x\n+keys").leads(sdk, NodeRole);
    pod().config("[default]\n+web-identity+keys").leads(sdk, NodeRole);
}

/// Keys, a source, a named source, a web identity, a program: all of them come before the pod's own role.
#[test]
fn swift_picks_what_its_source_says() {
    let sdk = SdkId::Swift;
    pod().config("[default]\n+rolesource_profile = b\n+keys[profile b]\n+keys").leads(sdk, Profile);
    irsa().config("[default]\n+role+web-identity").leads(sdk, ProfileWebIdentity);
    irsa().config("[default]\n+rolesource_profile = b\n").leads(sdk, WebIdentity);
    irsa().with("AWS_PROFILE", "").credentials("[default]\n+keys").leads(sdk, WebIdentity);
    pod()
        .config("[default]\n+rolesource_profile = b\n[profile b]\n+role+web-identity")
        .leads(sdk, AssumedRole);
}

#[test]
fn rust_ignores_a_file_that_is_not_utf8() {
    let mut input = irsa().credentials("[default]\n+keys").input();
    assert_eq!(resolve(SdkId::Rust, &input).source, Profile);
    for content in input.files.values_mut() {
        content.0.extend_from_slice(b"# \xff\n");
    }
    assert_eq!(resolve(SdkId::Rust, &input).source, WebIdentity);
    assert_eq!(resolve(SdkId::Boto, &input).source, Error);
}

#[test]
fn an_unknown_source_is_not_shown() {
    let input = pod().config("[default]\n+rolecredential_source = wJalrXUtnFEMI\n").input();
    for id in SdkId::ALL {
        let answer = resolve(*id, &input);
        assert!(!answer.reason.contains("wJalr"), "{answer:?}");
    }
}
