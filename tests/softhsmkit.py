# SPDX-License-Identifier: Apache-2.0
"""SoftHSM2 tokens of a test's own, made as the lab makes them (scripts/lib/softhsm.sh), looked at with pkcs11-tool, and
in front of them, where a test wants that, the module that fails on demand (tests/hsm/pkcs11_fault.c)."""

import os
import pathlib
import subprocess

from labkit import BUILD

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "scripts/lib/softhsm.sh"
FAULT_MODULE = BUILD / "tests/hsm/pkcs11_fault.so"


def _script(*words):
    run = subprocess.run(["bash", "-euc", f'. "{SCRIPT}"; "$@"', "bash", *map(str, words)], capture_output=True,
                         text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


class SoftHSM:
    """Tokens below |directory|. |environment| is for whoever uses them."""

    def __init__(self, directory, labels):
        self.directory = pathlib.Path(directory)
        self.module = _script("softhsm_module")
        self.faults = self.directory / "faults"
        _script("softhsm_begin", self.directory)
        for label in labels:
            _script("softhsm_new_token", self.directory, label)
        self.fault("")
        self.environment = {"SOFTHSM2_CONF": str(self.directory / "softhsm2.conf"),
                            "MINTGATE_FAULT_MODULE": self.module, "MINTGATE_FAULT_FILE": str(self.faults)}

    def pin(self, label):
        return (self.directory / f"{label}.pin").read_text().strip()

    def config(self, label, region, faulty=False, **more):
        """The token |label| as signer.tokens has it. |faulty|: through the module that fails on demand."""
        return {"name": label, "module": str(FAULT_MODULE if faulty else self.module), "token": label,
                "pin_file": str(self.directory / f"{label}.pin"), "region": region, "sessions": 1, "deadline": "60s",
                **more}

    def fault(self, lines):
        """What the faulty module does from now on: the lines that it describes."""
        aside = self.directory / "faults.new"
        aside.write_text(lines)
        aside.rename(self.faults)

    def tool(self, label, *options, check=True):
        """What pkcs11-tool says, logged in as the token's user."""
        run = subprocess.run(["pkcs11-tool", "--module", self.module, "--token-label", label, "--login", "--pin",
                              self.pin(label), *map(str, options)], capture_output=True, check=False,
                             env={**os.environ, **self.environment})
        assert run.returncode == 0 or not check, run.stderr.decode(errors="replace")
        return run.stdout.decode(errors="replace") + run.stderr.decode(errors="replace")
