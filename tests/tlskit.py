# SPDX-License-Identifier: Apache-2.0
"""What the TLS tests of the engine share: exact counts, edited configurations, clients, certificates."""

import contextlib
import copy
import ctypes
import os
import re
import socket
import ssl
import threading
import typing

import yaml
from cryptography import x509

from hellokit import without_post_quantum
from labkit import wait_until

# ---- counts ----

_FAMILIES = {
    "decisions": "mintgate_dataplane_decisions_total",
    "ways_out": "mintgate_dataplane_ways_out_total",
    "bounds": "mintgate_dataplane_bound_hit_total",
    "adoptions": "mintgate_dataplane_adoptions_total",
    "sessions": "mintgate_dataplane_sessions_total",
    "chains": "mintgate_dataplane_upstream_chains_total",
    "bytes": "mintgate_dataplane_session_plaintext_bytes_total",
    "refused": "mintgate_minting_refused_total",
    "resumed": "mintgate_dataplane_sessions_resumed_total",
    "hostile": "mintgate_dataplane_hello_hostile_sni_total",
    "flows": "mintgate_dataplane_flows_opened_total",
    "requested": "mintgate_minting_requested_total",
    "minted": "mintgate_minting_minted_total",
    "cancelled": "mintgate_minting_cancelled_total",
    "timed_out": "mintgate_minting_timed_out_total",
    "dropped_replies": "mintgate_minting_dropped_replies_total",
    "signer_lost": "mintgate_minting_lost_total",
    "hits": "mintgate_cache_hits_total",
    "negative_hits": "mintgate_cache_negative_hits_total",
    "misses": "mintgate_cache_misses_total",
    "evicted": "mintgate_cache_evicted_total",
    "expired": "mintgate_cache_expired_total",
}


class Counts:
    """What the engine counted between two looks at its metrics: counts["minted"] is a number, counts["sessions"] those
    of its labels that grew, as in {"intercepted": 2}, so that comparing it says that nothing else happened."""

    def __init__(self, lab):
        self._lab = lab
        self._before = lab.metrics()
        self._after = None

    def stop(self):
        """The second look, once no session is left."""
        settle(self._lab)
        self._after = self._lab.metrics()

    def __getitem__(self, name):
        family = _FAMILIES[name]
        after = self._after or self._lab.metrics()
        if family in after:
            return int(after[family] - self._before[family])
        grown = {}
        for sample, value in after.items():
            if sample.startswith(family + "{") and value != self._before[sample]:
                grown[sample.split('"')[1]] = int(value - self._before[sample])
        return grown


@contextlib.contextmanager
def counting(lab):
    counts = Counts(lab)
    yield counts
    counts.stop()


def settle(lab, seconds=30):
    """Waits until every session has ended."""
    wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == 0, seconds, "the end of all sessions")


# ---- configuration ----

def edited(text, **sections):
    """A configuration with keys of some sections replaced: edited(text, policy={"default": "block"})."""
    tree = yaml.safe_load(text)
    for section, keys in sections.items():
        tree.setdefault(section, {}).update(copy.deepcopy(keys))
    return yaml.safe_dump(tree, sort_keys=False)


def configured(lab, *programs, keep_connections=False, **sections):
    """A context in which these keys hold: by a reload, or by a restart of |programs| (as with_config)."""
    return lab.with_config(edited(lab.config, **sections), *programs, keep_connections=keep_connections)


# ---- clients ----

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace):
    """The calling thread is in a network namespace; a socket that it makes there stays there."""
    def enter(path):
        with open(path) as file:
            if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {path}")

    own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        enter(f"/run/netns/{namespace}")
        yield
    finally:
        enter(f"/proc/self/fd/{own}")
        os.close(own)


def connect(lab, address=None, port=443, source=None, timeout=30):
    """A TCP connection of the lab's client, to the lab's server unless told otherwise."""
    with inside(lab.env["CLIENT_NS"]):
        return socket.create_connection((address or lab.env["SERVER_IP4"], port), timeout, source and (source, 0))


def client_context(roots, version=None, alpn=None, ciphers=None):
    """What a client of Python's is ready for; |roots| None: anything, unverified."""
    context = without_post_quantum(ssl.create_default_context(cafile=roots))
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if roots is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context


def client_hello(name):
    """A ClientHello as Python's client sends it."""
    outgoing = ssl.MemoryBIO()
    client = client_context(None).wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def connect_tls(lab, name, context=None, session=None, **how):
    """A TLS connection of the lab's client that trusts Mintgate's root alone.
    An end without close_notify is an error."""
    raw = connect(lab, **how)
    context = context or client_context(lab.env["MINTGATE_ROOT_PEM"])
    try:
        return context.wrap_socket(raw, server_hostname=name, session=session, suppress_ragged_eofs=False)
    except BaseException:
        raw.close()
        raise


def read_all(connection):
    """Everything until the peer's end."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def request(path, method="GET", *, close=True):
    """A request by HTTP/1.1."""
    end = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: lab\r\n{end}\r\n".encode()


class Handshake(typing.NamedTuple):
    chain: list  # certificates, as sent
    verdict: typing.Optional[int]  # of OpenSSL's verification, X509_V_ERR_*; None: no handshake came about
    text: str


def s_client(lab, name, *options, connect_to=None, roots=None):
    """openssl s_client in the client's namespace; |name| None: without SNI."""
    target = connect_to or f"{lab.env['SERVER_IP4']}:443"
    sni = ["-noservername"] if name is None else ["-servername", name, "-verify_hostname", name]
    result = lab.client("openssl", "s_client", "-connect", target, *sni, "-showcerts", "-no-CApath", "-no-CAstore",
                        "-CAfile", roots or lab.env["MINTGATE_ROOT_PEM"], *options, check=False, input="")
    # It says that it has verified "ok" without a handshake too.
    verdict = "Cipher is (NONE)" not in result.stdout and re.search(r"Verify return code: (\d+)", result.stdout)
    return Handshake(certificates(result.stdout), int(verdict.group(1)) if verdict else None,
                     result.stdout + result.stderr)


# ---- certificates ----

def certificates(text):
    """The certificates in a text that holds PEM."""
    found = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in found]


def names_of(certificate):
    """The SAN as a set of ("DNS", "www.example.org"), ("IP", "192.0.2.1")."""
    kinds = {x509.DNSName: "DNS", x509.IPAddress: "IP", x509.RFC822Name: "email", x509.UniformResourceIdentifier: "URI"}
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {(kinds[type(name)], str(name.value)) for name in names}


# ---- load ----

class Load:
    """|connect| again and again, in three threads: |seen| is what it returned, |failures| what it raised."""

    def __init__(self, connect):
        self.connect, self.seen, self.failures = connect, [], []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(3)]

    def _run(self):
        while not self.ending.is_set():
            try:
                self.seen.append(self.connect())
            except Exception as error:  # any: it is what the test is about
                self.failures.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.ending.set()
        for thread in self.threads:
            thread.join()
