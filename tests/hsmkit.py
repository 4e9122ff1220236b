# SPDX-License-Identifier: Apache-2.0
"""The lab's tokens (scripts/lib/lab_hsm.sh): what happens to them, and what the signer says of them."""

import json
import os
import pathlib
import secrets

from labkit import run, wait_until

TOKENS = ("global-1", "global-2", "europe")  # the first two are a pair


class Hsm:
    def __init__(self, lab):
        self.lab = lab
        self.directory = pathlib.Path(lab.env["HSM_DIR"])
        self._untold = {}  # PINs that the signer does not know yet

    def fault(self, token, *lines):
        """What tests/hsm/pkcs11_fault.c does from the next call on; no lines: nothing."""
        new = self.directory / token / "faults.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(self.directory / token / "faults")

    def logins(self, token):
        """How often a PIN was tried, the right one included."""
        counted = self.directory / token / "faults.logins"
        return counted.stat().st_size if counted.exists() else 0

    def _owner(self, token, *command, check=True, **pins):
        """A program of the token's owner; its PIN is in the environment."""
        conf, pin = self.directory / token / "softhsm2.conf", self.pin(token)
        environment = dict(os.environ, SOFTHSM2_CONF=str(conf), PIN=pin, GNUTLS_PIN=pin, **pins)
        return run(*command, check=check, env=environment)

    def tool(self, token, *words, **pins):
        """What pkcs11-tool says."""
        module = self.directory / token / "real.so"
        return self._owner(token, "pkcs11-tool", "--module", module, "--login", "--pin", "env:PIN", *words,
                           **pins).stdout

    def p11tool(self, token, *words, check=True):
        module = self.directory / token / "real.so"
        return self._owner(token, "p11tool", "--provider", module, "--login", "--batch", *words, check=check)

    def pin_file(self, token):
        (path,) = (self.directory / token).glob("*.pin")
        return path

    def pin(self, token):
        return self.pin_file(token).read_text().strip()

    def change_pin(self, token):
        """The token has another PIN from now on, of which the signer is told by tell_pin."""
        new = secrets.token_hex(8)
        self.tool(token, "--change-pin", "--new-pin", "env:NEW_PIN", NEW_PIN=new)
        self._untold[token] = new

    def tell_pin(self, token):
        path = self.pin_file(token)
        new = path.with_suffix(".new")
        new.touch(0o600)
        new.write_text(self._untold.pop(token))
        new.rename(path)

    def mend(self, token):
        """Nothing is wrong with it any more, whatever a test has done."""
        self.fault(token)
        if token in self._untold:
            self.tell_pin(token)

    def metrics(self):
        """The signer's samples: name with labels to number; empty while it does not answer."""
        text = run("curl", "-sS", "--unix-socket", self.lab.env["SIGNER_METRICS_SOCKET"],
                   "http://localhost/metrics", check=False).stdout
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def metric(self, token, name, labels=""):
        return int(self.metrics()[f'mintgate_hsm_token_{name}{{token="{token}"{labels}}}'])

    def is_up(self, *tokens):
        metrics = self.metrics()
        return all(metrics.get(f'mintgate_hsm_token_mode{{token="{token}"}}') == 0 for token in tokens)

    def wait_up(self, *tokens, seconds=40):
        wait_until(lambda: self.is_up(*(tokens or TOKENS)), seconds, "the tokens' being up")

    def processes(self):
        """The process of each token that has one."""
        found = {}
        for launcher in _children(self.lab.signer_pid()):
            for pid in _children(launcher):
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode()
                for token in TOKENS:
                    if str(self.directory / token) in command:
                        found[token] = pid
        return found

    def is_older(self, token, when):
        """Whether the token's process was started before |when|, of CLOCK_BOOTTIME (proc(5), field 22 of stat)."""
        stat = pathlib.Path(f"/proc/{self.processes()[token]}/stat").read_text()
        return int(stat.rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK") < when


def _children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def journal(lab):
    """The records of the signer's issuance journal."""
    lines = [line for path in sorted(pathlib.Path(lab.env["LAB_DIR"], "signer/journal").glob("*.jsonl"))
             for line in path.read_text().splitlines()]
    return [record for record in map(json.loads, lines) if "serial" in record]
