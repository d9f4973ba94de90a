//! The operator's view of an injection: the pod and the service account that were handed in.

use super::Findings;
use super::inputs::Inputs;
use crate::injection;
use crate::injection::view::AccountView;

/// Judges whether the pod carries a web identity; of one container, or of all. `None` without a pod.
pub(crate) fn judge(inputs: &Inputs, container: Option<&str>) -> Option<Findings<()>> {
    let pod = inputs.pod.as_ref()?;
    let account = inputs.service_account.clone().map_or(AccountView::NotRead, AccountView::Known);
    let found = injection::judge(pod, container, &account);
    Some(Findings::of((), found.failures, found.warnings))
}

#[cfg(test)]
mod tests {
    use crate::audit::inputs::{pod as pod_input, service_account};
    use crate::diagnosis::Diagnosis;
    use crate::diagnosis::injection::SuppressionCause;
    use crate::injection::view::{AccountView, PodView};
    use crate::injection::{InjectionFindings, judge};
    use serde_json::{Value, json};

    const INJECTED: &str = include_str!("../../tests/recorded/pod-injected.json");
    const NOT_INJECTED: &str = include_str!("../../tests/recorded/pod-not-injected.json");
    const ANNOTATED: &str = include_str!("../../tests/recorded/sa-checkout.json");
    const BARE: &str = include_str!("../../tests/recorded/sa-bare.json");

    /// Where the webhook mounts the token.
    const MOUNT_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn pod(value: &Value) -> PodView {
        pod_input::read(value.to_string().as_bytes()).unwrap()
    }

    /// The injected pod with other variables in its container.
    fn with_env(env: &[(&str, &str)], mount: Option<&str>) -> Value {
        let mut pod = value(INJECTED);
        let container = &mut pod["spec"]["containers"][0];
        container["env"] = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        container["volumeMounts"] =
            mount.map(|path| json!({"name": "aws-iam-token", "mountPath": path})).into_iter().collect();
        pod
    }

    fn word(found: &[Diagnosis]) -> Vec<String> {
        let word = |found: &Diagnosis| match found {
            Diagnosis::InjectionSuppressed(found) => format!("{:?}", found.cause),
            found => found.name().as_str().to_owned(),
        };
        found.iter().map(word).collect()
    }

    fn judged(pod: &Value, account: &Value, container: Option<&str>) -> InjectionFindings {
        let pod = self::pod(pod);
        let read = || service_account::read(account.to_string().as_bytes()).unwrap();
        let account = (!account.is_null()).then(read);
        judge(&pod, container, &account.map_or(AccountView::NotRead, AccountView::Known))
    }

    /// What is found of a container, or of all: first the failures, then the warnings after a bar.
    fn found_of(pod: &Value, account: &Value, container: Option<&str>) -> String {
        let judged = judged(pod, account, container);
        let (failures, warnings) = (word(&judged.failures).join(" "), word(&judged.warnings).join(" "));
        format!("{failures} | {warnings}").trim_matches(' ').to_owned()
    }

    fn found(pod: &Value, account: &Value) -> String {
        found_of(pod, account, Some("app"))
    }

    #[test]
    fn suppression_causes_are_found() {
        const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a");
        const FILE: (&str, &str) =
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token");
        let left_alone = || SuppressionCause::EverythingPreset(FILE.1.to_owned());
        let mounted_at = |path: &str| SuppressionCause::MountElsewhere {
            mounted_at: path.to_owned(),
            token_file: FILE.1.to_owned(),
        };
        const ONE: (&str, &str) = ("AWS_REGION", "eu-west-1");
        const OTHER: (&str, &str) = ("AWS_DEFAULT_REGION", "eu-west-1");
        const STS: (&str, &str) = ("AWS_STS_REGIONAL_ENDPOINTS", "regional");
        let usual = Some(MOUNT_PATH);
        for (env, mount, expected) in [
            (&[ROLE, FILE, ONE, OTHER][..], usual, vec![]),
            (&[ROLE, FILE], usual, vec![]),
            (&[ROLE, ONE, OTHER], usual, vec![SuppressionCause::EnvPreset("AWS_ROLE_ARN")]),
            (&[FILE], usual, vec![SuppressionCause::EnvPreset("AWS_WEB_IDENTITY_TOKEN_FILE")]),
            (&[ROLE, FILE, ONE], usual, vec![SuppressionCause::RegionPreset("AWS_REGION")]),
            (&[ROLE, FILE, OTHER], usual, vec![SuppressionCause::RegionPreset("AWS_DEFAULT_REGION")]),
            (&[ONE], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER, STS], None, vec![left_alone()]),
            (&[ROLE, FILE, ONE, STS], None, vec![SuppressionCause::RegionPreset("AWS_REGION"), left_alone()]),
            // The webhook would have mounted it, so it has not seen the pod: nothing kept it from that.
            (&[ROLE, FILE, STS], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER, STS], Some("/t"), vec![mounted_at("/t")]),
            (&[ROLE, FILE], Some("/var/run/secrets/eks"), vec![mounted_at("/var/run/secrets/eks")]),
            // However the place is written, the token is there.
            (&[ROLE, FILE], Some("/run/secrets/eks.amazonaws.com/serviceaccount/"), vec![]),
            (&[ROLE, FILE], Some(FILE.1), vec![]),
            (
                &[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "C:\\var\\run\\secrets\\x\\token")],
                Some("/var/run/secrets/x"),
                vec![],
            ),
            // Where it is cannot be known.
            (&[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "$(PLACE)/token")], Some("/t"), vec![]),
            (&[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "token")], Some("/t"), vec![]),
        ] {
            let pod = pod(&with_env(env, mount));
            assert_eq!(pod.containers[1].suppression_causes(&pod, None), expected, "{env:?} {mount:?}");
        }
        let of = |change: fn(&mut Value)| {
            let mut pod = value(NOT_INJECTED);
            change(&mut pod);
            let pod = self::pod(&pod);
            pod.containers.last().map(|container| container.suppression_causes(&pod, None)).unwrap()
        };
        let skip = |names: &'static str| {
            let mut pod = value(INJECTED);
            pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!(names);
            let pod = self::pod(&pod);
            pod.containers[1].suppression_causes(&pod, None) == [SuppressionCause::SkipContainers]
        };
        for (names, is) in [
            ("app", true),
            ("creds-check,app", true),
            ("\"creds-check\",\"app\"", true),
            ("creds-check, app", false),
            ("creds-check\napp", false),
            ("\napp", true),
            ("cre\"ds,app", false),
            ("\"app", false),
            ("", false),
            ("App", false),
        ] {
            assert_eq!(skip(names), is, "{names:?}");
        }
        let skipped = of(|pod| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": "false"});
        });
        assert_eq!(skipped, [SuppressionCause::SkipWebhook]);
        let ephemeral = of(|pod| pod["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]));
        assert_eq!(ephemeral, [SuppressionCause::Ephemeral]);
        let preset = of(|pod| {
            pod["spec"]["volumes"] = json!([{"name": "aws-iam-token", "emptyDir": {}}]);
        });
        assert_eq!(preset, [SuppressionCause::VolumePreset]);
    }

    #[test]
    fn pod_and_account_are_judged() {
        let role = "arn:aws:iam::111122223333:role/payments-checkout";
        let mut account = value(ANNOTATED);
        account["metadata"]["name"] = json!("bare");
        let annotated_at = |time: &str| {
            let mut account = account.clone();
            account["metadata"]["managedFields"] = json!([{"time": time, "fieldsV1":
                {"f:metadata": {"f:annotations": {"f:eks.amazonaws.com/role-arn": {}}}}}]);
            account
        };
        let with_role = |role: &str| {
            let mut account = value(ANNOTATED);
            account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!(role);
            account
        };
        let env = |env: &[(&str, &str)]| with_env(env, Some(MOUNT_PATH));
        let (injected, bare) = (value(INJECTED), value(NOT_INJECTED));
        for (pod, account, expected) in [
            (&injected, value(ANNOTATED), "|"),
            (&injected, Value::Null, "|"),
            (&injected, with_role("arn:aws:iam::111122223333:role/b"), "| AnnotationDiffersFromEnv"),
            (&injected, with_role(""), "| AnnotationDiffersFromEnv"),
            (&injected, with_role("arn:aws:iam::1:role/b"), "| AnnotationDiffersFromEnv RoleArnMalformed"),
            (&bare, Value::Null, "NotInjected |"),
            (&bare, value(BARE), "ServiceAccountNotAnnotated |"),
            // Without managed fields nothing says when it was annotated.
            (&bare, account.clone(), "NotInjected |"),
            (&bare, annotated_at("2026-11-23T18:00:00Z"), "WebhookMissed |"),
            (&bare, annotated_at("2026-11-23T19:00:00Z"), "AnnotatedAfterPod |"),
            (
                &env(&[("AWS_ROLE_ARN", role)]),
                Value::Null,
                "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH)]),
                with_role("a"),
                "RoleArnMalformed |",
            ),
            (
                &env(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]),
                Value::Null,
                "RoleArnVarMissing EnvPreset(\"AWS_WEB_IDENTITY_TOKEN_FILE\") |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", "")]),
                Value::Null,
                "RoleArnVarEmpty TokenFileVarEmpty |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH)]),
                Value::Null,
                "RoleArnMalformed |",
            ),
            (
                &env(&[
                    ("AWS_ROLE_ARN", "arn:aws:iam::$(ID):role/a"),
                    ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH),
                ]),
                value(ANNOTATED),
                "|",
            ),
            (
                &env(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")]),
                value(ANNOTATED),
                "PodIdentityOnly |",
            ),
        ] {
            assert_eq!(found(pod, &account), expected, "{account}");
        }
    }

    /// The pod that nothing was injected into, changed, and its service account, annotated or not.
    fn left_out(change: impl FnOnce(&mut Value), annotations: Value) -> (Value, Value) {
        let (mut pod, mut account) = (value(NOT_INJECTED), value(BARE));
        change(&mut pod);
        account["metadata"]["annotations"] = annotations;
        (pod, account)
    }

    fn role_at(key: &str) -> Value {
        json!({key: "arn:aws:iam::111122223333:role/payments-checkout"})
    }

    #[test]
    fn cause_in_the_pod_comes_before_the_account() {
        let label = |pod: &mut Value| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": ""});
        };
        let half = |pod: &mut Value| {
            let role = "arn:aws:iam::111122223333:role/payments-checkout";
            pod["spec"]["containers"][0]["env"] = json!([{"name": "AWS_ROLE_ARN", "value": role}]);
        };
        let names = |pod: &mut Value| {
            pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/skip-containers": "app"});
        };
        let volume = |volume: Value| {
            move |pod: &mut Value| {
                let mut volume = volume.clone();
                volume["name"] = json!("aws-iam-token");
                pod["spec"]["volumes"] = json!([volume]);
            }
        };
        let token = |audience: &str, path: &str| {
            let token = json!({"audience": audience, "path": path});
            volume(json!({"projected": {"sources": [{"serviceAccountToken": token}]}}))
        };
        let right = || role_at("eks.amazonaws.com/role-arn");
        let for_vault = || {
            let mut annotations = right();
            annotations["eks.amazonaws.com/audience"] = json!("vault");
            annotations
        };
        for ((pod, account), expected) in [
            (left_out(label, right()), "SkipWebhook |"),
            (left_out(label, json!({})), "SkipWebhook ServiceAccountNotAnnotated |"),
            (left_out(label, role_at("eks.amazonaws.com/role")), "SkipWebhook RoleAnnotationMisplaced |"),
            (left_out(names, right()), "SkipContainers |"),
            (left_out(half, right()), "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") |"),
            (
                left_out(half, json!({})),
                "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") ServiceAccountNotAnnotated | \
                 AnnotationDiffersFromEnv",
            ),
            (left_out(names, json!({})), "SkipContainers ServiceAccountNotAnnotated |"),
            (left_out(volume(json!({"emptyDir": {}})), right()), "VolumePreset |"),
            (
                left_out(volume(json!({"emptyDir": {}})), json!({})),
                "ServiceAccountNotAnnotated VolumePreset |",
            ),
            (left_out(token("vault", "token"), right()), "VolumePreset |"),
            (left_out(token("sts.amazonaws.com", "t"), right()), "VolumePreset |"),
            // That is the webhook's own, and it would have gone on.
            (left_out(token("sts.amazonaws.com", "token"), right()), "NotInjected |"),
            (left_out(token("vault", "token"), for_vault()), "NotInjected |"),
        ] {
            assert_eq!(found(&pod, &account), expected, "{pod} {account}");
        }
        let (pod, _) = left_out(label, json!({}));
        assert_eq!(found(&pod, &Value::Null), "SkipWebhook |");
        let judged = judged(&pod, &Value::Null, None);
        let [Diagnosis::InjectionSuppressed(both)] = judged.failures.as_slice() else { panic!("{judged:?}") };
        assert_eq!(both.containers, ["creds-check", "app"]);
    }

    #[test]
    fn misplaced_role_annotation_is_found() {
        let none = |_: &mut Value| {};
        let on_pod = |key: &'static str| move |pod: &mut Value| pod["metadata"]["annotations"] = role_at(key);
        for ((pod, account), expected) in [
            (left_out(none, role_at("eks.amazonaws.com/role_arn")), Some("eks.amazonaws.com/role_arn")),
            (left_out(none, role_at("iam.amazonaws.com/role")), Some("iam.amazonaws.com/role")),
            (left_out(none, role_at("example.com/owner")), None),
            (
                left_out(
                    none,
                    json!({"eks.amazonaws.com/role-arn": "", "eks.amazonaws.com/roleArn":
                    " arn:aws:iam::111122223333:role/payments-checkout\n"}),
                ),
                Some("eks.amazonaws.com/roleArn"),
            ),
            (left_out(none, json!({"eks.amazonaws.com/role": "payments-checkout"})), None),
            (left_out(on_pod("eks.amazonaws.com/role-arn"), json!({})), Some("eks.amazonaws.com/role-arn")),
            // The webhook's own names are likelier than others, wherever they are.
            (
                left_out(on_pod("eks.amazonaws.com/role-arn"), role_at("iam.amazonaws.com/role")),
                Some("eks.amazonaws.com/role-arn"),
            ),
        ] {
            let judged = judged(&pod, &account, None);
            let [diagnosis] = judged.failures.as_slice() else { panic!("{judged:?}") };
            match (diagnosis, expected) {
                (Diagnosis::RoleAnnotationMisplaced(found), Some(key)) => {
                    assert_eq!((found.key.as_str(), found.role_arn.ends_with('t')), (key, true));
                    assert!(
                        diagnosis.remedy()[0]
                            .ends_with("-arn=arn:aws:iam::111122223333:role/payments-checkout")
                    );
                }
                (Diagnosis::ServiceAccountNotAnnotated(_), None) => {}
                other => panic!("{other:?}"),
            }
        }
        let (pod, account) =
            left_out(on_pod("eks.amazonaws.com/role-arn"), role_at("eks.amazonaws.com/role-arn"));
        assert_eq!(found(&pod, &account), "NotInjected |");
        // Nothing is missing where the pod was injected.
        let mut injected = value(INJECTED);
        injected["metadata"]["annotations"] = role_at("iam.amazonaws.com/role");
        assert_eq!(found(&injected, &value(ANNOTATED)), "|");
    }

    #[test]
    fn identity_configured_by_hand_is_not_reported() {
        let pod = |change: &dyn Fn(&mut Value)| {
            let mut pod = value(INJECTED);
            change(&mut pod);
            pod
        };
        let label = |pod: &mut Value| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": "true"});
        };
        let container = |pod: &mut Value, name: &str, of: Value| pod["spec"]["containers"][0][name] = of;
        let from = json!([{"configMapRef": {"name": "aws"}}]);
        let half =
            json!([{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::111122223333:role/payments-checkout"}]);
        let other_volume = |pod: &mut Value| {
            pod["spec"]["volumes"][0]["name"] = json!("my-token");
            pod["spec"]["containers"][0]["volumeMounts"][1]["name"] = json!("my-token");
            pod["spec"]["initContainers"] = json!([]);
        };
        for (pod, expected) in [
            (pod(&label), "|"),
            (
                pod(&|pod| {
                    label(pod);
                    other_volume(pod)
                }),
                "|",
            ),
            (pod(&other_volume), "|"),
            // Where the other half comes from, or both, is in a ConfigMap.
            (
                pod(&|pod| {
                    container(pod, "envFrom", from.clone());
                    container(pod, "env", half.clone())
                }),
                "|",
            ),
            (
                pod(&|pod| {
                    other_volume(pod);
                    container(pod, "envFrom", from.clone());
                    container(pod, "env", json!([]));
                }),
                "|",
            ),
            (
                pod(&|pod| pod["spec"]["volumes"][0] = json!({"name": "aws-iam-token", "emptyDir": {}})),
                "| VolumeMounted",
            ),
            (
                pod(&|pod| {
                    container(
                        pod,
                        "env",
                        json!([{"name": "AWS_REGION", "value": ""}, half[0],
                {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": format!("{MOUNT_PATH}/token")}]),
                    )
                }),
                "| RegionPreset(\"AWS_REGION\")",
            ),
        ] {
            assert_eq!(found(&pod, &value(ANNOTATED)), expected, "{pod}");
        }
    }

    #[test]
    fn containers_are_selected() {
        let mut half = value(INJECTED);
        half["spec"]["initContainers"][0]["env"] = json!([]);
        half["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]);
        let of = |pod: &Value, container: Option<&str>| found_of(pod, &value(ANNOTATED), container);
        // Somebody else put it there afterwards, and nobody asks for it.
        assert_eq!((of(&half, None), of(&half, Some("app"))), ("|".to_owned(), "|".to_owned()));
        assert_eq!(of(&half, Some("creds-check")), "AddedLater |");
        assert_eq!(of(&half, Some("debug")), "Ephemeral |");
        half["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!("creds-check");
        assert_eq!(of(&half, None), "|");
        assert_eq!(of(&half, Some("creds-check")), "SkipContainers |");
        assert_eq!(of(&half, Some("no-such")), "|");
        assert_eq!(pod(&half).container_names().collect::<Vec<_>>(), ["creds-check", "app", "debug"]);
        // A debugging container that was given all by hand.
        half["spec"]["ephemeralContainers"][0] = half["spec"]["containers"][0].clone();
        half["spec"]["ephemeralContainers"][0]["name"] = json!("debug");
        assert_eq!(of(&half, Some("debug")), "|");
    }
}
