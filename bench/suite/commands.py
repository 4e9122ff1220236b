# SPDX-License-Identifier: Apache-2.0
"""The subcommands that scripts/bench runs, in this order, with the options of its two settings."""

import dataclasses
import os

QUICK, FULL = "quick", "full"


@dataclasses.dataclass(frozen=True)
class Command:
    name: str  # of the subcommand
    quick: tuple  # options
    full: tuple
    quick_seconds: float  # about what it takes on a quiet machine, for the estimate of what remains and the time limit
    full_seconds: float
    pinned: bool = False  # kept on one processor by --cpu
    script: str = None  # of scripts/, where it is not mintgate-bench that is to be asked

    def seconds(self, setting):
        return self.quick_seconds if setting == QUICK else self.full_seconds

    def time_limit(self, setting):
        """Long enough for a busy machine; it is there so that one that hangs does not keep the others from running."""
        return 120 + 4 * self.seconds(setting)

    def arguments(self, setting, root, build, json_path):
        program = [root / "scripts" / self.script] if self.script else [build / "bench/mintgate-bench", self.name]
        options = self.quick if setting == QUICK else self.full
        pin = ("--cpu", max(os.sched_getaffinity(0))) if self.pinned else ()
        return [str(word) for word in (*program, *options, *pin, "--first", "--json", json_path)]


COMMANDS = (
    Command("mint", ("--quick",), ("--rounds", 25), 18, 330, pinned=True),
    Command("hsm", ("--sessions", 2, "--rounds", 7), ("--sessions", 2, "--rounds", 15), 38, 75),
    Command("cache", ("--quick",), ("--rounds", 15), 20, 280),
    Command("hello", ("--rounds", 7), ("--rounds", 15), 19, 35, pinned=True),
    Command("forward", ("--quick",), (), 65, 110),
    Command("handshake", ("--quick",), (), 34, 270),
    Command("bulk", ("--quick",), (), 120, 280),
    Command("swap", ("--quick",), (), 57, 480),
    Command("peers", ("--quick",), (), 128, 740, script="bench-peers"),
)

BY_NAME = {command.name: command for command in COMMANDS}
