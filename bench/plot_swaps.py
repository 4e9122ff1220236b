#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plots what `mintgate-bench swap --json` wrote: for each run p99 by second with the swaps marked, hit ratio, memory.

usage: plot_swaps.py FIGURES.json PICTURE.svg
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "mintgate"  # the same picture for the same figures

from matplotlib import pyplot  # noqa: E402

BLUE, ORANGE, GREY = "#1b6ca8", "#e0a030", "#b8b8b8"


def draw(axes, title, row):
    """One column of the picture, of the row that has a timeline."""
    timeline = row["timeline"]
    latency, ratio, memory = axes
    latency.set_title(f"{title}\n{row['note']}", fontsize=7)
    latency.vlines(timeline["swaps"], 0, max(timeline["p99_ms"]), color=GREY, linewidth=0.5, label="a swap")
    latency.plot(timeline["p99_ms"], color=BLUE, linewidth=1, label="handshake p99 of the second")
    latency.set_ylabel("ms")
    after, before = zip(*timeline["hit_ratios"])
    ends = timeline["swaps"][:len(after)]
    ratio.plot(ends, before, color=BLUE, linewidth=1, label="hit ratio before the next swap")
    ratio.plot(ends, after, color=ORANGE, linewidth=1, label="after the swap")
    ratio.set_ylim(0, 1)
    memory.plot(timeline["swaps"], [one / 2**20 for one in timeline["memory"]], color=BLUE, linewidth=1,
                label="the engine's memory")
    memory.set_ylim(0, 1.2 * max(timeline["memory"]) / 2**20)
    memory.set_ylabel("MiB")
    memory.set_xlabel("seconds")
    for one in axes:
        one.set_ylim(bottom=0)
        one.legend(fontsize=7, loc="lower right", frameon=False)


def main():
    source, picture = sys.argv[1:]
    with open(source) as file:
        figures = json.load(file)
    runs = [(group["title"].split(":")[0], row) for group in figures["groups"] for row in group["rows"]
            if "timeline" in row]
    figure, axes = pyplot.subplots(3, len(runs), figsize=(9, 5.2), sharex="col", sharey="row", squeeze=False,
                                   gridspec_kw={"height_ratios": [2, 1, 1]})
    for column, (title, row) in enumerate(runs):
        draw(axes[:, column], title, row)
    pyplot.tight_layout()
    pyplot.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
