#!/usr/bin/env bash
# The manifests against the schemas of Kubernetes, strictly; the components as Kustomize applies
# them to every kind of workload; the alerts as Prometheus's own promtool reads and tests them.
#
#   e2e/manifests/run.sh

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

schemas_version=1.37.0
kustomize_version=v5.8.1

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --quiet --disable-pip-version-check install \
    "kubernetes-validate==$schemas_version" 'PyYAML>=6'

# valid FILE [OPTION...]: every document fits its schema; one without a schema does not.
valid() {
    local said
    said="$("$scratch/venv/bin/kubernetes-validate" --strict "${@:2}" "$1")" || {
        echo "$said"
        return 1
    }
    echo "$said"
    grep --quiet '^INFO' <<<"$said" && ! grep --quiet '^WARN' <<<"$said"
}
invalid() { ! valid "$@"; }
as_json() { "$scratch/venv/bin/python" -c 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'; }

manifests="$source_root/manifests"
for manifest in "$manifests"/{init-container,job,native-sidecar,sidecar,watch,readiness-gate,admission-policy}/*.yaml; do
    check "${manifest#"$source_root"/} fits the schemas" valid "$manifest"
done

# From which version on, as the manifests say.
for manifest in "$manifests"/{native-sidecar,readiness-gate}/*.yaml; do
    check "${manifest#"$source_root"/} fits those of 1.29" valid "$manifest" --kubernetes-version 1.29
done
check "manifests/sidecar fits those of 1.25" valid "$manifests/sidecar/deployment.yaml" --kubernetes-version 1.25
for manifest in "$manifests"/admission-policy/*.yaml; do
    check "${manifest#"$source_root"/} fits those of 1.36" valid "$manifest" --kubernetes-version 1.36
    check "${manifest#"$source_root"/} is nothing that 1.35 knows" invalid "$manifest" --kubernetes-version 1.35
done

# What kubectl debug takes is a part of a container: it fits the schemas in a pod, among its ephemeral
# containers and among the others.
in_pods() {
    "$scratch/venv/bin/python" - "$1" <<'PYTHON'
import json, sys, yaml
part = yaml.safe_load(open(sys.argv[1]))
container = {"name": "irsa-probe", "image": "irsa-probe", **part}
application = {"name": "application", "image": "application"}
specs = [{"containers": [application], "ephemeralContainers": [container]}, {"containers": [container]}]
for spec in specs:
    print("---")
    print(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}))
PYTHON
}
for manifest in "$manifests"/debug/*.yaml; do
    in_pods "$manifest" >"$scratch/debug.yaml"
    check "${manifest#"$source_root"/} fits the schemas in a pod" valid "$scratch/debug.yaml"
done

# Kustomize: the one of this machine, or the one that Go builds.
if command -v kubectl >/dev/null; then
    kustomize=(kubectl kustomize)
elif command -v kustomize >/dev/null; then
    kustomize=(kustomize build)
elif command -v go >/dev/null; then
    GOBIN="$scratch/bin" go install "sigs.k8s.io/kustomize/kustomize/v5@$kustomize_version"
    kustomize=("$scratch/bin/kustomize" build)
else
    kustomize=()
fi

# The pod spec in any workload.
pod='(.spec.jobTemplate // .).spec.template.spec'

# build NAME: the overlay of that name, and where its result is.
build() {
    built="$scratch/$1.json"
    "${kustomize[@]}" "$source_root/e2e/manifests/overlays/$1" >"$scratch/$1.yaml"
    as_json <"$scratch/$1.yaml" >"$built"
}

# holds KIND FILTER: the filter holds of the pod spec of the one workload of this kind.
holds() {
    jq --exit-status --arg kind "$1" "[.[] | select(.kind == \$kind) | $pod] | length == 1 and all($2)" "$built"
}

# The image is the one that the user chose.
probe='(.name == "irsa-probe" and .image == "registry.example/irsa-probe:chosen")'
first_init_container="(.initContainers[0] | $probe)"
last_container="((.containers | length) == 2 and (.containers[-1] | $probe))"
without_probe='all(.initContainers[]?, .containers[]; .name != "irsa-probe")'
gate='(.readinessGates == [{"conditionType": "irsa-probe/ready"}] and .automountServiceAccountToken)'
no_gate='(has("readinessGates") or has("automountServiceAccountToken") | not)'
# The three flags of the gate, as variables.
flags='([.initContainers[0].env[] | select(.name != "IRSA_PROBE_CONTAINER")] | length == 3)'

# kept: all that the user had is there, and nothing else but the probe, its gate and its Role.
kept() {
    diff <(jq --sort-keys 'sort_by(.kind)' "$scratch/workloads.json") \
        <(jq --sort-keys "map(select(.kind | IN(\"Role\", \"RoleBinding\") | not)
            | if .kind == \"ConfigMap\" then . else $pod |= (
                if .initContainers then .initContainers |= map(select(.name != \"irsa-probe\")) else . end
                | if .initContainers == [] then del(.initContainers) else . end
                | .containers |= map(select(.name != \"irsa-probe\"))
                | del(.readinessGates, .automountServiceAccountToken)
            ) end) | sort_by(.kind)" "$built")
}

# settled NAME: what was built, without the order of variables.
settled() { jq --sort-keys "map(if .kind | IN(\"ConfigMap\", \"Role\", \"RoleBinding\") then . else
    $pod.initContainers[0].env |= sort_by(.name) end)" "$scratch/$1.json"; }
same() { diff <(settled "$1") <(settled "$2"); }

# may_do: the Role of what was built is bound to one service account, and reads that one alone.
may_do() {
    jq --exit-status 'map(select(.kind == "Role") | .rules[] | .resourceNames // empty) == [["checkout"]]
        and map(select(.kind == "RoleBinding") | .subjects) == [[{"kind": "ServiceAccount", "name": "checkout"}]]' "$built"
}

if [ "${#kustomize[@]}" -eq 0 ]; then
    skip "the components: no kubectl, no kustomize and no go on this machine"
else
    echo "Kustomize: ${kustomize[*]##*/}"
    build workloads
    for component in init-container native-sidecar sidecar readiness-gate; do
        build "$component"
        for kind in Deployment StatefulSet DaemonSet Job CronJob; do
            case "$component $kind" in
                sidecar\ *Job)
                    check "$component leaves a $kind alone" holds "$kind" "$without_probe" ;;
                sidecar\ *)
                    check "$component comes last in a $kind" holds "$kind" "$last_container" ;;
                readiness-gate\ *Job)
                    check "$component is but a sidecar in a $kind" holds "$kind" "$first_init_container and $no_gate" ;;
                readiness-gate\ *)
                    check "$component gates a $kind" holds "$kind" "$first_init_container and $gate and $flags" ;;
                *)
                    check "$component comes first in a $kind" holds "$kind" "$first_init_container and $no_gate" ;;
            esac
        done
        check "$component changes nothing else" kept
        check "what $component makes fits the schemas" valid "$scratch/$component.yaml"
    done
    check "readiness-gate is allowed what it needs, and no more" may_do
    build both
    check "readiness-gate and native-sidecar make one sidecar, in any order" same readiness-gate both
fi

# The rules as they are in the manifest, in the form of Prometheus.
if command -v promtool >/dev/null; then
    echo "promtool: $(promtool --version 2>&1 | sed --quiet 's/^promtool, version \([^ ]*\).*/\1/p')"
    as_json <"$manifests/monitoring/alerts.yaml" | jq '.[0].spec' >"$scratch/rules.yaml"
    cp "$source_root/e2e/manifests/alerts.yaml" "$scratch/alerts.yaml"
    check "promtool takes the alerts" promtool check rules --lint=all --lint-fatal "$scratch/rules.yaml"
    check "the alerts fire when they should, and only then" promtool test rules "$scratch/alerts.yaml"
else
    skip "the alerts: no promtool on this machine"
fi

summary
