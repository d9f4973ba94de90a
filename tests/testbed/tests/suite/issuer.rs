//! Signatures and key ids, checked against the key set and against what a real cluster signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use testbed::issuer::{DEFAULT_ISSUER, Issuer, key_id};
use testbed::token::{Edits, Kind, decode};
use testbed::{Scenario, World};

use crate::client::{Reply, assume, send, tls};

const RECORDED_TOKEN: &str = include_str!("../recorded/projected-token.jwt");
const RECORDED_KEYS: &str = include_str!("../recorded/jwks.json");

fn verifies(token: &str, jwks: &Value) -> bool {
    let key = &jwks["keys"][0];
    let part = |name: &str| BASE64.decode(key[name].as_str().unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    RsaPublicKeyComponents { n: part("n"), e: part("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &BASE64.decode(signature).unwrap())
        .is_ok()
}

#[test]
fn a_recorded_token_verifies_as_ours_do() {
    let recorded: Value = serde_json::from_str(RECORDED_KEYS).unwrap();
    assert!(verifies(RECORDED_TOKEN.trim(), &recorded));
    let (issuer, other) = (Issuer::new(DEFAULT_ISSUER), Issuer::with_unpublished_key(DEFAULT_ISSUER));
    assert!(verifies(&issuer.sign(&json!({"sub": "x"})), &issuer.jwks()));
    assert!(!verifies(&other.sign(&json!({"sub": "x"})), &issuer.jwks()));
    assert!(!verifies(RECORDED_TOKEN.trim(), &issuer.jwks()));
}

/// The recorded key id is derived from the recorded key by the same rule.
#[test]
fn key_ids_are_derived_as_kubernetes_does() {
    let recorded: Value = serde_json::from_str(RECORDED_KEYS).unwrap();
    let modulus = BASE64.decode(recorded["keys"][0]["n"].as_str().unwrap()).unwrap();
    let pkcs1 = [
        &[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00][..],
        &modulus,
        &[0x02, 0x03, 0x01, 0x00, 0x01],
    ]
    .concat();
    assert_eq!(recorded["keys"][0]["kid"], key_id(&pkcs1));
}

#[test]
fn claims_have_the_shape_of_the_recorded_ones() {
    let (header, recorded) = decode(RECORDED_TOKEN.trim()).unwrap();
    let issuer = Issuer::new(DEFAULT_ISSUER);
    let token =
        Edits::default().sign(&issuer, Kind::Projected.claims(DEFAULT_ISSUER, 1_795_457_089, 1_795_543_489));
    let (own_header, own) = decode(&token).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&header), names(&own_header));
    assert_eq!(names(&recorded), names(&own));
    assert_eq!(names(&recorded["kubernetes.io"]), names(&own["kubernetes.io"]));
    for claim in ["aud", "exp", "iat", "iss", "nbf", "sub"] {
        assert_eq!(recorded[claim], own[claim], "{claim}");
    }
}

#[test]
fn kinds_differ_as_in_kubernetes() {
    let claims = |kind: Kind| Value::Object(kind.claims(DEFAULT_ISSUER, 1000, 2000));
    assert_eq!(claims(Kind::Api)["aud"], json!(["https://kubernetes.default.svc"]));
    assert_eq!(claims(Kind::Api)["kubernetes.io"]["warnafter"], 4607);
    assert_eq!(claims(Kind::PodIdentity)["aud"], json!(["pods.eks.amazonaws.com"]));
    assert_eq!(claims(Kind::TokenRequest)["kubernetes.io"].get("pod"), None);
    let legacy = claims(Kind::LegacySecret);
    assert_eq!(
        (&legacy["iss"], legacy.get("aud"), legacy.get("exp")),
        (&json!("kubernetes/serviceaccount"), None, None)
    );
}

#[test]
fn discovery_names_the_keys() {
    let issuer = Issuer::new(DEFAULT_ISSUER);
    assert_eq!(issuer.discovery()["issuer"], DEFAULT_ISSUER);
    assert_eq!(issuer.discovery()["jwks_uri"], format!("{DEFAULT_ISSUER}/keys"));
    assert_eq!(issuer.jwks()["keys"][0]["kid"], issuer.key_id());
}

const ISSUER_HOST: &str = "oidc.eks.eu-west-1.amazonaws.com";

async fn served(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap()).await
}

/// What the issuer's web server says to a GET of a path below the issuer's URL.
async fn get(world: &World, name: &str) -> Reply {
    let (server, url) = (world.issuer_server().unwrap(), world.issuer().url());
    let (_, path) = url.split_once(&server.address().port().to_string()).unwrap();
    let mut stream = tls(server.address(), &world.ca_pem(), ISSUER_HOST).await.unwrap();
    let host = [("host".to_owned(), ISSUER_HOST.to_owned())];
    send(&mut stream, &format!("GET {path}/{name}"), "", &host).await.unwrap()
}

async fn json_of(world: &World, name: &str) -> Value {
    let reply = get(world, name).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    serde_json::from_str(&reply.body).unwrap()
}

const DISCOVERY: &str = ".well-known/openid-configuration";

#[tokio::test]
async fn a_served_issuer_is_that_of_the_whole_world() {
    let world = served("[issuer]\n[iam]\n").await;
    let port = world.issuer_server().unwrap().address().port();
    let url = world.issuer().url();
    assert_eq!(url, DEFAULT_ISSUER.replace(ISSUER_HOST, &format!("{ISSUER_HOST}:{port}")));
    assert_eq!(json_of(&world, DISCOVERY).await["jwks_uri"], format!("{url}/keys"));
    assert_eq!(json_of(&world, "keys").await, world.issuer().jwks());
    assert_eq!(decode(world.token()).unwrap().1["iss"], url);
    assert_eq!(assume(&world, &[]).await.status, 200, "STS knows a provider for it");
    assert_eq!(get(&world, "other").await.status, 400);
}

#[tokio::test]
async fn a_served_issuer_goes_wrong_as_told() {
    let other = served("issuer.keys = \"other\"\nissuer.document = { issuer = \"x\" }").await;
    assert_eq!(json_of(&other, DISCOVERY).await["issuer"], "x");
    assert_ne!(json_of(&other, "keys").await["keys"][0]["kid"], other.issuer().key_id());
    assert_eq!(assume(&other, &[]).await.status, 200, "its own server has no part in what STS knows");
    let none = Scenario::parse("issuer.keys = \"none\"").unwrap();
    other.apply(&none);
    assert_eq!(json_of(&other, "keys").await, json!({"keys": []}));

    let moved = "issuer.discovery = [{ reply = { status = 302, body = \"\", headers = { Location = \"/x\" } } }]\n\
                 issuer.jwks = [{ fault = \"html\" }]";
    let moved = served(moved).await;
    assert_eq!(get(&moved, DISCOVERY).await.header("location"), Some("/x"));
    assert!(get(&moved, "keys").await.body.contains("Sign in"));
}
