# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: a good file takes effect at once, a bad one is refused with its place and changes nothing; the session log is
reopened."""

import os
import pathlib
import re
import signal
import threading

import pytest

from labkit import BUILD, run, wait_until
from tlskit import configured, connect_tls, counting, edited, read_all, request, s_client

GOOD = "www.good.lab.test"
RULE = """
policy:
  rules:
    - name: first
      action: bypass
    - name: second
"""
# What stands in the file, and what is said about it; the file's name is before, and lines are counted from 1.
BAD = {
    "no YAML": ("policy: [\n", r"2"),
    "a list": ("- policy\n", r"1"),
    "an unknown section": ("\npolitics: {}\n", r"2.*politics"),
    "an unknown key": ("policy:\n  default: bypass\n  defaults: block\n", r"3.*defaults"),
    "a word that is none": ("policy:\n  default: maybe\n", r"2.*policy\.default"),
    "a duration without unit": ("policy:\n\n  not_interceptable_time: 5\n", r"3.*not_interceptable_time"),
    "a bound out of range": ("sessions:\n  max: 0\n", r"2.*sessions\.max"),
    "the same key twice": ("policy:\n  quic: drop\n  quic: drop\n", r"3.*quic"),
    "a rule without action": (RULE, r"6.*(second|rules\[2\])"),
    "a rule with an unknown action": (RULE + "      action: permit\n", r"7.*(second|rules\[2\])"),
    "a rule with an unknown key": (RULE + "      action: block\n      prot: 443\n", r"8.*(second|rules\[2\])"),
    "a prefix that is none": (RULE + "      client: 10.0.0.0/33\n      action: block\n", r"7.*(second|rules\[2\])"),
    "a port that is none": (RULE + "      port: 65536\n      action: block\n", r"7.*(second|rules\[2\])"),
    "a name that is none": (RULE + "      action: block\n      sni: ['*.*.example']\n", r"6.*(second|rules\[2\])"),
    "two rules of one name": (RULE.replace("second", "first") + "      action: block\n", r"6.*(second|rules\[2\])"),
    "roots that are not there": ("tls:\n  trust_store: /nowhere/roots.pem\n", r"/nowhere/roots\.pem"),
    "roots that are none": ("tls:\n  trust_store: /proc/self/status\n", r"/proc/self/status"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_place_and_the_old_policy_stays(lab, name):
    good = lab.config
    generation = lab.metric("mintgate_dataplane_policy_generation")
    text, said = BAD[name]
    try:
        lab.reload(text, good=False)
    finally:
        lab.config = good
    last = lab.engine_log().splitlines()[-1]
    where = r":" if said[0].isdigit() else ".*"
    assert re.search(rf"reload refused, the old configuration stays: .*{where}{said}", last), last
    assert lab.metric("mintgate_dataplane_policy_generation") == generation
    assert s_client(lab, GOOD).verdict == 0
    assert s_client(lab, "blocked.lab.test").chain == []
    if "/" not in said:  # such files are looked at by --check too
        result = run(BUILD / "dataplane/mintgate", "--config", "/dev/stdin", "--check", check=False, input=text)
        assert result.returncode == 1 and re.search(f"/dev/stdin{where}{said}", result.stderr), result.stderr


def test_a_file_that_is_gone_is_refused(lab):
    good = lab.config
    path = pathlib.Path(lab.env["CONFIG"])
    path.unlink()
    try:
        lab.reload(good=False)
    finally:
        lab.config = good
    assert s_client(lab, GOOD).verdict == 0


def test_a_good_file_takes_effect_at_once(lab):
    """Between one connection and the next, while others go on as they began."""
    rule = {"name": "new", "sni": [GOOD], "action": "block"}
    old = lab.config
    generation = lab.metric("mintgate_dataplane_policy_generation")
    with connect_tls(lab, GOOD) as before:
        with configured(lab, policy={"rules": [rule]}):
            assert lab.metric("mintgate_dataplane_policy_generation") == generation + 1
            assert s_client(lab, GOOD).chain == []
            with configured(lab, policy={"rules": [dict(rule, action="bypass")]}):
                assert "Lab Origin" in s_client(lab, GOOD).chain[0].issuer.rfc4514_string()
            assert s_client(lab, GOOD).chain == []
        assert lab.config == old and s_client(lab, GOOD).verdict == 0
        before.sendall(request("/info"))
        assert b"200 OK" in read_all(before)


def test_what_takes_a_restart_is_said(lab):
    with configured(lab, sessions={"max": 77}):
        assert "sessions.max has changed, which takes a restart" in lab.engine_log()


def test_reloading_under_load_fails_no_connection(lab):
    """Of names that both policies intercept, one way or the other."""
    texts = [edited(lab.config, policy={"rules": [{"name": f"r{i}", "port": [443], "action": "intercept"}]})
             for i in range(2)]
    report = []
    load = threading.Thread(target=lambda: report.append(
        lab.loadgen("--name", "n%d.good.lab.test", "--range", "0-1499", "--connections", "1500", "--in-flight", "20")))
    old = lab.config
    with counting(lab) as counts:
        load.start()
        try:
            reloads = 0
            while load.is_alive():
                lab.reload(texts[reloads % 2])
                reloads += 1
        finally:
            load.join()
            lab.reload(old)
    assert report[0]["status"] == 0, report[0]
    assert reloads > 3 and counts["sessions"] == {"intercepted": 1500}


def test_the_session_log_is_reopened(lab):
    """As logrotate does it: move the file away, SIGHUP."""
    log = pathlib.Path(lab.env["SESSION_LOG"])
    moved = log.with_suffix(".1")
    log.rename(moved)
    try:
        size = moved.stat().st_size
        assert s_client(lab, GOOD).verdict == 0
        wait_until(lambda: moved.stat().st_size > size, what="a record in the file that is still open")
        os.kill(lab.engine_pid(), signal.SIGHUP)
        wait_until(log.exists, what="a new session log")
        size = moved.stat().st_size
        lab.mark()
        assert s_client(lab, GOOD).verdict == 0
        lab.records(sni=GOOD)
        assert moved.stat().st_size == size and log.stat().st_mode & 0o777 == 0o640
    finally:
        moved.unlink()
