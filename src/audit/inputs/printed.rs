//! What commands print into a file or a pipe: text in any encoding that a shell writes, and JSON.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The most bytes that are read. A role with its tags has some thousand, and a pod up to the 1.5 MB that etcd stores.
pub(super) const MAX_BYTES: usize = 8 << 20;

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadDocument {
    /// It is empty.
    Empty,
    /// It is neither UTF-8 nor UTF-16 with a byte order mark.
    NotText,
    /// It is not JSON, in the words of the parser.
    NotJson(String),
    /// It is the output of another command.
    Another(&'static str),
    /// It has no member of this name.
    Without(&'static str),
    /// It has several objects, where one is needed.
    Several {
        /// The kind of the objects.
        what: &'static str,
        /// The number of the objects.
        count: usize,
    },
}

/// The words follow the name of the file.
impl fmt::Display for BadDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("it is empty: most likely the command that should have filled it failed")
            }
            Self::NotText => f.write_str("it is not text"),
            Self::NotJson(words) => {
                write!(f, "it is not JSON ({words}): let the command print JSON, with --output json")
            }
            Self::Another(what) => write!(f, "it is {what}"),
            Self::Without(what) => write!(f, "it has no {what}"),
            Self::Several { what, count } => write!(f, "it has {count} {what}: give one"),
        }
    }
}

impl std::error::Error for BadDocument {}

/// Decodes text and trims it. `>` of PowerShell 5 writes UTF-16, and editors on Windows put a byte order mark before
/// UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, BadDocument> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    };
    match text.ok_or(BadDocument::NotText)?.trim() {
        "" => Err(BadDocument::Empty),
        text => Ok(text.to_owned()),
    }
}

/// The kind of document that an input should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    TrustPolicy,
    OidcProvider,
}

/// Outputs of other commands that people hand in instead: what was expected, a member that shows what the output is,
/// and what to call it.
const OTHER_OUTPUTS: [(Expected, &str, &str); 15] = [
    (
        Expected::TrustPolicy,
        "Credentials",
        "credentials, and no trust policy: keep them where nobody reads them",
    ),
    (
        Expected::TrustPolicy,
        "AccessKeyId",
        "credentials, and no trust policy: keep them where nobody reads them",
    ),
    (
        Expected::TrustPolicy,
        "SecretAccessKey",
        "credentials, and no trust policy: keep them where nobody reads them",
    ),
    (Expected::TrustPolicy, "token", "a token, and no trust policy: keep it where nobody reads it"),
    (
        Expected::TrustPolicy,
        "PolicyVersion",
        "a permission policy (aws iam get-policy-version), and no role with its trust policy",
    ),
    (
        Expected::TrustPolicy,
        "PolicyDocument",
        "a permission policy (aws iam get-role-policy), and no role with its trust policy",
    ),
    (
        Expected::TrustPolicy,
        "AttachedPolicies",
        "a list of permission policies, and no role with its trust policy",
    ),
    (Expected::TrustPolicy, "ClientIDList", "an OIDC provider, which belongs after --oidc-provider"),
    (
        Expected::TrustPolicy,
        "OpenIDConnectProviderList",
        "a list of OIDC providers, which belongs after --oidc-provider",
    ),
    (Expected::TrustPolicy, "schema", "a document of irsa-probe's own, and no trust policy that a role has"),
    (Expected::TrustPolicy, "kind", "an object of Kubernetes, and no trust policy"),
    (Expected::OidcProvider, "Role", "a role, which belongs after --trust-policy"),
    (Expected::OidcProvider, "Statement", "a policy, which belongs after --trust-policy"),
    (Expected::OidcProvider, "cluster", "an EKS cluster, and no OIDC provider of IAM's"),
    (
        Expected::OidcProvider,
        "jwks_uri",
        "the issuer's own discovery document, and not the OIDC provider that IAM has of it",
    ),
];

/// What an object is, if it is a known output of another command.
pub(super) fn other_output(object: &Map<String, Value>, expected: Expected) -> Option<&'static str> {
    let mut rows = OTHER_OUTPUTS.iter().filter(|(of, ..)| *of == expected);
    rows.find(|(_, member, _)| object.contains_key(*member)).map(|(.., what)| *what)
}

pub(super) fn json(text: &str) -> Result<Value, BadDocument> {
    serde_json::from_str(text).map_err(|error| BadDocument::NotJson(error.to_string()))
}

/// Decodes a document that the IAM API returned URL-encoded (RFC 3986). The AWS CLI decodes documents itself, other
/// tools do not.
pub(crate) fn url_decoded(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('{') {
        return text.to_owned();
    }
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{BadDocument, text, url_decoded};

    #[test]
    fn text_in_any_encoding_of_a_shell() {
        let utf16 = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
            mark.iter().copied().chain("{\r\n}ü".encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
        };
        for (bytes, expected) in [
            (b"".to_vec(), Err(BadDocument::Empty)),
            (b"\xef\xbb\xbf \r\n".to_vec(), Err(BadDocument::Empty)),
            (b"\xff\xfe".to_vec(), Err(BadDocument::Empty)),
            (b"\xef\xbb\xbf{}\r\n".to_vec(), Ok("{}".to_owned())),
            (utf16(b"\xff\xfe", u16::to_le_bytes), Ok("{\r\n}ü".to_owned())),
            (utf16(b"\xfe\xff", u16::to_be_bytes), Ok("{\r\n}ü".to_owned())),
            (b"\xff\xfe{".to_vec(), Err(BadDocument::NotText)),
            (b"\xff\xfe\x00\xd8".to_vec(), Err(BadDocument::NotText)),
            (b"\x80".to_vec(), Err(BadDocument::NotText)),
        ] {
            assert_eq!(text(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn only_encoded_documents_are_decoded() {
        for (encoded, expected) in [
            ("%7B%22a%22%3A%20%22b+c%22%7D%0A", r#"{"a": "b+c"}"#),
            ("%7b%22a%22%3a%22%c3%bc%22%7d", r#"{"a":"ü"}"#),
            (r#" {"a": "100%25"} "#, r#"{"a": "100%25"}"#),
            ("%7B%ff", "%7B%ff"),
            ("%7B%", "{%"),
        ] {
            assert_eq!(url_decoded(encoded), expected);
        }
    }
}
