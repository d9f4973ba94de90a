//! The key set that an issuer publishes, and whether the key that signed the token is in it.

use serde_json::Value;

use crate::diagnosis::issuer::KeyFault;
use crate::token::Token;
use crate::token::signature::{NotChecked, verifies};

/// The key that signed the token, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub enum SigningKey<'a> {
    /// The token itself is at hand.
    OfToken(&'a Token),
    /// Only the id of its key is known.
    WithId(&'a str),
    /// Nothing is known of it.
    Unknown,
}

impl SigningKey<'_> {
    /// The key's id. A token can lack one.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::OfToken(token) => token.claims.key_id.as_deref(),
            Self::WithId(id) => Some(id),
            Self::Unknown => None,
        }
    }
}

/// Whether a published key verifies the token's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    Verified,
    /// There is such a key, and irsa-probe cannot verify with it.
    NotChecked(NotChecked),
    NoToken,
}

/// Looks for the key that signed the token. Keys of unknown types are allowed in the set.
///
/// # Errors
/// Why it is not there, or not in such a way that STS finds it.
pub(super) fn find(keys: &[Value], signing: SigningKey<'_>) -> Result<Signature, KeyFault> {
    // An absent id is not an empty one. A token that names no key can be signed by any.
    let is_named = |key: &&Value| signing.id().is_none_or(|id| id_of(key) == Some(id));
    let (named, others): (Vec<_>, Vec<_>) = keys.iter().partition(is_named);
    let mut found = if named.is_empty() { Err(KeyFault::NotInSet) } else { Ok(Signature::NoToken) };
    let SigningKey::OfToken(token) = signing else { return found };

    let verified: Vec<_> = named.iter().map(|key| verifies(key, token)).collect();
    if verified.contains(&Ok(true)) {
        return Ok(Signature::Verified);
    }
    if let Some(key) = others.iter().find(|key| verifies(key, token) == Ok(true)) {
        return Err(KeyFault::UnderAnotherId(id_of(key).map(str::to_owned)));
    }
    if !named.is_empty() {
        let unchecked = verified.into_iter().find_map(Result::err);
        found = unchecked.map(Signature::NotChecked).ok_or(KeyFault::DoesNotVerify);
    }
    found
}

pub(super) fn id_of(key: &Value) -> Option<&str> {
    key.get("kid")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::{KeyFault, Signature, SigningKey};
    use crate::token::Token;
    use crate::token::signature::tests::{RECORDED_KEYS, RECORDED_TOKEN, Signer};
    use serde_json::{Value, json};

    fn find(keys: &Value, signing: SigningKey<'_>) -> Result<Signature, KeyFault> {
        super::find(keys.as_array().unwrap(), signing)
    }

    #[test]
    fn recorded_token_is_verified_by_the_recorded_keys() {
        let set: Value = serde_json::from_str(RECORDED_KEYS).unwrap();
        let token = Token::decode(RECORDED_TOKEN).unwrap();
        assert_eq!(find(&set["keys"], SigningKey::OfToken(&token)), Ok(Signature::Verified));
    }

    #[test]
    fn key_is_found_by_id_and_verifies_the_token() {
        let (signer, other) = (Signer::new(), Signer::new());
        let (own, alien) =
            (|kid: Value| signer.jwk(&json!({"kid": kid})), |kid| other.jwk(&json!({"kid": kid})));
        let (unlabelled, unknown) = (signer.jwk(&json!({})), json!({"kid": "a", "kty": "AKP"}));
        let another = |id: Option<&str>| Err(KeyFault::UnderAnotherId(id.map(str::to_owned)));
        let not_checked = Ok(Signature::NotChecked("the published key is neither an RSA nor an EC key"));
        for (kid, keys, expected) in [
            (json!("a"), json!([own(json!("a"))]), Ok(Signature::Verified)),
            (json!("a"), json!([1, "a", null, {}, unknown, own(json!("a"))]), Ok(Signature::Verified)),
            (json!("a"), json!([alien(json!("a")), own(json!("a"))]), Ok(Signature::Verified)),
            (json!("a"), json!([alien(json!("a"))]), Err(KeyFault::DoesNotVerify)),
            (json!("a"), json!([alien(json!("a")), own(json!("b"))]), another(Some("b"))),
            (json!("a"), json!([own(json!("A"))]), another(Some("A"))),
            (json!("a"), json!([unlabelled]), another(None)),
            (json!("5"), json!([own(json!(5))]), another(None)),
            (json!("a"), json!([alien(json!("b"))]), Err(KeyFault::NotInSet)),
            (json!("a"), json!([]), Err(KeyFault::NotInSet)),
            (json!("a"), json!([unknown]), not_checked.clone()),
            (json!("a"), json!([alien(json!("a")), unknown]), not_checked.clone()),
            (json!("a"), json!([unknown, unlabelled]), another(None)),
            // An empty id.
            (json!(""), json!([own(json!(""))]), Ok(Signature::Verified)),
            (json!(""), json!([unlabelled]), another(None)),
            (json!(""), json!([own(json!("b"))]), another(Some("b"))),
            (json!(""), json!([other.jwk(&json!({}))]), Err(KeyFault::NotInSet)),
            // No id.
            (json!(null), json!([alien(json!("a")), own(json!("b"))]), Ok(Signature::Verified)),
            (json!(null), json!([unlabelled]), Ok(Signature::Verified)),
            (json!(null), json!([alien(json!("a"))]), Err(KeyFault::DoesNotVerify)),
            (json!(null), json!([alien(json!("a")), unknown]), not_checked.clone()),
            (json!(null), json!([]), Err(KeyFault::NotInSet)),
        ] {
            let token = signer.sign(&json!({"alg": "ES256", "kid": kid}));
            assert_eq!(find(&keys, SigningKey::OfToken(&token)), expected, "{kid} in {keys}");
        }
    }

    #[test]
    fn without_a_token_only_ids_are_compared() {
        for (signing, keys, expected) in [
            (SigningKey::WithId("a"), json!([{"kid": "b"}, {"kid": "a"}]), Ok(Signature::NoToken)),
            (SigningKey::WithId("a"), json!([{"kid": "b"}, {}]), Err(KeyFault::NotInSet)),
            (SigningKey::WithId(""), json!([{}]), Err(KeyFault::NotInSet)),
            (SigningKey::WithId(""), json!([{"kid": ""}]), Ok(Signature::NoToken)),
            (SigningKey::Unknown, json!([{}]), Ok(Signature::NoToken)),
            (SigningKey::Unknown, json!([]), Err(KeyFault::NotInSet)),
        ] {
            assert_eq!(find(&keys, signing), expected, "{signing:?} in {keys}");
        }
    }

    #[test]
    fn hostile_key_set_is_searched_in_time() {
        let signer = Signer::new();
        let keys = vec![Signer::new().jwk(&json!({"kid": "a"})); 4_000];
        let token = signer.sign(&json!({"alg": "ES256", "kid": "a"}));
        let begun = std::time::Instant::now();
        assert_eq!(find(&json!(keys), SigningKey::OfToken(&token)), Err(KeyFault::DoesNotVerify));
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    }
}
