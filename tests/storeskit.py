# SPDX-License-Identifier: Apache-2.0
"""Files for key stores and trust stores, good and hostile, and how the two vendors' clients send them."""

import base64
import datetime
import io
import zipfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (BestAvailableEncryption, Encoding, NoEncryption,
                                                          PrivateFormat, pkcs12)
from cryptography.x509.oid import NameOID

from restkit import form

ODATA = "/apiportal/api/1.0/Management.svc"
EDGE = "/v1/organizations/acme/environments/test/keystores"
DAY = datetime.timedelta(days=1)
DESCRIPTOR = b"certFile=main.pem\nkeyFile=privateKey.pem\n"
CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


class Party:
    """A certificate with its key, which is P-256 unless it is given, and what certifies it above."""

    def __init__(self, name, issuer=None, ca=False, days=30, names=(), key=None):
        now = datetime.datetime.utcnow()
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (x509.CertificateBuilder().subject_name(subject).public_key(self.key.public_key())
                   .issuer_name(issuer.certificate.subject if issuer else subject)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - 60 * DAY).not_valid_after(now + days * DAY)
                   .add_extension(x509.BasicConstraints(ca, None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False))
        if ca:
            builder = builder.add_extension(CA_USAGE, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))),
                                            critical=False)
        self.certificate = builder.sign((issuer or self).key, hashes.SHA256())
        self.above = [issuer.certificate, *issuer.above] if issuer else []

    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM)

    def der(self):
        return self.certificate.public_bytes(Encoding.DER)

    def chain_pem(self):
        return b"".join(one.public_bytes(Encoding.PEM) for one in [self.certificate, *self.above])

    def key_pem(self, password=None):
        encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    def p12(self, password):
        return pkcs12.serialize_key_and_certificates(b"mine", self.key, self.certificate, self.above,
                                                     BestAvailableEncryption(password.encode()))

    def jar(self, password=None):
        return jar({"main.pem": self.chain_pem(), "privateKey.pem": self.key_pem(password)})


class _Stream(io.RawIOBase):
    """Cannot seek, so that zipfile writes sizes behind the data, as Java's `jar` does."""

    def __init__(self):
        super().__init__()
        self.bytes = b""

    def writable(self):
        return True

    def write(self, data):
        self.bytes += bytes(data)
        return len(data)


def jar(files, descriptor=DESCRIPTOR, more=()):
    """As the vendor's document makes it by `jar -cf` and `jar -uf`. |more|: further (name or ZipInfo, bytes)."""
    stream = _Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/", b"")
        archive.writestr("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\nCreated-By: 17.0.1 (Debian)\r\n\r\n")
        for name, data in files.items():
            archive.writestr(name, data)
        if descriptor is not None:
            archive.writestr("META-INF/descriptor.properties", descriptor)
        for name, data in more:
            archive.writestr(name, data)
    return stream.bytes


def text(data):
    return base64.b64encode(data).decode()


class Stores:
    """What an administrator asks of the two families."""

    def __init__(self, client):
        self.client = client

    def odata(self, method, path, body=None, status=None):
        answer = self.client.ask(method, f"{ODATA}/{path}", body)
        assert status is None or answer.status == status, answer
        return answer

    def make(self, name, kind):
        return self.odata("POST", "CertificateStores", {"name": name, "storeType": kind}, 201).json["d"]

    def put(self, store, name, kind, content, status=None, **more):
        body = {"name": name, "storeName": store, "format": kind, "content": text(content), **more}
        return self.odata("POST", "Certificates", body, status)

    def put_key(self, store, name, party, status=201):
        return self.put(store, name, "PEM", party.chain_pem(), status, privateKey=text(party.key_pem()))

    def edge(self, method, path, *body, status=None):
        answer = self.client.ask(method, f"{EDGE}{path}", *body)
        assert status is None or answer.status == status, answer
        return answer

    def upload(self, path, status=None, method="POST", **parts):
        return self.edge(method, path, *form([(name, "", data) for name, data in parts.items()]), status=status)
