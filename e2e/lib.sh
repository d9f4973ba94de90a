# shellcheck shell=bash
# For the scripts in the folders here: a scratch directory, checks, the image, a container engine that keeps
# its storage in that directory, and a cleanup that leaves nothing.
# Sourced by bash; needs root, buildah, podman and runc.

set -euo pipefail

source_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
probe_bin="${IRSA_PROBE_BIN:-$source_root/target/$(uname -m)-unknown-linux-gnu/release/irsa-probe}"
testbed_bin="${TESTBED_BIN:-$source_root/target/$(uname -m)-unknown-linux-gnu/debug/testbed}"
image=localhost/irsa-probe:test
scratch="$(mktemp --directory --tmpdir irsa-probe-containers.XXXXXX)"
chmod 0755 "$scratch"
world="$scratch/world"
passed=0
failed=0
skipped=0
background=()
namespaces=()

finish() {
    local code=$?
    trap - EXIT
    set +e
    podman rm --all --force --time 0 >"$scratch/cleanup.log" 2>&1
    for pid in "${background[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    for namespace in "${namespaces[@]}"; do
        ip netns delete "$namespace"
    done
    podman image unmount --all >>"$scratch/cleanup.log" 2>&1
    rm --recursive --force "$scratch"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# An engine of its own: no systemd, no storage of the machine's.
cat >"$scratch/storage.conf" <<CONF
[storage]
driver = "vfs"
graphroot = "$scratch/graph"
runroot = "$scratch/run"
CONF
cat >"$scratch/containers.conf" <<CONF
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "$scratch/libpod"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
log_driver = "k8s-file"
CONF
export CONTAINERS_STORAGE_CONF="$scratch/storage.conf"
export CONTAINERS_CONF="$scratch/containers.conf"

# check WHAT COMMAND...: one line, and what the command said where it failed.
check() {
    local what="$1"
    shift
    if "$@" >"$scratch/check.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok      $what"
    else
        failed=$((failed + 1))
        echo "FAILED  $what"
        head --bytes 8000 "$scratch/check.log" | sed 's/^/        /'
    fi
}

# needs PROGRAM...: ends the script if one of them was not built.
needs() {
    local program
    for program in "$@"; do
        [ -x "$program" ] || {
            echo "$program is missing: e2e/README.md says how to build it" >&2
            exit 1
        }
    done
}

# skip WHAT: one line for what this machine cannot check, and one in the file $NOT_RUN for .ci/run.
skip() {
    skipped=$((skipped + 1))
    echo "skipped $1"
    [ -z "${NOT_RUN:-}" ] || echo "$1" >>"$NOT_RUN"
}

# summary: the closing line; fails if a check did, or if there was none.
summary() {
    local skips=
    [ "$skipped" -eq 0 ] || skips=", $skipped skipped"
    echo "$passed passed, $failed failed$skips"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$until" ]; then
            echo "gave up waiting for: $*" >&2
            return 1
        fi
        sleep 0.1
    done
}

# stop PID: ends a process of the background.
stop() { kill "$1" && { wait "$1" || true; }; }

# make_network NAME ADDRESS: a network namespace with this address, and nobody else in it.
make_network() {
    ip netns add "$1"
    namespaces+=("$1")
    ip -netns "$1" link set lo up
    ip -netns "$1" link add pod type veth peer name far
    ip -netns "$1" link set far up
    ip -netns "$1" link set pod up
    ip -netns "$1" address add "$2/24" dev pod
}

# names NETWORK ADDRESS [HOST-RECORD]: (re)starts the only name server there, with this record or with none.
# Leaves `names_pid`, and what it is asked in `$scratch/queries.log`.
names() {
    [ -z "${names_pid:-}" ] || stop "$names_pid"
    : >"$scratch/queries.log"
    # Not through a function, whose process would be a shell's.
    ip netns exec "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root \
        --no-resolv --no-hosts --local=/#/ --listen-address="$2" --bind-interfaces \
        --log-queries --log-facility="$scratch/queries.log" ${3:+--host-record="$3"} &
    names_pid=$!
    background+=("$names_pid")
    wait_for 10 serves_names "$1"
}
serves_names() { ip netns exec "$1" ss --no-header --listening --udp --numeric 'sport = :53' | grep --quiet .; }

# build_image: the last stage of the Dockerfile, unchanged; what it copies from the build stage
# comes from a directory with the static binary of this machine.
build_image() {
    local stage="$scratch/build-stage" context="$scratch/empty"
    mkdir --parents "$stage/etc/ssl/certs" "$context"
    cp --dereference /etc/ssl/certs/ca-certificates.crt "$stage/etc/ssl/certs/"
    install --mode 0755 "$probe_bin" "$stage/irsa-probe"
    buildah build --quiet --isolation chroot --build-context "build=$stage" \
        --file "$source_root/Dockerfile" --tag "$image" "$context" >/dev/null
}

# testbed NETWORK ADDRESS PORT: an STS and a cluster there, in `$world`, as `$scratch/scenario.toml` says.
# Leaves `testbed_pid`.
testbed() {
    mkdir --parents "$world"
    # Not through a function, whose process would be a shell's.
    ip netns exec "$1" "$testbed_bin" serve --dir "$world" --listen "$2" --sts-port "$3" \
        --scenario "$scratch/scenario.toml" >"$scratch/testbed.log" &
    testbed_pid=$!
    background+=("$testbed_pid")
    wait_for 20 grep --quiet ready "$scratch/testbed.log"
}
testbed_says() { grep --count --line-regexp -- "$1" "$scratch/testbed.log" || true; }
testbed_says_more() { [ "$(testbed_says "$1")" -gt "$2" ]; }
# tell_testbed SIGNAL WORD: sends it the signal, and waits until it says the word once more.
tell_testbed() {
    local before
    before="$(testbed_says "$2")"
    kill -s "$1" "$testbed_pid"
    wait_for 10 testbed_says_more "$2" "$before"
}

# role_is SCENARIO: so from now on.
role_is() {
    echo "$1" >"$scratch/scenario.toml"
    tell_testbed HUP reloaded
}

# project_token DIRECTORY FILE: the token in a volume as the kubelet lays it there.
project_token() {
    local payload="..2026_11_24_05_04_49.1503317917"
    mkdir --parents "$1/$payload"
    chmod 0755 "$1" "$1/$payload"
    install --mode 0644 "$2" "$1/$payload/token"
    ln --symbolic "$payload" "$1/..data"
    ln --symbolic ..data/token "$1/token"
}

# contained NAME [PODMAN-ARGUMENT...] -- [ARGUMENT...]: runs the probe as a pod's container is
# run: unprivileged, with nothing writable but its termination log, within the limits of the
# manifests. Leaves `code`, `$scratch/out`, `$scratch/err` and `$scratch/termination-log`.
contained() {
    local name="$1" arguments=()
    shift
    while [ "$1" != -- ]; do
        arguments+=("$1")
        shift
    done
    shift
    : >"$scratch/termination-log"
    chmod 0666 "$scratch/termination-log"
    code=0
    timeout 60 podman run --rm --name "$name" \
        --user 65532:65532 --read-only --read-only-tmpfs=false --passwd=false --http-proxy=false \
        --cap-drop all --security-opt no-new-privileges \
        --memory 32m --memory-swap 32m --cpus 0.2 \
        --volume "$scratch/termination-log:/dev/termination-log" \
        --env IRSA_PROBE_CONTAINER=irsa-probe \
        "${arguments[@]}" "$image" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
}

# everything: what the last run left, for a check that failed.
everything() {
    echo "exit code $code"
    cat "$scratch/out" "$scratch/err" "$scratch/termination-log"
}

# exits CODE
exits() {
    [ "$code" -eq "$1" ] || {
        everything
        return 1
    }
}

# reports FILTER: the report is one line of JSON of which the jq filter holds.
reports() {
    if [ "$(wc --lines <"$scratch/out")" -ne 1 ] || ! jq --exit-status "$1" "$scratch/out"; then
        everything
        return 1
    fi
}

# tells TEXT: the termination message has the text.
tells() {
    grep --fixed-strings --quiet -- "$1" "$scratch/termination-log" || {
        everything
        return 1
    }
}
