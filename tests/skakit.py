# SPDX-License-Identifier: Apache-2.0
"""Clients of the Securosys family: who owns keys, and who approves their use."""

import base64
import datetime
import json
import secrets

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

P256 = "1.2.840.10045.3.1.7"
HASHES = {"SHA-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512()}


def b64(data):
    return base64.b64encode(data).decode()


def spki(public_key):
    return b64(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def stamp(offset=0):
    """A timestamp as the vendor's clients write it, |offset| seconds from now."""
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


class Approver:
    """Somebody with a key of their own: EC by default."""

    def __init__(self, key=None, digest="SHA-256"):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.digest = "EdDSA" if isinstance(self.key, ed25519.Ed25519PrivateKey) else digest
        self.spki = spki(self.key.public_key())

    def sign(self, data):
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return b64(self.key.sign(data))
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return b64(self.key.sign(data, ec.ECDSA(HASHES[self.digest])))
        return b64(self.key.sign(data, padding.PKCS1v15(), HASHES[self.digest]))

    def approval(self, name=""):
        """How a policy names the approver."""
        return {"type": "public_key", "name": name, "value": self.spki}

    def identity(self):
        return {"approverPublicKey": self.spki}

    def stamped(self, offset=0, **more):
        timestamp = more.pop("timestamp", stamp(offset))
        return {"timestamp": timestamp, "timestampSignature": self.sign(timestamp.encode()),
                "timestampDigestAlgorithm": self.digest, **self.identity(), **more}

    def answer(self, task, **wrong):
        data = base64.b64decode(task["approvalToBeSigned"])
        return {"id": task["id"], "approvalToBeSigned": task["approvalToBeSigned"], "signature": self.sign(data),
                "approvalDigestAlgorithm": self.digest, **self.identity(), **wrong}


class CertifiedApprover(Approver):
    """One that a policy knows by a certificate."""

    def __init__(self, days=30):
        super().__init__()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Approver")])
        now = datetime.datetime.utcnow()
        end = now + datetime.timedelta(days=days)
        self.certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                            .not_valid_before(min(now, end) - datetime.timedelta(days=1)).not_valid_after(end)
                            .sign(self.key, hashes.SHA256()))
        self.der = b64(self.certificate.public_bytes(Encoding.DER))

    def approval(self, name=""):
        return {"type": "certificate", "name": name, "value": self.der}

    def identity(self):
        return {"approverCertificate": self.der}


def group(quorum, *approvers):
    return {"name": "group", "quorum": quorum,
            "approvals": [one.approval(f"approver {place}") for place, one in enumerate(approvers)]}


def token(*groups, timelock=0, timeout=0):
    return {"name": "token", "timelock": timelock, "timeout": timeout, "groups": list(groups)}


def policy(*tokens):
    return {"ruleUse": {"tokens": list(tokens)}, "ruleBlock": None, "ruleUnblock": None, "ruleModify": None,
            "keyStatus": {"blocked": False}}


class Ska:
    """Asks as |client|; what it does not expect to fail must not."""

    def __init__(self, client):
        self.client = client

    def ask(self, method, path, body=None, status=200):
        answer = self.client.ask(method, f"/v1/{path}", body)
        assert answer.status == status, (method, path, answer)
        return answer.json

    def fails(self, code, method, path, body=None):
        """Fails with the family's code, and in its shape."""
        answer = self.client.ask(method, f"/v1/{path}", body)
        assert answer.json["errorCode"] == code, (method, path, answer)
        assert answer.json["reason"].startswith("res.error.") and answer.json["message"], answer
        wanted = 401 if code == 631 else 403 if code // 10 == 45 else 404 if code // 10 == 65 else 400
        assert answer.status == wanted, answer
        return answer.json

    def make_key(self, rule=None, label=None, **fields):
        label = label or f"key-{secrets.token_hex(4)}"
        body = {"label": label, "algorithm": "EC", "curveOid": P256, "attributes": {"sign": True}, "policy": rule}
        self.ask("POST", "key", {**body, **fields}, status=201)
        return label

    def make_ca(self, rule=None, **fields):
        """A key with a CA certificate of its own, made with the approvals of nobody."""
        label = self.make_key(rule, **fields)
        return label, self.self_sign(label, "Approver-Intermediate-CA")

    def self_sign(self, label, name, **more):
        body = {"signKeyName": label, "commonName": name, "certificateAuthority": True, **more}
        answer = self.ask("POST", "certificate/synchronous/selfsign", body)
        return load(answer["certificate"])

    def submit(self, path, member, body, **more):
        return self.ask("POST", path, {member: body, **more}, status=201)["signRequestId"]

    def certify(self, label, csr, **more):
        """Asks for a certificate; the id of the request."""
        body = {"signKeyName": label, "commonName": "Approver-Intermediate-SUB", "certificateAuthority": False,
                "certificateSigningRequest": csr, **more}
        return self.submit("certificate/sign", "signCertificateRequest", body, requestSignature=None)

    def status(self, request):
        return self.ask("GET", f"request/{request}")

    def tasks(self, approver, **more):
        return self.ask("POST", "filteredSignApprovalTask", approver.stamped(**more))["tasks"]

    def approve(self, approver, request):
        """Approves what |request| asks of |approver|."""
        (task,) = self.tasks(approver, requestId=request)
        self.ask("POST", "approval", approver.answer(task))
        return task

    def reject(self, approver, request):
        (task,) = self.tasks(approver, requestId=request)
        self.ask("PATCH", "task", approver.stamped(id=task["id"], timestamp=stamp()))
        return task


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def make_csr(key, name="whatever"):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
            .public_bytes(Encoding.PEM).decode())


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def load_public(text):
    return serialization.load_der_public_key(base64.b64decode(text))
