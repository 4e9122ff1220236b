# SPDX-License-Identifier: Apache-2.0
"""mintgate-control with a real signer and a real engine: what it does at a start, and what crashes leave."""

import pathlib
import signal

import pytest

from controlplane import CONNECTED, EPOCH, ControlPlane
from labkit import run, wait_until
from tlskit import s_client

GOOD = "www.good.lab.test"


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        yield made


def served(lab, control):
    """The engine serves what the control plane's database says, and clients see it."""
    wait_until(lambda: lab.metric(EPOCH) == control.default()["epoch"], what="the present epoch at the engine")
    assert s_client(lab, GOOD).verdict == 0


def test_it_starts_with_the_built_in_intermediate_as_the_default(lab, control):
    assert control.default()["id"] == 1 and control.default()["previousId"] == 0
    served(lab, control)
    code, publication = control.get("/mintgate/v1/publication")
    (engine,) = publication["engines"]
    assert (code, engine["pid"], engine["trouble"]) == (200, lab.engine_pid(), "")


def test_the_root_is_for_everybody(lab, control):
    code, pem = control.get("/ca.pem")
    assert code == 200 and pem.strip() == pathlib.Path(lab.env["MINTGATE_ROOT_PEM"]).read_text().strip()


def test_the_first_start_is_in_the_audit_record_once(lab, control):
    code, entries = control.get("/mintgate/v1/audit")
    assert code == 200
    (entry,) = [one for one in entries if one["operation"] == "installBuiltin"]
    assert (entry["actor"], entry["object"], entry["outcome"]) == ("mintgate-control", "intermediate/1", "done")


def test_the_first_credential_is_for_its_reader_alone(lab, control):
    path = pathlib.Path(lab.env["LAB_DIR"], "control/first-credential")
    assert path.stat().st_mode & 0o777 == 0o600
    secret = path.read_text().split()[-1]
    assert secret not in control.log.read_text()
    for name in ("control.db", "control.db-wal"):
        database = path.with_name(name)
        assert not database.exists() or database.stat().st_mode & 0o077 == 0
        assert not database.exists() or secret.encode() not in database.read_bytes()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_while_it_is_away_everything_goes_on_and_afterwards_too(lab, control, how):
    before = control.default()
    control.stop(how)
    wait_until(lambda: lab.metric(CONNECTED) == 0, what="the engine to notice")
    assert s_client(lab, GOOD).verdict == 0 and s_client(lab, f"away{how}.fresh.lab.test").verdict == 0
    control.start()
    after = control.default()
    assert after["id"] == before["id"] and after["epoch"] > before["epoch"]
    served(lab, control)


def test_an_engine_that_starts_again_is_brought_up(lab, control):
    lab.restart("engine")
    served(lab, control)


def test_it_waits_for_the_signer(lab, control):
    control.stop()
    run("kill", "-STOP", str(lab.signer_pid()))  # it answers nobody
    try:
        control.launch()
    finally:
        run("kill", "-CONT", str(lab.signer_pid()))
    control.wait()
    served(lab, control)


def test_the_present_default_again_changes_nothing(lab, control):
    before = control.default()
    code, answer = control.ask("PUT", "/mintgate/v1/default/1")
    assert code == 200 and answer["id"] == 1 and answer["defaultCertificate"] is True
    assert control.default() == before


@pytest.mark.parametrize("path, expected", [("/mintgate/v1/default/77", 404), ("/mintgate/v1/default/previous", 404),
                                            ("/mintgate/v1/default/x", 404), ("/mintgate/v1/successor/1/99", 400)])
def test_what_is_not_there_is_told(control, path, expected):
    code, answer = control.ask("PUT", path)
    assert code == expected and set(answer) == {"code", "message"}, (code, answer)
