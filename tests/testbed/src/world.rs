//! Starts the world that a [`Scenario`] describes. Running a program in it, and what changes
//! meanwhile, are in files of their own.

mod application;
mod life;
mod pod;
mod run;
mod running;
mod servers;
mod surroundings;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Clock;
use crate::dns::{Dns, Record};
use crate::iam::Session;
use crate::issuer::Issuer;
use crate::kubernetes::Kubernetes;
use crate::node::Node;
use crate::proxy::Proxy;
use crate::scenario::{Scenario, expand};
use crate::secrets::Secret;
use crate::sts::Sts;
use crate::tls::Authority;
use crate::volume::TokenVolume;
use application::Application;
use surroundings::{Port, Surroundings};

pub use run::{Exit, Finished, Printed, RunError};
pub use running::Running;

const TOKEN_DIRECTORY: &str = "var/run/secrets/eks.amazonaws.com/serviceaccount";
const API_TOKEN_DIRECTORY: &str = "var/run/secrets/kubernetes.io/serviceaccount";
const DOMAINS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", "proxy.corp.example"];

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

/// A running world; it ends when it is dropped along with all that runs in it.
pub struct World {
    scenario: Scenario,
    authority: Authority,
    issuer: Issuer,
    signer: Issuer,
    clock: Clock,
    token: String,
    volume: Option<TokenVolume>,
    api_volume: Option<TokenVolume>,
    placeholders: HashMap<&'static str, String>,
    env: BTreeMap<String, String>,
    surroundings: Arc<Surroundings>,
}

impl World {
    /// Starts a world on loopback, in a temporary directory.
    ///
    /// # Panics
    /// If it cannot be started: a test is then over.
    pub async fn start(scenario: &Scenario) -> Self {
        Box::pin(Self::start_at(scenario, Place::default())).await.expect("the world starts")
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

        let (authority, cluster) = (Authority::testbed(), Authority::kubernetes());
        let clock = Clock::ahead_by(scenario.sts.clock_ahead.0);
        let issuer_server = servers::start_issuer(scenario, &place, &authority, &clock).await?;
        let issuer = Issuer::new(&servers::issuer_url(scenario, issuer_server.as_ref()));
        if let (Some(server), Some(described)) = (&issuer_server, &scenario.issuer) {
            server.publish(servers::documents(described, &issuer));
        }
        let signer = life::signer(scenario, &issuer);
        let signed = life::first_token(scenario, &signer);
        let api_token = life::api_token(scenario, &issuer);
        let sts = servers::start_sts(scenario, &place, &authority, &issuer, &clock).await?;
        let host = place.reachable();
        let of_issuer = scenario.issuer.iter().map(|issuer| issuer.host.as_str());
        let records = DOMAINS.into_iter().chain(of_issuer).map(|name| Record::new(name, host)).collect();
        let dns = Dns::start(place.listen, records, scenario.dns.mode, scenario.dns.delay.delay()).await?;
        let proxy = servers::start_proxy(scenario, &place, &sts, issuer_server.as_ref()).await?;
        let kubernetes = servers::start_kubernetes(scenario, &place, &cluster, &api_token, &clock).await?;
        let node = servers::start_node(scenario, &place).await?;
        let dns_address = SocketAddr::new(host, dns.address().port());
        let kubernetes_address =
            kubernetes.as_ref().map(|kubernetes| servers::kubernetes_address(&place, kubernetes));

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
                proxy.as_ref().map_or_else(String::new, |proxy| servers::proxy_url(scenario, &place, proxy)),
            ),
            ("node_url", servers::node_url(&place, &node)),
            ("role_arn", scenario.role.arn.clone()),
            ("issuer", issuer.url().to_owned()),
            ("provider", issuer.url().split_once("://").map_or("", |(_, provider)| provider).to_owned()),
            ("pid", String::new()),
        ]);
        let surroundings = Surroundings {
            directory,
            sts,
            issuer: issuer_server,
            dns,
            proxy,
            kubernetes,
            node,
            secrets: Mutex::default(),
            application: Mutex::default(),
            _temporary: temporary,
        };
        let mut world = Self {
            scenario: scenario.clone(),
            authority,
            issuer,
            signer,
            clock,
            token: signed,
            volume: None,
            api_volume: None,
            placeholders,
            env: BTreeMap::new(),
            surroundings: Arc::new(surroundings),
        };
        let operator = world.admit_operator();
        world.write_files(&api_token, &cluster.pem())?;
        world.start_application()?;
        world.env = world.environment(dns_address, kubernetes_address, operator.as_ref());
        world.surroundings.keep_secret(world.standing_secrets(&api_token));
        Ok(world)
    }

    /// The operator, who may read the account, if there is one.
    fn admit_operator(&self) -> Option<Session> {
        let described = self.scenario.iam.as_ref()?;
        let operator = Session::of_operator(&described.operator(), self.clock.now());
        self.sts().edit(|iam| iam.admit(operator.clone()));
        self.tell_account(&self.scenario);
        Some(operator)
    }

    /// Lets IAM's API tell what a scenario says, if it says anything.
    fn tell_account(&self, scenario: &Scenario) {
        let Some(described) = &scenario.iam else { return };
        let told = described.account(scenario, &|name| self.placeholders.get(name).cloned());
        let told = told.expect("a parsed scenario has no others");
        self.sts().edit_account(|account| *account = told);
    }

    fn start_application(&mut self) -> io::Result<()> {
        let Some(application) = &self.scenario.application else { return Ok(()) };
        let env = application.env.iter().map(|(name, value)| (name.clone(), self.expand(value))).collect();
        let started = Application::start(
            self.dir(),
            &env,
            application.readable,
            Duration::from_millis(application.lives_ms),
        )?;
        self.placeholders.insert("pid", started.pid().to_string());
        *self.surroundings.application.lock().unwrap() = Some(started);
        Ok(())
    }

    fn expand(&self, text: &str) -> String {
        expand(text, &|name| self.placeholders.get(name).cloned()).expect("a parsed scenario has no others")
    }

    /// All secrets of this world so far.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        self.surroundings.secrets()
    }

    /// The environment of a program in this world.
    #[must_use]
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// The directory of this world.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.surroundings.directory
    }

    /// The web identity token that the world began with.
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

    /// The clock of the servers.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The CA that clients trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// STS.
    #[must_use]
    pub fn sts(&self) -> &Sts {
        &self.surroundings.sts
    }

    /// The web server of the issuer, if there is one.
    #[must_use]
    pub fn issuer_server(&self) -> Option<&Sts> {
        self.surroundings.issuer.as_ref()
    }

    /// The DNS server.
    #[must_use]
    pub fn dns(&self) -> &Dns {
        &self.surroundings.dns
    }

    /// The node, if it serves anything.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        self.surroundings.node.server()
    }

    /// The proxy, if there is one that listens.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.surroundings.proxy.as_ref().and_then(Port::server)
    }

    /// The Kubernetes API, if there is one that listens.
    #[must_use]
    pub fn kubernetes(&self) -> Option<&Kubernetes> {
        self.surroundings.kubernetes.as_ref().and_then(Port::server)
    }
}
