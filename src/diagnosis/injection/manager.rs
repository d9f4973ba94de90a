//! Who writes the service account, by its managed fields, and where that manager takes the annotation from: a change
//! elsewhere does not last.

use crate::kubernetes::service_account::AnnotatedAccount;
use crate::text::{format_utc, sanitize};

/// Where a manager takes what it writes from. `None` if it writes only when a person runs it.
///
/// Source: the default field managers of these programs.
fn source_of(manager: &str) -> Option<String> {
    Some(match manager {
        "argocd-controller" | "argocd-application-controller" => {
            "the Git repository that Argo CD syncs".to_owned()
        }
        "kustomize-controller" => "the Git repository that Flux applies".to_owned(),
        "helm-controller" => "the HelmRelease that Flux applies".to_owned(),
        "helm" | "Helm" => "the values of the Helm release".to_owned(),
        "Terraform" | "HashiCorp" | "OpenTofu" => "the Terraform configuration".to_owned(),
        "eksctl" => "the cluster configuration of eksctl".to_owned(),
        "kubectl" | "kubectl-client-side-apply" => "the manifest that kubectl applies".to_owned(),
        // The controller manager creates the account named default, and changes nothing of it later.
        "kube-controller-manager" | "curl" => return None,
        other if other.starts_with("kubectl") => return None,
        other => format!("what {} applies", sanitize(other)),
    })
}

/// Where to set the annotation so that it lasts, and why. `None` if no manager is known to write it again.
pub(super) fn lasting_place(account: &AnnotatedAccount) -> Option<String> {
    let manager = account.manager.as_ref()?;
    let source = source_of(&manager.name)?;
    Some(format!(
        "Set it in {source}, too: {} last changed this service account{}, and can undo a change by kubectl.",
        sanitize(&manager.name),
        manager.changed_at.map_or_else(String::new, |at| format!(" at {}", format_utc(at)))
    ))
}
