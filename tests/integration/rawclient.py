# SPDX-License-Identifier: Apache-2.0
"""TCP endpoints of which a test decides each segment, and TLS over them.

A Host is a machine on the lab's wire that no kernel knows: it has a MAC address and addresses of its own, answers ARP
and neighbour discovery, and speaks through a packet socket in the client's namespace or the server's. A Tcp is a
connection of a Host. It acknowledges what comes in order unless told otherwise, and does nothing else by itself: it
never retransmits, and sends what and as the test says.

All of it runs on the test's own thread: whoever waits (wait_for, and all that waits by it) serves every Host.
"""

import collections
import contextlib
import ctypes
import ipaddress
import itertools
import random
import select
import socket
import ssl
import struct
import time
import typing

from tlskit import inside

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMP, MPTCP, FAST_OPEN = 0, 1, 2, 3, 4, 5, 8, 30, 34
EXPERIMENT = 254

_TPIDS = (0x8100, 0x88A8)
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING, _SO_ATTACH_FILTER = 263, 8, 23, 26
_WAIT = 10  # seconds; only what is broken waits for so long

# ---- packets ----


def checksum(data):
    """The internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def packed(address):
    return ipaddress.ip_address(address).packed


def option(kind, body=b""):
    return bytes([kind, len(body) + 2]) + body


def transport_checksum(source, destination, protocol, data):
    """|data| is the whole TCP or UDP or ICMPv6 packet with zeros for the checksum; addresses are packed."""
    if len(source) == 4:
        pseudo = source + destination + struct.pack("!BBH", 0, protocol, len(data))
    else:
        pseudo = source + destination + struct.pack("!LL", len(data), protocol)
    return checksum(pseudo + data)


def ip_packet(source, destination, protocol, payload, *, hop_limit=64, identification=0, fragment=0x4000):
    """An IPv4 or IPv6 packet by its addresses; |fragment| are IPv4's flags and offset, "don't fragment" by default."""
    source, destination = packed(source), packed(destination)
    if len(source) == 16:
        return struct.pack("!LHBB", 6 << 28, len(payload), protocol, hop_limit) + source + destination + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, fragment, hop_limit, protocol, 0)
    header += source + destination
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


class Segment(typing.NamedTuple):
    """A TCP segment as it came."""

    source: str
    source_port: int
    destination: str
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int  # not scaled
    options: tuple  # (kind, body), no-ops left out
    payload: bytes
    option_bytes: bytes
    tags: tuple
    frame: bytes  # with its tags
    time: float

    def option(self, kind):
        """The body of an option, or None."""
        return next((body for got, body in self.options if got == kind), None)

    @property
    def timestamps(self):
        """TSval and TSecr, or None."""
        body = self.option(TIMESTAMP)
        return body and struct.unpack("!LL", body)

    @property
    def end(self):
        """The sequence number after it."""
        return (self.seq + len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)) & 0xFFFFFFFF


def parse_options(data):
    found = []
    while data and data[0] != END:
        if data[0] == NOP:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            break
        found.append((data[0], bytes(data[2:data[1]])))
        data = data[data[1]:]
    return tuple(found)


def split_ethernet(frame):
    """The tags (VLAN ids), the EtherType and what is behind it."""
    tags, offset = [], 12
    while len(frame) >= offset + 4 and struct.unpack_from("!H", frame, offset)[0] in _TPIDS:
        tags.append(struct.unpack_from("!H", frame, offset + 2)[0] & 0xFFF)
        offset += 4
    return tuple(tags), struct.unpack_from("!H", frame, offset)[0], frame[offset + 2:]


def parse_tcp(frame, source, destination, data, tags=()):
    source_port, destination_port, seq, ack, offset, flags, window = struct.unpack_from("!HHLLBBH", data)
    header_len = (offset >> 4) * 4
    options = data[20:header_len]
    return Segment(str(ipaddress.ip_address(source)), source_port, str(ipaddress.ip_address(destination)),
                   destination_port, seq, ack, flags, window, parse_options(options), data[header_len:], options, tags,
                   frame, time.monotonic())


def parse_ip(packet):
    """Protocol, source, destination (packed) and payload; None for a fragment or no IP at all."""
    if packet[0] >> 4 == 4:
        total_len, fragment = struct.unpack_from("!H", packet, 2)[0], struct.unpack_from("!H", packet, 6)[0]
        if fragment & 0x3FFF:
            return None
        return packet[9], packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4:total_len]
    if packet[0] >> 4 == 6:
        return packet[6], packet[8:24], packet[24:40], packet[40:40 + struct.unpack_from("!H", packet, 4)[0]]
    return None


# ---- waiting ----

_hosts = []


def pump(seconds=0.0):
    """Serves what has come for every host, waiting |seconds| for the first of it."""
    ready, _, _ = select.select([host.socket for host in _hosts], [], [], seconds)
    for host in list(_hosts):
        if host.socket in ready:
            host.serve()
    return bool(ready)


def wait_for(condition, what="it", seconds=_WAIT):
    """Serves all hosts until |condition|() is true, and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        left = end - time.monotonic()
        assert left > 0, f"{what} did not come about in {seconds} s"
        pump(min(left, 0.05))


# ---- hosts ----


def _accept_only(mac):
    """A classic BPF program: frames to |mac| and to groups."""
    high, low = struct.unpack("!HL", mac)
    program = [
        (0x30, 0, 0, 0), (0x45, 4, 0, 1),  # the group bit of the destination
        (0x28, 0, 0, 0), (0x15, 0, 3, high),
        (0x20, 0, 0, 2), (0x15, 0, 1, low),
        (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    return buffer, struct.pack("HP", len(program), ctypes.addressof(buffer))


class Host:
    """A machine on the wire, on the "client" side or the "server" side; hosts differ by |number| (1 to 250). |tags| are
    VLAN ids, outermost first, that all its frames carry."""

    def __init__(self, lab, side="client", number=1, tags=()):
        group = {"client": 2, "server": 3}[side]
        self.ip4 = f"198.18.{group}.{number}"
        self.ip6 = str(ipaddress.ip_address(f"fd6d:6974:6e74::{group}:{number}"))
        self.mac = bytes([2, 0, 0, 0, group, number])
        self.peer_mac = bytes.fromhex(lab.env["SERVER_MAC" if side == "client" else "CLIENT_MAC"].replace(":", ""))
        self.tags = tuple(tags)
        self.connections = {}  # (remote address, remote port, own port): Tcp
        self.listening = {}  # port: SYNs (segments) that belong to no connection yet
        self.others = collections.deque(maxlen=1000)  # frames for it that are of no connection
        self.loses = None  # a function of a Segment that says that it was lost on its way here
        self._ports = itertools.count(random.randint(20000, 50000))
        with inside(lab.env["CLIENT_NS" if side == "client" else "SERVER_NS"]):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            buffer, program = _accept_only(self.mac)
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
            self.socket.bind(("eth0", 3))  # ETH_P_ALL
        self.socket.setblocking(False)
        del buffer
        _hosts.append(self)

    def close(self):
        _hosts.remove(self)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def address(self, family):
        """Its address for 4 or 6."""
        return self.ip4 if family == 4 else self.ip6

    def next_port(self):
        return next(self._ports)

    # ---- sending ----

    def send_frame(self, frame):
        self.socket.send(frame)

    def send_ethernet(self, ether_type, payload, destination=None):
        tags = b"".join(struct.pack("!HH", 0x88A8 if len(self.tags) == 2 and i == 0 else 0x8100, tag)
                        for i, tag in enumerate(self.tags))
        self.send_frame((destination or self.peer_mac) + self.mac + tags + struct.pack("!H", ether_type) + payload)

    def send_ip(self, packet, destination=None):
        """Sends an IP packet to a MAC address, that of the lab's own host on the other side if none is named."""
        self.send_ethernet(0x86DD if packet[0] >> 4 == 6 else 0x0800, packet, destination)

    # ---- receiving ----

    def serve(self):
        """Handles all frames that are there."""
        while True:
            try:
                frame, ancillary, _, _ = self.socket.recvmsg(65536, 64)
            except BlockingIOError:
                return
            self._take(with_tag(frame, ancillary))

    def _take(self, frame):
        tags, ether_type, payload = split_ethernet(frame)
        if tags != self.tags or frame[6:12] == self.mac:
            return
        if ether_type == 0x0806:
            self._answer_arp(payload)
            return
        parsed = parse_ip(payload) if ether_type in (0x0800, 0x86DD) and payload else None
        if parsed is None:
            self.others.append(frame)
            return
        protocol, source, destination, data = parsed
        if protocol == 58 and data[:1] == b"\x87":
            self._answer_solicitation(source, data)
        elif destination not in (packed(self.ip4), packed(self.ip6)):
            return
        elif protocol == 6:
            self._take_segment(parse_tcp(frame, source, destination, data, tags))
        else:
            self.others.append(frame)

    def _take_segment(self, segment):
        if self.loses is not None and self.loses(segment):
            return
        key = (segment.source, segment.source_port, segment.destination_port)
        if key in self.connections:
            self.connections[key].take(segment)
        elif segment.destination_port in self.listening and segment.flags & (SYN | ACK) == SYN:
            self.listening[segment.destination_port].append(segment)
        else:
            self.others.append(segment.frame)

    def _answer_arp(self, payload):
        """RFC 826."""
        operation, = struct.unpack_from("!H", payload, 6)
        sender_mac, sender, target = payload[8:14], payload[14:18], payload[24:28]
        if operation == 1 and target == packed(self.ip4):
            self.send_ethernet(0x0806, payload[:6] + struct.pack("!H", 2) + self.mac + target + sender_mac + sender,
                               sender_mac)

    def _answer_solicitation(self, source, data):
        """RFC 4861 section 7.2.4, with the target's link-layer address."""
        target = packed(self.ip6)
        if data[8:24] != target or source == bytes(16):
            return
        message = struct.pack("!BBHL", 136, 0, 0, 0x60000000) + target + b"\x02\x01" + self.mac
        total = transport_checksum(target, source, 58, message)
        message = message[:2] + struct.pack("!H", total) + message[4:]
        self.send_ip(ip_packet(self.ip6, ipaddress.ip_address(source), 58, message, hop_limit=255))

    # ---- barriers and connections ----

    def ping(self, other):
        """Waits until |other|, a Host on the other side, has a packet that is sent now: what was sent before, and was
        forwarded by the engine at once, has arrived there too."""
        mark = struct.pack("!HH", 0x1234, random.getrandbits(16)) + random.randbytes(8)
        body = b"\x08\0\0\0" + mark
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        self.send_ip(ip_packet(self.ip4, other.ip4, 1, body), other.mac)
        wait_for(lambda: any(mark in frame for frame in other.others), "an ICMP packet's arrival")

    def connect(self, address, port=443, **how):
        """A connection after its handshake."""
        connection = Tcp(self, address, port, **how)
        connection.connect()
        return connection

    def listen(self, port):
        self.listening[port] = collections.deque()

    def accept(self, port, *, answer=True, **how):
        """The next connection to |port|. Without |answer| its SYN has been noted, and the test sends the SYN-ACK."""
        syn = wait_for(lambda: self.listening[port] and self.listening[port].popleft(), "a SYN")
        connection = Tcp(self, syn.source, syn.source_port, local_port=port, remote_mac=syn.frame[6:12], **how)
        for again in [syn] + [other for other in self.listening[port] if other[:4] == syn[:4]]:
            connection.take(again)
        self.listening[port] = collections.deque(o for o in self.listening[port] if o[:4] != syn[:4])
        if answer:
            connection.syn_ack()
        return connection


def with_tag(frame, ancillary):
    """The frame with the outer tag that the kernel took out of it."""
    for level, kind, data in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & 16:  # TP_STATUS_VLAN_VALID
                return frame[:12] + struct.pack("!HH", tpid if status & 64 else 0x8100, tci) + frame[12:]
    return frame


# ---- TCP ----


def before(a, b):
    """Sequence numbers, RFC 9293 section 3.4."""
    return (a - b) & 0xFFFFFFFF > 0x7FFFFFFF


class Tcp:
    """One end of a connection. What its SYN or SYN-ACK offers: |mss|, |scale| (None: no window scaling), |sack|,
    |timestamps|; |extra| are further option bytes for it. |window| is in bytes."""

    def __init__(self, host, address, port, *, local_port=None, remote_mac=None, isn=None, mss=1460, scale=7, sack=True,
                 timestamps=True, extra=b"", window=65535, clock=None):
        self.host = host
        self.remote = str(ipaddress.ip_address(address))
        self.remote_port = port
        self.remote_mac = remote_mac or host.peer_mac
        self.local = host.ip6 if ":" in self.remote else host.ip4
        self.local_port = local_port or host.next_port()
        self.isn = random.getrandbits(32) if isn is None else isn
        self.mss, self.scale, self.sack, self.timestamps, self.extra = mss, scale, sack, timestamps, extra
        self.window = window
        self.clock = clock or (lambda start=random.getrandbits(31): (start + int(time.monotonic() * 1000)) & 0xFFFFFFFF)
        self.snd_una = self.isn
        self.snd_nxt = self.isn
        self.rcv_nxt = None
        self.peer_syn = None  # its SYN or SYN-ACK
        self.ts_recent = 0
        self.segments = []  # all that came
        self.received = bytearray()  # in order
        self.fin_received = False
        self.reset = None  # the RST that came
        self.auto_ack = True
        self.on_change = None  # called when anything has come
        self.peer_window = 0  # in bytes, from snd_una
        self.num_duplicate_acks = 0
        self._early = {}  # seq: segment
        host.connections[(self.remote, self.remote_port, self.local_port)] = self

    # ---- sending ----

    @property
    def negotiated_timestamps(self):
        return self.timestamps and (self.peer_syn is None or self.peer_syn.timestamps is not None)

    @property
    def window_shift(self):
        both = self.scale is not None and self.peer_syn is not None and self.peer_syn.option(WINDOW_SCALE) is not None
        return self.scale if both else 0

    def syn_options(self):
        options = option(MSS, struct.pack("!H", self.mss)) if self.mss else b""
        offered = self.peer_syn
        if self.scale is not None and (offered is None or offered.option(WINDOW_SCALE) is not None):
            options += option(WINDOW_SCALE, bytes([self.scale]))
        if self.sack and (offered is None or offered.option(SACK_PERMITTED) is not None):
            options += option(SACK_PERMITTED)
        if self.negotiated_timestamps:
            options += option(TIMESTAMP, struct.pack("!LL", self.clock(), self.ts_recent))
        return options + self.extra

    def options(self):
        if not self.negotiated_timestamps:
            return b""
        return bytes([NOP, NOP]) + option(TIMESTAMP, struct.pack("!LL", self.clock(), self.ts_recent))

    def build(self, flags, payload=b"", *, seq=None, ack=None, window=None, options=None):
        """A TCP segment, with its checksum."""
        seq = self.snd_nxt if seq is None else seq
        ack = (self.rcv_nxt or 0) if ack is None else ack
        if window is None:
            shift = 0 if flags & SYN else self.window_shift
            window = min(self.window >> shift, 0xFFFF)
        options = self.options() if options is None else options
        options += bytes(-len(options) % 4)
        header = struct.pack("!HHLLBBHHH", self.local_port, self.remote_port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF,
                             (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options
        total = transport_checksum(packed(self.local), packed(self.remote), 6, header + payload)
        return header[:16] + struct.pack("!H", total) + header[18:] + payload

    def segment(self, flags=ACK, payload=b"", *, seq=None, **fields):
        """Sends one segment as it is told: at the end of what was sent so far if |seq| does not say otherwise."""
        seq = self.snd_nxt if seq is None else seq & 0xFFFFFFFF
        packet = ip_packet(self.local, self.remote, 6, self.build(flags, payload, seq=seq, **fields))
        self.host.send_ip(packet, self.remote_mac)
        after = (seq + len(payload) + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
        if before(self.snd_nxt, after):
            self.snd_nxt = after

    def syn(self, flags=0, payload=b""):
        """Sends the SYN, or sends it again."""
        self.segment(SYN | flags, payload, seq=self.isn, ack=0, options=self.syn_options())
        self.snd_nxt = (self.isn + 1) & 0xFFFFFFFF  # data in a SYN is sent again

    def syn_ack(self, flags=0):
        self.segment(SYN | ACK | flags, seq=self.isn, options=self.syn_options())

    def connect(self):
        self.syn()
        wait_for(lambda: self.peer_syn or self.reset, f"a SYN-ACK of {self.remote}")
        assert self.reset is None, "refused"
        self.ack()

    def ack(self, **fields):
        self.segment(ACK, **fields)

    @property
    def send_mss(self):
        """The largest payload that the peer takes."""
        body = self.peer_syn.option(MSS)
        mss = struct.unpack("!H", body)[0] if body else (1220 if ":" in self.remote else 536)
        return min(mss, 1440 if ":" in self.remote else 1460) - (12 if self.negotiated_timestamps else 0)

    def at(self, offset, payload, flags=ACK | PSH):
        """Sends bytes at an offset of the own stream."""
        self.segment(flags, payload, seq=self.isn + 1 + offset)

    def send(self, data, size=None):
        """Sends bytes in order, in segments of |size|."""
        size = size or self.send_mss
        for start in range(0, len(data), size):
            self.segment(ACK | PSH, data[start:start + size])

    def transmit(self, data, *, loses=lambda: False, order=None):
        """Sends bytes as a host does: within the peer's window, again what was lost. |loses|() says of each segment
        whether it is lost on its way; |order| changes the order of a burst of segments."""
        start, sent = self.snd_nxt, 0
        recover = None  # a loss is being repaired until so many bytes are acknowledged

        def send_at(offset):
            part = data[offset:offset + self.send_mss]
            if not loses():
                self.segment(ACK if offset + len(part) < len(data) else ACK | PSH, part, seq=start + offset)

        def send_window(acked):
            nonlocal sent
            limit = acked + min(self.peer_window, 64 * self.send_mss)
            burst = []
            while sent < len(data) and sent + len(data[sent:sent + self.send_mss]) <= limit:
                burst.append(sent)
                sent += len(data[sent:sent + self.send_mss])
            for offset in order(burst) if order else burst:
                send_at(offset)
            self.snd_nxt = (start + sent) & 0xFFFFFFFF

        def wait_ack():
            """Returns whether anything new was acknowledged, before three duplicates or a timeout said otherwise."""
            una, self.num_duplicate_acks = self.snd_una, 0
            end = time.monotonic() + 0.2
            while self.snd_una == una and self.num_duplicate_acks < 3 and time.monotonic() < end:
                assert self.reset is None, "the connection was reset"
                pump(0.01)
            return self.snd_una != una

        acked, last_advance = 0, time.monotonic()
        while acked < len(data):
            send_window(acked)
            advanced = wait_ack()
            last_advance = time.monotonic() if advanced else last_advance
            assert time.monotonic() - last_advance < _WAIT, f"nothing was acknowledged for {_WAIT} s"
            acked = (self.snd_una - start) & 0xFFFFFFFF
            if recover is not None and acked >= recover:
                recover = None
            elif recover is not None or not advanced:
                recover = recover or sent
                send_at(acked)

    def fin(self):
        self.segment(FIN | ACK)

    def finish(self):
        """Sends a FIN, as often as it takes until it is acknowledged."""
        seq = self.snd_nxt
        for _ in range(20):
            self.segment(FIN | ACK, seq=seq)
            end = time.monotonic() + 0.2
            while before(self.snd_una, self.snd_nxt) and time.monotonic() < end:
                pump(0.01)
            if self.snd_una == self.snd_nxt:
                return
        raise AssertionError("a FIN was not acknowledged")

    def rst(self):
        self.segment(RST | ACK)

    # ---- receiving ----

    def take(self, segment):
        """What the host does with each segment of this connection."""
        self.segments.append(segment)
        if segment.flags & RST:
            self.reset = segment
        else:
            self._take(segment)
        if self.on_change is not None:
            self.on_change()

    def _take_ack(self, segment):
        advances = before(self.snd_una, segment.ack)
        self.num_duplicate_acks = 0 if advances or segment.payload else self.num_duplicate_acks + 1
        if advances:
            self.snd_una = segment.ack
        both = self.scale is not None and self.peer_syn is not None and self.peer_syn.option(WINDOW_SCALE)
        self.peer_window = segment.window << (both[0] if both and not segment.flags & SYN else 0)

    def _take(self, segment):
        if segment.flags & ACK:
            self._take_ack(segment)
        if segment.flags & SYN:
            if self.peer_syn is None:
                self.peer_syn = segment
                self.rcv_nxt = (segment.seq + 1) & 0xFFFFFFFF
            if segment.timestamps:
                self.ts_recent = segment.timestamps[0]
            return
        if self.rcv_nxt is None:
            return
        if segment.timestamps and not before(self.rcv_nxt, segment.seq):
            self.ts_recent = segment.timestamps[0]
        if segment.payload or segment.flags & FIN:
            self._early[segment.seq] = segment
            self._advance()
            if self.auto_ack:
                self.ack()

    def _advance(self):
        """Moves what is in order to |received|."""
        for seq in sorted(self._early, key=lambda seq: (seq - self.rcv_nxt + 0x80000000) & 0xFFFFFFFF):
            segment = self._early[seq]
            if before(self.rcv_nxt, seq):
                break
            del self._early[seq]
            if before(self.rcv_nxt, segment.end):
                self.received += segment.payload[(self.rcv_nxt - seq) & 0xFFFFFFFF:]
                self.rcv_nxt = segment.end
                self.fin_received = bool(segment.flags & FIN)

    def data_segments(self):
        return [segment for segment in self.segments if segment.payload]

    # ---- waiting ----

    def wait_received(self, num_bytes=1):
        """Waits for so many bytes in order, and takes them."""
        wait_for(lambda: len(self.received) >= num_bytes, f"{num_bytes} bytes")
        return self.take_received()

    def take_received(self):
        data = bytes(self.received)
        self.received.clear()
        return data

    def wait_acked(self, *, seq=None):
        """Waits until everything sent, or everything before |seq|, is acknowledged."""
        seq = self.snd_nxt if seq is None else seq & 0xFFFFFFFF
        wait_for(lambda: not before(self.snd_una, seq), "an acknowledgement")

    def wait_fin(self):
        wait_for(lambda: self.fin_received, "a FIN")

    def wait_reset(self):
        return wait_for(lambda: self.reset, "a RST")

    def forget(self):
        """The host no longer knows this connection: its ports are free for another."""
        self.host.connections.pop((self.remote, self.remote_port, self.local_port), None)


# ---- TLS ----


class Tls:
    """TLS over a Tcp. It goes on by itself while the test waits for anything: what was said to it is in |plaintext|;
    |established| and |closed| (close_notify came) tell how far it is, |error| what ended it. A server begins at once, a
    client with hello() or handshake()."""

    def __init__(self, tcp, context, name=None, *, server_side=False):
        self.tcp = tcp
        self.plaintext = bytearray()
        self.established = self.closed = False
        self.error = None
        self._begun = server_side
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self._in, self._out, server_side=server_side,
                                       server_hostname=None if server_side else name)
        tcp.on_change = self.progress
        self.progress()

    def hello(self):
        """The ClientHello's bytes, for the test to send."""
        self._begun = True
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.do_handshake()
        return self._out.read()

    def progress(self):
        """Does what can be done with what has come."""
        if not self._begun:
            return
        if self.tcp.received:
            self._in.write(self.tcp.take_received())
        if self.tcp.fin_received:
            self._in.write_eof()
        try:
            if not self.established:
                self.object.do_handshake()
                self.established = True
            while part := self.object.read(65536):
                self.plaintext += part
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLError as error:
            self.error = self.error or error
        self._flush()

    def _flush(self):
        if self._out.pending and not self.tcp.reset:
            self.tcp.send(self._out.read())

    def _until(self, condition, what):
        wait_for(lambda: condition() or self.error or self.tcp.reset, what)
        if not condition():
            raise self.error or ConnectionResetError(what)

    def handshake(self):
        if not self._begun:
            self.tcp.send(self.hello())
        self._until(lambda: self.established, "the handshake's end")

    def write(self, data):
        """Sends |data| whole, with no regard to the peer's window."""
        self._until(lambda: self.established, "the handshake's end")
        self.object.write(data)
        self._flush()

    def encrypted(self, data):
        """What write would send, for the test to send."""
        self.object.write(data)
        return self._out.read()

    def read(self, num_bytes):
        """Exactly so many bytes."""
        self._until(lambda: len(self.plaintext) >= num_bytes, f"{num_bytes} bytes of plaintext")
        data = bytes(self.plaintext[:num_bytes])
        del self.plaintext[:num_bytes]
        return data

    def read_all(self):
        """Everything until close_notify."""
        self._until(lambda: self.closed, "close_notify")
        return self.read(len(self.plaintext))

    def encrypted_close_notify(self):
        """What close_notify would send, for the test to send."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.unwrap()
        return self._out.read()

    def close_notify(self):
        self.tcp.send(self.encrypted_close_notify())
