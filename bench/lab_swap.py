#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Swaps of the default intermediate under load: who notices?

First the capacity, closed loop. Then connections come at random times at half of that (open loop, latency counts from
when a connection should have started, nothing is tried again), a fifth of them for names that nobody has asked for
before, while makeDefault is called again and again by the control plane's API, to and fro between two intermediates:
once with full handshakes alone, once with sessions resumed. Every connection is recorded; what was promised
(docs/benchmarks.md) is computed from the records (swap_figures.py). A round is a swap.

Caches and flow table are smaller than what comes by and used whole before the tenth swap, since a table that fills is
not what is asked for: memory is that of the whole process.

The engine and the signer have one processor, all others another (placement.py); --spread leaves them where the kernel
puts them. With --hsm both intermediates' keys are on a PKCS#11 token, of SoftHSM2.
"""

import contextlib
import itertools
import os
import pathlib
import sys
import tempfile
import time
import typing

import swap_figures as figures
from labbench import BASELINE, LIMIT, OURS, Report, options_parser, progress, rounds_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from controlplane import ControlPlane  # noqa: E402
from keyskit import Authority  # noqa: E402
from labkit import MintgateLab  # noqa: E402
from placement import placed, precede  # noqa: E402
from swapkit import (Load, UnixConnection, failed, make_default, new_intermediate,  # noqa: E402
                     of_another_issuer, usage)
from tlskit import edited, settle  # noqa: E402

QUICK_SWAPS, FULL_SWAPS = 8, 100
KINDS = {"full handshakes": [], "resumption": ["--resume"]}
WARM = "w%d.fresh.lab.test"
FRESH_PERCENT = 20
IN_FLIGHT = 50
REMEMBERED = {"remember_chains": 2048}
FLOWS = {"flows": 16384}
EARLY = 10  # the swap after which memory is looked at first
P99_AIM = 1.25


class Scale(typing.NamedTuple):
    """How long things take before the swaps begin, and how much comes then."""
    num_warm: int  # names that come again
    cache_entries: int
    capacity_seconds: float
    load_share: float  # of the capacity


QUICK, FULL = Scale(150, 1024, 2, 0.5), Scale(300, 2048, 6, 0.5)


# ---- the lab ----

class Run(typing.NamedTuple):
    """What came of one kind of load."""
    report: dict  # the load generator's
    handshakes: list
    swaps: list
    samples: "Samples"
    first: str  # fingerprint of the default before the first swap
    end: float  # of the load


class Samples:
    """The engine's usage about each swap: before the call, at the return, and half way to the next call."""

    def __init__(self):
        self.before, self.after, self.half_way = [], [], []


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.scale = QUICK if options.quick else FULL
        self.directory = pathlib.Path(directory)
        self.roots = str(self.directory / "roots.pem")
        self.numbers = itertools.count(1)
        self.around = contextlib.ExitStack()
        self.at_rest = []  # what swaps minted ahead before the load

    def __enter__(self):
        prefix = os.environ.get("MG_LAB_PREFIX", "mgswap-")
        self.lab = MintgateLab(prefix, self.directory / "lab")
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
        self.lab.config = edited(self.lab.config, cache={"entries": self.scale.cache_entries}, tls=REMEMBERED,
                                 dataplane=FLOWS)
        self.lab.restart("engine")
        self.control = self.around.enter_context(ControlPlane(self.lab))
        self.api = UnixConnection(self.control.socket)
        authority = Authority("Swapped Root")
        pathlib.Path(self.roots).write_text(authority.pem() + pathlib.Path(self.lab.env["ROOT_PEM"]).read_text())
        fields = {"type": "CUSTOM_HSM", "region": "EUROPE"} if self.options.hsm else {}
        self.intermediates = [new_intermediate(self.api, authority, name, **fields)
                              for name in ("Swapped One", "Swapped Two")]
        if not self.options.spread:
            self.around.enter_context(placed(self.lab, self.control, self.options.first))
        make_default(self.api, self.intermediates[0])

    def words(self, *more):
        """The load's; the fresh names of each run are its own."""
        return ["--name", WARM, "--range", f"1-{self.scale.num_warm}", "--random-names", "--fresh",
                f"c{next(self.numbers)}-%d.fresh.lab.test", "--fresh-percent", FRESH_PERCENT, *more]

    def closed_loop(self, num_connections):
        report = self.lab.loadgen(*self.words("--connections", num_connections, "--in-flight", IN_FLIGHT, "--get",
                                              "/info"), cafile=self.roots)
        assert report["failed"] == 0, report["results"]
        return report["connections"] / report["seconds"]

    def fill_caches(self):
        """Under both issuers; it also says how fast it goes, roughly."""
        for intermediate in reversed(self.intermediates):
            before = usage(self.lab)
            make_default(self.api, intermediate)
            self.at_rest.append(figures.minted_ahead(before, usage(self.lab)))
            rate = self.closed_loop(self.scale.cache_entries // 2 * 100 // FRESH_PERCENT)
        return rate

    def capacity(self):
        """Connections a second."""
        rough = self.fill_caches()
        return self.closed_loop(int(rough * self.scale.capacity_seconds))

    def place_load(self, load):
        if self.options.first and not self.options.spread:
            precede(load.process.pid)

    def run(self, kind, rate):
        """The swaps under load."""
        one, two = self.intermediates
        before = usage(self.lab)
        make_default(self.api, one)
        self.at_rest.append(figures.minted_ahead(before, usage(self.lab)))
        more = ["--poisson", "--rate", f"{rate:.1f}", "--connections", 10**9, "--in-flight", 5000, *KINDS[kind]]
        with Load(self.lab, self.directory, *self.words(*more), cafile=self.roots) as load:
            self.place_load(load)
            swaps, samples = self.swap(kind, load, [two, one])
            end = time.monotonic()
            report, handshakes = load.end()
        settle(self.lab)
        return Run(report, sorted(handshakes, key=lambda one: one.intended), swaps, samples, one.fingerprint, end)

    def swap(self, kind, load, intermediates):
        swaps, samples = [], Samples()
        due = time.monotonic() + self.options.period
        for intermediate in itertools.islice(itertools.cycle(intermediates), rounds_of(self.options)):
            time.sleep(max(0, due - time.monotonic()))
            assert load.running(), "the load ended before the swaps did"
            samples.before.append(usage(self.lab))
            swaps.append(make_default(self.api, intermediate))
            samples.after.append(usage(self.lab))
            progress(f"{kind}: swap {len(swaps)} of {rounds_of(self.options)}")
            due = max(due + self.options.period, swaps[-1].returned + 2 * figures.HALF_SECOND)
            time.sleep(max(0, (due - time.monotonic()) / 2))
            samples.half_way.append(usage(self.lab))
        time.sleep(max(0, due - time.monotonic()))
        samples.before.append(usage(self.lab))
        return swaps, samples


# ---- what is told ----

def tell_latency(report, kind, run, spans):
    """Swap by swap, and for the plots what the run looked like second by second. Returns failures and the ratio."""
    failures, strangers = failed(run.handshakes), of_another_issuer(run.handshakes, run.swaps, run.first)
    around, between = figures.around_and_between(run.handshakes, spans)
    group = report.group(f"handshakes, {kind}: latency from when it should have started, by swap")
    group.row("between swaps", LIMIT, between, "p99_ms")
    group.row("in the second around a swap", OURS, around, "p99_ms", aim=P99_AIM, at_most=True,
              note=f"{run.report['connections']} connections, {run.report['resumed']} resumed, {len(failures)} failed, "
                   f"{len(strangers)} with another issuer or a mixed chain",
              results=run.report["results"], timeline=figures.timeline(run.handshakes, run.swaps, run.samples))
    ratio = group.rows[1].ratios_to(group.rows[0])["p99_ms"]["median"]
    return len(failures) + len(strangers), ratio


def tell_phases(report, kind, run, spans):
    """All swaps together, whole distributions."""
    group = report.group(f"handshakes, {kind}: all swaps together")
    for which, name in (("between", "between swaps"), ("before", "in the half second before the call"),
                        ("during", "during the call"), ("after", "in the half second after the return")):
        found = figures.of_all(run.handshakes, spans, which)
        if found:
            group.row(name, LIMIT if which == "between" else OURS, [figures.sample(found, figures.PERCENTILES)],
                      "p99_ms", distribution=figures.distribution(found))


def tell_profile(report, kind, run, spans):
    """For a plot: latency by time from the swap."""
    group = report.group(f"handshakes, {kind}: all swaps together, by milliseconds from makeDefault's return",
                         in_table=False)
    group.row("between swaps", LIMIT, [figures.sample(figures.of_all(run.handshakes, spans, "between"))], "p99_ms")
    for offset, found in figures.profile(run.handshakes, run.swaps):
        group.row(f"from {offset:+d} ms", OURS, [figures.sample(found)], "p99_ms", parameter=offset)


def tell_sightings(report, kind, run):
    """From the commit to the first new leaf; negative, where a client saw it before the caller knew."""
    seen = figures.sightings(run.handshakes, run.swaps)
    if not seen:
        return
    group = report.group(f"from makeDefault to the first leaf of the new issuer that a client sees, {kind}")
    group.row("the call, minting ahead included", LIMIT, [{"ms": one["call_ms"]} for one in seen], "ms")
    group.row("from the call to the first new leaf", OURS, [{"ms": one["call_to_leaf_ms"]} for one in seen], "ms")
    group.row("from the return to the first new leaf", OURS, [{"ms": one["return_to_leaf_ms"]} for one in seen], "ms")


def tell_minting(report, at_rest, runs):
    group = report.group("minted ahead of a swap")
    group.row("at rest", BASELINE, [one for one in at_rest if one], "leaves_per_second")
    for kind, run in runs.items():
        made = [figures.minted_ahead(*pair) for pair in zip(run.samples.before, run.samples.after)]
        if any(made):
            group.row(f"under load, {kind}", OURS, [one for one in made if one], "leaves_per_second")


def tell_engine(report, runs):
    """Hit ratio and memory."""
    for kind, run in runs.items():
        pairs = figures.hit_ratios(run.samples)
        group = report.group(f"the engine, {kind}")
        group.row("hit ratio before a swap", LIMIT, [{"hit_ratio": before} for _, before in pairs], "hit_ratio")
        group.row("hit ratio after it", OURS, [{"hit_ratio": after} for after, _ in pairs], "hit_ratio")
        memory = [one.memory / 2**20 for one in run.samples.after]
        if len(memory) > EARLY:
            group = report.group(f"the engine's resident memory, {kind}")
            group.row(f"after swap {EARLY}", LIMIT, [{"mib": memory[EARLY - 1]}], "mib")
            group.row(f"after swap {len(memory)}", OURS, [{"mib": memory[-1]}], "mib", aim=1.02, at_most=True)


def tell(report, at_rest, runs):
    failures, ratios = 0, []
    for kind, run in runs.items():
        spans = figures.spans_of(run.swaps, run.end)
        failures_of_run, ratio = tell_latency(report, kind, run, spans)
        failures += failures_of_run
        ratios.append(ratio)
        tell_phases(report, kind, run, spans)
        tell_profile(report, kind, run, spans)
        tell_sightings(report, kind, run)
    tell_minting(report, at_rest, runs)
    tell_engine(report, runs)
    report.ratio("swap_p99_vs_steady", max(ratios))
    report.ratio("swap_failures", failures)


def main(arguments=None):
    parser = options_parser(__doc__, QUICK_SWAPS, FULL_SWAPS)
    parser.add_argument("--period", type=float, default=2.0, help="seconds from one swap to the next (2)")
    parser.add_argument("--spread", action="store_true", help="over all processors")
    parser.add_argument("--hsm", action="store_true", help="keys on a token")
    options = parser.parse_args(arguments)
    report = Report("swap", options)
    with tempfile.TemporaryDirectory(prefix="mintgate-swap-") as directory, Bench(options, directory) as bench:
        progress("capacity")
        capacity = bench.capacity()
        runs = {kind: bench.run(kind, bench.scale.load_share * capacity) for kind in KINDS}
    report.group("the load").row(f"capacity; {bench.scale.load_share:g} of it is the load", BASELINE,
                                 [{"connections_per_second": capacity}], "connections_per_second")
    tell(report, bench.at_rest, runs)
    report.finish()


if __name__ == "__main__":
    main()
