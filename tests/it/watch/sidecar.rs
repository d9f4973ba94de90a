//! `irsa-probe watch` as a process: what it serves, prints and writes while a role breaks and heals,
//! and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use irsa_probe::watch::metrics;
use serde_json::Value;
use testbed::iam::Refusal;
use testbed::sts::{Accept, Answer};
use testbed::world::{Exit, Running};
use testbed::{Scenario, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const PROBE: &str = env!("CARGO_BIN_EXE_irsa-probe");

/// A world, and a sidecar in it.
struct Sidecar {
    running: Running,
    address: SocketAddr,
}

fn world_of(toml: &str) -> Scenario {
    Scenario::parse(&format!("command = \"watch\"\n{toml}")).unwrap()
}

impl Sidecar {
    async fn start(world: &World, args: &[&str]) -> Self {
        let args = [&["--listen", "127.0.0.1:0"], args].concat();
        let mut running = world.spawn(Path::new(PROBE), &args).await.unwrap();
        let line = running.stderr_line(|line| line.contains("serving")).await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let address = line["fields"]["address"].as_str().unwrap().parse().unwrap();
        Self { running, address }
    }

    /// The next report that was printed.
    async fn report(&mut self) -> Value {
        serde_json::from_str(&self.running.line(|_| true).await.unwrap()).unwrap()
    }

    /// Waits for a report with this diagnosis, or without one.
    async fn verdict(&mut self, name: Option<&str>) -> Value {
        let is_it = |line: &str| {
            serde_json::from_str::<Value>(line)
                .is_ok_and(|report| report["diagnosis"]["name"].as_str() == name)
        };
        serde_json::from_str(&self.running.line(is_it).await.unwrap()).unwrap()
    }

    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes at once may reset the connection, with the answer on its way.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    /// The status and the body at a path.
    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(&format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    async fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").await;
        let value =
            text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
        value.map(|value| value.parse().unwrap())
    }

    /// Waits until a series has a value.
    async fn until(&self, series: &str, expected: f64) {
        while self.metric(series).await != Some(expected) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn denied() -> Answer {
    Answer::Error(Refusal::new(
        403,
        "AccessDenied",
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ))
}

#[tokio::test]
async fn role_breaks_and_heals() {
    let world = World::start(&world_of("")).await;
    world.sts().answer(Some(denied().into()));
    let mut sidecar = Sidecar::start(&world, &["--interval", "10s", "--ready-grace", "0s"]).await;

    // It does not work yet: nothing is ready, and everything says why.
    let refused = "AssumeRoleNotAuthorized";
    let report = sidecar.report().await;
    assert_eq!((&report["diagnosis"]["name"], &report["exit_code"]), (&refused.into(), &12.into()));
    let (status, why) = sidecar.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        why.starts_with("AssumeRoleNotAuthorized: STS refuses the role") && why.lines().count() == 1,
        "{why}"
    );
    assert!(sidecar.running.termination_log().unwrap().starts_with("AssumeRoleNotAuthorized (owner: iam"));
    assert_eq!(sidecar.metric("irsa_probe_up").await, Some(0.0));
    assert_eq!(sidecar.metric("irsa_probe_last_success_timestamp_seconds").await, None);
    let diagnosis = r#"irsa_probe_diagnosis{name="AssumeRoleNotAuthorized",class="refused",owner="iam"}"#;
    assert_eq!(sidecar.metric(diagnosis).await, Some(1.0));
    assert_eq!(sidecar.get("/livez").await, (200, "alive\n".to_owned()));

    // It begins to work.
    world.sts().answer(None);
    sidecar.verdict(None).await;
    assert_eq!(sidecar.get("/readyz").await, (200, "ready: the role works\n".to_owned()));
    assert!(sidecar.running.termination_log().unwrap().starts_with("pass: this pod gets"));
    assert_eq!((sidecar.metric("irsa_probe_up").await, sidecar.metric(diagnosis).await), (Some(1.0), None));
    assert!(sidecar.metric("irsa_probe_last_success_timestamp_seconds").await.unwrap() > 1.7e9);
    assert!(sidecar.metric("irsa_probe_token_expiry_timestamp_seconds").await.unwrap() > 1.7e9);
    assert!(sidecar.metric("irsa_probe_sts_last_request_seconds").await.unwrap() > 0.0);

    // It breaks, is noticed at the next check, and heals.
    world.sts().answer(Some(denied().into()));
    sidecar.verdict(Some(refused)).await;
    assert_eq!(sidecar.get("/readyz").await.0, 503);
    assert_eq!(
        sidecar.metric(r#"irsa_probe_check_outcome{check="assume-role",outcome="fail"}"#).await,
        Some(1.0)
    );
    world.sts().answer(None);
    sidecar.verdict(None).await;
    assert_eq!(sidecar.get("/readyz").await.0, 200);

    let asked = world.sts().requests();
    let counted = async |result: &str| {
        sidecar.metric(&format!("irsa_probe_sts_requests_total{{result=\"{result}\"}}")).await.unwrap()
    };
    let sum = counted("ok").await + counted("refused").await;
    assert!(counted("refused").await >= 2.0 && counted("throttled").await + counted("failed").await == 0.0);
    assert!((sum - asked.len() as f64).abs() <= 1.0, "{sum} and {}", asked.len());

    sidecar.running.terminate();
    let finished = sidecar.running.end().await.unwrap();
    assert_eq!(finished.status, Exit::Code(0));
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    // One line of JSON for each change, and nothing else.
    assert_eq!(String::from_utf8(finished.stdout).unwrap().lines().count(), 4);
}

#[tokio::test]
async fn failure_within_grace_stays_ready() {
    let world = World::start(&world_of("")).await;
    let mut sidecar = Sidecar::start(&world, &["--interval", "10s"]).await;
    sidecar.verdict(None).await;
    world.sts().answer(Some(denied().into()));
    sidecar.verdict(Some("AssumeRoleNotAuthorized")).await;
    let (status, why) = sidecar.get("/readyz").await;
    assert!(status == 200 && why.contains("(ready for another 59m"), "{status} {why}");
    assert_eq!(
        (sidecar.metric("irsa_probe_up").await, sidecar.metric("irsa_probe_ready").await),
        (Some(0.0), Some(1.0))
    );
    sidecar.running.terminate();
    assert_eq!(sidecar.running.end().await.unwrap().status, Exit::Code(12));
}

#[tokio::test]
async fn tolerated_and_observed_failures_are_ready() {
    for args in [["--tolerate", "refused"], ["--mode", "observe"]] {
        let world = World::start(&world_of("")).await;
        world.sts().answer(Some(denied().into()));
        let mut sidecar = Sidecar::start(&world, &args).await;
        sidecar.verdict(Some("AssumeRoleNotAuthorized")).await;
        assert_eq!(sidecar.get("/readyz").await.0, 200);
        assert_eq!(sidecar.metric("irsa_probe_up").await, Some(0.0));
        sidecar.running.terminate();
        assert_eq!(sidecar.running.end().await.unwrap().status, Exit::Code(0));
    }
}

#[tokio::test]
async fn sdk_failure_does_not_repeat_sts_calls() {
    let world = World::start(&world_of("")).await;
    let mut sidecar = Sidecar::start(&world, &["--expect-sdk", "gov1old", "--ready-grace", "0s"]).await;
    let report = sidecar.report().await;
    assert_eq!((&report["diagnosis"]["name"], &report["exit_code"]), (&"FallsToNodeRole".into(), &11.into()));
    sidecar.until("irsa_probe_up", 0.0).await;
    assert!(sidecar.metric("irsa_probe_last_success_timestamp_seconds").await.is_some());
    assert_eq!(sidecar.get("/readyz").await.0, 503);
    // After a failure of the role it would ask again within a second or two.
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.renew().unwrap();
    sidecar.until("irsa_probe_token_rotations_total", 1.0).await;
    assert_eq!(world.sts().requests().len(), 2);
}

#[tokio::test]
async fn rotation_is_judged_without_sts() {
    let world = World::start(&world_of("")).await;
    let mut sidecar = Sidecar::start(&world, &[]).await;
    sidecar.verdict(None).await;
    let asked = world.sts().requests().len();
    world.renew().unwrap();
    let line = sidecar.running.stderr_line(|line| line.contains("the token was rotated")).await.unwrap();
    assert!(line.contains("expires_at") && line.len() < 400, "{line}");
    sidecar.until("irsa_probe_token_rotations_total", 1.0).await;
    assert_eq!(world.sts().requests().len(), asked);
    // A token that cannot work is named without asking, either.
    world.rotate("not a token").unwrap();
    let report = sidecar.verdict(Some("TokenNotAJwt")).await;
    assert_eq!(world.sts().requests().len(), asked);
    let skipped =
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "assume-role").unwrap();
    assert_eq!(skipped["outcome"], "skipped");
    world.renew().unwrap();
    sidecar.verdict(None).await;
    sidecar.running.terminate();
    let finished = sidecar.running.end().await.unwrap();
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
}

#[tokio::test]
async fn only_known_paths_and_methods_are_served() {
    let world = World::start(&world_of("")).await;
    let sidecar = Sidecar::start(&world, &[]).await;
    assert_eq!(sidecar.get("/").await.0, 404);
    assert_eq!(sidecar.get("/readyz?x=1").await.1.lines().count(), 1);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "BREW"] {
        let answer = sidecar
            .ask(&format!("{method} /readyz HTTP/1.1\r\nHost: pod\r\nContent-Length: 0\r\n\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{method}: {answer}");
    }
    let head = sidecar.ask("HEAD /metrics HTTP/1.1\r\nHost: pod\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    let huge = sidecar.ask(&format!("GET /livez HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000))).await;
    assert!(!huge.starts_with("HTTP/1.1 200"), "{huge}");
    for garbage in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET /livez HTTP/9.9\r\n\r\n"] {
        let answer = sidecar.ask(garbage).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert_eq!(sidecar.get("/livez").await.0, 200);
}

#[tokio::test]
async fn slow_clients_do_not_block_checks_or_kubelet() {
    let world = World::start(&world_of("")).await;
    let mut sidecar = Sidecar::start(&world, &[]).await;
    sidecar.verdict(None).await;
    let memory = |sidecar: &Sidecar| {
        let status = std::process::Command::new("cat")
            .arg(format!("/proc/{}/status", sidecar.running.pid()))
            .output()
            .unwrap();
        let status = String::from_utf8(status.stdout).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap().trim().to_owned();
        line.trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let before = memory(&sidecar);
    let mut idle = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX-Slow: ").await.unwrap();
        idle.push(stream);
        if idle.len() % 50 == 0 {
            assert_eq!(sidecar.get("/livez").await.0, 200);
        }
    }
    world.renew().unwrap();
    sidecar.running.stderr_line(|line| line.contains("the token was rotated")).await.unwrap();
    let after = memory(&sidecar);
    assert!(after < before + 2048, "memory grew from {before} to {after} KiB");
}

#[tokio::test]
async fn sigterm_ends_watch_at_any_point() {
    for (toml, name, delays) in [
        ("", None, [0, 3, 10, 30, 200]),
        ("sts.accept = \"hang\"", Some("interrupted"), [0, 3, 10, 30, 200]),
        ("dns.mode = \"silent\"", Some("interrupted"), [0, 3, 10, 30, 200]),
        (
            "unset = [\"AWS_ROLE_ARN\", \"AWS_WEB_IDENTITY_TOKEN_FILE\"]",
            Some("NotInjected"),
            [0, 3, 10, 30, 200],
        ),
    ] {
        for delay in delays {
            let world = World::start(&world_of(toml)).await;
            let sidecar = Sidecar::start(&world, &[]).await;
            tokio::time::sleep(Duration::from_millis(delay)).await;
            sidecar.running.terminate();
            let finished = sidecar.running.end().await.unwrap();
            let message = String::from_utf8(finished.termination_log).unwrap();
            let expected = match name {
                None if message.starts_with("pass") => 0,
                Some("NotInjected") if message.starts_with("NotInjected") => 10,
                _ => {
                    assert!(message.starts_with("interrupted before"), "{message}");
                    143
                }
            };
            assert_eq!(finished.status, Exit::Code(expected), "{toml} after {delay} ms: {message}");
        }
    }
}

#[tokio::test]
async fn taken_port_is_reported_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::start(&world_of("")).await;
    let address = taken.local_addr().unwrap().to_string();
    let finished = world.run(Path::new(PROBE), &["--listen", &address]).await.unwrap();
    assert_eq!(finished.status, Exit::Code(64));
    for output in [finished.stderr, finished.termination_log] {
        let text = String::from_utf8(output).unwrap();
        assert!(text.contains(&format!("cannot listen on {address}")) && text.contains("--listen"), "{text}");
    }
    assert!(finished.requests.is_empty());
}

#[tokio::test]
async fn full_disk_does_not_stop_watch() {
    let world = World::start(&world_of("")).await;
    let mut sidecar = Sidecar::start(&world, &["--termination-log", "/dev/full", "--interval", "10s"]).await;
    sidecar.verdict(None).await;
    world.sts().accept(Accept::Reset);
    sidecar.verdict(Some("StsConnectionLost")).await;
    assert_eq!(sidecar.get("/livez").await.0, 200);
    sidecar.running.terminate();
    assert_eq!(sidecar.running.end().await.unwrap().status, Exit::Code(13));
}

#[tokio::test]
async fn role_metric_is_opt_in() {
    for (args, expected) in [(&[][..], false), (&["--metrics-role-arn"], true)] {
        let world = World::start(&world_of("")).await;
        let mut sidecar = Sidecar::start(&world, args).await;
        sidecar.verdict(None).await;
        let (_, text) = sidecar.get("/metrics").await;
        assert_eq!(text.contains("111122223333"), expected, "{text}");
        for metric in metrics::ALL.iter().filter(|metric| expected || metric.name != "irsa_probe_role_info") {
            let is_there = text.lines().any(|line| line.starts_with(metric.name));
            let may_miss = ["irsa_probe_diagnosis", "irsa_probe_warning"].contains(&metric.name);
            assert!(is_there || may_miss, "{} is not in\n{text}", metric.name);
        }
        assert!(text.ends_with("# EOF\n"));
    }
}

/// What tells the cluster.
const TOLD: [&str; 5] = [
    "--pod-condition=irsa-probe/ready",
    "--pod-events",
    "--ready-grace=0s",
    "--interval=10s",
    "--kubernetes=always",
];

#[tokio::test]
async fn pod_condition_and_events_are_published() {
    let world = World::start(&world_of("[kubernetes]")).await;
    let kubernetes = world.kubernetes().unwrap();
    world.sts().answer(Some(denied().into()));
    let mut sidecar = Sidecar::start(&world, &TOLD).await;
    let condition = async |status: &str| loop {
        match kubernetes.condition("irsa-probe/ready") {
            Some(condition) if condition["status"] == status => break condition,
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let refused = condition("False").await;
    assert_eq!(refused["reason"], "AssumeRoleNotAuthorized");
    assert!(
        refused["message"].as_str().unwrap().starts_with("AssumeRoleNotAuthorized (owner: iam"),
        "{refused}"
    );
    world.sts().answer(None);
    sidecar.verdict(None).await;
    let works = condition("True").await;
    assert_eq!(works["reason"], "RoleWorks");
    while kubernetes.events().len() < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let events = kubernetes.events();
    let told: Vec<_> =
        events.iter().map(|event| (event["type"].as_str(), event["reason"].as_str())).collect();
    let expected = [(Some("Warning"), Some("AssumeRoleNotAuthorized")), (Some("Normal"), Some("RoleWorks"))];
    assert_eq!(told, expected);
    assert_eq!(events[0]["involvedObject"]["kind"], "Pod");

    sidecar.running.terminate();
    let finished = sidecar.running.end().await.unwrap();
    assert_eq!(finished.status, Exit::Code(0));
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    let patches = kubernetes.requests().into_iter().filter(|request| request.method == "PATCH").count();
    assert!((2..=4).contains(&patches), "one to read, and one for each change, not {patches}");
}

#[tokio::test]
async fn missing_rights_are_logged_once() {
    let denied = r#"kubernetes.deny = ["serviceaccounts", "pods/status", "events"]"#;
    let cases = [denied, "kubernetes.mode = \"hang\"", ""];
    side_by_side(cases.map(|toml| async move {
        let world = World::start(&world_of(toml)).await;
        let mut sidecar = Sidecar::start(&world, &TOLD).await;
        sidecar.verdict(None).await;
        assert_eq!(sidecar.get("/readyz").await.0, 200);
        world.sts().answer(Some(throttled().into()));
        sidecar.verdict(Some("Throttled")).await;
        sidecar.until("irsa_probe_up", 0.0).await;
        let log = sidecar.running.stderr_lines();
        let said = |what: &str| log.iter().filter(|line| line.contains(what)).count();
        assert!(said("condition") == 1 && said("service account was not read") == 1, "{log:#?}");
        sidecar.running.terminate();
        let finished = sidecar.running.end().await.unwrap();
        assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    }))
    .await;
}

/// Waits for all of them, side by side.
async fn side_by_side(futures: impl IntoIterator<Item = impl Future<Output = ()> + Send + 'static>) {
    let all: JoinSet<()> = futures.into_iter().collect();
    all.join_all().await;
}

fn throttled() -> Answer {
    Answer::Error(Refusal::new(400, "Throttling", "Rate exceeded"))
}
