# SPDX-License-Identifier: Apache-2.0
# flake8: noqa: F811
"""What CCADB's records do to what clients see: a revoked default is succeeded without a failed connection; without a
successor nothing is signed, as ccadb.revoked_default says; and a record's CRL address is in the leaves."""

import json
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from ccadbkit import SUBMIT, information
from controlplane import ControlPlane
from labkit import wait_until
from test_expiry import BUILT_IN, GOOD, PASSED, Intermediates, authority, ctl, health, shown  # noqa: F401
from tlskit import configured, counting, edited, s_client

OWNER = "Corporate CA"
REVOKED = {"RevocationStatus": "Revoked", "DateOfRevocation": "2026-01-01", "RevocationReasonCode": "superseded"}
UNSERVED = "mintgate_minting_issuers_revoked_unserved"


@pytest.fixture(scope="module")
def control(lab):
    before = lab.config
    lab.config = edited(before, ccadb={"crl_pointers": True})
    try:
        with ControlPlane(lab) as made:
            yield made
            made.ask("PUT", "/zia/api/v1/intermediateCaCertificate/makeDefault/1")
    finally:
        lab.config = before


@pytest.fixture
def intermediates(ctl, control, authority, tmp_path):
    made = Intermediates(ctl, authority, tmp_path)
    if OWNER not in ctl("ccadb", "owner", "list"):
        root = tmp_path / "root.pem"
        root.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
        ctl("ccadb", "owner", "add", OWNER)
        ctl("ccadb", "root", "add", root, "--owner", OWNER)
    yield made
    ctl("intermediate", "default", "1")
    for name in made.names:
        ctl("intermediate", "delete", name)


def change(control, ctl, name, **sections):
    """Updates the record of an intermediate, as an administrator on the machine; the answer."""
    record = next(one for one in json.loads(ctl("ccadb", "record", "list", "--json")) if one["name"] == name)
    shown_record = json.loads(ctl("ccadb", "record", "show", record["id"], "--json"))
    certificate = x509.load_pem_x509_certificate(shown_record["certificate"].encode())
    body = {"CertificateInformation": information(certificate, None, OWNER, SalesforceRecordId=record["id"],
                                                  IntermediateCertificateName=name), **sections}
    code, answer = control.ask("POST", SUBMIT, "-H", "Content-Type: application/json", "-d", json.dumps(body))
    assert code == 200, answer
    return answer


class Clients(threading.Thread):
    """Connects again and again; a handshake that fails is remembered."""

    def __init__(self, lab, roots):
        super().__init__(daemon=True)
        self.lab, self.roots = lab, roots
        self.seen, self.trouble, self.ended = [], None, threading.Event()

    def run(self):
        try:
            while not self.ended.is_set():
                self.seen.append(shown(self.lab, self.roots))
        except (AssertionError, ValueError) as error:
            self.trouble = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.ended.set()
        self.join(timeout=60)
        assert self.trouble is None, self.trouble


def test_a_revoked_default_is_succeeded_without_a_failed_connection(lab, control, ctl, intermediates, roots):
    first, second = intermediates.make("First"), intermediates.make("Second", enabled=False)
    ctl("successor", "set", str(first), str(second))
    ctl("intermediate", "default", str(first))
    with counting(lab) as counts, Clients(lab, roots) as clients:
        wait_until(lambda: "First" in clients.seen, what="a connection")
        assert change(control, ctl, "First", RevocationInformation=REVOKED)["ProcessingStatus"] == "Success"
        assert control.default()["id"] == second
        before = len(clients.seen)
        wait_until(lambda: len(clients.seen) > before + 2, what="connections after that")
    assert clients.seen[-1] == "Second" and set(clients.seen[before + 1:]) == {"Second"}
    assert set(clients.seen) <= {"First", "Second"} and counts["ways_out"] == {}
    assert ctl("intermediate", "default", str(first), check=False) != 0


def test_without_a_successor_nothing_is_signed_and_everybody_says_so(lab, control, ctl, intermediates, roots):
    number = intermediates.make("Alone")
    ctl("intermediate", "default", str(number))
    assert shown(lab, roots) == "Alone"
    answer = change(control, ctl, "Alone", RevocationInformation=REVOKED)
    assert answer["ProcessingStatus"] == "SuccessWithWarnings"
    lab.mark()
    with counting(lab) as counts:
        assert shown(lab, roots) == PASSED
    assert counts["ways_out"] == {"issuer_revoked": 1} and counts["decisions"] == {}
    (record,) = lab.records(reason="issuer_revoked")
    assert record["action"] == "bypass" and lab.metric(UNSERVED) == 1
    assert health(lab) == {"status": "alarm", "alarms": ["issuer_revoked"]}
    assert "the default is revoked, and nobody signs in its place" in ctl("status")
    wait_until(lambda: "ALARM issuer_revoked" in lab.engine_log(), what="the engine's word")
    with configured(lab, ccadb={"revoked_default": "block"}):
        lab.mark()
        assert s_client(lab, GOOD, roots=roots).verdict is None
        (record,) = lab.records(reason="issuer_revoked")
        assert record["action"] == "block"
    ctl("successor", "set", str(number), "1")  # late is better than never
    wait_until(lambda: control.default()["id"] == 1, seconds=60, what="the successor as the default")
    assert shown(lab, roots) == BUILT_IN and health(lab)["status"] == "ok"


def crl_of(lab, roots):
    """The CRL addresses in the leaf that a client sees."""
    handshake = s_client(lab, GOOD, roots=roots)
    assert handshake.verdict == 0, handshake.text
    try:
        points = handshake.chain[0].extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    except x509.ExtensionNotFound:
        return []
    return [name.value for point in points for name in point.full_name]


def test_a_records_crl_address_is_in_the_leaves(lab, control, ctl, intermediates, roots):
    ctl("intermediate", "default", str(intermediates.make("With a list")))
    assert crl_of(lab, roots) == []
    first, second = "http://crl.ca.example/full.crl", "http://crl.ca.example/all.crl"
    for section, expected in (({"FullCRLIssuedByThisCA": first}, [first]),
                              ({"FullCRLIssuedByThisCA": "", "JSONArrayofAllFullCRLURLs": [second]}, [second]),
                              ({"JSONArrayofAllFullCRLURLs": [], "JSONArrayofPartitionedCRLs": [first, second]}, [])):
        change(control, ctl, "With a list", PertainingToCertificatesIssued=section)
        assert crl_of(lab, roots) == expected
