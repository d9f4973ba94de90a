"""Asks the real SDKs what they pick in each situation, and the probe what it says they pick.

`install` brings the SDKs into a scratch directory; `run` needs a network namespace of its own, and
prints each disagreement, then how many answers agreed. See run.sh.
"""

import argparse
import base64
import collections
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import sdks
import servers
import situations

# Longer than any SDK tries an endpoint that is not there.
PATIENCE_S = 120
# The SDKs mostly wait; more at once would only wait for the processor.
AT_ONCE = 6


def token():
    """A token such as the kubelet projects, with a day to live; nobody checks its signature."""
    now = int(time.time())
    payload = {
        "aud": ["sts.amazonaws.com"],
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE",
        "sub": "system:serviceaccount:shop:checkout",
        "iat": now,
        "nbf": now,
        "exp": now + 86400,
    }
    parts = [{"alg": "RS256", "kid": "example", "typ": "JWT"}, payload]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])


def prepare(work):
    """The files that situations name: what each placeholder stands for."""
    (work / "token").write_text(token())
    (work / "empty").write_text("")
    (work / "token-newline").write_text(f"{token()}\n")
    process = work / "process"
    answer = {"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "secret"}
    process.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    process.chmod(0o755)
    for address in servers.STS_BY_NAME.values():
        hosts = "".join(f"{address} {name}\n" for name in servers.STS_NAMES)
        (work / f"hosts-{address}").write_text(hosts)
        etc = work / f"etc-{address}"
        (etc / "ssl/certs").mkdir(parents=True, exist_ok=True)
        (etc / "hosts").write_text(hosts)
        (etc / "nsswitch.conf").write_text("hosts: files\n")
        (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        shutil.copy(work / "sts.pem", etc / "ssl/certs/ca-certificates.crt")
    # Longest first: one is the beginning of another.
    return {
        "@TOKENNL": str(work / "token-newline"),
        "@TOKEN": str(work / "token"),
        "@EMPTY": str(work / "empty"),
        "@PROCESS": str(process),
    }


def trust(work):
    """What Java is told to trust: the authority of the fake STS."""
    store = work / "trust.p12"
    store.unlink(missing_ok=True)
    sdks.run(
        "keytool", "-importcert", "-noprompt", "-alias", "sts", "-file", work / "sts.pem",
        "-keystore", store, "-storetype", "PKCS12", "-storepass", "changeit",
    )  # fmt: skip


class Runner:
    """Runs programs in situations."""

    def __init__(self, scratch, work, placeholders):
        self.scratch = scratch
        self.work = work
        self.placeholders = placeholders

    def filled(self, text):
        for placeholder, value in self.placeholders.items():
            text = text.replace(placeholder, value)
        return text

    def in_situation(self, situation, command, extra):
        """The program's end: in a fresh home, with nothing else in its environment."""
        env = {
            "PATH": os.environ["PATH"],
            "AWS_REGION": servers.REGION,
            "AWS_DEFAULT_REGION": servers.REGION,
            **situation["env"],
            **extra,
        }
        env["AWS_ENDPOINT_URL_STS"] = env.pop("STS", servers.STS_WORKS)
        with tempfile.TemporaryDirectory(dir=self.work) as home:
            env["HOME"] = home
            for name in ("credentials", "config"):
                text = situation[f"{name}_file"]
                if text is not None:
                    file = pathlib.Path(home, ".aws", name)
                    file.parent.mkdir(exist_ok=True)
                    file.write_text(self.filled(text))
            env = {name: self.filled(value) for name, value in env.items() if value is not None}
            return subprocess.run(
                command,
                env=env,
                cwd=home,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE_S,
                stdin=subprocess.DEVNULL,
            )

    def sdk(self, sdk, situation):
        """What the SDK picks, in the words of the matrix, and what it said."""
        sts = situation["env"].get("STS", servers.STS_WORKS)
        try:
            done = self.in_situation(situation, sdk.command(sdks.Asked(self.scratch, self.work, sts)), sdk.env)
        except subprocess.TimeoutExpired:
            return "hangs", ""
        ((kind, detail),) = sdk.read(done).items()
        return (servers.SOURCES.get(detail, f"unknown key {detail}"), "") if kind == "key" else (kind, str(detail))

    def probe(self, binary, situation):
        """What the probe says of each SDK: id -> word and reason; and what is wrong where it says nothing."""
        try:
            done = self.in_situation(situation, [binary, "chain", "--output", "json"], {})
        except subprocess.TimeoutExpired:
            return {}, "hangs"
        try:
            answer = json.loads(done.stdout)
            said = {one["sdk"]: (one["picks"], one["because"]) for one in answer["sdks"]}
        except (ValueError, KeyError, TypeError) as error:
            return {}, f"{error!r}: exit code {done.returncode}: {(done.stdout + done.stderr)[-1000:]}"
        return (said, "") if done.returncode == 0 else ({}, f"exit code {done.returncode}")


def chosen(names):
    """The SDKs of these ids."""
    known = {sdk.id: sdk for sdk in sdks.SDKS}
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"no such SDK: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [known[name] for name in names]


def install(wanted, scratch):
    """Each thing once, however many SDKs are in it."""
    for bring in dict.fromkeys(sdk.install for sdk in wanted):
        bring(scratch)


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """Somebody says of an SDK what it does not do."""

    id: str
    sdk: str
    who: str
    said: str
    because: str
    real: str
    detail: str

    def show(self, situation):
        print(f"FAILED  {self.id} {self.sdk}: {self.who} {self.said}, the SDK {self.real} [{situation['desc']}]")
        for speaker, text in ((self.who, self.because), (self.sdk, self.detail)):
            if text:
                print(f"        {speaker}: {' '.join(text.split())[:600]}")


def judged(id, sdk, real, probed):
    """What the recorded matrix and the probe say of this SDK: how many were right, and who was not."""
    word, detail = real
    claims = []
    before = situations.recorded().get(id, {}).get("winner", {}).get(sdk)
    if before:
        claims.append(("recorded", before, ""))
    if probed is not None:
        said, wrong = probed
        picks, because = said.get(sdk, ("nothing", ""))
        claims.append(("irsa-probe", picks, wrong or because))
    wrong = [Disagreement(id, sdk, *claim, word, detail) for claim in claims if claim[1] != word]
    return len(claims) - len(wrong), wrong


def everything(runner, wanted, cases, binary, record):
    """Runs all, prints the disagreements; whether there was none."""
    passed, doubtful, failed = 0, [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {}
        for id, situation in cases.items():
            probed = pool.submit(runner.probe, binary, situation) if binary else None
            asked[id] = probed, {sdk: pool.submit(runner.sdk, sdk, situation) for sdk in wanted}
        for id, (probed, real) in asked.items():
            cases[id]["winner"] = {}
            for sdk, answer in real.items():
                right, wrong = judged(id, sdk.id, answer.result(), probed and probed.result())
                if wrong:
                    doubtful.append((id, sdk))
                else:
                    passed += right
                cases[id]["winner"][sdk.id] = answer.result()[0]
            if record:
                done = {id: situation for id, situation in cases.items() if "winner" in situation}
                whole = record.with_name(f"{record.name}.new")
                whole.write_text(json.dumps({"situations": done}, indent=1))
                whole.replace(record)
    # Once more, one at a time: on a busy machine an SDK may give up waiting for a metadata server.
    for id, sdk in doubtful:
        probed = runner.probe(binary, cases[id]) if binary else None
        right, wrong = judged(id, sdk.id, runner.sdk(sdk, cases[id]), probed)
        passed += right
        for disagreement in wrong:
            disagreement.show(cases[id])
            failed[sdk.id, disagreement.who] += 1
        sys.stdout.flush()
    for (sdk, who), count in sorted(failed.items()):
        print(f"{sdk}: {count} not as {who}")
    print(f"{passed} passed, {failed.total()} failed")
    return passed > 0 and not failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["install", "run"])
    parser.add_argument("--scratch", type=pathlib.Path, required=True, help="where the SDKs are installed")
    parser.add_argument("--sdks", default=",".join(sdk.id for sdk in sdks.SDKS), help="ids, with commas")
    parser.add_argument("--seed", type=int, default=1, help="of the generated situations")
    parser.add_argument("--generate", default="sparse", help="kinds, with commas: singles, written, pairwise, sparse")
    parser.add_argument("--count", type=int, default=60, help="how many of the sparse ones")
    parser.add_argument("--only", help="ids of the situations to run, with commas")
    parser.add_argument("--record", type=pathlib.Path, help="a file for all situations and winners")
    arguments = parser.parse_args()
    scratch = arguments.scratch.resolve()
    wanted = chosen(arguments.sdks.split(","))
    if arguments.what == "install":
        install(wanted, scratch)
        return True
    cases = situations.recorded() | situations.generated(arguments.generate.split(","), arguments.seed, arguments.count)
    if arguments.only:
        only = arguments.only.split(",")
        unknown = [id for id in only if id not in cases]
        if unknown:
            sys.exit(f"no such situation: {', '.join(unknown)}")
        cases = {id: cases[id] for id in only}
    # Not with the winners of another run.
    cases = {id: {part: value for part, value in case.items() if part != "winner"} for id, case in cases.items()}
    binary = os.environ.get("IRSA_PROBE_BIN")
    with tempfile.TemporaryDirectory(prefix="irsa-probe-conformance.") as directory:
        work = pathlib.Path(directory)
        with servers.serving(work):
            if shutil.which("keytool"):
                trust(work)
            runner = Runner(scratch, work, prepare(work))
            return everything(runner, wanted, cases, binary and os.path.abspath(binary), arguments.record)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
