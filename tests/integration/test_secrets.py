# SPDX-License-Identifier: Apache-2.0
"""Secrets that clients send, also where they do not belong, are in no log, no answer, no table of processes, and in the
database as hashes alone."""

import base64
import json
import pathlib
import secrets
import urllib.parse

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import naverkit
import openapikit
from keyskit import Authority
from restkit import CERTIFICATES, Life, fill, form, good_request, login_body

SESSION, TOKEN = "/api/v1/authenticatedSession", "/oauth2/v1/token"
FORM = "application/x-www-form-urlencoded"


def marked(what):
    """A secret that is told apart from everything else."""
    return f"{what}{secrets.token_hex(16)}"


class Walk:
    """What was sent, and what came back."""

    def __init__(self, appliance):
        self.appliance = appliance
        self.password, self.wrong_password = marked("Passw0rd"), marked("Wr0ng")
        self.api_key, self.stray = marked("key"), marked("stray")
        self.issued = []
        self.answers = []

    def ask(self, method, path, *body, **headers):
        client = self.appliance.stranger(**headers)
        answer = client.ask(method, path, *body)
        self.answers.append(str(answer))
        return answer

    def log_in(self):
        answer = self.appliance.stranger().ask("POST", SESSION, login_body("marked", self.password, self.api_key))
        assert answer.status == 200, answer
        self.issued.append(answer.json["jSessionID"])

    def get_token(self):
        name, self.client_secret = self.appliance.add_client("admin")
        body = {"grant_type": "client_credentials", "client_id": name, "client_secret": self.client_secret}
        answer = self.appliance.stranger().ask("POST", TOKEN, urllib.parse.urlencode(body), FORM)
        self.issued.append(answer.json["access_token"])
        basic = base64.b64encode(f"{name}:{self.client_secret}".encode()).decode()
        self.ask("POST", TOKEN, "grant_type=client_credentials&x=%zz", FORM, Authorization=f"Basic {basic}")

    def all_secrets(self):
        return [self.password, self.wrong_password, self.api_key, self.stray, self.client_secret, self.access_key[1],
                *self.issued, *self.private_key[1:-1]]


@pytest.fixture(scope="module")
def walk(appliance):
    made = Walk(appliance)
    appliance.add_user("marked", "admin", made.password)
    appliance.add_api_key("marked", made.api_key)
    made.log_in()
    made.get_token()
    made.access_key = naverkit.add_key(appliance.admin, "admin")
    appliance.admin.answers.clear()  # whoever makes a key or a secret is told it, once
    send_by_mistake(made)
    for operation in openapikit.one_base():
        stray_everywhere(made, operation)
    upload_private_key(made)
    use_what_was_issued(made)
    return made


def send_by_mistake(walk):
    """Logins that fail, with the password in all kinds of wrong places."""
    good = login_body("marked", walk.wrong_password, walk.api_key)
    for body in (good, {"password": walk.wrong_password}, dict(good, timestamp=walk.wrong_password),
                 dict(good, username=[walk.wrong_password]), dict(good, apiKey=walk.wrong_password * 9)):
        assert walk.ask("POST", SESSION, body).status in (400, 401)
    text = json.dumps(good)
    for body, media in ((text[:-1], "application/json"), (text + "}", "application/json"), (text, "text/plain"),
                        (text * 99, "application/json"), (text, FORM)):
        assert walk.ask("POST", SESSION, body, media).status in (400, 413, 415)
    for body in (f"grant_type=client_credentials&client_id=marked&client_secret={walk.wrong_password}",
                 f"grant_type={walk.wrong_password}", f"client_secret={walk.wrong_password}&client_secret=%zz",
                 f"grant_type=client_credentials&client_id={walk.wrong_password}&client_secret={walk.wrong_password}",
                 "grant_type=client_credentials&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:"
                 f"jwt-bearer&client_assertion={walk.wrong_password}.{walk.wrong_password}.x"):
        assert walk.ask("POST", TOKEN, body, FORM).status in (400, 401)


def stray_everywhere(walk, operation):
    """A secret in headers, query and path of any request."""
    path, request = fill(operation, {}), good_request(operation, {})
    basic = base64.b64encode(f"admin:{walk.stray}".encode()).decode()
    for headers in ({"Authorization": f"Bearer {walk.stray}"}, {"Authorization": f"Basic {basic}"},
                    {"Cookie": f"JSESSIONID={walk.stray}"}, {"X-Secret": walk.stray}):
        walk.ask(operation.method, path, *request, **headers)
    walk.ask(operation.method, f"{path}?password={walk.stray}&password={walk.stray}", *request)
    walk.ask(operation.method, f"{path}/{walk.stray}", *request)
    walk.appliance.admin.ask(operation.method, f"{path}?password={walk.stray}&password=%zz", *request)
    walk.appliance.admin.ask("PATCH", f"{path}/{walk.stray}", *request)


def upload_private_key(walk):
    """The file beside the one that was meant."""
    key = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    walk.private_key = key.decode().splitlines()
    life = Life(walk.appliance, Authority("Corporate Root"))
    number = life.make("mistaken", "INTCERT_UPLOAD_DONE")
    for word in ("uploadCert", "uploadCertChain"):
        upload = form([("fileUpload", "key.pem", key)])
        assert life.admin.ask("POST", f"{CERTIFICATES}/{word}/{number}", *upload).status == 400
        body = {"id": number, "fileUpload": key.decode()}
        assert life.admin.ask("POST", f"{CERTIFICATES}/{word}", body).status == 400


def use_what_was_issued(walk):
    cookie, token = walk.issued
    assert walk.ask("GET", SESSION, Cookie=f"JSESSIONID={cookie}").status == 200
    assert walk.ask("GET", CERTIFICATES, Authorization=f"Bearer {token}").status == 200
    assert walk.ask("DELETE", f"{CERTIFICATES}/1", Authorization=f"Bearer {token}").status == 403
    signed = naverkit.signature("GET", "/api/v1/ca", walk.access_key)
    assert walk.ask("GET", "/api/v1/ca", **signed).status == 200
    swapped = {**signed, "x-ncp-iam-access-key": walk.access_key[1]}  # the secret in the place of the key
    assert walk.ask("GET", "/api/v1/ca", **swapped).status == 401


def assert_none(walk, text, where):
    for secret in walk.all_secrets():
        assert secret not in text, f"{where} has {secret}"


def test_no_secret_is_in_a_log(appliance, walk):
    for name in ("control", "signer"):
        text = appliance.log(name).read_text(errors="replace")
        assert text
        assert_none(walk, text, name)


def test_no_secret_is_in_an_answer(appliance, walk):
    assert len(walk.answers) > 100
    for text in walk.answers + appliance.admin.answers:
        assert_none(walk, text, text)


def test_no_secret_is_in_the_audit_record(appliance, walk):
    code, _, _, text = appliance.admin.ask("GET", "/mintgate/v1/audit?max=1000")
    assert code == 200
    assert_none(walk, text, "the audit record")


def test_no_secret_is_where_ps_sees_it(appliance, walk):
    for process in appliance.processes.values():
        for name in ("cmdline", "environ"):
            assert_none(walk, pathlib.Path(f"/proc/{process.pid}/{name}").read_text(errors="replace"), name)


def test_the_database_has_nothing_that_lets_anybody_in_but_api_keys_and_secret_keys(appliance, walk):
    content = b"".join(path.read_bytes() for path in appliance.database.parent.glob("control.db*"))
    for secret in walk.all_secrets():
        assert (secret.encode() in content) == (secret in (walk.api_key, walk.access_key[1])), secret


def test_the_first_credential_and_the_key_encryption_key_are_in_their_files_alone(appliance, walk):
    password = (appliance.database.parent / "first-credential").read_text().split()[-1]
    key = (appliance.directory / "signer.kek").read_bytes()
    content = {path: path.read_bytes() for path in appliance.directory.rglob("*") if path.is_file()}
    for path, data in content.items():
        assert (password.encode() in data) == (path.name == "first-credential"), path
        assert (key.strip() in data) == (path.name == "signer.kek"), path
        assert base64.b64encode(key.strip()) not in data and key.strip().hex().encode() not in data, path
