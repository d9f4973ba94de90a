//! What must not be printed, or written over, whoever answers and whatever a flag names.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Serves one body for every call, until the test is over.
struct Server {
    address: String,
    is_over: Arc<AtomicBool>,
}

impl Server {
    fn start(body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut [0; 4096]);
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { address, is_over }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(&self.address);
    }
}

fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(args)
        .env_clear()
        .env("AWS_REGION", "eu-west-1")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

/// A mock or a proxy that answers every path alike gives its keys in place of a role's name.
#[test]
fn keys_in_place_of_a_roles_name_are_not_printed() {
    const KEY: &str = "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY";
    for body in [
        r#"{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY", "Token": "t"}"#,
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY",
        "role\nwJalrXUtnFEMI0K7MDENG0bPxRfiCYEXAMPLEKEY",
        KEY,
    ] {
        let server = Server::start(body);
        let endpoint = format!("http://{}", server.address);
        let subject =
            ["--issuer", "https://oidc.example", "--subject", "system:serviceaccount:a:b", "--audience", "c"];
        let audit = [&["audit", "--output", "text", "--timeout", "5s"], &subject[..]].concat();
        let audit = [&audit[..], &["--role-arn", "arn:aws:iam::111122223333:role/a"]].concat();
        for args in
            [&["check", "--output", "text", "--wait", "0s"][..], &["chain", "--output", "text"], &audit]
        {
            for output in
                [args.to_vec(), args.iter().map(|arg| if *arg == "text" { "json" } else { arg }).collect()]
            {
                let output = run(
                    &output,
                    &[
                        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
                        ("AWS_ENDPOINT_URL", &endpoint),
                        ("IRSA_PROBE_TERMINATION_LOG", "/dev/null"),
                        ("IRSA_PROBE_LOG", "trace"),
                    ],
                );
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                assert!(!said.is_empty() && !said.contains(KEY), "{args:?}: {said}");
            }
        }
    }
}

/// Only a regular file that is no larger than a termination message is overwritten.
#[test]
fn termination_log_overwrites_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: usize| {
        let path = folder.path().join(name);
        std::fs::write(&path, "x".repeat(bytes)).unwrap();
        path
    };
    let at = |path: &Path| run(&["check", "--wait", "0s", "--termination-log", path.to_str().unwrap()], &[]);
    let usual = file("usual", 4096);
    at(&usual);
    assert!(std::fs::read_to_string(&usual).unwrap().starts_with("NotInjected"));
    let large = file("large", 4097);
    let said = at(&large).stderr;
    assert_eq!(std::fs::metadata(&large).unwrap().len(), 4097);
    assert!(String::from_utf8_lossy(&said).contains("larger than a termination message"));
    for path in ["/dev/full", "/proc/self/comm", "/proc/self/oom_score_adj", "/sys/kernel/mm/ksm/run"] {
        if Path::new(path).exists() {
            let said = at(Path::new(path)).stderr;
            assert!(String::from_utf8_lossy(&said).contains("it is no regular file"), "{path}");
        }
    }
}

/// Files of `/proc` look regular, and reading some of them takes from others what they wait for.
#[test]
fn files_of_the_kernel_are_not_read() {
    let output = run(
        &["check", "--wait", "0s", "--output", "json"],
        &[
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/proc/self/environ"),
            ("IRSA_PROBE_TERMINATION_LOG", "/dev/null"),
        ],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("TokenFileNotRegular") && said.contains("a file of /proc or /sys"), "{said}");
}
