#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a byte through an intercepted connection costs, beside AES-GCM alone and beside a plain relay.

The same bytes go down or up, through one connection and through several: over a plain bridge, through Mintgate past
its policy ("bypass"), and intercepted; in turn, in each round. The limit is what the cryptography of an intercepted
byte needs, in memory: opened once, sealed once (mintgate-record-floor), one copy on each processor used. What CPU
counts is said in bench/labcpu.py; with it stands the CPU of all processes together, client and server included.

Engine and signer have the last processor, client, server and this program the first, so that the rate by the clock on
the wall is that of the slower of both.
"""

import dataclasses
import json
import os
import pathlib
import resource
import statistics
import subprocess

import labbench
import labcpu
from processes import pin

WAYS = ("download", "upload")
CIPHER = ["--tls13-ciphers", "TLS_AES_128_GCM_SHA256", "--tlsv1.3", "--http1.1"]
# One server and certificate for all; a rule of our own has Mintgate forward the second.
PATHS = {"bridge": "www.good.lab.test", "bypass": "relayed.good.lab.test", "intercepted": "www.good.lab.test"}
LAB_RULE = "sni: [bypass.lab.test, "
NAMES = {"bridge": "a plain bridge", "bypass": "forwarded, by policy", "intercepted": "intercepted"}
KEYS = {"download": "bulk_download_vs_aes_gcm", "upload": "bulk_upload_vs_aes_gcm"}
NS_PER_KB = 1e9 * 1e3


@dataclasses.dataclass(frozen=True)
class Transfer:
    """So many connections at one time, each with that many bytes; |file| has as many to send."""

    way: str
    connections: int
    bytes_each: int
    file: pathlib.Path

    @property
    def bytes(self):
        return self.connections * self.bytes_each

    def command(self, lab, path):
        """What a client runs; it prints how many bytes it moved, and from when to when."""
        words = ["-o", "/dev/null", f"https://{PATHS[path]}/bytes/{self.bytes_each}"] if self.way == "download" else \
            ["-T", str(self.file), "-H", "Expect:", "-o", "/dev/null", f"https://{PATHS[path]}/up"]
        return ["ip", "netns", "exec", lab.prefix + "client", "curl", "-sS", "-4", "--fail", *CIPHER, "--cacert",
                lab.env["ROOT_PEM"], "-w", f"%{{size_{self.way}}} %{{time_pretransfer}} %{{time_total}}", *words]

    def run(self, lab, path):
        """Gbit/s of all connections together."""
        clients = [subprocess.Popen(self.command(lab, path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for _ in range(self.connections)]
        outputs = [client.communicate() for client in clients]
        assert all(client.returncode == 0 for client in clients), outputs
        moved = [[float(word) for word in output.split()] for output, _ in outputs]
        assert all(size == self.bytes_each for size, _, _ in moved), moved
        return self.bytes * 8 / 1e9 / max(end - start for _, start, end in moved)


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(lab, transfer, path, idle_poll=0.0):
    """What was used, and the rate."""
    intercepts, client = path != "bridge", children_cpu()
    before = labcpu.Snapshot(lab, intercepts)
    rate = transfer.run(lab, path)
    return labcpu.Used(before, labcpu.Snapshot(lab, intercepts), children_cpu() - client, idle_poll), rate


def limit():
    """A sample of the cryptography alone."""
    outputs = labcpu.on_every_processor(labcpu.program("mintgate-record-floor"))
    ns_per_kb = statistics.mean(json.loads(output)["ns_per_kb"] for output in outputs)
    return {"cpu_ns_per_kb": ns_per_kb, "gbit_per_second": 8e3 / ns_per_kb}


def sample_of(used, plain, rate, transfer):
    """A kilobyte's (1,000 bytes') CPU in nanoseconds, and of what it consists. |plain|: None for the bridge itself."""
    def per_kb(seconds):
        return seconds / transfer.bytes * NS_PER_KB
    sample = {"gbit_per_second": rate, "all_cpu_ns_per_kb": per_kb(sum(used.parts.values()))}
    if plain is None:
        return sample, {}
    beyond = used.beyond(plain)
    sample = {"cpu_ns_per_kb": per_kb(sum(beyond.values())), **sample, "session_ns_per_kb": per_kb(beyond["session"]),
              "session_kernel_ns_per_kb": per_kb(beyond["session"]) * used.kernel_share,
              "worker_ns_per_kb": per_kb(beyond["worker"])}
    return sample, {
        "session": per_kb(beyond["session"]), "worker": per_kb(beyond["worker"]),
        "engine's other threads, signer": per_kb(beyond["engine, other threads"] + beyond["signer"]),
        "client, server and ksoftirqd": per_kb(sum(beyond[part] for part in labcpu.ENDS))}


def round_of(direct, behind, transfer, result):
    """The limit, and the transfer over each path, close together in time."""
    result["limit"].append(limit())
    with labcpu.stopped(behind):
        plain, rate = measure(direct, transfer, "bridge")
    result["bridge"].append(sample_of(plain, None, rate, transfer)[0])
    idle_poll = labcpu.cost_of_idle_poll(behind)
    for path in ("bypass", "intercepted"):
        used, rate = measure(behind, transfer, path, idle_poll)
        sample, stages = sample_of(used, plain, rate, transfer)
        result[path].append(sample)
    result["stages"].append(stages)


def report_on(report, results):
    for (way, connections), result in results.items():
        group = report.group(f"{way}, {connections} connection{'s' if connections > 1 else ''}")
        group.row("AES-128-GCM, records opened and sealed", labbench.LIMIT, result["limit"], "cpu_ns_per_kb")
        for path in ("bridge", "bypass"):
            group.row(NAMES[path], labbench.BASELINE, result[path], "gbit_per_second", threads=connections)
        key = {"key": KEYS[way]} if connections == 1 else {}
        group.row(NAMES["intercepted"], labbench.OURS, result["intercepted"], "cpu_ns_per_kb", at_most=True,
                  threads=connections, stages=result["stages"], **key)
        report.ratio(f"bulk_{way}_{connections}_vs_bypass_rate", statistics.median(
            ours["gbit_per_second"] / relayed["gbit_per_second"]
            for ours, relayed in zip(result["intercepted"], result["bypass"])))


def transfers(options, file):
    """Each way, with one connection and with several; as many bytes in each."""
    total = (options.megabytes or (48 if options.quick else 400)) * 1000 * 1000
    return [Transfer(way, connections, total // connections, file)
            for way in WAYS for connections in sorted({1, options.connections})]


def main():
    parser = labbench.options_parser(__doc__, 2, 9)
    parser.add_argument("--megabytes", type=int, help="of each transfer, all connections together (400; --quick 48)")
    parser.add_argument("--connections", type=int, default=4, help="where there are several (4)")
    options = parser.parse_args()
    report, results = labbench.Report("bulk", options), {}
    with labcpu.labs("bulk") as (direct, behind):
        behind.reload(behind.config.replace(LAB_RULE, f"{LAB_RULE}{PATHS['bypass']}, "))
        processors = sorted(os.sched_getaffinity(0))
        pin({processors[-1]}, behind.engine_pid(), behind.signer_pid())
        pin({processors[0]}, os.getpid(), direct.env["ORIGIN_PID"], behind.env["ORIGIN_PID"])
        for number in range(labbench.rounds_of(options)):
            for transfer in transfers(options, behind.directory / "bulk"):
                labbench.progress(f"round {number + 1} of {labbench.rounds_of(options)}")
                transfer.file.touch()
                os.truncate(transfer.file, transfer.bytes_each)
                result = results.setdefault((transfer.way, transfer.connections),
                                            {path: [] for path in ("limit", *PATHS, "stages")})
                round_of(direct, behind, transfer, result)
    report_on(report, results)
    report.finish()


if __name__ == "__main__":
    main()
