//! What a service account token says: jsonwebtoken decodes it. The signature is judged by STS, and by an audit that
//! has the issuer's keys.

pub(crate) mod signature;

use crate::env::USUAL_AUDIENCE;
use iam_trust::arn::RoleArn;
use iam_trust::request::Request;
use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use serde_json::{Map, Value};

use crate::text::{Secret, sanitize};

/// The longest token that STS takes. Source: the STS API reference, `AssumeRoleWithWebIdentity`, `WebIdentityToken`.
pub(crate) const MAX_STS_TOKEN_BYTES: usize = 20_000;

/// The most bytes of a token's file that are read where STS's limit does not decide: the API server and the container
/// endpoint take other tokens, and SDKs send tokens that are too long for STS.
pub(crate) const MAX_TOKEN_FILE_BYTES: usize = 64 << 10;

/// A decoded token together with its text, which is never printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The token as it stands in the file.
    pub(crate) text: Secret,
    pub(crate) claims: Claims,
}

impl Token {
    /// Decodes a token, and keeps its text.
    pub fn decode(text: &str) -> Result<Self, TokenFault> {
        decode(text).map(|claims| Self { text: Secret::new(text.to_owned()), claims })
    }
}

/// The claims of a service account token, as far as a role depends on them.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// `alg` of the header.
    pub algorithm: String,
    /// `kid` of the header. An empty one is an id, as Kubernetes before 1.16 wrote it.
    pub key_id: Option<String>,
    /// `iss`: the cluster's OIDC issuer.
    pub issuer: String,
    /// `sub`: `system:serviceaccount:NAMESPACE:NAME` for a service account.
    pub subject: String,
    /// `aud`: whom the token is meant for.
    pub audience: Vec<String>,
    /// `iat`: when it was issued.
    pub issued_at: SystemTime,
    /// `nbf`: from when on it is valid.
    pub not_before: Option<SystemTime>,
    /// `exp`: when it expires.
    pub expires_at: SystemTime,
    pub bound: Bound,
}

/// The `kubernetes.io` claim: what the API server bound the token to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    pub(crate) pod: Option<String>,
    pub(crate) pod_uid: Option<String>,
    pub(crate) node: Option<String>,
}

/// A service account, by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// `NAMESPACE/NAME`, safe to print.
impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", sanitize(&self.namespace), sanitize(&self.name))
    }
}

impl ServiceAccount {
    /// The service account that a `sub` claim names.
    pub(crate) fn of_subject(subject: &str) -> Option<Self> {
        let (namespace, name) = subject.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        let ok = !namespace.is_empty() && !name.is_empty() && !name.contains(':');
        ok.then(|| Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }
}

impl Claims {
    /// The call that a pod with this token makes for a role.
    pub fn request(&self, role: &RoleArn) -> Request {
        Request::new(role, &self.issuer, &self.subject, &self.audience)
    }

    pub fn service_account(&self) -> Option<ServiceAccount> {
        ServiceAccount::of_subject(&self.subject)
    }

    /// How long the token lives, from issue to expiry.
    pub fn lifetime(&self) -> Duration {
        self.expires_at.duration_since(self.issued_at).unwrap_or_default()
    }
}

/// Why a text is no token that a role can be got with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFault {
    /// It does not have the three parts of a signed JWT.
    Parts(usize),
    /// A part is not base64url.
    NotBase64(&'static str),
    /// A part is not a JSON object.
    NotJson(&'static str),
    /// The token of a service-account-token Secret: it has no audience and never expires.
    LegacySecret {
        /// Whose token it is, if it says so.
        service_account: Option<ServiceAccount>,
    },
    /// A claim that STS requires is missing.
    ClaimMissing(&'static str),
    /// A claim is there but not of the type that it must have.
    ClaimMistyped(&'static str, &'static str),
    /// It is signed by a method that IAM does not accept.
    Algorithm {
        /// The `alg` of the header.
        algorithm: String,
        /// The `iss` claim, if there is one.
        issuer: Option<String>,
    },
}

/// The signature algorithms that IAM accepts from an OIDC provider: RSA and ECDSA.
/// Source: the IAM user guide, "Create an OpenID Connect (OIDC) identity provider in IAM".
pub const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

/// Issuer claim of the tokens in service-account-token Secrets.
const LEGACY_ISSUER: &str = "kubernetes/serviceaccount";

/// Decodes a token, without a look at its signature.
///
/// # Errors
/// The first thing about it that STS could not accept.
pub fn decode(text: &str) -> Result<Claims, TokenFault> {
    let text = text.trim_ascii();
    let parts: Vec<&str> = text.split('.').collect();
    let [header, _, signature] = parts.as_slice() else {
        return Err(TokenFault::Parts(parts.len()));
    };
    // The library's own type for a header refuses ES512, which IAM accepts, and every algorithm that must be named.
    let header = payload_of("header", &format!(".{header}."))?;
    let payload = payload_of("payload", text)?;
    if signature.is_empty() || URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Err(TokenFault::NotBase64("signature"));
    }

    if payload.get("iss").and_then(Value::as_str) == Some(LEGACY_ISSUER) {
        let subject = payload.get("sub").and_then(Value::as_str);
        return Err(TokenFault::LegacySecret {
            service_account: subject.and_then(ServiceAccount::of_subject),
        });
    }
    let algorithm = required_text(&header, "alg")?;
    if !ALGORITHMS.contains(&algorithm.as_str()) {
        return Err(TokenFault::Algorithm { algorithm, issuer: text_claim(&payload, "iss").ok().flatten() });
    }
    Ok(Claims {
        algorithm,
        key_id: text_claim(&header, "kid")?,
        issuer: required_text(&payload, "iss")?,
        subject: required_text(&payload, "sub")?,
        audience: audience(&payload)?,
        issued_at: time_claim(&payload, "iat")?.ok_or(TokenFault::ClaimMissing("iat"))?,
        not_before: time_claim(&payload, "nbf")?,
        expires_at: time_claim(&payload, "exp")?.ok_or(TokenFault::ClaimMissing("exp"))?,
        bound: bound(&payload),
    })
}

/// The JSON object in the middle of three parts.
fn payload_of(part: &'static str, jwt: &str) -> Result<Map<String, Value>, TokenFault> {
    insecure_decode_claims(jwt).map_err(|error| match error.kind() {
        ErrorKind::Json(_) => TokenFault::NotJson(part),
        _ => TokenFault::NotBase64(part),
    })
}

fn required_text(claims: &Map<String, Value>, name: &'static str) -> Result<String, TokenFault> {
    let text = text_claim(claims, name)?.filter(|text| !text.is_empty());
    text.ok_or(TokenFault::ClaimMissing(name))
}

fn text_claim(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TokenFault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenFault::ClaimMistyped(name, "a text")),
    }
}

fn time_claim(claims: &Map<String, Value>, name: &'static str) -> Result<Option<SystemTime>, TokenFault> {
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_f64()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            // A year 9999 that the clock can still add to: later times cannot be written as a date.
            .filter(|since| since.as_secs() < 253_402_300_799)
            .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since.as_secs())))
            .map(Some)
            .ok_or(TokenFault::ClaimMistyped(name, "a time in seconds")),
    }
}

fn audience(claims: &Map<String, Value>) -> Result<Vec<String>, TokenFault> {
    let mistyped = TokenFault::ClaimMistyped("aud", "a text or a list of texts");
    let audience: Vec<String> = match claims.get("aud") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or(mistyped)?,
        Some(_) => return Err(mistyped),
    };
    if audience.is_empty() { Err(TokenFault::ClaimMissing("aud")) } else { Ok(audience) }
}

fn bound(claims: &Map<String, Value>) -> Bound {
    let of = |object: &str, field: &str| {
        claims.get("kubernetes.io")?.get(object)?.get(field)?.as_str().map(str::to_owned)
    };
    Bound { pod: of("pod", "name"), pod_uid: of("pod", "uid"), node: of("node", "name") }
}

/// Whether a token with these audiences is meant for the Kubernetes API and not for STS, as the ordinary one of
/// a pod is.
pub(crate) fn is_for_the_api(audience: &[String]) -> bool {
    let is_api =
        |audience: &String| audience.trim_start_matches("https://").starts_with("kubernetes.default.svc");
    audience.iter().any(is_api) && !audience.iter().any(|audience| audience == USUAL_AUDIENCE)
}

#[cfg(test)]
mod tests {
    use super::{ServiceAccount, TokenFault, decode};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    const PROJECTED: &str = include_str!("../../tests/recorded/projected-token.jwt");
    const LEGACY: &str = include_str!("../../tests/recorded/legacy-secret-token.jwt");
    const REQUESTED: &str = include_str!("../../tests/recorded/tokenrequest-two-audiences.jwt");

    fn jwt(header: &Value, payload: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(payload))
    }

    #[test]
    fn a_token_that_a_kubelet_projected() {
        let claims = decode(PROJECTED).unwrap();
        assert_eq!(claims.algorithm, "RS256");
        assert_eq!(claims.audience, ["sts.amazonaws.com"]);
        assert_eq!(claims.lifetime().as_secs(), 86_400);
        assert_eq!(claims.bound.pod.as_deref(), Some("checkout-6d5f9c7b8-abcde"));
        assert_eq!(claims.bound.node.as_deref(), Some("node1"));
        let account = ServiceAccount { namespace: "payments".to_owned(), name: "checkout".to_owned() };
        assert_eq!(claims.service_account(), Some(account));
    }

    #[test]
    fn tokens_from_elsewhere() {
        let account = Some(ServiceAccount { namespace: "payments".to_owned(), name: "checkout".to_owned() });
        assert_eq!(decode(LEGACY), Err(TokenFault::LegacySecret { service_account: account }));
        let requested = decode(REQUESTED).unwrap();
        assert_eq!(requested.audience, ["sts.amazonaws.com", "vault"]);
        assert_eq!(requested.bound.pod, None);
    }

    #[test]
    fn an_empty_key_id_is_not_an_absent_one() {
        let claims = json!({"iss": "i", "sub": "s", "aud": "a", "iat": 1, "exp": 2});
        let key_id = |header: &Value| decode(&jwt(header, &claims)).unwrap().key_id;
        assert_eq!(key_id(&json!({"alg": "RS256", "kid": "k"})).as_deref(), Some("k"));
        assert_eq!(key_id(&json!({"alg": "RS256", "kid": ""})).as_deref(), Some(""));
        assert_eq!(key_id(&json!({"alg": "RS256", "kid": null})), None);
        assert_eq!(key_id(&json!({"alg": "ES512", "typ": 5, "jwk": [], "x5c": "?"})), None);
    }

    #[test]
    fn what_is_no_token_is_named() {
        let good = json!({"iss": "i", "sub": "s", "aud": "a", "iat": 1, "exp": 2});
        let rs = json!({"alg": "RS256"});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            jwt(&rs, &claims)
        };
        assert!(decode(&jwt(&rs, &good)).is_ok());
        let algorithm =
            |name: &str| TokenFault::Algorithm { algorithm: name.to_owned(), issuer: Some("i".to_owned()) };
        for (text, fault) in [
            (String::new(), TokenFault::Parts(1)),
            ("a.b".to_owned(), TokenFault::Parts(2)),
            ("a.b.c.d.e".to_owned(), TokenFault::Parts(5)),
            ("!!.e30.c2ln".to_owned(), TokenFault::NotBase64("header")),
            ("bm8.e30.c2ln".to_owned(), TokenFault::NotJson("header")),
            ("e30.W10.c2ln".to_owned(), TokenFault::NotJson("payload")),
            ("e30.e30.".to_owned(), TokenFault::NotBase64("signature")),
            (jwt(&json!({"alg": "none"}), &good), algorithm("none")),
            (jwt(&json!({"alg": "EdDSA"}), &good), algorithm("EdDSA")),
            (jwt(&json!({"alg": "PS256"}), &good), algorithm("PS256")),
            (jwt(&json!({"alg": "rs256"}), &good), algorithm("rs256")),
            (jwt(&json!({"alg": ["RS256"]}), &good), TokenFault::ClaimMistyped("alg", "a text")),
            (jwt(&json!({"alg": "RS256", "kid": 5}), &good), TokenFault::ClaimMistyped("kid", "a text")),
            (jwt(&json!({}), &good), TokenFault::ClaimMissing("alg")),
            (with("sub", Value::Null), TokenFault::ClaimMissing("sub")),
            (with("iss", json!("")), TokenFault::ClaimMissing("iss")),
            (with("aud", json!([])), TokenFault::ClaimMissing("aud")),
            (with("aud", json!([1])), TokenFault::ClaimMistyped("aud", "a text or a list of texts")),
            (with("exp", json!("soon")), TokenFault::ClaimMistyped("exp", "a time in seconds")),
            (with("exp", json!(1e300)), TokenFault::ClaimMistyped("exp", "a time in seconds")),
            (with("iat", json!(-5)), TokenFault::ClaimMistyped("iat", "a time in seconds")),
        ] {
            assert_eq!(decode(&text), Err(fault), "{text}");
        }
    }
}
