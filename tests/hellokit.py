# SPDX-License-Identifier: Apache-2.0
"""ClientHellos that no TLS library sends, and what comes back in the clear."""

import ssl
import typing

from cryptography import x509

SERVER_NAME, PADDING, ECH = 0, 21, 0xFE0D
_ALERT, _HANDSHAKE = 21, 22
_SERVER_HELLO, _CERTIFICATE, _SERVER_HELLO_DONE = 2, 11, 14
_RECORD_MAX = 16384


def _vector(data, len_bytes):
    return len(data).to_bytes(len_bytes, "big") + data


def server_name(name):
    """The body of a server_name extension (RFC 6066 section 3) that asks for |name|, whatever its bytes are."""
    return _vector(b"\0" + _vector(name, 2), 2)


def without_post_quantum(context):
    """Has a client's ClientHello fit into one segment, as that of OpenSSL from 3.5 on does not by itself."""
    context.set_ecdh_curve("prime256v1")
    return context


def _openssl_hello(version):
    """A ClientHello message as OpenSSL makes it, without SNI."""
    context = without_post_quantum(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.minimum_version = context.maximum_version = version
    sent = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()[5:]


def _parse(message):
    """A ClientHello (RFC 8446 section 4.1.2): what stands before its cipher suites, those, and its extensions."""
    ciphers_at = 4 + 2 + 32 + 1 + message[4 + 2 + 32]
    at = ciphers_at + 2 + int.from_bytes(message[ciphers_at:ciphers_at + 2], "big")
    ciphers = message[ciphers_at + 2:at]
    at += 1 + message[at] + 2  # compression methods, length of all extensions
    extensions = []
    while at < len(message):
        kind, size = (int.from_bytes(message[i:i + 2], "big") for i in (at, at + 2))
        extensions.append((kind, message[at + 4:at + 4 + size]))
        at += 4 + size
    return message[4:ciphers_at], ciphers, extensions


def client_hello(name=None, *extensions, version=ssl.TLSVersion.TLSv1_2, size=0, more_ciphers=0,
                 record_max=_RECORD_MAX):
    """Records with a ClientHello for |name| (text, or bytes that may be no name at all) with these (type, body) pairs
    as further extensions, so many cipher suites that nobody knows, and padded until the message has |size| bytes. With
    TLS 1.2 the answer is in the clear."""
    head, ciphers, usual = _parse(_openssl_hello(version))
    ciphers += b"\x0a\x0a" * more_ciphers
    extensions = [*usual, *extensions]
    if name is not None:
        extensions.insert(0, (SERVER_NAME, server_name(name if isinstance(name, bytes) else name.encode())))

    def message():
        body = b"".join(kind.to_bytes(2, "big") + _vector(data, 2) for kind, data in extensions)
        return b"\1" + _vector(head + _vector(ciphers, 2) + b"\1\0" + _vector(body, 2), 3)

    missing = size - len(message())
    if missing > 0:
        extensions.append((PADDING, bytes(missing - 4)))
    text = message()
    parts = (text[i:i + record_max] for i in range(0, len(text), record_max))
    return b"".join(b"\x16\x03\x01" + _vector(part, 2) for part in parts)


class Answer(typing.NamedTuple):
    alert: typing.Optional[int]  # description of a fatal alert
    server_hello: bool
    chain: list  # certificates, as TLS 1.2 shows them
    end: str  # "open" after the server's flight, "closed", "reset"


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _chain(body):
    found, at = [], 3
    while at < len(body):
        size = int.from_bytes(body[at:at + 3], "big")
        found.append(x509.load_der_x509_certificate(body[at + 3:at + 3 + size]))
        at += 3 + size
    return found


def exchange(connection, hello):
    """Sends |hello| and reads until the server's flight is over, an alert or the end."""
    messages, alert, server_hello, chain, end = b"", None, False, [], "open"
    try:
        connection.sendall(hello)
        while end == "open":
            kind, *_, high, low = _exactly(connection, 5)
            data = _exactly(connection, high << 8 | low)
            if kind == _ALERT:
                alert = data[1]
            if kind != _HANDSHAKE:
                continue
            messages += data
            while len(messages) >= 4 and len(messages) >= 4 + (size := int.from_bytes(messages[1:4], "big")):
                body, what, messages = messages[4:4 + size], messages[0], messages[4 + size:]
                server_hello = server_hello or what == _SERVER_HELLO
                chain = _chain(body) if what == _CERTIFICATE else chain
                if what == _SERVER_HELLO_DONE:
                    return Answer(alert, server_hello, chain, end)
    except EOFError:
        end = "closed"
    except (ConnectionResetError, BrokenPipeError):
        end = "reset"
    return Answer(alert, server_hello, chain, end)
