#!/usr/bin/env bash
# The binary and the image against an STS that this project did not write: moto, which takes any
# token, and checks the signature of the second call. The token is one that a real Kubernetes
# projected; it expires, which moto does not mind and the probe only warns of.
#
#   e2e/moto/sts.sh
#
# IRSA_PROBE_BIN names another binary than the static one in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

role=arn:aws:iam::111122223333:role/payments-checkout
tokens=/var/run/secrets/eks.amazonaws.com/serviceaccount
token="$source_root/tests/recorded/projected-token.jwt"

install_moto "$@"

variables=(AWS_STS_REGIONAL_ENDPOINTS=regional AWS_DEFAULT_REGION=eu-west-1 AWS_REGION=eu-west-1
    "AWS_ROLE_ARN=$role")

# alone PORT: the binary as it is.
alone() {
    : >"$scratch/termination-log"
    code=0
    ip netns exec "$network" env --ignore-environment "${variables[@]}" \
        AWS_WEB_IDENTITY_TOKEN_FILE="$token" AWS_ENDPOINT_URL_STS="http://127.0.0.1:$1" \
        IRSA_PROBE_TERMINATION_LOG="$scratch/termination-log" \
        timeout 60 "$probe_bin" check --wait 5s >"$scratch/out" 2>"$scratch/err" || code=$?
}

# in_image PORT: the image, with the token where the webhook mounts it.
in_image() {
    contained moto --network "ns:/var/run/netns/$network" "${variables[@]/#/--env=}" \
        --env "AWS_WEB_IDENTITY_TOKEN_FILE=$tokens/token" --env "AWS_ENDPOINT_URL_STS=http://127.0.0.1:$1" \
        --volume "$scratch/tokens:$tokens:ro" -- check --wait 5s
}

# The recorded token should have been rotated, and has expired, or will.
works() {
    check "$1: exit code 0" exits 0
    check "$1: outcome pass, or warn of the token's age" reports \
        '.exit_code == 0 and .diagnosis == null and .sts.endpoint == "http://127.0.0.1:5000"
         and (.outcome == "pass" or (.outcome == "warn" and [.warnings[].name] - ["TokenExpired", "TokenNotRotated"] == []))'
    check "$1: the identity" reports \
        '.identity == {
           "arn": "arn:aws:sts::111122223333:assumed-role/payments-checkout/irsa-probe-checkout-6d5f9c7b8-abcde",
           "account": "111122223333"}'
    check "$1: the termination message" tells "this pod gets $role"
}

serve 5000 "$scratch/venv/bin/moto_server"
alone 5000
works "the binary"
authenticate 5000
alone 5000
works "the binary, its signature checked"

serve 5001 "$scratch/venv/bin/python" "$source_root/e2e/moto/forgetful.py"
authenticate 5001
alone 5001
check "credentials that STS does not know: exit code 12" exits 12
check "credentials that STS does not know: CredentialsRejected" reports \
    '.outcome == "fail" and .diagnosis.name == "CredentialsRejected" and .identity == null'
check "credentials that STS does not know: the termination message" tells "CredentialsRejected (owner: "

check "the last stage of the Dockerfile builds" build_image
project_token "$scratch/tokens" "$token"
authenticate 5000
in_image 5000
works "the image, its signature checked"
check "the image: container, user and token file" reports \
    '.pod.container == "irsa-probe" and .pod.uid == 65532 and .token.file_owner == 0 and .token.file_mode == "0644"'

summary
