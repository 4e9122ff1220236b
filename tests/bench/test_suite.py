# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench makes of the documents of subcommands: ratios in one place, what is missing and why, the report,
and that one subcommand that fails keeps nothing else back."""

import contextlib
import json
import math
import signal
import subprocess
import sys
import xml.etree.ElementTree as tree

import pytest

import suitekit
from suite import __main__ as program
from suite import collect, page, plots, rows, runner
from suite.commands import BY_NAME, COMMANDS, FULL, QUICK, Command
from suite.figures import BY_KEY, FIGURES

# As the issue lists them.
KEYS = """mint_in_signer_vs_limit mint_end_to_end_vs_limit mint_vs_x509_sign cache_vs_lfht cache_two_threads_vs_one
    cache_reader_slowdown cache_bytes_per_leaf conn_warm_vs_floor conn_cold_vs_floor sslsplit_vs_us haproxy_vs_us
    squid_vs_us mitmproxy_vs_us forward_vs_testpmd hello_ns hsm_vs_raw swap_p99_vs_steady swap_failures""".split()
FAILED = {"status": collect.FAILED, "reason": "exit status 1", "output": "no such port", "seconds": 2, "command": []}


def with_ratios(name, **ratios):
    """An outcome of a subcommand that tells other ratios than it does in suitekit."""
    document = suitekit.documents()[name]
    return {"status": collect.OK, "seconds": 1, "command": [], "document": dict(document, ratios=ratios)}


# Collecting

def test_the_flat_list_has_the_keys_of_the_issue_and_no_others():
    suite = suitekit.suite()
    assert list(suite["ratios"]) == KEYS
    assert all(collect.is_number(value) for value in suite["ratios"].values()) and suite["missing"] == {}
    assert "bulk_vs_gcm" in suite["subcommands"]["bulk"]["document"]["ratios"]  # told, but not asked for by the issue


@pytest.mark.parametrize("told", [{}, {"hsm_vs_raw": None}, {"hsm_vs_raw": math.nan}, {"hsm_vs_raw": math.inf},
                                  {"hsm_vs_raw": "0.9"}, {"hsm_vs_raw": True}])
def test_what_is_no_number_is_null_with_a_reason(told):
    suite = suitekit.suite(hsm=with_ratios("hsm", **told))
    assert suite["ratios"]["hsm_vs_raw"] is None
    assert suite["missing"] == {"hsm_vs_raw": "hsm did not tell it"}
    json.loads(json.dumps(suite["ratios"], allow_nan=False))


def test_the_figures_of_a_failed_subcommand_are_null_and_the_others_stay():
    suite = suitekit.suite(handshake=FAILED)
    assert suite["missing"] == {key: "handshake failed: exit status 1"
                                for key in ("conn_warm_vs_floor", "conn_cold_vs_floor")}
    assert suite["ratios"]["hsm_vs_raw"] == 0.95 and suite["subcommands"]["handshake"]["output"] == "no such port"


def test_the_figures_of_what_was_not_asked_for_are_null():
    suite = suitekit.suite(peers=collect.not_run())
    assert suite["ratios"]["squid_vs_us"] is None and suite["missing"]["squid_vs_us"] == "peers was not asked for"


def test_a_subcommand_may_say_itself_why_a_figure_is_missing():
    outcome = with_ratios("peers", haproxy_vs_us=3.0)
    outcome["document"]["missing"] = {"squid_vs_us": "not installed: no such package"}
    missing = suitekit.suite(peers=outcome)["missing"]
    assert missing["squid_vs_us"] == "not installed: no such package"
    assert missing["sslsplit_vs_us"] == "peers did not tell it"


def test_without_ifma_the_reason_says_so_and_aims_are_the_smaller_ones():
    outcome = with_ratios("mint", mint_vs_x509_sign=2.4)
    outcome["document"]["machine"] = machine = dict(suitekit.MACHINE, ifma=False)
    suite = suitekit.suite(mint=outcome)
    assert "AVX-512 IFMA" in suite["missing"]["mint_in_signer_vs_limit"]
    figure = BY_KEY["mint_vs_x509_sign"]
    assert figure.holds(2.4, machine) and not figure.holds(2.4, suitekit.MACHINE)


@pytest.mark.parametrize("key, good, bad", [("cache_vs_lfht", 0.8, 0.79), ("conn_warm_vs_floor", 1.8, 1.81),
                                            ("swap_failures", 0, 1), ("hello_ns", 1000, 1001)])
def test_an_aim_is_at_least_or_at_most(key, good, bad):
    assert BY_KEY[key].holds(good, suitekit.MACHINE) and not BY_KEY[key].holds(bad, suitekit.MACHINE)


def test_what_is_beyond_its_limit_is_doubtful_and_does_not_hold():
    suite = suitekit.suite(hsm=with_ratios("hsm", hsm_vs_raw=1.69))
    assert "Of 18 figures 16 reach the aim, 1 falls short; 1 doubtful." == page.summary(suite)
    assert "**doubtful**" in page.report(suite, [], "README.md")
    assert BY_KEY["conn_warm_vs_floor"].is_doubtful(0.8) and not BY_KEY["haproxy_vs_us"].is_doubtful(5)


def test_how_far_beyond_its_aim_grows_with_what_is_better():
    assert BY_KEY["hsm_vs_raw"].times_aim(0.99, {}) == pytest.approx(1.1)
    assert BY_KEY["hello_ns"].times_aim(500, {}) == pytest.approx(2)
    assert BY_KEY["swap_failures"].times_aim(0, {}) is None


def test_a_document_of_another_schema_or_subcommand_is_refused():
    document = suitekit.documents()["mint"]
    assert collect.wrong_with(document, "mint") is None
    assert "schema" in collect.wrong_with(dict(document, schema="mintgate-bench/2"), "mint")
    assert "hsm" in collect.wrong_with(suitekit.documents()["hsm"], "mint")
    assert "ratios" in collect.wrong_with(dict(document, ratios=[]), "mint")
    assert "schema" in collect.wrong_with([], "mint")
    repeated = dict(document, groups=document["groups"] + document["groups"])
    assert "more than one row" in collect.wrong_with(repeated, "mint")


def test_the_report_s_figures_have_spreads_but_no_samples():
    text = json.dumps(collect.without_samples(suitekit.suite()))
    assert '"samples"' not in text and '"low_quartile"' in text


# Rows

def test_a_figure_s_spread_is_that_of_the_row_with_its_key():
    suite = suitekit.suite()
    assert rows.spread_of_key(suite, BY_KEY["conn_warm_vs_floor"]).median == pytest.approx(1.9)
    nanoseconds = rows.spread_of_key(suite, BY_KEY["hello_ns"])  # from a rate, whose upper quartile is the lower here
    assert nanoseconds.median == pytest.approx(625) and nanoseconds.low < 625 < nanoseconds.high
    assert rows.spread_of_key(suite, BY_KEY["cache_bytes_per_leaf"]).median == pytest.approx(1100)
    assert rows.spread_of_key(suite, BY_KEY["swap_failures"]) is None


def test_a_distribution_is_told_by_percentiles():
    assert rows.percentiles_of([[9000, 90], [2000, 900], [30000, 10]]) == [(0, 2000), (90, 9000), (99, 30000)]


def test_stages_are_the_medians_of_the_rounds_and_one_not_told_is_nothing():
    row = {"stages": [{"relay": 1.0, "kernel": 5.0}, {"relay": 3.0, "kernel": 6.0}, {"kernel": 9.0}]}
    assert rows.stages_of(row) == {"relay": 1.0, "kernel": 6.0}
    assert rows.stages_of({}) == {}


# The report

def test_the_report_has_machine_commit_each_figure_and_what_limits_it():
    suite = suitekit.suite()
    text = page.report(suite, [], "../README.md")
    for word in ("A CPU", "6.1", "0123456789abcdef", "2026-01-02 03:04 UTC", "quick setting", "../README.md"):
        assert word in text
    for figure in FIGURES:
        assert f"`{figure.key}`" in text and figure.limits in text
    assert "| 1.90 (1.90 to 1.90) | at most 1.8 | **falls short** |" in text
    assert "Of 18 figures 17 reach the aim, 1 falls short." in text
    assert "0 failed" in text and "at least 10" in text


def test_the_report_of_a_busy_machine_says_so():
    assert "busy" not in page.report(suitekit.suite(), [], "README.md")
    machine = dict(suitekit.MACHINE, load=1.7)
    assert "busy" in page.report(dict(suitekit.suite(), machine=machine), [], "README.md")


@pytest.mark.parametrize("key, value, text", [("cache_vs_lfht", 0.896, "0.896"), ("squid_vs_us", 12, "12.0"),
                                              ("mitmproxy_vs_us", 123.4, "123"), ("hello_ns", 625.4, "625 ns"),
                                              ("swap_failures", 0, "0 failed")])
def test_a_figure_has_three_digits_that_count_or_its_unit(key, value, text):
    assert BY_KEY[key].text(value) == text


def test_the_report_says_what_was_not_measured_and_shows_why():
    text = page.report(suitekit.suite(forward=FAILED, peers=collect.not_run()), [], "README.md")
    assert "not measured | at least 0.85 | forward failed: exit status 1 |" in text and "no such port" in text
    assert "5 of 18 not measured" in text and "## What is used today" not in text


def test_the_report_has_all_rows_and_the_configurations_of_peers():
    text = page.report(suitekit.suite(), [], "README.md")
    assert "| baseline | haproxy — as packaged |" in text
    assert "Configuration: haproxy" in text and "# haproxy.conf" in text
    assert "3 rounds, 100 ms each, on processor 1" in text


# Pictures


def test_every_picture_is_drawn_by_the_rows_roles_whatever_their_names_and_says_its_message(tmp_path):
    suite = suitekit.suite()
    for outcome in suite["subcommands"].values():
        for group in outcome["document"]["groups"]:
            for number, row in enumerate(group["rows"]):
                row["name"] = f"row {number}"
    drawn, failed = plots.draw_all(suite, tmp_path)
    assert failed == [] and [file for _, file, _ in drawn] == [file for _, file, _ in plots.PICTURES]
    titles = {file: title for _, file, title in drawn}
    assert titles["ratios.svg"] == "Of 18 figures 17 reach the aim, 1 falls short."
    assert titles["stages.svg"].startswith("An intercepted connection costs 1.90 times its cryptography warm")
    for file in titles:
        assert tree.parse(tmp_path / file).getroot().tag.endswith("svg")
    text = page.report(suite, drawn, "README.md")
    assert all(f"]({file})" in text for file in titles)


def test_a_picture_of_what_was_not_measured_is_left_out(tmp_path):
    suite = suitekit.suite(**{command.name: collect.not_run() for command in COMMANDS})
    assert plots.draw_all(suite, tmp_path) == ([], []) and not list(tmp_path.iterdir())
    assert "Nothing was measured" in page.report(suite, [], "README.md")


def test_rows_that_are_not_as_expected_cost_their_own_picture_only(tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "PICTURES", [picture for picture in plots.PICTURES if picture[0] in ("hsm", "hello")])
    broken = with_ratios("hsm", hsm_vs_raw=0.9)
    del broken["document"]["groups"][1]["rows"][0]["role"]
    drawn, failed = plots.draw_all(suitekit.suite(hsm=broken), tmp_path)
    assert [file for file, _ in failed] == ["hsm.svg"] and [file for _, file, _ in drawn] == ["hello.svg"]


# Running

def script(tmp_path, text):
    """The arguments of a subcommand that is made of a line of Python; JSON is the file that it is to write."""
    start = f"import json, pathlib, sys\nJSON = pathlib.Path({str(tmp_path / 'x.json')!r})\n"
    return [sys.executable, "-c", start + text]


@pytest.fixture
def run(tmp_path):
    def run(text, time_limit=60):
        return runner.run_one("x", script(tmp_path, text), time_limit, tmp_path, None, lambda seconds: None)
    return run


def test_a_subcommand_s_document_is_read(run):
    document = {"schema": "mintgate-bench/1", "subcommand": "x", "ratios": {}, "groups": []}
    outcome = run(f"JSON.write_text(json.dumps({document}))")
    assert outcome["status"] == collect.OK and outcome["document"] == document and "output" not in outcome


@pytest.mark.parametrize("text, reason", [
    ("print('no port'); sys.exit(3)", "exit status 3"), ("print('no port')", "its JSON cannot be read"),
    ("print('no port'); JSON.write_text('{')", "its JSON cannot be read"),
    ("print('no port'); JSON.write_text('{}')", "its JSON is not of schema")])
def test_one_that_fails_is_told_with_its_output(run, text, reason):
    outcome = run(text)
    assert outcome["status"] == collect.FAILED and reason in outcome["reason"] and outcome["output"] == "no port"


def test_one_that_takes_too_long_is_ended_and_told(run):
    outcome = run("import time; time.sleep(600)", time_limit=1)
    assert outcome["status"] == collect.FAILED and "longer than 1 s" in outcome["reason"]


@contextlib.contextmanager
def ignoring_sigint():
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)


def test_one_that_is_ended_can_take_its_lab_down(tmp_path):
    text = "import time\ntry:\n print('up', flush=True)\n time.sleep(600)\nexcept KeyboardInterrupt:\n print('down')"
    with ignoring_sigint():  # as in a shell's background
        process = runner.launch(script(tmp_path, text), subprocess.PIPE)
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
        runner.end_group(process)
        assert process.stdout.read() == b"down\n"


def test_one_that_does_not_end_is_killed_and_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "SECONDS_TO_END", 1)
    text = ("import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('up', flush=True)\n"
            "time.sleep(600)")
    process = runner.launch(script(tmp_path, text), subprocess.PIPE)
    with process.stdout:
        assert process.stdout.readline() == b"up\n"
        runner.end_group(process)
    assert process.returncode == -signal.SIGKILL
    assert f"process {process.pid} has not ended 1 s after SIGINT" in capsys.readouterr().out


def test_figures_of_a_former_run_are_not_taken_for_new_ones(run, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"schema": "mintgate-bench/1", "subcommand": "x", "ratios": {},
                                                 "groups": []}))
    assert "cannot be read" in run("pass")["reason"]


def test_one_that_cannot_be_started_keeps_nothing_back(tmp_path, capsys):
    good = tmp_path / "bench/mintgate-bench"
    good.parent.mkdir()
    good.write_text(f"#!{sys.executable}\nimport json, sys\n"
                    "json.dump({'schema': 'mintgate-bench/1', 'subcommand': sys.argv[1], 'groups': [],"
                    " 'ratios': {'hello_ns': 600.0}}, open(sys.argv[-1], 'w'))\n")
    good.chmod(0o755)
    commands = [Command("peers", (), (), 1, 1, script="there-is-none"), Command("hello", (), (), 1, 1)]
    outcomes = runner.run_all(commands, QUICK, tmp_path, tmp_path, tmp_path / "out")
    assert outcomes["peers"]["status"] == collect.FAILED and outcomes["hello"]["status"] == collect.OK
    said = capsys.readouterr().out
    assert "[1/2] peers" in said and "peers: FAILED" in said and "holds" in said
    assert not program.conclude(suitekit.suite(**outcomes)) and program.conclude(suitekit.suite())


def test_what_remains_is_estimated_by_how_the_machine_kept_to_the_plan():
    expected = {"a": 10, "b": 20, "c": 30}
    assert runner.remaining_seconds(expected, {}, "a", 4) == 56
    assert runner.remaining_seconds(expected, {"a": 15}, "b", 5) == 1.5 * 20 - 5 + 1.5 * 30
    assert runner.remaining_seconds(expected, {"a": 15, "b": 30}, "c", 500) == 0


def test_the_quick_set_is_planned_for_less_than_ten_minutes():
    assert sum(command.seconds(QUICK) for command in COMMANDS) < 10 * 60
    assert all(command.seconds(FULL) >= command.seconds(QUICK) for command in COMMANDS)


def test_every_figure_is_of_a_subcommand_that_runs():
    assert {figure.subcommand for figure in FIGURES} <= BY_NAME.keys()


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """What is written where nothing but two subcommands is run: by the words of a command line."""
    here = {"commit": suitekit.COMMIT, "machine": suitekit.MACHINE}
    tool = tmp_path / "bench/mintgate-bench"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho '{json.dumps(here)}'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(program, "ROOT", tmp_path)
    monkeypatch.setattr(program, "PAGES", tmp_path / "docs/benchmarks")
    monkeypatch.setattr(plots, "PICTURES", [])
    monkeypatch.setattr(runner, "run_all", lambda commands, setting, root, build, directory: {
        command.name: suitekit.outcomes()[command.name] for command in commands})
    (tmp_path / "build/bench").mkdir(parents=True)

    def measured(*words):
        assert program.main(["--build", str(tmp_path), *words]) == 0
        return json.loads((tmp_path / "build/bench/latest.json").read_text())
    return measured


def ran(suite):
    return [name for name, outcome in suite["subcommands"].items() if outcome["status"] == collect.OK]


def test_subcommands_asked_for_by_name_run_alone_or_are_added_to_the_last_run(measured, tmp_path):
    assert ran(measured("hsm", "mint")) == ["mint", "hsm"]
    assert ran(measured("--add", "swap")) == ["mint", "hsm", "swap"]
    assert ran(measured("hello")) == ["hello"]
    assert (tmp_path / "docs/benchmarks/latest/report.md").exists()
    with pytest.raises(SystemExit, match="not of the full setting"):
        measured("--add", "--full", "mint")


def test_a_whole_full_run_is_reported_in_the_folder_to_be_committed(measured, tmp_path):
    measured()
    assert not (tmp_path / "docs/benchmarks/full").exists()
    measured("--full")
    figures = tmp_path / "docs/benchmarks/full/figures.json"
    assert "--full" in figures.with_name("report.md").read_text()
    figures.with_name("report.md").unlink()
    assert program.main(["--build", str(tmp_path), "--report-of", str(figures)]) == 0
    assert figures.with_name("report.md").exists()


def test_only_a_whole_run_of_the_long_setting_is_one_to_keep():
    assert program.is_whole(suitekit.suite(FULL)) and program.is_whole(suitekit.suite(FULL, swap=FAILED))
    assert not program.is_whole(suitekit.suite(FULL, swap=collect.not_run()))
