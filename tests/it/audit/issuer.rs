//! The token's issuer, asked as the audit asks it, against the testbed's: what it publishes, and each way in
//! which it cannot be had.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use iam_trust::arn;
use iam_trust::document;
use iam_trust::evaluate::{Decision, evaluate};
use irsa_probe::audit::issuer::{IssuerDocuments, PublishedKeys, Signature, SigningKey, judge, observe};
use irsa_probe::diagnosis::{Diagnosis, Name};
use irsa_probe::host::{Clock, Pod};
use irsa_probe::net::options::NetworkOptions;
use irsa_probe::run::Verdict;
use irsa_probe::token::{self, Token};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use testbed::{Scenario, World};
use tokio::time::Instant;

async fn world(toml: &str) -> World {
    World::start(&Scenario::parse(toml).unwrap()).await
}

/// What is seen of the world's issuer by a machine with these variables, and that trusts the world's CA.
async fn fetched(world: &World, variables: &[(&str, &str)], time: Duration) -> IssuerDocuments {
    let bundle = world.dir().join("ca.pem").to_string_lossy().into_owned();
    let trusting = [("AWS_CA_BUNDLE", bundle.as_str())];
    let pod = Pod::recorded(variables.iter().copied().chain(trusting), Clock::System);
    let network = NetworkOptions { dns_server: Some(world.dns().address()), ..NetworkOptions::default() };
    observe(&pod, world.issuer().url().to_owned(), &network, Instant::now() + time).await
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(400);

/// The judgement of what was fetched for this token.
fn judged(fetched: IssuerDocuments, token: &str) -> Verdict<PublishedKeys> {
    judge(fetched, SigningKey::OfToken(&Token::decode(token).unwrap()))
}

async fn seen(world: &World) -> Verdict<PublishedKeys> {
    judged(fetched(world, &[], LONG).await, world.token())
}

/// What is wrong with the issuer of this world.
async fn wrong(toml: &str, time: Duration) -> Diagnosis {
    let world = world(toml).await;
    match judged(fetched(&world, &[], time).await, world.token()) {
        Verdict::Fail(diagnosis) => diagnosis,
        other => panic!("{toml}: {other:?}"),
    }
}

#[tokio::test]
async fn healthy_issuer_publishes_its_key() {
    let world = world("[issuer]").await;
    let Verdict::Pass(published) = seen(&world).await else { panic!() };
    assert_eq!(published.key_ids, [world.issuer().key_id()]);
    assert_eq!(published.signature, Signature::Verified);
    assert_eq!(published.jwks_uri, format!("{}/keys", world.issuer().url()));
    assert_eq!(published.answered_by, Some(world.issuer_server().unwrap().address()));
    let targets: Vec<String> =
        world.issuer_server().unwrap().requests().into_iter().map(|request| request.target).collect();
    let path = "/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    let expected =
        [format!("GET {path}/.well-known/openid-configuration"), format!("GET {path}/keys")].to_vec();
    assert_eq!(targets, expected, "each document is asked for once");
    assert_eq!(world.sts().requests().len(), 0);
}

#[tokio::test]
async fn unpublished_key_is_reported() {
    for keys in ["other", "none"] {
        let found = wrong(&format!("issuer.keys = \"{keys}\""), LONG).await;
        assert_eq!(found.name(), Name::SigningKeyNotPublished, "{keys}");
    }
    let found = wrong("token.key = \"other\"\n[issuer]", LONG).await;
    assert_eq!(found.name(), Name::SigningKeyNotPublished);
}

#[tokio::test]
async fn key_id_and_key_must_both_match() {
    let unlabelled = "token.header = { kid = \"\" }\nissuer.keys = \"own-without-id\"";
    for (toml, words) in [
        ("issuer.keys = \"other-under-same-id\"", "the token's signature does not verify with it"),
        ("token.header = { kid = \"x\" }\n[issuer]", "but under the id \""),
        ("issuer.keys = \"own-without-id\"", "but without an id (\"kid\"). The token names the id \""),
        (unlabelled, "an absent id is not an empty one"),
        (
            "token.key = \"other\"\ntoken.header = { kid = \"\" }\n[issuer]",
            "the key \"\" that signed the token",
        ),
    ] {
        let found = wrong(toml, LONG).await;
        assert_eq!(found.name(), Name::SigningKeyNotPublished, "{toml}");
        assert!(found.cause().contains(words), "{toml}: {}", found.cause());
    }
}

/// A world whose issuer answers with this key set.
async fn publishing(toml: &str, set: &Value) -> World {
    let reply = format!("reply = {{ status = 200, body = {} }}", Value::from(set.to_string()));
    world(&format!("{toml}\n[issuer]\njwks = [{{ {reply} }}]")).await
}

#[tokio::test]
async fn empty_key_id_matches_only_an_empty_key_id() {
    let mut set = testbed::issuer::Issuer::new("https://any").jwks();
    set["keys"][0]["kid"] = json!("");
    let world = publishing("token.header = { kid = \"\" }", &set).await;
    let Verdict::Pass(published) = seen(&world).await else { panic!() };
    assert_eq!((published.key_id.as_deref(), published.signature), (Some(""), Signature::Verified));
}

#[tokio::test]
async fn es256_signature_is_verified() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let set = json!({"keys": [
        {"kid": "post-quantum", "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        {"kid": "ec", "kty": "EC", "crv": "P-256", "x": BASE64.encode(x), "y": BASE64.encode(y)},
    ]});
    let world = publishing("", &set).await;
    let (_, claims) = testbed::token::decode(world.token()).unwrap();
    let sign = |header: Value| {
        let signed = [header, claims.clone()].map(|part| BASE64.encode(part.to_string())).join(".");
        let signature = key.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    };
    let fetched = fetched(&world, &[], LONG).await;
    let of_ec = judged(fetched.clone(), &sign(json!({"alg": "ES256", "kid": "ec"})));
    assert!(matches!(of_ec, Verdict::Pass(published) if published.signature == Signature::Verified));
    let of_any = judged(fetched.clone(), &sign(json!({"alg": "ES256"})));
    assert!(matches!(of_any, Verdict::Pass(published) if published.signature == Signature::Verified));
    let unknown = sign(json!({"alg": "ES512", "kid": "ec"}));
    assert!(matches!(
        judged(fetched, &unknown),
        Verdict::Pass(published) if matches!(published.signature, Signature::NotChecked(_))
    ));
}

#[tokio::test]
async fn issuer_failures_are_told_apart() {
    let redirect = "reply = { status = 302, body = \"\", headers = { Location = \"/other\" } }";
    let url = "https://oidc.eks.eu-west-1.amazonaws.com";
    let answers = |what: &str| format!("issuer.discovery = [{{ {what} }}]");
    let keys = |what: &str| format!("issuer.jwks = [{{ {what} }}]");
    for (toml, words) in [
        (
            "issuer.accept = \"refused\"".to_owned(),
            "oidc.eks.eu-west-1.amazonaws.com cannot be reached: the connection is refused",
        ),
        ("dns.mode = \"nxdomain\"\n[issuer]".to_owned(), "has no address"),
        ("dns.mode = \"servfail\"\n[issuer]".to_owned(), "cannot be looked up"),
        ("issuer.tls = \"other-ca\"".to_owned(), "is not trusted"),
        ("issuer.tls = \"wrong-name\"".to_owned(), "is for other names"),
        ("issuer.tls = \"expired\"".to_owned(), "is no longer valid"),
        ("issuer.tls = \"not-yet-valid\"".to_owned(), "is not valid yet"),
        ("issuer.accept = \"plain-http\"".to_owned(), "does not speak TLS"),
        ("issuer.accept = \"reset\"".to_owned(), "broke off"),
        ("issuer.tls = \"plain\"".to_owned(), "it does not begin with https://"),
        (answers(redirect), "answers 302, a redirect"),
        (answers("reply = { status = 404, body = \"{}\" }"), "answers with the status 404"),
        (answers("reply = { status = 200, body = \"no\" }"), "no JSON object"),
        (answers("fault = \"html\""), "a page for a browser"),
        (answers("fault = \"huge\""), "more than 65536 bytes"),
        (answers("fault = \"half\""), "broke off"),
        (answers("fault = \"close\""), "broke off"),
        (keys(redirect), "answers 302, a redirect"),
        (keys("fault = \"huge\""), "more than 524288 bytes"),
        (keys("fault = \"html\""), "a page for a browser"),
        (keys("reply = { status = 200, body = '{\"keys\":[{\"kid\":' }"), "no JSON object"),
        (keys("reply = { status = 200, body = '{\"keys\":\"none\"}' }"), "holds no list of keys"),
        ("issuer.document = { issuer = \"https://other.example\" }".to_owned(), "https://other.example"),
        ("issuer.document = { jwks_uri = \"http://other.example\" }".to_owned(), "not asked for there"),
    ] {
        let found = wrong(&toml, LONG).await;
        assert_eq!(found.name(), Name::IssuerUnreachable, "{toml}");
        assert!(found.cause().contains(words), "{toml}: {}", found.cause());
        assert!(found.remedy().len() >= 2, "{toml}");
    }
    let of_keys = wrong(&keys("reply = { status = 403, body = \"\" }"), LONG).await;
    assert!(of_keys.cause().contains("key set cannot be had") && of_keys.cause().contains(url));
}

#[tokio::test]
async fn silent_issuer_does_not_outlast_the_deadline() {
    for toml in [
        "issuer.accept = \"hang\"",
        "issuer.accept = \"black-hole\"",
        "issuer.discovery = [{ fault = \"hang\" }]",
        "issuer.jwks = [{ fault = \"hang\" }]",
        "dns.mode = \"silent\"\n[issuer]",
    ] {
        let found = wrong(toml, SHORT).await;
        assert_eq!((found.name(), found.may_pass()), (Name::IssuerUnreachable, true), "{toml}");
    }
}

#[tokio::test]
async fn jwks_uri_is_followed_but_redirects_are_not() {
    let world = world("[issuer]").await;
    let of_sts = format!("https://sts.eu-west-1.amazonaws.com:{}/k", world.sts().address().port());
    let elsewhere = format!("issuer.document = {{ jwks_uri = \"{of_sts}\" }}");
    world.apply(&Scenario::parse(&elsewhere).unwrap());
    let Verdict::Fail(found) = seen(&world).await else { panic!() };
    assert!(found.cause().contains(&format!("{of_sts} answers with the status 400")), "{}", found.cause());
    assert_eq!(world.sts().requests()[0].target, "GET /k");

    let location = format!("headers = {{ Location = \"{of_sts}\" }}");
    let redirect = format!("issuer.discovery = [{{ reply = {{ status = 302, body = \"\", {location} }} }}]");
    world.apply(&Scenario::parse(&redirect).unwrap());
    let Verdict::Fail(_) = seen(&world).await else { panic!() };
    assert_eq!(world.sts().requests().len(), 1);
}

#[tokio::test]
async fn issuer_is_reached_through_the_proxy() {
    let world = world("[issuer]\n[proxy]\nmode = \"auth\"\ncredentials = \"user:password\"").await;
    let through = |world: &World| world.proxy().unwrap().connects().len();
    let proxy = world.env()["HTTPS_PROXY"].clone();
    let seen = fetched(&world, &[("HTTPS_PROXY", &proxy)], LONG).await;
    assert!(matches!(judged(seen, world.token()), Verdict::Pass(_)));
    assert_eq!(through(&world), 2);

    let except = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", ".amazonaws.com")];
    assert!(matches!(judged(fetched(&world, &except, LONG).await, world.token()), Verdict::Pass(_)));
    assert_eq!(through(&world), 2);

    let unknown = proxy.replace("password", "guess-at-it");
    let Verdict::Fail(found) =
        judged(fetched(&world, &[("HTTPS_PROXY", &unknown)], LONG).await, world.token())
    else {
        panic!()
    };
    assert!(found.cause().contains("the proxy requires other credentials"), "{}", found.cause());
    let told = format!("{} {:?} {:?}", found.cause(), found.remedy(), found.evidence());
    assert!(!told.contains("guess-at-it"));
}

#[tokio::test]
async fn issuer_may_close_each_connection() {
    let world = world("issuer.accept = \"serve-once\"").await;
    assert!(matches!(seen(&world).await, Verdict::Pass(_)));
}

/// Pages say only what differs from such an account, so it has to let the pod in by our own judgement, too.
#[tokio::test]
async fn issuer_world_trusts_its_own_pod() {
    for toml in ["[iam]", "[iam]\n[issuer]"] {
        let world = world(toml).await;
        let policy = world.sts().edit_account(|account| account.roles[0].trust_policy.clone());
        let role = arn::parse("arn:aws:iam::111122223333:role/payments-checkout").unwrap();
        let request = token::decode(world.token()).unwrap().request(&role);
        let decision = evaluate(&document::parse(&policy).unwrap(), &request).decision;
        assert!(matches!(decision, Decision::Allows(_)), "{toml}: {decision:?}");
    }
}
