# SPDX-License-Identifier: Apache-2.0
"""Where a lab's processes run while they are measured: Mintgate on one processor, all others on another, so that a load
generator's own work is not the engine's latency; and before what else the machine does, as far as it can be told."""

import contextlib
import os
import pathlib

AUTOGROUP_NICE = "-15"  # sched(7): with autogroups, nice counts between the processes of one session alone


def _pin(cpu, pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {cpu})


def place(lab, control):
    """The engine and the signer of |lab| on the last processor, and their precedence; the origin, the process |control|,
    this program and its children on the first."""
    processors = sorted(os.sched_getaffinity(0))
    inside = [lab.engine_pid(), lab.signer_pid()]
    outside = [int(lab.env["ORIGIN_PID"]), control.process.pid, os.getpid()]
    for pid in inside + outside:
        _pin(processors[-1] if pid in inside else processors[0], pid)
        with contextlib.suppress(OSError):  # a kernel without autogroups
            pathlib.Path(f"/proc/{pid}/autogroup").write_text(AUTOGROUP_NICE)
