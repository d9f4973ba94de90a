"""What answers an SDK that looks for credentials: STS, the container credentials endpoints, IMDS.

Each gives access keys of its own, so that the key an SDK ends up with names the source it took.
All addresses are those of a network namespace with nothing else in it.
"""

import contextlib
import datetime
import ipaddress
import json
import re
import ssl
import subprocess
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

POD_ROLE = "arn:aws:iam::111122223333:role/podrole"

# The recorded situations name this port.
ENDPOINT = "http://127.0.0.1:18999"
STS_WORKS = f"{ENDPOINT}/sts"
STS_DENIES = f"{ENDPOINT}/stsdeny"
STS_REFUSED = "http://127.0.0.1:1"

# Where the name of STS leads an SDK that takes no other endpoint, by what STS is to do.
STS_BY_NAME = {STS_WORKS: "127.0.0.1", STS_DENIES: "127.0.0.2", STS_REFUSED: "127.0.0.3"}
STS_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")
STS_NAMES = ("sts.amazonaws.com", *(f"sts.{region}.amazonaws.com" for region in STS_REGIONS))

ECS = "169.254.170.2"
POD_IDENTITY = "169.254.170.23"
IMDS = "169.254.169.254"
IMDS_ROLE = "noderole"
REGION = "eu-west-1"

# The source that an access key comes from, in the words of the recorded matrix.
SOURCES = {
    "ASIAWEBIDENTITY": "web-id",
    "ASIAWEBIDENTITYOFPROFILE": "web-id(profile)",
    "ASIAASSUMEDROLE": "assume-role",
    "ASIACONTAINER": "container",
    "ASIANODEROLE": "IMDS",
    "AKIAENV": "env",
    # What is blank: only the environment and profiles may name it.
    " ": "env",
    "": "profile",
    "AKIAENVLEGACY": "env-legacy",
    "AKIAPROCESS": "process",
    "AKIADEFAULT": "profile",
    "AKIAFOO": "profile",
    "AKIABASE": "profile",
}


def expiration():
    """An hour from now, as AWS writes it."""
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def document(access_key):
    """The credentials as the container endpoints and IMDS give them."""
    return json.dumps(
        {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": access_key,
            "SecretAccessKey": "secret",
            "Token": "session",
            "Expiration": expiration(),
        }
    )


def sts_answer(form, authorization):
    """The answer to an STS call with these parameters and signature: status and XML."""
    action = form.get("Action", "")
    role = form.get("RoleArn", "")
    name = form.get("RoleSessionName", "")
    if action == "GetCallerIdentity":
        result = (
            "<Arn>arn:aws:sts::111122223333:assumed-role/podrole/session1</Arn>"
            f"<UserId>{signer(authorization)}</UserId><Account>111122223333</Account>"
        )
    elif not role:
        return sts_refusal(400, "ValidationError", "Value '' at 'roleArn' failed to satisfy constraint")
    elif action in ("AssumeRole", "AssumeRoleWithWebIdentity"):
        if action == "AssumeRole":
            access_key = "ASIAASSUMEDROLE"
        else:
            access_key = "ASIAWEBIDENTITY" if role == POD_ROLE else "ASIAWEBIDENTITYOFPROFILE"
        result = (
            f"<Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
            f"<SessionToken>session</SessionToken><Expiration>{expiration()}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/{name}</Arn>"
            f"<AssumedRoleId>AROAEXAMPLE:{name}</AssumedRoleId></AssumedRoleUser>"
        )
    else:
        return sts_refusal(400, "InvalidAction", f"Could not find operation {action}")
    return 200, (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId></ResponseMetadata></{action}Response>"
    )


def signer(authorization):
    """The access key that a request was signed with."""
    found = re.search(r"Credential=([^/,]*)/", authorization)
    return found[1] if found else "unsigned"


def sts_refusal(status, code, message):
    """A refusal in the form of STS."""
    return status, (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )


class Handler(BaseHTTPRequestHandler):
    """One handler for all of it: where a request arrived says what it is for."""

    protocol_version = "HTTP/1.1"

    def respond(self, status, body, content_type="application/json"):
        payload = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def form(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length).decode()
        text = text or urllib.parse.urlsplit(self.path).query
        return dict(urllib.parse.parse_qsl(text, keep_blank_values=True))

    def answer(self):
        host = ipaddress.ip_address(self.connection.getsockname()[0])
        host = str(getattr(host, "ipv4_mapped", None) or host)
        path = urllib.parse.urlsplit(self.path).path
        by_name = isinstance(self.connection, ssl.SSLSocket)
        form = self.form()
        if by_name or path.startswith("/sts"):
            deny = host == STS_BY_NAME[STS_DENIES] if by_name else path.startswith("/stsdeny")
            # As the role's trust policy does, which has no say in other calls.
            deny = deny and form.get("Action") == "AssumeRoleWithWebIdentity"
            signature = self.headers.get("Authorization") or ""
            refusal = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
            self.respond(*(sts_refusal(*refusal) if deny else sts_answer(form, signature)), "text/xml")
        elif host == IMDS:
            self.imds(path)
        elif path == "/store/signer":
            self.respond(200, signer(self.headers.get("Authorization") or ""), "text/plain")
        elif path == "/container403":
            self.respond(403, '{"code":"AccessDenied","message":"not associated"}')
        elif path in ("/container", "/relative", "/v1/credentials"):
            self.respond(200, document("ASIACONTAINER"))
        else:
            self.respond(404, "{}")

    def imds(self, path):
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.command == "PUT" and path == "/latest/api/token":
            payload = b"imds-token"
            self.send_response(200)
            self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)
        elif self.headers.get("X-aws-ec2-metadata-token") != "imds-token":
            self.respond(401, "", "text/plain")
        elif path == roles or path == roles.rstrip("/"):
            self.respond(200, IMDS_ROLE, "text/plain")
        elif path == "/latest/meta-data/placement/region":
            self.respond(200, REGION, "text/plain")
        elif path == roles + IMDS_ROLE:
            self.respond(200, document("ASIANODEROLE"))
        else:
            self.respond(404, "", "text/plain")

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def log_message(self, *_):
        """Nothing: what an SDK asked is told by what it got."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """Nothing: an SDK may hang up whenever it likes."""


class Server6(Server):
    address_family = 10


def certificate(directory):
    """A certificate for the names of STS, its own authority: files of it and of its key."""
    key, certificate = directory / "sts.key", directory / "sts.pem"
    names = ",".join(f"DNS:{name}" for name in STS_NAMES)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=fake STS",
         "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def addresses():
    """Gives the namespace's loopback the addresses of AWS."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (f"{ECS}/32", f"{POD_IDENTITY}/32", f"{IMDS}/32"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    # At once, not when the kernel is sure that nobody else has it.
    subprocess.run(["ip", "address", "add", "fd00:ec2::23/128", "dev", "lo", "nodad"], check=True)


@contextlib.contextmanager
def serving(directory):
    """The servers, in a namespace of their own, while the block runs."""
    addresses()
    servers = [Server(("127.0.0.1", 18999), Handler)]
    servers += [Server((host, 80), Handler) for host in (ECS, POD_IDENTITY, IMDS)]
    servers.append(Server6(("fd00:ec2::23", 80), Handler))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(directory))
    for wish in (STS_WORKS, STS_DENIES):
        server = Server((STS_BY_NAME[wish], 443), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        servers.append(server)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
