//! What a user applies: that it parses strictly, that the probe takes what it is given there, and
//! that it is admitted under Pod Security `restricted`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads the files that it is about"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use irsa_probe::cli::Cli;
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A YAML document of a manifest, and where it is from.
struct Document {
    file: String,
    content: Value,
}

/// A container, where it is from, and the `securityContext` of its pod.
struct Container {
    whose: String,
    pod_security: Value,
    content: Value,
}

fn yaml_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let yaml =
        files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "yaml" || it == "yml"));
    yaml.chain(directories.iter().flat_map(|directory| yaml_files(directory))).collect()
}

fn documents() -> Vec<Document> {
    let mut files = yaml_files(&Path::new(ROOT).join("manifests"));
    files.sort();
    files
        .iter()
        .flat_map(|path| {
            let file = path.strip_prefix(ROOT).unwrap().display().to_string();
            let text = fs::read_to_string(path).unwrap();
            let contents = serde_saphyr::from_multiple::<Value>(&text)
                .unwrap_or_else(|error| panic!("{file} is no strict YAML: {error}"));
            contents.into_iter().map(move |content| Document { file: file.clone(), content })
        })
        .collect()
}

/// The pod spec in a workload, or in a patch for one.
fn pod_spec(workload: &Value) -> Option<&Value> {
    ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"]
        .iter()
        .find_map(|path| workload.pointer(path))
}

fn containers_of(document: &Document) -> Vec<Container> {
    let Some(pod) = pod_spec(&document.content) else {
        return Vec::new();
    };
    ["initContainers", "containers"]
        .iter()
        .flat_map(|list| pod[*list].as_array().cloned().unwrap_or_default())
        .map(|content| Container {
            whose: format!("container {} of {}", content["name"], document.file),
            pod_security: pod["securityContext"].clone(),
            content,
        })
        .collect()
}

fn containers() -> Vec<Container> {
    documents().iter().flat_map(containers_of).collect()
}

fn probes() -> Vec<Container> {
    let is_probe = |container: &Container| {
        container.content["image"].as_str().is_some_and(|image| image.starts_with("irsa-probe:"))
    };
    containers().into_iter().filter(is_probe).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn yaml_is_read_strictly() {
    assert!(serde_saphyr::from_multiple::<Value>("a: 1\na: 2\n").is_err());
    let two = serde_saphyr::from_multiple::<Value>("a: 1\n---\nb: 2\n").unwrap();
    assert_eq!(two.len(), 2);
}

#[test]
fn the_manifests_are_those_that_are_published() {
    let kinds: Vec<String> = documents()
        .iter()
        .map(|document| format!("{} {}", document.file, document.content["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            "manifests/component/cron-job.yaml CronJob",
            "manifests/component/kustomization.yaml Component",
            "manifests/component/pod-template.yaml Deployment",
            "manifests/init-container/deployment.yaml ServiceAccount",
            "manifests/init-container/deployment.yaml Deployment",
            "manifests/job/job.yaml Job",
        ]
    );
    assert_eq!(probes().len(), 4);
}

#[test]
fn the_probe_takes_its_arguments() {
    for probe in probes() {
        let args = strings(&probe.content["args"]);
        assert!(!args.is_empty(), "{}", probe.whose);
        Cli::try_parse_from(std::iter::once("irsa-probe").chain(args))
            .unwrap_or_else(|error| panic!("{}: {error}", probe.whose));
        assert_eq!(probe.content["command"], Value::Null, "{}: the image knows its program", probe.whose);
    }
}

#[test]
fn the_probe_knows_its_variables() {
    let cli = Cli::command();
    let known: BTreeSet<String> = std::iter::once(&cli)
        .chain(cli.get_subcommands())
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| arg.get_env())
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    for probe in probes() {
        for variable in probe.content["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            assert!(known.contains(name), "{}: {name}", probe.whose);
        }
    }
}

#[test]
fn the_probe_knows_the_name_of_its_container() {
    for probe in probes() {
        let variables = probe.content["env"].as_array().unwrap();
        let told = variables.iter().find(|variable| variable["name"] == "IRSA_PROBE_CONTAINER").unwrap();
        assert_eq!(told["value"], probe.content["name"], "{}", probe.whose);
    }
}

#[test]
fn the_image_is_of_this_version() {
    for probe in probes() {
        let image = format!("irsa-probe:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(probe.content["image"], Value::from(image), "{}", probe.whose);
    }
    let dockerfile = fs::read_to_string(Path::new(ROOT).join("Dockerfile")).unwrap();
    for (label, value) in [
        ("title", env!("CARGO_PKG_NAME")),
        ("description", env!("CARGO_PKG_DESCRIPTION")),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", env!("CARGO_PKG_LICENSE")),
    ] {
        let label = format!("org.opencontainers.image.{label}=\"{value}\"");
        assert!(dockerfile.contains(&label), "the Dockerfile has no {label}");
    }
}

#[test]
fn the_same_probe_is_in_each_part_of_the_component() {
    let in_component = |probe: &Container| probe.whose.contains("manifests/component/");
    let (component, others): (Vec<_>, Vec<_>) = probes().into_iter().partition(in_component);
    assert_eq!(component.len(), 2);
    let init_container = others.iter().find(|probe| probe.whose.contains("init-container")).unwrap();
    for probe in component {
        assert_eq!(probe.content, init_container.content, "{}", probe.whose);
    }
}

#[test]
fn a_probe_comes_first_and_runs_as_the_user_of_its_pod() {
    for document in documents() {
        let Some(pod) = pod_spec(&document.content) else {
            continue;
        };
        let list = if pod["initContainers"].is_array() { "initContainers" } else { "containers" };
        assert_eq!(pod[list][0]["name"], "irsa-probe", "{}", document.file);
    }
    for probe in probes() {
        for settings in [&probe.content["securityContext"], &probe.pod_security] {
            for field in ["runAsUser", "runAsGroup", "fsGroup"] {
                assert_eq!(settings[field], Value::Null, "{}: {field}", probe.whose);
            }
        }
    }
}

#[test]
fn a_job_runs_once() {
    let job = documents().into_iter().find(|document| document.content["kind"] == "Job").unwrap().content;
    assert_eq!(job["spec"]["backoffLimit"], 0);
    assert!(job["spec"]["ttlSecondsAfterFinished"].as_u64().unwrap() > 0);
    assert_eq!(pod_spec(&job).unwrap()["restartPolicy"], "Never");
}

#[test]
fn the_service_account_of_the_deployment_has_a_role() {
    let (mut accounts, mut used) = (Vec::new(), Vec::new());
    for Document { content, .. } in documents() {
        match content["kind"].as_str() {
            Some("ServiceAccount") => {
                let role = content["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].as_str().unwrap();
                assert!(role.starts_with("arn:aws:iam::111122223333:role/"), "{role}");
                accounts.push(content["metadata"]["name"].clone());
            }
            Some("Deployment" | "Job") if content["metadata"]["name"] != "any" => {
                used.push(pod_spec(&content).unwrap()["serviceAccountName"].clone());
            }
            _ => {}
        }
    }
    assert_eq!(accounts.len(), 1);
    assert!(!used.is_empty() && used.iter().all(|name| *name == accounts[0]), "{used:?}");
}

#[test]
fn every_container_has_requests_and_limits() {
    for container in containers() {
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                let amount = &container.content["resources"][kind][resource];
                assert!(amount.is_string(), "{}: {kind} of {resource}", container.whose);
            }
        }
    }
}

/// What Pod Security `restricted` says of a pod, as far as the pod itself has it.
/// Source: Kubernetes, Pod Security Standards.
fn refused_pod(pod: &Value) -> Vec<String> {
    const VOLUMES: [&str; 8] = [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ];
    let mut refused = Vec::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[field] == true {
            refused.push(field.to_owned());
        }
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        refused.extend(
            kinds.filter(|kind| !VOLUMES.contains(&kind.as_str())).map(|kind| format!("volume: {kind}")),
        );
    }
    if pod["securityContext"]["runAsUser"] == 0 {
        refused.push("runAsUser: 0".to_owned());
    }
    for field in ["sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"] {
        if !pod["securityContext"][field].is_null() {
            refused.push(field.to_owned());
        }
    }
    refused
}

/// What Pod Security `restricted` says of a container, given the `securityContext` of its pod.
fn refused_container(container: &Value, pod: &Value) -> Vec<&'static str> {
    let own = &container["securityContext"];
    let effective = |field: &str| if own[field].is_null() { pod[field].clone() } else { own[field].clone() };
    let capabilities = &own["capabilities"];
    let seccomp = effective("seccompProfile");
    let ports = container["ports"].as_array();
    [
        ("privileged", own["privileged"] == true),
        ("allowPrivilegeEscalation", own["allowPrivilegeEscalation"] != false),
        ("runAsNonRoot", effective("runAsNonRoot") != true),
        ("runAsUser", effective("runAsUser") == 0),
        (
            "seccompProfile",
            !["RuntimeDefault", "Localhost"].contains(&seccomp["type"].as_str().unwrap_or("")),
        ),
        ("capabilities.drop", !strings(&capabilities["drop"]).contains(&"ALL")),
        ("capabilities.add", strings(&capabilities["add"]).iter().any(|added| *added != "NET_BIND_SERVICE")),
        ("procMount", !own["procMount"].is_null()),
        ("hostPort", ports.into_iter().flatten().any(|port| !port["hostPort"].is_null())),
    ]
    .into_iter()
    .filter_map(|(rule, broken)| broken.then_some(rule))
    .collect()
}

#[test]
fn pod_security_restricted_admits_everything() {
    for document in documents() {
        if let Some(pod) = pod_spec(&document.content) {
            assert_eq!(refused_pod(pod), Vec::<String>::new(), "{}", document.file);
        }
    }
    for container in containers() {
        let refused = refused_container(&container.content, &container.pod_security);
        assert_eq!(refused, Vec::<&str>::new(), "{}", container.whose);
    }
}

#[test]
fn the_probe_is_restricted_whatever_its_pod_says() {
    for probe in probes() {
        assert_eq!(refused_container(&probe.content, &Value::Null), Vec::<&str>::new(), "{}", probe.whose);
        assert_eq!(probe.content["securityContext"]["readOnlyRootFilesystem"], true, "{}", probe.whose);
    }
}

#[test]
fn the_rules_of_pod_security_find_what_breaks_them() {
    let loose = serde_json::json!({"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}});
    assert_eq!(
        refused_container(&loose, &Value::Null),
        [
            "allowPrivilegeEscalation",
            "runAsNonRoot",
            "seccompProfile",
            "capabilities.drop",
            "capabilities.add"
        ]
    );
    let host =
        serde_json::json!({"hostNetwork": true, "volumes": [{"name": "root", "hostPath": {"path": "/"}}]});
    assert_eq!(refused_pod(&host), ["hostNetwork", "volume: hostPath"]);
}
