//! The role ARN is well-formed, and it is the expected one.

use crate::diagnosis::identity::RoleArnUnexpected;
use crate::diagnosis::role_arn::RoleArnMalformed;
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use iam_trust::arn::{self, RoleArn};

impl HasEvidence for RoleArn {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .value("partition", self.partition.id)
            .text("account", &self.account)
            .text("role_name", &self.name)
    }
}

/// Judges the text of an ARN, and whether the user expects this role.
pub(crate) fn judge(text: &str, expected: Option<&str>) -> Verdict<RoleArn> {
    match (arn::parse(text), expected) {
        (Err(fault), _) => Verdict::fail(RoleArnMalformed { text: text.to_owned(), fault }),
        (Ok(_), Some(expected)) if expected != text => {
            Verdict::fail(RoleArnUnexpected { found: text.to_owned(), expected: expected.to_owned() })
        }
        (Ok(role), _) => Verdict::Pass(role),
    }
}
