# SPDX-License-Identifier: Apache-2.0
"""Two hundred clients of the API at one time while connections are intercepted: they are answered what is documented,
and nothing of them stays. bench/api_clients.py measures what the dataplane notices."""

import collections
import pathlib
import time

import pytest

from apikit import LIGHT, MEDIUM, PER_WINDOW, Crowd, listening
from labkit import wait_until
from swapkit import Load, memory

NUM_CLIENTS = 200
SECONDS = 3


@pytest.fixture(params=[True, False], ids=["limits", "no limits"])
def control(lab, request):
    with listening(lab, limits=request.param) as made:
        made.limits = request.param
        yield made


def held(pid):
    """Descriptors and threads."""
    return tuple(len(list(pathlib.Path(f"/proc/{pid}/{what}").iterdir())) for what in ("fd", "task"))


def have_gone(pid, least):
    """Nothing of the clients is left. The database opens some files as they are needed, which stay."""
    descriptors, threads = held(pid)
    return descriptors <= least[0] + 10 and threads == least[1]


def some_seconds(control):
    """What the clients exchanged with the server, and how long that took."""
    with Crowd(control, NUM_CLIENTS, control.limits) as crowd:
        crowd.go()
        began = time.monotonic()
        time.sleep(SECONDS)
    seconds = time.monotonic() - began
    crowd.check()
    return crowd.exchanges(), seconds


def most(weight, seconds):
    """What one credential may be let through in that time: a full bucket, and what flows in."""
    count, window = PER_WINDOW[weight]
    return count + count * (seconds + 1) / window


def test_two_hundred_clients(lab, control, tmp_path):
    pid = control.process.pid
    least = held(pid)
    with Load(lab, tmp_path, "--name", "busy%d.fresh.lab.test", "--range", "1-50", "--connections", 10**6, "--rate", 40,
              "--in-flight", 500, cafile=lab.env["ROOT_PEM"]) as load:
        exchanges, seconds = some_seconds(control)
        wait_until(lambda: have_gone(pid, least), 30, "the end of the connections")
        used = memory(pid)
        some_seconds(control)
        report, _ = load.end()
    assert report["failed"] == 0, report["results"]
    assert [one for one in exchanges if one.complaint] == []
    assert len({one.credential for one in exchanges}) == 20
    assert {one.operation.weight for one in exchanges} >= {LIGHT, MEDIUM}
    let_through = collections.Counter((one.credential, one.operation.weight) for one in exchanges if one.status < 400)
    if control.limits:
        assert any(one.status == 429 for one in exchanges)
        assert all(count <= most(weight, seconds) for (_, weight), count in let_through.items()), let_through
    else:
        assert sum(let_through.values()) == len(exchanges)
    wait_until(lambda: have_gone(pid, least), 30, "the end of the connections")
    assert memory(pid) <= 1.2 * used
    assert control.get("/health")[0] == 200
