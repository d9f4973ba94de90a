//! The audit as its users meet it: the binary over whole worlds, fed by pipes, its outputs and exit codes,
//! and what it asks of AWS.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use testbed::world::{Exit, Finished, World};

use crate::program::{PROGRAM, fits_schema, json as json_of, report, run_in, world};
use crate::snapshot::assert_screen;

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

/// An audit by a token and a role's ARN in this world.
async fn audit(toml: &str, args: &[&str]) -> Finished {
    audit_within(IN_TIME, toml, args).await
}

async fn audit_within(timeout: &str, toml: &str, args: &[&str]) -> Finished {
    run_in(&world(&format!("{AUDIT}{toml}")).await, &[&["--timeout", timeout], args].concat()).await
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

/// A simulation of `s3:GetObject`, and what an audit makes of it.
struct Simulated {
    /// The name of the screen.
    screen: &'static str,
    decision: &'static str,
    /// What else the simulation says.
    details: &'static str,
    diagnosis: Option<&'static str>,
    /// Members of the simulation in the report.
    members: Value,
}

const MATCHED: &str = "matched = [[\"guard-rail\", \"IAM Policy\"]]\n";

fn simulations() -> [Simulated; 6] {
    [
        Simulated {
            screen: "audit-action-allowed",
            decision: "allowed",
            details: MATCHED,
            diagnosis: None,
            members: json!({"decision": "allowed", "boundary_allows": null, "organization_allows": null}),
        },
        Simulated {
            screen: "audit-action-allowed-without-context",
            decision: "allowed",
            details: "missing = [\"aws:SourceVpc\"]\n",
            diagnosis: None,
            members: json!({"decision": "allowed", "missing_context": ["aws:SourceVpc"]}),
        },
        Simulated {
            screen: "audit-action-not-granted",
            decision: "implicitDeny",
            details: "",
            diagnosis: Some("ActionNotGranted"),
            members: json!({"decision": "implicitDeny", "policies": []}),
        },
        Simulated {
            screen: "audit-action-denied",
            decision: "explicitDeny",
            details: MATCHED,
            diagnosis: Some("ActionDenied"),
            members: json!({
                "decision": "explicitDeny",
                "policies": [{"policy": "guard-rail", "kind": "IAM Policy"}]
            }),
        },
        Simulated {
            screen: "audit-action-outside-boundary",
            decision: "implicitDeny",
            details: "boundary = false\n",
            diagnosis: Some("ActionOutsideBoundary"),
            members: json!({"decision": "implicitDeny", "boundary_allows": false}),
        },
        Simulated {
            screen: "audit-action-outside-organization",
            decision: "implicitDeny",
            details: "organization = false\n",
            diagnosis: Some("ActionOutsideOrganization"),
            members: json!({"decision": "implicitDeny", "organization_allows": false}),
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_are_simulated() {
    for Simulated { screen, decision, details, diagnosis, members } in simulations() {
        let world = world(&format!(
            "{AUDIT}[iam]\n[[iam.simulations]]\naction = \"s3:GetObject\"\nresource = \"arn:aws:s3:::b/k\"\n\
             decision = \"{decision}\"\n{details}"
        ))
        .await;
        let args = ["--timeout", IN_TIME, "--action", "s3:GetObject", "--resource", "arn:aws:s3:::b/k"];
        let report = report(&run_in(&world, &args).await);
        let exit = if diagnosis.is_some() { 12 } else { 0 };
        assert_eq!(names(&report), Vec::from_iter(diagnosis), "{screen}: {report}");
        assert_eq!(report["exit_code"], exit, "{screen}: {report}");
        let [simulated] = report["audit"]["simulation"].as_array().unwrap().as_slice() else {
            panic!("{report}")
        };
        assert_eq!(simulated["action"], "s3:GetObject", "{report}");
        assert_eq!(simulated["resource"], "arn:aws:s3:::b/k", "{report}");
        for (key, value) in members.as_object().unwrap() {
            assert_eq!(&simulated[key], value, "{key} in {report}");
        }

        let text = run_in(&world, &[&args[..], &["--output", "text"]].concat()).await;
        assert_eq!(text.status, Exit::Code(exit), "{screen}");
        assert_screen(screen, &world, &text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_iam_policy_is_what_an_audit_calls() {
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
async fn missing_permission_is_named_and_the_rest_is_judged() {
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
        let world = world(&format!("{AUDIT}{toml}")).await;
        let args = ["--timeout", IN_TIME, "--action", "s3:GetObject", "--output", "text"];
        let finished = run_in(&world, &args).await;
        let text = String::from_utf8_lossy(&finished.stdout);
        assert!(text.contains(&format!("iam:{denied}")), "{text}");
        if denied == "GetRole" {
            assert_screen("audit-without-GetRole", &world, &finished);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn independent_calls_are_made_at_once() {
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
async fn silent_aws_ends_in_audit_incomplete() {
    let finished = audit_within("1s", "[sts]\naccept = \"hang\"\n[iam]\n", &[]).await;
    let report = report(&finished);
    assert_eq!((&report["diagnosis"]["name"], &report["exit_code"]), (&json!("AuditIncomplete"), &json!(14)));
}

#[tokio::test(flavor = "multi_thread")]
async fn report_is_found_in_any_kind_of_log() {
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
        ("after a text of an application", format!("{line}\n{}\n", json!({"user_agent": wrong_line}))),
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
        fits_schema(&report);
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

const EXAMPLE: &str = include_str!("../../../examples/AssumeRoleNotAuthorized.json");

#[tokio::test(flavor = "multi_thread")]
async fn log_without_report_is_a_usage_error() {
    let operator = world("command = \"audit\"\n[iam]\n").await;
    for (what, log) in [
        ("nothing", Vec::new()),
        ("other lines", b"starting\n{\"schema\":\"x\"}\n".to_vec()),
        ("no text", vec![0xff; 4096]),
        ("a report in a text", json!({"user_agent": EXAMPLE}).to_string().into_bytes()),
        ("reports that differ", format!("{EXAMPLE}{}", EXAMPLE.replace("checkout", "cart")).into_bytes()),
        ("lines of several containers", format!("[pod/a/app] x\n[pod/a/irsa-probe] {EXAMPLE}").into_bytes()),
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
async fn later_passing_report_ends_the_refusal() {
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
async fn followed_log_is_judged_at_the_deadline() {
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
async fn file_that_is_no_policy_is_not_shown() {
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
async fn token_signature_is_verified_with_the_issuers_keys() {
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
async fn hints_from_this_machine_come_last() {
    let broken = "[issuer]\ndiscovery = [{ fault = \"html\" }]\n";
    let nothing = "[iam]\nroles = [{ trust_policy = '{\"Version\": \"2012-10-17\", \"Statement\": []}' }]\n";
    let finished = audit(&format!("{nothing}{broken}"), &["--issuer-check", "--output", "json"]).await;
    assert_eq!(names(&report(&finished)), ["TrustActionMissing", "IssuerUnreachable"]);
    assert_eq!(finished.status, Exit::Code(12));

    let unsure = world(&format!("{AUDIT}[iam]\n{broken}")).await;
    let finished = run_in(&unsure, &["--timeout", IN_TIME, "--issuer-check", "--output", "text"]).await;
    assert_eq!(finished.status, Exit::Code(13));
    assert_screen("audit-issuer-unreachable", &unsure, &finished);
}
