//! The web server of the tokens' issuer.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Entry, Tls};
use crate::issuer;
use crate::sts::Accept;

/// The issuer's web server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    /// Its certificate. Without one, the issuer's URL is an `http` one.
    pub tls: Tls,
    /// What happens to connections.
    pub accept: Accept,
    /// The name in the issuer's URL.
    pub host: String,
    /// The path in the issuer's URL.
    pub path: String,
    /// Laid over the discovery document.
    pub document: Map<String, Value>,
    /// The keys that are published.
    pub keys: PublishedKeys,
    /// Answers in place of the discovery document.
    pub discovery: Vec<Entry>,
    /// Answers in place of the key set.
    pub jwks: Vec<Entry>,
}

impl Default for Issuer {
    fn default() -> Self {
        let after_scheme = issuer::DEFAULT_ISSUER.trim_start_matches("https://");
        let (host, path) = after_scheme.split_at(after_scheme.find('/').unwrap_or(after_scheme.len()));
        Self {
            tls: Tls::default(),
            accept: Accept::default(),
            host: host.to_owned(),
            path: path.to_owned(),
            document: Map::new(),
            keys: PublishedKeys::default(),
            discovery: Vec::new(),
            jwks: Vec::new(),
        }
    }
}

/// Which keys an issuer publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PublishedKeys {
    /// The one that signs the tokens of a healthy world.
    #[default]
    Own,
    /// Another.
    Other,
    /// Another, under the id of the one that signs.
    OtherUnderSameId,
    /// The one that signs, without its id.
    OwnWithoutId,
    /// None.
    None,
}
