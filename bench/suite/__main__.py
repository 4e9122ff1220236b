# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench executes once everything is built; its usage is there."""

import argparse
import datetime
import json
import pathlib
import signal
import subprocess
import sys
import time

from . import collect, runner
from .commands import BY_NAME, COMMANDS, FULL, QUICK
from .figures import FIGURES

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/benchmarks"
LATEST = "latest.json"
METHOD_PAGES = ("README.md", "../benchmarks.md")  # the first that there is


def options_of(words):
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--report-of", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *BY_NAME])
    return parser.parse_args(words)


def former_outcomes(latest, setting, commit):
    """Those of the last run, to which others are to be added: figures of two programs do not go together."""
    former = json.loads(latest.read_text()) if latest.exists() else None
    if former is None or (former["setting"], former["commit"]) != (setting, commit):
        sys.exit(f"--add: the last run was not of the {setting} setting and of {commit}")
    return former["subcommands"]


def measure(options, directory):
    """The suite's document of a run."""
    setting, build = FULL if options.full else QUICK, options.build.resolve()
    commands = [command for command in COMMANDS if not options.names or command.name in options.names]
    where = json.loads(subprocess.run([build / "bench/mintgate-bench", "machine"], check=True,
                                      capture_output=True).stdout)
    former = former_outcomes(directory / LATEST, setting, where["commit"]) if options.add else {}
    started, start = datetime.datetime.now(datetime.timezone.utc), time.monotonic()
    planned = sum(command.seconds(setting) for command in commands)
    print(f"{len(commands)} subcommands, {setting} setting, about {runner.minutes(planned)} minutes", flush=True)
    ran = former | runner.run_all(commands, setting, ROOT, build, directory)
    outcomes = {command.name: ran.get(command.name, collect.not_run()) for command in COMMANDS}
    return collect.suite(setting, where, f"{started:%Y-%m-%d %H:%M} UTC", time.monotonic() - start, outcomes)


def is_whole(suite):
    return all(outcome["status"] != collect.NOT_RUN for outcome in suite["subcommands"].values())


def write_report(suite, pages):
    """Writes the page, its pictures and its figures into |pages|; False where a picture could not be drawn."""
    from . import page, plots  # only here: figures do not depend on matplotlib
    pages.mkdir(parents=True, exist_ok=True)
    for old in pages.glob("*.svg"):
        old.unlink()
    pictures, failed = plots.draw_all(suite, pages)
    method = next((name for name in METHOD_PAGES if (PAGES / name).exists()), METHOD_PAGES[0])
    (pages / "report.md").write_text(page.report(suite, pictures, f"../{method}"))
    (pages / "figures.json").write_text(json.dumps(collect.without_samples(suite), indent=1) + "\n")
    for file, error in failed:
        print(f"{file} could not be drawn: {error}")
    return not failed


def conclude(suite):
    """Says what came out; True if every subcommand that was to run did."""
    from . import page
    print(page.summary(suite))
    for figure in FIGURES:
        value = suite["ratios"][figure.key]
        if value is not None and not figure.holds(value, suite["machine"]):
            print(f"  falls short: {figure.key} {figure.text(value)}, {figure.aim_text(suite['machine'])}")
    for key, reason in suite["missing"].items():
        print(f"  not measured: {key}: {reason}")
    return all(outcome["status"] != collect.FAILED for outcome in suite["subcommands"].values())


def end_as_by_ctrl_c():
    """Whoever ends this program by `kill`, or by Ctrl-C where a shell has it in the background, finds no lab left."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def main(words):
    end_as_by_ctrl_c()
    options = options_of(words)
    directory = ROOT / "build/bench"
    if options.report_of:
        suite = json.loads(options.report_of.read_text())
    else:
        suite = measure(options, directory)
        (directory / LATEST).write_text(json.dumps(suite, indent=1) + "\n")
    # Only a whole run of the long setting is one to keep (docs/benchmarks/full is committed).
    pages = PAGES / ("full" if suite["setting"] == FULL and is_whole(suite) else "latest")
    drawn = write_report(suite, pages)
    good = conclude(suite)
    print(f"figures: {directory.relative_to(ROOT)}/{LATEST}; report: {(pages / 'report.md').relative_to(ROOT)}")
    return 0 if good and drawn else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing is written")
