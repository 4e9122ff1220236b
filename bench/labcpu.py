# SPDX-License-Identifier: Apache-2.0
"""The CPU that a lab's programs use for a load, and what Mintgate in the wire adds to that of a plain bridge.

A program's CPU is what the scheduler gave its threads, so that softirqs count for whoever they run in: in a lab the
receiver's TCP often runs in the worker that sent, or in the sender. So what client, origin and ksoftirqd need over the
bridge is taken away from what all programs need together behind Mintgate. The workers' sleeps after which there was
nothing to do are counted by the engine and taken out at what one costs in a lab at rest."""

import contextlib
import os
import pathlib
import subprocess
import tempfile
import time

import labbench  # noqa: F401  (which says where labkit is)
import labkit
from labkit import BUILD, Lab, MintgateLab
from processes import process_cpu, softirq_cpu, threads

IDLE_SECONDS = 1
STAGES = "mintgate_dataplane_session_cpu_seconds_total"
STAGE_NAMES = ("takeover", "upstream", "verification", "mint", "client", "relay", "loop")
ENDS = ("client", "origin", "ksoftirqd")
IDLE_POLLS = "mintgate_dataplane_worker_idle_polls_total"


def _cpu_of_task(task):
    return int((task / "schedstat").read_text().split()[0]) / 1e9


def threads_cpu(pid):
    """Seconds of CPU by thread name, of those that are there."""
    used = {}
    for name, task in threads(pid):
        used[name] = used.get(name, 0) + _cpu_of_task(task)
    return used


def is_session(name):
    return name.startswith("session-") and name != "session-log"


def kernel_ticks(pid):
    """What of the session threads' CPU the kernel had, and all of it, by the ticks in which it was seen there."""
    stats = [(task / "stat").read_text().rsplit(")", 1)[1].split() for name, task in threads(pid) if is_session(name)]
    return sum(int(stat[12]) for stat in stats), sum(int(stat[11]) + int(stat[12]) for stat in stats)


class Snapshot:
    """The CPU that was used so far, in seconds: by part, by the session threads' stages, and by the kernel for them."""

    def __init__(self, lab, intercepts):
        self.lab = lab
        self.parts = {"origin": process_cpu(lab.env["ORIGIN_PID"]), "ksoftirqd": softirq_cpu()}
        self.stages, self.polls, self.kernel = {}, 0, (0, 0)
        if intercepts:
            self._look_at_mintgate(lab)

    def _look_at_mintgate(self, lab):
        metrics = lab.metrics()
        self.stages = {stage: metrics[f'{STAGES}{{stage="{stage}"}}'] for stage in STAGE_NAMES}
        self.polls = metrics[IDLE_POLLS]
        self.kernel = kernel_ticks(lab.engine_pid())
        self.parts["signer"] = process_cpu(lab.signer_pid())
        for name, seconds in threads_cpu(lab.engine_pid()).items():
            part = "worker" if name.startswith("rte-worker") else "session" if is_session(name) \
                else "engine, other threads"
            self.parts[part] = self.parts.get(part, 0) + seconds


class Used:
    """What was used between two snapshots: |parts| and |stages| in seconds, |kernel_share| of the session threads'.
    |client|: seconds of the load generator's. |idle_poll|: see cost_of_idle_poll."""

    def __init__(self, before, after, client, idle_poll=0.0):
        self.parts = {part: after.parts[part] - before.parts[part] for part in after.parts}
        self.parts["client"] = client
        if "worker" in self.parts:
            self.parts["worker"] -= (after.polls - before.polls) * idle_poll
        self.stages = {stage: after.stages[stage] - before.stages[stage] for stage in after.stages}
        ticks = [new - old for old, new in zip(before.kernel, after.kernel)]
        self.kernel_share = ticks[0] / ticks[1] if ticks[1] > 0 else 0.0

    def beyond(self, plain):
        """The parts, those of client, origin and ksoftirqd beyond what |plain| has of them."""
        return {part: seconds - plain.parts.get(part, 0) for part, seconds in self.parts.items()}

    def stages_of_session(self):
        """The session threads' CPU by stage. The engine settles a moment later, so the shares are what counts."""
        total = sum(self.stages.values())
        return {stage: self.parts["session"] * seconds / total for stage, seconds in self.stages.items()}


def cost_of_idle_poll(lab):
    """Seconds of a worker's CPU for a sleep and a look at ports that have nothing."""
    before = Snapshot(lab, True)
    time.sleep(IDLE_SECONDS)
    after = Snapshot(lab, True)
    return (after.parts["worker"] - before.parts["worker"]) / max(after.polls - before.polls, 1)


def stopped(lab):
    """The engine's polling is not the bridge's: it stands still meanwhile."""
    return labkit.stopped(lab.engine_pid())


@contextlib.contextmanager
def labs(subcommand):
    """A lab with a plain bridge, and one with Mintgate in the wire."""
    prefix = os.environ.get("MG_LAB_PREFIX", "mg-")
    with tempfile.TemporaryDirectory(prefix=f"mintgate-{subcommand}-") as directory, contextlib.ExitStack() as up:
        direct = Lab(f"{prefix}{subcommand}-d-", pathlib.Path(directory) / "direct")
        behind = MintgateLab(f"{prefix}{subcommand}-", pathlib.Path(directory) / "behind")
        for lab, words in ((direct, ["--bridge"]), (behind, [])):
            up.callback(lab.command, "down")  # of each, whatever becomes of the other
            lab.command("up", *words)
        yield direct, behind


def on_every_processor(*command):
    """Runs a program once on each processor that this one may use, at the same time, and returns what they print: two
    processors are often one core, where each slows the other down by as much as it is used."""
    copies = [subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
              for _ in os.sched_getaffinity(0)]
    outputs = [copy.communicate()[0] for copy in copies]
    assert all(copy.returncode == 0 for copy in copies), outputs
    return outputs


def program(name):
    return BUILD / "bench" / name
