# SPDX-License-Identifier: Apache-2.0
"""The load generator looks at the chain as it was sent: a path that can be found in it is not enough."""

import contextlib
import datetime
import json
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from labkit import BUILD, run

NAME = "www.chain.test"


class Party:
    """A certificate and its key; |issuer| None: its own."""

    def __init__(self, name, issuer, is_ca=True):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name)
                   .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))
                   .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False))
        self.pem = builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@contextlib.contextmanager
def serving(leaf, others, directory):
    """The port of a server that sends |leaf| and |others| in this order."""
    path = directory / "chain.pem"
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path.write_text(leaf.pem + "".join(other.pem for other in others) + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def serve(listener):
        with contextlib.suppress(OSError):  # closed, or refused by the client
            raw, _ = listener.accept()
            with context.wrap_socket(raw, server_side=True) as connection:
                connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("order, result", [
    ([0], "ok"),
    ([0, 1], "ok"),
    ([1, 0], "handshake: the chain is another issuer's"),
    ([1], "handshake: verify failed: unable to get local issuer certificate"),
])
def test_a_chain_of_another_issuer_is_a_failure(tmp_path, order, result):
    root = Party("Root", None)
    intermediates = [Party("One", root), Party("Two", root)]
    leaf = Party("leaf", intermediates[0], is_ca=False)
    (tmp_path / "root.pem").write_text(root.pem)
    with serving(leaf, [intermediates[i] for i in order], tmp_path) as port:
        report = run(BUILD / "bench/mintgate-loadgen", "--name", NAME, "--connect", f"127.0.0.1:{port}", "--cafile",
                     tmp_path / "root.pem", "--json", "-", check=False).stdout
    assert json.loads(report)["results"] == {result: 1}
