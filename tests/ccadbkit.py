# SPDX-License-Identifier: Apache-2.0
"""The CCADB family as its clients use it: a person allows a client in a browser; the client fetches tokens and calls.
"""

import html
import re
import secrets
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

AUTHORIZE, TOKEN = "/services/oauth2/authorize", "/services/oauth2/token"
RECORD_ID, SUBMIT = "/services/apexrest/get/recordid", "/services/apexrest/create/intermediatecert"
ADMIN = "/mintgate/v1/ccadb"
FORM = "application/x-www-form-urlencoded"
REDIRECT = "https://ca.example/"
PASSWORD = "a long enough password"
CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def one_line(certificate):
    """As the documents want PEM: without an end of a line in it."""
    return certificate.public_bytes(Encoding.PEM).decode().replace("\n", "")


def fingerprint(certificate):
    return certificate.fingerprint(hashes.SHA256()).hex().upper()


def has_check(record_id):
    """Whether an id of 18 characters is one of Salesforce's."""
    groups = (record_id[start:start + 5] for start in (0, 5, 10))
    return len(record_id) == 18 and record_id[15:] == "".join(
        CHECKS[sum(1 << bit for bit, one in enumerate(group) if one.isupper())] for group in groups)


def intermediate(authority, name=None):
    """A certificate below |authority| that is nobody's on the appliance."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name or f"Intermediate {secrets.token_hex(4)}")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return authority.certify(request)


class Browser:
    """Follows the approval page, and remembers its cookie."""

    def __init__(self, appliance, client, redirect=REDIRECT, **more):
        self.appliance = appliance
        self.asked = {"client_id": client["id"], "redirect_uri": redirect, "response_type": "code", **more}
        self.cookie, self.fields = None, {}

    def open(self):
        answer = self.appliance.stranger().ask("GET", f"{AUTHORIZE}?{urllib.parse.urlencode(self.asked)}")
        self._read(answer)
        return answer

    def _read(self, answer):
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
        self.fields = {name: html.unescape(value) for name, value in
                       re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)}

    def answer(self, user, password=PASSWORD, answer="allow", **changed):
        fields = {**self.fields, "username": user, "password": password, "answer": answer, **changed}
        headers = {"Cookie": self.cookie} if self.cookie else {}
        told = self.appliance.stranger(**headers).ask("POST", AUTHORIZE, urllib.parse.urlencode(fields), FORM)
        return told

    def code(self, user, password=PASSWORD):
        """The code, as it stands in the address bar in the end."""
        assert self.open().status == 200
        answer = self.answer(user, password)
        assert answer.status == 302, answer
        return location(answer)["code"]


def location(answer):
    """The query of where the browser is sent."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query, strict_parsing=True))


class Caller:
    """A user and a client that it has allowed; calls as the client."""

    def __init__(self, ccadb, name, code):
        self.ccadb, self.name = ccadb, name
        answer = ccadb.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
        assert answer.status == 200, answer
        self.tokens = answer.json
        self.http = ccadb.appliance.stranger(Authorization=f"Bearer {self.tokens['access_token']}")

    def ask(self, path, body):
        return self.http.ask("POST", path, body)

    def submit(self, body):
        """A call that is unlike all others, since the same one is refused for a while."""
        return self.ask(SUBMIT, {"PublicComments": secrets.token_hex(8), **body})

    def record_id(self, **body):
        return self.ask(RECORD_ID, {"nonce": secrets.token_hex(8), **body})

    def add(self, certificate, parent, owner, **sections):
        """Adds a record, which must succeed; its id."""
        answer = self.submit({"CertificateInformation": information(certificate, parent, owner), **sections})
        assert answer.status == 200 and answer.json["ProcessingStatus"] == "Success", answer
        return answer.json["SalesforceRecordId"]

    def update(self, record_id, certificate, owner, **sections):
        wanted = information(certificate, None, owner, SalesforceRecordId=record_id)
        return self.submit({"CertificateInformation": wanted, **sections})


def information(certificate, parent, owner, **more):
    """The section that says which record it is."""
    return {"SalesforceRecordId": "", "CAOwner": owner, "SubordinateCAOwner": owner,
            "IntermediateCertificateName": "Test Intermediate Cert", "IntermediateCertPEM": one_line(certificate),
            **({"ParentCertPEM": one_line(parent)} if parent else {}), **more}


class Ccadb:
    """What an administrator prepares: owners with their roots, and a client."""

    def __init__(self, appliance):
        self.appliance = appliance
        self.client = self.manage("POST", "clients", {"name": f"tool {secrets.token_hex(4)}", "redirectUri": REDIRECT})

    def manage(self, method, path, body=None):
        answer = self.appliance.admin.ask(method, f"{ADMIN}/{path}", body)
        assert answer.status in (200, 204), (method, path, answer)
        return answer.json if answer.text else None

    def add_owner(self, name, authority):
        """The owner's root's record id."""
        self.manage("POST", "owners", {"name": name})
        return self.manage("POST", "roots", {"owner": name, "certificate": authority.pem()})["id"]

    def grant(self, user, owner, may_revoke=False):
        self.manage("PUT", f"users/{user}", {"owner": owner, "mayRevoke": may_revoke})

    def token(self, **fields):
        fields = {"client_id": self.client["id"], "client_secret": self.client["secret"], **fields}
        return self.appliance.stranger().ask("POST", TOKEN, urllib.parse.urlencode(fields), FORM)

    def caller(self, user, owner, may_revoke=False):
        """A new user that acts for |owner|."""
        self.appliance.add_user(user, "auditor", PASSWORD)
        self.grant(user, owner, may_revoke)
        return Caller(self, user, Browser(self.appliance, self.client).code(user))

    def record(self, record_id):
        return self.manage("GET", f"records/{record_id}")

    def records(self):
        return self.manage("GET", "records")
