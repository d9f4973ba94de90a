//! What the token's issuer publishes: its discovery document and its keys, fetched from here as STS fetches them.
//!
//! No answer of an issuer is trusted: redirects are not followed, the number of bytes is bounded, and the keys are
//! fetched over HTTPS only.

mod jwks;

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

pub use jwks::{Signature, SigningKey};

use crate::aws::transport::SmithyConnector;
use crate::diagnosis::issuer::{IssuerDocument, IssuerFault, IssuerUnreachable, SigningKeyNotPublished};
use crate::evidence::{Evidence, HasEvidence};
use crate::host::Pod;
use crate::net::endpoint::{Endpoint, UrlFault};
use crate::net::http::{self, ResponseError};
use crate::net::options::NetworkOptions;
use crate::run::Verdict;

/// The most bytes of a discovery document. The document of Kubernetes has some hundred.
const MAX_DISCOVERY_BYTES: usize = 64 << 10;
/// The most bytes of a key set. A cluster publishes a few keys; 200 with certificates fit.
const MAX_KEYS_BYTES: usize = 512 << 10;

/// Where the discovery document is. Source: OpenID Connect Discovery 1.0, section 4.
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// Members that STS was seen to require, beside those that are used here.
const EXPECTED_MEMBERS: [&str; 2] = ["response_types_supported", "id_token_signing_alg_values_supported"];

#[derive(Debug, Clone)]
pub struct IssuerDocuments {
    pub issuer: String,
    pub discovery: Response,
    /// The key set, if the discovery document names its URL.
    pub keys: Option<Response>,
}

/// The response to the request for a document.
#[derive(Debug, Clone)]
pub struct Response {
    pub url: String,
    /// The address that answered: the issuer's, or a proxy's.
    pub answered_by: Option<SocketAddr>,
    /// The status, and the body as far as it was read.
    pub answer: Result<(u16, Result<Bytes, ResponseError>), IssuerFault>,
}

/// The keys that an issuer publishes, with the key of the token among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKeys {
    pub issuer: String,
    /// The URL of the key set.
    pub jwks_uri: String,
    /// The id of the key that signed the token, if the token has one and it is known.
    pub key_id: Option<String>,
    /// Whether a published key verifies the token's signature.
    pub signature: Signature,
    pub keys: usize,
    pub key_ids: Vec<String>,
    /// Members that STS was seen to require and that the discovery document lacks.
    pub missing_members: Vec<&'static str>,
    pub answered_by: Option<SocketAddr>,
}

impl HasEvidence for PublishedKeys {
    fn evidence(&self) -> Evidence {
        let key = match (&self.key_id, self.signature) {
            (Some(id), _) => Evidence::new().text("key_id", id),
            (None, Signature::NoToken) => {
                Evidence::new().value("key_id", "not known: no token and no report names it")
            }
            (None, _) => Evidence::new().value("key_id", "none: the token names no key"),
        };
        let signature = match self.signature {
            Signature::Verified => "verified".to_owned(),
            Signature::NotChecked(why) => format!("not checked, because {why}"),
            Signature::NoToken => "not checked, because no token is given (--token)".to_owned(),
        };
        Evidence::new()
            .text("issuer", &self.issuer)
            .text("jwks_uri", &self.jwks_uri)
            .value_if("answered_by", self.answered_by.map(|peer| peer.to_string()))
            .merge(key)
            .value("signature", signature)
            .value("published_keys", self.keys)
            .texts("published_key_ids", &self.key_ids)
            .texts_if_any("discovery_lacks", &self.missing_members)
    }
}

/// Fetches the documents of the issuer, by `until` at the latest.
pub async fn observe(pod: &Pod, issuer: String, network: &NetworkOptions, until: Instant) -> IssuerDocuments {
    let dialer = SmithyConnector::new(pod, network.clone(), until);
    let discovery = match discovery_url(&issuer) {
        Ok(url) => fetch(&dialer, url, MAX_DISCOVERY_BYTES, until).await,
        Err(why) => {
            Response { url: issuer.clone(), answered_by: None, answer: Err(IssuerFault::NotAUrl(why)) }
        }
    };
    let keys = match read_discovery(&issuer, &discovery) {
        Ok((jwks_uri, _)) => Some(fetch(&dialer, jwks_uri, MAX_KEYS_BYTES, until).await),
        Err(_) => None,
    };
    IssuerDocuments { issuer, discovery, keys }
}

async fn fetch(dialer: &SmithyConnector, url: String, max_bytes: usize, until: Instant) -> Response {
    let mut answered_by = None;
    let answer = async {
        let endpoint = parse_https(&url).map_err(IssuerFault::NotAUrl)?;
        let connected = dialer.connect(&endpoint, until).await.map_err(IssuerFault::Unreachable)?;
        answered_by = Some(connected.peer);
        let authority = endpoint.uri.authority().map_or("", |authority| authority.as_str());
        let path = endpoint.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, authority)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("irsa-probe/", env!("CARGO_PKG_VERSION")))
            .body(Full::default())
            .map_err(|error| IssuerFault::ConnectionLost(error.to_string()))?;
        match timeout_at(until, http::send_once(connected.stream, request, max_bytes)).await {
            Err(_) => Err(IssuerFault::TimedOut),
            Ok(Err(words)) => Err(IssuerFault::ConnectionLost(words)),
            Ok(Ok((status, body))) => Ok((status.as_u16(), body)),
        }
    };
    let answer = Box::pin(answer).await;
    Response { url, answered_by, answer }
}

fn discovery_url(issuer: &str) -> Result<String, UrlFault> {
    parse_https(issuer)?;
    if issuer.contains(['?', '#']) {
        return Err("it has a query or a fragment, which no issuer has");
    }
    Ok(format!("{}{DISCOVERY_PATH}", issuer.strip_suffix('/').unwrap_or(issuer)))
}

fn parse_https(url: &str) -> Result<Endpoint, UrlFault> {
    let endpoint = Endpoint::parse_setting(url)?;
    if endpoint.tls { Ok(endpoint) } else { Err("it does not begin with https://") }
}

/// The URL of the key set in a discovery document, and the [`EXPECTED_MEMBERS`] that it lacks.
fn read_discovery(issuer: &str, response: &Response) -> Result<(String, Vec<&'static str>), IssuerFault> {
    let document = read_object(response, MAX_DISCOVERY_BYTES)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    // Both must be the same to the letter. Source: OpenID Connect Discovery 1.0, section 4.3.
    match text("issuer") {
        Some(named) if named == issuer => {}
        other => return Err(IssuerFault::OtherIssuer(other)),
    }
    let jwks_uri = text("jwks_uri").ok_or(IssuerFault::Incomplete)?;
    match parse_https(&jwks_uri) {
        Ok(_) => {}
        Err(why) => return Err(IssuerFault::KeysElsewhere { url: jwks_uri, why }),
    }
    let missing_members = EXPECTED_MEMBERS.into_iter().filter(|name| !document.contains_key(*name)).collect();
    Ok((jwks_uri, missing_members))
}

fn read_object(response: &Response, max_bytes: usize) -> Result<Map<String, Value>, IssuerFault> {
    let (status, body) = response.answer.as_ref().map_err(Clone::clone)?;
    match status {
        200 => {}
        300..400 => return Err(IssuerFault::Redirect(*status)),
        other => return Err(IssuerFault::Status(*other)),
    }
    let body = match body {
        Ok(body) => body,
        Err(ResponseError::TooLong(_)) => return Err(IssuerFault::TooLarge(max_bytes)),
        Err(ResponseError::ConnectionLost(words)) => return Err(IssuerFault::ConnectionLost(words.clone())),
    };
    serde_json::from_slice(body)
        .map_err(|_| IssuerFault::NotJson { is_page: body.trim_ascii_start().starts_with(b"<") })
}

/// Judges whether the issuer answers as it should and publishes the key that signed the token.
pub fn judge(documents: IssuerDocuments, key: SigningKey<'_>) -> Verdict<PublishedKeys> {
    let IssuerDocuments { issuer, discovery, keys } = documents;
    let fails = |document, response: &Response, fault| {
        Verdict::fail(IssuerUnreachable {
            issuer: issuer.clone(),
            document,
            url: response.url.clone(),
            answered_by: response.answered_by.map(|peer| peer.to_string()),
            fault,
        })
    };
    let (jwks_uri, missing_members) = match read_discovery(&issuer, &discovery) {
        Ok(discovered) => discovered,
        Err(fault) => return fails(IssuerDocument::Discovery, &discovery, fault),
    };
    let Some(response) = keys else {
        return fails(IssuerDocument::Discovery, &discovery, IssuerFault::Incomplete);
    };
    let set = match read_object(&response, MAX_KEYS_BYTES) {
        Ok(set) => set,
        Err(fault) => return fails(IssuerDocument::Keys, &response, fault),
    };
    // Source: RFC 7517, section 5.
    let Some(set) = set.get("keys").and_then(Value::as_array) else {
        return fails(IssuerDocument::Keys, &response, IssuerFault::Incomplete);
    };
    let (keys, key_id) = (set.len(), key.id().map(str::to_owned));
    let key_ids = set.iter().filter_map(jwks::id_of).map(str::to_owned).collect();
    match jwks::find(set, key) {
        Ok(signature) => Verdict::Pass(PublishedKeys {
            issuer,
            jwks_uri,
            key_id,
            signature,
            keys,
            key_ids,
            missing_members,
            answered_by: response.answered_by,
        }),
        Err(fault) => {
            Verdict::fail(SigningKeyNotPublished { issuer, jwks_uri, key_id, keys, key_ids, fault })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IssuerDocuments, PublishedKeys, Response, SigningKey, discovery_url, judge};
    use crate::diagnosis::issuer::IssuerFault;
    use crate::diagnosis::{Diagnosis, Name};
    use crate::evidence::HasEvidence;
    use crate::net::http::ResponseError;
    use crate::run::Verdict;
    use serde_json::json;

    const ISSUER: &str = "https://issuer.example/a";
    const KEYS: &str = r#"{"keys":[{"kid":"one","kty":"RSA"},{"kty":"EC"},{"kid":"two"}]}"#;

    type Answer = Result<(u16, Result<&'static str, ResponseError>), IssuerFault>;

    fn got(url: &str, answer: Answer) -> Response {
        let answer = answer.map(|(status, body)| (status, body.map(Into::into)));
        Response { url: url.to_owned(), answered_by: Some("192.0.2.7:443".parse().unwrap()), answer }
    }

    fn discovery() -> String {
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://keys.example/set",
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string()
    }

    fn of_discovery(body: String) -> IssuerDocuments {
        let body: &'static str = body.leak();
        IssuerDocuments {
            issuer: ISSUER.to_owned(),
            discovery: got("https://d.example", Ok((200, Ok(body)))),
            keys: None,
        }
    }

    fn of_keys(answer: Answer) -> IssuerDocuments {
        IssuerDocuments { keys: Some(got("https://keys.example/set", answer)), ..of_discovery(discovery()) }
    }

    fn published(fetched: IssuerDocuments, key_id: Option<&str>) -> PublishedKeys {
        match judge(fetched, key_id.map_or(SigningKey::Unknown, SigningKey::WithId)) {
            Verdict::Pass(published) => published,
            other => panic!("{other:?}"),
        }
    }

    fn failure(fetched: IssuerDocuments, key_id: Option<&str>) -> Diagnosis {
        match judge(fetched, key_id.map_or(SigningKey::Unknown, SigningKey::WithId)) {
            Verdict::Fail(diagnosis) => diagnosis,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn published_key_passes() {
        let found = published(of_keys(Ok((200, Ok(KEYS)))), Some("two"));
        assert_eq!((found.keys, found.key_ids.len(), found.missing_members.len()), (3, 2, 0));
        let evidence = serde_json::Value::Object(found.evidence().into());
        assert_eq!(evidence["key_id"], "two");
        assert_eq!(evidence["published_key_ids"], json!(["one", "two"]));
        assert_eq!(evidence["answered_by"], "192.0.2.7:443");

        let found = published(of_keys(Ok((200, Ok(KEYS)))), None);
        assert!(found.evidence().iter().any(|(_, value)| value.to_string().contains("not known")));
        let bare = json!({"issuer": ISSUER, "jwks_uri": "https://keys.example/set"}).to_string();
        let bare =
            IssuerDocuments { discovery: of_discovery(bare).discovery, ..of_keys(Ok((200, Ok(KEYS)))) };
        assert_eq!(published(bare, Some("one")).missing_members, super::EXPECTED_MEMBERS);
    }

    #[test]
    fn unpublished_key_fails() {
        let many = json!({"keys": (0..40).map(|n| json!({"kid": format!("k{n}")})).collect::<Vec<_>>()});
        let many: &'static str = many.to_string().leak();
        for (keys, key_id, words) in [
            (
                KEYS,
                Some("three"),
                r#"the key "three" that signed the token is not in it: it holds "one", "two""#,
            ),
            (KEYS, Some("ONE"), r#"the key "ONE""#),
            (r#"{"keys":[]}"#, Some("one"), "the set is empty"),
            (r#"{"keys":[]}"#, None, "a key is not in it: the set is empty"),
            (r#"{"keys":[{},1,"one",{"kid":5}]}"#, Some("5"), "none of its 4 keys has an id"),
            (r#"{"keys":[{"kid":"a\u001b[2J"}]}"#, Some("b"), r"a\u{1b}[2J"),
            (many, Some("b"), "34 more"),
        ] {
            let found = failure(of_keys(Ok((200, Ok(keys)))), key_id);
            assert_eq!(found.name(), Name::SigningKeyNotPublished);
            assert!(found.cause().contains(words), "{}", found.cause());
            assert!(found.cause().len() < 2000);
        }
        let told = |issuer: &str| {
            let document = discovery().replace(ISSUER, issuer);
            let fetched = IssuerDocuments {
                issuer: issuer.to_owned(),
                discovery: of_discovery(document).discovery,
                ..of_keys(Ok((200, Ok(KEYS))))
            };
            let found = failure(fetched, Some("x"));
            format!("{} {}", found.cause(), found.remedy().join(" "))
        };
        let eks = told("https://oidc.eks.eu-west-1.amazonaws.com/id/A");
        assert!(eks.contains("AWS runs the issuer") && !eks.contains("whoever runs it publishes"), "{eks}");
        let own = told("https://issuer.example/b");
        assert!(!own.contains("AWS runs") && own.contains("whoever runs it publishes"), "{own}");
    }

    #[test]
    fn unusable_answers_of_an_issuer() {
        let discovery_with = |name: &str, value: &str| {
            let mut document: serde_json::Value = serde_json::from_str(&discovery()).unwrap();
            document[name] = json!(value);
            document.to_string()
        };
        let of = |answer: Answer| IssuerDocuments {
            discovery: got("https://d.example", answer),
            ..of_discovery(String::new())
        };
        let no_url = "it does not begin with https://";
        for (fetched, words, may_pass) in [
            (of(Err(IssuerFault::NotAUrl(no_url))), no_url, false),
            (of(Err(IssuerFault::TimedOut)), "https://d.example does not answer in time", true),
            (of(Err(IssuerFault::ConnectionLost("w".to_owned()))), "broke off", true),
            (of(Ok((302, Ok("")))), "302, a redirect, which is not followed", false),
            (of(Ok((404, Ok("")))), "the status 404", false),
            (of(Ok((503, Ok("")))), "the status 503", true),
            (of(Ok((200, Err(ResponseError::TooLong(0))))), "more than 65536 bytes", false),
            (of(Ok((200, Err(ResponseError::ConnectionLost("w".to_owned()))))), "broke off", true),
            (of(Ok((200, Ok("\n<!DOCTYPE html>")))), "a page for a browser", false),
            (of(Ok((200, Ok("")))), "no JSON object", false),
            (of(Ok((200, Ok("[1]")))), "no JSON object", false),
            (of(Ok((200, Ok("{\"issuer\": ")))), "no JSON object", false),
            (of(Ok((200, Ok("{}")))), "names no issuer", false),
            (
                of_discovery(discovery_with("issuer", "https://issuer.example/a/")),
                r#"names the issuer "https://issuer.example/a/", and not the token's"#,
                false,
            ),
            (of_discovery(json!({"issuer": ISSUER}).to_string()), "where the keys are (jwks_uri)", false),
            (of_discovery(discovery_with("jwks_uri", "http://keys.example")), no_url, false),
            (
                of_discovery(discovery_with("jwks_uri", "ftp://keys.example/set")),
                "neither https nor http",
                false,
            ),
            (of_discovery(discovery_with("jwks_uri", "https://a:b@keys.example")), "a user name", false),
            (of_discovery(discovery_with("jwks_uri", "/keys")), "does not start with https://", false),
            (of_keys(Ok((200, Ok("{}")))), "holds no list of keys", false),
            (of_keys(Ok((200, Ok(r#"{"keys":{}}"#)))), "holds no list of keys", false),
            (of_keys(Ok((200, Err(ResponseError::TooLong(0))))), "more than 524288 bytes", false),
            (of_keys(Ok((307, Ok("")))), "https://keys.example/set answers 307", false),
        ] {
            let found = failure(fetched, Some("one"));
            assert_eq!((found.name(), found.may_pass()), (Name::IssuerUnreachable, may_pass), "{words}");
            assert!(found.cause().contains(words), "{words}: {}", found.cause());
            assert_eq!(found.cause().contains("hint"), !found.cause().contains("cannot be asked"));
            assert!(found.remedy().len() >= 2 && !found.cause().contains("a:b@"));
        }
    }

    #[test]
    fn url_of_the_discovery_document() {
        let at = "https://issuer.example/a/.well-known/openid-configuration";
        assert_eq!(discovery_url(ISSUER), Ok(at.to_owned()));
        assert_eq!(discovery_url("https://issuer.example/a/"), Ok(at.to_owned()));
        for issuer in [
            "",
            "kubernetes/serviceaccount",
            "http://issuer.example",
            "https://u:p@issuer.example",
            "https://issuer.example?a",
            "https://issuer.example/#a",
            "https://",
            "HTTPS//x",
        ] {
            assert!(discovery_url(issuer).is_err(), "{issuer}");
        }
    }
}
