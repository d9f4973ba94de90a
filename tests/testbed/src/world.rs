//! Starts the world that a [`Scenario`] describes, and runs a program in it as a pod would.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::process::{Child, Command};

use crate::clock::Clock;
use crate::dns::{Dns, Query, Record};
use crate::faults::{self, RefusedPort};
use crate::form;
use crate::iam::{self, Iam};
use crate::issuer::{DEFAULT_ISSUER, Issuer};
use crate::proxy::{self, Connect, Proxy};
use crate::scenario::{Endpoint, Key, ProxyMode, Scenario, Span, expand};
use crate::secrets::{self, Leak, Secret};
use crate::sts::{self, Recorded, Sts};
use crate::task::Task;
use crate::tls::Authority;
use crate::token::{self, Edits};
use crate::volume::{self, Access, Layout, POD_USER, TokenVolume};

const TOKEN_DIRECTORY: &str = "var/run/secrets/eks.amazonaws.com/serviceaccount";
const API_TOKEN_DIRECTORY: &str = "var/run/secrets/kubernetes.io/serviceaccount";
const DOMAINS: [&str; 4] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    "proxy.corp.example",
];
/// What the proxy demands if the scenario gives its client nothing.
const PROXY_CREDENTIALS: &str = "proxy-user:proxy-password";
const HARD_LIMIT: Duration = Duration::from_secs(60);

/// Where a world is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its directory; a new temporary one if not said.
    pub directory: Option<PathBuf>,
    /// Where its servers listen.
    pub listen: IpAddr,
    /// The port of STS; 0 for any.
    pub sts_port: u16,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            directory: None,
            listen: Ipv4Addr::LOCALHOST.into(),
            sts_port: 0,
        }
    }
}

/// A running world; it ends when dropped.
pub struct World {
    scenario: Scenario,
    directory: PathBuf,
    _temporary: Option<TempDir>,
    authority: Authority,
    issuer: Issuer,
    token: String,
    volume: Option<TokenVolume>,
    sts: Sts,
    dns: Dns,
    proxy: Option<Proxy>,
    _refused_proxy: Option<RefusedPort>,
    placeholders: HashMap<&'static str, String>,
    env: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

impl World {
    /// Starts a world on loopback, in a temporary directory.
    ///
    /// # Panics
    /// If it cannot be started: a test is then over.
    pub async fn start(scenario: &Scenario) -> Self {
        Self::start_at(scenario, Place::default())
            .await
            .expect("the world starts")
    }

    /// Starts a world in a place.
    ///
    /// # Errors
    /// If an address cannot be bound or a file not be written.
    pub async fn start_at(scenario: &Scenario, place: Place) -> io::Result<Self> {
        let temporary = match place.directory {
            None => Some(tempfile::Builder::new().prefix("testbed-").tempdir()?),
            Some(_) => None,
        };
        let directory = match (&place.directory, &temporary) {
            (Some(directory), _) => directory.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => unreachable!("one of the two is there"),
        };
        fs::create_dir_all(directory.join("home"))?;
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;

        let authority = Authority::testbed();
        let issuer = Issuer::new(DEFAULT_ISSUER);
        let signed = sign(scenario);
        let api_token = sign_api_token(scenario, &issuer);
        let sts = start_sts(scenario, &place, &authority, &issuer).await?;
        let host = if place.listen.is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            place.listen
        };
        let records = DOMAINS.iter().map(|name| Record::new(name, host)).collect();
        let dns = Dns::start(
            place.listen,
            records,
            scenario.dns.mode,
            scenario.dns.delay.delay(),
        )
        .await?;
        let (proxy, refused_proxy, proxy_url) = start_proxy(scenario, &place, &sts).await?;

        let token_file = directory.join(TOKEN_DIRECTORY).join("token");
        let api_token_file = directory.join(API_TOKEN_DIRECTORY).join("token");
        let port = sts.address().port();
        let scheme = if scenario.sts.tls.certificate().is_some() {
            "https"
        } else {
            "http"
        };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let placeholders = HashMap::from([
            ("dir", text(&directory)),
            ("token", signed.clone()),
            ("token_file", text(&token_file)),
            ("api_token", text(&api_token_file)),
            ("ca", text(&directory.join("ca.pem"))),
            ("sts_port", port.to_string()),
            (
                "sts_url",
                format!("{scheme}://{}:{port}", scenario.sts.host),
            ),
            ("proxy_url", proxy_url.unwrap_or_default()),
            ("role_arn", scenario.role.arn.clone()),
            ("issuer", issuer.url().to_owned()),
        ]);
        let mut world = Self {
            scenario: scenario.clone(),
            directory,
            _temporary: temporary,
            authority,
            issuer,
            token: signed,
            volume: None,
            sts,
            dns,
            proxy,
            _refused_proxy: refused_proxy,
            placeholders,
            env: BTreeMap::new(),
            secrets: Vec::new(),
        };
        world.write_files(&api_token)?;
        world.env = world.environment(SocketAddr::new(host, world.dns.address().port()));
        world.secrets = world.standing_secrets(&api_token);
        Ok(world)
    }

    fn write_files(&mut self, api_token: &str) -> io::Result<()> {
        let content = match &self.scenario.token.content {
            Some(content) => self.expand(content),
            None => self.token.clone(),
        };
        let access = self
            .scenario
            .file
            .mode
            .map_or_else(Access::pod, |mode| Access::root(mode.0));
        let directory = self.directory.join(TOKEN_DIRECTORY);
        self.volume = self
            .scenario
            .file
            .kind
            .lay_out(&directory, content.as_bytes(), access)?;
        if self.scenario.api_token.present {
            let directory = self.directory.join(API_TOKEN_DIRECTORY);
            TokenVolume::project(&directory, api_token.as_bytes(), Access::root(0o644))?;
        }
        fs::write(self.directory.join("ca.pem"), self.authority.pem())?;
        self.empty_termination_log()?;
        for (path, text) in &self.scenario.files {
            let path = self.directory.join(path);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, self.expand(text))?;
        }
        Ok(())
    }

    fn environment(&self, dns: SocketAddr) -> BTreeMap<String, String> {
        let value = |name: &str| self.placeholders[name].clone();
        let path = |name: &str| self.directory.join(name).to_string_lossy().into_owned();
        let mut env: BTreeMap<String, String> = [
            ("AWS_STS_REGIONAL_ENDPOINTS", "regional".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ROLE_ARN", value("role_arn")),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", value("token_file")),
            ("AWS_CA_BUNDLE", value("ca")),
            ("HOME", path("home")),
            ("HOSTNAME", token::POD.to_owned()),
            ("IRSA_PROBE_DNS_SERVER", dns.to_string()),
            ("IRSA_PROBE_API_TOKEN_FILE", value("api_token")),
            ("IRSA_PROBE_TERMINATION_LOG", path("termination-log")),
            ("IRSA_PROBE_WAIT", "2s".to_owned()),
            ("IRSA_PROBE_TIMEOUT", "700ms".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.scenario.sts.endpoint == Endpoint::Override {
            env.insert("AWS_ENDPOINT_URL_STS".to_owned(), value("sts_url"));
        }
        if self.scenario.proxy.is_some() {
            env.insert("HTTPS_PROXY".to_owned(), value("proxy_url"));
        }
        env.retain(|name, _| !self.scenario.unset.contains(name));
        env.extend(
            self.scenario
                .env
                .iter()
                .map(|(name, value)| (name.clone(), self.expand(value))),
        );
        env
    }

    /// The secrets that are there before anything runs.
    fn standing_secrets(&self, api_token: &str) -> Vec<Secret> {
        let mut found = secrets::of_token("web identity token", &self.token);
        found.extend(secrets::of_token("API token", api_token));
        if let Some(content) = &self.scenario.token.content {
            let content = self.expand(content);
            if token::decode(content.trim()).is_some() {
                found.extend(secrets::of_token(
                    "content of the token file",
                    content.trim(),
                ));
            }
        }
        for (name, value) in &self.env {
            match name.as_str() {
                "AWS_SECRET_ACCESS_KEY"
                | "AWS_SESSION_TOKEN"
                | "AWS_CONTAINER_AUTHORIZATION_TOKEN" => {
                    found.push(Secret::new(name, value));
                }
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
                    let files = &self.scenario.files;
                    let content = files
                        .iter()
                        .find(|(path, _)| self.directory.join(path) == Path::new(value));
                    found.extend(
                        content.map(|(_, text)| Secret::new(name, self.expand(text).trim())),
                    );
                }
                _ if name.to_ascii_lowercase().ends_with("_proxy") => {
                    found.extend(secrets::of_url(name, value))
                }
                _ => {}
            }
        }
        for (path, text) in &self.scenario.files {
            found.extend(secrets::of_aws_file(path, &self.expand(text)));
        }
        found
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &|name| self.placeholders.get(name).cloned())
            .expect("a parsed scenario has no others")
    }

    fn empty_termination_log(&self) -> io::Result<PathBuf> {
        let path = self.directory.join("termination-log");
        fs::write(&path, "")?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(path)
    }

    /// Runs a program with the scenario's command and arguments, and these after them. If the testbed
    /// is root, the program runs as [`POD_USER`].
    ///
    /// # Errors
    /// If it cannot be run or does not end.
    pub async fn run(&self, program: &Path, extra_args: &[&str]) -> Result<Finished, RunError> {
        let termination_log = self.empty_termination_log()?;
        let before = Counts::of(self);
        let started = Instant::now();
        let mut command = Command::new(self.executable(program)?);
        command
            .arg(&self.scenario.command)
            .args(self.scenario.args.iter().map(|arg| self.expand(arg)))
            .args(extra_args)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if volume::is_root() {
            // The standard library drops the supplementary groups along with the user.
            command.uid(POD_USER).gid(POD_USER);
        }
        let child = spawn(&mut command).await?;
        let _signal = self
            .scenario
            .signal_after_ms
            .map(|delay| terminate_later(&child, delay));
        let output = tokio::time::timeout(HARD_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| RunError::Hung)??;
        let elapsed = started.elapsed();
        Ok(Finished {
            status: Exit::of(output.status),
            stdout: output.stdout,
            stderr: output.stderr,
            termination_log: fs::read(termination_log)?,
            elapsed,
            secrets: self.secrets(),
            requests: self.sts.requests().split_off(before.requests),
            dns_queries: self.dns.queries().split_off(before.dns_queries),
            proxy_connects: self.proxy_connects().split_off(before.proxy_connects),
            connections: self.sts.connections() - before.connections,
            handshakes: self.sts.handshakes() - before.handshakes,
        })
    }

    /// The program, where the pod user can execute it.
    fn executable(&self, program: &Path) -> io::Result<PathBuf> {
        let directory = self.directory.join("bin");
        fs::create_dir_all(&directory)?;
        let name = program.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let path = directory.join(name);
        if path.exists() {
            return Ok(path);
        }
        let for_all = fs::metadata(program)?.permissions().mode() & 0o005 == 0o005;
        if !for_all || fs::hard_link(program, &path).is_err() {
            fs::copy(program, &path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        }
        Ok(path)
    }

    /// All secrets of this world so far.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let issued = self.sts.issued().into_iter().flat_map(|session| {
            [
                Secret::new("issued access key id", session.access_key_id),
                Secret::new("issued secret access key", session.secret_access_key),
                Secret::new("issued session token", session.session_token),
            ]
        });
        self.secrets.iter().cloned().chain(issued).collect()
    }

    /// The environment of a program in this world.
    #[must_use]
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The directory of this world.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.directory
    }

    /// The signed web identity token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The token volume, where the layout is the kubelet's.
    #[must_use]
    pub fn volume(&self) -> Option<&TokenVolume> {
        self.volume.as_ref()
    }

    /// The issuer of the tokens.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The CA that clients trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// STS.
    #[must_use]
    pub fn sts(&self) -> &Sts {
        &self.sts
    }

    /// The DNS server.
    #[must_use]
    pub fn dns(&self) -> &Dns {
        &self.dns
    }

    /// The proxy, if there is one that listens.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    fn proxy_connects(&self) -> Vec<Connect> {
        self.proxy.as_ref().map(Proxy::connects).unwrap_or_default()
    }
}

/// How much had happened when a run began.
struct Counts {
    requests: usize,
    dns_queries: usize,
    proxy_connects: usize,
    connections: u64,
    handshakes: u64,
}

impl Counts {
    fn of(world: &World) -> Self {
        Self {
            requests: world.sts.requests().len(),
            dns_queries: world.dns.queries().len(),
            proxy_connects: world.proxy_connects().len(),
            connections: world.sts.connections(),
            handshakes: world.sts.handshakes(),
        }
    }
}

/// The web identity token as the issuer, or somebody else, signed it.
fn sign(scenario: &Scenario) -> String {
    let described = &scenario.token;
    let issuer = match described.key {
        Key::Issuer => Issuer::new(DEFAULT_ISSUER),
        Key::Other => Issuer::with_unpublished_key(DEFAULT_ISSUER),
    };
    let (issued, expires) = times(described.kind, described.issued_ago, described.lifetime);
    let mut claims = described.kind.claims(issuer.url(), issued, expires);
    if scenario.file.kind == Layout::Huge {
        claims.insert("padding".to_owned(), "x".repeat(20_000).into());
    }
    let edits = Edits {
        claims: described.claims.clone(),
        remove: described.remove.clone(),
        header: described.header.clone(),
    };
    edits.sign(&issuer, claims)
}

fn sign_api_token(scenario: &Scenario, issuer: &Issuer) -> String {
    let kind = token::Kind::Api;
    let (issued, expires) = times(kind, None, None);
    let edits = Edits {
        claims: scenario.api_token.claims.clone(),
        ..Edits::default()
    };
    edits.sign(issuer, kind.claims(issuer.url(), issued, expires))
}

fn times(kind: token::Kind, issued_ago: Option<Span>, lifetime: Option<Span>) -> (i64, i64) {
    let ago = issued_ago.map_or(5 * 60, |span| span.0.whole_seconds());
    let issued = OffsetDateTime::now_utc().unix_timestamp() - ago;
    (
        issued,
        issued + lifetime.map_or(kind.lifetime(), |span| span.0.whole_seconds()),
    )
}

async fn start_sts(
    scenario: &Scenario,
    place: &Place,
    authority: &Authority,
    issuer: &Issuer,
) -> io::Result<Sts> {
    let described = &scenario.sts;
    let names: Vec<String> = [
        described.host.as_str(),
        "sts.eu-west-1.amazonaws.com",
        "sts.amazonaws.com",
    ]
    .map(str::to_owned)
    .into();
    let provider = iam::Provider {
        account: iam::account_of(&scenario.role.arn).unwrap_or_default(),
        issuer: issuer.url().to_owned(),
        client_ids: scenario.provider.client_ids.clone(),
        jwks: issuer.jwks(),
    };
    let role = iam::Role {
        arn: scenario.role.arn.clone(),
        subjects: scenario.role.subjects.clone(),
        audiences: scenario.role.audiences.clone(),
        max_session: 3600,
    };
    let script =
        |entries: &[crate::scenario::Entry]| entries.iter().map(|entry| entry.0.clone()).collect();
    Sts::start(sts::Config {
        tls: described
            .tls
            .certificate()
            .map(|certificate| authority.server_config(&names, certificate)),
        accept: described.accept,
        iam: Iam::new(
            scenario
                .provider
                .present
                .then_some(provider)
                .into_iter()
                .collect(),
            scenario.role.present.then_some(role).into_iter().collect(),
        ),
        clock: Clock {
            ahead: described.clock_ahead.0,
        },
        assume: script(&described.assume),
        identity: script(&described.identity),
        round_trip: described.round_trip.delay(),
        listen: SocketAddr::new(place.listen, place.sts_port),
    })
    .await
}

/// The proxy, or the port where none listens, and the URL that a client is given.
async fn start_proxy(
    scenario: &Scenario,
    place: &Place,
    sts: &Sts,
) -> io::Result<(Option<Proxy>, Option<RefusedPort>, Option<String>)> {
    let Some(described) = &scenario.proxy else {
        return Ok((None, None, None));
    };
    let mode = match described.mode {
        ProxyMode::Normal => Some(proxy::Mode::Normal),
        ProxyMode::Auth => {
            let wanted = described
                .credentials
                .as_deref()
                .unwrap_or(PROXY_CREDENTIALS);
            Some(proxy::Mode::Auth(wanted.to_owned()))
        }
        ProxyMode::Refuse => Some(proxy::Mode::Refuse),
        ProxyMode::Hang => Some(proxy::Mode::Hang),
        ProxyMode::Garbage => Some(proxy::Mode::Garbage),
        ProxyMode::Close => Some(proxy::Mode::Close),
        ProxyMode::Refused => None,
    };
    let (proxy, refused, port) = match mode {
        Some(mode) => {
            let host = &scenario.sts.host;
            let target = if sts.address().ip().is_unspecified() {
                SocketAddr::new(Ipv4Addr::LOCALHOST.into(), sts.address().port())
            } else {
                sts.address()
            };
            let routes = [443, target.port()]
                .map(|port| (format!("{host}:{port}"), target))
                .into();
            let proxy = Proxy::start(place.listen, routes, mode).await?;
            let port = proxy.address().port();
            (Some(proxy), None, port)
        }
        None => {
            let refused = faults::refused_port()?;
            let port = refused.address().port();
            (None, Some(refused), port)
        }
    };
    let user_info = described
        .credentials
        .as_deref()
        .map_or(String::new(), |credentials| {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            format!("{}:{}@", form::encode(user), form::encode(password))
        });
    Ok((
        proxy,
        refused,
        Some(format!("http://{user_info}{}:{port}", described.host)),
    ))
}

/// Another thread that forks while the program is being copied holds the copy open for writing for a
/// moment, and Linux executes no such file.
async fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..100 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
    command.spawn()
}

fn terminate_later(child: &Child, delay_ms: u64) -> Task {
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    Task::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        if let Some(pid) = pid {
            // It may have ended by itself; the outcome then says so.
            kill_process(pid, Signal::TERM).ok();
        }
    })
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// What a run left behind; the records hold only what happened during it.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How the program ended.
    pub status: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// What it wrote for the kubelet.
    pub termination_log: Vec<u8>,
    /// How long it ran.
    pub elapsed: Duration,
    /// What it must not print.
    pub secrets: Vec<Secret>,
    /// What it asked STS.
    pub requests: Vec<Recorded>,
    /// What it asked the DNS server.
    pub dns_queries: Vec<Query>,
    /// What it asked the proxy.
    pub proxy_connects: Vec<Connect>,
    /// How many connections STS accepted.
    pub connections: u64,
    /// How many TLS handshakes STS completed.
    pub handshakes: u64,
}

impl Finished {
    /// The secrets that stand in an output.
    #[must_use]
    pub fn leaks(&self) -> Vec<Leak> {
        [
            ("stdout", &self.stdout),
            ("stderr", &self.stderr),
            ("termination log", &self.termination_log),
        ]
        .into_iter()
        .flat_map(|(place, output)| secrets::find(&self.secrets, place, output))
        .collect()
    }
}

/// Why there is no [`Finished`].
#[derive(Debug)]
pub enum RunError {
    /// It was still running after the hard limit.
    Hung,
    /// It could not be run.
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hung => write!(f, "the probe hung: it had not ended after {HARD_LIMIT:?}"),
            Self::Io(error) => write!(f, "the probe could not be run: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
