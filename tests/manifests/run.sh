#!/usr/bin/env bash
# The manifests against the schemas of Kubernetes, strictly, and the component as Kustomize
# applies it to every kind of workload.
#
#   tests/manifests/run.sh

source "$(dirname "${BASH_SOURCE[0]}")/../containers/lib.sh"

schemas_version=1.37.0
kustomize_version=v5.8.1

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --quiet --disable-pip-version-check install \
    "kubernetes-validate==$schemas_version" 'PyYAML>=6'

valid() { "$scratch/venv/bin/kubernetes-validate" --strict "$1"; }
as_json() { "$scratch/venv/bin/python" -c 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'; }

for manifest in "$source_root"/manifests/init-container/*.yaml "$source_root"/manifests/job/*.yaml; do
    check "${manifest#"$source_root"/} fits the schemas" valid "$manifest"
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

if [ "${#kustomize[@]}" -eq 0 ]; then
    skip "the component: no kubectl, no kustomize and no go on this machine"
else
    echo "Kustomize: ${kustomize[*]##*/}"
    "${kustomize[@]}" "$source_root/tests/manifests/overlay" >"$scratch/built.yaml"
    as_json <"$scratch/built.yaml" >"$scratch/built.json"
    as_json <"$source_root/tests/manifests/overlay/workloads.yaml" >"$scratch/before.json"

    # The probe comes first, with the image that the user chose; all else is as it was.
    pod='(.spec.jobTemplate // .).spec.template.spec'
    first() {
        jq --exit-status --arg kind "$1" \
            "any(.[] | select(.kind == \$kind) | $pod.initContainers[0];
                .name == \"irsa-probe\" and .image == \"registry.example/irsa-probe:0.1.0\")" \
            "$scratch/built.json"
    }
    without_probe="map(select(.kind != \"ConfigMap\") |= (
            $pod.initContainers |= map(select(.name != \"irsa-probe\"))
            | if $pod.initContainers == [] then del($pod.initContainers) else . end
        )) | sort_by(.kind)"
    kept() {
        diff <(jq --sort-keys 'sort_by(.kind)' "$scratch/before.json") \
            <(jq --sort-keys "$without_probe" "$scratch/built.json")
    }
    for kind in Deployment StatefulSet DaemonSet Job CronJob; do
        check "the component puts the probe first in a $kind" first "$kind"
    done
    check "the component changes nothing else" kept
    check "what the component makes fits the schemas" valid "$scratch/built.yaml"
fi

summary
