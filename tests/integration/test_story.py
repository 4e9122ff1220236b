# SPDX-License-Identifier: Apache-2.0
"""The story of the five families: scripts/story, as a newcomer runs it, in a lab of its own. What it promises it checks
itself, with the vendors' own ways to ask and with openssl; here it must come to its end with all of it said."""

import os
import re

import pytest

from labkit import ROOT, Lab, run

# What each scene is for, and what nothing but the real thing makes it say.
SAID = ["openssl verifies it under the root",
        "the CA does not sign yet: it names the request that approvers see",
        "what they saw is that very request, by its SHA-256",
        "without it the client is refused",
        "the engine has it in force, without a restart",
        "a leaf, the intermediate, and that root, says openssl",
        "Dave may not", "Carol may", "no connection failed",
        "leaves of both were seen, each with its own chain",
        "the successor signs now",
        "the revoked one cannot become the default again"]


def namespaces(lab):
    return [line for line in run("ip", "netns", "list").stdout.splitlines() if line.startswith(lab.prefix)]


@pytest.fixture
def its_lab(tmp_path):
    """The lab that the script makes, and takes down; unless it was killed."""
    made = Lab(f"mgs{os.getpid()}-", tmp_path / "lab")
    yield made
    if namespaces(made):
        made.command("down")


def test_five_families_and_one_intermediate_from_its_root_to_its_revocation(its_lab):
    told = run(ROOT / "scripts/story", "--built", timeout=600, check=False, env=its_lab.environment)
    assert told.returncode == 0, told.stdout + told.stderr
    promised = re.findall(r"^  ok      (.*)$", told.stdout, re.M)
    assert [words for words in SAID if words not in promised] == []
    assert "NOT SO" not in told.stdout and "\nAll as promised.\n" in told.stdout, told.stdout
    assert [int(number) for number in re.findall(r"^(\d)\. ", told.stdout, re.M)] == list(range(1, 9))
    assert namespaces(its_lab) == []
    for log in (its_lab.directory / "log").glob("*.log"):
        assert "Sanitizer" not in log.read_text(errors="replace"), log
