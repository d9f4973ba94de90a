//! What a user applies: that it parses strictly, that the probe takes what it is given there, that it
//! is admitted under Pod Security `restricted`, and that the alerts ask for metrics that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use crate::repository;
use clap::{ArgAction, CommandFactory, Parser};
use irsa_probe::aws::sts::ExchangeResult;
use irsa_probe::commands::Cli;
use irsa_probe::diagnosis::{Class, Name};
use irsa_probe::env::{DEFAULT_TOKEN_FILE, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE};
use irsa_probe::watch::metrics;
use serde_json::{Value, json};

/// A YAML document of a manifest, and where it is from.
struct Document {
    file: String,
    content: Value,
}

/// A container, where it is from, and the `securityContext` of its pod.
struct Container {
    whose: String,
    list: &'static str,
    pod_security: Value,
    content: Value,
}

fn documents() -> Vec<Document> {
    repository::files(&repository::path("manifests"), &["yaml", "yml"])
        .iter()
        .flat_map(|path| {
            let file = repository::shown(path);
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

/// The containers in these documents, with the list that they are in and the `securityContext` of
/// their pod: those of a workload, of a patch in either form, and of an admission policy.
fn listed_containers(document: &Value) -> Vec<(&'static str, Value, Value)> {
    const LISTS: [&str; 2] = ["initContainers", "containers"];
    if let Some(expression) = document.pointer("/spec/mutations/0/jsonPatch/expression") {
        let image = strings_of_cel(document.pointer("/spec/variables/0/expression").unwrap());
        return vec![(LISTS[0], container_in_cel(expression.as_str().unwrap(), &image), Value::Null)];
    }
    if let Some(operations) = document.as_array() {
        return operations
            .iter()
            .map(|operation| {
                let path = operation["path"].as_str().unwrap();
                let list = LISTS.iter().find(|list| path.ends_with(&format!("/{list}/-"))).unwrap();
                (*list, operation["value"].clone(), Value::Null)
            })
            .collect();
    }
    let Some(pod) = pod_spec(document) else {
        return Vec::new();
    };
    LISTS
        .iter()
        .flat_map(|list| pod[*list].as_array().into_iter().flatten().map(move |it| (*list, it.clone())))
        .map(|(list, container)| (list, container, pod["securityContext"].clone()))
        .collect()
}

/// A string as CEL writes it.
fn strings_of_cel(expression: &Value) -> String {
    serde_json::from_str(expression.as_str().unwrap()).unwrap()
}

/// The container that an admission policy adds. Without the names of its types it is a mapping as
/// YAML writes it on one line.
fn container_in_cel(expression: &str, image: &str) -> Value {
    let (_, rest) = expression.split_once("value: Object.spec.initContainers{").unwrap();
    let mut depth = 1;
    let end = rest
        .find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        })
        .unwrap();
    let mut yaml = String::from("{");
    for part in rest[..=end].split_inclusive('{') {
        let fields = part.strip_suffix('{').unwrap_or(part);
        let of_type = fields.rfind(|c: char| !(c.is_alphanumeric() || c == '.')).map_or(0, |at| at + 1);
        let untyped = if fields[of_type..].starts_with("Object.") { &fields[..of_type] } else { fields };
        yaml += untyped;
        yaml += &part[fields.len()..];
    }
    let yaml = yaml.replace("variables.image", &format!("{image:?}"));
    serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"))
}

fn containers_of(document: &Document) -> Vec<Container> {
    listed_containers(&document.content)
        .into_iter()
        .map(|(list, content, pod_security)| Container {
            whose: format!("container {} of {}", content["name"], document.file),
            list,
            pod_security,
            content,
        })
        // A patch for a container that another patch makes is none itself.
        .filter(|container| !container.content["image"].is_null())
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

/// The probes that run `watch`.
fn watching() -> Vec<Container> {
    probes().into_iter().filter(|probe| probe.content["args"][0] == "watch").collect()
}

/// The one probe in a file.
fn probe_in(file: &str) -> Value {
    let of_file = |probe: &Container| probe.whose.ends_with(&format!(" of manifests/{file}"));
    let mut found: Vec<_> = probes().into_iter().filter(of_file).collect();
    assert_eq!(found.len(), 1, "{file}");
    found.remove(0).content
}

/// The documents of a kind.
fn of_kind(kind: &str) -> Vec<Document> {
    documents().into_iter().filter(|document| document.content["kind"] == kind).collect()
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
fn manifests_are_the_published_ones() {
    let kinds: Vec<String> = documents()
        .iter()
        .map(|document| {
            let kind = document.content["kind"].as_str().unwrap_or("a patch");
            format!("{} {kind}", document.file.strip_prefix("manifests/").unwrap())
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "admission-policy/init-container.yaml MutatingAdmissionPolicy",
            "admission-policy/init-container.yaml MutatingAdmissionPolicyBinding",
            "admission-policy/native-sidecar.yaml MutatingAdmissionPolicy",
            "admission-policy/native-sidecar.yaml MutatingAdmissionPolicyBinding",
            "components/init-container/cron-job.yaml CronJob",
            "components/init-container/kustomization.yaml Component",
            "components/init-container/pod-template.yaml Deployment",
            "components/native-sidecar/cron-job.yaml CronJob",
            "components/native-sidecar/kustomization.yaml Component",
            "components/native-sidecar/pod-template.yaml Deployment",
            "components/readiness-gate/kustomization.yaml Component",
            "components/readiness-gate/pod-template.yaml Deployment",
            "components/readiness-gate/rbac.yaml Role",
            "components/readiness-gate/rbac.yaml RoleBinding",
            "components/sidecar/kustomization.yaml Component",
            "components/sidecar/pod-template.yaml a patch",
            "debug/copy.yaml a patch",
            "debug/env-and-volume.yaml a patch",
            "debug/restricted.yaml a patch",
            "debug/root.yaml a patch",
            "init-container/deployment.yaml ServiceAccount",
            "init-container/deployment.yaml Deployment",
            "job/job.yaml Job",
            "monitoring/alerts.yaml PrometheusRule",
            "monitoring/pod-monitor.yaml PodMonitor",
            "native-sidecar/deployment.yaml ServiceAccount",
            "native-sidecar/deployment.yaml Deployment",
            "readiness-gate/deployment.yaml ServiceAccount",
            "readiness-gate/deployment.yaml Deployment",
            "readiness-gate/rbac.yaml Role",
            "readiness-gate/rbac.yaml RoleBinding",
            "sidecar/deployment.yaml ServiceAccount",
            "sidecar/deployment.yaml Deployment",
            "watch/deployment.yaml Deployment",
        ]
    );
    assert_eq!((probes().len(), watching().len()), (13, 8));
}

/// The flag that says the same as a variable of the probe.
fn as_flag(command: &clap::Command, variable: &Value) -> String {
    let (name, value) = (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
    let arg = command
        .get_arguments()
        .find(|arg| arg.get_env().is_some_and(|env| env == name))
        .unwrap_or_else(|| panic!("{} does not know {name}", command.get_name()));
    let long = arg.get_long().unwrap();
    match arg.get_action() {
        ArgAction::SetTrue => {
            assert_eq!(value, "true", "{name}");
            format!("--{long}")
        }
        _ => format!("--{long}={value}"),
    }
}

#[test]
fn arguments_and_variables_are_accepted() {
    let cli = Cli::command();
    for probe in probes() {
        let args = strings(&probe.content["args"]);
        assert_eq!(probe.content["command"], Value::Null, "{}: the image knows its program", probe.whose);
        let command = cli.find_subcommand(args[0]).unwrap_or_else(|| panic!("{}: {}", probe.whose, args[0]));
        let variables = probe.content["env"].as_array().unwrap();
        let flags: Vec<String> = variables.iter().map(|variable| as_flag(command, variable)).collect();
        let all = ["irsa-probe"].into_iter().chain(args).chain(flags.iter().map(String::as_str));
        Cli::try_parse_from(all).unwrap_or_else(|error| panic!("{}: {error}", probe.whose));
    }
}

#[test]
fn gate_component_sets_the_gates_flags() {
    let cli = Cli::command();
    let watch = cli.find_subcommand("watch").unwrap();
    let gate = probe_in("readiness-gate/deployment.yaml");
    let patch = documents()
        .into_iter()
        .find(|document| document.file == "manifests/components/readiness-gate/pod-template.yaml")
        .unwrap()
        .content;
    let pod = pod_spec(&patch).unwrap();
    let container = &pod["initContainers"][0];
    assert_eq!(container["name"], probe_in("native-sidecar/deployment.yaml")["name"]);
    let flags: Vec<String> =
        container["env"].as_array().unwrap().iter().map(|variable| as_flag(watch, variable)).collect();
    assert_eq!(flags, strings(&gate["args"])[1..]);
}

#[test]
fn container_variable_is_the_container_name() {
    for probe in probes() {
        let variables = probe.content["env"].as_array().unwrap();
        let told = variables.iter().find(|variable| variable["name"] == "IRSA_PROBE_CONTAINER").unwrap();
        assert_eq!(told["value"], probe.content["name"], "{}", probe.whose);
    }
}

#[test]
fn image_has_this_version() {
    for probe in probes() {
        let image = format!("irsa-probe:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(probe.content["image"], Value::from(image), "{}", probe.whose);
    }
    let dockerfile = repository::read("Dockerfile");
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
fn probes_of_a_kind_are_the_same() {
    for (file, others) in [
        (
            "init-container/deployment.yaml",
            &[
                "components/init-container/pod-template.yaml",
                "components/init-container/cron-job.yaml",
                "admission-policy/init-container.yaml",
            ][..],
        ),
        (
            "native-sidecar/deployment.yaml",
            &[
                "components/native-sidecar/pod-template.yaml",
                "components/native-sidecar/cron-job.yaml",
                "admission-policy/native-sidecar.yaml",
            ],
        ),
        ("sidecar/deployment.yaml", &["components/sidecar/pod-template.yaml"]),
    ] {
        let probe = probe_in(file);
        for other in others {
            assert_eq!(probe_in(other), probe, "{other}");
        }
    }
}

#[test]
fn watching_probes_differ_as_intended() {
    let without = |mut probe: Value, fields: &[&str]| {
        for field in fields {
            assert!(probe.as_object_mut().unwrap().remove(*field).is_some(), "{field}");
        }
        probe
    };
    let native = probe_in("native-sidecar/deployment.yaml");
    let sidecar = probe_in("sidecar/deployment.yaml");
    assert_eq!(without(native.clone(), &["restartPolicy", "startupProbe"]), sidecar);
    assert_eq!(without(probe_in("readiness-gate/deployment.yaml"), &["args"]), without(native, &["args"]));
    assert_eq!(without(probe_in("watch/deployment.yaml"), &["args"]), without(sidecar, &["args"]));
}

#[test]
fn only_native_sidecars_restart_and_have_startup_probes() {
    for probe in probes() {
        let native = probe.list == "initContainers" && probe.content["args"][0] == "watch";
        let expected = if native { Value::from("Always") } else { Value::Null };
        assert_eq!(probe.content["restartPolicy"], expected, "{}", probe.whose);
        assert_eq!(probe.content["startupProbe"].is_object(), native, "{}", probe.whose);
    }
}

#[test]
fn probe_order_follows_who_waits() {
    for document in documents() {
        let Some(pod) = pod_spec(&document.content) else {
            continue;
        };
        let in_list = |list: &str| -> Vec<String> {
            let items = pod[list].as_array().into_iter().flatten();
            items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        let (before, beside) = (in_list("initContainers"), in_list("containers"));
        match before.first() {
            Some(first) => {
                assert_eq!(first, "irsa-probe", "{}", document.file);
                assert!(!beside.contains(first), "{}", document.file);
            }
            None => assert_eq!(beside.last().unwrap(), "irsa-probe", "{}", document.file),
        }
    }
}

#[test]
fn probe_runs_as_the_pods_user() {
    for probe in probes() {
        for settings in [&probe.content["securityContext"], &probe.pod_security] {
            for field in ["runAsUser", "runAsGroup", "fsGroup"] {
                assert_eq!(settings[field], Value::Null, "{}: {field}", probe.whose);
            }
        }
    }
}

/// The port that `watch` listens on, unless told otherwise.
fn default_port() -> u16 {
    let cli = Cli::command();
    let watch = cli.find_subcommand("watch").unwrap();
    let listen = watch.get_arguments().find(|arg| arg.get_long() == Some("listen")).unwrap();
    let address = listen.get_default_values()[0].to_str().unwrap();
    address.parse::<SocketAddr>().unwrap().port()
}

#[test]
fn ports_match_the_listen_flag() {
    let port = default_port();
    for probe in probes() {
        let expected = if probe.content["args"][0] == "watch" {
            json!([{"name": "irsa-probe", "containerPort": port}])
        } else {
            Value::Null
        };
        assert_eq!(probe.content["ports"], expected, "{}", probe.whose);
    }
    let monitor = of_kind("PodMonitor").remove(0);
    let text = repository::read(&monitor.file);
    assert!(text.contains(&format!("port {port} ")), "{}", monitor.file);
    let endpoints = monitor.content["spec"]["podMetricsEndpoints"].as_array().unwrap();
    assert_eq!(endpoints.len(), 1);
    assert_eq!((&endpoints[0]["port"], &endpoints[0]["path"]), (&json!("irsa-probe"), &json!("/metrics")));
}

/// For how many seconds a probe of the kubelet may fail until it acts.
fn patience(probe: &Value) -> u64 {
    probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap()
}

#[test]
fn kubelet_probes_ask_for_their_paths() {
    for probe in watching() {
        for (kind, path) in
            [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
        {
            let asked = &probe.content[kind];
            if kind == "startupProbe" && asked.is_null() {
                continue;
            }
            assert_eq!(asked["httpGet"], json!({"path": path, "port": "irsa-probe"}), "{}", probe.whose);
        }
        let alive = &probe.content["livenessProbe"];
        assert!(patience(alive) >= 300 && alive["timeoutSeconds"].as_u64().unwrap() >= 10, "{}", probe.whose);
        if probe.content["startupProbe"].is_object() {
            let startup = &probe.content["startupProbe"];
            assert_eq!((patience(startup), &startup["periodSeconds"]), (300, &json!(1)), "{}", probe.whose);
        }
    }
}

#[test]
fn gate_and_condition_match() {
    let mut gated = 0;
    for document in documents() {
        let Some(gates) = pod_spec(&document.content).map(|pod| &pod["readinessGates"]) else {
            continue;
        };
        let sets_condition = repository::read(&document.file);
        if gates.is_null() {
            assert!(!sets_condition.contains("pod-condition"), "{}", document.file);
        } else {
            assert_eq!(*gates, json!([{"conditionType": "irsa-probe/ready"}]), "{}", document.file);
            assert_eq!(pod_spec(&document.content).unwrap()["automountServiceAccountToken"], true);
            gated += 1;
        }
    }
    assert_eq!(gated, 2);
    let gate = probe_in("readiness-gate/deployment.yaml");
    assert!(strings(&gate["args"]).contains(&"--pod-condition=irsa-probe/ready"));
}

#[test]
fn gate_has_three_rights_and_says_their_reach() {
    let account = |file: &str| if file.contains("components/") { "SERVICE_ACCOUNT" } else { "checkout" };
    let (roles, bindings) = (of_kind("Role"), of_kind("RoleBinding"));
    assert_eq!((roles.len(), bindings.len()), (2, 2));
    assert!(of_kind("ClusterRole").is_empty() && of_kind("ClusterRoleBinding").is_empty());
    for Document { file, content } in roles {
        assert_eq!(
            content["rules"],
            json!([
                {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
                {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
                {
                    "apiGroups": [""],
                    "resources": ["serviceaccounts"],
                    "resourceNames": [account(&file)],
                    "verbs": ["get"]
                }
            ]),
            "{file}"
        );
        let text = repository::read(&file).replace("\n# ", " ");
        assert!(text.contains("Opt-in") && text.contains("every pod of the namespace"), "{file}");
    }
    for Document { file, content } in bindings {
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": content["metadata"]["name"]});
        assert_eq!(content["roleRef"], role, "{file}");
        assert_eq!(
            content["subjects"],
            json!([{"kind": "ServiceAccount", "name": account(&file)}]),
            "{file}"
        );
    }
}

#[test]
fn admission_policy_is_opt_in_and_bound() {
    let policies = of_kind("MutatingAdmissionPolicy");
    for (policy, (name, label)) in
        policies.iter().zip([("irsa-probe-init", "init"), ("irsa-probe-sidecar", "sidecar")])
    {
        let (file, spec) = (&policy.file, &policy.content["spec"]);
        assert_eq!(policy.content["metadata"]["name"], name, "{file}");
        assert_eq!(
            spec["matchConstraints"],
            json!({
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
                ],
                "objectSelector": {"matchLabels": {"irsa-probe": label}}
            }),
            "{file}"
        );
        let text = repository::read(file);
        assert!(text.contains(&format!("`irsa-probe: {label}`")), "{file}");
        let bindings = of_kind("MutatingAdmissionPolicyBinding");
        let bound: Vec<_> = bindings.iter().filter(|binding| binding.file == *file).collect();
        assert_eq!(bound.len(), 1, "{file}");
        assert_eq!(bound[0].content["spec"], json!({"policyName": name}), "{file}");
    }
    let [first, second] = &policies[..] else { panic!("{} policies", policies.len()) };
    for field in ["matchConditions", "variables", "failurePolicy", "reinvocationPolicy"] {
        assert_eq!(first.content["spec"][field], second.content["spec"][field], "{field}");
    }
    let steps = [first, second].map(|policy| {
        let expression = policy.content["spec"]["mutations"][0]["jsonPatch"]["expression"].as_str().unwrap();
        expression.split_once("value: Object.spec.initContainers{").unwrap().0
    });
    assert_eq!(steps[0], steps[1]);
}

#[test]
fn containers_are_read_from_expressions() {
    let expression = r#"[JSONPatch{op: "add", path: "/x", value: Object.spec.initContainers{
        name: "a", image: variables.image, ports: [Object.spec.initContainers.ports{containerPort: 1}],
        resources: Object.spec.initContainers.resources{limits: {"memory": "32Mi"}}
    }}]"#;
    assert_eq!(
        container_in_cel(expression, "b:1"),
        json!({
            "name": "a",
            "image": "b:1",
            "ports": [{"containerPort": 1}],
            "resources": {"limits": {"memory": "32Mi"}}
        })
    );
}

#[test]
fn job_runs_once() {
    let job = documents().into_iter().find(|document| document.content["kind"] == "Job").unwrap().content;
    assert_eq!(job["spec"]["backoffLimit"], 0);
    assert!(job["spec"]["ttlSecondsAfterFinished"].as_u64().unwrap() > 0);
    assert_eq!(pod_spec(&job).unwrap()["restartPolicy"], "Never");
}

#[test]
fn every_service_account_has_a_role() {
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
    assert_eq!((accounts.len(), used.len()), (4, 6));
    assert!(used.iter().chain(&accounts).all(|name| *name == accounts[0]), "{used:?} {accounts:?}");
}

#[test]
fn workloads_select_their_pods() {
    for Document { file, content } in of_kind("Deployment") {
        if content["metadata"]["name"] != "any" {
            let labels = &content["spec"]["template"]["metadata"]["labels"];
            assert!(labels.is_object());
            assert_eq!(content["spec"]["selector"]["matchLabels"], *labels, "{file}");
        }
    }
}

#[test]
fn containers_have_requests_and_limits() {
    for container in containers() {
        // A probe that watches shares the processor with the application, for as long as it lives.
        let watches = container.content["args"][0] == "watch";
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                let amount = &container.content["resources"][kind][resource];
                let none = watches && (kind, resource) == ("limits", "cpu");
                assert_eq!(amount.is_string(), !none, "{}: {kind} of {resource}", container.whose);
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
    let names_host = |probe: &&str| {
        ["httpGet", "tcpSocket"].iter().any(|action| !container[*probe][*action]["host"].is_null())
    };
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
        ("host of a probe", ["startupProbe", "readinessProbe", "livenessProbe"].iter().any(names_host)),
    ]
    .into_iter()
    .filter_map(|(rule, broken)| broken.then_some(rule))
    .collect()
}

#[test]
fn restricted_pod_security_admits_every_manifest() {
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
fn probe_is_restricted_in_any_pod() {
    for probe in probes() {
        assert_eq!(refused_container(&probe.content, &Value::Null), Vec::<&str>::new(), "{}", probe.whose);
        assert_eq!(probe.content["securityContext"]["readOnlyRootFilesystem"], true, "{}", probe.whose);
    }
}

#[test]
fn pod_security_rules_find_violations() {
    let loose = json!({
        "securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": 9440, "host": "127.0.0.1"}}
    });
    assert_eq!(
        refused_container(&loose, &Value::Null),
        [
            "allowPrivilegeEscalation",
            "runAsNonRoot",
            "seccompProfile",
            "capabilities.drop",
            "capabilities.add",
            "host of a probe"
        ]
    );
    let host = json!({"hostNetwork": true, "volumes": [{"name": "root", "hostPath": {"path": "/"}}]});
    assert_eq!(refused_pod(&host), ["hostNetwork", "volume: hostPath"]);
}

/// What is pasted for `kubectl debug`: the name of the file, and what is in it.
fn debugging() -> Vec<(String, Value)> {
    documents()
        .into_iter()
        .filter_map(|it| Some((it.file.strip_prefix("manifests/debug/")?.to_owned(), it.content)))
        .collect()
}

/// The values of the variables in a container.
fn variables(container: &Value) -> BTreeMap<&str, &str> {
    let all = container["env"].as_array().into_iter().flatten();
    all.map(|variable| (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap())).collect()
}

#[test]
fn kubectl_debug_commands_are_valid() {
    // Name, command, image, lifecycle and volume devices are kubectl's own; ports, probes and resources
    // no ephemeral container may have.
    for (file, profile) in debugging() {
        for field in profile.as_object().unwrap().keys() {
            assert!(["env", "volumeMounts", "securityContext"].contains(&field.as_str()), "{file}: {field}");
        }
        let text = repository::read(Path::new("manifests/debug").join(&file));
        let command =
            text.lines().find(|line| line.starts_with("# kubectl -n NAMESPACE debug POD -it ")).unwrap();
        assert!(command.contains(&format!(" --custom=manifests/debug/{file}")), "{command}");
        assert!(
            command.contains(&format!(" --image=irsa-probe:{} ", env!("CARGO_PKG_VERSION"))),
            "{command}"
        );
        if let Some((_, inner)) = command.split_once(" -- /irsa-probe ") {
            let words = ["irsa-probe"].into_iter().chain(inner.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        }
        // Without --target there is no process to look through, and with it no copy.
        let looks_through =
            !variables(&profile).contains_key("AWS_ROLE_ARN") && !command.contains("--copy-to");
        assert_eq!(command.contains(" --target=CONTAINER "), looks_through, "{command}");

        let cli = Cli::command();
        let ours = profile["env"].as_array().unwrap().iter();
        let ours = ours.filter(|it| it["name"].as_str().unwrap().starts_with("IRSA_PROBE_"));
        let flags: Vec<String> = ours.map(|variable| as_flag(&cli, variable)).collect();
        let words = ["irsa-probe"].into_iter().chain(flags.iter().map(String::as_str));
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn kubectl_debug_profiles_are_admitted_as_stated() {
    for (file, profile) in debugging() {
        let refused = refused_container(&profile, &Value::Null);
        if file == "root.yaml" {
            assert!(refused.contains(&"runAsUser"), "{refused:?}");
        } else {
            assert_eq!(refused, Vec::<&str>::new(), "{file}");
        }
        assert_eq!(profile["securityContext"]["readOnlyRootFilesystem"], true, "{file}");
        // That of the image is seldom the application's, by which the token's file may be readable.
        assert!(profile["securityContext"]["runAsUser"].is_number(), "{file}");
        let is_root = profile["securityContext"]["runAsUser"] == 0;
        assert!(is_root || profile["securityContext"]["runAsGroup"].is_number(), "{file}");
    }
}

#[test]
fn hand_made_identity_matches_the_webhook() {
    let (_, profile) = debugging().into_iter().find(|(file, _)| file == "env-and-volume.yaml").unwrap();
    let variables = variables(&profile);
    assert_eq!(variables[TOKEN_FILE_VARIABLE], DEFAULT_TOKEN_FILE);
    assert!(variables[ROLE_ARN_VARIABLE].starts_with("arn:aws:iam::"));
    let mount = &profile["volumeMounts"][0];
    assert_eq!(mount["name"], "aws-iam-token");
    assert_eq!(Path::new(DEFAULT_TOKEN_FILE).parent(), mount["mountPath"].as_str().map(Path::new));
}

#[test]
fn named_manifests_exist() {
    let texts = Name::ALL.iter().map(|name| name.page().to_owned());
    let source = repository::files(&repository::path("src"), &["rs"]);
    let source = source.into_iter().chain([repository::path("README.md")]).map(repository::read);
    let mut named = 0;
    for text in texts.chain(source) {
        for rest in text.split("manifests/debug/").skip(1) {
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-' || c == '.')).unwrap();
            let file = rest[..end].trim_end_matches('.');
            assert!(repository::path("manifests/debug").join(file).exists(), "{file}");
            named += 1;
        }
    }
    assert!(named >= 5, "{named}");
}

/// The labels that Prometheus gives to what a PodMonitor finds.
const OF_TARGETS: [&str; 4] = ["namespace", "pod", "container", "endpoint"];

fn rules() -> Vec<Value> {
    let rules = of_kind("PrometheusRule").remove(0).content;
    let groups = rules["spec"]["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn alerts() -> Vec<Value> {
    rules().into_iter().filter(|rule| rule["alert"].is_string()).collect()
}

fn expression(rule: &Value) -> &str {
    rule["expr"].as_str().unwrap()
}

/// The words of an expression, outside its strings.
fn words(expression: &str) -> Vec<&str> {
    let bare = expression.split('"').step_by(2);
    bare.flat_map(|part| part.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')))
        .filter(|word| !word.is_empty())
        .collect()
}

/// What an expression demands of labels: the label, and the values that it allows.
fn matchers(expression: &str) -> Vec<(&str, Vec<&str>)> {
    let pieces: Vec<&str> = expression.split('"').collect();
    pieces
        .chunks_exact(2)
        .map(|pair| {
            let label = pair[0].trim_end_matches(['=', '~']).rsplit(['{', ',']).next().unwrap().trim();
            (label, pair[1].split('|').collect())
        })
        .collect()
}

/// The labels in brackets, after `by` and the like.
fn grouped_by(expression: &str) -> Vec<&str> {
    ["by (", "ignoring ("]
        .iter()
        .flat_map(|before| expression.split(before).skip(1))
        .flat_map(|rest| rest.split(')').next().unwrap().split(','))
        .map(str::trim)
        .collect()
}

#[test]
fn alerts_use_existing_metrics_and_labels() {
    let mut known: BTreeSet<String> = metrics::ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let of_metrics = metrics::ALL.iter().flat_map(|metric| metric.labels.iter().copied());
    let labels: BTreeSet<&str> = of_metrics.chain(OF_TARGETS).collect();
    for rule in rules() {
        let expr = expression(&rule);
        let asked_for: Vec<&str> =
            words(expr).into_iter().filter(|word| word.starts_with("irsa") || *word == "up").collect();
        assert!(!asked_for.is_empty(), "{expr}");
        for metric in asked_for {
            assert!(metric == "up" || known.contains(metric), "{metric}");
        }
        let asked = matchers(expr).into_iter().map(|(label, _)| label).chain(grouped_by(expr));
        for label in asked {
            assert!(labels.contains(label), "{label} in {expr}");
        }
        for text in ["summary", "description"].map(|field| rule["annotations"][field].as_str()) {
            for rest in text.unwrap_or_default().split("$labels.").skip(1) {
                let label: String = rest.chars().take_while(|c| c.is_ascii_lowercase()).collect();
                assert!(labels.contains(label.as_str()), "{label}");
            }
        }
        known.extend(rule["record"].as_str().map(str::to_owned));
    }
}

#[test]
fn alerts_use_existing_label_values() {
    for rule in rules() {
        for (label, values) in matchers(expression(&rule)) {
            for value in values {
                let exists = match label {
                    "class" => Class::ALL.iter().any(|class| class.as_str() == value),
                    "name" => Name::parse(value).is_some_and(|name| name.as_str() == value),
                    "result" => ExchangeResult::ALL.iter().any(|answered| answered.as_str() == value),
                    "endpoint" => value == "irsa-probe",
                    _ => false,
                };
                assert!(exists, "{label}={value}");
            }
        }
    }
}

#[test]
fn every_class_has_one_alert() {
    let mut severities = Vec::new();
    for rule in alerts() {
        for (label, values) in matchers(expression(&rule)) {
            if label == "class" {
                let severity = rule["labels"]["severity"].as_str().unwrap().to_owned();
                severities.extend(values.iter().map(|class| ((*class).to_owned(), severity.clone())));
            }
        }
    }
    severities.sort();
    let expected = Class::ALL.map(|class| {
        let severity = match class {
            Class::NotInjected | Class::Misconfigured | Class::Refused => "critical",
            Class::Unreachable | Class::NotJudged => "warning",
        };
        (class.as_str().to_owned(), severity.to_owned())
    });
    assert_eq!(BTreeSet::from_iter(severities.iter().cloned()), BTreeSet::from(expected));
    assert_eq!(severities.len(), Class::ALL.len());
}

#[test]
fn alerts_say_where_what_and_who() {
    for rule in alerts() {
        let name = rule["alert"].as_str().unwrap();
        assert!(name.starts_with("IrsaProbe"), "{name}");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        let text = |field: &str| rule["annotations"][field].as_str().unwrap().to_owned();
        let (summary, description) = (text("summary"), text("description"));
        assert!(description.lines().any(|line| line.starts_with("kubectl ")), "{name}");
        match name {
            "IrsaProbeNotScraped" => {}
            "IrsaProbeThrottled" => assert!(summary.contains("{{ $labels.namespace }}"), "{summary}"),
            _ => assert!(summary.contains("{{ $labels.namespace }}/{{ $labels.pod }}"), "{summary}"),
        }
        // What names a diagnosis names its owner, and says how to read more.
        let explained = description.lines().find_map(|line| line.strip_prefix("irsa-probe explain "));
        match explained {
            Some("{{ $labels.name }}") => {
                assert!(summary.ends_with("{{ $labels.name }} (owner: {{ $labels.owner }})"), "{summary}");
            }
            Some(literal) => {
                let diagnosis = Name::parse(literal).unwrap();
                let end = format!("{} (owner: {})", diagnosis.as_str(), diagnosis.owner().as_str());
                assert!(summary.ends_with(&end), "{summary}");
            }
            None => assert!(!summary.contains("owner"), "{summary}"),
        }
    }
}

#[test]
fn alerts_and_readme_read_reports_alike() {
    let readme = repository::read("README.md");
    let (_, filter) = readme.split_once("jq -rs '").unwrap();
    let (filter, _) = filter.split_once('\'').unwrap();
    let all: Vec<String> =
        alerts().iter().map(|rule| rule["annotations"]["description"].as_str().unwrap().to_owned()).collect();
    let reading: Vec<_> = all.iter().filter(|text| text.contains(" logs ") && text.contains("jq")).collect();
    assert!(!reading.is_empty());
    for text in reading {
        assert!(text.contains(&format!("jq -rs '{filter}'")), "{text}");
    }
}

#[test]
fn promql_words_are_found() {
    let expr = "sum by (pod) (rate(a_total{result=\"ok\",class=~\"x|y\"}[5m]))\n  / ignoring (name, owner) b:c > 0.1";
    assert!(words(expr).contains(&"a_total") && words(expr).contains(&"b:c") && !words(expr).contains(&"ok"));
    assert_eq!(matchers(expr), [("result", vec!["ok"]), ("class", vec!["x", "y"])]);
    assert_eq!(grouped_by(expr), ["pod", "name", "owner"]);
}
