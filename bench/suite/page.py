# SPDX-License-Identifier: Apache-2.0
"""The report as Markdown. Pure."""

from . import collect, rows
from .figures import FIGURES

HEADINGS = {"mint": "Minting", "hsm": "Minting on a token", "cache": "The cache of leaves",
            "hello": "ClientHellos", "forward": "Forwarding", "handshake": "An intercepted connection",
            "bulk": "Bytes through an intercepted connection", "swap": "Hot swaps under load",
            "peers": "What is used today, with the same load"}
BUSY_LOAD = 0.5  # by processor
MAX_ROWS = 30  # of a table; a longer one is there for a picture
VALUE_NAMES = {"per_cpu_second": "per second of CPU", "per_second": "per second", "p50_ns": "p50, ns"}


def number(value):
    """Four digits that count, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_quartiles(spread, text):
    return f"{text(spread.median)} ({text(spread.low)} to {text(spread.high)})"


def verdict(figure, value, machine):
    if figure.is_doubtful(value):
        return "**doubtful**: beyond its limit, so the limit was disturbed"
    return "holds" if figure.holds(value, machine) else "**falls short**"


def counts(suite):
    """How many figures hold, fall short, are doubtful, were not measured."""
    machine = suite["machine"]
    known = [figure for figure in FIGURES if suite["ratios"][figure.key] is not None]
    sure = [figure for figure in known if not figure.is_doubtful(suite["ratios"][figure.key])]
    held = sum(figure.holds(suite["ratios"][figure.key], machine) for figure in sure)
    return held, len(sure) - held, len(known) - len(sure), len(FIGURES) - len(known)


def summary(suite):
    held, short, doubtful, unknown = counts(suite)
    if held + short + doubtful == 0:
        return "Nothing was measured of what has an aim."
    falling = f"{short} fall{'s' if short == 1 else ''} short" if short else "none falls short"
    rest = f"; {doubtful} doubtful" if doubtful else ""
    rest += f"; {unknown} of {len(FIGURES)} not measured" if unknown else ""
    return f"Of {held + short + doubtful} figures {held} reach{'es' if held == 1 else ''} the aim, {falling}{rest}."


def busy(machine):
    """A warning, where others used the machine."""
    if machine["load"] <= machine["processors"] * BUSY_LOAD:
        return []
    return ["- **the machine was busy with other things**: rates are too low, and ratios have their spread from that"]


def where(suite):
    machine = suite["machine"]
    ifma = "with AVX-512 IFMA" if machine["ifma"] else "without AVX-512 IFMA"
    return [f"- machine: {machine['cpu']}, {machine['processors']} processors, {ifma}, Linux {machine['kernel']}; load "
            f"{machine['load']:.1f} when it began",
            f"- commit: `{suite['commit']}`",
            f"- begun {suite['started']}, {suite['seconds'] // 60} min {suite['seconds'] % 60} s of measuring, "
            f"{suite['setting']} setting",
            *busy(machine)]


def figure_line(suite, figure):
    machine, value = suite["machine"], suite["ratios"][figure.key]
    start = f"| {figure.title} | `{figure.key}` "
    if value is None:
        return f"{start}| not measured | {figure.aim_text(machine)} | {suite['missing'][figure.key]} |"
    spread = rows.spread_of_key(suite, figure)
    told = with_quartiles(spread, figure.text) if spread else figure.text(value)
    return f"{start}| {told} | {figure.aim_text(machine)} | {verdict(figure, value, machine)} |"


def figures_table(suite):
    return ["| Figure | Key | Median (quartiles) | Aim | |", "|---|---|---|---|---|",
            *(figure_line(suite, figure) for figure in FIGURES)]


def limits(suite, name):
    """What limits the figures of a subcommand."""
    lines = []
    for figure in (one for one in FIGURES if one.subcommand == name):
        value = suite["ratios"][figure.key]
        told = "not measured" if value is None else f"{figure.text(value)}, {figure.aim_text(suite['machine'])}: " \
            f"{verdict(figure, value, suite['machine'])}"
        lines.append(f"- **{figure.title}** ({told}). {figure.limits}")
    return lines


def row_line(row):
    values = "; ".join(f"{VALUE_NAMES.get(name, name)} {number(spread['median'])}"
                       for name, spread in row.get("values", {}).items())
    ratio = rows.ratio_of(row)
    told = with_quartiles(ratio, lambda one: f"{one:.3g}") if ratio else ""
    note = f" — {row['note']}" if row.get("note") else ""
    return f"| {row['role']} | {row['name']}{note} | {values} | {told} |"


def details(title, lines):
    """Folded away; for those who want to know it."""
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def tables(suite, name):
    lines = []
    for group in rows.groups_of(suite, name):
        if len(group["rows"]) > MAX_ROWS:
            continue
        lines += [f"**{rows.title_without_subcommand(group, name)}**", "",
                  "| Role | What | Medians | To the limit, by round (quartiles) |", "|---|---|---|---|",
                  *(row_line(row) for row in group["rows"]), ""]
    return details("All rows", lines) if lines else []


def configurations(suite, name):
    """What rows carry as text, such as the configuration of a peer."""
    texts = {row["name"]: row["text"] for _, row in rows.rows_with(suite, name, "text")}
    return [line for title, text in texts.items()
            for line in details(f"Configuration: {title}", ["```", *text.strip().splitlines(), "```"])]


def method_of(document):
    """How a subcommand measured, as it says itself."""
    method = document.get("method", {})
    words = [f"{method['rounds']} rounds" if "rounds" in method else "",
             f"{method['milliseconds']} ms each" if "milliseconds" in method else "",
             f"on processor {method['processor']}" if method.get("processor", -1) >= 0 else ""]
    return ", ".join(word for word in words if word)


def failure(outcome):
    return [f"It failed: {outcome['reason']}.", "", "```", outcome.get("output", ""), "```", ""]


def section(suite, name, pictures):
    """|pictures|: (subcommand, file, title, what can be seen) of each."""
    outcome = suite["subcommands"][name]
    lines = ["", f"## {HEADINGS.get(name, name)}", ""]
    if outcome["status"] == collect.NOT_RUN:
        return []
    if outcome["status"] == collect.FAILED:
        return lines + failure(outcome)
    own = [f"![{title}]({file})" for owner, file, title in pictures if owner == name]
    for picture in own:
        lines += [picture, ""]
    method = method_of(outcome["document"])
    lines += [f"`mintgate-bench {name}`{': ' + method if method else ''}; {outcome['seconds']:.0f} s.", ""]
    lines += limits(suite, name)
    return lines + [""] + tables(suite, name) + configurations(suite, name)


def report(suite, pictures, method_page):
    """The whole page. |method_page|: the address of the page on the method, relative to this one."""
    command = "scripts/bench --full" if suite["setting"] == "full" else "scripts/bench"
    lines = ["# What this machine could do at most, and what Mintgate does of it", "",
             f"Made by `{command}`; do not edit.", "", *where(suite), "", f"**{summary(suite)}**", ""]
    for owner, file, title in pictures:
        lines += [f"![{title}]({file})", ""] if owner is None else []
    lines += [f"Every figure stands beside its limit, measured in turn within the same round; a ratio is the median of "
              f"the rounds' ratios, its quartiles behind it. [How it is measured]({method_page}).", "",
              *figures_table(suite)]
    for name in suite["subcommands"]:
        lines += section(suite, name, pictures)
    text = "\n".join(lines).rstrip() + "\n"
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
