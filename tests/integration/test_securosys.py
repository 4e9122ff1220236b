# SPDX-License-Identifier: Apache-2.0
"""The Securosys family over HTTP, with a signer and a control plane of their own: keys, certificates, approvals."""

import base64
import datetime
import hashlib
import json
import sqlite3
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from keyskit import Authority
from labkit import BUILD, wait_until
from naverkit import Authorities, pem_of, request_for
from restkit import Appliance, Life
from skakit import (Approver, CertifiedApprover, Ska, b64, compact, group, load, load_public, make_csr, policy, spki,
                    stamp, token)

MINUTE, DAY = 60, 86400


@pytest.fixture(scope="module")
def ska(appliance):
    """Asks as the administrator on the Unix socket."""
    return Ska(appliance.admin)


@pytest.fixture(scope="module")
def approvers():
    return [Approver() for _ in range(3)]


@pytest.fixture(scope="module")
def csr():
    return make_csr(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def guarded(ska, appliance, approvers):
    """A CA's key that two of three approvers must open. Its certificate comes from elsewhere: nobody approved one."""
    label = ska.make_key(policy(token(group(2, *approvers))))
    give_certificate(ska, label)
    return label


def public_key_of(ska, label):
    return load_public(ska.ask("POST", "key/attributes", {"label": label})["json"]["publicKey"])


def certificate_for(public_key, days=400, begins=-1, ca=True, path_length=None, usage=True, name="Elsewhere"):
    """What another authority makes of a key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
               .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])).public_key(public_key)
               .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=begins))
               .not_valid_after(now + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(ca, path_length), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False))
    if usage:
        builder = builder.add_extension(
            x509.KeyUsage(False, False, False, False, False, ca, ca, False, False), critical=True)
    return builder.sign(key, hashes.SHA256())


def give_certificate(ska, label, **unusual):
    made = certificate_for(public_key_of(ska, label), **unusual)
    ska.ask("POST", "certificate/import/plain", {"label": label, "certificate": b64(made.public_bytes(Encoding.DER))})
    return made


def back_date(appliance, request, seconds):
    """Makes a request older than it is, since nobody waits for minutes here."""
    database = sqlite3.connect(appliance.database, timeout=60)
    with database:
        moved = database.execute(
            "UPDATE ska_request SET created_us = created_us - ?1, due_us = CASE WHEN due_us > 9000000000000000 THEN"
            " due_us ELSE due_us - ?1 END WHERE id = ?2", (seconds * 1000000, request)).rowcount
    database.close()
    assert moved == 1


def assert_issued(certificate, issuer, name="Approver-Intermediate-SUB"):
    assert certificate.issuer == issuer.subject
    issuer.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    assert [one.value for one in certificate.subject] == [name]
    assert certificate.serial_number > 2**64
    assert certificate.not_valid_after <= issuer.not_valid_after


# ---- the seed document ----

def test_the_seeds_examples_are_answered_as_shown(appliance, ska):
    """Sign with approval, fetch the result, import it, read it with openssl; the documents' own names."""
    approver = Approver(rsa.generate_private_key(65537, 2048))
    ca, sub = "CA.approver.securosys.com", "SUB.approver.securosys.com"
    for label, rule in ((ca, policy(token(group(1, approver)))), (sub, None)):
        ska.make_key(rule, label=label, algorithm="RSA", keySize=2048, curveOid=None)
    give_certificate(ska, ca, name="CA-Key")
    request = {"signKeyName": sub, "keyPassword": None, "signatureAlgorithm": "SHA256_WITH_RSA", "validity": 365,
               "standardCertificateAttributes": {"commonName": "SUB", "country": "CH"}, "keyUsage": [""]}
    made = ska.ask("POST", "certificate/synchronous/request", request)
    assert made["label"] == sub
    assert made["certificateSigningRequest"].startswith("-----BEGIN NEW CERTIFICATE REQUEST-----\n")
    # What the document shows, but for the comma that it lacks.
    body = {"signCertificateRequest": {
        "signKeyName": ca, "keyPassword": None, "signatureAlgorithm": "SHA256_WITH_RSA",
        "commonName": "Approver-Intermediate-SUB", "certificateAuthority": False,
        "certificateSigningRequest": made["certificateSigningRequest"], "keyUsage": ["DIGITAL_SIGNATURE"],
        "extendedKeyUsage": ["ANY_EXTENDED_KEY_USAGE"]}}
    answer = ska.ask("POST", "certificate/sign", body, status=201)
    assert list(answer) == ["signRequestId"]
    request_id = answer["signRequestId"]
    assert ska.status(request_id) == {"id": request_id, "status": "PENDING", "executionTime": None, "approvedBy": [],
                                      "notYetApprovedBy": [approver.spki], "rejectedBy": [], "result": None}
    ska.approve(approver, request_id)
    status = ska.status(request_id)
    assert list(status) == ["id", "status", "executionTime", "approvedBy", "notYetApprovedBy", "rejectedBy", "result"]
    assert (status["status"], status["approvedBy"], status["notYetApprovedBy"], status["rejectedBy"]) == \
        ("EXECUTED", [approver.spki], [], [])
    datetime.datetime.strptime(status["executionTime"], "%Y-%m-%dT%H:%M:%SZ")
    armour = status["result"].split("\n")
    assert len(armour) == 3 and armour[0] == "-----BEGIN CERTIFICATE-----" and armour[2] == "-----END CERTIFICATE-----"
    certificate = load(status["result"])
    lifetime = certificate.not_valid_after - certificate.not_valid_before
    assert lifetime == datetime.timedelta(days=90)
    usages = certificate.extensions
    assert usages.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert list(usages.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]
    assert usages.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == \
        x509.SubjectKeyIdentifier.from_public_key(public_key_of(ska, ca)).digest
    # The import, without the armour, and with the comma of the vendor's client.
    text = compact({"label": sub, "certificate": armour[1]})[:-1] + ",}"
    imported = appliance.admin.ask("POST", "/v1/certificate/import/plain", text, "application/json")
    assert imported.status == 200 and imported.json == {"label": sub, "certificate": status["result"]}
    assert ska.ask("GET", f"certificate/{sub}")["certificate"] == status["result"]
    shown = subprocess.run(["openssl", "x509", "-text", "-noout"], input=status["result"], text=True, check=True,
                           capture_output=True).stdout
    assert "Issuer: CN = CA-Key" in shown and "Subject: CN = Approver-Intermediate-SUB" in shown


# ---- keys ----

def test_a_key_is_described_and_deleted(ska):
    label = ska.make_key(None)
    assert label in ska.ask("GET", "key")
    ska.fails(608, "POST", "key", {"label": label, "algorithm": "EC", "curveOid": "1.3.132.0.34"})
    told = ska.ask("POST", "key/attributes", {"label": label})
    assert all(isinstance(told[name], str) for name in ("xml", "xmlSignature", "attestationKeyName"))
    key = told["json"]
    assert (key["label"], key["algorithm"], key["keySize"], key["policy"], key["id"]) == (label, "EC", 256, None, None)
    assert key["attributes"]["sign"] and not key["attributes"]["extractable"]
    assert isinstance(load_public(key["publicKey"]).curve, ec.SECP256R1)
    assert ska.ask("DELETE", f"key/{label}") == {}
    ska.fails(650, "POST", "key/attributes", {"label": label})
    assert label not in ska.ask("GET", "key")


def test_a_deleted_keys_private_half_is_gone(appliance, ska):
    def files():
        return {path.name for path in (appliance.directory / "signer/keys").iterdir()}
    before = files()
    label = ska.make_key(None)
    assert len(files() - before) == 1
    ska.ask("POST", "key/deleteKey", {"label": label})
    assert files() == before


@pytest.mark.parametrize("code, fields", [
    (611, {"algorithm": "ED", "curveOid": "1.3.101.112"}), (611, {"algorithm": "AES", "keySize": 256}),
    (603, {"algorithm": "RSA", "keySize": 1024}), (603, {"algorithm": "EC", "curveOid": "1.3.132.0.10"}),
    (606, {"attributes": {"extractable": True}}), (606, {"attributes": {"sensitive": False}}),
    (606, {"attributes": {"bip32": True}}), (606, {"attributes": {"modifiable": 1}}),
    (606, {"attributes": {"sign": "yes"}}),
    (610, {"label": "a\nb"}), (610, {"label": "x" * 101}),
])
def test_keys_that_cannot_be(ska, code, fields):
    ska.fails(code, "POST", "key", {"label": "never", "algorithm": "EC", "curveOid": "1.2.840.10045.3.1.7", **fields})
    assert "never" not in ska.ask("GET", "key")


def test_a_key_as_the_vendors_documents_make_it(ska, approvers):
    """With attributes that keys here have not, which is what the description then says."""
    asked = {"encrypt": True, "decrypt": True, "verify": True, "sign": True, "wrap": True, "unwrap": True,
             "derive": False, "bip32": False, "extractable": False, "modifiable": True, "destroyable": True,
             "sensitive": True, "copyable": True}
    approval = {"type": "public_key", "value": approvers[0].spki}  # without a name
    rule = {"tokens": [{"name": "Token1", "timelock": 0, "timeout": 600,
                        "groups": [{"name": "Group1", "quorum": 1, "approvals": [approval]}]}]}
    label = ska.make_key({"ruleUse": rule, "ruleBlock": rule, "ruleUnblock": None, "ruleModify": rule,
                          "keyStatus": {"blocked": False}}, algorithm="RSA", keySize=2048, curveOid=None,
                         attributes=asked)
    told = ska.ask("POST", "key/attributes", {"label": label})["json"]
    assert told["policy"]["ruleModify"] == rule
    assert told["attributes"]["sign"] and not told["attributes"]["modifiable"] and not told["attributes"]["copyable"]
    ska.ask("DELETE", f"key/{label}")


def test_policies_that_cannot_be(ska, approvers):
    one, two, three = approvers
    onboarded = {"type": "onboarded_approver_certificate", "name": "somebody"}
    weak = Approver(rsa.generate_private_key(65537, 1024))
    bad = {600: [policy(token(group(3, one, two))), policy(token(group(0, one))), policy(token(group(2, one, one))),
                 policy(token(group(1, one), timelock=61)), policy(token(group(1, one), timeout=30)),
                 policy(token(group(1, one), timeout=-60)), policy(token()), policy(token(group(1))),
                 policy(*[token(group(1, one))] * 9), {"ruleUse": []}, {"ruleUse": {"tokens": {}}},
                 {"ruleUse": None, "keyStatus": {"blocked": "no"}}, {"ruleUse": None, "ruleModify": {"tokens": [1]}}],
           501: [policy(token({"quorum": 1, "approvals": [{"type": "password", "value": "x"}]}))],
           611: [policy(token({"quorum": 1, "approvals": [onboarded]}))],
           407: [policy(token({"quorum": 1, "approvals": [{"type": "public_key", "value": "AAAA"}]}))],
           613: [policy(token(group(1, weak)))],
           402: [policy(token(group(1, CertifiedApprover(days=-1))))],
           409: [policy(token({"quorum": 1, "approvals": [{"type": "certificate", "value": three.spki}]}))]}
    for code, policies in bad.items():
        for rule in policies:
            body = {"label": "never", "algorithm": "EC", "curveOid": "1.2.840.10045.3.1.7", "policy": rule}
            ska.fails(code, "POST", "key", body)
    assert "never" not in ska.ask("GET", "key")


def test_a_password_is_asked_for_wherever_the_key_is_used(ska):
    label = ska.make_key(None, password=list("s3cret"))
    body = {"signKeyName": label, "commonName": "CA", "certificateAuthority": True}
    path = "certificate/synchronous/selfsign"
    for wrong in (None, [], list("s3crey"), ["s3cre"]):
        ska.fails(620, "POST", path, {**body, "keyPassword": wrong})
        ska.fails(620, "POST", "key/deleteKey", {"label": label, "password": wrong})
    ska.fails(620, "DELETE", f"key/{label}")
    ska.ask("POST", path, {**body, "keyPassword": list("s3cret")})
    ska.ask("POST", "key/deleteKey", {"label": label, "password": list("s3cret")})


def test_a_password_and_a_name_as_the_vendors_java_client_sends_them(ska):
    label = ska.make_key(None, password="s3cret")
    body = {"signKeyName": label, "validity": 30, "keyPassword": "s3cret", "signatureAlgorithm": "SHA256_WITH_ECDSA",
            "certificateAuthority": True, "standardCertificateAttributes": {"commonName": "By Java", "country": "CH"},
            "keyUsage": ["KEY_CERT_SIGN"], "extendedKeyUsage": ["ANY_EXTENDED_KEY_USAGE"]}
    made = load(ska.ask("POST", "certificate/synchronous/selfsign", body)["certificate"])
    assert {"By Java"} <= {one.value for one in made.subject} and made.issuer == made.subject
    named = load(ska.ask("POST", "certificate/synchronous/selfsign", {**body, "commonName": "Beside"})["certificate"])
    assert "Beside" in [one.value for one in named.subject]
    ska.fails(620, "POST", "certificate/synchronous/selfsign", {**body, "keyPassword": "s3creT"})
    ska.fails(600, "POST", "certificate/synchronous/selfsign", {**body, "standardCertificateAttributes": {}})
    wrapped = {"signKeyName": label, "keyPassword": "s3cret", "payload": "aGk="}
    assert ska.ask("POST", "synchronousSign", {"signRequest": wrapped})["signature"]
    ska.ask("POST", "key/deleteKey", {"label": label, "password": list("s3cret")})


def test_a_password_is_stored_nowhere(appliance, ska):
    label = ska.make_key(None, password=list("uniquePassw0rd"))
    ska.self_sign(label, "CA", keyPassword=list("uniquePassw0rd"))
    ska.submit("certificate/selfsign", "selfSignCertificateRequest",
               {"signKeyName": label, "commonName": "CA", "keyPassword": list("uniquePassw0rd")})
    database = sqlite3.connect(appliance.database, timeout=60)
    rows = repr([database.execute(f"SELECT * FROM {table}").fetchall()
                 for table in ("ska_key", "ska_request", "audit")])
    database.close()
    assert "uniquePassw0rd" not in rows and '"u","n","i"' not in rows and "keyPassword" not in rows


def test_minting_keys_are_invisible_here(appliance, ska):
    assert not [one for one in ska.ask("GET", "key") if "intermediate" in one or "mintgate" in one.lower()]
    for name in ("intermediate 1", "1", "builtin"):
        ska.fails(650, "POST", "key/attributes", {"label": name})


def test_an_unusable_key_is_refused(ska, csr):
    blocked = ska.make_key({**policy(), "keyStatus": {"blocked": True}})
    silent = ska.make_key(None, attributes={"sign": False})
    for label in (blocked, silent):
        body = {"signKeyName": label, "commonName": "CA"}
        ska.fails(614, "POST", "certificate/synchronous/selfsign", body)
        ska.fails(614, "POST", "synchronousSign", {"signKeyName": label, "payload": "aGk="})
    indestructible = ska.make_key(None, attributes={"destroyable": False})
    ska.fails(614, "DELETE", f"key/{indestructible}")


# ---- certificates ----

def test_a_request_says_what_was_asked(ska):
    label = ska.make_key(None)
    attributes = {"commonName": "Zürich CA", "country": "CH", "stateOrProvinceName": "ZH", "locality": "Zürich",
                  "organizationName": "Example AG", "organizationUnitName": "IT", "email": "ca@example.com",
                  "organizationIdentifier": "VATCH-123", "title": "Dr", "surname": "Muster", "givenName": "Eva",
                  "initials": "EM", "pseudonym": "E", "generationQualifier": "Jr"}
    answer = ska.ask("POST", "certificate/synchronous/request", {
        "signKeyName": label, "signatureAlgorithm": "SHA384_WITH_ECDSA", "standardCertificateAttributes": attributes,
        "keyUsage": ["DIGITAL_SIGNATURE, KEY_CERT_SIGN"], "extendedKeyUsage": ["SERVER_AUTH,CLIENT_AUTH"]})
    text = answer["certificateSigningRequest"].replace("NEW CERTIFICATE", "CERTIFICATE")
    request = x509.load_pem_x509_csr(text.encode())
    assert request.is_signature_valid and isinstance(request.signature_hash_algorithm, hashes.SHA384)
    assert sorted(one.value for one in request.subject) == sorted(attributes.values())
    usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.key_cert_sign and not usage.crl_sign
    assert len(request.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == 2
    own = load(ska.ask("GET", f"certificate/{label}")["certificate"])
    assert own.subject == request.subject and own.issuer == own.subject
    assert spki(own.public_key()) == spki(request.public_key())


def test_a_request_as_a_file(appliance, ska):
    label = ska.make_key(None)
    body = {"signKeyName": label, "standardCertificateAttributes": {"commonName": "x"}}
    answer = appliance.admin.ask("POST", "/v1/certificate/synchronous/request/download", body)
    assert answer.status == 200 and answer.text.startswith("-----BEGIN NEW CERTIFICATE REQUEST-----")


def test_requested_usages_and_days_are_honoured_but_never_beyond_the_issuer(ska, csr):
    label, issuer = ska.make_ca()
    body = {"signKeyName": label, "commonName": "leaf", "certificateSigningRequest": csr, "validity": 30,
            "keyUsage": ["CONTENT_COMMITMENT", "KEY_AGREEMENT"], "extendedKeyUsage": ["TIME_STAMPING"]}
    made = load(ska.ask("POST", "certificate/synchronous/sign", body)["certificate"])
    assert_issued(made, issuer, "leaf")
    assert made.not_valid_after - made.not_valid_before == datetime.timedelta(days=30)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment and usage.key_agreement and not usage.digital_signature
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.TIME_STAMPING]
    with pytest.raises(x509.ExtensionNotFound):
        made.extensions.get_extension_for_class(x509.BasicConstraints)
    long = load(ska.ask("POST", "certificate/synchronous/sign", {**body, "validity": 7300})["certificate"])
    assert long.not_valid_after == issuer.not_valid_after
    below = {**body, "keyUsage": [""], "extendedKeyUsage": [""], "certificateAuthority": True}
    ca = load(ska.ask("POST", "certificate/synchronous/sign", below)["certificate"])
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert ca.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_csrs_in_every_form_that_clients_send(ska, csr):
    label, issuer = ska.make_ca()
    bare = "".join(csr.split("\n")[1:-2])
    for text in (csr, csr.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), bare,
                 csr.replace("\n", "\r\n"), f"-----BEGIN NEW CERTIFICATE REQUEST-----\n{bare}"):
        body = {"signKeyName": label, "commonName": "leaf", "certificateSigningRequest": text}
        assert_issued(load(ska.ask("POST", "certificate/synchronous/sign", body)["certificate"]), issuer, "leaf")


def test_what_is_no_csr_or_not_its_senders(ska, csr):
    label, _ = ska.make_ca()
    der = bytearray(base64.b64decode("".join(csr.split("\n")[1:-2])))
    der[-5] ^= 1
    weak = make_csr(rsa.generate_private_key(65537, 1024))
    cases = {600: [""], 628: ["x", "AAAA", csr[:200], b64(b"0" * 100), b64(bytes(der) + b"x")], 411: [b64(bytes(der))],
             613: [weak]}
    for code, texts in cases.items():
        for text in texts:
            body = {"signKeyName": label, "commonName": "leaf", "certificateSigningRequest": text}
            ska.fails(code, "POST", "certificate/synchronous/sign", body)
            ska.fails(code, "POST", "certificate/sign", {"signCertificateRequest": body})


def test_wishes_that_break_a_rule(ska, csr):
    label, _ = ska.make_ca()
    good = {"signKeyName": label, "commonName": "leaf", "certificateSigningRequest": csr}
    for code, wrong in ((600, {"keyUsage": ["KEY_CERT_SIGN"]}), (501, {"keyUsage": ["SIGN"]}),
                        (501, {"extendedKeyUsage": ["SERVER_AUTH,X"]}),
                        (607, {"signatureAlgorithm": "SHA256_WITH_RSA"}),
                        (501, {"signatureAlgorithm": "MD5_WITH_RSA"}), (600, {"commonName": "x" * 65}),
                        (600, {"commonName": "a\u0007b"}), (600, {"validity": 0}), (650, {"signKeyName": "nobody"})):
        ska.fails(code, "POST", "certificate/synchronous/sign", {**good, **wrong})


def test_only_a_ca_that_is_valid_issues(ska, csr):
    body = {"commonName": "leaf", "certificateSigningRequest": csr}
    label = ska.make_key(None)
    ska.fails(402, "POST", "certificate/synchronous/sign", {**body, "signKeyName": label})  # no certificate at all
    for code, unusual in ((614, {"ca": False}), (402, {"days": -1, "begins": -9}), (402, {"begins": 2})):
        give_certificate(ska, label, **unusual)
        ska.fails(code, "POST", "certificate/synchronous/sign", {**body, "signKeyName": label})
    give_certificate(ska, label, path_length=0)
    ska.fails(614, "POST", "certificate/synchronous/sign", {**body, "signKeyName": label, "certificateAuthority": True})
    ska.ask("POST", "certificate/synchronous/sign", {**body, "signKeyName": label})


def test_an_imported_certificate_must_be_for_the_key(ska):
    label, other = ska.make_key(None), ska.make_key(None)
    made = certificate_for(public_key_of(ska, label))
    text = b64(made.public_bytes(Encoding.DER))
    ska.fails(402, "POST", "certificate/import/plain", {"label": other, "certificate": text})
    for wrong in ("x", text[:-8], b64(b"0"), text + "AAAA"):
        ska.fails(626, "POST", "certificate/import/plain", {"label": label, "certificate": wrong})
    ska.fails(650, "GET", f"certificate/{label}")
    pem = made.public_bytes(Encoding.PEM).decode()
    ska.ask("POST", "certificate/import/plain", {"label": label, "certificate": pem})
    assert load(ska.ask("GET", f"certificate/{label}")["certificate"]) == made
    ska.ask("DELETE", f"certificate/{label}")
    ska.fails(650, "DELETE", f"certificate/{label}")


# ---- approvals ----

def test_a_quorum_approves_and_twice_by_one_counts_once(ska, approvers, guarded, csr):
    one, two, three = approvers
    request = ska.certify(guarded, csr)
    task = ska.approve(one, request)
    ska.fails(652, "POST", "approval", one.answer(task))  # a replay
    assert ska.tasks(one, requestId=request) == []
    status = ska.status(request)
    assert (status["status"], status["approvedBy"]) == ("PENDING", [one.spki])
    assert sorted(status["notYetApprovedBy"]) == sorted([two.spki, three.spki])
    ska.approve(three, request)
    status = ska.status(request)
    assert status["status"] == "EXECUTED" and status["notYetApprovedBy"] == []
    assert_issued(load(status["result"]), load(ska.ask("GET", f"certificate/{guarded}")["certificate"]))
    assert ska.tasks(two, requestId=request) == []


def test_without_approvals_a_guarded_key_does_nothing(ska, guarded, csr):
    body = {"signKeyName": guarded, "commonName": "leaf", "certificateSigningRequest": csr}
    ska.fails(401, "POST", "certificate/synchronous/sign", body)
    ska.fails(401, "POST", "certificate/synchronous/selfsign", {"signKeyName": guarded, "commonName": "CA"})
    ska.fails(401, "POST", "certificate/synchronous/request",
              {"signKeyName": guarded, "standardCertificateAttributes": {"commonName": "x"}})
    ska.fails(401, "POST", "synchronousSign", {"signKeyName": guarded, "payload": "aGk="})


def test_answers_that_do_not_count(ska, approvers, guarded, csr):
    one, two, _ = approvers
    stranger = Approver()
    request = ska.certify(guarded, csr)
    other = ska.certify(guarded, csr)
    (task,) = ska.tasks(one, requestId=request)
    (other_task,) = ska.tasks(one, requestId=other)
    (theirs,) = ska.tasks(two, requestId=request)
    content = b64(b"something else")
    for code, body in (
            (403, one.answer(task, signature=one.sign(b"something else"))),
            (403, one.answer(task, approvalToBeSigned=content, signature=one.sign(b"something else"))),
            (403, one.answer(task, signature=one.answer(other_task)["signature"])),  # for another request
            (403, {**one.answer(other_task), "id": task["id"]}),
            (403, one.answer(task, signature="AAAA")), (600, one.answer(task, signature="")),
            (403, {**stranger.answer(task), **one.identity()}),
            (654, stranger.answer(task)),  # not in the policy
            (654, one.answer(theirs)),  # somebody else's task
            (403, one.answer(task, approvalDigestAlgorithm="SHA-512")),
            (501, one.answer(task, approvalDigestAlgorithm="SHA-1")),
            (403, one.answer(task, approvalDigestAlgorithm="EdDSA")),
            (652, one.answer(task, id="00000000-0000-4000-8000-000000000000")),
            (600, one.answer(task, approvalToBeSigned="%%")),
            (600, one.answer(task, approverCertificate="AAAA"))):
        ska.fails(code, "POST", "approval", body)
    assert ska.status(request)["approvedBy"] == []
    for request in (request, other):
        ska.ask("DELETE", f"request/{request}")
    ska.fails(652, "POST", "approval", one.answer(task))  # cancelled meanwhile


def test_timestamps_that_are_off(ska, approvers, guarded, csr):
    one = approvers[0]
    request = ska.certify(guarded, csr)
    (task,) = ska.tasks(one, requestId=request)
    for offset in (MINUTE, DAY, -DAY, -11 * MINUTE, 3600):
        ska.fails(404, "POST", "filteredSignApprovalTask", one.stamped(offset))
        ska.fails(404, "PATCH", "task", one.stamped(offset, id=task["id"]))
    ska.ask("POST", "filteredSignApprovalTask", one.stamped(-MINUTE))
    ska.ask("POST", "filteredSignApprovalTask", one.stamped(timestamp=stamp(-5).replace("Z", "+00:00")))
    for text in ("", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21", stamp().replace("T", " "), stamp()[:-1]):
        if text:
            ska.fails(404, "POST", "filteredSignApprovalTask", one.stamped(timestamp=text))
    signed_by_another = {**approvers[1].stamped(), **one.identity()}
    ska.fails(403, "POST", "filteredSignApprovalTask", signed_by_another)
    ska.fails(405, "POST", "filteredSignApprovalTask", Approver().stamped())
    ska.ask("DELETE", f"request/{request}")


def test_a_timestamp_that_was_used_rejects_nothing(ska, approvers, guarded, csr):
    one = approvers[0]
    request = ska.certify(guarded, csr)
    seen = one.stamped(requestId=request)
    (task,) = ska.ask("POST", "filteredSignApprovalTask", seen)["tasks"]
    seen.pop("requestId")
    ska.fails(404, "PATCH", "task", {**seen, "id": task["id"]})
    ska.ask("PATCH", "task", one.stamped(id=task["id"]))
    assert ska.status(request)["rejectedBy"] == [one.spki]
    ska.ask("DELETE", f"request/{request}")


def test_rejections_end_it_when_no_quorum_is_left(ska, approvers, guarded, csr):
    one, two, three = approvers
    request = ska.certify(guarded, csr)
    ska.reject(one, request)
    assert ska.status(request)["status"] == "PENDING"
    ska.approve(two, request)
    ska.reject(three, request)
    status = ska.status(request)
    assert status["status"] == "REJECTED" and status["result"] is None
    assert sorted(status["rejectedBy"]) == sorted([one.spki, three.spki])


def test_groups_are_all_needed_and_tokens_are_alternatives(ska, csr):
    boss, clerks = Approver(), [Approver(), Approver()]
    emergency = CertifiedApprover()
    label = ska.make_key(policy(token(group(1, boss), group(1, *clerks)), token(group(1, emergency))))
    give_certificate(ska, label)
    both, alone = ska.certify(label, csr), ska.certify(label, csr)
    ska.approve(clerks[0], both)
    ska.approve(clerks[1], both)
    assert ska.status(both)["status"] == "PENDING"
    ska.approve(boss, both)
    assert ska.status(both)["status"] == "EXECUTED"
    ska.approve(emergency, alone)
    status = ska.status(alone)
    assert (status["status"], status["approvedBy"]) == ("EXECUTED", [emergency.spki])  # keys, also of certificates


def test_every_kind_of_approvers_key(ska, csr):
    kinds = [Approver(rsa.generate_private_key(65537, 2048), "SHA-512"), Approver(ed25519.Ed25519PrivateKey.generate()),
             Approver(ec.generate_private_key(ec.SECP521R1()), "SHA-384")]
    label = ska.make_key(policy(token(group(len(kinds), *kinds))))
    give_certificate(ska, label)
    request = ska.certify(label, csr)
    for approver in kinds:
        ska.approve(approver, request)
    assert ska.status(request)["status"] == "EXECUTED"


def test_a_timelock_is_waited_for(appliance, ska, csr):
    approver = Approver()
    label = ska.make_key(policy(token(group(1, approver), timelock=MINUTE)))
    give_certificate(ska, label)
    request = ska.certify(label, csr)
    ska.approve(approver, request)
    assert ska.status(request)["status"] == "APPROVED"
    back_date(appliance, request, MINUTE)
    wait_until(lambda: ska.status(request)["status"] == "EXECUTED", seconds=60, what="the end of the timelock")


def test_a_timeout_ends_it(appliance, ska, csr):
    approver, other = Approver(), Approver()
    label = ska.make_key(policy(token(group(2, approver, other), timeout=MINUTE)))
    give_certificate(ska, label)
    request = ska.certify(label, csr)
    (task,) = ska.tasks(approver, requestId=request)
    ska.approve(other, request)
    back_date(appliance, request, MINUTE)
    assert ska.status(request)["status"] == "EXPIRED"
    ska.fails(652, "POST", "approval", approver.answer(task))
    assert ska.tasks(approver, requestId=request) == []


def test_approved_is_executed_after_a_restart(appliance, ska, csr):
    approver = Approver()
    label = ska.make_key(policy(token(group(1, approver), timelock=MINUTE)))
    give_certificate(ska, label)
    request = ska.certify(label, csr)
    ska.approve(approver, request)
    appliance.restart_control()
    back_date(appliance, request, MINUTE)
    wait_until(lambda: ska.status(request)["status"] == "EXECUTED", seconds=60, what="the execution")


def test_requests_are_cancelled_by_hand_and_with_their_key(ska, approvers, csr):
    one = approvers[0]
    label = ska.make_key(policy(token(group(1, one))))
    give_certificate(ska, label)
    first, second = ska.certify(label, csr), ska.certify(label, csr)
    assert ska.ask("DELETE", f"request/{first}") == {}
    assert ska.status(first)["status"] == "CANCELLED"
    assert ska.ask("DELETE", f"request/{first}") == {}  # again
    ska.ask("DELETE", f"key/{label}")
    assert ska.status(second)["status"] == "CANCELLED"
    ska.fails(651, "GET", "request/00000000-0000-4000-8000-000000000000")
    ska.fails(651, "DELETE", "request/nonsense")


def test_keys_without_a_rule_execute_at_once(ska, csr):
    for rule in (None, policy(), {"ruleUse": None}):
        label = ska.make_key(rule)
        body = {"signKeyName": label, "commonName": "CA", "certificateAuthority": True}
        request = ska.submit("certificate/selfsign", "selfSignCertificateRequest", body)
        status = ska.status(request)
        assert (status["status"], status["result"]) == ("EXECUTED", "true")
        assert_issued(load(ska.status(ska.certify(label, csr))["result"]),
                      load(ska.ask("GET", f"certificate/{label}")["certificate"]))
        asked = ska.submit("certificate/request", "csrSignRequest",
                           {"signKeyName": label, "standardCertificateAttributes": {"commonName": "x"}})
        assert ska.status(asked)["result"].startswith("-----BEGIN NEW CERTIFICATE REQUEST-----")


def test_tasks_tell_more_by_level_and_come_in_pages(ska, csr):
    approver = Approver()
    label = ska.make_key(policy(token(group(1, approver))))
    give_certificate(ska, label)
    meta = b64(b'{"app":"test"}')
    requests = [ska.certify(label, csr, metaData=meta, metaDataSignature="AAAA") for _ in range(3)]
    (plain,) = ska.tasks(approver, requestId=requests[0])
    assert set(plain) == {"detailLevel", "id", "approvalToBeSigned", "approverPublicKey"}
    said = json.loads(base64.b64decode(plain["approvalToBeSigned"]))
    assert (said["request"], said["key"], said["task"]) == (requests[0], label, plain["id"])
    (full,) = ska.tasks(approver, requestId=requests[0], detailLevel="level5")
    assert full["metaData"] == meta and full["requestId"] == requests[0] and full["signKeyName"] == label
    assert full["request"]["certificateSigningRequest"] == csr
    def page(number, order):
        paging = {"pageNumber": number, "pageSize": 2, "sortOrder": order}
        return [one["requestId"] for one in ska.tasks(approver, detailLevel="level3", paging=paging)]
    assert page(0, "CREATION_DATE_ASC") + page(1, "CREATION_DATE_ASC") == requests
    assert page(0, "CREATION_DATE_DESC") == requests[:0:-1]
    assert page(2, "CREATION_DATE_DESC") == []
    assert len(page(0, "LAST_FETCHED_DATE_ASC")) == 2
    for kind in ("Decrypt", "UnwrapKey", "BlockKey", "UnblockKey", "ModifyKey"):
        assert ska.ask("POST", f"filtered{kind}ApprovalTask", approver.stamped()) == {"tasks": []}
    assert len(ska.ask("POST", "filteredAllApprovalTask", approver.stamped())["tasks"]) == 3
    ska.fails(501, "POST", "filteredSignApprovalTask", approver.stamped(detailLevel="level6"))
    listed = ska.ask("POST", "filteredRequests", {"status": "PENDING"})
    assert {one["id"] for one in listed} >= set(requests) and {one["status"] for one in listed} == {"PENDING"}
    ska.ask("DELETE", f"request/{requests[0]}")
    both = ska.ask("POST", "filteredRequests", {"requestStatusList": ["CANCELLED", "PENDING", "CANCELLED"]})
    assert [(one["id"], one["status"]) for one in both["requests"]][:3] == [
        (requests[2], "PENDING"), (requests[1], "PENDING"), (requests[0], "CANCELLED")]  # the newest first
    assert len({one["id"] for one in both["requests"]}) == len(both["requests"])  # each once
    assert ska.ask("POST", "filteredRequests", {"requestStatusList": []}) == {"requests": []}
    ska.fails(501, "POST", "filteredRequests", {"requestStatusList": ["PENDING", "LOST"]})


def test_a_request_may_be_signed_by_whoever_makes_it(ska, csr):
    label, _ = ska.make_ca()
    key = rsa.generate_private_key(65537, 2048)
    body = {"signKeyName": label, "commonName": "Größe \"x\"", "certificateSigningRequest": csr, "validity": 30}
    def signature(text, **wrong):
        made = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {"signature": b64(made), "digestAlgorithm": "SHA-256", "publicKey": spki(key.public_key()), **wrong}
    good = signature(compact(body))
    # White space beside the signed member does not matter, nor does that within it.
    text = json.dumps({"requestSignature": good, "signCertificateRequest": body}, indent=2, ensure_ascii=False)
    answer = ska.client.ask("POST", "/v1/certificate/sign", text.encode(), "application/json")
    assert answer.status == 201, answer
    for code, wrong in ((403, signature(compact({**body, "validity": 31}))), (403, {**good, "signature": "AAAA"}),
                        (403, {**good, "publicKey": Approver().spki}), (501, {**good, "digestAlgorithm": "SHA-1"}),
                        (407, {**good, "publicKey": "AAAA"}), (600, "yes"), (600, {"signature": "AAAA"})):
        ska.fails(code, "POST", "certificate/sign", {"signCertificateRequest": body, "requestSignature": wrong})


def test_payloads_are_signed_but_no_certificates(ska, approvers, guarded):
    label = ska.make_key(None)
    payload = b"whatever is to be signed"
    answer = ska.ask("POST", "synchronousSign", {"signKeyName": label, "payload": b64(payload)})
    public_key_of(ska, label).verify(base64.b64decode(answer["signature"]), payload, ec.ECDSA(hashes.SHA256()))
    wrapped = {"payload": b64(payload), "payloadType": "UNSPECIFIED", "signKeyName": label,
               "signatureAlgorithm": "SHA384_WITH_ECDSA", "signatureType": "DER"}  # as the vendor's Go client does
    answer = ska.ask("POST", "synchronousSign", {"signRequest": wrapped})
    public_key_of(ska, label).verify(base64.b64decode(answer["signature"]), payload, ec.ECDSA(hashes.SHA384()))
    ska.fails(611, "POST", "synchronousSign", {"signRequest": {**wrapped, "signatureType": "RAW"}})
    ska.fails(611, "POST", "sign", {"signRequest": {**wrapped, "signatureType": "ETH"}})
    ska.fails(600, "POST", "synchronousSign", {"signRequest": "x", **wrapped})
    tbs = certificate_for(ec.generate_private_key(ec.SECP256R1()).public_key()).tbs_certificate_bytes
    ska.fails(612, "POST", "synchronousSign", {"signKeyName": label, "payload": b64(tbs)})
    ska.fails(612, "POST", "synchronousSign", {"signKeyName": label, "payload": "???"})
    request = ska.submit("sign", "signRequest", {"signKeyName": guarded, "payload": b64(payload)})
    for approver in approvers[:2]:
        ska.approve(approver, request)
    made = base64.b64decode(ska.status(request)["result"])
    public_key_of(ska, guarded).verify(made, payload, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public_key_of(ska, guarded).verify(made, b"other", ec.ECDSA(hashes.SHA256()))


def test_approvals_can_be_verified_again_from_what_is_stored(appliance, ska, approvers, guarded, csr):
    request = ska.certify(guarded, csr)
    for approver in approvers[:2]:
        ska.approve(approver, request)
    database = sqlite3.connect(appliance.database, timeout=60)
    rows = database.execute("SELECT approver, message, signature, digest FROM ska_task WHERE request = ?",
                            (request,)).fetchall()
    database.close()
    assert len(rows) == 2
    for approver, message, signature, digest in rows:
        assert digest == "SHA-256" and json.loads(message)["request"] == request
        load_public(b64(approver)).verify(signature, message, ec.ECDSA(hashes.SHA256()))


# ---- who may ----

def make_api_key(appliance, name, role):
    answer = appliance.admin.ask("POST", "/mintgate/v1/ska/api-keys", {"name": name, "role": role})
    assert answer.status == 200, answer
    return answer.json["key"]


def drop_api_key(appliance, name):
    assert appliance.admin.ask("DELETE", f"/mintgate/v1/ska/api-keys/{name}").status == 204


ROLES = {"keyManagementToken": ("GET", "/v1/key", None), "keyOperationToken": ("POST", "/v1/filteredRequests", {}),
         "serviceToken": ("GET", "/v1/versionInfo", None)}


def test_an_api_key_opens_what_its_role_says_and_nothing_else(appliance):
    for role in (*ROLES, "approverToken"):
        client = appliance.stranger(**{"X-API-KEY": make_api_key(appliance, f"only-{role}", role)})
        for other, request in ROLES.items():
            answer = client.ask(*request)
            assert answer.status == (200 if role == other else 401), (role, other, answer)
            assert role == other or answer.json["errorCode"] == 631
        assert client.ask("GET", "/zia/api/v1/status").status == 401
        assert client.ask("GET", "/mintgate/v1/default").status == 401
        drop_api_key(appliance, f"only-{role}")
        assert client.ask(*ROLES["serviceToken"]).status == 401


def test_keys_roll_over(appliance):
    """Old and new count side by side; a wrong one is 401 with the number that makes clients try the next."""
    old, new = (make_api_key(appliance, f"operation-{i}", "keyOperationToken") for i in (1, 2))
    for key in (old, new):
        assert appliance.stranger(**{"X-API-KEY": key}).ask("POST", "/v1/filteredRequests", {}).status == 200
    drop_api_key(appliance, "operation-1")
    for key, status in ((old, 401), (new, 200), (new[:-1], 401), ("", 401), (new.upper(), 401)):
        answer = appliance.stranger(**{"X-API-KEY": key}).ask("POST", "/v1/filteredRequests", {})
        assert answer.status == status, answer
        assert status == 200 or answer.json["errorCode"] == 631
    drop_api_key(appliance, "operation-2")


def test_api_keys_are_told_once_and_kept_as_hashes(appliance):
    key = make_api_key(appliance, "told", "serviceToken")
    listed = appliance.admin.ask("GET", "/mintgate/v1/ska/api-keys")
    assert [one["name"] for one in listed.json] == ["told"] and key not in listed.text
    content = b"".join(path.read_bytes() for path in appliance.database.parent.glob("control.db*"))
    assert key.encode() not in content
    assert key not in appliance.log("control").read_text(errors="replace")
    again = {"name": "told", "role": "serviceToken"}
    assert appliance.admin.ask("POST", "/mintgate/v1/ska/api-keys", again).status == 409
    drop_api_key(appliance, "told")


def jwt(key, subject, **claims):
    now = int(datetime.datetime.now().timestamp())
    def part(value):
        return base64.urlsafe_b64encode(compact(value).encode()).rstrip(b"=").decode()
    text = part({"alg": "RS256", "typ": "JWT"}) + "." + part(
        {"iss": subject, "sub": subject, "aud": "mintgate-ska", "exp": now + 3600, **claims})
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return text + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def test_jwts_that_a_client_has_signed_are_bearers(appliance):
    key = rsa.generate_private_key(65537, 2048)
    pem = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER"], check=True, capture_output=True,
                         input=base64.b64decode(spki(key.public_key()))).stdout.decode()
    made = appliance.admin.ask("POST", "/mintgate/v1/clients", {
        "id": "tenant", "role": "auditor", "families": ["securosys"], "publicKey": pem})
    assert made.status == 200, made
    elsewhere = {"id": "elsewhere", "role": "auditor", "families": ["zia"], "publicKey": pem}
    assert appliance.admin.ask("POST", "/mintgate/v1/clients", elsewhere).status == 200
    now = int(datetime.datetime.now().timestamp())
    def ask(token, method="GET", **headers):
        return appliance.stranger(Authorization=f"Bearer {token}", **headers).ask(method, "/v1/key", *(
            [{"label": "x", "algorithm": "RSA"}] if method == "POST" else []))
    good = jwt(key, "tenant")
    assert ask(good).status == 200
    assert ask(good, "POST").status == 403  # as the client's role says
    other = rsa.generate_private_key(65537, 2048)
    for bad in (jwt(other, "tenant"), jwt(key, "nobody"), jwt(key, "elsewhere"), jwt(key, "tenant", exp=now - 1),
                jwt(key, "tenant", aud="x"), jwt(key, "tenant", nbf=now + 3600),
                jwt(key, "tenant", exp=now + 500 * DAY), good[:-2], "a.b.c"):
        answer = ask(bad)
        assert answer.status == 401 and answer.json["errorCode"] == 631, answer
    management = make_api_key(appliance, "both", "keyManagementToken")
    assert ask(good, **{"X-API-KEY": management}).status == 200
    assert ask(good, "POST", **{"X-API-KEY": management}).status == 403  # both count
    assert ask("a.b.c", **{"X-API-KEY": management}).status == 401
    assert ask(good, **{"X-API-KEY": "wrong"}).status == 401
    drop_api_key(appliance, "both")
    for name in ("tenant", "elsewhere"):
        assert appliance.admin.ask("DELETE", f"/mintgate/v1/clients/{name}").status == 204


def test_approvers_need_a_key_where_there_are_such_keys(appliance, approvers, guarded):
    assert guarded
    one = approvers[0]

    def fetch(**headers):
        """The status, once the address may ask again."""
        while (answer := appliance.stranger(**headers).ask("POST", "/v1/filteredSignApprovalTask",
                                                           one.stamped())).status == 429:
            time.sleep(int(answer.headers["retry-after"]))
        assert answer.status == 200 or answer.json["errorCode"] == 631
        return answer.status
    assert fetch() == 200  # their signature is enough
    assert fetch(Authorization="Bearer ignored") == 200
    assert fetch(**{"X-API-KEY": "0" * 64}) == 401
    key = make_api_key(appliance, "approvers", "approverToken")
    assert fetch() == 401
    assert fetch(**{"X-API-KEY": key}) == 200
    drop_api_key(appliance, "approvers")


def test_each_change_is_in_the_audit_record(appliance, ska, approvers, guarded, csr):
    request = ska.certify(guarded, csr)
    for approver in approvers[:2]:
        ska.approve(approver, request)
    entries = appliance.admin.ask("GET", "/mintgate/v1/audit?max=20").json
    mine = [one for one in entries if one["object"] == f"ska-request/{request}"]
    assert [one["operation"] for one in reversed(mine)] == ["requestOperation", "approveRequest", "approveRequest",
                                                             "executeRequest"]
    assert mine[1]["actor"].startswith("approver:") and mine[0]["source"] == "internal"


def test_what_a_key_certified_is_in_the_issuance_journal(appliance, ska, csr):
    label, _ = ska.make_ca()
    body = {"signKeyName": label, "commonName": "noted", "certificateSigningRequest": csr}
    made = [load(ska.ask("POST", "certificate/synchronous/sign", body)["certificate"]),
            load(ska.status(ska.certify(label, csr))["result"]),
            load(ska.ask("GET", f"certificate/{label}")["certificate"])]  # the last by itself
    journal = "".join(path.read_text() for path in (appliance.directory / "signer").rglob("*journal*/*")
                      if path.is_file())
    for certificate in made:
        assert f'"serial":"{certificate.serial_number:032x}"' in journal, journal[-2000:]


def test_the_service_tells_what_it_is(ska):
    assert ska.ask("GET", "versionInfo")["name"] == "Mintgate"
    assert "SKA" in ska.ask("GET", "licenseInfo")["clientFlags"]
    assert ska.ask("GET", "keystore/statistics")["keys"] == len(ska.ask("GET", "key"))


# ---- Mintgate's own operations ----

CERTIFICATES = "/zia/api/v1/intermediateCaCertificate"


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """An appliance where a quorum opens makeDefault and generateCsr, and another sub/sign."""
    made = Appliance(tmp_path_factory.mktemp("gated"), approve_default="gate", approve_csr="gate",
                     approve_sub_ca="sub-gate")
    yield made
    made.stop()


def waits(answer):
    """The request that an operation waits for."""
    assert answer.status == 409 and answer.json["code"] == "APPROVAL_REQUIRED", answer
    return answer.json["message"].split("request ")[1].split(" ")[0]


def test_a_quorum_opens_csr_and_default_once(gated):
    ska, boss = Ska(gated.admin), Approver()
    life = Life(gated, Authority("Corporate Root"))
    number = life.make("gated", "PUBKEY_DONE")
    csr, default = f"{CERTIFICATES}/generateCsr/{number}", f"{CERTIFICATES}/makeDefault/{number}"
    # Nobody can approve: so nobody may.
    assert gated.admin.ask("POST", csr, {"commName": "gated"}).json["code"] == "APPROVAL_REQUIRED"
    ska.make_key(policy(token(group(1, boss))), label="gate")
    request = waits(gated.admin.ask("POST", csr, {"commName": "gated"}))
    assert waits(gated.admin.ask("POST", csr, {"commName": "gated"})) == request
    other = waits(gated.admin.ask("POST", csr, {"commName": "another"}))
    assert other != request  # an approval is for what was asked, and for nothing else
    ska.approve(boss, request)
    assert ska.status(request)["status"] == "APPROVED"
    assert waits(gated.admin.ask("POST", csr, {"commName": "another"})) == other
    assert gated.admin.ask("POST", csr, {"commName": "gated"}).status == 200
    assert ska.status(request)["status"] == "EXECUTED"
    assert waits(gated.admin.ask("POST", csr, {"commName": "gated"})) != request  # once
    life._upload(number)
    life._finalize(number)
    request = waits(gated.admin.ask("PUT", default))
    (task,) = ska.tasks(boss, requestId=request, detailLevel="level4")
    assert task["request"] == {"operation": "makeDefault", "intermediate": number}
    assert task["operation"] == "MINTGATE_MAKE_DEFAULT"
    ska.ask("POST", "approval", boss.answer(task))
    assert gated.admin.ask("PUT", default).status == 200
    assert life.show(number)["defaultCertificate"]
    assert gated.admin.ask("PUT", default).status == 200  # it is: there is nothing to approve
    assert waits(gated.admin.ask("PUT", f"{CERTIFICATES}/makeDefault/1"))
    assert waits(gated.admin.ask("PUT", "/mintgate/v1/default/previous"))


def waits_too(answer, status=409):
    """The same in the words of the NAVER family."""
    assert answer.status == status and answer.json["code"] == "NOT_AUTHORIZED_ACTION", answer
    assert answer.json["data"] is None
    return answer.json["msg"]


def request_of(answer):
    return waits_too(answer).split("request ")[1].split(" ")[0]


def test_a_quorum_opens_the_signature_of_a_private_ca_once(gated):
    ska, cas, one, two = Ska(gated.admin), Authorities(gated.admin), Approver(), Approver()
    root = cas.tag()
    sub = cas.tag("PRIVATE_SUB", root)  # its key stays in the signer: nobody is asked
    csr, another = (pem_of(request_for("Some Intermediate")[0]) for _ in range(2))
    body = {"period": "30", "csrPem": csr}
    # Nobody can approve: so nobody may.
    assert "sub-gate" in waits_too(cas.ask("POST", f"/{root}/sub/sign", body), 403)
    ska.make_key(policy(token(group(2, one, two))), label="sub-gate")
    request = request_of(cas.ask("POST", f"/{root}/sub/sign", body))
    assert request_of(cas.ask("POST", f"/{root}/sub/sign", body)) == request
    others = [request_of(cas.ask("POST", f"/{tag}/sub/sign", dict(body, **other)))
              for tag, other in ((sub, {}), (root, {"period": "31"}),
                                 (root, {"csrPem": another}))]
    assert len({request, *others}) == 4  # an approval is for one CA, period and request
    (task,) = ska.tasks(one, requestId=request, detailLevel="level4")
    shown = task["request"]
    assert (task["operation"], shown["ca"], shown["subject"], shown["period"]) == (
        "MINTGATE_SIGN_SUB_CA", root, "CN=Some Intermediate", 30)
    digest = hashlib.sha256(x509.load_pem_x509_csr(csr.encode()).public_bytes(Encoding.DER))
    assert shown["csrSha256"] == digest.hexdigest()
    ska.approve(one, request)
    assert request_of(cas.ask("POST", f"/{root}/sub/sign", body)) == request  # one of two
    ska.approve(two, request)
    for other in others:
        assert ska.status(other)["status"] == "PENDING"
    signed = cas.do("POST", f"/{root}/sub/sign", body)
    assert load(signed["certificate"]).subject.rfc4514_string() == "CN=Some Intermediate"
    assert ska.status(request)["status"] == "EXECUTED"
    assert request_of(cas.ask("POST", f"/{root}/sub/sign", body)) != request  # once
    # What is wrong is told before anybody is asked, and end-entities need nobody.
    assert cas.ask("POST", f"/{root}/sub/sign", dict(body, period="3650")).json["code"] == "EXCEED_EXPIRY_DATE"
    assert cas.do("POST", f"/{root}/cert/sign", body)["certificate"]


# ---- the command line ----

def ctl(appliance, *words, code=0):
    command = [BUILD / "control/ctl/mintgatectl", "--socket", appliance.directory / "control.sock", *words]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == code, result
    return result.stdout


def test_an_approver_answers_at_the_command_line(appliance, ska, csr, tmp_path):
    approver = Approver()
    path = tmp_path / "approver.pem"
    path.write_bytes(approver.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    label = ska.make_key(policy(token(group(1, approver))))
    give_certificate(ska, label)
    first, second = ska.certify(label, csr), ska.certify(label, csr)
    ctl(appliance, "ska", "tasks", "--key", path, code=1)  # others can read it
    path.chmod(0o600)
    assert label in ctl(appliance, "ska", "keys") and label in ctl(appliance, "ska", "key", label)
    lines = ctl(appliance, "ska", "tasks", "--key", path).splitlines()
    assert lines[0].split() == ["TASK", "OPERATION", "KEY", "REQUEST"]
    tasks = {line.split()[3]: line.split()[0] for line in lines[1:]}
    ctl(appliance, "ska", "approve", tasks[first], "--key", path)
    ctl(appliance, "ska", "approve", tasks[first], "--key", path, code=1)
    ctl(appliance, "ska", "reject", tasks[second], "--key", path)
    told = json.loads(ctl(appliance, "ska", "request", first))
    assert told["status"] == "EXECUTED" and told["result"].startswith("-----BEGIN CERTIFICATE")
    assert [line.split()[1] for line in ctl(appliance, "ska", "requests").splitlines()[1:3]] == ["REJECTED", "EXECUTED"]
    third = ska.certify(label, csr)
    ctl(appliance, "ska", "cancel", third)
    assert ska.status(third)["status"] == "CANCELLED"


def test_keys_and_certificates_at_the_command_line(appliance, ska, tmp_path):
    approver, path = Approver(), tmp_path / "policy.json"
    path.write_text(json.dumps(policy(token(group(1, approver)))))
    ctl(appliance, "ska", "key-create", "cli-guarded", "--policy", path)
    ctl(appliance, "ska", "key-create", "cli-free", "--key-type", "RSA2048")
    told = [ska.ask("POST", "key/attributes", {"label": label})["json"] for label in ("cli-guarded", "cli-free")]
    assert [(one["algorithm"], one["keySize"]) for one in told] == [("EC", 256), ("RSA", 2048)]
    assert told[1]["policy"] is None and told[0]["policy"]["ruleUse"]["tokens"][0]["groups"][0]["quorum"] == 1
    made = certificate_for(public_key_of(ska, "cli-free"))
    (tmp_path / "c.pem").write_bytes(made.public_bytes(Encoding.PEM))
    ctl(appliance, "ska", "certificate-import", "cli-free", tmp_path / "c.pem")
    assert load(ctl(appliance, "ska", "certificate", "cli-free")) == made
    ctl(appliance, "ska", "certificate-import", "cli-guarded", tmp_path / "c.pem", code=1)  # another key's
    path.write_text("{")
    ctl(appliance, "ska", "key-create", "cli-bad", "--policy", path, code=1)
    ctl(appliance, "ska", "key-create", "cli-bad", "--key-type", "EC521", code=2)
    ctl(appliance, "ska", "key-create", "cli-free", code=1)  # there is one
    for label in ("cli-guarded", "cli-free"):
        ctl(appliance, "ska", "key-delete", label)
    assert not {"cli-guarded", "cli-free", "cli-bad"} & set(ska.ask("GET", "key"))


def test_api_keys_at_the_command_line(appliance):
    words = ctl(appliance, "ska", "api-key-add", "by-hand", "--role", "serviceToken").split()
    client = appliance.stranger(**{"X-API-KEY": words[-1]})
    assert client.ask("GET", "/v1/versionInfo").status == 200
    assert "by-hand" in ctl(appliance, "ska", "api-key-list") and words[-1] not in ctl(appliance, "ska", "api-key-list")
    ctl(appliance, "ska", "api-key-delete", "by-hand")
    assert client.ask("GET", "/v1/versionInfo").status == 401
    ctl(appliance, "ska", "api-key-add", "no-role", code=2)
    ctl(appliance, "ska", "api-key-add", "bad-role", "--role", "x", code=1)


# ---- without the signer ----

def count_unwanted(appliance):
    database = sqlite3.connect(f"file:{appliance.database}?mode=ro", uri=True, timeout=60)
    (number,) = database.execute("SELECT count(*) FROM ska_unwanted").fetchone()
    database.close()
    return number


def test_what_the_signer_missed_is_done_when_it_is_back(gated):
    """An approved request is executed then; a key that was wished for in vain is wanted no more, and leaves nothing."""
    ska, approver = Ska(gated.admin), Approver()
    label = ska.make_key(policy(token(group(1, approver))))
    keys = gated.state()["keys"]
    body = {"signKeyName": label, "payload": "aGk="}
    request = ska.submit("sign", "signRequest", body)
    gated.processes["signer"].terminate()
    assert gated.processes["signer"].wait(timeout=60) == 0
    ska.approve(approver, request)
    assert ska.status(request)["status"] == "APPROVED"
    vain = {"label": "in-vain", "algorithm": "EC", "curveOid": "1.2.840.10045.3.1.7"}
    for method, path, wish in (("POST", "key", vain), ("POST", "synchronousSign", {**body, "signKeyName": "in-vain"})):
        answer = gated.admin.ask(method, f"/v1/{path}", wish)
        assert answer.status in (503, 404), answer
    assert count_unwanted(gated) == 1
    gated.start("signer", "hsm/mintgate-signer")
    wait_until(lambda: ska.status(request)["status"] == "EXECUTED", seconds=60, what="the execution")
    wait_until(lambda: count_unwanted(gated) == 0, seconds=60, what="the end of the key that nobody wants")
    assert gated.state()["keys"] == keys and "in-vain" not in ska.ask("GET", "key")


def test_an_approval_counts_again_where_the_signer_was_away(gated):
    ska, cas, boss = Ska(gated.admin), Authorities(gated.admin), Approver()
    if "sub-gate" in ska.ask("GET", "key"):
        ska.ask("POST", "key/deleteKey", {"label": "sub-gate"})
    ska.make_key(policy(token(group(1, boss))), label="sub-gate")
    path, body = f"/{cas.tag()}/sub/sign", {"period": "30", "csrPem": pem_of(request_for("Patient")[0])}
    request = request_of(cas.ask("POST", path, body))
    ska.approve(boss, request)
    gated.processes["signer"].terminate()
    assert gated.processes["signer"].wait(timeout=60) == 0
    assert cas.ask("POST", path, body).status == 503
    assert ska.status(request)["status"] == "APPROVED"
    gated.start("signer", "hsm/mintgate-signer")
    wait_until(lambda: cas.ask("POST", path, body).status == 200, seconds=60, what="the signature")
    assert ska.status(request)["status"] == "EXECUTED"
