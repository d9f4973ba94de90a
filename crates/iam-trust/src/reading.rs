//! Which side is likelier wrong when a policy and a token name different service accounts.
//!
//! Both can be: the policy can name the wrong service account, or the pod can ask for the wrong role. Names are
//! evidence, not proof, so the reading orders the remedies and excludes none.

use crate::mismatch::{SubjectDifference, subject_difference};
use crate::reach::split_subject;

/// The likelier error behind a subject that does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The policy: its text is no other service account's, or a slip away from the token's.
    PolicyMisspells,
    /// The policy: the role is named after the token's service account.
    RoleIsNamedAfterToken,
    /// The pod: it runs as `default`, as a pod does whose spec names no service account.
    PodRunsAsDefault {
        /// The subject in the same namespace that the policy names, if it names one.
        meant: Option<String>,
    },
    /// The pod: the role is named after the service account that the policy names.
    RoleIsNamedAfterOther(String),
    /// The pod: namespace and name are wholly different.
    WhollyDifferent,
    /// Neither is likelier.
    Either,
}

impl Reading {
    /// Reads what the policy names beside the token's subject and the role's name.
    #[must_use]
    pub fn of(wanted: &[String], subject: &str, role_name: &str) -> Self {
        let differences = || wanted.iter().map(|value| (value, subject_difference(value, subject)));
        let is_spelling = |difference: SubjectDifference| {
            matches!(
                difference,
                SubjectDifference::Case | SubjectDifference::Prefix | SubjectDifference::Invisible
            )
        };
        if differences().any(|(_, difference)| is_spelling(difference)) {
            return Self::PolicyMisspells;
        }
        let Some((namespace, name)) = split_subject(subject) else { return Self::Either };
        if name == "default" {
            let is_neighbor = |value: &&String| {
                split_subject(value)
                    .is_some_and(|(theirs, name)| theirs == namespace && !name.contains(['*', '?', '$']))
            };
            return Self::PodRunsAsDefault { meant: wanted.iter().find(is_neighbor).cloned() };
        }
        let is_swapped = |difference| difference == SubjectDifference::Swapped;
        if differences().any(|(value, difference)| is_swapped(difference) || is_slip(value, subject)) {
            return Self::PolicyMisspells;
        }
        let names_role = |name: &str| name.len() > 2 && role_name.to_ascii_lowercase().contains(name);
        let other = wanted.iter().find(|value| {
            split_subject(value)
                .is_some_and(|(_, theirs)| theirs != name && !name.contains(theirs) && names_role(theirs))
        });
        match (other, names_role(name)) {
            (Some(other), false) => Self::RoleIsNamedAfterOther(other.clone()),
            (None, true) => Self::RoleIsNamedAfterToken,
            _ if differences().all(|(_, difference)| difference == SubjectDifference::Whole) => {
                Self::WhollyDifferent
            }
            _ => Self::Either,
        }
    }
}

/// Whether two subjects are a slip of the keyboard apart. Names that differ in a digit are a family.
fn is_slip(wanted: &str, subject: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    strsim::osa_distance(wanted, subject) <= 2 && digits(wanted) == digits(subject)
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn the_names_say_which_side_is_likelier_wrong() {
        let of = |wanted: &str, subject: &str, role: &str| {
            let whole = |account: &str| format!("system:serviceaccount:{account}");
            Reading::of(&[whole(wanted)], &whole(subject), role)
        };
        let cart = "system:serviceaccount:payments:cart".to_owned();
        for (wanted, subject, role, reading) in [
            ("payment:checkout", "payments:checkout", "app", Reading::PolicyMisspells),
            ("checkout:payments", "payments:checkout", "app", Reading::PolicyMisspells),
            ("Payments:checkout", "payments:checkout", "app", Reading::PolicyMisspells),
            ("payments:app-1", "payments:app-2", "x", Reading::Either),
            ("payments:cart", "payments:checkout", "prod-cart", Reading::RoleIsNamedAfterOther(cart.clone())),
            ("payments:cart", "payments:checkout", "prod-checkout", Reading::RoleIsNamedAfterToken),
            ("payments:cart", "payments:checkout", "cart-and-checkout", Reading::Either),
            ("payments:cart", "payments:default", "cart", Reading::PodRunsAsDefault { meant: Some(cart) }),
            ("payments:*", "ci:default", "cart", Reading::PodRunsAsDefault { meant: None }),
            ("store:web", "payments:checkout", "app", Reading::WhollyDifferent),
            ("store:checkout", "payments:checkout", "app", Reading::Either),
        ] {
            assert_eq!(of(wanted, subject, role), reading, "{wanted} {subject} {role}");
        }
        assert_eq!(
            Reading::of(&["payments:checkout".into()], "system:serviceaccount:payments:checkout", "x"),
            Reading::PolicyMisspells
        );
        assert_eq!(Reading::of(&[], "no subject of a pod", "x"), Reading::Either);
    }
}
