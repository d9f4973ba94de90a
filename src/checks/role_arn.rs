//! The role ARN is well-formed.

use crate::aws::arn::{self, RoleArn};
use crate::diagnosis::role_arn::RoleArnMalformed;
use crate::evidence::Evidence;
use crate::run::{Observed, Verdict};

impl Observed for RoleArn {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .value("partition", self.partition.id)
            .text("account", &self.account)
            .text("role_name", &self.name)
    }
}

/// Judges the text.
#[must_use]
pub fn judge(text: &str) -> Verdict<RoleArn> {
    match arn::parse(text) {
        Ok(role) => Verdict::Pass(role),
        Err(fault) => Verdict::fail(RoleArnMalformed { text: text.to_owned(), fault }),
    }
}
