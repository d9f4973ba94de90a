//! A role's trust policy as a bare document, or as `aws iam get-role` prints it.
//!
//! A `--query` can have picked the role, its document, or a list of its ARN and its document, which our remedies
//! ask for. Whether the document is a policy is judged later: it is passed on as text.

use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::InputFault;
use super::printed::{self, OtherOutput};
use crate::aws::iam::Role;
use crate::text::parse_timestamp;

/// What people hand in instead of a trust policy.
const OTHER_OUTPUTS: [OtherOutput; 9] = [
    (
        &["Credentials", "AccessKeyId", "SecretAccessKey"],
        "credentials, and no trust policy: keep them where nobody reads them",
    ),
    (&["token"], "a token, and no trust policy: keep it where nobody reads it"),
    (
        &["PolicyVersion"],
        "a permission policy (aws iam get-policy-version), and no role with its trust policy",
    ),
    (&["PolicyDocument"], "a permission policy (aws iam get-role-policy), and no role with its trust policy"),
    (&["AttachedPolicies"], "a list of permission policies, and no role with its trust policy"),
    (&["ClientIDList"], "an OIDC provider, which belongs after --oidc-provider"),
    (&["OpenIDConnectProviderList"], "a list of OIDC providers, which belongs after --oidc-provider"),
    (&["schema"], "a document of irsa-probe's own, and no trust policy that a role has"),
    (&["kind"], "an object of Kubernetes, and no trust policy"),
];

pub fn read(bytes: &[u8]) -> Result<Role, InputFault> {
    let text = printed::text(bytes)?;
    match printed::json(&text) {
        Ok(Value::String(encoded)) => Ok(bare_policy(printed::url_decoded(&encoded))),
        Ok(Value::Array(list)) => read_list(&list),
        Ok(Value::Object(object)) => read_json_object(&object, text),
        Ok(Value::Null) => Err(InputFault::Without(DOCUMENT)),
        Ok(Value::Bool(_) | Value::Number(_)) => Ok(bare_policy(text)),
        Err(fault @ InputFault::TooManyValues(_)) => Err(fault),
        // The document is URL-encoded, or it is not JSON, which the reading of the policy reports.
        Err(_) => Ok(bare_policy(printed::url_decoded(&text))),
    }
}

fn bare_policy(document: String) -> Role {
    Role { trust_policy: document, ..Role::default() }
}

/// The member of a role that is its trust policy.
const DOCUMENT: &str = "AssumeRolePolicyDocument";

fn read_json_object(object: &Map<String, Value>, text: String) -> Result<Role, InputFault> {
    if let Some(Value::Object(role)) = object.get("Role") {
        return read_role(role);
    }
    if object.contains_key(DOCUMENT) {
        return read_role(object);
    }
    if let Some(Value::Array(roles)) = object.get("Roles") {
        return match roles.as_slice() {
            [Value::Object(role)] => read_role(role),
            roles => Err(InputFault::Several { what: "roles", count: roles.len() }),
        };
    }
    if object.contains_key("RoleName") || object.contains_key("RoleId") {
        return Err(InputFault::Without(DOCUMENT));
    }
    let is_policy = object.contains_key("Statement");
    match printed::other_output(object, &OTHER_OUTPUTS).filter(|_| !is_policy) {
        Some(what) => Err(InputFault::Another(what)),
        None => Ok(bare_policy(text)),
    }
}

fn read_role(role: &Map<String, Value>) -> Result<Role, InputFault> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let inside = |object: &str, name: &str| text(role.get(object).and_then(|object| object.get(name)));
    let max_session = role.get("MaxSessionDuration").and_then(Value::as_u64);
    Ok(Role {
        trust_policy: role.get(DOCUMENT).and_then(document_text).ok_or(InputFault::Without(DOCUMENT))?,
        arn: text(role.get("Arn")),
        created_at: text(role.get("CreateDate")).as_deref().and_then(parse_timestamp),
        max_session: max_session.map(Duration::from_secs),
        boundary_arn: inside("PermissionsBoundary", "PermissionsBoundaryArn"),
        last_used: inside("RoleLastUsed", "LastUsedDate").as_deref().and_then(parse_timestamp),
    })
}

/// Reads a list as `--query 'Role.[Arn,AssumeRolePolicyDocument]'` picks it, in any order.
fn read_list(list: &[Value]) -> Result<Role, InputFault> {
    let is_arn = |value: &&Value| value.as_str().is_some_and(|text| text.starts_with("arn:"));
    let arn = list.iter().find(is_arn).and_then(Value::as_str).map(str::to_owned);
    let documents: Vec<String> =
        list.iter().filter(|value| !is_arn(value)).filter_map(document_text).collect();
    match documents.as_slice() {
        [] => Err(InputFault::Without(DOCUMENT)),
        [one] => Ok(Role { arn, trust_policy: one.clone(), ..Role::default() }),
        several => Err(InputFault::Several { what: "documents", count: several.len() }),
    }
}

/// The text of a document, which the AWS CLI decodes and the IAM API encodes.
fn document_text(value: &Value) -> Option<String> {
    match value {
        Value::Object(_) => serde_json::to_string_pretty(value).ok(),
        Value::String(encoded) => Some(printed::url_decoded(encoded)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Role, read};
    use crate::audit::inputs::fault::InputFault;
    use crate::text::format_utc;
    use iam_trust::document::{self, PolicyError};
    use serde_json::{Value, json};
    use std::time::Duration;

    const ARN: &str = "arn:aws:iam::111122223333:role/team/payments-checkout";
    const BOUNDARY: &str = "arn:aws:iam::111122223333:policy/boundary";
    /// `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",…}]}` as IAM's API gives it.
    const ENCODED: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22\
        Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";

    fn policy() -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    }

    /// What `aws iam get-role` prints.
    fn role(document: Value) -> Value {
        json!({"Role": {
            "Path": "/team/",
            "RoleName": "payments-checkout",
            "RoleId": "AROAEXAMPLEEXAMPLE123",
            "Arn": ARN,
            "CreateDate": "2026-11-20T09:00:00+00:00",
            "AssumeRolePolicyDocument": document,
            "Description": "",
            "MaxSessionDuration": 3600,
            "PermissionsBoundary": {
                "PermissionsBoundaryType": "Policy",
                "PermissionsBoundaryArn": BOUNDARY
            },
            "Tags": [],
            "RoleLastUsed": {"LastUsedDate": "2026-11-23T09:00:00+00:00", "Region": "eu-west-1"}
        }})
    }

    fn parsed(given: &Role) -> Result<document::Document, PolicyError> {
        document::parse(&given.trust_policy)
    }

    #[test]
    fn document_is_found_in_every_form() {
        let expected = document::read(&policy()).unwrap();
        let pretty = serde_json::to_string_pretty(&policy()).unwrap();
        for (form, text, has_arn) in [
            ("bare", pretty.clone(), false),
            ("a BOM and CRLF", format!("\u{feff}{}\r\n", pretty.replace('\n', "\r\n")), false),
            ("get-role", role(policy()).to_string(), true),
            ("get-role, encoded", role(json!(ENCODED)).to_string(), true),
            ("get-role, a text of JSON", role(json!(policy().to_string())).to_string(), true),
            ("--query Role", role(policy())["Role"].to_string(), true),
            ("--query of a list", json!([ARN, policy()]).to_string(), true),
            ("--query of a list, turned around", json!([policy(), ARN]).to_string(), true),
            ("--query of a list, encoded", json!([ARN, ENCODED]).to_string(), true),
            ("--query of a list of one", json!([policy()]).to_string(), false),
            ("list-roles of one", json!({"Roles": [role(policy())["Role"]]}).to_string(), true),
            ("encoded", ENCODED.to_owned(), false),
            ("encoded, quoted", json!(ENCODED).to_string(), false),
        ] {
            let given = read(text.as_bytes()).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(parsed(&given).as_ref(), Ok(&expected), "{form}");
            assert_eq!(given.arn.as_deref(), has_arn.then_some(ARN), "{form}");
        }
    }

    #[test]
    fn role_metadata_is_read() {
        let said = read(role(policy()).to_string().as_bytes()).unwrap();
        assert_eq!(said.max_session, Some(Duration::from_secs(3600)));
        assert_eq!(said.boundary_arn.as_deref(), Some(BOUNDARY));
        assert_eq!(said.created_at.map(format_utc).as_deref(), Some("2026-11-20T09:00:00Z"));
        assert_eq!(said.last_used.map(format_utc).as_deref(), Some("2026-11-23T09:00:00Z"));
        let mut odd = role(policy());
        for name in ["Arn", "CreateDate", "MaxSessionDuration", "PermissionsBoundary", "RoleLastUsed"] {
            odd["Role"][name] = json!(["odd"]);
        }
        let bare = Role { trust_policy: said.trust_policy, ..Role::default() };
        assert_eq!(read(odd.to_string().as_bytes()).unwrap(), bare);
    }

    #[test]
    fn document_keeps_its_order() {
        let text =
            r#"{"Role":{"AssumeRolePolicyDocument":{"Statement":[],"Version":"2012-10-17","Id":"z"}}}"#;
        let document = read(text.as_bytes()).unwrap().trust_policy;
        let places = ["Statement", "Version", "Id"].map(|name| document.find(name).unwrap());
        assert!(places.is_sorted(), "{document}");
    }

    #[test]
    fn bare_document_is_unchanged() {
        // Twice the same name is a fault of the policy, which only its text shows.
        let text = r#"{"Version":"2012-10-17","Version":"2008-10-17","Statement":[]}"#;
        let given = read(text.as_bytes()).unwrap();
        assert_eq!(given.trust_policy, text);
        assert!(parsed(&given).is_err());
        for text in ["Statement: []", "1", "{}", "%7B", "{\"Statement\": [}"] {
            assert!(parsed(&read(text.as_bytes()).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn other_documents_are_named() {
        let two = json!({"Roles": [role(policy())["Role"], role(policy())["Role"]]});
        let without = || InputFault::Without("AssumeRolePolicyDocument");
        for (value, expected) in [
            (json!(null), without()),
            (json!([]), without()),
            (json!([null, null]), without()),
            (json!([ARN]), without()),
            (json!({"Role": {"Arn": ARN}}), without()),
            (json!({"RoleName": "a", "Arn": ARN}), without()),
            (role(json!(null)), without()),
            (two, InputFault::Several { what: "roles", count: 2 }),
            (json!([policy(), policy()]), InputFault::Several { what: "documents", count: 2 }),
        ] {
            assert_eq!(read(value.to_string().as_bytes()), Err(expected), "{value}");
        }
        for another in [
            json!({"PolicyVersion": {"Document": policy()}}),
            json!({"RoleName": "a", "PolicyName": "b", "PolicyDocument": policy()}),
            json!({"Url": "a", "ClientIDList": []}),
            json!({"kind": "ServiceAccount"}),
            json!({"schema": "irsa-probe.trust-policy/v1", "trust_policy": policy()}),
        ] {
            let read = read(another.to_string().as_bytes());
            assert!(
                matches!(read, Err(InputFault::Another(_) | InputFault::Without(_))),
                "{another}: {read:?}"
            );
        }
        assert_eq!(read(b" \r\n"), Err(InputFault::Empty));
        assert_eq!(read(b"\x00\xff"), Err(InputFault::NotText));
    }
}
