#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The default intermediate goes back and forth under load: who notices?

First the capacity, closed loop. Then connections come at random times at half of that (open loop, latency counts from
when a connection should have started, nothing is tried again), a fifth of them for names that nobody has asked for
before, while makeDefault is called again and again by the control plane's API: once with full handshakes alone, once
with sessions resumed. Every connection is recorded; what was promised (docs/benchmarks.md) is computed from the
records.

The second around a swap is the one whose middle is makeDefault's return; between swaps is what is neither in such a
second nor within a call. Caches and flow table are smaller than what comes by and used whole before the tenth swap,
since a table that fills is not what is asked for: memory is that of the whole process.

The engine and the signer have one processor, all others another (placement.py); --spread leaves them where the kernel
puts them.

With --hsm both intermediates' keys are on a PKCS#11 token, of SoftHSM2.

usage: swaps.py [--swaps N] [--period SECONDS] [--json FILE] [--spread] [--hsm]
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from controlplane import ControlPlane  # noqa: E402
from keyskit import Authority  # noqa: E402
from labkit import MintgateLab  # noqa: E402
from placement import placed, precede  # noqa: E402
from swapkit import (Load, UnixConnection, failed, hit_ratio, make_default, new_intermediate,  # noqa: E402
                     of_another_issuer, percentile, usage)
from tlskit import edited, settle  # noqa: E402

NUM_WARM = 300
WARM = "w%d.fresh.lab.test"
FRESH_PERCENT = 20
LOAD_SHARE = 0.5  # of the capacity
CAPACITY_SECONDS = 6
IN_FLIGHT = 50
CACHE = {"entries": 2048}
REMEMBERED = {"remember_chains": 2048}
FLOWS = {"flows": 16384}
EARLY = 10  # the swap after which memory is looked at first
HALF_SECOND = 0.5
AIMS = {"p99_ratio": 1.25, "hit_ratio_drop": 0.05, "memory_growth": 0.02}


# ---- the lab ----

def words(number, *more):
    """The load's names; |number| keeps fresh ones of one run apart from another's."""
    return ["--name", WARM, "--range", f"1-{NUM_WARM}", "--random-names", "--fresh", f"c{number}-%d.fresh.lab.test",
            "--fresh-percent", FRESH_PERCENT, *more]


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.roots = str(self.directory / "roots.pem")
        self.numbers = itertools.count(1)
        self.around = contextlib.ExitStack()

    def __enter__(self):
        self.lab = MintgateLab("mgswaps-", self.directory / "lab")
        try:
            self.prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self.around.close()
        self.lab.command("down")

    def prepare(self):
        self.lab.command("up")
        self.lab.config = edited(self.lab.config, cache=CACHE, tls=REMEMBERED, dataplane=FLOWS)
        self.lab.restart("engine")
        self.control = self.around.enter_context(ControlPlane(self.lab))
        self.api = UnixConnection(self.control.socket)
        authority = Authority("Swapped Root")
        pathlib.Path(self.roots).write_text(authority.pem() + pathlib.Path(self.lab.env["ROOT_PEM"]).read_text())
        fields = {"type": "CUSTOM_HSM", "region": "EUROPE"} if self.options.hsm else {}
        self.intermediates = [new_intermediate(self.api, authority, name, **fields)
                              for name in ("Swapped One", "Swapped Two")]
        if not self.options.spread:
            self.around.enter_context(placed(self.lab, self.control))
            precede(os.getpid())
        make_default(self.api, self.intermediates[0])

    def closed_loop(self, num_connections):
        report = self.lab.loadgen(*words(next(self.numbers), "--connections", num_connections, "--in-flight", IN_FLIGHT,
                                         "--get", "/info"), cafile=self.roots)
        assert report["failed"] == 0, report["results"]
        return report["connections"] / report["seconds"]

    def fill_caches(self):
        """Under both issuers; it also says how fast it goes, roughly."""
        for intermediate in reversed(self.intermediates):
            make_default(self.api, intermediate)
            rate = self.closed_loop(CACHE["entries"] // 2 * 100 // FRESH_PERCENT)
        return rate

    def capacity(self):
        """Connections a second."""
        rough = self.fill_caches()
        return self.closed_loop(int(rough * CAPACITY_SECONDS))

    def place_load(self, load):
        if not self.options.spread:
            precede(load.process.pid)

    def run(self, rate, resume):
        """The swaps under load."""
        one, two = self.intermediates
        make_default(self.api, one)
        more = ["--poisson", "--rate", f"{rate:.1f}", "--connections", 10**9, "--in-flight", 5000,
                *(["--resume"] if resume else [])]
        with Load(self.lab, self.directory, *words(next(self.numbers), *more), cafile=self.roots) as load:
            self.place_load(load)
            swaps, samples = swap_on(self, load, [two, one])
            report, handshakes = load.end()
        settle(self.lab)
        return figures(report, handshakes, swaps, samples, first=one.fingerprint)


class Samples:
    """The engine's usage about each swap: before the call, at the return, and half way to the next call."""

    def __init__(self):
        self.before, self.after, self.half_way = [], [], []


def swap_on(bench, load, intermediates):
    swaps, samples = [], Samples()
    due = time.monotonic() + bench.options.period
    for intermediate in itertools.islice(itertools.cycle(intermediates), bench.options.swaps):
        time.sleep(max(0, due - time.monotonic()))
        assert load.running(), "the load ended before the swaps did"
        samples.before.append(usage(bench.lab))
        swaps.append(make_default(bench.api, intermediate))
        samples.after.append(usage(bench.lab))
        due = max(due + bench.options.period, swaps[-1].returned + 2 * HALF_SECOND)
        time.sleep(max(0, (due - time.monotonic()) / 2))
        samples.half_way.append(usage(bench.lab))
    time.sleep(HALF_SECOND)
    return swaps, samples


# ---- the figures ----

def milliseconds(handshakes):
    return [1000 * one.latency for one in handshakes]


def p99_around(handshakes, swaps):
    """p99 of handshakes that should have started in the second around each swap, and of those between two swaps."""
    around, between = [], []
    everything = sorted(handshakes, key=lambda one: one.intended)
    for swap, following in zip(swaps, swaps[1:]):
        near = [one for one in everything if abs(one.intended - swap.returned) < HALF_SECOND]
        end = min(following.called, following.returned - HALF_SECOND)
        far = [one for one in everything if swap.returned + HALF_SECOND <= one.intended < end]
        if near and far:
            around.append(percentile(milliseconds(near), 99))
            between.append(percentile(milliseconds(far), 99))
    return around, between


def hit_ratios(samples):
    """After each swap, and before the next one."""
    pairs = [(hit_ratio(after, half), hit_ratio(half, before))
             for after, half, before in zip(samples.after, samples.half_way, samples.before[1:])]
    return [pair for pair in pairs if None not in pair]


def timeline(handshakes, swaps, samples):
    """For the plot: p99 by second, and what was at each swap; seconds since the first handshake should have started."""
    start = min(one.intended for one in handshakes)
    seconds = {}
    for one in handshakes:
        seconds.setdefault(int(one.intended - start), []).append(1000 * one.latency)
    return {"p99_ms": [percentile(seconds.get(i, [0]), 99) for i in range(max(seconds) + 1)],
            "swaps": [swap.returned - start for swap in swaps],
            "memory": [sample.memory for sample in samples.after],
            "hit_ratios": hit_ratios(samples)}


def figures(report, handshakes, swaps, samples, first):
    around, between = p99_around(handshakes, swaps)
    after, before = zip(*hit_ratios(samples))
    early = samples.after[min(EARLY, len(swaps)) - 1].memory
    return {
        "connections": report["connections"], "resumed": report["resumed"], "swaps": len(swaps),
        "failed": len(failed(handshakes)), "results": report["results"],
        "of_another_issuer": len(of_another_issuer(handshakes, swaps, first)),
        "call_ms": statistics.median(1000 * (swap.returned - swap.called) for swap in swaps),
        "handshake_p50_ms": percentile(milliseconds(handshakes), 50),
        "p99_around_ms": statistics.median(around), "p99_between_ms": statistics.median(between),
        "p99_ratio": statistics.median(around) / statistics.median(between),
        "hit_ratio_before": statistics.mean(before), "hit_ratio_after": statistics.mean(after),
        "hit_ratio_drop": statistics.mean(before) - statistics.mean(after),
        "memory_early": early, "memory_late": samples.after[-1].memory,
        "memory_growth": samples.after[-1].memory / early - 1,
        "timeline": timeline(handshakes, swaps, samples),
    }


def verdict(met):
    return "met" if met else "NOT MET"


def show(kind, run):
    print(f"\n{kind}: {run['connections']} connections ({run['resumed']} resumed), {run['swaps']} swaps of "
          f"{run['call_ms']:.0f} ms, handshake p50 {run['handshake_p50_ms']:.1f} ms")
    rows = [
        ("failed connections", str(run["failed"]), "0", run["failed"] == 0),
        ("handshakes with another issuer, or a mixed chain", str(run["of_another_issuer"]), "0",
         run["of_another_issuer"] == 0),
        ("p99 around swaps by p99 between", f"{run['p99_ratio']:.2f} ({run['p99_around_ms']:.1f} by "
         f"{run['p99_between_ms']:.1f} ms)", "1.25", run["p99_ratio"] <= AIMS["p99_ratio"]),
        ("hit ratio before swaps, after", f"{run['hit_ratio_before']:.3f}, {run['hit_ratio_after']:.3f}",
         "within 0.05", run["hit_ratio_drop"] <= AIMS["hit_ratio_drop"]),
        (f"memory after swap {min(EARLY, run['swaps'])}, {run['swaps']}", f"{run['memory_early'] / 2**20:.1f}, "
         f"{run['memory_late'] / 2**20:.1f} MiB ({100 * run['memory_growth']:+.1f} %)", "+2 %",
         run["memory_growth"] <= AIMS["memory_growth"]),
    ]
    for what, figure, aim, met in rows:
        print(f"  {what:50} {figure:28} aim {aim:12} {verdict(met)}")
    if run["failed"]:
        print(f"  results: {run['results']}")
    return all(row[-1] for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--period", type=float, default=1.5, help="seconds from one swap to the next")
    parser.add_argument("--json", help="the figures into this file")
    parser.add_argument("--spread", action="store_true", help="over all processors")
    parser.add_argument("--hsm", action="store_true", help="keys on a token")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mintgate-swaps-") as directory, Bench(options, directory) as bench:
        capacity = bench.capacity()
        rate = LOAD_SHARE * capacity
        print(f"capacity: {capacity:.0f} connections a second; load: {rate:.0f}, {FRESH_PERCENT} % of them cold")
        runs = {kind: bench.run(rate, kind == "resumption") for kind in ("full handshakes", "resumption")}
    met = [show(kind, run) for kind, run in runs.items()]
    if options.json:
        text = json.dumps({"capacity": capacity, "rate": rate, "runs": runs}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()
