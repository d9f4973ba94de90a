//! What of AWS's side an operator may read: the IAM of an account.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Entry, expand};
use crate::iam_api;
use crate::parameters::RoleArn;
use crate::scenario::{Scenario, ScenarioError};
use crate::token;

/// The account of the healthy world.
pub const DEFAULT_ACCOUNT: &str = "111122223333";

/// IAM as an operator reads it. With it, the operator's credentials are in the environment, those of a
/// user of the account, and `AWS_ENDPOINT_URL_IAM` leads here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Iam {
    /// The account's number.
    pub account: String,
    /// Its roles; if not said, the scenario's role, with one policy and a trust policy for the token.
    pub roles: Option<Vec<IamRole>>,
    /// Its OIDC providers; if not said, the token issuer's.
    pub providers: Option<Vec<IamProvider>>,
    /// What the simulator says; of all else it says that nothing allows it.
    pub simulations: Vec<IamSimulation>,
    /// The calls that the operator may not make.
    pub denied: Vec<String>,
    /// How many entries of a list are told at once; all if it is 0.
    pub page: usize,
    /// Answers in place of IAM's, by the names of the calls.
    pub answers: BTreeMap<String, Vec<Entry>>,
}

impl Default for Iam {
    fn default() -> Self {
        Self {
            account: DEFAULT_ACCOUNT.to_owned(),
            roles: None,
            providers: None,
            simulations: Vec::new(),
            denied: Vec::new(),
            page: 0,
            answers: BTreeMap::new(),
        }
    }
}

/// A role in IAM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IamRole {
    /// Its name; the scenario's role's if not said.
    pub name: Option<String>,
    /// Its path; the scenario's role's if neither it nor the name is said.
    pub path: Option<String>,
    /// Its trust policy; one for the token if not said.
    pub trust_policy: Option<String>,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// When it was last used, as `2026-11-20T17:14:00Z`.
    pub last_used: Option<String>,
    /// The names of its managed policies.
    pub attached: Vec<String>,
    /// The names of its inline policies.
    pub inline: Vec<String>,
}

impl Default for IamRole {
    fn default() -> Self {
        Self {
            name: None,
            path: None,
            trust_policy: None,
            boundary: None,
            last_used: None,
            attached: vec!["payments-read".to_owned()],
            inline: Vec::new(),
        }
    }
}

/// An OIDC provider in IAM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IamProvider {
    /// The issuer, without `https://`; the token's if not said.
    pub url: String,
    /// Its client ids.
    pub client_ids: Vec<String>,
}

impl Default for IamProvider {
    fn default() -> Self {
        Self { url: "${provider}".to_owned(), client_ids: vec!["sts.amazonaws.com".to_owned()] }
    }
}

/// What the simulator says of an action on a resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IamSimulation {
    /// The action.
    pub action: String,
    /// The resource.
    #[serde(default = "any")]
    pub resource: String,
    /// What it comes to.
    pub decision: SimulatedDecision,
    /// The policies that decided, and their types.
    #[serde(default)]
    pub matched: Vec<(String, String)>,
    /// The context keys that were not given.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Whether the boundary allows it.
    pub boundary: Option<bool>,
    /// Whether the organization allows it.
    pub organization: Option<bool>,
}

fn any() -> String {
    "*".to_owned()
}

/// What a simulation comes to, in IAM's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SimulatedDecision {
    /// It is allowed.
    Allowed,
    /// No policy allows it.
    ImplicitDeny,
    /// A policy denies it.
    ExplicitDeny,
}

impl SimulatedDecision {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicitDeny",
            Self::ExplicitDeny => "explicitDeny",
        }
    }
}

impl Iam {
    /// The texts that may hold placeholders.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let policies = self.roles.iter().flatten().filter_map(|role| role.trust_policy.as_ref());
        policies.chain(self.providers.iter().flatten().map(|provider| &provider.url))
    }

    /// The ARN of the operator.
    #[must_use]
    pub fn operator(&self) -> String {
        format!("arn:aws:iam::{}:user/operator", self.account)
    }

    /// What IAM tells of it, in the world of the scenario, whose placeholders have these values.
    ///
    /// # Errors
    /// If a text names a placeholder without a value.
    pub(crate) fn account(
        &self,
        scenario: &Scenario,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<iam_api::Account, ScenarioError> {
        let healthy = [IamRole::default()];
        let roles = self.roles.as_deref().unwrap_or(&healthy);
        let healthy = [IamProvider::default()];
        let providers = self.providers.as_deref().unwrap_or(&healthy);
        Ok(iam_api::Account {
            id: self.account.clone(),
            roles: roles.iter().map(|role| self.role(role, scenario, value)).collect::<Result<_, _>>()?,
            providers: providers
                .iter()
                .map(|provider| {
                    let url = expand(&provider.url, value)?;
                    Ok(iam_api::Provider { url, client_ids: provider.client_ids.clone() })
                })
                .collect::<Result<_, _>>()?,
            simulations: self.simulations.iter().map(simulation).collect(),
            denied: self.denied.clone(),
            page: self.page,
        })
    }

    fn role(
        &self,
        role: &IamRole,
        scenario: &Scenario,
        value: &dyn Fn(&str) -> Option<String>,
    ) -> Result<iam_api::Role, ScenarioError> {
        let of_scenario = RoleArn::parse(&scenario.role.arn);
        let (name, path) = of_scenario.map_or_else(
            || (String::new(), String::new()),
            |arn| {
                let resource = arn.arn.split_once(":role").map_or("", |(_, resource)| resource);
                let path = resource.strip_suffix(&arn.name).unwrap_or_default().to_owned();
                (arn.name, path)
            },
        );
        let path = if role.name.is_none() { path } else { String::new() };
        let policy = role.trust_policy.clone().unwrap_or_else(|| self.trust_policy());
        Ok(iam_api::Role {
            name: role.name.clone().unwrap_or(name),
            path: role.path.clone().unwrap_or(path),
            trust_policy: expand(&policy, value)?,
            boundary: role.boundary.clone(),
            last_used: role.last_used.clone(),
            attached: role.attached.clone(),
            inline: role.inline.clone(),
        })
    }

    /// One that lets the pod in.
    fn trust_policy(&self) -> String {
        let (account, subject) = (&self.account, token::subject());
        format!(
            r#"{{
  "Version": "2012-10-17",
  "Statement": [
    {{
      "Effect": "Allow",
      "Principal": {{
        "Federated": "arn:aws:iam::{account}:oidc-provider/${{provider}}"
      }},
      "Action": "sts:AssumeRoleWithWebIdentity",
      "Condition": {{
        "StringEquals": {{
          "${{provider}}:sub": "{subject}",
          "${{provider}}:aud": "sts.amazonaws.com"
        }}
      }}
    }}
  ]
}}"#
        )
    }
}

fn simulation(told: &IamSimulation) -> iam_api::Simulation {
    iam_api::Simulation {
        action: told.action.clone(),
        resource: told.resource.clone(),
        decision: told.decision.as_str().to_owned(),
        matched: told.matched.clone(),
        missing: told.missing.clone(),
        boundary: told.boundary,
        organization: told.organization,
    }
}
