//! What the API says of the pod's service account.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::text::parse_timestamp;

/// The annotation that names the role of a service account.
pub(crate) const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

/// A service account, as far as an injection depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnotatedAccount {
    /// The role that it is annotated with. To the webhook an empty annotation is none.
    pub(crate) role_arn: Option<String>,
    /// Whether the annotation is there, but empty.
    pub(crate) annotation_is_empty: bool,
    pub(crate) created_at: Option<SystemTime>,
    /// When whoever wrote the annotation last changed the service account: the annotation was written
    /// then, or before. `None` if it is not recorded.
    pub(crate) annotated_before: Option<SystemTime>,
    /// The manager that wrote the annotation. If none is recorded, the manager that made the last recorded change.
    pub(crate) manager: Option<FieldManager>,
}

/// A tool or a person that wrote fields of an object, by the name that the API records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldManager {
    pub(crate) name: String,
    /// When it last changed the object.
    pub(crate) changed_at: Option<SystemTime>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<String>,
    managed_fields: Option<Vec<ManagedFields>>,
}

/// The fields that one manager wrote. `time` moves with each of its changes,
/// whichever field that was of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields {
    manager: Option<String>,
    time: Option<String>,
    #[serde(rename = "fieldsV1")]
    fields: Option<Value>,
}

impl ManagedFields {
    fn changed_at(&self) -> Option<SystemTime> {
        parse_timestamp(self.time.as_deref()?)
    }

    fn wrote_role_annotation(&self) -> bool {
        let fields = self.fields.as_ref().and_then(|fields| fields.get("f:metadata"));
        let fields = fields.and_then(|fields| fields.get("f:annotations"));
        fields.is_some_and(|fields| fields.get(format!("f:{ROLE_ANNOTATION}")).is_some())
    }

    fn manager(&self) -> Option<FieldManager> {
        Some(FieldManager { name: self.manager.clone()?, changed_at: self.changed_at() })
    }
}

impl AnnotatedAccount {
    /// The service account in an answer of the API; `None` if there is none in it.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let object: Value = serde_json::from_slice(json).ok()?;
        if object.get("kind")? != "ServiceAccount" {
            return None;
        }
        Self::from_metadata(object.get("metadata")?)
    }

    /// The service account that has this metadata.
    pub(crate) fn from_metadata(metadata: &Value) -> Option<Self> {
        let metadata = Metadata::deserialize(metadata).ok()?;
        let entries = metadata.managed_fields.unwrap_or_default();
        let annotating = || entries.iter().filter(|entry| entry.wrote_role_annotation());
        // Several can own the same value. It is as old as the first of them wrote it.
        let first = annotating().min_by_key(|entry| (entry.changed_at().is_none(), entry.changed_at()));
        let last = || entries.iter().max_by_key(|entry| entry.changed_at());
        let annotation = metadata.annotations.and_then(|mut annotations| annotations.remove(ROLE_ANNOTATION));
        Some(Self {
            annotation_is_empty: annotation.as_deref() == Some(""),
            role_arn: annotation.filter(|role_arn| !role_arn.is_empty()),
            created_at: metadata.creation_timestamp.as_deref().and_then(parse_timestamp),
            annotated_before: first.and_then(ManagedFields::changed_at),
            manager: first.or_else(last).and_then(ManagedFields::manager),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::AnnotatedAccount;
    use crate::text::format_utc;
    use serde_json::{Value, json};

    const ANSWERED: &str = include_str!("../../tests/recorded/api-get-sa-ok.json");
    const ANNOTATED: &str = include_str!("../../tests/recorded/sa-checkout.json");
    const BARE: &str = include_str!("../../tests/recorded/sa-bare.json");
    const FORBIDDEN: &str = include_str!("../../tests/recorded/api-get-sa-forbidden.json");
    const A_POD: &str = include_str!("../../tests/recorded/pod-injected.json");

    /// The role, when the account was created, and when it was annotated at the latest.
    fn read(json: &str) -> Option<(Option<String>, Option<String>, Option<String>)> {
        let account = AnnotatedAccount::parse(json.as_bytes())?;
        Some((account.role_arn, account.created_at.map(format_utc), account.annotated_before.map(format_utc)))
    }

    #[test]
    fn recorded_accounts() {
        let role = Some("arn:aws:iam::111122223333:role/payments-checkout".to_owned());
        let created = Some("2026-11-23T18:04:49Z".to_owned());
        assert_eq!(read(ANSWERED), Some((role.clone(), created.clone(), None)));
        assert_eq!(read(ANNOTATED), Some((role, created.clone(), None)));
        assert_eq!(read(BARE), Some((None, created, None)));
        for other in [FORBIDDEN, A_POD, "", "{}", "[]"] {
            assert_eq!(read(other), None);
        }
    }

    #[test]
    fn when_it_was_annotated() {
        let entry = |time: &str, fields: Value| json!({"manager": "m", "time": time, "fieldsV1": fields});
        let role = || json!({"f:metadata": {"f:annotations": {".": {}, "f:eks.amazonaws.com/role-arn": {}}}});
        let label = json!({"f:metadata": {"f:labels": {"f:app": {}}}});
        for (entries, expected) in [
            (json!(null), None),
            (json!([]), None),
            (json!([{"manager": "m"}]), None),
            (json!([entry("2026-11-23T18:00:00Z", label.clone())]), None),
            (json!([entry("soon", role())]), None),
            (
                json!([entry("2026-11-23T18:00:00Z", label), entry("2026-11-23T19:00:00Z", role())]),
                Some("2026-11-23T19:00:00Z"),
            ),
            (
                json!([entry("2026-11-23T20:00:00Z", role()), entry("2026-11-23T19:00:00Z", role())]),
                Some("2026-11-23T19:00:00Z"),
            ),
        ] {
            let mut account: Value = serde_json::from_str(ANSWERED).unwrap();
            account["metadata"]["managedFields"] = entries;
            let annotated_before =
                read(&account.to_string()).and_then(|(_, _, annotated_before)| annotated_before);
            assert_eq!(annotated_before.as_deref(), expected, "{account}");
        }
    }

    #[test]
    fn an_empty_annotation_is_none() {
        let mut account: Value = serde_json::from_str(ANSWERED).unwrap();
        account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!("");
        assert_eq!(read(&account.to_string()).and_then(|(role, _, _)| role), None);
    }
}
