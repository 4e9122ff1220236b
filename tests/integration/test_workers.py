# SPDX-License-Identifier: Apache-2.0
"""The main job on other ports, with hugepages, with several workers, and with everything on one core. (AF_XDP on veth
has one queue, so several workers are shown on AF_PACKET.)"""

import concurrent.futures
import contextlib
import hashlib
import ipaddress
import os
import pathlib

import pytest
import yaml
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from tlskit import configured, connect_tls, counting, read_all, request, settle
from wire import CLIENT_IP4, CLIENT_IP6, CLIENT_MAC, SERVER_IP4, SERVER_IP6, SERVER_MAC

NR_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
NUM_HUGEPAGES = 300  # of 2 MiB: the lab's -m 512, and some more
LINKS = ("client0", "server0")
AF_PACKET = "framesz=2048,blocksz=65536,framecnt=4096,qdisc_bypass=1"
FOREIGN = "mintgate_dataplane_worker_foreign_packets_total"


def eal(lab, drop=(), add=()):
    """The lab's EAL arguments but for those that begin with a word of |drop|."""
    kept = [word for word in yaml.safe_load(lab.config)["dataplane"]["eal"] if not word.startswith(tuple(drop))]
    return kept + list(add)


def af_packet(lab, num_workers):
    cores = ",".join(f"{i}@(0-{os.cpu_count() - 1})" for i in range(num_workers + 1))
    devices = [f"--vdev=net_af_packet{i},iface={link},qpairs={num_workers},{AF_PACKET}" for i, link in enumerate(LINKS)]
    return configured(lab, "engine", dataplane={
        "eal": eal(lab, drop=["--vdev="], add=[f"--lcores={cores}", *devices]), "workers": num_workers,
        "client_port": "net_af_packet0", "server_port": "net_af_packet1",
    })


@contextlib.contextmanager
def hugepages(lab):
    before = NR_HUGEPAGES.read_text()
    try:
        NR_HUGEPAGES.write_text(str(max(NUM_HUGEPAGES, int(before))))
        if int(NR_HUGEPAGES.read_text()) < NUM_HUGEPAGES:
            pytest.skip("this machine has no memory left for hugepages")
        with configured(lab, "engine", dataplane={"eal": eal(lab, drop=["--no-huge", "--file-prefix"],
                                                             add=["--in-memory"])}):
            yield
    finally:
        NR_HUGEPAGES.write_text(before)


def threads_of(lab):
    """Every thread of the lab: of what lives in its namespaces, and of the signer."""
    places = {os.stat(f"/run/netns/{lab.env[name]}").st_ino for name in ("SERVER_NS", "APPLIANCE_NS", "STACK_NS")}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if process.name == lab.env["SIGNER_PID"] or (process / "ns/net").stat().st_ino in places:
                yield from (int(task.name) for task in (process / "task").iterdir())


def pin(lab, cores):
    """All of the lab, and this process, whose children are the engine and the clients."""
    os.sched_setaffinity(0, cores)
    for thread in threads_of(lab):
        os.sched_setaffinity(thread, cores)


@contextlib.contextmanager
def one_core(lab):
    every = os.sched_getaffinity(0)
    core = min(every)
    with contextlib.ExitStack() as stack:
        stack.callback(pin, lab, every)
        pin(lab, {core})
        stack.enter_context(configured(lab, "engine", dataplane={"eal": eal(lab, add=[f"--lcores=0@{core},1@{core}"])}))
        stack.callback(pin, lab, every)  # before the engine is started as it was
        assert {frozenset(os.sched_getaffinity(thread)) for thread in threads_of(lab)} == {frozenset({core})}
        yield


VARIANTS = {
    "af-packet": lambda lab: af_packet(lab, 1),
    "two-workers": lambda lab: af_packet(lab, 2),
    "hugepages": hugepages,
    "one-core": one_core,
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request, lab):
    settle(lab)
    with VARIANTS[request.param](lab):
        yield request.param


def sources(lab):
    """Every address of the lab's client, with the server's of the same family."""
    for family in ("4", "6"):
        first = ipaddress.ip_address(lab.env["CLIENT_IP" + family])
        for i in range(8):
            yield str(first + i), lab.env["SERVER_IP" + family]


def fetch(lab, source, address, size=200000):
    with connect_tls(lab, "www.good.lab.test", source=source, address=address) as connection:
        connection.sendall(request(f"/bytes/{size}"))
        head, body = read_all(connection).split(b"\r\n\r\n", 1)
    return hashlib.sha256(body).hexdigest()


def test_connections_of_every_client_at_once_are_intercepted(lab, variant):
    """Of sixteen pairs of addresses: two workers have one each at least, but for once in 32768 runs."""
    foreign = lab.metric(FOREIGN)
    with counting(lab) as counts, concurrent.futures.ThreadPoolExecutor(8) as pool:
        pairs = list(sources(lab))
        digests = set(pool.map(lambda pair: fetch(lab, *pair), pairs))
    assert len(digests) == 1, "all got the same bytes"
    assert counts["decisions"] == {"intercept": len(pairs)} and counts["ways_out"] == {}
    assert counts["adoptions"] == {"decided": len(pairs)} and counts["sessions"] == {"intercepted": len(pairs)}
    assert counts["bounds"] == {}
    assert (lab.metric(FOREIGN) > foreign) == (variant == "two-workers")


@pytest.mark.parametrize("version", ["-4", "-6"])
def test_a_page_and_an_upload(lab, variant, version, tmp_path):
    """What passes is what was sent, whatever it passes through."""
    data = tmp_path / "data"
    data.write_bytes(os.urandom(1 << 20))
    with counting(lab) as counts:
        page = lab.curl(version, "--cacert", lab.env["MINTGATE_ROOT_PEM"], "https://www.fresh.lab.test/")
        answer = lab.curl(version, "--cacert", lab.env["MINTGATE_ROOT_PEM"], "-T", data, "https://www.good.lab.test/")
    assert "www.fresh.lab.test" in page.stdout
    assert hashlib.sha256(data.read_bytes()).hexdigest() in answer.stdout
    assert counts["sessions"] == {"intercepted": 2}


def test_bypassed_and_blocked_names(lab, variant):
    with counting(lab) as counts:
        page = lab.curl("--cacert", lab.env["ORIGIN_ROOT_PEM"], "https://www.bypass.lab.test/bytes/100000")
        refused = lab.curl("https://www.blocked.lab.test/", check=False)
    assert len(page.stdout) > 90000 and refused.returncode == 35
    assert counts["decisions"] == {"bypass": 1, "block": 1} and counts["adoptions"] == {}


def test_what_is_no_tcp_passes(lab, wire, variant):
    for packet in (IP(src=CLIENT_IP4, dst=SERVER_IP4) / UDP(dport=9) / bytes(1400),
                   IPv6(src=CLIENT_IP6, dst=SERVER_IP6) / UDP(dport=9) / bytes(1400),
                   Dot1Q(vlan=100, prio=3) / IP(src=CLIENT_IP4, dst=SERVER_IP4) / UDP(dport=9),
                   ARP(psrc=CLIENT_IP4, pdst=SERVER_IP4)):
        frame = bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / packet)
        for near, far in ((wire.client, wire.server), (wire.server, wire.client)):
            near.send(frame)
            far.wait_for(lambda seen: bytes(seen) == frame, what=f"{packet!r}")


def test_a_worker_that_may_sleep_preempts_nobody(lab, variant):
    """docs/adr/0005: to the scheduler it is a batch job, and the other threads of the engine are not."""
    policies = {}
    for task in pathlib.Path(f"/proc/{lab.engine_pid()}/task").iterdir():
        is_worker = (task / "comm").read_text().startswith("rte-worker")
        policies.setdefault(is_worker, set()).add(os.sched_getscheduler(int(task.name)))
    assert policies == {True: {os.SCHED_BATCH}, False: {os.SCHED_OTHER}}
