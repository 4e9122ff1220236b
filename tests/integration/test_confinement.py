# SPDX-License-Identifier: Apache-2.0
"""What the running programs may do and who may read what they write.
That the engine maps one libcrypto: test_smoke.py."""

import os
import pathlib
import socket
import stat

import pytest

from controlplane import ControlPlane

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN = 10, 12
ENGINE_CAPABILITIES = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_NET_ADMIN
SECCOMP_FILTER = "2"  # SECCOMP_MODE_FILTER


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        yield made


@pytest.fixture
def asked_of_control(control):
    """A connection of control's that stays, so that a thread of such is looked at too."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control.socket))
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in client.recv(4096)
        yield control


@pytest.fixture(params=["engine", "signer", "control"])
def program(lab, asked_of_control, request):
    """Its process id, and the capabilities it may have."""
    if request.param == "engine":
        return lab.engine_pid(), ENGINE_CAPABILITIES
    return lab.signer_pid() if request.param == "signer" else asked_of_control.process.pid, 0


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_every_thread_is_confined(program):
    pid, allowed = program
    threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    assert threads
    for thread in threads:
        fields = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        assert fields["Seccomp"] == SECCOMP_FILTER and fields["NoNewPrivs"] == "1", fields["Name"]
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
            assert int(fields[kind], 16) & ~allowed == 0, (fields["Name"], kind)


def test_the_engine_keeps_what_adoption_needs_and_the_others_nothing(lab, control):
    for pid, capabilities in ((lab.engine_pid(), ENGINE_CAPABILITIES), (lab.signer_pid(), 0),
                              (control.process.pid, 0)):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert f"CapEff:\t{capabilities:016x}" in status


def test_no_core_is_dumped(program):
    pid, _ = program
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
    (core,) = [line.split() for line in limits if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


def test_the_engine_and_control_have_no_key_file_open(lab, control):
    state = lab.directory / "signer"
    for pid in (lab.engine_pid(), control.process.pid):
        names = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        assert not [name for name in names if name.startswith(str(state)) or name.endswith(".kek")]


def test_secrets_are_for_their_owner_alone(lab):
    state = lab.directory / "signer"
    keys = list((state / "keys").iterdir())
    assert len(keys) >= 6
    for path in (*keys, *(state / "journal").iterdir(), lab.directory / "signer.kek"):
        assert mode(path) == 0o600, path
    for path in (state / "keys", state / "journal"):
        assert mode(path) == 0o700, path
    assert mode(state / "root.pem") == 0o644  # what clients are given


def test_logs_and_sockets_are_for_owner_and_group(lab, control):
    assert mode(lab.env["SESSION_LOG"]) == 0o640
    for name in ("metrics.sock", "signer-engine.sock", "signer-metrics.sock", "control-metrics.sock"):
        assert mode(lab.directory / name) == 0o660, name
    # Keys are made and destroyed there, everything is changed, engines are told what to serve.
    for name in ("signer-control.sock", "control.sock", "control-engine.sock"):
        assert mode(lab.directory / name) == 0o600, name


def test_what_control_keeps_is_for_its_owner_alone(lab, control):
    directory = lab.directory / "control"
    assert mode(directory) == 0o700
    for path in directory.iterdir():
        assert mode(path) == 0o600, path


def test_no_private_key_is_stored_in_the_clear(lab):
    """Sealed: neither PEM nor PKCS #8's DER prefix for P-256 (RFC 5915, RFC 5958)."""
    for path in (lab.directory / "signer/keys").glob("*.key"):
        data = path.read_bytes()
        assert b"PRIVATE KEY" not in data and bytes.fromhex("2a8648ce3d030107") not in data
