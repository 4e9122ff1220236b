# SPDX-License-Identifier: Apache-2.0
"""A bump in the wire: what is not intercepted comes out as it went in, byte for byte, in order, in both directions, and
never meets the stack."""

import contextlib

import pytest
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP, IPOption, IPOption_Router_Alert, IPOption_RR, fragment
from scapy.layers.inet6 import (
    ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting, PadN, RouterAlert, fragment6,
)
from scapy.layers.l2 import ARP, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import Raw

from labkit import run
from tlskit import configured, counting
from wire import (
    CLIENT_IP4, CLIENT_IP6, CLIENT_MAC, SERVER_IP4, SERVER_IP6, SERVER_MAC, Flow, Tap, client_hello, rules_about_443,
    same_frames,
)

ETHER = Ether(src=CLIENT_MAC, dst=SERVER_MAC)
IP4 = IP(src=CLIENT_IP4, dst=SERVER_IP4)
IP6 = IPv6(src=CLIENT_IP6, dst=SERVER_IP6)
FAST_OPEN = (34, b"\x01\x02\x03\x04\x05\x06\x07\x08")
FAST_OPEN_EXPERIMENT = (254, b"\xf9\x89\x01\x02\x03\x04\x05\x06")
MULTIPATH = (30, b"\x00\x81" + bytes(8))
OPTIONS = [("MSS", 1400), ("SAckOK", b""), ("WScale", 9), (28, b"\x00\x05"), (253, b"\x12\x34")]


LAYER_2 = {
    "arp-request": [Ether(src=CLIENT_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=CLIENT_IP4, pdst=SERVER_IP4)],
    "arp-reply": [ETHER / ARP(op=2, psrc=CLIENT_IP4, pdst=SERVER_IP4)],
    "lldp": [Ether(src=CLIENT_MAC, dst="01:80:c2:00:00:0e", type=0x88CC) / (b"\x02\x07\x04" + bytes(40))],
    "spanning-tree": [Dot3(src=CLIENT_MAC, dst="01:80:c2:00:00:00") / LLC() / STP()],
    "unknown": [Ether(src=CLIENT_MAC, dst=SERVER_MAC, type=kind) / bytes(range(50))
                for kind in (0x0600, 0x8847, 0x8863, 0x88E5, 0x9100, 0xFFFF)],
    "tiny": [(bytes(ETHER)[:12] + kind + bytes(size)) for kind in (b"\x08\x00", b"\x86\xdd", b"\x88\xcc")
             for size in (0, 1, 2, 4, 19)] +
            # A kernel drops what is shorter than the tag that it announces.
            [(bytes(ETHER)[:12] + kind + bytes(size)) for kind in (b"\x81\x00", b"\x88\xa8") for size in (6, 9)],
    "vlan": [ETHER / Dot1Q(vlan=100, prio=5, id=1) / IP4 / UDP(dport=9) / b"tagged",
             ETHER / Dot1Q(vlan=0, prio=7) / IP6 / UDP(dport=9) / b"priority",
             ETHER / Dot1Q(vlan=4094) / Dot1Q(vlan=1) / IP4 / ICMP()],
    "qinq": [ETHER / Dot1AD(vlan=200, prio=3) / Dot1Q(vlan=100, prio=5) / IP4 / UDP(dport=9) / b"twice",
             ETHER / Dot1AD(vlan=200) / Dot1Q(vlan=100) / Dot1Q(vlan=50) / IP4 / UDP(dport=9) / b"thrice"],
    "padding": [bytes(ETHER / IP4 / UDP(dport=9) / b"short") + b"\xaa" * 13],
}

LAYER_3 = {
    "icmp": [ETHER / IP4 / ICMP() / bytes(56), ETHER / IP4 / ICMP(type=3, code=1) / IP4 / UDP() / bytes(8)],
    "icmpv6": [ETHER / IP6 / ICMPv6EchoRequest(data=bytes(56)), ETHER / IP6 / ICMPv6ND_NS(tgt=SERVER_IP6)],
    "udp": [ETHER / IP4 / UDP(dport=53) / bytes(1472), ETHER / IP6 / UDP(dport=53) / bytes(1452)],
    "udp-fragments": [ETHER / part for part in fragment(IP4 / UDP(dport=9) / bytes(2000), 600)] +
                     [ETHER / part for part in
                      fragment6(IP6 / IPv6ExtHdrFragment(id=77) / UDP(dport=9) / Raw(bytes(2000)), 600)],
    "ipv4-options": [ETHER / IP(src=CLIENT_IP4, dst=SERVER_IP4, options=options) / UDP(dport=9) / b"options"
                     for options in ([IPOption_Router_Alert()], [IPOption_RR(routers=["0.0.0.0"] * 9)],
                                     [IPOption(b"\x94\x04\x00\x00"), IPOption(b"\x01")])],
    "ipv6-extensions": [ETHER / IP6 / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / UDP(dport=9) / b"hop",
                        ETHER / IP6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))]) /
                        IPv6ExtHdrRouting(addresses=[SERVER_IP6]) / UDP(dport=9) / b"all of them",
                        ETHER / IP6 / IPv6ExtHdrFragment(id=5, m=0, offset=0) / UDP(dport=9) / b"atomic"],
    "other-protocols": [ETHER / IP(src=CLIENT_IP4, dst=SERVER_IP4, proto=proto) / bytes(32)
                        for proto in (2, 4, 41, 50, 51, 132, 253)] + [ETHER / IP4 / GRE() / IP4 / UDP() / b"tunnel"],
    "malformed-ipv4": [ETHER / IP(src=CLIENT_IP4, dst=SERVER_IP4, **wrong) / TCP(dport=443, flags="S") / bytes(20)
                       for wrong in ({"version": 5}, {"version": 6}, {"ihl": 4}, {"ihl": 15}, {"len": 19},
                                     {"len": 2000})],
    "malformed-ipv6": [ETHER / IPv6(src=CLIENT_IP6, dst=SERVER_IP6, **wrong) / (b"\x06\xff" + bytes(20))
                       for wrong in ({"version": 4}, {"plen": 2000}, {"nh": 0}, {"nh": 43}, {"nh": 44, "plen": 3},
                                     {"nh": 6})],
    "malformed-tcp": [ETHER / IP4 / TCP(dport=443, flags="S", dataofs=offset) / bytes(12) for offset in (4, 15)],
}

# No rule is about these ports.
OTHER_TCP = {
    "tcp-other-port": [
        ETHER / ip / TCP(dport=80, flags="SEC", options=OPTIONS[:2] + [FAST_OPEN, MULTIPATH]) / b"GET /"
        for ip in (IP4, IP6)
    ] + [ETHER / IP4 / TCP(dport=80, flags=flags, seq=5) / b"data" for flags in ("A", "PA", "FA", "SF", "FPU", "")],
    "tcp-wrong-checksum": [ETHER / IP4 / TCP(dport=80, flags="S", chksum=0x1234)],
}

# What the rules would make something of.
TCP_443 = {
    "syn-with-everything": [ETHER / ip / TCP(dport=443, flags="SEC", reserved=1, options=OPTIONS[:2] + [option])
                            / b"early" for ip in (IP4, IP6) for option in (FAST_OPEN, FAST_OPEN_EXPERIMENT, MULTIPATH)],
    "tcp-midstream": [ETHER / ip / TCP(dport=443, flags="PA", seq=9) / b"\x16\x03\x01" for ip in (IP4, IP6)],
    "tcp-fragments": [ETHER / part for part in fragment(IP4 / TCP(dport=443, flags="PA") / bytes(2000), 600)[::-1]],
    "quic": [ETHER / ip / UDP(dport=443) / bytes(1200) for ip in (IP4, IP6)],
}



def flat(*groups):
    return [frame for group in groups for frames in group.values() for frame in frames]


@pytest.fixture(scope="class")
def shipped_default(lab):
    """The policy as shipped: no rules."""
    with configured(lab, policy={"rules": []}):
        yield


class TestShippedDefault:
    """Without a rule nothing at all is altered."""

    @pytest.mark.parametrize("group", [LAYER_2, LAYER_3, OTHER_TCP, TCP_443], ids=["layer2", "layer3", "tcp", "443"])
    def test_every_frame_passes_unaltered(self, lab, shipped_default, wire, group):
        with counting(lab) as counts:
            wire.assert_passes(flat(group))
        assert counts["flows"] == 0 and counts["ways_out"] == {}

    def test_a_connection_that_the_lab_would_intercept_passes_unaltered(self, lab, shipped_default, wire):
        flow = Flow(wire).open(OPTIONS + [("Timestamp", (7, 0))])
        flow.passes("client", "PA", client_hello("www.good.lab.test"))
        flow.passes("server", "A")
        flow.passes("server", "PA", b"anything")
        flow.passes("client", "FA")
        flow.passes("server", "FA")
        flow.passes("client", "A")


def without_evasions(options):
    """TCP options with no-ops in place of Fast Open and Multipath TCP (design: section 2.1)."""
    evasions = (FAST_OPEN, FAST_OPEN_EXPERIMENT, MULTIPATH)
    return [kept for option in options
            for kept in ([("NOP", None)] * (2 + len(option[1])) if option in evasions else [option])]


@pytest.fixture(scope="class")
def rules(lab):
    with configured(lab, policy={"rules": rules_about_443(lab)}):
        yield


@pytest.mark.usefixtures("rules")
class TestRules:
    """With rules in force, all that no rule is about, and connections whose names are bypassed."""

    @pytest.mark.parametrize("group", [LAYER_2, LAYER_3, OTHER_TCP], ids=["layer2", "layer3", "tcp"])
    def test_every_frame_that_no_rule_is_about_passes_unaltered(self, lab, wire, group):
        with counting(lab) as counts:
            wire.assert_passes(flat(group))
        assert counts["flows"] == 0 and counts["ways_out"] == {}

    @pytest.mark.parametrize("family", [4, 6])
    @pytest.mark.parametrize("evasion", [[FAST_OPEN], [FAST_OPEN_EXPERIMENT, MULTIPATH], [MULTIPATH, FAST_OPEN]],
                             ids=["fast-open", "experiment-multipath", "multipath-fast-open"])
    def test_a_syn_loses_what_would_evade_inspection_and_nothing_else(self, lab, wire, family, evasion):
        options = OPTIONS[:2] + evasion + OPTIONS[2:3]
        flow = Flow(wire, family)
        before = lab.metric("mintgate_dataplane_syn_neutralized_total")
        syn = flow.make("client", "SEC", b"early data", options=options, seq=flow.next["client"])
        expected = flow.make("client", "S", options=without_evasions(options))
        same_frames(wire.exchange(client=[syn]), ([expected], []))
        assert lab.metric("mintgate_dataplane_syn_neutralized_total") == before + 1
        flow.abort()

    @pytest.mark.parametrize("family", [4, 6])
    @pytest.mark.parametrize("tags", [(), ((0x8100, 0xA064),), ((0x88A8, 0x60C8), (0x8100, 0x2064))],
                             ids=["untagged", "vlan", "qinq"])
    def test_a_bypassed_connection_keeps_every_option_and_never_reaches_the_stack(self, lab, wire, family, tags):
        flow = Flow(wire, family, tags=tags)
        stack = stack_counters(lab)
        with counting(lab) as counts:
            flow.open(OPTIONS + [("Timestamp", (7, 0))])
            timestamp = [("NOP", None), ("NOP", None), ("Timestamp", (8, 7))]
            flow.passes("client", "PA", client_hello("bypass.lab.test"), options=timestamp)
            flow.passes("server", "A", options=timestamp + [("NOP", None), ("NOP", None), ("SAck", (1, 2))])
            flow.passes("server", "PA", bytes(1300), options=timestamp)
            flow.passes("client", "EA", options=timestamp + [(253, b"\x99")])
            flow.passes("server", "PUC", b"urgent")
            flow.passes("client", "FPA", b"last", options=timestamp)
            flow.passes("server", "FA")
            flow.passes("client", "A")
        assert counts["flows"] == 1 and counts["decisions"] == {"bypass": 1} and counts["adoptions"] == {}
        assert stack_counters(lab) == stack

    @pytest.mark.parametrize("version", ["-4", "-6"])
    def test_what_a_bypassed_download_sends_is_what_arrives(self, lab, version):
        stack = stack_counters(lab)
        with counting(lab) as counts, capturing(lab) as capture:
            lab.curl(version, "-o", "/dev/null", "--cacert", lab.env["ORIGIN_ROOT_PEM"],
                     "https://www.bypass.lab.test/bytes/300000")
        assert counts["decisions"] == {"bypass": 1} and counts["adoptions"] == {}
        assert stack_counters(lab) == stack
        for mac in (lab.env["CLIENT_MAC"], lab.env["SERVER_MAC"]):
            at_client, at_server = capture.from_mac(mac)
            same_frames((at_client, []), (at_server, []))
            assert len(at_client) > 10, "the capture has the connection in it"


def test_frames_as_large_as_a_configured_mtu_pass(lab, wire):
    """Of 3000 bytes: what fits into a page, in which AF_XDP passes frames."""
    links = [(lab.env["CLIENT_NS"], "eth0"), (lab.env["SERVER_NS"], "eth0"),
             (lab.env["APPLIANCE_NS"], "client0"), (lab.env["APPLIANCE_NS"], "server0")]
    with contextlib.ExitStack() as stack:
        for namespace, link in links:
            run("ip", "-n", namespace, "link", "set", link, "mtu", 3000)
            stack.callback(run, "ip", "-n", namespace, "link", "set", link, "mtu", 1500)
        with configured(lab, "engine", dataplane={"mtu": 3000}):
            wire.assert_passes([ETHER / IP4 / UDP(dport=9) / bytes(2972), ETHER / IP6 / UDP(dport=9) / bytes(2952),
                                ETHER / Dot1Q(vlan=100) / IP4 / UDP(dport=9) / bytes(2972),
                                ETHER / IP4 / TCP(dport=80, flags="A") / bytes(2960)])


# ---- what the tests share ----

def stack_counters(lab):
    return {name: value for name, value in lab.metrics().items() if name.startswith("mintgate_dataplane_stack_")}


class Capture:
    """All frames at both ends, the hosts' own included."""

    def __init__(self, lab):
        self.taps = [Tap(lab.env[name], outgoing=True) for name in ("CLIENT_NS", "SERVER_NS")]

    def from_mac(self, mac):
        """IP frames of one host, as seen at the client's end and at the server's."""
        source = bytes.fromhex(mac.replace(":", ""))
        return [[frame for frame in frames if frame[6:12] == source and frame[12:14] in (b"\x08\x00", b"\x86\xdd")]
                for frames in self.frames]


@contextlib.contextmanager
def capturing(lab):
    capture = Capture(lab)
    try:
        yield capture
        capture.frames = [tap.drain() for tap in capture.taps]
    finally:
        for tap in capture.taps:
            tap.close()
