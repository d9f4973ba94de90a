//! The command line as its users meet it: exit codes, waiting, signals, and what is sent to AWS.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory;
use irsa_probe::commands::Cli;
use serde_json::Value;
use testbed::world::Exit;

use crate::program::{PROGRAM, report, run, run_in, world};
use crate::snapshot::{assert_screen, assert_text};

fn alone(args: &[&str], variables: &[(&str, &[u8])]) -> Output {
    let variables = variables.iter().map(|(name, value)| (name, std::ffi::OsStr::from_bytes(value)));
    bare().args(args).envs(variables).stdin(Stdio::null()).output().unwrap()
}

/// The program outside of any world; the machine's own IMDS is left in peace.
fn bare() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

#[tokio::test]
async fn healthy_pod_costs_one_lookup_one_connection_two_requests() {
    let finished = run("", &["--container", "irsa-probe"]).await;
    let report = report(&finished);
    assert_eq!((finished.status, report["outcome"].as_str()), (Exit::Code(0), Some("pass")), "{report}");
    assert_eq!(report["identity"]["account"], "111122223333");
    assert_eq!(report["pod"]["container"], "irsa-probe");
    assert_eq!(report["pod"]["service_account"], "checkout");
    assert_eq!(report["attempts"], 1);
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["outcome"], "pass", "the plan (`src/plan/`) makes each check of its kind: {check}");
    }

    assert_eq!((finished.connections, finished.handshakes), (1, 1));
    let asked: BTreeSet<&str> =
        finished.dns_queries.iter().map(|query| query.name.trim_end_matches('.')).collect();
    assert_eq!(asked, BTreeSet::from(["sts.eu-west-1.amazonaws.com"]));
    assert_eq!(finished.dns_queries.len(), 2, "one query for each address family");
    let actions: Vec<&str> = finished.requests.iter().map(|request| request.action.as_str()).collect();
    assert_eq!(actions, ["AssumeRoleWithWebIdentity", "GetCallerIdentity"]);
}

#[tokio::test]
async fn server_that_closes_each_connection_is_connected_to_twice() {
    let finished = run("[sts]\naccept = \"serve-once\"\n", &[]).await;
    assert_eq!(finished.status, Exit::Code(0), "{}", String::from_utf8_lossy(&finished.stdout));
    assert_eq!((finished.connections, finished.requests.len()), (2, 2));
}

#[tokio::test]
async fn session_policy_denies_everything() {
    let toml = "[env]\nAWS_ROLE_SESSION_NAME = \"checkout app\"\n";
    let finished = run(toml, &[]).await;
    let request = &finished.requests[0];
    assert_eq!(request.field("DurationSeconds"), Some("900"));
    assert_eq!(request.field("RoleSessionName"), Some("checkout-app"));
    let policy: Value = serde_json::from_str(request.field("Policy").unwrap()).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!(
        (&statement["Effect"], &statement["Action"], &statement["Resource"]),
        (&"Deny".into(), &"*".into(), &"*".into())
    );
}

const REFUSED: &str = "[role]\nsubjects = [\"system:serviceaccount:payments:other\"]\n";

#[tokio::test]
async fn refusal_is_final_without_wait_for_access() {
    let finished = run(REFUSED, &[]).await;
    assert_eq!(finished.status, Exit::Code(12));
    assert_eq!(finished.requests.len(), 1);

    let later = r#"
        [sts]
        assume = [
          { error = { status = 403, code = "AccessDenied", message = "Not authorized to perform sts:AssumeRoleWithWebIdentity" } },
          { verify = true },
        ]
    "#;
    let finished = run(later, &["--wait-for-access", "--wait", "40s"]).await;
    assert_eq!(finished.status, Exit::Code(0));
    assert_eq!(report(&finished)["attempts"], 2);
}

/// What a pod that may not be let in prints first is the command that hands its report to an operator.
#[tokio::test]
async fn refused_pod_prints_the_audit_command() {
    let error = |code: &str, message: &str| {
        format!("[[sts.assume]]\nerror = {{ status = 400, code = \"{code}\", message = \"{message}\" }}\n")
    };
    let merged = error("InvalidIdentityToken", "The web identity token provided could not be validated.");
    let no_provider = error("InvalidIdentityToken", "No OpenIDConnect provider found in your account for x");
    for (toml, name, is_first) in [
        (REFUSED, "AssumeRoleNotAuthorized", true),
        (&merged, "IdentityTokenRejected", true),
        (&no_provider, "OidcProviderMissing", false),
    ] {
        for container in [Some("irsa-probe"), None] {
            let log = format!(
                "kubectl -n payments logs checkout-6d5f9c7b8-abcde -c {} | irsa-probe audit",
                container.unwrap_or("PROBE_CONTAINER")
            );
            let flags: Vec<&str> = container.into_iter().flat_map(|name| ["--container", name]).collect();
            let finished = run(toml, &flags).await;
            let report = report(&finished);
            assert_eq!(report["diagnosis"]["name"], name);
            let steps: Vec<&str> = report["diagnosis"]["remedy"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step.as_str().unwrap())
                .collect();
            let place = steps.iter().position(|step| step.lines().any(|line| line == log));
            assert!(place.is_some_and(|place| (place == 0) == is_first), "{name}: {steps:?}");
            let step = steps[place.unwrap()];
            assert!(
                step.starts_with("Where irsa-probe and AWS credentials for account 111122223333 "),
                "{step}"
            );

            let message = String::from_utf8(finished.termination_log).unwrap();
            let cause = report["diagnosis"]["cause"].as_str().unwrap();
            assert!(message.contains(&cause[..280]), "{message}");
            assert_eq!(message.lines().any(|line| line == log), is_first, "{message}");
        }
        let text = run(toml, &["--output", "text", "--container", "irsa-probe"]).await;
        let text = String::from_utf8(text.stdout).unwrap();
        let command = "kubectl -n payments logs checkout-6d5f9c7b8-abcde -c irsa-probe | irsa-probe audit";
        assert!(text.lines().any(|line| line.trim() == command), "{text}");
    }
    let longest = "c".repeat(63);
    let finished = run(REFUSED, &["--container", &longest]).await;
    let message = String::from_utf8(finished.termination_log).unwrap();
    assert!(message.contains(&format!(" -c {longest} | irsa-probe audit\n")), "{message}");
}

#[tokio::test]
async fn transient_failures_are_retried() {
    let later = r#"
        [sts]
        assume = [
          { error = { status = 400, code = "Throttling", message = "Rate exceeded" } },
          { fault = "reset" },
          { verify = true },
        ]
    "#;
    let finished = run(later, &["--wait", "60s"]).await;
    let report = report(&finished);
    assert_eq!((finished.status, report["attempts"].as_u64()), (Exit::Code(0), Some(3)), "{report}");
    let log = String::from_utf8_lossy(&finished.stderr);
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(log.contains("trying again"), "{log}");
}

#[tokio::test]
async fn cut_short_attempt_keeps_earlier_finding() {
    let refused = r#"{ error = { status = 403, code = "AccessDenied", message = "Not authorized to perform sts:AssumeRoleWithWebIdentity" } }"#;
    let toml = format!("[sts]\nassume = [{refused}, {{ fault = \"hang\" }}]\n");
    let args = ["--wait", "4s", "--timeout", "4s", "--wait-for-access", "--tolerate", "unreachable"];
    let finished = run(&toml, &args).await;
    let report = report(&finished);
    assert_eq!(
        (finished.status, &report["diagnosis"]["name"]),
        (Exit::Code(12), &"AssumeRoleNotAuthorized".into())
    );
    assert!(report["attempts"].as_u64() > Some(1), "{report}");
}

#[tokio::test]
async fn http_503_is_retried() {
    let page = "<html>squid</html>";
    let toml = format!(
        "[sts]\nassume = [{{ reply = {{ status = 503, body = \"{page}\", content_type = \"text/html\" }} }}, {{ verify = true }}]\n"
    );
    let finished = run(&toml, &["--wait", "30s", "--timeout", "30s"]).await;
    assert_eq!((finished.status, report(&finished)["attempts"].as_u64()), (Exit::Code(0), Some(2)));
}

#[tokio::test]
async fn api_token_gets_no_provider_remedy() {
    let finished = run("[token]\nkind = \"api\"\n[provider]\npresent = false\n", &[]).await;
    let text = String::from_utf8_lossy(&finished.stdout);
    assert_eq!(report(&finished)["diagnosis"]["name"], "TokenIsApiToken");
    assert!(!text.contains("create-open-id-connect-provider"), "{text}");
}

#[tokio::test]
async fn zero_wait_is_one_attempt() {
    let finished = run("[sts]\naccept = \"refused\"\n", &["--wait", "0s"]).await;
    assert_eq!((finished.status, report(&finished)["attempts"].as_u64()), (Exit::Code(13), Some(1)));
}

#[tokio::test]
async fn permanent_failure_is_not_retried_beside_a_network_failure() {
    let finished = run("[sts]\naccept = \"refused\"\n[file]\nkind = \"empty\"\n", &["--wait", "60s"]).await;
    let report = report(&finished);
    assert_eq!((finished.status, report["attempts"].as_u64()), (Exit::Code(11), Some(1)));
    assert_eq!(report["diagnosis"]["name"], "TokenFileEmpty");
    assert_eq!(report["warnings"][0]["name"], "StsConnectionRefused");
}

#[tokio::test]
async fn observe_and_tolerate_exit_zero_and_report() {
    for args in [&["--mode", "observe"][..], &["--tolerate", "unreachable,refused"]] {
        let finished = run(REFUSED, args).await;
        let report = report(&finished);
        assert_eq!((finished.status, report["outcome"].as_str()), (Exit::Code(0), Some("fail")));
        assert_eq!(report["exit_code"], 0);
        assert_eq!(report["diagnosis"]["name"], "AssumeRoleNotAuthorized");
    }
    let finished = run(REFUSED, &["--tolerate", "unreachable"]).await;
    assert_eq!(finished.status, Exit::Code(12));
}

#[tokio::test]
async fn sigterm_during_lookup_ends_with_a_report() {
    let finished =
        run("signal_after_ms = 1500\n[dns]\nmode = \"silent\"\n", &["--wait", "50s", "--timeout", "45s"])
            .await;
    let report = report(&finished);
    assert_eq!(finished.status, Exit::Code(143), "{report}");
    assert_eq!((&report["interrupted"], &report["exit_code"]), (&true.into(), &143.into()));
    let checks = report["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!(check("token")["outcome"], "pass");
    assert_eq!(check("sts-reachable")["skipped_because"], "interrupted");
    assert!(!finished.termination_log.is_empty());
}

#[tokio::test]
async fn sigterm_between_attempts_reports_the_last_finding() {
    let finished =
        run("signal_after_ms = 4000\n[dns]\nmode = \"servfail\"\n", &["--wait", "50s", "--timeout", "10s"])
            .await;
    let report = report(&finished);
    assert_eq!(finished.status, Exit::Code(143), "{report}");
    assert_eq!(report["diagnosis"]["name"], "DnsUnavailable");
}

#[tokio::test]
async fn sigterm_keeps_what_is_known_of_the_application() {
    let toml = "signal_after_ms = 600\n[sts]\naccept = \"hang\"\n";
    let finished = run(toml, &["--expect-sdk", "boto@1.12.0", "--wait", "30s", "--timeout", "30s"]).await;
    let report = report(&finished);
    assert_eq!(finished.status, Exit::Code(143), "{report}");
    assert_eq!(report["diagnosis"]["name"], "SdkTooOldForIrsa", "{report}");
    let finished = run(toml, &["--sdk-root", "/none", "--wait", "30s", "--timeout", "30s"]).await;
    let checks = serde_json::from_slice::<Value>(&finished.stdout).unwrap()["checks"].clone();
    let checks = checks.as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "application-sdk"), "{checks:?}");
}

#[tokio::test]
async fn sdk_failure_does_not_stop_sts_retries_or_share_their_tolerance() {
    let blip = "[sts]\nassume = [{ fault = \"reset\" }, { fault = \"reset\" }, { verify = true }]\n";
    let finished = run(blip, &["--expect-sdk", "gov1old"]).await;
    let told = report(&finished);
    assert_eq!((told["diagnosis"]["name"].as_str(), &told["attempts"]), (Some("FallsToNodeRole"), &3.into()));

    let keys =
        "[env]\nAWS_ACCESS_KEY_ID = \"a\"\nAWS_SECRET_ACCESS_KEY = \"b\"\n[sts]\naccept = \"refused\"\n";
    let args = ["--expect-sdk", "boto", "--wait", "0s", "--tolerate"];
    let tolerated = run(keys, &[args.as_slice(), &["unreachable,misconfigured"]].concat()).await;
    assert_eq!(tolerated.status, Exit::Code(0), "{}", report(&tolerated));
    let fails = run(keys, &[args.as_slice(), &["unreachable"]].concat()).await;
    assert_eq!(fails.status, Exit::Code(11), "{}", report(&fails));
    assert_eq!(report(&fails)["diagnosis"]["name"], "ShadowedByStaticKeys");
}

#[tokio::test]
async fn working_role_is_stated_when_the_sdk_cannot_use_it() {
    for args in [["--expect-sdk", "boto@1.12.0"], ["--expect-sdk", "gov1old"]] {
        let finished = run("", &[args.as_slice(), &["--output", "text"]].concat()).await;
        let text = String::from_utf8_lossy(&finished.stdout);
        let last = "This pod gets its role, but the application's SDK does not take it. Exit code 11.";
        assert_eq!(text.trim_end().lines().last(), Some(last), "{text}");
    }
}

#[tokio::test]
async fn expected_sdk_does_not_hide_a_stopped_search() {
    let finished = run("", &["--expect-sdk", "jv2", "--sdk-root", "/none"]).await;
    let report = report(&finished);
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "application-sdk").unwrap();
    assert!(check["evidence"]["stopped_by"].is_string(), "{check}");
    assert_eq!(check["diagnosis"], "SdkUnknown", "{check}");
}

#[tokio::test]
async fn ended_process_does_not_replace_earlier_finding() {
    let env = r#"
        [application.env]
        AWS_ROLE_ARN = "${role_arn}"
        AWS_WEB_IDENTITY_TOKEN_FILE = "${token_file}"
        AWS_REGION = "eu-west-1"
        AWS_ENDPOINT_URL_STS = "${sts_url}"
        AWS_CA_BUNDLE = "${ca}"
    "#;
    let found = async |world: &str, timeout: &str, sdk: &str| {
        let args = ["--wait", "20s", "--timeout", timeout, "--expect-sdk", sdk, "--pid"];
        let toml = format!("args = [\"{}\", \"${{pid}}\"]\n{world}{env}", args.join("\", \""));
        report(&run(&toml, &[]).await)["diagnosis"]["name"].clone()
    };
    let between = "[sts]\naccept = \"hang\"\n[application]\nlives_ms = 2000\n";
    assert_eq!(found(between, "300ms", "boto@1.44.5").await, "StsTimedOut");
    let while_asked = "[sts]\nassume = [{ delay_ms = 900, verify = true }]\n[application]\nlives_ms = 500\n";
    assert_eq!(found(while_asked, "10s", "boto@1.12.0").await, "SdkTooOldForIrsa");
}

#[tokio::test]
async fn silence_about_ipv6_addresses_is_harmless() {
    let finished = run("[dns]\nmode = \"silent-for-ipv6\"\n", &[]).await;
    assert_eq!(finished.status, Exit::Code(0), "{}", String::from_utf8_lossy(&finished.stdout));
}

#[tokio::test]
async fn proxy_password_works_and_is_not_printed() {
    let toml = "[sts]\nendpoint = \"none\"\n[proxy]\nmode = \"auth\"\ncredentials = \"user-of-proxy:pass-of-proxy\"\nhost = \"proxy.corp.example\"\n";
    for output in ["json", "text"] {
        let finished = run(toml, &["--output", output]).await;
        assert_eq!(finished.status, Exit::Code(0), "{}", String::from_utf8_lossy(&finished.stdout));
        assert_eq!(finished.proxy_connects[0].target, "sts.eu-west-1.amazonaws.com:443");
        assert!(finished.dns_queries.iter().all(|query| query.name.starts_with("proxy.corp.example")));
    }
}

#[tokio::test]
async fn endpoint_may_name_its_default_port() {
    let toml = "[sts]\nendpoint = \"none\"\n[proxy]\n[env]\nAWS_ENDPOINT_URL_STS = \"https://sts.eu-west-1.amazonaws.com:443\"\n";
    let finished = run(toml, &[]).await;
    assert_eq!(finished.status, Exit::Code(0), "{}", String::from_utf8_lossy(&finished.stdout));
    assert_eq!(finished.requests.len(), 2);
}

#[tokio::test]
async fn echoed_token_is_not_printed() {
    for message in ["${token}", "bad token: ${token}, sorry"] {
        let toml = format!(
            "[sts]\nassume = [{{ error = {{ status = 400, code = \"InvalidIdentityToken\", message = \"{message}\" }} }}]\n"
        );
        for output in ["json", "text"] {
            let finished = run(&toml, &["--output", output]).await;
            assert_eq!(finished.status, Exit::Code(12), "{}", String::from_utf8_lossy(&finished.stdout));
        }
    }
}

#[tokio::test]
async fn hostile_claims_are_escaped_and_quoted() {
    let toml = r#"
        [token]
        claims = { iss = "https://oidc.example/\u001b[2Jid; rm -rf ~", sub = "system:serviceaccount:pay$(id):che'ckout" }
    "#;
    let world = world(toml).await;
    let finished = run_in(&world, &["--output", "text"]).await;
    assert_screen("hostile-claims", &world, &finished);
    let text = String::from_utf8_lossy(&finished.stdout);
    for line in text.lines().filter(|line| line.trim_start().starts_with("aws ")) {
        assert!(!line.contains("; rm") || line.contains("'https://oidc.example/"), "{line}");
    }
}

#[tokio::test]
async fn termination_log_is_never_created() {
    let finished = run("[env]\nIRSA_PROBE_TERMINATION_LOG = \"${dir}/none\"\n", &[]).await;
    assert_eq!(finished.status, Exit::Code(0));
    assert!(String::from_utf8_lossy(&finished.stderr).contains("no termination message"));
}

#[tokio::test]
async fn rotation_during_a_check_is_harmless() {
    let world = world("").await;
    let token = world.token().as_bytes().to_vec();
    let rotating = async {
        loop {
            world.volume().unwrap().rotate(&token).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let running = async {
        for _ in 0..5 {
            let finished = run_in(&world, &[]).await;
            assert_eq!(finished.status, Exit::Code(0), "{}", String::from_utf8_lossy(&finished.stdout));
        }
    };
    tokio::select! {
        () = running => {}
        () = rotating => {}
    }
}

#[test]
fn usage_errors_have_an_exit_code_of_their_own() {
    let mut screen = String::new();
    for args in
        [&["--no-such-flag"][..], &["--wait", "soon"], &["explain", "NotInjcted"], &["no-such-command"]]
    {
        let output = alone(args, &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        writeln!(screen, "$ irsa-probe {}\n{said}", args.join(" ")).unwrap();
    }
    assert_text("usage-errors", &screen);
    assert_eq!(alone(&[], &[("IRSA_PROBE_MODE", b"maybe")]).status.code(), Some(64));
    let empty = [("IRSA_PROBE_MODE", &b""[..]), ("IRSA_PROBE_TOLERATE", b""), ("IRSA_PROBE_WAIT", b"")];
    assert_eq!(alone(&[], &empty).status.code(), Some(10), "a variable set to nothing is not set");
}

#[test]
fn every_command_has_help() {
    let command = Cli::command();
    let names = command.get_subcommands().map(|command| command.get_name());
    for args in names.map(|name| vec![name, "--help"]).chain([vec!["--help"]]) {
        let output = alone(&args, &[]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        let screen = args.join(" ").replace(" --", "-").replace("--", "");
        assert_text(&screen, &String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(alone(&["--version"], &[]).status.code(), Some(0));
}

#[test]
fn token_argument_is_not_echoed() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXNlY3JldA";
    for args in [&[token][..], &["--wait", token], &["explain", token]] {
        let output = alone(args, &[]);
        assert_eq!(output.status.code(), Some(64));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("c2lnbmF0dXJlLXNlY3JldA"), "{args:?}");
    }
}

#[test]
fn passwords_in_malformed_urls_are_not_printed() {
    for (variable, value) in [
        ("HTTPS_PROXY", "user:s3cr3t/pw@proxy:3128"),
        ("HTTPS_PROXY", "http:/user:s3cr3t@h:1"),
        ("HTTPS_PROXY", "http://user:s3cr3t pw@h:1"),
        ("HTTPS_PROXY", "socks5://user:s3cr3t@h:1"),
        ("HTTPS_PROXY", "http://s3cr3t:pa/ss@h:1"),
        ("AWS_ENDPOINT_URL_STS", "user:s3cr3t@h"),
        ("AWS_ENDPOINT_URL_STS", "ftp://user:s3cr3t?pw@h"),
        ("AWS_ENDPOINT_URL_STS", "https://user:s3cr3t/pw@h"),
        ("AWS_ENDPOINT_URL_STS", "https://127.0.0.1:1/x?token=s3cr3t"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost:8080/creds?token=s3cr3t"),
        ("IRSA_PROBE_ROLE_ARN", "arn:aws:iam::111122223333:role/s3cr3t"),
    ] {
        let args: &[&str] = if variable.starts_with("IRSA") {
            &["--help"]
        } else {
            &["--wait", "0s", "--dns-server", "127.0.0.1:9"]
        };
        let local = ("AWS_ENDPOINT_URL_STS", &b"https://127.0.0.1:1"[..]);
        let mut variables = vec![(variable, value.as_bytes()), ("AWS_REGION", b"us-gov-west-1")];
        if variable == "HTTPS_PROXY" {
            variables.push(local);
        }
        for output in ["json", "text"] {
            variables.push(("IRSA_PROBE_OUTPUT", output.as_bytes()));
            let finished = alone(args, &variables);
            let printed = [finished.stdout, finished.stderr].concat();
            assert!(!String::from_utf8_lossy(&printed).contains("s3cr3t"), "{variable}={value} {output}");
        }
    }
}

#[test]
fn explain_shows_pages_and_the_list() {
    let page = alone(&["explain", "NOTINJECTED"], &[]);
    assert!(String::from_utf8_lossy(&page.stdout).starts_with("# NotInjected\n"));
    let list = alone(&["explain", "--output", "json"], &[]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    let first = &list["diagnoses"][0];
    assert_eq!((&first["name"], &first["class"]), (&"NotInjected".into(), &"not-injected".into()));
    let page = alone(&["explain", "NotInjected", "--output", "json"], &[]);
    let page: Value = serde_json::from_slice(&page.stdout).unwrap();
    assert!(page["page"].as_str().unwrap().contains("## Fix"));
}

const ROLE: (&str, &[u8]) = ("AWS_ROLE_ARN", b"arn:aws-us-gov:iam::111122223333:role/payments-checkout");
const TOKEN: (&str, &[u8]) = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/projected-token.jwt").as_bytes(),
);

#[test]
fn trust_policy_needs_no_network() {
    let output = alone(&["trust-policy"], &[ROLE, TOKEN]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let provider = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    let statement = &answer["trust_policy"]["Statement"][0];
    assert_eq!(
        statement["Principal"]["Federated"],
        format!("arn:aws-us-gov:iam::111122223333:oidc-provider/{provider}")
    );
    assert_eq!(
        statement["Condition"]["StringEquals"][format!("{provider}:sub")],
        "system:serviceaccount:payments:checkout"
    );
    assert_eq!(answer["oidc_provider"]["url"], format!("https://{provider}"));
    let commands = answer["commands"].as_object().unwrap();
    for command in commands.values() {
        let command = command.as_str().unwrap();
        assert!(
            ["get-", "create-", "add-"].iter().any(|verb| command.starts_with(&format!("aws iam {verb}"))),
            "{command}"
        );
        assert!(command.contains("--region us-gov-west-1"), "{command}");
    }
}

#[test]
fn trust_policy_without_identity_is_not_injected() {
    let output = alone(&["trust-policy"], &[]);
    assert_eq!(output.status.code(), Some(10));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["diagnosis"]["name"], "NotInjected");
}

#[test]
fn huge_and_binary_variables_are_diagnosed() {
    let huge = vec![b'x'; 100_000];
    for (variable, value, expected) in [
        ("AWS_ROLE_ARN", &huge[..], "RoleArnMalformed"),
        ("AWS_ROLE_ARN", b"arn:aws:iam::111122223333:role/\xff\xfe", "RoleArnMalformed"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &huge[..], "TokenFileReadFailed"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", b"/\xff\n\x1b[2J", "TokenFileMissing"),
        ("AWS_REGION", &huge[..], "RegionMalformed"),
        ("AWS_REGION", b"\xff", "RegionMalformed"),
    ] {
        let mut variables = vec![
            ROLE,
            TOKEN,
            ("AWS_REGION", &b"us-gov-west-1"[..]),
            ("AWS_ENDPOINT_URL_STS", &b"http://127.0.0.1:1"[..]),
        ];
        variables.retain(|(name, _)| *name != variable);
        variables.push((variable, value));
        let output = alone(&["--wait", "0s", "--timeout", "5s"], &variables);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["diagnosis"]["name"], expected, "{variable}");
        assert!(output.stdout.len() < 20_000, "{}", output.stdout.len());
    }
}

#[test]
fn blocked_outputs_do_not_block_the_exit() {
    let (unread, full) = std::io::pipe().unwrap();
    let filler = full.try_clone().unwrap();
    // Whoever fills it blocks as soon as it is full, in a thread that is left behind.
    std::thread::spawn(move || {
        let mut filler = filler;
        let _ = std::io::copy(&mut std::io::repeat(b'x'), &mut filler);
    });
    let mut child = bare()
        .stdin(Stdio::null())
        .stdout(full.try_clone().unwrap())
        .stderr(full.try_clone().unwrap())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(10));
    drop(unread);
}

#[test]
fn full_disk_does_not_change_the_exit_code() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = bare().stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(10));
}

/// Some libraries panic where they cannot open what they need.
#[test]
fn a_process_that_may_open_too_few_files_cannot_start() {
    for most in [4, 6, 8, 12, 20, 30] {
        let command = format!("ulimit -n {most} && exec {PROGRAM} check");
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said, "irsa-probe cannot start: Too many open files (os error 24)\n", "{most}");
        assert_eq!(output.status.code(), Some(14), "{most}");
    }
}

#[tokio::test]
async fn keys_of_sts_that_no_request_can_carry_are_not_its_answer() {
    for id in ["AK&#10;", "AK&#x7f;", "AK\u{e9}"] {
        let toml = format!(
            "args = [\"--wait\", \"0s\"]\n[[sts.assume]]\nreply.status = 200\nreply.content_type = \"text/xml\"\n\
             reply.body = \"\"\"<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>x</SecretAccessKey><SessionToken>t</SessionToken>\
             <Expiration>2096-11-24T05:37:25Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>\"\"\"\n"
        );
        let report = report(&run(&toml, &[]).await);
        assert_eq!(report["diagnosis"]["name"], "NotStsReply", "{id}: {report}");
    }
}
