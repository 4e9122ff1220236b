#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plots what `mintgate-bench handshake --json` wrote: of what a connection's CPU consists, beside its cryptography.

usage: plot_handshake.py FIGURES.json PICTURE.svg
"""

import json
import statistics
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "mintgate"  # the same picture for the same figures

from matplotlib import pyplot  # noqa: E402

COLOURS = {"session: takeover": "#0d3b66", "session: upstream": "#1b6ca8", "session: verification": "#2e86c1",
           "session: mint": "#5dade2", "session: client": "#85c1e9", "session: relay": "#aed6f1",
           "session: loop": "#d6eaf8", "worker": "#e0a030", "signer": "#c0392b", "engine, other threads": "#9db4c0",
           "client, server and ksoftirqd": "#d0d0d0"}


def draw(axes, group, is_first):
    limit, ours = group["rows"]
    kind = group["title"].removeprefix("an intercepted connection, ")
    axes.barh(f"{kind}: the floor", limit["values"]["cpu_us"]["median"], color="#5b8c5a",
              label="cryptography" if is_first else None)
    left = 0
    for stage, colour in COLOURS.items():
        median = statistics.median(stages[stage] for stages in ours["stages"])
        axes.barh(f"{kind}: Mintgate", median, left=left, color=colour, label=stage if is_first else None)
        left += median
    ratio = ours["ratios"]["cpu_us"]
    axes.text(left + 10, f"{kind}: Mintgate",
              f"{ratio['median']:.2f} x\n({ratio['low_quartile']:.2f} to {ratio['high_quartile']:.2f})", va="center",
              fontsize=8)


def main():
    source, picture = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        figures = json.load(file)
    _, axes = pyplot.subplots(figsize=(9, 6))
    for number, group in enumerate(figures["groups"]):
        draw(axes, group, number == 0)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("microseconds of CPU a connection (median of the rounds)")
    axes.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=5, frameon=False)
    pyplot.tight_layout()
    pyplot.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
