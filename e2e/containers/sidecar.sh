#!/usr/bin/env bash
# The life of a pod, run for real: a sidecar that watches, a main container that waits for it, a
# kubelet that asks the one and starts the other, and a role that is refused, works, breaks and
# heals. The pod and its node have a network namespace each. Takes a minute or less, since the sidecar
# asks STS every 10 seconds. Makes everything it needs and leaves nothing.
#
#   e2e/containers/sidecar.sh
#
# IRSA_PROBE_BIN and TESTBED_BIN name other binaries than those in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

main_image=localhost/main:test
node_network="irsa-probe-node-$$"
pod_network="irsa-probe-pod-$$"
node_address=10.214.0.1
pod_address=10.214.0.2
pod_address6=fd53:7a1e::2
port=9440
sts=sts.eu-west-1.amazonaws.com
role=arn:aws:iam::111122223333:role/payments-checkout
tokens=/var/run/secrets/eks.amazonaws.com/serviceaccount
seen="$scratch/kubelet.log"

needs "$probe_bin" "$testbed_bin"

on_node() { ip netns exec "$node_network" "$@"; }
in_pod() { ip netns exec "$pod_network" "$@"; }

# --- The node and the pod ---------------------------------------------------------------------

# What the main container is: bash, sleep, and what these need.
build_main_image() {
    local root="$scratch/main"
    mkdir --parents "$root"
    for program in /usr/bin/bash /usr/bin/sleep; do
        { echo "$program" && ldd "$program" | grep --only-matching -E '/[^ ]+'; } |
            xargs cp --parents --dereference --target-directory "$root"
    done
    tar --create --directory "$root" . | podman import --quiet - "$main_image" >/dev/null
}

check "the last stage of the Dockerfile builds" build_image
check "an image for the main container" build_main_image
[ "$failed" -eq 0 ] || {
    summary
    exit 1
}

for namespace in "$node_network" "$pod_network"; do
    ip netns add "$namespace"
    namespaces+=("$namespace")
    ip -netns "$namespace" link set lo up
done
ip -netns "$node_network" link add pod type veth peer name eth0 netns "$pod_network"
ip -netns "$node_network" link set pod up
ip -netns "$node_network" address add "$node_address/24" dev pod
ip -netns "$pod_network" link set eth0 up
ip -netns "$pod_network" address add "$pod_address/24" dev eth0
has_ipv6=
if ip -netns "$pod_network" -6 address show dev lo | grep --quiet ::1; then
    has_ipv6=yes
    ip -netns "$node_network" address add fd53:7a1e::1/64 dev pod nodad
    ip -netns "$pod_network" address add "$pod_address6/64" dev eth0 nodad
fi

names "$node_network" "$node_address" "$sts,$node_address"

# The state of the role, in the words of a scenario.
works=
refused='role.subjects = ["system:serviceaccount:payments:somebody-else"]'
orphaned='provider.present = false'

echo "$refused" >"$scratch/scenario.toml"
testbed "$node_network" "$node_address" 443

# What every container of the pod has: its network, as little as Pod Security "restricted" leaves it.
of_pod=(--network "ns:/var/run/netns/$pod_network"
    --user 65532:65532 --read-only --read-only-tmpfs=false --passwd=false --http-proxy=false
    --cap-drop all --security-opt no-new-privileges
    --dns "$node_address" --dns-search payments.svc.cluster.local --dns-search svc.cluster.local
    --dns-search cluster.local --dns-opt ndots:5)
# What the webhook adds to it.
injected=(--env AWS_STS_REGIONAL_ENDPOINTS=regional
    --env AWS_DEFAULT_REGION=eu-west-1 --env AWS_REGION=eu-west-1
    --env "AWS_ROLE_ARN=$role" --env "AWS_WEB_IDENTITY_TOKEN_FILE=$tokens/token"
    --volume "$world$tokens:$tokens:ro")

message_of() { echo "$scratch/$1.termination-log"; }

# sidecar NAME [PODMAN-ARGUMENT...]: starts the image's watch within the limits of the manifests.
sidecar() {
    local name="$1" message
    shift
    message="$(message_of "$name")"
    : >"$message"
    chmod 0666 "$message"
    podman run --detach --name "$name" "${of_pod[@]}" "${injected[@]}" \
        --memory 32m --memory-swap 32m --cpus 0.2 \
        --volume "$message:/dev/termination-log" --env "IRSA_PROBE_CONTAINER=$name" \
        --volume "$world/var/run/secrets/kubernetes.io/serviceaccount:/var/run/secrets/kubernetes.io/serviceaccount:ro" \
        --volume "$world/ca.pem:/ca.pem:ro" --env AWS_CA_BUNDLE=/ca.pem \
        "$@" "$image" watch --interval 10s --ready-grace 0s >/dev/null
}

# What the main container does: it says how the sidecar stood when it started, and runs until it is
# ended. Between the containers of a pod loopback is shared.
cat >"$scratch/main.bash" <<'BASH'
trap 'exit 0' TERM
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET /readyz HTTP/1.1\r\nHost: pod\r\n\r\n' >&3
read -r status <&3
echo "started while the sidecar said: ${status%$'\r'}"
while :; do
    sleep 3600 &
    wait $!
done
BASH

start_main() {
    podman run --detach --name main "${of_pod[@]}" "${injected[@]}" \
        "$main_image" /usr/bin/bash -c "$(cat "$scratch/main.bash")" main "$port" >/dev/null
}

# readyz: the status and the body of /readyz, as the node sees them at the pod's address.
readyz() {
    on_node curl --silent --max-time 5 --write-out '%{http_code}\n' "http://$pod_address:$port/readyz" |
        tac | paste --serial --delimiters ' '
}

# The kubelet: a startupProbe, then the main container, then a readinessProbe, each every second.
kubelet() {
    local answer started=
    while sleep 1; do
        answer="$(readyz)"
        echo "$answer"
        if [ -z "$started" ] && [ "${answer%% *}" = 200 ]; then
            started=yes
            start_main && echo "main started"
        fi
    done
}

# --- What can be said of it -------------------------------------------------------------------

# For a check that failed: what the kubelet saw, and what the containers say.
situation() {
    local name
    echo "--- what the kubelet saw"
    uniq --count "$seen"
    for name in $(podman ps --all --format '{{.Names}}'); do
        echo "--- $name: its output, after its termination message if it has one"
        cat "$(message_of "$name")" 2>/dev/null || true
        podman logs "$name"
    done
}
or_situation() {
    "$@" || {
        situation
        return 1
    }
}
saw_last() { tail --lines 1 "$seen" | grep --fixed-strings --quiet -- "$1"; }
becomes() { or_situation wait_for 25 saw_last "$1"; }
saw_often() { [ "$(grep --count --fixed-strings -- "$1" "$seen")" -ge "$2" ]; }

get() { in_pod curl --silent --globoff --max-time 5 "http://$1:$port$2"; }
status_at() { "$1" curl --silent --globoff --max-time 5 --output /dev/null --write-out '%{http_code}' "http://$2:$port$3"; }
answers() { [ "$(status_at "$@" | tee /dev/stderr)" = 200 ]; }
answers_not_ready() { [ "$(status_at "$@" | tee /dev/stderr)" = 503 ]; }

# measures SERIES [VALUE]: the series has the value; without one, it is not there.
measures() {
    get 127.0.0.1 /metrics >"$scratch/metrics"
    if [ $# -gt 1 ]; then
        grep --fixed-strings --line-regexp -- "$1 $2" "$scratch/metrics"
    else
        ! grep --fixed-strings -- "$1" "$scratch/metrics"
    fi || {
        cat "$scratch/metrics"
        return 1
    }
}
# value SERIES
value() { get 127.0.0.1 /metrics | sed --quiet "s/^$1 //p"; }
# exceeds SERIES VALUE
exceeds() { jq --null-input --exit-status "$(value "$1") > $2"; }

told_reports() { podman logs "$1" 2>/dev/null; }
log_lines() { { podman logs "$1" >/dev/null; } 2>&1; }
# last_report FILTER: the last line on stdout is a report of which the jq filter holds.
last_report() { or_situation holds_of_last_report "$1"; }
holds_of_last_report() {
    told_reports irsa-probe | tail --lines 1 | jq --exit-status ".schema == \"irsa-probe.report/v1\" and ($1)"
}
message_begins() { or_situation grep --quiet -- "^$2" "$(message_of "$1")"; }

is_running() { [ "$(podman inspect --format '{{.State.Running}}' "$1")" = true ]; }
is_nowhere() {
    local code=0
    podman container exists "$1" || code=$?
    [ "$code" -eq 1 ]
}
main_says() { podman logs main | tee /dev/stderr | grep --fixed-strings --quiet -- "$1"; }
share_network() {
    local one other
    one="$(readlink "/proc/$(podman inspect --format '{{.State.Pid}}' irsa-probe)/ns/net")"
    other="$(readlink "/proc/$(podman inspect --format '{{.State.Pid}}' main)/ns/net")"
    echo "$one $other"
    [ -n "$one" ] && [ "$one" = "$other" ]
}
# A user without capabilities or a way to get any, under a filter of system calls.
is_confined() {
    local status
    status="$(cat "/proc/$(podman inspect --format '{{.State.Pid}}' irsa-probe)/status")"
    echo "$status"
    for line in 'Uid:\s+65532\s+65532\s+65532\s+65532' 'CapEff:\s+0+' 'CapBnd:\s+0+' 'NoNewPrivs:\s+1' 'Seccomp:\s+2'; do
        grep --quiet -E "^$line\$" <<<"$status" || return 1
    done
}

# ended NAME CODE: it was stopped as the kubelet stops a container, and exited with the code.
ended() {
    local code
    # Who has not ended after that is killed, and the exit code is another.
    podman stop --time 10 "$1" >/dev/null
    code="$(podman inspect --format '{{.State.ExitCode}}' "$1")"
    echo "exit code $code"
    or_situation [ "$code" -eq "$2" ]
}

# diagnosed NAME CLASS OWNER: the series of a diagnosis.
diagnosed() { echo "irsa_probe_diagnosis{name=\"$1\",class=\"$2\",owner=\"$3\"}"; }
not_authorized="$(diagnosed AssumeRoleNotAuthorized refused iam)"
provider_missing="$(diagnosed OidcProviderMissing refused iam)"

# --- The role is refused, and the main container waits ----------------------------------------

: >"$seen"
signatures=("$(cut -d . -f 3 "$world$tokens/token")")
sidecar irsa-probe
kubelet >>"$seen" 2>&1 &
kubelet_pid=$!
background+=("$kubelet_pid")

check "refused: /readyz is 503 with the name" becomes '503 AssumeRoleNotAuthorized: STS refuses'
check "refused: /livez is 200" answers in_pod 127.0.0.1 /livez
check "refused: irsa_probe_up is 0" measures irsa_probe_up 0.0
check "refused: irsa_probe_ready is 0" measures irsa_probe_ready 0.0
check "refused: irsa_probe_diagnosis has the name" measures "$not_authorized" 1
check "refused: the log has the report" last_report \
    '.diagnosis.name == "AssumeRoleNotAuthorized" and .exit_code == 12 and .pod.container == "irsa-probe"'
check "refused: the termination message" message_begins irsa-probe 'AssumeRoleNotAuthorized (owner: iam'
check "refused: the kubelet has asked three times in vain" wait_for 10 saw_often '503 AssumeRoleNotAuthorized' 3
check "refused: the main container was not started" is_nowhere main
check "the sidecar is confined as Pod Security restricted wants it" is_confined

# --- It begins to work, and the main container starts -----------------------------------------

role_is "$works"
check "works: /readyz is 200" becomes '200 ready: the role works'
check "works: the main container runs" or_situation wait_for 20 is_running main
check "works: it started when the sidecar was ready" wait_for 10 main_says 'started while the sidecar said: HTTP/1.1 200 OK'
check "works: both containers are in one network" share_network
check "works: irsa_probe_up is 1" measures irsa_probe_up 1.0
check "works: irsa_probe_ready is 1" measures irsa_probe_ready 1.0
check "works: irsa_probe_diagnosis is gone" measures 'irsa_probe_diagnosis{'
check "works: the log has the report" last_report \
    ".outcome == \"pass\" and .identity.account == \"111122223333\" and .pod.uid == 65532"
check "works: the termination message" message_begins irsa-probe "pass: this pod gets $role"
check "works: /livez over 127.0.0.1, in the pod" answers in_pod 127.0.0.1 /livez
if [ -n "$has_ipv6" ]; then
    check "works: /livez over [::1], in the pod" answers in_pod '[::1]' /livez
    check "works: /livez over the pod's IPv6 address, from the node" answers on_node "[$pod_address6]" /livez
else
    skip "/livez over IPv6: this kernel has none"
fi

# --- It breaks --------------------------------------------------------------------------------

refusals="$(value 'irsa_probe_sts_requests_total{result="refused"}')"
role_is "$orphaned"
check "breaks: /readyz is 503 with another name" becomes '503 OidcProviderMissing: '
check "breaks: /livez is 200 all the same" answers in_pod 127.0.0.1 /livez
check "breaks: irsa_probe_up is 0" measures irsa_probe_up 0.0
check "breaks: irsa_probe_diagnosis has the new name" measures "$provider_missing" 1
check "breaks: irsa_probe_diagnosis has not the old one" measures "$not_authorized"
check "breaks: the refusal was counted" exceeds 'irsa_probe_sts_requests_total{result="refused"}' "$refusals"
check "breaks: the log has the report" last_report '.diagnosis.name == "OidcProviderMissing" and .exit_code == 12'
check "breaks: the termination message" message_begins irsa-probe 'OidcProviderMissing (owner: '
check "breaks: the main container goes on" is_running main

# --- It heals, and the token is rotated -------------------------------------------------------

role_is "$works"
check "heals: /readyz is 200" becomes '200 ready: the role works'
check "heals: irsa_probe_up is 1" measures irsa_probe_up 1.0
check "heals: irsa_probe_diagnosis is gone" measures 'irsa_probe_diagnosis{'
check "heals: the log has the report" last_report '.outcome == "pass"'
check "heals: the termination message" message_begins irsa-probe "pass: this pod gets $role"

rotations() {
    log_lines irsa-probe |
        jq --slurp --exit-status "map(select(.fields.message == \"the token was rotated\")) | length == $1"
}
expiry="$(value irsa_probe_token_expiry_timestamp_seconds)"
check "rotated: the metric said none before" measures irsa_probe_token_rotations_total 0
tell_testbed USR1 rotated
signatures+=("$(cut -d . -f 3 "$world$tokens/token")")
check "rotated: the log has one line" or_situation wait_for 10 rotations 1
check "rotated: the metric counts it" measures irsa_probe_token_rotations_total 1
check "rotated: the metric has the new expiry" exceeds irsa_probe_token_expiry_timestamp_seconds "$expiry"
good="$(value 'irsa_probe_sts_requests_total{result="ok"}')"
check "rotated: the next check passes" or_situation \
    wait_for 25 exceeds 'irsa_probe_sts_requests_total{result="ok"}' "$good"
check "rotated: /readyz is still 200" answers on_node "$pod_address" /readyz

# --- The whole of it, and its end -------------------------------------------------------------

kill "$kubelet_pid" && { wait "$kubelet_pid" || true; }

# Before the first answer nothing listens, or nothing is known.
kubelet_saw() {
    diff <(printf '%s\n' '503 AssumeRoleNotAuthorized' '200 ready' 'main started' '200 ready' \
        '503 OidcProviderMissing' '200 ready') \
        <(sed '1,/^503 A/{/^000/d;/^503 starting/d}' "$seen" | cut -d : -f 1 | uniq) || {
        situation
        return 1
    }
}
told() {
    diff <(printf '%s\n' AssumeRoleNotAuthorized pass OidcProviderMissing pass) \
        <(told_reports irsa-probe | jq --raw-output '.diagnosis.name // .outcome') || {
        situation
        return 1
    }
}
logged() {
    diff <(printf '%s\n' 'serving /livez, /readyz and /metrics' 'the token was rotated') \
        <(log_lines irsa-probe | jq --raw-output .fields.message) || {
        situation
        return 1
    }
}
keeps_secrets() {
    local signature
    get 127.0.0.1 /metrics >"$scratch/metrics"
    for signature in "${signatures[@]}"; do
        [ "${#signature}" -gt 100 ] || return 1
        ! { podman logs irsa-probe 2>&1 && cat "$(message_of irsa-probe)" "$scratch/metrics" "$seen"; } |
            grep --fixed-strings --count -- "$signature" || return 1
    done
}

check "the kubelet saw all of it, in this order" kubelet_saw
check "the log has one report for each change, and no more" told
check "the log has two lines besides" logged
check "both tokens' signatures are nowhere" keeps_secrets
check "the main container ends first" ended main 0
check "SIGTERM while the role works: exit code 0" ended irsa-probe 0
check "SIGTERM while the role works: the termination message stays" message_begins irsa-probe "pass: this pod gets $role"

# --- Without IPv6; and a sidecar that is given up, with a role that is refused -----------------

role_is "$refused"

# given_up NAME WHAT [PODMAN-ARGUMENT...]: what a kubelet sees of a sidecar that it then kills.
given_up() {
    local name="$1" what="$2"
    shift 2
    sidecar "$name" "$@"
    check "$what: it listens on IPv4, for the pod" wait_for 20 answers in_pod 127.0.0.1 /livez
    check "$what: it listens on IPv4, for the node" wait_for 20 answers_not_ready on_node "$pod_address" /readyz
    check "$what: its termination message" wait_for 20 message_begins "$name" 'AssumeRoleNotAuthorized (owner: iam'
    check "$what: SIGTERM while the role is refused: exit code 12" ended "$name" 12
    check "$what: the kubelet finds the termination message" message_begins "$name" 'AssumeRoleNotAuthorized (owner: iam'
}

if [ -n "$has_ipv6" ]; then
    # In the pod's namespace alone.
    ip netns exec "$pod_network" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
    no_address() { ! ip -netns "$pod_network" -6 address show | grep inet6; }
    check "IPv6 switched off in the pod: there is no address" no_address
    given_up irsa-probe-disabled "IPv6 switched off in the pod"
fi

# As a kernel without IPv6 answers: by the error to a system call.
cat >"$scratch/no-ipv6.json" <<JSON
{
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{
        "names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97,
        "args": [{"index": 0, "value": 10, "op": "SCMP_CMP_EQ"}]
    }]
}
JSON
given_up irsa-probe-without "no IPv6 in the kernel" --security-opt "seccomp=$scratch/no-ipv6.json"
on_ipv4_alone() {
    log_lines irsa-probe-without | jq --exit-status 'select(.fields.address).fields.address == "0.0.0.0:9440"'
}
check "no IPv6 in the kernel: it says that it serves IPv4 alone" on_ipv4_alone

summary
