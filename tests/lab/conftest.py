# SPDX-License-Identifier: Apache-2.0
"""A lab of the tests' own, beside a developer's: `scripts/lab up --bridge`, the wire without Mintgate."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from labkit import Lab  # noqa: E402


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
