#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an intercepted connection costs with the programs that people use today, beside what it costs with Mintgate.

Each has a lab of its own, with the same load in turn in each round: new names ("cold"), and a few names that were asked
for just before ("warm"), each name with a certificate of its own, TLS 1.3, one small HTTP request, nothing resumed,
every connection verified by the client. A program's CPU is that of all its processes; what client, server and ksoftirqd
need beyond what they need over a plain bridge in the same round is added. Everything runs on one processor.

A mint is what a cold connection needs beyond a warm one; with Mintgate that includes verifying the server's chain,
which the others do for each connection, or never.

usage: scripts/bench-peers, which also installs the peers, or mintgate-bench peers
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import labbench
import peers
from labcpu import IDLE_POLLS, cost_of_idle_poll
from labkit import Lab, MintgateLab
from peer_lab import PeerLab, memory
from placement import precede
from processes import pin, process_cpu, softirq_cpu, tree_cpu

US = 1e6
PATIENCE_SECONDS = 120  # for a connection: this is not about latency, and the machine may be busy
LOAD_SECONDS = 1200
WARM_NAMES = 50  # fewer than mitmproxy remembers
TOLERATED = 0.01  # of a peer's connections may fail: it is measured all the same, and the report says so
KINDS = ("cold", "warm")
ENDS = "client, server and ksoftirqd, beyond the bridge"
BAD_SERVERS = {"chain": "untrusted.lab.test", "name": "wrongname.lab.test"}


# ---- who is measured ----

class Direct:
    """The bridge with nobody in it."""
    name = "bridge"
    share = 1
    failed = 0  # connections, of all rounds

    def __init__(self, lab):
        self.lab, self.cafile = lab, lab.env["ROOT_PEM"]

    def cpu(self):
        return {}

    def held(self):
        return 0

    @contextlib.contextmanager
    def awake(self):
        yield


class Mintgate(Direct):
    """The engine's polling costs nobody else anything: it stands still while others are measured."""
    name = "Mintgate"

    def __init__(self, lab):
        super().__init__(lab)
        self.pids = {"engine": lab.engine_pid(), "signer": lab.signer_pid()}
        self.idle_poll = 0.0
        os.kill(self.pids["engine"], signal.SIGSTOP)

    def cpu(self):
        """The workers' looks at ports that have nothing are taken out."""
        used = {part: sum(tree_cpu(pid).values()) for part, pid in self.pids.items()}
        used["engine"] -= self.lab.metric(IDLE_POLLS) * self.idle_poll
        return used

    def held(self):
        return sum(map(memory, self.pids.values()))

    @contextlib.contextmanager
    def awake(self):
        os.kill(self.pids["engine"], signal.SIGCONT)
        try:
            self.idle_poll = cost_of_idle_poll(self.lab)
            yield
        finally:
            os.kill(self.pids["engine"], signal.SIGSTOP)


class Rival(Direct):
    """A peer. |trouble|: why there are no figures of it, or none any more."""

    def __init__(self, peer, lab):
        self.peer, self.lab, self.name, self.share, self.trouble = peer, lab, peer.name, peer.share, None
        self.facts = {}

    def up(self):
        self.lab.up()
        self.cafile = str(self.lab.files.ca)
        self.facts = {"version": self.peer.version_text(), "leaf": self._leaf(),
                      **{f"verifies the {what}": self._refuses(name) for what, name in BAD_SERVERS.items()}}

    def cpu(self):
        return {self.name: sum(tree_cpu(self.lab.process.pid).values())}

    def held(self):
        return memory(self.lab.process.pid)

    def _refuses(self, name):
        """Whether a client that verifies nothing does not get that server's page."""
        return self.lab.curl("-k", "--fail", f"https://{name}/info", check=False).returncode != 0

    def _leaf(self):
        result = self.lab.client("openssl", "s_client", "-connect", f"{self.lab.env['SERVER_IP4']}:443", "-servername",
                                 "leaf.fresh.lab.test", input="")
        key = x509.load_pem_x509_certificate(result.stdout.encode()).public_key()
        return f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else f"RSA {key.key_size}"

    def note(self):
        verified = [what for what in BAD_SERVERS if self.facts[f"verifies the {what}"]]
        failed = f" {self.failed} connections failed." if self.failed else ""
        return f"{self.peer.note} Verifies the server's {' and '.join(verified) or 'nothing'}.{failed}"


# ---- measuring ----

def load(who, options, pattern, first, names, connections):
    """Every connection is verified with the CA that |who| signs with, or it fails. Of ours none may."""
    report = who.lab.loadgen("--name", pattern, "--range", f"{first}-{first + names - 1}", "--connections", connections,
                             "--in-flight", options.in_flight, "--tls", "1.3", "--groups", "X25519:P-256", "--get",
                             "/info", "--timeout", PATIENCE_SECONDS, cafile=who.cafile, timeout=LOAD_SECONDS)
    tolerated = TOLERATED * connections if isinstance(who, Rival) else 0
    assert report["failed"] <= tolerated, f"{who.name}: {report['failed']} of {connections} failed: {report['results']}"
    who.failed += report["failed"]
    return report


def warm_up(who, options):
    load(who, options, "w%d.fresh.lab.test", 1, WARM_NAMES, WARM_NAMES)


def ends_cpu(lab):
    return process_cpu(lab.env["ORIGIN_PID"]) + softirq_cpu()


def measured(who, connections, run):
    """What |run|, which returns the load generator's report, needs for a connection: microseconds of CPU by part."""
    before, ends = who.cpu(), ends_cpu(who.lab)
    report = run()
    after, ends = who.cpu(), ends_cpu(who.lab) - ends
    parts = {part: (after[part] - before[part]) / connections * US for part in after}
    parts[ENDS] = (ends + report["cpu_seconds"]) / connections * US
    return parts, report


def measure(who, options, number):
    """By kind: CPU by part, connections a second, and by how much memory grew for each name."""
    connections = max(round(options.connections * who.share), 1)
    first = 1 + number * connections
    held = who.held()
    result = {"cold": measured(who, connections, lambda: load(who, options, "c%d.fresh.lab.test", first, connections,
                                                              connections))}
    growth = who.held() - held
    warm_up(who, options)
    result["warm"] = measured(who, connections, lambda: load(who, options, "w%d.fresh.lab.test", 1, WARM_NAMES,
                                                             connections))
    return {kind: (parts, report["connections"] / report["seconds"]) for kind, (parts, report) in result.items()}, \
        growth / connections


class Figures:
    """Of one contender, by round."""

    def __init__(self):
        self.samples, self.stages = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
        self.growth = []

    def add(self, plain, result, growth):
        for kind in KINDS:
            parts, per_second = result[kind]
            parts = {**parts, ENDS: parts[ENDS] - plain[kind][0][ENDS]}
            self.stages[kind].append(parts)
            self.samples[kind].append({"cpu_us": sum(parts.values()), "per_second": per_second})
        self.growth.append(growth)

    def mints(self):
        """A second of CPU is good for so many; 0 where the difference is lost in the noise."""
        beyond = [cold["cpu_us"] - warm["cpu_us"] for cold, warm in zip(self.samples["cold"], self.samples["warm"])]
        return [{"cpu_us": us, "per_second": US / us if us > 0 else 0.0} for us in beyond]

    def memory(self):
        """The first round fills what is allocated once; a run with one round has nothing better."""
        grown = self.growth[1:] or self.growth
        return [{"bytes_per_name": sum(grown) / len(grown)}]


def round_of(direct, contenders, options, number, figures):
    """Everyone in turn, forwards in one round and backwards in the next, and the bridge just before each: what the ends
    need beyond it is a small difference, and the machine is another one a minute later."""
    for place, who in enumerate(contenders if number % 2 == 0 else contenders[::-1]):
        if getattr(who, "trouble", None):
            continue
        labbench.progress(f"round {number + 1} of {labbench.rounds_of(options)}: {who.name}")
        plain = measure(direct, options, number * len(contenders) + place)[0]
        try:
            with who.awake():
                figures[who.name].add(plain, *measure(who, options, number))
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            if not isinstance(who, Rival):
                raise
            who.trouble = f"failed: {error}"


# ---- the report ----

def row(group, who, samples, compares, **more):
    """Ours is what the others are compared with. A peer that could not be measured says why."""
    if not isinstance(who, Rival):
        group.row(who.name, labbench.OURS, samples, compares, **{key: more[key] for key in more if key == "stages"})
        return
    if who.trouble:
        group.row(who.name, labbench.BASELINE, [{}], compares, note=who.trouble)
        return
    group.row(who.name, labbench.BASELINE, samples, compares, **more)


def report_on(report, contenders, figures):
    groups = {"warm": report.group("an intercepted connection, warm"),
              "cold": report.group("an intercepted connection, cold")}
    mints = report.group("a mint: cold beyond warm")
    names = report.group("memory of a name")
    for who in contenders:
        own, more = figures[who.name], {}
        if isinstance(who, Rival) and not who.trouble:
            more = {"warm": {"key": f"{who.name}_vs_us", "aim": who.peer.aim, "note": who.note(), "facts": who.facts,
                             "text": who.lab.configuration()}}
        for kind, group in groups.items():
            row(group, who, own.samples[kind], "cpu_us", stages=own.stages[kind], **more.get(kind, {}))
        row(mints, who, own.mints(), "cpu_us")
        row(names, who, own.memory() if own.growth else [], "bytes_per_name")


def show_configurations(contenders):
    for who in contenders:
        if isinstance(who, Rival) and not who.trouble:
            print(f"\n---- {who.name} {who.facts['version']}, leaves {who.facts['leaf']} ----\n"
                  f"{who.lab.configuration()}")


# ---- the labs ----

def start_rival(rival, reasons):
    """Or says in |rival| why it cannot be. |reasons|: why a package could not be installed."""
    program = rival.peer.version[0]
    if not shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        rival.trouble = f"not installed: {reasons.get(rival.peer.package, f'no program {program}')}"
        return
    try:
        labbench.progress(f"starting {rival.name}")
        rival.up()
    except (AssertionError, subprocess.SubprocessError) as error:
        rival.trouble = f"did not start: {error}"


def bring_up(labs, lab, *words):
    labs.callback(lab.command, "down")
    lab.command("up", *words)
    return lab


def keep_on_one_processor(labs, lab):
    """Those of |lab|, this program, and what it starts from now on, until |labs| are down."""
    processors = os.sched_getaffinity(0)
    labs.callback(os.sched_setaffinity, 0, processors)
    pin({max(processors)}, os.getpid(), lab.env["ORIGIN_PID"], lab.signer_pid(), lab.engine_pid())


@contextlib.contextmanager
def contenders_of(options):
    """The bridge, and those who are compared, Mintgate first."""
    prefix = f"{os.environ.get('MG_LAB_PREFIX', 'mg-')}peers-"
    with tempfile.TemporaryDirectory(prefix="mintgate-peers-") as name, contextlib.ExitStack() as labs:
        directory = pathlib.Path(name)
        directory.chmod(0o711)  # peers that are not root have files there
        behind = bring_up(labs, MintgateLab(f"{prefix}m-", directory / "behind"))
        keep_on_one_processor(labs, behind)
        servers = behind.env["PKI_DIR"]
        shutil.copytree(servers, directory / "direct/pki")
        direct = bring_up(labs, Lab(f"{prefix}d-", directory / "direct"), "--bridge")
        rivals = [Rival(peer, PeerLab(f"{prefix}{peer.name}-", directory / peer.name, peer, servers))
                  for peer in peers.PEERS if peer.name in options.peers]
        for rival in rivals:
            labs.callback(rival.lab.down)
            start_rival(rival, dict(reason.split("=", 1) for reason in options.missing))
        ours = Mintgate(behind)
        labs.callback(os.kill, behind.engine_pid(), signal.SIGCONT)
        if options.first:  # what scripts/lab started is of sessions of its own; the peers are of this one
            running = [direct, behind, *(rival.lab for rival in rivals if not rival.trouble)]
            precede(*ours.pids.values(), *(lab.env["ORIGIN_PID"] for lab in running))
        yield Direct(direct), [ours, *rivals]


# ---- the program ----

def options_of(arguments=None):
    names = [peer.name for peer in peers.PEERS]
    parser = labbench.options_parser(__doc__, 3, 9)
    parser.add_argument("--connections", type=int, help="of each kind in each round for the fast ones; the others get "
                        "a quarter (2000; with --quick 400)")
    parser.add_argument("--in-flight", type=int, default=50)
    parser.add_argument("--peers", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--missing", action="append", default=[], metavar="PACKAGE=REASON",
                        help="why a package could not be installed")
    options = parser.parse_args(arguments)
    options.connections = options.connections or (400 if options.quick else 2000)
    return options


def measure_rounds(options, report):
    """Everything into |report|; shows the configurations."""
    with contenders_of(options) as (direct, contenders):
        figures = {who.name: Figures() for who in contenders}
        for number in range(labbench.rounds_of(options)):
            round_of(direct, contenders, options, number, figures)
        report_on(report, contenders, figures)
        show_configurations(contenders)


def main():
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))  # no lab stays behind
    options = options_of()
    report = labbench.Report("peers", options)
    measure_rounds(options, report)
    report.finish()


if __name__ == "__main__":
    main()
