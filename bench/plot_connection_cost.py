#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plots what connection_cost.py --json wrote.

usage: plot_connection_cost.py FIGURES.json PICTURE.svg
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "mintgate"  # the same picture for the same figures

from matplotlib import pyplot  # noqa: E402

PARTS = ["session", "worker", "signer", "engine, other threads", "client", "origin", "ksoftirqd"]
COLOURS = ["#1b6ca8", "#4fa3d1", "#e0a030", "#9db4c0", "#b8b8b8", "#d0d0d0", "#e4e4e4"]


def main():
    source, picture = sys.argv[1:]
    with open(source) as file:
        figures = json.load(file)
    _, axes = pyplot.subplots(figsize=(9, 3.2))
    rows = []
    for kind, medians in figures["medians"].items():
        rows += [f"{kind}: the floor", f"{kind}: Mintgate"]
        ratios = [one[kind]["ratio"] for one in figures["rounds"]]
        axes.barh(rows[-2], medians["floor"], color="#5b8c5a", label="cryptography" if len(rows) == 2 else None)
        left = 0
        for part, colour in zip(PARTS, COLOURS):
            axes.barh(rows[-1], medians.get(part, 0), left=left, color=colour, label=part if len(rows) == 2 else None)
            left += medians.get(part, 0)
        axes.text(left + 10, rows[-1], f"{medians['ratio']:.2f} x\n({min(ratios):.2f} to {max(ratios):.2f})",
                  va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("microseconds of CPU a connection (median of the rounds)")
    axes.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncol=8, frameon=False)
    pyplot.tight_layout()
    pyplot.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
