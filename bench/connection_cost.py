#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an intercepted connection costs in CPU, beside what its cryptography costs.

The same load goes through a lab three times: over a plain bridge, through Mintgate with names that it has minted for
before ("warm": a leaf from the cache, the server's chain remembered), and with names it has never seen ("cold"). A
program's CPU is what the scheduler gave its threads, so that softirqs count for whoever they run in; the bridge's sum
over client and server is taken away from the same sum behind Mintgate. The workers' sleeps after which there was nothing
to do are counted by the engine and taken out at what one costs in a lab at rest. The floor is the handshakes' cryptography in memory
(mintgate-tls-floor), one copy on each processor.

usage: connection_cost.py [--connections N] [--in-flight N] [--runs N] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from labkit import BUILD, MintgateLab, run  # noqa: E402

IDLE_SECONDS = 3
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


def medians(rows):
    return {part: statistics.median(row[part] for row in rows) for part in rows[0]}


def load(options, intercepts):
    """The medians of each kind of load in a fresh lab."""
    with tempfile.TemporaryDirectory(prefix="mintgate-cost-") as directory:
        lab = MintgateLab("mgcost-", directory)
        lab.command("up", *([] if intercepts else ["--bridge"]))
        try:
            idle_poll = cost_of_idle_poll(lab) if intercepts else 0
            rows = {"warm": [], "cold": []}
            measure(lab, options, "w%d.good.lab.test", 1, intercepts, idle_poll)
            for number in range(options.runs):
                first = 1 + number * options.connections
                rows["warm"].append(measure(lab, options, "w%d.good.lab.test", first, intercepts, idle_poll))
                rows["cold"].append(measure(lab, options, "c%d.fresh.lab.test", first, intercepts, idle_poll))
                print(f"{'intercepted' if intercepts else 'direct'} run {number + 1} of {options.runs}", file=sys.stderr)
            return {kind: medians(row) for kind, row in rows.items()}
        finally:
            lab.command("down")


def floor():
    """Microseconds of the handshakes' cryptography by kind, with every processor at it as under the load: two of them
    are often one core."""
    command = [BUILD / "bench/mintgate-tls-floor", "--json"]
    copies = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(os.cpu_count())]
    reports = [json.loads(copy.communicate()[0]) for copy in copies]
    return {key: statistics.mean(report[key] for report in reports) for key in reports[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--connections", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", help="the figures into this file")
    options = parser.parse_args()
    limit, direct, intercepted = floor(), load(options, False), load(options, True)
    result = {}
    for kind in ("cold", "warm"):
        extra = dict(intercepted[kind])
        for part, used in direct[kind].items():
            extra[part] -= used
        total = sum(extra.values())
        result[kind] = {"floor_us": limit[kind + "_us"], "total_us": total, "ratio": total / limit[kind + "_us"],
                        "parts_us": extra, "direct_us": direct[kind]}
        print(f"\n{kind}: {total:.0f} us a connection, {total / limit[kind + '_us']:.2f} x the floor "
              f"of {limit[kind + '_us']:.0f} us")
        for part, used in sorted(extra.items(), key=lambda item: -item[1]):
            beside = f"   (beyond {direct[kind][part]:.0f} us without Mintgate)" if part in direct[kind] else ""
            print(f"  {part:22} {used:7.1f} us{beside}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
