# SPDX-License-Identifier: Apache-2.0
"""Intermediates expire: the default's successor takes over, with the control plane and without; where there is none,
connections go as control.on_issuer_expiry says, with an alarm; and nothing of an expired one is ever shown."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane import ControlPlane
from keyskit import Authority
from labkit import BUILD, run, wait_until
from tlskit import configured, counting, s_client

GOOD = "www.good.lab.test"
BUILT_IN = "Mintgate Issuing CA"
PASSED = "passed"  # without being intercepted
EXPIRED = "mintgate_minting_issuers_expired"
UNSERVED = "mintgate_minting_issuers_unserved"
# Seconds that a short-lived one lives. Where the machine is too slow to make it the default by then, a longer one is
# taken.
LIVES = (12, 40, 120)


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
    def ask(*words, check=True):
        result = run(BUILD / "control/ctl/mintgatectl", "--config", lab.env["CONFIG"], *words, check=False)
        assert not check or result.returncode == 0, (words, result.stdout, result.stderr)
        return result.stdout if check else result.returncode
    return ask


class Intermediates:
    """Makes them, and deletes them in the end."""

    def __init__(self, ctl, authority, directory):
        self.ctl, self.authority, self.directory = ctl, authority, directory
        self.names = []

    def make(self, name, lifetime=None, enabled=True):
        """A ready one; its id."""
        self.ctl("intermediate", "create", name, *(["--enabled"] if enabled else []))
        self.names.append(name)
        self.ctl("intermediate", "keygen", name)
        request = x509.load_pem_x509_csr(self.ctl("intermediate", "csr", name).encode())
        signed = self.directory / "signed.pem"
        signed.write_bytes(self.authority.certify(request, lifetime=lifetime).public_bytes(Encoding.PEM))
        self.ctl("intermediate", "upload-cert", name, signed)
        self.ctl("intermediate", "finalize", name)
        return json.loads(self.ctl("intermediate", "show", name, "--json"))["id"]

    def make_default(self, name, successor=None):
        """A default that expires soon; its name."""
        for lifetime in LIVES:
            called = f"{name} {lifetime}"
            number = self.make(called, lifetime)
            if successor:
                self.ctl("successor", "set", str(number), str(successor))
            if self.ctl("intermediate", "default", str(number), check=False) == 0:
                return called, number
        raise AssertionError("the machine is too slow")


@pytest.fixture
def intermediates(ctl, control, authority, tmp_path):
    made = Intermediates(ctl, authority, tmp_path)
    yield made
    ctl("intermediate", "default", "1")
    for name in made.names:
        ctl("intermediate", "delete", name)


def shown(lab, roots, name=GOOD):
    """Who a client sees: the name of an intermediate that has not expired, whose leaf does not outlive it; or that its
    connection was passed. A handshake that fails fails the test."""
    handshake = s_client(lab, name, roots=roots)
    assert handshake.verdict == 0, handshake.text
    leaf = handshake.chain[0]
    if "Lab Origin" in leaf.issuer.rfc4514_string():
        return PASSED
    issuer = handshake.chain[1]
    assert issuer.not_valid_after >= datetime.datetime.utcnow()
    assert leaf.not_valid_after <= issuer.not_valid_after
    (common_name,) = (one.value for one in issuer.subject if one.rfc4514_attribute_name == "CN")
    return BUILT_IN if common_name.startswith(BUILT_IN) else common_name


def health(lab):
    return json.loads(lab.get("/health"))


def test_the_successor_is_the_default_before_the_default_expires(lab, control, ctl, intermediates, roots):
    name, number = intermediates.make_default("Short", successor=1)
    assert "Short" in ctl("successor", "show") and "days left" in ctl("intermediate", "list")
    seen = set()

    def is_succeeded():
        seen.add(shown(lab, roots))
        return control.default()["id"] != number
    with counting(lab) as counts:
        wait_until(is_succeeded, seconds=180, what="another default")
        assert shown(lab, roots) == BUILT_IN
    assert seen <= {name, BUILT_IN} and counts["ways_out"] == {}
    assert control.default()["id"] == 1
    code, entries = control.get("/mintgate/v1/audit?max=20")
    by_itself = [one for one in entries if one["actor"] == "mintgate-control" and one["operation"] == "makeDefault"]
    assert code == 200 and by_itself[0]["object"] == "intermediate/1"
    assert "is the default now" in control.log.read_text()


def test_without_a_control_plane_the_engine_goes_on_to_the_successor(lab, control, intermediates, roots):
    """The successor is not even enabled: it was published as a reserve."""
    reserve = intermediates.make("Reserve", enabled=False)
    intermediates.make_default("Short", successor=reserve)
    control.stop()
    try:
        wait_until(lambda: lab.metric(EXPIRED) == 1, seconds=150, what="the default's expiry")
        assert shown(lab, roots) == "Reserve" and lab.metric(UNSERVED) == 0
        assert health(lab) == {"status": "ok", "alarms": []}
    finally:
        control.start()
    wait_until(lambda: control.default()["id"] == reserve, seconds=60, what="the successor as the default")
    wait_until(lambda: lab.metric("mintgate_dataplane_published_epoch") == control.default()["epoch"],
               what="the engine to hear of it")
    assert shown(lab, roots) == "Reserve"


def assert_alarm(lab, control, ctl, roots):
    """Nobody signs: connections pass, and everybody says so."""
    lab.mark()
    with counting(lab) as counts:
        assert shown(lab, roots) == PASSED
    assert counts["ways_out"] == {"issuer_expired": 1} and counts["decisions"] == {}
    (record,) = lab.records(reason="issuer_expired")
    assert record["action"] == "bypass"
    assert health(lab) == {"status": "alarm", "alarms": ["issuer_expired"]}
    assert lab.metric("mintgate_minting_issuer_remaining_seconds") == 0
    assert "ALARM issuer_expired: " in lab.engine_log()
    status = ctl("status")
    assert "ALARM" in status and "EXPIRED" in status and "nobody signs" in status
    assert "EXPIRED" in ctl("intermediate", "list")
    wait_until(lambda: "ALARM issuer_expired: " in control.log.read_text(), what="the control plane's word")


def test_without_a_successor_connections_go_as_configured_with_an_alarm(lab, control, ctl, intermediates, roots):
    name, number = intermediates.make_default("Short")
    wait_until(lambda: lab.metric(UNSERVED) == 1, seconds=150, what="the default's expiry")
    assert_alarm(lab, control, ctl, roots)
    control.stop()
    lab.restart("engine")  # what it kept is expired: the signer's own default takes no place that is not its own
    try:
        wait_until(lambda: lab.metric(UNSERVED) == 1, what="the engine to see it again")
        assert shown(lab, roots) == PASSED
    finally:
        control.start()
    with configured(lab, control={"on_issuer_expiry": "block"}):
        lab.mark()
        assert s_client(lab, GOOD, roots=roots).verdict is None
        (record,) = lab.records(reason="issuer_expired")
        assert record["action"] == "block"
    ctl("successor", "set", str(number), "1")  # late is better than never
    wait_until(lambda: control.default()["id"] == 1, seconds=60, what="the successor as the default")
    assert shown(lab, roots) == BUILT_IN

    own, other = "own.fresh.lab.test", "other.fresh.lab.test"
    rules = [{"name": "own", "sni": [own], "action": "intercept", "issuer": name},
             {"name": "rest", "action": "intercept"}]
    with configured(lab, policy={"rules": rules}):
        assert shown(lab, roots, own) == shown(lab, roots, other) == BUILT_IN
        ctl("successor", "clear", str(number))
        wait_until(lambda: lab.metric(UNSERVED) == 1, what="the engine to hear of it")
        assert shown(lab, roots, own) == PASSED and shown(lab, roots, other) == BUILT_IN
        explained = json.loads(ctl("policy", "explain", "--name", own, "--json"))
        assert (explained["action"], explained["reason"]) == ("bypass", "issuer_expired")
    ctl("intermediate", "disable", str(number))
    wait_until(lambda: health(lab)["status"] == "ok", what="the end of the alarm")
