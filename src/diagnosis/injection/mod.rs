//! Why the webhook did not inject the role of the pod's service account.
//!
//! The facts come from the Kubernetes API, or from what an audit was given. In the pod, ages are compared with the
//! age of the volume of the API token: the kubelet sets it up once, after the pod was admitted. What is newer than
//! the volume is newer than the injection, and what is older is most likely older than the injection too.

mod annotation;
mod suppressed;

pub(crate) use annotation::{
    AnnotatedAfterPod, AnnotatedObject, AnnotationAge, AnnotationDiffersFromEnv, RoleAnnotationMisplaced,
    ServiceAccountMissing, ServiceAccountNotAnnotated, WebhookMissed,
};
pub(crate) use suppressed::{InjectionSuppressed, SuppressionCause};

use std::time::SystemTime;

use super::identity::{annotate_role, delete_pod, kubectl};
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
        let ServiceAccount { namespace, name } = &self.service_account;
        format!("service account {}/{}", sanitize(namespace), sanitize(name))
    }

    fn annotate(&self, role_arn: Option<&str>) -> String {
        let role_arn = role_arn.map_or_else(|| "arn:aws:iam::ACCOUNT:role/ROLE".to_owned(), shell_quote);
        annotate_role(Some(&self.service_account), &role_arn)
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
        let time = |time: Option<SystemTime>| time.map(format_utc);
        let role_arn = account.and_then(|account| account.role_arn.as_deref());
        let annotated = time(account.and_then(|account| account.annotated_before));
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
