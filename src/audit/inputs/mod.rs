//! Reads what was handed in: files, and at most one of them from standard input.

pub mod fault;
mod kubectl;
pub mod log;
pub mod pod;
pub mod policy;
pub(crate) mod printed;
pub mod provider;
pub(crate) mod report;
pub mod service_account;

use tokio::time::Instant;

use crate::audit::options::{AuditInputPaths, Input};
use crate::aws::iam::Role;
use crate::host::Pod;
use crate::host::stdin::{Chunk, StdinFault};
use crate::injection::view::{PodView, ServiceAccountView};
use crate::token::Token;
use fault::{BadInput, InputFault};
use log::{FoundReport, Log, LogEnd, MAX_FILE_BYTES, PIECE_BYTES};
use printed::MAX_BYTES;
use provider::ProviderInput;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    pub report: Option<FoundReport>,
    pub token: Option<Token>,
    pub pod: Option<PodView>,
    pub service_account: Option<ServiceAccountView>,
    pub trust_policy: Option<Role>,
    pub oidc_provider: Option<ProviderInput>,
}

/// Reads every input that is given, by `until` at the latest.
///
/// # Errors
/// The first input that could not be read.
pub(crate) async fn observe(host: &Pod, paths: &AuditInputPaths, until: Instant) -> Result<Inputs, BadInput> {
    check_stdin(paths)?;
    let [report, token, pod, account, trust_policy, oidc_provider] = paths.by_flag();
    let container = paths.container.as_deref();
    // The report comes last: a log that is followed takes all the time that there is.
    Ok(Inputs {
        token: read_input(host, token, read_token, until).await?,
        pod: read_input(host, pod, |bytes| read_pod(bytes, container), until).await?,
        service_account: read_input(host, account, service_account::read, until).await?,
        trust_policy: read_input(host, trust_policy, policy::read, until).await?,
        oidc_provider: read_input(host, oidc_provider, provider::read, until).await?,
        report: match report {
            (flag, Some(from)) => {
                let found = read_log(host, from, container, until).await;
                Some(found.map_err(|why| BadInput { flag, from: from.clone(), why })?)
            }
            (_, None) => None,
        },
    })
}

/// Checks that at most one input is read from standard input.
fn check_stdin(paths: &AuditInputPaths) -> Result<(), BadInput> {
    let inputs = paths.by_flag();
    let mut from_stdin =
        inputs.iter().filter(|(_, from)| **from == Some(Input::Stdin)).map(|(flag, _)| *flag);
    match (from_stdin.next(), from_stdin.next()) {
        (Some(first), Some(flag)) => {
            Err(BadInput { flag, from: Input::Stdin, why: InputFault::StdinTaken(first) })
        }
        _ => Ok(()),
    }
}

/// Reads the input that a flag names, if it is given.
async fn read_input<T>(
    host: &Pod,
    (flag, from): (&'static str, &Option<Input>),
    read: impl FnOnce(&[u8]) -> Result<T, InputFault>,
    until: Instant,
) -> Result<Option<T>, BadInput> {
    let Some(from) = from else { return Ok(None) };
    let bytes = match from {
        Input::Stdin => host.stdin().read(MAX_BYTES, until).await.map_err(InputFault::Stdin),
        Input::File(path) => {
            host.read(path, MAX_BYTES, until).await.map(|file| file.bytes).map_err(InputFault::File)
        }
    };
    let read = bytes.and_then(|bytes| read(&bytes));
    read.map(Some).map_err(|why| BadInput { flag, from: from.clone(), why })
}

/// Reads the last report of a log, by `until` at the latest.
async fn read_log(
    host: &Pod,
    from: &Input,
    container: Option<&str>,
    until: Instant,
) -> Result<FoundReport, InputFault> {
    let mut log = Log::of_container(container);
    let end = match from {
        Input::File(path) => {
            let file = host.read(path, MAX_FILE_BYTES, until).await.map_err(InputFault::File)?;
            let mut pieces = file.bytes.chunks(PIECE_BYTES);
            loop {
                match pieces.next() {
                    Some(piece) => _ = log.push(piece),
                    None => break LogEnd::Complete,
                }
                // Others get their turn, such as a signal.
                tokio::task::yield_now().await;
                if Instant::now() >= until {
                    break LogEnd::TimedOut;
                }
            }
        }
        Input::Stdin => {
            let mut stdin = host.stdin();
            loop {
                match stdin.next(until).await {
                    // With more always at hand, nothing else looks at the time.
                    Ok(Chunk::Bytes(bytes)) if log.push(&bytes) => {
                        if Instant::now() >= until {
                            break LogEnd::TimedOut;
                        }
                    }
                    Ok(Chunk::Bytes(_)) => break LogEnd::TooLong,
                    Ok(Chunk::End) => break LogEnd::Complete,
                    Err(StdinFault::TimedOut) => break LogEnd::TimedOut,
                    Err(fault) => return Err(InputFault::Stdin(fault)),
                }
            }
        }
    };
    log.finish(end).map_err(InputFault::NoReport)
}

/// Reads a token as the kubelet's file has it, or as `kubectl create token` prints it, with or without `-o json`.
fn read_token(bytes: &[u8]) -> Result<Token, InputFault> {
    let text = printed::text(bytes)?;
    let requested = if text.starts_with('{') { printed::json(&text).ok() } else { None };
    let requested = requested.as_ref().and_then(|request| request.pointer("/status/token")?.as_str());
    Token::decode(requested.unwrap_or(&text)).map_err(InputFault::NoToken)
}

/// Reads a pod, which must have the container of a name.
fn read_pod(bytes: &[u8], container: Option<&str>) -> Result<PodView, InputFault> {
    let pod = pod::read(bytes)?;
    match container.filter(|name| !pod.container_names().any(|found| found == *name)) {
        Some(name) => {
            let names = pod.container_names().map(str::to_owned).collect();
            Err(InputFault::NoContainer { name: name.to_owned(), names })
        }
        None => Ok(pod),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test makes the files that it reads")]

    use super::{AuditInputPaths, BadInput, Input, InputFault, Inputs, observe};
    use crate::audit::options::SubjectFlags;
    use crate::host::{Clock, Pod, ReadError};
    use crate::token::TokenFault;
    use serde_json::json;
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use tokio::time::Instant;

    const TOKEN: &str = include_str!("../../../tests/recorded/projected-token.jwt");

    fn repository(path: &str) -> Option<Input> {
        Some(Input::File(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)))
    }

    async fn read(wanted: &AuditInputPaths) -> Result<Inputs, BadInput> {
        let pod = Pod::recorded([("A", "b")], Clock::System);
        observe(&pod, wanted, Instant::now() + Duration::from_secs(20)).await
    }

    #[tokio::test]
    async fn all_inputs_are_read_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            Some(Input::File(dir.path().join(name)))
        };
        let wanted = AuditInputPaths {
            report: repository("examples/AssumeRoleNotAuthorized.json"),
            token: repository("tests/recorded/projected-token.jwt"),
            pod: repository("tests/recorded/pod-injected.json"),
            service_account: repository("tests/recorded/sa-checkout.json"),
            trust_policy: file("policy", r#"["arn:aws:iam::111122223333:role/a", {"Statement": []}]"#),
            oidc_provider: file("provider", r#"{"Url": "a", "ClientIDList": ["b"]}"#),
            subject: SubjectFlags::default(),
            container: None,
        };
        let inputs = read(&wanted).await.unwrap();
        let Inputs { report, token, pod, service_account, trust_policy, oidc_provider } = &inputs;
        let parts = [report.is_some(), token.is_some(), pod.is_some(), service_account.is_some()];
        assert_eq!((parts, trust_policy.is_some(), oidc_provider.is_some()), ([true; 4], true, true));
        let request = json!({"kind": "TokenRequest", "status": {"token": TOKEN.trim()}}).to_string();
        let requested = AuditInputPaths { token: file("token", &request), ..AuditInputPaths::default() };
        assert_eq!(read(&requested).await.unwrap().token, inputs.token);
    }

    #[tokio::test]
    async fn unreadable_input_is_named_with_its_flag() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let at = |name: &str| Some(Input::File(dir.path().join(name)));
        let is_secret = |text: &str| text.contains(TOKEN.trim().rsplit('.').next().unwrap());
        for (wanted, flag, why) in [
            (
                AuditInputPaths { trust_policy: at("empty"), ..AuditInputPaths::default() },
                "--trust-policy",
                Some(InputFault::Empty),
            ),
            (
                AuditInputPaths {
                    token: repository("tests/recorded/sa-bare.json"),
                    ..AuditInputPaths::default()
                },
                "--token",
                Some(InputFault::NoToken(TokenFault::Parts(1))),
            ),
            (
                AuditInputPaths { pod: at("none"), ..AuditInputPaths::default() },
                "--pod",
                Some(InputFault::File(ReadError::NotFound(Some(dir.path().to_owned())))),
            ),
            (
                AuditInputPaths { oidc_provider: at(""), ..AuditInputPaths::default() },
                "--oidc-provider",
                None,
            ),
            (
                AuditInputPaths {
                    report: repository("tests/recorded/projected-token.jwt"),
                    ..AuditInputPaths::default()
                },
                "--report",
                None,
            ),
            (
                AuditInputPaths {
                    trust_policy: Some(Input::Stdin),
                    report: Some(Input::Stdin),
                    ..AuditInputPaths::default()
                },
                "--trust-policy",
                Some(InputFault::StdinTaken("--report")),
            ),
        ] {
            let error = read(&wanted).await.unwrap_err();
            assert_eq!(error.flag, flag);
            assert!(why.is_none_or(|why| why == error.why), "{error}");
            assert!(error.to_string().starts_with(flag) && !is_secret(&error.to_string()), "{error}");
        }
    }

    #[test]
    fn piped_report_needs_no_flag() {
        let stdin = || Some(Input::Stdin);
        let file = || Some(Input::File(PathBuf::from("a")));
        for (wanted, is_typed, expected) in [
            (AuditInputPaths::default(), false, stdin()),
            (AuditInputPaths::default(), true, None),
            (AuditInputPaths { trust_policy: file(), ..AuditInputPaths::default() }, false, stdin()),
            (AuditInputPaths { trust_policy: stdin(), ..AuditInputPaths::default() }, false, None),
            (AuditInputPaths { report: file(), ..AuditInputPaths::default() }, false, file()),
            (AuditInputPaths { token: file(), ..AuditInputPaths::default() }, false, None),
            (AuditInputPaths { pod: file(), ..AuditInputPaths::default() }, false, None),
            (
                AuditInputPaths {
                    subject: SubjectFlags { subject: Some("a".to_owned()), ..SubjectFlags::default() },
                    ..AuditInputPaths::default()
                },
                false,
                None,
            ),
        ] {
            assert_eq!(wanted.clone().with_piped_report(is_typed).report, expected, "{wanted:?}");
        }
        assert_eq!(Input::from_path(PathBuf::from("-")), Input::Stdin);
        assert_eq!(Input::from_path(PathBuf::from("./-")), Input::File(PathBuf::from("./-")));
    }
}
