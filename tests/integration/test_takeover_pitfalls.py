# SPDX-License-Identifier: Apache-2.0
"""The eleven pitfalls of takeover by TCP_REPAIR (docs/takeover.md), each by its number."""

import contextlib
import itertools
import os
import resource
import signal
import struct
import time

import pytest

from rawclient import (ACK, CWR, ECE, EXPERIMENT, FAST_OPEN, FIN, MPTCP, NOP, PSH, SYN, TIMESTAMP, Tcp, Tls, option,
                       parse_options, wait_for)
from takeoverkit import BLOCKED, BYPASSED, NAME, Ends, Flow, exchange, pattern
from tlskit import client_context, configured, counting

FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


@pytest.fixture(scope="module")
def ends(lab, raw_client, raw_server):
    return Ends(lab, raw_client, raw_server)


# ---- 1, 2: what the halves know of their peers ----


@FAMILIES
@pytest.mark.parametrize("without", ["client", "server", "both"])
def test_pitfall_01_without_window_scaling_windows_are_whole(lab, ends, family, without):
    unscaled = {"scale": None}
    with counting(lab) as counts:
        flow, client, server = ends.intercepted(family=family, client=unscaled if without != "server" else {},
                                                server=unscaled if without != "client" else {})
        flow.client.transmit(client.encrypted(pattern(200_000)))
        assert server.read(200_000) == pattern(200_000)
        flow.server.transmit(server.encrypted(pattern(200_000)))
        assert client.read(200_000) == pattern(200_000)
        for end in flow:
            assert max(segment.window for segment in end.data_segments()) > 10_000
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


@FAMILIES
@pytest.mark.parametrize("mss", [536, 1220, 1400])
def test_pitfall_02_first_segments_are_of_the_peers_size(ends, family, mss):
    """What is sent in one go is, from its first segment on, of the size that the peer asked for, less timestamps."""
    flow, client, server = ends.intercepted(family=family, client={"mss": mss}, server={"mss": mss})
    sizes = [len(segment.payload) for segment in flow.client.data_segments()]
    assert sizes[0] == mss - 12 or sizes[0] == sum(sizes) < mss - 12
    flow.server.segments.clear()
    flow.client.segments.clear()
    exchange(client, server, up=pattern(8000), down=pattern(8000))
    for end in flow:
        sizes = [len(segment.payload) for segment in end.data_segments()]
        assert sizes[:4] == [mss - 12] * 4 and max(sizes) == mss - 12
    flow.reset()


# ---- 3: lost segments while held ----


def hello_parts(tls, num_parts):
    """A ClientHello in equal parts: [(offset, bytes)]."""
    hello = tls.hello()
    size = -(-len(hello) // num_parts)
    return [(start, hello[start:start + size]) for start in range(0, len(hello), size)]


def send_with_two_lost(flow, parts):
    """Sends a ClientHello of four segments of which the first and the third are lost, as a host does that gets no
    acknowledgement: the first again, and once more. What comes after the first is then acknowledged."""
    first, second, third, fourth = parts
    for offset, part in (second, fourth, first, first):
        flow.client.at(offset, part)
    flow.client.wait_acked(seq=flow.client.isn + 1 + third[0])
    flow.client.at(*third)


@FAMILIES
def test_pitfall_03_two_lost_segments_force_adoption_and_intercept(lab, ends, family):
    with counting(lab) as counts:
        flow = ends.open(family=family)
        server, client = ends.server_tls(flow), ends.client_tls(flow, size=5000)
        send_with_two_lost(flow, hello_parts(client, 4))
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"retransmission": 1}
    assert counts["decisions"] == {"intercept": 1} and counts["sessions"] == {"intercepted": 1}


def test_pitfall_03_two_lost_segments_force_adoption_and_bypass(lab, ends):
    lab.mark()
    with counting(lab) as counts:
        flow = ends.open()
        server = ends.server_tls(flow, "bypass.lab.test")
        client = Tls(flow.client, client_context(lab.env["ORIGIN_ROOT_PEM"]), BYPASSED)
        parts = hello_parts(client, 4)
        hello = b"".join(part for _, part in parts)
        send_with_two_lost(flow, parts)
        client.handshake()  # by the server's own certificate
        exchange(client, server, up=pattern(40_000), down=pattern(40_000))
        client.close_notify()
        flow.client.fin()
        flow.server.wait_fin()
        exchange_down_only(client, server, pattern(20_000))
        server.close_notify()
        flow.server.fin()
        flow.client.wait_fin()
        flow.forget()
    assert counts["adoptions"] == {"retransmission": 1} and counts["decisions"] == {"bypass": 1}
    assert counts["sessions"] == {"relayed_uninspected": 1}
    assert counts["bytes"]["client"] > len(hello) + 40_000 and counts["bytes"]["server"] > 60_000
    assert lab.records(sni=BYPASSED)[0]["action"] == "bypass"


def exchange_down_only(client, server, data):
    server.write(data)
    assert client.read(len(data)) == data


def test_pitfall_03_two_lost_segments_force_adoption_and_block(lab, ends):
    lab.mark()
    with counting(lab) as counts:
        flow = ends.open()
        client = ends.client_tls(flow, BLOCKED, size=5000)
        send_with_two_lost(flow, hello_parts(client, 4))
        wait_denied(client)
        assert not flow.server.received  # not a byte got there
        flow.client.fin()
        flow.forget()
    assert counts["adoptions"] == {"retransmission": 1} and counts["decisions"] == {"block": 1}
    assert counts["sessions"] == {"blocked": 1} and lab.records(sni=BLOCKED)[0]["action"] == "block"


def wait_denied(tls):
    """Waits for the fatal alert of a policy that blocks, and the end."""
    wait_for(lambda: tls.error and tls.tcp.fin_received, "the alert and the end")
    assert tls.error.reason == "TLSV1_ALERT_ACCESS_DENIED"


@pytest.fixture(scope="module")
def short_hold(lab):
    """An engine that holds for a fifth of a second."""
    with configured(lab, "engine", dataplane={"hold_time": "200ms"}, sessions={"drain": "100ms"}):
        yield


HELD_BY = {"worker": lambda flow, first, second: flow.client.at(*first),
           "session": lambda flow, first, second: [flow.client.at(*first) for _ in range(2)]}


@pytest.mark.parametrize("held_by", HELD_BY)
def test_pitfall_03_hold_time_exceeded_is_bypassed(lab, ends, short_hold, held_by):
    """Half a ClientHello goes on as it is after the hold time, by the worker or by the session that was forced to adopt
    it."""
    with configured(lab, policy={"hold_exceeded": "bypass"}), counting(lab) as counts:
        flow = ends.open()
        server = ends.server_tls(flow)
        client = Tls(flow.client, client_context(lab.env["ORIGIN_ROOT_PEM"]), NAME)
        first, second = hello_parts(client, 2)
        HELD_BY[held_by](flow, first, second)
        wait_for(lambda: len(flow.server.segments) > 2, "the first half at the server")
        flow.client.at(*second)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["ways_out"] == {"hold_exceeded": 1}
    assert counts["adoptions"] == ({} if held_by == "worker" else {"retransmission": 1})


@pytest.mark.parametrize("held_by", HELD_BY)
def test_pitfall_03_hold_time_exceeded_is_blocked(lab, ends, short_hold, held_by):
    with configured(lab, policy={"hold_exceeded": "block"}), counting(lab) as counts:
        flow = ends.open()
        client = ends.client_tls(flow)
        first, second = hello_parts(client, 2)
        HELD_BY[held_by](flow, first, second)
        wait_denied(client)
        flow.client.fin()
        wait_for(lambda: flow.server.reset or flow.server.fin_received, "the end at the server")
        assert not flow.server.received
        flow.forget()
    assert counts["ways_out"] == {"hold_exceeded": 1}


# ---- 4: everything is held ----


@FAMILIES
def test_pitfall_04_every_packet_is_held_a_bare_fin_too(lab, ends, family):
    """Data, acknowledgements and a FIN without data that come while a decision is pending go on only then, in order and
    as they were."""
    with counting(lab) as counts:
        flow = ends.open(family=family)
        flow.server.segments.clear()
        first, second = hello_parts(Tls(flow.client, client_context(None), BYPASSED), 2)
        end = first[0] + len(first[1]) + len(second[1])
        flow.client.at(*first)
        flow.client.ack(seq=flow.client.isn + 1 + len(first[1]), window=777)
        flow.client.segment(FIN | ACK, seq=flow.client.isn + 1 + end)
        ends.barrier()
        assert flow.server.segments == []
        flow.client.at(*second)
        wait_for(lambda: len(flow.server.segments) == 4, "what was held")
        ends.barrier()
        got = [(segment.flags, segment.seq - flow.client.isn - 1 & 0xFFFFFFFF, segment.payload)
               for segment in flow.server.segments]
        assert got == [(ACK | PSH, 0, first[1]), (ACK, len(first[1]), b""), (FIN | ACK, end, b""),
                       (ACK | PSH, len(first[1]), second[1])]
        assert flow.server.segments[1].window == 777
        flow.reset()
    assert counts["decisions"] == {"bypass": 1} and counts["adoptions"] == {}


def test_pitfall_04_a_held_fin_is_not_seen_by_the_server_of_an_intercepted_flow(lab, ends):
    with counting(lab) as counts:
        flow = ends.open()
        first, second = hello_parts(ends.client_tls(flow), 2)
        flow.client.at(*first)
        flow.client.segment(FIN | ACK, seq=flow.client.isn + 1 + second[0] + len(second[1]))
        ends.barrier()
        flow.client.at(*second)
        flow.server.wait_received(100)
        assert not flow.server.fin_received  # the engine's own ClientHello comes first
        flow.reset()
    assert counts["adoptions"] == {"decided": 1}


# ---- 5: what would evade inspection in a SYN ----

COOKIE = bytes(range(8))
EVADING = {
    "fast-open-request": (option(FAST_OPEN), b"", 0),
    "fast-open-with-data": (option(FAST_OPEN, COOKIE), b"early", 0),
    "experimental-fast-open": (option(EXPERIMENT, b"\xf9\x89" + COOKIE), b"early", 0),
    "multipath": (option(MPTCP, b"\x01\x00" + COOKIE), b"", 0),
    "ecn": (b"", b"", ECE | CWR),
    "data": (b"", b"early", 0),
    "all": (option(FAST_OPEN, COOKIE[:4]) + option(MPTCP, b"\x01\x00"), b"early", ECE | CWR),
}


def without_timestamp(options):
    return [(kind, body) for kind, body in options if kind != TIMESTAMP]


@FAMILIES
@pytest.mark.parametrize("evasion", EVADING)
def test_pitfall_05_a_syn_loses_what_would_evade_inspection(lab, ends, family, evasion):
    """Both when it is first sent and when it is sent again; all else in it stays. Then the flow is adopted."""
    extra, payload, flags = EVADING[evasion]
    if 443 not in ends.server.listening:
        ends.server.listen(443)
    with counting(lab) as counts:
        before = lab.metric("mintgate_dataplane_syn_neutralized_total")
        client = Tcp(ends.client, ends.server.address(family), 443, remote_mac=ends.server.mac, extra=extra)
        for _ in range(2):
            client.syn(flags, payload)
        flow = Flow(client, ends.server.accept(443, answer=False))
        wait_for(lambda: len(flow.server.segments) == 2, "the second SYN")
        assert lab.metric("mintgate_dataplane_syn_neutralized_total") == before + 2
        for syn in flow.server.segments:
            assert syn.flags == SYN and syn.payload == b"" and syn.seq == client.isn
            kept = client.syn_options()[:-len(extra) or None]
            assert without_timestamp(syn.options) == without_timestamp(parse_options(kept))
            assert syn.option_bytes[len(kept):] == bytes([NOP]) * len(extra) + bytes(-len(kept + extra) % 4)
        flow.server.syn_ack()
        wait_for(lambda: client.peer_syn, "the SYN-ACK")
        client.ack()
        server, tls = ends.server_tls(flow), ends.client_tls(flow)
        tls.handshake()
        exchange(tls, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


# ---- 6: ports used again ----


def test_pitfall_06_ports_used_again_at_once_are_adopted_each_time(lab, ends):
    """Without timestamps; and the client's FIN, sent again after the socket is gone, is acknowledged, not reset."""
    rounds = 200
    late = lab.metric("mintgate_dataplane_stack_late_answered_total")
    with counting(lab) as counts:
        for i in range(rounds):
            plain = {"timestamps": False}
            flow, client, server = ends.intercepted(client=plain | {"local_port": 12345, "isn": i * 1_000_000},
                                                    server=plain)
            exchange(client, server, up=b"ping", down=b"pong")
            flow.client.on_change = flow.server.on_change = None  # TLS says no more
            flow.server.fin()
            flow.client.wait_fin()
            flow.client.fin()
            flow.server.wait_fin()
            flow.client.wait_acked()
            flow.client.segments.clear()
            flow.client.segment(FIN | ACK, seq=flow.client.snd_nxt - 1)
            wait_for(lambda: flow.client.segments, "an answer to the late FIN")
            assert [segment.flags for segment in flow.client.segments] == [ACK]
            assert flow.client.segments[0].ack == flow.client.snd_nxt
            assert not flow.client.reset and not flow.server.reset
            ends.barrier()
            flow.forget()
    assert counts["adoptions"] == {"decided": rounds} and counts["sessions"] == {"intercepted": rounds}
    assert counts["ways_out"] == {}
    assert lab.metric("mintgate_dataplane_stack_late_answered_total") == late + rounds


# ---- 7, 8: timestamps ----


def halves(flow):
    """Each end and the one in whose name it is spoken to."""
    return (flow.server, flow.client), (flow.client, flow.server)


@FAMILIES
def test_pitfall_07_the_first_segment_echoes_the_timestamp(ends, family):
    """Of either half, to a server and to a client that have sent nothing but their part of the handshake."""
    clocks = [{"clock": itertools.count(start).__next__} for start in (1_000_000, 7_000_000)]
    flow = ends.open(family=family, server=clocks[0], client=clocks[1])
    last_of_server = struct.unpack("!LL", flow.client.peer_syn.option(TIMESTAMP))[0]
    server, client = ends.server_tls(flow), ends.client_tls(flow)
    client.handshake()
    to_server = flow.server.data_segments()[0]
    assert to_server.timestamps[1] == last_of_server
    to_client = flow.client.data_segments()[0]
    assert 7_000_000 < to_client.timestamps[1] < 7_000_100
    exchange(client, server)
    flow.reset()


@FAMILIES
def test_pitfall_08_timestamps_go_on_in_milliseconds(ends, family):
    """On both halves they begin where the endpoint's own ended, never go back, and count milliseconds."""
    flow, client, server = ends.intercepted(family=family)
    exchange(client, server)
    end = time.monotonic() + 0.25
    wait_for(lambda: time.monotonic() > end, "the end of a pause")
    exchange(client, server)
    for end, other in halves(flow):
        began = struct.unpack("!LL", end.peer_syn.option(TIMESTAMP))[0]
        values = [(segment.timestamps[0] - began) & 0xFFFFFFFF for segment in end.segments]
        assert values == sorted(values) and values[0] == 0
        elapsed_ms = (end.segments[-1].time - end.segments[0].time) * 1000
        assert elapsed_ms / 3 < values[-1] < elapsed_ms * 3 + 100  # microseconds would be a thousand times as many
    flow.reset()


# ---- 9: how the engine ends ----


@pytest.fixture
def quick_drain(lab):
    with configured(lab, "engine", sessions={"drain": "100ms"}):
        yield


def test_pitfall_09_a_killed_engine_is_silent_and_a_stopped_one_sends_fins(lab, ends, quick_drain):
    flow, client, server = ends.intercepted()
    exchange(client, server)
    seen = [len(end.segments) for end in flow]
    os.kill(lab.engine_pid(), signal.SIGKILL)
    lab.restart("engine")
    ends.barrier()
    assert [len(end.segments) for end in flow] == seen  # neither FIN nor RST: the wire was cut
    flow.forget()

    flow, client, server = ends.intercepted()
    exchange(client, server)
    lab.restart("engine")
    ends.barrier()
    for end in flow:
        assert end.fin_received and not end.reset
    flow.forget()


# ---- 10: no descriptors ----


@contextlib.contextmanager
def no_descriptors(lab):
    """The engine has as many descriptors open as it may."""
    pid = lab.engine_pid()
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@FAMILIES
@pytest.mark.parametrize("way", ["bypass", "block"])
def test_pitfall_10_without_descriptors_the_policy_for_failed_adoption_is_followed(lab, ends, family, way):
    lab.mark()
    with configured(lab, policy={"adoption_failed": way}), counting(lab) as counts:
        flow = ends.open(family=family)
        server = ends.server_tls(flow)
        client = Tls(flow.client, client_context(lab.env["ORIGIN_ROOT_PEM"]), NAME)
        with no_descriptors(lab):
            flow.client.send(client.hello())
            wait_for(lambda: flow.server.data_segments() or flow.server.reset, "what became of it")
        if way == "bypass":
            client.handshake()
            exchange(client, server)
            flow.reset()
        else:
            wait_denied(client)
            assert not flow.server.data_segments()
            flow.forget()
    assert counts["ways_out"] == {"adoption_failed": 1} and counts["bounds"] == {"descriptors": 1}
    assert counts["adoptions"] == {} and lab.records(reason="adoption_failed")[0]["action"] == way


def test_pitfall_10_descriptors_that_are_free_again_are_used(lab, ends):
    with counting(lab) as counts:
        flow, client, server = ends.intercepted()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1}


# ---- 11: what the server has sent ----


def speak_first(flow):
    flow.server.send(b"220 ready\r\n")


def speak_while_held(flow):
    flow.client.at(0, b"\x16\x03\x01\x02\x00half of a ClientHello")
    flow.server.send(b"220 ready\r\n")


def end_first(flow):
    flow.server.fin()


@pytest.mark.parametrize("speak", [speak_first, speak_while_held, end_first])
def test_pitfall_11_a_flow_in_which_the_server_speaks_first_is_bypassed(lab, ends, speak):
    with configured(lab, policy={"not_tls": "bypass"}), counting(lab) as counts:
        flow = ends.open()
        speak(flow)
        wait_for(lambda: flow.client.received or flow.client.fin_received, "the server's word")
        flow.client.ack()
        flow.client.send(b"EHLO client\r\n")
        wait_for(lambda: b"EHLO client\r\n" in flow.server.received, "the client's word")
        flow.reset()
    assert counts["ways_out"] == {"not_tls": 1} and counts["adoptions"] == {}


@pytest.mark.parametrize("speak", [speak_first, speak_while_held])
def test_pitfall_11_a_flow_in_which_the_server_speaks_first_is_blocked(lab, ends, speak):
    with configured(lab, policy={"not_tls": "block"}), counting(lab) as counts:
        flow = ends.open()
        speak(flow)
        flow.server.wait_reset()
        wait_for(lambda: flow.client.reset or flow.client.fin_received, "the end at the client")
        assert b"220" not in flow.client.received and not flow.server.received
        flow.forget()
    assert counts["ways_out"] == {"not_tls": 1} and counts["adoptions"] == {}
