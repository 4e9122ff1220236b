# SPDX-License-Identifier: Apache-2.0
"""What the report reads out of a subcommand's document: rows by roles and parameters, not by their names. Pure."""

import dataclasses
import statistics

LIMIT, OURS, BASELINE = "limit", "ours", "baseline"


@dataclasses.dataclass(frozen=True)
class Spread:
    low: float
    median: float
    high: float

    def scaled(self, factor):
        return Spread(self.low * factor, self.median * factor, self.high * factor)

    @staticmethod
    def of(document):
        """Of the object in which a document has a spread; None of none."""
        if not document:
            return None
        return Spread(document["low_quartile"], document["median"], document["high_quartile"])


def documents_of(suite, name):
    """The document of a subcommand that ran, in a list, or an empty list."""
    document = suite["subcommands"].get(name, {}).get("document")
    return [document] if document else []


def groups_of(suite, name):
    return [group for document in documents_of(suite, name) for group in document["groups"] if group.get("rows")]


def value_of(row, name=None):
    """The spread of a value of a row; by default of that which the row compares. None: it has none."""
    return Spread.of(row.get("values", {}).get(name or row.get("compares")))


def ratio_of(row):
    """The spread of a row's ratio to its limit, of what the row compares; None: it has none."""
    return Spread.of(row.get("ratios", {}).get(row.get("compares")))


def spread_of_key(suite, figure):
    """The spread of a figure's ratio; None where the document tells the figure alone."""
    for group in groups_of(suite, figure.subcommand):
        for row in group["rows"]:
            if row.get("key") == figure.key:
                return ratio_of(row)
            rate = value_of(row, "per_cpu_second")
            if row.get("ns_key") == figure.key and rate:
                return Spread(1e9 / rate.high, 1e9 / rate.median, 1e9 / rate.low)
            if row.get("bytes_key") == figure.key:
                return value_of(row, "bytes")
    return None


def title_without_subcommand(group, name):
    """`mint: EC P-256 issuer` is `EC P-256 issuer` under a heading that says mint."""
    return group["title"].removeprefix(f"{name}: ")


def batches(group):
    """The rows of a group that differ in nothing but a parameter, by that parameter; empty if there are not three."""
    found = {row["parameter"]: row for row in group["rows"] if row["role"] == OURS and "parameter" in row}
    return dict(sorted(found.items())) if len(found) >= 3 else {}


def stages_of(row):
    """Medians over the rounds of the parts of which a row's value consists, in the order told; empty: none told."""
    rounds = row.get("stages") or []
    names = dict.fromkeys(name for one in rounds for name in one)
    return {name: statistics.median(one.get(name, 0) for one in rounds) for name in names}


def percentiles_of(distribution):
    """(percentile, value) of pairs of a value and how many were as large, and less than the next one."""
    total, seen, points = sum(count for _, count in distribution), 0, []
    for value, count in sorted(distribution):
        points.append((100 * seen / total, value))
        seen += count
    return points


def rows_with(suite, name, field):
    """(group, row) of each row of a subcommand that has a field."""
    return [(group, row) for group in groups_of(suite, name) for row in group["rows"] if row.get(field)]
