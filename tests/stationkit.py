# SPDX-License-Identifier: Apache-2.0
"""mintgate-control and a signer in a directory of their own, without a lab: the tests play the engine themselves."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile

import yaml

from controlplane import ControlPlane
from labkit import BUILD, run, wait_until
from publishkit import COMMIT, COMMITTED, HELLO, MAX_PACKET, PREPARE, PREPARED, VERSION, Message

ADMIN = 3  # enum http_role
HAS_RELOADED = ("configuration reloaded", "reload refused")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Station(ControlPlane):
    """Nothing runs until it is started."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mgstation"))  # short, as paths of sockets have to be
        self.socket = self.directory / "control.sock"
        self.metrics_socket = self.directory / "control-metrics.sock"
        self.engine_socket = self.directory / "control-engine.sock"
        self.log = self.directory / "control.log"
        self.config_file = self.directory / "mintgate.yaml"
        self.port = free_port()
        self.process = self.signer = None
        self.configure()

    def configure(self, **sections):
        """Writes a configuration with the keys of some sections replaced."""
        directory = self.directory
        tree = {
            "signer": {"engine_socket": f"{directory}/signer-engine.sock", "metrics_socket": "",
                       "control_socket": f"{directory}/signer-control.sock", "state_dir": f"{directory}/signer",
                       "key_encryption_key": f"{directory}/signer.kek"},
            "control": {"database": f"{directory}/control/control.db", "socket": str(self.socket),
                        "engine_socket": str(self.engine_socket), "metrics_socket": str(self.metrics_socket),
                        "listen": f"127.0.0.1:{self.port}", "certificate": f"{directory}/control/server.pem",
                        "key": f"{directory}/control/server.key"},
        }
        for section, keys in sections.items():
            tree.setdefault(section, {}).update(keys)
        self.config_file.write_text(yaml.safe_dump(tree))

    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([BUILD / "control/program/mintgate-control", "--config",
                                             self.config_file], stderr=log)

    def wait(self):
        """Until it has the signer."""
        wait_until(lambda: self.try_health()[0] == 200, seconds=30, what="the control plane")

    def start_signer(self):
        with open(self.directory / "signer.log", "ab") as log:
            self.signer = subprocess.Popen([BUILD / "hsm/mintgate-signer", "--config", self.config_file], stderr=log)

    def stop_signer(self):
        self.signer.kill()
        self.signer.wait()
        self.signer = None

    def close(self):
        for process in (self.process, self.signer):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        shutil.rmtree(self.directory)
        assert "Sanitizer" not in text, text[-4000:]

    def __exit__(self, *unused):
        self.close()

    # ---- asking ----

    def try_health(self):
        """Status (0: nobody serves) and answer."""
        result = run("curl", "-s", "--unix-socket", self.socket, "-w", "\n%{http_code}", "http://localhost/health",
                     check=False)
        text, code = result.stdout.rsplit("\n", 1)
        return int(code), json.loads(text) if text else None

    def becomes(self, code, **answer):
        wait_until(lambda: self.try_health() == (code, answer), seconds=30, what=f"health {code} {answer}")

    def metrics_text(self):
        return run("curl", "-sS", "--unix-socket", self.metrics_socket, "http://localhost/metrics").stdout

    def metrics(self):
        samples = (line.rsplit(" ", 1) for line in self.metrics_text().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def make_client(self, name):
        """An OAuth2 client that is an administrator; its secret is its name."""
        with sqlite3.connect(self.directory / "control/control.db", timeout=10) as database:
            database.execute("INSERT INTO credential_clients (id, role, secret_sha256, stamp) VALUES (?, ?, ?, 1)",
                             (name, ADMIN, hashlib.sha256(name.encode()).digest()))
        database.close()

    def over_tls(self, *words):
        """Status, headers in lower case, and the text of the answer."""
        result = run("curl", "-sS", "--cacert", self.directory / "control/server.pem", "-D", "-", *words[:-1],
                     f"https://localhost:{self.port}{words[-1]}", "--resolve", f"localhost:{self.port}:127.0.0.1")
        head, body = result.stdout.replace("\r", "").split("\n\n", 1)
        lines = head.split("\n")
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:]), body

    def token(self, name):
        code, _, body = self.over_tls("-d", f"grant_type=client_credentials&client_id={name}&client_secret={name}",
                                      "/oauth2/v1/token")
        assert code == 200, body
        return json.loads(body)["access_token"]

    # ---- signals ----

    def reload(self, good=True):
        """Has it read its configuration again, and returns what it says about that."""
        before = self.log.stat().st_size

        def said():
            text = self.log.read_bytes()[before:].decode(errors="replace")
            return text if any(word in text for word in HAS_RELOADED) else None

        os.kill(self.process.pid, signal.SIGHUP)
        text = wait_until(said, what="a word about the reload")
        assert ("refused" in text) != good, text
        return text


class Engine:
    """An engine's end of publishing (wire/publish.h), by hand."""

    def __init__(self, station, epoch=0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(str(station.engine_socket))
        self.send(HELLO, epoch, struct.pack(">H", VERSION))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def send(self, kind, epoch, rest=b""):
        self.socket.send(struct.pack(">BQ", kind, epoch) + rest)

    def receive(self, kind):
        packet = self.socket.recv(MAX_PACKET)
        assert packet, "control has hung up"
        message = Message(*struct.unpack(">BQ", packet[:9]), packet[9:])
        assert message.type == kind, message
        return message.epoch

    def say_prepared(self, epoch):
        self.send(PREPARED, epoch, b"\x01\x00")

    def refuse(self, epoch, reason):
        self.send(PREPARED, epoch, struct.pack(">BB", 0, len(reason)) + reason)

    def commit(self, epoch):
        assert self.receive(COMMIT) == epoch
        self.send(COMMITTED, epoch)

    def follow(self):
        """Does as it is told once, and returns the epoch."""
        epoch = self.receive(PREPARE)
        self.say_prepared(epoch)
        self.commit(epoch)
        return epoch
