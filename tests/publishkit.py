# SPDX-License-Identifier: Apache-2.0
"""The control plane's end of publishing (wire/publish.h), by hand."""

import contextlib
import pathlib
import socket
import struct
import typing

from cryptography.hazmat.primitives.serialization import Encoding

from tlskit import certificates

VERSION = 3
HELLO, PREPARE, PROGRESS, PREPARED, COMMIT, COMMITTED, ABORT = range(1, 8)
ROLE_DEFAULT = 1
KEY_TYPES = {"EC_P256": 1, "EC_P384": 2, "RSA_2K": 3, "RSA_3K": 4, "RSA_4K": 5}
MAX_PACKET = 128 * 1024


class Issuer(typing.NamedTuple):
    name: str
    key_id: bytes
    key_type: str
    chain: list  # DER, its own first
    successor: int = 0  # its place in what is published, from 1
    is_reserve: bool = False
    is_revoked: bool = False
    crl_url: bytes = b""

    def encoded(self):
        certificates_ = b"".join(struct.pack(">H", len(der)) + der for der in self.chain)
        name = self.name.encode()
        head = struct.pack(">B", len(name)) + name + struct.pack(
            ">BBBH", self.successor, self.is_reserve, self.is_revoked, len(self.crl_url)) + self.crl_url
        return (head + self.key_id +
                struct.pack(">BBB", ROLE_DEFAULT, KEY_TYPES[self.key_type], len(self.chain)) + certificates_)


def built_in(lab, name="built-in"):
    """The signer's own issuing CA: the key whose certificate its root signed."""
    (root,) = certificates(pathlib.Path(lab.env["MINTGATE_ROOT_PEM"]).read_text())
    for pem in pathlib.Path(lab.env["LAB_DIR"], "signer/keys").glob("*.pem"):
        chain = certificates(pem.read_text())
        if chain[0].issuer == root.subject != chain[0].subject:
            return Issuer(name, bytes.fromhex(pem.stem), "EC_P256", [one.public_bytes(Encoding.DER) for one in chain])
    raise LookupError("no issuing CA among the signer's keys")


class Message(typing.NamedTuple):
    type: int
    epoch: int
    rest: bytes


class Control:
    """Listens where the engine dials, and speaks with the one that does. The lab's control plane stops meanwhile."""

    def __init__(self, lab):
        self._alone = contextlib.ExitStack()
        self._alone.enter_context(lab.without_control())
        try:
            self._listen(lab)
        except BaseException:
            self._alone.close()
            raise

    def _listen(self, lab):
        self.path = pathlib.Path(lab.env["LAB_DIR"], "control-engine.sock")
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(10)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.engine = None
        self.hello = None
        self.accept()

    def accept(self):
        """The next connection of the engine, which says hello."""
        if self.engine:
            self.engine.close()
        self.engine, _ = self.listener.accept()
        self.engine.settimeout(15)
        self.hello = self.receive(HELLO)
        assert self.hello.rest == struct.pack(">H", VERSION)

    def close(self):
        self.engine.close()
        self.listener.close()
        self.path.unlink(missing_ok=True)
        self._alone.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def send(self, kind, epoch, rest=b""):
        self.engine.send(struct.pack(">BQ", kind, epoch) + rest)

    def receive(self, *kinds):
        """The next message, of one of these kinds."""
        packet = self.engine.recv(MAX_PACKET)
        assert packet, "the engine has hung up"
        message = Message(*struct.unpack(">BQ", packet[:9]), packet[9:])
        assert message.type in kinds, message
        return message

    def prepare(self, epoch, *issuers, premint_ms=10000):
        """What the engine says in the end: None if it is ready, else its reason; and the progress that it told."""
        self.send(PREPARE, epoch, struct.pack(">IB", premint_ms, len(issuers)) +
                  b"".join(issuer.encoded() for issuer in issuers))
        progress = []
        while (message := self.receive(PROGRESS, PREPARED)).type == PROGRESS:
            assert message.epoch == epoch
            progress.append(struct.unpack(">II", message.rest))
        assert message.epoch == epoch
        return (None if message.rest[0] else message.rest[2:].decode()), progress

    def commit(self, epoch):
        self.send(COMMIT, epoch)
        assert self.receive(COMMITTED).epoch == epoch

    def publish(self, epoch, *issuers, **options):
        reason, progress = self.prepare(epoch, *issuers, **options)
        assert reason is None, reason
        self.commit(epoch)
        return progress

    def has_hung_up(self):
        """Whether the engine has closed the connection."""
        return self.engine.recv(MAX_PACKET) == b""
