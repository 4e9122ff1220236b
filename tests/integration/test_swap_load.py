# SPDX-License-Identifier: Apache-2.0
"""The default goes back and forth by the API while new connections keep coming, with names that are warm and names that
are new: none fails, each shows an issuer that was the default while it ran, and what is in use stays in the cache.
`mintgate-bench swap` measures the same at length."""

import itertools
import time

import pytest

from controlplane import ControlPlane
from keyskit import Authority
from swapkit import (API, Handshake, Load, Swap, UnixConnection, ask, failed, hit_ratio, make_default, new_intermediate,
                     of_another_issuer, usage)
from tlskit import settle

NUM_SWAPS = 6
NUM_WARM = 100
WARM = "inuse%d.fresh.lab.test"
RATE = 120


@pytest.fixture(scope="module")
def api(lab):
    """A connection to the control plane's Unix socket."""
    with ControlPlane(lab) as control:
        connection = UnixConnection(control.socket)
        yield connection
        ask(connection, "PUT", f"{API}/makeDefault/1", "{}")
        connection.close()


@pytest.fixture(scope="module")
def authority():
    return Authority("Swapped Root")


@pytest.fixture(scope="module")
def intermediates(api, authority):
    return [new_intermediate(api, authority, name) for name in ("Swapped One", "Swapped Two")]


def swap_while(load, lab, api, intermediates):
    """Swaps, and the engine's usage after each."""
    swaps, usages = [], []
    for intermediate in itertools.islice(itertools.cycle(intermediates), NUM_SWAPS):
        time.sleep(0.7)
        assert load.running(), "the load ended before the swaps did"
        swaps.append(make_default(api, intermediate))
        usages.append(usage(lab))
    return swaps, usages


def declined(handshakes):
    """Of handshakes with names that come again, those that could have resumed a session of another issuer."""
    last, count = {}, 0
    for one in sorted(handshakes, key=lambda one: one.began):
        count += one.name in last and last[one.name] != one.issuer and not one.resumed
        last[one.name] = one.issuer
    return count


@pytest.mark.parametrize("resume", [False, True], ids=["full handshakes", "resumption"])
def test_swaps_under_load(lab, api, roots, intermediates, tmp_path, resume):
    one, two = intermediates
    make_default(api, one)
    names = ["--name", WARM, "--range", f"1-{NUM_WARM}"]
    assert lab.loadgen(*names, "--in-flight", 20, cafile=roots)["failed"] == 0
    settle(lab)
    before = usage(lab)
    words = [*names, "--random-names", "--fresh", f"once{resume}%d.fresh.lab.test", "--fresh-percent", 20, "--poisson",
             "--rate", RATE, "--connections", 1000 * RATE, "--in-flight", 1000, *(["--resume"] if resume else [])]
    with Load(lab, tmp_path, *words, cafile=roots) as load:
        swaps, usages = swap_while(load, lab, api, [two, one])
        time.sleep(0.3)
        report, handshakes = load.end()
    settle(lab)
    assert not failed(handshakes), report["results"]
    assert of_another_issuer(handshakes, swaps, first=one.fingerprint) == []
    assert {handshake.issuer for handshake in handshakes} == {one.fingerprint, two.fingerprint}
    warm = [handshake for handshake in handshakes if handshake.name.startswith("inuse")]
    assert declined(warm) > 0 and (report["resumed"] > 0) == resume
    # But for the names that nobody has asked for before, leaves are there: 1 - ratio of all are misses.
    num_missed = (1 - hit_ratio(before, usage(lab))) * len(handshakes)
    assert num_missed - (len(handshakes) - len(warm)) <= 0.05 * len(warm)
    assert usages[-1].memory <= 1.25 * usages[1].memory, usages


def test_a_handshake_under_way_may_show_either_and_a_later_one_the_new_issuer_alone():
    """What the measurement calls wrong."""
    swaps = [Swap("b", 10, 11), Swap("a", 20, 21)]

    def wrong(issuer, began, ended):
        handshake = Handshake("name", began - 0.5, began, ended - began + 0.5, issuer, False, "ok")
        return bool(of_another_issuer([handshake], swaps, first="a"))

    assert [wrong("a", 1, 2), wrong("b", 1, 2)] == [False, True]
    assert [wrong("a", 9, 10.5), wrong("b", 9, 10.5), wrong("c", 9, 10.5)] == [False, False, True]
    assert [wrong("a", 10.9, 11.5), wrong("a", 11.1, 11.5), wrong("b", 11.1, 11.5)] == [False, True, False]
    assert [wrong("b", 19, 22), wrong("a", 19, 22), wrong("b", 22, 23)] == [False, False, True]
