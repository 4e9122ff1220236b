# SPDX-License-Identifier: Apache-2.0
"""Takeover whatever the handshake agreed on, and however the ClientHello comes."""

import itertools
import random

import pytest

from rawclient import ACK, SACK, SYN, Tls, wait_for
from takeoverkit import NAME, Ends, exchange, pattern
from tlskit import client_context, configured, connect_tls, counting, read_all, request

ON_OFF = list(itertools.product([True, False], repeat=3))


@pytest.fixture(scope="module")
def ends(lab, raw_client, raw_server):
    return Ends(lab, raw_client, raw_server)


def offer(timestamps, sack, scaled):
    return {"timestamps": timestamps, "sack": sack, "scale": 9 if scaled else None}


# ---- what was negotiated ----


@pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("client_offer", ON_OFF, ids=lambda offered: "".join("-x"[on] for on in offered))
def test_every_combination_of_timestamps_sack_and_window_scale(lab, ends, family, client_offer):
    """With each of the server's: each half speaks what its endpoint and the other agreed on, and no more."""
    with counting(lab) as counts:
        for server_offer in ON_OFF:
            flow, client, server = ends.intercepted(family=family, client=offer(*client_offer),
                                                    server=offer(*server_offer) | {"isn": 0xFFFFFF00})
            exchange(client, server, up=pattern(20_000), down=pattern(20_000))
            timestamps, sack, _ = (ours and theirs for ours, theirs in zip(client_offer, server_offer))
            for end in flow:
                assert all((segment.timestamps is not None) == timestamps for segment in end.data_segments())
                # A hole: its end is told what came behind it, if that was agreed on.
                end.at((end.snd_nxt - end.isn + 99) & 0xFFFFFFFF, b"behind a hole")
                answer = len(end.segments)
                wait_for(lambda end=end, answer=answer: len(end.segments) > answer, "an acknowledgement")
                assert (end.segments[-1].option(SACK) is not None) == sack
                end.snd_nxt = end.snd_una
            flow.reset()
    assert counts["adoptions"] == {"decided": len(ON_OFF)} and counts["sessions"] == {"intercepted": len(ON_OFF)}


# ---- how the ClientHello comes ----


def cut(data, sizes):
    """|data| in parts of the sizes that are named, again and again: [(offset, bytes)]."""
    parts, start = [], 0
    for size in itertools.cycle(sizes):
        if start >= len(data):
            return parts
        parts.append((start, data[start:start + size]))
        start += size


def reversed_(parts):
    return parts[::-1]


def shuffled(parts):
    parts = list(parts)
    random.Random(len(parts)).shuffle(parts)
    return parts


def first_last(parts):
    """The first is lost, and comes again by the client's timer."""
    return parts[1:] + parts[:1]


def overlapping(parts):
    """Each begins with some bytes of the one before."""
    joined = b"".join(part for _, part in parts)
    return [(max(0, start - 7), joined[max(0, start - 7):start + len(part)]) for start, part in parts]


ORDERS = [list, reversed_, shuffled, first_last, overlapping]
SIZES = {"1.8KB": 1800, "5KB": 5000, "13KB": 13_000}


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__.strip("_"))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("segments", [(1440,), (1, 2, 3, 501, 1440), (337,)], ids=["full", "odd", "small"])
def test_a_client_hello_in_any_segments_and_order_is_decided(lab, ends, size, segments, order):
    with counting(lab) as counts:
        flow = ends.open(client={"isn": 0xFFFFFC00})
        server, client = ends.server_tls(flow), ends.client_tls(flow, size=SIZES[size])
        for offset, part in order(cut(client.hello(), segments)):
            flow.client.at(offset, part)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}
    assert counts["bytes"] == {"client": 3000, "server": 9000}


def test_a_client_hello_dribbled_byte_by_byte_is_intercepted(lab, ends):
    """So many segments are not held: the flow is adopted, and the session reads the rest."""
    with counting(lab) as counts:
        flow = ends.open()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        for offset, part in cut(client.hello(), (1,)):
            flow.client.at(offset, part)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"many_segments": 1} and counts["sessions"] == {"intercepted": 1}


def test_a_few_bytes_dribbled_are_held(lab, ends):
    """As many single bytes as a host sends that gets no acknowledgement, then the rest."""
    with counting(lab) as counts:
        flow = ends.open()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        for offset, part in cut(client.hello(), (1,) * 10 + (10_000,)):
            flow.client.at(offset, part)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


def test_a_segment_that_comes_twice_forces_adoption(lab, ends):
    with counting(lab) as counts:
        flow = ends.open()
        server, client = ends.server_tls(flow), ends.client_tls(flow, size=5000)
        for offset, part in [part for part in cut(client.hello(), (1448,)) for _ in range(2)]:
            flow.client.at(offset, part)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"retransmission": 1} and counts["sessions"] == {"intercepted": 1}


@pytest.mark.parametrize("way", ["bypass", "block"])
def test_overlapping_segments_that_disagree_follow_the_policy_for_fragments(lab, ends, way):
    """Which of the two the server would take cannot be known."""
    lab.mark()
    with configured(lab, policy={"fragmented": way}), counting(lab) as counts:
        flow = ends.open()
        hello = ends.client_tls(flow, size=1800).hello()
        flow.client.on_change = None
        flow.client.at(0, hello[:700])
        flow.client.at(600, bytes(100) + hello[700:1200])
        if way == "bypass":
            wait_for(lambda: len(flow.server.data_segments()) == 2, "both segments at the server")
            assert flow.server.data_segments()[1].payload == bytes(100) + hello[700:1200]
            flow.reset()
        else:
            flow.server.wait_reset()
            wait_for(lambda: flow.client.fin_received, "the end at the client")
            assert not flow.server.data_segments()
            flow.forget()
    assert counts["ways_out"] == {"fragmented": 1} and counts["adoptions"] == {}
    assert lab.records(reason="overlap")[0]["action"] == way


def test_keep_alives_and_window_updates_in_front_of_the_hello_change_nothing(lab, ends):
    with counting(lab) as counts:
        flow = ends.open()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        parts = cut(client.hello(), (200,))
        keep_alive = flow.client.isn
        for payload in (b"", b"\0"):
            flow.client.segment(ACK, payload, seq=keep_alive)
        flow.client.at(*parts[0])
        for payload in (b"", b"\0"):
            flow.client.segment(ACK, payload, seq=keep_alive)
        flow.client.window = 40_000
        flow.client.ack()
        for part in parts[1:]:
            flow.client.at(*part)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


# ---- the handshake ----


def test_a_syn_and_a_syn_ack_sent_again(lab, ends):
    """With later timestamps, as hosts do; also after the client has answered."""
    with counting(lab) as counts:
        flow = ends.half_open(answer=False)
        flow.client.syn()
        wait_for(lambda: len(flow.server.segments) == 2, "the second SYN")
        for _ in range(2):
            flow.server.syn_ack()
        wait_for(lambda: len(flow.client.segments) == 2, "the second SYN-ACK")
        flow.client.ack()
        flow.server.wait_acked()
        flow.server.syn_ack()
        wait_for(lambda: len(flow.client.segments) == 3, "the third SYN-ACK")
        flow.client.ack()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["flows"] == 1
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


@pytest.mark.parametrize("taken", [0, 1], ids=["first", "second"])
def test_of_two_syn_acks_that_differ_the_one_counts_that_the_client_acknowledged(lab, ends, taken):
    """A server without memory (SYN cookies) may answer a repeated SYN with another number."""
    with counting(lab) as counts:
        flow = ends.half_open(answer=False)
        numbers = [flow.server.isn, (flow.server.isn + 0x1234567) & 0xFFFFFFFF]
        options = flow.server.syn_options()
        for number in numbers:
            flow.server.segment(SYN | ACK, seq=number, options=options)
        wait_for(lambda: len(flow.client.segments) == 2, "both SYN-ACKs")
        flow.client.peer_syn = flow.client.segments[taken]
        flow.client.rcv_nxt = (numbers[taken] + 1) & 0xFFFFFFFF
        flow.server.isn = flow.server.snd_una = numbers[taken]
        flow.server.snd_nxt = (numbers[taken] + 1) & 0xFFFFFFFF
        flow.client.ack()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["sessions"] == {"intercepted": 1}


@pytest.fixture(scope="module")
def syn_cookies(lab):
    """The lab's server answers every SYN by a cookie."""
    def set_to(value):
        lab.command("shell", "server", "sysctl", "-qw", f"net.ipv4.tcp_syncookies={value}")
    set_to(2)
    yield
    set_to(1)


@pytest.mark.parametrize("address", ["SERVER_IP4", "SERVER_IP6"])
@pytest.mark.parametrize("timestamps", [True, False])
def test_a_server_that_answers_by_syn_cookies(lab, ends, raw_client, syn_cookies, address, timestamps):
    with counting(lab) as counts:
        tcp = raw_client.connect(lab.env[address], timestamps=timestamps)
        tls = Tls(tcp, client_context(lab.env["MINTGATE_ROOT_PEM"]), NAME)
        tls.handshake()
        tls.write(request("/bytes/50000"))
        assert len(tls.read_all()) > 50_000
        tcp.rst()
        tcp.forget()
        with connect_tls(lab, NAME, address=lab.env[address]) as connection:
            connection.sendall(request("/bytes/50000"))
            assert len(read_all(connection)) > 50_000
    assert counts["adoptions"] == {"decided": 2} and counts["sessions"] == {"intercepted": 2}


# ---- windows ----


def test_a_client_that_closes_its_window_and_opens_it_again(lab, ends):
    """What the server sends waits for it, and comes whole."""
    with counting(lab) as counts:
        flow, client, server = ends.intercepted(client={"window": 32_000})
        exchange(client, server)
        flow.client.window = 0
        flow.client.ack()
        server.write(pattern(60_000))
        wait_for(lambda: flow.server.snd_una == flow.server.snd_nxt, "the engine has taken it")
        ends.barrier()
        assert len(client.plaintext) < 60_000
        flow.client.window = 65_535
        flow.client.ack()
        assert client.read(60_000) == pattern(60_000)
        flow.reset()
    assert counts["sessions"] == {"intercepted": 1}


def test_a_server_that_closes_its_window_and_opens_it_again(lab, ends):
    with counting(lab) as counts:
        flow, client, server = ends.intercepted(server={"window": 32_000})
        exchange(client, server)
        flow.server.window = 0
        flow.server.ack()
        client.write(pattern(60_000))
        wait_for(lambda: flow.client.snd_una == flow.client.snd_nxt, "the engine has taken it")
        assert len(server.plaintext) < 60_000
        flow.server.window = 65_535
        flow.server.ack()
        assert server.read(60_000) == pattern(60_000)
        flow.reset()
    assert counts["sessions"] == {"intercepted": 1}
