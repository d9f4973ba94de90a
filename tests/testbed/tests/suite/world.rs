//! A program runs in a world as it would in a pod, and what it leaks is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tempfile::TempDir;
use testbed::volume::is_root;
use testbed::world::{Exit, Place, RunError};
use testbed::{Finished, Scenario, World};

/// Runs a shell script as the program.
async fn run(toml: &str, script: &str) -> Finished {
    let (_directory, program) = program(script);
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    world.run(&program, &["--last"]).await.unwrap()
}

pub(crate) fn program(script: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("probe");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    (directory, program)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_program_sees_a_healthy_pod() {
    let finished = run(
        "args = [\"--issuer\", \"${issuer}\"]",
        "echo \"$@\"; id -u; id -G; cat \"$AWS_WEB_IDENTITY_TOKEN_FILE\" >/dev/null && echo read\n\
         echo why >&2; echo over >\"$IRSA_PROBE_TERMINATION_LOG\"; exit 11",
    )
    .await;
    let id = if is_root() { "65532\n65532" } else { "" };
    let output = text(&finished.stdout);
    let issuer = testbed::issuer::DEFAULT_ISSUER;
    assert!(output.starts_with(&format!("check --issuer {issuer} --last\n{id}")), "{output}");
    assert!(output.ends_with("read\n"), "{output}");
    assert_eq!((finished.status, text(&finished.stderr)), (Exit::Code(11), "why\n".to_owned()));
    assert_eq!(text(&finished.termination_log), "over\n");
    assert_eq!(finished.leaks(), []);
    assert_eq!((finished.requests.len(), finished.dns_queries.len(), finished.connections), (0, 0, 0));
}

#[tokio::test]
async fn the_environment_is_the_injected_one_and_no_other() {
    let finished = run("unset = [\"AWS_REGION\"]\n[env]\nHOSTNAME = \"${sts_port}\"", "env").await;
    let output = text(&finished.stdout);
    let names: Vec<&str> = output.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for name in [
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_DEFAULT_REGION",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CA_BUNDLE",
        "HOME",
        "IRSA_PROBE_DNS_SERVER",
        "IRSA_PROBE_API_TOKEN_FILE",
        "IRSA_PROBE_TERMINATION_LOG",
        "IRSA_PROBE_WAIT",
        "IRSA_PROBE_TIMEOUT",
    ] {
        assert!(names.contains(&name), "{name}: {output}");
    }
    for name in ["AWS_REGION", "PATH", "NO_COLOR", "HTTPS_PROXY", "CARGO_TARGET_DIR"] {
        assert!(!output.contains(&format!("{name}=")) || name == "PATH", "{name}: {output}");
    }
    assert!(output.lines().any(|line| line.starts_with("HOSTNAME=") && line[9..].parse::<u16>().is_ok()));
}

#[tokio::test]
async fn a_mode_keeps_the_program_out() {
    let finished = run("file.mode = \"0600\"", "cat \"$AWS_WEB_IDENTITY_TOKEN_FILE\"").await;
    assert!(text(&finished.stderr).contains("Permission denied"), "{finished:?}");
}

#[tokio::test]
async fn a_signal_arrives() {
    let caught =
        run("signal_after_ms = 200", "trap 'echo caught; exit 143' TERM\nwhile :; do sleep 0.01; done").await;
    assert_eq!((caught.status, text(&caught.stdout)), (Exit::Code(143), "caught\n".to_owned()));
    let killed = run("", "kill -9 $$").await;
    assert_eq!(killed.status, Exit::Signal(9));
}

#[tokio::test]
async fn what_cannot_run_is_an_error() {
    let world = World::start(&Scenario::default()).await;
    let error = world.run(&PathBuf::from("/nonexistent/probe"), &[]).await.unwrap_err();
    assert!(matches!(error, RunError::Io(_)), "{error}");
}

#[tokio::test]
async fn leaks_are_found_in_every_form() {
    let toml = "[env]\nAWS_SECRET_ACCESS_KEY = \"wJalr/XUtnFEMI+K7\"\nHTTP_PROXY = \"http://corpuser:hunter22@x:1\"\n\
        AWS_CONTAINER_AUTHORIZATION_TOKEN = \"container-token\"\n\
        [files]\naws = \"[default]\\naws_secret_access_key = from-the-file\\n\"";
    let find = async |script: &str| {
        let leaks = run(toml, script).await.leaks();
        leaks
            .into_iter()
            .map(|leak| format!("{} in {}, {}", leak.label, leak.place, leak.form))
            .collect::<Vec<_>>()
    };
    let key = "AWS_SECRET_ACCESS_KEY in";
    assert_eq!(find("echo $AWS_SECRET_ACCESS_KEY").await, [format!("{key} stdout, plain")]);
    for prefix in ["", "x", "xy"] {
        let script = format!("printf '%s' \"{prefix}$AWS_SECRET_ACCESS_KEY:more\" | base64 -w0 >&2");
        assert_eq!(find(&script).await, [format!("{key} stderr, base64")], "{prefix}");
    }
    let log = "echo 'wJalr%2FXUtnFEMI%2BK7' >\"$IRSA_PROBE_TERMINATION_LOG\"";
    assert_eq!(find(log).await, [format!("{key} termination log, percent-encoded")]);
    assert_eq!(find("echo $AWS_CONTAINER_AUTHORIZATION_TOKEN").await.len(), 1);
    assert_eq!(find("echo from-the-file").await, ["aws_secret_access_key in aws in stdout, plain"]);
    assert_eq!(find("echo $HTTP_PROXY").await.len(), 3, "user, password and both");
    assert_eq!(find("cat $AWS_WEB_IDENTITY_TOKEN_FILE").await.len(), 2, "the token and its signature");
    assert_eq!(
        find("sed 's/.*[.]//' $IRSA_PROBE_API_TOKEN_FILE").await,
        ["signature of API token in stdout, plain"]
    );
}

#[tokio::test]
async fn content_replaces_the_token() {
    let finished =
        run("token.content = \"Bearer ${token}\\n\"", "head -c 7 \"$AWS_WEB_IDENTITY_TOKEN_FILE\"").await;
    assert_eq!(text(&finished.stdout), "Bearer ");
}

#[tokio::test]
async fn a_world_can_have_its_own_place() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place { directory: Some(directory.path().join("world")), ..Place::default() };
    let world = World::start_at(&Scenario::default(), place).await.unwrap();
    assert_eq!(fs::read_to_string(directory.path().join("world/ca.pem")).unwrap(), world.ca_pem());
    drop(world);
    assert!(directory.path().join("world").exists());
}
