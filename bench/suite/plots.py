# SPDX-License-Identifier: Apache-2.0
"""The report's pictures (SVG, by matplotlib). Each says its message in its title, has its axis from 0 and its quartiles
as error bars, and is told apart by lightness, hatching and marks, not by colour alone."""

import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "mintgate",  # the same picture for the same figures
                            "font.size": 8, "axes.titlesize": 9, "axes.spines.top": False,
                            "axes.spines.right": False, "hatch.linewidth": 0.6, "figure.titlesize": 10})

from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

from . import page, rows  # noqa: E402
from .figures import BY_KEY, FIGURES  # noqa: E402
from .rows import BASELINE, LIMIT, OURS  # noqa: E402

# In grey: dark, middling, light and hatched.
COLOURS = {LIMIT: "#333333", OURS: "#2a7fc1", BASELINE: "#f2c879"}
LINE_COLOURS = COLOURS | {BASELINE: "#b07a10"}  # a thin line needs to be darker
TAIL_COLOURS = ("#2a7fc1", "#b07a10", "#7f7f7f", "#8a4f9e")
HATCHES = {LIMIT: "", OURS: "", BASELINE: "///"}
MARKS = {LIMIT: "s", OURS: "o", BASELINE: "^"}
ROLE_NAMES = {LIMIT: "limit", OURS: "Mintgate", BASELINE: "without Mintgate"}
DASHES = ("-", "--", ":", "-.")
WIDTH = 9  # inches, of every picture
BAR_HEIGHT = 0.26
AXIS_NAMES = {"per_cpu_second": "per second of CPU", "per_second": "per second", "p50_ns": "ns, half of them within",
              "p99_ns": "ns, 99 % of them within", "p99_ms": "p99, ms", "cpu_us": "microseconds of CPU",
              "cpu_ms": "milliseconds of CPU", "cpu_ns": "nanoseconds of CPU", "gbit_per_second": "Gbit/s"}


def axis_name(value):
    return AXIS_NAMES.get(value, str(value).replace("_", " "))


def errors(spreads):
    """What matplotlib wants of error bars."""
    return [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


def legend_of_roles(target, roles, **options):
    handles = [Patch(facecolor=COLOURS[role], hatch=HATCHES[role], edgecolor="white" if role != BASELINE else "#555555",
                     label=ROLE_NAMES[role]) for role in ROLE_NAMES if role in roles]
    target.legend(handles=handles, frameon=False, fontsize=7, **options)


def bar(axes, position, spread, role):
    axes.barh(position, spread.median, color=COLOURS[role], hatch=HATCHES[role],
              edgecolor="white" if role != BASELINE else "#555555", linewidth=0.4,
              xerr=errors([spread]), error_kw={"elinewidth": 0.8, "ecolor": "#888888", "capsize": 2})


def draw_group(axes, group, title):
    """A bar for each row that has what the group's first row compares; the ratio to the limit at its end."""
    value = group["rows"][0]["compares"]
    shown = [row for row in group["rows"] if rows.value_of(row, value)]
    for position, row in enumerate(shown):
        spread = rows.value_of(row, value)
        bar(axes, position, spread, row["role"])
        ratio = rows.Spread.of(row.get("ratios", {}).get(value))
        text = f"  {page.number(spread.median)}" + (f", {ratio.median:.2f} x" if ratio else "")
        axes.text(spread.high, position, text, va="center", fontsize=7)
    axes.set_yticks(range(len(shown)), [row["name"] for row in shown], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.margins(x=0.3)
    axes.set_xlabel(axis_name(value), fontsize=7)
    axes.xaxis.set_major_formatter(lambda place, _: page.number(place))
    axes.set_title(title, loc="left", fontsize=8)
    return {row["role"] for row in shown}


def draw_panels(groups, name, title, path):
    """A panel a group, below one another: their values may differ by orders of magnitude."""
    heights = [len(group["rows"]) + 2.4 for group in groups]
    figure, panels = pyplot.subplots(len(groups), 1, figsize=(WIDTH, BAR_HEIGHT * sum(heights)), squeeze=False,
                                     gridspec_kw={"height_ratios": heights})
    roles = set()
    for axes, group in zip(panels[:, 0], groups):
        roles |= draw_group(axes, group, rows.title_without_subcommand(group, name))
    figure.tight_layout()
    figure.suptitle(title, x=0.01, y=1.0, ha="left", va="bottom")
    legend_of_roles(figure, roles, loc="upper right", bbox_to_anchor=(0.99, 0.005), ncol=3)
    save(figure, path)


def told(suite, key):
    """A figure for a title: `0.80`, or None."""
    value = suite["ratios"].get(key)
    return BY_KEY[key].text(value) if value is not None else None


# The pictures. Each function draws one and returns its title, or None where there is nothing to draw.

def draw_ratios(suite, path):
    machine = suite["machine"]
    known = [figure for figure in FIGURES if suite["ratios"][figure.key] is not None and figure.aim_on(machine)]
    shown = [(figure, suite["ratios"][figure.key]) for figure in known]
    shown = [(figure, value) for figure, value in shown if figure.times_aim(value, machine)]
    if not shown:
        return None
    figure, axes = pyplot.subplots(figsize=(WIDTH, 0.8 + BAR_HEIGHT * len(shown)))
    for position, (one, value) in enumerate(shown):
        holds = one.holds(value, machine) and not one.is_doubtful(value)
        spread = rows.spread_of_key(suite, one)
        ends = sorted(one.times_aim(end, machine) or 0 for end in (spread.low, spread.high)) if spread else [0, 0]
        length = one.times_aim(value, machine)
        around = [[max(length - ends[0], 0)], [max(ends[1] - length, 0)]] if spread else None
        axes.barh(position, length, color=COLOURS[OURS] if holds else "white", edgecolor=COLOURS[OURS],
                  hatch="" if holds else "xxx", xerr=around,
                  error_kw={"elinewidth": 0.8, "ecolor": "#888888", "capsize": 2})
        axes.text(max(length, ends[1]) + 0.03, position, f"{one.text(value)}, aim {one.aim_text(machine)}", va="center",
                  fontsize=7, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(shown)), [one.title for one, _ in shown], fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set_xlim(left=0)
    axes.set_xlabel("times the aim: right of the line is better (quartiles)")
    legend = [Patch(facecolor=COLOURS[OURS], label="holds"),
              Patch(facecolor="white", edgecolor=COLOURS[OURS], hatch="xxx", label="falls short, or is doubtful")]
    axes.legend(handles=legend, frameon=False, fontsize=7, loc="lower right")
    title = page.summary(suite)
    axes.set_title(title, loc="left")
    save(figure, path)
    return title


def draw_mint(suite, path):
    groups = [group for group in rows.groups_of(suite, "mint") if group["rows"][0]["role"] == LIMIT
              and group["rows"][0]["compares"] != "p50_ns" and any(row["role"] == BASELINE for row in group["rows"])]
    if not groups:
        return None
    inside, outside = told(suite, "mint_in_signer_vs_limit"), told(suite, "mint_end_to_end_vs_limit")
    title = f"Minting reaches {inside} of the library's own rate in the signer, {outside} end to end (P-256 issuer)" \
        if inside and outside else "Certificates by issuer, beside the library's signatures alone and X509_sign"
    draw_panels(groups, "mint", title, path)
    return title


def entries_of(group):
    """How many entries a group of the cache is about, by its title."""
    match = re.search(r"([\d,]+) entries", group["title"])
    return int(match[1].replace(",", "")) if match else None


def threads_of(group):
    """Whether rows of a group differ in the number of threads alone."""
    by_role = {}
    for row in group["rows"]:
        by_role.setdefault(row["role"], set()).add(row.get("threads", 1))
    return len(by_role) > 1 and all(len(threads) > 1 for threads in by_role.values())


def add_points(panel, role, name, x, spread):
    panel.setdefault((role, name), {})[x] = spread


def cache_lines(suite):
    """Lookups by entries and by threads. By (what the panel shows, what its axis counts): by (role, name): by the
    axis: a spread. A line has two points at least."""
    panels = {}
    for group in rows.groups_of(suite, "cache"):
        entries, what = entries_of(group), re.sub(r"^.*entries,? *", "", group["title"])
        for row in group["rows"]:
            spread = rows.value_of(row)
            if not entries or row["compares"] not in ("per_second", "per_cpu_second") or not spread:
                continue
            if threads_of(group):
                panel = panels.setdefault((f"{entries:,} entries", "threads"), {})
                add_points(panel, row["role"], ROLE_NAMES[row["role"]], row["threads"], spread)
            else:
                add_points(panels.setdefault((what, "entries"), {}), row["role"], row["name"], entries, spread)
    return {panel: lines for panel, lines in panels.items() if any(len(line) > 1 for line in lines.values())}


def draw_lines(axes, lines, axis):
    seen = {}
    for (role, name), line in lines.items():
        places = sorted(line)
        spreads = [line[place].scaled(1e-6) for place in places]
        dash = DASHES[seen.setdefault(role, 0) % len(DASHES)]
        seen[role] += 1
        axes.errorbar(places, [one.median for one in spreads], yerr=errors(spreads), color=LINE_COLOURS[role],
                      linestyle=dash, marker=MARKS[role], markersize=4, linewidth=1.2, label=name, capsize=2)
    if axis == "entries":
        axes.set_xscale("log")
    else:
        axes.set_xticks(sorted({place for line in lines.values() for place in line}))
        axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axis)
    axes.set_ylabel("million lookups a second")
    axes.legend(frameon=False, fontsize=6)


def draw_cache(suite, path):
    panels = cache_lines(suite)
    if not panels:
        return None
    columns = min(len(panels), 2)
    lines = -(-len(panels) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(WIDTH, 2.7 * lines), squeeze=False)
    for axes in grid.flat[len(panels):]:
        axes.axis("off")
    for axes, ((what, axis), series) in zip(grid.flat, panels.items()):
        draw_lines(axes, series, axis)
        axes.set_title(f"{what}, by {axis}", loc="left", fontsize=8)
    hit, two = told(suite, "cache_vs_lfht"), told(suite, "cache_two_threads_vs_one")
    title = f"A cache hit reaches {hit} of liburcu's table alone; two threads reach {two} times one" if hit and two \
        else "Lookups in the cache of leaves by size, beside liburcu's table alone"
    figure.suptitle(title, x=0.01, ha="left")
    figure.tight_layout()
    save(figure, path)
    return title


def draw_company(suite, path):
    """What lines by entries and threads do not show: a writer beside a reader, tails, memory; at the size with aims."""
    keyed = {entries_of(group) for group in rows.groups_of(suite, "cache") for row in group["rows"] if row.get("key")}
    groups = [group for group in rows.groups_of(suite, "cache") if entries_of(group) in keyed | {None}
              and group["rows"][0]["role"] == OURS or group["rows"][0]["compares"] in ("p50_ns", "p99_ns", "bytes")]
    groups = [group for group in groups if not threads_of(group)]
    if not groups:
        return None
    slowdown = told(suite, "cache_reader_slowdown")
    title = f"A reader beside a writer that evicts reaches {slowdown} of one alone" if slowdown \
        else "The cache: readers in company, tails, memory"
    draw_panels(groups, "cache", title, path)
    return title


def draw_hsm(suite, path):
    groups = [group for group in rows.groups_of(suite, "hsm") if rows.batches(group)]
    if not groups:
        return None
    figure, panels = pyplot.subplots(len(groups), 2, figsize=(WIDTH, 2.1 * len(groups)), squeeze=False)
    for (rate, latency), group in zip(panels, groups):
        sizes = list(rows.batches(group))
        for axes, value, scale in ((rate, "per_second", 1e-3), (latency, "p50_ns", 1e-6)):
            found = [(size, rows.value_of(row, value)) for size, row in rows.batches(group).items()]
            found = [(size, spread.scaled(scale)) for size, spread in found if spread]
            axes.errorbar([size for size, _ in found], [one.median for _, one in found],
                          yerr=errors([one for _, one in found]), color=COLOURS[OURS], marker=MARKS[OURS], markersize=4,
                          linewidth=1.2, capsize=2, label="Mintgate, signer and token")
            axes.set_xscale("log", base=2)
            axes.set_xticks(sizes, [str(size) for size in sizes])
            axes.set_ylim(bottom=0)
            axes.set_xlabel("batch size")
        limit = rows.value_of(group["rows"][0], "per_second")
        if group["rows"][0]["role"] == LIMIT and limit:
            rate.axhline(limit.median / 1e3, color=COLOURS[LIMIT], linestyle="--", linewidth=1,
                         label=group["rows"][0]["name"])
            rate.set_ylim(0, 1.15 * max(limit.median / 1e3, rate.get_ylim()[1]))
        rate.set_ylabel("thousand leaves a second")
        latency.set_ylabel("ms, a batch (p50)")
        rate.set_title(rows.title_without_subcommand(group, "hsm"), loc="left", fontsize=8)
        rate.legend(frameon=False, fontsize=6, loc="lower right")
    ratio = told(suite, "hsm_vs_raw")
    title = f"With plenty to sign, a token gives {ratio} of what C_Sign alone does; small batches give less" \
        if ratio else "Batch size against rate and latency of a token"
    figure.suptitle(title, x=0.01, ha="left")
    figure.tight_layout()
    save(figure, path)
    return title


def draw_stages(suite, path):
    """Rows that say of what stages their value consists, each below the limit of its group."""
    found = rows.rows_with(suite, "handshake", "stages")
    if not found:
        return None
    names = list(dict.fromkeys(name for _, row in found for name in rows.stages_of(row)))
    lightness = [0.05 + 0.9 * i / len(names) for i in range(len(names))]
    colours = dict(zip(names, matplotlib.colormaps["cividis"](lightness)))
    hatches = {name: ("", "..", "//", "xx")[i % 4] for i, name in enumerate(names)}
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.1 + BAR_HEIGHT * 2.8 * len(found)))
    ticks = []
    for number, (group, row) in enumerate(found):
        top, left = 2.6 * number, 0
        value = row["compares"]
        limit = rows.value_of(group["rows"][0], value)
        if limit:
            bar(axes, top, limit, LIMIT)
            ticks.append((top, group["rows"][0]["name"]))
        for name, part in rows.stages_of(row).items():
            axes.barh(top + 1, part, left=left, color=colours[name], hatch=hatches[name], edgecolor="white",
                      linewidth=0.6)
            left += part
        spread, ratio = rows.value_of(row, value), rows.ratio_of(row)
        axes.errorbar(spread.median, top + 1, xerr=errors([spread]), color="#888888", capsize=2, linewidth=0.8)
        text = f"  {page.with_quartiles(ratio, lambda one: f'{one:.2f}')} x" if ratio else ""
        axes.text(max(left, spread.high), top + 1, text, va="center", fontsize=7)
        ticks.append((top + 1, row["name"]))
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks], fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{axis_name(found[0][1]['compares'])}, a connection (medians; quartiles of the whole)")
    axes.legend(handles=[Patch(facecolor=COLOURS[LIMIT], label="cryptography alone"),
                         *(Patch(facecolor=colours[name], hatch=hatches[name], edgecolor="white", label=name)
                           for name in names)],
                frameon=False, fontsize=7, ncol=4, loc="upper left", bbox_to_anchor=(0, -0.56 / figure.get_figheight()))
    warm, cold = told(suite, "conn_warm_vs_floor"), told(suite, "conn_cold_vs_floor")
    title = f"An intercepted connection costs {warm} times its cryptography warm, {cold} times cold" if warm and cold \
        else "CPU of an intercepted connection by stage, beside its cryptography"
    axes.set_title(title, loc="left")
    save(figure, path)
    return title


def draw_clusters(axes, groups, name):
    """A cluster of bars for each group, a bar for each kind of row; groups compare the same value."""
    value = groups[0]["rows"][0]["compares"]
    names = list(dict.fromkeys(row["name"] for group in groups for row in group["rows"]))
    width = 0.8 / len(names)
    for kind, row_name in enumerate(names):
        found = [(place, row) for place, group in enumerate(groups) for row in group["rows"]
                 if row["name"] == row_name and rows.value_of(row, value)]
        spreads = [rows.value_of(row, value) for _, row in found]
        role = found[0][1]["role"]
        earlier = sum(one["role"] == role for one in groups[0]["rows"][:kind])
        axes.bar([place + (kind - (len(names) - 1) / 2) * width for place, _ in found],
                 [spread.median for spread in spreads], width * 0.95, yerr=errors(spreads), label=row_name,
                 color=COLOURS[role], hatch=HATCHES[role] or ("", "...", "xxx")[earlier % 3], edgecolor="white",
                 linewidth=0.4, error_kw={"elinewidth": 0.8, "ecolor": "#888888", "capsize": 2})
    axes.set_xticks(range(len(groups)), [rows.title_without_subcommand(group, name) for group in groups], fontsize=7)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(axis_name(value))
    axes.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncol=2)


def draw_forward(suite, path):
    groups = [group for group in rows.groups_of(suite, "forward") if group["rows"][0]["role"] == LIMIT]
    if not groups:
        return None
    groups = [group for group in groups if group["rows"][0]["compares"] == groups[0]["rows"][0]["compares"]]
    ratio = told(suite, "forward_vs_testpmd")
    title = f"Forwarding reaches {ratio} of dpdk-testpmd" if ratio else "Forwarding beside dpdk-testpmd"
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.4))
    draw_clusters(axes, groups, "forward")
    axes.set_title(title, loc="left")
    save(figure, path)
    return title


def draw_all_groups(name, key, message, neutral):
    """A function that draws every group of a subcommand, with |message| of the figure |key| as its title."""
    def draw(suite, path):
        groups = rows.groups_of(suite, name)
        if not groups:
            return None
        title = message.format(told(suite, key)) if key and told(suite, key) else neutral
        draw_panels(groups, name, title, path)
        return title
    return draw


def draw_timeline(axes, timeline):
    """Handshake p99 by second, and the swaps."""
    axes.vlines(timeline["swaps"], 0, max(timeline["p99_ms"]), color="#bbbbbb", linewidth=0.8, label="a swap")
    axes.plot(timeline["p99_ms"], color=COLOURS[OURS], linewidth=1.1, label="handshake p99 of the second")
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds")
    axes.set_ylabel("ms")


def draw_profile(axes, group):
    """A value by a parameter: p99 by the milliseconds from a swap; beside what it is otherwise."""
    found = {parameter: rows.value_of(row) for parameter, row in rows.batches(group).items()}
    axes.plot(list(found), [spread.median for spread in found.values()], color=COLOURS[OURS], linewidth=1.1, marker="o",
              markersize=2.5, label="all swaps together")
    limit = rows.value_of(group["rows"][0])
    axes.axhline(limit.median, color=COLOURS[LIMIT], linestyle="--", linewidth=1, label=group["rows"][0]["name"])
    axes.axvline(0, color="#bbbbbb", linewidth=0.8)
    axes.set_xlabel("milliseconds from the swap")
    axes.set_ylabel(axis_name(group["rows"][0]["compares"]))


def draw_distributions(axes, group):
    """Latency against how many are slower, as for HDR histograms: the tail is what counts."""
    told = [row for row in group["rows"] if row.get("distribution")]
    for number, row in enumerate(told):
        points = rows.percentiles_of(row["distribution"])
        axes.plot([1 / (1 - percentile / 100) for percentile, _ in points], [value / 1000 for _, value in points],
                  linestyle=DASHES[number % len(DASHES)], linewidth=1.3, label=row["name"],
                  color=LINE_COLOURS[row["role"]] if row["role"] == LIMIT else TAIL_COLOURS[number % len(TAIL_COLOURS)])
    axes.set_xscale("log")
    ticks = [(1, "0"), (2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10000, "99.99")]
    shown = [tick for tick in ticks if tick[0] <= 2 * axes.get_xlim()[1]]
    axes.set_xticks([place for place, _ in shown], [text for _, text in shown])
    axes.set_xlabel("percentile")
    axes.set_ylabel("ms")


SWAP_MESSAGE = "Around a hot swap the p99 of handshakes is {} times that between swaps"


def draw_swap(suite, path):
    """Of each row with a timeline: it; what there is by time from a swap; and distributions."""
    panels = [(f"{group['title']}: {row['name']}", draw_timeline, row["timeline"])
              for group, row in rows.rows_with(suite, "swap", "timeline")]
    groups = rows.groups_of(suite, "swap")
    panels += [(group["title"], draw_profile, group) for group in groups if rows.batches(group)]
    panels += [(group["title"], draw_distributions, group) for group in groups
               if any(row.get("distribution") for row in group["rows"])]
    if not panels:
        return None
    figure, grid = pyplot.subplots(len(panels), 1, figsize=(WIDTH, 2.2 * len(panels)), squeeze=False)
    for axes, (title, draw, what) in zip(grid[:, 0], panels):
        draw(axes, what)
        axes.set_ylim(bottom=0)
        axes.set_title(title, loc="left", fontsize=8)
        axes.legend(frameon=False, fontsize=6, loc="upper right" if draw != draw_distributions else "upper left")
    ratio = told(suite, "swap_p99_vs_steady")
    title = SWAP_MESSAGE.format(ratio) if ratio else "Latency while the default is swapped under load"
    figure.suptitle(title, x=0.01, ha="left")
    figure.tight_layout()
    save(figure, path)
    return title


# (subcommand, file, how): None is the whole's.
PICTURES = (
    (None, "ratios.svg", draw_ratios),
    ("mint", "mint.svg", draw_mint),
    ("hsm", "hsm.svg", draw_hsm),
    ("cache", "cache.svg", draw_cache),
    ("cache", "cache-company.svg", draw_company),
    ("hello", "hello.svg", draw_all_groups("hello", "hello_ns", "Chromium's ClientHello is parsed in {}",
                                           "ClientHellos parsed")),
    ("forward", "forward.svg", draw_forward),
    ("handshake", "stages.svg", draw_stages),
    ("handshake", "handshake.svg", draw_all_groups("handshake", None, "", "Connections beside their floors")),
    ("bulk", "bulk.svg", draw_all_groups("bulk", None, "", "Bytes through intercepted connections, beside AES-GCM "
                                         "alone and a plain relay")),
    ("swap", "swap.svg", draw_swap),
    ("peers", "peers.svg", draw_all_groups("peers", "haproxy_vs_us", "A warm connection through haproxy takes {} times "
                                           "the CPU of one through Mintgate", "The same load through peers")),
)


def draw_all(suite, directory):
    """Draws what there is to draw. Returns (subcommand, file, title) of each picture, and (file, error) of those that
    could not be drawn: figures are worth more than pictures, so one that fails keeps nothing else back."""
    drawn, failed = [], []
    for owner, file, draw in PICTURES:
        try:
            title = draw(suite, directory / file)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            pyplot.close("all")
            failed.append((file, f"{type(error).__name__}: {error}"))
            continue
        if title:
            drawn.append((owner, file, title))
    return drawn, failed
