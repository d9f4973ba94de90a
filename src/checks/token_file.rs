//! The token file can be read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::diagnosis::target::InaccessibleTarget;
use crate::diagnosis::token_file::{
    Corruption, ReadFault, TokenFileCorrupt, TokenFileEmpty, TokenFileMissing, TokenFileNotRegular,
    TokenFileReadFailed, TokenFileTooLarge, TokenFileUnreadable, TokenFileVarHoldsToken, file_evidence,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::host::deadline::Budget;
use crate::host::{FileRead, FileStat, Folder, Pod, ProcessUser, ReadError};
use crate::run::Verdict;
use crate::run::probe::Probe;
use crate::text::Secret;
use crate::token::{self, Claims, MAX_STS_TOKEN_BYTES};

#[derive(Debug, Clone)]
pub struct TokenFile {
    pub(crate) path: PathBuf,
    /// Its owner, group and mode.
    pub(crate) stat: FileStat,
    pub(crate) text: Secret,
}

impl HasEvidence for TokenFile {
    fn evidence(&self) -> Evidence {
        file_evidence(&self.path, Some(&self.stat)).value("file_bytes", self.stat.size)
    }
}

pub struct TokenFileRead {
    path: PathBuf,
    result: Result<FileRead, ReadError>,
    /// The folder, if it is there and the file is not.
    folder: Option<Folder>,
    took: Duration,
}

pub async fn observe(probe: &Probe<'_>, path: &Path) -> TokenFileRead {
    let started = Instant::now();
    let result = probe.pod.read(path, MAX_STS_TOKEN_BYTES, probe.step_deadline()).await;
    let took = started.elapsed();
    let folder = match &result {
        Err(ReadError::NotFound(_)) => probe.pod.folder_of(path, probe.step_deadline()).await,
        _ => None,
    };
    TokenFileRead { path: path.to_owned(), result, folder, took }
}

/// The claims of the pod's API token, if it can be read.
pub(crate) async fn read_api_token(pod: &Pod, path: &Path, budget: Budget) -> Option<Claims> {
    let file = match pod.read(path, MAX_STS_TOKEN_BYTES, budget.step_deadline()).await {
        // All containers of a pod have the same name and service account, so our own token says the same.
        // It is only read here, and never sent.
        Err(_) if pod.is_of_our_pod() => {
            pod.read_own(path, MAX_STS_TOKEN_BYTES, budget.step_deadline()).await.ok()?
        }
        read => read.ok()?,
    };
    token::decode(std::str::from_utf8(&file.bytes).ok()?).ok()
}

/// Judges the result of reading the file as this user, in the pod of this name if it is known.
pub fn judge(read: TokenFileRead, who: &ProcessUser, pod: Option<String>) -> Verdict<TokenFile> {
    let TokenFileRead { path, result, folder, took } = read;
    if looks_like_jwt(&path.to_string_lossy()) {
        return Verdict::fail(TokenFileVarHoldsToken);
    }
    let FileRead { bytes, stat } = match result {
        Ok(file) => file,
        Err(ReadError::NotFound(exists)) => {
            return Verdict::fail(TokenFileMissing { path, exists, folder, circular: false });
        }
        Err(ReadError::Loop) => {
            return Verdict::fail(TokenFileMissing { path, exists: None, folder: None, circular: true });
        }
        Err(ReadError::Denied(stat)) => {
            return Verdict::fail(TokenFileUnreadable { path, stat, who: who.clone() });
        }
        Err(ReadError::NotRegular(stat)) => {
            return Verdict::fail(TokenFileNotRegular { path, kind: stat.kind });
        }
        Err(ReadError::TooLarge { stat, .. }) => {
            return Verdict::fail(TokenFileTooLarge { path, stat });
        }
        Err(ReadError::Io { errno }) => {
            return Verdict::fail(TokenFileReadFailed { path, fault: ReadFault::Errno(errno) });
        }
        Err(ReadError::TimedOut) => {
            return Verdict::fail(TokenFileReadFailed { path, fault: ReadFault::Slow(took) });
        }
        Err(ReadError::Blocked(blocked)) => {
            return Verdict::Fail(InaccessibleTarget { error: *blocked, pod }.into());
        }
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let corruption = Corruption::NotText(error.utf8_error().valid_up_to());
            return Verdict::fail(TokenFileCorrupt { path, stat, corruption });
        }
    };
    if let Some(at) = text.find('\0') {
        return Verdict::fail(TokenFileCorrupt { path, stat, corruption: Corruption::NotText(at) });
    }
    if text.trim().is_empty() {
        return Verdict::fail(TokenFileEmpty { path, stat });
    }
    if let Some(at) = length_of_token_before_text(&text) {
        return Verdict::fail(TokenFileCorrupt { path, stat, corruption: Corruption::Trailing(at) });
    }
    Verdict::Pass(TokenFile { path, stat, text: Secret::new(text) })
}

/// The length of a token that is followed by more than white space.
fn length_of_token_before_text(text: &str) -> Option<usize> {
    let (first, rest) = text.split_once(|c: char| c.is_ascii_whitespace())?;
    (looks_like_jwt(first) && !rest.trim().is_empty()).then_some(first.len())
}

/// Whether the text looks like a JWT: it has three parts, and the first is a JSON object in base64.
fn looks_like_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.split('.').count() == 3 && !text.contains('/')
}

#[cfg(test)]
mod tests {
    use super::{TokenFileRead, judge};
    use crate::host::{FileKind, FileRead, FileStat, Folder, ProcessUser, ReadError};
    use crate::run::Verdict;
    use std::time::Duration;

    const STAT: FileStat = FileStat { uid: 0, gid: 65534, mode: 0o640, kind: FileKind::Regular, size: 9 };
    const TOKEN: &str = include_str!("../../tests/recorded/projected-token.jwt");

    /// The owner, and the beginning of the first step, for a file that is not in a folder like this.
    fn missing(names: &[&str], is_mount: bool, link: Option<&str>) -> (&'static str, String) {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let folder = Some(Folder { names, is_mount, link: link.map(Into::into) });
        let result = Err(ReadError::NotFound(Some("/t".into())));
        let read = TokenFileRead { path: "/t/token".into(), result, folder, took: Duration::ZERO };
        match judge(read, &ProcessUser { uid: 1, gid: 1, groups: vec![] }, None) {
            Verdict::Fail(found) => (found.owner().as_str(), found.remedy()[0].chars().take(24).collect()),
            other => panic!("{other:?}"),
        }
    }

    /// A volume that was not filled is the node's fault, and the variables are right.
    #[test]
    fn folder_says_who_is_at_fault() {
        for (found, owner, step) in [
            (missing(&[], true, None), "node", "Check what the node and"),
            (missing(&[], false, None), "node", "Check what the node and"),
            (missing(&["token"], true, Some("..data/token")), "node", "Check what the node and"),
            (missing(&["token"], false, Some("/elsewhere")), "workload", "Check where the volume"),
            (missing(&["jwt"], true, None), "workload", "Set AWS_WEB_IDENTITY_TO"),
        ] {
            assert!(found.0 == owner && found.1.starts_with(step), "{found:?}");
        }
    }

    fn outcome(path: &str, result: Result<&[u8], ReadError>) -> Option<&'static str> {
        let result = result.map(|bytes| FileRead { bytes: bytes.to_vec(), stat: STAT });
        let read = TokenFileRead { path: path.into(), result, folder: None, took: Duration::ZERO };
        match judge(read, &ProcessUser { uid: 1, gid: 1, groups: vec![] }, None) {
            Verdict::Fail(diagnosis) => Some(diagnosis.name().as_str()),
            _ => None,
        }
    }

    #[test]
    fn each_way_in_which_a_file_can_fail() {
        let spoilt = format!("{TOKEN} 11:11:49.782386   40364 v3.go:79] EOF");
        let line = format!("{TOKEN}\n");
        for (result, expected) in [
            (Ok(TOKEN.as_bytes()), None),
            (Ok(line.as_bytes()), None),
            (Ok(&b"no token"[..]), None),
            (Ok(&b""[..]), Some("TokenFileEmpty")),
            (Ok(&b" \n"[..]), Some("TokenFileEmpty")),
            (Ok(&b"\xff\xfe"[..]), Some("TokenFileCorrupt")),
            (Ok(&b"a\0b"[..]), Some("TokenFileCorrupt")),
            (Ok(spoilt.as_bytes()), Some("TokenFileCorrupt")),
            (Err(ReadError::NotFound(None)), Some("TokenFileMissing")),
            (Err(ReadError::Loop), Some("TokenFileMissing")),
            (Err(ReadError::Denied(Some(STAT))), Some("TokenFileUnreadable")),
            (Err(ReadError::Denied(None)), Some("TokenFileUnreadable")),
            (Err(ReadError::NotRegular(STAT)), Some("TokenFileNotRegular")),
            (Err(ReadError::TooLarge { stat: STAT, limit: 1 }), Some("TokenFileTooLarge")),
            (Err(ReadError::Io { errno: Some(5) }), Some("TokenFileReadFailed")),
            (Err(ReadError::TimedOut), Some("TokenFileReadFailed")),
        ] {
            assert_eq!(outcome("/token", result), expected);
        }
        assert_eq!(outcome(TOKEN, Err(ReadError::NotFound(None))), Some("TokenFileVarHoldsToken"));
    }
}
