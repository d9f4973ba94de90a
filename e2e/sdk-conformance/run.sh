#!/usr/bin/env bash
# What the probe says of each SDK against the SDK itself: the real ones, from their registries, in
# recorded and generated situations, with a fake STS, container endpoint and IMDS.
#
#   e2e/sdk-conformance/run.sh --sample | --all [OPTION...]
#
# --sample: few SDKs and situations, for each change. --all: every one. The options are those of
# `conformance.py run`, such as --seed N, --sdks ID,ID, --only ID,ID and --record FILE.
# IRSA_PROBE_BIN names another binary than the static one in the target directory; where it is
# empty only the recorded matrix is compared. IRSA_PROBE_SDKS names another directory than
# target/sdk-conformance for the SDKs, which are kept there from run to run.

set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$here/../.."
scratch="${IRSA_PROBE_SDKS:-$root/target/sdk-conformance}"
IRSA_PROBE_BIN="${IRSA_PROBE_BIN-$root/target/$(uname -m)-unknown-linux-gnu/release/irsa-probe}"
export IRSA_PROBE_BIN
unset CARGO_TARGET_DIR

tools=(python3 ip unshare openssl node npm go)
case "${1:-}" in
--sample)
    options=(--sdks "boto,jsv3,gov2")
    ;;
--all)
    options=(--generate "singles,written,pairwise,sparse" --count 300)
    tools+=(java javac keytool mvn cargo)
    ;;
*)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
shift
options+=("$@")

[ -z "$IRSA_PROBE_BIN" ] || [ -x "$IRSA_PROBE_BIN" ] || {
    echo "build $IRSA_PROBE_BIN first, as .ci/run does" >&2
    exit 1
}
for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing: apt-get install python3-venv iproute2 util-linux openssl nodejs npm golang-go" \
            "default-jdk-headless maven cargo" >&2
        exit 1
    }
done

mkdir --parents "$scratch"
[ -x "$scratch/venv/bin/python" ] || python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$here/requirements.txt"
conformance=("$scratch/venv/bin/python" "$here/conformance.py")
"${conformance[@]}" install --scratch "$scratch" "${options[@]}"

# Its loopback has the addresses of AWS, and leads nowhere else.
namespace=(unshare --net)
[ "$(id --user)" -eq 0 ] || namespace+=(--map-root-user)
"${namespace[@]}" -- "${conformance[@]}" run --scratch "$scratch" "${options[@]}"
