# SPDX-License-Identifier: Apache-2.0
"""Servers that do not verify: told apart, handled as policy says, and never shown with a clean leaf."""

import contextlib
import ipaddress
import ssl

import pytest

from labkit import run
from tlskit import (certificates, client_context, configured, connect_tls, counting, names_of, read_all, request,
                    s_client)

# What each origin is found guilty of; expired.lab.test, for one, is good otherwise.
BAD = {
    "expired": "expired",
    "notyet": "not_yet_valid",
    "wrongname": "wrong_name",
    "cnonly": "wrong_name",
    "selfsigned": "self_signed",
    "untrusted": "unknown_issuer",
    "incomplete": "missing_intermediate",
    "weaksig": "weak_signature",
    "weakkey": "weak_key",
}
ACCESS_DENIED = 49  # RFC 8446 section 6.2
GOOD = "www.good.lab.test"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def forwarding(lab):
    """Bad servers are shown with a leaf of the forward-untrust issuer."""
    with configured(lab, policy={"bad_upstream": "forward-untrust"}):
        yield lab


@contextlib.contextmanager
def blocked(lab, verdict):
    """What is inside meets a bad server and is blocked, and nothing is minted."""
    lab.mark()
    with counting(lab) as counts:
        yield
    assert counts["chains"] == {verdict: 1} and counts["ways_out"] == {"bad_upstream": 1}
    assert counts["sessions"] == {"upstream_failed": 1} and counts["requested"] == 0 and counts["hits"] == 0
    (record,) = lab.records()
    assert (record["action"], record["reason"], record["upstream_verdict"]) == ("block", verdict, verdict)
    assert "issuer" not in record and "leaf_serial" not in record


@contextlib.contextmanager
def shown_untrusted(lab, verdict):
    """What is inside meets a bad server, and its client gets a leaf that it should not trust."""
    lab.mark()
    with counting(lab) as counts:
        yield
    assert counts["chains"] == {verdict: 1} and counts["ways_out"] == {"bad_upstream": 1}
    (record,) = lab.records()
    assert (record["action"], record["upstream_verdict"], record["issuer"]) == ("intercept", verdict, "untrust")


def trusted(lab, name=GOOD, **where):
    lab.mark()
    assert s_client(lab, name, **where).verdict == 0
    (record,) = lab.records()
    assert (record["upstream_verdict"], record["issuer"]) == ("ok", "trust")


def refused(lab, *options, **where):
    shown = s_client(lab, *options, **where)
    assert shown.chain == [] and f"SSL alert number {ACCESS_DENIED}" in shown.text, shown.text


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_blocked(lab, name, version):
    with blocked(lab, BAD[name]):
        refused(lab, f"{name}.lab.test", version)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_shown_with_an_untrusted_leaf_of_its_own_names(forwarding, name):
    lab = forwarding
    with shown_untrusted(lab, BAD[name]):
        shown = s_client(lab, f"{name}.lab.test", roots=lab.env["ROOT_PEM"])
    assert shown.verdict not in (0, None), shown.text
    leaf = shown.chain[0]
    assert "ntrust" in leaf.issuer.rfc4514_string()
    with open(f"{lab.env['PKI_DIR']}/servers/{name}.lab.test.pem") as pem:
        servers = certificates(pem.read())[0]
    # One that has no names gets a leaf all the same, which nobody trusts either: for its common name.
    assert names_of(leaf) == (names_of(servers) or {("DNS", f"{name}.lab.test")})
    root = certificates(open(lab.env["MINTGATE_ROOT_PEM"]).read())[0]
    assert root not in shown.chain and all(link.issuer != root.subject for link in shown.chain)


@pytest.mark.parametrize("family", ["4", "6"])
def test_a_name_that_was_good_a_second_ago_is_bad_at_another_address(lab, family):
    impostor = lab.env[f"IMPOSTOR_IP{family}"]
    impostor = f"[{impostor}]:443" if family == "6" else f"{impostor}:443"
    trusted(lab)
    with blocked(lab, "unknown_issuer"):
        refused(lab, GOOD, connect_to=impostor)
    with configured(lab, policy={"bad_upstream": "forward-untrust"}):
        trusted(lab)
        with shown_untrusted(lab, "unknown_issuer"):
            assert s_client(lab, GOOD, connect_to=impostor).verdict not in (0, None)
        trusted(lab)


def test_a_missing_intermediate_is_filled_and_learned(lab):
    name = "incomplete.lab.test"
    missing = f"{lab.env['PKI_DIR']}/missing-intermediates.pem"
    with configured(lab, "engine", tls={"intermediates": missing}):
        with counting(lab) as counts:
            trusted(lab, name)
        assert counts["chains"] == {"ok": 1} and counts["minted"] == 1
        with configured(lab, tls={"intermediates": ""}), counting(lab) as counts:
            trusted(lab, name)
        assert counts["chains"] == {"ok": 1}
    with blocked(lab, "missing_intermediate"):
        refused(lab, name)


# ---- resumption ----

class Ticket:
    """A client with a session of GOOD that it resumes, where it is let."""

    def __init__(self, lab, version):
        self._lab = lab
        self._context = client_context(lab.env["MINTGATE_ROOT_PEM"], version)
        assert not self.resumed(session=None)

    def resumed(self, name=GOOD, **how):
        """Connects, and tells whether that resumed the session; keeps the newest session."""
        how.setdefault("session", getattr(self, "session", None))
        self._lab.mark()
        with connect_tls(self._lab, name, self._context, **how) as connection:
            connection.sendall(request("/info"))
            assert b"200 OK" in read_all(connection)
            self.session, reused = connection.session, connection.session_reused
        (self.record,) = self._lab.records()
        assert self.record["resumed"] == reused
        return self.record["resumed"]


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def ticket(lab, request):
    return Ticket(lab, request.param)


def test_a_session_is_resumed_at_the_server_where_it_was_made(lab, ticket):
    with counting(lab) as counts:
        assert ticket.resumed()
    assert counts["resumed"] == 1 and counts["chains"] == {"remembered": 1}
    assert ticket.record["upstream_verdict"] == "ok"


@pytest.fixture(scope="module")
def other_address(lab):
    """An address at which the same server is, with the same certificates."""
    address = str(ipaddress.ip_address(lab.env["SERVER_IP4"]) + 7)
    run("ip", "-n", lab.env["SERVER_NS"], "address", "add", f"{address}/16", "dev", "eth0")
    yield address
    run("ip", "-n", lab.env["SERVER_NS"], "address", "delete", f"{address}/16", "dev", "eth0")


def test_a_session_is_not_resumed_at_another_address_for_another_name_or_after_a_reload(lab, ticket, other_address):
    with counting(lab) as counts:
        assert not ticket.resumed(address=other_address)
        assert not ticket.resumed()
        assert not ticket.resumed("another.good.lab.test")
        assert not ticket.resumed()
        lab.reload()
        assert not ticket.resumed()
        assert ticket.resumed()
    assert counts["resumed"] == 1


def test_a_resumed_session_waits_for_the_server_to_be_verified(lab, ticket):
    with blocked(lab, "unknown_issuer"), pytest.raises(ssl.SSLError) as error:
        ticket.resumed(address=lab.env["IMPOSTOR_IP4"])
    assert "ACCESS_DENIED" in error.value.reason


def test_a_resumed_session_does_not_vouch_for_a_bad_server(forwarding, ticket):
    lab = forwarding
    assert ticket.resumed()
    with shown_untrusted(lab, "unknown_issuer"), pytest.raises(ssl.SSLCertVerificationError):
        ticket.resumed(address=lab.env["IMPOSTOR_IP4"])


def test_a_remembered_chain_is_good_for_its_own_names_only(lab):
    """The chain of *.lab.test, verified for one of its names, asked for by one that it does not cover."""
    trusted(lab, "covered.lab.test")
    with blocked(lab, "wrong_name"):
        refused(lab, "not.covered.lab.test")
    with counting(lab) as counts:
        trusted(lab, "likewise.lab.test")
    assert counts["chains"] == {"remembered": 1}
