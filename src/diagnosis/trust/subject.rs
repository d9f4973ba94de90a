//! What to do when policy and token name different service accounts: which of the two is wrong, and the steps for
//! either, the likelier first.

use crate::diagnosis::identity::{ROLE_ARN, annotate_role, kubectl};
use crate::text::sanitize;
use crate::token::ServiceAccount;
use iam_trust::reading::Reading;
use iam_trust::request::Request;

/// The steps, where the policy wants these subjects, and `in_policy` are the steps that let the token's in.
pub(super) fn remedy(request: &Request, wanted: &[String], in_policy: Vec<String>) -> Vec<String> {
    let Some(account) = ServiceAccount::of_subject(&request.subject) else { return in_policy };
    let role = sanitize(&request.role.name);
    let whose = account.to_string();
    let reading = Reading::of(wanted, &request.subject, &request.role.name);
    let why = match &reading {
        Reading::PolicyMisspells => return in_policy,
        Reading::RoleIsNamedAfterToken => String::new(),
        Reading::PodRunsAsDefault { .. } => {
            format!("The pod runs as {whose}, as a pod does whose spec names no service account. ")
        }
        Reading::RoleIsNamedAfterOther(other) => format!(
            "The role's name, {role}, fits {}, which the policy names: the pod can have the wrong role. ",
            account_words(other)
        ),
        Reading::WhollyDifferent => {
            "Namespace and name both differ from the policy's: the pod can have the wrong role. ".to_owned()
        }
        Reading::Either => "Either the pod asks for the wrong role, or the policy lacks it. ".to_owned(),
    };
    let (kubectl, _) = kubectl(Some(&account));
    let other_account = format!(
        "If the pod is meant to run as {}, set spec.serviceAccountName in its template.",
        meant_account(wanted)
    );
    let other_role = format!(
        "{why}{other_account} If {whose} is meant to have another role than {role}, set that role, and recreate the \
         pod:\n{} &&\n{kubectl} delete pod POD",
        annotate_role(Some(&account), ROLE_ARN)
    );
    let in_policy = in_policy.into_iter().enumerate().map(|(at, step)| match at {
        0 if reading != Reading::RoleIsNamedAfterToken => {
            format!("If {whose} is meant to have {role}, too, change the policy. {step}")
        }
        _ => step,
    });
    match &reading {
        Reading::RoleIsNamedAfterToken => in_policy.chain([other_account]).collect(),
        Reading::PodRunsAsDefault { meant } => {
            let meant = meant.as_deref().map_or_else(|| meant_account(wanted), account_words);
            let named =
                format!("{why}Set spec.serviceAccountName in its template to {meant}, and recreate the pod.");
            let warning = "The policy can name default, but then each pod of the namespace that names no service \
                           account gets the role.";
            let in_policy = in_policy.map(|step| format!("{warning} {step}"));
            std::iter::once(named).chain(in_policy.take(1)).collect()
        }
        _ => std::iter::once(other_role).chain(in_policy).collect(),
    }
}

/// The service account that the policy names, in a sentence.
fn meant_account(wanted: &[String]) -> String {
    match wanted {
        [one] => account_words(one),
        _ => "a service account that the policy names".to_owned(),
    }
}

fn account_words(subject: &str) -> String {
    let plain = ServiceAccount::of_subject(subject).filter(|_| !subject.contains(['*', '?', '$']));
    plain.map_or_else(
        || format!("a service account that fits \"{}\"", sanitize(subject)),
        |account| account.to_string(),
    )
}
