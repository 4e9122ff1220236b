# SPDX-License-Identifier: Apache-2.0
"""The engine says where its session threads' CPU time goes, and never more than the kernel gave them."""

import sys

from labkit import ROOT, wait_until

sys.path.insert(0, str(ROOT / "bench"))

import labcpu  # noqa: E402

STAGES = ("takeover", "upstream", "verification", "mint", "client", "relay")


def settled(lab):
    """By stage, what the engine has counted; and what the kernel has, a moment later."""
    metrics = lab.metrics()
    stages = {stage: metrics[f'{labcpu.STAGES}{{stage="{stage}"}}'] for stage in labcpu.STAGE_NAMES}
    threads = labcpu.threads_cpu(lab.engine_pid())
    return stages, sum(seconds for name, seconds in threads.items() if labcpu.is_session(name))


def test_every_stage_of_a_connection_has_cpu_time_and_their_sum_is_the_threads(lab):
    before, _ = settled(lab)
    report = lab.loadgen("--name", "t%d.fresh.lab.test", "--range", "1-60", "--in-flight", 5,
                         cafile=lab.env["ROOT_PEM"])
    assert report["failed"] == 0
    wait_until(lambda: all(settled(lab)[0][stage] > before[stage] for stage in STAGES), what="CPU time of each stage")
    stages, threads = settled(lab)
    assert sum(stages.values()) <= threads
    assert sum(stages.values()) >= threads / 2  # what is not settled yet is little
