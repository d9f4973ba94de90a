//! The role annotation is missing, misplaced, too late, or changed.

use std::time::SystemTime;

use super::InjectionTarget;
use super::manager::lasting_place;
use crate::diagnosis::Entry;
use crate::diagnosis::identity::{DEFAULT_ACCOUNT, kubectl, steps_to_inject_again};
use crate::evidence::Evidence;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::text::{format_utc, sanitize};
use iam_trust::arn;

/// The service account has no role annotation.
#[derive(Debug, Clone)]
pub struct ServiceAccountNotAnnotated {
    pub(crate) target: InjectionTarget,
    pub(crate) account: AnnotatedAccount,
}

impl Entry for ServiceAccountNotAnnotated {
    fn cause(&self) -> String {
        let annotation = if self.account.annotation_is_empty {
            "has an empty annotation eks.amazonaws.com/role-arn: the value is missing, as of a variable that was not set"
        } else {
            "has no annotation eks.amazonaws.com/role-arn"
        };
        let default = if self.target.service_account.name == DEFAULT_ACCOUNT {
            " A pod runs as default if its spec names no service account. A pod that another program creates, such as a \
             job of a CI runner, inherits no service account from that program."
        } else {
            ""
        };
        format!(
            "No identity was injected into this container, because the pod's {} {annotation}.{default} Injection \
             happens only when a pod is created: recreate the pod after the change.",
            self.target.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let annotate = if self.account.annotation_is_empty {
            "Set the role in the annotation, which is empty"
        } else {
            "Annotate the service account with the role"
        };
        self.target.steps_to_annotate(annotate, None, lasting_place(&self.account))
    }

    fn evidence(&self) -> Evidence {
        self.target.evidence(Some(&self.account), None)
    }
}

/// The API has no such service account.
#[derive(Debug, Clone)]
pub struct ServiceAccountMissing {
    pub(crate) target: InjectionTarget,
}

impl Entry for ServiceAccountMissing {
    fn cause(&self) -> String {
        format!(
            "No identity was injected into this container, and the Kubernetes API knows no {}. The pod's API token \
             was made out to it, so it was there once, and was deleted since.",
            self.target.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, account) = kubectl(Some(&self.target.service_account));
        steps![
            format!(
                "Create the service account, and annotate it with the role:\n\
                 {kubectl} create serviceaccount {account} &&\n{}",
                self.target.annotate(None)
            ),
            self.target.delete_pod(),
            "Find out what deleted it, such as an uninstalled chart or a pruned manifest."
        ]
    }

    fn evidence(&self) -> Evidence {
        self.target.evidence(None, None)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnotationAge {
    /// The last change by the manager of the annotation.
    Annotation(SystemTime),
    /// The creation of the service account.
    Account(SystemTime),
}

/// The service account was annotated after the pod was created.
#[derive(Debug, Clone)]
pub struct AnnotatedAfterPod {
    pub(crate) target: InjectionTarget,
    pub(crate) account: AnnotatedAccount,
    pub(crate) newer: AnnotationAge,
    pub(crate) volume_made: SystemTime,
}

impl Entry for AnnotatedAfterPod {
    fn cause(&self) -> String {
        let (what, most_likely) = match self.newer {
            AnnotationAge::Annotation(time) => {
                // The API records when somebody last changed an object, not when which field.
                let manager = self.account.manager.as_ref().map(|manager| sanitize(&manager.name));
                let manager = manager.unwrap_or_else(|| "an unnamed manager".to_owned());
                let what =
                    format!("{manager}, which wrote the annotation, last changed it at {}", format_utc(time));
                (what, "most likely ")
            }
            AnnotationAge::Account(time) => (format!("it was created at {}", format_utc(time)), ""),
        };
        format!(
            "No identity was injected into this container. The pod's {} is annotated with the role {}, but {what}, after the \
             kubelet had set this pod up ({}): the annotation is {most_likely}newer than the pod. Injection \
             happens only when a pod is created, so restarting the container never helps.",
            self.target.account(),
            sanitize(self.account.role_arn.as_deref().unwrap_or_default()),
            format_utc(self.volume_made)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            self.target.delete_pod(),
            "Let whatever deploys the pods create and annotate the service account first, so that this does \
             not come back."
        ]
    }

    fn evidence(&self) -> Evidence {
        self.target.evidence(Some(&self.account), Some(self.volume_made))
    }
}

/// The service account was annotated before the pod was set up, but nothing was injected.
#[derive(Debug, Clone)]
pub struct WebhookMissed {
    pub(crate) target: InjectionTarget,
    pub(crate) account: AnnotatedAccount,
    /// When the annotation was written, at the latest.
    pub(crate) annotated_before: SystemTime,
    pub(crate) volume_made: SystemTime,
    /// Whether the pod's labels and annotations were seen and keep the webhook from nothing.
    pub(crate) is_left_out_by_nothing: bool,
}

impl Entry for WebhookMissed {
    fn cause(&self) -> String {
        let left_out = if self.is_left_out_by_nothing {
            ""
        } else {
            ", or a label or an annotation of the pod leaves out the pod or this container"
        };
        format!(
            "No identity was injected into this container, although the pod's {} is annotated with the role {}. The \
             annotation was there by {}, and the kubelet set this pod up later ({}): most likely the webhook left the \
             pod as it was. Either the API server could not call it (the pod is then admitted as it is), or it had not \
             seen the annotation yet{left_out}.",
            self.target.account(),
            sanitize(self.account.role_arn.as_deref().unwrap_or_default()),
            format_utc(self.annotated_before),
            format_utc(self.volume_made)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps_to_inject_again(
            &self.target.service_account,
            self.target.pod.as_deref(),
            self.is_left_out_by_nothing,
        )
    }

    fn evidence(&self) -> Evidence {
        self.target.evidence(Some(&self.account), Some(self.volume_made))
    }
}

/// The annotation names another role than the pod has, or is gone.
#[derive(Debug, Clone)]
pub struct AnnotationDiffersFromEnv {
    pub(crate) target: InjectionTarget,
    pub(crate) account: AnnotatedAccount,
    pub(crate) role_arn: String,
}

impl Entry for AnnotationDiffersFromEnv {
    fn cause(&self) -> String {
        let annotation = match &self.account.role_arn {
            Some(role_arn) => format!("is annotated with the role {}", sanitize(role_arn)),
            None if self.account.annotation_is_empty => "has an empty role annotation".to_owned(),
            None => "has no role annotation".to_owned(),
        };
        format!(
            "AWS_ROLE_ARN of this pod is {}, and its {} {annotation}. A pod keeps the role with which it was \
             admitted: either the annotation was changed or removed after that, or the pod spec sets AWS_ROLE_ARN \
             itself.",
            sanitize(&self.role_arn),
            self.target.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, pod) = self.target.kubectl_and_pod();
        let account = &self.target.service_account;
        let shared = if account.name == DEFAULT_ACCOUNT {
            format!(
                " Each pod of namespace {} that names no service account gets that role then.",
                sanitize(&account.namespace)
            )
        } else {
            String::new()
        };
        let lasting = lasting_place(&self.account).map_or_else(String::new, |lasting| format!(" {lasting}"));
        let keep = format!(
            "If the pod's role is right, annotate the service account with it.{shared}{lasting}\n{}",
            self.target.annotate(Some(&self.role_arn))
        );
        if self.account.role_arn.is_none() {
            return steps![
                keep,
                "If the pod is meant to have no role, remove AWS_ROLE_ARN from its template if it is set there, and \
                 recreate the pod."
            ];
        }
        vec![
            format!(
                "If the annotation is right, remove AWS_ROLE_ARN from the pod's template if it is set there, and delete \
                 the pod, so that a new one gets the role that the annotation names (a pod without a controller has to be \
                 created again by hand):\n{kubectl} delete pod {pod}"
            ),
            keep,
        ]
    }

    fn evidence(&self) -> Evidence {
        let role = Evidence::new().text("role_arn", &self.role_arn);
        role.merge(self.target.evidence(Some(&self.account), None))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnnotatedObject {
    Account,
    Pod,
}

/// The role is in another annotation, or on another object, than the webhook reads.
#[derive(Debug, Clone)]
pub struct RoleAnnotationMisplaced {
    pub(crate) target: InjectionTarget,
    pub(crate) annotated: AnnotatedObject,
    pub(crate) key: String,
    /// The role, trimmed.
    pub(crate) role_arn: String,
}

impl Entry for RoleAnnotationMisplaced {
    fn cause(&self) -> String {
        let (account, key, role_arn) = (self.target.account(), sanitize(&self.key), sanitize(&self.role_arn));
        let misplaced = match self.annotated {
            AnnotatedObject::Account => format!(
                "It has the annotation {key} with the role {role_arn} instead: the webhook does not read that one"
            ),
            AnnotatedObject::Pod => format!(
                "The pod itself has the annotation {key} with the role {role_arn}: the webhook reads the role only \
                 from the service account"
            ),
        };
        let other = match self.key.as_str() {
            "iam.amazonaws.com/role" => {
                " That name is the one of kube2iam and kiam, which work without this webhook."
            }
            _ => "",
        };
        format!(
            "No identity was injected into this container, and the pod's {account} has no annotation \
             eks.amazonaws.com/role-arn. {misplaced}.{other} Injection happens only when a pod is created: after \
             the annotation the pod has to be created anew, too."
        )
    }

    fn remedy(&self) -> Vec<String> {
        let is_role = arn::parse(&self.role_arn).is_ok();
        let role_arn = is_role.then_some(self.role_arn.as_str());
        let mut steps = self.target.steps_to_annotate(
            "If that role is meant, annotate the service account with it",
            role_arn,
            None,
        );
        if steps.len() < 3 {
            steps.push(
                "Correct the annotation where it is written, such as a chart's values, so that this does not come \
                 back."
                    .to_owned(),
            );
        }
        steps
    }

    fn evidence(&self) -> Evidence {
        let at = match self.annotated {
            AnnotatedObject::Account => "service-account",
            AnnotatedObject::Pod => "pod",
        };
        Evidence::new()
            .text("namespace", &self.target.service_account.namespace)
            .text("service_account", &self.target.service_account.name)
            .value("annotated", at)
            .text("annotation", &self.key)
            .text("annotated_role_arn", &self.role_arn)
    }
}
