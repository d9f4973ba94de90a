//! The audit as its users meet it: the binary over whole worlds, fed by pipes, its outputs and exit codes,
//! and what it asks of AWS.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use testbed::scenario::Scenario;
use testbed::world::{Exit, Finished, World};

const PROGRAM: &str = env!("CARGO_BIN_EXE_irsa-probe");
const AUDIT: &str = "command = \"audit\"\n\
                     args = [\"--token\", \"${token_file}\", \"--role-arn\", \"${role_arn}\"]\n";
/// Without a deadline that a slow machine could miss.
const IN_TIME: &str = "60s";
/// The calls that need no answer of another.
const AT_ONCE: [&str; 5] = [
    "GetRole",
    "GetOpenIDConnectProvider",
    "ListOpenIDConnectProviders",
    "ListAttachedRolePolicies",
    "ListRolePolicies",
];
/// A role that STS refuses.
const REFUSED: &str = "[role]\nsubjects = []\n";
const HANGS: &str = "fault = \"hang\"\n";

async fn world(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"))).await
}

async fn run_in(world: &World, args: &[&str]) -> Finished {
    let finished = world.run(Path::new(PROGRAM), args).await.unwrap();
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    finished
}

/// An audit by a token and a role's ARN in this world.
async fn audit(toml: &str, args: &[&str]) -> Finished {
    audit_within(IN_TIME, toml, args).await
}

async fn audit_within(timeout: &str, toml: &str, args: &[&str]) -> Finished {
    run_in(&world(&format!("{AUDIT}{toml}")).await, &[&["--timeout", timeout], args].concat()).await
}

fn json_of(stdout: &[u8]) -> Value {
    let text = String::from_utf8_lossy(stdout);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../examples/report.v1.schema.json")).unwrap()
}

/// The report, which fits the schema and has the exit code of the process.
fn report(finished: &Finished) -> Value {
    let report = json_of(&finished.stdout);
    jsonschema::validate(&schema(), &report).unwrap_or_else(|error| panic!("{error}\n{report}"));
    let code = i32::try_from(report["exit_code"].as_i64().unwrap()).unwrap();
    assert_eq!(finished.status, Exit::Code(code), "{report}");
    report
}

/// The names of all that was found.
fn names(report: &Value) -> Vec<&str> {
    let warnings = report["warnings"].as_array().unwrap();
    std::iter::once(&report["diagnosis"]).chain(warnings).filter_map(|found| found["name"].as_str()).collect()
}

fn calls(finished: &Finished) -> BTreeSet<&str> {
    finished.requests.iter().map(|request| request.action.as_str()).collect()
}

/// The permissions that the report says are wanting, wherever it says so.
fn wanting(report: &Value) -> BTreeSet<String> {
    let not_known = report["audit"]["not_known"].as_array().unwrap().iter().map(|it| &it["permission"]);
    let found = std::iter::once(&report["diagnosis"]).chain(report["warnings"].as_array().unwrap());
    let evidence = found.map(|found| &found["evidence"]["permission"]);
    not_known.chain(evidence).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The program in a world, fed by a pipe.
async fn fed(world: &World, args: &[&str], input: Vec<u8>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().envs(world.env()).current_dir(world.dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        // Whoever reads no further has seen enough.
        let _ = child.stdin.take().unwrap().write_all(&input);
        child.wait_with_output().unwrap()
    });
    let output = ran.await.unwrap();
    for (place, text) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let leaks = testbed::secrets::find(&world.secrets(), place, text);
        assert!(leaks.is_empty(), "{leaks:?}");
    }
    output
}

/// What a pod's own check prints in this world, and all secrets of it.
async fn checked(toml: &str) -> (String, World) {
    let world = world(toml).await;
    let finished = run_in(&world, &["--container", "irsa-probe"]).await;
    (String::from_utf8(finished.stdout).unwrap(), world)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_may_do() {
    let simulation = |decision: &str, further: &str| {
        format!(
            "[iam]\n[[iam.simulations]]\naction = \"s3:GetObject\"\nresource = \"arn:aws:s3:::b/k\"\n\
             decision = \"{decision}\"\n{further}"
        )
    };
    let matched = "matched = [[\"guard-rail\", \"IAM Policy\"]]\n";
    for (toml, expected, exit, fields) in [
        (
            simulation("allowed", matched),
            vec![],
            0,
            json!({"decision": "allowed", "boundary_allows": null, "organization_allows": null}),
        ),
        (
            simulation("allowed", "missing = [\"aws:SourceVpc\"]\n"),
            vec![],
            0,
            json!({"decision": "allowed", "missing_context": ["aws:SourceVpc"]}),
        ),
        (
            "[iam]\n".to_owned(),
            vec!["ActionNotGranted"],
            12,
            json!({"decision": "implicitDeny", "policies": []}),
        ),
        (
            simulation("explicitDeny", matched),
            vec!["ActionDenied"],
            12,
            json!({
                "decision": "explicitDeny",
                "policies": [{"policy": "guard-rail", "kind": "IAM Policy"}]
            }),
        ),
        (
            simulation("implicitDeny", "boundary = false\n"),
            vec!["ActionOutsideBoundary"],
            12,
            json!({"decision": "implicitDeny", "boundary_allows": false}),
        ),
        (
            simulation("implicitDeny", "organization = false\n"),
            vec!["ActionOutsideOrganization"],
            12,
            json!({"decision": "implicitDeny", "organization_allows": false}),
        ),
    ] {
        let args = ["--action", "s3:GetObject", "--resource", "arn:aws:s3:::b/k"];
        let finished = audit(&toml, &args).await;
        let report = report(&finished);
        assert_eq!((names(&report), &report["exit_code"]), (expected, &json!(exit)), "{toml}\n{report}");
        let [simulated] = report["audit"]["simulation"].as_array().unwrap().as_slice() else {
            panic!("{report}")
        };
        assert_eq!(simulated["action"], "s3:GetObject", "{report}");
        assert_eq!(simulated["resource"], "arn:aws:s3:::b/k", "{report}");
        for (key, value) in fields.as_object().unwrap() {
            assert_eq!(&simulated[key], value, "{key} in {report}");
        }

        let text = audit(&toml, &[&args[..], &["--output", "text"]].concat()).await;
        assert_eq!(text.status, Exit::Code(exit), "{toml}");
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(!text.contains('\u{1b}'), "{text}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("s3:GetObject on arn:aws:s3:::b/k"), "{text}");
        assert!(text.contains("resource control policies, are not simulated"), "{text}");
        for key in report["audit"]["simulation"][0]["missing_context"].as_array().unwrap() {
            assert!(text.contains(key.as_str().unwrap()), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_is_printed_is_what_an_audit_asks() {
    let printed = fed(&world("command = \"audit\"\n").await, &["audit", "--print-iam-policy"], vec![]).await;
    assert_eq!(printed.status.code(), Some(0));
    let policy: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let [statement] = policy["Statement"].as_array().unwrap().as_slice() else { panic!("{policy}") };
    assert_eq!((&statement["Effect"], &statement["Resource"]), (&json!("Allow"), &json!("*")));
    let printed: BTreeSet<&str> =
        statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str).collect();

    let finished = audit("[iam]\n", &["--action", "s3:GetObject"]).await;
    let asked: BTreeSet<String> = calls(&finished)
        .into_iter()
        .map(|call| format!("{}:{call}", if call == "GetCallerIdentity" { "sts" } else { "iam" }))
        .collect();
    assert_eq!(asked.iter().map(String::as_str).collect::<BTreeSet<_>>(), printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_permission_that_lacks_is_named_and_the_rest_is_judged() {
    let slips =
        "[[iam.roles]]\nattached = []\n[[iam.providers]]\nclient_ids = [\"sts.eu-west-1.amazonaws.com\"]\n";
    let all = ["OidcProviderAudienceMissing", "RoleHasNoPermissions", "ActionNotGranted"];
    for (denied, lost) in [
        ("GetRole", &[][..]),
        ("GetOpenIDConnectProvider", &["OidcProviderAudienceMissing"]),
        ("ListOpenIDConnectProviders", &[]),
        ("ListAttachedRolePolicies", &["RoleHasNoPermissions"]),
        ("ListRolePolicies", &["RoleHasNoPermissions"]),
        ("SimulatePrincipalPolicy", &["ActionNotGranted"]),
    ] {
        let toml = format!("[iam]\ndenied = [\"{denied}\"]\n{slips}");
        let finished = audit(&toml, &["--action", "s3:GetObject"]).await;
        let report = report(&finished);
        assert_eq!(wanting(&report), BTreeSet::from([format!("iam:{denied}")]), "{report}");
        let found = names(&report);
        let unknown = found.iter().filter(|name| **name == "AuditIncomplete").count();
        assert_eq!(unknown, usize::from(denied != "ListOpenIDConnectProviders"), "{report}");
        for name in all {
            assert_eq!(found.contains(&name), !lost.contains(&name), "{name} without {denied}: {report}");
        }
        let text = audit(&toml, &["--action", "s3:GetObject", "--output", "text"]).await;
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains(&format!("iam:{denied}")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_an_answer_that_it_does_not_need() {
    let hang = |calls: &[&str]| {
        calls.iter().fold("[[sts.identity]]\nfault = \"hang\"\n[iam]\n".to_owned(), |mut toml, call| {
            write!(toml, "[[iam.answers.{call}]]\n{HANGS}").unwrap();
            toml
        })
    };
    // Nothing answers: what is asked all the same is asked in the first round trip.
    let finished = audit_within("3s", &hang(&AT_ONCE), &["--action", "s3:GetObject"]).await;
    let first: BTreeSet<&str> = AT_ONCE.into_iter().chain(["GetCallerIdentity"]).collect();
    assert_eq!(calls(&finished), first);
    let unanswered = report(&finished);
    assert_eq!((names(&unanswered)[0], &unanswered["exit_code"]), ("AuditIncomplete", &json!(14)));

    // One answers, and what it tells is enough for the rest: that is the second.
    let finished = audit_within("3s", &hang(&AT_ONCE[1..]), &["--action", "s3:GetObject"]).await;
    assert_eq!(calls(&finished), &first | &BTreeSet::from(["SimulatePrincipalPolicy"]));
    assert_eq!(finished.requests.len(), first.len() + 1, "nothing is asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_says_nothing() {
    let finished = audit_within("1s", "[sts]\naccept = \"hang\"\n[iam]\n", &[]).await;
    let report = report(&finished);
    assert_eq!((&report["diagnosis"]["name"], &report["exit_code"]), (&json!("AuditIncomplete"), &json!(14)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_however_it_was_taken_down() {
    let (line, pod) = checked("role.subjects = [\"system:serviceaccount:payments:nobody\"]\n").await;
    let line = line.trim_end();
    let refused: Value = serde_json::from_str(line).unwrap();
    assert_eq!(refused["diagnosis"]["name"], "AssumeRoleNotAuthorized", "{line}");

    let before = "{\"level\":\"INFO\",\"message\":\"attempt 2\"}";
    let stamp = "2026-11-24T05:04:49.150331791Z";
    let wrong_line = line.replace("system:serviceaccount:payments:checkout", "system:serviceaccount:a:b");
    let text = "[{\"schema\":\"x\"}, not json";
    for (what, log) in [
        ("bare", line.to_owned()),
        ("amid other lines", format!("{before}\n{text}\n{line}\nbye\n")),
        ("with Windows' line ends", format!("{before}\r\n{line}\r\nbye\r\n")),
        ("with timestamps", format!("{stamp} {before}\n{stamp} {line}\n{stamp} bye\n")),
        ("with timestamps and Windows' line ends", format!("{stamp} {before}\r\n{stamp} {line}\r\n")),
        ("of a prefixed container", format!("[pod/a/irsa-probe] {before}\n[pod/a/irsa-probe] {line}\n")),
        ("after an earlier report", format!("{wrong_line}\n{line}\n")),
    ] {
        let operator = world(
            "command = \"audit\"\n[[iam.roles]]\ntrust_policy = '''{\"Version\":\"2012-10-17\",\"Statement\":[{\
             \"Effect\":\"Allow\",\"Principal\":{\"Federated\":\"arn:aws:iam::111122223333:oidc-provider/${provider}\"},\
             \"Action\":\"sts:AssumeRoleWithWebIdentity\",\"Condition\":{\"StringEquals\":{\
             \"${provider}:sub\":\"system:serviceaccount:payment:checkout\"}}}]}'''\n",
        )
        .await;
        let output = fed(&operator, &["audit", "--output", "json"], log.clone().into_bytes()).await;
        let report = json_of(&output.stdout);
        jsonschema::validate(&schema(), &report).unwrap_or_else(|error| panic!("{error}\n{report}"));
        assert_eq!(output.status.code(), Some(12), "{what}: {report}");
        assert_eq!(names(&report), ["TrustSubjectMismatch"], "{what}: {report}");
        assert_eq!(report["audit"]["sources"]["subject"], "the report", "{what}");
        assert_eq!(report["pod"]["container"], "irsa-probe", "{what}");

        let output = fed(&operator, &["audit", "--output", "text"], log.into_bytes()).await;
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(12), "{what}: {text}");
        assert!(text.contains("FAIL  TrustSubjectMismatch") && !text.contains('\u{1b}'), "{what}: {text}");
        let leaks = testbed::secrets::find(&pod.secrets(), "stdout", text.as_bytes());
        assert!(leaks.is_empty(), "{what}: {leaks:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_a_report() {
    let operator = world("command = \"audit\"\n[iam]\n").await;
    for (what, log) in [
        ("nothing", Vec::new()),
        ("other lines", b"starting\n{\"schema\":\"x\"}\n".to_vec()),
        ("no text", vec![0xff; 4096]),
        ("a report that is cut off", b"{\"schema\":\"irsa-probe.report/v1\",\"version\":\"0.1.0\"".to_vec()),
    ] {
        let output = fed(&operator, &["audit", "--output", "json"], log).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{what}: {said}");
        assert!(output.stdout.is_empty() && !said.trim().is_empty(), "{what}: {said}");
        assert!(!said.contains("panicked") && said.len() < 4096, "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_over_passes_with_the_next_check() {
    let (refused, _) = checked("role.subjects = []\n").await;
    let (works, _) = checked("").await;
    let operator = world("command = \"audit\"\n[iam]\n").await;
    for (log, name, code) in [
        (refused.clone(), Some("RefusedOutsideTrust"), 12),
        (works.clone(), None, 0),
        (refused + &works, None, 0),
    ] {
        let output = fed(&operator, &["audit", "--output", "json"], log.into_bytes()).await;
        let report = json_of(&output.stdout);
        assert_eq!(
            (report["diagnosis"]["name"].as_str(), output.status.code()),
            (name, Some(code)),
            "{report}"
        );
        assert_eq!(report["outcome"], if name.is_some() { "fail" } else { "pass" }, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_followed_is_judged_when_the_time_is_over() {
    let (log, world) = checked(REFUSED).await;
    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    std::fs::write(world.dir().join("policy.json"), policy).unwrap();
    for (before, code, expected) in [(log.as_str(), 12, "TrustActionMissing"), ("", 64, "nothing came")] {
        let mut command = Command::new(PROGRAM);
        command.args(["audit", "--timeout", "1s", "--trust-policy", "policy.json", "--output", "json"]);
        command.env_clear().envs(world.env()).current_dir(world.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(before.as_bytes()).unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        drop(stdin);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_policy_is_not_shown() {
    let (log, world) = checked(REFUSED).await;
    for text in [
        r#"{"Credentials": {"AccessKeyId": "AKIAHUSH", "SecretAccessKey": "HUSH"}}"#,
        r#"{"AccessKeyId": "AKIAHUSH", "SecretAccessKey": "HUSH"}"#,
        r#"{"token": "eyJHUSH.eyJHUSH.HUSH"}"#,
        r#"{"password": "HUSH"}"#,
    ] {
        std::fs::write(world.dir().join("policy.json"), text).unwrap();
        for output in ["json", "text"] {
            let args = ["audit", "--trust-policy", "policy.json", "--output", output];
            let output = fed(&world, &args, log.clone().into_bytes()).await;
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!said.is_empty() && !said.contains("HUSH"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_verified_by_the_keys_of_its_issuer() {
    let evidence = |report: &Value| {
        let checks = report["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "issuer").unwrap()["evidence"]["signature"].clone()
    };
    let healthy = audit("[iam]\n[issuer]\n", &["--issuer-check", "--output", "json"]).await;
    let healthy = report(&healthy);
    assert_eq!((&healthy["outcome"], evidence(&healthy)), (&json!("pass"), json!("verified")));

    for keys in ["other-under-same-id", "own-without-id"] {
        let toml = format!("[iam]\n[issuer]\nkeys = \"{keys}\"\n");
        let finished = audit(&toml, &["--issuer-check", "--output", "json"]).await;
        assert_eq!(names(&report(&finished)), ["SigningKeyNotPublished"], "{keys}");
        assert_eq!(finished.status, Exit::Code(12), "{keys}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_this_machine_sees_goes_after_what_is_sure() {
    let broken = "[issuer]\ndiscovery = [{ fault = \"html\" }]\n";
    let nothing = "[iam]\nroles = [{ trust_policy = '{\"Version\": \"2012-10-17\", \"Statement\": []}' }]\n";
    let finished = audit(&format!("{nothing}{broken}"), &["--issuer-check", "--output", "json"]).await;
    assert_eq!(names(&report(&finished)), ["TrustActionMissing", "IssuerUnreachable"]);
    assert_eq!(finished.status, Exit::Code(12));

    let finished = audit(&format!("[iam]\n{broken}"), &["--issuer-check", "--output", "text"]).await;
    let text = String::from_utf8_lossy(&finished.stdout);
    assert!(text.contains("Whether AWS gives this role to this pod is not known. Exit code 13."), "{text}");
}
