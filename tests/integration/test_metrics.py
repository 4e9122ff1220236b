# SPDX-License-Identifier: Apache-2.0
"""What each program measures is in its table of docs/operations.md, and nothing else is."""

import re

import pytest

from labkit import ROOT, run
from stationkit import Station


@pytest.fixture(params=["engine", "signer", "control"])
def page(request):
    """A program's name and its metrics."""
    if request.param == "control":
        with Station() as station:
            station.start_signer()
            station.start()
            yield request.param, station.metrics_text()
        return
    lab = request.getfixturevalue("lab")
    socket = lab.env["METRICS_SOCKET" if request.param == "engine" else "SIGNER_METRICS_SOCKET"]
    yield request.param, run("curl", "-sS", "--unix-socket", socket, "http://localhost/metrics").stdout


def test_the_table_of_metrics_is_what_is_served(page):
    program, text = page
    served = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)
    table = re.search(rf"<!-- {program} -->\n(.*?)<!-- end -->", (ROOT / "docs/operations.md").read_text(), re.S)[1]
    assert sorted(served) == sorted(re.findall(r"^\| `(\S+)` \| (\w+) \|", table, re.M)), "run scripts/docs"
