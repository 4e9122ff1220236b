# SPDX-License-Identifier: Apache-2.0
"""A lab of the tests' own, beside a developer's: `scripts/lab up --bridge`, the wire without Mintgate."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MG_BUILD", ROOT / "build/plain")).resolve()


def run(*command, check=True, **options):
    """Runs a command; its output is in the error of a failed one."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=120,
                            **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{command} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


class Lab:
    """A lab by its prefix and directory."""

    def __init__(self, prefix, directory, build=BUILD):
        self.prefix = prefix
        self.directory = pathlib.Path(directory)
        self.environment = dict(
            os.environ, MG_LAB_PREFIX=prefix, MG_LAB_DIR=str(directory), MG_BUILD=str(build), NO_COLOR="1"
        )

    def command(self, *words, check=True):
        """scripts/lab WORDS."""
        return run(ROOT / "scripts/lab", *words, check=check, env=self.environment)

    @property
    def env(self):
        """The lab's env file as a dictionary."""
        lines = (self.directory / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def client(self, *command, check=True, **options):
        """Runs a command in the client's namespace."""
        return run("ip", "netns", "exec", self.prefix + "client", *command, check=check, **options)

    def curl(self, *words, check=True, **options):
        """curl as the lab's client runs it, with the lab's roots trusted."""
        return self.client("curl", "-sS", "--max-time", 60, *words, check=check, **options)

    def origin_stats(self):
        """The origin's counters."""
        return json.loads(self.curl(f"http://{self.env['SERVER_IP4']}/stats").stdout)

    def loadgen(self, *words, connect=None, cafile=None):
        """Runs the load generator: its report, and its exit status as "status"."""
        target = connect or f"{self.env['SERVER_IP4']}:443"
        result = self.client(
            BUILD / "bench/mintgate-loadgen", "--connect", target, "--cafile", cafile or self.env["ROOT_PEM"],
            "--json", "-", *words, check=False,
        )
        assert result.returncode in (0, 1), result.stderr
        return dict(json.loads(result.stdout), status=result.returncode)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The wire without Mintgate, up for the whole session."""
    made = Lab(f"mgt{os.getpid()}-", tmp_path_factory.mktemp("lab"))
    try:
        made.command("up", "--bridge")
        yield made
    finally:
        made.command("down")
    for log in (made.directory / "log").glob("*.log"):
        assert "Sanitizer" not in log.read_text(errors="replace"), f"{log}: a sanitizer complained"
