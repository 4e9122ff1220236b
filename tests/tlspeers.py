# SPDX-License-Identifier: Apache-2.0
"""Both ends of an intercepted connection in a test's hands: what one does, and what of it the other sees."""

import concurrent.futures
import contextlib
import hashlib
import os
import select
import socket
import ssl
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from labkit import wait_until
from tlskit import client_context, configured, connect_tls, inside

PORT = 4443
TCP_CLOSE_WAIT = 8  # of TCP_INFO's tcpi_state: the peer's FIN has come
_SUITES = {"TLS_AES_128_GCM_SHA256": (16, hashes.SHA256()), "TLS_AES_256_GCM_SHA384": (32, hashes.SHA384())}
_SECRETS = {"client": "CLIENT_TRAFFIC_SECRET_0", "server": "SERVER_TRAFFIC_SECRET_0"}


class End:
    """One end of a connection. Reading and writing block for half a minute at most."""

    def __init__(self, side, tls, secrets):
        self.side, self.tls, self._secrets, self._num_sent = side, tls, secrets, 0
        tls.settimeout(30)

    def send(self, data):
        """All of |data|; each 16 KiB are a record."""
        self.tls.sendall(data)
        self._num_sent += -(-len(data) // 16384)

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.tls.recv(size - len(data))
            assert part, f"only {len(data)} bytes of {size}"
            data += part
        return data

    def read(self):
        """What comes until the end, and how that was:
        "close_notify", "truncated", "reset" or OpenSSL's name of an alert."""
        data = b""
        while True:
            try:
                part = self.tls.recv(65536)
            except ssl.SSLZeroReturnError:  # what Python makes of it when this end has sent its own
                return data, "close_notify"
            except (ConnectionResetError, ssl.SSLError) as error:
                return data, _ending_of(error)
            if not part:
                return data, "close_notify"
            data += part

    def digest(self, size):
        """SHA-256 of the next |size| bytes."""
        digest, left = hashlib.sha256(), size
        while left > 0:
            part = self.tls.recv(min(left, 1 << 20))
            assert part, f"{left} bytes are missing"
            digest.update(part)
            left -= len(part)
        return digest.hexdigest()

    def close_notify(self):
        """Ends what it sends, by TLS alone, and can still read."""
        self.tls.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):  # for the peer's, which is not waited for
            while not self._unwrapped():
                select.select([], [self.tls], [], 30)
        self.tls.settimeout(30)

    def _unwrapped(self):
        try:
            self.tls.unwrap()
            return True
        except ssl.SSLWantWriteError:
            return False

    def fin(self):
        """Ends what it sends, by TCP alone, and can still read."""
        with socket.socket(fileno=os.dup(self.tls.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)

    def reset(self):
        self.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        """Descriptor and all, without a word of TLS."""
        socket.socket(fileno=self.tls.detach()).close()

    def alert(self, description):
        """A fatal alert, which no library sends on request:
        a record of TLS 1.3 (RFC 8446 section 5.2) after those sent."""
        secret = self._secrets()[_SECRETS[self.side]]
        key_len, digest = _SUITES[self.tls.cipher()[0]]
        key, iv = (_expand_label(secret, label, size, digest) for label, size in ((b"key", key_len), (b"iv", 12)))
        nonce = (int.from_bytes(iv, "big") ^ self._num_sent).to_bytes(12, "big")
        inner = bytes([2, description, 21])
        header = b"\x17\x03\x03" + struct.pack("!H", len(inner) + 16)
        with socket.socket(fileno=os.dup(self.tls.fileno())) as raw:
            raw.sendall(header + AESGCM(key).encrypt(nonce, inner, header))

    def wait_for_fin(self):
        """Waits until its kernel has the peer's FIN, read or not."""
        wait_until(self.has_fin, what="a FIN")

    def has_fin(self):
        return self.tls.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE_WAIT


def _ending_of(error):
    """"truncated", "reset" or an alert's name.
    Python 3.11 takes a reset for an SSLEOFError, and a FIN for any SSLError."""
    if getattr(error, "reason", None) == "UNEXPECTED_EOF_WHILE_READING":
        return "truncated"
    return "reset" if isinstance(error, (ConnectionResetError, ssl.SSLEOFError)) else error.reason


def _expand_label(secret, label, size, digest):
    """HKDF-Expand-Label (RFC 8446 section 7.1)."""
    full = b"tls13 " + label
    info = struct.pack("!HB", size, len(full)) + full + b"\0"
    return HKDFExpand(digest, size, info).derive(secret)


def _secrets_from(path):
    """Secrets by their names in a key log."""
    lines = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return {words[0]: bytes.fromhex(words[2]) for words in lines}


class Peers:
    """Makes connections between a client and a server of the test's own, through what intercepts PORT."""

    def __init__(self, lab, directory):
        self.lab, self._directory, self._num_made, self._ends = lab, directory, 0, []
        self.name = None  # that the last connection was made to: each has its own
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        with inside(lab.env["SERVER_NS"]):
            self._listener = socket.create_server((lab.env["SERVER_IP4"], PORT))

    def server_context(self):
        """A server with a certificate that Mintgate trusts, and no tickets: its first record is the test's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        stem = f"{self.lab.env['PKI_DIR']}/servers/good.lab.test"
        context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
        context.num_tickets = 0
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        return context

    def _keep_keys(self, context, side):
        path = self._directory / f"{side}{self._num_made}.keys"
        context.keylog_filename = str(path)
        return lambda: _secrets_from(path)

    def new_name(self):
        self._num_made += 1
        self.name = f"peers{self._num_made}.good.lab.test"
        return self.name

    def accept(self, context):
        """A future of the server's end of the next connection."""
        secrets = self._keep_keys(context, "server")

        def run():
            raw, _ = self._listener.accept()
            raw.settimeout(30)
            return End("server", context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False), secrets)

        return self._pool.submit(run)

    def connect(self, version=None):
        """A connection: the ends of client and server."""
        self.new_name()
        accepted = self.accept(self.server_context())
        context = client_context(self.lab.env["MINTGATE_ROOT_PEM"], version)
        secrets = self._keep_keys(context, "client")
        client = End("client", connect_tls(self.lab, self.name, context, port=PORT), secrets)
        self._ends += [client, accepted.result(30)]
        return self._ends[-2:]

    def close(self):
        """Ends all connections."""
        for end in self._ends:
            if end.tls.fileno() >= 0:
                end.close()
        self._ends.clear()

    def shut_down(self):
        self.close()
        self._listener.close()
        self._pool.shutdown()


@contextlib.contextmanager
def intercepted_peers(lab, directory, *programs, **sections):
    """Peers through a lab that intercepts PORT and 443, with other settings as configured() takes them."""
    rules = [{"name": "all", "port": ["443", str(PORT)], "action": "intercept"}]
    with configured(lab, *programs, policy={"rules": rules}, **sections):
        peers = Peers(lab, directory)
        try:
            yield peers
        finally:
            peers.shut_down()
