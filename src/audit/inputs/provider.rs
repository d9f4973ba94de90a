//! OIDC providers of IAM as the AWS CLI prints them.
//!
//! `aws iam get-open-id-connect-provider` names the provider by its URL without the scheme.
//! `aws iam list-open-id-connect-providers` lists the ARNs of all.

use iam_trust::issuer_without_scheme;
use serde_json::Value;

use super::fault::InputFault;
use super::printed::{self, OtherOutput};
use crate::aws::iam::OidcProvider;
use crate::text::parse_timestamp;

/// The most client ids of a provider. Source: "IAM and AWS STS quotas" in the IAM User Guide.
const MAX_CLIENT_IDS: usize = 100;

/// What was handed in of an account's OIDC providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderInput {
    One(OidcProvider),
    /// The ARNs of all that the account has.
    Listed(Vec<String>),
}

/// What people hand in instead of a provider.
const OTHER_OUTPUTS: [OtherOutput; 4] = [
    (&["Role"], "a role, which belongs after --trust-policy"),
    (&["Statement"], "a policy, which belongs after --trust-policy"),
    (&["cluster"], "an EKS cluster, and no OIDC provider of IAM's"),
    (&["jwks_uri"], "the issuer's own discovery document, and not the OIDC provider that IAM has of it"),
];

pub fn read(bytes: &[u8]) -> Result<ProviderInput, InputFault> {
    let value = printed::json(&printed::text(bytes)?)?;
    if let Some(providers) = value.get("OpenIDConnectProviderList").and_then(Value::as_array) {
        let arn = |provider: &Value| provider.get("Arn").and_then(Value::as_str).map(str::to_owned);
        return Ok(ProviderInput::Listed(providers.iter().filter_map(arn).collect()));
    }
    if let Some(what) = value.as_object().and_then(|object| printed::other_output(object, &OTHER_OUTPUTS)) {
        return Err(InputFault::Another(what));
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let url = text("Url").filter(|url| !url.is_empty()).ok_or(InputFault::Without("Url"))?;
    const CLIENT_IDS: &str = "ClientIDList";
    let client_ids = match value.get(CLIENT_IDS) {
        // The CLI leaves out a list that is empty.
        None | Some(Value::Null) => Vec::new(),
        Some(list) => {
            let list = list.as_array().ok_or(InputFault::Without(CLIENT_IDS))?;
            let ids = list.iter().map(|id| id.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            ids.ok_or(InputFault::Without(CLIENT_IDS))?
        }
    };
    if client_ids.len() > MAX_CLIENT_IDS {
        return Err(InputFault::TooMany { what: "client ids", count: client_ids.len(), max: MAX_CLIENT_IDS });
    }
    Ok(ProviderInput::One(OidcProvider {
        arn: text("OpenIDConnectProviderArn").or_else(|| text("Arn")),
        url: issuer_without_scheme(&url).to_owned(),
        client_ids,
        created_at: text("CreateDate").as_deref().and_then(parse_timestamp),
    }))
}

#[cfg(test)]
mod tests {
    use super::{ProviderInput, read};
    use crate::audit::inputs::fault::InputFault;
    use crate::aws::iam::OidcProvider;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const URL: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

    /// What `aws iam get-open-id-connect-provider` prints.
    fn printed() -> Value {
        json!({
            "Url": URL,
            "ClientIDList": ["sts.amazonaws.com"],
            "ThumbprintList": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
            "CreateDate": "2026-11-20T09:00:00.123000+00:00",
            "Tags": []
        })
    }

    fn one(value: &Value) -> OidcProvider {
        match read(value.to_string().as_bytes()).unwrap() {
            ProviderInput::One(provider) => provider,
            ProviderInput::Listed(arns) => panic!("{arns:?}"),
        }
    }

    #[test]
    fn provider_is_read() {
        let provider = one(&printed());
        assert_eq!((provider.url.as_str(), provider.arn.as_deref()), (URL, None));
        assert_eq!(provider.client_ids, ["sts.amazonaws.com"]);
        assert!(provider.created_at.is_some());
        assert_eq!(one(&json!({"Url": ISSUER})).url, URL);
        let crlf =
            format!("\u{feff}{}", serde_json::to_string_pretty(&printed()).unwrap().replace('\n', "\r\n"));
        assert_eq!(read(crlf.as_bytes()), Ok(ProviderInput::One(provider)));
    }

    #[test]
    fn other_documents_are_named() {
        let with = |name: &str, value: Value| {
            let mut provider = printed();
            provider[name] = value;
            provider.to_string()
        };
        for (text, expected) in [
            (String::new(), InputFault::Empty),
            ("{}".to_owned(), InputFault::Without("Url")),
            ("[]".to_owned(), InputFault::Without("Url")),
            (with("Url", json!("")), InputFault::Without("Url")),
            (with("Url", json!(1)), InputFault::Without("Url")),
            (with("ClientIDList", json!("sts.amazonaws.com")), InputFault::Without("ClientIDList")),
            (with("ClientIDList", json!([1])), InputFault::Without("ClientIDList")),
        ] {
            assert_eq!(read(text.as_bytes()), Err(expected), "{text}");
        }
        for text in ["{", "CLIENTIDLIST\tsts.amazonaws.com"] {
            assert!(matches!(read(text.as_bytes()), Err(InputFault::NotJson(_))), "{text}");
        }
        for name in ["Role", "Statement", "cluster", "jwks_uri"] {
            assert!(matches!(read(with(name, json!({})).as_bytes()), Err(InputFault::Another(_))), "{name}");
        }
    }

    #[test]
    fn list_of_providers_is_read() {
        let arns = json!([{"Arn": "a"}, {"Arn": "b"}]);
        let list = json!({"OpenIDConnectProviderList": arns}).to_string();
        let expected = ProviderInput::Listed(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(read(list.as_bytes()), Ok(expected));
    }
}
