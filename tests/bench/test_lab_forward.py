# SPDX-License-Identifier: Apache-2.0
"""mintgate-bench forward still measures what it says; what comes out of so short a run means nothing."""

import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from labkit import BUILD, run  # noqa: E402


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    figures = tmp_path_factory.mktemp("forward") / "forward.json"
    run(BUILD / "bench/mintgate-bench", "forward", "--rounds", 1, "--milliseconds", 5, "--size", "64 bytes", "--json",
        figures, env=dict(os.environ, MG_LAB_PREFIX="mgtestfwd-", MG_BUILD=str(BUILD)))
    return json.loads(figures.read_text())


def test_each_kind_of_traffic_stands_beside_testpmd(document):
    assert document["schema"] == "mintgate-bench/1" and document["subcommand"] == "forward"
    group, = document["groups"]
    limit, *ours = group["rows"]
    assert limit["role"] == "limit" and [row["role"] for row in ours] == ["ours"] * 3
    for row in group["rows"]:
        sample, = row["samples"]
        assert sample["per_cpu_second"] > 0 and sample["per_second"] > 0 and row["parameter"] == 64
    assert all(row["ratios"]["per_cpu_second"]["median"] > 0 for row in ours)


def test_the_flat_ratio_is_that_of_decided_flows(document):
    decided = document["groups"][0]["rows"][3]
    assert "443" in decided["name"]
    assert document["ratios"] == {"forward_vs_testpmd": decided["ratios"]["per_cpu_second"]["median"]}
