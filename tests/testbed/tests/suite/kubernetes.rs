//! The Kubernetes API: in recorded words, for who has the token and the right, and its faults.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::kubernetes::{Kubernetes, Mode, Right};
use testbed::{Scenario, World};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::client::{Reply, send, tls};

const ACCOUNT: &str = "GET /api/v1/namespaces/payments/serviceaccounts/checkout";
const STATUS: &str = "PATCH /api/v1/namespaces/payments/pods/checkout-6d5f9c7b8-abcde/status";
const EVENTS: &str = "POST /api/v1/namespaces/payments/events";
const UID: &str = "3a425203-8f0c-4f27-90e5-532e21abc2c4";

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn start(toml: &str) -> World {
    World::start(&Scenario::parse(&format!("[kubernetes]\n{toml}")).unwrap()).await
}

fn api(world: &World) -> &Kubernetes {
    world.kubernetes().unwrap()
}

/// A file in the directory of the API token, as a pod finds it.
fn mounted(world: &World, name: &str) -> String {
    let token = PathBuf::from(&world.env()["IRSA_PROBE_API_TOKEN_FILE"]);
    fs::read_to_string(token.with_file_name(name)).unwrap()
}

/// Connects as a pod does, which knows nothing but its environment and its files.
async fn connect(world: &World) -> TlsStream<TcpStream> {
    let variable = |name: &str| world.env()[&format!("KUBERNETES_SERVICE_{name}")].clone();
    let address: SocketAddr = format!("{}:{}", variable("HOST"), variable("PORT")).parse().unwrap();
    tls(address, &mounted(world, "ca.crt"), &variable("HOST")).await.unwrap()
}

fn content_type(target: &str) -> &'static str {
    if target.starts_with("PATCH") { "application/strategic-merge-patch+json" } else { "application/json" }
}

async fn reply(world: &World, target: &str, body: &str, headers: &[(&str, &str)]) -> Reply {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    send(&mut connect(world).await, target, body, &headers).await.unwrap()
}

/// Asks with the mounted token.
async fn ask(world: &World, target: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {}", mounted(world, "token"));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers =
        [("Host", "kubernetes"), ("Authorization", &bearer), ("Content-Type", content_type(target))];
    let reply = reply(world, target, &body, &headers).await;
    (reply.status, recorded(&reply.body))
}

async fn get(world: &World, target: &str) -> (u16, Value) {
    ask(world, target, &Value::Null).await
}

fn condition(status: &str) -> Value {
    json!({"type": "irsa-probe/ready", "status": status, "reason": "RoleWorks", "message": "m",
        "lastTransitionTime": "2026-11-24T08:00:00Z"})
}

fn patch(condition: &Value) -> Value {
    json!({"metadata": {"uid": UID}, "status": {"conditions": [condition]}})
}

fn event(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "payments"}, "reason": "RoleWorks", "message": "m",
        "type": "Normal", "involvedObject": {"kind": "Pod", "namespace": "payments", "uid": UID},
        "firstTimestamp": "2026-11-24T08:00:00Z", "lastTimestamp": "2026-11-24T08:00:00Z", "count": 1})
}

fn with(mut value: Value, fields: &Value) -> Value {
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    value
}

/// The code, the reason and the message of a failure.
fn failure((status, body): &(u16, Value)) -> (u16, &str, &str) {
    assert_eq!(
        (&body["kind"], &body["status"], &body["code"]),
        (&"Status".into(), &"Failure".into(), &(*status).into())
    );
    (*status, body["reason"].as_str().unwrap(), body["message"].as_str().unwrap())
}

#[tokio::test]
async fn a_pod_finds_the_api_only_where_there_is_one() {
    let world = start("").await;
    assert_eq!(world.env()["KUBERNETES_SERVICE_HOST"], "127.0.0.1");
    assert_eq!(world.env()["KUBERNETES_SERVICE_PORT"], api(&world).address().port().to_string());
    assert_eq!(mounted(&world, "namespace"), "payments");
    assert_ne!(mounted(&world, "ca.crt"), world.ca_pem(), "the cluster has a CA of its own");

    let without = World::start(&Scenario::default()).await;
    assert!(without.kubernetes().is_none());
    assert!(!without.env().keys().any(|name| name.starts_with("KUBERNETES_")));
    let token = PathBuf::from(&without.env()["IRSA_PROBE_API_TOKEN_FILE"]);
    assert!(token.exists() && !token.with_file_name("ca.crt").exists());
}

#[tokio::test]
async fn answers_as_recorded() {
    let world = start("").await;
    let account = recorded(include_str!("../../../recorded/api-get-sa-ok.json"));
    assert_eq!(get(&world, ACCOUNT).await, (200, account));
    let nope = "GET /api/v1/namespaces/payments/serviceaccounts/nope";
    let other = recorded(include_str!("../../../recorded/api-get-sa-notfound.json"));
    assert_eq!(get(&world, nope).await, (403, other));

    let before = recorded(include_str!("../../../recorded/pod-injected.json"));
    assert_eq!(api(&world).pod()["status"]["conditions"], before["status"]["conditions"]);
    assert_eq!(api(&world).pod()["spec"], before["spec"]);
    let after = recorded(include_str!("../../../recorded/api-patch-pod-status-ok.json"));
    let curl =
        json!({"type": "irsa-probe/credentials", "status": "False", "reason": "IRSA201", "message": "m"});
    let (status, pod) = ask(&world, STATUS, &patch(&curl)).await;
    assert_eq!((status, &pod["status"], &pod["spec"]), (200, &after["status"], &after["spec"]));

    api(&world).deny(Right::ServiceAccounts);
    api(&world).deny(Right::PodsStatus);
    let denied = recorded(include_str!("../../../recorded/api-get-sa-forbidden.json"));
    assert_eq!(get(&world, ACCOUNT).await, (403, denied));
    let denied = recorded(include_str!("../../../recorded/api-patch-pod-status-forbidden.json"));
    assert_eq!(ask(&world, STATUS, &json!({})).await, (403, denied));
}

#[tokio::test]
async fn takes_no_token_but_the_pod_s() {
    let world = start("").await;
    let unauthorized = recorded(include_str!("../../../recorded/api-unauthorized.json"));
    let web_identity = format!("Bearer {}", world.token());
    let basic = format!("Basic {}", mounted(&world, "token"));
    for headers in [&[("Host", "x")][..], &[("Authorization", &web_identity)], &[("Authorization", &basic)]] {
        let reply = reply(&world, ACCOUNT, "", headers).await;
        assert_eq!((reply.status, recorded(&reply.body)), (401, unauthorized.clone()), "{headers:?}");
    }
    let before = format!("Bearer {}", mounted(&world, "token"));
    let renewed = world.renew_api_token().unwrap();
    assert_eq!(mounted(&world, "token"), renewed);
    assert_eq!(reply(&world, ACCOUNT, "", &[("Authorization", &before)]).await.status, 401);
    assert_eq!(get(&world, ACCOUNT).await.0, 200);
}

#[tokio::test]
async fn rights_come_and_go() {
    let world = start("deny = [\"serviceaccounts\", \"pods/status\", \"events\"]").await;
    let asked = [
        (ACCOUNT, Value::Null, Right::ServiceAccounts, 200),
        (STATUS, patch(&condition("True")), Right::PodsStatus, 200),
        (EVENTS, event("a"), Right::Events, 201),
    ];
    for (target, body, right, granted) in &asked {
        assert_eq!(ask(&world, target, body).await.0, 403, "{target}");
        api(&world).allow(*right);
        assert_eq!(ask(&world, target, body).await.0, *granted, "{target}");
        api(&world).deny(*right);
        assert_eq!(ask(&world, target, body).await.0, 403, "{target}");
    }
    let user = "User \"system:serviceaccount:payments:checkout\" cannot";
    let message = format!(
        "events is forbidden: {user} create resource \"events\" in API group \"\" in the namespace \"payments\""
    );
    let denied = ask(&world, EVENTS, &event("b")).await;
    assert_eq!(failure(&denied), (403, "Forbidden", message.as_str()));
    assert_eq!(denied.1["details"], json!({"kind": "events"}));

    api(&world).set_denied(Vec::new());
    for (target, message) in [
        ("GET /api/v1/namespaces/payments/pods", "pods is forbidden"),
        (
            "GET /api/v1/namespaces/other/serviceaccounts/checkout",
            "serviceaccounts \"checkout\" is forbidden",
        ),
        ("PUT /api/v1/namespaces/payments/pods/x/status", "pods \"x\" is forbidden"),
        ("POST /api/v1/namespaces/other/events", "events is forbidden"),
    ] {
        let denied = get(&world, target).await;
        assert_eq!(denied.0, 403, "{target}");
        assert!(failure(&denied).2.starts_with(message), "{denied:?}");
    }
    assert_eq!(get(&world, "GET /version").await.0, 404);
    assert_eq!(get(&world, "PATCH /api/v1/namespaces/payments/pods/x/status").await.0, 400);
    assert_eq!(ask(&world, "PATCH /api/v1/namespaces/payments/pods/x/status", &json!({})).await.0, 404);
}

#[tokio::test]
async fn conditions_are_merged_by_their_type() {
    let world = start("").await;
    let before = api(&world).pod();
    let (status, pod) = ask(&world, STATUS, &json!({})).await;
    assert_eq!((status, &pod), (200, &before), "an empty patch reads the pod");

    ask(&world, STATUS, &patch(&condition("False"))).await;
    let first = api(&world).pod();
    assert_ne!(first["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    ask(&world, STATUS, &patch(&json!({"type": "irsa-probe/ready", "status": "True", "reason": null}))).await;
    let mut merged = condition("True");
    merged.as_object_mut().unwrap().remove("reason");
    merged["lastProbeTime"] = Value::Null;
    assert_eq!(api(&world).condition("irsa-probe/ready"), Some(merged));
    assert_eq!(api(&world).conditions()[1..], before["status"]["conditions"].as_array().unwrap()[..]);

    let version = api(&world).pod()["metadata"]["resourceVersion"].clone();
    ask(&world, STATUS, &patch(&json!({"type": "irsa-probe/ready", "status": "True"}))).await;
    assert_eq!(api(&world).pod()["metadata"]["resourceVersion"], version, "nothing new, nothing written");
}

#[tokio::test]
async fn a_patch_is_for_this_pod_and_this_version() {
    let world = start("").await;
    let body = patch(&condition("True"));
    let read = api(&world).pod()["metadata"]["resourceVersion"].clone();
    api(&world).edit_pod(|pod| pod["metadata"]["uid"] = json!("another"));
    let recreated = ask(&world, STATUS, &body).await;
    let message = format!(
        "Operation cannot be fulfilled on pods \"checkout-6d5f9c7b8-abcde\": \
         Precondition failed: UID in precondition: {UID}, UID in object meta: another"
    );
    assert_eq!(failure(&recreated), (409, "Conflict", message.as_str()));
    let outdated =
        ask(&world, STATUS, &with(body.clone(), &json!({"metadata": {"resourceVersion": read}}))).await;
    assert_eq!(outdated.0, 409);
    assert_eq!(api(&world).condition("irsa-probe/ready"), None);

    api(&world).edit_pod(|pod| pod["metadata"]["uid"] = json!(UID));
    api(&world).conflict_once();
    assert_eq!(ask(&world, STATUS, &json!({})).await.0, 200, "who only reads meets nobody");
    let conflict = ask(&world, STATUS, &body).await;
    assert!(failure(&conflict).2.contains("the object has been modified"), "{conflict:?}");
    assert_eq!(api(&world).condition("irsa-probe/ready"), None);
    assert_eq!(ask(&world, STATUS, &body).await.0, 200);
    assert_eq!(api(&world).condition("irsa-probe/ready").unwrap()["status"], "True");
}

#[tokio::test]
async fn takes_no_patch_that_kubernetes_would_not_take() {
    let world = start("").await;
    let bearer = format!("Bearer {}", mounted(&world, "token"));
    let body = patch(&condition("True")).to_string();
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let refused = reply(&world, STATUS, &body, &headers).await;
    assert_eq!((refused.status, &recorded(&refused.body)["reason"]), (415, &"UnsupportedMediaType".into()));
    for wrong in [
        json!({"status": "True"}),
        json!({"type": "irsa-probe/ready", "lastTransitionTime": "yesterday"}),
        json!("irsa-probe/ready"),
    ] {
        assert_eq!(failure(&ask(&world, STATUS, &patch(&wrong)).await).0, 400, "{wrong}");
    }
    assert_eq!(ask(&world, STATUS, &json!({"status": {"conditions": {}}})).await.0, 400);
    assert_eq!(ask(&world, STATUS, &json!([])).await.0, 400);
    assert_eq!(api(&world).condition("irsa-probe/ready"), None);
}

#[tokio::test]
async fn events_are_kept_once() {
    let world = start("").await;
    let (status, created) = ask(&world, EVENTS, &event("a")).await;
    assert_eq!((status, &created["reason"], &created["kind"]), (201, &"RoleWorks".into(), &"Event".into()));
    assert!(created["metadata"]["uid"].is_string() && created["metadata"]["resourceVersion"].is_string());
    let again = ask(&world, EVENTS, &event("a")).await;
    assert_eq!(failure(&again), (409, "AlreadyExists", "events \"a\" already exists"));
    api(&world).conflict_once();
    assert_eq!(ask(&world, EVENTS, &event("b")).await.0, 409);
    assert_eq!(ask(&world, EVENTS, &event("b")).await.0, 201);
    let generated = with(event(""), &json!({"metadata": {"generateName": "c-"}}));
    for _ in 0..2 {
        let (status, created) = ask(&world, EVENTS, &generated).await;
        assert_eq!(status, 201);
        assert!(
            created["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("c-") && name.len() == 7)
        );
    }
    assert_eq!(api(&world).events().len(), 4);
    assert_eq!(api(&world).events()[0], created);
}

#[tokio::test]
async fn takes_no_event_that_kubernetes_would_not_take() {
    let world = start("").await;
    let newer = json!({"eventTime": "2026-11-24T08:00:00.000000Z", "action": "Check",
        "reportingComponent": "irsa-probe", "reportingInstance": "x"});
    assert_eq!(ask(&world, EVENTS, &with(event("newer"), &newer)).await.0, 201);
    for (wrong, code) in [
        (json!({"metadata": {}}), 422),
        (json!({"metadata": {"name": "x", "namespace": "other"}}), 400),
        (json!({"involvedObject": {"namespace": "other"}}), 422),
        (json!({"involvedObject": {}}), 422),
        (json!({"firstTimestamp": "now"}), 400),
        (json!({"lastTimestamp": 1}), 400),
        (with(newer.clone(), &json!({"eventTime": "2026-11-24T08:00:00Z"})), 400),
        (with(newer.clone(), &json!({"action": ""})), 422),
        (with(newer.clone(), &json!({"reportingInstance": null})), 422),
        (with(newer.clone(), &json!({"reportingInstance": "x".repeat(129)})), 422),
        (with(newer.clone(), &json!({"message": "x".repeat(1025)})), 422),
    ] {
        assert_eq!(failure(&ask(&world, EVENTS, &with(event("x"), &wrong)).await).0, code, "{wrong}");
    }
    assert_eq!(get(&world, EVENTS).await.0, 400);
    assert_eq!(api(&world).events().len(), 1);
}

#[tokio::test]
async fn the_service_account_is_as_the_scenario_says() {
    let account = async |toml: &str| get(&start(toml).await, ACCOUNT).await;
    let (status, bare) = account("service_account = \"bare\"\nannotated_ago = \"1h\"").await;
    let fields = |value: &Value| {
        value["metadata"].as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    let recorded_bare = recorded(include_str!("../../../recorded/sa-bare.json"));
    assert_eq!((status, fields(&bare)), (200, fields(&recorded_bare)));
    let missing = account("service_account = \"missing\"").await;
    assert_eq!(failure(&missing), (404, "NotFound", "serviceaccounts \"checkout\" not found"));

    let earliest = testbed::clock::xml_date(time::OffsetDateTime::now_utc() - time::Duration::hours(1));
    let (_, late) = account("role_arn = \"arn:x\"\nannotated_ago = \"1h\"\ncreated_ago = \"2h\"").await;
    assert_eq!(late["metadata"]["annotations"], json!({"eks.amazonaws.com/role-arn": "arn:x"}));
    let entry = &late["metadata"]["managedFields"][0];
    assert_eq!(entry["manager"], "kubectl-annotate");
    let annotation = &entry["fieldsV1"]["f:metadata"]["f:annotations"]["f:eks.amazonaws.com/role-arn"];
    assert_eq!(*annotation, json!({}));
    let (annotated, created) = (entry["time"].as_str(), late["metadata"]["creationTimestamp"].as_str());
    assert!(annotated.unwrap() >= earliest.as_str(), "{annotated:?} {earliest}");
    assert!(created.unwrap() < earliest.as_str(), "{created:?} {earliest}");

    let world = World::start(
        &Scenario::parse("role.arn = \"arn:aws:iam::111122223333:role/z\"\n[kubernetes]").unwrap(),
    )
    .await;
    let annotations = async || get(&world, ACCOUNT).await.1["metadata"]["annotations"].clone();
    assert_eq!(annotations().await["eks.amazonaws.com/role-arn"], "arn:aws:iam::111122223333:role/z");
    world
        .apply(&Scenario::parse("kubernetes = { service_account = \"bare\", deny = [\"events\"] }").unwrap());
    assert_eq!(annotations().await, Value::Null);
    assert_eq!(ask(&world, EVENTS, &event("a")).await.0, 403);
    api(&world).set_service_account(None);
    assert_eq!(get(&world, ACCOUNT).await.0, 404);
}

#[tokio::test]
async fn goes_wrong_as_told() {
    let world = start("mode = \"unauthorized\"").await;
    assert_eq!(get(&world, ACCOUNT).await.0, 401);
    for (status, reason) in [(503, "ServiceUnavailable"), (500, "InternalError"), (429, "TooManyRequests")] {
        api(&world).set_mode(Mode::Status(status));
        assert_eq!(failure(&get(&world, ACCOUNT).await).1, reason);
    }
    api(&world).set_mode(Mode::Serve);
    assert_eq!(get(&world, ACCOUNT).await.0, 200);
    let heard = api(&world).requests().len();
    api(&world).set_mode(Mode::Hang);
    assert!(timeout(Duration::from_millis(300), get(&world, ACCOUNT)).await.is_err());
    assert_eq!(api(&world).requests().len(), heard + 1, "it has heard, and says nothing");

    let hanging = start("mode = \"hang\"").await;
    assert!(timeout(Duration::from_millis(300), get(&hanging, ACCOUNT)).await.is_err());
    let refusing = start("mode = \"refused\"").await;
    assert!(refusing.kubernetes().is_none());
    let port = refusing.env()["KUBERNETES_SERVICE_PORT"].parse::<u16>().unwrap();
    let error = TcpStream::connect(("127.0.0.1", port)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn remembers_what_it_was_asked() {
    let world = start("").await;
    let bearer = format!("Bearer {}", mounted(&world, "token"));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", content_type("PATCH"))];
    let target = format!("{STATUS}?fieldManager=irsa-probe");
    assert_eq!(reply(&world, &target, "{\"status\": {}}", &headers).await.status, 200);
    get(&world, ACCOUNT).await;
    let requests = api(&world).requests();
    assert_eq!(requests.len(), 2);
    let patch = &requests[0];
    assert_eq!(format!("{} {}", patch.method, patch.path), STATUS);
    assert_eq!(patch.body, json!({"status": {}}));
    assert_eq!(patch.header("authorization"), Some(bearer.as_str()));
    assert_eq!(patch.header("content-type"), Some("application/strategic-merge-patch+json"));
    assert_eq!(requests[1].body, Value::Null);
}
