# SPDX-License-Identifier: Apache-2.0
"""A lab of the tests' own, beside a developer's: what the tests of the lab and of the engine share."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("MG_BUILD", ROOT / "build/plain")).resolve()


def run(*command, check=True, timeout=120, **options):
    """Runs a command; its output is in the error of a failed one."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace",
                            timeout=timeout, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{command} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result


@contextlib.contextmanager
def stopped(pid):
    """A process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


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

    def loadgen(self, *words, connect=None, cafile=None, **options):
        """Runs the load generator: its report, and its exit status as "status"."""
        target = connect or f"{self.env['SERVER_IP4']}:443"
        result = self.client(
            BUILD / "bench/mintgate-loadgen", "--connect", target, "--cafile", cafile or self.env["ROOT_PEM"],
            "--json", "-", *words, check=False, **options,
        )
        assert result.returncode in (0, 1), result.stderr
        return dict(json.loads(result.stdout), status=result.returncode)


def wait_until(condition, seconds=10, what="it"):
    """Waits for what must come about soon, and returns it."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come about in {seconds} s"
        time.sleep(0.05)


class MintgateLab(Lab):
    """A lab with the engine in the wire."""

    _record_offset = 0

    def metrics(self, socket="METRICS_SOCKET"):
        """Every sample as {name with labels: number}: the engine's, or of another program's socket in env."""
        text = run("curl", "-sS", "--unix-socket", self.env[socket], "http://localhost/metrics").stdout
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def metric(self, name, labels=""):
        return self.metrics()[f"{name}{{{labels}}}" if labels else name]

    def get(self, path):
        """Another page of the engine's socket."""
        return run("curl", "-sS", "--unix-socket", self.env["METRICS_SOCKET"], f"http://localhost{path}").stdout

    def _records_from(self, offset):
        with open(self.env["SESSION_LOG"], "rb") as log:
            log.seek(offset)
            return [json.loads(line) for line in log.read().splitlines()]

    def mark(self):
        """Forgets the session records so far."""
        wait_until(lambda: self.metric("mintgate_dataplane_session_log_queue") == 0, what="an empty queue of records")
        self._record_offset = os.path.getsize(self.env["SESSION_LOG"])

    def records(self, count=1, seconds=10, **fields):
        """Waits for |count| records since mark() that have |fields|, and returns them."""
        def matching():
            records = self._records_from(self._record_offset)
            found = [r for r in records if all(r.get(k) == v for k, v in fields.items())]
            return found if len(found) >= count else None
        return wait_until(matching, seconds, f"{count} records with {fields}")

    def engine_pid(self):
        return int((self.directory / "run/engine.pid").read_text().split()[0])

    def signer_pid(self):
        return int((self.directory / "run/signer.pid").read_text().split()[0])

    def control_runs(self):
        return (self.directory / "run/control.pid").exists()

    @contextlib.contextmanager
    def without_control(self):
        """The lab's own control plane makes room for another, or for none: the engine then serves the signer's default,
        and has never heard of a control plane. Within another such context: nothing more."""
        if not self.control_runs():
            yield
            return
        published = self.directory / "published"
        self.command("stop", "control", "engine")
        try:
            published.unlink(missing_ok=True)
            self.command("start", "engine")
            yield
        finally:
            self.command("stop", "engine")
            published.unlink(missing_ok=True)
            self.command("start", "control", "engine")

    def restart(self, *programs):
        """Stops programs ("engine", "signer", "control") and starts them with the configuration as it is now."""
        self.command("restart", *programs)

    def forget_connections(self):
        """Takes every connection from the kernels of both ends, where they can: one that an earlier test left behind is
        retransmitted for minutes, and a new engine would count it as one whose beginning it missed."""
        for name in ("CLIENT_NS", "SERVER_NS"):
            run("ip", "netns", "exec", self.env[name], "ss", "--kill", "--tcp", check=False)

    @property
    def config(self):
        return pathlib.Path(self.env["CONFIG"]).read_text()

    @config.setter
    def config(self, text):
        pathlib.Path(self.env["CONFIG"]).write_text(text)

    def engine_log(self):
        return (self.directory / "log/engine.log").read_text(errors="replace")

    def reload(self, text=None, good=True):
        """Has the engine read its configuration again, and waits for its word."""
        if text is not None:
            self.config = text
        before = len(re.findall("configuration reloaded|reload refused", self.engine_log()))
        os.kill(self.engine_pid(), 1)
        wait_until(lambda: len(re.findall("configuration reloaded|reload refused", self.engine_log())) > before,
                   what="a word about the reload")
        refused = "reload refused" in self.engine_log().splitlines()[-1]
        assert refused != good, self.engine_log()[-2000:]

    def with_config(self, text, *programs, keep_connections=False):
        """A context in which the lab runs with |text|: reloaded, or restarted if |programs| are named. An engine that
        starts meets no connection from before, unless those that are open now are to be kept."""
        return _Reconfigured(self, text, programs, keep_connections)


class _Reconfigured:
    def __init__(self, lab, text, programs, keep_connections):
        self.lab, self.text, self.programs, self.keep_connections = lab, text, programs, keep_connections

    def _use(self, text, keep_connections=False):
        self.lab.config = text
        if self.programs:
            if "engine" in self.programs and not keep_connections:
                self.lab.forget_connections()
            self.lab.restart(*self.programs)
        else:
            self.lab.reload()

    def __enter__(self):
        self.old = self.lab.config
        try:
            self._use(self.text, self.keep_connections)
        except BaseException:
            self._use(self.old)  # for the tests that follow
            raise
        return self.lab

    def __exit__(self, *unused):
        self._use(self.old)
