//! The pod carries a web identity: both variables are there.

use crate::env::{CONTAINER_CREDENTIALS, ROLE_ARN, TOKEN_FILE, USUAL_TOKEN_FILE};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, RoleArnVarEmpty, RoleArnVarMissing, ServiceAccountUnread,
    TokenFileVarEmpty, TokenFileVarMissing,
};
use crate::diagnosis::injection::{
    AnnotatedAfterPod, AnnotationAge, AnnotationDiffersFromEnv, InjectionTarget, ServiceAccountMissing,
    ServiceAccountNotAnnotated, WebhookMissed,
};
use crate::diagnosis::target::TargetHasNoIdentity;
use crate::evidence::Evidence;
use crate::evidence::HasEvidence;
use crate::host::deadline::Budget;
use crate::host::process::Process;
use crate::host::{Pod, Presence};
use crate::kubernetes::fault::ApiFault;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::kubernetes::{Api, KubernetesUse};
use crate::run::Verdict;
use crate::run::options::CheckOptions;
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
            .and(self.seen.clone())
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
pub async fn observe(
    pod: &Pod,
    wanted: &CheckOptions,
    api_claims: Option<&Claims>,
    budget: Budget,
) -> ServiceAccountRead {
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
    let until = budget.until().min(Instant::now() + MOST_OF_API);
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
    let Some(api) = Api::of(pod, &wanted.api_token_file) else {
        return ServiceAccountRead::Failed(ApiFault::NoApi);
    };
    let Some(name) = api_claims.and_then(Claims::service_account) else {
        return ServiceAccountRead::Failed(ApiFault::NobodyNamed);
    };
    match api.service_account(&name, until).await {
        Ok(account) => {
            let volume_made = pod.link_made(&wanted.api_token_file, until).await;
            ServiceAccountRead::Known { name, account, volume_made }
        }
        Err(ApiFault::NotFound) => ServiceAccountRead::Missing(name),
        Err(fault) => ServiceAccountRead::Failed(fault),
    }
}

/// The token's file, by the flag or else by the variable, whatever is in either.
#[must_use]
pub fn token_file(pod: &Pod, wanted: &CheckOptions) -> Option<PathBuf> {
    wanted.token_file.clone().or_else(|| pod.raw_variable(TOKEN_FILE).map(PathBuf::from))
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
    let of_pod = (pod.variable(ROLE_ARN), pod.raw_variable(TOKEN_FILE));
    let role_arn = wanted.role_arn.clone().or_else(|| of_pod.0.clone());
    let token_file = token_file(pod, wanted);
    if role_arn.as_ref().is_some_and(String::is_empty) {
        return Verdict::fail(RoleArnVarEmpty);
    }
    if token_file.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return Verdict::fail(TokenFileVarEmpty);
    }
    match (role_arn, token_file) {
        (Some(role_arn), Some(token_file)) => {
            // A flag in place of the pod's variable says nothing of what the pod was given.
            let differs =
                if wanted.role_arn.is_none() { differing(pod, api_claims, read, &role_arn) } else { None };
            let identity = WebIdentity { role_arn, token_file, seen: read.evidence() };
            Verdict::holds(identity, differs.into_iter().collect())
        }
        // One half by a flag alone says nothing of what the pod was given.
        (Some(_), None) if of_pod.0.is_some() => Verdict::fail(TokenFileVarMissing),
        (None, Some(_)) if of_pod.1.is_some() => Verdict::fail(RoleArnVarMissing),
        _ => absent(pod, api_claims, read),
    }
}

/// Whether the token lies where the webhook mounts it.
pub async fn mounted(pod: &Pod, budget: Budget) -> Presence {
    pod.presence(Path::new(USUAL_TOKEN_FILE), budget.until()).await
}

/// Judges the same of another process, into whose container the token is mounted or not, as far as that
/// can be seen. What it lacks may have been lost on the way from its container to it.
#[must_use]
pub fn judge_target(found: Verdict<WebIdentity>, process: &Process, token: Presence) -> Verdict<WebIdentity> {
    let pod = match found {
        Verdict::Fail(Diagnosis::NotInjected(pod)) => *pod,
        Verdict::Fail(Diagnosis::WebhookMissed(missed)) if token != Presence::NotThere => {
            NotInjected { service_account: Some(missed.of.service_account), pod: missed.of.pod, unread: None }
        }
        found => return found,
    };
    Verdict::fail(TargetHasNoIdentity { process: process.clone(), token, pod })
}

/// The pod's name, if known.
pub(crate) fn pod_name(pod: &Pod, api_claims: Option<&Claims>) -> Option<String> {
    api_claims.and_then(|claims| claims.bound.pod.clone()).or_else(|| pod.filled("HOSTNAME"))
}

/// That the annotation names another role than the pod was given, if it does.
fn differing(
    pod: &Pod,
    api_claims: Option<&Claims>,
    read: &ServiceAccountRead,
    role_arn: &str,
) -> Option<Diagnosis> {
    let ServiceAccountRead::Known { name, account, .. } = read else { return None };
    let of = InjectionTarget { service_account: name.clone(), pod: pod_name(pod, api_claims) };
    let differs = AnnotationDiffersFromEnv { of, account: account.clone(), role_arn: role_arn.to_owned() };
    (account.role_arn.as_deref() != Some(role_arn)).then(|| differs.into())
}

fn absent(pod: &Pod, api_claims: Option<&Claims>, read: &ServiceAccountRead) -> Verdict<WebIdentity> {
    if let Some(variable) = CONTAINER_CREDENTIALS.into_iter().find(|name| pod.filled(name).is_some()) {
        return Verdict::fail(PodIdentityOnly { variable });
    }
    let pod_name = pod_name(pod, api_claims);
    let of = |name: &ServiceAccount| InjectionTarget { service_account: name.clone(), pod: pod_name.clone() };
    let unread = match read {
        ServiceAccountRead::Known { name, account, volume_made } => {
            return Verdict::Fail(not_injected(of(name), account, *volume_made));
        }
        ServiceAccountRead::Missing(name) => return Verdict::fail(ServiceAccountMissing { of: of(name) }),
        ServiceAccountRead::NotWanted => None,
        ServiceAccountRead::Failed(ApiFault::Unauthorized)
            if api_claims.is_some_and(|claims| pod.now() < claims.expires_at) =>
        {
            Some(ServiceAccountUnread::Unauthorized)
        }
        ServiceAccountRead::Failed(fault) => Some(ServiceAccountUnread::Other(fault.to_string())),
    };
    let service_account = api_claims.and_then(Claims::service_account);
    Verdict::fail(NotInjected { service_account, pod: pod_name, unread })
}

/// Why nothing was injected, by what the service account is like and by what is older.
fn not_injected(
    of: InjectionTarget,
    account: &AnnotatedAccount,
    volume_made: Option<SystemTime>,
) -> Diagnosis {
    let account = account.clone();
    if account.role_arn.is_none() {
        return ServiceAccountNotAnnotated { of, account }.into();
    }
    let newer = volume_made.and_then(|made| {
        let account_is = account.created_at.filter(|created| *created > made).map(AnnotationAge::Account);
        let annotation_is =
            account.annotated_by.filter(|annotated| *annotated > made).map(AnnotationAge::Annotation);
        Some((account_is.or(annotation_is)?, made))
    });
    match newer {
        Some((newer, volume_made)) => AnnotatedAfterPod { of, account, newer, volume_made }.into(),
        None => WebhookMissed { of, account, volume_made }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{ServiceAccountRead, judge};
    use crate::evidence::HasEvidence;
    use crate::host::{Clock, Pod};
    use crate::kubernetes::fault::ApiFault;
    use crate::kubernetes::service_account::AnnotatedAccount;
    use crate::run::Verdict;
    use crate::run::options::CheckOptions;
    use crate::token::{self, Claims, ServiceAccount};
    use std::time::{Duration, SystemTime};

    const API_TOKEN: &str = include_str!("../../tests/recorded/default-api-token.jwt");
    const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";
    const IDENTITY: [(&str, &str); 2] = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")];

    #[test]
    fn each_combination_of_variables() {
        let role = || CheckOptions { role_arn: Some("a".to_owned()), ..CheckOptions::default() };
        let flags = || CheckOptions { token_file: Some("/t".into()), ..role() };
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
                annotated_by: at(annotated),
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
            (ServiceAccountRead::Failed(ApiFault::NoApi), "NotInjected"),
        ] {
            assert_eq!(found(&[], &CheckOptions::default(), &read), [expected], "{read:?}");
        }
    }

    #[test]
    fn another_role_than_the_annotation_names_is_a_warning() {
        let by_flag = || CheckOptions { role_arn: Some("x".to_owned()), ..CheckOptions::default() };
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
