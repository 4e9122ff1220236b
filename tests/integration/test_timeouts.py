# SPDX-License-Identifier: Apache-2.0
"""Nobody holds a session for ever: handshakes, idle connections and half-open ones end by time. Each test waits for a
record and says what is in it; none says when. And SIGTERM lets what runs finish."""

import os
import signal
import ssl

import pytest

from labkit import wait_until
from tlskit import client_hello, configured, connect, connect_tls, counting, read_all, request, s_client
from tlspeers import intercepted_peers


@pytest.fixture(scope="module")
def peers_of_module(lab, tmp_path_factory):
    """An engine without patience."""
    sessions = {"handshake_timeout": "700ms", "idle_timeout": "1s", "linger": "300ms"}
    with intercepted_peers(lab, tmp_path_factory.mktemp("keys"), "engine", sessions=sessions) as peers:
        yield peers


@pytest.fixture
def peers(peers_of_module):
    yield peers_of_module
    peers_of_module.close()


@pytest.fixture
def hasty_lab(peers):
    return peers.lab


def test_a_server_that_does_not_answer_the_hello(hasty_lab):
    hasty_lab.mark()
    with counting(hasty_lab) as counts:
        with pytest.raises(ssl.SSLError, match="ALERT_INTERNAL_ERROR"):
            connect_tls(hasty_lab, "silent.lab.test")
    (record,) = hasty_lab.records(sni="silent.lab.test")
    assert record["reason"] == "handshake_timeout" and "server_version" not in record
    assert counts["sessions"] == {"handshake_timeout": 1}


def test_a_client_that_does_not_finish_its_handshake(hasty_lab):
    hasty_lab.mark()
    with counting(hasty_lab) as counts, connect(hasty_lab) as raw:
        raw.sendall(client_hello("www.good.lab.test"))
        assert len(read_all(raw)) > 1000  # the server's flight, an alert, and the end
    (record,) = hasty_lab.records(sni="www.good.lab.test")
    assert record["reason"] == "handshake_timeout" and record["server_version"] == "TLSv1.3"
    assert counts["sessions"] == {"handshake_timeout": 1}


def test_a_connection_without_a_byte(peers):
    client, server = peers.connect()
    client.send(b"not idle yet")
    assert server.read_exactly(12) == b"not idle yet"
    (record,) = peers.lab.records(sni=peers.name, reason="idle_timeout")
    assert record["bytes_from_client"] == 12
    assert client.read()[0] == server.read()[0] == b""


def test_a_connection_that_trickles_is_not_idle(peers):
    """A byte from time to time, from one side alone, for longer than the timeout."""
    client, server = peers.connect()
    for _ in range(8):
        server.send(b".")
        assert client.read_exactly(1) == b"."
        with pytest.raises(AssertionError, match="did not come about"):
            wait_until(client.has_fin, 0.25)
    client.close_notify()
    server.close_notify()
    (record,) = peers.lab.records(sni=peers.name)
    assert record["reason"] == "rule" and record["bytes_from_server"] == 8


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_half_closed_connection_whose_other_end_never_comes(peers, first):
    ends = peers.connect()
    one, other = ends if first == "client" else ends[::-1]
    one.close_notify()
    assert other.read() == (b"", "close_notify")
    (record,) = peers.lab.records(sni=peers.name)
    assert record["reason"] == "linger_timeout"
    assert one.read()[0] == b""


def test_sigterm_lets_running_transfers_finish_and_new_flows_pass(lab):
    with configured(lab, "engine", sessions={"drain": "2s"}):
        running = connect_tls(lab, "www.good.lab.test")
        running.sendall(request("/slow?ms=500"))
        endless = connect_tls(lab, "endless.good.lab.test")
        lab.mark()
        pid = lab.engine_pid()
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: "draining: 2 sessions" in lab.engine_log(), what="the drain")
        passed = s_client(lab, "www.good.lab.test", roots=lab.env["ORIGIN_ROOT_PEM"])
        assert passed.verdict == 0 and "Lab Origin Intermediate" in str(passed.chain[0].issuer)
        assert lab.metric("mintgate_dataplane_ways_out_total", 'reason="draining"') == 1
        assert read_all(running).endswith(b"at last\n")
        wait_until(lambda: lab.engine_log().endswith("ended\n"), what="the engine's end")
        with pytest.raises(ssl.SSLError, match="EOF"):  # a FIN, no close_notify: it was not at its end
            endless.recv(1)
        assert [record["sni"] for record in lab.records(2, action="intercept")] == ["www.good.lab.test",
                                                                                   "endless.good.lab.test"]
        running.close()
        endless.close()
