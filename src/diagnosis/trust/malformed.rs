//! The document is not a trust policy.

use crate::diagnosis::Entry;
use crate::diagnosis::aws_cli::show_trust_policy;
use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::arn::RoleArn;
use iam_trust::document::PolicyError;

/// The document is not a trust policy that IAM would store.
#[derive(Debug, Clone)]
pub struct TrustPolicyMalformed {
    pub(crate) role: RoleArn,
    pub(crate) error: PolicyError,
}

impl Entry for TrustPolicyMalformed {
    fn cause(&self) -> String {
        format!(
            "This is no trust policy that IAM would store, so it says nothing of the token: {}.",
            sanitize(&self.error.to_string())
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            format!(
                "See what the role has; whatever that command prints can be audited as it is:\n{}",
                show_trust_policy(&self.role)
            ),
            "If the document is one that is yet to be put in place, correct it and audit it again."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text_if("place", Some(self.error.place.as_str()).filter(|place| !place.is_empty()))
            .text("fault", &self.error.to_string())
            .text("role_arn", &self.role.text)
    }
}
