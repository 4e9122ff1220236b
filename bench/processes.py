# SPDX-License-Identifier: Apache-2.0
"""Processes and threads: which there are, where they may run, and the CPU that they have used."""

import contextlib
import functools
import os
import pathlib
import time


def threads(pid):
    """(name, the folder of its files) of each of a process's threads. One may end meanwhile."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            yield (task / "comm").read_text().strip(), task


def tree(pid):
    """A process and those below it, as far as they are still there."""
    children = []
    try:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []
    for task in tasks:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            children += (task / "children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]


def pin(processors, *pids):
    """Keeps these processes on |processors|, with what they start from now on."""
    for pid in pids:
        for _, task in threads(pid):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), processors)


def process_cpu(pid):
    """Seconds of CPU that a process had so far, threads that have ended included: by the kernel's clock of a process
    (clock_getcpuclockid), to the nanosecond."""
    return time.clock_gettime((~int(pid) << 3) | 2)


def tree_cpu(pid):
    """Likewise by process, of it and those below it."""
    used = {}
    for one in tree(pid):
        with contextlib.suppress(OSError):
            used[one] = process_cpu(one)
    return used


@functools.cache
def _softirq_threads():
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if path.read_text().startswith("ksoftirqd/"):
                found.append(path.parent.name)
    return found


def softirq_cpu():
    """Seconds that the kernel's threads for softirqs had, which run where a softirq can be no other thread's."""
    return sum(map(process_cpu, _softirq_threads()))
