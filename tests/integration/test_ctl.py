# SPDX-License-Identifier: Apache-2.0
"""mintgatectl against the real control plane: the life of an intermediate through to a client that sees it, how it
fails, and the kill switch without a control plane."""

import json
import os
import pathlib
import pty
import signal
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane import ControlPlane
from keyskit import Authority
from labkit import BUILD, run, wait_until
from tlskit import s_client

GOOD = "www.good.lab.test"
DONE, REFUSED, USAGE, UNREACHABLE = range(4)
SWITCH = "mintgate_dataplane_kill_switch_seconds"


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        yield made
        made.ask("PUT", "/zia/api/v1/intermediateCaCertificate/makeDefault/1")


@pytest.fixture(scope="module")
def authority():
    return Authority("Corporate Root")


@pytest.fixture
def ctl(lab):
    """Runs mintgatectl, which must end with |code|; its output, and its error's text if it failed."""
    def ask(*words, code=DONE):
        result = run(BUILD / "control/ctl/mintgatectl", "--config", lab.env["CONFIG"], *words, check=False)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        assert "Sanitizer" not in result.stderr
        return result.stderr if code else result.stdout
    return ask


@pytest.fixture
def certificates(ctl, control):
    """Takes names of intermediates to be deleted afterwards."""
    names = []
    yield names
    ctl("intermediate", "default", "1")
    for name in names:
        ctl("intermediate", "delete", name)


def shown(lab, authority, directory):
    """The name of the intermediate that a client sees."""
    roots = directory / "roots.pem"
    roots.write_text(authority.pem() + pathlib.Path(lab.env["ROOT_PEM"]).read_text())
    handshake = s_client(lab, GOOD, roots=str(roots))
    assert handshake.verdict == 0, handshake.text
    return handshake.chain[1].subject.rfc4514_string()


def test_the_whole_life_to_a_client_that_sees_the_new_intermediate(lab, ctl, certificates, authority, tmp_path):
    name = "Ctl Inspection CA"
    csr, signed, chain = tmp_path / "csr.pem", tmp_path / "signed.pem", tmp_path / "chain.pem"
    assert "GENERAL_DONE" in ctl("intermediate", "create", name, "--enabled", "--description", "by a test")
    certificates.append(name)
    made = json.loads(ctl("intermediate", "show", name, "--json"))
    assert (made["keyType"], made["type"], made["status"], made["description"]) == (
        "EC_P256", "CUSTOM_SW", "ENABLED", "by a test")
    number = str(made["id"])
    assert f"Next: mintgatectl intermediate csr {number}\n" in ctl("intermediate", "keygen", number)
    assert ctl("intermediate", "public-key", name).startswith("-----BEGIN PUBLIC KEY-----")
    ctl("intermediate", "csr", name, "--cn", name, "--o", "Lab", "--c", "DE", "--path-length", "0", "--out", csr)
    assert ctl("intermediate", "download-csr", name) == csr.read_text()
    request = x509.load_pem_x509_csr(csr.read_bytes())
    assert {"CN=Ctl Inspection CA", "O=Lab", "C=DE"} <= set(request.subject.rfc4514_string().split(","))
    signed.write_bytes(authority.certify(request).public_bytes(Encoding.PEM))
    chain.write_text(authority.pem())
    assert "INTCERT_UPLOAD_DONE" in ctl("intermediate", "upload-cert", name, signed)
    assert "CERTCHAIN_UPLOAD_DONE" in ctl("intermediate", "upload-chain", name, chain)
    assert "CERT_READY" in ctl("intermediate", "finalize", name)
    assert ctl("intermediate", "default", name) == f"{name} ({number}) is the default now.\n"
    assert name in shown(lab, authority, tmp_path)
    assert f"{name} ({number}), expires 20" in ctl("status").splitlines()[0]
    assert "is the default now" in ctl("intermediate", "default", "--previous")
    assert "Mintgate Issuing CA" in shown(lab, authority, tmp_path)
    assert "DISABLED" in ctl("intermediate", "disable", name)
    assert "ENABLED" in ctl("intermediate", "enable", name)


@pytest.fixture
def ready(ctl, certificates, authority, tmp_path):
    """The name of an intermediate that only has to be made the default."""
    name, signed = "ready", tmp_path / "ready.pem"
    ctl("intermediate", "create", name, "--enabled")
    certificates.append(name)
    ctl("intermediate", "keygen", name)
    request = x509.load_pem_x509_csr(ctl("intermediate", "csr", name).encode())
    signed.write_bytes(authority.certify(request).public_bytes(Encoding.PEM))
    ctl("intermediate", "upload-cert", name, signed)
    ctl("intermediate", "finalize", name)
    return name


def test_a_terminal_is_shown_how_far_minting_ahead_has_come(lab, ready):
    """An engine that stands still keeps the publication under way long enough to be looked at."""
    ours, theirs = pty.openpty()
    os.kill(lab.engine_pid(), signal.SIGSTOP)
    try:
        process = subprocess.Popen([BUILD / "control/ctl/mintgatectl", "--config", lab.env["CONFIG"], "intermediate",
                                    "default", ready], stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        text = os.read(ours, 4096)
    finally:
        os.kill(lab.engine_pid(), signal.SIGCONT)
    assert text.startswith(b"\rminting ahead: 0 of "), text
    assert process.communicate(timeout=60)[0].startswith("ready (") and process.returncode == DONE
    os.close(ours)


def test_json_is_json_and_says_what_the_tables_say(lab, ctl, control):
    (builtin,) = [one for one in json.loads(ctl("intermediate", "list", "--json")) if one["id"] == 1]
    table = ctl("intermediate", "list").splitlines()
    assert table[0].startswith("ID  NAME") and builtin["name"] in table[1] and table[1].endswith("  default")
    status = json.loads(ctl("status", "--json"))
    assert status["default"]["id"] == 1
    assert [one["epoch"] for one in status["publication"]["engines"]] == [status["default"]["epoch"]]
    assert set(status["metrics"]) >= {"killSwitchSeconds", "sessions", "cacheHits", "cacheMisses"}
    assert f"serves epoch {status['default']['epoch']}\n" in ctl("status")
    pem = ctl("root")
    assert x509.load_pem_x509_certificate(pem.encode()) and json.loads(ctl("root", "--json"))["pem"] == pem
    entries = json.loads(ctl("audit", "--max", "1", "--json"))
    assert len(entries) == 1 and entries[0]["operation"] in ctl("audit", "--max", "1")


@pytest.mark.parametrize("words", [
    [], ["intermediate"], ["intermediate", "dance"], ["nothing"], ["intermediate", "show"], ["status", "now"],
    ["intermediate", "show", "1", "2"], ["intermediate", "show", ""], ["--no-such-option", "status"],
    ["status", "--force"], ["intermediate", "create", "x", "--type", "wood"], ["intermediate", "default"],
    ["intermediate", "default", "1", "--previous"], ["intermediate", "csr", "1", "--path-length", "9"],
    ["audit", "--max", "0"], ["audit", "--max", "many"], ["bypass", "on"], ["bypass", "on", "--for", "soon"],
    ["bypass", "on", "--for", "0"], ["bypass", "on", "--for", "367d"],
    ["bypass", "on", "--for", "1m", "--reason", "a\nb"],
])
def test_wrong_usage(ctl, words):
    assert "Try mintgatectl --help." in ctl(*words, code=USAGE)


def test_help_of_a_noun_has_its_commands_alone(ctl):
    assert "intermediate keygen ID" in ctl("--help") and "bypass on" in ctl("--help")
    assert "intermediate keygen ID" in ctl("intermediate", "--help")
    assert "intermediate keygen ID" not in ctl("bypass", "--help")


def test_what_the_server_refuses_is_a_sentence_and_what_to_do(ctl, certificates, tmp_path):
    for unknown in ("4711", "no such name"):
        assert "intermediate list" in ctl("intermediate", "show", unknown, code=REFUSED)
    ctl("intermediate", "create", "once")
    certificates.append("once")
    assert "Choose another name." in ctl("intermediate", "create", "once", code=REFUSED)
    assert "tells the state" in ctl("intermediate", "finalize", "once", code=REFUSED)
    ctl("intermediate", "delete", "1", code=REFUSED)
    assert "missing.pem" in ctl("intermediate", "upload-cert", "once", tmp_path / "missing.pem", code=REFUSED)


def test_the_kill_switch_with_the_control_plane_down(lab, ctl, control):
    control.stop()
    try:
        assert "nobody answers" in ctl("status", code=UNREACHABLE)
        assert json.loads(ctl("bypass", "show", "--json")) == {"on": False}
        before = int(time.time())
        assert "bypass is on until" in ctl("bypass", "on", "--for", "30m", "--reason", "a bad day")
        wait_until(lambda: lab.metric(SWITCH) > 0, what="the switch to be on")
        told = json.loads(ctl("bypass", "show", "--json"))
        assert told["on"] and 0 <= told["until"] - before - 1800 <= 60 and told["note"].endswith(": a bad day")
        assert "Lab Origin" in s_client(lab, GOOD).chain[0].issuer.rfc4514_string()
        assert ctl("bypass", "off") == "bypass is off\n"
        wait_until(lambda: lab.metric(SWITCH) == 0, what="the switch to be off")
    finally:
        ctl("bypass", "off")
        control.start()


def test_a_control_plane_that_nobody_started(ctl, tmp_path):
    assert "mintgate-control running?" in ctl("--socket", tmp_path / "none.sock", "status", code=UNREACHABLE)


def test_a_switch_that_the_engine_ignores_is_not_called_on(lab, ctl):
    path = pathlib.Path(lab.env["LAB_DIR"], "bypass")
    path.write_text("tomorrow\n")
    try:
        assert "engine ignores the file" in ctl("bypass", "show", code=REFUSED)
    finally:
        path.unlink()
