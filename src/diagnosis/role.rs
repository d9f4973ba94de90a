//! The role does not exist, or is not allowed to do what it is for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Entry;
use crate::aws::iam::{Decision, SimulatedDecision};
use crate::diagnosis::aws_cli::{iam, organization_policies, write_json, write_trust_policy};
use crate::diagnosis::identity::{ROLE_ARN, annotate_role};
use crate::evidence::Evidence;
use crate::text::{list, sanitize, shell_quote};
use crate::token::ServiceAccount;
use iam_trust::TrustPolicy;
use iam_trust::arn::RoleArn;

/// The most actions or policies that a sentence names.
const MAX_NAMED: usize = 8;

/// The maximum length of a policy's name in characters. Source: the IAM API model, `policyNameType`.
const MAX_NAME_CHARS: usize = 128;

#[derive(Debug, Clone)]
pub struct RoleNotFound {
    pub(crate) role: RoleArn,
    /// The ARN of the role with this name and another path, if there is one.
    pub(crate) namesake_arn: Option<String>,
    pub(crate) service_account: Option<ServiceAccount>,
    /// The trust policy that the role needs, unless the token is not for STS.
    pub(crate) trust_policy: Option<TrustPolicy>,
}

impl RoleNotFound {
    /// The path in the ARN, such as `/team/`, if it has one.
    fn path(&self) -> Option<&str> {
        let (_, resource) = self.role.text.split_once(":role")?;
        resource.strip_suffix(self.role.name.as_str()).filter(|path| path.len() > 1)
    }

    fn annotate(&self, role_arn: &str) -> String {
        annotate_role(self.service_account.as_ref(), role_arn)
    }
}

impl Entry for RoleNotFound {
    fn cause(&self) -> String {
        let role = sanitize(&self.role.text);
        match &self.namesake_arn {
            Some(other) => format!(
                "There is no role {role}. The role of this name in account {} is {}: the ARN that the pod was given \
                 lacks its path, or has another one. STS refuses such an ARN with the words that it has for a trust \
                 policy that does not fit.",
                self.role.account,
                sanitize(other)
            ),
            None => format!(
                "Account {} has no role of the name {}: it was deleted, never made, made in another account, or \
                 its name is misspelt in {role}. STS refuses a role that does not exist with the words that it has \
                 for a trust policy that does not fit.",
                self.role.account,
                sanitize(&self.role.name)
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let create_anew = "Then delete the pod, since a pod keeps the role with which it was created:\n\
                           kubectl -n NAMESPACE delete pod POD"
            .to_owned();
        match &self.namesake_arn {
            Some(other) => vec![
                format!(
                    "Annotate the service account with the whole ARN:\n{}",
                    self.annotate(&shell_quote(other))
                ),
                create_anew,
            ],
            None => {
                let mut steps = vec![
                    format!(
                        "See which roles of a like name there are:\n{} --query \"Roles[?contains(RoleName, '{}')].Arn\"",
                        iam(&self.role, "list-roles"),
                        self.role.name.get(..self.role.name.len().min(6)).unwrap_or_default()
                    ),
                    format!(
                        "If one of them was meant, annotate the service account with it, and delete the pod, since a pod \
                         keeps its role:\n{} &&\nkubectl -n NAMESPACE delete pod POD",
                        self.annotate(ROLE_ARN)
                    ),
                ];
                steps.extend(self.trust_policy.as_ref().map(|policy| {
                    format!(
                        "If the role is yet to be made, make it with the trust policy that this token needs:\n{} &&\n{}{} \
                         --role-name {} --assume-role-policy-document file://trust-policy.json",
                        write_trust_policy(policy),
                        iam(&self.role, "create-role"),
                        self.path().map_or_else(String::new, |path| format!(" --path {}", shell_quote(path))),
                        shell_quote(&self.role.name)
                    )
                }));
                steps
            }
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("role_arn", &self.role.text)
            .value("account", self.role.account.as_str())
            .text_if("found_role_arn", self.namesake_arn.as_deref())
    }
}

#[derive(Debug, Clone)]
pub struct RoleHasNoPermissions {
    pub(crate) role: RoleArn,
}

impl Entry for RoleHasNoPermissions {
    fn cause(&self) -> String {
        format!(
            "The role {} has neither an attached nor an inline policy. A pod may get it and then be denied \
             everything, unless a policy of a resource, such as a bucket or a key, names the role.",
            sanitize(&self.role.text)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Attach the policy that the application needs:\n{} --role-name {} --policy-arn POLICY_ARN",
            iam(&self.role, "attach-role-policy"),
            shell_quote(&self.role.name)
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("role_arn", &self.role.text)
            .value("attached_policies", 0)
            .value("inline_policies", 0)
    }
}

/// Actions that the role is not allowed, according to IAM's simulation.
#[derive(Debug, Clone)]
pub(crate) struct ForbiddenActions {
    pub(crate) role: RoleArn,
    pub(crate) boundary: Option<String>,
    pub(crate) actions: Vec<SimulatedDecision>,
}

impl ForbiddenActions {
    /// The policies that decided, without duplicates.
    fn policies(&self) -> Vec<String> {
        let mut policies: Vec<String> = Vec::new();
        for matched in self.actions.iter().flat_map(|action| &action.matched) {
            let kind =
                matched.kind.as_deref().map_or_else(String::new, |kind| format!(" ({})", sanitize(kind)));
            let policy = format!("{}{kind}", sanitize(&matched.policy));
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
        policies
    }

    fn evidence(&self) -> Evidence {
        let actions: Vec<String> =
            self.actions.iter().map(|action| format!("{} on {}", action.action, action.resource)).collect();
        let decisions: Vec<&str> =
            self.actions.iter().map(|action| decision_name(&action.decision)).collect();
        Evidence::new()
            .text("role_arn", &self.role.text)
            .texts("actions", &actions)
            .texts("decisions", &decisions)
            .texts("policies", &self.policies())
            .texts("missing_context", &Vec::from_iter(missing_context(&self.actions)))
            .text_if("permissions_boundary", self.boundary.as_deref())
    }

    /// The policy that grants the actions.
    fn grant(&self) -> Value {
        let actions: BTreeSet<&str> = self.actions.iter().map(|action| action.action.as_str()).collect();
        let resources: BTreeSet<&str> = self.actions.iter().map(|action| action.resource.as_str()).collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}],
        })
    }

    /// The name of the policy that grants the actions.
    fn policy_name(&self) -> String {
        let actions: BTreeSet<&str> = self.actions.iter().map(|action| action.action.as_str()).collect();
        let name = format!("grant-{}", Vec::from_iter(actions).join("-"));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
        name.chars().map(|c| if allowed(c) { c } else { '-' }).take(MAX_NAME_CHARS).collect()
    }
}

/// The decision as the IAM API spells it.
pub(crate) fn decision_name(decision: &Decision) -> &str {
    match decision {
        Decision::Allowed => "allowed",
        Decision::ImplicitDeny => "implicitDeny",
        Decision::ExplicitDeny => "explicitDeny",
        Decision::Other(other) => other,
    }
}

/// The actions, as `s3:GetObject on *`.
pub(crate) fn action_list(simulated: &[SimulatedDecision]) -> String {
    let each = |action: &SimulatedDecision| {
        format!("{} on {}", sanitize(&action.action), sanitize(&action.resource))
    };
    list(&simulated.iter().map(each).collect::<Vec<_>>(), MAX_NAMED)
}

/// The context keys that a simulation did not have.
fn missing_context(simulated: &[SimulatedDecision]) -> BTreeSet<&String> {
    simulated.iter().flat_map(|action| &action.missing_context).collect()
}

/// The limits of a simulation, in sentences.
pub(crate) fn caveat(simulated: &[SimulatedDecision]) -> String {
    let keys: Vec<String> = missing_context(simulated).into_iter().map(|key| sanitize(key)).collect();
    let keys = if keys.is_empty() {
        String::new()
    } else {
        format!(
            " Policies read keys that the simulation does not know, and with them it may end otherwise: {}.",
            list(&keys, MAX_NAMED)
        )
    };
    format!("{keys} Policies of resources and of keys, and resource control policies, are not simulated.")
}

wordings! { ForbiddenActions:
    ActionNotGranted;
    |forbidden| format!(
        "No policy of the role {} grants it {}.{}",
        sanitize(&forbidden.role.text), action_list(&forbidden.actions), caveat(&forbidden.actions)
    );
    |forbidden| if forbidden.actions.iter().any(|action| action.resource == "*") { steps![
        "Audit again with --resource ARN for what the application uses. The simulation was for all resources, and a \
         grant on all of them gives too much.",
        "Or add the actions for those resources to the role's policy by hand."
    ]} else { vec![format!(
        "If the application needs it, and only on these resources, grant it by an inline policy of the role (a \
         policy of this name is replaced):\n{} &&\n{} --role-name {} --policy-name {} --policy-document file://policy.json",
        write_json(&forbidden.grant(), "policy.json"), iam(&forbidden.role, "put-role-policy"), shell_quote(&forbidden.role.name),
        shell_quote(&forbidden.policy_name())
    )]};

    ActionDenied;
    |forbidden| {
        let by = forbidden.policies();
        let by = if by.is_empty() { "a policy that IAM does not name".to_owned() } else { list(&by, MAX_NAMED) };
        format!(
            "The role {} is denied {}, by {by}. A denial goes before whatever else is granted.{}",
            sanitize(&forbidden.role.text), action_list(&forbidden.actions), caveat(&forbidden.actions)
        )
    };
    |forbidden| steps![
        format!(
            "Look at {by}, which denies it. The role's policies are:\n{list} --role-name {role}\n{attached} --role-name {role}",
            by = match forbidden.policies().as_slice() {
                [] => "the policy".to_owned(),
                policies => list(policies, MAX_NAMED),
            },
            list = iam(&forbidden.role, "list-role-policies"), attached = iam(&forbidden.role, "list-attached-role-policies"),
            role = shell_quote(&forbidden.role.name)
        ),
        "Ask the author of the denial which callers it keeps out. If this role is not one of them, let a condition except \
         the role."
    ];

    /// The permissions boundary does not allow an action.
    ActionOutsideBoundary;
    |forbidden| format!(
        "The role {} has a permissions boundary, {}, which does not let through {}. What a boundary does not allow \
         is denied, whatever the role's own policies grant.{}",
        sanitize(&forbidden.role.text), forbidden.boundary.as_deref().map_or_else(|| "which IAM did not name".to_owned(), sanitize),
        action_list(&forbidden.actions), caveat(&forbidden.actions)
    );
    |forbidden| steps![
        format!(
            "Look at the boundary:\n{} --policy-arn {}",
            iam(&forbidden.role, "get-policy"), forbidden.boundary.as_deref().map_or_else(|| "POLICY_ARN".to_owned(), shell_quote)
        ),"Ask whoever keeps the boundary to allow the action in it, or use a role that is within it."];

    /// A policy of the organization does not allow an action.
    ActionOutsideOrganization;
    |forbidden| format!(
        "A service control policy of the AWS organisation does not let the role {} do {}.{}",
        sanitize(&forbidden.role.text), action_list(&forbidden.actions), caveat(&forbidden.actions)
    );
    |forbidden| vec![format!(
        "Ask those who manage the organisation. They find the policies of the account by:\n{}",
        organization_policies(&forbidden.role, "SERVICE_CONTROL_POLICY")
    )];
}
