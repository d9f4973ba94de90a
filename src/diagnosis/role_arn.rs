//! The role's name.

use super::Entry;
use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::arn::ArnFault;

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
        steps![
            "Look up the role's real ARN:\naws iam get-role --role-name ROLE --query Role.Arn --output text",
            "Correct the annotation (or the variable, where it was set by hand):\n\
             kubectl -n NAMESPACE annotate --overwrite serviceaccount SERVICE_ACCOUNT \
             eks.amazonaws.com/role-arn=arn:aws:iam::ACCOUNT:role/ROLE",
            super::identity::delete_pod(None, None)
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("role_arn", &self.text)
    }
}
