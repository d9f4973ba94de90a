//! The role's name.

use super::Entry;
use crate::evidence::Evidence;
use crate::text::sanitize;
use iam_trust::arn::{ArnFault, LENGTH};
use iam_trust::partition::Partition;

#[derive(Debug, Clone)]
pub struct RoleArnMalformed {
    pub(crate) text: String,
    pub(crate) fault: ArnFault,
}

impl Entry for RoleArnMalformed {
    fn cause(&self) -> String {
        let fault = match &self.fault {
            ArnFault::Surrounded(space) => format!("it has {space} around it"),
            ArnFault::Quoted => "it has quotation marks around it".to_owned(),
            ArnFault::NotAnArn => "it is no ARN at all".to_owned(),
            ArnFault::Partition(partition) => {
                format!("\"{}\" is no AWS partition (they are {})", sanitize(partition), Partition::names())
            }
            ArnFault::Service(service) => {
                format!("it is an ARN of the service \"{}\", and a role's is of iam", sanitize(service))
            }
            ArnFault::Region(region) => {
                format!("\"{}\" stands where IAM ARNs have nothing, between two colons", sanitize(region))
            }
            ArnFault::Account(account) => {
                format!("the account \"{}\" is not 12 digits", sanitize(account))
            }
            ArnFault::Resource(kind) => format!("it is the ARN of {kind}"),
            ArnFault::RoleColon => "it has \":role:\" where \":role/\" belongs".to_owned(),
            ArnFault::ExtraColon => "it has a colon too many".to_owned(),
            ArnFault::NameMissing => "the role has no name".to_owned(),
            ArnFault::Character(c, place) => format!(
                "character {place}, \"{}\" (U+{:04X}), cannot stand there",
                sanitize(&c.to_string()),
                u32::from(*c)
            ),
            ArnFault::Length(length) => {
                format!("it has {length} characters, and STS takes {} to {}", LENGTH.start(), LENGTH.end())
            }
        };
        format!(
            "\"{}\" is not the ARN of a role: {fault}. The webhook passes the annotation on unchecked, \
             and STS then answers \"Request ARN is invalid\".",
            sanitize(&self.text)
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
