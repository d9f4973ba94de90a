//! The policy also lets in service accounts that it does not name.

use super::remedy::put_in_place;
use super::{ForeignCondition, MAX_NAMED, StatementId, call_evidence, difference, words};
use crate::diagnosis::Entry;
use crate::diagnosis::aws_cli::show_trust_policy;
use crate::evidence::Evidence;
use crate::text::{escape_json, sanitize};
use iam_trust::condition::Operator;
use iam_trust::document::Condition;
use iam_trust::literal;
use iam_trust::reach::Reach;
use iam_trust::request::Request;

/// A statement gives the role to service accounts that the policy does not name.
#[derive(Debug, Clone)]
pub struct TrustTooWide {
    pub(crate) request: Request,
    pub(crate) statement: StatementId,
    /// Who else gets the role.
    pub(crate) reach: Reach,
    pub(crate) subjects: Vec<Condition>,
    /// Its conditions on the subject of other issuers' tokens.
    pub(crate) foreign: Vec<ForeignCondition>,
}

impl Entry for TrustTooWide {
    fn cause(&self) -> String {
        let conditions: Vec<String> = self
            .subjects
            .iter()
            .take(MAX_NAMED)
            .map(|condition| {
                format!("{} {}", sanitize(&condition.operator), words::values(&condition.values))
            })
            .collect();
        let conditions = conditions.join(" and ");
        let is_negated =
            |condition: &Condition| Operator::parse(&condition.operator).is_some_and(Operator::is_negated);
        let is_wild = |value: &&String| value.contains(['*', '?']);
        let patterns =
            self.subjects.iter().filter(|subject| !is_negated(subject)).flat_map(|subject| &subject.values);
        let patterns: Vec<String> = patterns.filter(is_wild).cloned().collect();
        let role = sanitize(&self.request.role.text);
        let place = self.statement.words();
        let whom = match self.reach {
            Reach::Providers => format!(
                "anyone with a web identity: its Principal has AWS \"*\", and no condition holds only for tokens of \
                 this cluster. A token of any OIDC provider of account {} may have it, and one of the public ones \
                 (Google, Facebook, Login with Amazon, Amazon Cognito)",
                self.request.role.account
            ),
            Reach::Namespace | Reach::Namespaces => {
                format!("{}: they meet {conditions}", words::service_accounts(&patterns))
            }
            Reach::Cluster if self.subjects.is_empty() && self.foreign.is_empty() => {
                "every service account of the cluster: it has no condition on the subject".to_owned()
            }
            Reach::Cluster if self.subjects.is_empty() => {
                "every service account of the cluster: it has no condition on the subject of its tokens"
                    .to_owned()
            }
            Reach::Cluster if self.subjects.iter().any(is_negated) => {
                format!("every service account of the cluster but those that {conditions} keeps out")
            }
            Reach::Cluster => {
                format!("every service account of the cluster: all of them meet {conditions}")
            }
        };
        let foreign = difference::foreign_conditions(&self.foreign, &self.request);
        let may = match self.reach {
            Reach::Providers => String::new(),
            Reach::Namespace | Reach::Namespaces => {
                format!(" Whoever may create pods in such a namespace can have {role}.")
            }
            Reach::Cluster => format!(" Whoever may create pods there can have {role}."),
        };
        format!("{place} gives the role to {whom}.{foreign}{may}")
    }

    fn remedy(&self) -> Vec<String> {
        // As IAM reads it: JSON in which the subject has no variables.
        let key = format!("{}:sub", self.request.provider());
        let condition = serde_json::json!({"StringEquals": {key: literal(&self.request.subject)}});
        let role = &self.request.role;
        let foreign: Vec<String> =
            self.foreign.iter().map(|foreign| sanitize(&foreign.condition.key)).collect();
        let instead = if foreign.is_empty() {
            String::new()
        } else {
            format!(", in place of the condition on {}", foreign.join(", "))
        };
        let principal = match self.reach {
            Reach::Providers => format!(
                " Let its Principal be Federated {}. Callers with credentials of AWS then need a statement of their own.",
                sanitize(&self.request.provider_arn())
            ),
            Reach::Namespace | Reach::Namespaces | Reach::Cluster => String::new(),
        };
        vec![
            "Find out who else has the role by this statement: CloudTrail's events AssumeRoleWithWebIdentity name \
             the subject as userIdentity.userName."
                .to_owned(),
            format!("In account {}, look at the role's trust policy:\n{}", role.account, show_trust_policy(role)),
            put_in_place(
                role,
                &format!(
                    "Let the statement name its subjects, this one and those that you found{instead}, by the condition \
                     {}.{principal}",
                    escape_json(&condition.to_string())
                ),
            ),
        ]
    }

    fn evidence(&self) -> Evidence {
        let subjects: Vec<String> = self
            .subjects
            .iter()
            .map(|subject| format!("{} {}", subject.operator, subject.values.join(" ")))
            .collect();
        let foreign: Vec<String> = self.foreign.iter().map(|foreign| foreign.condition.key.clone()).collect();
        let reach = match self.reach {
            Reach::Namespace => "namespace",
            Reach::Namespaces => "namespaces",
            Reach::Cluster => "cluster",
            Reach::Providers => "providers",
        };
        let evidence = self.statement.evidence().value("reach", reach).texts("subjects", &subjects);
        evidence.texts("other_keys", &foreign).merge(call_evidence(&self.request))
    }
}
