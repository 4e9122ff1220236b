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
    elif match := re.match(r"(\S+?)\{(.*)\}", line):
        base = re.sub(r"_bucket$", "", match[1])
        name = base if types.get(base) == "histogram" else match[1]
        for label, value in re.findall(r"(\w+)=\"([^\"]*)\"", match[2]):
            if label != "le":
                labels.setdefault((name, label), []).append(value)
print("| Metric | Type | Labels | Meaning |\n|---|---|---|---|")
for name, text in helps.items():
    own = {key: ", ".join(dict.fromkeys(values)) for (owner, key), values in labels.items() if owner == name}
    # Issuers and tokens are others in each installation.
    shown = "; ".join(key if "issuer" in own or key == "token" else f"{key}: {values}" for key, values in own.items())
    print(f"| `{name}` | {types[name]} | {shown} | {text} |")
