#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an intercepted connection costs in CPU, beside what its cryptography costs.

The same load goes over a plain bridge and through Mintgate, with names that it has minted for before ("warm": a leaf
from the cache, the server's chain remembered) and with names that it has never seen ("cold"). A program's CPU is what
the scheduler gave its threads, so that softirqs count for whoever they run in; the bridge's sum over client and server
is taken away from the same sum behind Mintgate. The workers' sleeps after which there was nothing to do are counted by
the engine and taken out at what one costs in a lab at rest. The floor is the handshakes' cryptography in memory
(mintgate-tls-floor), one copy on each processor used. All of it is measured in each round, since machines differ from
minute to minute: the ratio of a round is what counts.

Everything runs on one processor, since two of them are often one core, where each slows the other down by as much as
it is used; --spread leaves the threads where the kernel puts them.

usage: connection_cost.py [--connections N] [--in-flight N] [--rounds N] [--spread] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from labkit import BUILD, Lab, MintgateLab, run  # noqa: E402

IDLE_SECONDS = 1
KINDS = {"cold": "c%d.fresh.lab.test", "warm": "w%d.good.lab.test"}
US = 1e6
SOFTIRQ_THREADS = run("pgrep", "^ksoftirqd/").stdout.split()


def threads_cpu(pid):
    """Seconds of CPU by thread name."""
    used = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        used[name] = used.get(name, 0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return used


def snapshot(lab, intercepts):
    """CPU by part, in seconds."""
    used = {"origin": sum(threads_cpu(lab.env["ORIGIN_PID"]).values()),
            "ksoftirqd": sum(sum(threads_cpu(pid).values()) for pid in SOFTIRQ_THREADS)}
    if intercepts:
        used["signer"] = sum(threads_cpu(lab.signer_pid()).values())
        for name, seconds in threads_cpu(lab.engine_pid()).items():
            part = "worker" if name.startswith("rte-worker") else "session" if name.startswith("session-") and \
                name != "session-log" else "engine, other threads"
            used[part] = used.get(part, 0) + seconds
    return used


def idle_polls(lab):
    return lab.metric("mintgate_dataplane_worker_idle_polls_total")


def cost_of_idle_poll(lab):
    """Seconds of a worker's CPU for a sleep and a look at ports that have nothing."""
    polls, used = idle_polls(lab), snapshot(lab, True)["worker"]
    time.sleep(IDLE_SECONDS)
    return (snapshot(lab, True)["worker"] - used) / (idle_polls(lab) - polls)


def measure(lab, options, names, first, intercepts, idle_poll=0.0):
    """CPU per connection by part, in microseconds."""
    before, polls = snapshot(lab, intercepts), idle_polls(lab) if intercepts else 0
    report = lab.loadgen("--name", names, "--range", f"{first}-{first + options.connections - 1}", "--in-flight",
                         options.in_flight, cafile=lab.env["ROOT_PEM"])
    assert report["failed"] == 0, report
    after = snapshot(lab, intercepts)
    parts = {part: after[part] - before[part] for part in after}
    parts["client"] = report["cpu_seconds"]
    if intercepts:
        parts["worker"] -= (idle_polls(lab) - polls) * idle_poll
    return {part: seconds / options.connections * US for part, seconds in parts.items()}


def use_one_processor(*pids):
    """For these processes, this one and its children."""
    one = {max(os.sched_getaffinity(0))}
    for pid in (os.getpid(), *pids):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), one)


def floor():
    """Microseconds of the handshakes' cryptography by kind, with every processor at it that the load is on."""
    command = [BUILD / "bench/mintgate-tls-floor", "--json"]
    copies = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in os.sched_getaffinity(0)]
    reports = [json.loads(copy.communicate()[0]) for copy in copies]
    return {key: statistics.mean(report[key] for report in reports) for key in reports[0]}


def round_of(direct, behind, options, first):
    """One round: the floor, the load over the bridge, and the load through Mintgate, close together in time."""
    limit = floor()
    engine = behind.engine_pid()
    os.kill(engine, signal.SIGSTOP)  # its polling is not the bridge's
    plain = {kind: measure(direct, options, names, first, False) for kind, names in KINDS.items()}
    os.kill(engine, signal.SIGCONT)
    idle_poll = cost_of_idle_poll(behind)
    figures = {}
    for kind, names in KINDS.items():
        start = first if kind == "cold" else 1
        extra = measure(behind, options, names, start, True, idle_poll)
        for part, used in plain[kind].items():
            extra[part] -= used
        total = sum(extra.values())
        figures[kind] = {"floor": limit[kind + "_us"], "total": total, "ratio": total / limit[kind + "_us"], **extra}
    return figures


def show(kind, rows):
    median = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    ratios = sorted(row["ratio"] for row in rows)
    print(f"\n{kind}: {median['total']:.0f} us a connection; the floor is {median['floor']:.0f} us; "
          f"ratio {median['ratio']:.2f} (of each round {ratios[0]:.2f} to {ratios[-1]:.2f})")
    for part in sorted(median.keys() - {"total", "floor", "ratio"}, key=median.get, reverse=True):
        beyond = "   (beyond what it is without Mintgate)" if part in ("client", "origin", "ksoftirqd") else ""
        print(f"  {part:22} {median[part]:7.1f} us{beyond}")
    return median


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="the figures into this file")
    parser.add_argument("--spread", action="store_true", help="over all processors")
    options = parser.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory(prefix="mintgate-cost-") as directory:
        direct = Lab("mgcostd-", pathlib.Path(directory) / "direct")
        behind = MintgateLab("mgcost-", pathlib.Path(directory) / "behind")
        try:
            direct.command("up", "--bridge")
            behind.command("up")
            if not options.spread:
                use_one_processor(direct.env["ORIGIN_PID"], behind.env["ORIGIN_PID"], behind.signer_pid(),
                                  behind.engine_pid())
            measure(behind, options, KINDS["warm"], 1, True)
            for number in range(options.rounds):
                rounds.append(round_of(direct, behind, options, 1 + number * options.connections))
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        finally:
            behind.command("down")
            direct.command("down")
    medians = {kind: show(kind, [figures[kind] for figures in rounds]) for kind in KINDS}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"medians": medians, "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
