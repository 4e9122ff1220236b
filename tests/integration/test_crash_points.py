# SPDX-License-Identifier: Apache-2.0
"""kill -9 of control, engine and signer at each step of an intermediate's life, of a swap and of a start, row by row of
tests/crash_points.py. After each: one default, the same answer everywhere, nothing half-done."""

import concurrent.futures
import contextlib
import errno
import http.client
import itertools
import json
import os
import pathlib
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import typing

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane import EPOCH, ControlPlane
from crash_points import CONTROL, DONE, EACH, EITHER, NOTHING, ROWS, SIGNER, Write
from crashkit import Programs, Traffic, can_trace
from keyskit import LIST, Authority, Keys, Refused
from labkit import BUILD, run, wait_until
from publishkit import HELLO, MAX_PACKET, PREPARE, PREPARED
from tlskit import certificates, client_context, connect_tls, edited, request, s_client

ALL = os.environ.get("MG_CRASH_POINTS") == "all"
API = "/zia/api/v1/intermediateCaCertificate"
GOOD = "www.good.lab.test"
BUILT_IN = 1
ENGINE_NOT_READY, SERVICE_UNAVAILABLE = 403, 503
STATES = ["GENERAL_DONE", "KEYGEN_DONE", "PUBKEY_DONE", "ATTESTATION_DONE", "ATTESTATION_VERIFY_DONE", "CSRGEN_DONE",
          "INTCERT_UPLOAD_DONE", "CERTCHAIN_UPLOAD_DONE", "CERT_READY"]
# From which state on a column of the database is filled.
FILLED_FROM = {"key_id": "KEYGEN_DONE", "public_key": "KEYGEN_DONE", "csr": "CSRGEN_DONE",
               "certificate": "INTCERT_UPLOAD_DONE", "chain": "CERTCHAIN_UPLOAD_DONE"}
UNWANTED = ("SELECT key_id FROM doomed_key UNION"
            " SELECT intermediate_id FROM key_wish WHERE intermediate_id NOT IN (SELECT id FROM intermediate)")
_numbers = itertools.count(1)


# ---- the control plane, asked ----

class Api:
    """The ZIA family, asked over the Unix socket."""

    def __init__(self, control, authority):
        self.control, self.authority = control, authority

    def send(self, method, path, body=None, kind="application/json"):
        """A request on its way."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(90)
        connection.sock.connect(str(self.control.socket))
        connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        return connection

    @staticmethod
    def receive(connection):
        with contextlib.closing(connection):
            response = connection.getresponse()
            text = response.read().decode()
        try:
            return response.status, json.loads(text)
        except json.JSONDecodeError:
            return response.status, text

    def ask(self, *words, **options):
        return self.receive(self.send(*words, **options))

    def done(self, *words, code=200, **options):
        got, answer = self.ask(*words, **options)
        assert got == code, (words, got, answer)
        return answer

    def signed(self, number):
        """The certificate that the authority makes of a request."""
        pem = self.done("GET", f"{API}/downloadCsr/{number}")
        return self.authority.certify(x509.load_pem_x509_csr(pem.encode())).public_bytes(Encoding.PEM).decode()


def upload(where, file):
    """A request that uploads |file|, multipart."""
    def make(api, number):
        body = ("--limit\r\nContent-Disposition: form-data; name=\"fileUpload\"; filename=\"certificate.pem\"\r\n"
                f"Content-Type: application/octet-stream\r\n\r\n{file(api, number)}\r\n--limit--\r\n")
        return ("POST", f"{API}/{where}/{number}", body, "multipart/form-data; boundary=limit")
    return make


def draft(number):
    return json.dumps({"name": f"crash {number}", "type": "CUSTOM_SW", "status": "ENABLED", "keyType": "EC_P256"})


def plain(method, path, body=None):
    return lambda api, number: (method, API + path.format(number), body)


class Step(typing.NamedTuple):
    """A step of the life, as a request, and what answers it: when it is done, and when it was done before."""
    request: typing.Callable
    code: int
    again: int
    state: typing.Optional[str] = None  # that it leads to
    operation: typing.Optional[str] = None  # in the audit record
    behind: typing.Optional[str] = None  # the step before


STEPS = {
    "create": Step(lambda api, number: ("POST", API, draft(number)), 200, 409, "GENERAL_DONE", "create"),
    "make key": Step(plain("POST", "/keyPair/{}", "{}"), 200, 403, "KEYGEN_DONE", "keyPair", "create"),
    "read public key": Step(plain("GET", "/downloadPublicKey/{}"), 200, 200, "PUBKEY_DONE", "downloadPublicKey",
                            "make key"),
    "verify attestation": Step(plain("POST", "/verifyKeyAttestation/{}", "{}"), 403, 403, behind="make key"),
    "make CSR": Step(plain("POST", "/generateCsr/{}", "{}"), 200, 200, "CSRGEN_DONE", "generateCsr", "make key"),
    "upload certificate": Step(upload("uploadCert", Api.signed), 200, 200, "INTCERT_UPLOAD_DONE", "uploadCert",
                               "make CSR"),
    "upload chain": Step(upload("uploadCertChain", lambda api, number: api.authority.pem()), 200, 200,
                         "CERTCHAIN_UPLOAD_DONE", "uploadCertChain", "upload certificate"),
    "finalize": Step(plain("POST", "/finalizeCert/{}"), 200, 403, "CERT_READY", "finalizeCert", "upload chain"),
    "disable": Step(plain("PUT", "/{}", '{"status": "DISABLED"}'), 200, 200, None, "setStatus", "finalize"),
    "delete": Step(plain("DELETE", "/{}"), 204, 404, None, "delete", "finalize"),
    "swap": Step(plain("PUT", "/makeDefault/{}"), 200, 200, None, "makeDefault"),
    "start": Step(plain("GET", "/{}"), 200, 200),
}
STEPS["make key, then give up"] = STEPS["make key"]
STEPS["refused swap"] = STEPS["swap"]


# ---- what there is ----

class Refuser:
    """An engine that cannot serve anything but what is present."""

    def __init__(self, path, epoch):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(str(path))
        self.socket.send(struct.pack(">BQH", HELLO, epoch, 1))

    def refuse(self):
        packet = self.socket.recv(MAX_PACKET)
        if packet and packet[0] == PREPARE:
            self.socket.send(bytes([PREPARED]) + packet[1:9] + b"\0\2no")

    def close(self):
        self.socket.close()


class SignerKey(typing.NamedTuple):
    installed: bool
    chain: list


def signer_keys(lab):
    """What the signer has, by key id."""
    found, at = {}, bytes(16)
    with Keys(lab) as keys:
        while True:
            try:
                reply = keys.call(LIST, at)
            except Refused:
                return found
            at, installed, label = reply[:16], reply[27], reply[28]
            num_certificates, chain, rest = reply[29 + label], [], reply[29 + label + 1:]
            while len(chain) < num_certificates:  # what is behind them names the token that holds the key
                length = struct.unpack(">H", rest[:2])[0]
                chain, rest = chain + [rest[2:2 + length]], rest[2 + length:]
            found[at] = SignerKey(bool(installed), chain)


class Rig:
    """A control plane, a signer and an engine with two intermediates that are ready, to be crashed and looked at."""

    def __init__(self, lab, stack):
        """What it starts is stopped with |stack|."""
        self.lab = lab
        self.authority = Authority("Crash Root")
        self.directory = pathlib.Path(lab.env["LAB_DIR"])
        self.roots = self.directory / "crash-roots.pem"
        self.roots.write_text(self.authority.pem() + pathlib.Path(lab.env["ROOT_PEM"]).read_text())
        self.context = client_context(str(self.roots))
        self.foreign = set(signer_keys(lab))  # the signer's own, and what other tests have left
        self.programs = stack.enter_context(contextlib.closing(Programs(lab)))
        self.control = stack.enter_context(ControlPlane(lab, self.programs.configure(subscription="hsm")))
        self.programs.control = self.control
        self.epoch_at_start = 0
        self.api = Api(self.control, self.authority)
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        self.ready = [self.walk("finalize") for _ in range(2)]
        self.settle()

    def close(self):
        self.api.done("PUT", f"{API}/makeDefault/{BUILT_IN}")
        for number in self.ready:
            self.api.done("DELETE", f"{API}/{number}", code=204)

    # -- walking --

    def walk(self, name):
        """A new intermediate, after the step |name|."""
        step = STEPS[name]
        if step.behind is None:
            return self.api.done(*step.request(self.api, next(_numbers)))["id"]
        number = self.walk(step.behind)
        self.api.done(*step.request(self.api, number), code=step.code)
        return number

    def subject(self, name):
        """What the step |name| is about: an id, or the number in the name of what is to be created."""
        if name == "create":
            return next(_numbers)
        if name in ("swap", "refused swap"):
            return self.ready[self.default()["id"] == self.ready[0]]
        return BUILT_IN if name == "start" else self.walk(STEPS[name].behind)

    def id_of(self, name, subject):
        """The id of what the step is about, None if there is none."""
        if name != "create":
            return subject
        return next((row["id"] for row in self.rows() if row["name"] == f"crash {subject}"), None)

    # -- looking --

    def query(self, *words):
        with contextlib.closing(sqlite3.connect(f"file:{self.directory}/control/control.db?mode=ro", uri=True)) as base:
            base.row_factory = sqlite3.Row
            return base.execute(*words).fetchall()

    def rows(self):
        return self.query("SELECT * FROM intermediate")

    def row(self, number):
        return next((row for row in self.rows() if row["id"] == number), None)

    def default(self):
        (row,) = self.query("SELECT * FROM default_issuer")
        return row

    def num_audited(self, step, number):
        if step.operation is None:
            return 0
        return self.query("SELECT count(*) FROM audit WHERE operation = ? AND object = ? AND outcome = 'done'",
                          (step.operation, f"intermediate/{number}"))[0][0]

    def is_done(self, name, subject):
        number = self.id_of(name, subject)
        row = number and self.row(number)
        if name == "delete":
            return row is None
        if name in ("swap", "refused swap"):
            return self.default()["id"] == subject
        if name == "disable":
            return row["status"] == "DISABLED"
        state = STEPS[name].state
        return row is not None and state is not None and STATES.index(row["state"]) >= STATES.index(state)

    # -- waiting, and checking --

    def settle(self):
        """Until the engine serves the database's epoch, and nothing is left to be tidied up."""
        wait_until(self.is_started, 60, "an engine that serves the present epoch")
        wait_until(lambda: not self.query(UNWANTED), 60, "the end of keys that nobody wants")

    def is_started(self):
        """Whether control has brought everything together, and the engine with it; it may die while it is asked."""
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError, sqlite3.Error):
            # Each start is a new epoch.
            return self.default()["epoch"] > self.epoch_at_start and self.is_told()
        return False

    def is_told(self):
        epoch = self.default()["epoch"]
        return any(one["epoch"] == epoch and not one["trouble"] for one in self.engines()) and (
            self.lab.metric(EPOCH) == epoch)

    def engines(self):
        return self.api.done("GET", "/mintgate/v1/publication")["engines"]

    def check(self):
        default = self.check_default()
        self.check_client(default)
        self.check_keys()
        self.check_files()
        for row in self.rows():
            for column, state in FILLED_FROM.items():
                is_due = STATES.index(row["state"]) >= STATES.index(state)
                is_builtin = row["id"] == BUILT_IN and column == "csr"
                assert (row[column] is not None) == (is_due and not is_builtin), (column, row["state"])

    def check_default(self):
        default = self.default()
        answer = self.control.default()
        assert (answer["id"], answer["epoch"]) == (default["id"], default["epoch"])
        listed = [one["id"] for one in self.api.done("GET", API) if one["defaultCertificate"]]
        assert listed == [default["id"]] and self.lab.metric(EPOCH) == default["epoch"]
        row = self.row(default["id"])
        assert (row["status"], row["state"]) == ("ENABLED", "CERT_READY")
        return row

    def check_client(self, default):
        chain = certificates(default["certificate"] + (default["chain"] or ""))

        def shown():
            handshake = s_client(self.lab, GOOD, roots=self.roots)
            return handshake.verdict == 0 and handshake.chain[1:]
        # The signer may have been away, and what it could not sign is remembered briefly. Roots are not sent.
        assert wait_until(shown, 30, "a client that is content") == [one for one in chain if one.issuer != one.subject]

    def check_keys(self):
        keys = signer_keys(self.lab)
        owned = {row["key_id"]: row for row in self.rows() if row["key_id"] is not None}
        assert set(owned) <= set(keys), "the signer has lost a key"
        # One that was asked for is found when it is asked for again.
        assert len(set(keys) - set(owned) - self.foreign) <= len(self.query("SELECT * FROM key_wish"))
        for key, row in owned.items():
            assert keys[key].installed == (row["state"] == "CERT_READY"), (row["id"], row["state"])
            if keys[key].installed:
                pem = row["certificate"] + (row["chain"] or "")
                assert keys[key].chain == [one.public_bytes(Encoding.DER) for one in certificates(pem)]

    def check_order(self, row):
        """After a start a key is destroyed once no engine knows its issuer any more."""
        if row.victim == CONTROL and "DESTROY" in self.programs.messages:
            assert "COMMITTED" in self.programs.messages[:self.programs.messages.index("DESTROY")]

    def check_files(self):
        left = [path for pattern in ("*.new.*", "*.destroyed") for where in ("", "signer", "signer/keys", "control")
                for path in (self.directory / where).glob(pattern)]
        assert not left

    # -- crashing --

    def connect_once(self, number):
        name = GOOD if number % 2 else f"crash{next(_numbers)}.fresh.lab.test"
        with connect_tls(self.lab, name, self.context) as client:
            client.sendall(request("/info"))
            assert client.recv(4096).startswith(b"HTTP/1.1 200")

    def ask(self, words, trap):
        """The request in question, as its client lives it: None if it was not answered."""
        try:
            connection = self.api.send(*words)
            select.select([connection.sock], [], [], 90)
            trap.answered()
            return self.api.receive(connection)
        except (OSError, http.client.HTTPException):
            return None

    def restart(self, program):
        self.programs.wait_for_end(program)
        if program == CONTROL:
            self.epoch_at_start = self.default()["epoch"]
        self.programs.start(program)

    def start_again(self, trap):
        """What "start" asks for."""
        self.control.stop(signal.SIGKILL)
        self.restart(CONTROL)
        wait_until(lambda: trap.sprung.is_set() or self.is_started(), 90, "a start")

    def perform(self, name, subject, trap):
        if name == "start":
            return self.start_again(trap)
        return self.ask(STEPS[name].request(self.api, subject), trap)

    def crash(self, row, nth):
        """One row; False if it has fewer than |nth| such system calls."""
        step, subject = STEPS[row.step], self.subject(row.step)
        refuser = contextlib.nullcontext()
        if row.step == "refused swap":
            refuser = contextlib.closing(Refuser(self.directory / "proxy-engine.sock", self.default()["epoch"]))
        number = self.id_of(row.step, subject)
        audited = self.num_audited(step, number)
        with refuser as other:
            if other is not None:
                wait_until(lambda: len(self.engines()) == 2, what="a second engine")
                self.pool.submit(other.refuse)
            with self.programs.armed(row, nth) as trap:
                answer = self.pool.submit(self.perform, row.step, subject, trap)
                killed = trap.wait(answer)
        if killed:
            self.restart(row.victim)
        answer = answer.result(120)
        self.settle()
        done = self.is_done(row.step, subject)
        if answer is not None:
            assert answer[0] == self.expected_code(row, done), answer
        if killed:
            assert done in {NOTHING: [False], DONE: [True], EITHER: [False, True]}[row.left]
        assert self.num_audited(step, self.id_of(row.step, subject)) - audited == int(done)
        self.check()
        self.check_order(row)
        self.ask_again(row, subject, done)
        return killed

    @staticmethod
    def expected_code(row, done):
        """What a request is answered by that outlived the crash."""
        if row.step == "refused swap":
            return ENGINE_NOT_READY
        if row.victim == SIGNER and row.left == EITHER and not done:
            return ENGINE_NOT_READY if row.step == "swap" else SERVICE_UNAVAILABLE
        return STEPS[row.step].code

    def ask_again(self, row, subject, done):
        """The step asked for again does it, or says what it says of one that is done."""
        if row.step in ("make key, then give up", "start", "refused swap"):
            return
        step = STEPS[row.step]
        code, answer = self.api.ask(*step.request(self.api, subject))
        assert code == (step.again if done else step.code), answer
        assert self.is_done(row.step, subject) == (step.operation is not None)
        self.check_default()
        self.check_keys()

    def tidy(self):
        """Takes away what a row has made, which leaves no key."""
        for one in self.rows():
            if one["id"] not in (BUILT_IN, *self.ready):
                self.api.done("DELETE", f"{API}/{one['id']}", code=204)
        wait_until(lambda: not self.query(UNWANTED), 60, "the end of keys that nobody wants")
        self.check_keys()


@pytest.fixture(scope="module")
def rig(lab):
    # Where the lab has a control plane of its own, that makes room.
    with getattr(lab, "without_control", contextlib.nullcontext)(), contextlib.ExitStack() as stack:
        made = Rig(lab, stack)
        yield made
        made.close()
        pathlib.Path(lab.env["LAB_DIR"], "published").unlink(missing_ok=True)
        lab.restart("engine")


def calls_of(row):
    """The numbers of the system calls that a row is run with."""
    return itertools.count(1) if isinstance(row.at, Write) and row.at.nth == EACH else [getattr(row.at, "nth", None)]


@pytest.mark.parametrize("row", [row for row in ROWS if row.always or ALL], ids=str)
def test_what_a_crash_leaves(rig, row):
    if isinstance(row.at, Write) and not can_trace():
        pytest.skip("nobody may trace here")
    with contextlib.ExitStack() as stack:
        traffic = stack.enter_context(Traffic(rig.connect_once)) if row.victim == CONTROL else None
        for nth in calls_of(row):
            killed = rig.crash(row, nth)
            rig.tidy()
            if not killed:
                break
    assert killed or nth > 1, "nothing was killed"
    assert traffic is None or traffic.failures == []


# ---- a first start ----

class FirstStart(typing.NamedTuple):
    """A program that starts for the first time, beside the lab's; its configuration, and whether it is ready."""
    program: str
    config: pathlib.Path
    ready: pathlib.Path  # a socket that it listens at in the end
    is_ready: typing.Callable[[pathlib.Path], bool]


def first_signer(lab, directory):
    config = directory / "mintgate.yaml"
    config.write_text(edited(lab.config, signer={
        "engine_socket": str(directory / "engine.sock"), "control_socket": str(directory / "control.sock"),
        "metrics_socket": str(directory / "metrics.sock"), "state_dir": str(directory / "state"),
        "key_encryption_key": str(directory / "kek")}))
    return FirstStart("hsm/mintgate-signer", config, directory / "control.sock", is_listening)


def first_control(lab, directory):
    config = directory / "mintgate.yaml"
    config.write_text(edited(lab.config, control={
        "database": str(directory / "state/control.db"), "socket": str(directory / "api.sock"),
        "engine_socket": str(directory / "engine.sock"), "metrics_socket": str(directory / "metrics.sock"),
        "certificate": str(directory / "state/server.pem"), "key": str(directory / "state/server.key"),
        "listen": "127.0.0.1:0"}))
    return FirstStart("control/program/mintgate-control", config, directory / "api.sock", has_joined)


def is_listening(path):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as stream:
        try:
            stream.connect(str(path))
        except OSError as error:
            return error.errno == errno.EPROTOTYPE  # a SOCK_SEQPACKET socket
        return True


def has_joined(path):
    """It serves before it has the signer, but not this."""
    return run("curl", "-sf", "--unix-socket", path, "http://localhost/health", check=False).returncode == 0


def run_until_ready(start, *before):
    """Whether it came to be ready; then it is stopped."""
    words = [*before, BUILD / start.program, "--config", start.config]
    with open(start.config.with_name("log"), "ab") as log:
        process = subprocess.Popen([str(word) for word in words], stderr=log)
    try:
        wait_until(lambda: start.is_ready(start.ready) or process.poll() is not None, 60, start.program)
        return process.poll() is None
    finally:
        process.terminate()
        process.wait(timeout=60)


def kill_first_start(lab, make, call, nth, directory):
    """Whether it was killed at the |nth| |call|; the next start is then a good one, which leaves nothing unfinished."""
    directory.mkdir()
    start = make(lab, directory)
    # -D: the program is the child that is waited for, and strace a grandchild
    survived = run_until_ready(start, "strace", "-D", "-f", "-o", "/dev/null", "-e", f"trace={call}",
                               f"--inject={call}:signal=KILL:when={nth}")
    start.ready.unlink(missing_ok=True)
    assert run_until_ready(start), "it does not start again"
    left = sorted(path.name for path in directory.rglob("*") if ".new." in path.name)
    assert not left, left
    return not survived


# The program, the system call, and every how manieth is a crash, where not all of them are.
FIRST_STARTS = [(first_signer, "rename", 4), (first_signer, "fsync", 9), (first_control, "rename", 2),
                (first_control, "fdatasync", 8), (first_control, "pwrite64", 60)]


@pytest.mark.parametrize("make, call, step", FIRST_STARTS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_first_start_that_is_cut_short_is_made_good_by_the_next(lab, tmp_path, make, call, step):
    if not can_trace():
        pytest.skip("nobody may trace here")
    for nth in itertools.count(1, 1 if ALL else step):
        if not kill_first_start(lab, make, call, nth, tmp_path / str(nth)):
            break
    assert nth > 1, "nothing was killed"
