# shellcheck shell=bash
# For the scripts beside this: moto from PyPI, in a network namespace in which there is nothing else.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

moto_version=5.2.5
network="irsa-probe-moto-$$"

needs "$probe_bin"

# install_moto [PACKAGE...]: moto and these packages, and the network, which has only loopback in it.
install_moto() {
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/pip" --quiet --disable-pip-version-check install "moto[server]==$moto_version" "$@"
    ip netns add "$network"
    namespaces+=("$network")
    ip -netns "$network" link set lo up
}

answers() { ip netns exec "$network" curl --silent --fail "http://127.0.0.1:$1/moto-api/data.json"; }

# serve PORT PROGRAM...: a moto at this port.
serve() {
    local port="$1"
    shift
    ip netns exec "$network" "$@" --host 127.0.0.1 --port "$port" >"$scratch/moto-$port.log" 2>&1 &
    background+=("$!")
    wait_for 60 answers "$port"
}

# authenticate PORT [CALLS]: from now on so many calls need no signature, one if not said, and every later
# one is checked: who signed it, and whether that user's policies allow it.
authenticate() {
    ip netns exec "$network" curl --silent --fail --header 'Content-Type: text/plain' --data "${2:-1}" \
        "http://127.0.0.1:$1/moto-api/reset-auth" >/dev/null
}
