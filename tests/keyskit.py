# SPDX-License-Identifier: Apache-2.0
"""The signer's control socket (wire/signer_control.h), by hand, and a certification authority to sign requests."""

import datetime
import os
import socket
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from publishkit import KEY_TYPES, Issuer

VERSION = 3
LIST, MAKE_KEY, PUBLIC_KEY, MAKE_CSR, INSTALL, REMOVE, DESTROY = range(1, 8)
PURPOSE_MINTING = 1
MAX_PACKET = 256 * 1024


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"status {status}: {text}")
        self.status, self.text = status, text


class Keys:
    """The signer, as the control plane asks it."""

    def __init__(self, lab):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(15)
        self.socket.connect(lab.env["SIGNER_CONTROL_SOCKET"])
        self._id = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def call(self, call, fields):
        self._id += 1
        self.socket.send(struct.pack(">BBQ", VERSION, call, self._id) + fields)
        reply = self.socket.recv(MAX_PACKET)
        version, answered, number, status = struct.unpack(">BBQB", reply[:11])
        assert (version, answered, number) == (VERSION, call | 0x80, self._id)
        if status:
            raise Refused(status, reply[13:].decode())
        return reply[11:]

    def make_key(self, key_type="EC_P256", label="", token=None):
        name = label.encode()
        fields = struct.pack(">BB", PURPOSE_MINTING, KEY_TYPES[key_type]) + (token or os.urandom(16))
        holder = b""  # the signer itself, and no PKCS#11 token
        return self.call(MAKE_KEY, fields + b"".join(struct.pack(">B", len(text)) + text for text in (name, holder)))

    def make_csr(self, key_id, common_name):
        attributes = ["", "", "", "Lab", "", common_name]  # C, ST, L, O, OU, CN
        body = b"".join(struct.pack(">H", len(text.encode())) + text.encode() for text in attributes)
        der = self.call(MAKE_CSR, key_id + struct.pack(">BB", 1, 0 + 1) + body)
        return x509.load_der_x509_csr(der[2:])

    def install(self, key_id, chain):
        self.call(INSTALL, key_id + struct.pack(">B", len(chain)) +
                  b"".join(struct.pack(">H", len(der)) + der for der in chain))

    def remove(self, key_id):
        self.call(REMOVE, key_id)

    def destroy(self, key_id):
        self.call(DESTROY, key_id)


class Authority:
    """A root outside, that signs requests for intermediates."""

    def __init__(self, name="Lab Corporate Root"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key.public_key(), None)

    def _sign(self, subject, public_key, path_length, has_key_identifier=True, lifetime=None):
        now = datetime.datetime.utcnow()
        long = datetime.timedelta(days=400)
        begin, end = (now, now + datetime.timedelta(seconds=lifetime)) if lifetime else (now - long, now + long)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(True, path_length), critical=True)
                   .add_extension(usage, critical=True)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                                  critical=False))
        if has_key_identifier:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certify(self, request, **unusual):
        """|unusual|: has_key_identifier=False; lifetime=SECONDS from now, else it is valid long before and after."""
        assert request.is_signature_valid
        return self._sign(request.subject, request.public_key(), 0, **unusual)

    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM).decode()


def new_intermediate(keys, authority, name, key_type="EC_P256"):
    """An intermediate of |authority| that the signer signs with, as it is published."""
    key_id = keys.make_key(key_type, name)
    certificate = authority.certify(keys.make_csr(key_id, name))
    chain = [one.public_bytes(Encoding.DER) for one in (certificate, authority.certificate)]
    keys.install(key_id, chain)
    return Issuer(name, key_id, key_type, chain)
