# SPDX-License-Identifier: Apache-2.0
"""However one end ends, the other sees the same: half-close, truncation, reset and alerts, from client and from server,
in the handshake and after it."""

import socket
import ssl
import struct

import pytest

from labkit import wait_until
from tlskit import client_context, client_hello, connect, connect_tls, counting
from tlspeers import PORT, intercepted_peers

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
THERE = b"there " * 20_000
BACK = b"and back " * 20_000


@pytest.fixture(scope="module")
def peers_of_module(lab, tmp_path_factory):
    with intercepted_peers(lab, tmp_path_factory.mktemp("keys")) as peers:
        yield peers


@pytest.fixture
def peers(peers_of_module):
    yield peers_of_module
    peers_of_module.close()


@pytest.fixture(params=["client", "server"])
def first(request):
    """The side that ends first."""
    return request.param


def connected(peers, first, version=None):
    """A connection over which both have spoken: the end of |first|, and the other."""
    peers.lab.mark()
    ends = peers.connect(version)
    if first == "server":
        ends.reverse()
    for sender, receiver in (ends, ends[::-1]):
        sender.send(b"hello")
        assert receiver.read_exactly(5) == b"hello"
    return ends


def record_of(peers, **fields):
    (record,) = peers.lab.records(sni=peers.name, **fields)
    return record


@pytest.mark.parametrize("version", VERSIONS)
def test_after_close_notify_the_other_direction_goes_on(lab, peers, first, version):
    """RFC 8446 section 6.1: each side ends what it sends."""
    with counting(lab) as counts:
        one, other = connected(peers, first, version)
        one.send(THERE)
        one.close_notify()
        assert other.read() == (THERE, "close_notify") and not other.has_fin()
        other.send(BACK)
        other.close_notify()
        assert one.read() == (BACK, "close_notify")
    record = record_of(peers, reason="rule")
    sent = {one.side: len(THERE) + 5, other.side: len(BACK) + 5}
    assert counts["bytes"] == sent
    assert (record["bytes_from_client"], record["bytes_from_server"]) == (sent["client"], sent["server"])


def test_close_notify_is_not_lost_where_there_is_no_room_for_it(peers, first):
    """The data before it fill a socket now and then to the last byte: some of so many connections."""
    for _ in range(80):
        one, other = connected(peers, first, ssl.TLSVersion.TLSv1_2)
        one.send(THERE)
        one.close_notify()
        assert other.read() == (THERE, "close_notify")
        other.send(BACK)
        other.close_notify()
        assert one.read() == (BACK, "close_notify")
        peers.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fin_without_close_notify_is_passed_on_as_such(lab, peers, first, version):
    """Truncation stays visible, and the other direction goes on."""
    one, other = connected(peers, first, version)
    one.send(THERE)
    one.fin()
    other.send(BACK)
    assert one.read_exactly(len(BACK)) == BACK
    assert other.read() == (THERE, "truncated")


def test_a_fin_behind_close_notify_is_passed_on_when_it_comes(lab, peers, first):
    one, other = connected(peers, first)
    one.close_notify()
    assert other.read() == (b"", "close_notify") and not other.has_fin()
    one.fin()
    other.wait_for_fin()
    other.send(BACK)
    assert one.read_exactly(len(BACK)) == BACK
    other.close_notify()
    assert one.read() == (b"", "close_notify")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reset_is_passed_on_as_one(lab, peers, first, version):
    one, other = connected(peers, first, version)
    one.reset()
    assert other.read() == (b"", "reset")
    assert record_of(peers)["reason"] == "reset"


@pytest.mark.parametrize("description, name", [(80, "TLSV1_ALERT_INTERNAL_ERROR"), (49, "TLSV1_ALERT_ACCESS_DENIED")])
def test_a_fatal_alert_is_passed_on_as_the_same(lab, peers, first, description, name):
    one, other = connected(peers, first, ssl.TLSVersion.TLSv1_3)
    one.alert(description)
    assert other.read() == (b"", name)
    record = record_of(peers, reason=f"{one.side}_alert")
    assert record[f"{one.side}_alert"] == description and f"{other.side}_alert" not in record


def test_renegotiation_is_refused(lab):
    """The engine's TLS 1.2 has none, so a client that begins one is told so (RFC 5246 section 7.2.2)."""
    result = lab.client("openssl", "s_client", "-connect", f"{lab.env['SERVER_IP4']}:443", "-servername",
                        "www.good.lab.test", "-tls1_2", check=False, input="R\n")
    assert "SSL alert number 100" in result.stderr, result.stderr


# ---- in the handshake ----

@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_rejects_the_issuer_is_in_the_log(lab, peers, version):
    lab.mark()
    with counting(lab) as counts:
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            connect_tls(lab, peers.new_name(), client_context(lab.env["ORIGIN_ROOT_PEM"], version))
    record = record_of(peers, reason="client_alert")
    assert record["client_alert"] == 48 and record["action"] == "intercept"  # unknown_ca
    assert counts["sessions"] == {"client_failed": 1}


@pytest.mark.parametrize("alert, reason, name", [
    (ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, "server_alert", "UNRECOGNIZED_NAME"),
    (ssl.ALERT_DESCRIPTION_INTERNAL_ERROR, "server_alert", "INTERNAL_ERROR"),
    (ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE, "no_shared_parameters", "HANDSHAKE_FAILURE"),
])
def test_a_servers_alert_reaches_the_client(lab, peers, alert, reason, name):
    context = peers.server_context()
    context.sni_callback = lambda *_: alert
    lab.mark()
    with counting(lab) as counts:
        accepted = peers.accept(context)
        with pytest.raises(ssl.SSLError, match=f"ALERT_{name}|{name}"):
            connect_tls(lab, peers.new_name(), port=PORT)
        assert isinstance(accepted.exception(30), ssl.SSLError)
    assert record_of(peers, reason=reason)["server_alert"] == alert
    assert counts["sessions"] == {"upstream_failed": 1} and counts["minted"] == 0


def test_a_servers_reset_reaches_the_client(lab):
    lab.mark()
    with counting(lab) as counts:
        with pytest.raises(ConnectionResetError):
            connect_tls(lab, "reset.lab.test")
    (record,) = lab.records(sni="reset.lab.test")
    assert record["reason"] == "server_reset" and counts["sessions"] == {"upstream_failed": 1}


def test_a_client_that_resets_in_the_handshake_leaves_nothing(lab):
    """The server is silent: but for the client's end, this would last until the handshake's timeout."""
    lab.mark()
    with counting(lab) as counts:
        raw = connect(lab)
        raw.sendall(client_hello("silent.lab.test"))
        wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == 1, what="a session")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        (record,) = lab.records(sni="silent.lab.test")
    assert record["reason"] == "client_reset" and counts["sessions"] == {"client_failed": 1}
