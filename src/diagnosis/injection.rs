//! Why the pod was not given the identity that its service account stands for, where the Kubernetes
//! API says what that is like.
//!
//! All ages are compared with that of the API token's volume. The kubelet sets it up once, after the
//! pod was admitted: what is newer than the volume is newer than the injection, and what is older
//! is most likely older than that, too.

use std::time::SystemTime;

use super::identity::{delete_pod, kubectl};
use super::{Class, Entry, Owner};
use crate::evidence::Evidence;
use crate::kubernetes::service_account::Account;
use crate::shown::{sh, shown, utc};
use crate::token::ServiceAccount;

/// The pod and its service account.
#[derive(Debug, Clone)]
pub struct Injection {
    /// The pod's service account.
    pub service_account: ServiceAccount,
    /// The pod's name, if known.
    pub pod: Option<String>,
}

impl Injection {
    /// The service account for a reader.
    fn account(&self) -> String {
        let ServiceAccount { namespace, name } = &self.service_account;
        format!("service account {}/{}", shown(namespace), shown(name))
    }

    fn annotate(&self, role_arn: Option<&str>) -> String {
        let (kubectl, account) = kubectl(Some(&self.service_account));
        let role_arn = role_arn.map_or_else(|| "arn:aws:iam::ACCOUNT:role/ROLE".to_owned(), sh);
        format!(
            "{kubectl} annotate --overwrite serviceaccount {account} eks.amazonaws.com/role-arn={role_arn}"
        )
    }

    fn delete_pod(&self) -> String {
        delete_pod(Some(&self.service_account), self.pod.as_deref())
    }

    /// `kubectl -n NAMESPACE`, and the pod's name.
    fn kubectl_and_pod(&self) -> (String, String) {
        let (kubectl, _) = kubectl(Some(&self.service_account));
        (kubectl, self.pod.as_deref().map_or_else(|| "POD".to_owned(), sh))
    }

    fn evidence(&self, account: Option<&Account>, volume_made: Option<SystemTime>) -> Evidence {
        let time = |time: Option<SystemTime>| time.map(utc);
        let role_arn = account.and_then(|account| account.role_arn.as_deref());
        let annotated = time(account.and_then(|account| account.annotated_by));
        let created = time(account.and_then(|account| account.created_at));
        Evidence::new()
            .text("namespace", &self.service_account.namespace)
            .text("service_account", &self.service_account.name)
            .text_if("annotated_role_arn", role_arn)
            .text_if("annotated_by", annotated.as_deref())
            .text_if("service_account_created", created.as_deref())
            .text_if("token_volume_made", time(volume_made).as_deref())
    }
}

/// The service account names no role.
#[derive(Debug, Clone)]
pub struct ServiceAccountNotAnnotated {
    /// The pod and its service account.
    pub of: Injection,
    /// What the API says of it.
    pub account: Account,
}

impl Entry for ServiceAccountNotAnnotated {
    const CLASS: Class = Class::NotInjected;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let default = if self.of.service_account.name == "default" {
            " It is the one that a pod gets whose spec names none."
        } else {
            ""
        };
        format!(
            "No identity was injected into this container, and the pod's {} has no annotation \
             eks.amazonaws.com/role-arn, so there is no role to inject.{default} Injection happens only when a \
             pod is created: after the annotation the pod has to be created anew, too.",
            self.of.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            format!("Annotate the service account with the role:\n{}", self.of.annotate(None)),
            "If the pod should run as another service account, name that one in the pod spec instead \
             (serviceAccountName)."
                .to_owned(),
            self.of.delete_pod(),
        ]
    }

    fn evidence(&self) -> Evidence {
        self.of.evidence(Some(&self.account), None)
    }
}

/// The API knows no such service account.
#[derive(Debug, Clone)]
pub struct ServiceAccountMissing {
    /// The pod and its service account.
    pub of: Injection,
}

impl Entry for ServiceAccountMissing {
    const CLASS: Class = Class::NotInjected;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "No identity was injected into this container, and the Kubernetes API knows no {}. The pod's API token \
             was made out to it, so it was there once, and was deleted since.",
            self.of.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, account) = kubectl(Some(&self.of.service_account));
        vec![
            format!(
                "Create the service account, and annotate it with the role:\n\
                 {kubectl} create serviceaccount {account}\n{}",
                self.of.annotate(None)
            ),
            self.of.delete_pod(),
            "Find out what deleted it, such as an uninstalled chart or a pruned manifest.".to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        self.of.evidence(None, None)
    }
}

/// What is newer than the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newer {
    /// The last change by whoever wrote the annotation.
    Annotation(SystemTime),
    /// The whole service account.
    Account(SystemTime),
}

/// The service account is annotated, and that is newer than the pod.
#[derive(Debug, Clone)]
pub struct AnnotatedAfterPod {
    /// The pod and its service account.
    pub of: Injection,
    /// What the API says of it.
    pub account: Account,
    /// What is newer than the pod.
    pub newer: Newer,
    /// When the kubelet set up the volume of the pod's API token.
    pub volume_made: SystemTime,
}

impl Entry for AnnotatedAfterPod {
    const CLASS: Class = Class::NotInjected;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let (what, most_likely) = match self.newer {
            Newer::Annotation(time) => {
                // The API records when somebody last changed an object, not when which field.
                (format!("whoever annotated it last changed it at {}", utc(time)), "most likely ")
            }
            Newer::Account(time) => (format!("it was created at {}", utc(time)), ""),
        };
        format!(
            "No identity was injected into this container. The pod's {} is annotated with the role {}, but {what}, after the \
             kubelet had set this pod up ({}): the annotation is {most_likely}newer than the pod. Injection \
             happens only when a pod is created, so restarting the container never helps.",
            self.of.account(),
            shown(self.account.role_arn.as_deref().unwrap_or_default()),
            utc(self.volume_made)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            self.of.delete_pod(),
            "Let whatever deploys the pods create and annotate the service account first, so that this does \
             not come back."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        self.of.evidence(Some(&self.account), Some(self.volume_made))
    }
}

/// The service account is annotated, and not known to be newer than the pod; still nothing was injected.
#[derive(Debug, Clone)]
pub struct WebhookMissed {
    /// The pod and its service account.
    pub of: Injection,
    /// What the API says of it.
    pub account: Account,
    /// When the kubelet set up the volume of the pod's API token, if known.
    pub volume_made: Option<SystemTime>,
}

impl Entry for WebhookMissed {
    const CLASS: Class = Class::NotInjected;
    const OWNER: Owner = Owner::Cluster;

    fn cause(&self) -> String {
        let age = match (self.account.annotated_by, self.volume_made) {
            (Some(annotated), Some(made)) => format!(
                "The annotation was there by {}, and the kubelet set this pod up later ({}): most likely the webhook \
                 left the pod as it was",
                utc(annotated),
                utc(made)
            ),
            _ => "Which is older, the annotation or the pod, is not known here: either the annotation was \
                  written after the pod was created, or the webhook left the pod as it was"
                .to_owned(),
        };
        format!(
            "No identity was injected into this container, although the pod's {} is annotated with the role {}. \
             {age}. The webhook does so where it is not reachable (the pod is then admitted as it is), where it has not \
             seen the annotation yet, and where a label or an annotation of the pod tells it to leave out the pod \
             or this container.",
            self.of.account(),
            shown(self.account.role_arn.as_deref().unwrap_or_default())
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, pod) = self.of.kubectl_and_pod();
        vec![
            self.of.delete_pod(),
            format!(
                "If the new pod has no identity either, see whether it asks to be left out: the label \
                 eks.amazonaws.com/skip-pod-identity-webhook, or the annotation \
                 eks.amazonaws.com/skip-containers.\n\
                 {kubectl} get pod {pod} -o jsonpath='{{.metadata.labels}} {{.metadata.annotations}}{{\"\\n\"}}'"
            ),
            "Else see whether the webhook is registered, which namespaces it leaves out, and, where it runs in \
             the cluster itself, that it runs.\n\
             kubectl get mutatingwebhookconfigurations -o yaml"
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        self.of.evidence(Some(&self.account), self.volume_made)
    }
}

/// The service account names another role than the pod, or none any more.
#[derive(Debug, Clone)]
pub struct AnnotationDiffersFromEnv {
    /// The pod and its service account.
    pub of: Injection,
    /// What the API says of it.
    pub account: Account,
    /// The role that the pod was given.
    pub role_arn: String,
}

impl Entry for AnnotationDiffersFromEnv {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let annotation = self.account.role_arn.as_deref().map_or_else(
            || "has no role annotation".to_owned(),
            |role_arn| format!("is annotated with the role {}", shown(role_arn)),
        );
        format!(
            "AWS_ROLE_ARN of this pod is {}, and its {} {annotation}. A pod keeps the role with which it was \
             admitted: either the annotation was changed or removed after that, or the pod spec sets AWS_ROLE_ARN \
             itself.",
            shown(&self.role_arn),
            self.of.account()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, pod) = self.of.kubectl_and_pod();
        vec![
            format!(
                "If the annotation is right, delete the pod, so that a new one gets the role that it names \
                 (a pod without a controller has to be created again by hand):\n{kubectl} delete pod {pod}"
            ),
            format!(
                "If the pod's role is right, annotate the service account with it:\n{}",
                self.of.annotate(Some(&self.role_arn))
            ),
        ]
    }

    fn evidence(&self) -> Evidence {
        let role = Evidence::new().text("role_arn", &self.role_arn);
        role.and(self.of.evidence(Some(&self.account), None))
    }
}
