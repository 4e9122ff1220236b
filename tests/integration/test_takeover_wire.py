# SPDX-License-Identifier: Apache-2.0
"""Intercepted flows on a wire that is more than Ethernet and TCP: VLAN tags, addresses that move, IP options, and
routers that say that a packet was too big."""

import contextlib
import itertools
import struct

import pytest
from scapy.layers.inet import ICMP, IP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN, RouterAlert,
)
from scapy.layers.l2 import Ether

from labkit import run
from rawclient import Host, checksum, ip_packet, packed, split_ethernet, transport_checksum, wait_for
from takeoverkit import Ends, exchange, pattern
from tlskit import configured, counting
from wire import CLIENT_MAC, SERVER_MAC, Flow, client_hello

FAMILIES = pytest.mark.parametrize("family", [4, 6])
SIDES = {"client": "server", "server": "client"}


@contextlib.contextmanager
def hosts(lab, number, *tag_lists):
    """A client and a server under each list of tags, all with the same addresses. No flow of theirs is left."""
    with contextlib.ExitStack() as stack:
        made = [Ends(lab, *(stack.enter_context(Host(lab, side, number, tags)) for side in SIDES))
                for tags in tag_lists]
        try:
            yield made
        finally:
            for ends in made:
                for connection in (*ends.client.connections.values(), *ends.server.connections.values()):
                    connection.rst()


# ---- VLANs ----

@FAMILIES
@pytest.mark.parametrize("tags, on_the_wire", [((100,), "81000064"), ((200, 100), "88a800c881000064")],
                         ids=["vlan", "qinq"])
def test_every_frame_of_an_intercepted_flow_has_its_tags(lab, family, tags, on_the_wire):
    lab.mark()
    with counting(lab) as counts, hosts(lab, 31, tags) as (ends,):
        flow, client, server = ends.intercepted(family=family, client={"mss": 1400}, server={"mss": 1400})
        exchange(client, server)
        flow.reset()
        for end in flow:
            heads = {segment.frame[12:12 + 4 * len(tags)].hex() for segment in end.segments}
            assert heads == {on_the_wire}
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {}
    (record,) = lab.records(sni="www.good.lab.test")
    assert record["vlan"] == list(tags)


def both_open(ends, port):
    """A flow with the same addresses and ports in each VLAN."""
    return [each.open(client={"local_port": port}) for each in ends]


_ports = itertools.count(41000)


def test_the_same_flow_in_another_vlan_passes_while_one_is_intercepted(lab):
    """The stack knows no VLANs: of two flows with the same addresses and ports it can have one."""
    with configured(lab, policy={"adoption_failed": "bypass"}), counting(lab) as counts, \
            hosts(lab, 32, (10,), (20,)) as ends:
        flows = both_open(ends, next(_ports))
        servers = [each.server_tls(flow) for each, flow in zip(ends, flows)]
        clients = [each.client_tls(flow, roots=lab.env[roots])
                   for each, flow, roots in zip(ends, flows, ("MINTGATE_ROOT_PEM", "ORIGIN_ROOT_PEM"))]
        for client in clients:
            client.handshake()
        for i in range(3):  # by turns, each with bytes of its own
            for j, (client, server) in enumerate(zip(clients, servers)):
                exchange(client, server, up=pattern(2000 + 10 * i + j), down=pattern(7000 + 10 * i + j))
        for flow in flows:
            flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {"adoption_failed": 1}


def test_the_same_flow_in_another_vlan_is_blocked_where_policy_says_so(lab):
    with configured(lab, policy={"adoption_failed": "block", "block_with": "reset"}), counting(lab) as counts, \
            hosts(lab, 32, (10,), (20,)) as ends:
        flows = both_open(ends, next(_ports))
        server = ends[0].server_tls(flows[0])
        client = ends[0].client_tls(flows[0])
        client.handshake()
        flows[1].client.send(ends[1].client_tls(flows[1]).hello())
        wait_for(lambda: flows[1].client.reset and flows[1].server.reset, "both RSTs in the other VLAN")
        assert not flows[1].server.received
        exchange(client, server)
        flows[0].reset()
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {"adoption_failed": 1}


@pytest.mark.parametrize("moving", SIDES)
def test_a_change_of_mac_address_is_followed(lab, moving):
    """As when a gateway fails over: the endpoint speaks from another address, and the other one answers there."""
    other = SIDES[moving]
    with counting(lab) as counts, hosts(lab, 33, ()) as (ends,), Host(lab, moving, 34) as moved:
        flow, client, server = ends.intercepted()
        exchange(client, server)  # nothing of the handshake is on its way to the old address any more
        tls = {"client": client, "server": server}
        old = getattr(ends, moving)
        moved.ip4, moved.connections = old.ip4, dict(old.connections)
        old.connections.clear()
        getattr(flow, moving).host = moved
        getattr(flow, other).remote_mac = moved.mac
        # Each says something from its new place, before it hears anything there.
        tls[moving].write(b"moved")
        assert tls[other].read(5) == b"moved"
        assert getattr(flow, other).segments[-1].frame[6:12] == moved.mac
        tls[other].write(b"seen")
        assert tls[moving].read(4) == b"seen"
        exchange(client, server)
        client.tcp.rst()
        wait_for(lambda: flow.server.reset, "the RST at the server")
    assert counts["adoptions"] == {"decided": 1}


# ---- IP options and extension headers ----

@pytest.mark.parametrize("ip", [
    lambda: IP(options=[IPOption_Router_Alert()]),
    lambda: IPv6() / IPv6ExtHdrHopByHop(options=[RouterAlert()]),
    lambda: IPv6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(20))]),
    lambda: IPv6() / IPv6ExtHdrFragment(id=1),
], ids=["ipv4-option", "hop-by-hop", "destination", "atomic-fragment"])
def test_a_client_hello_behind_other_headers_is_intercepted(lab, wire, ip):
    with counting(lab) as counts:
        flow = Flow(wire, family=4 if isinstance(ip(), IP) else 6)
        for side, flags in (("client", "S"), ("server", "SA"), ("client", "A")):
            flow.passes(side, flags, options=flow.SYN_OPTIONS if "S" in flags else (), ip=ip())
        wire.client.send(flow.make("client", "PA", client_hello("www.good.lab.test"), ip=ip()))
        hello = wire.server.wait_for(lambda frame: flow.owns(bytes(frame)) and b"\x16\x03\x01" in bytes(frame))
        assert hello[Ether].src == CLIENT_MAC and hello[Ether].dst == SERVER_MAC
        flow.abort()
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {}


# ---- "packet too big" ----

def too_big(router, packet, mtu):
    """What a router says about |packet|: RFC 792 and 1191, RFC 4443 section 3.2."""
    if packet[0] >> 4 == 4:
        message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + packet[:28]
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        return ip_packet(router, packet[12:16], 1, message)
    message = struct.pack("!BBHL", 2, 0, 0, mtu) + packet[:1232]
    total = transport_checksum(packed(router), packet[8:24], 58, message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    return ip_packet(router, packet[8:24], 58, message)


@pytest.fixture
def no_path_mtu_is_left(lab):
    yield
    for family in ("-4", "-6"):
        run("ip", "-n", lab.env["STACK_NS"], family, "route", "flush", "cache")


@pytest.mark.usefixtures("no_path_mtu_is_left")
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("family, mtu", [(4, 1000), (6, 1280)])
def test_a_narrow_path_is_learned_by_the_stack(lab, side, family, mtu):
    """Packets over its MTU are lost on the path to |side|, with an ICMP error for each:
    the transfer comes to its end."""
    counter = "mintgate_dataplane_stack_icmp_total"
    before = lab.metric(counter)
    with counting(lab) as counts, hosts(lab, 35, ()) as (ends,):
        near, far = getattr(ends, side), getattr(ends, SIDES[side])
        flow, client, server = ends.intercepted(family=family)
        tls = {"client": client, "server": server}
        router = "198.18.9.9" if family == 4 else "fd6d:6974:6e74::9:9"
        lost = []

        def path(segment):
            _tags, _type, packet = split_ethernet(segment.frame)
            if len(packet) <= mtu:
                return False
            lost.append(segment)
            near.send_ip(too_big(router, packet, mtu), far.mac)
            return True

        near.loses = path
        data = pattern(30000)
        tls[SIDES[side]].write(data)
        assert tls[side].read(len(data)) == data
        assert lost, "the path was narrow"
        num_lost = len(lost)
        tls[SIDES[side]].write(data)
        assert tls[side].read(len(data)) == data
        assert len(lost) == num_lost, "and is known from then on"
        assert lab.metric(counter) == before + num_lost
        assert not [frame for frame in far.others if frame[12:14] != b"\x08\x06"], "the error was for the engine alone"
        near.loses = None
        flow.reset()
    assert counts["adoptions"] == {"decided": 1}


@FAMILIES
@pytest.mark.parametrize("side", SIDES)
def test_an_error_about_a_bypassed_flow_passes_untouched(lab, wire, family, side):
    before = lab.metric("mintgate_dataplane_stack_icmp_total")
    flow = Flow(wire, family).open()
    flow.passes("client", "PA", client_hello("www.bypass.lab.test"))
    quoted = flow.packet(SIDES[side], "PA", bytes(1400))
    if family == 4:
        error = IP(src="198.18.9.9", dst=quoted.src) / ICMP(type=3, code=4, nexthopmtu=1000) / bytes(quoted)[:28]
    else:
        error = IPv6(src="fd6d:6974:6e74::9:9", dst=quoted.src) / ICMPv6PacketTooBig(mtu=1280) / bytes(quoted)[:1200]
    frame = flow.frame(side, error)
    at_server, at_client = wire.exchange(**{side: [frame]})
    assert (at_server, at_client) == (([frame], []) if side == "client" else ([], [frame]))
    assert lab.metric("mintgate_dataplane_stack_icmp_total") == before
    flow.abort()
