#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two hundred clients of the control plane's API beside the traffic: does the dataplane notice?

Connections come at random times at a quarter of the measured capacity (open loop, latency counts from when a
connection should have started). In turn the API's clients, over TLS and each with a connection of its own, are held
and let go: a round is one of each. The ratio of a round is what counts, beside the ratio of a held half to the held
half before, which is what the machine does by itself. Once with the documented rate limits, once without any.

The engine and the signer have one processor, all others another (placement.py). There the load's client and server,
which stand for other machines, come before the control plane and the API's clients, or the load would measure those.
--spread leaves them where the kernel puts them.

usage: api_clients.py [--clients N] [--rounds N] [--seconds N] [--json FILE] [--spread]
"""

import argparse
import collections
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

from apikit import Crowd, listening  # noqa: E402
from labkit import MintgateLab  # noqa: E402
from placement import placed, precede  # noqa: E402
from swapkit import Load, failed, percentile  # noqa: E402
from tlskit import settle  # noqa: E402

NAMES = ["--name", "a%d.fresh.lab.test", "--range", "1-300", "--random-names"]
LOAD_SHARE = 0.25  # of the capacity
CAPACITY_CONNECTIONS = 3000
IN_FLIGHT = 50
UNIT_NICE = 10  # as in systemd/mintgate-control.service
SETTLING_SECONDS = 0.5  # at each change, not counted


def capacity(lab):
    """Connections a second, closed loop, warm."""
    for count in (CAPACITY_CONNECTIONS // 5, CAPACITY_CONNECTIONS):
        report = lab.loadgen(*NAMES, "--connections", count, "--in-flight", IN_FLIGHT, "--get", "/info")
        assert report["failed"] == 0, report["results"]
    return report["connections"] / report["seconds"]


def be_nice(pid):
    """The process and its threads, and those that these make."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.setpriority(os.PRIO_PROCESS, int(task.name), UNIT_NICE)


def halves(crowd, options):
    """When the clients were held and when they were let go: (asked, begin, end)."""
    times = []
    for asks in itertools.islice(itertools.cycle([False, True]), 2 * options.rounds):
        (crowd.go if asks else crowd.hold)()
        time.sleep(SETTLING_SECONDS)
        begin = time.monotonic()
        time.sleep(options.seconds)
        times.append((asks, begin, time.monotonic()))
    return times


def p50_and_p99(handshakes, begin, end):
    latencies = [1000 * one.latency for one in handshakes if begin <= one.intended < end]
    return percentile(latencies, 50), percentile(latencies, 99)


def ratios(times, handshakes, index):
    """Of each round, asked by held; and of each held half by the one before."""
    figures = [p50_and_p99(handshakes, begin, end)[index] for _, begin, end in times]
    held, asked = figures[0::2], figures[1::2]
    return [one / other for one, other in zip(asked, held)], [one / other for one, other in zip(held[1:], held)]


def figures(options, report, handshakes, times, exchanges):
    run = {"connections": report["connections"], "failed": len(failed(handshakes)), "requests": len(exchanges),
           "by_status": dict(collections.Counter(one.status for one in exchanges)),
           "complaints": [f"{one.operation.method} {one.operation.path}: {one.complaint}"
                          for one in exchanges if one.complaint],
           "seconds": options.rounds * options.seconds,
           "request_p50_ms": 1000 * percentile([one.seconds for one in exchanges], 50),
           "request_p99_ms": 1000 * percentile([one.seconds for one in exchanges], 99)}
    for index, name in enumerate(("p50", "p99")):
        run[name] = [[asked, p50_and_p99(handshakes, begin, end)[index]] for asked, begin, end in times]
        run[name + "_ratios"], run[name + "_noise"] = ratios(times, handshakes, index)
    return run


def measure(lab, options, rate, limits):
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(listening(lab, limits))
        if not options.spread:
            stack.enter_context(placed(lab, control))
            be_nice(control.process.pid)
        more = ["--poisson", "--rate", f"{rate:.1f}", "--connections", 10**9, "--in-flight", 5000]
        with Crowd(control, options.clients, limits) as crowd, \
                Load(lab, lab.directory, *NAMES, *more, cafile=lab.env["ROOT_PEM"]) as load:
            if not options.spread:
                precede(load.process.pid)
            times = halves(crowd, options)
            report, handshakes = load.end()
        crowd.check()
    settle(lab)
    return figures(options, report, handshakes, times, crowd.exchanges())


def span(values):
    ordered = sorted(values)
    return f"{statistics.median(ordered):.2f} ({ordered[0]:.2f} to {ordered[-1]:.2f})"


def show(kind, run):
    """Prints a run, and returns whether it is as it should be."""
    quiet = not run["failed"] and not run["complaints"]
    print(f"\n{kind}: {run['requests']} requests in {run['seconds']} s, by status {run['by_status']}; "
          f"p50 {run['request_p50_ms']:.1f} ms, p99 {run['request_p99_ms']:.1f} ms")
    print(f"  answers that are not documented  {len(run['complaints'])}; failed connections {run['failed']} of "
          f"{run['connections']}")
    within = {}
    for name in ("p50", "p99"):
        asked, noise = run[name + "_ratios"], run[name + "_noise"]
        within[name] = statistics.median(asked) <= max(noise)
        print(f"  handshake {name}, asked by held: {span(asked)}; held by held: {span(noise)}   "
              f"{'within noise' if within[name] else 'NOT within noise'}")
    for complaint in run["complaints"][:5]:
        print("  " + complaint)
    return quiet and all(within.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8, help="of each half of a round")
    parser.add_argument("--json", help="the figures into this file")
    parser.add_argument("--spread", action="store_true", help="over all processors")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mintgate-api-") as directory:
        lab = MintgateLab("mgapi-", pathlib.Path(directory) / "lab")
        try:
            lab.command("up")
            most = capacity(lab)
            rate = LOAD_SHARE * most
            print(f"capacity: {most:.0f} connections a second; load: {rate:.0f}; {options.clients} clients")
            runs = {kind: measure(lab, options, rate, limits)
                    for kind, limits in (("with limits", True), ("without limits", False))}
        finally:
            lab.command("down")
    good = [show(kind, run) for kind, run in runs.items()]
    if options.json:
        text = json.dumps({"capacity": most, "rate": rate, "runs": runs}, indent=1)
        pathlib.Path(options.json).write_text(text + "\n")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
