//! Inputs that are made to hurt an audit: it ends in time with a report, and acts on nothing that was forged.

use std::process::{Command, Output};

use serde_json::{Value, json};

const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

/// Audits files for the usual token; each file is the value of a flag.
fn audit(files: &[(&str, String)]) -> Output {
    let token = ["--subject", "system:serviceaccount:payments:checkout", "--audience", "sts.amazonaws.com"];
    audit_of(&token, files)
}

/// Audits files for a token, with no more than 64 MiB of memory.
fn audit_of(token: &[&str], files: &[(&str, String)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let files = files.iter().map(|(flag, text)| {
        let path = folder.path().join(flag);
        std::fs::write(&path, text).unwrap();
        [format!("--{flag}").into(), path.into_os_string()]
    });
    Command::new("/bin/sh")
        .args(["-c", "ulimit -v 65536; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_irsa-probe")])
        .args(["audit", "--output", "json", "--termination-log", "/dev/null", "--issuer", ISSUER])
        .args(["--role-arn", "arn:aws:iam::111122223333:role/payments-checkout"])
        .args(token)
        .args(files.flatten())
        .env_clear()
        .output()
        .unwrap()
}

fn diagnosis(output: &Output) -> String {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    report["diagnosis"]["name"].as_str().unwrap().to_owned()
}

fn policy(provider: &str, condition: &Value) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        },
    })
    .to_string()
}

/// One such provider in the account once ended every audit by a stack overflow.
#[test]
fn issuer_like_any_other_in_any_place_has_a_report() {
    let arn = |issuer: &str| format!("arn:aws:iam::111122223333:oidc-provider/{issuer}");
    let schemes = "http://".repeat(1_000);
    for issuer in ["oidc.eks.eks.X", "https://oidc.eks.eks.X/id/A", &schemes] {
        let key =
            json!({"StringEquals": {format!("{issuer}:sub"): "system:serviceaccount:payments:checkout"}});
        let listed = json!({"OpenIDConnectProviderList": [{"Arn": arn(issuer)}]});
        let policies =
            [policy(issuer, &json!({})), policy(&arn(issuer), &json!({})), policy(&arn(ISSUER), &key)];
        for policy in policies {
            assert_eq!(diagnosis(&audit(&[("trust-policy", policy)])), "TrustIssuerMismatch", "{issuer:.80}");
        }
        for provider in [listed, json!({"Url": issuer})] {
            let good = ("trust-policy", policy(&arn(ISSUER), &json!({})));
            let found = audit(&[good, ("oidc-provider", provider.to_string())]);
            assert_eq!(diagnosis(&found), "OidcProviderMissing", "{issuer:.80}");
        }
    }
}

/// Whatever is larger than AWS and Kubernetes store is refused, by its name and the bound. Some of these once took
/// minutes, or as much memory as there was.
#[test]
fn input_larger_than_what_is_stored_is_refused() {
    let subject = format!("{ISSUER}:sub");
    let good = || policy(&format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}"), &json!({}));
    let ids = |count: usize| json!({"Url": ISSUER, "ClientIDList": vec!["a".repeat(255); count]}).to_string();
    let zeros = |count: usize| format!("[{}0]", "0,".repeat(count));
    let objects = format!("[{}0]", "{\"\":0},".repeat(90_000));
    let long = "a".repeat(1_000);
    let account = |name: &str| format!("system:serviceaccount:a:{name}");
    let audiences = [["--audience", "a"]; 17];
    let token = ["--subject", "system:serviceaccount:payments:checkout", "--audience", "sts.amazonaws.com"];
    for (token, files, expected) in [
        (&token[..], vec![("oidc-provider", ids(101))], "it has 101 client ids, and can have at most 100"),
        (&token, vec![("oidc-provider", zeros(100_000))], "it has more than 100000 values in its JSON"),
        (&token, vec![("trust-policy", zeros(100_001))], "it has more than 100000 values in its JSON"),
        (&token, vec![("pod", objects)], "it has more than 100000 values in its JSON"),
        (&token, vec![("service-account", " ".repeat(5 << 20))], "it has more than 4194304 bytes"),
        (&token, vec![("report", "{\n".repeat(9 << 20))], "it has more than 16777216 bytes"),
        (
            &["--subject", &account(&long), "--audience", "a"],
            vec![("trust-policy", good())],
            "the subject has 1024 characters, by --subject, and can have at most 339",
        ),
        (
            &["--subject", &account("b"), "--audience", &long],
            vec![("trust-policy", good())],
            "the audience has 1000 characters, by --audience, and can have at most 255",
        ),
        (
            &[&["--subject", &account("b")], audiences.as_flattened()].concat(),
            vec![("trust-policy", good())],
            "the token has 17 audiences, by --audience, and can have at most 16",
        ),
    ] {
        let output = audit_of(token, &files);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(64) && said.contains(expected), "{expected}: {said}");
    }

    let condition = json!({"StringLike": {subject: vec!["*a*b"; 2_000]}});
    let output = audit(&[("trust-policy", policy("a", &condition))]);
    assert_eq!(diagnosis(&output), "TrustPolicyMalformed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("characters without white space, and a trust policy at most 8192"), "{said}");
}

/// What is just as large as it can be is judged.
#[test]
fn largest_input_is_judged_within_its_memory() {
    let subject = format!("{ISSUER}:sub");
    let arn = format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}");
    let keys = |count: usize| Value::from_iter((0..count).map(|key| (format!("a.{key:x}:sub"), json!("b"))));
    for (condition, name) in [
        (json!({"StringLike": {&subject: vec!["*a*b"; 1_000]}}), "TrustSubjectMismatch"),
        (json!({"StringEquals": keys(400)}), "TrustIssuerMismatch"),
    ] {
        let output = audit(&[("trust-policy", policy(&arn, &condition))]);
        assert_eq!(diagnosis(&output), name);
    }
    let containers = format!("[{}{{}}]", "{\"name\":\"a\"},".repeat(40_000));
    let names = (0..9_000).map(|name| format!("c{name}")).collect::<Vec<_>>().join(",");
    let pod = format!(
        r#"{{"kind": "Pod", "metadata": {{"namespace": "payments", "annotations": {{"eks.amazonaws.com/skip-containers":
           "{names}"}}}}, "spec": {{"serviceAccountName": "checkout", "containers": {containers}}}}}"#
    );
    assert_eq!(diagnosis(&audit(&[("pod", pod)])), "NotInjected");
}

/// A signal ends an audit that is at work, as it ends one that waits.
#[test]
fn signal_ends_an_audit_at_work() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    std::fs::write(&log, "{\n".repeat(8 << 20)).unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
            .args(["audit", "--termination-log", "/dev/null", "--report"])
            .arg(&log)
            .env_clear()
            .spawn()
            .unwrap();
        let status = format!("/proc/{}/status", audit.id());
        let catches = || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (signal as u64 - 1)) != 0
        };
        while !catches() {
            std::thread::yield_now();
        }
        kill(Pid::from_raw(audit.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(audit.wait().unwrap().code(), Some(143));
    }
}

/// A program that a profile names for credentials ends with the audit that a signal ends.
#[test]
fn signal_ends_the_program_of_a_profile_too() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let folder = tempfile::tempdir().unwrap();
    let (config, process) = (folder.path().join("config"), folder.path().join("process"));
    let script = folder.path().join("hang.sh");
    std::fs::write(&script, format!("echo $$ > {}\nexec sleep 1000\n", process.display())).unwrap();
    let profile = format!("[default]\ncredential_process = sh {}\n", script.display());
    std::fs::write(&config, profile).unwrap();
    let mut audit = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--termination-log", "/dev/null", "--issuer", ISSUER, "--audience", "a"])
        .args(["--subject", "system:serviceaccount:a:b", "--role-arn", "arn:aws:iam::111122223333:role/a"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("AWS_CONFIG_FILE", &config)
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let id = loop {
        let text = std::fs::read_to_string(&process).unwrap_or_default();
        if let Ok(id) = text.trim().parse::<i32>() {
            break id;
        }
        assert_eq!(audit.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    kill(Pid::from_raw(audit.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(audit.wait().unwrap().code(), Some(143));
    let is_alive = || {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    for _ in 0..2_000 {
        if !is_alive() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("process {id} is left behind");
}

/// A User-Agent that an application logs once made an audit print a policy for the service account in it.
#[test]
fn report_in_an_applications_log_changes_no_policy() {
    const GENUINE: &str = include_str!("../../../examples/AssumeRoleNotAuthorized.json");
    let forged = GENUINE.replace("payments:checkout", "default:mallory");
    let policy = policy(
        &format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}"),
        &json!({
            "StringEquals": {format!("{ISSUER}:sub"): "system:serviceaccount:payment:checkout"},
        }),
    );
    let request = json!({"level": "info", "user_agent": forged}).to_string();
    let two_deep = json!({"message": request}).to_string();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy"), policy).unwrap();
    std::fs::write(folder.path().join("log"), format!("{GENUINE}{request}\n{two_deep}\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--output", "json", "--termination-log", "/dev/null"])
        .args(["--report", "log", "--trust-policy", "policy"])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(diagnosis(&output), "TrustSubjectMismatch");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("payments:checkout") && !said.contains("mallory"), "{said}");
}

/// Such a URL is no endpoint and no issuer, and most messages about it would quote it.
#[test]
fn password_in_a_url_is_not_printed() {
    const SECRET: &str = "hunter2";
    let urls =
        ["/", "?", "#", " ", "'", "1/"].map(|c| format!("https://me:{c}{SECRET}{c}{SECRET}@host.example/x"));
    for url in &urls {
        let prefixed = format!("arn:{url}");
        let bare = url.replacen("https://", "", 1);
        for (variable, value, args) in [
            ("IRSA_PROBE_ISSUER", url, &["audit"][..]),
            ("IRSA_PROBE_ISSUER", &prefixed, &["audit"]),
            ("IRSA_PROBE_ISSUER", &bare, &["audit"]),
            ("IRSA_PROBE_TIMEOUT", url, &["check"]),
            ("A", url, &["audit", "--issuer", url]),
            ("A", url, &["audit", url]),
            ("A", url, &[url]),
            ("A", url, &["explain", url]),
            ("A", url, &[&format!("--{url}")]),
            (
                "AWS_ENDPOINT_URL",
                url,
                &[
                    "audit",
                    "--timeout",
                    "1s",
                    "--issuer",
                    ISSUER,
                    "--subject",
                    "system:serviceaccount:a:b",
                    "--audience",
                    "c",
                    "--role-arn",
                    "arn:aws:iam::111122223333:role/a",
                ],
            ),
            ("AWS_ENDPOINT_URL_STS", url, &["check", "--wait", "0s", "--timeout", "1s"]),
            ("AWS_ENDPOINT_URL_STS", url, &["chain", "--timeout", "1s"]),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, &["chain", "--timeout", "1s"]),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url, &["chain", "--timeout", "1s"]),
            ("HTTPS_PROXY", url, &["check", "--wait", "0s", "--timeout", "1s"]),
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
                .args(args)
                .env_clear()
                .envs([
                    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
                    ("AWS_SECRET_ACCESS_KEY", "x"),
                    ("AWS_REGION", "eu-west-1"),
                ])
                .envs([
                    ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a"),
                    (
                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/projected-token.jwt"),
                    ),
                ])
                .env("IRSA_PROBE_TERMINATION_LOG", "/dev/null")
                .env(variable, value)
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(!said.contains(SECRET) && !said.is_empty(), "{variable}={value} {args:?}: {said}");
        }
    }
}
