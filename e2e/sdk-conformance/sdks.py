"""The SDKs: how each is brought from its package registry, and how one is asked what it picks.

Each is a program that asks the SDK's own default chain and prints the access key it got; a program
that ends without an answer has crashed.
"""

import dataclasses
import json
import pathlib
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable

import servers

PYARROW = "26.0.1"
HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a program has to know beside its environment."""

    scratch: pathlib.Path
    """Where the SDKs are installed."""
    work: pathlib.Path
    """What this run alone has."""
    sts: str


@dataclasses.dataclass(frozen=True, eq=False)
class Sdk:
    """One column of the matrix."""

    id: str
    install: Callable[[pathlib.Path], None]
    command: Callable[[Asked], list]
    read: Callable[[subprocess.CompletedProcess], dict]
    env: dict = dataclasses.field(default_factory=dict)


def run(*command, **options):
    """Runs what must succeed, and shows what it said only if it did not."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout}")


def with_pip(_scratch):
    """Installed with the runner's own requirements."""


def with_pyarrow(_scratch):
    run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"pyarrow=={PYARROW}")


def with_npm(name):
    def install(scratch):
        into = scratch / name
        lock = "package-lock.json"
        # npm writes the latter at the end; it asks the registry even if all is there.
        marks = [into / lock, into / "node_modules/.package-lock.json"]
        there = all(mark.exists() for mark in marks) and marks[0].read_text() == (HERE / name / lock).read_text()
        shutil.copytree(HERE / name, into, dirs_exist_ok=True)
        if not there:
            run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=into)

    return install


def with_npm_and_zip(scratch):
    """AWS CLI v2 is in no registry by its own name; this package ships it as a layer for Lambda."""
    with_npm("cli")(scratch)
    package = scratch / "cli/node_modules/@aws-cdk/asset-awscli-v2"
    with zipfile.ZipFile(package / "lib/layer.zip") as layer:
        for item in layer.infolist():
            _, _, below = item.filename.partition("/dist/")
            mode = item.external_attr >> 16
            if not below or item.is_dir() or stat.S_ISLNK(mode):
                continue
            file = scratch / "cli/dist" / below
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(layer.read(item))
            file.chmod(stat.S_IMODE(mode))


def with_go(version):
    def install(scratch):
        run("go", "build", "-o", scratch / f"go-{version}", ".", cwd=HERE / "go" / version)

    return install


def with_cargo(scratch):
    into = scratch / "rust"
    run("cargo", "install", "--quiet", "--locked", "--path", HERE / "rust", "--root", into, "--target-dir", into)


def with_maven(version):
    def install(scratch):
        into = scratch / f"java-{version}"
        shutil.copytree(HERE / "java" / version, into, dirs_exist_ok=True)
        run(
            "mvn", "--quiet", "--batch-mode", "dependency:copy-dependencies", f"-DoutputDirectory={into}/jars", cwd=into
        )
        run("javac", "-cp", f"{into}/jars/*", "-d", into, into / "Chain.java")

    return install


def java(version):
    def command(asked):
        into = asked.scratch / f"java-{version}"
        options = [
            "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
            # SDK v1 takes the endpoint from the region alone, and v2 drops the path of the variable's:
            # STS is what its name leads to.
            f"-Djdk.net.hosts.file={asked.work}/hosts-{servers.STS_BY_NAME[asked.sts]}",
            f"-Djavax.net.ssl.trustStore={asked.work}/trust.p12", "-Djavax.net.ssl.trustStorePassword=changeit",
            "-cp", f"{into}:{into}/jars/*",
        ]  # fmt: skip
        # Java takes the home directory from the user database: here, as in most images, both agree.
        by_name = ["env", "--unset", "AWS_ENDPOINT_URL_STS"]
        return [*by_name, "sh", "-c", 'exec java -Duser.home="$HOME" "$@"', "java", *options, "Chain"]

    return command


def cpp(asked):
    """It takes the variable for a host name, which is none: here too STS is what its name leads to."""
    etc = asked.work / f"etc-{servers.STS_BY_NAME[asked.sts]}"
    inside = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount --bind "$0" /etc && exec env --unset AWS_ENDPOINT_URL_STS "$@"',
        etc,
    ]
    return [*inside, sys.executable, HERE / "cpp.py", servers.ENDPOINT.removeprefix("http://")]


def last_line(done):
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else ""


def read_json(done):
    """One line of JSON, last; no such line is a crash."""
    try:
        answer = json.loads(last_line(done))
    except ValueError:
        answer = None
    return answer if isinstance(answer, dict) else {"crash": done.stderr[-2000:]}


def read_words(done):
    """`key KEY` or `error TEXT`."""
    word, _, rest = last_line(done).partition(" ")
    return {word: rest} if word in ("key", "error") else {"crash": done.stderr[-2000:]}


def cli(asked):
    """A call to a service that says whose key it was signed with; STS stays what it is for the chain."""
    call = ["sts", "get-caller-identity", "--endpoint-url", servers.STS_WORKS, "--query", "UserId", "--output", "text"]
    return [asked.scratch / "cli/dist/aws", *call]


def read_cli(done):
    """The key alone; the CLI fails for each error and for none."""
    if done.returncode < 0:
        return {"crash": f"signal {-done.returncode}"}
    return {"error": done.stderr.strip()[-2000:]} if done.returncode else {"key": done.stdout.strip()}


JS, GO_V1 = with_npm("js"), with_go("v1")
# A profile that is its own source by a detour takes all the memory there is.
BOUNDED = {"NODE_OPTIONS": "--max-old-space-size=192"}
LOAD_CONFIG = {"AWS_SDK_LOAD_CONFIG": "1"}

SDKS = [
    Sdk("boto", with_pip, lambda _: [sys.executable, HERE / "boto.py"], read_json),
    Sdk("cliv2", with_npm_and_zip, cli, read_cli),
    Sdk("jsv3", JS, lambda asked: ["node", asked.scratch / "js/v3.mjs"], read_json),
    Sdk("jsv2", JS, lambda asked: ["node", asked.scratch / "js/v2.cjs"], read_json),
    Sdk("jsv2lc", JS, lambda asked: ["node", asked.scratch / "js/v2.cjs"], read_json, LOAD_CONFIG | BOUNDED),
    Sdk("gov2", with_go("v2"), lambda asked: [asked.scratch / "go-v2"], read_json),
    Sdk("gov1", GO_V1, lambda asked: [asked.scratch / "go-v1"], read_json),
    Sdk("gov1lc", GO_V1, lambda asked: [asked.scratch / "go-v1"], read_json, LOAD_CONFIG),
    Sdk("gov1old", GO_V1, lambda asked: [asked.scratch / "go-v1", "new"], read_json),
    Sdk("rust", with_cargo, lambda asked: [asked.scratch / "rust/bin/chain"], read_json),
    Sdk("cpp-tls", with_pyarrow, cpp, read_json),
    Sdk("jv1", with_maven("v1"), java("v1"), read_words),
    Sdk("jv2", with_maven("v2"), java("v2"), read_words),
]
