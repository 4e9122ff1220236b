# SPDX-License-Identifier: Apache-2.0
"""The control plane that a lab runs: what the lab's env says of it, its restarts, and scripts/lab intermediate."""

import json
import os
import pathlib
import re
import time
import urllib.parse

import pytest

from labkit import BUILD, run
from tlskit import s_client

GOOD = "www.good.lab.test"


def ctl(lab, *words):
    return run(BUILD / "control/ctl/mintgatectl", "--socket", lab.env["CONTROL_SOCKET"], *words).stdout


def intermediates(lab):
    """All of them: id to what is shown of it."""
    return {one["id"]: one for one in json.loads(ctl(lab, "intermediate", "list", "--json"))}


def default(lab):
    return json.loads(ctl(lab, "status", "--json"))["default"]


def shown(lab):
    """The name of the intermediate that a client of the lab sees, which trusts what the lab says it must."""
    handshake = s_client(lab, GOOD, roots=lab.env["ROOT_PEM"])
    assert handshake.verdict == 0, handshake.text
    return handshake.chain[1].subject.rfc4514_string()


@pytest.fixture
def make(lab):
    """scripts/lab intermediate WORDS: the id on the last line; what was made is deleted afterwards."""
    before = set(intermediates(lab))

    def intermediate(*words):
        return int(lab.command("intermediate", *words).stdout.splitlines()[-1])
    yield intermediate
    if default(lab)["id"] != 1:
        ctl(lab, "intermediate", "default", "1")
    for number in set(intermediates(lab)) - before:
        ctl(lab, "intermediate", "delete", number)


# ---- env ----

def test_env_is_for_its_owner_alone(lab):
    assert (lab.directory / "env").stat().st_mode & 0o777 == 0o600


def test_the_url_answers_with_the_certificate_of_env(lab):
    url = lab.env["CONTROL_URL"]
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+", url)
    assert run("curl", "-sSf", "--cacert", lab.env["CONTROL_CA_PEM"], f"{url}/health").stdout
    stranger = run("curl", "-sS", f"{url}/health", check=False)
    assert stranger.returncode == 60, stranger  # CURLE_PEER_FAILED_VERIFICATION


def test_the_socket_answers_the_command_line_tool(lab):
    assert default(lab)["id"] == 1
    assert ctl(lab, "root").strip() == pathlib.Path(lab.env["MINTGATE_ROOT_PEM"]).read_text().strip()
    assert json.loads(lab.command("ctl", "status", "--json").stdout)["default"] == default(lab)


def test_the_pid_is_that_of_the_program(lab):
    assert os.readlink(f"/proc/{lab.env['CONTROL_PID']}/exe") == str(BUILD / "control/program/mintgate-control")


def obfuscated(key, timestamp):
    """The API key as the vendor's clients send it (contracts.md 1.2)."""
    now = str(timestamp)[-6:]
    return "".join(key[int(digit)] for digit in now) + "".join(key[int(digit) + 2] for digit in f"{int(now) >> 1:06}")


def test_the_administrator_logs_in_with_the_password_of_env(lab):
    env = lab.env
    told = run(BUILD / "control/ctl/mintgatectl", "--url", env["CONTROL_URL"], "--ca", env["CONTROL_CA_PEM"], "--login",
               env["CONTROL_ADMIN_NAME"], "whoami", "--json", input=env["CONTROL_ADMIN_PASSWORD"] + "\n").stdout
    assert f'user:{env["CONTROL_ADMIN_NAME"]}' in told and '"admin"' in told


def test_the_vendors_clients_log_in_with_the_api_key_of_env(lab, tmp_path):
    env, now = lab.env, int(time.time() * 1000)
    login = {"apiKey": obfuscated(env["CONTROL_API_KEY"], now), "username": env["CONTROL_ADMIN_NAME"],
             "password": env["CONTROL_ADMIN_PASSWORD"], "timestamp": now}
    curl = ["curl", "-sSf", "--cacert", env["CONTROL_CA_PEM"], "-b", tmp_path / "cookies", "-c", tmp_path / "cookies"]
    api = f"{env['CONTROL_URL']}/api/v1"
    run(*curl, "-H", "Content-Type: application/json", "-d", "@-", f"{api}/authenticatedSession",
        input=json.dumps(login))
    assert {one["id"] for one in json.loads(run(*curl, f"{api}/intermediateCaCertificate").stdout)} >= {1}
    run(*curl, "-X", "DELETE", f"{api}/authenticatedSession")


def test_a_program_gets_a_token_for_the_client_of_env(lab):
    env = lab.env
    curl = ["curl", "-sSf", "--cacert", env["CONTROL_CA_PEM"]]
    form = {"grant_type": "client_credentials", "client_id": env["CONTROL_CLIENT_ID"],
            "client_secret": env["CONTROL_CLIENT_SECRET"]}
    answer = json.loads(run(*curl, "-d", "@-", f"{env['CONTROL_URL']}/oauth2/v1/token",
                            input=urllib.parse.urlencode(form)).stdout)
    listed = run(*curl, "-H", "@-", f"{env['CONTROL_URL']}/zia/api/v1/intermediateCaCertificate",
                 input=f"Authorization: Bearer {answer['access_token']}\n").stdout
    assert {one["id"] for one in json.loads(listed)} >= {1}


def test_no_log_tells_a_secret(lab):
    secrets = [lab.env[f"CONTROL_{name}"] for name in ("ADMIN_PASSWORD", "API_KEY", "CLIENT_SECRET")]
    for log in (lab.directory / "log").iterdir():
        text = log.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), log


# ---- its processes ----

def test_it_stops_starts_and_is_shown_as_the_others_are(lab):
    before, pid = default(lab), lab.env["CONTROL_PID"]
    assert re.search(r"control +running +pid", lab.command("status").stdout)
    lab.command("stop", "control")
    try:
        status = lab.command("status", check=False)
        assert status.returncode == 1 and re.search(r"control +not running", status.stdout)
        assert lab.env["CONTROL_PID"] == "" and s_client(lab, GOOD).verdict == 0
    finally:
        lab.command("start")
    assert lab.env["CONTROL_PID"] not in ("", pid)
    after = default(lab)
    assert after["id"] == before["id"]
    assert lab.metric("mintgate_dataplane_published_epoch") == after["epoch"]


@pytest.mark.parametrize("words", [["restart", "nginx"], ["stop", "engines"], ["start", "control", "signers"]])
def test_other_names_are_no_programs_of_mintgate(lab, words):
    result = lab.command(*words, check=False)
    assert result.returncode == 1 and "wants engine, control or signer" in result.stderr
    lab.command("status")


def test_another_control_plane_leaves_its_database_alone(lab, make):
    number = make("Kept")
    with lab.without_control():
        assert lab.metric("mintgate_dataplane_control_connected") == 0
        with lab.without_control():
            assert not lab.control_runs()
        assert not lab.control_runs()
    assert intermediates(lab)[number]["name"] == "Kept"


# ---- scripts/lab intermediate ----

def test_each_is_another_and_ready_and_not_the_default(lab, make):
    before = default(lab)
    one, two = make("First of two"), make("Second of two")
    assert one != two
    for number, name in ((one, "First of two"), (two, "Second of two")):
        made = intermediates(lab)[number]
        assert (made["name"], made["currentState"], made["status"]) == (name, "CERT_READY", "ENABLED")
        assert made["defaultCertificate"] is False
    assert default(lab)["id"] == before["id"] and "Mintgate Issuing CA" in shown(lab)


def test_as_the_default_it_is_what_a_client_sees(lab, make):
    number = make("Seen by clients", "--default")
    assert default(lab)["id"] == number and "CN=Seen by clients" in shown(lab)
    assert lab.client("curl", "-sS", f"https://{GOOD}/info").stdout  # trusted by the client's machine too
    ctl(lab, "intermediate", "default", "--previous")
    assert "Mintgate Issuing CA" in shown(lab)


def test_a_name_that_is_taken_is_refused(lab, make):
    make("Only once")
    before = intermediates(lab)
    again = lab.command("intermediate", "Only once", check=False)
    assert again.returncode == 1 and "Choose another name." in again.stderr
    assert intermediates(lab) == before


def test_one_whose_life_is_cut_short_leaves_nothing(lab, make):
    make("Before the key was lost")
    before = intermediates(lab)
    key = lab.directory / "authority/root.key"
    key.rename(key.with_suffix(".lost"))
    try:
        result = lab.command("intermediate", "Cannot be signed", check=False)
    finally:
        key.with_suffix(".lost").rename(key)
    assert result.returncode == 1 and "root.key" in result.stderr
    assert intermediates(lab) == before


@pytest.mark.parametrize("words", [[], ["--default"], ["a", "b"], ["a", "--default", "b"], [""]])
def test_wrong_usage_of_intermediate(lab, words):
    assert lab.command("intermediate", *words, check=False).returncode == 2
