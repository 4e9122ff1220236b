# SPDX-License-Identifier: Apache-2.0
"""The signer dies, hangs, comes late and comes back, and the engine is killed: cached names go on, new names follow the
failure policy, all recovers, nothing leaks."""

import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from labkit import BUILD, stopped, wait_until
from tlskit import client_context, configured, connect_tls, counting, read_all, request, s_client

INTERNAL_ERROR = 80
WARM = "www.good.lab.test"
IN_TIME, RSS_GROWTH_MAX = 2, 64 << 20
TAKEN_BACK = "mintgate_hsm_cancelled_requests_total"
CONNECTIONS = "mintgate_minting_connections_total"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def lab(lab):
    """A signer has two seconds, and a failure is not remembered."""
    with configured(lab, "engine", minting={"timeout": f"{IN_TIME}s"}, cache={"negative": "0s"}):
        yield lab


def new_name():
    """A name that was never asked for."""
    return f"signer{next(_numbers)}.fresh.lab.test"


def load(lab, num, *options):
    """Connections to as many new names at one time, and the loadgen's results."""
    word = f"load{next(_numbers)}x%d.fresh.lab.test"
    report = lab.loadgen("--name", word, "--range", f"1-{num}", "--connections", num, "--in-flight", num, *options)
    return report["results"]


def fails_for_want_of_a_leaf(lab, name):
    lab.mark()
    shown = s_client(lab, name)
    assert shown.chain == [] and f"SSL alert number {INTERNAL_ERROR}" in shown.text, shown.text
    (record,) = lab.records(sni=name)
    assert (record["action"], record["reason"], record["upstream_verdict"]) == ("intercept", "minting_failed", "ok")


@contextlib.contextmanager
def killed(lab):
    """The signer is killed; afterwards there is a new one, and the engine has found it."""
    os.kill(lab.signer_pid(), signal.SIGKILL)
    try:
        yield
    finally:
        before = lab.metric(CONNECTIONS)
        lab.restart("signer")
        wait_until(lambda: lab.metric(CONNECTIONS) > before, what="the engine's connection to the signer")


class Means:
    """What of the machine the engine holds."""

    def __init__(self, lab):
        pid = lab.engine_pid()
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        status = pathlib.Path(f"/proc/{pid}/statm").read_text()
        self.rss = int(status.split()[1]) * os.sysconf("SC_PAGESIZE")


def assert_nothing_leaked(lab, before):
    metrics = lab.metrics()
    assert metrics["mintgate_dataplane_sessions"] == 0 and metrics["mintgate_cache_pending"] == 0
    wait_until(lambda: Means(lab).descriptors == before.descriptors, what="as many descriptors as before")
    after = Means(lab)
    assert after.threads == before.threads and after.rss - before.rss < RSS_GROWTH_MAX


def test_a_signer_killed_in_the_middle_of_load(lab):
    assert s_client(lab, WARM).verdict == 0
    load(lab, 100)
    means = Means(lab)
    reports = []
    warm = threading.Thread(target=lambda: reports.append(
        lab.loadgen("--name", WARM, "--connections", 3000, "--in-flight", 4, "--rate", 500)))
    with counting(lab) as counts:
        warm.start()
        wait_until(lambda: counts["hits"] > 200, what="the load")
        with killed(lab):
            alive = counts["hits"]
            assert load(lab, 50) == {f"handshake: alert {INTERNAL_ERROR} (internal error)": 50}
            assert counts["hits"] > alive and warm.is_alive()  # cached names go on
        assert load(lab, 50) == {"ok": 50}
        warm.join()
    assert reports[0]["results"] == {"ok": 3000}
    assert counts["ways_out"] == {"minting_failed": 50} and counts["minted"] == 50
    assert counts["sessions"] == {"intercepted": 3050, "minting_failed": 50}
    assert counts["signer_lost"] >= 1
    assert_nothing_leaked(lab, means)


def test_new_names_may_pass_while_the_signer_is_away(lab):
    name = new_name()
    with configured(lab, policy={"minting_failed": "bypass", "not_interceptable_time": "5s"}), counting(lab) as counts:
        with killed(lab):
            fails_for_want_of_a_leaf(lab, name)
            (learned,) = json.loads(lab.get("/bypasses"))
            assert (learned["sni"], learned["reason"]) == (name, "minting_failed")
            assert "Lab Origin" in s_client(lab, name).chain[0].issuer.rfc4514_string()
            assert s_client(lab, WARM).verdict == 0
        wait_until(lambda: json.loads(lab.get("/bypasses")) == [], what="the end of the bypass")
        assert s_client(lab, name).verdict == 0
    assert counts["ways_out"] == {"minting_failed": 1, "learned_bypass": 1} and counts["minted"] == 1


def test_a_signer_that_hangs_is_late_and_recovers(lab):
    name = new_name()
    with counting(lab) as counts:
        with stopped(lab.signer_pid()):
            fails_for_want_of_a_leaf(lab, name)
            assert counts["requested"] == counts["timed_out"] == 1
            assert s_client(lab, WARM).verdict == 0
        wait_until(lambda: counts["dropped_replies"] == 1, what="the late reply")
        assert s_client(lab, name).verdict == 0
    assert counts["minted"] == 1 and counts["signer_lost"] == 0 and counts["ways_out"] == {"minting_failed": 1}


def test_a_failure_is_remembered_for_a_while(lab):
    """The signer is not asked again for a name that it has just failed to sign, and is afterwards."""
    name = new_name()
    with configured(lab, "engine", cache={"negative": "3s"}), counting(lab) as counts:
        with stopped(lab.signer_pid()):
            for _ in range(3):
                fails_for_want_of_a_leaf(lab, name)
            assert counts["requested"] == 1 and counts["negative_hits"] == 2
        wait_until(lambda: s_client(lab, name).verdict == 0, what="the end of the memory")
    assert counts["requested"] == 2 and counts["minted"] == 1


def test_connections_wait_for_a_signer_that_hangs_shortly(lab):
    """Twenty to one name, and to a name each: one mint, and one each."""
    name = new_name()
    reports = []
    with counting(lab) as counts:
        with stopped(lab.signer_pid()):
            threads = [threading.Thread(target=lambda: reports.append(
                lab.loadgen("--name", name, "--connections", 20, "--in-flight", 20)["results"]))]
            threads.append(threading.Thread(target=lambda: reports.append(load(lab, 20))))
            for thread in threads:
                thread.start()
            wait_until(lambda: counts["requested"] == 21, IN_TIME, "21 requests")
            wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == 40, IN_TIME, "40 sessions")
        for thread in threads:
            thread.join()
    assert reports == [{"ok": 20}] * 2
    assert counts["minted"] == counts["requested"] == 21 and counts["ways_out"] == {}


def test_a_client_that_leaves_while_its_leaf_is_made(lab):
    name = new_name()
    means = Means(lab)
    taken_back = lab.metrics("SIGNER_METRICS_SOCKET")[TAKEN_BACK]
    with counting(lab) as counts:
        with stopped(lab.signer_pid()):
            results = load(lab, 20, "--timeout", 1)  # which close
            assert list(results.values()) == [20] and "ok" not in results
            wait_until(lambda: counts["cancelled"] == 20, what="the end of their orders")
        assert s_client(lab, name).verdict == 0
    # What the signer had taken from its socket before it read that nobody waits is signed, and comes too late.
    not_signed = lab.metrics("SIGNER_METRICS_SOCKET")[TAKEN_BACK] - taken_back
    assert counts["minted"] == 1 and counts["dropped_replies"] + not_signed == 20
    assert_nothing_leaked(lab, means)


@pytest.mark.usefixtures("without_control")  # which had told the engine whom to serve
def test_an_engine_that_starts_before_its_signer(lab):
    metrics = pathlib.Path(lab.env["METRICS_SOCKET"])
    signer = None
    os.kill(lab.signer_pid(), signal.SIGKILL)
    os.kill(lab.engine_pid(), signal.SIGKILL)
    metrics.unlink()  # what a killed engine leaves
    starting = threading.Thread(target=lab.restart, args=("engine",))  # ends when the signer has named its issuers
    try:
        starting.start()
        wait_until(metrics.exists, 25, "the engine")
        wait_until(lambda: "is running" in lab.engine_log(), what="the engine's word")
        assert lab.metric("mintgate_minting_issuer_generation") == 0
        fails_for_want_of_a_leaf(lab, WARM)
        signer = subprocess.Popen([BUILD / "hsm/mintgate-signer", "--config", lab.env["CONFIG"]],
                                  stderr=subprocess.DEVNULL)
        starting.join()
        assert lab.metric("mintgate_minting_issuer_generation") > 0
        assert s_client(lab, WARM).verdict == 0
    finally:
        starting.join()
        if signer is not None:
            signer.terminate()
            signer.wait(10)
        lab.restart("signer", "engine")


def test_an_engine_that_is_killed_and_comes_back(lab):
    """What it had not taken over goes on, as joined in mid-stream; new connections are intercepted."""
    with connect_tls(lab, "bypass.lab.test", client_context(lab.env["ROOT_PEM"])) as before:
        os.kill(lab.engine_pid(), signal.SIGKILL)
        lab.restart("engine")
        before.sendall(request("/info"))
        assert b"200 OK" in read_all(before)
    with counting(lab) as counts:
        assert s_client(lab, WARM).verdict == 0
    assert counts["sessions"] == {"intercepted": 1} and counts["minted"] == 1
