# SPDX-License-Identifier: Apache-2.0
"""mintgatectl status, cache and policy explain: what they say is so, and what they say while a program is down."""

import json
import os
import signal

import pytest

from controlplane import ControlPlane
from labkit import BUILD, run, wait_until
from tlskit import configured, s_client

GOOD = "www.good.lab.test"
DONE, REFUSED, USAGE, UNREACHABLE = range(4)


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        yield made


@pytest.fixture
def ctl(lab):
    """Runs mintgatectl, which must end with |code|: its output and its error's text."""
    def ask(*words, code=DONE):
        result = run(BUILD / "control/ctl/mintgatectl", "--config", lab.env["CONFIG"], *words, check=False)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        return result.stdout, result.stderr
    return ask


def lines(text):
    """The lines of a screen, by their labels."""
    return dict(line.split(None, 1) for line in text.splitlines())


def test_one_screen_has_everything(lab, control, ctl):
    assert s_client(lab, GOOD).verdict == 0
    wait_until(lambda: lab.metric("mintgate_dataplane_published_epoch") == control.default()["epoch"],
               what="the present epoch at the engine")
    screen, _ = ctl("status")
    assert len(screen.splitlines()) <= 24
    shown = lines(screen)
    assert shown["default"].startswith("Mintgate Issuing CA") and "(1), expires 20" in shown["default"]
    assert shown["successor"] == shown["previous"] == "none"
    epoch = control.default()["epoch"]
    assert shown["epoch"] == str(epoch) and shown["engine"].endswith(f"{lab.engine_pid()} serves epoch {epoch}")
    assert shown["serves"].startswith(f"epoch {epoch}, policy ") and "issuer generation" in shown["serves"]
    assert shown["bypass"] == "off" and " connections/s, " in shown["rates"]
    assert " certificates in " in shown["cache"] and " refused, 0 waiting" in shown["signer"]
    assert "ALARM" not in screen


def test_json_has_the_same_and_counts_what_happens(lab, control, ctl):
    view = json.loads(ctl("status", "--json")[0])
    assert set(view) == {"default", "publication", "intermediates", "subject", "metrics", "signer", "rates", "alarms",
                         "trust"}
    assert view["trust"]["store"] == "" and view["trust"]["fileRoots"] >= 1
    assert view["alarms"] == [] and set(view["rates"]) == {"connections", "minted", "signatures"}
    assert view["metrics"]["controlConnected"] == view["signer"]["journalWritable"] == 1
    before = view["metrics"]["minted"], view["signer"]["signatures"]
    assert s_client(lab, "status.fresh.lab.test").verdict == 0
    view = json.loads(ctl("status", "--json")[0])
    assert view["metrics"]["minted"] > before[0] and view["signer"]["signatures"] > before[1]


def test_the_stores_that_the_configuration_names_are_shown_as_they_are_in_force(lab, control, ctl):
    rules = [{"name": "partner", "port": ["8450"], "action": "intercept", "client_certificate": "partner"}]
    with configured(lab, tls={"trust_store_name": "servers"}, policy={"rules": rules}):
        shown = lines(ctl("status")[0])
        assert shown["trust"] == "servers: MISSING: no server is trusted"
        assert shown["keys"] == "partner: MISSING: servers that ask get no certificate"
        ctl("truststore", "create", "servers")
        try:
            ctl("truststore", "add", "servers", lab.env["ORIGIN_ROOT_PEM"])
            wait_until(lambda: lab.metric("mintgate_dataplane_trust_store_anchors") == 1, what="the root in the engine")
            epoch = int(lab.metric("mintgate_dataplane_trust_store_epoch"))
            assert lines(ctl("status")[0])["trust"] == f"servers: 1 CA, 0 single certificates, epoch {epoch}"
        finally:
            ctl("truststore", "delete", "servers")


def test_without_the_control_plane_it_shows_the_rest(lab, control, ctl):
    control.stop()
    try:
        screen, error = ctl("status", code=UNREACHABLE)
        shown = lines(screen)
        assert "nobody answers" in error and shown["control"].startswith("does not answer")
        assert "issuer generation" in shown["serves"] and " refused, " in shown["signer"]
        view = json.loads(ctl("status", "--json", code=UNREACHABLE)[0])
        assert view["default"] is None and "nobody answers" in view["controlError"] and view["metrics"]["epoch"] >= 1
    finally:
        control.start()


def test_without_engine_and_signer_metrics_it_shows_the_rest(lab, control, ctl, tmp_path):
    """A configuration whose sockets nobody listens at stands for programs that are down."""
    config = tmp_path / "elsewhere.yaml"
    text = lab.config.replace(lab.env["METRICS_SOCKET"], str(tmp_path / "engine.sock"))
    config.write_text(text.replace(lab.env["SIGNER_METRICS_SOCKET"], str(tmp_path / "signer.sock")))
    shown = lines(ctl("--config", config, "status")[0])
    assert shown["traffic"].startswith("unknown") and shown["signer"] == "does not answer"
    assert shown["default"].startswith("Mintgate Issuing CA")
    view = json.loads(ctl("--config", config, "status", "--json")[0])
    assert view["metrics"] is view["signer"] is view["trust"] is None
    assert "the engine does not answer" in view["engineError"]
    for words in (("cache", "show"), ("policy", "explain")):
        assert "the engine does not answer" in ctl("--config", config, *words, code=REFUSED)[1]


def test_the_cache_by_issuer(lab, control, ctl):
    assert s_client(lab, "cache.fresh.lab.test").verdict == 0
    cache = json.loads(ctl("cache", "show", "--json")[0])
    assert cache["entries"] == lab.metric("mintgate_cache_entries") >= 1
    assert cache["hits"] == lab.metric("mintgate_cache_hits_total") and cache["bytes"] <= cache["maxBytes"]
    assert sum(one["entries"] for one in cache["generations"]) + cache["otherEntries"] == cache["entries"]
    generation = lab.metric("mintgate_minting_issuer_generation")
    (own,) = [one for one in cache["generations"] if one["generation"] == generation]
    assert own["issuer"].startswith("Mintgate Issuing CA") and own["entries"] >= 1
    table, _ = ctl("cache", "show")
    assert f"{int(own['generation'])}" in table and own["issuer"] in table and table.startswith("entries")


RULES = [{"name": "banks", "sni": ["*.bank.lab.test"], "action": "bypass"},
         {"name": "bad", "sni": ["bad.lab.test"], "client": ["10.9.0.0/16"], "action": "block", "block_with": "alert"},
         {"name": "alt", "port": ["8443"], "server": ["2001:db8::/32"], "action": "bypass"},
         {"name": "staff", "action": "intercept"}]


@pytest.mark.parametrize("words, action, reason, rule", [
    ([], "intercept", "rule", "staff"),
    (["--name", "www.bank.lab.test"], "bypass", "rule", "banks"),
    (["--name", "WWW.BANK.lab.test", "--client", "10.9.1.1"], "bypass", "rule", "banks"),
    (["--name", "bad.lab.test"], "intercept", "rule", "staff"),
    (["--name", "bad.lab.test", "--client", "10.9.1.1"], "block", "rule", "bad"),
    (["--server", "[2001:db8::1]:8443"], "bypass", "rule", "alt"),
    (["--server", "2001:db8::1"], "intercept", "rule", "staff"),
])
def test_a_decision_is_explained_by_the_engine_itself(lab, control, ctl, words, action, reason, rule):
    with configured(lab, policy={"rules": RULES}):
        told = json.loads(ctl("policy", "explain", *words, "--json")[0])
        assert (told["action"], told["reason"], told["rule"]) == (action, reason, rule)
        assert any(rule in line for line in told["why"])
        assert told.get("issuer", "Mintgate Issuing CA").startswith("Mintgate Issuing CA")
        assert lines(ctl("policy", "explain", *words)[0].split("\n\n")[0])["rule"] == rule


def test_the_kill_switch_is_part_of_the_decision(lab, control, ctl):
    ctl("bypass", "on", "--for", "10m")
    try:
        wait_until(lambda: lab.metric("mintgate_dataplane_kill_switch_seconds") > 0, what="the switch to be on")
        told = json.loads(ctl("policy", "explain", "--name", GOOD, "--json")[0])
        assert (told["action"], told["reason"]) == ("bypass", "kill_switch")
        assert lines(ctl("status")[0])["bypass"].startswith("on for ")
    finally:
        ctl("bypass", "off")
    wait_until(lambda: lab.metric("mintgate_dataplane_kill_switch_seconds") == 0, what="the switch to be off")


@pytest.mark.parametrize("words, what", [
    (["--name", "no host"], "sni: "), (["--client", "10.0.0.0/8"], "client: "), (["--server", "1.2.3.4:0"], "port: "),
    (["--client", "10.0.0.1", "--server", "::1"], "server: "), (["--name", "a&client=1.2.3.4"], "sni: "),
])
def test_what_is_no_question_is_refused_by_name(ctl, control, words, what):
    assert what in ctl("policy", "explain", *words, code=REFUSED)[1]


@pytest.mark.parametrize("words", [["--server", "[::1"], ["--server", ":443"], ["--sni", "x"], ["extra"]])
def test_wrong_usage(ctl, words):
    assert "Try mintgatectl --help." in ctl("policy", "explain", *words, code=USAGE)[1]


def test_an_engine_that_stands_still_is_not_waited_for_long(lab, control, ctl):
    os.kill(lab.engine_pid(), signal.SIGSTOP)
    try:
        view = json.loads(ctl("status", "--json")[0])
    finally:
        os.kill(lab.engine_pid(), signal.SIGCONT)
    assert view["metrics"] is None and view["default"]["id"] == 1
