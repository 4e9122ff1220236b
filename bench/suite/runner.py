# SPDX-License-Identifier: Apache-2.0
"""Runs subcommands one after the other, says how far it is, and goes on where one fails."""

import json
import os
import signal
import subprocess
import sys
import time

from . import collect
from .figures import FIGURES

TAIL_LINES = 30
SECONDS_TO_END = 60  # for labs to be taken down after SIGINT
SECONDS_TO_DIE = 10


def remaining_seconds(expected, done, current, elapsed):
    """What is left, by what was expected of each subcommand and by how the machine kept to that so far. |expected|:
    seconds by name, in order; |done|: real seconds of those that have ended; |current| has run for |elapsed|."""
    real, planned = sum(done.values()), sum(expected[name] for name in done)
    pace = min(max(real / planned, 0.5), 2.0) if planned else 1.0
    left = sum(seconds for name, seconds in expected.items() if name not in done and name != current)
    return left * pace + max(expected.get(current, 0) * pace - elapsed, 0)


def minutes(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def show(text):
    """One line that is rewritten; only where a person looks."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def end_group(process):
    """Ends a subcommand and what it started: by SIGINT, after which scripts take their labs down."""
    for number, seconds in ((signal.SIGINT, SECONDS_TO_END), (signal.SIGKILL, SECONDS_TO_DIE)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            print(f"  process {process.pid} has not ended {seconds} s after {number.name}; its lab may be there still",
                  flush=True)
            continue
        return


def wait_for(process, time_limit, tick):
    """Its exit status, None if it was ended for taking too long. |tick| is called with the seconds, once a second."""
    start = time.monotonic()
    try:
        while (elapsed := time.monotonic() - start) < time_limit:
            tick(elapsed)
            try:
                return process.wait(1)
            except subprocess.TimeoutExpired:
                pass
        return None
    finally:
        if process.poll() is None:
            end_group(process)


def heed_sigint():
    """In a new process: what a shell runs in the background has SIGINT ignored, and what it starts inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def launch(arguments, output, environment=None):
    """A subcommand with what it starts, in a group that end_group ends."""
    return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                            env=environment, start_new_session=True, preexec_fn=heed_sigint)


def read_document(path, name):
    """(document, None) or (None, what is wrong with it)."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        return None, f"its JSON cannot be read: {error}"
    wrong = collect.wrong_with(document, name)
    return (None, wrong) if wrong else (document, None)


def outcome_of(status, time_limit, json_path, name):
    """What became of a subcommand, without its times."""
    if status is None:
        return {"status": collect.FAILED, "reason": f"it took longer than {time_limit:.0f} s"}
    if status != 0:
        return {"status": collect.FAILED, "reason": f"exit status {status}"}
    document, wrong = read_document(json_path, name)
    if wrong:
        return {"status": collect.FAILED, "reason": wrong}
    return {"status": collect.OK, "document": document}


def run_one(name, arguments, time_limit, directory, environment, tick):
    """Runs a subcommand, what it says going to NAME.log and its figures to NAME.json, and returns its outcome."""
    log_path, json_path = directory / f"{name}.log", directory / f"{name}.json"
    json_path.unlink(missing_ok=True)
    start = time.monotonic()
    with open(log_path, "w") as log:
        try:
            process = launch(arguments, log, environment)
        except OSError as error:
            log.write(f"{error}\n")
            outcome = {"status": collect.FAILED, "reason": f"it cannot be started: {error.strerror}"}
        else:
            outcome = outcome_of(wait_for(process, time_limit, tick), time_limit, json_path, name)
    outcome["seconds"] = round(time.monotonic() - start, 1)
    if outcome["status"] == collect.FAILED:
        lines = log_path.read_text(errors="replace").splitlines()
        outcome["output"] = "\n".join(lines[-TAIL_LINES:])
    return outcome


def say_outcome(name, outcome):
    """A line for the subcommand and one for each of its figures."""
    if outcome["status"] == collect.FAILED:
        print(f"  {name}: FAILED, {outcome['reason']}")
        print("\n".join(f"    | {line}" for line in outcome["output"].splitlines()), flush=True)
        return
    print(f"  {name}: {outcome['seconds']:.0f} s")
    machine = outcome["document"].get("machine", {})
    for figure in (one for one in FIGURES if one.subcommand == name):
        value = outcome["document"]["ratios"].get(figure.key)
        if not collect.is_number(value):
            print(f"    {figure.key:26} not measured: {collect.reason_for(figure, outcome)}")
            continue
        verdict = "DOUBTFUL: beyond its limit" if figure.is_doubtful(value) else \
            "holds" if figure.holds(value, machine) else "FALLS SHORT"
        print(f"    {figure.key:26} {figure.text(value):>12}   {figure.aim_text(machine):18} {verdict}")
    sys.stdout.flush()


def run_all(commands, setting, root, build, directory):
    """The outcomes by name of |commands|."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ, MG_BUILD=str(build))
    expected = {command.name: command.seconds(setting) for command in commands}
    done, outcomes = {}, {}
    for number, command in enumerate(commands, 1):
        def tick(elapsed):
            left = remaining_seconds(expected, done, command.name, elapsed)
            show(f"  [{number}/{len(commands)}] {command.name}  {minutes(elapsed)}; about {minutes(left)} left")
        if not sys.stdout.isatty():
            left = remaining_seconds(expected, done, command.name, 0)
            print(f"  [{number}/{len(commands)}] {command.name}; about {minutes(left)} left", flush=True)
        arguments = command.arguments(setting, root, build, directory / f"{command.name}.json")
        outcome = run_one(command.name, arguments, command.time_limit(setting), directory, environment, tick)
        outcome["command"] = [word.removeprefix(f"{root}/") for word in arguments]  # no path of this machine is kept
        show("")
        say_outcome(command.name, outcome)
        outcomes[command.name], done[command.name] = outcome, outcome["seconds"]
    return outcomes
