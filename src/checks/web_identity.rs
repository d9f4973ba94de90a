//! The pod carries a web identity: both variables are there.

use crate::env::{
    CONTAINER_CREDENTIALS_VARIABLES, DEFAULT_TOKEN_FILE, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE,
};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{NotInjected, ServiceAccountError};
use crate::diagnosis::target::TargetHasNoIdentity;
use crate::evidence::Evidence;
use crate::evidence::HasEvidence;
use crate::host::process::Process;
use crate::host::{Pod, Presence};
use crate::injection;
use crate::injection::view::{AccountView, Container, ContainerKind, PodView, ServiceAccountView};
use crate::kubernetes::fault::ApiFault;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::kubernetes::{Api, KubernetesUse};
use crate::run::Verdict;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;
use crate::token::{Claims, ServiceAccount};

/// The most that the Kubernetes API may take of a pass.
const MOST_OF_API: Duration = Duration::from_secs(2);

/// What makes an identity.
#[derive(Debug, Clone, PartialEq)]
pub struct WebIdentity {
    /// The role, as it is written.
    pub role_arn: String,
    /// The token's file.
    pub token_file: PathBuf,
    /// What the Kubernetes API says of the service account, if it was asked.
    seen: Evidence,
}

impl HasEvidence for WebIdentity {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("role_arn", &self.role_arn)
            .text("token_file", &self.token_file.to_string_lossy())
            .merge(self.seen.clone())
    }
}

/// What came of reading the pod's service account.
#[derive(Debug)]
pub enum ServiceAccountRead {
    /// It was not to be read.
    NotWanted,
    /// It was read.
    Known {
        /// Which one it is.
        name: ServiceAccount,
        /// What the API says of it.
        account: AnnotatedAccount,
        /// When the kubelet set up the volume of the pod's API token, if known.
        volume_made: Option<SystemTime>,
    },
    /// The API knows none of this name.
    Missing(ServiceAccount),
    /// It could not be read.
    Failed(ApiFault),
}

impl ServiceAccountRead {
    fn evidence(&self) -> Evidence {
        match self {
            Self::NotWanted => Evidence::new(),
            Self::Known { account, .. } => {
                Evidence::new().text_if("annotated_role_arn", account.role_arn.as_deref())
            }
            Self::Missing(_) => Evidence::new().text("service_account_read", &ApiFault::NotFound.to_string()),
            Self::Failed(fault) => Evidence::new().text("service_account_read", &fault.to_string()),
        }
    }
}

/// Reads the pod's service account from the Kubernetes API, if that is wanted.
pub async fn observe(probe: &Probe<'_>, api_claims: Option<&Claims>) -> ServiceAccountRead {
    let Probe { pod, options: wanted, .. } = *probe;
    let is_wanted = match wanted.kubernetes {
        KubernetesUse::Off => false,
        KubernetesUse::Always => true,
        KubernetesUse::Auto => {
            let found = judge(pod, wanted, api_claims, &ServiceAccountRead::NotWanted);
            matches!(found, Verdict::Fail(Diagnosis::NotInjected(_)))
        }
    };
    if !is_wanted {
        return ServiceAccountRead::NotWanted;
    }
    let until = probe.step_deadline().min(Instant::now() + MOST_OF_API);
    let read = read_account(pod, wanted, api_claims, until).await;
    if let ServiceAccountRead::Failed(fault) = &read {
        // The same on every pass, and of no consequence but for a less exact diagnosis.
        static TOLD: Once = Once::new();
        TOLD.call_once(|| tracing::info!(%fault, "the service account was not read"));
    }
    read
}

async fn read_account(
    pod: &Pod,
    wanted: &CheckOptions,
    api_claims: Option<&Claims>,
    until: Instant,
) -> ServiceAccountRead {
    let Some(api) = Api::from_variables(pod, &wanted.identity.api_token_file) else {
        return ServiceAccountRead::Failed(ApiFault::NotConfigured);
    };
    let Some(name) = api_claims.and_then(Claims::service_account) else {
        return ServiceAccountRead::Failed(ApiFault::NoServiceAccount);
    };
    match api.service_account(&name, until).await {
        Ok(account) => {
            let volume_made = pod.link_created_at(&wanted.identity.api_token_file, until).await;
            ServiceAccountRead::Known { name, account, volume_made }
        }
        Err(ApiFault::NotFound) => ServiceAccountRead::Missing(name),
        Err(fault) => ServiceAccountRead::Failed(fault),
    }
}

/// The token's file, by the flag or else by the variable, whatever is in either.
#[must_use]
pub fn token_file(pod: &Pod, wanted: &CheckOptions) -> Option<PathBuf> {
    wanted.identity.token_file.clone().or_else(|| pod.raw_variable(TOKEN_FILE_VARIABLE).map(PathBuf::from))
}

/// Judges the two variables, or what the flags say in their place, by what is known of the service
/// account.
#[must_use]
pub fn judge(
    pod: &Pod,
    wanted: &CheckOptions,
    api_claims: Option<&Claims>,
    read: &ServiceAccountRead,
) -> Verdict<WebIdentity> {
    let view = pod_view(pod, wanted, api_claims, read);
    let found = injection::judge(&view, None, &account_view(pod, api_claims, read));
    // The ARN has a check of its own.
    let is_of_this_check = |found: &Diagnosis| !matches!(found, Diagnosis::RoleArnMalformed(_));
    if let Some(failure) = found.failures.into_iter().find(is_of_this_check) {
        return Verdict::Fail(failure);
    }
    // The judge has failed a pod without one of the two.
    let role_arn =
        wanted.identity.role_arn.clone().or_else(|| pod.variable(ROLE_ARN_VARIABLE)).unwrap_or_default();
    let token_file = token_file(pod, wanted).unwrap_or_default();
    // A flag in place of the pod's variable says nothing of what the pod was given.
    let is_of_pod = |found: &Diagnosis| wanted.identity.role_arn.is_none() && is_of_this_check(found);
    let warnings = found.warnings.into_iter().filter(is_of_pod).collect();
    Verdict::holds(WebIdentity { role_arn, token_file, seen: read.evidence() }, warnings)
}

/// What this container sees of its pod: its own variables, or the flags in their place.
fn pod_view(
    pod: &Pod,
    wanted: &CheckOptions,
    api_claims: Option<&Claims>,
    read: &ServiceAccountRead,
) -> PodView {
    let volume_made = match read {
        ServiceAccountRead::Known { volume_made, .. } => *volume_made,
        _ => None,
    };
    let of_pod = (pod.variable(ROLE_ARN_VARIABLE), pod.variable(TOKEN_FILE_VARIABLE));
    let token_file = token_file(pod, wanted).map(|path| path.to_string_lossy().into_owned());
    let both = (wanted.identity.role_arn.clone().or_else(|| of_pod.0.clone()), token_file);
    // One half by a flag alone says nothing of what the pod was given.
    let half = |own: &Option<String>, value: &Option<String>, other: &Option<String>| {
        value.clone().filter(|value| own.is_some() || other.is_some() || value.is_empty())
    };
    let (role_arn, token_file) = (half(&of_pod.0, &both.0, &both.1), half(&of_pod.1, &both.1, &both.0));
    let pair = [(ROLE_ARN_VARIABLE, role_arn), (TOKEN_FILE_VARIABLE, token_file)];
    let others = CONTAINER_CREDENTIALS_VARIABLES.into_iter().map(|name| (name, pod.nonempty_variable(name)));
    let set = pair.into_iter().chain(others).filter(|(_, value)| value.is_some());
    PodView {
        name: pod_name(pod, api_claims),
        service_account: api_claims.and_then(Claims::service_account),
        seen_at: volume_made.into_iter().collect(),
        containers: vec![Container {
            name: String::new(),
            kind: ContainerKind::Main,
            env: set.map(|(name, value)| (name.to_owned(), value)).collect(),
            mounts: Vec::new(),
            has_env_from: false,
        }],
        ..PodView::default()
    }
}

/// What the Kubernetes API said of the service account.
fn account_view(pod: &Pod, api_claims: Option<&Claims>, read: &ServiceAccountRead) -> AccountView {
    match read {
        ServiceAccountRead::NotWanted => AccountView::NotRead,
        ServiceAccountRead::Known { name, account, .. } => AccountView::Known(ServiceAccountView {
            service_account: name.clone(),
            account: account.clone(),
            audience: None,
            other_role_annotations: Vec::new(),
        }),
        ServiceAccountRead::Missing(name) => AccountView::Missing(name.clone()),
        ServiceAccountRead::Failed(ApiFault::Unauthorized)
            if api_claims.is_some_and(|claims| pod.now() < claims.expires_at) =>
        {
            AccountView::Unread(ServiceAccountError::Unauthorized)
        }
        ServiceAccountRead::Failed(fault) => {
            AccountView::Unread(ServiceAccountError::Other(fault.to_string()))
        }
    }
}

/// Whether the token lies where the webhook mounts it.
pub async fn mounted(probe: &Probe<'_>) -> Presence {
    probe.pod.presence(Path::new(DEFAULT_TOKEN_FILE), probe.step_deadline()).await
}

/// Judges the same of another process, into whose container the token is mounted or not, as far as that
/// can be seen. What it lacks may have been lost on the way from its container to it.
#[must_use]
pub fn judge_target(found: Verdict<WebIdentity>, process: &Process, token: Presence) -> Verdict<WebIdentity> {
    let pod = match found {
        Verdict::Fail(Diagnosis::NotInjected(pod)) => *pod,
        Verdict::Fail(Diagnosis::WebhookMissed(missed)) if token != Presence::Missing => NotInjected {
            service_account: Some(missed.target.service_account),
            pod: missed.target.pod,
            service_account_error: None,
        },
        found => return found,
    };
    Verdict::fail(TargetHasNoIdentity { process: process.clone(), token, pod })
}

/// The pod's name, if known.
pub(crate) fn pod_name(pod: &Pod, api_claims: Option<&Claims>) -> Option<String> {
    api_claims.and_then(|claims| claims.bound.pod.clone()).or_else(|| pod.pod_name())
}

#[cfg(test)]
mod tests {
    use super::{ServiceAccountRead, judge};
    use crate::evidence::HasEvidence;
    use crate::host::{Clock, Pod};
    use crate::kubernetes::fault::ApiFault;
    use crate::kubernetes::service_account::AnnotatedAccount;
    use crate::run::Verdict;
    use crate::run::options::{CheckOptions, IdentityOptions};
    use crate::token::{self, Claims, ServiceAccount};
    use std::time::{Duration, SystemTime};

    const API_TOKEN: &str = include_str!("../../tests/recorded/default-api-token.jwt");
    const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";
    const IDENTITY: [(&str, &str); 2] = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];

    #[test]
    fn each_combination_of_variables() {
        let with = |role_arn: &str, token_file: Option<&str>| CheckOptions {
            identity: IdentityOptions {
                role_arn: Some(role_arn.to_owned()),
                token_file: token_file.map(Into::into),
                ..IdentityOptions::default()
            },
            ..CheckOptions::default()
        };
        let role = || with("a", None);
        let flags = || with("a", Some("/t"));
        let none = CheckOptions::default;
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
        let (arn, file) = (("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"));
        let (no_arn, no_file) = (("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", ""));
        for (variables, wanted, expected) in [
            (&[][..], none(), Some("NotInjected")),
            (&[], role(), Some("NotInjected")),
            (&[], flags(), None),
            (&[uri], none(), Some("PodIdentityOnly")),
            (&[arn], none(), Some("TokenFileVarMissing")),
            (&[file], none(), Some("RoleArnVarMissing")),
            (&[file], role(), None),
            (&[no_arn], none(), Some("RoleArnVarEmpty")),
            (&[no_file], none(), Some("TokenFileVarEmpty")),
            (&[no_arn, file], none(), Some("RoleArnVarEmpty")),
            (&[arn, no_file], none(), Some("TokenFileVarEmpty")),
            (&[arn, file, uri], none(), None),
        ] {
            assert_eq!(
                found(variables, &wanted, &ServiceAccountRead::NotWanted),
                expected.into_iter().collect::<Vec<_>>()
            );
        }
    }

    fn pod(variables: &[(&str, &str)], now: SystemTime) -> Pod {
        Pod::recorded(variables.iter().copied(), Clock::Fixed(now))
    }

    fn api_claims() -> Claims {
        token::decode(API_TOKEN).unwrap()
    }

    fn verdict(
        variables: &[(&str, &str)],
        wanted: &CheckOptions,
        read: &ServiceAccountRead,
    ) -> Verdict<super::WebIdentity> {
        judge(&pod(variables, api_claims().issued_at), wanted, Some(&api_claims()), read)
    }

    /// The names of what is wrong, or odd.
    fn found(
        variables: &[(&str, &str)],
        wanted: &CheckOptions,
        read: &ServiceAccountRead,
    ) -> Vec<&'static str> {
        match verdict(variables, wanted, read) {
            Verdict::Pass(_) => Vec::new(),
            Verdict::Warn(_, warnings) => warnings.iter().map(|found| found.name().as_str()).collect(),
            Verdict::Fail(diagnosis) => vec![diagnosis.name().as_str()],
        }
    }

    fn known(
        role_arn: Option<&str>,
        created: Option<u64>,
        annotated: Option<u64>,
        made: Option<u64>,
    ) -> ServiceAccountRead {
        let at = |hours: Option<u64>| {
            hours.map(|hours| SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hours))
        };
        ServiceAccountRead::Known {
            name: ServiceAccount { namespace: "payments".to_owned(), name: "checkout".to_owned() },
            account: AnnotatedAccount {
                role_arn: role_arn.map(str::to_owned),
                created_at: at(created),
                annotated_before: at(annotated),
            },
            volume_made: at(made),
        }
    }

    #[test]
    fn what_the_service_account_says_of_a_pod_without_an_identity() {
        let role = Some(ROLE);
        for (read, expected) in [
            (known(None, Some(1), None, Some(5)), "ServiceAccountNotAnnotated"),
            (known(None, Some(9), None, Some(5)), "ServiceAccountNotAnnotated"),
            (known(role, Some(1), Some(9), Some(5)), "AnnotatedAfterPod"),
            (known(role, Some(9), Some(9), Some(5)), "AnnotatedAfterPod"),
            (known(role, Some(9), None, Some(5)), "AnnotatedAfterPod"),
            (known(role, Some(1), Some(2), Some(5)), "WebhookMissed"),
            (known(role, Some(1), Some(5), Some(5)), "WebhookMissed"),
            (known(role, Some(1), None, Some(5)), "WebhookMissed"),
            (known(role, Some(1), Some(9), None), "WebhookMissed"),
            (known(role, None, None, None), "WebhookMissed"),
            (
                ServiceAccountRead::Missing(ServiceAccount {
                    namespace: "n".to_owned(),
                    name: "a".to_owned(),
                }),
                "ServiceAccountMissing",
            ),
            (ServiceAccountRead::Failed(ApiFault::Unauthorized), "NotInjected"),
            (ServiceAccountRead::Failed(ApiFault::NotConfigured), "NotInjected"),
        ] {
            assert_eq!(found(&[], &CheckOptions::default(), &read), [expected], "{read:?}");
        }
    }

    #[test]
    fn another_role_than_the_annotation_names_is_a_warning() {
        let identity = || IdentityOptions { role_arn: Some("x".to_owned()), ..IdentityOptions::default() };
        let by_flag = || CheckOptions { identity: identity(), ..CheckOptions::default() };
        let differs = || vec!["AnnotationDiffersFromEnv"];
        for (read, wanted, expected) in [
            (known(Some(ROLE), None, None, None), CheckOptions::default(), vec![]),
            (known(Some("other"), None, None, None), CheckOptions::default(), differs()),
            (known(None, None, None, None), CheckOptions::default(), differs()),
            (known(Some("other"), None, None, None), by_flag(), vec![]),
            (ServiceAccountRead::Failed(ApiFault::TimedOut), CheckOptions::default(), vec![]),
        ] {
            assert_eq!(found(&IDENTITY, &wanted, &read), expected, "{read:?}");
        }
    }

    #[test]
    fn why_the_service_account_was_not_read_is_among_the_evidence() {
        let read = ServiceAccountRead::Failed(ApiFault::TimedOut);
        let words = |evidence: &crate::evidence::Evidence| {
            let mut all = evidence.iter();
            all.find(|(name, _)| *name == "service_account_read").map(|(_, words)| words.to_string())
        };
        let expected = Some("\"the API did not answer in time\"".to_owned());
        match verdict(&[], &CheckOptions::default(), &read) {
            Verdict::Fail(diagnosis) => assert_eq!(words(&diagnosis.evidence()), expected),
            other => panic!("{other:?}"),
        }
        match verdict(&IDENTITY, &CheckOptions::default(), &read) {
            Verdict::Pass(identity) => assert_eq!(words(&identity.evidence()), expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_token_that_has_not_expired_is_remarkable_to_be_refused() {
        let refused = ServiceAccountRead::Failed(ApiFault::Unauthorized);
        for (now, remarkable) in [(api_claims().issued_at, true), (api_claims().expires_at, false)] {
            match judge(&pod(&[], now), &CheckOptions::default(), Some(&api_claims()), &refused) {
                Verdict::Fail(diagnosis) => {
                    assert_eq!(diagnosis.cause().contains("was deleted"), remarkable);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
