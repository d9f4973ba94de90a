//! What EKS's webhook does to a pod, and why it did not: one judge for the pod's own view and for an operator's.
//!
//! The webhook changes the init containers and the containers of a pod when the pod is created, and never again.
//! To each container it adds `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE` if neither is there, `AWS_REGION`
//! and `AWS_DEFAULT_REGION` if neither is there, and the mount of a volume of a fixed name if that is not there.
//! A finished pod does not show which of these the pod spec set. So a complete pod is not reported, even if
//! someone configured it by hand, and nothing is concluded from what a view cannot show.
//!
//! Source: amazon-eks-pod-identity-webhook, `pkg/handler/handler.go`.

use std::time::SystemTime;

use iam_trust::arn;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, PresetVariable, RoleArnVarEmpty, RoleArnVarMissing, TokenFileVarEmpty,
    TokenFileVarMissing,
};
use crate::diagnosis::injection::{
    AnnotatedAfterPod, AnnotatedObject, AnnotationAge, AnnotationDiffersFromEnv, InjectionSuppressed,
    InjectionTarget, RoleAnnotationMisplaced, ServiceAccountMissing, ServiceAccountNotAnnotated,
    SuppressionCause, WebhookMissed,
};
use crate::diagnosis::role_arn::RoleArnMalformed;
use crate::env::{ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE};
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::token::ServiceAccount;
use view::{AccountView, Container, Injection, PodView, ServiceAccountView, WEBHOOK_DOMAIN};

pub mod view;

/// Why a pod has no web identity, or what is odd about the one it has.
#[derive(Debug, Default)]
pub struct InjectionFindings {
    /// Why the pod cannot have its role, the gravest first.
    pub failures: Vec<Diagnosis>,
    pub warnings: Vec<Diagnosis>,
}

/// Judges what the webhook did to the container of a name, or to all containers.
///
/// Without a name, containers that the pod's annotation skips are ignored, and so are containers without an identity
/// in a pod whose other containers have one.
pub fn judge(pod: &PodView, container: Option<&str>, account: &AccountView) -> InjectionFindings {
    let looks_injected = pod.looks_injected();
    let mut judge = Judge { pod, account, looks_injected, findings: InjectionFindings::default() };
    for selected in pod.selected_containers(container) {
        judge.variables(selected);
        judge.injection(selected, container.is_some());
    }
    judge.annotation();
    judge.findings
}

struct Judge<'a> {
    pod: &'a PodView,
    account: &'a AccountView,
    /// Whether the webhook changed one of the pod's containers.
    looks_injected: bool,
    findings: InjectionFindings,
}

impl Judge<'_> {
    fn fail(&mut self, diagnosis: impl Into<Diagnosis>) {
        add(&mut self.findings.failures, diagnosis.into());
    }

    fn warn(&mut self, diagnosis: impl Into<Diagnosis>) {
        add(&mut self.findings.warnings, diagnosis.into());
    }

    /// Judges the values of the two variables.
    fn variables(&mut self, container: &Container) {
        match container.role_arn() {
            None => {}
            Some("") => self.fail(RoleArnVarEmpty(PresetVariable(ROLE_ARN_VARIABLE))),
            Some(text) => {
                if let Err(fault) = arn::parse(text) {
                    self.fail(RoleArnMalformed { text: text.to_owned(), fault });
                }
                let known = self.account.known();
                let other = known.filter(|known| known.account.role_arn.as_deref() != Some(text));
                if let Some(ServiceAccountView { service_account, account, .. }) = other {
                    let (of, account) = (self.target(service_account), account.clone());
                    self.warn(AnnotationDiffersFromEnv { target: of, account, role_arn: text.to_owned() });
                }
            }
        }
        if container.value(TOKEN_FILE_VARIABLE) == Some("") {
            self.fail(TokenFileVarEmpty(PresetVariable(TOKEN_FILE_VARIABLE)));
        }
    }

    /// Judges what was injected into a container, and why no more was.
    fn injection(&mut self, container: &Container, is_selected_by_name: bool) {
        let mut causes = container.suppression_causes(self.pod, self.account.known());
        match container.injection() {
            // The other one can be among those whose names are not known.
            Injection::Partial if container.has_env_from => return,
            Injection::Partial if container.has(ROLE_ARN_VARIABLE) => {
                self.fail(TokenFileVarMissing(PresetVariable(ROLE_ARN_VARIABLE)))
            }
            Injection::Partial => self.fail(RoleArnVarMissing(PresetVariable(TOKEN_FILE_VARIABLE))),
            Injection::PodIdentity(variable) => {
                self.fail(PodIdentityOnly { variable });
                return;
            }
            Injection::Nothing if container.might_be_configured_by_hand(self.pod) => return,
            Injection::Nothing if self.looks_injected && !is_selected_by_name => return,
            Injection::Nothing if self.looks_injected && causes.is_empty() => {
                causes.push(SuppressionCause::AddedLater);
            }
            Injection::Nothing if causes.is_empty() => self.nothing_injected(),
            Injection::Nothing => {}
            // A skipped container that has an identity was given it by hand.
            Injection::Complete => causes.retain(|by| !by.is_left_out()),
        }
        // A pod that does not know its service account sees none of these causes completely.
        let Some(service_account) = &self.pod.service_account else { return };
        for by in causes {
            let suppressed = InjectionSuppressed {
                target: self.target(service_account),
                containers: vec![container.name.clone()],
                cause: by,
            };
            match &suppressed.cause {
                // A region that the pod spec names is a region.
                SuppressionCause::RegionPreset(variable) if container.value(variable) != Some("") => {}
                SuppressionCause::RegionPreset(_) | SuppressionCause::VolumeMounted => self.warn(suppressed),
                SuppressionCause::VolumePreset => {
                    // Not every version of the webhook looks at the volume.
                    self.account_explains_nothing_injected();
                    self.fail(suppressed);
                }
                SuppressionCause::SkipWebhook
                | SuppressionCause::SkipContainers
                | SuppressionCause::EnvPreset(_)
                | SuppressionCause::EverythingPreset(_) => {
                    self.fail(suppressed);
                    self.account_is_not_annotated();
                }
                SuppressionCause::Ephemeral
                | SuppressionCause::MountElsewhere { .. }
                | SuppressionCause::AddedLater => self.fail(suppressed),
            }
        }
    }

    /// Says why nothing was injected, where the pod itself does not show it.
    fn nothing_injected(&mut self) {
        let unread = match self.account {
            AccountView::Known(ServiceAccountView { service_account, account, .. }) => {
                if !self.account_explains_nothing_injected() {
                    self.annotated(service_account, account);
                }
                return;
            }
            AccountView::Missing(service_account) => {
                self.fail(ServiceAccountMissing { target: self.target(service_account) });
                return;
            }
            AccountView::Unread(unread) => Some(unread.clone()),
            AccountView::NotRead => None,
        };
        let (service_account, pod) = (self.pod.service_account.clone(), self.pod.name.clone());
        self.fail(NotInjected {
            service_account,
            pod,
            service_account_error: unread,
            account: None,
            is_left_out_by_nothing: self.pod.has_metadata,
        });
    }

    /// Says that nothing was injected, although the service account is annotated. That blames the webhook only if the
    /// annotation is known to be older than the pod.
    fn annotated(&mut self, service_account: &ServiceAccount, account: &AnnotatedAccount) {
        let is_left_out_by_nothing = self.pod.has_metadata;
        match account.annotated_before.zip(self.pod.seen_at.first()) {
            Some((annotated_before, volume_made)) => self.fail(WebhookMissed {
                target: self.target(service_account),
                account: account.clone(),
                annotated_before,
                volume_made: *volume_made,
                is_left_out_by_nothing,
            }),
            None => self.fail(NotInjected {
                service_account: Some(service_account.clone()),
                pod: self.pod.name.clone(),
                service_account_error: None,
                account: Some(account.clone()),
                is_left_out_by_nothing,
            }),
        }
    }

    /// Whether the service account alone explains that nothing was injected. Adds the diagnosis if so.
    fn account_explains_nothing_injected(&mut self) -> bool {
        if self.account_is_not_annotated() {
            return true;
        }
        let Some(ServiceAccountView { service_account, account, .. }) = self.account.known() else {
            return false;
        };
        let newer_than = |time: SystemTime| {
            let created = account.created_at.filter(|created| *created > time).map(AnnotationAge::Account);
            let annotated =
                account.annotated_before.filter(|annotated| *annotated > time).map(AnnotationAge::Annotation);
            Some((created.or(annotated)?, time))
        };
        let Some((newer, volume_made)) = self.pod.seen_at.iter().copied().find_map(newer_than) else {
            return false;
        };
        let (of, account) = (self.target(service_account), account.clone());
        self.fail(AnnotatedAfterPod { target: of, account, newer, volume_made });
        true
    }

    /// Whether the service account names no role. Adds the diagnosis if so.
    fn account_is_not_annotated(&mut self) -> bool {
        let Some(known) = self.account.known().filter(|known| known.account.role_arn.is_none()) else {
            return false;
        };
        let of = self.target(&known.service_account);
        let of_account = known.other_role_annotations.iter().map(|other| (AnnotatedObject::Account, other));
        let of_pod = self.pod.role_annotations.iter().map(|other| (AnnotatedObject::Pod, other));
        // A typo in a name of the webhook's own is the likeliest.
        let likeliest = of_account.chain(of_pod).min_by_key(|(_, (key, _))| !key.starts_with(WEBHOOK_DOMAIN));
        match likeliest {
            Some((at, (key, role_arn))) => self.fail(RoleAnnotationMisplaced {
                target: of,
                annotated: at,
                key: key.clone(),
                role_arn: role_arn.trim().to_owned(),
            }),
            None => self.fail(ServiceAccountNotAnnotated { target: of, account: known.account.clone() }),
        }
        true
    }

    /// Judges the annotation's text.
    fn annotation(&mut self) {
        let annotated = self.account.known().and_then(|known| known.account.role_arn.as_deref());
        if let Some((text, Err(fault))) = annotated.map(|text| (text, arn::parse(text))) {
            let malformed = RoleArnMalformed { text: text.to_owned(), fault };
            // What the pod was given already does not depend on the annotation any more.
            if self.findings.failures.is_empty() {
                self.warn(malformed);
            } else {
                self.fail(malformed);
            }
        }
    }

    fn target(&self, service_account: &ServiceAccount) -> InjectionTarget {
        InjectionTarget { service_account: service_account.clone(), pod: self.pod.name.clone() }
    }
}

/// The most diagnoses of a pod. More differ only in the paths of their containers.
const MAX_FOUND: usize = 16;

/// Adds a diagnosis unless one of that name exists. [`InjectionSuppressed`] can differ from container to container,
/// and is merged by cause.
fn add(found: &mut Vec<Diagnosis>, diagnosis: Diagnosis) {
    if let Diagnosis::InjectionSuppressed(new) = &diagnosis {
        let same = found.iter_mut().find_map(|known| match known {
            Diagnosis::InjectionSuppressed(known) => (known.cause == new.cause).then_some(known),
            _ => None,
        });
        if let Some(same) = same {
            same.containers.extend(new.containers.iter().cloned());
            return;
        }
    } else if found.iter().any(|known| known.name() == diagnosis.name()) {
        return;
    }
    if found.len() < MAX_FOUND {
        found.push(diagnosis);
    }
}
