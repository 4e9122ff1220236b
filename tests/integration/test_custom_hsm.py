# SPDX-License-Identifier: Apache-2.0
"""Intermediates of type CUSTOM_HSM, whose keys are on SoftHSM2 tokens: where they are made, the whole life by REST and
by mintgatectl, what the token's attestation says, and what is refused."""

import base64
import concurrent.futures
import hashlib
import http.client
import itertools
import json
import pathlib
import re
import sqlite3
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keyskit import Authority
from labkit import BUILD, run, wait_until
from restkit import CERTIFICATES, Appliance, form
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


def ctl(appliance, *words, code=0):
    """What mintgatectl prints: its errors where it ends with |code|."""
    ended = run(BUILD / "control/ctl/mintgatectl", "--config", appliance.config, *words, check=False)
    assert ended.returncode == code, (words, ended)
    return ended.stderr if code else ended.stdout


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


# ---- attestation ----

def attestation(appliance, number, method="GET"):
    answer = do(appliance, method, f"/downloadAttestation/{number}")
    assert answer.media.startswith("application/octet-stream")
    assert re.search(r'filename="corp_[0-9]+-Attestation.txt"', answer.headers["content-disposition"])
    return answer.text


def statement(text):
    form, line, signature = text.splitlines()
    assert form == "mintgate-key-attestation-v1" and text.endswith("\n")
    assert base64.b64decode(signature, validate=True)
    return json.loads(line)


@pytest.mark.parametrize("key_type, md", [("EC_P256", "sha256"), ("EC_P384", "sha384"), ("RSA_2K", "sha256")])
def test_an_attestation_says_what_the_token_says_and_openssl_verifies_it(appliance, softhsm, made, tmp_path, key_type,
                                                                         md):
    number = with_key(appliance, made, "ASIA", keyType=key_type)
    pem = do(appliance, "GET", f"/downloadPublicKey/{number}").text
    first, text = (attestation(appliance, number, method) for method in ("GET", "POST"))
    said = statement(text)
    assert said["nonce"] != statement(first)["nonce"]
    assert do(appliance, "GET", f"/{number}").json["currentState"] == "ATTESTATION_DONE"
    assert said["holder"] == said["token"]["label"] == "tokyo"
    assert (said["tokenKind"], said["token"]["hardwareSlot"]) == ("software", False)
    assert "SoftHSM" in said["token"]["manufacturer"] and "SoftHSM" in said["module"]["manufacturer"]
    assert said["module"]["sha256"] == hashlib.sha256(pathlib.Path(said["module"]["path"]).read_bytes()).hexdigest()
    assert {name: said["attributes"][name] for name in ("local", "sensitive", "extractable", "never_extractable")} == {
        "local": "yes", "sensitive": "yes", "extractable": "no", "never_extractable": "yes"}
    assert any(said["keyId"] in one for one in objects(softhsm, "tokyo"))
    # As docs/api/attestation.md tells an auditor.
    lines = text.splitlines(keepends=True)
    (tmp_path / "signed").write_text("".join(lines[:2]))
    (tmp_path / "signature").write_bytes(base64.b64decode(lines[2]))
    (tmp_path / "public.pem").write_text(pem)
    verified = run("openssl", "dgst", f"-{md}", "-verify", tmp_path / "public.pem", "-signature",
                   tmp_path / "signature", tmp_path / "signed", check=False)
    assert verified.stdout == "Verified OK\n"


def test_a_good_key_is_verified(appliance, made):
    number = with_key(appliance, made)
    for path, body in ((f"/verifyKeyAttestation/{number}", {}), ("/verifyKeyAttestation", {"id": number})):
        shown = do(appliance, "POST", path, body).json
        assert shown["currentState"] == "ATTESTATION_VERIFY_DONE"
        assert abs(shown["hsmAttestationVerifiedTime"] - time.time()) < 3600


def refused(appliance, number, path="/verifyKeyAttestation"):
    """Why."""
    before = do(appliance, "GET", f"/{number}").json
    answer = appliance.admin.ask("POST", f"{CERTIFICATES}{path}/{number}", {})
    assert (answer.status, answer.json["code"]) == (403, "INVALID_OPERATION"), answer
    assert do(appliance, "GET", f"/{number}").json == before
    return answer.json["message"]


# What the token is made to say of a good key: the type of the attribute (PKCS#11 v2.40 base, pkcs11t.h), its value, and
# the name by which it is refused.
LIES = [("163", "0", "local"), ("103", "0", "sensitive"), ("165", "0", "always_sensitive"), ("162", "1", "extractable"),
        ("164", "0", "never_extractable"), ("170", "1", "modifiable"), ("2", "0", "private"), ("108", "0", "sign"),
        ("105", "1", "decrypt"), ("107", "1", "unwrap"), ("10c", "1", "derive"), ("166", "1080", "key_gen_mechanism")]


def test_a_key_that_is_not_as_it_must_be_is_refused_by_the_attribute(appliance, softhsm, made, tmp_path):
    number = with_key(appliance, made, "ASIA")
    for kind, value, name in LIES:
        softhsm.fault(f"CKA_{kind} set {value}\n")
        assert refused(appliance, number).startswith(f"{name}: the token says "), name
        # The statement is honest about it: who checks the file refuses it too.
        (tmp_path / "attestation").write_text(attestation(appliance, number))
        assert f": {name}: " in ctl(appliance, "attestation", "verify", tmp_path / "attestation", code=1)
    softhsm.fault("")
    do(appliance, "POST", f"/verifyKeyAttestation/{number}")


def test_a_wrong_signature_is_refused(appliance, softhsm, made):
    number = with_key(appliance, made, "ASIA")
    softhsm.fault("C_Sign wrong\n")
    assert refused(appliance, number) == "signature: that of token tokyo does not verify"
    softhsm.fault("")


def test_another_key_in_its_place_is_refused(appliance, softhsm, made):
    number = with_key(appliance, made, "ASIA")
    key_id = statement(attestation(appliance, number))["keyId"]
    for kind in ("privkey", "pubkey"):
        softhsm.tool("tokyo", "--delete-object", "--type", kind, "--id", key_id)
    softhsm.tool("tokyo", "--keypairgen", "--key-type", "EC:prime256v1", "--id", key_id, "--sensitive")
    assert refused(appliance, number) == "token tokyo has another public key under this id"


def id_to_come(appliance, number):
    """The CKA_ID that the key of an intermediate will have (hsm/token_keys.c): what somebody with the token's PIN and
    the database could know before."""
    database = sqlite3.connect(f"file:{appliance.database}?mode=ro", uri=True)
    ((created,),) = database.execute("SELECT created_us FROM intermediate WHERE id = ?", (number,))
    database.close()
    wish = hashlib.sha256(f"{number} {created}".encode()).digest()[:16]
    return hashlib.sha256(b"mintgate key on a token\0" + wish).hexdigest()[:32]


def test_a_key_that_lies_in_wait_under_its_id_is_refused(appliance, softhsm, made, tmp_path):
    """One that was imported, and one that is extractable: neither becomes the key of an intermediate."""
    (tmp_path / "key.der").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    run("openssl", "ec", "-inform", "DER", "-in", tmp_path / "key.der", "-pubout", "-outform", "DER", "-out",
        tmp_path / "public.der")
    imported, extractable = (create(appliance, made, region="ASIA").json["id"] for _ in range(2))
    key_id = id_to_come(appliance, imported)
    for kind, file in (("privkey", "key.der"), ("pubkey", "public.der")):
        softhsm.tool("tokyo", "--write-object", tmp_path / file, "--type", kind, "--id", key_id, "--usage-sign")
    assert "local: the token says no" in refused(appliance, imported, "/keyPair")
    softhsm.tool("tokyo", "--keypairgen", "--key-type", "EC:prime256v1", "--id", id_to_come(appliance, extractable),
                 "--extractable", "--usage-sign")
    assert ": the token says " in refused(appliance, extractable, "/keyPair")


def test_the_key_cannot_be_read_off_the_token(appliance, softhsm, made, tmp_path):
    number = with_key(appliance, made, "ASIA")
    key_id = statement(attestation(appliance, number))["keyId"]
    (listed,) = (one for one in objects(softhsm, "tokyo") if key_id in one)
    assert re.search(r"Access: +sensitive, always sensitive, never extractable, local", listed)
    softhsm.tool("tokyo", "--read-object", "--type", "privkey", "--id", key_id, "--output-file", tmp_path / "key",
                 check=False)
    assert not (tmp_path / "key").exists() or (tmp_path / "key").read_bytes() == b""


# ---- the life of one ----

def by_ctl(appliance, directory, region):
    """The eight steps of the vendor's description and the two of attestation, by mintgatectl. Its id."""
    name = f"corp {next(_numbers)}"

    def path(end):
        return str(directory / end)

    ctl(appliance, "intermediate", "create", name, "--type", "hsm", "--region", region, "--enabled")
    number = next(one["id"] for one in json.loads(ctl(appliance, "intermediate", "list", "--json"))
                  if one["name"] == name)
    ctl(appliance, "intermediate", "keygen", name)
    ctl(appliance, "intermediate", "public-key", name, "--out", path("public.pem"))
    ctl(appliance, "intermediate", "attestation", name, "--out", path("attestation"))
    shown = ctl(appliance, "attestation", "verify", path("attestation"), "--public-key", path("public.pem"))
    assert re.search(r"^tokenKind +software$", shown, re.M) and "whoever has its files has the key" in shown
    assert "ATTESTATION_VERIFY_DONE" in ctl(appliance, "intermediate", "verify-attestation", name)
    ctl(appliance, "intermediate", "csr", name, "--cn", name, "--out", path("request.pem"))
    root = ["--key", path("root.key"), "--cert", path("root.pem")]
    ctl(appliance, "root", "sign-csr", path("request.pem"), *root, "--out", path("signed.pem"))
    ctl(appliance, "intermediate", "upload-cert", name, path("signed.pem"))
    ctl(appliance, "intermediate", "upload-chain", name, path("root.pem"))
    ctl(appliance, "intermediate", "finalize", name)
    ctl(appliance, "intermediate", "default", name)
    return number


def test_the_whole_life_by_mintgatectl(appliance, made, tmp_path):
    number = by_ctl(appliance, tmp_path, "EUROPE")
    made.append(number)
    shown = do(appliance, "GET", f"/{number}").json
    assert (shown["currentState"], shown["defaultCertificate"], shown["type"]) == ("CERT_READY", True, "CUSTOM_HSM")
    assert shown["hsmAttestationVerifiedTime"] > 0
    assert attestation(appliance, number)  # also of one that is finalized
    keys = appliance.admin.ask("GET", "/mintgate/v1/keys").json
    (listed,) = (one for one in keys if one["intermediate"] == shown["name"])
    assert listed["holder"] in ("basel", "zurich") and listed["installed"] and listed["purpose"] == "minting"
    assert re.search(rf"{listed['id']} +EC_P256 +minting +{listed['holder']} +{shown['name']} +yes",
                     ctl(appliance, "key", "list"))
    assert re.search(rf"^token +{listed['holder']}$", ctl(appliance, "intermediate", "show", shown["name"]), re.M)
    do(appliance, "PUT", "/makeDefault/1")


def test_the_whole_life_by_rest(appliance, made):
    authority = Authority()
    number = with_key(appliance, made)
    do(appliance, "GET", f"/downloadPublicKey/{number}")
    do(appliance, "POST", f"/downloadAttestation/{number}", {})
    do(appliance, "POST", f"/verifyKeyAttestation/{number}", {})
    do(appliance, "POST", f"/generateCsr/{number}", {"commName": "On a token"})
    request = x509.load_pem_x509_csr(do(appliance, "GET", f"/downloadCsr/{number}").text.encode())
    for call, pem in (("uploadCert", authority.certify(request).public_bytes(Encoding.PEM)),
                      ("uploadCertChain", authority.pem().encode())):
        do(appliance, "POST", f"/{call}/{number}", *form([("fileUpload", "certificate.pem", pem)]))
    assert do(appliance, "POST", f"/finalizeCert/{number}").json["currentState"] == "CERT_READY"
    assert do(appliance, "PUT", f"/makeDefault/{number}").json["defaultCertificate"] is True
    do(appliance, "PUT", "/makeDefault/1")


# ---- failures ----

def test_a_file_that_was_changed_or_is_of_another_key_is_refused(appliance, made, tmp_path):
    one, other = (with_key(appliance, made) for _ in range(2))
    text = attestation(appliance, one)
    path, public = tmp_path / "attestation", tmp_path / "public.pem"
    public.write_text(do(appliance, "GET", f"/downloadPublicKey/{other}").text)
    for bad, complaint in [(text.replace('"label":"', '"label":"x'), "signature: is not that of the attested key"),
                           (text.replace("-v1", "-v2"), "first line: must be mintgate-key-attestation-v1"),
                           (text + "\n", "third line: "), (text.replace('"local"', '"locals"'), "local: must be")]:
        path.write_text(bad)
        assert complaint in ctl(appliance, "attestation", "verify", path, code=1)
    path.write_text(text)
    ctl(appliance, "attestation", "verify", path)
    assert "another key" in ctl(appliance, "attestation", "verify", path, "--public-key", public, code=1)


def test_a_token_that_is_away_is_said_so_and_holds_up_nothing_else(appliance, softhsm, made):
    def state_of(path):
        return appliance.admin.ask("POST", f"{CERTIFICATES}{path}", {})

    attested, waiting = with_key(appliance, made, "ASIA"), create(appliance, made, region="ASIA").json["id"]
    gone, unwanted = with_key(appliance, [], "ASIA"), create(appliance, [], region="ASIA").json["id"]
    ends = {statement(attestation(appliance, gone))["keyId"], id_to_come(appliance, unwanted)}
    softhsm.fault("C_Sign crash\nC_Initialize fail 5\n")
    assert state_of(f"/verifyKeyAttestation/{attested}").status == 503
    answer = state_of(f"/keyPair/{waiting}")
    assert answer.status == 503 and "token tokyo" in answer.json["message"] and answer.headers["retry-after"]
    assert state_of(f"/keyPair/{unwanted}").status == 503
    for number in (gone, unwanted):
        assert appliance.admin.ask("DELETE", f"{CERTIFICATES}/{number}").status == 204
    software = create(appliance, [], type="CUSTOM_SW").json["id"]
    before = signer_keys(appliance)
    do(appliance, "POST", f"/keyPair/{software}")
    (new,) = signer_keys(appliance) - before
    assert appliance.admin.ask("DELETE", f"{CERTIFICATES}/{software}").status == 204
    wait_until(lambda: new not in signer_keys(appliance), seconds=60, what="the end of the software key")
    softhsm.fault("")
    wait_until(lambda: state_of(f"/keyPair/{waiting}").status == 200, seconds=120, what="the token")
    do(appliance, "POST", f"/verifyKeyAttestation/{attested}")
    wait_until(lambda: not any(key_id in one for key_id in ends for one in objects(softhsm, "tokyo")), seconds=60,
               what="the end of the token's keys that nobody wants")


def test_a_key_whose_making_was_cut_off_is_made_once(appliance, softhsm, made):
    number = create(appliance, made, region="ASIA").json["id"]
    key_id = id_to_come(appliance, number)
    softhsm.fault("C_GenerateKeyPair delay 2000\n")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(lambda: appliance.admin.ask("POST", f"{CERTIFICATES}/keyPair/{number}", {}))
        wait_until(lambda: noted_wishes(appliance) == [(number, "tokyo")], what="the wish")
        appliance.kill_control()
        with pytest.raises((OSError, http.client.HTTPException)):
            asked.result()
    softhsm.fault("")
    appliance.start_control()
    assert do(appliance, "POST", f"/keyPair/{number}").json["currentState"] == "KEYGEN_DONE"
    assert statement(attestation(appliance, number))["keyId"] == key_id
    assert len([one for one in objects(softhsm, "tokyo") if key_id in one]) == 1
    assert noted_wishes(appliance) == []


def noted_wishes(appliance):
    database = sqlite3.connect(f"file:{appliance.database}?mode=ro", uri=True)
    wishes = database.execute("SELECT intermediate_id, holder FROM key_wish").fetchall()
    database.close()
    return wishes


def signer_keys(appliance):
    """The names of the files of the signer's keys."""
    return {path.name for path in (appliance.directory / "signer/keys").glob("*.key")}
