# SPDX-License-Identifier: Apache-2.0
"""Bounds of sessions, descriptors, cache, mints and the session log, each tested full: counted, handled as policy says,
and over once there is room again. Those of flows and held packets: test_takeover_*.py."""

import contextlib
import os
import resource
import signal
import threading

import pytest

from labkit import wait_until
from tlskit import Counts, configured, connect_tls, counting, request, s_client

ACCESS_DENIED, INTERNAL_ERROR = 49, 80
GOOD = "www.good.lab.test"
BYTES_MAX, SESSIONS_MAX, ENTRIES_MAX, PENDING_MAX, WAITERS_MAX = 64 * 1024, 40, 8, 4, 10


@pytest.fixture(scope="module")
def small(lab):
    """An engine with small bounds; three seconds are enough for a leaf, and a failure is not remembered."""
    with configured(lab, "engine", cache={"entries": ENTRIES_MAX, "waiters": WAITERS_MAX, "negative": "0s"},
                    minting={"pending": PENDING_MAX}, sessions={"max": SESSIONS_MAX}):
        yield lab


def fresh(lab, word, num, in_flight):
    report = lab.loadgen("--name", f"{word}%d.fresh.lab.test", "--range", f"1-{num}", "--connections", num,
                         "--in-flight", in_flight)
    return report["results"]


def passes(lab):
    """A connection that could not be taken over, let pass: the server's own chain."""
    return "Lab Origin" in s_client(lab, GOOD).chain[0].issuer.rfc4514_string()


def is_blocked(lab):
    shown = s_client(lab, GOOD)
    return shown.chain == [] and f"alert number {ACCESS_DENIED}" in shown.text


def adoption_fails(lab, bound, full=contextlib.nullcontext):
    """While |bound| is full, what comes is let pass, or is blocked where policy says so."""
    lab.mark()
    counts = Counts(lab)  # while sessions run
    with full():
        assert passes(lab)
    with configured(lab, policy={"adoption_failed": "block"}), full():
        assert is_blocked(lab)
    assert counts["bounds"] == {bound: 2} and counts["ways_out"] == {"adoption_failed": 2}
    assert counts["adoptions"] == {}
    assert [record["action"] for record in lab.records(2, reason="adoption_failed")] == ["bypass", "block"]


@contextlib.contextmanager
def signer_stopped(lab):
    pid = lab.signer_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_sessions(small):
    lab = small
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(connect_tls(lab, GOOD)) for _ in range(SESSIONS_MAX)]
        assert lab.metric("mintgate_dataplane_sessions") == SESSIONS_MAX
        adoption_fails(lab, "sessions")
        for connection in running:  # nothing broke
            connection.sendall(request("/info", close=False))
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    with counting(lab) as counts:
        wait_until(lambda: lab.metric("mintgate_dataplane_sessions") < SESSIONS_MAX)
        assert s_client(lab, GOOD).verdict == 0
    assert counts["sessions"] == {"intercepted": 1}


@contextlib.contextmanager
def one_descriptor_left(pid):
    """A look at the metrics has it, but not the two sockets of a session."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = next(number for number in range(len(used) + 1) if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free + 1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_descriptors(small):
    lab = small
    adoption_fails(lab, "descriptors", lambda: one_descriptor_left(lab.engine_pid()))
    assert s_client(lab, GOOD).verdict == 0


def test_cache_entries(small):
    lab = small
    with counting(lab) as counts:
        assert fresh(lab, "entries", 50, 1) == {"ok": 50}
        assert lab.metric("mintgate_cache_entries") <= ENTRIES_MAX
    assert counts["minted"] == 50 and 50 - ENTRIES_MAX <= counts["evicted"] <= 50


def test_mints_under_way(small):
    lab = small
    reports = []
    load = threading.Thread(target=lambda: reports.append(fresh(lab, "pending", 10, 10)))
    with counting(lab) as counts:
        with signer_stopped(lab):
            load.start()
            wait_until(lambda: counts["bounds"] == {"pending_mints": 6}, 2, "six that found no room")
            assert counts["requested"] == PENDING_MAX == lab.metric("mintgate_cache_pending")
        load.join()
    assert reports == [{"ok": 4, f"handshake: alert {INTERNAL_ERROR} (internal error)": 6}]
    assert counts["ways_out"] == {"minting_failed": 6} and counts["minted"] == PENDING_MAX
    assert lab.metric("mintgate_cache_pending") == 0


def test_waiters(small):
    lab = small
    reports = []
    load = threading.Thread(target=lambda: reports.append(lab.loadgen(
        "--name", "waiters.fresh.lab.test", "--connections", 14, "--in-flight", 14)["results"]))
    full = 'bound="waiters"'
    before = lab.metric("mintgate_cache_full_total", full)
    with counting(lab) as counts:
        with signer_stopped(lab):
            load.start()
            wait_until(lambda: lab.metric("mintgate_cache_full_total", full) == before + 4, 2, "four without a place")
        load.join()
    assert reports == [{"ok": WAITERS_MAX, f"handshake: alert {INTERNAL_ERROR} (internal error)": 4}]
    assert counts["minted"] == counts["requested"] == 1 and counts["ways_out"] == {"minting_failed": 4}


def test_cache_bytes_and_the_session_log(lab):
    """Nine channels of the log share 64 records, and each is emptied every 20 ms."""
    with configured(lab, "engine", cache={"bytes": BYTES_MAX}, sessions={"log_queue": 64, "threads": 8}):
        lab.mark()
        with counting(lab) as counts:
            assert fresh(lab, "bytes", 200, 1) == {"ok": 200}
            assert 0 < lab.metric("mintgate_cache_bytes") <= BYTES_MAX
            blocked = lab.loadgen("--name", "blocked.lab.test", "--connections", 400, "--in-flight", 100)["results"]
            assert blocked == {f"handshake: alert {ACCESS_DENIED} (access denied)": 400}
        assert counts["minted"] == 200 and counts["evicted"] > 0
        lost = counts["bounds"].pop("session_log")
        assert 0 < lost < 600 and len(lab.records(600 - lost)) == 600 - lost
