# SPDX-License-Identifier: Apache-2.0
"""Swaps of the default intermediate by the control plane's API, under a load of which each connection is recorded."""

import contextlib
import hashlib
import http.client
import json
import math
import pathlib
import socket
import subprocess
import time
import typing
import uuid

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from labkit import BUILD

API = "/zia/api/v1/intermediateCaCertificate"
NO_ISSUER = "0" * 32


# ---- the API ----

class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; each request has a connection of its own, since the server ends idle ones."""

    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.path = str(path)

    def request(self, *words, **options):
        self.close()
        super().request(*words, **options)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer(typing.NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


def ask(connection, method, path, body=None, headers=None, media_type="application/json"):
    """One call; nothing is tried again."""
    connection.request(method, path, body, {**({"Content-Type": media_type} if body else {}), **(headers or {})})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def done(connection, method, path, body=None, **options):
    """One call that must be answered with 200 or 204."""
    answer = ask(connection, method, path, body, **options)
    assert answer.status in (200, 204), (method, path, answer)
    return answer


def form(pem):
    """The body of an upload, and its media type."""
    boundary = uuid.uuid4().hex
    text = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"fileUpload\"; filename=\"certificate.pem\"\r\n"
            f"Content-Type: application/octet-stream\r\n\r\n{pem}\r\n--{boundary}--\r\n")
    return text, f"multipart/form-data; boundary={boundary}"


class Intermediate(typing.NamedTuple):
    id: int
    name: str
    fingerprint: str


def fingerprint(certificate):
    """An issuer's, as in the load generator's records."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()[:32]


def new_intermediate(connection, authority, name, **more):
    """The eight steps but the last: ready to be the default. |more|: other fields, as {"type": "CUSTOM_HSM"}, with
    which come the two steps of attestation."""
    fields = {"name": name, "type": "CUSTOM_SW", "status": "ENABLED", "keyType": "EC_P256", **more}
    number = done(connection, "POST", API, json.dumps(fields)).json()["id"]
    done(connection, "POST", f"{API}/keyPair/{number}", "{}")
    if fields["type"] == "CUSTOM_HSM":
        done(connection, "GET", f"{API}/downloadAttestation/{number}")
        done(connection, "POST", f"{API}/verifyKeyAttestation/{number}", "{}")
    done(connection, "POST", f"{API}/generateCsr/{number}", "{}")
    request = done(connection, "GET", f"{API}/downloadCsr/{number}").body
    certificate = authority.certify(x509.load_pem_x509_csr(request))
    for where, pem in (("uploadCert", certificate.public_bytes(Encoding.PEM).decode()),
                       ("uploadCertChain", authority.pem())):
        body, media_type = form(pem)
        done(connection, "POST", f"{API}/{where}/{number}", body, media_type=media_type)
    done(connection, "POST", f"{API}/finalizeCert/{number}", "{}")
    return Intermediate(number, name, fingerprint(certificate))


class Swap(typing.NamedTuple):
    """One makeDefault; times of CLOCK_MONOTONIC in seconds."""
    issuer: str  # the new one's fingerprint
    called: float
    returned: float


def make_default(connection, intermediate):
    called = time.monotonic()
    answer = done(connection, "PUT", f"{API}/makeDefault/{intermediate.id}", "{}").json()
    returned = time.monotonic()
    assert answer["defaultCertificate"] is True
    return Swap(intermediate.fingerprint, called, returned)


# ---- the load ----

class Handshake(typing.NamedTuple):
    """One connection of the load; times as above."""
    name: str
    intended: float  # when it should have started, from which its latency counts
    began: float     # its handshake: TCP was established
    latency: float   # from |intended| to the end of the handshake, in seconds
    issuer: str
    resumed: bool
    result: str


def _handshake(record, started_at):
    intended = started_at + record["intended_s"]
    waited_us = record["lag_us"] + record["connect_us"]
    return Handshake(record["name"], intended, intended + waited_us / 1e6, (waited_us + record["handshake_us"]) / 1e6,
                     record["issuer"], record["resumed"], record["result"])


class Load:
    """The load generator in the client's namespace, in the background. Each connection asks for something, since
    tickets come with the first answer."""

    def __init__(self, lab, directory, *words, cafile):
        self.records = pathlib.Path(directory, f"load-{uuid.uuid4().hex}")
        command = ["ip", "netns", "exec", lab.env["CLIENT_NS"], str(BUILD / "bench/mintgate-loadgen"), "--connect",
                   f"{lab.env['SERVER_IP4']}:443", "--source", lab.env["CLIENT_IP4_RANGE"], "--cafile", cafile,
                   "--json", "-", "--records", str(self.records), "--get", "/info", *(str(word) for word in words)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        start_new_session=True)

    def running(self):
        return self.process.poll() is None

    def end(self, timeout=120):
        """Its report and its handshakes, in the order of their ends; it starts no more."""
        self.process.terminate()
        out, errors = self.process.communicate(timeout=timeout)
        assert self.process.returncode in (0, 1), errors
        report = json.loads(out)
        with open(self.records) as file:
            handshakes = [_handshake(json.loads(line), report["started_at"]) for line in file]
        self.records.unlink()
        assert len(handshakes) == report["connections"]
        return report, handshakes

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.running():
            self.process.kill()
        self.process.communicate()
        with contextlib.suppress(FileNotFoundError):
            self.records.unlink()


# ---- what must hold ----

def allowed_issuers(handshake, swaps, first):
    """Whose leaves it may be shown: |first| is the default before the first swap."""
    ended = handshake.intended + handshake.latency
    present = first
    allowed = set()
    for swap in swaps:
        if swap.returned <= handshake.began:
            present = swap.issuer
        elif swap.called <= ended:
            allowed.add(swap.issuer)
    return allowed | {present}


def failed(handshakes):
    return [one for one in handshakes if one.result != "ok"]


def of_another_issuer(handshakes, swaps, first):
    """Those that were shown an issuer that was not, or not any more, the default while they ran. A resumed one counts
    with the issuer of the session that it resumes: an old ticket must be declined."""
    return [one for one in handshakes
            if one.result == "ok" and one.issuer not in allowed_issuers(one, swaps, first)]


def percentile(values, percent):
    """The smallest value that |percent| of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


# ---- the engine, meanwhile ----

class Usage(typing.NamedTuple):
    """What is counted up since the engine's start, but for the last two."""
    hits: float
    misses: float
    ahead: float  # leaves minted before swaps
    ahead_seconds: float
    memory: int  # of the process, in bytes: RssAnon, RssFile and RssShmem together
    entries: int


def usage(lab):
    metrics = lab.metrics()
    hits = metrics["mintgate_cache_hits_total"]
    misses = metrics["mintgate_cache_misses_total"] + metrics["mintgate_cache_pending_hits_total"]
    ahead, ahead_seconds = (metrics[f"mintgate_dataplane_{word}_total"]
                            for word in ("minted_ahead", "minting_ahead_seconds"))
    return Usage(hits, misses, ahead, ahead_seconds, memory(lab.engine_pid()), int(metrics["mintgate_cache_entries"]))


def memory(pid):
    (line,) = [line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line[:6] == "VmRSS:"]
    return int(line.split()[1]) * 1024


def hit_ratio(before, after):
    """Of the sessions between two usages, those whose leaf was there when they came; None: there were none. Each one's
    last lookup is a hit, also that of one that had to wait."""
    hits, misses = after.hits - before.hits, after.misses - before.misses
    return 1 - misses / hits if hits else None
