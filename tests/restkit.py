# SPDX-License-Identifier: Apache-2.0
"""A signer and a control plane of a test's own, without an engine, asked over the Unix socket and over TLS. Every
answer is held against the description of the APIs."""

import http.client
import json
import os
import secrets
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.parse

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import naverkit
import openapikit
from labkit import BUILD, wait_until

TIMEOUT = 60
FAMILIES = ("zia", "sap", "securosys", "mintgate")  # of APIs in which an OAuth2 client's tokens may count


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Client:
    """Asks over one connection, which is made anew when the server has closed it. |access_key|: of the NAVER family,
    whose requests are signed with it."""

    def __init__(self, connect, headers=None, access_key=None):
        self.connect, self.headers, self.access_key = connect, headers or {}, access_key
        self.connection = connect()
        self.answers = []  # texts, where somebody wants to look through all of them

    def ask(self, method, path, body=None, media=None, headers=None):
        """The answer. A body that is no bytes and no text is sent as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body, media = json.dumps(body), media or "application/json"
        signed = naverkit.signature(method, path, self.access_key) \
            if self.access_key and naverkit.is_signed(path) else {}
        sent = {**self.headers, **signed, **({"Content-Type": media} if media else {}), **(headers or {})}
        try:
            response, text = self._exchange(method, path, body, sent)
        except (ConnectionError, ssl.SSLEOFError, http.client.CannotSendRequest):
            self.connection = self.connect()
            response, text = self._exchange(method, path, body, sent)
        answer = openapikit.Answer(response.status, {name.lower(): value for name, value in response.getheaders()},
                                   response.headers.get("Content-Type", ""), text)
        assert answer.status < 500 or answer.status == 503, (method, path, answer)
        openapikit.check(method, path, answer)
        self.answers.append(str(answer))
        return answer

    def _exchange(self, method, path, body, headers):
        self.connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
        response = self.connection.getresponse()
        return response, response.read().decode(errors="replace")


def form(fields, boundary="b0undary"):
    """A multipart body of (name, file name, bytes), and its media type."""
    parts = b"".join(b"--%s\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
                     b"Content-Type: application/octet-stream\r\n\r\n%s\r\n"
                     % (boundary.encode(), name.encode(), file.encode(), data) for name, file, data in fields)
    return parts + b"--%s--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Appliance:
    """What an administrator asks, in |directory|; |control| are further keys of its section of the configuration,
    |tokens| those of the signer, which runs with |environment|. |rate_limits|: whether there are any."""

    def __init__(self, directory, tokens=(), environment=None, rate_limits=True, **control):
        self.directory = directory
        self.environment = {**os.environ, **(environment or {})}
        self.port = free_port()
        self.database = directory / "control/control.db"
        config = {
            "log": {"level": "debug"},
            "rate_limits": {"enabled": rate_limits},
            "signer": {"engine_socket": str(directory / "signer.sock"), "state_dir": str(directory / "signer"),
                       "control_socket": str(directory / "signer-control.sock"),
                       "metrics_socket": str(directory / "signer-metrics.sock"),
                       "key_encryption_key": str(directory / "signer.kek"), "tokens": list(tokens)},
            "control": {"database": str(self.database), "socket": str(directory / "control.sock"),
                        "engine_socket": str(directory / "engine.sock"),
                        "metrics_socket": str(directory / "control-metrics.sock"), "listen": f"127.0.0.1:{self.port}",
                        "certificate": str(directory / "control/server.pem"),
                        "key": str(directory / "control/server.key"), **control},
        }
        self.config = directory / "mintgate.yaml"
        self.config.write_text(yaml.safe_dump(config))
        self.processes = {}
        self.start("signer", "hsm/mintgate-signer")
        self.start("control", "control/program/mintgate-control")
        self.admin = Client(lambda: UnixConnection(directory / "control.sock"))
        wait_until(self._is_up, seconds=TIMEOUT, what="the control plane")

    def _is_up(self):
        try:
            return self.admin.ask("GET", "/health").status == 200
        except OSError:
            return False

    def start(self, name, program):
        with open(self.log(name), "ab") as log:
            self.processes[name] = subprocess.Popen([BUILD / program, "--config", self.config], stderr=log,
                                                    env=self.environment)

    def log(self, name):
        return self.directory / f"{name}.log"

    def stop(self):
        for name in ("control", "signer"):
            self.processes[name].send_signal(signal.SIGTERM)
            assert self.processes[name].wait(timeout=TIMEOUT) == 0, self.log(name).read_text()[-2000:]
            assert "Sanitizer" not in self.log(name).read_text(errors="replace")

    def restart_control(self):
        self.processes["control"].send_signal(signal.SIGTERM)
        assert self.processes["control"].wait(timeout=TIMEOUT) == 0
        self.start_control()

    def kill_control(self):
        self.processes["control"].kill()
        self.processes["control"].wait(timeout=TIMEOUT)

    def start_control(self):
        self.start("control", "control/program/mintgate-control")
        wait_until(self._is_up, seconds=TIMEOUT, what="the control plane")

    # ---- over TLS ----

    def connect_tls(self):
        context = ssl.create_default_context(cafile=str(self.directory / "control/server.pem"))
        context.check_hostname = False
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT, context=context)

    def stranger(self, **headers):
        return Client(self.connect_tls, headers)

    def _manage(self, method, path, body):
        answer = self.admin.ask(method, f"/mintgate/v1/{path}", body)
        assert answer.status == 200, answer
        return answer.json

    def add_user(self, name, role, password):
        self._manage("POST", "users", {"name": name, "role": role, "password": password})

    def disable_user(self, name):
        self._manage("PUT", f"users/{name}", {"enabled": False})

    def add_api_key(self, name, key):
        self._manage("POST", "api-keys", {"name": name, "key": key})

    def add_client(self, role, families=FAMILIES):
        """An OAuth2 client: its id and secret. A client of its own has rate limits of its own."""
        name = f"client-{secrets.token_hex(4)}"
        return name, self._manage("POST", "clients", {"id": name, "role": role, "families": list(families)})["secret"]

    def token(self, role, families=FAMILIES):
        """A bearer token of a new client."""
        name, secret = self.add_client(role, families)
        body = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": name, "client_secret": secret})
        answer = self.stranger().ask("POST", "/oauth2/v1/token", body, "application/x-www-form-urlencoded")
        assert answer.status == 200, answer
        return answer.json["access_token"]

    def client(self, role):
        """One with a credential of each family."""
        return Client(self.connect_tls, {"Authorization": f"Bearer {self.token(role)}"},
                      naverkit.add_key(self.admin, role))

    # ---- what there is ----

    def state(self):
        """Everything that a request could change: the database but for what was refused, and the signer's keys."""
        database = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=TIMEOUT)
        tables = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN"
            " ('sqlite_sequence', 'audit', 'naver_signature')")]
        dump = {table: sorted(map(repr, database.execute(f"SELECT * FROM {table}"))) for table in sorted(tables)}
        dump["audit"] = database.execute("SELECT count(*) FROM audit WHERE outcome = 'done'").fetchone()
        database.close()
        dump["keys"] = sorted(path.name for path in (self.directory / "signer/keys").iterdir())
        return dump


def obfuscate(key, timestamp_ms):
    """As the vendor's clients do it (contracts of the legacy login)."""
    high = str(timestamp_ms)[-6:]
    low = f"{int(high) >> 1:06d}"
    return "".join(key[int(digit)] for digit in high) + "".join(key[int(digit) + 2] for digit in low)


def login_body(user, password, key):
    now = int(time.time() * 1000)
    return {"apiKey": obfuscate(key, now), "username": user, "password": password, "timestamp": now}


# ---- intermediates on their way ----

CERTIFICATES = "/zia/api/v1/intermediateCaCertificate"
# Each with the step that leads to it from the one before.
STATES = ["GENERAL_DONE", "KEYGEN_DONE", "PUBKEY_DONE", "CSRGEN_DONE", "INTCERT_UPLOAD_DONE", "CERTCHAIN_UPLOAD_DONE",
          "CERT_READY"]


class Certificates(dict):
    """Numbers of intermediates by what they are for, and names of what else paths have, by parameter."""

    names = {}


class Life:
    """Intermediates, brought by an administrator to the state that a test wants."""

    def __init__(self, appliance, authority):
        self.admin, self.authority = appliance.admin, authority
        self.steps = [self._make_key, self._read_public_key, self._make_csr, self._upload, self._upload_chain,
                      self._finalize]

    def _do(self, method, path, *body):
        answer = self.admin.ask(method, CERTIFICATES + path, *body)
        assert answer.status == 200, (method, path, answer)
        return answer

    def make(self, name, state):
        fields = {"name": name, "type": "CUSTOM_SW", "keyType": "EC_P256"}
        number = self._do("POST", "", fields).json["id"]
        for step in self.steps[:STATES.index(state)]:
            step(number)
        assert self.show(number)["currentState"] == state
        return number

    def show(self, number):
        return self._do("GET", f"/{number}").json

    def delete(self, number):
        assert self.admin.ask("DELETE", f"{CERTIFICATES}/{number}").status == 204

    def _make_key(self, number):
        self._do("POST", f"/keyPair/{number}")

    def _read_public_key(self, number):
        self._do("GET", f"/downloadPublicKey/{number}")

    def _make_csr(self, number):
        self._do("POST", f"/generateCsr/{number}")

    def request(self, number):
        return x509.load_pem_x509_csr(self._do("GET", f"/downloadCsr/{number}").text.encode())

    def certificate(self, number):
        return self.authority.certify(self.request(number)).public_bytes(Encoding.PEM)

    def _upload(self, number):
        self._do("POST", f"/uploadCert/{number}", *form([("fileUpload", "certificate.pem", self.certificate(number))]))

    def _upload_chain(self, number):
        chain = self.authority.pem().encode()
        self._do("POST", f"/uploadCertChain/{number}", *form([("fileUpload", "chain.pem", chain)]))

    def _finalize(self, number):
        self._do("POST", f"/finalizeCert/{number}")

    def one_of_each(self):
        """A certificate in each state, and the default; as many as the quota allows. And one CCADB record, whose id the
        description has as its example."""
        for path, body in (("owners", {"name": "Example CA"}),
                           ("roots", {"owner": "Example CA", "certificate": self.authority.pem()})):
            assert self.admin.ask("POST", f"/mintgate/v1/ccadb/{path}", body).status == 200
        made = Certificates({state: self.make(f"in {state}", state) for state in STATES})
        private = naverkit.Authorities(self.admin)
        tag = private.tag()
        issued = private.do("POST", f"/{tag}/cert", {"keyType": "EC256", "x509Parameters": {"commonName": "leaf"}})
        made.names = {"caTag": tag, "serialNo": issued["serialNo"]}
        made["default"] = self.make("the default", "CERT_READY")
        self._do("PUT", f"/makeDefault/{made['default']}")
        return made


# ---- requests made from the description ----

UNKNOWN = 999999
# What an operation works on, by its operationId, so that nothing but the input is wrong.
NEEDS = {"updateCertificate": "GENERAL_DONE", "makeKeyPair": "GENERAL_DONE", "generateCsr": "KEYGEN_DONE",
         "uploadCert": "CSRGEN_DONE", "uploadCertChain": "INTCERT_UPLOAD_DONE", "finalizeCert": "INTCERT_UPLOAD_DONE"}


def number_for(operation, certificates):
    """The certificate on which the operation would work, if the input were good."""
    name = operation.tree["operationId"].removesuffix("OfBody")
    return certificates.get(NEEDS.get(name))


def message_of(answer):
    """The text of a refusal, in whichever family's shape."""
    body = answer.json
    body = body[0] if isinstance(body, list) else body
    error = body.get("error")
    if isinstance(error, dict):
        return error.get("details") or error["message"]["value"]
    return (body.get("message") or body.get("msg") or body.get("error_description")
            or " ".join(body.get("Errors/Warnings", [])))


def is_refused_by_role(answer):
    """A family's way to say that the role does not suffice."""
    if answer.status == 401:
        return answer.json.get("error", {}).get("errorCode") == "210"
    error = answer.json.get("error")
    word = error["code"] if isinstance(error, dict) else answer.json.get("code", answer.json.get("reason"))
    return answer.status == 403 and word in ("SCOPE_LIMITED", "FORBIDDEN", "res.error.client.endpoint.not.licensed",
                                             "keystore.service.Forbidden")


def path_parameters(operation):
    return [one for one in operation.parameters if one["in"] == "path"]


def fill(operation, certificates, **values):
    """The operation's path with its parameters filled in: by |values|, or by what exists."""
    path = operation.path
    for parameter in path_parameters(operation):
        name = parameter["name"]
        named = getattr(certificates, "names", {}).get(name)
        known = named or number_for(operation, certificates) or parameter.get("example", UNKNOWN)
        path = path.replace(f"{{{name}}}", str(values.get(name, known)))
    return path


def good_body(operation, certificates):
    """What the operation would take: a body of JSON as in its example."""
    _, _, example = operation.body()
    number = number_for(operation, certificates)
    return dict(example, id=number) if "id" in (example or {}) and number else example


def good_request(operation, certificates):
    """Body and media type as the operation would take them; nothing where it reads none."""
    media = operation.body()[0]
    if media == "multipart/form-data":
        return form([("fileUpload", "some.pem", b"-----BEGIN CERTIFICATE-----\n")])
    if media == "application/x-www-form-urlencoded":
        return "&".join(f"{name}={value}" for name, value in operation.body()[2].items()), media
    return (good_body(operation, certificates),) if media else ()
