//! The Kubernetes API through the testbed's own: what is read of the service account, and how the pod's
//! condition and events follow the sidecar's verdict.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use irsa_probe::diagnosis::Name;
use irsa_probe::host::{Clock, Pod};
use irsa_probe::kubernetes::Api;
use irsa_probe::kubernetes::fault::ApiFault;
use irsa_probe::kubernetes::pod_status::PodReference;
use irsa_probe::token::{self, Claims};
use irsa_probe::watch::pod_status::Warning;
use irsa_probe::watch::pod_status::{PodStatus, ROLE_WORKS};
use irsa_probe::watch::publish::{Publisher, RetryPolicy};
use serde_json::{Value, json};
use testbed::kubernetes::{Kubernetes, Mode, Right};
use testbed::scenario::Scenario;
use testbed::world::{Exit, Finished, World};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::subscriber::DefaultGuard;

const CONDITION: &str = "irsa-probe/ready";
/// As in life, but for how long it takes; a call has long enough even where everything is slow.
const PACE: RetryPolicy = RetryPolicy {
    call: Duration::from_secs(20),
    first: Duration::from_millis(10),
    longest: Duration::from_millis(50),
    denied: Duration::from_millis(50),
};

/// In which something would happen that must not; what does happen is waited for instead.
const A_WHILE: Duration = Duration::from_millis(50);

/// A pod in a cluster, and the clock of both.
struct Cluster {
    world: World,
    pod: Pod,
    seconds: Arc<AtomicU64>,
}

impl Cluster {
    async fn start(toml: &str) -> Self {
        let world = World::start(&Scenario::parse(toml).unwrap()).await;
        // It stands still, unless it is moved, and begins with ten minutes that the API counts as one.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let seconds = Arc::new(AtomicU64::new(since - since % 600));
        let hand = Arc::clone(&seconds);
        let clock = move || SystemTime::UNIX_EPOCH + Duration::from_secs(hand.load(Ordering::Relaxed));
        let pod = Pod::recorded(world.env(), Clock::Driven(Arc::new(clock)));
        Self { world, pod, seconds }
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    fn api(&self) -> &Kubernetes {
        self.world.kubernetes().unwrap()
    }

    fn token_file(&self) -> PathBuf {
        self.pod.variable("IRSA_PROBE_API_TOKEN_FILE").unwrap().into()
    }

    async fn claims(&self) -> Claims {
        let until = Instant::now() + Duration::from_secs(20);
        let file = self.pod.read(&self.token_file(), 1 << 16, until).await.unwrap();
        token::decode(std::str::from_utf8(&file.bytes).unwrap()).unwrap()
    }

    async fn sidecar(&self, pace: RetryPolicy, condition: bool, events: bool) -> Sidecar {
        let publisher = Publisher {
            pod: self.pod.clone(),
            api: Api::from_variables(&self.pod, &self.token_file()).unwrap(),
            reference: PodReference::from_claims(&self.claims().await).unwrap(),
            retry: pace,
        };
        let (standing, received) = watch::channel(None);
        let condition = condition.then_some(CONDITION);
        let task = tokio::spawn(async move { publisher.run(condition, events, received).await });
        Sidecar { standing, task }
    }

    /// The condition's status, reason, message and time, once it has this reason.
    async fn condition(&self, reason: &str) -> Value {
        self.until(|api| api.condition(CONDITION).filter(|condition| condition["reason"] == reason)).await
    }

    /// The types and reasons of this many events, once there are so many.
    async fn events(&self, count: usize) -> Vec<(String, String)> {
        let events = self.until(|api| Some(api.events()).filter(|events| events.len() >= count)).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        events.iter().map(|event| (text(&event["type"]), text(&event["reason"]))).collect()
    }

    /// Waits until so many requests have been made.
    async fn requests(&self, method: &str, count: usize) {
        self.until(|api| (self.count(api, method) >= count).then_some(())).await;
    }

    fn count(&self, api: &Kubernetes, method: &str) -> usize {
        api.requests().iter().filter(|request| request.method == method).count()
    }

    async fn until<T>(&self, found: impl Fn(&Kubernetes) -> Option<T>) -> T {
        let look = async {
            loop {
                if let Some(found) = found(self.api()) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let requests = || self.api().requests();
        tokio::time::timeout(Duration::from_secs(60), look)
            .await
            .unwrap_or_else(|_| panic!("it never comes: {:#?} {:#?}", requests(), self.api().events()))
    }
}

/// A sidecar that publishes; it ends when dropped.
struct Sidecar {
    standing: watch::Sender<Option<PodStatus>>,
    task: JoinHandle<()>,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sidecar {
    fn say(&self, reason: &str, message: &str) {
        let ready = reason == ROLE_WORKS;
        let (reason, message) = (reason.to_owned(), message.to_owned());
        self.standing.send(Some(PodStatus { ready, reason, message, warnings: Vec::new() })).unwrap();
    }

    /// Waits until it ends by itself.
    async fn ended(mut self) {
        tokio::time::timeout(Duration::from_secs(60), &mut self.task).await.expect("it ends").unwrap();
    }
}

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What this thread logs; each test has one of its own.
struct Log {
    _subscribed: DefaultGuard,
}

impl Log {
    fn begin() -> Self {
        LOGGED.take();
        let subscriber = tracing_subscriber::fmt().json().with_writer(|| Logged).finish();
        Self { _subscribed: tracing::subscriber::set_default(subscriber) }
    }

    fn lines(&self) -> Vec<String> {
        let text = LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap());
        text.lines().filter(|line| line.contains("\"irsa_probe")).map(str::to_owned).collect()
    }
}

/// Where this thread logs to.
struct Logged;

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn condition_follows_the_verdict() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, true, false).await;
    cluster.requests("PATCH", 1).await;
    let first = cluster.api().requests().remove(0);
    assert_eq!(first.body, json!({}), "the pod is read before it is written");
    assert_eq!(first.path, "/api/v1/namespaces/payments/pods/checkout-6d5f9c7b8-abcde/status");
    assert_eq!(first.header("content-type"), Some("application/strategic-merge-patch+json"));

    sidecar.say("DnsUnavailable", "no name server answers");
    let starting = cluster.condition("DnsUnavailable").await;
    assert_eq!((&starting["status"], &starting["lastProbeTime"]), (&json!("False"), &Value::Null));
    let others = cluster.api().conditions().len();

    cluster.pass(7);
    sidecar.say("TokenExpired", "the token expired");
    let expired = cluster.condition("TokenExpired").await;
    assert_eq!(expired["message"], "the token expired");
    assert_eq!(expired["lastTransitionTime"], starting["lastTransitionTime"], "the status is the same");

    let patches = cluster.count(cluster.api(), "PATCH");
    sidecar.say("TokenExpired", "the token expired");
    tokio::time::sleep(A_WHILE).await;
    cluster.pass(7);
    sidecar.say(ROLE_WORKS, "the role works");
    let works = cluster.condition(ROLE_WORKS).await;
    assert_eq!(works["status"], "True");
    assert_ne!(works["lastTransitionTime"], starting["lastTransitionTime"]);
    assert_eq!(cluster.count(cluster.api(), "PATCH"), patches + 1, "the same is not written again");
    assert_eq!(cluster.api().conditions().len(), others, "no other condition is touched");
    assert!(
        cluster
            .api()
            .requests()
            .iter()
            .skip(1)
            .all(|request| { request.body["metadata"]["uid"] == cluster.api().pod()["metadata"]["uid"] })
    );
    assert!(cluster.api().events().is_empty(), "events were not asked for");
}

#[tokio::test]
async fn restart_is_no_transition() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, true, false).await;
    sidecar.say("TokenExpired", "m");
    let before = cluster.condition("TokenExpired").await;
    drop(sidecar);

    cluster.pass(60);
    let patches = cluster.count(cluster.api(), "PATCH");
    let restarted = cluster.sidecar(PACE, true, false).await;
    restarted.say("TokenExpired", "m");
    cluster.requests("PATCH", patches + 1).await;
    tokio::time::sleep(A_WHILE).await;
    restarted.say("StsTimedOut", "m");
    let after = cluster.condition("StsTimedOut").await;
    assert_eq!(after["lastTransitionTime"], before["lastTransitionTime"]);
    let written = cluster.api().requests().split_off(patches);
    let reasons: Vec<&Value> =
        written.iter().map(|request| &request.body["status"]["conditions"][0]["reason"]).collect();
    assert_eq!(reasons, [&Value::Null, &json!("StsTimedOut")], "what is there already is not written again");
}

#[tokio::test]
async fn denied_right_is_logged_once_and_retried() {
    let cluster = Cluster::start("[kubernetes]\ndeny = [\"pods/status\", \"events\"]").await;
    let log = Log::begin();
    let sidecar = cluster.sidecar(PACE, true, true).await;
    sidecar.say("TokenExpired", "m");
    cluster.requests("PATCH", 3).await;
    cluster.requests("POST", 3).await;
    assert_eq!(cluster.api().condition(CONDITION), None);

    cluster.api().allow(Right::Events);
    assert_eq!(cluster.events(1).await, [("Warning".to_owned(), "TokenExpired".to_owned())]);
    assert_eq!(cluster.api().condition(CONDITION), None, "each goes its own way");
    cluster.api().allow(Right::PodsStatus);
    cluster.condition("TokenExpired").await;

    let lines = log.lines();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for grant in ["verb patch on the resource pods/status", "verb create on the resource events"] {
        let said = lines.iter().filter(|line| line.contains(grant) && line.contains("\"WARN\""));
        assert_eq!(said.count(), 1, "{grant}: {lines:#?}");
    }
}

#[tokio::test]
async fn conflict_is_retried() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, true, false).await;
    cluster.requests("PATCH", 1).await;
    cluster.api().conflict_once();
    sidecar.say("TokenExpired", "m");
    cluster.condition("TokenExpired").await;
    for status in [429, 500, 503] {
        cluster.api().set_mode(Mode::Status(status));
        let seen = cluster.count(cluster.api(), "PATCH");
        sidecar.say("StsTimedOut", &status.to_string());
        cluster.requests("PATCH", seen + 2).await;
        cluster.api().set_mode(Mode::Serve);
        let text = json!(status.to_string());
        cluster.until(|api| api.condition(CONDITION).filter(|found| found["message"] == text)).await;
    }
}

#[tokio::test]
async fn replaced_pod_is_left_alone() {
    for (is_read, reason) in [(false, "when it begins"), (true, "while it runs")] {
        let cluster = Cluster::start("[kubernetes]").await;
        let replace = || cluster.api().edit_pod(|pod| pod["metadata"]["uid"] = json!("another"));
        let log = Log::begin();
        if !is_read {
            replace();
        }
        let sidecar = cluster.sidecar(PACE, true, false).await;
        if is_read {
            cluster.requests("PATCH", 1).await;
            // So that the pod is not replaced while the first answer is on its way.
            sidecar.say("DnsUnavailable", "m");
            cluster.condition("DnsUnavailable").await;
            replace();
        }
        let before = cluster.api().condition(CONDITION);
        sidecar.say("TokenExpired", "m");
        sidecar.ended().await;
        assert_eq!(cluster.api().condition(CONDITION), before, "{reason}");
        let gone = log.lines().iter().filter(|line| line.contains("deleted or replaced")).count();
        assert_eq!(gone, 1, "{:#?}", log.lines());
    }
}

#[tokio::test]
async fn deleted_pod_ends_the_publisher() {
    let cluster = Cluster::start("[kubernetes]").await;
    cluster.api().edit_pod(|pod| pod["metadata"]["name"] = json!("another"));
    let sidecar = cluster.sidecar(PACE, true, false).await;
    sidecar.ended().await;
}

#[tokio::test]
async fn hanging_api_gets_only_the_newest_status() {
    let cluster = Cluster::start("[kubernetes]\nmode = \"hang\"").await;
    let pace = RetryPolicy { call: Duration::from_millis(500), ..PACE };
    let sidecar = cluster.sidecar(pace, true, true).await;
    sidecar.say("TokenExpired", "m");
    cluster.requests("PATCH", 2).await;
    cluster.requests("POST", 2).await;
    sidecar.say("StsTimedOut", "m");
    sidecar.say("Throttled", "m");
    sidecar.say(ROLE_WORKS, "m");
    cluster.api().set_mode(Mode::Serve);
    assert_eq!(cluster.condition(ROLE_WORKS).await["status"], "True");
    let requests = format!("{:?}", cluster.api().requests());
    assert!(requests.contains("TokenExpired") && requests.contains(ROLE_WORKS));
    assert!(!requests.contains("StsTimedOut") && !requests.contains("Throttled"), "{requests}");
}

#[tokio::test]
async fn events_are_written_once() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, false, true).await;
    let pair = |kind: &str, reason: &str| (kind.to_owned(), reason.to_owned());
    sidecar.say(ROLE_WORKS, "m");
    tokio::time::sleep(A_WHILE).await;
    assert!(cluster.api().requests().is_empty(), "that it works from the start is no news");

    sidecar.say("TokenExpired", "the token expired");
    assert_eq!(cluster.events(1).await, [pair("Warning", "TokenExpired")]);
    let event = cluster.api().events().remove(0);
    assert_eq!(event["message"], "the token expired");
    let pod = cluster.api().pod();
    let of = json!({"apiVersion": "v1", "kind": "Pod", "namespace": "payments",
        "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]});
    assert_eq!(event["involvedObject"], of);

    sidecar.say("TokenExpired", "the token expired a while ago");
    tokio::time::sleep(A_WHILE).await;
    sidecar.say(ROLE_WORKS, "the role works");
    let story = [pair("Warning", "TokenExpired"), pair("Normal", ROLE_WORKS)];
    assert_eq!(cluster.events(2).await, story);

    // The same again, also by another life of the container, is refused by the API itself.
    sidecar.say("TokenExpired", "m");
    cluster.requests("POST", 3).await;
    drop(sidecar);
    let restarted = cluster.sidecar(PACE, false, true).await;
    restarted.say("TokenExpired", "m");
    cluster.requests("POST", 4).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(cluster.count(cluster.api(), "POST"), 4, "a refusal of that kind is as good as done");
    restarted.say("StsTimedOut", "m");
    let story = [story.as_slice(), &[pair("Warning", "StsTimedOut")]].concat();
    assert_eq!(cluster.events(3).await, story);

    cluster.pass(600);
    restarted.say("TokenExpired", "m");
    let story = [story.as_slice(), &[pair("Warning", "TokenExpired")]].concat();
    assert_eq!(cluster.events(4).await, story, "ten minutes later it is told again");
    assert!(cluster.api().condition(CONDITION).is_none(), "a condition was not asked for");
}

#[tokio::test]
async fn rotated_api_token_is_read_again() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, true, false).await;
    cluster.requests("PATCH", 1).await;
    cluster.api().set_token("another");
    sidecar.say("TokenExpired", "m");
    cluster.requests("PATCH", 4).await;
    assert_eq!(cluster.api().condition(CONDITION), None);
    let token = cluster.world.renew_api_token().unwrap();
    cluster.api().set_token(&token);
    cluster.condition("TokenExpired").await;
}

#[tokio::test]
async fn service_account_failures_are_told_apart() {
    for (toml, expected) in [
        (
            "[kubernetes]\ndeny = [\"serviceaccounts\"]",
            "the pod's service account may not get serviceaccounts",
        ),
        ("[kubernetes]\nservice_account = \"missing\"", "the API knows no such object"),
        ("[kubernetes]\nmode = \"unauthorized\"", "the API does not accept the pod's API token"),
        ("[kubernetes]\nmode = \"refused\"", "the API cannot be reached: the connection is refused"),
        ("[kubernetes]\nmode = \"hang\"", "the API did not answer in time"),
    ] {
        let cluster = Cluster::start(toml).await;
        let seconds = if toml.contains("hang") { 1 } else { 20 };
        let fault = read(&cluster, &cluster.token_file(), seconds).await.unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{toml}: {fault}");
    }

    let cluster = Cluster::start("[kubernetes]").await;
    for (name, files, expected) in [
        ("no-token", vec![], "cannot be read: it does not exist"),
        ("empty", vec![("token", "")], "cannot be read: it is empty"),
        ("two-lines", vec![("token", "a\nb")], "cannot be read: it is no token"),
        ("no-ca", vec![("token", "a")], "cannot be used: it does not exist"),
        ("bad-ca", vec![("token", "a"), ("ca.crt", "hello")], "cannot be used: it holds no certificate"),
        (
            "other-ca",
            vec![("token", "a"), ("ca.crt", &cluster.world.ca_pem())],
            "its certificate is not trusted",
        ),
    ] {
        let folder = cluster.world.dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        let fault = read(&cluster, &folder.join("token"), 20).await.unwrap_err().to_string();
        assert!(fault.contains(expected), "{name}: {fault}");
    }
    assert!(cluster.api().requests().is_empty(), "nobody else is given the token");
    assert!(read(&cluster, &cluster.token_file(), 20).await.is_ok());
}

async fn read(
    cluster: &Cluster,
    token_file: &Path,
    seconds: u64,
) -> Result<irsa_probe::kubernetes::service_account::AnnotatedAccount, ApiFault> {
    let api = Api::from_variables(&cluster.pod, token_file).unwrap();
    let name = cluster.claims().await.service_account().unwrap();
    api.service_account(&name, Instant::now() + Duration::from_secs(seconds)).await
}

const NO_IDENTITY: &str = "unset = [\"AWS_ROLE_ARN\", \"AWS_WEB_IDENTITY_TOKEN_FILE\"]\n";

async fn check(toml: &str) -> (World, Finished, Value) {
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let program = Path::new(env!("CARGO_BIN_EXE_irsa-probe"));
    let finished = world.run(program, &["--output", "json"]).await.unwrap();
    let report = serde_json::from_slice(&finished.stdout).unwrap();
    assert!(finished.leaks().is_empty(), "{:?}", finished.leaks());
    (world, finished, report)
}

#[tokio::test]
async fn unreachable_api_costs_only_precision() {
    for (kubernetes, words) in [
        ("deny = [\"serviceaccounts\"]", "grant the verb get on the resource serviceaccounts"),
        ("mode = \"hang\"", "the API did not answer in time"),
        ("mode = \"refused\"", "the API cannot be reached"),
        ("mode = \"unauthorized\"", "the API refused the pod's API token, which has not expired"),
    ] {
        let toml = format!("{NO_IDENTITY}[kubernetes]\n{kubernetes}");
        let (_world, finished, report) = check(&toml).await;
        assert_eq!(finished.status, Exit::Code(10), "{report:#}");
        let diagnosis = &report["diagnosis"];
        assert_eq!(diagnosis["name"], "NotInjected", "{kubernetes}");
        let read = diagnosis["evidence"]["service_account_read"].as_str().unwrap();
        assert!(read.contains(words), "{read}");
        let says_deleted = diagnosis["cause"].as_str().unwrap().contains("was deleted");
        assert_eq!(says_deleted, kubernetes.contains("unauthorized"), "{diagnosis:#}");
        let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
        assert_eq!(stderr.matches("the service account was not read").count(), 1, "{stderr}");
    }
}

#[tokio::test]
async fn service_account_is_read_only_when_needed() {
    for (when, identity, asked) in [
        ("auto", false, true),
        ("auto", true, false),
        ("always", false, true),
        ("always", true, true),
        ("off", false, false),
        ("off", true, false),
    ] {
        let start = if identity { "" } else { NO_IDENTITY };
        let toml = format!("args = [\"--kubernetes\", \"{when}\"]\n{start}[kubernetes]\n");
        let (world, _, report) = check(&toml).await;
        assert_eq!(world.kubernetes().unwrap().requests().len(), usize::from(asked), "{when} {identity}");
        let expected = match (identity, asked) {
            (true, _) => Value::Null,
            (false, true) => json!("NotInjected"),
            (false, false) => json!("NotInjected"),
        };
        assert_eq!(report["diagnosis"]["name"], expected, "{when} {identity}");
    }

    let trust_policy = format!("command = \"trust-policy\"\n{NO_IDENTITY}[kubernetes]\n");
    let (world, _, report) = check(&trust_policy).await;
    assert_eq!(report["diagnosis"]["name"], "NotInjected");
    assert!(world.kubernetes().unwrap().requests().is_empty(), "trust-policy calls nothing");
}

#[tokio::test]
async fn warning_has_its_own_event() {
    let cluster = Cluster::start("[kubernetes]").await;
    let sidecar = cluster.sidecar(PACE, false, true).await;
    let warned = |warnings: Vec<Warning>| PodStatus {
        ready: true,
        reason: ROLE_WORKS.to_owned(),
        message: "m".to_owned(),
        warnings,
    };
    let not_rotated = || Warning { name: Name::TokenNotRotated, cause: "It was due an hour ago.".to_owned() };
    sidecar.standing.send(Some(warned(Vec::new()))).unwrap();
    sidecar.standing.send(Some(warned(vec![not_rotated()]))).unwrap();
    assert_eq!(cluster.events(1).await, [("Warning".to_owned(), "TokenNotRotated".to_owned())]);
    let message = cluster.api().events()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(": It was due an hour ago."), "{message}");
}
