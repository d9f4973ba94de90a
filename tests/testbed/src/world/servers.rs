//! The servers of a world, as its scenario describes them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;

use time::OffsetDateTime;

use super::Place;
use super::surroundings::Port;
use crate::clock::Clock;
use crate::faults;
use crate::form;
use crate::iam::{self, Iam};
use crate::issuer::{DEFAULT_ISSUER, Issuer};
use crate::kubernetes::{self, Kubernetes, ServiceAccount};
use crate::node::Node;
use crate::proxy::{self, Proxy};
use crate::scenario::{self, Entry, KubernetesMode, ProxyMode, PublishedKeys, Scenario};
use crate::sts::{self, Document, Step, Sts};
use crate::tls::{Authority, Certificate};

/// What the proxy demands if the scenario gives its client nothing.
const PROXY_CREDENTIALS: &str = "proxy-user:proxy-password";

/// What IAM knows in a scenario.
pub(super) fn iam(scenario: &Scenario, issuer: &Issuer) -> Iam {
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
    Iam::new(
        scenario.provider.present.then_some(provider).into_iter().collect(),
        scenario.role.present.then_some(role).into_iter().collect(),
    )
}

/// The answers that a scenario gives in place of IAM's.
pub(super) fn script(entries: &[Entry]) -> Vec<Step> {
    entries.iter().map(|entry| entry.0.clone()).collect()
}

fn told(scenario: &Scenario) -> BTreeMap<String, Vec<Step>> {
    let answers = scenario.iam.iter().flat_map(|iam| &iam.answers);
    answers.map(|(call, entries)| (call.clone(), script(entries))).collect()
}

pub(super) async fn start_sts(
    scenario: &Scenario,
    place: &Place,
    authority: &Authority,
    issuer: &Issuer,
    clock: &Clock,
) -> io::Result<Sts> {
    let described = &scenario.sts;
    let names = ["sts.eu-west-1.amazonaws.com", "sts.amazonaws.com", "iam.amazonaws.com"];
    let names: Vec<String> = [described.host.as_str()].into_iter().chain(names).map(str::to_owned).collect();
    Sts::start(sts::Config {
        tls: described.tls.certificate().map(|certificate| authority.server_config(&names, certificate)),
        accept: described.accept,
        iam: iam(scenario, issuer),
        clock: clock.clone(),
        assume: script(&described.assume),
        identity: script(&described.identity),
        told: told(scenario),
        round_trip: described.round_trip.delay(),
        listen: SocketAddr::new(place.listen, place.sts_port),
        ..sts::Config::default()
    })
    .await
}

/// The issuer's web server, which publishes nothing yet: what it publishes depends on its port.
pub(super) async fn start_issuer(
    scenario: &Scenario,
    place: &Place,
    authority: &Authority,
    clock: &Clock,
) -> io::Result<Option<Sts>> {
    let Some(described) = &scenario.issuer else {
        return Ok(None);
    };
    let names = [described.host.clone()];
    Sts::start(sts::Config {
        tls: described.tls.certificate().map(|certificate| authority.server_config(&names, certificate)),
        accept: described.accept,
        clock: clock.clone(),
        listen: SocketAddr::new(place.listen, 0),
        ..sts::Config::default()
    })
    .await
    .map(Some)
}

/// The URL of the issuer, which has the port of its web server, if there is one.
pub(super) fn issuer_url(scenario: &Scenario, server: Option<&Sts>) -> String {
    let Some((described, server)) = scenario.issuer.as_ref().zip(server) else {
        return DEFAULT_ISSUER.to_owned();
    };
    let scheme = if described.tls.certificate().is_some() { "https" } else { "http" };
    format!("{scheme}://{}:{}{}", described.host, server.address().port(), described.path)
}

/// What an issuer publishes in a scenario.
pub(super) fn documents(described: &scenario::Issuer, issuer: &Issuer) -> Vec<Document> {
    let mut discovery = issuer.discovery();
    if let Some(fields) = discovery.as_object_mut() {
        fields.extend(described.document.clone());
    }
    let other = || Issuer::with_unpublished_key(issuer.url()).jwks();
    let keys = match described.keys {
        PublishedKeys::Own => issuer.jwks(),
        PublishedKeys::Other => other(),
        PublishedKeys::OtherUnderSameId => {
            let mut set = other();
            set["keys"][0]["kid"] = issuer.key_id().into();
            set
        }
        PublishedKeys::OwnWithoutId => {
            let mut set = issuer.jwks();
            set["keys"][0].as_object_mut().map(|key| key.remove("kid"));
            set
        }
        PublishedKeys::None => serde_json::json!({ "keys": [] }),
    };
    let document = |name: &str, body: serde_json::Value, entries: &[Entry]| Document {
        path: format!("{}/{name}", described.path),
        body: body.to_string(),
        steps: script(entries),
    };
    vec![
        document(".well-known/openid-configuration", discovery, &described.discovery),
        document("keys", keys, &described.jwks),
    ]
}

pub(super) async fn start_proxy(
    scenario: &Scenario,
    place: &Place,
    sts: &Sts,
    issuer: Option<&Sts>,
) -> io::Result<Option<Port<Proxy>>> {
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
        ProxyMode::Refused => return faults::refused_port().map(Port::Refused).map(Some),
    };
    let port = sts.address().port();
    let target = SocketAddr::new(place.reachable(), port);
    let mut routes: HashMap<String, SocketAddr> =
        [443, port].map(|port| (format!("{}:{port}", scenario.sts.host), target)).into();
    if let Some((described, issuer)) = scenario.issuer.as_ref().zip(issuer) {
        let port = issuer.address().port();
        routes.insert(format!("{}:{port}", described.host), SocketAddr::new(place.reachable(), port));
    }
    Proxy::start(place.listen, routes, mode).await.map(Port::Serving).map(Some)
}

/// What a client finds in `HTTPS_PROXY`.
pub(super) fn proxy_url(scenario: &Scenario, place: &Place, proxy: &Port<Proxy>) -> String {
    let described = scenario.proxy.clone().unwrap_or_default();
    let user_info = described.credentials.map_or(String::new(), |credentials| {
        let (user, password) = credentials.split_once(':').unwrap_or((&credentials, ""));
        format!("{}:{}@", form::encode(user), form::encode(password))
    });
    let (host, port) = match proxy {
        Port::Serving(proxy) => (place.reachable(), proxy.address().port()),
        Port::Refused(port) => (port.address().ip(), port.address().port()),
    };
    let host = described.host.unwrap_or_else(|| host.to_string());
    format!("http://{user_info}{host}:{port}")
}

pub(super) async fn start_node(scenario: &Scenario, place: &Place) -> io::Result<Port<Node>> {
    match &scenario.node {
        Some(described) => Node::start(place.listen, described.clone()).await.map(Port::Serving),
        None => faults::refused_port().map(Port::Refused),
    }
}

/// Where a client finds the node.
pub(super) fn node_url(place: &Place, node: &Port<Node>) -> String {
    match node {
        Port::Serving(node) => {
            format!("http://{}", SocketAddr::new(place.reachable(), node.address().port()))
        }
        Port::Refused(port) => format!("http://{}", port.address()),
    }
}

pub(super) async fn start_kubernetes(
    scenario: &Scenario,
    place: &Place,
    authority: &Authority,
    token: &str,
    clock: &Clock,
) -> io::Result<Option<Port<Kubernetes>>> {
    let Some(described) = &scenario.kubernetes else {
        return Ok(None);
    };
    let mode = match described.mode {
        KubernetesMode::Serve => kubernetes::Mode::Serve,
        KubernetesMode::Hang => kubernetes::Mode::Hang,
        KubernetesMode::Unauthorized => kubernetes::Mode::Unauthorized,
        KubernetesMode::Refused => return faults::refused_port().map(Port::Refused).map(Some),
    };
    let names = [place.reachable().to_string(), "kubernetes.default.svc".to_owned()];
    let config = kubernetes::Config {
        listen: place.listen,
        mode,
        denied: described.deny.clone(),
        service_account: service_account(scenario, described),
        clock: clock.clone(),
        ..kubernetes::Config::new(authority.server_config(&names, Certificate::Valid), token)
    };
    Kubernetes::start(config).await.map(Port::Serving).map(Some)
}

/// The pod's service account in a scenario.
pub(super) fn service_account(
    scenario: &Scenario,
    described: &scenario::Kubernetes,
) -> Option<ServiceAccount> {
    let role_arn = || described.role_arn.as_ref().unwrap_or(&scenario.role.arn).clone();
    let ago = |span: Option<scenario::Span>| span.map(|span| OffsetDateTime::now_utc() - span.0);
    let (role_arn, annotated) = match described.service_account {
        scenario::ServiceAccount::Annotated => (Some(role_arn()), ago(described.annotated_ago)),
        scenario::ServiceAccount::Bare => (None, None),
        scenario::ServiceAccount::Missing => return None,
    };
    Some(ServiceAccount { role_arn, annotated, created: ago(described.created_ago) })
}

/// Where a client finds the API server.
pub(super) fn kubernetes_address(place: &Place, kubernetes: &Port<Kubernetes>) -> SocketAddr {
    match kubernetes {
        Port::Serving(server) => SocketAddr::new(place.reachable(), server.address().port()),
        Port::Refused(port) => port.address(),
    }
}
