//! What must never be printed, and the search for it in all that was.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::form;

/// Shorter ones would be found in innocent text.
const SHORTEST: usize = 6;

/// Something that must not be printed, and what to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// What it is.
    pub label: String,
    /// The secret itself.
    pub value: String,
}

impl Secret {
    pub(crate) fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

/// A secret that was found where it must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What the secret is.
    pub label: String,
    /// The output that it stands in.
    pub place: &'static str,
    /// How it is written there.
    pub form: &'static str,
}

/// The user, the password, and both as they stand together, of `scheme://user:password@host`.
pub(crate) fn of_url(label: &str, url: &str) -> Vec<Secret> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let Some((user_info, _)) = authority.rsplit_once('@') else {
        return Vec::new();
    };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (user, password) = (form::decode(user), form::decode(password));
    vec![
        Secret::new(format!("credentials in {label}"), format!("{user}:{password}")),
        Secret::new(format!("user in {label}"), user),
        Secret::new(format!("password in {label}"), password),
    ]
}

/// A token as a whole, and its signature.
pub(crate) fn of_token(label: &str, token: &str) -> Vec<Secret> {
    let mut secrets = vec![Secret::new(label, token)];
    if let Some((_, signature)) = token.rsplit_once('.') {
        secrets.push(Secret::new(format!("signature of {label}"), signature));
    }
    secrets
}

/// The keys in the text of an AWS configuration or credentials file.
pub(crate) fn of_aws_file(path: &str, text: &str) -> Vec<Secret> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.trim().to_ascii_lowercase();
            matches!(name.as_str(), "aws_secret_access_key" | "aws_session_token")
                .then(|| Secret::new(format!("{name} in {path}"), value.trim()))
        })
        .collect()
}

/// Looks for the secrets in an output: plain, in base64 at any offset, and percent-encoded.
#[must_use]
pub fn find(secrets: &[Secret], place: &'static str, output: &[u8]) -> Vec<Leak> {
    // A world with many rotations has thousands of secrets, and hardly one begins anywhere in it.
    let beginnings: HashSet<&[u8]> = output.windows(SHORTEST).collect();
    let contains = |needle: &str| {
        let needle = needle.as_bytes();
        beginnings.contains(&needle[..SHORTEST])
            && output.windows(needle.len()).any(|window| window == needle)
    };
    let mut leaks = Vec::new();
    for Secret { label, value } in secrets.iter().filter(|secret| secret.value.len() >= SHORTEST) {
        let encoded = form::encode(value);
        let forms = [
            ("plain", vec![value.clone()]),
            ("base64", base64_forms(value)),
            ("percent-encoded", vec![encoded.to_lowercase(), encoded]),
        ];
        if let Some((form, _)) = forms.iter().find(|(_, spellings)| spellings.iter().any(|s| contains(s))) {
            leaks.push(Leak { label: label.clone(), place, form });
        }
    }
    leaks
}

/// What the base64 of any text with this in it must contain: for each offset, the characters that do
/// not depend on what stands before and after. None is shorter than the value.
fn base64_forms(value: &str) -> Vec<String> {
    (0..3)
        .flat_map(|offset| {
            let padded = [&b"\0\0"[..offset], value.as_bytes()].concat();
            let first = [0, 2, 3][offset];
            let last = padded.len() * 8 / 6;
            [&STANDARD, &URL_SAFE].map(|engine| engine.encode(&padded)[first..last].to_owned())
        })
        .collect()
}
