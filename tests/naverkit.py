# SPDX-License-Identifier: Apache-2.0
"""Clients of the NAVER Private CA family: signed requests, and private CAs as tests want them."""

import base64
import hashlib
import hmac
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

BASE = "/api/v1"
KEYS = "/mintgate/v1/pca-keys"
_last = [0]


def is_signed(target):
    """Whether the path is one that access keys are for."""
    path = target.split("?")[0]
    return path == f"{BASE}/ca" or path.startswith(f"{BASE}/ca/")


def now_ms():
    """Milliseconds since 1970, each time others: a signature counts once."""
    _last[0] = max(int(time.time() * 1000), _last[0] + 1)
    return _last[0]


def mac(method, target, timestamp, access_key, secret):
    text = f"{method} {target}\n{timestamp}\n{access_key}"
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def signature(method, target, key, version=2, timestamp=None, signed_target=None):
    """The three headers. |key|: access key and secret; |signed_target|: what is signed in place of the target."""
    access_key, secret = key
    when = str(timestamp or now_ms())
    return {"x-ncp-apigw-timestamp": when, "x-ncp-iam-access-key": access_key,
            f"x-ncp-apigw-signature-v{version}": mac(method, signed_target or target, when, access_key, secret)}


def add_key(admin, role):
    """A new access key and its secret."""
    answer = admin.ask("POST", KEYS, {"role": role})
    assert answer.status == 200, answer
    return answer.json["accessKey"], answer.json["secretKey"]


def request_for(name, key=None, extensions=()):
    """A certification request, and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()), key


def pem_of(thing):
    return thing.public_bytes(Encoding.PEM).decode()


class Authorities:
    """Private CAs by |client|, at |base|."""

    def __init__(self, client, base=BASE):
        self.client, self.base = client, base
        self.count = 0

    def ask(self, method, path, body=None, **options):
        return self.client.ask(method, f"{self.base}/ca{path}", body, **options)

    def do(self, method, path, body=None):
        answer = self.ask(method, path, body)
        assert answer.status == 200 and answer.json["code"] == "SUCCESS", (method, path, answer)
        return answer.json["data"]

    def create(self, kind="PRIVATE_ROOT", issuer=None, **fields):
        """What POST /ca gives."""
        self.count += 1
        name = fields.pop("commonName", f"CA {self.count}")
        body = {"alias": f"ca-{self.count}-{now_ms() % 100000}", "keyType": "EC256", "period": "100",
                "x509Parameters": {"commonName": name}, **fields}
        query = f"?caType={kind}" + (f"&issuerTag={issuer}" if issuer else "")
        return self.do("POST", query, body)

    def tag(self, *args, **fields):
        return self.create(*args, **fields)["caInfo"]["caTag"]
