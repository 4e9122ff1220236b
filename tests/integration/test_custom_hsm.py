# SPDX-License-Identifier: Apache-2.0
"""Intermediates of type CUSTOM_HSM, whose keys are on SoftHSM2 tokens: where they are made, the whole life by REST and
by mintgatectl, what the token's attestation says, and what is refused."""

import itertools

import pytest

from restkit import CERTIFICATES, Appliance
from softhsmkit import SoftHSM

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory):
    return SoftHSM(tmp_path_factory.mktemp("softhsm"), ["basel", "zurich", "tokyo"])


@pytest.fixture(scope="module")
def appliance(tmp_path_factory, softhsm):
    tokens = [softhsm.config("basel", "EUROPE"), softhsm.config("zurich", "EUROPE"),
              softhsm.config("tokyo", "ASIA", faulty=True)]
    made = Appliance(tmp_path_factory.mktemp("appliance"), tokens, softhsm.environment)
    yield made
    made.stop()


@pytest.fixture
def made(appliance):
    """The ids of what a test creates, which is deleted afterwards."""
    numbers = []
    yield numbers
    for number in numbers:
        assert appliance.admin.ask("DELETE", f"{CERTIFICATES}/{number}").status == 204


def create(appliance, made, **fields):
    body = {"name": f"corp {next(_numbers)}", "type": "CUSTOM_HSM", "keyType": "EC_P256", **fields}
    answer = appliance.admin.ask("POST", CERTIFICATES, body)
    if answer.status == 200:
        made.append(answer.json["id"])
    return answer


def do(appliance, method, path, *body):
    answer = appliance.admin.ask(method, CERTIFICATES + path, *body)
    assert answer.status == 200, answer
    return answer


def with_key(appliance, made, region="EUROPE", **fields):
    number = create(appliance, made, region=region, **fields).json["id"]
    assert do(appliance, "POST", f"/keyPair/{number}").json["currentState"] == "KEYGEN_DONE"
    return number


def objects(softhsm, label):
    """The private keys of a token, each as pkcs11-tool describes it."""
    return softhsm.tool(label, "--list-objects", "--type", "privkey").split("Private Key Object")[1:]


def test_a_region_is_needed_and_must_have_a_token(appliance, made):
    for fields, complaint in [({}, "region: is required for type CUSTOM_HSM"),
                              ({"region": "US"}, "region: no token keeps keys in US")]:
        answer = create(appliance, made, **fields)
        assert (answer.status, answer.json["code"]) == (400, "INVALID_INPUT_ARGUMENT")
        assert answer.json["message"] == complaint


def test_keys_are_spread_over_the_tokens_of_their_region(appliance, softhsm, made):
    numbers = [with_key(appliance, made) for _ in range(4)] + [with_key(appliance, made, "ASIA")]
    assert [len(objects(softhsm, label)) for label in ("basel", "zurich", "tokyo")] == [2, 2, 1]
    for number in numbers:
        assert do(appliance, "GET", f"/downloadPublicKey/{number}").text.startswith("-----BEGIN PUBLIC KEY-----")
