//! A pod as `kubectl get pod -o json` prints it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::fault::InputFault;
use super::kubectl::{self, list, text, texts};
use crate::env::USUAL_AUDIENCE;
use crate::injection::view::{Container, ContainerKind, PodView, TOKEN_VOLUME, TokenVolume, known_variables};
use crate::text::parse_timestamp;
use crate::token::ServiceAccount;

/// The pod's annotation that names containers to leave out, as a line of CSV.
const SKIP_CONTAINERS: &str = "eks.amazonaws.com/skip-containers";
/// The pod's label that leaves it out, whatever its value is.
const SKIP_WEBHOOK: &str = "eks.amazonaws.com/skip-pod-identity-webhook";

pub fn read(bytes: &[u8]) -> Result<PodView, InputFault> {
    let pod = kubectl::read(bytes, "Pod", "pods")?;
    let spec = pod.get("spec").ok_or(InputFault::Without("spec"))?;
    let metadata = pod.get("metadata").ok_or(InputFault::Without("metadata"))?;
    let annotations = texts(metadata, "annotations");
    let kinds = [
        ("initContainers", ContainerKind::Init),
        ("containers", ContainerKind::Main),
        ("ephemeralContainers", ContainerKind::Ephemeral),
    ];
    let containers = kinds
        .into_iter()
        .flat_map(|(name, kind)| list(spec, name).iter().filter_map(move |value| container(value, kind)));
    let volumes = || list(spec, "volumes").iter().filter_map(volume);
    let skipped = annotations.iter().find(|(name, _)| *name == SKIP_CONTAINERS);
    // The webhook saw the pod when it was created. Its kubelet started a little later.
    let started_at = pod.get("status").and_then(|status| text(status, "startTime"));
    let seen_at = [started_at, text(metadata, "creationTimestamp")];
    Ok(PodView {
        name: text(metadata, "name"),
        service_account: Some(ServiceAccount {
            namespace: text(metadata, "namespace").unwrap_or_else(|| "default".to_owned()),
            name: text(spec, "serviceAccountName")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
        }),
        seen_at: seen_at.into_iter().flatten().filter_map(|text| parse_timestamp(&text)).collect(),
        containers: containers.collect(),
        token_volume: volumes().find(|(name, _)| *name == TOKEN_VOLUME).map(|(_, volume)| volume),
        sts_token_volumes: volumes()
            .filter(|(_, volume)| volume.has_audience(USUAL_AUDIENCE))
            .map(|(name, _)| name.to_owned())
            .collect(),
        skip_containers: skipped.map(|(_, names)| csv(names)).unwrap_or_default(),
        skips_webhook: texts(metadata, "labels").iter().any(|(name, _)| *name == SKIP_WEBHOOK),
        has_metadata: true,
        role_annotations: kubectl::role_annotations(&annotations),
    })
}

fn container(container: &Value, kind: ContainerKind) -> Option<Container> {
    let variable = |variable: &Value| {
        let name = text(variable, "name")?;
        // A value from elsewhere, or one that depends on other variables, is not in the pod spec.
        let value = match variable.get("valueFrom") {
            Some(_) => None,
            None => Some(text(variable, "value").unwrap_or_default()).filter(|value| !value.contains("$(")),
        };
        known_variables().any(|known| known == name).then_some((name, value))
    };
    let mount = |mount: &Value| Some((text(mount, "name")?, text(mount, "mountPath")?));
    Some(Container {
        name: text(container, "name")?,
        kind,
        env: list(container, "env").iter().filter_map(variable).collect(),
        mounts: list(container, "volumeMounts").iter().filter_map(mount).collect(),
        has_env_from: !list(container, "envFrom").is_empty(),
    })
}

/// The name of a volume, and what it would be if it had the name of the webhook's.
fn volume(volume: &Value) -> Option<(&str, TokenVolume)> {
    let name = volume.get("name")?.as_str()?;
    let sources = volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default();
    let token = sources.iter().find_map(|source| source.get("serviceAccountToken"));
    let volume = token.map_or(TokenVolume::Other, |token| TokenVolume::Token {
        audience: text(token, "audience"),
        lifetime: token.get("expirationSeconds").and_then(Value::as_u64).map(Duration::from_secs),
        path: text(token, "path"),
    });
    Some((name, volume))
}

/// The fields of the first line of CSV, as far as names of containers need it. White space belongs to a field.
/// A quotation mark in the wrong place invalidates all fields: the webhook then leaves out no container.
fn csv(text: &str) -> BTreeSet<String> {
    let line = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let bare = |field: &str| {
        let quoted = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
        let bare = quoted.unwrap_or(field);
        (!bare.contains('"')).then(|| bare.to_owned())
    };
    line.split(',').map(bare).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::audit::inputs::fault::InputFault;
    use crate::audit::inputs::service_account;
    use crate::injection::view::{ContainerKind, Injection, PodView, TokenVolume};
    use crate::text::format_utc;
    use serde_json::{Value, json};
    use std::time::Duration;

    const INJECTED: &str = include_str!("../../../tests/recorded/pod-injected.json");
    const NOT_INJECTED: &str = include_str!("../../../tests/recorded/pod-not-injected.json");
    const ANNOTATED: &str = include_str!("../../../tests/recorded/sa-checkout.json");
    const BARE: &str = include_str!("../../../tests/recorded/sa-bare.json");

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn pod(value: &Value) -> PodView {
        read(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn recorded_pods_are_read() {
        let injected = pod(&value(INJECTED));
        assert_eq!(injected.name.as_deref(), Some("checkout-6d5f9c7b8-abcde"));
        let account = injected.service_account.as_ref().unwrap();
        assert_eq!(account.namespace, "payments");
        assert_eq!(account.name, "checkout");
        assert_eq!(injected.seen_at.last().copied().map(format_utc).as_deref(), Some("2026-11-23T18:04:49Z"));
        let (lifetime, path) = (Some(Duration::from_secs(86_400)), Some("token".to_owned()));
        let audience = Some("sts.amazonaws.com".to_owned());
        assert_eq!(injected.token_volume, Some(TokenVolume::Token { audience, lifetime, path }));
        let kinds = injected.containers.iter().map(|container| (container.name.as_str(), container.kind));
        let expected = [("creds-check", ContainerKind::Init), ("app", ContainerKind::Main)];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        for container in &injected.containers {
            assert_eq!(container.injection(), Injection::Complete);
            assert_eq!(container.role_arn(), Some("arn:aws:iam::111122223333:role/payments-checkout"));
            assert_eq!(container.suppression_causes(&injected, None), []);
        }
        let bare = pod(&value(NOT_INJECTED));
        assert_eq!((bare.token_volume.as_ref(), bare.containers[0].injection()), (None, Injection::Nothing));
        assert_eq!(bare.containers[0].suppression_causes(&bare, None), []);
    }

    #[test]
    fn other_role_annotations_are_read() {
        let mut account = value(BARE);
        let role = "arn:aws:iam::111122223333:role/a";
        account["metadata"]["annotations"] = json!({"eks.amazonaws.com/role_arn": role, "other": "text",
            "eks.amazonaws.com/audience": "vault"});
        let account = service_account::read(account.to_string().as_bytes()).unwrap();
        assert_eq!(
            account.other_role_annotations,
            [("eks.amazonaws.com/role_arn".to_owned(), role.to_owned())]
        );
        assert_eq!(account.audience.as_deref(), Some("vault"));
        assert_eq!(account.account.role_arn, None);
        let mut pod = value(NOT_INJECTED);
        pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/role-arn": role});
        assert_eq!(
            self::pod(&pod).role_annotations,
            [("eks.amazonaws.com/role-arn".to_owned(), role.to_owned())]
        );
    }

    #[test]
    fn only_object_of_a_list_is_read() {
        let both = json!({"kind": "List", "items": [value(INJECTED), value(ANNOTATED)]}).to_string();
        assert!(read(both.as_bytes()).is_ok() && service_account::read(both.as_bytes()).is_ok());
        let mut without_kind = value(INJECTED);
        without_kind.as_object_mut().unwrap().remove("kind");
        let listed = json!({"kind": "PodList", "items": [without_kind]}).to_string();
        assert!(read(listed.as_bytes()).is_ok());
        let two = json!({"kind": "List", "items": [value(INJECTED), value(NOT_INJECTED)]}).to_string();
        assert_eq!(read(two.as_bytes()), Err(InputFault::Several { what: "pods", count: 2 }));
        assert_eq!(service_account::read(two.as_bytes()), Err(InputFault::Without("ServiceAccount")));
        for (kind, text) in [("Status", "error"), ("Deployment", "made"), ("Node", "another kind")] {
            let error = read(json!({"kind": kind}).to_string().as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        for text in ["[]", "1", "{}", "{\"kind\": 1}", "{\"kind\": \"Pod\"}", "kind: Pod", ""] {
            assert!(
                read(text.as_bytes()).is_err() && service_account::read(text.as_bytes()).is_err(),
                "{text}"
            );
        }
    }
}
