#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs Mintgate to forward what it does not intercept, beside dpdk-testpmd.

Each has a pair of ports of its own, of the same kind (AF_XDP on veth), with as many descriptors and buffers, and one
worker on the same processor. They take turns: one is stopped while the other works. testpmd in io mode looks at no
byte of a packet, so what it needs is the ports' share.

  frames -> client --- port [Mintgate or testpmd] port --- server -> counted, and dropped

On another processor a program makes several times more frames than can be forwarded (bench/probes/frames.c), so that
no look at a port is in vain and no worker sleeps: all of a forwarder's CPU is for packets, and packets per second of
CPU time compare. It is the CPU of the forwarder's process and of its processor's ksoftirqd.
"""

import contextlib
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

import labbench
from labbench import BUILD, LIMIT, OURS, ROOT
from labkit import run, wait_until

sys.path.insert(0, str(ROOT / "tests"))

from tlskit import inside  # noqa: E402

PREFIX = os.environ.get("MG_LAB_PREFIX", "mgfwd-")
CLIENT, APPLIANCE, STACK, SERVER = (PREFIX + name for name in ("client", "appliance", "stack", "server"))
PROCESSORS = sorted(os.sched_getaffinity(0))
FIRST, LAST = PROCESSORS[0], PROCESSORS[-1]
EAL = ["--no-huge", "-m", "512", "--no-pci", "-l", f"{FIRST},{LAST}"]  # the worker is on the last
BUFFERS, DESCRIPTORS = 32767, 2048

FLOWS = 1024  # a power of two
FIRST_PORT = 10000
CLIENT_MAC, SERVER_MAC = b"\x02\x77\0\0\0\x01", b"\x02\x77\0\0\0\x02"
CLIENT_IP, SERVER_IP = (socket.inet_aton(address) for address in ("198.18.7.1", "198.18.7.2"))
TCP, UDP = 6, 17
SYN, ACK, PSH = 2, 16, 8
NAME = "bypass.lab.test"
SIZES = {  # of frames without their checksum, in turn
    "64 bytes": [64],
    "512 bytes": [512],
    "1,514 bytes": [1514],
    "64, 512 and 1,514 bytes, 9 to 5 to 2": [64, 512, 64, 1514, 64, 512, 64, 64, 512, 64, 64, 1514, 512, 64, 64, 512],
}
SETTLE_SECONDS = 0.05
PATIENCE_MS = 120000
FLOWS_AT_ONCE = 128  # a veth has room for 256 frames
AIM, KEY, SIZE_OF_KEY = 0.85, "forward_vs_testpmd", "64 bytes"  # where Mintgate's share is largest

CONFIG = """
dataplane:
  eal: [{eal}]
  client_port: net_af_xdp0
  server_port: net_af_xdp1
  packet_buffers: {buffers}
  descriptors: {descriptors}
  kill_switch: {directory}/bypass
sessions:
  stack_namespace: {stack}
policy:
  rules:
    - {{name: by-name, port: ["443"], sni: [{name}], action: bypass}}
    - {{name: intercept, port: ["443"], action: intercept}}
minting:
  published: {directory}/published
signer:
  engine_socket: {directory}/no-signer
metrics:
  socket: {directory}/metrics
"""


# ---- frames ----

def frame(protocol, client_port, server_port, from_client=True, seq=0, ack=0, flags=ACK, payload=b""):
    """One with checksums of zero: Mintgate and testpmd look at none, and no kernel takes these for its own."""
    macs, addresses, ports = (SERVER_MAC, CLIENT_MAC), (CLIENT_IP, SERVER_IP), (client_port, server_port)
    if not from_client:
        macs, addresses, ports = macs[::-1], addresses[::-1], ports[::-1]
    if protocol == TCP:
        head = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 65535, 0, 0)
    else:
        head = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(head) + len(payload), 0, 0, 64, protocol, 0, *addresses)
    return b"".join(macs) + b"\x08\x00" + ip + head + payload


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=NAME).do_handshake()
    return outgoing.read()


# What passes: where the rows' names come from, and the first bytes of each frame.
KINDS = {
    "UDP, which is only looked at": frame(UDP, 0, 5000, payload=bytes(12)),
    "TCP to a port that no rule is about": frame(TCP, 0, 8080, seq=1000),
    "TCP/443, flows decided by name": frame(TCP, 0, 443, seq=1000),
}
DECIDED = "TCP/443, flows decided by name"


# ---- namespaces ----

class Wires:
    """Four namespaces, and in them a pair of ports for each forwarder with what they are connected to: the client's
    and server's ends NAME, the appliance's client-NAME and server-NAME."""

    def __init__(self, names):
        self.names = names

    def __enter__(self):
        self.remove()
        for namespace in (CLIENT, APPLIANCE, STACK, SERVER):
            run("ip", "netns", "add", namespace)
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        for name in self.names:
            for where, namespace in (("client", CLIENT), ("server", SERVER)):
                port = f"{where}-{name}"
                run("ip", "-n", APPLIANCE, "link", "add", port, "type", "veth", "peer", "name", name, "netns",
                    namespace)
                run("ip", "-n", namespace, "link", "set", name, "up")
                run("ip", "-n", APPLIANCE, "link", "set", port, "up")
        return self

    def __exit__(self, *unused):
        self.remove()

    @staticmethod
    def remove():
        for namespace in (CLIENT, APPLIANCE, STACK, SERVER):
            run("ip", "netns", "delete", namespace, check=False)


class Arrivals:
    """How many frames have come to an interface of a host's."""

    def __init__(self, namespace, interface):
        self.interface = interface
        with inside(namespace):
            self.file = open("/proc/thread-self/net/dev", encoding="ascii")

    def count(self):
        self.file.seek(0)
        lines = (line.split(":", 1) for line in self.file.read().splitlines() if ":" in line)
        return next(int(fields.split()[1]) for name, fields in lines if name.strip() == self.interface)


def vdevs(name):
    return [f"--vdev=net_af_xdp{number},iface={where}-{name},busy_budget=0"
            for number, where in enumerate(("client", "server"))]


# ---- forwarders ----

def nanoseconds(pid):
    """CPU time of a process: all its threads, those that have ended too."""
    return time.clock_gettime_ns((~pid << 3) | 2)  # clock_getcpuclockid(3) makes this of a process


class Forwarder:
    """A program that moves frames between the ports of |name|; it is stopped but for its turns."""

    ksoftirqd = int(run("pgrep", "-x", f"ksoftirqd/{LAST}").stdout)

    def __init__(self, name, directory, *command):
        self.name = name
        self.arrivals = Arrivals(SERVER, name)
        self.log_path = directory / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", APPLIANCE, *command], stdin=subprocess.PIPE,
                                            stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(self.forwards, seconds=60, what=f"a frame through {name}")
        except BaseException:
            self.end()
            raise
        self.pause()

    def forwards(self):
        assert self.process.poll() is None, self.log_path.read_text()
        before = self.arrivals.count()
        with source(self.name, frame(UDP, 0, 5000), [64], milliseconds=5) as frames:
            frames.wait()
        return self.arrivals.count() > before

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def turn(self):
        self.process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.pause()

    def used_ns(self):
        softirqs = pathlib.Path(f"/proc/{self.ksoftirqd}/schedstat").read_text()
        return nanoseconds(self.process.pid) + int(softirqs.split()[0])

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()


def testpmd(directory):
    return Forwarder("testpmd", directory, "dpdk-testpmd", *EAL, f"--file-prefix={PREFIX}testpmd", *vdevs("testpmd"),
                     "--", "--forward-mode=io", "--nb-cores=1", "--auto-start", f"--total-num-mbufs={BUFFERS}",
                     f"--rxd={DESCRIPTORS}", f"--txd={DESCRIPTORS}")


class Mintgate(Forwarder):
    """The engine by itself: without a signer it intercepts nothing, which is not asked here."""

    def __init__(self, directory):
        self.directory = directory
        eal = [*EAL, f"--file-prefix={PREFIX}mintgate", *vdevs("mintgate")]
        config = directory / "mintgate.yaml"
        config.write_text(CONFIG.format(eal=", ".join(f'"{word}"' for word in eal), buffers=BUFFERS, stack=STACK,
                                        descriptors=DESCRIPTORS, directory=directory, name=NAME))
        super().__init__("mintgate", directory, BUILD / "dataplane/mintgate", "--config", config)

    def bypassed_flows(self):
        page = run("curl", "-sS", "--unix-socket", self.directory / "metrics", "http://localhost/metrics").stdout
        wanted = 'mintgate_dataplane_decisions_total{action="bypass"} '
        return next(int(line[len(wanted):]) for line in page.splitlines() if line.startswith(wanted))

    def decide_flows(self):
        """Opens all flows to TCP/443 from both ends, up to a ClientHello, which has Mintgate let them pass."""
        with self.turn(), Host(CLIENT, self.name) as client, Host(SERVER, self.name) as server:
            send_each(client, server, seq=999, flags=SYN)
            send_each(server, client, seq=4999, ack=1000, flags=SYN | ACK, from_client=False)
            send_each(client, server, seq=1000, ack=5000, flags=ACK | PSH, payload=client_hello())
            assert self.bypassed_flows() == FLOWS, "not every flow was decided"


class Host:
    """One end of a pair of ports, frame by frame."""

    def __init__(self, namespace, interface):
        self.arrivals = Arrivals(namespace, interface)
        with inside(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, 0))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()


def send_each(sender, receiver, **fields):
    """A segment of each flow, so few at a time that none is lost."""
    for first in range(FIRST_PORT, FIRST_PORT + FLOWS, FLOWS_AT_ONCE):
        arrived = receiver.arrivals.count()
        for port in range(first, first + FLOWS_AT_ONCE):
            sender.socket.send(frame(TCP, port, 443, **fields))
        wait_until(lambda: receiver.arrivals.count() >= arrived + FLOWS_AT_ONCE, seconds=30,
                   what="a segment of each flow")


# ---- measuring ----

@contextlib.contextmanager
def source(interface, first_bytes, sizes, milliseconds):
    """What sends frames on the first processor, until it is terminated or for so long; it says how many, and in how
    many nanoseconds."""
    headers = first_bytes[:54].ljust(54, b"\0").hex()
    frames = subprocess.Popen(
        ["ip", "netns", "exec", CLIENT, "taskset", "-c", str(FIRST), BUILD / "bench/probes/mintgate-bench-frames",
         "--interface", interface, "--headers", headers, "--sizes", ",".join(map(str, sizes)), "--flows", str(FLOWS),
         "--first-port", str(FIRST_PORT), "--milliseconds", str(milliseconds)], stdout=subprocess.PIPE, text=True)
    try:
        yield frames
    finally:
        frames.terminate()
        frames.wait()


def counts(forwarder):
    return time.monotonic_ns(), forwarder.used_ns(), forwarder.arrivals.count()


def measure(forwarder, first_bytes, sizes, seconds):
    """One sample: while frames come, from a moment after the first."""
    idle = forwarder.arrivals.count()
    with forwarder.turn(), source(forwarder.name, first_bytes, sizes, PATIENCE_MS) as frames:
        wait_until(lambda: forwarder.arrivals.count() > idle, seconds=30, what="the first frame")
        time.sleep(SETTLE_SECONDS)
        before = counts(forwarder)
        time.sleep(seconds)
        wait_until(lambda: forwarder.arrivals.count() > before[2], seconds=30, what="another frame")
        after = counts(forwarder)
        frames.terminate()
        offered, offered_ns = map(int, frames.communicate()[0].split())
    wall_ns, cpu_ns, arrived = (late - early for early, late in zip(before, after))
    return {"per_cpu_second": arrived * 1e9 / cpu_ns, "cpu_ns": cpu_ns / arrived, "per_second": arrived * 1e9 / wall_ns,
            "offered_per_second": offered * 1e9 / offered_ns}


def measure_sizes(report, forwarders, title, sizes, options):
    """A group: every kind of frame through Mintgate, beside testpmd, there and back in turn."""
    limit, ours = forwarders
    samples = {name: [] for name in ("testpmd", *KINDS)}
    for number in range(labbench.rounds_of(options)):
        labbench.progress(f"{title}: round {number + 1} of {labbench.rounds_of(options)}")
        for name in reversed(samples) if number % 2 else samples:
            forwarder, first_bytes = (ours, KINDS[name]) if name in KINDS else (limit, KINDS[DECIDED])
            samples[name].append(measure(forwarder, first_bytes, sizes, options.milliseconds / 1000))
    group = report.group(f"frames of {title}, AF_XDP on veth")
    more = {"aim": AIM, "parameter": sum(sizes) / len(sizes)}
    group.row("dpdk-testpmd, io mode", LIMIT, samples["testpmd"], "per_cpu_second", parameter=more["parameter"],
              note=note_of(samples))
    for name in KINDS:
        key = {"key": KEY} if (name, title) == (DECIDED, SIZE_OF_KEY) else {}
        group.row(name, OURS, samples[name], "per_cpu_second", **more, **key)


def note_of(samples):
    """Whether the forwarders had more to do than they could."""
    least = min(sample["offered_per_second"] / sample["per_second"] for row in samples.values() for sample in row)
    return f"offered at least {least:.1f} times what was forwarded" + \
        ("" if least > 1.1 else ": idle at times, so that CPU time says too little")


def main():
    parser = labbench.options_parser(__doc__, quick_rounds=5, full_rounds=15)
    parser.add_argument("--milliseconds", type=int, default=300, help="for so long (300)")
    parser.add_argument("--size", choices=SIZES, action="append", help="frames of this size alone")
    options = parser.parse_args()
    report = labbench.Report("forward", options)
    with tempfile.TemporaryDirectory(prefix="mintgate-forward-") as directory, Wires(("testpmd", "mintgate")), \
            contextlib.ExitStack() as stack:
        labbench.progress("starting testpmd and Mintgate")
        limit = testpmd(pathlib.Path(directory))
        stack.callback(limit.end)
        ours = Mintgate(pathlib.Path(directory))
        stack.callback(ours.end)
        ours.decide_flows()
        for title in options.size or SIZES:
            measure_sizes(report, (limit, ours), title, SIZES[title], options)
    report.finish()


if __name__ == "__main__":
    sys.exit(main())
