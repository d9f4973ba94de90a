//! Signatures and key ids, checked against the key set and against what a real cluster signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use testbed::issuer::{DEFAULT_ISSUER, Issuer, key_id};
use testbed::token::{Edits, Kind, decode};

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
