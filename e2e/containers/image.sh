#!/usr/bin/env bash
# The image, run for real: in a network of its own with one name server and one STS, and with
# what can go wrong with each. Makes everything it needs and leaves nothing.
#
#   e2e/containers/image.sh
#
# IRSA_PROBE_BIN and TESTBED_BIN name other binaries than those in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

network="irsa-probe-$$"
here=10.213.0.1
# A neighbor with a hardware address and nobody at it: packets to it are never answered.
nobody=10.213.0.66
sts=sts.eu-west-1.amazonaws.com
role=arn:aws:iam::111122223333:role/payments-checkout
tokens=/var/run/secrets/eks.amazonaws.com/serviceaccount

needs "$probe_bin" "$testbed_bin"

# --- The binary -------------------------------------------------------------------------------

has_no_interpreter() { ! readelf --program-headers --wide "$probe_bin" | grep INTERP; }
needs_no_library() { ! readelf --dynamic --wide "$probe_bin" | grep NEEDED; }
is_position_independent() { readelf --file-header "$probe_bin" | grep -E 'Type: +DYN'; }
has_no_symbols() { ! readelf --sections --wide "$probe_bin" | grep -E '\.symtab|\.debug'; }
file_says() { file "$probe_bin" | tee /dev/stderr | grep -- "$1" | grep ', stripped'; }
ldd_says() { (ldd "$probe_bin" 2>&1 || true) | tee /dev/stderr | grep 'statically linked'; }

check "the binary has no interpreter" has_no_interpreter
check "the binary needs no library" needs_no_library
check "the binary is position-independent" is_position_independent
check "the binary has no symbols" has_no_symbols
check "file says: static-pie linked, stripped" file_says 'static-pie linked'
check "ldd says: statically linked" ldd_says

# --- The image --------------------------------------------------------------------------------

# The build stage itself needs an image from a registry. What it copies is checked here.
context_compiles() {
    local mounted
    printf 'FROM scratch\nCOPY . /\n' | buildah build --quiet --file - --tag localhost/context:test "$source_root" || return 1
    mounted="$(podman image mount localhost/context:test)" || return 1
    (cd "$mounted" && CARGO_TARGET_DIR="$source_root/target" cargo check --quiet --locked --package irsa-probe)
}
check "what .dockerignore lets through compiles" context_compiles

check "the last stage of the Dockerfile builds" build_image
[ "$failed" -eq 0 ] || {
    summary
    exit 1
}

holds_only() {
    local mounted content
    mounted="$(podman image mount "$image")" || return 1
    content="$(find "$mounted" -mindepth 1 ! -type d -printf '%P %y %#m\n' | sort)"
    podman image unmount "$image" >/dev/null
    diff <(printf '%s\n' 'etc/ssl/certs/ca-certificates.crt f 0644' 'irsa-probe f 0755') <(echo "$content")
}
configured() { podman image inspect "$image" | jq --exit-status ".[0] | $1"; }
explains_in_text() { exits 0 && grep --quiet '^# DnsUnavailable' "$scratch/out"; }

check "the image holds the binary and the CA certificates, nothing else" holds_only
check "the image's user is 65532:65532" configured '.Config.User == "65532:65532"'
check "the image's entry point is the probe" configured '.Config.Entrypoint == ["/irsa-probe"] and .Config.Cmd == null'
check "the image says its license" configured '.Labels["org.opencontainers.image.licenses"] == "Apache-2.0"'
version="$("$probe_bin" --version | cut -d ' ' -f 2)"
check "the image says the version of the binary" configured ".Labels[\"org.opencontainers.image.version\"] == \"$version\""
contained explain --network none -- explain DnsUnavailable
check "explain works in the image" explains_in_text

# What an operator without Linux does: the pod's log on standard input, AWS's side from files, or credentials.
audited="$source_root/examples/audit.json"
mkdir --mode 0700 "$scratch/dot-aws"
printf '[operator]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n' >"$scratch/dot-aws/credentials"
chmod 0600 "$scratch/dot-aws/credentials"
jq .audit.trust_policy.document "$audited" >"$scratch/role.json"
chmod 0644 "$scratch/role.json"
contained audit --network none --interactive --volume "$scratch/role.json:/role.json:ro" \
    -- audit --trust-policy /role.json <"$source_root/examples/AssumeRoleNotAuthorized.json"
check "an audit in the image, offline: exit code 12" exits 12
check "an audit in the image, offline: TrustSubjectMismatch, with the corrected policy" reports \
    '.diagnosis.name == "TrustSubjectMismatch" and .audit.trust_policy.corrected != null'
contained audit-with-keys --network none --interactive --user "$(id -u)" --volume "$scratch/dot-aws:/.aws:ro" \
    --env HOME=/ --env AWS_PROFILE=operator -- audit --timeout 2s <"$source_root/examples/AssumeRoleNotAuthorized.json"
check "an audit in the image, with keys in files: exit code 14" exits 14
check "an audit in the image, with keys in files: they are found, and AWS is not" reports \
    '.diagnosis.name == "AuditIncomplete" and ([.audit.not_known[].because | contains("credentials")] | any | not)'

# --- The network ------------------------------------------------------------------------------

make_network "$network" "$here"
ip -netns "$network" neighbour add "$nobody" lladdr 02:00:00:00:00:66 dev pod nud permanent

mkdir "$world"
ip netns exec "$network" "$testbed_bin" serve --dir "$world" --listen "$here" --sts-port 443 >"$scratch/testbed.log" &
testbed_pid=$!
background+=("$testbed_pid")
wait_for 20 grep --quiet ready "$scratch/testbed.log"

# What a pod has: its network, a resolv.conf as in a cluster, its API token.
pod=(--network "ns:/var/run/netns/$network"
    --dns "$here" --dns-search payments.svc.cluster.local --dns-search svc.cluster.local
    --dns-search cluster.local --dns-opt ndots:5
    --volume "$world/var/run/secrets/kubernetes.io/serviceaccount:/var/run/secrets/kubernetes.io/serviceaccount:ro"
    --volume "$world/ca.pem:/ca.pem:ro" --env AWS_CA_BUNDLE=/ca.pem)
# What the webhook adds to it.
injected=(--env AWS_STS_REGIONAL_ENDPOINTS=regional
    --env AWS_DEFAULT_REGION=eu-west-1 --env AWS_REGION=eu-west-1
    --env "AWS_ROLE_ARN=$role" --env "AWS_WEB_IDENTITY_TOKEN_FILE=$tokens/token"
    --volume "$world$tokens:$tokens:ro")
short=(check --wait 2s --timeout 900ms)

# --- It works ---------------------------------------------------------------------------------

queried() {
    local asked
    asked="$(grep --only-matching -E 'query\[[A-Z]+\] [^ ]+' "$scratch/queries.log" | sort)"
    diff <(printf '%s\n' "query[A] $sts" "query[AAAA] $sts" | sort) <(echo "$asked")
}
keeps_secrets() {
    local signature
    signature="$(cut -d . -f 3 "$world$tokens/token")"
    [ "${#signature}" -gt 100 ] || return 1
    ! cat "$scratch/out" "$scratch/err" "$scratch/termination-log" | grep --fixed-strings --count -- "$signature"
}

names "$network" "$here" "$sts,$here"
contained healthy "${pod[@]}" "${injected[@]}" -- check
check "a pod with its role: exit code 0" exits 0
check "a pod with its role: outcome pass, each check passed" reports \
    '.schema == "irsa-probe.report/v1" and .outcome == "pass" and .exit_code == 0 and .diagnosis == null
     and .warnings == [] and ([.checks[].outcome] | unique) == ["pass"]'
check "a pod with its role: the identity" reports \
    '(.identity.arn | startswith("arn:aws:sts::111122223333:assumed-role/payments-checkout/"))
     and .identity.account == "111122223333"'
check "a pod with its role: container, user and token file" reports \
    '.pod.container == "irsa-probe" and .pod.uid == 65532 and .pod.service_account == "checkout"
     and .token.file_owner == 65532 and .token.file_mode == "0640"'
check "a pod with its role: STS at its own name, over TLS" reports \
    ".sts.endpoint == \"https://$sts\" and .sts.connected_to == \"$here:443\" and .sts.tls_version != null"
check "a pod with its role: the termination message" tells "pass: this pod gets $role"
check "a pod with its role: two queries, none with a search domain" queried
check "a pod with its role: the token's signature is nowhere" keeps_secrets

contained other-user "${pod[@]}" "${injected[@]}" --user 1000:65532 -- check
check "under the application's user, by the file's group: exit code 0" exits 0

# --- What can go wrong in the pod -------------------------------------------------------------

# fails WHAT DIAGNOSIS CODE [FILTER]: the checks that hold for every failure.
fails() {
    check "$1: exit code $3" exits "$3"
    check "$1: $2 in the report" reports ".outcome == \"fail\" and .diagnosis.name == \"$2\" and .exit_code == $3 and (${4:-true})"
    check "$1: $2 in the termination message" tells "$2 (owner: "
}

contained not-injected "${pod[@]}" -- "${short[@]}"
fails "nothing injected" NotInjected 10 '.pod.service_account == "checkout"'

mkdir "$scratch/closed"
project_token "$scratch/closed" "$world$tokens/token"
chmod 0600 "$scratch/closed/..data/token"
contained unreadable "${pod[@]}" "${injected[@]}" --volume "$scratch/closed:/closed:ro" \
    --env AWS_WEB_IDENTITY_TOKEN_FILE=/closed/token -- "${short[@]}"
fails "a token file of root's with mode 0600" TokenFileUnreadable 11

# --- Through another process ------------------------------------------------------------------

# application USER [PODMAN-ARGUMENT...]: a container of the pod, into whose PID namespace others are
# put as kubectl debug --target does it.
application() {
    podman rm --force --time 0 application >/dev/null 2>&1 || true
    podman run --detach --name application --user "$1" --cap-drop all --passwd=false \
        "${pod[@]}" "${@:2}" "$image" watch --listen 127.0.0.1:9440 >/dev/null
}
# What a debugging container has, which is nothing of the pod but its network.
debugging=(--network "ns:/var/run/netns/$network" --dns "$here" --pid container:application)
root=(--user 0:0 --security-opt no-new-privileges=false)
of_root=(--cap-add DAC_OVERRIDE --cap-add SETUID --cap-add SETGID)

application 65532:65532 "${injected[@]}"
contained same-user "${debugging[@]}" -- "${short[@]}"
check "the application's own user looks through it: exit code 0" exits 0
check "the application's own user looks through it: whose world it is" reports \
    '.outcome == "pass" and .pod.target == {"pid": 1, "name": "irsa-probe", "uid": 65532, "gid": 65532}
     and .pod.service_account == "checkout"'
check "the application's own user looks through it: the token's signature is nowhere" keeps_secrets
contained as-root "${debugging[@]}" "${root[@]}" "${of_root[@]}" --cap-add SYS_PTRACE -- "${short[@]}"
check "root with SYS_PTRACE looks through it: exit code 0" exits 0
contained as-plain-root "${debugging[@]}" "${root[@]}" "${of_root[@]}" -- "${short[@]}"
fails "root without SYS_PTRACE" TargetNotReadable 14 '.diagnosis.remedy[0] | contains("--profile=restricted")'
contained another-user "${debugging[@]}" --user 1000:1000 -- "${short[@]}"
fails "another user" TargetNotReadable 14 '.diagnosis.remedy[0] | contains("\"runAsUser\":65532")'
contained no-such "${debugging[@]}" -- "${short[@]}" --pid 4000000
fails "no such process" TargetNotFound 14

application 65532:65532
contained through-bare "${debugging[@]}" -- "${short[@]}"
fails "an application that was not injected" TargetHasNoIdentity 10 '.diagnosis.evidence.token_mounted == false'
podman rm --force --time 0 application >/dev/null

# --- What can go wrong in the network ---------------------------------------------------------

contained roots "${pod[@]}" "${injected[@]}" --env AWS_CA_BUNDLE= -- "${short[@]}"
fails "an STS that the image's own CA certificates do not vouch for" TlsUntrusted 13

names "$network" "$here"
contained no-name "${pod[@]}" "${injected[@]}" -- "${short[@]}"
fails "no such name" StsNameNotResolved 13

names "$network" "$here" "$sts,$nobody"
contained dropped "${pod[@]}" "${injected[@]}" -- "${short[@]}"
fails "packets dropped" StsTimedOut 13 "[.. | strings] | any(contains(\"$nobody\"))"
check "packets dropped: the address in the termination message" tells "$nobody"

stop "$names_pid"
unset names_pid
contained no-dns "${pod[@]}" "${injected[@]}" -- "${short[@]}"
fails "no name server" DnsUnavailable 13

# A name server that swallows every packet, and time enough to wait for it: until the kubelet
# ends the pod.
silent=("${pod[@]/#$here/$nobody}")
is_running() { [ "$(podman inspect --format '{{.State.Running}}' terminated)" = true ]; }

(
    contained terminated "${silent[@]}" "${injected[@]}" -- check --wait 50s --timeout 40s
    exit "$code"
) &
run=$!
wait_for 20 is_running
sleep 1
podman kill --signal TERM terminated >/dev/null
code=0
wait "$run" || code=$?
check "SIGTERM while DNS is silent: exit code 143" exits 143
check "SIGTERM while DNS is silent: a report of what was known" reports \
    '.interrupted == true and .exit_code == 143 and .pod.service_account == "checkout"
     and ([.checks[] | select(.outcome == "pass") | .name] | index("token") != null)'
check "SIGTERM while DNS is silent: a termination message" test -s "$scratch/termination-log"

names "$network" "$here" "$sts,$here"
stop "$testbed_pid"
contained refused "${pod[@]}" "${injected[@]}" -- "${short[@]}"
fails "nothing listens at STS" StsConnectionRefused 13 "[.. | strings] | any(contains(\"$here\"))"

summary
