# SPDX-License-Identifier: Apache-2.0
"""What is computed from the records of a load during swaps (bench/swap_figures.py), and a short run of the whole."""

import json
import math
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import lab_swap  # noqa: E402
import swap_figures as figures  # noqa: E402
from swapkit import Handshake, Swap  # noqa: E402

SWAPS = [Swap("b", 10.0, 10.2), Swap("a", 12.0, 12.2)]
END = 14.0


def handshake(intended, milliseconds=5.0, issuer="a", resumed=False):
    return Handshake("name", intended, intended, milliseconds / 1000, issuer, resumed, "ok")


def load(slow_from, slow_to):
    """A handshake each 10 ms from 9 to 14, of 5 ms, or of 20 ms in that span."""
    starts = [9 + i / 100 for i in range(500)]
    return [handshake(start, 20.0 if slow_from <= start < slow_to else 5.0) for start in starts]


def test_the_second_around_a_swap_is_told_from_what_is_between_two():
    spans = figures.spans_of(SWAPS, END)
    assert [one.around for one in spans] == [pytest.approx((9.7, 10.7)), pytest.approx((11.7, 12.7))]
    assert (spans[0].before, spans[0].during, spans[0].after) == ((9.5, 10.0), (10.0, 10.2), (10.2, 10.7))
    assert [one.between for one in spans] == [pytest.approx((10.7, 11.7)), pytest.approx((12.7, 14))]
    around, between = figures.around_and_between(load(10.0, 10.2), spans)
    assert [one["p99_ms"] for one in around] == pytest.approx([20, 5])
    assert [one["p99_ms"] for one in between] == pytest.approx([5, 5])
    assert [one["handshakes"] for one in around] == [100, 100]


def test_a_slow_call_has_no_part_in_what_is_between():
    (first, _) = figures.spans_of([Swap("b", 10.0, 10.2), Swap("a", 11.0, 12.2)], END)
    assert first.between == pytest.approx((10.7, 11.0))


def test_phases_and_profile_tell_when_it_was_slow():
    spans, handshakes = figures.spans_of(SWAPS, END), load(12.2, 12.3)
    medians = {which: figures.sample(figures.of_all(handshakes, spans, which))["p50_ms"]
               for which in ("before", "during", "after", "between")}
    assert medians == pytest.approx({"before": 5, "during": 5, "after": 5, "between": 5})
    assert figures.sample(figures.of_all(handshakes, spans, "after"))["p99_ms"] == pytest.approx(20)
    assert figures.sample(figures.of_all(handshakes, spans, "before"))["p99_ms"] == pytest.approx(5)
    slow = [offset for offset, found in figures.profile(handshakes, SWAPS)
            if figures.sample(found)["p99_ms"] > 10]
    assert slow == [0]


def test_the_first_new_leaf_is_that_of_a_full_handshake_of_the_new_issuer():
    handshakes = [handshake(9.9, issuer="a"), handshake(10.05, issuer="b", resumed=True),
                  handshake(10.1, 30, issuer="b"), handshake(10.25, issuer="b"), handshake(12.3, issuer="a")]
    first, second = figures.sightings(handshakes, SWAPS)
    assert first == pytest.approx({"call_ms": 200, "call_to_leaf_ms": 130, "return_to_leaf_ms": -70})
    assert second == pytest.approx({"call_ms": 200, "call_to_leaf_ms": 305, "return_to_leaf_ms": 105})
    assert len(figures.sightings(handshakes[:-1], SWAPS)) == 1  # nobody saw the second


def test_a_distribution_has_each_handshake_in_a_bucket_within_one_in_forty():
    latencies = [0.3, 5, 5, 1000]
    buckets = figures.distribution([handshake(10, one) for one in latencies])
    assert sum(count for _, count in buckets) == 4 and buckets == sorted(buckets)
    for latency, (value, _) in zip(sorted(set(latencies)), buckets):
        assert math.isclose(value, 1000 * latency, rel_tol=0.026)


def test_a_run_of_two_swaps_has_its_schema_and_its_keys(tmp_path, monkeypatch, capsys):
    scale = lab_swap.Scale(num_warm=20, cache_entries=100, capacity_seconds=0.3, load_share=0.1)
    monkeypatch.setattr(lab_swap, "QUICK", scale)
    file = tmp_path / "swap.json"
    lab_swap.main(["--quick", "--rounds", "2", "--period", "1.2", "--spread", "--json", str(file)])
    document = json.loads(file.read_text())
    assert document["schema"] == "mintgate-bench/1" and document["subcommand"] == "swap"
    assert document["ratios"]["swap_failures"] == 0 and document["ratios"]["swap_p99_vs_steady"] > 0
    rows = {(group["title"], row["name"]): row for group in document["groups"] for row in group["rows"]}
    for kind in lab_swap.KINDS:
        by_swap = rows[f"handshakes, {kind}: latency from when it should have started, by swap",
                       "in the second around a swap"]
        assert by_swap["aim"] == 1.25 and by_swap["ratios"]["p99_ms"]["median"] > 0
        assert len(by_swap["timeline"]["swaps"]) == 2 and by_swap["results"].keys() == {"ok"}
        after = rows[f"handshakes, {kind}: all swaps together", "in the half second after the return"]
        assert sum(count for _, count in after["distribution"]) == after["samples"][0]["handshakes"]
        first = rows[f"from makeDefault to the first leaf of the new issuer that a client sees, {kind}",
                     "from the call to the first new leaf"]
        assert len(first["samples"]) == 2
    assert any(name.startswith("under load") for title, name in rows if title == "minted ahead of a swap")
    assert "swap_failures 0" in capsys.readouterr().out
