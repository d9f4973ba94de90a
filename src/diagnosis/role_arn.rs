//! The role's name.

use super::Entry;
use super::identity::{ROLE_ARN, annotate_role, delete_pod};
use crate::evidence::Evidence;
use crate::text::{sanitize, shell_quote};
use iam_trust::arn::{self, ArnFault};

#[derive(Debug, Clone)]
pub struct RoleArnMalformed {
    pub(crate) text: String,
    pub(crate) fault: ArnFault,
}

impl Entry for RoleArnMalformed {
    fn cause(&self) -> String {
        format!(
            "\"{}\" is not the ARN of a role: {}. The webhook passes the annotation on unchecked, \
             and STS then answers \"Request ARN is invalid\".",
            sanitize(&self.text),
            self.fault
        )
    }

    fn remedy(&self) -> Vec<String> {
        let delete = delete_pod(None, None);
        match arn::intended(&self.text) {
            Some(role) => steps![
                format!(
                    "If {} is meant, set it in the annotation, or in the variable, where that was set by hand:\n{}",
                    sanitize(&role.text),
                    annotate_role(None, &shell_quote(&role.text))
                ),
                delete
            ],
            None => steps![
                "Look up the role's real ARN:\naws iam get-role --role-name ROLE --query Role.Arn --output text",
                format!(
                    "Correct the annotation, or the variable, where that was set by hand:\n{}",
                    annotate_role(None, ROLE_ARN)
                ),
                delete
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("role_arn", &self.text)
    }
}
