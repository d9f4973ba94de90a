#!/usr/bin/env bash
# The search for AWS SDKs in real packages, as pip, npm, pnpm, esbuild, Maven and Go lay them out.
#
#   e2e/sdk-detection/run.sh
#
# Those of JavaScript, Go and Java that are called too old are also run, with a role in their environment and
# without a network, to see that they do not ask STS; and newer ones, to see that these do. IRSA_PROBE_BIN names
# another binary than the static one in the target directory. A part whose tools the machine lacks is skipped.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

needs "$probe_bin"

roots="$scratch/roots"

# has PROGRAM...: whether the machine has all of them.
has() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || return 1
    done
}

# scan ROOT: the check of the SDK alone, in $scratch/sdk.json. No variable is set, so nothing is called, and
# the whole fails for that.
scan() {
    local code=0
    env --ignore-environment "$probe_bin" check --wait 10s --kubernetes off --output json --log off \
        --termination-log "$scratch/none" --sdk-root "$1" >"$scratch/out" 2>"$scratch/err" || code=$?
    [ "$code" -eq 10 ] || return 1
    jq '.checks[] | select(.name == "application-sdk")' "$scratch/out" >"$scratch/sdk.json"
}

# is ROOT OUTCOME DIAGNOSIS SDK...: the outcome, the diagnosis or null, and all SDKs, each as it is shown up
# to its place, in any order.
is() {
    local root="$1" outcome="$2" diagnosis="$3"
    shift 3
    scan "$root" || return 1
    jq --exit-status --arg outcome "$outcome" --arg diagnosis "$diagnosis" '
        .outcome == $outcome and (.diagnosis // "null") == $diagnosis and .evidence.stopped_by == null
        and ([.evidence.sdks[] | sub(" \\(.*?, "; " (")] | sort) == ($ARGS.positional | sort)
        ' "$scratch/sdk.json" --args "$@" || {
        cat "$scratch/sdk.json" "$scratch/err"
        return 1
    }
}

# asks_sts COMMAND...: whether what the SDK says of credentials that it cannot get shows that it tried the web
# identity.
asks_sts() {
    local code=0
    env --ignore-environment PATH="$PATH" HOME="$scratch" AWS_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true \
        AWS_ROLE_ARN=arn:aws:iam::111122223333:role/a AWS_WEB_IDENTITY_TOKEN_FILE="$scratch/token" \
        timeout 120 unshare --net "$@" >"$scratch/said" 2>&1 || code=$?
    cat "$scratch/said"
    # The first of version 3 of JavaScript say only that no client is there that would call STS.
    [ "$code" -lt 124 ] && grep --quiet 'sts\..*amazonaws\.com\|WebIdentity\|web identity' "$scratch/said"
}
# ignores_sts COMMAND...: that the SDK looks for credentials, and not there.
ignores_sts() {
    ! asks_sts "$@" && grep --quiet -i 'credential\|metadata' "$scratch/said"
}

python_packages() {
    local version
    python3 -m venv "$roots/venv"
    "$roots/venv/bin/pip" --quiet --disable-pip-version-check install \
        boto3==1.43.11 botocore==1.43.11
    for version in 1.12.199 1.12.200; do
        "$roots/venv/bin/pip" --quiet --disable-pip-version-check install --no-deps \
            --target "$roots/botocore-$version/usr/lib/python3/site-packages" "botocore==$version"
    done
    cp --recursive "$roots/botocore-1.12.199" "$roots/bare"
    rm --recursive "$roots"/bare/usr/lib/python3/site-packages/*.dist-info

    check "pip: a virtual environment" is "$roots/venv" pass null "boto 1.43.11 (package metadata)"
    check "pip: botocore 1.12.199 is too old" is "$roots/botocore-1.12.199" fail SdkTooOldForIrsa \
        "boto 1.12.199 (package metadata)"
    check "pip: botocore 1.12.200 is not" is "$roots/botocore-1.12.200" pass null \
        "boto 1.12.200 (package metadata)"
    check "pip: without its metadata" is "$roots/bare" fail SdkTooOldForIrsa "boto 1.12.199 (source)"
}

# npm_root NAME PACKAGE...: a folder with these packages installed.
npm_root() {
    local root="$roots/$1"
    shift
    mkdir --parents "$root"
    echo '{"name":"app","version":"1.0.0","private":true}' >"$root/package.json"
    (cd "$root" && npm install --silent --save-exact --no-audit --no-fund --ignore-scripts "$@" >/dev/null)
}

javascript_packages() {
    local form
    npm_root v2 aws-sdk@2.1692.0
    npm_root v2-old aws-sdk@2.516.0
    npm_root v2-doubtful aws-sdk@2.524.0
    npm_root v3 @aws-sdk/client-s3@3.850.0
    npm_root v3-old @aws-sdk/credential-provider-node@3.14.0
    npm_root v3-doubtful @aws-sdk/credential-provider-node@3.15.0
    npm_root tools esbuild@0.25.8 pnpm@9.15.9
    mkdir "$roots/pnpm"
    cp "$roots/v3/package.json" "$roots/pnpm/"
    (cd "$roots/pnpm" && "$roots/tools/node_modules/.bin/pnpm" install --silent --store-dir "$scratch/pnpm")

    check "npm: version 2" is "$roots/v2" pass null "jsv2 2.1692.0 (package metadata)"
    check "npm: version 2 is too old" is "$roots/v2-old" fail SdkTooOldForIrsa \
        "jsv2 2.516.0 (package metadata)"
    check "npm: version 2 is possibly too old" is "$roots/v2-doubtful" warn SdkTooOldForIrsa \
        "jsv2 2.524.0 (package metadata)"
    check "npm: version 3" is "$roots/v3" pass null "jsv3 3.848.0 (package metadata)"
    check "npm: version 3 is too old" is "$roots/v3-old" fail SdkTooOldForIrsa \
        "jsv3 3.14.0 (package metadata)"
    check "npm: version 3 is possibly too old" is "$roots/v3-doubtful" warn SdkTooOldForIrsa \
        "jsv3 3.15.0 (package metadata)"
    check "pnpm: version 3" is "$roots/pnpm" pass null "jsv3 3.848.0 (package metadata)"

    # Each step of the chain alone: the chain itself says only why its last step has no credentials.
    cat >"$scratch/v2.js" <<'CODE'
const { CredentialProviderChain } = require(`${process.argv[2]}/node_modules/aws-sdk`);
for (const provider of CredentialProviderChain.defaultProviders) {
  const credentials = typeof provider === "function" ? provider() : provider;
  credentials.get((error) => console.log(credentials.constructor.name, error?.message));
}
CODE
    cat >"$scratch/v3.js" <<'CODE'
const { defaultProvider } = require(`${process.argv[2]}/node_modules/@aws-sdk/credential-provider-node`);
defaultProvider()().catch((error) => console.log("no credentials:", error.message));
CODE
    check "version 2 that is too old does not ask STS" ignores_sts node "$scratch/v2.js" "$roots/v2-old"
    check "version 2 that is possibly too old does" asks_sts node "$scratch/v2.js" "$roots/v2-doubtful"
    check "version 3 that is too old does not ask STS" ignores_sts node "$scratch/v3.js" "$roots/v3-old"
    check "version 3 that is possibly too old does" asks_sts node "$scratch/v3.js" "$roots/v3-doubtful"
    check "version 3 does" asks_sts node "$scratch/v3.js" "$roots/v3"

    echo 'new (require("aws-sdk").S3)().listBuckets(console.log)' >"$roots/v2/app.js"
    cp "$roots/v2/app.js" "$roots/v2-old/app.js"
    echo 'import {S3} from "@aws-sdk/client-s3"; new S3({}).listBuckets({}).then(console.log)' \
        >"$roots/v3/app.mjs"
    for form in "" --minify; do
        bundle v2/app.js $form
        bundle v2-old/app.js $form
        bundle v3/app.mjs $form
        check "esbuild $form: version 2" is "$roots/bundle/v2" pass null "jsv2 2.1692.0 (bundled code)"
        check "esbuild $form: version 2 is too old" is "$roots/bundle/v2-old" fail SdkTooOldForIrsa \
            "jsv2 2.516.0 (bundled code)"
        check "esbuild $form: version 3" is "$roots/bundle/v3" pass null "jsv3 ? (bundled code)"
    done
}

# bundle FILE FLAG...: what esbuild makes of it, alone in a folder.
bundle() {
    local file="$1"
    shift
    mkdir --parents "$roots/bundle/${file%/*}"
    "$roots/tools/node_modules/@esbuild/linux-$(esbuild_arch)/bin/esbuild" "$roots/$file" "$@" --bundle \
        --platform=node --log-level=error --outfile="$roots/bundle/${file%/*}/index.js"
}

esbuild_arch() {
    case "$(uname -m)" in
    x86_64) echo x64 ;;
    aarch64) echo arm64 ;;
    *) uname -m ;;
    esac
}

# maven_root NAME GROUP:ARTIFACT:VERSION...: a folder with these jars and what they need, in app/lib.
maven_root() {
    local root="$roots/$1" artifact group name version dependencies=
    shift
    for artifact in "$@"; do
        IFS=: read -r group name version <<<"$artifact"
        dependencies+="<dependency><groupId>$group</groupId><artifactId>$name</artifactId>"
        dependencies+="<version>$version</version></dependency>"
    done
    mkdir --parents "$root"
    cat >"$root/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>app</groupId><artifactId>app</artifactId><version>1</version>
  <dependencies>$dependencies</dependencies>
</project>
POM
    mvn --quiet --batch-mode --file "$root/pom.xml" dependency:copy-dependencies \
        -DoutputDirectory="$root/app/lib" >"$scratch/maven.log" 2>&1 || {
        cat "$scratch/maven.log" >&2
        return 1
    }
}

java_archives() {
    local v1=1.12.788 v2=2.31.78
    maven_root jv1 "com.amazonaws:aws-java-sdk-core:$v1" "com.amazonaws:aws-java-sdk-sts:$v1"
    maven_root jv1-old com.amazonaws:aws-java-sdk-core:1.11.600 com.amazonaws:aws-java-sdk-sts:1.11.600
    maven_root jv2 "software.amazon.awssdk:s3:$v2" "software.amazon.awssdk:sts:$v2"
    maven_root jv2-bare "software.amazon.awssdk:s3:$v2"

    # Spring Boot keeps its jars as they are, so that they can be loaded from inside.
    local name
    for name in jv2 jv2-bare; do
        mkdir --parents "$roots/spring-$name" "$scratch/boot-$name/BOOT-INF"
        cp --recursive "$roots/$name/app/lib" "$scratch/boot-$name/BOOT-INF/lib"
        (cd "$scratch/boot-$name" && zip --quiet -0 --recurse-paths "$roots/spring-$name/app.jar" .)
        mkdir --parents "$roots/fat-$name" "$scratch/fat-$name"
        (
            cd "$scratch/fat-$name"
            for jar in "$roots/$name"/app/lib/*.jar; do
                python3 -m zipfile --extract "$jar" .
            done
            zip --quiet --recurse-paths "$roots/fat-$name/app.jar" .
        )
    done
    mkdir --parents "$roots/war" "$scratch/packed/WEB-INF"
    cp --recursive "$roots/jv1/app/lib" "$scratch/packed/WEB-INF/lib"
    (cd "$scratch/packed" && zip --quiet -9 --suffixes .none --recurse-paths "$roots/war/app.war" .)

    check "Maven: version 1" is "$roots/jv1" pass null "jv1 $v1 (Java archive, with the sts module)"
    check "Maven: version 1 is too old" is "$roots/jv1-old" fail SdkTooOldForIrsa \
        "jv1 1.11.600 (Java archive, with the sts module)"
    cat >"$scratch/Chain.java" <<'CODE'
import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
class Chain {
    public static void main(String[] arguments) {
        try {
            new DefaultAWSCredentialsProviderChain().getCredentials();
        } catch (RuntimeException error) {
            System.out.println("no credentials: " + error.getMessage());
        }
    }
}
CODE
    check "version 1 that is too old does not ask STS" ignores_sts \
        java --class-path "$roots/jv1-old/app/lib/*" "$scratch/Chain.java"
    check "version 1 does" asks_sts java --class-path "$roots/jv1/app/lib/*" "$scratch/Chain.java"
    check "Maven: version 2" is "$roots/jv2" pass null "jv2 $v2 (Java archive, with the sts module)"
    check "Maven: version 2 without sts" is "$roots/jv2-bare" fail SdkLacksStsModule \
        "jv2 $v2 (Java archive, without the sts module)"
    for form in spring fat; do
        check "$form jar: version 2" is "$roots/$form-jv2" pass null \
            "jv2 $v2 (Java archive, with the sts module)"
        check "$form jar: version 2 without sts" is "$roots/$form-jv2-bare" fail SdkLacksStsModule \
            "jv2 $v2 (Java archive, without the sts module)"
    done
    rm "$scratch"/packed/WEB-INF/lib/aws-java-sdk-sts-*.jar
    mkdir "$roots/war-bare"
    (cd "$scratch/packed" && zip --quiet -9 --suffixes .none --recurse-paths "$roots/war-bare/app.war" .)
    check "a war with packed jars: version 1" is "$roots/war" pass null \
        "jv1 $v1 (Java archive, with the sts module)"
    check "a war with packed jars: no sts is found, and nobody knows" is "$roots/war-bare" warn \
        SdkLacksStsModule "jv1 $v1 (Java archive)"
}

# go_root NAME MODULE@VERSION CODE FLAG...: a folder with a program that has the module in it.
go_root() {
    local root="$roots/$1" source="$scratch/go-$1" module="$2" code="$3"
    shift 3
    mkdir --parents "$root/app" "$source"
    printf 'module app\n\ngo 1.21\n' >"$source/go.mod"
    echo "$code" >"$source/main.go"
    (
        cd "$source"
        export GOFLAGS=-mod=mod CGO_ENABLED=0
        go get "$module" && go mod tidy && go build "$@" -o "$root/app/server" .
    ) >"$scratch/go.log" 2>&1 || {
        cat "$scratch/go.log" >&2
        return 1
    }
}

go_programs() {
    local v1 v2 none
    v1='package main
import ("fmt"; "github.com/aws/aws-sdk-go/aws/session")
func main() {
    session, err := session.NewSession()
    if err != nil { panic(err) }
    fmt.Println(session.Config.Credentials.Get())
}'
    v2='package main
import ("context"; "fmt"; "github.com/aws/aws-sdk-go-v2/config")
func main() { fmt.Println(config.LoadDefaultConfig(context.Background())) }'
    none='package main
func main() { println("x") }'
    go_root gov1 github.com/aws/aws-sdk-go@v1.55.7 "$v1"
    go_root gov1-doubtful github.com/aws/aws-sdk-go@v1.21.0 "$v1"
    go_root gov1-old github.com/aws/aws-sdk-go@v1.19.0 "$v1" -trimpath -ldflags '-s -w'
    go_root gov2 github.com/aws/aws-sdk-go-v2/config@v1.29.14 "$v2" -trimpath -ldflags '-s -w'
    go_root gov2-pie github.com/aws/aws-sdk-go-v2/config@v1.29.14 "$v2" -buildmode=pie
    go_root gonone github.com/aws/aws-sdk-go@v1.55.7 "$none"
    strip "$roots/gov2/app/server"

    check "Go says the same of the stripped program" has_module gov2 \
        github.com/aws/aws-sdk-go-v2/config v1.29.14
    check "Go: version 1" is "$roots/gov1" pass null "gov1 1.55.7 (Go build info)"
    check "Go: version 1 is too old" is "$roots/gov1-old" fail SdkTooOldForIrsa \
        "gov1 1.19.0 (Go build info)"
    check "Go: version 1 is possibly too old" is "$roots/gov1-doubtful" warn SdkTooOldForIrsa \
        "gov1 1.21.0 (Go build info)"
    check "version 1 that is too old does not ask STS" ignores_sts "$roots/gov1-old/app/server"
    check "version 1 that is possibly too old does" asks_sts "$roots/gov1-doubtful/app/server"
    check "Go: version 2, stripped" is "$roots/gov2" pass null "gov2 1.29.14 (Go build info)"
    check "Go: version 2, position-independent" is "$roots/gov2-pie" pass null \
        "gov2 1.29.14 (Go build info)"
    check "Go: a program without an SDK" is "$roots/gonone" pass SdkUnknown
}

has_module() {
    go version -m "$roots/$1/app/server" | grep --quiet --fixed-strings "$(printf 'dep\t%s\t%s' "$2" "$3")"
}

# part NAME FUNCTION PROGRAM...: a part, if the machine has these programs.
part() {
    local name="$1" function="$2"
    shift 2
    if has "$@"; then "$function"; else skip "$name: the machine lacks one of $*"; fi
}

mkdir "$roots"
echo token >"$scratch/token"
part "Python packages" python_packages python3
part "JavaScript packages" javascript_packages npm node
part "Java archives" java_archives mvn java zip python3
part "Go programs" go_programs go strip

# How long 50,000 files take, for a reader; it is no check.
mkdir --parents "$roots/large"
for folder in $(seq 500); do
    mkdir "$roots/large/$folder"
    (cd "$roots/large/$folder" && seq --format '%g.txt' 100 | xargs touch)
done
scan "$roots/large"
scan "$roots/large"
jq --raw-output '"\(.evidence.entries_seen) entries took \(.duration_ms) ms"' "$scratch/sdk.json"

summary
