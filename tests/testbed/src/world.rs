//! Starts the world that a [`Scenario`] describes; its `run` is in a file of its own.

mod run;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::dns::{Dns, Record};
use crate::faults::{self, RefusedPort};
use crate::form;
use crate::iam::{self, Iam};
use crate::issuer::{DEFAULT_ISSUER, Issuer};
use crate::proxy::{self, Proxy};
use crate::scenario::{Endpoint, Entry, Key, ProxyMode, Scenario, Span, expand};
use crate::secrets::{self, Secret};
use crate::sts::{self, Sts};
use crate::tls::Authority;
use crate::token::{self, Edits};
use crate::volume::{Access, Layout, TokenVolume};

pub use run::{Exit, Finished, RunError};

const TOKEN_DIRECTORY: &str = "var/run/secrets/eks.amazonaws.com/serviceaccount";
const API_TOKEN_DIRECTORY: &str = "var/run/secrets/kubernetes.io/serviceaccount";
const DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", "proxy.corp.example"];
/// What the proxy demands if the scenario gives its client nothing.
const PROXY_CREDENTIALS: &str = "proxy-user:proxy-password";

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
        Self { directory: None, listen: Ipv4Addr::LOCALHOST.into(), sts_port: 0 }
    }
}

impl Place {
    /// The address by which clients reach what listens here.
    fn reachable(&self) -> IpAddr {
        if self.listen.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.listen }
    }
}

/// What stands behind the port in `HTTPS_PROXY`.
enum ProxyPort {
    Serving(Proxy),
    Refused(RefusedPort),
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
    proxy: Option<ProxyPort>,
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
        Self::start_at(scenario, Place::default()).await.expect("the world starts")
    }

    /// Starts a world in a place.
    ///
    /// # Errors
    /// If an address cannot be bound or a file not be written.
    pub async fn start_at(scenario: &Scenario, place: Place) -> io::Result<Self> {
        let (directory, temporary) = match &place.directory {
            Some(directory) => (directory.clone(), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("testbed-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        fs::create_dir_all(directory.join("home"))?;
        fs::set_permissions(&directory, Permissions::from_mode(0o755))?;

        let authority = Authority::testbed();
        let issuer = Issuer::new(DEFAULT_ISSUER);
        let signed = sign(scenario);
        let api_token = sign_api_token(scenario, &issuer);
        let sts = start_sts(scenario, &place, &authority, &issuer).await?;
        let host = place.reachable();
        let records = DOMAINS.iter().map(|name| Record::new(name, host)).collect();
        let dns = Dns::start(place.listen, records, scenario.dns.mode, scenario.dns.delay.delay()).await?;
        let proxy = start_proxy(scenario, &place, &sts).await?;

        let token_file = directory.join(TOKEN_DIRECTORY).join("token");
        let api_token_file = directory.join(API_TOKEN_DIRECTORY).join("token");
        let port = sts.address().port();
        let scheme = if scenario.sts.tls.certificate().is_some() { "https" } else { "http" };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let placeholders = HashMap::from([
            ("dir", text(&directory)),
            ("token", signed.clone()),
            ("token_file", text(&token_file)),
            ("api_token", text(&api_token_file)),
            ("ca", text(&directory.join("ca.pem"))),
            ("sts_port", port.to_string()),
            ("sts_url", format!("{scheme}://{}:{port}", scenario.sts.host)),
            (
                "proxy_url",
                proxy.as_ref().map_or_else(String::new, |proxy| proxy_url(scenario, &place, proxy)),
            ),
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
        let access = self.scenario.file.mode.map_or_else(Access::pod, |mode| Access::root(mode.0));
        let directory = self.directory.join(TOKEN_DIRECTORY);
        self.volume = self.scenario.file.kind.lay_out(&directory, content.as_bytes(), access)?;
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
            ("IRSA_PROBE_WAIT", "7s".to_owned()),
            ("IRSA_PROBE_TIMEOUT", "6s".to_owned()),
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
        env.extend(self.scenario.env.iter().map(|(name, value)| (name.clone(), self.expand(value))));
        env
    }

    /// The secrets that are there before anything runs.
    fn standing_secrets(&self, api_token: &str) -> Vec<Secret> {
        let mut found = secrets::of_token("web identity token", &self.token);
        found.extend(secrets::of_token("API token", api_token));
        if let Some(content) = &self.scenario.token.content {
            let content = self.expand(content);
            if token::decode(content.trim()).is_some() {
                found.extend(secrets::of_token("content of the token file", content.trim()));
            }
        }
        for (name, value) in &self.env {
            match name.as_str() {
                "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" | "AWS_CONTAINER_AUTHORIZATION_TOKEN" => {
                    found.push(Secret::new(name, value));
                }
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" => {
                    let files = &self.scenario.files;
                    let content =
                        files.iter().find(|(path, _)| self.directory.join(path) == Path::new(value));
                    found.extend(content.map(|(_, text)| Secret::new(name, self.expand(text).trim())));
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
        expand(text, &|name| self.placeholders.get(name).cloned()).expect("a parsed scenario has no others")
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
        match &self.proxy {
            Some(ProxyPort::Serving(proxy)) => Some(proxy),
            _ => None,
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
    let edits = Edits { claims: scenario.api_token.claims.clone(), ..Edits::default() };
    edits.sign(issuer, kind.claims(issuer.url(), issued, expires))
}

fn times(kind: token::Kind, issued_ago: Option<Span>, lifetime: Option<Span>) -> (i64, i64) {
    let ago = issued_ago.map_or(5 * 60, |span| span.0.whole_seconds());
    let issued = OffsetDateTime::now_utc().unix_timestamp() - ago;
    (issued, issued + lifetime.map_or(kind.lifetime(), |span| span.0.whole_seconds()))
}

async fn start_sts(
    scenario: &Scenario,
    place: &Place,
    authority: &Authority,
    issuer: &Issuer,
) -> io::Result<Sts> {
    let described = &scenario.sts;
    let names: Vec<String> = [described.host.as_str(), "sts.eu-west-1.amazonaws.com", "sts.amazonaws.com"]
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
    let script = |entries: &[Entry]| entries.iter().map(|entry| entry.0.clone()).collect();
    Sts::start(sts::Config {
        tls: described.tls.certificate().map(|certificate| authority.server_config(&names, certificate)),
        accept: described.accept,
        iam: Iam::new(
            scenario.provider.present.then_some(provider).into_iter().collect(),
            scenario.role.present.then_some(role).into_iter().collect(),
        ),
        clock: Clock { ahead: described.clock_ahead.0 },
        assume: script(&described.assume),
        identity: script(&described.identity),
        round_trip: described.round_trip.delay(),
        listen: SocketAddr::new(place.listen, place.sts_port),
    })
    .await
}

async fn start_proxy(scenario: &Scenario, place: &Place, sts: &Sts) -> io::Result<Option<ProxyPort>> {
    let Some(described) = &scenario.proxy else {
        return Ok(None);
    };
    let wanted = || described.credentials.as_deref().unwrap_or(PROXY_CREDENTIALS).to_owned();
    let mode = match described.mode {
        ProxyMode::Normal => proxy::Mode::Normal,
        ProxyMode::Auth => proxy::Mode::Auth(wanted()),
        ProxyMode::Refuse => proxy::Mode::Refuse,
        ProxyMode::Hang => proxy::Mode::Hang,
        ProxyMode::Garbage => proxy::Mode::Garbage,
        ProxyMode::Close => proxy::Mode::Close,
        ProxyMode::Refused => return faults::refused_port().map(ProxyPort::Refused).map(Some),
    };
    let port = sts.address().port();
    let target = SocketAddr::new(place.reachable(), port);
    let routes = [443, port].map(|port| (format!("{}:{port}", scenario.sts.host), target)).into();
    Proxy::start(place.listen, routes, mode).await.map(ProxyPort::Serving).map(Some)
}

/// What a client finds in `HTTPS_PROXY`.
fn proxy_url(scenario: &Scenario, place: &Place, proxy: &ProxyPort) -> String {
    let described = scenario.proxy.clone().unwrap_or_default();
    let user_info = described.credentials.map_or(String::new(), |credentials| {
        let (user, password) = credentials.split_once(':').unwrap_or((&credentials, ""));
        format!("{}:{}@", form::encode(user), form::encode(password))
    });
    let (host, port) = match proxy {
        ProxyPort::Serving(proxy) => (place.reachable(), proxy.address().port()),
        ProxyPort::Refused(port) => (port.address().ip(), port.address().port()),
    };
    let host = described.host.unwrap_or_else(|| host.to_string());
    format!("http://{user_info}{host}:{port}")
}
