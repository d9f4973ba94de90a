//! The trust policy and the OIDC provider that a token needs: the smallest ones that let it in.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::request::Request;
use foreign_text::escape_json;

/// The audience of a token for STS. The EKS webhook asks for it unless an annotation sets another.
pub const USUAL_AUDIENCE: &str = "sts.amazonaws.com";

/// What must exist in the role's account so that one token gets one role.
#[derive(Debug, Clone, Serialize)]
pub struct Needed {
    /// The smallest trust policy that lets the token in.
    pub trust_policy: TrustPolicy,
    /// The provider in the role's account.
    pub oidc_provider: OidcProvider,
}

/// The OIDC provider that a token needs.
#[derive(Debug, Clone, Serialize)]
pub struct OidcProvider {
    /// Its ARN.
    pub arn: String,
    /// The token's issuer.
    pub url: String,
    /// The audience, which the provider must list as a client id.
    pub client_id: String,
}

/// A trust policy with one statement. It serializes with the elements in their usual order.
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
    /// The statement as indented JSON, safe to print.
    #[must_use]
    pub fn statement_text(&self) -> String {
        let [statement] = &self.statement;
        escape_json(&serde_json::to_string_pretty(statement).unwrap_or_default())
    }
}

/// The usual audience if the token has it, else the first.
fn audience(request: &Request) -> String {
    let usual = request.audience.iter().find(|audience| *audience == USUAL_AUDIENCE);
    usual.or_else(|| request.audience.first()).cloned().unwrap_or_default()
}

/// Escapes a text for use as a value in a policy, so that IAM reads no variable in it.
/// Source: "IAM policy elements: Variables and tags" in the IAM User Guide, "Special characters".
#[must_use]
pub fn literal(text: &str) -> String {
    text.replace("${", "${$}{")
}

/// The trust policy and the OIDC provider that a request needs.
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
