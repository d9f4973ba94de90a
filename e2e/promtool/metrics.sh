#!/usr/bin/env bash
# The metrics of running sidecars as Prometheus sees them: its tool parses their text, and it scrapes
# them, answers queries and judges the alerts. The text is also read by Prometheus's reference parser
# of OpenMetrics, which takes less than the server does. All in a network of its own, with only
# loopback in it.
#
#   e2e/promtool/metrics.sh
#
# IRSA_PROBE_BIN and TESTBED_BIN name other binaries than those in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

parser_version=0.26.0
network="irsa-probe-metrics-$$"
tokens=var/run/secrets/eks.amazonaws.com/serviceaccount
prometheus=http://127.0.0.1:9090

needs "$probe_bin" "$testbed_bin"
for program in prometheus promtool; do
    command -v "$program" >/dev/null || {
        echo "there is no $program: install Debian's package prometheus" >&2
        exit 1
    }
done
echo "Prometheus: $(promtool --version 2>&1 | sed --quiet 's/^promtool, version \([^ ]*\).*/\1/p')"

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" --quiet --disable-pip-version-check install \
    "prometheus-client==$parser_version" 'PyYAML>=6'

ip netns add "$network"
namespaces+=("$network")
ip -netns "$network" link set lo up
inside() { ip netns exec "$network" "$@"; }

# --- Four sidecars ----------------------------------------------------------------------------

# role_is SCENARIO: so from now on; a token would have been due for rotation two hours ago.
role_is() {
    local before
    before="$(testbed_says reloaded)"
    printf '%s\n' 'token.issued_ago = "22h"' "$1" >"$scratch/scenario.toml"
    [ -z "${testbed_pid:-}" ] || {
        kill -s HUP "$testbed_pid"
        wait_for 10 testbed_says_more reloaded "$before"
    }
}
rotate() {
    local before
    before="$(testbed_says rotated)"
    kill -s USR1 "$testbed_pid"
    wait_for 10 testbed_says_more rotated "$before"
}
testbed_says() { grep --count --line-regexp -- "$1" "$scratch/testbed.log" || true; }
testbed_says_more() { [ "$(testbed_says "$1")" -gt "$2" ]; }

declare -A ports=() pids=()

# sidecar NAME [ARGUMENT...]: starts one that serves at the next port.
sidecar() {
    local name="$1"
    shift
    ports[$name]=$((9440 + ${#ports[@]}))
    ip netns exec "$network" env --ignore-environment "${variables[@]}" \
        IRSA_PROBE_TERMINATION_LOG="$scratch/$name.termination-log" \
        "$probe_bin" watch --listen "127.0.0.1:${ports[$name]}" --metrics-role-arn "$@" \
        >"$scratch/$name.out" 2>"$scratch/$name.err" &
    pids[$name]=$!
    background+=("$!")
    wait_for 20 get "$name" /livez
}
get() { inside curl --silent --show-error --fail --max-time 5 "${@:3}" "http://127.0.0.1:${ports[$1]}$2"; }
has_told() { grep --fixed-strings --quiet -- "$2" "$scratch/$1.out"; }

: >"$scratch/testbed.log"
# Who asks first waits for long.
role_is 'sts.assume = [{ verify = true, delay_ms = 600000 }, { verify = true }]'
mkdir "$world"
ip netns exec "$network" "$testbed_bin" serve --dir "$world" --listen 127.0.0.1 --sts-port 8443 \
    --scenario "$scratch/scenario.toml" >"$scratch/testbed.log" &
testbed_pid=$!
background+=("$testbed_pid")
wait_for 20 grep --quiet ready "$scratch/testbed.log"
mapfile -t variables <"$world/env"
# The old token stays for one of them; the others get one that is fresh.
project_token "$scratch/late" "$world/$tokens/token"
rotate

# Its first check waits for an answer that does not come.
sidecar starting --timeout 5m
# The token alone has more than a thousand bytes; all before it has fewer.
has_asked() { inside ss --tcp --info --numeric state established 'dport = :8443' | grep --quiet -E 'bytes_acked:[0-9]{4}'; }
wait_for 20 has_asked
sidecar passing
sidecar late --token-file "$scratch/late/token"
wait_for 20 has_told passing '"outcome":"pass"'
wait_for 20 has_told late '"outcome":"warn"'
role_is 'role.subjects = ["system:serviceaccount:payments:somebody-else"]'
sidecar failing
wait_for 20 has_told failing '"name":"AssumeRoleNotAuthorized"'
# A token that is issued in the same second is the same token.
sleep 1.1
rotate
rotation_was_told() { grep --quiet 'the token was rotated' "$scratch/passing.err"; }
check "a rotation while the sidecars run" wait_for 10 rotation_was_told

# --- Their text alone --------------------------------------------------------------------

says_content_type() {
    get "$1" /metrics --output /dev/null --write-out '%header{content-type}' | tee /dev/stderr |
        grep --quiet --line-regexp 'application/openmetrics-text; version=1.0.0; charset=utf-8'
}
has() { grep --fixed-strings --quiet -- "$2" "$scratch/$1.txt" || ! cat "$scratch/$1.txt"; }
has_not() { ! grep --fixed-strings -- "$2" "$scratch/$1.txt"; }

# promtool_parses NAME: as OpenMetrics, each sample of it. To be stored, a sample needs a time.
promtool_parses() {
    local blocks="$scratch/$1.blocks" samples
    rm --recursive --force "$blocks"
    sed "/^#/! s/\$/ $(date +%s)/" "$scratch/$1.txt" >"$scratch/$1.timed"
    promtool tsdb create-blocks-from openmetrics "$scratch/$1.timed" "$blocks" || return 1
    mkdir "$blocks/wal"
    samples="$(promtool tsdb dump "$blocks" | grep --count '^{__name__="irsa_probe_')"
    echo "$samples samples"
    [ "$samples" -eq "$(grep --count '^[^#]' "$scratch/$1.txt")" ]
}
reference_parses() {
    "$scratch/venv/bin/python" - "$scratch/$1.txt" <<'PYTHON'
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    print(family.name, family.type, len(family.samples))
    assert family.documentation
PYTHON
}

# older: the text in the format before OpenMetrics, the only one that `promtool check metrics` reads.
# There a name has its suffix everywhere, and no metric is an info.
older() {
    sed --regexp-extended -e '/^# EOF$/d' -e '/^# TYPE/s/ info$/ gauge/' \
        -e 's/^(# (HELP|TYPE) irsa_probe_(build|role)) /\1_info /' \
        -e 's/^(# (HELP|TYPE) irsa_probe_(sts_requests|token_rotations)) /\1_total /' "$scratch/$1.txt"
}
passes_lint() { older "$1" | promtool check metrics; }

for name in starting passing late failing; do
    check "$name: the content type" says_content_type "$name"
    get "$name" /metrics >"$scratch/$name.txt"
    check "$name: promtool parses every sample as OpenMetrics" promtool_parses "$name"
    check "$name: the reference parser takes it" reference_parses "$name"
    check "$name: in the older format promtool has no complaint" passes_lint "$name"
done
# What is in the text, and what is not yet.
check "starting: no diagnosis" has_not starting 'irsa_probe_diagnosis{'
check "starting: no outcome of a check" has_not starting 'irsa_probe_check_outcome{'
check "starting: no success" has_not starting 'irsa_probe_last_success_timestamp_seconds '
check "passing: no diagnosis" has_not passing 'irsa_probe_diagnosis{'
check "late: a warning" has late 'irsa_probe_warning{name="TokenNotRotated",'
check "failing: a diagnosis" has failing 'irsa_probe_diagnosis{name="AssumeRoleNotAuthorized",'

# What promtool says of the text as it is served; it reads no OpenMetrics there, whose `info` it does
# not know.
echo "promtool check metrics, of the text as it is served:"
promtool check metrics <"$scratch/failing.txt" 2>&1 | sed 's/^/        /' || true

# refuses PARSER EXPRESSION: the text of the failing sidecar is no longer taken when it is edited so.
refuses() {
    sed --regexp-extended "$2" "$scratch/failing.txt" >"$scratch/broken.txt"
    if cmp "$scratch/failing.txt" "$scratch/broken.txt"; then
        echo "the edit changes nothing"
        return 1
    fi
    ! "$1" broken
}
for edit in 'no end:/^# EOF$/d' 'a word for a value:s/^(irsa_probe_up) .*/\1 yes/' \
    'an open label:s/owner="iam"\}/owner="iam}/' 'a type that there is not:s/^(# TYPE irsa_probe_up) .*/\1 counted/'; do
    check "a text with ${edit%%:*} is refused by promtool" refuses promtool_parses "${edit#*:}"
    check "a text with ${edit%%:*} is refused by the reference parser" refuses reference_parses "${edit#*:}"
done
check "a counter without its suffix is refused by the reference parser" refuses reference_parses \
    's/^(irsa_probe_token_rotations)_total /\1 /'
check "a metric without help is refused by promtool in the older format" refuses passes_lint \
    '/^# HELP irsa_probe_up /d'

# --- Scraped by Prometheus --------------------------------------------------------------------

# The labels that the PodMonitor gives.
cat >"$scratch/prometheus.yaml" <<YAML
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["$scratch/rules.yaml"]
scrape_configs:
  - job_name: irsa-probe
    static_configs:
$(for name in starting passing late failing; do
    echo "      - targets: [\"127.0.0.1:${ports[$name]}\"]"
    echo "        labels: {namespace: payments, pod: $name, container: irsa-probe, endpoint: irsa-probe}"
done)
YAML
"$scratch/venv/bin/python" -c 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin)["spec"], sys.stdout)' \
    <"$source_root/manifests/monitoring/alerts.yaml" >"$scratch/rules.yaml"
check "promtool takes the configuration" promtool check config "$scratch/prometheus.yaml"
ip netns exec "$network" prometheus --config.file="$scratch/prometheus.yaml" \
    --storage.tsdb.path="$scratch/prometheus" --web.listen-address="${prometheus#http://}" --log.level=warn \
    >"$scratch/prometheus.log" 2>&1 &
background+=("$!")
prometheus_answers() { inside curl --silent --fail "$prometheus/-/ready"; }
check "Prometheus runs" wait_for 60 prometheus_answers

# api PATH [NAME=VALUE]
api() {
    inside curl --silent --show-error --fail --max-time 10 --get "$prometheus/api/v1/$1" ${2:+--data-urlencode "$2"}
}
# found QUERY: a line for each series that it finds: whose it is, and its value.
found() { api query "query=$1" | jq --raw-output '.data.result[] | "\(.metric.pod) \(.value[1])"' | sort; }
# finds QUERY [LINE...]: just these series, before long.
finds() {
    wait_for 10 finds_now "$@" || {
        found "$1"
        tail --lines 20 "$scratch/prometheus.log"
        return 1
    }
}
finds_now() {
    local series
    series="$(found "$1")" && [ "$series" = "$(printf '%s\n' "${@:2}" | sort)" ]
}
no_target_has_an_error() {
    api targets | jq --exit-status '.data.activeTargets | length == 4 and all(.lastError == "")'
}

check "Prometheus: every target is up" finds up 'starting 1' 'passing 1' 'late 1' 'failing 1'
check "Prometheus: no target has an error" no_target_has_an_error
check "Prometheus: irsa_probe_up" finds irsa_probe_up 'starting 0' 'passing 1' 'late 1' 'failing 0'
check "Prometheus: irsa_probe_ready" finds irsa_probe_ready 'starting 0' 'passing 1' 'late 1' 'failing 0'
check "Prometheus: irsa_probe_diagnosis, with its labels" finds \
    'irsa_probe_diagnosis{name="AssumeRoleNotAuthorized",class="refused",owner="iam"}' 'failing 1'
check "Prometheus: no other irsa_probe_diagnosis" finds irsa_probe_diagnosis 'failing 1'
check "Prometheus: irsa_probe_warning, with its labels" finds \
    'irsa_probe_warning{name="TokenNotRotated",class="misconfigured",owner="node"}' 'late 1'
check "Prometheus: no other irsa_probe_warning" finds irsa_probe_warning 'late 1'
check "Prometheus: a check that failed" finds 'irsa_probe_check_outcome{outcome="fail"}' 'failing 1'
check "Prometheus: the same check where it passed" finds \
    'irsa_probe_check_outcome{check="assume-role",outcome="pass"}' 'passing 1' 'late 1'
check "Prometheus: two requests for a first check that passes" finds \
    'irsa_probe_sts_requests_total{result="ok"}' 'starting 0' 'passing 2' 'late 2' 'failing 0'
check "Prometheus: requests that were refused" finds \
    'irsa_probe_sts_requests_total{result="refused"} > bool 0' 'starting 0' 'passing 0' 'late 0' 'failing 1'
check "Prometheus: no request failed or was throttled" finds \
    'sum by (pod) (irsa_probe_sts_requests_total{result=~"failed|throttled"})' 'starting 0' 'passing 0' 'late 0' 'failing 0'
check "Prometheus: a rotation" finds 'irsa_probe_token_rotations_total{pod=~"passing|late"}' 'passing 1' 'late 0'
check "Prometheus: the tokens' expiry, in hours" finds \
    'ceil((irsa_probe_token_expiry_timestamp_seconds{pod=~"passing|late"} - time()) / 3600)' 'passing 24' 'late 2'
check "Prometheus: the last success, where there was one" finds \
    'time() - irsa_probe_last_success_timestamp_seconds < bool 600' 'passing 1' 'late 1'
check "Prometheus: the build" finds "irsa_probe_build_info{version=\"$("$probe_bin" --version | cut -d ' ' -f 2)\"}" \
    'starting 1' 'passing 1' 'late 1' 'failing 1'

# The types are OpenMetrics' own: the older format has no info.
types() {
    diff <(printf '%s\n' 'irsa_probe_build info' 'irsa_probe_role info' 'irsa_probe_sts_requests counter' \
        'irsa_probe_token_rotations counter') \
        <(api metadata | jq --raw-output \
            '.data | to_entries[] | select(.key | startswith("irsa_probe")) | "\(.key) \(.value[0].type)" | select(endswith(" gauge") | not)' | sort)
}
check "Prometheus: it reads the text as OpenMetrics" types

alerted() {
    api query 'query=ALERTS' | jq --raw-output '.data.result[].metric | "\(.alertstate) \(.alertname) \(.pod)"' | sort
}
alerts_now() {
    local alerts
    alerts="$(alerted)" && [ "$alerts" = "$(printf '%s\n' "$@" | sort)" ]
}
alerts() { wait_for 15 alerts_now "$@" || ! alerted; }
check "Prometheus: of the alerts those come up that should" alerts \
    'pending IrsaProbeNoSuccess starting' 'pending IrsaProbeTokenNotRotated late'

kill "${pids[failing]}" && { wait "${pids[failing]}" || true; }
check "Prometheus: a sidecar that has ended is down" finds up 'starting 1' 'passing 1' 'late 1' 'failing 0'
check "Prometheus: what it last said is gone" finds irsa_probe_diagnosis
check "Prometheus: that it is down is an alert to come" alerts \
    'pending IrsaProbeNoSuccess starting' 'pending IrsaProbeTokenNotRotated late' 'pending IrsaProbeDown failing'

summary
