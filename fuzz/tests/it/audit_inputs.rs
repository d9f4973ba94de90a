//! Whatever is handed in to an audit, nothing panics, and what is said of it is bounded and keeps secrets.

use irsa_probe::audit::inputs::Inputs;
use irsa_probe::audit::inputs::log::{Log, LogEnd};
use irsa_probe::audit::inputs::{pod, policy, provider, service_account};
use irsa_probe::audit::options::SubjectFlags;
use irsa_probe::audit::subject::{SubjectSources, resolve};
use irsa_probe::injection::judge;
use irsa_probe::injection::view::AccountView;
use proptest::prelude::*;
use serde_json::{Value, json};

const REPORT: &str = include_str!("../../../examples/AssumeRoleNotAuthorized.json");
const POD: &str = include_str!("../../../tests/recorded/pod-injected.json");
const ACCOUNT: &str = include_str!("../../../tests/recorded/sa-checkout.json");

/// The members that are looked at, and some that are not.
const NAMES: [&str; 45] = [
    "schema",
    "token",
    "checks",
    "evidence",
    "kind",
    "items",
    "metadata",
    "spec",
    "status",
    "containers",
    "initContainers",
    "ephemeralContainers",
    "env",
    "name",
    "value",
    "valueFrom",
    "envFrom",
    "mountPath",
    "audience",
    "eks.amazonaws.com/skip-containers",
    "eks.amazonaws.com/role_arn",
    "volumes",
    "volumeMounts",
    "projected",
    "sources",
    "serviceAccountToken",
    "annotations",
    "labels",
    "managedFields",
    "fieldsV1",
    "creationTimestamp",
    "Role",
    "Roles",
    "AssumeRolePolicyDocument",
    "Arn",
    "Statement",
    "PermissionsBoundary",
    "MaxSessionDuration",
    "RoleLastUsed",
    "Url",
    "ClientIDList",
    "OpenIDConnectProviderList",
    "ThumbprintList",
    "CreateDate",
    "x",
];

/// Texts that something is made of.
const TEXTS: [&str; 16] = [
    "irsa-probe.report/v1",
    "irsa-probe.report/v2",
    "assume-role",
    "Pod",
    "PodList",
    "List",
    "ServiceAccount",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    "aws-iam-token",
    "arn:aws:iam::111122223333:role/a",
    "%7B%22a%22%3A%ff",
    "{\"a\":[",
    "2026-11-24T06:00:00Z",
    "… (300 characters)",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let member = (prop::sample::select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            prop::collection::vec(member, 0..6).prop_map(|members| {
                Value::from_iter(members.into_iter().map(|(name, value)| (name.to_owned(), value)))
            }),
        ]
    })
}

/// A real document with one of its values replaced.
fn changed(original: &'static str) -> impl Strategy<Value = String> {
    (any::<prop::sample::Index>(), json()).prop_map(move |(index, value)| {
        let mut document: Value = serde_json::from_str(original).unwrap();
        let mut pointers = Vec::new();
        every(&document, String::new(), &mut pointers);
        if let Some(place) = document.pointer_mut(index.get(&pointers).as_str()) {
            *place = value;
        }
        document.to_string()
    })
}

fn every(value: &Value, at: String, pointers: &mut Vec<String>) {
    let inside = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| every(value, inside(name), pointers))
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(place, value)| every(value, inside(&place.to_string()), pointers));
        }
        _ => {}
    }
    pointers.push(at);
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        json().prop_map(|value| value.to_string().into_bytes()),
        json().prop_map(|value| serde_json::to_vec_pretty(&value).unwrap()),
        json().prop_map(|value| json!({"log": value.to_string()}).to_string().into_bytes()),
        changed(REPORT).prop_map(String::into_bytes),
        changed(POD).prop_map(String::into_bytes),
        changed(ACCOUNT).prop_map(String::into_bytes),
        (0..REPORT.len()).prop_map(|end| REPORT.as_bytes().iter().copied().take(end).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_is_survived_and_errors_are_bounded(bytes in anything(), pieces in 1..64_usize) {
        let mut log = Log::default();
        for piece in bytes.chunks(pieces) {
            prop_assert!(log.push(piece));
        }
        let report = log.finish(LogEnd::Complete);
        let pod = pod::read(&bytes);
        let account = service_account::read(&bytes);
        let policy = policy::read(&bytes);
        let provider = provider::read(&bytes);
        let said = [
            report.as_ref().err().map(ToString::to_string),
            pod.as_ref().err().map(ToString::to_string),
            account.as_ref().err().map(ToString::to_string),
            policy.as_ref().err().map(ToString::to_string),
            provider.as_ref().err().map(ToString::to_string),
        ];
        for said in said.into_iter().flatten() {
            prop_assert!(said.len() < 2000 && !said.contains(char::is_control), "{}", said);
        }
        let view = account.clone().map_or(AccountView::NotRead, AccountView::Known);
        if let Ok(pod) = &pod {
            for container in [None].into_iter().chain(pod.container_names().map(Some)) {
                let judged = judge(pod, container, &view);
                for found in judged.failures.iter().chain(&judged.warnings) {
                    prop_assert!(!found.cause().is_empty() && found.cause().len() < 8000);
                    prop_assert!(!found.cause().contains(char::is_control), "{}", found.cause());
                    prop_assert!(!found.remedy().is_empty() && found.evidence().iter().count() < 20);
                }
            }
        }
        let inputs = Inputs {
            report: report.ok(),
            pod: pod.ok(),
            service_account: account.ok(),
            trust_policy: policy.ok(),
            oidc_provider: provider.ok(),
            token: None,
        };
        let flags = SubjectFlags::default();
        if let Err(unclear) = resolve(SubjectSources::new(&inputs, &flags, None)) {
            prop_assert!(unclear.to_string().len() < 4000);
        }
    }

    #[test]
    fn log_chunks_do_not_change_the_report(bytes in anything(), pieces in 1..64_usize) {
        let read = |pieces: usize| {
            let mut log = Log::default();
            assert!(bytes.chunks(pieces).all(|piece| log.push(piece)));
            log.finish(LogEnd::Complete)
        };
        prop_assert_eq!(read(pieces), read(usize::MAX));
    }

    #[test]
    fn other_log_lines_do_not_change_the_report(
        before in "([^i]{0,80}\n){0,4}",
        after in "(\n[^i]{0,80}){0,4}",
    ) {
        let read = |text: &str| {
            let mut log = Log::default();
            log.push(text.as_bytes());
            log.finish(LogEnd::Complete).unwrap()
        };
        let (found, alone) = (read(&format!("{before}{}{after}", REPORT.trim())), read(REPORT));
        prop_assert_eq!((found.report, found.later), (alone.report, None));
    }
}
