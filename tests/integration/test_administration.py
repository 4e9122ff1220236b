# SPDX-License-Identifier: Apache-2.0
"""Users, API keys and OAuth2 clients: managed by mintgatectl and by REST, from the machine itself and over TLS; what
each role may; what a change ends; and that secrets stay where they belong."""

import contextlib
import json
import os
import pathlib
import pty
import re
import socket
import sqlite3
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane import ControlPlane
from labkit import BUILD, run, wait_until

DONE, REFUSED, USAGE, UNREACHABLE = range(4)
MG = "/mintgate/v1"
FIRST, SECOND, THIRD = "correct horse battery", "staple correct horse", "another long password"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        made.first = (made.directory / "control/first-credential").read_text().split()[-1]
        yield made


@pytest.fixture
def ctl(lab, control):
    """Runs mintgatectl, which must end with |code|, with the lines |typed| on its standard input."""
    def ask(*words, code=DONE, typed=()):
        text = "".join(line + "\n" for line in typed)
        for _ in range(20):  # over TLS there is a limit a second
            result = run(BUILD / "control/ctl/mintgatectl", "--config", lab.env["CONFIG"], *words, check=False,
                         input=text)
            if "Rate Limit" not in result.stderr:
                break
            time.sleep(0.5)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        assert "Sanitizer" not in result.stderr
        for line in filter(None, typed):
            assert line not in result.stdout + result.stderr
        return result.stderr if code else result.stdout
    return ask


@pytest.fixture
def remote(ctl, control):
    """mintgatectl over TLS, as |user|."""
    def ask(user, password, *words, code=DONE, typed=()):
        return ctl("--url", control.url, "--ca", control.ca, "--login", user, *words, code=code,
                   typed=[password, *typed])
    return ask


def over_tls(control, method, path, *options):
    result = run("curl", "-sS", "-X", method, "--cacert", control.ca, "-w", "\n%{http_code}", *options,
                 control.url + path)
    text, code = result.stdout.rsplit("\n", 1)
    return int(code), json.loads(text) if text else None


def log_in(control, name, password):
    return over_tls(control, "POST", f"{MG}/session", "-d", json.dumps({"name": name, "password": password}),
                    "-H", "Content-Type: application/json")


def session_of(control, name, password):
    code, answer = log_in(control, name, password)
    assert code == 200, answer
    return answer["session"]


def with_session(control, session, method, path, *options):
    for _ in range(20):
        answer = over_tls(control, method, path, "-H", f"Cookie: JSESSIONID={session}", *options)
        if answer[0] != 429:
            return answer
        time.sleep(0.5)
    raise AssertionError("slowed for ever")


def audit(control):
    code, entries = control.get(f"{MG}/audit?max=1000")
    assert code == 200
    return entries


def make_user(ctl, name, role, password=FIRST):
    ctl("user", "create", name, "--role", role, typed=[password])


def test_the_life_of_a_user(ctl, control):
    assert re.search(r"^ann +auditor +yes +yes$", ctl("user", "create", "ann", "--role", "auditor", typed=[FIRST]),
                     re.M)
    assert "exists already" in ctl("user", "create", "ann", "--role", "admin", typed=[FIRST], code=REFUSED)
    assert json.loads(ctl("user", "set-role", "ann", "operator", "--json")) == {
        "name": "ann", "role": "operator", "enabled": True, "hasPassword": True, "oneTime": False}
    assert "no " in ctl("user", "disable", "ann")
    assert json.loads(ctl("user", "show", "ann", "--json"))["enabled"] is False
    ctl("user", "enable", "ann")
    assert {"ann", "admin"} <= {user["name"] for user in json.loads(ctl("user", "list", "--json"))}
    ctl("user", "delete", "ann")
    assert "there is none" in ctl("user", "show", "ann", code=REFUSED)
    assert "there is none" in ctl("user", "delete", "ann", code=REFUSED)
    done = [(entry["operation"], json.loads(entry["detail"])) for entry in reversed(audit(control))
            if entry["object"] == "user/ann"]
    assert done == [("createUser", {"role": "auditor"}), ("changeUser", {"role": "operator"}),
                    ("changeUser", {"enabled": False}), ("changeUser", {"enabled": True}), ("deleteUser", {})]


@pytest.mark.parametrize("words, typed", [
    (["user", "create", "x y", "--role", "admin"], [FIRST]), (["user", "create", "x", "--role", "king"], [FIRST]),
    (["user", "create", "x", "--role", "admin"], ["short"]), (["user", "create", "x", "--role", "admin"], []),
    (["user", "create", "x", "--role", "admin"], ["p" * 257]), (["user", "set-password", "nobody"], [FIRST]),
    (["user", "set-role", "admin", ""], []), (["user", "set-role", "../admin", "admin"], []),
    (["client", "create", "x", "--role", "admin", "--public-key", "/dev/null"], []),
])
def test_what_breaks_a_rule_is_refused_and_leaves_nothing(ctl, control, words, typed):
    before = (control.get(f"{MG}/users"), control.get(f"{MG}/clients"), len(audit(control)))
    ctl(*words, typed=typed, code=USAGE if "" in words else REFUSED)
    assert (control.get(f"{MG}/users"), control.get(f"{MG}/clients"), len(audit(control))) == before


def test_the_last_administrator_stays(ctl, control):
    """The first user, with its one-time password, is the only one here."""
    for words in (["user", "delete", "admin"], ["user", "disable", "admin"], ["user", "set-role", "admin", "operator"]):
        assert "last administrator" in ctl(*words, code=REFUSED)
    make_user(ctl, "boss", "admin")
    ctl("user", "disable", "admin")
    assert "last administrator" in ctl("user", "delete", "boss", code=REFUSED)
    ctl("user", "enable", "admin")
    ctl("user", "delete", "boss")


def test_the_first_credential_over_tls_once_and_then_a_password(ctl, remote, control):
    make_user(ctl, "safe", "admin")  # stays, for the tests below
    remote("admin", control.first, "user", "set-password", "admin", typed=[SECOND])
    assert not (control.directory / "control/first-credential").exists()
    assert "refused" in remote("admin", control.first, "whoami", code=REFUSED)
    assert "user:admin" in remote("admin", SECOND, "whoami")
    (entry,) = [one for one in audit(control) if one["operation"] == "useUpFirstCredential"]
    assert (entry["object"], entry["actor"], entry["source"]) == ("user/admin", "user:admin", "127.0.0.1")


@pytest.mark.parametrize("change", [
    {"password": THIRD}, {"role": "operator"}, {"enabled": False}, None,
], ids=["password", "role", "state", "deleted"])
def test_a_change_ends_the_sessions_of_that_user_at_once(ctl, control, change):
    make_user(ctl, "eve", "auditor")
    session = session_of(control, "eve", FIRST)
    assert with_session(control, session, "GET", f"{MG}/session") == (200, {"name": "user:eve", "role": "auditor"})
    if change is None:
        ctl("user", "delete", "eve")
    else:
        body = ["-H", "Content-Type: application/json", "-d", json.dumps(change)]
        assert control.ask("PUT", f"{MG}/users/eve", *body)[0] == 200
    assert with_session(control, session, "GET", f"{MG}/session")[0] == 401
    if change is not None:
        ctl("user", "delete", "eve")


def test_a_session_ends_by_logging_out(ctl, control):
    make_user(ctl, "leo", "operator")
    session = session_of(control, "leo", FIRST)
    assert with_session(control, session, "DELETE", f"{MG}/session")[0] == 204
    assert with_session(control, session, "GET", f"{MG}/session")[0] == 401
    ctl("user", "delete", "leo")


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_only_administrators_manage_who_comes_in_and_attempts_are_recorded(ctl, remote, control, role):
    make_user(ctl, role, role)
    assert "Only administrators" in remote(role, FIRST, "user", "list", code=REFUSED)
    assert "Only administrators" in remote(role, FIRST, "user", "set-role", role, "admin", code=REFUSED)
    session = session_of(control, role, FIRST)
    before = control.get(f"{MG}/users")
    for method, path in [("GET", "/users"), ("POST", "/users"), ("PUT", f"/users/{role}"), ("DELETE", "/users/admin"),
                         ("GET", "/api-keys"), ("POST", "/api-keys"), ("POST", "/api-keys/x/rotate"),
                         ("DELETE", "/api-keys/x"), ("GET", "/clients"), ("POST", "/clients"), ("PUT", "/clients/x"),
                         ("POST", "/clients/x/rotate"), ("DELETE", "/clients/x")]:
        assert with_session(control, session, method, MG + path)[0] == 403, (method, path)
    assert control.get(f"{MG}/users") == before
    entry = next(one for one in audit(control) if one["outcome"] == "refused" and one["operation"] == "DELETE")
    assert (entry["actor"], entry["role"], entry["object"], entry["source"]) == (
        f"user:{role}", role, f"{MG}/clients/x", "127.0.0.1")
    ctl("user", "delete", role)


def test_wrong_passwords_are_slowed_and_recorded_without_them(ctl, control):
    make_user(ctl, "tom", "auditor")
    codes = []
    while 429 not in codes and len(codes) < 9:  # the wait doubles with each, so that a slow machine meets it too
        codes.append(log_in(control, "tom", "a wrong password")[0])
    assert codes[:4] == [401] * 4 and codes[-1] == 429
    assert log_in(control, "a wrong password", "as a name")[0] == 401
    refused = [one for one in audit(control) if one["operation"] == "login"]
    assert {one["actor"] for one in refused} >= {"user:tom", "unknown"}
    assert all(one["outcome"] == "refused" and one["role"] == "none" for one in refused)
    assert "a wrong password" not in json.dumps(refused)
    ctl("user", "delete", "tom")


def test_strangers_are_refused_everywhere(control):
    for method, path in [("GET", "/users"), ("POST", "/users"), ("PUT", "/users/admin"), ("DELETE", "/users/admin"),
                         ("GET", "/api-keys"), ("GET", "/clients"), ("GET", "/session"), ("DELETE", "/session")]:
        assert over_tls(control, method, MG + path)[0] == 401, (method, path)


def test_an_api_key_is_told_once_and_rotated(ctl, control):
    key = json.loads(ctl("api-key", "create", "lab", "--json"))["key"]
    assert re.fullmatch(r"[A-Za-z0-9]{12,}", key)
    assert json.loads(ctl("api-key", "list", "--json")) == [{"name": "lab"}]
    new = json.loads(ctl("api-key", "rotate", "lab", "--json"))["key"]
    assert new != key
    ctl("api-key", "delete", "lab")
    assert "there is none" in ctl("api-key", "rotate", "lab", code=REFUSED)
    assert json.loads(ctl("api-key", "list", "--json")) == []
    assert key not in json.dumps(audit(control))


def token(control, client, secret):
    return over_tls(control, "POST", "/oauth2/v1/token", "-d", "grant_type=client_credentials", "-d",
                    f"client_id={client}", "-d", f"client_secret={secret}")


def test_a_client_of_a_secret_and_what_ends_its_tokens(ctl, control):
    made = json.loads(ctl("client", "create", "ci", "--role", "auditor", "--family", "mintgate,zia", "--json"))
    assert re.fullmatch(r"[0-9a-f]{64}", made["secret"]) and made["hasKey"] is False
    assert made["secret"] not in ctl("client", "list", "--json") and "zia,mintgate" in ctl("client", "list")
    code, answer = token(control, "ci", made["secret"])
    bearer = ["-H", f"Authorization: Bearer {answer['access_token']}"]
    assert code == 200 and over_tls(control, "GET", f"{MG}/session", *bearer) == (
        200, {"name": "client:ci", "role": "auditor"})
    rotated = json.loads(ctl("client", "rotate", "ci", "--json"))
    assert rotated["role"] == "auditor" and rotated["secret"] != made["secret"]
    assert over_tls(control, "GET", f"{MG}/session", *bearer)[0] == 401
    assert token(control, "ci", made["secret"])[0] == 401
    ctl("client", "disable", "ci")
    assert token(control, "ci", rotated["secret"])[0] == 401
    ctl("client", "enable", "ci")
    assert token(control, "ci", rotated["secret"])[0] == 200
    ctl("client", "delete", "ci")
    assert token(control, "ci", rotated["secret"])[0] == 401


def test_a_client_of_a_key_has_no_secret(ctl, tmp_path):
    public = tmp_path / "public.pem"
    public.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    made = json.loads(ctl("client", "create", "signed", "--role", "operator", "--public-key", public, "--json"))
    assert made == {"id": "signed", "role": "operator", "families": ["zia"], "enabled": True, "hasKey": True}
    assert "secret" in json.loads(ctl("client", "rotate", "signed", "--json"))
    assert json.loads(ctl("client", "list", "--json"))[0]["hasKey"] is False
    ctl("client", "delete", "signed")


def test_a_terminal_is_asked_twice_and_shows_nothing(lab, control):
    """The password is typed at a terminal, and is not among the arguments that all users can see."""
    pid, terminal = pty.fork()
    if pid == 0:
        program = str(BUILD / "control/ctl/mintgatectl")
        os.execv(program, [program, "--config", lab.env["CONFIG"], "user", "create", "kim", "--role", "auditor"])
    shown = b""
    for prompt in (b"new password: ", b"once more: "):
        while not shown.endswith(prompt):
            shown += os.read(terminal, 1024)
        assert FIRST.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        os.write(terminal, FIRST.encode() + b"\n")
    while True:
        try:
            more = os.read(terminal, 1024)
        except OSError:
            break
        if not more:
            break
        shown += more
    assert os.waitpid(pid, 0)[1] == 0 and b"kim" in shown and FIRST.encode() not in shown
    assert control.ask("DELETE", f"{MG}/users/kim")[0] == 204


def test_over_tls_the_certificate_is_checked_and_a_password_needed(ctl, remote, control, tmp_path):
    assert "not trusted" in ctl("--url", control.url, "--login", "admin", "whoami", typed=[SECOND], code=REFUSED)
    assert "--login" in ctl("--url", control.url, "whoami", code=USAGE)
    assert "https://" in ctl("--url", "http://127.0.0.1:1", "--login", "admin", "whoami", code=USAGE)
    assert "go with --url" in ctl("--login", "admin", "whoami", code=USAGE)
    ctl("--url", f"https://127.0.0.1:{free_port()}", "--login", "admin", "whoami", typed=[SECOND], code=UNREACHABLE)
    assert "none was given" in remote("admin", "", "whoami", code=REFUSED)


def test_no_secret_is_in_log_or_record(control):
    """Whatever the tests before typed."""
    told = control.log.read_text(errors="replace") + json.dumps(audit(control))
    for secret in (FIRST, SECOND, THIRD, control.first, "a wrong password"):
        assert secret not in told


def execute(database, sql):
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)


def test_a_change_that_cannot_be_recorded_is_not_made(lab, ctl, control):
    """Change and record are one transaction: with the record's table away there is neither."""
    database = control.directory / "control/control.db"
    control.stop()
    execute(database, "CREATE TRIGGER test_no_audit BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'full'); END")
    try:
        control.launch()
        wait_until(lambda: run("curl", "-sf", "--unix-socket", control.socket, "http://localhost/health",
                               check=False).returncode == 0, what="the control plane")
        before = control.get(f"{MG}/users")
        ctl("user", "create", "ghost", "--role", "auditor", typed=[FIRST], code=REFUSED)
        ctl("user", "disable", "safe", code=REFUSED)
        assert control.get(f"{MG}/users") == before
    finally:
        control.stop()
        execute(database, "DROP TRIGGER test_no_audit")
        control.start()
