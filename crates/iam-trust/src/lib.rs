//! What a role's trust policy and the account's OIDC provider must say for a token to be accepted.

pub mod arn;
pub mod condition;
pub mod correct;
pub mod document;
pub mod evaluate;
pub mod mismatch;
pub mod partition;
pub mod pattern;
pub mod render;
pub mod request;
pub mod variable;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arn::RoleArn;
use foreign_text::escape_json;
use request::Request;

/// The audience that the webhook asks for when no annotation says otherwise.
pub const USUAL_AUDIENCE: &str = "sts.amazonaws.com";

/// What AWS must have for one token and one role.
#[derive(Debug, Clone, Serialize)]
pub struct Needed {
    /// The role's trust policy: exactly what this token needs, and no more.
    pub trust_policy: TrustPolicy,
    /// The provider in the role's account.
    pub oidc_provider: OidcProvider,
}

/// The OIDC provider that a token needs.
#[derive(Debug, Clone, Serialize)]
pub struct OidcProvider {
    /// Its ARN.
    pub arn: String,
    /// The URL that it is registered for: the token's issuer.
    pub url: String,
    /// The client id that it must list: the audience.
    pub client_id: String,
}

/// A trust policy with one statement, in the order in which people write it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TrustPolicy {
    version: &'static str,
    statement: [Statement; 1],
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    principal: Principal,
    action: &'static str,
    condition: Condition,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Principal {
    federated: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_equals: BTreeMap<String, String>,
    #[serde(rename = "ForAnyValue:StringEquals", skip_serializing_if = "BTreeMap::is_empty")]
    any_string_equals: BTreeMap<String, String>,
}

impl TrustPolicy {
    /// Its only statement, with indentation.
    #[must_use]
    pub fn statement_text(&self) -> String {
        let [statement] = &self.statement;
        escape_json(&serde_json::to_string_pretty(statement).unwrap_or_default())
    }
}

/// The audience that IAM looks at: the usual one if the token has it, else the first.
fn audience(request: &Request) -> String {
    let usual = request.audience.iter().find(|audience| *audience == USUAL_AUDIENCE);
    usual.or_else(|| request.audience.first()).cloned().unwrap_or_default()
}

/// A text as a value of a policy: what would be read as a variable is spelt so that it stands for itself.
/// Source: "IAM policy elements: Variables and tags" in the IAM User Guide, "Special characters".
#[must_use]
pub fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

/// An issuer as IAM writes it in ARNs and condition keys: without its scheme.
#[must_use]
pub fn issuer_without_scheme(issuer: &str) -> &str {
    issuer.strip_prefix("https://").unwrap_or(issuer)
}

/// The ARN of the provider for an issuer, in the role's account.
#[must_use]
pub fn provider_arn(role: &RoleArn, issuer: &str) -> String {
    format!("arn:{}:iam::{}:oidc-provider/{}", role.partition.id, role.account, issuer_without_scheme(issuer))
}

/// What the token of a request needs to be given the role.
#[must_use]
pub fn needed(request: &Request) -> Needed {
    let (provider, provider_arn) = (request.provider(), request.provider_arn());
    let client_id = audience(request);
    let of_subject = (format!("{provider}:sub"), literal(&request.subject));
    let of_audience = (format!("{provider}:aud"), literal(&client_id));
    // "Multivalued context keys require a condition set operator": IAM User Guide.
    let condition = match request.audience.len() {
        0 | 1 => Condition {
            string_equals: BTreeMap::from([of_subject, of_audience]),
            any_string_equals: BTreeMap::new(),
        },
        _ => Condition {
            string_equals: BTreeMap::from([of_subject]),
            any_string_equals: BTreeMap::from([of_audience]),
        },
    };
    Needed {
        trust_policy: TrustPolicy {
            version: "2012-10-17",
            statement: [Statement {
                effect: "Allow",
                principal: Principal { federated: provider_arn.clone() },
                action: "sts:AssumeRoleWithWebIdentity",
                condition,
            }],
        },
        oidc_provider: OidcProvider { arn: provider_arn, url: request.issuer.clone(), client_id },
    }
}

#[cfg(test)]
mod tests {
    use super::needed;
    use crate::request::sample;

    #[test]
    fn the_statement_for_a_projected_token() {
        let needed = needed(&sample("arn:aws-cn:iam::111122223333:role/team/payments-checkout"));
        let provider = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
        assert_eq!(
            needed.oidc_provider.arn,
            format!("arn:aws-cn:iam::111122223333:oidc-provider/{provider}")
        );
        let statement: serde_json::Value =
            serde_json::from_str(&needed.trust_policy.statement_text()).unwrap();
        assert_eq!(statement["Principal"]["Federated"], needed.oidc_provider.arn);
        let equals = &statement["Condition"]["StringEquals"];
        assert_eq!(equals[format!("{provider}:sub")], "system:serviceaccount:payments:checkout");
        assert_eq!(equals[format!("{provider}:aud")], "sts.amazonaws.com");
    }

    #[test]
    fn the_usual_audience_is_chosen_among_several() {
        let mut request = sample("arn:aws:iam::111122223333:role/a");
        request.audience =
            ["https://kubernetes.default.svc", "sts.amazonaws.com"].map(str::to_owned).to_vec();
        let needed = needed(&request);
        assert_eq!(needed.oidc_provider.client_id, "sts.amazonaws.com");
        let statement: serde_json::Value =
            serde_json::from_str(&needed.trust_policy.statement_text()).unwrap();
        let any = statement["Condition"]["ForAnyValue:StringEquals"].as_object().unwrap();
        assert_eq!(any.values().collect::<Vec<_>>(), ["sts.amazonaws.com"]);
        assert_eq!(statement["Condition"]["StringEquals"].as_object().unwrap().len(), 1);
    }

    #[test]
    fn what_looks_like_a_variable_stands_for_itself() {
        let mut request = sample("arn:aws:iam::111122223333:role/a");
        request.subject = "a${aws:username}*".to_owned();
        let text = needed(&request).trust_policy.statement_text();
        assert!(text.contains("\"a${$}{aws:username}*\""), "{text}");
    }
}
