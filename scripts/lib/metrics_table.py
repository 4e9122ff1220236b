#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns Prometheus text on standard input into the Markdown table of docs/operations.md."""
import re
import sys

helps, types, labels = {}, {}, {}
for line in sys.stdin.read().splitlines():
    if match := re.match(r"# HELP (\S+) (.*)", line):
        helps[match[1]] = match[2]
    elif match := re.match(r"# TYPE (\S+) (.*)", line):
        types[match[1]] = match[2]
    elif match := re.match(r"(\S+?)\{(\w+)=\"([^\"]*)\"", line):
        base = re.sub(r"_bucket$", "", match[1])
        name = base if types.get(base) == "histogram" else match[1]
        if match[2] != "le":
            labels.setdefault((name, match[2]), []).append(match[3])
print("| Metric | Type | Labels | Meaning |\n|---|---|---|---|")
for name, text in helps.items():
    own = {key: ", ".join(dict.fromkeys(values)) for (owner, key), values in labels.items() if owner == name}
    # An issuer's id is another in each installation.
    shown = "; ".join(key if key == "issuer" else f"{key}: {values}" for key, values in own.items())
    print(f"| `{name}` | {types[name]} | {shown} | {text} |")
