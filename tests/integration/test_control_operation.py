# SPDX-License-Identifier: Apache-2.0
"""mintgate-control as a program to operate: health while parts are away, metrics, rate limits, SIGHUP, SIGTERM. Beside
a signer; the engine is played by the test."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keyskit import Authority
from labkit import run, wait_until
from publishkit import PREPARE
from stationkit import Engine, Station

API = "/zia/api/v1/intermediateCaCertificate"
UNLIMITED = {"enabled": False}
NO_ENGINE = {"status": "degraded", "reasons": ["no_engine"]}


def post(station, path, **fields):
    return station.ask("POST", API + path, "-H", "Content-Type: application/json", "-d", json.dumps(fields))


@pytest.fixture
def fresh():
    """Nothing runs yet."""
    with Station() as made:
        yield made


@pytest.fixture(scope="module")
def station():
    """Control and signer, no engine."""
    with Station() as made:
        made.start_signer()
        made.launch()
        made.becomes(200, **NO_ENGINE)
        yield made


@pytest.fixture(scope="module")
def engine(station):
    """The one engine of the module's station."""
    with Engine(station) as made:
        made.follow()
        station.becomes(200, status="ok")
        yield made


# ---- health ----

def test_it_serves_before_the_signer_is_there_and_becomes_healthy_by_itself(fresh):
    fresh.launch()
    fresh.becomes(503, status="starting", reasons=["signer_unreachable", "no_engine"])
    assert fresh.get(API) == (200, [])  # what is there can be read
    code, answer = post(fresh, "", name="x", type="CUSTOM_SW")
    assert (code, answer["code"]) == (503, "SERVICE_UNAVAILABLE")
    fresh.start_signer()
    fresh.becomes(200, **NO_ENGINE)
    assert fresh.default() == {"id": 1, "previousId": 0, "epoch": fresh.default()["epoch"]}
    code, answer = fresh.get("/ca.pem")
    assert code == 200 and answer.startswith("-----BEGIN CERTIFICATE-----")
    with Engine(fresh) as engine:
        assert engine.follow() == fresh.default()["epoch"]
        fresh.becomes(200, status="ok")
    fresh.becomes(200, **NO_ENGINE)
    assert fresh.log.read_text().count("waiting for the signer") == 1


def test_a_signer_that_goes_away_is_noticed_and_so_is_its_return(station, engine):
    station.stop_signer()
    station.becomes(200, status="degraded", reasons=["signer_unreachable"])
    assert station.metrics()["mintgate_control_signer_reachable"] == 0
    assert station.get(API)[0] == 200
    station.start_signer()
    station.becomes(200, status="ok")
    assert station.metrics()["mintgate_control_signer_reachable"] == 1


def test_an_engine_that_cannot_serve_what_is_present_is_told(station):
    with Engine(station) as other:
        other.refuse(other.receive(PREPARE), b"of a test")
        wait_until(lambda: station.try_health() == (200, {"status": "degraded", "reasons": ["engine_behind"]})
                   or station.try_health() == (200, {"status": "degraded", "reasons": ["no_engine", "engine_behind"]}),
                   what="word of the engine that is behind")
        assert station.metrics()["mintgate_control_engines_behind"] == 1


# ---- metrics ----

def test_metrics_are_on_their_own_socket_alone(station):
    assert stat.S_IMODE(station.metrics_socket.stat().st_mode) == 0o660
    assert station.get("/metrics")[0] == 404 and station.over_tls("/metrics")[0] == 404


def test_what_happens_is_counted(station, engine):
    before = station.metrics()
    station.ask("DELETE", f"{API}/1")
    code, made = post(station, "", name="counted", type="CUSTOM_SW")
    assert code == 200
    assert post(station, f"/finalizeCert/{made['id']}")[0] == 403
    assert station.ask("DELETE", f"{API}/{made['id']}")[0] == 204
    after = station.metrics()

    def more(name):
        return after[name] - before[name]

    steps = 'mintgate_control_lifecycle_steps_total{step="%s",end="%s"}'
    assert more(steps % ("create", "done")) == 1 and more(steps % ("create", "refused")) == 0
    assert more(steps % ("delete", "done")) == 1 and more(steps % ("delete", "refused")) == 1
    assert more(steps % ("finalizeCert", "refused")) == 1
    assert more('mintgate_control_store_transactions_total{access="write",end="committed"}') >= 2
    assert more('mintgate_control_store_transactions_total{access="write",end="undone"}') >= 1
    assert more('mintgate_control_http_requests_total{status="4xx"}') >= 2
    assert after["mintgate_control_default_epoch"] == station.default()["epoch"]
    assert after["mintgate_control_engines"] == 1 and after["mintgate_control_engines_behind"] == 0
    assert not [name for name in after if not name.startswith("mintgate_control_")]


# ---- rate limits ----

def test_rate_limits_are_the_documented_ones_per_credential_over_tls_alone(station):
    station.make_client("one")
    station.make_client("two")
    bearer = ("-H", f"Authorization: Bearer {station.token('one')}")
    answers = [station.over_tls(*bearer, API) for _ in range(12)]
    refused = [answer for answer in answers if answer[0] == 429]
    code, headers, _ = answers[0]
    assert code == 200 and headers["x-ratelimit-limit"] == "2, 2;w=1", headers
    assert refused, "twelve in a second"
    code, headers, body = refused[0]
    assert headers["retry-after"] == "1" and headers["x-ratelimit-remaining"] == "0"
    assert json.loads(body) == {"message": "Rate Limit (2/SECOND) exceeded", "Retry-After": "1 seconds"}
    other = ("-H", f"Authorization: Bearer {station.token('two')}")
    assert station.over_tls(*other, API)[0] == 200
    assert [station.get(API)[0] for _ in range(12)] == [200] * 12  # the Unix socket has none


def test_rate_limits_can_be_changed_and_switched_off_while_it_runs(station):
    station.make_client("three")
    bearer = ("-H", f"Authorization: Bearer {station.token('three')}")
    try:
        station.configure(rate_limits={"get_per_second": 0, "get_per_hour": 4})
        station.reload()
        answers = [station.over_tls(*bearer, API) for _ in range(5)]
        assert [answer[0] for answer in answers] == [200] * 4 + [429]
        assert answers[0][1]["x-ratelimit-limit"] == "4, 4;w=3600"
        station.configure(rate_limits=UNLIMITED)
        station.reload()
        answers = [station.over_tls(*bearer, API) for _ in range(12)]
        assert [answer[0] for answer in answers] == [200] * 12
        assert "x-ratelimit-limit" not in answers[0][1]
    finally:
        station.configure()
        station.reload()


# ---- SIGHUP ----

@pytest.mark.parametrize("text, said", [
    ("control:\n  subscription: gold\n", r"2: .*control\.subscription"),
    ("control: [\n", "2"),
    ("rate_limits: {get_per_second: many}\n", r"1: .*rate_limits\.get_per_second"),
])
def test_a_bad_file_is_refused_with_its_place_and_changes_nothing(station, text, said):
    good = station.config_file.read_text()
    health = station.try_health()
    try:
        station.config_file.write_text(text)
        log = station.reload(good=False)
    finally:
        station.config_file.write_text(good)
    assert "the old configuration stays: " in log
    assert re.search(rf"{station.config_file}:{said}", log), log
    assert station.try_health() == health


def test_what_takes_a_restart_is_named_and_only_that(station):
    try:
        station.configure(control={"subscription": "software", "listen": "127.0.0.1:1", "prepare_time": "3s"},
                          sessions={"max": 77}, log={"level": "debug"})
        text = station.reload()
    finally:
        station.configure()
        station.reload()
    assert "control.subscription has changed, which takes a restart" in text
    assert "control.listen has changed, which takes a restart" in text
    assert text.count("takes a restart") == 2, text  # sessions.max is the engine's


def test_the_log_level_is_taken_over(station):
    station.make_client("four")
    bearer = ("-H", f"Authorization: Bearer {station.token('four')}")
    before = station.log.stat().st_size
    try:
        station.configure(log={"level": "error"}, rate_limits={"get_per_second": 77})
        os.kill(station.process.pid, signal.SIGHUP)
        wait_until(lambda: station.over_tls(*bearer, API)[1]["x-ratelimit-limit"] == "77, 77;w=1", what="the new limit")
        assert b"configuration reloaded" not in station.log.read_bytes()[before:]  # that is said, but at info
    finally:
        station.configure()
        station.reload()


def served_certificate(station):
    return ssl.get_server_certificate(("127.0.0.1", station.port))


def test_a_new_certificate_is_served_and_connections_with_the_old_one_go_on(station):
    certificate, key = (station.directory / f"control/server.{kind}" for kind in ("pem", "key"))
    old = certificate.read_text()
    context = ssl.create_default_context(cafile=certificate)
    with socket.create_connection(("127.0.0.1", station.port)) as raw, \
            context.wrap_socket(raw, server_hostname="localhost") as before:
        station.reload()  # nothing has changed
        assert served_certificate(station) == old
        certificate.unlink()
        key.unlink()
        station.reload()  # missing ones are made
        new = certificate.read_text()
        assert new != old and served_certificate(station) == new
        before.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP/1.1 200" in before.recv(4096)
    good = key.read_bytes()
    key.write_text(old)
    try:
        assert "server.key" in station.reload(good=False)
    finally:
        key.write_bytes(good)
    assert served_certificate(station) == new


# ---- SIGTERM ----

@contextlib.contextmanager
def asking(station, *words):
    """A request that is under way."""
    process = subprocess.Popen(["curl", "-sS", "--unix-socket", str(station.socket), "-w", "\n%{http_code}", *words],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def make_ready(station, directory, name):
    """A certificate that can be the default."""
    authority = Authority("Corporate Root")
    code, made = post(station, "", name=name, type="CUSTOM_SW", keyType="EC_P256")
    assert code == 200, made
    for step in ("keyPair", "generateCsr"):
        assert post(station, f"/{step}/{made['id']}")[0] == 200
    code, request = station.get(f"{API}/downloadCsr/{made['id']}")
    signed = directory / "signed.pem"
    certificate = authority.certify(x509.load_pem_x509_csr(request.encode()))
    signed.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert station.ask("POST", f"{API}/uploadCert/{made['id']}", "-F",
                       f"fileUpload=@{signed};type=application/octet-stream")[0] == 200
    assert post(station, f"/finalizeCert/{made['id']}")[0] == 200
    return made["id"]


@pytest.mark.parametrize("completed", [True, False], ids=["completed", "undone"])
def test_a_publication_under_way_ends_before_the_program_does(fresh, tmp_path, completed):
    fresh.start_signer()
    fresh.launch()
    fresh.becomes(200, **NO_ENGINE)
    number = make_ready(fresh, tmp_path, "drained")
    with Engine(fresh) as engine:
        engine.follow()
        fresh.becomes(200, status="ok")
        url = f"http://localhost/mintgate/v1/default/{number}"
        with asking(fresh, "-X", "PUT", url) as request:
            epoch = engine.receive(PREPARE)
            os.kill(fresh.process.pid, signal.SIGTERM)
            wait_until(lambda: "stopping" in fresh.log.read_text(), what="the end's beginning")
            wait_until(lambda: run("curl", "-s", "--unix-socket", fresh.socket, "http://localhost/health",
                                   check=False).returncode != 0, what="an end of accepting")
            assert fresh.process.poll() is None
            if completed:
                engine.say_prepared(epoch)
                engine.commit(epoch)
            else:
                engine.refuse(epoch, b"of a test")
            text, code = request.communicate(timeout=30)[0].rsplit("\n", 1)
        assert (int(code), json.loads(text).get("code")) == ((200, None) if completed else (403, "ENGINE_NOT_READY"))
    assert fresh.process.wait(timeout=30) == 0
    fresh.start()
    assert fresh.default()["id"] == (number if completed else 1)
