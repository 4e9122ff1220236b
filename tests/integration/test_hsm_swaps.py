# SPDX-License-Identifier: Apache-2.0
"""Four intermediates in the HSM at one time, which is what the subscription allows, and the default going from one to
the next and to the signer's own under load, as in test_swap_load.py."""

import contextlib
import itertools
import json
import time

import pytest

from hsmkit import TOKENS, Hsm
from keyskit import Authority
from labkit import wait_until
from swapkit import (API, Intermediate, Load, UnixConnection, ask, failed, fingerprint, make_default, new_intermediate,
                     of_another_issuer, usage)
from tlskit import s_client, settle

MAX_CUSTOM, MAX_ENABLED = 8, 4
KINDS = [("GLOBAL", "EC_P256"), ("EUROPE", "RSA_2K"), ("GLOBAL", "EC_P384"), ("EUROPE", "EC_P256")]
NUM_WARM = 40
WARM = "hsm%d.fresh.lab.test"
RATE = 60


@pytest.fixture(scope="module")
def hsm(lab):
    made = Hsm(lab)
    made.wait_up()
    return made


@pytest.fixture(scope="module")
def api(lab):
    """What a test makes is deleted in the end, and the default is the signer's own again."""
    with contextlib.closing(UnixConnection(lab.env["CONTROL_SOCKET"])) as connection:
        yield connection
        ask(connection, "PUT", f"{API}/makeDefault/1", "{}")
        for one in ask(connection, "GET", API).json():
            if one["id"] != 1:
                assert ask(connection, "DELETE", f"{API}/{one['id']}").status == 204
    lab.command("replicate")


@pytest.fixture(scope="module")
def authority():
    return Authority("Swapped HSM Root")


@pytest.fixture(scope="module")
def intermediates(lab, hsm, api, authority):
    """As many as may be active at one time."""
    made = [new_intermediate(api, authority, f"HSM {number}", type="CUSTOM_HSM", region=region, keyType=key_type)
            for number, (region, key_type) in enumerate(KINDS)]
    lab.command("replicate")
    return made


def create(api, name, status):
    fields = {"name": name, "type": "CUSTOM_HSM", "region": "EUROPE", "keyType": "EC_P256", "status": status}
    return ask(api, "POST", API, json.dumps(fields))


def assert_over_quota(answer):
    assert answer.status == 403 and answer.json()["code"] == "INVALID_OPERATION", answer


def test_four_are_active_of_eight(api, intermediates):
    assert_over_quota(create(api, "Fifth", "ENABLED"))
    others = [create(api, f"Another {number}", "DISABLED").json() for number in range(MAX_CUSTOM - len(intermediates))]
    assert_over_quota(create(api, "Ninth", "DISABLED"))
    for one in others:
        assert_over_quota(ask(api, "PUT", f"{API}/{one['id']}", json.dumps({**one, "status": "ENABLED"})))
        assert ask(api, "DELETE", f"{API}/{one['id']}").status == 204
    listed = {one["id"]: one for one in ask(api, "GET", API).json()}
    for one, (region, key_type) in zip(intermediates, KINDS):
        shown = listed[one.id]
        assert (shown["type"], shown["region"], shown["keyType"]) == ("CUSTOM_HSM", region, key_type)
        assert (shown["status"], shown["currentState"]) == ("ENABLED", "CERT_READY")
    assert len(intermediates) == MAX_ENABLED


def test_swaps_under_load(lab, hsm, api, roots, intermediates, tmp_path):
    own = Intermediate(1, "", fingerprint(s_client(lab, "www.good.lab.test").chain[1]))
    turns = [*intermediates, own, intermediates[2], intermediates[0]]
    names = ["--name", WARM, "--range", f"1-{NUM_WARM}"]
    assert lab.loadgen(*names, "--in-flight", 20, cafile=roots)["failed"] == 0
    settle(lab)
    pids = lab.signer_pid(), hsm.processes()
    words = [*names, "--random-names", "--fresh", "hsmonce%d.fresh.lab.test", "--fresh-percent", 20, "--poisson",
             "--rate", RATE, "--connections", 1000 * RATE, "--in-flight", 1000]
    with Load(lab, tmp_path, *words, cafile=roots) as load:
        swaps = []
        for intermediate in turns:
            time.sleep(0.5)
            assert load.running(), "the load ended before the swaps did"
            swaps.append(make_default(api, intermediate))
        time.sleep(0.5)
        report, handshakes = load.end()
    settle(lab)
    assert not failed(handshakes), report["results"]
    assert of_another_issuer(handshakes, swaps, first=own.fingerprint) == []
    assert {one.issuer for one in handshakes} == {one.fingerprint for one in turns}
    assert (lab.signer_pid(), hsm.processes()) == pids
