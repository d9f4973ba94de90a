//! What an audit says of pods and service accounts of public reports, and of a real cluster, and what its first step is.

use std::process::{Command, Output};

use crate::repository;
use serde_json::{Value, json};

const POD: &str = "pod-not-injected.json";
const DEFAULT: &str = "reports/arc-job-pod-default-service-account";

fn audit(pod: &Value, account: &Value, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let [pod_file, account_file] = [("pod", pod), ("sa", account)].map(|(name, value)| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    });
    Command::new(env!("CARGO_BIN_EXE_irsa-probe"))
        .args(["audit", "--output", "json", "--termination-log", "/dev/null", "--pod"])
        .arg(pod_file)
        .arg("--service-account")
        .arg(account_file)
        .args(more)
        .env_clear()
        .output()
        .unwrap()
}

fn diagnosis(pod: &Value, account: &Value) -> Value {
    let report: Value = serde_json::from_slice(&audit(pod, account, &[]).stdout).unwrap();
    report["diagnosis"].clone()
}

fn recorded(path: &str) -> Value {
    serde_json::from_str(&repository::read(format!("tests/recorded/{path}"))).unwrap()
}

fn step(diagnosis: &Value, at: usize) -> &str {
    diagnosis["remedy"][at].as_str().unwrap()
}

/// A job's pod does not inherit the service account of the runner that creates it. A role of `default` is everybody's.
#[test]
fn pod_that_names_no_account_gets_its_own_before_default_is_annotated() {
    let pod = recorded(&format!("{DEFAULT}/pod.json"));
    let plain = recorded(&format!("{DEFAULT}/sa.json"));
    let mut misspelt = plain.clone();
    misspelt["metadata"]["annotations"] =
        json!({"eks.amazonaws.com/role": "arn:aws:iam::111122223333:role/ci-runner"});
    for (account, name) in [(&plain, "ServiceAccountNotAnnotated"), (&misspelt, "RoleAnnotationMisplaced")] {
        let found = diagnosis(&pod, account);
        assert_eq!(found["name"], name, "{found:#}");
        assert!(
            step(&found, 0).starts_with("Set spec.serviceAccountName in the pod's template"),
            "{found:#}"
        );
        assert!(step(&found, 1).starts_with("Then delete the pod"), "{found:#}");
        assert!(
            step(&found, 2).starts_with("Annotate default only if each pod of namespace ci that names no"),
            "{found:#}"
        );
    }
    let (pod, account) = ("runner-pod.json", "runner-sa.json");
    let [pod, account] = [pod, account].map(|name| recorded(&format!("{DEFAULT}/{name}")));
    let passes = audit(&pod, &account, &["--issuer", "oidc.eks.eu-west-1.amazonaws.com/id/AB"]);
    let report: Value = serde_json::from_slice(&passes.stdout).unwrap();
    let check = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "web-identity");
    assert_eq!(check.unwrap()["outcome"], "pass", "{report:#}");
}

/// The annotation of another service account says nothing about the pod.
#[test]
fn account_of_another_pod_is_an_error_that_names_both() {
    let (pod, account) =
        (recorded(&format!("{DEFAULT}/pod.json")), recorded(&format!("{DEFAULT}/runner-sa.json")));
    for more in [&[][..], &["--subject", "system:serviceaccount:ci:default"]] {
        let output = audit(&pod, &account, more);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(
            stderr.contains("runs as service account ci/default") && stderr.contains("is ci/ci-runner"),
            "{stderr}"
        );
    }
}

/// An annotation without managed fields says nothing of its age.
#[test]
fn webhook_is_blamed_only_if_the_annotation_is_older_than_the_pod() {
    let unknown = recorded("api-get-sa-annotated-without-managed-fields.json");
    let known = recorded("api-get-sa-annotated-with-managed-fields.json");
    let created = |account: &str, at: &str| {
        let mut pod = recorded(POD);
        pod["spec"]["serviceAccountName"] = json!(account);
        pod["metadata"]["creationTimestamp"] = json!(at);
        pod["status"] = json!({});
        pod
    };
    let undated = created("bare", "2026-11-30T19:49:47Z");
    let early = created("late", "2026-11-30T19:50:47Z");
    let late = created("late", "2026-11-30T19:51:47Z");
    for (pod, account, name, owner) in [
        (&undated, &unknown, "NotInjected", "workload"),
        (&early, &known, "AnnotatedAfterPod", "workload"),
        (&late, &known, "WebhookMissed", "cluster"),
    ] {
        let found = diagnosis(pod, account);
        assert_eq!((&found["name"], &found["owner"]), (&json!(name), &json!(owner)), "{found:#}");
        assert!(step(&found, 0).starts_with("Delete the pod, so that a new one is admitted"), "{found:#}");
        // The pod's own labels and annotations were seen.
        assert!(!found.to_string().contains("skip-pod-identity-webhook"), "{found:#}");
    }
    let cause = diagnosis(&undated, &unknown)["cause"].to_string();
    assert!(
        cause.contains("is annotated with the role") && cause.contains("does not record when"),
        "{cause}"
    );
}

#[test]
fn empty_annotation_is_said_to_be_empty() {
    let mut account = recorded("sa-bare.json");
    account["metadata"]["annotations"] = json!({"eks.amazonaws.com/role-arn": ""});
    let found = diagnosis(&recorded(POD), &account);
    assert_eq!(found["name"], "ServiceAccountNotAnnotated");
    assert!(found["cause"].as_str().unwrap().contains("has an empty annotation"), "{found:#}");
    assert!(step(&found, 0).starts_with("Set the role in the annotation, which is empty"), "{found:#}");
}

/// What applies the service account again decides whether an annotation by hand lasts.
#[test]
fn manager_that_writes_the_account_is_named() {
    for (manager, source) in [
        ("argocd-controller", Some("the Git repository that Argo CD syncs")),
        ("helm", Some("the values of the Helm release")),
        ("my-operator", Some("what my-operator applies")),
        ("kubectl-annotate", None),
    ] {
        let mut account = recorded("sa-bare.json");
        account["metadata"]["managedFields"] = json!([
            {"manager": "kubectl-create", "time": "2026-11-24T08:00:00Z", "fieldsV1": {}},
            {"manager": manager, "time": "2026-11-24T09:00:00Z", "fieldsV1": {}},
        ]);
        let found = diagnosis(&recorded(POD), &account);
        assert_eq!(found["evidence"]["manager"], manager);
        let said = source.is_some_and(|source| {
            step(&found, 0).contains(&format!(
                "Set it in {source}, too: {manager} last changed this service account at 2026-11-24T09:00:00Z"
            ))
        });
        assert_eq!(said, source.is_some(), "{found:#}");
    }
}
