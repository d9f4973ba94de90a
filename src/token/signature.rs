//! Whether a published key verifies a token's signature.
//!
//! jsonwebtoken does it, and ring does the arithmetic: TLS links ring anyway, and jsonwebtoken's own providers add
//! half a megabyte (RustCrypto) or a whole one (AWS-LC) to the binary.

use std::ops::RangeInclusive;

use jsonwebtoken::crypto::{self, CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as BadSignature, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::error::Unspecified;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::Value;

use super::Token;

/// Why a signature cannot be checked with a key, in words that follow "because".
pub(crate) type NotChecked = &'static str;

/// Lengths of an RSA modulus that ring verifies with, in bits.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// The longest public exponent that ring verifies with, in bytes.
const MAX_EXPONENT_BYTES: usize = 4;

/// Whether a key of a key set, a JSON Web Key, verifies the token's signature.
pub(crate) fn verifies(key: &Value, token: &Token) -> Result<bool, NotChecked> {
    let algorithm: Algorithm =
        token.claims.algorithm.parse().map_err(|_| "irsa-probe cannot verify the token's algorithm")?;
    let jwt = token.text.expose().trim_ascii();
    let (message, signature) = jwt.rsplit_once('.').ok_or("the token has no signature")?;
    let key = decoding_key(key)?;
    // A key of another kind or on another curve signed nothing with this algorithm.
    let is_on_curve = match algorithm {
        Algorithm::ES256 => point_bytes(&key) == Some(1 + 2 * 32),
        Algorithm::ES384 => point_bytes(&key) == Some(1 + 2 * 48),
        _ => true,
    };
    if key.family() != algorithm.family() || !is_on_curve {
        return Ok(false);
    }
    // Fails only if it is installed already.
    let _ = RING.install_default();
    crypto::verify(signature, message.as_bytes(), &key, algorithm)
        .map_err(|_| "irsa-probe cannot verify with a key of this size")
}

/// The key as jsonwebtoken wants it. Its own `Jwk` would refuse a key over a member that no signature depends on,
/// such as a certificate, and costs 46 KB.
fn decoding_key(key: &Value) -> Result<DecodingKey, NotChecked> {
    let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let key = match text("kty") {
        "RSA" => DecodingKey::from_rsa_components(text("n"), text("e")),
        "EC" => DecodingKey::from_ec_components(text("x"), text("y")),
        _ => return Err("the published key is neither an RSA nor an EC key"),
    };
    key.map_err(|_| "the published key is malformed")
}

/// ring as jsonwebtoken's provider. It verifies what IAM accepts; nothing here signs.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let verify = match algorithm {
        Algorithm::RS256 => rsa(key, &RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => rsa(key, &RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => rsa(key, &RSA_PKCS1_2048_8192_SHA512),
        Algorithm::ES256 => ec(key, &ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => ec(key, &ECDSA_P384_SHA384_FIXED),
        _ => None,
    };
    let verify = verify.ok_or(ErrorKind::InvalidKeyFormat)?;
    Ok(Box::new(RingVerifier { algorithm: *algorithm, verify }))
}

/// A verifier by an RSA key that ring takes. Zeros before the modulus are no part of the number, and ring refuses
/// them.
fn rsa(key: &DecodingKey, parameters: &'static RsaParameters) -> Option<Verify> {
    let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return None };
    let number = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (number(n), number(e));
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    let fits = RSA_BITS.contains(&bits) && (1..=MAX_EXPONENT_BYTES).contains(&e.len());
    let key = RsaPublicKeyComponents { n, e };
    fits.then_some(Box::new(move |message, signature| key.verify(parameters, message, signature)))
}

fn ec(key: &DecodingKey, curve: &'static dyn VerificationAlgorithm) -> Option<Verify> {
    let key = UnparsedPublicKey::new(curve, key.try_get_as_bytes().ok()?.to_vec());
    Some(Box::new(move |message, signature| key.verify(message, signature)))
}

/// The length of an EC key's point, which follows from its curve.
fn point_bytes(key: &DecodingKey) -> Option<usize> {
    key.try_get_as_bytes().ok().map(<[u8]>::len)
}

/// Whether a message has a signature.
type Verify = Box<dyn Fn(&[u8], &[u8]) -> Result<(), Unspecified>>;

struct RingVerifier {
    algorithm: Algorithm,
    verify: Verify,
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), BadSignature> {
        (self.verify)(message, signature).map_err(|_| BadSignature::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::verifies;
    use crate::text::Secret;
    use crate::token::Token;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, KeyPair,
    };
    use serde_json::{Value, json};

    /// What a cluster published and signed.
    pub(crate) const RECORDED_KEYS: &str = include_str!("../../tests/recorded/jwks.json");
    pub(crate) const RECORDED_TOKEN: &str = include_str!("../../tests/recorded/projected-token.jwt");

    /// A P-256 key that signs what it is given.
    pub(crate) struct Signer(EcdsaKeyPair, &'static str);

    impl Signer {
        pub(crate) fn new() -> Self {
            Self::on(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
        }

        fn on(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
            let random = SystemRandom::new();
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap(), curve)
        }

        /// The public key with these members beside.
        pub(crate) fn jwk(&self, beside: &Value) -> Value {
            let (x, y) = self.0.public_key().as_ref()[1..].split_at(self.0.public_key().as_ref().len() / 2);
            let mut jwk = json!({"kty": "EC", "crv": self.1, "x": BASE64.encode(x), "y": BASE64.encode(y)});
            jwk.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
            jwk
        }

        /// A token with this header.
        pub(crate) fn sign(&self, header: &Value) -> Token {
            let claims = json!({"iss": "https://i", "sub": "s", "aud": "a", "iat": 1, "exp": 2});
            let signed = [header, &claims].map(|part| BASE64.encode(part.to_string())).join(".");
            let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            Token::decode(&format!("{signed}.{}", BASE64.encode(signature))).unwrap()
        }
    }

    fn recorded() -> (Value, Token) {
        let set: Value = serde_json::from_str(RECORDED_KEYS).unwrap();
        (set["keys"][0].clone(), Token::decode(RECORDED_TOKEN).unwrap())
    }

    /// The example token of RFC 7515 has no subject, so its claims are those of another.
    fn rfc_7515_a_3() -> (Value, Token) {
        let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb\
                    S9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP\
                    3-Kg6NU1Q";
        let mut token = Signer::new().sign(&json!({"alg": "ES256"}));
        token.text = Secret::new(text.to_owned());
        let key = json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        (key, token)
    }

    #[test]
    fn signatures_that_others_made() {
        for (key, token) in [recorded(), rfc_7515_a_3()] {
            assert_eq!(verifies(&key, &token), Ok(true));
            let text = token.text.expose();
            for (from, to) in [("eyJ", "eyK"), (".ey", ".ez")] {
                let text = Secret::new(text.replacen(from, to, 1));
                assert_eq!(verifies(&key, &Token { text, ..token.clone() }), Ok(false));
            }
        }
    }

    #[test]
    fn signatures_on_each_curve() {
        for (signer, algorithm) in
            [(Signer::new(), "ES256"), (Signer::on(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"), "ES384")]
        {
            let token = signer.sign(&json!({"alg": algorithm}));
            assert_eq!(verifies(&signer.jwk(&json!({})), &token), Ok(true));
            assert_eq!(verifies(&Signer::new().jwk(&json!({})), &token), Ok(false), "by a P-256 key");
            assert_eq!(verifies(&recorded().0, &token), Ok(false), "a key of another type");
        }
    }

    #[test]
    fn what_no_signature_depends_on_does_not_matter() {
        let (mut key, token) = recorded();
        for (member, value) in
            [("alg", json!("?")), ("x5c", json!(5)), ("use", json!(null)), ("key_ops", json!({}))]
        {
            key[member] = value;
        }
        let modulus = BASE64.decode(key["n"].as_str().unwrap()).unwrap();
        key["n"] = json!(BASE64.encode([&[0, 0], &modulus[..]].concat()));
        assert_eq!(verifies(&key, &token), Ok(true), "zeros before a number");
    }

    #[test]
    fn what_cannot_be_checked_is_not_called_wrong() {
        let (rsa, of_rsa) = recorded();
        let signer = Signer::new();
        let (ec, of_ec) = (signer.jwk(&json!({})), signer.sign(&json!({"alg": "ES256"})));
        let but = |key: &Value, member: &str, value: Value| {
            let mut key = key.clone();
            key[member] = value;
            key
        };
        let bytes = |count: usize| json!(BASE64.encode(vec![0xff; count]));
        for (key, token, words) in [
            (json!(null), &of_rsa, "neither an RSA nor an EC key"),
            (json!([1]), &of_rsa, "neither an RSA nor an EC key"),
            (but(&rsa, "kty", json!("OKP")), &of_rsa, "neither an RSA nor an EC key"),
            (but(&rsa, "kty", json!(1)), &of_rsa, "neither an RSA nor an EC key"),
            (but(&rsa, "n", json!("a b")), &of_rsa, "malformed"),
            (but(&rsa, "n", json!(7)), &of_rsa, "size"),
            (but(&rsa, "n", bytes(128)), &of_rsa, "size"),
            (but(&rsa, "n", bytes(1025)), &of_rsa, "size"),
            (but(&rsa, "e", json!("")), &of_rsa, "size"),
            (but(&rsa, "e", json!("AA")), &of_rsa, "size"),
            (but(&rsa, "e", bytes(200_000)), &of_rsa, "size"),
            (but(&ec, "x", json!("ä")), &of_ec, "malformed"),
            (ec.clone(), &signer.sign(&json!({"alg": "ES512"})), "algorithm"),
        ] {
            assert!(verifies(&key, token).is_err_and(|why| why.contains(words)), "{key}: {words}");
        }
        for (member, value) in [("x", bytes(32)), ("x", json!(null)), ("y", bytes(31)), ("y", bytes(200_000))]
        {
            assert_eq!(verifies(&but(&ec, member, value), &of_ec), Ok(false), "no point of the curve");
        }
    }
}
