# SPDX-License-Identifier: Apache-2.0
"""IP fragments of TCP segments: those of what is not intercepted pass as they came, in any order;
a ClientHello or a SYN in fragments follows policy.fragmented; those of an intercepted flow reach its socket;
and a flood of them is bounded."""

import itertools
import struct

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether

from labkit import wait_until
from rawclient import ACK, PSH, ip_packet, packed
from takeoverkit import Ends, exchange, pattern
from tlskit import configured, counting
from wire import CLIENT_IP4, CLIENT_IP6, CLIENT_MAC, SERVER_IP4, SERVER_IP6, SERVER_MAC, Flow, client_hello, same_frames

INTERCEPTED, BYPASSED = "www.good.lab.test", "www.bypass.lab.test"
_ids = itertools.count(100)

FAMILIES = pytest.mark.parametrize("family", [4, 6])
# Of three or more fragments, by their place.
ORDERS = pytest.mark.parametrize("order", [lambda parts: parts, lambda parts: parts[::-1],
                                           lambda parts: parts[1:] + parts[:1]], ids=["sent", "reversed", "first-last"])


def fragments(flow, side, flags, payload=b"", size=400):
    """The next segment of |side| as frames of its IP fragments, each with |size| bytes of TCP but the last."""
    if flow.family == 4:
        packet = flow.packet(side, flags, payload, ip=IP(id=next(_ids)))
        parts = fragment(packet, size)
    else:
        packet = flow.packet(side, flags, payload, ip=IPv6() / IPv6ExtHdrFragment(id=next(_ids)))
        parts = fragment6(packet, size + 48)  # 48: both headers
    flow.next[side] += len(payload) + ("S" in flags) + ("F" in flags)
    frames = [flow.frame(side, part) for part in parts]
    assert len(frames) > 1
    return frames


def pass_in_any_order(wire, side, frames):
    """All come out at the other end, once each, and unaltered."""
    at_server, at_client = wire.exchange(**{side: frames})
    arrived, back = (at_server, at_client) if side == "client" else (at_client, at_server)
    same_frames((sorted(arrived), back), (sorted(frames), []))


def resets(frames, flow, side):
    """That |frames| are one RST of |flow|, as the endpoint on |side| takes it."""
    other = "server" if side == "client" else "client"
    (frame,) = frames
    tcp = Ether(frame)[TCP]
    assert "R" in tcp.flags and (tcp.sport, tcp.dport) == (
        (flow.server_port, flow.client_port) if side == "client" else (flow.client_port, flow.server_port))
    return tcp.seq == flow.next[other]


# ---- what is not intercepted ----

@FAMILIES
@ORDERS
def test_fragments_of_a_bypassed_flow_pass_unaltered(lab, wire, family, order):
    flow = Flow(wire, family).open()
    flow.passes("client", "PA", client_hello(BYPASSED))
    with counting(lab) as counts:
        for side in ("client", "server"):
            pass_in_any_order(wire, side, order(fragments(flow, side, "PA", bytes(1300))))
    assert counts["ways_out"] == {} and counts["bounds"] == {}
    flow.abort()


@FAMILIES
def test_fragments_of_a_flow_joined_in_midstream_follow_its_policy(lab, wire, family):
    flow = Flow(wire, family)
    with counting(lab) as counts:
        pass_in_any_order(wire, "client", fragments(flow, "client", "PA", bytes(1300)))
    assert counts["ways_out"] == {}
    with configured(lab, policy={"midstream": "block"}), counting(lab) as counts:
        same_frames(wire.exchange(client=fragments(flow, "client", "PA", bytes(1300))), ([], []))
    assert counts["ways_out"] == {"fragmented": 1}


# ---- what would be intercepted ----

@FAMILIES
@ORDERS
def test_a_client_hello_in_fragments_is_blocked(lab, wire, family, order):
    flow = Flow(wire, family).open()
    lab.mark()
    with counting(lab) as counts:
        expected_seq = dict(flow.next)
        frames = order(fragments(flow, "client", "PA", client_hello(INTERCEPTED)))
        at_server, at_client = wire.exchange(client=frames)
        flow.next = expected_seq  # neither end has what the fragments carried
        assert resets(at_server, flow, "server") and resets(at_client, flow, "client")
        same_frames(wire.exchange(client=frames), ([], []))
    assert counts["ways_out"] == {"fragmented": 1} and counts["adoptions"] == {}
    (record,) = lab.records(reason="fragmented")
    assert record["action"] == "block"


@FAMILIES
@ORDERS
def test_a_client_hello_in_fragments_is_bypassed_where_policy_says_so(lab, wire, family, order):
    lab.mark()
    with configured(lab, policy={"fragmented": "bypass"}), counting(lab) as counts:
        flow = Flow(wire, family).open()
        pass_in_any_order(wire, "client", order(fragments(flow, "client", "PA", client_hello(INTERCEPTED))))
        flow.passes("server", "PA", b"an answer")
        flow.passes("client", "PA", client_hello(INTERCEPTED))
        flow.abort()
    assert counts["ways_out"] == {"fragmented": 1} and counts["adoptions"] == {}
    (record,) = lab.records(reason="fragmented")
    assert record["action"] == "bypass"


@FAMILIES
def test_a_fragment_amid_held_segments_ends_the_hold(lab, wire, family):
    """Half of a ClientHello as a segment, the other half in fragments; the first half must not be lost on a bypass."""
    hello = client_hello(INTERCEPTED)
    with configured(lab, policy={"fragmented": "bypass"}), counting(lab) as counts:
        flow = Flow(wire, family).open()
        first = flow.held("A", hello[:200])
        rest = fragments(flow, "client", "PA", hello[200:], size=104)
        same_frames(wire.exchange(client=rest), ([first] + rest, []))
        flow.abort()
    assert counts["ways_out"] == {"fragmented": 1}


# RFC 1858 section 3: a first fragment may be too short for the flags.
SYN_SIZES = pytest.mark.parametrize("size", [16, 8], ids=["flags-in-the-first", "flags-in-the-second"])


@FAMILIES
@SYN_SIZES
def test_a_syn_in_fragments_does_not_evade(lab, wire, family, size):
    """Its flow would be one joined in mid-stream."""
    flow = Flow(wire, family)
    with counting(lab) as counts:
        same_frames(wire.exchange(client=fragments(flow, "client", "S", size=size)), ([], []))
    assert counts["ways_out"] == {"fragmented": 1}
    with configured(lab, policy={"fragmented": "bypass"}), counting(lab) as counts:
        pass_in_any_order(wire, "client", fragments(flow, "client", "S", size=size))
    assert counts["ways_out"] == {"fragmented": 1}


@FAMILIES
@SYN_SIZES
def test_a_syn_ack_in_fragments_does_not_evade(lab, wire, family, size):
    """Its flow would be one that is not open yet."""
    flow = Flow(wire, family)
    with counting(lab) as counts:
        flow.passes("client", "S")
        at_server, _at_client = wire.exchange(server=fragments(flow, "server", "SA", size=size))
        assert resets(at_server, flow, "server")
        flow.send("client", "A")
        _frame, at_server, at_client = flow.send("client", "PA", client_hello(INTERCEPTED))
        assert at_server == [] and at_client != [], "the ClientHello is answered with a RST"
    assert counts["ways_out"] == {"fragmented": 1} and counts["flows"] == 1
    with configured(lab, policy={"fragmented": "bypass"}), counting(lab) as counts:
        flow = Flow(wire, family)
        flow.passes("client", "S")
        pass_in_any_order(wire, "server", fragments(flow, "server", "SA", size=size))
        flow.passes("client", "PA", client_hello(INTERCEPTED))
        flow.abort()
    assert counts["ways_out"] == {"fragmented": 1}


@pytest.mark.parametrize("midstream", ["bypass", "block"])
def test_data_without_an_answer_to_the_syn_is_a_flow_whose_beginning_was_not_seen(lab, wire, midstream):
    with configured(lab, policy={"midstream": midstream}), counting(lab) as counts:
        flow = Flow(wire)
        flow.passes("client", "S")
        frame, at_server, _at_client = flow.send("client", "PA", client_hello(INTERCEPTED))
        assert (frame in at_server) == (midstream == "bypass")
        flow.abort()
    assert counts["ways_out"] == {"midstream": 1} and counts["adoptions"] == {}


@FAMILIES
def test_a_bare_fragment_of_no_ports_is_dropped(lab, wire, family):
    """It could be of any flow."""
    if family == 4:
        packet = IP(src=CLIENT_IP4, dst=SERVER_IP4, flags="MF", id=7, proto=6) / b"\x01\xbb"
    else:
        packet = IPv6(src=CLIENT_IP6, dst=SERVER_IP6) / IPv6ExtHdrFragment(id=7, m=1, nh=6) / b"\x01\xbb"
    same_frames(wire.exchange(client=[bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / packet)]), ([], []))


# ---- what is intercepted ----

def fragmented_segment(connection, data, size=200):
    """The next segment of a rawclient.Tcp as IP packets."""
    segment = connection.build(ACK | PSH, data)
    connection.snd_nxt += len(data)
    number = next(_ids)
    for offset in range(0, len(segment), size):
        part, more = segment[offset:offset + size], offset + size < len(segment)
        if len(packed(connection.remote)) == 4:
            yield ip_packet(connection.local, connection.remote, 6, part, identification=number,
                            fragment=offset // 8 | (0x2000 if more else 0))
        else:
            yield ip_packet(connection.local, connection.remote, 44,
                            struct.pack("!BBHL", 6, 0, offset | more, number) + part)


@FAMILIES
@ORDERS
def test_fragments_of_an_intercepted_flow_reach_its_socket(lab, raw_client, raw_server, family, order):
    with counting(lab) as counts:
        flow, client, server = Ends(lab, raw_client, raw_server).intercepted(family=family)
        for host, near, far in ((raw_client, client, server), (raw_server, server, client)):
            data = pattern(1000)
            for packet in order(list(fragmented_segment(near.tcp, near.encrypted(data)))):
                host.send_ip(packet, near.tcp.remote_mac)
            assert far.read(len(data)) == data
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {} and counts["bounds"] == {}


# ---- floods ----

def later_fragments(count, first_id=1000, offset=100):
    """Fragments without the first ones that they wait for, of so many datagrams."""
    return [bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) /
                  IP(src=CLIENT_IP4, dst=SERVER_IP4, id=first_id + i, frag=offset, proto=6) / bytes(64))
            for i in range(count)]


MAX_DATAGRAMS, MAX_WAITING = 256, 24  # FRAGMENTS_MAX_* in dataplane/worker/fragments.h


def test_a_flood_of_fragments_is_bounded_and_counted(lab, wire):
    dropped = 'mintgate_dataplane_packets_dropped_total{reason="fragments"}'
    before = lab.metric(dropped)
    bypassed = Flow(wire).open()
    bypassed.passes("client", "PA", client_hello(BYPASSED))
    with counting(lab) as counts:
        same_frames(wire.exchange(client=later_fragments(MAX_DATAGRAMS + 50)), ([], []))
        bypassed.passes("client", "PA", b"everything else goes on")
    over = counts["bounds"]["fragments"]
    assert over >= 50, "places that earlier fragments have taken are not free yet"
    assert lab.metric(dropped) == before + over
    # A second later the places are free again, and what waited in them is dropped.
    def gave_way():
        frames = fragments(bypassed, "client", "PA", bytes(1300))
        passed = wire.exchange(client=frames) == (frames, [])
        return passed and lab.metric(dropped) >= before + MAX_DATAGRAMS + 50
    wait_until(gave_way, what="room for fragments")
    bypassed.abort()


def test_fragments_that_wait_for_one_first_are_bounded(lab, wire):
    frames = [frame for offset in range(10, 10 + MAX_WAITING + 6)
              for frame in later_fragments(1, first_id=5000, offset=offset)]
    with counting(lab) as counts:
        same_frames(wire.exchange(client=frames), ([], []))
    assert counts["bounds"] == {"fragments": 6}
