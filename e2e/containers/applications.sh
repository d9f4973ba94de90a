#!/usr/bin/env bash
# Real applications with real SDKs, each looked at from a second container that holds only our image and
# shares its PID namespace, as kubectl debug makes one: the application's own user, no capability, no new
# privileges, nothing writable. What the SDK itself picks is there to compare. Makes everything it needs
# and leaves nothing.
#
#   e2e/containers/applications.sh
#
# Needs Debian's python3-venv, maven and default-jdk-headless, and Go 1.24 or newer.
# IRSA_PROBE_BIN and TESTBED_BIN name other binaries than those in the target directory.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

sources="$source_root/e2e/containers/applications"
network="irsa-probe-$$"
here=10.213.0.1
sts=sts.eu-west-1.amazonaws.com
role=arn:aws:iam::111122223333:role/payments-checkout
tokens=/var/run/secrets/eks.amazonaws.com/serviceaccount

needs "$probe_bin" "$testbed_bin"

# --- The applications -------------------------------------------------------------------------

# folder NAME: the root of a container's file system.
folder() {
    mkdir --parents "$scratch/$1"/{app,dev,etc,proc,sys,tmp,var/run/secrets}
    echo "$scratch/$1"
}

# with_libraries ROOT FILE...: copies files, and the libraries that they load.
with_libraries() {
    local root="$1"
    shift
    {
        printf '%s\n' "$@"
        ldd "$@" | grep --only-matching -E '/[^ ]+\.so[^ :]*'
    } | sort --unique | xargs cp --parents --dereference --target-directory "$root"
}

python_application() {
    local root standard
    root="$(folder "$1")"
    standard="$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
    cp --parents --recursive "$standard" "$root"
    # What is loaded of the standard library is loaded by the C library, too.
    mapfile -t modules < <(find "$standard/lib-dynload" -name '*.so')
    with_libraries "$root" "$(readlink --canonicalize /usr/bin/python3)" "${modules[@]}"
    ln --symbolic --force "$(basename "$(readlink --canonicalize /usr/bin/python3)")" "$root/usr/bin/python3"
    "$scratch/pip/bin/pip" --quiet --disable-pip-version-check install --no-compile \
        --target "$root/app/packages" "$2"
    cp "$sources/main.py" "$root/app/"
}

java_application() {
    local root jdk
    root="$(folder "$1")"
    cp "$sources/java/pom.xml" "$scratch/pom.xml"
    mvn --quiet --batch-mode --file "$scratch/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$root/app/lib" >"$scratch/maven.log" 2>&1 || {
        cat "$scratch/maven.log" >&2
        return 1
    }
    javac -d "$root/app/classes" -classpath "$root/app/lib/*" "$sources/java/Main.java"
    jdk="$(dirname "$(dirname "$(readlink --canonicalize "$(command -v javac)")")")"
    "$jdk/bin/jlink" --add-modules java.base,java.logging,java.naming,java.xml --output "$root/opt/java"
    mapfile -t libraries < <(find "$root/opt/java" -name '*.so')
    with_libraries "$root" "$jdk/bin/java" "${libraries[@]}"
    rm --recursive "${root:?}/${jdk#/}"
}

go_application() {
    local root
    root="$(folder "$1")"
    (cd "$sources/go" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$root/app/server" .)
}

python3 -m venv "$scratch/pip"
python_application python botocore==1.44.5
python_application old-python botocore==1.12.199
java_application java
go_application go
build_image

# --- The pod ----------------------------------------------------------------------------------

make_network "$network" "$here"
names "$network" "$here" "$sts,$here"

mkdir "$world"
printf '[node]\nrole = "eks-node"\n' >"$scratch/scenario.toml"
ip netns exec "$network" "$testbed_bin" serve --dir "$world" --listen "$here" --sts-port 443 \
    --scenario "$scratch/scenario.toml" >"$scratch/testbed.log" &
background+=("$!")
wait_for 20 grep --quiet ready "$scratch/testbed.log"
imds="$(sed --quiet 's/^AWS_EC2_METADATA_SERVICE_ENDPOINT=//p' "$world/env" | tr --delete "'\"")"

pod=(--network "ns:/var/run/netns/$network" --dns "$here"
    --volume "$world/ca.pem:/ca.pem:ro" --env AWS_CA_BUNDLE=/ca.pem --env SSL_CERT_FILE=/ca.pem
    --env "AWS_EC2_METADATA_SERVICE_ENDPOINT=$imds" --env HOME=/tmp)
injected=(--env AWS_STS_REGIONAL_ENDPOINTS=regional
    --env AWS_DEFAULT_REGION=eu-west-1 --env AWS_REGION=eu-west-1
    --env "AWS_ROLE_ARN=$role" --env "AWS_WEB_IDENTITY_TOKEN_FILE=$tokens/token"
    --volume "$world$tokens:$tokens:ro")

# application FOLDER [PODMAN-ARGUMENT...] -- COMMAND...: the pod's container, once its SDK has spoken.
application() {
    local root="$scratch/$1" arguments=()
    shift
    while [ "$1" != -- ]; do
        arguments+=("$1")
        shift
    done
    shift
    podman rm --force --time 0 application >/dev/null 2>&1 || true
    podman run --detach --name application --user 65532:65532 --cap-drop all --read-only --http-proxy=false \
        "${pod[@]}" "${arguments[@]}" --rootfs "$root" "$@" >/dev/null
    wait_for 60 has_spoken
}
has_spoken() { podman logs application | grep --quiet -E '^(picks|fails)'; }
python=(/usr/bin/python3 -B /app/main.py)
python_path=(--env PYTHONPATH=/app/packages)

# looked_at COMMAND...: what a container of our image sees of it.
looked_at() {
    contained debugger --network "ns:/var/run/netns/$network" --dns "$here" --pid container:application -- "$@"
}
says() { podman logs application | tee /dev/stderr | grep --quiet --fixed-strings -- "$1"; }

# fails WHAT DIAGNOSIS CODE [FILTER]
fails() {
    looked_at check --wait 5s
    check "$1: exit code $3" exits "$3"
    check "$1: $2" reports ".diagnosis.name == \"$2\" and .pod.target.pid == 1 and (${4:-true})"
    check "$1: $2 in the termination message" tells "$2 (owner: "
    check "$1: no key, no token" keeps_secrets
}
keeps_secrets() {
    local signature
    signature="$(cut -d . -f 3 "$world$tokens/token")"
    [ "${#signature}" -gt 100 ] || return 1
    ! cat "$scratch/out" "$scratch/err" "$scratch/termination-log" |
        grep --fixed-strings --count -e "$signature" -e staticSecretEXAMPLE -e nodeSecretKeyEXAMPLE
}
# chains FILTER: what `chain` says of the same process.
chains() {
    looked_at chain --output json
    exits 0 && reports "$1"
}

# --- What is found of each --------------------------------------------------------------------

application python "${injected[@]}" "${python_path[@]}" -- "${python[@]}"
looked_at check --wait 5s
check "Python with its role: exit code 0" exits 0
check "Python with its role: no warning, and botocore is found" reports \
    '.outcome == "pass" and .warnings == [] and
     ([.checks[] | select(.name == "application-sdk") | .evidence.sdks[]] | any(startswith("boto 1.44.5 ")))'
check "Python with its role: botocore picks it" says "picks assume-role-with-web-identity"
check "Python with its role: chain says so" chains '.sdks[0] | .sdk == "boto" and .picks == "web-id"'

application python "${injected[@]}" "${python_path[@]}" --env AWS_ACCESS_KEY_ID=AKIAEXAMPLE \
    --env AWS_SECRET_ACCESS_KEY=staticSecretEXAMPLE -- "${python[@]}"
fails "Python with its role and static keys" ShadowedByStaticKeys 11 '.identity.arn != null'
check "Python with its role and static keys: botocore picks the keys" says "picks env"
check "Python with its role and static keys: chain says so" chains '.sdks[0] | .sdk == "boto" and .picks == "env"'

# This version does not run on today's Python at all: what counts is that it is there.
application old-python "${injected[@]}" -- /usr/bin/python3 \
    -B -c 'import signal; print("picks nothing", flush=True); signal.pause()'
fails "Python with an old botocore" SdkTooOldForIrsa 11 '.diagnosis.evidence.version == "1.12.199"'

application java "${injected[@]}" -- /opt/java/bin/java -cp '/app/classes:/app/lib/*' Main
fails "Java without the sts module" SdkLacksStsModule 11 \
    '.diagnosis.evidence.missing_module == "software.amazon.awssdk:sts"
     and ([.warnings[].name] | index("FallsToNodeRole") != null)'
check "Java without the sts module: the SDK picks the node's role" says "picks ASIANODEEXAMPLE"
check "Java without the sts module: chain says so" chains '.sdks[0] | .sdk == "jv2" and .picks == "IMDS"'

application go "${injected[@]}" --env AWS_PROFILE=prod -- /app/server
fails "a Go program with a profile that does not exist" SdkCredentialError 11 \
    '.diagnosis.evidence.because | contains("prod")'
check "a Go program with a profile that does not exist: the SDK stops" says "fails"
check "a Go program with a profile that does not exist: chain says so" chains \
    '.sdks[0] | .sdk == "gov2" and .picks == "error"'

application go "${injected[@]}" -- /app/server
looked_at check --wait 5s
check "a Go program with its role: exit code 0" exits 0
check "a Go program with its role: its SDK is found in its executable" reports \
    '[.checks[] | select(.name == "application-sdk") | .evidence.sdks[]] | any(startswith("gov2 1.33.16 "))'
check "a Go program with its role: the SDK picks it" says "picks WebIdentityCredentials"

application python "${python_path[@]}" -- "${python[@]}"
fails "an application that was never injected" TargetHasNoIdentity 10 \
    '[.warnings[].name] | index("NodeRoleReachable") != null'
check "an application that was never injected: botocore picks the node's role" says "picks iam-role"
check "an application that was never injected: chain says so" chains \
    '.sdks[0] | .sdk == "boto" and .picks == "IMDS"'

podman rm --force --time 0 application >/dev/null
summary
