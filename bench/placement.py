# SPDX-License-Identifier: Apache-2.0
"""Where a lab's processes run while they are measured: Mintgate on one processor, all others on another, so that a load
generator's own work is not the engine's latency; and which of them come before what else the machine does, as far as
the kernel can be told."""

import contextlib
import os
import pathlib

from processes import pin, tree

PROCESSORS = sorted(os.sched_getaffinity(0))  # before this program is pinned itself
AUTOGROUP_NICE = "-15"  # sched(7): with autogroups, nice counts between the processes of one session alone


def precede(*pids):
    """The sessions of these processes come first."""
    for pid in pids:
        with contextlib.suppress(OSError):  # a kernel without autogroups
            pathlib.Path(f"/proc/{pid}/autogroup").write_text(AUTOGROUP_NICE)


@contextlib.contextmanager
def placed(lab, control, first=True):
    """The engine and the signer of |lab|, with its tokens, on the last processor; its origin, the process |control|,
    this program and its children on the first. |first|: engine, signer and origin come first. In the end
    this program may run anywhere again, and so may what it starts."""
    inside, origin = [lab.engine_pid(), *tree(lab.signer_pid())], int(lab.env["ORIGIN_PID"])
    pin({PROCESSORS[-1]}, *inside)
    pin({PROCESSORS[0]}, origin, control.process.pid, os.getpid())
    if first:
        precede(*inside, origin)
    try:
        yield
    finally:
        pin(PROCESSORS, os.getpid())
