//! The pod carries a web identity: both variables are set.
//!
//! If they are not, the service account says why. It is read from the Kubernetes API.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{NotInjected, ServiceAccountError};
use crate::diagnosis::target::TargetHasNoIdentity;
use crate::env::{
    CONTAINER_CREDENTIALS_VARIABLES, DEFAULT_TOKEN_FILE, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::host::process::Process;
use crate::host::{Pod, Presence};
use crate::injection;
use crate::injection::view::{AccountView, Container, ContainerKind, Injection, PodView, ServiceAccountView};
use crate::kubernetes::fault::ApiFault;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::kubernetes::{Api, KubernetesUse};
use crate::run::Verdict;
use crate::run::identity::WebIdentitySettings;
use crate::run::probe::Probe;
use crate::token::{Claims, ServiceAccount};

/// The longest that the Kubernetes API can take.
const API_TIMEOUT: Duration = Duration::from_secs(2);

/// A role, and the file of the token for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WebIdentity {
    /// The ARN of the role, as it is written.
    pub(crate) role_arn: String,
    pub(crate) token_file: PathBuf,
    /// What the Kubernetes API says of the service account, if it was asked.
    account: Evidence,
}

impl HasEvidence for WebIdentity {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("role_arn", &self.role_arn)
            .text("token_file", &self.token_file.to_string_lossy())
            .merge(self.account.clone())
    }
}

/// What came of reading the pod's service account.
#[derive(Debug)]
enum ServiceAccountRead {
    NotWanted,
    Known {
        name: ServiceAccount,
        account: AnnotatedAccount,
        /// When the kubelet set up the volume of the pod's API token, if known.
        volume_made: Option<SystemTime>,
    },
    /// The API has no service account of this name.
    Missing(ServiceAccount),
    Failed {
        fault: ApiFault,
        token_is_valid: bool,
    },
}

impl ServiceAccountRead {
    fn evidence(&self) -> Evidence {
        match self {
            Self::NotWanted => Evidence::new(),
            Self::Known { account, .. } => {
                Evidence::new().text_if("annotated_role_arn", account.role_arn.as_deref())
            }
            Self::Missing(_) => Evidence::new().text("service_account_read", &ApiFault::NotFound.to_string()),
            Self::Failed { fault, .. } => Evidence::new().text("service_account_read", &fault.to_string()),
        }
    }

    fn volume_made(&self) -> Option<SystemTime> {
        match self {
            Self::Known { volume_made, .. } => *volume_made,
            Self::NotWanted | Self::Missing(_) | Self::Failed { .. } => None,
        }
    }

    fn view(&self) -> AccountView {
        match self {
            Self::NotWanted => AccountView::NotRead,
            Self::Known { name, account, .. } => AccountView::Known(ServiceAccountView {
                service_account: name.clone(),
                account: account.clone(),
                audience: None,
                other_role_annotations: Vec::new(),
            }),
            Self::Missing(name) => AccountView::Missing(name.clone()),
            Self::Failed { fault: ApiFault::Unauthorized, token_is_valid: true } => {
                AccountView::Unread(ServiceAccountError::Unauthorized)
            }
            Self::Failed { fault, .. } => AccountView::Unread(ServiceAccountError::Other(fault.to_string())),
        }
    }
}

/// What a container shows of its pod's identity.
#[derive(Debug)]
pub(crate) struct WebIdentityView {
    settings: WebIdentitySettings,
    container_credentials: Vec<(&'static str, String)>,
    pod_name: Option<String>,
    /// The service account, by the pod's API token.
    service_account: Option<ServiceAccount>,
    account: ServiceAccountRead,
    target: Option<TargetView>,
}

/// A process that is inspected from outside of its container.
#[derive(Debug)]
struct TargetView {
    process: Process,
    /// Whether the token is where the webhook mounts it.
    token: Presence,
}

/// Reads the variables, and the service account if that is wanted.
pub(crate) async fn observe(
    probe: &Probe<'_>,
    settings: &WebIdentitySettings,
    api_claims: Option<&Claims>,
) -> WebIdentityView {
    let pod = probe.pod;
    let of_container = |name| Some((name, pod.nonempty_variable(name)?));
    let mut view = WebIdentityView {
        settings: settings.clone(),
        container_credentials: CONTAINER_CREDENTIALS_VARIABLES.into_iter().filter_map(of_container).collect(),
        pod_name: pod_name(pod, api_claims),
        service_account: api_claims.and_then(Claims::service_account),
        account: ServiceAccountRead::NotWanted,
        target: None,
    };
    if view.wants_account(probe.options.kubernetes) {
        view.account = read_account(probe, api_claims).await;
    }
    if let Some(process) = pod.target() {
        let token = pod.presence(Path::new(DEFAULT_TOKEN_FILE), probe.step_deadline()).await;
        view.target = Some(TargetView { process: process.clone(), token });
    }
    view
}

async fn read_account(probe: &Probe<'_>, api_claims: Option<&Claims>) -> ServiceAccountRead {
    let pod = probe.pod;
    let token_file = &probe.options.identity.api_token_file;
    let until = probe.step_deadline().min(Instant::now() + API_TIMEOUT);
    let read = async {
        let api = Api::from_variables(pod, token_file).ok_or(ApiFault::NotConfigured)?;
        let name = api_claims.and_then(Claims::service_account).ok_or(ApiFault::NoServiceAccount)?;
        match api.service_account(&name, until).await {
            Ok(account) => {
                let volume_made = pod.link_created_at(token_file, until).await;
                Ok(ServiceAccountRead::Known { name, account, volume_made })
            }
            Err(ApiFault::NotFound) => Ok(ServiceAccountRead::Missing(name)),
            Err(fault) => Err(fault),
        }
    };
    read.await.unwrap_or_else(|fault| {
        // This is the same on every pass, and only makes the diagnosis less exact.
        static LOGGED: Once = Once::new();
        LOGGED.call_once(|| tracing::info!(%fault, "the service account was not read"));
        let token_is_valid = api_claims.is_some_and(|claims| pod.now() < claims.expires_at);
        ServiceAccountRead::Failed { fault, token_is_valid }
    })
}

pub(crate) fn pod_name(pod: &Pod, api_claims: Option<&Claims>) -> Option<String> {
    api_claims.and_then(|claims| claims.bound.pod.clone()).or_else(|| pod.pod_name())
}

impl WebIdentityView {
    /// By default the service account is only read if nothing was injected.
    fn wants_account(&self, kubernetes: KubernetesUse) -> bool {
        match kubernetes {
            KubernetesUse::Off => false,
            KubernetesUse::Always => true,
            KubernetesUse::Auto => self.container().injection() == Injection::Nothing,
        }
    }

    /// The container, with the flags in place of its variables.
    fn container(&self) -> Container {
        let WebIdentitySettings { variables, .. } = &self.settings;
        let role_arn = self.settings.role_arn().map(str::to_owned);
        let token_file = self.settings.token_file().map(|path| path.to_string_lossy().into_owned());
        let has_both = role_arn.is_some() && token_file.is_some();
        // One of the two by a flag alone does not say what the pod was given.
        let counts = |value: &String, is_of_pod: bool| is_of_pod || has_both || value.is_empty();
        let role_arn = role_arn.filter(|value| counts(value, variables.role_arn.is_some()));
        let token_file = token_file.filter(|value| counts(value, variables.token_file.is_some()));
        let both = [(ROLE_ARN_VARIABLE, role_arn), (TOKEN_FILE_VARIABLE, token_file)];
        let both = both.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let env = both.chain(self.container_credentials.iter().cloned());
        Container {
            name: String::new(),
            kind: ContainerKind::Main,
            env: env.map(|(name, value)| (name.to_owned(), Some(value))).collect(),
            mounts: Vec::new(),
            has_env_from: false,
        }
    }

    fn pod(&self) -> PodView {
        PodView {
            name: self.pod_name.clone(),
            service_account: self.service_account.clone(),
            seen_at: self.account.volume_made().into_iter().collect(),
            containers: vec![self.container()],
            ..PodView::default()
        }
    }
}

/// Judges the two variables, or the flags in their place.
pub(crate) fn judge(view: &WebIdentityView) -> Verdict<WebIdentity> {
    let found = injection::judge(&view.pod(), None, &view.account.view());
    // The ARN has a check of its own.
    let is_of_this_check = |found: &Diagnosis| !matches!(found, Diagnosis::RoleArnMalformed(_));
    if let Some(failure) = found.failures.into_iter().find(is_of_this_check) {
        return Verdict::Fail(for_target(failure, view.target.as_ref()));
    }
    // A pod without one of the two has failed.
    let identity = WebIdentity {
        role_arn: view.settings.role_arn().unwrap_or_default().to_owned(),
        token_file: view.settings.token_file().map(Path::to_owned).unwrap_or_default(),
        account: view.account.evidence(),
    };
    // A flag in place of the pod's variable does not say what the pod was given.
    let is_of_pod = |found: &Diagnosis| view.settings.flags.role_arn.is_none() && is_of_this_check(found);
    Verdict::holds(identity, found.warnings.into_iter().filter(is_of_pod).collect())
}

/// The same failure in another process. What that process lacks can have been lost between its container and
/// itself.
fn for_target(failure: Diagnosis, target: Option<&TargetView>) -> Diagnosis {
    let Some(TargetView { process, token }) = target else { return failure };
    let pod = match failure {
        Diagnosis::NotInjected(pod) => *pod,
        Diagnosis::WebhookMissed(missed) if *token != Presence::Missing => NotInjected {
            service_account: Some(missed.target.service_account),
            pod: missed.target.pod,
            service_account_error: None,
            account: Some(missed.account),
            is_left_out_by_nothing: missed.is_left_out_by_nothing,
        },
        other => return other,
    };
    TargetHasNoIdentity { process: process.clone(), token: *token, pod }.into()
}

#[cfg(test)]
mod tests {
    use super::{ServiceAccountRead, WebIdentityView, judge};
    use crate::env::CONTAINER_CREDENTIALS_VARIABLES;
    use crate::evidence::{Evidence, HasEvidence};
    use crate::kubernetes::fault::ApiFault;
    use crate::kubernetes::service_account::AnnotatedAccount;
    use crate::run::Verdict;
    use crate::run::identity::{RoleAndTokenFile, WebIdentitySettings};
    use crate::token::ServiceAccount;
    use std::time::{Duration, SystemTime};

    const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";
    const NOTHING: RoleAndTokenFile = RoleAndTokenFile { role_arn: None, token_file: None };

    fn role_arn(text: &str) -> RoleAndTokenFile {
        RoleAndTokenFile { role_arn: Some(text.to_owned()), ..NOTHING }
    }

    fn token_file(path: &str) -> RoleAndTokenFile {
        RoleAndTokenFile { token_file: Some(path.into()), ..NOTHING }
    }

    fn both(role_arn: &str, token_file: &str) -> RoleAndTokenFile {
        RoleAndTokenFile { role_arn: Some(role_arn.to_owned()), token_file: Some(token_file.into()) }
    }

    /// A container with these variables.
    fn container(variables: RoleAndTokenFile) -> WebIdentityView {
        WebIdentityView {
            settings: WebIdentitySettings { flags: NOTHING, variables },
            container_credentials: Vec::new(),
            pod_name: None,
            service_account: None,
            account: ServiceAccountRead::NotWanted,
            target: None,
        }
    }

    impl WebIdentityView {
        fn with_flags(mut self, flags: RoleAndTokenFile) -> Self {
            self.settings.flags = flags;
            self
        }

        fn with_container_credentials(mut self) -> Self {
            let [full_uri, _] = CONTAINER_CREDENTIALS_VARIABLES;
            self.container_credentials.push((full_uri, "http://169.254.170.23/v1/credentials".to_owned()));
            self
        }

        fn with_account(self, account: ServiceAccountRead) -> Self {
            Self { account, ..self }
        }
    }

    /// The names of what is wrong, or odd.
    fn names(view: &WebIdentityView) -> Vec<&'static str> {
        match judge(view) {
            Verdict::Pass(_) => Vec::new(),
            Verdict::Warn(_, warnings) => warnings.iter().map(|found| found.name().as_str()).collect(),
            Verdict::Fail(diagnosis) => vec![diagnosis.name().as_str()],
        }
    }

    #[test]
    fn each_combination_of_variables_and_flags() {
        for (view, expected) in [
            (container(NOTHING), Some("NotInjected")),
            (container(NOTHING).with_flags(role_arn("a")), Some("NotInjected")),
            (container(NOTHING).with_flags(both("a", "/t")), None),
            (container(NOTHING).with_container_credentials(), Some("PodIdentityOnly")),
            (container(role_arn("a")), Some("TokenFileVarMissing")),
            (container(role_arn("a")).with_flags(role_arn("b")), Some("TokenFileVarMissing")),
            (container(token_file("/t")), Some("RoleArnVarMissing")),
            (container(token_file("/t")).with_flags(role_arn("a")), None),
            (container(role_arn("")), Some("RoleArnVarEmpty")),
            (container(token_file("")), Some("TokenFileVarEmpty")),
            (container(both("", "/t")), Some("RoleArnVarEmpty")),
            (container(both("a", "")), Some("TokenFileVarEmpty")),
            (container(both("a", "/t")).with_container_credentials(), None),
        ] {
            assert_eq!(names(&view), expected.into_iter().collect::<Vec<_>>(), "{view:?}");
        }
    }

    fn failed(fault: ApiFault) -> ServiceAccountRead {
        ServiceAccountRead::Failed { fault, token_is_valid: true }
    }

    fn account() -> ServiceAccount {
        ServiceAccount { namespace: "payments".to_owned(), name: "checkout".to_owned() }
    }

    /// The hours at which a service account and a pod changed.
    #[derive(Default)]
    struct Hours {
        account_created: Option<u64>,
        annotated_before: Option<u64>,
        pod_created: Option<u64>,
    }

    fn annotated(role_arn: Option<&str>, hours: &Hours) -> ServiceAccountRead {
        let at =
            |hour: Option<u64>| hour.map(|hour| SystemTime::UNIX_EPOCH + Duration::from_secs(3600 * hour));
        ServiceAccountRead::Known {
            name: account(),
            account: AnnotatedAccount {
                role_arn: role_arn.map(str::to_owned),
                annotation_is_empty: false,
                manager: None,
                created_at: at(hours.account_created),
                annotated_before: at(hours.annotated_before),
            },
            volume_made: at(hours.pod_created),
        }
    }

    #[test]
    fn the_ages_of_account_and_pod_say_why_nothing_was_injected() {
        let hours = |account_created, annotated_before| Hours {
            account_created: Some(account_created),
            annotated_before,
            pod_created: Some(5),
        };
        for (read, expected) in [
            (annotated(None, &hours(1, None)), "ServiceAccountNotAnnotated"),
            (annotated(None, &hours(9, None)), "ServiceAccountNotAnnotated"),
            (annotated(Some(ROLE), &hours(1, Some(9))), "AnnotatedAfterPod"),
            (annotated(Some(ROLE), &hours(9, Some(9))), "AnnotatedAfterPod"),
            (annotated(Some(ROLE), &hours(9, None)), "AnnotatedAfterPod"),
            (annotated(Some(ROLE), &hours(1, Some(2))), "WebhookMissed"),
            (annotated(Some(ROLE), &hours(1, Some(5))), "WebhookMissed"),
            // Nothing says when it was annotated, or when the pod was created.
            (annotated(Some(ROLE), &hours(1, None)), "NotInjected"),
            (annotated(Some(ROLE), &Hours { pod_created: None, ..hours(1, Some(9)) }), "NotInjected"),
            (annotated(Some(ROLE), &Hours::default()), "NotInjected"),
            (ServiceAccountRead::Missing(account()), "ServiceAccountMissing"),
            (failed(ApiFault::Unauthorized), "NotInjected"),
            (failed(ApiFault::NotConfigured), "NotInjected"),
        ] {
            let view = container(NOTHING).with_account(read);
            assert_eq!(names(&view), [expected], "{view:?}");
        }
    }

    #[test]
    fn another_role_than_the_annotation_names_is_a_warning() {
        let annotated = |role_arn| annotated(role_arn, &Hours::default());
        let injected = || container(both(ROLE, "/t"));
        for (view, expected) in [
            (injected().with_account(annotated(Some(ROLE))), vec![]),
            (injected().with_account(annotated(Some("other"))), vec!["AnnotationDiffersFromEnv"]),
            (injected().with_account(annotated(None)), vec!["AnnotationDiffersFromEnv"]),
            (injected().with_account(annotated(Some("other"))).with_flags(role_arn("x")), vec![]),
            (injected().with_account(failed(ApiFault::TimedOut)), vec![]),
        ] {
            assert_eq!(names(&view), expected, "{view:?}");
        }
    }

    #[test]
    fn why_the_service_account_was_not_read_is_among_the_evidence() {
        let reason = |evidence: &Evidence| {
            let mut all = evidence.iter();
            all.find(|(name, _)| *name == "service_account_read").map(|(_, reason)| reason.to_string())
        };
        let expected = Some("\"the API did not answer in time\"".to_owned());
        match judge(&container(NOTHING).with_account(failed(ApiFault::TimedOut))) {
            Verdict::Fail(diagnosis) => assert_eq!(reason(&diagnosis.evidence()), expected),
            other => panic!("{other:?}"),
        }
        match judge(&container(both(ROLE, "/t")).with_account(failed(ApiFault::TimedOut))) {
            Verdict::Pass(identity) => assert_eq!(reason(&identity.evidence()), expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_valid_token_is_remarkable_to_be_refused() {
        for token_is_valid in [true, false] {
            let refused = ServiceAccountRead::Failed { fault: ApiFault::Unauthorized, token_is_valid };
            match judge(&container(NOTHING).with_account(refused)) {
                Verdict::Fail(diagnosis) => {
                    assert_eq!(diagnosis.cause().contains("was deleted"), token_is_valid);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
