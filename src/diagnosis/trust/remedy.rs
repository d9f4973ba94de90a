//! Steps that change a trust policy.

use super::{MAX_NAMED, OpenElement, StatementId, words};
use crate::diagnosis::aws_cli::{show_trust_policy, update_trust_policy, write_trust_policy};
use crate::text::sanitize;
use iam_trust::arn::RoleArn;
use iam_trust::correct::{CorrectedPolicy, CorrectionKind, DEFAULT_TRUST_POLICY_CHARACTERS, Uncorrected};
use iam_trust::evaluate::ElementKind;

/// What else in the policy keeps the call out, or can keep it out, after the edit.
#[derive(Debug, Clone)]
pub(crate) enum Caution {
    /// Another statement would allow the call but for this element, which excludes it.
    Excludes(StatementId, ElementKind),
    /// This element of a statement that denies could not be decided.
    CanDeny(OpenElement),
}

impl Caution {
    fn words(&self) -> String {
        match self {
            Self::Excludes(statement, element) => format!(
                "{} would give the role but for {}, which rules out this call: ask whoever wrote that whom it is to \
                 keep out, and go on only if it is not this pod.",
                statement.words(),
                words::element(element)
            ),
            Self::CanDeny(open) => format!(
                "{} Corrected or not, the policy can still refuse by that: no statement that allows undoes a denial.",
                open.cause()
            ),
        }
    }
}

/// The step that replaces the policy by the corrected document.
pub(super) fn replace_policy(
    corrected: &CorrectedPolicy,
    patterns: &[String],
    cautions: &[Caution],
    role: &RoleArn,
) -> String {
    let how = match corrected.kind {
        CorrectionKind::InPlace(index) => format!("only Statement[{index}] changes"),
        CorrectionKind::Copied(index) => {
            format!("a copy of Statement[{index}] for this token is added at the end, and all others stay")
        }
        CorrectionKind::Split(index) => {
            format!("Statement[{index}] becomes one statement for each of its OIDC providers")
        }
        CorrectionKind::Added => {
            "a statement for this token is added at the end, and all others stay".to_owned()
        }
    };
    let guards = match corrected.guards.as_slice() {
        [] => String::new(),
        guards => {
            let named: Vec<String> = guards.iter().take(MAX_NAMED).map(words::element).collect();
            format!(
                " The call must also meet {}, which the author put there and which stays.",
                named.join(", ")
            )
        }
    };
    let length = match corrected.characters {
        characters if characters > DEFAULT_TRUST_POLICY_CHARACTERS => format!(
            " It has {characters} characters; IAM stores {DEFAULT_TRUST_POLICY_CHARACTERS} unless the account's quota \
             for the length of role trust policies was raised."
        ),
        _ => String::new(),
    };
    let admits = match patterns {
        [] => String::new(),
        patterns => format!(
            " Beside this pod it lets in {}, as the policy's own pattern says; write the subject in place of the \
             pattern if that is not meant.",
            words::service_accounts(patterns)
        ),
    };
    format!(
        "In account {}, put the corrected policy in place: {how}.{admits}{guards}{length}{} It replaces the whole policy; if that was \
         changed since it was judged, judge it again first.\n\
         {} &&\n{}",
        role.account,
        heed(cautions),
        write_trust_policy(&corrected.document),
        update_trust_policy(role)
    )
}

/// The sentences about what else keeps the call out, or can.
fn heed(cautions: &[Caution]) -> String {
    cautions.iter().take(MAX_NAMED).map(|caution| format!(" {}", caution.words())).collect()
}

/// The steps if there is no corrected document: look, then make the change, and heed each caution.
pub(super) fn edit_policy(
    role: &RoleArn,
    cautions: &[Caution],
    why: Option<&Uncorrected>,
    change: &str,
) -> Vec<String> {
    let why =
        why.map_or_else(|| ":".to_owned(), |why| format!(". There is no corrected policy to paste: {why}."));
    vec![
        format!(
            "In account {}, look at the role's trust policy{why}\n{}",
            role.account,
            show_trust_policy(role)
        ),
        put_in_place(role, &format!("{change}{}", heed(cautions))),
    ]
}

/// The step that makes a change by hand.
pub(super) fn put_in_place(role: &RoleArn, change: &str) -> String {
    format!(
        "{change} Save the whole corrected document as trust-policy.json, and put it in place:\n{}",
        update_trust_policy(role)
    )
}

/// The step for an element that its author put there to keep callers out.
pub(super) fn ask_author(what: &str, change: &str) -> String {
    format!(
        "Ask whoever wrote {what} whom it is to keep out, since that is said there on purpose. If that is not \
             this pod, {change}."
    )
}

/// The steps for an issuer that STS cannot reach. A provider for it would not help, and would trust every cluster that
/// has the same name.
pub(in crate::diagnosis) fn use_public_issuer(issuer: &str) -> Vec<String> {
    let issuer = sanitize(issuer);
    steps![
        format!(
            "Check which cluster issued the token. {issuer} is a private name or address, as of a virtual cluster: STS \
             cannot read its keys. Use the token that the kubelet of the EKS cluster projects into the pod; do not use \
             one that was requested inside a virtual cluster."
        ),
        format!(
            "If the cluster is your own, set a public issuer for its API server (--service-account-issuer), publish its \
             keys there, and recreate the pod. Do not create an IAM OIDC provider for {issuer}: clusters of other people \
             have the same issuer."
        ),
    ]
}
