# SPDX-License-Identifier: Apache-2.0
"""The frame of those subcommands of mintgate-bench that need a lab: bench/lab_NAME.py, which `mintgate-bench NAME`
executes. They say what they measured as the others do (bench/report.h): the same JSON, the same kind of table.

A run consists of groups, a group of rows, and the first row of a group is its limit. A row has a sample for each round,
and a sample some values by name, such as {"cpu_us": 640.2, "per_second": 911.0}. Ratios to the limit are taken within
each round, value by value; the median and the quartiles of the rounds' ratios are what is told.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from labkit import BUILD  # noqa: E402

SCHEMA = "mintgate-bench/1"  # REPORT_SCHEMA of bench/report.h
LIMIT, OURS, BASELINE = "limit", "ours", "baseline"
FIRST_NICE = -15


def spread(values):
    """What is told of a measurement that was made several times: like bench/statistics.h."""
    values = sorted(values)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"min": values[0], "low_quartile": low, "median": median, "high_quartile": high, "max": values[-1]}


def options_parser(description, quick_rounds, full_rounds):
    """The options of every subcommand; |description| is the script's. After parsing, use rounds_of."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"within a minute or so ({quick_rounds} rounds)")
    parser.add_argument("--rounds", type=int, help=f"measure each N times ({full_rounds})")
    parser.add_argument("--json", help="write all figures into this file as well")
    parser.add_argument("--first", action="store_true", help="come before what else the machine does")
    parser.set_defaults(quick_rounds=quick_rounds, full_rounds=full_rounds)
    return parser


def rounds_of(options):
    return options.rounds or (options.quick_rounds if options.quick else options.full_rounds)


def come_first():
    """This process, and what it starts from now on; see come_first of bench/bench.c for why twice."""
    os.setpriority(os.PRIO_PROCESS, 0, FIRST_NICE)
    autogroup = pathlib.Path("/proc/self/autogroup")
    if autogroup.exists():
        autogroup.write_text(str(FIRST_NICE))


def progress(text):
    """Where a person looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Row:
    def __init__(self, name, role, samples, compares, **more):
        """|compares|: the value that aim and key are about. |more| may have
        key: of the ratio to the limit in the report's flat list;
        aim: of that ratio; at_most: whether it is to be smaller rather than greater (True, False);
        parameter: a number that tells rows of one kind apart, such as a size, for plots; threads: likewise;
        stages: of what the first value consists, by name, for plots: a list with a dict for each round;
        note: what a reader must know, such as what a peer cannot do; text: such as its configuration."""
        self.name, self.role, self.samples, self.compares, self.more = name, role, samples, compares, more

    def values(self):
        return {name: spread([sample[name] for sample in self.samples]) for name in self.samples[0]}

    def ratios_to(self, limit):
        names = [name for name in self.samples[0] if all(sample.get(name) for sample in limit.samples)]
        return {name: spread([own[name] / other[name] for own, other in zip(self.samples, limit.samples)])
                for name in names}


class Group:
    def __init__(self, title, in_table):
        self.title, self.in_table, self.rows = title, in_table, []

    def row(self, name, role, samples, compares, **more):
        """Adds one, the limit first; see Row."""
        self.rows.append(Row(name, role, samples, compares, **more))

    def json(self):
        return {"title": self.title, "rows": [self._json_row(row) for row in self.rows]}

    def _json_row(self, row):
        ratios = {} if row is self.rows[0] else {"ratios": row.ratios_to(self.rows[0])}
        return {"name": row.name, "role": row.role, "compares": row.compares, "values": row.values(),
                "samples": row.samples, **ratios, **row.more}

    def text(self):
        lines = [f"\n{self.title}"]
        for row in self.rows:
            values = ", ".join(f"{name} {value['median']:,.6g}" for name, value in row.values().items())
            lines.append(f"  {row.role:8} {row.name:46} {values}{self._text_of_ratio(row)}")
            lines += [f"           {row.more['note']}"] if row.more.get("note") else []
        return "\n".join(lines)

    def _text_of_ratio(self, row):
        ratio = row.ratios_to(self.rows[0]).get(row.compares) if row is not self.rows[0] else None
        if ratio is None:
            return ""
        aim = f", aim {'at most ' if row.more.get('at_most') else ''}{row.more['aim']:g}" if "aim" in row.more else ""
        return f"; {ratio['median']:.3f} of {row.compares} " \
            f"({ratio['low_quartile']:.3f} to {ratio['high_quartile']:.3f}){aim}"


class Report:
    def __init__(self, subcommand, options):
        """|options| are those of options_parser. With --first, this process comes first from now on."""
        self.subcommand, self.options, self.groups, self.more_ratios = subcommand, options, [], {}
        self.machine = json.loads(subprocess.run([BUILD / "bench/mintgate-bench", "machine"], check=True,
                                                 capture_output=True).stdout)
        if options.first:
            come_first()

    def group(self, title, in_table=True):
        """Adds one; |in_table| False: to the JSON alone, such as what is there for a plot."""
        self.groups.append(Group(title, in_table))
        return self.groups[-1]

    def ratio(self, key, value):
        """For the flat list, of what is not a row's ratio to its limit."""
        self.more_ratios[key] = value

    def ratios(self):
        keyed = [(group.rows[0], row) for group in self.groups for row in group.rows[1:] if row.more.get("key")]
        of_rows = {row.more["key"]: row.ratios_to(limit)[row.compares]["median"] for limit, row in keyed}
        return {**of_rows, **self.more_ratios}

    def json(self):
        method = {"rounds": rounds_of(self.options), "quick": self.options.quick,
                  "options": {name: value for name, value in vars(self.options).items() if name != "json"}}
        return {"schema": SCHEMA, "subcommand": self.subcommand, **self.machine, "method": method,
                "groups": [group.json() for group in self.groups], "ratios": self.ratios()}

    def finish(self):
        """Prints the table and writes the JSON where that was asked for."""
        progress("")
        machine = self.machine["machine"]
        print(f"{machine['cpu']}; {machine['processors']} processors, Linux {machine['kernel']}; "
              f"load {machine['load']:.1f}; commit {self.machine['commit'][:12]}")
        print(f"medians of {rounds_of(self.options)} rounds; ratios by round (quartiles)")
        print(*(group.text() for group in self.groups if group.in_table), sep="\n")
        for key, value in self.more_ratios.items():
            print(f"{key} {value:.3f}")
        if self.options.json:
            pathlib.Path(self.options.json).write_text(json.dumps(self.json(), indent=1) + "\n")
