# SPDX-License-Identifier: Apache-2.0
"""Intermediates in the lab's HSM, by hand: scripts/lab intermediate --hsm, what a client sees then, and what the owner
of the token sees with other tools."""

import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hsmkit import TOKENS, Hsm
from labkit import run
from tlskit import s_client

GOOD = "www.good.lab.test"


@pytest.fixture(scope="module")
def hsm(lab):
    made = Hsm(lab)
    made.wait_up()
    return made


def ctl(lab, *words):
    return run(lab.environment["MG_BUILD"] + "/control/ctl/mintgatectl", "--socket", lab.env["CONTROL_SOCKET"],
               *words).stdout


def intermediates(lab):
    """All of them: id to what is shown of it."""
    return {one["id"]: one for one in json.loads(ctl(lab, "intermediate", "list", "--json"))}


@pytest.fixture
def make(lab):
    """scripts/lab intermediate WORDS: the id; what was made is deleted afterwards."""
    before = set(intermediates(lab))
    yield lambda *words: int(lab.command("intermediate", *words).stdout.splitlines()[-1])
    ctl(lab, "intermediate", "default", "1")
    for number in set(intermediates(lab)) - before:
        ctl(lab, "intermediate", "delete", number)
    lab.command("replicate")


def private_keys(hsm, token):
    """Those on a token: id to what pkcs11-tool says of it."""
    listed = hsm.tool(token, "--list-objects", "--type", "privkey").split("Private Key Object")[1:]
    return {re.search(r"ID: +([0-9a-f]+)", one).group(1): one for one in listed}


def signatures(hsm):
    """How many each token has made."""
    return {token: hsm.metric(token, "results_total", ',status="ok"') for token in TOKENS}


def assert_signed(key, certificate):
    algorithm = certificate.signature_hash_algorithm
    how = [ec.ECDSA(algorithm)] if isinstance(key, ec.EllipticCurvePublicKey) else [padding.PKCS1v15(), algorithm]
    key.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)


@pytest.mark.parametrize("region, key_type, token, partner",
                         [("GLOBAL", "EC_P256", "global-1", "global-2"), ("EUROPE", "RSA_2K", "europe", None)])
def test_a_client_sees_a_leaf_signed_on_the_token(lab, hsm, make, tmp_path, region, key_type, token, partner):
    keys, made = private_keys(hsm, token), signatures(hsm)
    name = f"In the HSM, {region}"
    number = make(name, "--hsm", "--region", region, "--key-type", key_type, "--default")
    made_there = intermediates(lab)[number]
    assert (made_there["type"], made_there["currentState"]) == ("CUSTOM_HSM", "CERT_READY")
    assert made_there["hsmAttestationVerifiedTime"] > 0
    shown = s_client(lab, GOOD, roots=lab.env["ROOT_PEM"])
    assert shown.verdict == 0 and f"CN={name.replace(',', chr(92) + ',')}" in shown.chain[1].subject.rfc4514_string()
    ((key_id, described),) = (private_keys(hsm, token).items() - keys.items())
    assert "Access:     sensitive, always sensitive, never extractable, local" in described
    assert "Usage:      sign\n" in described
    public = tmp_path / "public.der"
    hsm.tool(token, "--read-object", "--type", "pubkey", "--id", key_id, "--output-file", public)
    assert_signed(load_der_public_key(public.read_bytes()), shown.chain[0])
    grown = {one: count - made[one] for one, count in signatures(hsm).items() if count > made[one]}
    assert set(grown) == {token}
    if partner:
        assert key_id in private_keys(hsm, partner)
    attested = (lab.directory / f"intermediates/{number}.attestation").read_text().splitlines()[1]
    assert json.loads(attested)["keyId"] == key_id
    ctl(lab, "intermediate", "default", "1")
    ctl(lab, "intermediate", "delete", number)
    assert private_keys(hsm, token) == keys


def test_the_key_does_not_leave_the_token(hsm, make):
    """The token's owner finds it, and can't read it either."""
    before = set(private_keys(hsm, "europe"))
    make("Unreadable", "--hsm", "--region", "EUROPE", "--key-type", "EC_P256")
    (key_id,) = set(private_keys(hsm, "europe")) - before
    url = "pkcs11:type=private;id=" + re.sub("(..)", r"%\1", key_id)
    assert "BEGIN PUBLIC KEY" in hsm.p11tool("europe", "--export-pubkey", url).stdout
    refused = hsm.p11tool("europe", "--export", url, check=False)
    assert refused.returncode == 1 and "data were not available" in refused.stderr and "PRIVATE" not in refused.stdout
    assert key_id not in private_keys(hsm, "global-1")


def test_a_region_without_a_token_is_refused_and_leaves_nothing(lab):
    before = intermediates(lab)
    result = lab.command("intermediate", "Far away", "--hsm", "--region", "ASIA", check=False)
    assert result.returncode == 1 and "no token keeps keys in ASIA" in result.stderr
    assert intermediates(lab) == before


@pytest.mark.parametrize("words", [["a", "--region", "EUROPE"], ["a", "--hsm", "--region"], ["a", "--hsm", "b"],
                                   ["--hsm", "a"]])
def test_wrong_usage_of_intermediate(lab, words):
    assert lab.command("intermediate", *words, check=False).returncode == 2
