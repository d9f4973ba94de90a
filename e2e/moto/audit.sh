#!/usr/bin/env bash
# The whole of an audit: a pod is refused, an operator hands its log to the audit and pastes what that
# prints, and the pod gets its role. IAM is moto's, what is pasted is run by the AWS CLI, and the pod is
# a container whose STS is the testbed's. That STS is told what to answer, and knows nothing of moto.
#
#   e2e/moto/audit.sh
#
# IRSA_PROBE_BIN and TESTBED_BIN name other binaries than those in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

aws_version=1.46.3
account=111122223333
role_name=payments-checkout
role="arn:aws:iam::$account:role/$role_name"
provider=oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C
provider_arn="arn:aws:iam::$account:oidc-provider/$provider"
subject=system:serviceaccount:payments:checkout
tokens=/var/run/secrets/eks.amazonaws.com/serviceaccount
iam=http://127.0.0.1:5000
log="$scratch/pod.log"
desk="$scratch/desk"

needs "$testbed_bin"

install_moto "awscli==$aws_version"
serve 5000 env "MOTO_ACCOUNT_ID=$account" "$scratch/venv/bin/python" "$source_root/e2e/moto/audited.py"
check "the last stage of the Dockerfile builds" build_image
: >"$scratch/scenario.toml"
testbed "$network" 127.0.0.1 5443
mkdir "$desk"

# --- The operator -----------------------------------------------------------------------------

anybody=(AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY)
credentials=("${anybody[@]}")

# at_desk COMMAND...: with these credentials, as an operator runs it, and nothing of the pod's.
at_desk() {
    (
        cd "$desk"
        exec ip netns exec "$network" env --ignore-environment "PATH=$scratch/venv/bin:$PATH" \
            "HOME=$desk" "AWS_ENDPOINT_URL=$iam" AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true \
            AWS_PAGER= "${credentials[@]}" "$@"
    )
}
operator_aws() { at_desk aws "$@"; }

# audit [ARGUMENT...]: of the pod's log. Leaves `code`, `$scratch/out` and `$scratch/err` of the JSON, and
# `$scratch/text`.
audit() {
    local text_code=0
    code=0
    : >"$scratch/termination-log"
    at_desk timeout 60 "$probe_bin" audit --output text "$@" <"$log" >"$scratch/text" 2>"$scratch/err" || text_code=$?
    at_desk timeout 60 "$probe_bin" audit --output json "$@" <"$log" >"$scratch/out" 2>>"$scratch/err" || code=$?
    [ "$text_code" -eq "$code" ] || echo "the text form exits with $text_code" >>"$scratch/err"
}
# audit_offline: the same by what the AWS CLI prints, by nobody's credentials.
audit_offline() {
    # What cannot be had leaves an empty file, which is no policy.
    operator_aws iam get-role --role-name "$role_name" >"$desk/role.json" || true
    operator_aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn" \
        >"$desk/provider.json" || true
    credentials=()
    iam=http://127.0.0.1:1
    audit --trust-policy role.json --oidc-provider provider.json
    credentials=("${anybody[@]}")
    iam=http://127.0.0.1:5000
}
# audit_in_image: the same by the image, as where the program itself does not run.
audit_in_image() {
    contained audit --interactive --network "ns:/var/run/netns/$network" --env "AWS_ENDPOINT_URL=$iam" \
        --env AWS_REGION=eu-west-1 "${credentials[@]/#/--env=}" -- audit <"$log"
}

# names: the diagnosis, and what is found besides about whether the pod gets the role.
named() { jq --compact-output '[.diagnosis, .warnings[]] | map(select(. != null).name)' "$scratch/out"; }
# finds EXIT-CODE NAME...
finds() {
    local expected
    exits "$1" || return 1
    shift
    expected="$(jq --null-input --compact-output '$ARGS.positional' --args -- "$@")"
    if [ "$(named)" != "$expected" ] || [ -s "$scratch/err" ]; then
        everything
        return 1
    fi
}
shows() { grep --fixed-strings -- "$1" "$scratch/text" || { cat "$scratch/text"; return 1; }; }
# marks LINE: the one line of the policy that is marked is the one with this.
marks() {
    reports '.audit.trust_policy.marked | map(select(startswith(">")))
        | length == 1 and (.[0] | contains("'"$1"'"))'
}
# keeps_secret: the operator's secret key is in no output.
keeps_secret() {
    local secret="${operator[1]#*=}"
    [ "${#secret}" -ge 40 ] && ! grep --fixed-strings --count -- "$secret" "$scratch/text" "$scratch/out" "$scratch/err"
}
plain() { ! grep --count $'\e' "$scratch/text"; }

# What can be pasted: the lines after the first of each step, but not where something is to be filled in.
of_report() {
    jq --raw-output '[.diagnosis, .warnings[]][] | select(. != null).remedy[] | split("\n")[1:]
        | select(length > 0 and (.[0] | test("^(aws iam |printf )"))) | join("\n")
        | select(test("[A-Z]+_ARN$") | not)' "$scratch/out"
}
# The same commands out of the text form, with its margin.
of_text() { awk '/^  [0-9]+\. / { step = 1 } /^$/ { step = 0 } step && /^       /' "$scratch/text"; }
# paste_commands WHENCE: they are given to a shell, as a person would.
paste_commands() {
    "$1" >"$scratch/pasted"
    [ -s "$scratch/pasted" ] || return 1
    cat "$scratch/pasted"
    at_desk bash -e "$scratch/pasted"
}

# --- The pod ----------------------------------------------------------------------------------

# pod_checks: the pod's container; its log is as kubectl prints it.
pod_checks() {
    local environment
    podman rm --all --force --time 0 >/dev/null
    environment=(--env "AWS_STS_REGIONAL_ENDPOINTS=regional" --env AWS_REGION=eu-west-1
        --env "AWS_ROLE_ARN=$role" --env "AWS_WEB_IDENTITY_TOKEN_FILE=$tokens/token"
        --env AWS_CA_BUNDLE=/ca.pem --env AWS_EC2_METADATA_DISABLED=true --env IRSA_PROBE_CONTAINER=irsa-probe)
    while read -r line; do
        environment+=(--env "$line")
    done < <(grep -E '^(AWS_ENDPOINT_URL_STS|IRSA_PROBE_DNS_SERVER)=' "$world/env")
    podman run --name irsa-probe --network "ns:/var/run/netns/$network" --user 65532:65532 --read-only \
        --passwd=false --http-proxy=false --cap-drop all --security-opt no-new-privileges \
        --volume "$world$tokens:$tokens:ro" --volume "$world/ca.pem:/ca.pem:ro" \
        --volume "$world/var/run/secrets/kubernetes.io/serviceaccount:/var/run/secrets/kubernetes.io/serviceaccount:ro" \
        "${environment[@]}" "$image" check --wait 3s --wait-for-access >/dev/null 2>&1 || true
    podman logs "$@" irsa-probe >"$log" 2>&1
}
refused_with() {
    if ! grep --fixed-strings --quiet -- "$1" "$log" || [ "$(wc --lines <"$log")" -lt 2 ]; then
        cat "$log"
        return 1
    fi
}

# --- The account ------------------------------------------------------------------------------

# policy OPERATOR CONDITION-KEY VALUE: a trust policy with this condition on the subject.
policy() {
    jq --null-input --arg provider "$provider" --arg arn "$provider_arn" --arg operator "$1" --arg key "$2" \
        --arg value "$3" '{Version: "2012-10-17", Statement: [
            {Sid: "People", Effect: "Allow", Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"},
            {Sid: "Pods", Effect: "Allow", Principal: {Federated: $arn}, Action: "sts:AssumeRoleWithWebIdentity",
             Condition: ({StringEquals: {($provider + ":aud"): "sts.amazonaws.com"}}
                | .[$operator] += {($provider + ":" + $key): $value})}]}'
}
permits() {
    operator_aws iam put-role-policy --role-name "$role_name" --policy-name reads --policy-document \
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'
}
trusts() {
    policy "$@" >"$desk/before.json"
    operator_aws iam update-assume-role-policy --role-name "$role_name" --policy-document file://before.json
}
knows_audience() {
    operator_aws iam delete-open-id-connect-provider --open-id-connect-provider-arn "$provider_arn"
    operator_aws iam create-open-id-connect-provider --url "https://$provider" --client-id-list "$1"
}
# stays_besides: of the policy that was there nothing but the statement for the pods has changed.
stays_besides() {
    operator_aws iam get-role --role-name "$role_name" --query Role.AssumeRolePolicyDocument >"$desk/after.json"
    diff <(jq 'del(.Statement[1])' "$desk/before.json") <(jq 'del(.Statement[1])' "$desk/after.json")
}

# --- What is wrong, and mended ----------------------------------------------------------------

not_authorized="Not authorized to perform sts:AssumeRoleWithWebIdentity"
works='role.present = true'
refuses='role.subjects = ["system:serviceaccount:payment:checkout"]'

# mended WHAT WHENCE: the commands are pasted, and the pod gets its role.
mended() {
    check "$1: what the audit prints is pasted" paste_commands "$2"
    check "$1: all else of the policy stays" stays_besides
    audit
    check "$1, after that, with the old log: RefusedOutsideTrust" finds 12 RefusedOutsideTrust
    check "$1, after that, with the old log: when it was refused" reports \
        '(.diagnosis.evidence.refused_at | fromdateiso8601) > now - 600 and (.diagnosis.cause | contains("as they are now, allow it"))'
    audit_offline
    check "$1, after that, offline: RefusedOutsideTrust" finds 12 RefusedOutsideTrust
    role_is "$works"
    pod_checks
    check "$1, after that: the pod gets its role" grep --fixed-strings --quiet '"outcome":"pass"' "$log"
    audit
    check "$1, after that, with the new log: pass" finds 0
    check "$1, after that, with the new log: outcome pass" reports '.outcome == "pass" and .audit.not_known == []'
    audit_offline
    check "$1, after that, offline: pass" finds 0
}

# --- Neither a role nor a provider ------------------------------------------------------------

# STS looks for the provider first.
role_is 'provider.present = false'
pod_checks
check "nothing: the pod is refused" refused_with "No OpenIDConnect provider found in your account for https://$provider"
audit
check "nothing: both are found" finds 12 RoleNotFound OidcProviderMissing
check "nothing: what the audit prints is pasted" paste_commands of_report
role_is "$works"
pod_checks
audit
check "nothing, after that: the role works, without any permission" finds 0 RoleHasNoPermissions

# --- A wrong policy and a provider without the audience ---------------------------------------

role_is 'provider.client_ids = ["sts.eu-west-1.amazonaws.com"]'
pod_checks
check "audience: the pod is refused" refused_with "Incorrect token audience"
check "audience: the policy" trusts StringEquals sub system:serviceaccount:payment:checkout
check "audience: a permission" permits
check "audience: the provider" knows_audience sts.eu-west-1.amazonaws.com
audit
check "audience: both are found" finds 12 OidcProviderAudienceMissing TrustSubjectMismatch
check "audience: the line is marked" marks "$provider:sub"
check "audience: the text is plain" plain
check "audience: the text" shows 'only the namespace differs, "payment" there and'
audit_in_image
check "audience, by the image: both are found" finds 12 OidcProviderAudienceMissing TrustSubjectMismatch
audit_offline
check "audience, offline: both are found" finds 12 OidcProviderAudienceMissing TrustSubjectMismatch
audit
mended "audience" of_report

# --- AWS's one sentence -----------------------------------------------------------------------

# one_sentence WHAT NAME OPERATOR KEY VALUE
one_sentence() {
    local what="$1" name="$2"
    shift 2
    role_is "$refuses"
    pod_checks --timestamps
    check "$what: the pod is refused with AWS's one sentence" refused_with "$not_authorized"
    check "$what: the policy" trusts "$@"
    audit_offline
    check "$what, offline: $name" finds 12 "$name"
    audit
    check "$what: $name" finds 12 "$name"
    check "$what: the line is marked" marks "$provider:"
    check "$what: the text is plain" plain
    mended "$what" of_text
}
one_sentence "a name" TrustSubjectMismatch StringEquals sub system:serviceaccount:payments:check-out
one_sentence "a pattern" TrustSubjectWildcard StringEquals sub 'system:serviceaccount:payments:*'
one_sentence "a swapped key" TrustKeySwapped StringLike aud "$subject"

# --- A role that is not where it was ----------------------------------------------------------

role_is 'role.subjects = []'
pod_checks
check "a deleted role: the pod is refused with AWS's one sentence" refused_with "$not_authorized"
check "a deleted role: its permission" operator_aws iam delete-role-policy --role-name "$role_name" --policy-name reads
check "a deleted role" operator_aws iam delete-role --role-name "$role_name"
audit
check "a deleted role: RoleNotFound" finds 12 RoleNotFound
check "a deleted role: the text" shows "Account $account has no role of the name $role_name"
check "a deleted role: what the audit prints is pasted" paste_commands of_report
audit
check "a deleted role, after that: nothing of the trust refuses" finds 12 RefusedOutsideTrust RoleHasNoPermissions

in_a_path() {
    operator_aws iam delete-role --role-name "$role_name"
    operator_aws iam create-role --role-name "$role_name" --path /team/ --assume-role-policy-document file://before.json
    permits
}
check "a role in a path" in_a_path
audit
check "a role in a path: RoleNotFound" finds 12 RoleNotFound
check "a role in a path: the ARN that was meant" reports \
    '[.diagnosis.remedy[], .diagnosis.cause] | any(contains("arn:aws:iam::111122223333:role/team/payments-checkout"))'

# --- What the operator is allowed --------------------------------------------------------------

credentials=()
audit
check "no credentials: AuditIncomplete" finds 14 AuditIncomplete
check "no credentials: what to do" reports '.diagnosis.remedy | any(contains("--trust-policy role.json"))'
credentials=("${anybody[@]}")

serve 5001 env "MOTO_ACCOUNT_ID=444455556666" "$scratch/venv/bin/moto_server"
iam=http://127.0.0.1:5001
audit
check "another account's credentials: AuditWrongAccount" finds 14 AuditWrongAccount
check "another account's credentials: which is meant" shows "account $account"
iam=http://127.0.0.1:5000

again_without_path() {
    operator_aws iam delete-role-policy --role-name "$role_name" --policy-name reads
    operator_aws iam delete-role --role-name "$role_name"
    policy StringEquals sub system:serviceaccount:payments:check-out >"$desk/before.json"
    operator_aws iam create-role --role-name "$role_name" --assume-role-policy-document file://before.json
    permits
}
check "a role for the operators below" again_without_path
keys_of() {
    operator_aws iam create-user --user-name "$1" >/dev/null
    operator_aws iam create-access-key --user-name "$1" |
        jq --raw-output '.AccessKey | "AWS_ACCESS_KEY_ID=\(.AccessKeyId) AWS_SECRET_ACCESS_KEY=\(.SecretAccessKey)"'
}
read -r -a operator < <(keys_of operator)
credentials=("${operator[@]}")
authenticate 5000 0
audit
check "an operator without permissions: AuditIncomplete" finds 14 AuditIncomplete
check "an operator without permissions: each permission" reports \
    '[.audit.not_known[].permission] | sort == ["iam:GetOpenIDConnectProvider", "iam:GetRole",
        "iam:ListAttachedRolePolicies", "iam:ListOpenIDConnectProviders", "iam:ListRolePolicies"]'
check "an operator without permissions: the secret key is not shown" keeps_secret

# Those who were there before are asked for their signatures, too, but not in the next calls.
authenticate 5000 1000
credentials=("${anybody[@]}")
"$probe_bin" audit --print-iam-policy >"$desk/operator.json"
check "the policy that is printed is put in place" operator_aws iam put-user-policy --user-name operator \
    --policy-name audit --policy-document file://operator.json
credentials=("${operator[@]}")
authenticate 5000 0
audit
check "an operator with the printed permissions: all is known" finds 12 TrustSubjectMismatch
check "an operator with the printed permissions: nothing is unknown" reports '.audit.not_known == []'
may_change() { operator_aws iam update-assume-role-policy --role-name "$role_name" --policy-document file://before.json; }
may_not_change() { ! may_change; }
check "an operator with the printed permissions can change nothing" may_not_change
check "an operator with the printed permissions: the secret key is not shown" keeps_secret

summary
