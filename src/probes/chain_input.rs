//! Reads what the SDKs read in a pod: variables, shared files and token files. Calls nobody.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tokio::time::Instant;

use crate::host::{FileKind, Pod, ReadError};
use crate::token::MAX_TOKEN_FILE_BYTES;
use sdk_chain::dialect::{
    Bytes, Dialect, DuplicateHeaders, Faults, HeaderStyle, Headers, Indented, InlineSpaces, KeyGap, Trailing,
};
use sdk_chain::ini::{Section, Sections, SharedFileKind};
use sdk_chain::situation::{ChainInput, FileContent, FileLocation, TokenFile, VARIABLES};

/// The most bytes of a shared file that are read.
const MAX_FILE_BYTES: usize = 256 << 10;
/// The most token files that are read.
const MAX_TOKEN_FILES: usize = 16;
/// The most roles and tokens that are sent to STS.
const MAX_PAIRS: usize = 4;

/// A role, and the file of the token that is exchanged for it.
pub(crate) type RoleAndToken = (String, String);

/// A dialect that sees everything in a file that any SDK can see.
const LENIENT: Dialect = Dialect {
    colon: true,
    inline_comments: true,
    folds_names: true,
    drops_empty: true,
    indented: Indented::Line,
    faults: Faults::None,
    skips_mark: true,
    bytes: Bytes::Replaced,
    headers: Headers {
        trims: true,
        must_name: false,
        gap: KeyGap::Blanks,
        quotes: true,
        spaces: InlineSpaces::Always,
        trailing: Trailing::Ignored,
        duplicate: DuplicateHeaders::Merged,
    },
    config: HeaderStyle::Either,
    credentials: HeaderStyle::Either,
};

pub async fn read_chain_input(pod: &Pod, until: Instant) -> ChainInput {
    let mut situation = ChainInput::default();
    for name in VARIABLES {
        if let Some(value) = pod.variable(name) {
            situation.set_variable(name, &value);
        }
    }
    let home = pod.raw_variable("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let usual = |name: &str| home.as_ref().map(|home| home.join(".aws").join(name));
    let mut places = vec![
        (FileLocation::UsualConfig, usual("config")),
        (FileLocation::UsualCredentials, usual("credentials")),
    ];
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_PROFILES_FILE"] {
        let path = situation.filled(name).map(|path| match (path.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        });
        places.push((FileLocation::Variable(name), path));
    }
    for (place, path) in places {
        let Some(path) = path else { continue };
        match pod.read(&path, MAX_FILE_BYTES, until).await {
            Ok(file) => {
                situation.files.insert(place, FileContent(file.bytes));
            }
            Err(ReadError::NotRegular(stat)) if stat.kind == FileKind::Directory => {
                situation.directories.insert(place);
            }
            Err(_) => {}
        }
    }
    for path in token_files(&situation) {
        let token =
            token_file(pod.read(Path::new(&path), MAX_TOKEN_FILE_BYTES, until).await.map(|file| file.bytes));
        situation.tokens.insert(path, token);
    }
    situation
}

fn token_file(read: Result<Vec<u8>, ReadError>) -> TokenFile {
    match read {
        Ok(bytes) => TokenFile::Readable {
            length: bytes.len(),
            line_break: bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')),
        },
        Err(error) => TokenFile::Unreadable(error.to_string()),
    }
}

const PROFILE_VARIABLES: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

/// The profiles of every file, in the order in which they matter: those that an SDK can select, then their sources,
/// then the others. Only some of them are read.
fn ordered_profiles(situation: &ChainInput) -> Vec<Section> {
    let parsed = situation.files.values().map(|content| LENIENT.parse(SharedFileKind::Config, &content.0));
    let mut files: Vec<Sections> = parsed.filter_map(Result::ok).collect();
    let selected = PROFILE_VARIABLES.iter().filter_map(|name| situation.filled(name));
    let mut wanted: VecDeque<String> = selected.chain(["default"]).map(str::to_owned).collect();
    let mut ordered = Vec::new();
    while let Some(name) = wanted.pop_front() {
        let of_name: Vec<Section> = files.iter_mut().filter_map(|file| file.remove(&name)).collect();
        wanted.extend(of_name.iter().filter_map(|section| section.get("source_profile")).cloned());
        ordered.extend(of_name);
    }
    ordered.extend(files.into_iter().flat_map(Sections::into_values));
    ordered
}

pub(crate) fn has_role_profile(situation: &ChainInput) -> bool {
    ordered_profiles(situation).iter().any(|section| section.contains_key("role_arn"))
}

/// The token files that an SDK can read, the pod's own first.
fn token_files(situation: &ChainInput) -> Vec<String> {
    let of_pod = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
    let of_pod = of_pod.iter().filter_map(|name| situation.filled(name)).map(str::to_owned);
    let profiles = ordered_profiles(situation);
    let of_profiles = profiles.iter().filter_map(|section| section.get("web_identity_token_file")).cloned();
    let mut files = Vec::new();
    for file in of_pod.chain(of_profiles) {
        if files.len() < MAX_TOKEN_FILES && !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// The roles and token files that an SDK can exchange at STS, the pod's own first.
pub fn roles_and_tokens(situation: &ChainInput) -> Vec<RoleAndToken> {
    let of_pod = (situation.filled("AWS_ROLE_ARN"), situation.filled("AWS_WEB_IDENTITY_TOKEN_FILE"));
    let mut pairs: Vec<RoleAndToken> = Vec::new();
    let mut add = |role: Option<&str>, file: Option<&str>| {
        if let (Some(role), Some(file)) = (role, file) {
            let pair = (role.to_owned(), file.to_owned());
            if !pairs.contains(&pair) && pairs.len() < MAX_PAIRS {
                pairs.push(pair);
            }
        }
    };
    add(of_pod.0, of_pod.1);
    for section in ordered_profiles(situation) {
        let role = section.get("role_arn").map(String::as_str);
        let file = section.get("web_identity_token_file").map(String::as_str);
        add(role, file);
        if of_pod.0.is_none() {
            add(role, of_pod.1);
        }
        if of_pod.1.is_none() {
            add(of_pod.0, file);
        }
    }
    pairs
}
