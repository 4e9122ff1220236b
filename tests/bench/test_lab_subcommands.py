# SPDX-License-Identifier: Apache-2.0
"""One small round of those subcommands of mintgate-bench that need a lab: their figures hang together. How large they
are is nobody's business here."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from labkit import BUILD, run  # noqa: E402

STAGES = ("takeover", "upstream", "verification", "mint", "client", "relay", "loop")
# Subcommand, its options for as little as possible, and the keys of its ratios.
RUNS = {
    "handshake": (["--connections", 20, "--in-flight", 5], {"conn_warm_vs_floor", "conn_cold_vs_floor"}),
    "bulk": (["--megabytes", 2, "--connections", 2], {"bulk_download_vs_aes_gcm", "bulk_upload_vs_aes_gcm"}),
}


@pytest.fixture(scope="module", params=RUNS)
def document(request, tmp_path_factory):
    """The JSON of a run."""
    options, keys = RUNS[request.param]
    path = tmp_path_factory.mktemp(request.param) / "figures.json"
    run(BUILD / "bench/mintgate-bench", request.param, "--quick", "--rounds", 1, "--json", path, *options, timeout=300)
    figures = json.loads(path.read_text())
    assert figures["schema"] == "mintgate-bench/1" and figures["subcommand"] == request.param
    assert keys <= figures["ratios"].keys()
    return figures


def test_each_group_has_a_limit_and_what_is_ours(document):
    for group in document["groups"]:
        roles = [row["role"] for row in group["rows"]]
        assert roles[0] == "limit" and roles[-1] == "ours" and set(roles[1:-1]) <= {"baseline"}
        for row in group["rows"]:
            assert len(row["samples"]) == 1 and row["values"][row["compares"]]["median"] != 0
        assert group["rows"][-1]["ratios"]


def test_the_stages_are_the_whole(document):
    for group in document["groups"]:
        ours = group["rows"][-1]
        for sample, stages in zip(ours["samples"], ours["stages"]):
            assert sum(stages.values()) == pytest.approx(sample[ours["compares"]])


def test_the_session_threads_cpu_is_split_by_stage(document):
    if document["subcommand"] != "handshake":
        pytest.skip("a matter of handshakes")
    for group in document["groups"]:
        ours = group["rows"][-1]
        for sample, stages in zip(ours["samples"], ours["stages"]):
            parts = [stages[f"session: {stage}"] for stage in STAGES]
            assert min(parts) >= 0 and sum(parts) == pytest.approx(sample["session_us"])
            assert stages["session: takeover"] > 0 and stages["session: upstream"] > 0
            assert stages["session: verification"] > 0 and stages["session: client"] > 0
            assert 0 <= sample["session_kernel_us"] <= sample["session_us"]
            assert (sample["resumed"] > 0) == group["title"].endswith("resumed")
