# SPDX-License-Identifier: Apache-2.0
"""Servers that cannot be intercepted: the first connection fails cleanly, later ones pass where policy learns from it.
And servers that are weaker than what their client would accept."""

import json

import pytest

from labkit import wait_until
from tlskit import configured, counting, s_client

HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
MTLS, OLD, OLDER_THAN_CLIENT = "mtls.lab.test", "tls10.lab.test", "tls12.lab.test"


def page(lab, name, *options):
    """The page of a name by curl with the client's certificate, or what went wrong."""
    env = lab.env
    result = lab.curl("--cert", env["CLIENT_CERT_PEM"], "--key", env["CLIENT_CERT_KEY"], "--cacert", env["ROOT_PEM"],
                      "--connect-to", f"::{env['SERVER_IP4']}:443", *options, f"https://{name}/info", check=False)
    return json.loads(result.stdout) if result.returncode == 0 else result.stderr


def fails_cleanly(lab, name, reason, alert=HANDSHAKE_FAILURE, *options):
    """A connection that ends with an alert, and its record."""
    lab.mark()
    shown = s_client(lab, name, *options)
    assert shown.chain == [] and f"SSL alert number {alert}" in shown.text, shown.text
    (record,) = lab.records(sni=name)
    assert (record["action"], record["reason"]) == ("intercept", reason)


def bypasses(lab):
    return json.loads(lab.get("/bypasses"))


@pytest.fixture(scope="module", params=["TLS 1.2", "TLS 1.3"])
def version(request):
    return {"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"}[request.param]


def test_a_server_that_asks_for_a_client_certificate_is_blocked(lab, version):
    with counting(lab) as counts:
        for _ in range(2):
            fails_cleanly(lab, MTLS, "client_certificate_asked", HANDSHAKE_FAILURE, version)
    assert counts["ways_out"] == {"not_interceptable": 2} and counts["sessions"] == {"upstream_failed": 2}
    assert bypasses(lab) == [] and counts["requested"] == 0


def test_a_server_that_shares_no_parameters_is_blocked(lab):
    with counting(lab) as counts:
        fails_cleanly(lab, OLD, "no_shared_parameters")
    assert counts["ways_out"] == {"not_interceptable": 1} and bypasses(lab) == []


@pytest.fixture
def learning(lab):
    """An engine that remembers such servers, two at most, and has learned of none."""
    with configured(lab, "engine", policy={"not_interceptable": "bypass", "not_interceptable_entries": 2}):
        yield lab


def test_later_connections_to_such_a_server_pass(learning, version):
    lab = learning
    fails_cleanly(lab, MTLS, "client_certificate_asked", HANDSHAKE_FAILURE, version)
    lab.mark()
    with counting(lab) as counts:
        for _ in range(3):
            assert page(lab, MTLS)["sni"] == MTLS
    assert counts["ways_out"] == {"learned_bypass": 3} and counts["adoptions"] == {}
    assert [record["action"] for record in lab.records(3, reason="learned_bypass")] == ["bypass"] * 3
    (learned,) = bypasses(lab)
    assert 0 < learned.pop("seconds_left") <= 600
    assert learned == {"server": lab.env["SERVER_IP4"], "port": 443, "sni": MTLS, "reason": "client_certificate_asked"}
    assert lab.metric("mintgate_dataplane_learned_bypasses") == 1
    with configured(lab, policy={"not_interceptable": "block"}):
        fails_cleanly(lab, MTLS, "client_certificate_asked", HANDSHAKE_FAILURE, version)  # nothing is let pass any more
    # Neither another address, nor another name, nor the bad server of the name passes.
    fails_cleanly(lab, MTLS, "client_certificate_asked", HANDSHAKE_FAILURE,
                  "-connect", f"[{lab.env['SERVER_IP6']}]:443")
    assert s_client(lab, "www.good.lab.test").verdict == 0


def test_what_is_learned_is_bounded_and_expires(learning):
    lab = learning
    with configured(lab, policy={"not_interceptable_time": "4s"}), counting(lab) as counts:
        fails_cleanly(lab, OLD, "no_shared_parameters")
        for i in range(3):
            fails_cleanly(lab, f"n{i}.{MTLS}", "client_certificate_asked")
            assert len(bypasses(lab)) <= 2
        assert lab.metric("mintgate_dataplane_learned_bypasses") <= 2
        assert page(lab, f"n2.{MTLS}")["sni"] == f"n2.{MTLS}"  # the newest has room
        wait_until(lambda: bypasses(lab) == [], what="the end of what was learned")
        fails_cleanly(lab, f"n2.{MTLS}", "client_certificate_asked")
    assert counts["ways_out"] == {"not_interceptable": 5, "learned_bypass": 1}


def test_what_is_learned_does_not_overrule_a_rule(learning):
    lab = learning
    fails_cleanly(lab, MTLS, "client_certificate_asked")
    rule = {"name": "no", "sni": [MTLS], "action": "block", "block_with": "reset"}
    with configured(lab, policy={"rules": [rule]}), counting(lab) as counts:
        assert "reset" in page(lab, MTLS)
    assert counts["decisions"] == {"block": 1} and counts["ways_out"] == {}


# ---- weaker than the client ----

def test_a_server_weaker_than_the_clients_minimum_is_refused(learning):
    """And is not learned: nothing is wrong with it, and its other clients are to be inspected."""
    lab = learning
    with counting(lab) as counts:
        fails_cleanly(lab, OLDER_THAN_CLIENT, "weaker_upstream", PROTOCOL_VERSION, "-tls1_3")
    assert counts["sessions"] == {"upstream_failed": 1} and counts["ways_out"] == {} and bypasses(lab) == []
    assert s_client(lab, OLDER_THAN_CLIENT).verdict == 0  # offers TLS 1.2 too


def test_a_server_weaker_than_the_clients_minimum_is_accepted_by_choice(lab):
    lab.mark()
    with configured(lab, tls={"weaker_upstream": "allow"}):
        assert s_client(lab, OLDER_THAN_CLIENT, "-tls1_3").verdict == 0
    (record,) = lab.records(sni=OLDER_THAN_CLIENT)
    assert (record["client_version"], record["server_version"]) == ("TLSv1.3", "TLSv1.2")
