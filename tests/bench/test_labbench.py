# SPDX-License-Identifier: Apache-2.0
"""What the subcommands of mintgate-bench that need a lab say of their measurements (bench/labbench.py)."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import labbench  # noqa: E402


@pytest.fixture
def report(tmp_path):
    options = labbench.options_parser("Tests.", 1, 5).parse_args(["--json", str(tmp_path / "out.json")])
    report = labbench.Report("handshake", options)
    group = report.group("a connection's CPU")
    group.row("floor", labbench.LIMIT, [{"cpu_us": 100.0}, {"cpu_us": 200.0}, {"cpu_us": 300.0}], "cpu_us")
    group.row("warm", labbench.OURS, [{"cpu_us": 150.0, "failed": 0}, {"cpu_us": 400.0, "failed": 0},
                                      {"cpu_us": 540.0, "failed": 1}], "cpu_us", key="conn_warm_vs_floor", aim=1.8,
              at_most=True)
    report.ratio("swap_failures", 0)
    return report


def test_a_ratio_is_the_median_of_the_rounds_ratios(report):
    assert report.ratios() == {"conn_warm_vs_floor": 1.8, "swap_failures": 0}  # the ratio of medians is 2


def test_quartiles_are_those_of_the_subcommands_in_c():
    assert labbench.spread([4, 1, 3, 2]) == {"min": 1, "low_quartile": 1.75, "median": 2.5, "high_quartile": 3.25,
                                             "max": 4}
    assert labbench.spread([7])["high_quartile"] == 7


def test_the_json_has_the_schema_the_machine_and_each_sample(report, capsys):
    report.finish()
    document = json.loads(pathlib.Path(report.options.json).read_text())
    assert document["schema"] == "mintgate-bench/1" and document["subcommand"] == "handshake"
    assert document["commit"] and document["machine"]["processors"] >= 1 and document["method"]["rounds"] == 5
    limit, ours = document["groups"][0]["rows"]
    assert "ratios" not in limit and ours["ratios"]["cpu_us"]["median"] == 1.8 and len(ours["samples"]) == 3
    assert ours["aim"] == 1.8 and ours["at_most"] and ours["values"]["failed"]["max"] == 1
    table = capsys.readouterr().out
    assert "1.800 of cpu_us (1.650 to 1.900), aim at most 1.8" in table and "swap_failures 0.000" in table
