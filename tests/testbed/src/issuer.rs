//! An OIDC issuer with a real key: what an EKS cluster publishes, and the tokens that it signs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

/// The issuer of the cluster that the testbed plays.
pub const DEFAULT_ISSUER: &str =
    "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

/// What precedes an RSA key of 2048 bits in its SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 24] = [
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
];

/// An issuer URL and the key that signs in its name.
#[derive(Clone, Debug)]
pub struct Issuer {
    url: String,
    key: Arc<KeyPair>,
    key_id: String,
}

impl Issuer {
    /// The issuer at this URL, with the key that it publishes.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self::with_key(url, include_bytes!("../keys/issuer.pk8"))
    }

    /// Signs in the name of this URL with a key that the issuer there does not publish.
    #[must_use]
    pub fn with_unpublished_key(url: &str) -> Self {
        Self::with_key(url, include_bytes!("../keys/other.pk8"))
    }

    fn with_key(url: &str, pkcs8: &[u8]) -> Self {
        let key = KeyPair::from_pkcs8(pkcs8).expect("the committed key is sound");
        let key_id = key_id(key.public_key().as_ref());
        Self { url: url.to_owned(), key: Arc::new(key), key_id }
    }

    /// The issuer URL: the `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The `kid` of its tokens.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The header that Kubernetes gives its tokens.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": "RS256", "kid": self.key_id})
    }

    /// A token with these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    /// A token with this header, whose signature is RS256 whatever the header says.
    #[must_use]
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// The key set at `URL/keys`.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(self.key.public());
        json!({"keys": [{
            "use": "sig", "kty": "RSA", "kid": self.key_id, "alg": "RS256",
            "n": BASE64.encode(public.n), "e": BASE64.encode(public.e),
        }]})
    }

    /// The document at `URL/.well-known/openid-configuration`.
    #[must_use]
    pub fn discovery(&self) -> Value {
        json!({
            "issuer": self.url,
            "jwks_uri": format!("{}/keys", self.url),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }
}

/// The key id that Kubernetes derives: the SHA-256 of the key as a SubjectPublicKeyInfo.
#[must_use]
pub fn key_id(pkcs1_public_key: &[u8]) -> String {
    let spki = [&SPKI_PREFIX, pkcs1_public_key].concat();
    BASE64.encode(ring::digest::digest(&ring::digest::SHA256, &spki))
}
