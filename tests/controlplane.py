# SPDX-License-Identifier: Apache-2.0
"""mintgate-control beside a lab's signer and engine, asked over its Unix socket."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

import openapikit
from labkit import BUILD, run, wait_until

EPOCH = "mintgate_dataplane_published_epoch"
CONNECTED = "mintgate_dataplane_control_connected"


class ControlPlane:
    """One of the tests' own: begins with an empty database, and keeps it over its own restarts. The lab's control plane
    stops meanwhile, and finds its database as it was. |config|: another file than the lab's. Over TLS it is asked at
    |url|, with the certificate |ca|."""

    def __init__(self, lab, config=None):
        self.lab = lab
        self.config = config or lab.env["CONFIG"]
        self.directory = pathlib.Path(lab.env["LAB_DIR"])
        self.socket = self.directory / "control.sock"
        self.url, self.ca = lab.env["CONTROL_URL"], self.directory / "control/server.pem"
        self.log = self.directory / "log/control.log"
        self.process = None
        self._alone = contextlib.ExitStack()
        self._alone.enter_context(lab.without_control())
        self._alone.enter_context(self._own_database())
        try:
            self.start()
        except BaseException:
            self._alone.close()
            raise

    @contextlib.contextmanager
    def _own_database(self):
        database, aside = self.directory / "control", self.directory / "control-aside"
        if database.exists():
            database.rename(aside)
        try:
            yield
        finally:
            shutil.rmtree(database, ignore_errors=True)
            if aside.exists():
                aside.rename(database)

    def start(self):
        self.launch()
        self.wait()

    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BUILD / "control/program/mintgate-control", "--config", self.config],
                                            stderr=log)

    def wait(self):
        # A socket may be left by one that was killed.
        wait_until(lambda: run("curl", "-sf", "--unix-socket", self.socket, "http://localhost/health",
                               check=False).returncode == 0, what="the control plane")
        wait_until(lambda: self.lab.metric(CONNECTED) == 1, what="the engine's connection to it")

    def stop(self, how=signal.SIGTERM):
        os.kill(self.process.pid, how)
        code = self.process.wait(timeout=30)
        if how == signal.SIGTERM:
            assert code == 0, self.log.read_text(errors="replace")[-2000:]

    def __enter__(self):
        return self

    def close(self):
        try:
            self.stop()
        finally:
            self._alone.close()

    def __exit__(self, *unused):
        self.close()

    def ask(self, method, path, *options):
        """Status and answer, which is JSON if it can be. Both are as the APIs are described."""
        result = run("curl", "-sS", "-X", method, "--unix-socket", self.socket, "-w", "\n%{http_code} %{content_type}",
                     *options, f"http://localhost{path}", check=False)
        assert result.returncode == 0, result.stderr
        text, end = result.stdout.rsplit("\n", 1)
        code, media = end.split(" ", 1)
        openapikit.check(method, path, openapikit.Answer(int(code), None, media, text))
        try:
            return int(code), json.loads(text)
        except json.JSONDecodeError:
            return int(code), text

    def get(self, path):
        return self.ask("GET", path)

    def default(self):
        code, answer = self.get("/mintgate/v1/default")
        assert code == 200, answer
        return answer
