# SPDX-License-Identifier: Apache-2.0
"""The bounds of what a worker keeps, each one full: counted, policy followed, what else there is goes on, and room
again afterwards."""

import contextlib
import ctypes
import os
import pathlib

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from labkit import wait_until
from tlskit import configured, counting, settle
from wire import CLIENT_MAC, SERVER_IP4, SERVER_MAC, Flow, abort_all, client_hello, rules_about_443, same_frames

HELLO = client_hello("www.good.lab.test")
FLOWS, HELD_PACKETS, HELD_HELLOS, SESSIONS = 64, 16, 2, 2

pytestmark = pytest.mark.usefixtures("small_bounds")


@pytest.fixture(scope="module")
def small_bounds(lab):
    settle(lab)
    bounds = {
        "dataplane": {"flows": FLOWS, "hold_packets": HELD_PACKETS, "hold_hellos": HELD_HELLOS,
                      "flow_opening_timeout": "1s", "hold_time": "60s"},
        "sessions": {"max": SESSIONS},
        "policy": {"rules": rules_about_443(lab)},
    }
    with configured(lab, "engine", **bounds):
        yield


@pytest.fixture
def flows(lab, wire):
    """Makes flows, and ends them all."""
    made = []

    def make(**how):
        made.append(Flow(wire, **how))
        return made[-1]
    yield make
    abort_all(wire, made)
    settle(lab)


@pytest.fixture
def empty_table(lab):
    """Flows that have ended, or were blocked, are remembered for some seconds: tests of the table come first."""
    wait_until(lambda: lab.metric("mintgate_dataplane_flows") == 0, 20, "an empty table")


WAYS = pytest.mark.parametrize("way", ["bypass", "block"])


def let_pass(flow, frames, seen):
    same_frames(seen, (frames, []))


def is_blocked(flow, frames, seen):
    """Both ends were told, by an alert or a RST; of the client's frames none came through."""
    at_server, at_client = seen
    assert not set(frames) & set(at_server)
    assert [Ether(frame)[TCP].flags.R for frame in at_server] == [True]
    (tcp,) = [Ether(frame)[TCP] for frame in at_client]
    assert tcp.flags.R or bytes(tcp.payload).startswith(b"\x15\x03\x03")


FOLLOWED = {"bypass": let_pass, "block": is_blocked}


# ---- flows ----

@WAYS
def test_a_full_flow_table(lab, wire, empty_table, flows, way):
    with configured(lab, policy={"table_full": way}), counting(lab) as counts:
        first = flows().open()
        for _ in range(FLOWS - 1):
            flows().passes("client", "S")
        over = flows()
        syn, *seen = over.send("client", "S")
        FOLLOWED[way](over, [syn], seen)
        assert counts["ways_out"] == {"table_full": 1} and counts["bounds"] == {"flows": 1}
        first.held("A", HELLO[:100])  # those in the table are still judged
        Flow(wire, server_port=80).open()  # and the others pass
        first.abort()
        late = flows().open()
        late.held("A", HELLO[:100])
    assert counts["flows"] == FLOWS + 1


def test_a_flow_that_found_the_table_full_passes_to_its_end(lab, wire, empty_table, flows):
    for _ in range(FLOWS):
        flows().passes("client", "S")
    with counting(lab) as counts:
        over = Flow(wire).open()
        over.passes("client", "PA", HELLO)
        over.passes("server", "PA", b"answer")
        over.passes("server", "FA")
        over.passes("client", "FA")
    assert counts["ways_out"] == {"table_full": 1} and counts["adoptions"] == {}


def test_a_syn_flood_leaves_the_rest_alone(lab, wire, empty_table, flows):
    """Of a thousand SYNs all are forwarded, as many as the table holds are watched, and none of them for long."""
    bypassed = flows().open()
    bypassed.passes("client", "PA", client_hello("www.bypass.lab.test"))
    flood = [bytes(Ether(src=CLIENT_MAC, dst=SERVER_MAC) / IP(src=f"198.18.8.{i % 250}", dst=SERVER_IP4) /
                   TCP(sport=1024 + i, dport=443, seq=i)) for i in range(1000)]
    with counting(lab) as counts:
        same_frames(wire.exchange(client=flood), (flood, []))
        bypassed.passes("client", "PA", b"goes on")
        bypassed.passes("server", "PA", b"goes on")
        Flow(wire, server_port=80).open()
        assert lab.metric("mintgate_dataplane_flows") == FLOWS
    assert counts["bounds"] == {"flows": 1000 - (FLOWS - 1)} == {"flows": counts["ways_out"]["table_full"]}
    wait_until(lambda: lab.metric("mintgate_dataplane_flows") == 1, what="the end of flows that nobody answered")
    flows().open().held("A", HELLO[:100])


# ---- held packets ----

def hold(flow, num_segments, start=0):
    """Holds so many segments of one byte."""
    return [flow.held("A", HELLO[start + i:start + i + 1]) for i in range(num_segments)]


@WAYS
def test_held_packets_of_one_flow(lab, flows, way):
    with configured(lab, policy={"table_full": way}), counting(lab) as counts:
        flow = flows().open()
        held = hold(flow, HELD_PACKETS)
        _lost, *seen = flow.send("client", "A", HELLO[HELD_PACKETS:HELD_PACKETS + 1])
        FOLLOWED[way](flow, held, seen)
        assert counts["ways_out"] == {"table_full": 1} and counts["bounds"] == {"hold_packets": 1}
        hold(flows().open(), HELD_PACKETS)  # there is room again


@WAYS
def test_held_packets_of_other_flows(lab, flows, way):
    with configured(lab, policy={"table_full": way}), counting(lab) as counts:
        holding = flows().open()
        hold(holding, HELD_PACKETS)
        flow = flows().open()
        frame, *seen = flow.send("client", "A", HELLO)
        FOLLOWED[way](flow, [], seen)
        assert counts["ways_out"] == {"table_full": 1} and counts["bounds"] == {"hold_packets": 1}
        if way == "bypass":
            flow.passes("client", "A", HELLO, seq=flow.next["client"] - len(HELLO))  # the lost one again
        holding.abort()
        hold(flows().open(), HELD_PACKETS)


# ---- held ClientHellos ----

@WAYS
def test_held_hellos(lab, flows, way):
    with configured(lab, policy={"table_full": way}), counting(lab) as counts:
        gathering = [flows().open() for _ in range(HELD_HELLOS)]
        for flow in gathering:
            flow.held("A", HELLO[:100])
        over = flows().open()
        frame, *seen = over.send("client", "A", HELLO[:100])
        FOLLOWED[way](over, [frame], seen)
        assert counts["ways_out"] == {"table_full": 1} and counts["bounds"] == {"hold_hellos": 1}
        take_over(lab, flows().open()).abort()  # a whole one needs no place
        gathering[0].abort()
        flows().open().held("A", HELLO[:100])


# ---- sessions and takeovers ----

def adoptions(lab):
    return lab.metric("mintgate_dataplane_adoptions_total", 'cause="decided"')


def take_over(lab, flow):
    """Has the engine take the flow over, and returns it."""
    before = adoptions(lab)
    flow.wire.client.send(flow.make("client", "PA", HELLO))
    wait_until(lambda: adoptions(lab) == before + 1, what="a takeover")
    return flow


def refused(lab, flow, counts, way, bound):
    """A flow that could not be taken over goes as policy says."""
    hello = flow.make("client", "PA", HELLO)
    flow.wire.client.send(hello)
    wait_until(lambda: counts["ways_out"] == {"adoption_failed": 1}, what="a failed takeover")
    FOLLOWED[way](flow, [hello], flow.exchange())
    if way == "bypass":
        flow.passes("server", "PA", b"answer")
    assert counts["bounds"] == {bound: 1}


@WAYS
def test_sessions(lab, wire, flows, way):
    with configured(lab, policy={"adoption_failed": way}), counting(lab) as counts:
        taken = [take_over(lab, flows().open()) for _ in range(SESSIONS)]
        refused(lab, flows().open(), counts, way, "sessions")
        taken[0].abort()
        wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == SESSIONS - 1, what="room")
        taken.append(take_over(lab, flows().open()))
        abort_all(wire, taken)
    assert counts["adoptions"] == {"decided": SESSIONS + 1}


@contextlib.contextmanager
def stopped_thread(pid, name):
    """A thread of a process stands still (ptrace(2))."""
    seize, interrupt, detach, all_children = 0x4206, 0x4207, 17, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request):
        if libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    (thread,) = [int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").iterdir()
                 if (path / "comm").read_text().strip() == name]
    ptrace(seize)
    try:
        ptrace(interrupt)
        os.waitpid(thread, all_children)
        yield
    finally:
        ptrace(detach)


@WAYS
def test_takeovers_in_flight(lab, wire, flows, way):
    """The session thread has taken none of them up yet."""
    with configured(lab, policy={"adoption_failed": way}), counting(lab) as counts:
        opened = [flows().open() for _ in range(SESSIONS + 1)]
        with stopped_thread(lab.engine_pid(), "session-0"):
            for flow in opened[:SESSIONS]:
                flow.held("PA", HELLO)
            refused(lab, opened[SESSIONS], counts, way, "takeovers")
        wait_until(lambda: counts["adoptions"] == {"decided": SESSIONS}, what="the takeovers")
        abort_all(wire, opened)
