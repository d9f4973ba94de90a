//! Reads what was handed in: files, and at most one of them from standard input.

mod kubectl;
pub mod log;
pub mod pod;
pub mod policy;
pub(crate) mod printed;
pub mod provider;
pub(crate) mod report;
pub mod service_account;
pub(crate) mod token;

use std::fmt;

use tokio::time::Instant;

use crate::audit::options::{AuditInputPaths, Input, SubjectFlags};
use crate::diagnosis::Diagnosis;
use crate::host::stdin::StdinFault;
use crate::host::{Pod, ReadError};
use crate::injection::view::{PodView, ServiceAccountView};
use crate::text::sanitize;
use crate::token::{Token, TokenFault};
use log::{FoundReport, NoReport};
use policy::TrustPolicyInput;
use printed::{BadDocument, MAX_BYTES};
use provider::ProviderInput;

/// The most containers that a message names.
const MAX_NAMED_CONTAINERS: usize = 16;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// The last report of the log.
    pub report: Option<FoundReport>,
    /// The token.
    pub token: Option<Token>,
    /// The pod.
    pub pod: Option<PodView>,
    /// The service account.
    pub service_account: Option<ServiceAccountView>,
    /// The trust policy, and what stood beside it.
    pub trust_policy: Option<TrustPolicyInput>,
    /// The OIDC provider.
    pub oidc_provider: Option<ProviderInput>,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadInput {
    /// The flag that names it.
    pub(crate) flag: &'static str,
    pub(crate) from: Input,
    pub(crate) why: InputFault,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputFault {
    /// The file could not be read.
    File(ReadError),
    /// Standard input could not be read.
    Stdin(StdinFault),
    /// Standard input is already taken, by this flag.
    Taken(&'static str),
    /// There is no report in it.
    NoReport(NoReport),
    NoToken(TokenFault),
    /// It is not what it should be.
    Unusable(BadDocument),
    /// The pod has no container of the name that is meant.
    NoContainer {
        name: String,
        names: Vec<String>,
    },
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.flag, self.from)?;
        match &self.why {
            InputFault::File(error @ ReadError::NotRegular(_)) => {
                write!(f, "{error}; save it to a file, or give - and pipe it in")
            }
            InputFault::File(error) => error.fmt(f),
            InputFault::Stdin(fault) => fault.fmt(f),
            InputFault::Taken(flag) => write!(f, "{flag} reads it already: only one can"),
            InputFault::NoReport(none) => none.fmt(f),
            InputFault::NoToken(fault) => f.write_str(&Diagnosis::from(fault.clone()).cause()),
            InputFault::Unusable(fault) => fault.fmt(f),
            InputFault::NoContainer { name, names } => {
                let names: Vec<String> =
                    names.iter().take(MAX_NAMED_CONTAINERS).map(|name| sanitize(name)).collect();
                write!(f, "it has no container {} (--container), but {}", sanitize(name), names.join(", "))
            }
        }
    }
}

impl std::error::Error for BadInput {}

impl From<BadDocument> for InputFault {
    fn from(fault: BadDocument) -> Self {
        Self::Unusable(fault)
    }
}

/// A flag, and what it names.
type Slot<'a> = (&'static str, &'a Option<Input>);

impl AuditInputPaths {
    fn slots(&self) -> [Slot<'_>; 6] {
        [
            ("--report", &self.report),
            ("--token", &self.token),
            ("--pod", &self.pod),
            ("--service-account", &self.service_account),
            ("--trust-policy", &self.trust_policy),
            ("--oidc-provider", &self.oidc_provider),
        ]
    }

    /// Takes the report from standard input if something is piped in and nothing else says who asks for the role:
    /// `kubectl logs POD | irsa-probe audit`.
    pub(crate) fn with_piped_report(self, stdin_is_terminal: bool) -> Self {
        let SubjectFlags { issuer, subject, audience, .. } = &self.subject;
        let has_subject = issuer.is_some()
            || subject.is_some()
            || !audience.is_empty()
            || [&self.report, &self.token, &self.pod].into_iter().any(Option::is_some);
        let is_taken = self.slots().iter().any(|(_, from)| **from == Some(Input::Stdin));
        if has_subject || is_taken || stdin_is_terminal {
            return self;
        }
        Self { report: Some(Input::Stdin), ..self }
    }

    /// Checks that at most one input is read from standard input.
    fn check_stdin(&self) -> Result<(), BadInput> {
        let slots = self.slots();
        let mut from_stdin =
            slots.iter().filter(|(_, from)| **from == Some(Input::Stdin)).map(|(flag, _)| *flag);
        match (from_stdin.next(), from_stdin.next()) {
            (Some(first), Some(flag)) => {
                Err(BadInput { flag, from: Input::Stdin, why: InputFault::Taken(first) })
            }
            _ => Ok(()),
        }
    }
}

/// Reads every input that is given, by `until` at the latest.
///
/// # Errors
/// The first input that could not be read.
pub(crate) async fn observe(host: &Pod, paths: &AuditInputPaths, until: Instant) -> Result<Inputs, BadInput> {
    paths.check_stdin()?;
    let [report, token, pod, account, trust_policy, oidc_provider] = paths.slots();
    let container = paths.container.as_deref();
    // The report comes last: a log that is followed takes all the time that there is.
    Ok(Inputs {
        token: read_input(host, token, token::read, until).await?,
        pod: read_input(host, pod, |bytes| read_pod(bytes, container), until).await?,
        service_account: read_input(host, account, service_account::read, until).await?,
        trust_policy: read_input(host, trust_policy, policy::read, until).await?,
        oidc_provider: read_input(host, oidc_provider, provider::read, until).await?,
        report: match report {
            (flag, Some(from)) => {
                let found = log::read(host, from, until).await;
                Some(found.map_err(|why| BadInput { flag, from: from.clone(), why })?)
            }
            (_, None) => None,
        },
    })
}

/// Reads the input that a flag names, if it is given.
async fn read_input<T, E: Into<InputFault>>(
    host: &Pod,
    (flag, from): Slot<'_>,
    read: impl FnOnce(&[u8]) -> Result<T, E>,
    until: Instant,
) -> Result<Option<T>, BadInput> {
    let Some(from) = from else { return Ok(None) };
    let bytes = match from {
        Input::Stdin => host.stdin().read(MAX_BYTES, until).await.map_err(InputFault::Stdin),
        Input::File(path) => {
            host.read(path, MAX_BYTES, until).await.map(|file| file.bytes).map_err(InputFault::File)
        }
    };
    let read = bytes.and_then(|bytes| read(&bytes).map_err(Into::into));
    read.map(Some).map_err(|why| BadInput { flag, from: from.clone(), why })
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
    use crate::audit::inputs::printed::BadDocument;
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
    async fn everything_from_files() {
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
    async fn what_cannot_be_read_is_named_with_its_flag() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty"), "").unwrap();
        let at = |name: &str| Some(Input::File(dir.path().join(name)));
        let is_secret = |text: &str| text.contains(TOKEN.trim().rsplit('.').next().unwrap());
        for (wanted, flag, why) in [
            (
                AuditInputPaths { trust_policy: at("empty"), ..AuditInputPaths::default() },
                "--trust-policy",
                Some(InputFault::Unusable(BadDocument::Empty)),
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
                Some(InputFault::Taken("--report")),
            ),
        ] {
            let error = read(&wanted).await.unwrap_err();
            assert_eq!(error.flag, flag);
            assert!(why.is_none_or(|why| why == error.why), "{error}");
            assert!(error.to_string().starts_with(flag) && !is_secret(&error.to_string()), "{error}");
        }
    }

    #[test]
    fn a_report_is_piped_in_without_a_flag() {
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
