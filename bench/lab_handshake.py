#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an intercepted connection costs in CPU, beside what its cryptography costs.

The same load goes over a plain bridge and through Mintgate, with names that it has minted for before ("warm": a leaf
from the cache, the server's chain remembered), with names that it has never seen ("cold"), and with names whose session
the client resumes ("resumed"; the server's half is as warm), by TLS 1.3 and by TLS 1.2. What CPU counts is said in
bench/labcpu.py. The floor is the handshakes' cryptography in memory (mintgate-tls-floor), one copy on each processor
used. All of it is measured in each round, since machines differ from minute to minute: the ratio of a round is what
counts.

Everything runs on one processor, since two of them are often one core, where each slows the other down by as much as
it is used; --spread leaves the threads where the kernel puts them.
"""

import json
import os
import statistics

import labbench
import labcpu
from processes import pin

US = 1e6
VERSIONS = ("TLS 1.3", "TLS 1.2")
KINDS = ("cold", "warm", "resumed")
KEYS = {("TLS 1.3", "warm"): {"key": "conn_warm_vs_floor", "aim": 1.8},
        ("TLS 1.3", "cold"): {"key": "conn_cold_vs_floor", "aim": 1.5}}
NOTES = {"resumed": {"note": "with a byte asked for and answered, which is not in the limit: tickets come with data"}}
RESUMED_NAMES = 50  # few, so that nearly all connections resume


def words_of(options, version, kind, number):
    """What the load generator is told in a round: new names where they are to be cold."""
    count, in_flight = options.connections, options.in_flight
    number_of_version = version.removeprefix("TLS ")
    words = ["--tls", number_of_version, "--connections", count]
    if kind == "cold":
        first = 1 + number * count
        return [*words, "--name", f"v{number_of_version.replace('.', '')}c%d.fresh.lab.test", "--range",
                f"{first}-{first + count - 1}", "--in-flight", in_flight]
    if kind == "warm":
        return [*words, "--name", "w%d.good.lab.test", "--range", f"1-{count}", "--in-flight", in_flight]
    names = max(min(RESUMED_NAMES, count // 2), 2)
    # With a byte asked for: BoringSSL, as a server, has its tickets travel with the first data.
    return [*words, "--name", "w%d.good.lab.test", "--range", f"1-{names}", "--in-flight", min(in_flight, names // 2),
            "--resume", "--get", "/bytes/1", "--expect-length", 1]


def measure(lab, words, intercepts, idle_poll=0.0):
    """What a run used, and the load generator's report."""
    before = labcpu.Snapshot(lab, intercepts)
    report = lab.loadgen(*words, cafile=lab.env["ROOT_PEM"])
    assert report["failed"] == 0, report
    return labcpu.Used(before, labcpu.Snapshot(lab, intercepts), report["cpu_seconds"], idle_poll), report


def floors(options):
    """Microseconds of the handshakes' cryptography by version and kind, with every processor at it that the load is
    on."""
    outputs = [json.loads(text) for text in labcpu.on_every_processor(
        labcpu.program("mintgate-tls-floor"), "--json", "--handshakes", max(options.connections // 2, 1))]
    return {version: {kind: statistics.mean(output[version][kind] for output in outputs) for kind in KINDS}
            for version in VERSIONS}


def limit_of(floor, kind, resumed_share):
    """A sample of the limit: of connections of which that share could be resumed."""
    us = floor[kind] if kind != "resumed" else \
        resumed_share * floor["resumed"] + (1 - resumed_share) * floor["warm"]
    return {"cpu_us": us, "per_second": US / us}


def sample_of(used, plain, report, connections):
    """A connection's CPU by part, in microseconds, and of what it consists."""
    def us(seconds):
        return seconds / connections * US
    beyond = used.beyond(plain)
    stages = {f"session: {stage}": us(seconds) for stage, seconds in used.stages_of_session().items()}
    for part in ("worker", "signer", "engine, other threads"):
        stages[part] = us(beyond[part])
    stages["client, server and ksoftirqd"] = us(sum(beyond[part] for part in labcpu.ENDS))
    sample = {"cpu_us": us(sum(beyond.values())), "per_second": connections / report["seconds"],
              "session_us": us(beyond["session"]), "session_kernel_us": us(beyond["session"]) * used.kernel_share,
              "worker_us": us(beyond["worker"]), "signer_us": us(beyond["signer"]),
              "resumed": report["resumed"] / connections}
    return sample, stages


def round_of(direct, behind, options, number, results):
    """One round: the floor, the load over the bridge, and the load through Mintgate, close together in time."""
    floor = floors(options)
    runs = [(version, kind, words_of(options, version, kind, number)) for version in VERSIONS for kind in KINDS]
    with labcpu.stopped(behind):
        plain = {(version, kind): measure(direct, words, False)[0] for version, kind, words in runs}
    idle_poll = labcpu.cost_of_idle_poll(behind)
    for version, kind, words in runs:
        without = plain[version, kind]
        if kind == "resumed":  # the server is not resumed with behind Mintgate
            without.parts["origin"] = plain[version, "warm"].parts["origin"]
        used, report = measure(behind, words, True, idle_poll)
        sample, stages = sample_of(used, without, report, options.connections)
        result = results.setdefault((version, kind), {"limit": [], "ours": [], "stages": []})
        result["limit"].append(limit_of(floor[version], kind, sample["resumed"]))
        result["ours"].append(sample)
        result["stages"].append(stages)


def report_on(report, results):
    for (version, kind), result in results.items():
        group = report.group(f"an intercepted connection, {version}, {kind}")
        group.row("cryptography of both handshakes, in memory", labbench.LIMIT, result["limit"], "cpu_us")
        group.row(f"intercepted, {version}, {kind}", labbench.OURS, result["ours"], "cpu_us", at_most=True,
                  stages=result["stages"], **KEYS.get((version, kind), {}), **NOTES.get(kind, {}))


def warm_up(direct, behind, options):
    """Every kind once, so that leaves, chains and tickets are there; its cold names are no round's."""
    for version in VERSIONS:
        for kind in KINDS:
            for lab in (direct, behind):
                lab.loadgen(*words_of(options, version, kind, labbench.rounds_of(options)), cafile=lab.env["ROOT_PEM"])


def main():
    parser = labbench.options_parser(__doc__, 3, 9)
    parser.add_argument("--connections", type=int, help="of each kind in each round (2000; with --quick 400)")
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--spread", action="store_true", help="over all processors")
    options = parser.parse_args()
    options.connections = options.connections or (400 if options.quick else 2000)
    report, results = labbench.Report("handshake", options), {}
    with labcpu.labs("handshake") as (direct, behind):
        if not options.spread:
            pin({max(os.sched_getaffinity(0))}, os.getpid(), direct.env["ORIGIN_PID"], behind.env["ORIGIN_PID"],
                behind.signer_pid(), behind.engine_pid())
        warm_up(direct, behind, options)
        for number in range(labbench.rounds_of(options)):
            labbench.progress(f"round {number + 1} of {labbench.rounds_of(options)}")
            round_of(direct, behind, options, number, results)
    report_on(report, results)
    report.finish()


if __name__ == "__main__":
    main()
