"""Situations written by hand: half of something, spellings that parsers differ about, files that are
no files. Each in a pod with IRSA and in one without, in the form of the generated ones.
"""

import servers

KEYS = "aws_access_key_id = AKIADEFAULT\naws_secret_access_key = secret\n"
BASE_KEYS = KEYS.replace("DEFAULT", "BASE")
ROLE = "role_arn = arn:aws:iam::111122223333:role/profrole\n"
OTHER_ROLE = "role_arn = arn:aws:iam::111122223333:role/midrole\n"
WEB_IDENTITY = f"{ROLE}web_identity_token_file = @TOKEN\n"
SIGN_ON = "sso_start_url = https://x\nsso_region = eu-west-1\nsso_account_id = 111122223333\nsso_role_name = r\n"
ENV_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "secret"}
NO_REGION = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
FOO = {"AWS_PROFILE": "foo"}

FOUND = {}


def case(name, config=None, credentials=None, **env):
    FOUND[name] = {"env": env, "credentials_file": credentials, "config_file": config}


def indented(text, by="  "):
    """All but the headers, further in."""
    return "".join(line if line.startswith("[") else f"{by}{line}" for line in text.splitlines(keepends=True))


DEFAULT = f"[default]\n{KEYS}"

# Indented lines.
case("credentials indented", None, indented(DEFAULT))
case("credentials indented by a tab", None, indented(DEFAULT, "\t"))
case("credentials wholly indented", None, "".join(f"    {line}\n" for line in DEFAULT.splitlines()))
case("credentials, the second setting indented", None, DEFAULT.replace("aws_secret", "  aws_secret"))
case("credentials, the second setting further in", None, indented(DEFAULT).replace("  aws_secret", "    aws_secret"))
case("credentials, the second setting less far in", None, indented(DEFAULT, "    ").replace("    aws_secret", "  aws_secret"))
case("config indented", indented(DEFAULT))
case("config, a role indented", indented(f"[default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}"))
case("config, nested settings", "[default]\ns3 =\n  max_concurrent_requests = 20\nregion = eu-west-1\n", DEFAULT)
case("config, nested settings before keys", f"[default]\ns3 =\n  max_concurrent_requests = 20\n{KEYS}")
case("config, nested keys", f"[default]\ns3 =\n{indented(KEYS)}")
case("config indented, nested settings", f"[default]\n  s3 =\n    max_concurrent_requests = 20\n{indented(KEYS)}")
case("config, a comment indented", f"[default]\nregion = eu-west-1\n  # comment\n{KEYS}")
case("config, a comment at the margin in nested settings", f"[default]\ns3 =\n# x\n  a = b\n{KEYS}")
case("config, a blank line before an indented setting", "[default]\nregion = eu-west-1\n\n" + indented(KEYS))

# Headers.
for header in ("[ default ]", "[default] x", "[default] # x", "[DEFAULT]", "[profile default]", "[default"):
    case(f"config {header}", f"{header}\n{KEYS}")
    case(f"credentials {header}", None, f"{header}\n{KEYS}")
for header in ("[profile  foo]", "[profile\tfoo]", "[ profile foo ]", "[profile foo ]", "[profile foo] x", "[Profile foo]", '[profile "foo"]', "[profile 'foo']", "[profilefoo]"):
    case(f"config {header}", f"{header}\n{KEYS}", **FOO)
for header in ("[profile foo bar]", "[profile 'foo bar']", '[profile "foo bar"]'):
    case(f"config {header}", f"{header}\n{KEYS}", AWS_PROFILE="foo bar")
case("credentials [foo bar]", None, f"[foo bar]\n{KEYS}", AWS_PROFILE="foo bar")
case("credentials [], [default]", None, f"[]\n{DEFAULT}")
case("config [profile default] after [default]", f"[default]\nregion = eu-west-1\n[profile default]\n{KEYS}")
case("config [default] after [profile default]", f"[profile default]\nregion = eu-west-1\n[default]\n{KEYS}")
case("config [profile FOO]", f"[profile FOO]\n{KEYS}", **FOO)
case("credentials twice [default]", None, f"[default]\nregion = x\n{DEFAULT}")

# Settings.
case("credentials with a byte order mark", None, f"\ufeff{DEFAULT}")
case("credentials with carriage returns", None, DEFAULT.replace("\n", "\r\n"))
case("credentials in upper case", None, f"[default]\n{KEYS.upper()}")
case("credentials with colons", None, DEFAULT.replace(" =", ":"))
case("credentials with comments after values", None, DEFAULT.replace("secret\n", "secret # x\n"))
case("credentials without separators", None, DEFAULT.replace(" =", ""))
case("credentials, a session token alone", None, "[default]\naws_session_token = x\n")
case("credentials, a secret alone", None, "[default]\naws_secret_access_key = secret\n")
case("credentials, an empty id", None, "[default]\naws_access_key_id =\naws_secret_access_key = secret\n")
case("credentials, an empty secret", None, "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key =\n")
case("credentials half, config the other half", "[default]\naws_secret_access_key = secret\n", "[default]\naws_access_key_id = AKIADEFAULT\n")
case("config, an empty process", "[default]\ncredential_process =\n")

# Roles.
case("config, an empty role with a source", f"[default]\nrole_arn =\nsource_profile = base\n[profile base]\n{BASE_KEYS}")
case("config, a source without a role", f"[default]\nsource_profile = base\n[profile base]\n{BASE_KEYS}")
case("config, a source without a role, and keys", f"[default]\nsource_profile = base\n{KEYS}[profile base]\n{BASE_KEYS}")
case("config, a named source without a role", "[default]\ncredential_source = Environment\n")
case("config, a named source without a role, env keys and AWS_PROFILE", "[default]\ncredential_source = Environment\n", AWS_PROFILE="default", **ENV_KEYS)
case("config, a named source without a role, EcsContainer", "[default]\ncredential_source = EcsContainer\n")
case("config, a role and keys", f"[default]\n{ROLE}{KEYS}")
case("config, a role with a source, and keys", f"[default]\n{ROLE}source_profile = base\n{KEYS}[profile base]\n{BASE_KEYS}")
case("config, a role with a source, and a process", f"[default]\n{ROLE}source_profile = base\ncredential_process = @PROCESS\n[profile base]\n{BASE_KEYS}")
case("config, a role with both sources", f"[default]\n{ROLE}source_profile = base\ncredential_source = Environment\n[profile base]\n{BASE_KEYS}")
case("config, an unknown named source", f"[default]\n{ROLE}credential_source = Nothing\n")
case("config, a named source in lower case", f"[default]\n{ROLE}credential_source = environment\n", AWS_PROFILE="default", **ENV_KEYS)
case("config, an empty named source", f"[default]\n{ROLE}credential_source =\n")
case("config, an empty source", f"[default]\n{ROLE}source_profile =\n")
case("config, a role with a one-time password", f"[default]\n{ROLE}source_profile = base\nmfa_serial = arn:aws:iam::111122223333:mfa/x\n[profile base]\n{BASE_KEYS}")
case("config, a source with a web identity", f"[default]\n{OTHER_ROLE}source_profile = base\n[profile base]\n{WEB_IDENTITY}")
case("config, a source with a web identity, token missing", f"[default]\n{OTHER_ROLE}source_profile = base\n[profile base]\n{ROLE}web_identity_token_file = /nope\n")
case("config, a source with a process", f"[default]\n{ROLE}source_profile = base\n[profile base]\ncredential_process = @PROCESS\n")
case("config, a source with a sign-on", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{SIGN_ON}")
case("config, a source with a named source", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{OTHER_ROLE}credential_source = Environment\n", AWS_PROFILE="default", **ENV_KEYS)
case("config, a source with nothing", f"[default]\n{ROLE}source_profile = base\n[profile base]\nregion = eu-west-1\n")
case("config, a source with half a pair", f"[default]\n{ROLE}source_profile = base\n[profile base]\naws_access_key_id = AKIABASE\n")
case("config, a source with keys and a role", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}{OTHER_ROLE}source_profile = foo\n[profile foo]\n{KEYS}")
case("config, a source of a source", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{OTHER_ROLE}source_profile = foo\n[profile foo]\n{KEYS}")
case("config, sources in a circle", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{OTHER_ROLE}source_profile = default\n")
case("config, a source named with its prefix", f"[default]\n{ROLE}source_profile = profile base\n[profile base]\n{BASE_KEYS}")
case("config, a source in credentials", f"[default]\n{ROLE}source_profile = base\n", f"[base]\n{BASE_KEYS}")
case("config, a source default for foo", f"[profile foo]\n{ROLE}source_profile = default\n", DEFAULT, **FOO)
case("config [profile foo] role, credentials [foo] keys", f"[profile foo]\n{ROLE}source_profile = foo\n", f"[foo]\n{KEYS}", **FOO)
case("config [profile default], a role with a source", f"[profile default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}")

# Web identities and sign-ons in profiles.
case("config, a web identity without a role", "[default]\nweb_identity_token_file = @TOKEN\n")
case("config, a web identity and keys", f"[default]\n{WEB_IDENTITY}{KEYS}")
case("config, a web identity and a process", f"[default]\n{WEB_IDENTITY}credential_process = @PROCESS\n")
case("config, a web identity and a source", f"[default]\n{WEB_IDENTITY}source_profile = base\n[profile base]\n{BASE_KEYS}")
case("config, a web identity, empty", f"[default]\n{ROLE}web_identity_token_file =\n")
case("config, a sign-on", f"[default]\n{SIGN_ON}")
case("config, a sign-on and keys", f"[default]\n{SIGN_ON}{KEYS}")
case("config, a sign-on session and keys", f"[default]\nsso_session = my\nsso_account_id = 1\nsso_role_name = r\n{KEYS}[sso-session my]\nsso_region = eu-west-1\nsso_start_url = https://x\n")
case("config, a sign-on session", "[default]\nsso_session = my\nsso_account_id = 1\nsso_role_name = r\n[sso-session my]\nsso_region = eu-west-1\nsso_start_url = https://x\n")
for setting in ("sso_region", "sso_start_url", "sso_account_id", "sso_role_name"):
    case(f"config, {setting} alone", f"[default]\n{setting} = x\n")
    case(f"config, {setting} and keys", f"[default]\n{setting} = x\n{KEYS}")
case("config, a login", "[default]\nlogin_session = arn:aws:iam::111122223333:user/x\n")
case("config, web identity; env token missing", f"[default]\n{WEB_IDENTITY}", AWS_ROLE_ARN=servers.POD_ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="/nope")
case("config, web identity; STS denies", f"[default]\n{WEB_IDENTITY}", STS=servers.STS_DENIES)
case("config, role with a source; STS denies", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}", STS=servers.STS_DENIES)
case("config, a role and keys; STS refused", f"[default]\n{ROLE}{KEYS}", STS=servers.STS_REFUSED)
case("config, web identity; AWS_PROFILE missing", f"[default]\n{WEB_IDENTITY}", AWS_PROFILE="missing")
case("config, web identity of foo; AWS_DEFAULT_PROFILE", f"[profile foo]\n{WEB_IDENTITY}", AWS_DEFAULT_PROFILE="foo")

# Variables.
case("env keys, a blank id", **{**ENV_KEYS, "AWS_ACCESS_KEY_ID": " "})
case("env keys, a blank secret", **{**ENV_KEYS, "AWS_SECRET_ACCESS_KEY": " "})
case("env session token alone", AWS_SESSION_TOKEN="x")
case("AWS_PROFILE empty, credentials", None, DEFAULT, AWS_PROFILE="")
case("AWS_PROFILE missing, credentials", None, DEFAULT, AWS_PROFILE="missing")
case("AWS_PROFILE=default, credentials", None, DEFAULT, AWS_PROFILE="default")
case("AWS_DEFAULT_PROFILE=foo, credentials", None, f"[foo]\n{KEYS}", AWS_DEFAULT_PROFILE="foo")
case("both profile variables", None, f"[foo]\n{KEYS}[base]\n{BASE_KEYS}", AWS_DEFAULT_PROFILE="base", **FOO)
case("AWS_SHARED_CREDENTIALS_FILE empty", None, DEFAULT, AWS_SHARED_CREDENTIALS_FILE="")
case("AWS_CONFIG_FILE empty", DEFAULT, None, AWS_CONFIG_FILE="")
case("AWS_SHARED_CREDENTIALS_FILE a directory", None, DEFAULT, AWS_SHARED_CREDENTIALS_FILE="/")
case("AWS_CONFIG_FILE a directory", DEFAULT, None, AWS_CONFIG_FILE="/")
case("AWS_SHARED_CREDENTIALS_FILE missing", None, DEFAULT, AWS_SHARED_CREDENTIALS_FILE="/nope")
case("AWS_CONFIG_FILE missing", DEFAULT, None, AWS_CONFIG_FILE="/nope")
case("AWS_WEB_IDENTITY_TOKEN_FILE a directory", AWS_ROLE_ARN=servers.POD_ROLE, AWS_WEB_IDENTITY_TOKEN_FILE="/")
case("AWS_WEB_IDENTITY_TOKEN_FILE alone, config role", f"[default]\n{ROLE}", AWS_ROLE_ARN=None, AWS_WEB_IDENTITY_TOKEN_FILE="@TOKEN")

# Regions.
case("regions empty", AWS_REGION="", AWS_DEFAULT_REGION="")
case("regions empty, config region", "[default]\nregion = eu-west-1\n", AWS_REGION="", AWS_DEFAULT_REGION="")
case("AWS_REGION empty", AWS_REGION="")
case("AWS_DEFAULT_REGION empty", AWS_DEFAULT_REGION="")
case("region in config alone", "[default]\nregion = eu-west-1\n", **NO_REGION)
case("region in credentials alone", None, "[default]\nregion = eu-west-1\n", **NO_REGION)
case("region of foo alone", "[profile foo]\nregion = eu-west-1\n", **NO_REGION, **FOO)
case("region of default, AWS_PROFILE=foo", f"[default]\nregion = eu-west-1\n[profile foo]\n{KEYS}", **NO_REGION, **FOO)
case("no region, config role with a source", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}", **NO_REGION)
case("no region, config role with a source, no IMDS", f"[default]\n{ROLE}source_profile = base\n[profile base]\n{BASE_KEYS}", AWS_EC2_METADATA_DISABLED="true", **NO_REGION)
case("no region, config web identity", f"[default]\n{WEB_IDENTITY}", **NO_REGION)


def written(irsa):
    """All of them: with these variables, and without."""
    for before, variables in (("IRSA + ", irsa), ("", {})):
        for name, parts in FOUND.items():
            yield {"desc": f"{before}{name}", **parts, "env": {**variables, **parts["env"]}}
