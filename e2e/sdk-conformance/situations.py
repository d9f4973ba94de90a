"""What an SDK may find: the recorded situations, and generated ones of the same form.

A situation has `desc`, `env`, `credentials_file` and `config_file`. In its values `@TOKEN` is a
readable token file, `@EMPTY` an empty one, `@TOKENNL` one that ends in a newline, `@PROCESS` a
program for `credential_process`; `STS` is the endpoint of STS; the region variables are set unless
they are null.
"""

import functools
import json
import pathlib
import random

from allpairspy import AllPairs

import servers
import written

RECORDED = pathlib.Path(__file__).resolve().parents[2] / "crates/sdk-chain/tests/recorded/sdk-matrix.json"

ROLE = {"AWS_ROLE_ARN": servers.POD_ROLE}
NAME = {"AWS_ROLE_SESSION_NAME": "session1"}
CONTAINER = f"{servers.ENDPOINT}/container"
PROFILE_ROLE = "arn:aws:iam::111122223333:role/profrole"
BASE = "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = secret\n"


def static(section, key):
    return f"[{section}]\naws_access_key_id = {key}\naws_secret_access_key = secret\n"


def irsa(token):
    return {**ROLE, **NAME, "AWS_WEB_IDENTITY_TOKEN_FILE": token}


def full(uri, token="@TOKEN"):
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}


def keys(access_key, secret):
    pair = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret}
    return {name: value for name, value in pair.items() if value is not None}


def variables(name, *values):
    return {f"{name}={value}": {"env": {name: value}} for value in values}


def env(named):
    return {label: {"env": variables} for label, variables in named.items()}


def files(kind, named):
    return {label: {kind: text} for label, text in named.items()}


# Each dimension: label -> what it adds to a situation. The first of each is the calm one.
DIMENSIONS = {
    "irsa": env(
        {
            "IRSA": irsa("@TOKEN"),
            "no IRSA": {},
            "IRSA, token missing": irsa("/nope/token"),
            "IRSA, token empty": irsa("@EMPTY"),
            "IRSA, token ends in a newline": irsa("@TOKENNL"),
            "token file, no role": {"AWS_WEB_IDENTITY_TOKEN_FILE": "@TOKEN"},
            "role, no token file": ROLE,
            "token file variable empty": irsa(""),
            "role variable empty": {"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "@TOKEN"},
            "IRSA, no session name": {**ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "@TOKEN"},
        }
    ),
    "sts": env({"": {}, "STS denies": {"STS": servers.STS_DENIES}, "STS refused": {"STS": servers.STS_REFUSED}}),
    "keys": env(
        {
            "": {},
            "env keys": keys("AKIAENV", "secret"),
            "key without secret": keys("AKIAENV", None),
            "secret without key": keys(None, "secret"),
            "both keys empty": keys("", ""),
            "empty key, secret": keys("", "secret"),
            "key, empty secret": keys("AKIAENV", ""),
            "AWS_ACCESS_KEY and AWS_SECRET_KEY": {"AWS_ACCESS_KEY": "AKIAENVLEGACY", "AWS_SECRET_KEY": "secret"},
            "AMAZON_ keys": {"AMAZON_ACCESS_KEY_ID": "AKIAENVLEGACY", "AMAZON_SECRET_ACCESS_KEY": "secret"},
        }
    ),
    "profile": {"": {}, **variables("AWS_PROFILE", "foo", "missing", "", "default")},
    "default profile": {"": {}, **variables("AWS_DEFAULT_PROFILE", "foo", "missing", "")},
    "credentials": files(
        "credentials_file",
        {
            "": None,
            "credentials [default] static": static("default", "AKIADEFAULT"),
            "credentials [foo] static": static("foo", "AKIAFOO"),
            "credentials [default] and [foo] static": static("default", "AKIADEFAULT") + static("foo", "AKIAFOO"),
            "credentials [default] half": "[default]\naws_access_key_id = AKIADEFAULT\n",
            "credentials [default] without keys": "[default]\noutput = json\n",
            "credentials empty": "",
            "credentials [profile foo] static": static("profile foo", "AKIAFOO"),
            "credentials [default] role_arn": f"[default]\nrole_arn = {PROFILE_ROLE}\nsource_profile = base\n{BASE}",
            "credentials [default] process": "[default]\ncredential_process = @PROCESS\n",
            "credentials malformed": "this is = not\n[[[\n garbage",
        },
    ),
    "config": files(
        "config_file",
        {
            "": None,
            "config region": "[default]\nregion = us-west-2\n",
            "config [default] static": static("default", "AKIADEFAULT"),
            "config [profile foo] static": static("profile foo", "AKIAFOO"),
            "config [foo] static": static("foo", "AKIAFOO"),
            "config source_profile": (
                f"[default]\nrole_arn = {PROFILE_ROLE}\nsource_profile = base\n" + BASE.replace("[", "[profile ")
            ),
            "config source_profile of itself": (
                f"[default]\nrole_arn = {PROFILE_ROLE}\nsource_profile = default\n"
                "aws_access_key_id = AKIADEFAULT\naws_secret_access_key = secret\n"
            ),
            "config source_profile missing": f"[default]\nrole_arn = {PROFILE_ROLE}\nsource_profile = base\n",
            "config [profile foo] source_profile": (
                f"[profile foo]\nrole_arn = {PROFILE_ROLE}\nsource_profile = base\n" + BASE.replace("[", "[profile ")
            ),
            "config role_arn alone": f"[default]\nrole_arn = {PROFILE_ROLE}\n",
            **{
                f"config credential_source {source}": f"[default]\nrole_arn = {PROFILE_ROLE}\ncredential_source = {source}\n"
                for source in ("Environment", "Ec2InstanceMetadata", "EcsContainer")
            },
            "config web identity": f"[default]\nrole_arn = {PROFILE_ROLE}\nweb_identity_token_file = @TOKEN\n",
            "config [profile foo] web identity": (
                f"[profile foo]\nrole_arn = {PROFILE_ROLE}\nweb_identity_token_file = @TOKEN\n"
            ),
            "config web identity, token missing": (
                f"[default]\nrole_arn = {PROFILE_ROLE}\nweb_identity_token_file = /nope/token\n"
            ),
            "config process": "[default]\ncredential_process = @PROCESS\n",
            "config [profile foo] process": "[profile foo]\ncredential_process = @PROCESS\n",
            "config malformed": "this is = not\n[[[\n garbage",
        },
    ),
    "container": env(
        {
            "": {},
            "container full": full(CONTAINER),
            "container full, no token": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": CONTAINER},
            "container of the agent": full(f"http://{servers.POD_IDENTITY}/v1/credentials"),
            "container of the agent, IPv6": full("http://[fd00:ec2::23]/v1/credentials"),
            "container relative": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/relative"},
            "container relative and full": {
                **full(servers.STS_REFUSED),
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/relative",
            },
            "container 403": full(f"{servers.ENDPOINT}/container403"),
            "container refused": full(f"{servers.STS_REFUSED}/x"),
            "container token missing": full(CONTAINER, "/nope/token"),
            "container token ends in a newline": full(CONTAINER, "@TOKENNL"),
            "container host not allowed": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/x"},
            "container full empty": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""},
            "container relative empty": {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": ""},
        }
    ),
    "imds": {"": {}, **variables("AWS_EC2_METADATA_DISABLED", "true", "TRUE", "1", "false", "yes", "")},
    "region": env(
        {
            "": {},
            "only AWS_REGION": {"AWS_DEFAULT_REGION": None},
            "only AWS_DEFAULT_REGION": {"AWS_REGION": None},
            "no region": {"AWS_REGION": None, "AWS_DEFAULT_REGION": None},
        }
    ),
}


@functools.cache
def recorded():
    """The recorded situations, with the winners of that run: id -> situation."""
    return json.loads(RECORDED.read_text())["situations"]


def composed(labels):
    """The situation of one label of each dimension, in their order."""
    situation = {"env": {}, "credentials_file": None, "config_file": None}
    for choices, label in zip(DIMENSIONS.values(), labels, strict=True):
        for part, value in choices[label].items():
            if part == "env":
                situation["env"] |= value
            else:
                situation[part] = value
    return {"desc": " + ".join(filter(None, labels)), **situation}


def singles():
    """Each condition alone, in a pod with IRSA and in one without."""
    calm = [next(iter(choices)) for choices in DIMENSIONS.values()]
    for irsa in ("IRSA", "no IRSA"):
        for place, choices in list(enumerate(DIMENSIONS.values()))[1:]:
            for label in list(choices)[1:]:
                yield composed([irsa, *calm[1:place], label, *calm[place + 1 :]])
    for label in DIMENSIONS["irsa"]:
        yield composed([label, *calm[1:]])


def pairwise(seed):
    """Situations in which each two labels of two dimensions meet at least once."""
    chance = random.Random(seed)
    shuffled = [chance.sample(list(choices), len(choices)) for choices in DIMENSIONS.values()]
    return [composed(labels) for labels in AllPairs(shuffled)]


def sparse(seed, count):
    """Mostly calm situations: in the pairwise ones an early error hides what comes after it."""
    chance = random.Random(seed)
    found = {}
    while len(found) < count:
        labels = []
        for choices in DIMENSIONS.values():
            calm, *others = choices
            labels.append(chance.choice(others) if chance.random() < 0.2 else calm)
        found.setdefault(tuple(labels), composed(labels))
    return list(found.values())


def generated(kinds, seed, count):
    """Generated situations of these kinds: id -> situation; the id tells kind and seed."""
    makers = {
        "singles": singles,
        "written": lambda: written.written(irsa("@TOKEN")),
        "pairwise": lambda: pairwise(seed),
        "sparse": lambda: sparse(seed, count),
    }
    return {f"{kind}-{seed}-{n:03}": situation for kind in kinds for n, situation in enumerate(makers[kind]())}
