# SPDX-License-Identifier: Apache-2.0
"""How flows end at the level of TCP: FINs in both orders and at once, half-close, resets in every state."""

import contextlib
import ctypes
import os
import pathlib
import socket
import struct

import pytest

from labkit import wait_until
from rawclient import ACK, FIN, RST, wait_for
from takeoverkit import Ends, exchange, pattern
from tlskit import connect, counting

SIDES = ["client", "server"]


@pytest.fixture(scope="module")
def ends(lab, raw_client, raw_server):
    return Ends(lab, raw_client, raw_server)


@pytest.fixture
def intercepted(lab, ends):
    """An intercepted flow over which both have spoken, and nothing but TCP will go any more."""
    flow, client, server = ends.intercepted()
    exchange(client, server)
    flow.client.on_change = flow.server.on_change = None
    ends.barrier()
    yield flow
    flow.forget()
    wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == 0, what="the session's end")


def by_side(flow, side):
    """The end on |side|, and the other."""
    return (flow.client, flow.server) if side == "client" else (flow.server, flow.client)


# ---- FINs ----


@pytest.mark.parametrize("first", SIDES)
def test_a_fin_is_passed_on_and_the_other_follows(intercepted, first):
    one, other = by_side(intercepted, first)
    one.fin()
    other.wait_fin()
    one.wait_acked()
    assert not one.fin_received  # half-closed
    other.fin()
    one.wait_fin()
    other.wait_acked()
    assert not one.reset and not other.reset


def test_fins_of_both_at_once(intercepted):
    for end in intercepted:
        end.fin()
    for end in intercepted:
        end.wait_fin()
        end.wait_acked()
        assert not end.reset


@pytest.mark.parametrize("first", SIDES)
def test_after_a_half_close_the_other_direction_goes_on(lab, ends, first):
    """close_notify and FIN of one; the other sends on, then ends too."""
    with counting(lab) as counts:
        flow, client, server = ends.intercepted()
        exchange(client, server)
        one, other = (client, server) if first == "client" else (server, client)
        one.close_notify()
        one.tcp.fin()
        wait_for(lambda: other.closed and other.tcp.fin_received, "close_notify and FIN")
        other.tcp.transmit(other.encrypted(pattern(100_000)))
        assert one.read(100_000) == pattern(100_000)
        other.close_notify()
        other.tcp.finish()
        wait_for(lambda: one.closed and one.tcp.fin_received, "close_notify and FIN")
        assert not client.tcp.reset and not server.tcp.reset
        flow.forget()
    assert counts["sessions"] == {"intercepted": 1}
    assert counts["bytes"] == ({"client": 3000, "server": 109_000} if first == "client"
                               else {"client": 103_000, "server": 9000})


@pytest.mark.parametrize("first", SIDES)
def test_close_notify_and_fin_that_come_together_go_on_together(ends, first):
    """A segment less for each end of a connection, and a packet less to wake anybody for."""
    flow, client, server = ends.intercepted()
    exchange(client, server)
    one, other = (client, server) if first == "client" else (server, client)
    one.tcp.segment(FIN | ACK, one.encrypted_close_notify())
    wait_for(lambda: other.closed and other.tcp.fin_received, "close_notify and FIN")
    assert [segment.flags & FIN for segment in other.tcp.data_segments()][-1]
    other.close_notify()
    other.tcp.finish()
    wait_for(lambda: one.closed and one.tcp.fin_received, "close_notify and FIN")
    flow.forget()


# ---- resets ----


def test_rst_in_state_syn_a_refused_connection_is_refused(ends):
    flow = ends.half_open(answer=False)
    flow.server.segment(RST | ACK, seq=0)
    assert flow.client.wait_reset().ack == (flow.client.isn + 1) & 0xFFFFFFFF
    flow.forget()


def test_rst_in_state_syn_by_the_client(ends):
    flow = ends.half_open(answer=False)
    flow.client.segment(RST, ack=0, options=b"")
    assert flow.server.wait_reset().seq == (flow.client.isn + 1) & 0xFFFFFFFF
    flow.forget()


@pytest.mark.parametrize("side", SIDES)
def test_rst_in_state_open_passes(ends, side):
    flow = ends.open()
    one, other = by_side(flow, side)
    one.rst()
    assert other.wait_reset().seq == one.snd_nxt
    flow.forget()


def hold_half(flow, tls):
    hello = tls.hello()
    flow.client.on_change = None
    flow.client.at(0, hello[:200])


def test_rst_in_state_holding_by_the_server(ends):
    flow = ends.open()
    hold_half(flow, ends.client_tls(flow))
    flow.server.rst()
    flow.client.wait_reset()
    ends.barrier()
    assert not flow.server.data_segments()  # what was held is gone
    flow.forget()


def test_rst_in_state_holding_by_the_client_ends_the_servers_connection(lab, ends):
    """A client of the kernel's: its RST is behind bytes that the server never got, and yet the server must take it."""
    with counting(lab) as counts:
        connection = connect(lab)
        port = connection.getsockname()[1]
        connection.sendall(b"\x16\x03\x01\x02\x00half of a ClientHello")
        wait_until(lambda: server_connections(lab, port), what="the server's connection")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        wait_until(lambda: not server_connections(lab, port), what="the end of the server's connection")
    assert counts["adoptions"] == {}


def server_connections(lab, port):
    return lab.command("shell", "server", "ss", "-Htn", f"dport = :{port}").stdout.strip()


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


@contextlib.contextmanager
def frozen(pid, name):
    """One thread of a process stands still, as if the machine had no time for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    (task,) = (int(path.name) for path in pathlib.Path(f"/proc/{pid}/task").iterdir()
               if (path / "comm").read_text().strip() == name)

    def ptrace(what):
        if libc.ptrace(what, task, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    ptrace(PTRACE_SEIZE)
    ptrace(PTRACE_INTERRUPT)
    os.waitpid(task, WALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH)


@pytest.mark.parametrize("side", SIDES)
def test_rst_in_state_adopting(lab, ends, side):
    """It waits with the rest of what is held, and ends the session as soon as there is one."""
    with counting(lab) as counts:
        flow = ends.open()
        one, other = by_side(flow, side)
        hello = ends.client_tls(flow).hello()
        flow.client.on_change = None
        with frozen(lab.engine_pid(), "session-0"):
            flow.client.at(0, hello)
            ends.barrier()
            one.rst()
            ends.barrier()
            assert not flow.server.data_segments() and not other.reset
        if side == "client":
            other.wait_reset()
        else:
            wait_for(lambda: other.reset or other.fin_received, "the end at the client")
        flow.forget()
    assert counts["adoptions"] == {"decided": 1}


@pytest.mark.parametrize("side", SIDES)
def test_rst_in_state_adopted_during_the_handshakes(lab, ends, side):
    """The server has been spoken to and has not answered yet."""
    with counting(lab) as counts:
        flow = ends.open()
        one, other = by_side(flow, side)
        flow.client.send(ends.client_tls(flow).hello())
        flow.server.wait_received(100)
        one.rst()
        wait_for(lambda: other.reset or other.fin_received, "the end at the other")
        flow.forget()
    assert counts["sessions"] == {"client_failed" if side == "client" else "upstream_failed": 1}


def test_rst_behind_a_fin_in_state_adopted_during_the_handshakes(lab, ends):
    with counting(lab) as counts:
        flow = ends.open()
        flow.client.send(ends.client_tls(flow).hello())
        flow.server.wait_received(100)
        flow.client.fin()
        flow.client.wait_acked()
        flow.client.rst()
        wait_for(lambda: flow.server.reset or flow.server.fin_received, "the end at the server")
        flow.forget()
    assert counts["sessions"] == {"client_failed": 1}


@pytest.mark.parametrize("side", SIDES)
def test_rst_in_state_adopted_is_passed_on(intercepted, side):
    one, other = by_side(intercepted, side)
    one.rst()
    reset = other.wait_reset()
    assert reset.seq == other.rcv_nxt  # or the other would not take it (RFC 5961 section 3.2)
    assert not other.fin_received


def send_stray_reset(end):
    """One that its receiver does not take, since it is not at the number that it expects (RFC 5961 section 3.2)."""
    next_seq = end.snd_nxt
    end.segment(RST, seq=next_seq + 100, ack=0, options=b"")
    end.snd_nxt = next_seq


@pytest.mark.parametrize("side", SIDES)
def test_a_stray_rst_does_not_end_an_adopted_flow(ends, side):
    flow, client, server = ends.intercepted()
    send_stray_reset(by_side(flow, side)[0])
    exchange(client, server)
    assert not flow.client.reset and not flow.server.reset
    flow.reset()


@pytest.mark.parametrize("held", [False, True], ids=["open", "holding"])
@pytest.mark.parametrize("side", SIDES)
def test_a_stray_rst_does_not_hide_what_follows(lab, ends, side, held):
    """It goes on as it is, and the flow is intercepted all the same."""
    with counting(lab) as counts:
        flow = ends.open()
        server, client = ends.server_tls(flow), ends.client_tls(flow)
        one, other = by_side(flow, side)
        hello = client.hello()
        if held:
            flow.client.at(0, hello[:200])
        send_stray_reset(one)
        other.wait_reset()
        other.reset = None  # this one knows better
        flow.client.at(200 if held else 0, hello[200 if held else 0:])
        client.handshake()
        exchange(client, server)
        flow.reset()
    assert counts["adoptions"] == {"decided": 1} and counts["ways_out"] == {}


def test_what_is_under_way_when_a_bypassed_flow_is_reset_is_still_of_that_flow(lab, ends):
    """The other end may not know of the RST yet."""
    with counting(lab) as counts:
        flow = ends.open()
        flow.client.send(b"not TLS\r\n")
        flow.server.wait_received()
        flow.client.rst()
        flow.server.wait_reset()
        flow.server.send(b"under way")
        wait_for(lambda: b"under way" in flow.client.received, "what was under way")
        flow.forget()
    assert counts["ways_out"] == {"not_tls": 1}
