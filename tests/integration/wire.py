# SPDX-License-Identifier: Apache-2.0
"""Both ends of the lab's wire, frame by frame: what is sent at one end, what comes out at the other, and connections
whose two ends are both made by hand. The hosts' kernels take no part: none of the addresses here is theirs."""

import contextlib
import itertools
import select
import socket
import ssl
import struct
import time

import yaml
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from hellokit import without_post_quantum
from rawclient import with_tag
from tlskit import inside

CLIENT_MAC = "02:77:00:00:00:01"
SERVER_MAC = "02:77:00:00:00:02"
CLIENT_IP4, SERVER_IP4 = "198.18.7.1", "198.18.7.2"
CLIENT_IP6, SERVER_IP6 = "fd6d:6974:6e74::7:1", "fd6d:6974:6e74::7:2"
OWN_MACS = b"\x02\x77"  # how the source of every frame here begins

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING, _PACKET_QDISC_BYPASS = 263, 8, 23, 20
_SO_RCVBUFFORCE = 33
_MARKER_TYPE = b"\x88\xb5"  # IEEE 802's for local experiments


def rules_about_443(lab):
    """The lab's rules, but none of them about any other port."""
    return [dict(rule, port=["443"]) for rule in yaml.safe_load(lab.config)["policy"]["rules"]]


class Tap:
    """All frames of an interface in a namespace. With |outgoing| those that its host sends too."""

    def __init__(self, namespace, interface="eth0", outgoing=False):
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 0 if outgoing else 1)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((interface, _ETH_P_ALL))
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.send(bytes(frame))

    def receive(self, seconds=0.0):
        """The next frame, or None after so long."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        frame, ancillary, _flags, _address = self.socket.recvmsg(65536, 64)
        return with_tag(frame, ancillary)

    def drain(self):
        """Everything that is there."""
        return list(iter(self.receive, None))

    def wait_for(self, wanted, seconds=10, what="a frame"):
        """The first frame, parsed, for which |wanted| holds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            frame = self.receive(left)
            if frame is not None and wanted(packet := Ether(frame)):
                return packet
        raise AssertionError(f"{what} did not come in {seconds} s")


class Wire:
    """The two ends of the engine's wire."""

    def __init__(self, lab):
        self.client = Tap(lab.env["CLIENT_NS"])
        self.server = Tap(lab.env["SERVER_NS"])
        self._markers = itertools.count(time.monotonic_ns())

    def close(self):
        self.client.close()
        self.server.close()

    def _until_marker(self, tap, marker):
        frames = []
        while (frame := tap.receive(10)) != marker:
            assert frame is not None, "the engine forwards nothing"
            if frame[6:8] == OWN_MACS:
                frames.append(frame)
        return frames

    def exchange(self, client=(), server=()):
        """Sends frames from the two ends. Returns those that came out at the server's end, and at the client's, until
        frames sent after all of them had come out: none is missing for being late."""
        at_server, at_client = [], []
        for frame in client:
            self.client.send(frame)
        for frame in server:
            self.server.send(frame)
        for _ in range(2):  # the second time nothing that the first frames caused can still be under way
            marker = b"\xff" * 6 + OWN_MACS + b"\0\0\0\xff" + _MARKER_TYPE + struct.pack("!Q", next(self._markers)) * 6
            self.client.send(marker)
            self.server.send(marker)
            at_server += self._until_marker(self.server, marker)
            at_client += self._until_marker(self.client, marker)
        return at_server, at_client

    def assert_passes(self, frames, both_ways=True):
        """Every frame comes out at the other end as it was, in order, and nothing else."""
        frames = [bytes(frame) for frame in frames]
        same_frames(self.exchange(client=frames), (frames, []))
        if both_ways:
            same_frames(self.exchange(server=frames), ([], frames))


def _show(frame):
    return "nothing" if frame is None else f"{len(frame)} bytes: {frame[:120].hex()}\n{Ether(frame[:400])!r}"


def same_frames(seen, expected):
    """That frames came out as expected at the server's end and at the client's: (at_server, at_client) each."""
    for where, frames, wanted in zip(("server", "client"), seen, expected):
        for index, (frame, want) in enumerate(itertools.zip_longest(frames, wanted)):
            if frame != want:
                raise AssertionError(f"frame {index} at the {where}'s end is {_show(frame)}\nnot {_show(want)}")


def client_hello(name, extra=0):
    """A ClientHello as Python's OpenSSL sends it, in one record; about |extra| bytes longer by names in its ALPN."""
    context = without_post_quantum(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if extra:
        context.set_alpn_protocols(["http/1.1"] + [f"x{i:03}" + "y" * 200 for i in range(extra // 205)])
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


class Flow:
    """A TCP connection whose two ends are made by hand. Frames go out one by one; what the engine does with each is the
    answer of Wire.exchange."""

    _ports = itertools.count(20000)

    def __init__(self, wire, family=4, server_port=443, client_port=None, tags=(), client_ip=None, server_ip=None):
        self.wire = wire
        self.client_port = client_port or next(self._ports)
        self.server_port = server_port
        self.client_ip = client_ip or (CLIENT_IP4 if family == 4 else CLIENT_IP6)
        self.server_ip = server_ip or (SERVER_IP4 if family == 4 else SERVER_IP6)
        self.family = family
        self.tags = tags
        self.macs = {"client": CLIENT_MAC, "server": SERVER_MAC}
        self.next = {"client": 1000, "server": 900000}

    def packet(self, side, flags, payload=b"", seq=None, options=(), window=64240, ip=None):
        """A packet from |side|, the next in its stream unless |seq| says otherwise: (seq after it, IP packet)."""
        other = "server" if side == "client" else "client"
        seq = self.next[side] if seq is None else seq
        ends = {"client": (self.client_ip, self.client_port), "server": (self.server_ip, self.server_port)}
        ip = ip or (IP(flags="DF") if self.family == 4 else IPv6())
        ip.src, ip.dst = ends[side][0], ends[other][0]
        tcp = TCP(sport=ends[side][1], dport=ends[other][1], flags=flags, seq=seq, window=window,
                  ack=self.next[other] if "A" in flags else 0, options=list(options))
        return ip / tcp / payload

    def frame(self, side, packet):
        """|packet| with the flow's layer 2."""
        other = "server" if side == "client" else "client"
        frame = Ether(src=self.macs[side], dst=self.macs[other])
        for kind, vlan in self.tags:
            frame /= {0x8100: Dot1Q, 0x88A8: Dot1AD}[kind](vlan=vlan & 0xFFF, prio=vlan >> 13)
        return bytes(frame / packet)

    def make(self, side, flags, payload=b"", **how):
        """The next frame of |side|, whose place in the stream moves on."""
        packet = self.packet(side, flags, payload, **how)
        if how.get("seq") is None:
            self.next[side] += len(payload) + ("S" in flags) + ("F" in flags)
        return self.frame(side, packet)

    def owns(self, frame):
        """Whether it is a segment of this flow."""
        packet = Ether(frame)
        ports = {self.client_port, self.server_port}
        return TCP in packet and {packet[TCP].sport, packet[TCP].dport} == ports

    def send(self, side, flags, payload=b"", **how):
        """Sends it; returns (frame, what came out at the server's end, at the client's) of this flow."""
        frame = self.make(side, flags, payload, **how)
        return (frame, *self.exchange(**{side: [frame]}))

    def exchange(self, **frames):
        """Wire.exchange, but only what came out of this flow."""
        return tuple([frame for frame in end if self.owns(frame)] for end in self.wire.exchange(**frames))

    def passes(self, side, flags, payload=b"", **how):
        """Sends a frame that must come out at the other end as it is."""
        frame, at_server, at_client = self.send(side, flags, payload, **how)
        same_frames((at_server, at_client), ([frame], []) if side == "client" else ([], [frame]))
        return frame

    def held(self, flags, payload=b"", **how):
        """Sends a frame of the client that the engine must hold."""
        frame, at_server, at_client = self.send("client", flags, payload, **how)
        same_frames((at_server, at_client), ([], []))
        return frame

    SYN_OPTIONS = (("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("NOP", None), ("NOP", None), ("WScale", 7))

    def open(self, options=SYN_OPTIONS):
        """The three-way handshake, each frame of which must pass."""
        self.passes("client", "S", options=options)
        self.passes("server", "SA", options=options)
        self.passes("client", "A")
        return self

    def abort(self):
        """Ends it for both, and for the engine."""
        abort_all(self.wire, [self])


def abort_all(wire, flows):
    """Ends flows by RSTs of both ends."""
    for side in ("client", "server"):
        wire.exchange(**{side: [flow.make(side, "RA") for flow in flows]})
