//! Why the webhook did not inject the role of the pod's service account.
//!
//! The facts come from the Kubernetes API, or from what an audit was given. In the pod, ages are compared with the
//! age of the volume of the API token: the kubelet sets it up once, after the pod was admitted. What is newer than
//! the volume is newer than the injection, and what is older is most likely older than the injection too.

mod annotation;
mod manager;
mod suppressed;

pub(crate) use annotation::{
    AnnotatedAfterPod, AnnotatedObject, AnnotationAge, AnnotationDiffersFromEnv, RoleAnnotationMisplaced,
    ServiceAccountMissing, ServiceAccountNotAnnotated, WebhookMissed,
};
pub(crate) use suppressed::{InjectionSuppressed, SuppressionCause};

use std::time::SystemTime;

use super::identity::{DEFAULT_ACCOUNT, ROLE_ARN, annotate_role, delete_pod, kubectl, name_intended_account};

use crate::evidence::Evidence;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::text::{format_utc, sanitize, shell_quote};
use crate::token::ServiceAccount;

#[derive(Debug, Clone)]
pub(crate) struct InjectionTarget {
    pub(crate) service_account: ServiceAccount,
    /// The pod's name, if known.
    pub(crate) pod: Option<String>,
}

impl InjectionTarget {
    /// The service account in a sentence.
    fn account(&self) -> String {
        format!("service account {}", self.service_account)
    }

    /// The command that annotates the service account with a role, or with one to fill in.
    fn annotate(&self, role_arn: Option<&str>) -> String {
        let role_arn = role_arn.map_or_else(|| ROLE_ARN.to_owned(), shell_quote);
        annotate_role(Some(&self.service_account), &role_arn)
    }

    /// The steps that give the pod a role by its service account. `annotate` says when to annotate it, and `lasting`
    /// where else to write that. A pod that runs as `default` first gets an account of its own.
    fn steps_to_annotate(
        &self,
        annotate: &str,
        role_arn: Option<&str>,
        lasting: Option<String>,
    ) -> Vec<String> {
        let command = self.annotate(role_arn);
        if self.service_account.name == DEFAULT_ACCOUNT {
            let namespace = sanitize(&self.service_account.namespace);
            return steps![
                name_intended_account(&self.service_account),
                self.delete_pod().replacen("Delete the pod", "Then delete the pod", 1),
                format!(
                    "Annotate {DEFAULT_ACCOUNT} only if each pod of namespace {namespace} that names no service account \
                     is meant to have the role:\n{command}"
                )
            ];
        }
        let lasting = lasting.map_or_else(String::new, |lasting| format!(" {lasting}"));
        steps![format!("{annotate}.{lasting}\n{command}"), self.delete_pod()]
    }

    fn delete_pod(&self) -> String {
        delete_pod(Some(&self.service_account), self.pod.as_deref())
    }

    /// `kubectl -n NAMESPACE`, and the pod's name.
    fn kubectl_and_pod(&self) -> (String, String) {
        let (kubectl, _) = kubectl(Some(&self.service_account));
        (kubectl, self.pod.as_deref().map_or_else(|| "POD".to_owned(), shell_quote))
    }

    fn evidence(&self, account: Option<&AnnotatedAccount>, volume_made: Option<SystemTime>) -> Evidence {
        let time = |of: fn(&AnnotatedAccount) -> Option<SystemTime>| account.and_then(of).map(format_utc);
        Evidence::new()
            .text("namespace", &self.service_account.namespace)
            .text("service_account", &self.service_account.name)
            .text_if("annotated_role_arn", account.and_then(|account| account.role_arn.as_deref()))
            .value_if("annotated_by", time(|account| account.annotated_before))
            .text_if("manager", account.and_then(|account| Some(account.manager.as_ref()?.name.as_str())))
            .value_if("service_account_created", time(|account| account.created_at))
            .value_if("token_volume_made", volume_made.map(format_utc))
    }
}
