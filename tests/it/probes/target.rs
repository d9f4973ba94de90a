//! Looking at a pod through another of its processes, in real PID, mount and user namespaces: what a
//! debugging container may see, what it says where it may not, and that an evil application gets
//! nothing out of it. Where namespaces may not be made, it says so and tests nothing, or fails if
//! `TESTS_MUST_UNSHARE` is set.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use irsa_probe::checks::token_file;
use irsa_probe::host::deadline::Budget;
use irsa_probe::host::process::Process;
use irsa_probe::host::{Clock, Pod, ProcFault, ReadError};
use irsa_probe::run::Verdict;
use irsa_probe::run::options::CheckOptions;
use irsa_probe::run::probe::Probe;
use serde_json::Value;
use testbed::executable;
use testbed::scenario::Scenario;
use testbed::secrets::{self, Secret};
use testbed::volume::POD_USER;
use testbed::world::World;

use crate::program::fits_schema;

const PROGRAM: &str = env!("CARGO_BIN_EXE_irsa-probe");

/// A user that is neither root nor the application's.
const OTHER_USER: u32 = 1000;

/// What is ours and must not get out: it stands in a file of our own root, and in our variables.
const OURS: &str = "irsa-probe-test-of-our-own";

/// A container with an application, in a PID and a mount namespace and a root of its own.
struct Container {
    unshare: Child,
    pid: u32,
    world: World,
    user_namespace: bool,
}

impl Drop for Container {
    fn drop(&mut self) {
        // With the first process of its PID namespace all others go. It may have ended by itself.
        Command::new("kill").args(["-9", &self.pid.to_string()]).status().ok();
        self.unshare.wait().ok();
    }
}

/// Whether namespaces can be made here; says so if not.
fn can_unshare() -> bool {
    let tried = Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        assert!(std::env::var_os("TESTS_MUST_UNSHARE").is_none(), "unshare is not permitted here");
        eprintln!("skipped: unshare is not permitted here, so that there is nothing to look through");
    }
    can
}

/// A container's file system over a world's directory: the programs of this machine, and `/proc`.
const SET_UP: &str = r#"
cd "$1"; shift
mkdir -p usr proc dev; touch dev/null
ln -sfn usr/lib lib; ln -sfn usr/lib64 lib64
mount --bind /usr usr
mount --bind /dev/null dev/null
mount -t proc proc proc
exec chroot . "$@"
"#;

impl Container {
    /// Starts one in a world, with the user's application, by a shell's words.
    async fn start(toml: &str, user: u32, application: &str) -> Self {
        let world = World::start(&Scenario::parse(toml).unwrap()).await;
        Self::start_in(world, user, application, &[])
    }

    fn start_in(world: World, user: u32, application: &str, unset: &[&str]) -> Self {
        let user = user.to_string();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", SET_UP, "set-up"]);
        command.arg(world.dir()).args(["/usr/bin/setpriv", "--clear-groups", "--inh-caps=-all"]);
        command.args(["--reuid", &user, "--regid", &user, "/usr/bin/env", "-i"]);
        command.args(variables_of(&world, unset)).args(["/usr/bin/sh", "-c", application]);
        Self::follow(command, world, false)
    }

    /// Waits until the application runs, which is `sleep`.
    fn follow(mut command: Command, world: World, user_namespace: bool) -> Self {
        let mut unshare =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        for _ in 0..1000 {
            let pids = fs::read_to_string(&children).unwrap_or_default();
            let pid = pids.split_ascii_whitespace().next().and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid.filter(|pid| sleeps(*pid)) {
                return Self { unshare, pid, world, user_namespace };
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        unshare.kill().and_then(|()| unshare.wait()).unwrap();
        panic!("the application does not run");
    }

    /// Runs the probe as `kubectl debug --target` does: in the PID namespace, and in nothing else of
    /// the container; as whom, `setpriv` is told.
    fn debug(&self, privileges: &[&str], args: &[&str]) -> Output {
        let mut command = self.debugger(privileges);
        command.arg(self.program()).args(args);
        self.run(command)
    }

    fn debugger(&self, privileges: &[&str]) -> Command {
        let pid = format!("--pid=/proc/{}/ns/pid", self.pid);
        let mut command = Command::new(if self.user_namespace { "setpriv" } else { "nsenter" });
        if self.user_namespace {
            // Its owner is root there.
            command.args(user(POD_USER)).args(["nsenter", "--preserve-credentials"]);
            command.arg(format!("--user=/proc/{}/ns/user", self.pid));
        }
        command.arg(pid);
        command.args(["unshare", "--mount", "--mount-proc", "setpriv"]).args(privileges);
        command
    }

    /// Puts a further process into the container itself, as its user.
    fn exec(&self, user: u32) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid.to_string(), "--pid", "--mount", "--root", "--wd=/"]);
        command.args(["/usr/bin/setpriv", "--clear-groups", "--inh-caps=-all"]);
        command.args(["--reuid", &user.to_string(), "--regid", &user.to_string()]);
        command
    }

    /// Starts another container in the same PID namespace, with the world's identity; or with nothing
    /// of it, as a debugging container has, and returns when it sleeps.
    fn start_beside(&self, user: u32, has_identity: bool) -> Child {
        let mut command = self.exec(user);
        command.args(["/usr/bin/env", "-i"]);
        if has_identity {
            command.args(variables_of(&self.world, &[]));
        }
        command.args(["/usr/bin/sleep", "1000"]).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..1000 {
            if children(child.id()).any(sleeps) {
                return child;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().and_then(|()| child.wait()).unwrap();
        panic!("the other container does not run");
    }

    /// Runs the probe with the settings of a debugging container.
    fn run(&self, mut command: Command) -> Output {
        command.env_clear();
        command.env("PATH", "/usr/bin:/usr/sbin:/bin").env("OURS", OURS);
        for (name, value) in self.world.env() {
            // This machine's own IMDS is not asked.
            if name.starts_with("IRSA_PROBE_") || name == "AWS_EC2_METADATA_SERVICE_ENDPOINT" {
                command.env(name, value);
            }
        }
        command.env("IRSA_PROBE_API_TOKEN_FILE", "/var/run/secrets/kubernetes.io/serviceaccount/token");
        // One that is not looked for: which SDKs this machine has below its root is no matter.
        command.env("IRSA_PROBE_EXPECT_SDK", "rust");
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The report of the same.
    fn report(&self, privileges: &[&str], args: &[&str]) -> Value {
        self.report_of(&self.debug(privileges, args))
    }

    /// The report that the probe printed, without any secret.
    fn report_of(&self, output: &Output) -> Value {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let mut secrets = self.world.secrets();
        secrets.push(Secret { label: "ours".to_owned(), value: OURS.to_owned() });
        for (place, output) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            assert!(
                secrets::find(&secrets, place, output).is_empty(),
                "a secret is printed: {stdout}{stderr}"
            );
        }
        let report: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"));
        fits_schema(&report);
        assert_eq!(output.status.code().map(i64::from), report["exit_code"].as_i64());
        report
    }

    /// The program, where every user can execute it.
    fn program(&self) -> PathBuf {
        let path = self.world.dir().join("irsa-probe");
        if !path.exists() {
            executable::install(Path::new(PROGRAM), &path, 0o755).unwrap();
        }
        path
    }
}

/// Whether the process is `sleep`, by whatever name, or waits for one that is.
fn sleeps(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_sleep = arguments.split('\0').nth(1) == Some("1000");
    is_sleep || name == "tini\n" && children(pid).any(sleeps)
}

fn children(pid: u32) -> impl Iterator<Item = u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    children.into_iter()
}

/// A world in whose root `sleep` lies by another name.
async fn world_with_sleep_as(name: &str) -> World {
    let world = World::start(&Scenario::default()).await;
    executable::install(Path::new("/usr/bin/sleep"), &world.dir().join(name), 0o755).unwrap();
    world
}

/// The variables of a world's pod, as its container sees them in its own root.
fn variables_of(world: &World, unset: &[&str]) -> Vec<String> {
    let dir = world.dir().to_string_lossy().into_owned();
    let of_pod: BTreeMap<_, _> =
        world.env().iter().filter(|(name, _)| !name.starts_with("IRSA_PROBE_")).collect();
    of_pod
        .into_iter()
        .filter(|(name, _)| !unset.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}={}", value.replace(&dir, "")))
        .collect()
}

/// Those by which a container is known not to be a debugging one.
const OF_POD_IDENTITY: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1/credentials";

/// What `setpriv` is told to be a user without capabilities.
fn user(id: u32) -> Vec<String> {
    ["--reuid", "--regid"]
        .iter()
        .flat_map(|flag| [(*flag).to_owned(), id.to_string()])
        .chain(plain())
        .collect()
}

fn plain() -> [String; 2] {
    ["--clear-groups".to_owned(), "--inh-caps=-all".to_owned()]
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

const SLEEP: &str = "exec sleep 1000";
/// Root with all that a container gets that asks for nothing, and without.
const ROOT: &[&str] = &["--bounding-set=-sys_ptrace,-sys_admin,-dac_read_search"];
const ROOT_AND_PTRACE: &[&str] = &["--bounding-set=-sys_admin,-dac_read_search"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debugging_container_judges_the_application() {
    if !can_unshare() {
        return;
    }
    let container = Container::start("", POD_USER, SLEEP).await;
    let report = container.report(&words(&user(POD_USER)), &[]);
    assert_eq!(report["outcome"], "pass", "{report}");
    let target = serde_json::json!({"pid": 1, "name": "sleep", "uid": POD_USER, "gid": POD_USER});
    assert_eq!(report["pod"]["target"], target);
    assert_eq!(report["pod"]["pod"], "checkout-6d5f9c7b8-abcde", "from the API token in its root");
    assert_eq!(report["token"]["file"], "/var/run/secrets/eks.amazonaws.com/serviceaccount/token");
    assert_eq!(container.world.sts().requests().len(), 2);

    let text = container.debug(&words(&user(POD_USER)), &["--output", "text"]).stdout;
    let text = String::from_utf8(text).unwrap();
    let head = "process 1 (sleep), user 65532, seen from this container, user 65532 of pod payments/";
    assert!(text.lines().next().unwrap().contains(head), "{text}");
    assert!(text.lines().nth(1).unwrap().contains("is of that process and its container"), "{text}");

    let none = container.report(&words(&user(POD_USER)), &["--pid", "none"]);
    assert_eq!(none["diagnosis"]["name"], "NotInjected");
    assert_eq!(none["pod"].get("target"), None);

    let policy = container.debug(&words(&user(POD_USER)), &["trust-policy", "--pid", "auto"]);
    let policy: Value = serde_json::from_slice(&policy.stdout).unwrap();
    assert_eq!(policy["role_arn"], testbed::scenario::DEFAULT_ROLE_ARN, "{policy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_privileges_are_named() {
    if !can_unshare() {
        return;
    }
    let other_and_ptrace: Vec<String> = user(OTHER_USER)
        .into_iter()
        .filter(|word| !word.starts_with("--inh-caps"))
        .chain(["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"].map(str::to_owned))
        .collect();
    let and_override: &[&str] = &["--bounding-set=-all,+sys_ptrace,+dac_override"];
    let only_ptrace: &[&str] = &["--bounding-set=-all,+sys_ptrace"];
    for (target, privileges, missing) in [
        (POD_USER, words(&user(POD_USER)), None),
        (POD_USER, ROOT_AND_PTRACE.to_vec(), None),
        (
            POD_USER,
            ROOT.to_vec(),
            Some(("the user (this container runs as 0, the process as 65532)", "restricted")),
        ),
        (
            POD_USER,
            words(&user(OTHER_USER)),
            Some(("the group (this container runs with 1000", "restricted")),
        ),
        (POD_USER, words(&other_and_ptrace), Some(("the user (this container runs as 1000", "restricted"))),
        (POD_USER, only_ptrace.to_vec(), Some(("the user (this container runs as 0", "restricted"))),
        (POD_USER, and_override.to_vec(), None),
        (0, ROOT_AND_PTRACE.to_vec(), None),
        (0, words(&user(POD_USER)), Some(("the capabilities (the process may have", "general"))),
    ] {
        let container = Container::start("", target, SLEEP).await;
        let report = container.report(&privileges, &[]);
        let what = format!("{target} by {privileges:?}: {report}");
        let Some((cause, profile)) = missing else {
            assert_eq!(
                (&report["outcome"], &report["pod"]["target"]["uid"]),
                (&"pass".into(), &target.into()),
                "{what}"
            );
            continue;
        };
        assert_eq!(report["diagnosis"]["name"], "TargetNotReadable", "{what}");
        assert!(report["diagnosis"]["cause"].as_str().unwrap().contains(cause), "{what}");
        let command = report["diagnosis"]["remedy"][0].as_str().unwrap();
        assert!(command.contains(&format!("--profile={profile} ")), "{what}");
        assert_eq!(container.world.sts().requests().len(), 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_is_judged_by_the_applications_rights() {
    if !can_unshare() {
        return;
    }
    let container = Container::start("file.mode = \"0600\"", POD_USER, SLEEP).await;
    let report = container.report(ROOT_AND_PTRACE, &[]);
    assert_eq!(report["diagnosis"]["name"], "TokenFileUnreadable", "{report}");
    assert_eq!(report["diagnosis"]["evidence"]["uid"], POD_USER);
    assert_eq!(report["pod"]["uid"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_of_an_init_is_chosen_if_it_is_the_only_one() {
    if !can_unshare() {
        return;
    }
    let init = |application: &str| format!("ln -sf sh /tmp/tini; exec /tmp/tini -c '{application}'");
    for (application, expected) in
        [("sleep 1000 & wait", Some("sleep")), ("sleep 1000 & sleep 1000 & wait", None)]
    {
        let world = World::start(&Scenario::default()).await;
        let folder = world.dir().join("tmp");
        fs::create_dir(&folder).unwrap();
        executable::install(Path::new("/usr/bin/dash"), &folder.join("sh"), 0o755).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
        let container = Container::start_in(world, POD_USER, &init(application), &[]);
        let report = container.report(&words(&user(POD_USER)), &[]);
        match expected {
            Some(name) => {
                assert_eq!(
                    (&report["outcome"], &report["pod"]["target"]["name"]),
                    (&"pass".into(), &name.into())
                );
                assert_ne!(report["pod"]["target"]["pid"], 1);
            }
            None => {
                assert_eq!(report["diagnosis"]["name"], "TargetNotFound", "{report}");
                let candidates = report["diagnosis"]["evidence"]["candidates"].as_array().unwrap();
                assert_eq!(candidates.len(), 2);
                let command = report["diagnosis"]["remedy"][0].as_str().unwrap();
                let chosen = command.lines().nth(1).unwrap().split(' ').skip(1).collect::<Vec<_>>();
                let report = container.report(&words(&user(POD_USER)), &chosen);
                assert_eq!(report["outcome"], "pass", "{command}: {report}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_without_identity_is_diagnosed() {
    if !can_unshare() {
        return;
    }
    for (toml, mounted) in [("file.kind = \"missing-dir\"", false), ("", true)] {
        let world = World::start(&Scenario::parse(toml).unwrap()).await;
        let unset = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];
        let container = Container::start_in(world, POD_USER, SLEEP, &unset);
        let report = container.report(&words(&user(POD_USER)), &[]);
        assert_eq!(report["diagnosis"]["name"], "TargetHasNoIdentity", "{report}");
        assert_eq!(report["diagnosis"]["evidence"]["token_mounted"], mounted, "{report}");
        assert_eq!(report["exit_code"], 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shared_pid_namespace_is_not_entered_unasked() {
    if !can_unshare() {
        return;
    }
    for (sidecar, asked) in [(OTHER_USER, "TargetNotReadable"), (POD_USER, "pass")] {
        let world = world_with_sleep_as("pause").await;
        let pod = Container::start_in(world, 0, "exec /pause 1000", &[]);
        let mut sidecar = pod.start_beside(sidecar, true);
        let report = pod.report(&words(&user(POD_USER)), &[]);
        assert_eq!(report["diagnosis"]["name"], "NotInjected", "{report}");
        assert_eq!(report["exit_code"], 10);
        let asks = report["diagnosis"]["remedy"].to_string().contains("--pid auto");
        assert!(report["pod"].get("target").is_none() && asks, "{report}");
        let report = pod.report(&words(&user(POD_USER)), &["--pid", "auto"]);
        assert!([&report["diagnosis"]["name"], &report["outcome"]].contains(&&asked.into()), "{report}");
        drop(pod);
        sidecar.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_into_the_container_judges_that_container() {
    if !can_unshare() {
        return;
    }
    let world = World::start(&Scenario::default()).await;
    let unset = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    let container = Container::start_in(world, POD_USER, SLEEP, &unset);
    container.program();
    // With an API token and, where automounting is off, without.
    for api_token in ["/var/run/secrets/kubernetes.io/serviceaccount/token", "/none"] {
        let mut command = container.exec(POD_USER);
        command.args(["/irsa-probe", "check", "--api-token-file", api_token]);
        let report = container.report_of(&container.run(command));
        assert_eq!(report["diagnosis"]["name"], "NotInjected", "{report}");
        assert!(report["pod"].get("target").is_none(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn container_with_own_identity_judges_itself() {
    if !can_unshare() {
        return;
    }
    let container = Container::start("", POD_USER, SLEEP).await;
    let api_token = container.world.env()["IRSA_PROBE_API_TOKEN_FILE"].clone();
    for (words_before, args, expected) in [
        (&["env", OF_POD_IDENTITY][..], &[][..], "PodIdentityOnly"),
        (&[], &["--api-token-file", &api_token], "NotInjected"),
    ] {
        let mut command = container.debugger(&words(&user(POD_USER)));
        command.args(words_before).arg(container.program()).args(args);
        let report = container.report_of(&container.run(command));
        assert_eq!(report["diagnosis"]["name"], expected, "{report}");
        assert!(report["pod"].get("target").is_none(), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shell_does_not_stand_in_for_an_ended_application() {
    if !can_unshare() {
        return;
    }
    let container = Container::start_in(world_with_sleep_as("tini").await, POD_USER, "exec /tini 1000", &[]);
    let mut shell = container.start_beside(POD_USER, false);
    for args in [&[][..], &["--pid", "auto"]] {
        let report = container.report(&words(&user(POD_USER)), args);
        assert_eq!(report["diagnosis"]["name"], "TargetNotFound", "{report}");
        assert_eq!(report["exit_code"], 14);
    }
    drop(container);
    shell.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_and_ca_bundle_are_the_applications() {
    if !can_unshare() {
        return;
    }
    let container = Container::start("[proxy]\nmode = \"normal\"", POD_USER, SLEEP).await;
    let report = container.report(&words(&user(POD_USER)), &[]);
    assert_eq!(report["outcome"], "pass", "{report}");
    assert!(report["sts"]["proxy"].is_string(), "{report}");
    assert_eq!(container.world.proxy().unwrap().connects().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_roots_are_the_applications_if_it_has_any() {
    if !can_unshare() {
        return;
    }
    // Those of this machine do not vouch for the testbed's STS.
    let of_this_machine = ["--system-roots", "/etc/ssl/certs/ca-certificates.crt"];
    for (has_roots, args, trusted) in
        [(true, &[][..], true), (true, &of_this_machine, false), (false, &[], false)]
    {
        let world = World::start(&Scenario::default()).await;
        if has_roots {
            fs::create_dir_all(world.dir().join("etc/pki/tls/certs")).unwrap();
            fs::write(world.dir().join("etc/pki/tls/certs/ca-bundle.crt"), world.ca_pem()).unwrap();
        }
        let container = Container::start_in(world, POD_USER, SLEEP, &["AWS_CA_BUNDLE"]);
        let report = container.report(&words(&user(POD_USER)), args);
        let whose = if trusted { "" } else { "(of this container)" };
        let expected = if trusted { "pass" } else { "fail" };
        assert_eq!(report["outcome"], expected, "{has_roots} {args:?}: {report}");
        assert!(trusted || report["diagnosis"]["name"] == "TlsUntrusted", "{report}");
        assert!(report.to_string().contains(whose), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_readable_only_by_the_application_is_not_unreadable() {
    if !can_unshare() {
        return;
    }
    let container = Container::start("", POD_USER, SLEEP).await;
    let mut chown = Command::new("chown");
    assert!(chown.args(["-R", "0:65532"]).arg(container.world.dir().join("var")).status().unwrap().success());
    let traces = ["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"];
    let privileges = [&["--reuid=65532", "--regid=1000", "--clear-groups"][..], &traces].concat();
    let report = container.report(&privileges, &[]);
    assert_eq!(report["diagnosis"]["name"], "TargetNotReadable", "{report}");
    assert!(report["diagnosis"]["cause"].as_str().unwrap().contains("SETUID and SETGID"), "{report}");
    assert!(report["diagnosis"]["remedy"][0].as_str().unwrap().contains("--profile=general "), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relative_paths_start_in_the_applications_directory() {
    if !can_unshare() {
        return;
    }
    let toml = "[env]\nAWS_WEB_IDENTITY_TOKEN_FILE = \"eks.amazonaws.com/serviceaccount/token\"";
    let container = Container::start(toml, POD_USER, "cd /var/run/secrets; exec sleep 1000").await;
    let report = container.report(&words(&user(POD_USER)), &[]);
    assert_eq!(report["outcome"], "pass", "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_of_another_network_is_another_pod() {
    if !can_unshare() {
        return;
    }
    let world = World::start(&Scenario::parse("api_token.present = false").unwrap()).await;
    let api_token = World::start(&Scenario::default()).await;
    let file = "var/run/secrets/kubernetes.io/serviceaccount/token";
    let ours = api_token.dir().join(file);
    let unset = ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"];
    let container = Container::start_in(world, POD_USER, SLEEP, &unset);
    for (args, named) in [(&[][..], true), (&["unshare", "--net"], false)] {
        let mut command = Command::new("nsenter");
        command.arg(format!("--pid=/proc/{}/ns/pid", container.pid)).args(args);
        command.args(["unshare", "--mount", "--mount-proc", "setpriv"]).args(user(POD_USER));
        command.arg(container.program()).args(["--pid", "1", "--wait", "0s", "--timeout", "1s"]);
        command.arg("--api-token-file").arg(&ours);
        let output = container.run(command);
        let report = container.report_of(&output);
        assert_eq!(report["diagnosis"]["name"], "TargetHasNoIdentity", "{report}");
        assert_eq!(report["pod"]["service_account"].is_string(), named, "{report}");
        let warned = String::from_utf8_lossy(&output.stderr).contains("another network");
        assert_eq!(warned, !named, "{report}");
    }
}

/// What an evil application names as its token's file, and how that is judged.
const EVIL: [(&str, &str, &str); 10] = [
    ("an absolute link to a file that only we have", "/link-to-ours", "TokenFileMissing"),
    ("a link with many ..", "/link-upwards", "TokenFileMissing"),
    ("many ..", "/../../../../../../../..OURS", "TokenFileMissing"),
    ("a loop", "/loop", "TokenFileMissing"),
    ("a named pipe", "/fifo", "TokenFileNotRegular"),
    ("a device", "/zero", "TokenFileNotRegular"),
    ("what /proc says of the reader", "/proc/self/environ", "TokenFileNotRegular"),
    ("the reader's root", "/proc/self/root/etc/hosts", "TargetNotReadable"),
    ("a file that the reader has open", "/proc/self/fd/0", "TargetNotReadable"),
    ("an endless file", "/huge", "TokenFileTooLarge"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_application_learns_nothing() {
    if !can_unshare() {
        return;
    }
    let ours = tempfile::NamedTempFile::new().unwrap();
    fs::write(ours.path(), OURS).unwrap();
    fs::set_permissions(ours.path(), Permissions::from_mode(0o644)).unwrap();
    let path = ours.path().to_str().unwrap();
    for (what, token_file, expected) in EVIL {
        let token_file = token_file.replace("OURS", path);
        let toml = format!("[env]\nAWS_WEB_IDENTITY_TOKEN_FILE = \"{token_file}\"");
        let world = World::start(&Scenario::parse(&toml).unwrap()).await;
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, world.dir().join(name)).unwrap();
        link(path, "link-to-ours");
        link(&format!("../../../../../..{path}"), "link-upwards");
        link("/loop", "loop");
        let made = |args: &[&str]| {
            let mut mknod = Command::new("mknod");
            assert!(
                mknod.current_dir(world.dir()).args(["-m", "666"]).args(args).status().unwrap().success()
            );
        };
        made(&["fifo", "p"]);
        made(&["zero", "c", "1", "5"]);
        fs::File::create(world.dir().join("huge")).unwrap().set_len(1 << 40).unwrap();

        let container = Container::start_in(world, POD_USER, SLEEP, &[]);
        for privileges in [words(&user(POD_USER)), ROOT_AND_PTRACE.to_vec()] {
            let report = container.report(&privileges, &[]);
            assert_eq!(report["diagnosis"]["name"], expected, "{what}: {report}");
            assert!(!report.to_string().contains(OURS), "{what}: {report}");
            assert_eq!(container.world.sts().requests().len(), 0, "{what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_environment_is_bounded() {
    if !can_unshare() {
        return;
    }
    let application = "ulimit -s unlimited; big=$(printf '%0100000d' 0); i=0; \
                       while [ $i -lt 48 ]; do export V$i=$big; i=$((i+1)); done; exec sleep 1000";
    let container = Container::start("", POD_USER, application).await;
    let report = container.report(&words(&user(POD_USER)), &[]);
    assert_eq!(report["diagnosis"]["name"], "TargetNotReadable", "{report}");
    let cause = report["diagnosis"]["cause"].as_str().unwrap();
    assert!(cause.contains("more than 4194304 bytes"), "{cause}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_of_a_user_namespace_may_look() {
    if !can_unshare() {
        return;
    }
    // Everything belongs to one user, who is root in a namespace of their own.
    let world = World::start(&Scenario::default()).await;
    let chown = Command::new("chown").args(["-R", "65532:65532"]).arg(world.dir()).status().unwrap();
    assert!(chown.success());
    let mut command = Command::new("setpriv");
    command.args(user(POD_USER)).args(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"]);
    command.args(["--kill-child", "sh", "-ec", SET_UP, "set-up"]).arg(world.dir());
    command.args(["/usr/bin/env", "-i"]).args(variables_of(&world, &[])).args(["/usr/bin/sleep", "1000"]);
    let container = Container::follow(command, world, true);
    let report = container.report(&["--inh-caps=-all"], &[]);
    assert_eq!(report["outcome"], "pass", "{report}");
    assert_eq!(report["pod"]["target"]["uid"], 0);
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(20)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_application_is_said_to_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "x").unwrap();
    let mut sleep = Command::new("sleep").arg("1000").spawn().unwrap();
    let ours = Pod::recorded([("A", "b")], Clock::Fixed(SystemTime::UNIX_EPOCH));
    let found = ours.processes(soon()).await.unwrap();
    let process = found.all.iter().find(|process| process.pid == sleep.id()).unwrap();
    let seen = ours.open_process(&found.own, process, soon()).await.unwrap();
    assert_eq!(seen.read(&token, 9, soon()).await.map(|file| file.bytes), Ok(b"x".to_vec()));
    assert!(seen.variable("PATH").is_some() && seen.variable("A").is_none());

    sleep.kill().unwrap();
    // The kernel still knows of it, and after that not any more.
    wait_until_ended(process.pid);
    says_that_it_ended(&ours, &seen, &found.own, process, &token).await;
    sleep.wait().unwrap();
    says_that_it_ended(&ours, &seen, &found.own, process, &token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_is_judged_as_its_current_user() {
    if !can_unshare() {
        return;
    }
    let changes = "read go; exec setpriv --reuid 1000 --regid 1000 --clear-groups sleep 1000";
    let mut application = Command::new("sh").args(["-c", changes]).stdin(Stdio::piped()).spawn().unwrap();
    let ours = Pod::recorded([("A", "b")], Clock::Fixed(SystemTime::UNIX_EPOCH));
    let found = ours.processes(soon()).await.unwrap();
    let listed = found.all.iter().find(|process| process.pid == application.id()).unwrap();
    application.stdin.take().unwrap().write_all(b"\n").unwrap();
    while fs::read_to_string(format!("/proc/{}/comm", listed.pid)).unwrap() != "sleep\n" {
        std::thread::sleep(Duration::from_millis(10));
    }
    let who = ours.open_process(&found.own, listed, soon()).await.map(|seen| seen.user());
    application.kill().and_then(|()| application.wait()).unwrap();
    assert_eq!((listed.user.uid, who.unwrap().uid), (0, OTHER_USER));
}

async fn says_that_it_ended(ours: &Pod, seen: &Pod, own: &Process, process: &Process, token: &Path) {
    match seen.read(token, 9, soon()).await {
        Err(ReadError::Blocked(blocked)) => assert_eq!(blocked.fault, ProcFault::Exited),
        other => panic!("{:?}", other.map(|file| file.bytes)),
    }
    let (options, budget) = (CheckOptions::default(), Budget::single_pass(Duration::from_secs(20)));
    let read = token_file::observe(&Probe { pod: seen, options: &options, budget }, token).await;
    let verdict = token_file::judge(read, &seen.user(), None);
    let Verdict::Fail(diagnosis) = verdict else { panic!("{verdict:?}") };
    assert_eq!(diagnosis.name().as_str(), "TargetNotFound");
    let again = ours.open_process(own, process, soon()).await.map(drop).unwrap_err();
    assert_eq!(again.fault, ProcFault::Exited);
}

fn wait_until_ended(pid: u32) {
    let status = PathBuf::from(format!("/proc/{pid}/status"));
    while !fs::read_to_string(Path::new(&status)).unwrap().contains("\nState:\tZ") {
        std::thread::sleep(Duration::from_millis(10));
    }
}
