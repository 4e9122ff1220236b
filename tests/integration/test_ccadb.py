# SPDX-License-Identifier: Apache-2.0
"""The CCADB family over TLS on the real server: the seed document's examples, with certificates that are some, and
every rule of its fields."""

import json
import re
import secrets
import sqlite3
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ccadbkit import (ADMIN, AUTHORIZE, FORM, PASSWORD, REDIRECT, SUBMIT, TOKEN, Browser, Caller, Ccadb, fingerprint,
                      has_check, information, intermediate, location, one_line)
from keyskit import Authority
from labkit import BUILD, run
from restkit import CERTIFICATES, Life, form

OWNER, OTHER = "Digicert", "Another CA"
INVALID_SESSION = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


@pytest.fixture(scope="module")
def root():
    return Authority("Trusted Root CA G2")


@pytest.fixture(scope="module")
def other_root():
    return Authority("Chambers of Commerce Root")


@pytest.fixture(scope="module")
def ccadb(appliance, root, other_root):
    made = Ccadb(appliance)
    made.root_id, made.other_root_id = made.add_owner(OWNER, root), made.add_owner(OTHER, other_root)
    made.manage("POST", "auditors", {"name": "Auditor Name", "location": "United States"})
    made.manage("POST", "auditors", {"name": "Auditor Name", "location": "Germany"})
    made.manage("POST", "auditors", {"name": "Other Auditor"})
    return made


@pytest.fixture(scope="module")
def caller(ccadb):
    return ccadb.caller("alice@ca.example", OWNER)


@pytest.fixture(scope="module")
def stranger_to_it(ccadb):
    return ccadb.caller("mallory", OTHER, may_revoke=True)


@pytest.fixture(scope="module")
def existing(caller, root):
    """A record that tests change and change back."""
    certificate = intermediate(root)
    return caller.add(certificate, root.certificate, OWNER), certificate


# ---- allowing a client ----

def test_the_page_has_no_script_and_nobody_frames_or_keeps_it(appliance, ccadb):
    answer = Browser(appliance, ccadb.client, state='"><script>x</script>').open()
    assert answer.status == 200 and answer.media == "text/html; charset=utf-8"
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text and ccadb.client["name"] in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert policy.count(REDIRECT.rstrip("/")) == 1
    assert answer.headers["x-frame-options"] == "DENY" and answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/services/oauth2"))


def test_the_flow_of_the_seed_document(appliance, ccadb, caller):
    browser = Browser(appliance, ccadb.client)
    assert browser.open().status == 200
    answer = browser.answer(caller.name)
    assert answer.status == 302 and answer.headers["location"].startswith(f"{REDIRECT}?code=")
    sent = location(answer)
    assert set(sent) == {"code", "sfdc_community_url", "sfdc_community_id"}
    assert sent["sfdc_community_url"] == f"https://127.0.0.1:{appliance.port}" and has_check(sent["sfdc_community_id"])
    tokens = ccadb.token(grant_type="authorization_code", code=sent["code"], redirect_uri=REDIRECT)
    assert tokens.status == 200 and tokens.headers["cache-control"] == "no-store"
    assert set(tokens.json) == {"access_token", "refresh_token", "sfdc_community_url", "sfdc_community_id", "signature",
                                "scope", "id_token", "issued_at"}
    assert tokens.json["issued_at"].isdigit() and set(tokens.json["scope"].split()) == {
        "visualforce", "refresh_token", "web", "api", "full"}
    for _ in range(2):  # it can be reused
        again = ccadb.token(grant_type="refresh_token", refresh_token=tokens.json["refresh_token"])
        assert set(again.json) == {"access_token", "sfdc_community_url", "sfdc_community_id", "signature", "scope",
                                   "instance_url", "id", "token_type", "issued_at"}
        assert again.json["token_type"] == "Bearer" and again.json["access_token"] != tokens.json["access_token"]
        client = appliance.stranger(Authorization=f"Bearer {again.json['access_token']}")
        assert client.ask("POST", SUBMIT, {"nonce": secrets.token_hex(8)}).status == 400


def test_an_older_texts_names_are_taken_too(appliance, ccadb, caller):
    code = Browser(appliance, ccadb.client).code(caller.name)
    assert ccadb.token(grant_type="code", code=code, redirect_url=REDIRECT).status == 200


def test_the_state_comes_back_and_a_no_is_told(appliance, ccadb, caller):
    browser = Browser(appliance, ccadb.client, state="a b&c=ä")
    browser.open()
    assert location(browser.answer(caller.name))["state"] == "a b&c=ä"
    sent = location(browser.answer("", "", answer="deny"))
    assert sent["error"] == "access_denied" and sent["state"] == "a b&c=ä" and "code" not in sent


def test_the_code_lands_on_a_page_of_ours(appliance):
    page = appliance.stranger().ask("GET", "/?code=abc&sfdc_community_id=x")
    assert page.status == 200 and "abc" not in page.text and "address bar" in page.text


@pytest.mark.parametrize("changed", [{"client_id": "0" * 64}, {"redirect_uri": "https://evil.example/"},
                                     {"redirect_uri": REDIRECT + "x"}, {"redirect_uri": ""}, {"client_id": ""},
                                     {"redirect_uri": "https://ca.example"}, {"state": "x" * 257}])
def test_nobody_is_sent_to_an_address_that_is_not_registered(appliance, ccadb, caller, changed):
    browser = Browser(appliance, ccadb.client)
    browser.open()
    good = dict(browser.asked)
    browser.asked.update(changed)
    answer = browser.open()
    assert answer.status == 400 and "location" not in answer.headers
    browser.asked = good
    browser.open()
    answer = browser.answer(caller.name, **changed)
    assert answer.status in (400, 403) and "location" not in answer.headers


def test_another_response_type_is_refused_at_the_clients_address(appliance, ccadb):
    browser = Browser(appliance, ccadb.client)
    browser.asked["response_type"] = "token"
    answer = browser.open()
    assert answer.status == 302 and location(answer) == {"error": "unsupported_response_type"}


def test_a_form_of_another_page_is_not_taken(appliance, ccadb, caller):
    own, other = Browser(appliance, ccadb.client), Browser(appliance, ccadb.client)
    own.open()
    other.open()
    for changed in ({"form": other.fields["form"]}, {"form": ""}, {"form": own.fields["form"][:-1]},
                    {"state": "other"}):
        assert own.answer(caller.name, **changed).status == 403
    for cookie in (None, other.cookie, "ccadb_form=", "ccadb_form=" + "0" * 32):
        own.cookie = cookie
        own_answer = own.answer(caller.name)
        assert own_answer.status == 403 and "location" not in own_answer.headers


def test_wrong_passwords_and_users_without_the_right_get_no_code(appliance, ccadb, caller):
    appliance.add_user("bob", "admin", PASSWORD)
    browser = Browser(appliance, ccadb.client)
    browser.open()
    for user, password in (("bob", PASSWORD), ("bob", "a wrong password"), ("nobody", PASSWORD), ("", ""),
                           (caller.name, "a wrong password")):
        answer = browser.answer(user, password)
        assert answer.status == 403 and "location" not in answer.headers, user
    browser.open()
    assert browser.answer(caller.name, answer="perhaps").status == 400


def test_a_code_used_twice_ends_what_it_gave(appliance, ccadb):
    first = ccadb.caller("twice", OWNER)
    code = Browser(appliance, ccadb.client).code("twice")
    stolen = Caller(ccadb, "twice", code)
    assert stolen.submit({}).status == 400
    again = ccadb.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    assert stolen.submit({}).status == 401
    refreshed = ccadb.token(grant_type="refresh_token", refresh_token=stolen.tokens["refresh_token"])
    assert (refreshed.status, refreshed.json["error"]) == (400, "invalid_grant")
    assert first.submit({}).status == 400, "what another code gave has ended too"


def test_token_requests_that_are_refused(appliance, ccadb, caller):
    other = ccadb.manage("POST", "clients", {"name": "other tool", "redirectUri": REDIRECT})
    code = Browser(appliance, ccadb.client).code(caller.name)
    good = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    refresh = {"grant_type": "refresh_token", "refresh_token": caller.tokens["refresh_token"]}
    for error, fields in [
            ("redirect_uri_mismatch", dict(good, redirect_uri="https://ca.example/x")),
            ("invalid_client", dict(good, client_secret="0" * 64)), ("invalid_client_id", dict(good, client_id="x")),
            ("invalid_grant", dict(good, code="0" * 64)),
            ("invalid_grant", dict(good, client_id=other["id"], client_secret=other["secret"])),
            ("invalid_grant", dict(refresh, client_id=other["id"], client_secret=other["secret"])),
            ("invalid_grant", dict(refresh, refresh_token=caller.tokens["access_token"])),
            ("invalid_grant", dict(good, code=caller.tokens["refresh_token"])),
            ("unsupported_grant_type", dict(good, grant_type="password")), ("invalid_request", {}),
            ("invalid_request", {"grant_type": "authorization_code", "code": code}),
            ("invalid_request", {"grant_type": "refresh_token"})]:
        answer = ccadb.token(**fields)
        assert (answer.status, answer.json["error"]) == (400, error), (fields, answer)
    assert ccadb.token(**good).status == 200, "the code counts still: none of these was it"


def test_tokens_count_in_their_family_alone(appliance, ccadb, caller):
    for token in ("", "x", "0" * 64, caller.tokens["refresh_token"], appliance.token("admin")):
        answer = appliance.stranger(Authorization=f"Bearer {token}").ask("POST", SUBMIT, {})
        assert (answer.status, answer.json) == (401, INVALID_SESSION)
    for path in (CERTIFICATES, f"{ADMIN}/records", "/mintgate/v1/users", "/mintgate/v1/default"):
        assert caller.http.ask("GET", path).status == 401, path
    assert caller.http.ask("POST", f"{ADMIN}/owners", {"name": "mine"}).status == 401


def test_tokens_end_with_the_right_the_password_the_user_and_the_client(appliance, ccadb):
    own = Ccadb(appliance)  # with a client of its own

    def ends(name, ending):
        one = own.caller(name, OWNER)
        assert one.submit({}).status == 400
        ending()
        assert one.submit({}).status == 401, name
        refreshed = own.token(grant_type="refresh_token", refresh_token=one.tokens["refresh_token"])
        assert refreshed.status == 400, name
    ends("loses-right", lambda: ccadb.manage("DELETE", "users/loses-right"))
    ends("is-disabled", lambda: appliance.disable_user("is-disabled"))
    ends("is-deleted", lambda: appliance.admin.ask("DELETE", "/mintgate/v1/users/is-deleted"))
    assert "is-deleted" not in str(ccadb.manage("GET", "users")), "somebody of the same name would have the right"
    ends("loses-client", lambda: ccadb.manage("DELETE", f"clients/{own.client['id']}"))


def test_a_refresh_token_outlives_a_restart(appliance, ccadb):
    one = ccadb.caller("stays", OWNER)
    appliance.restart_control()
    assert one.submit({}).status == 400
    assert ccadb.token(grant_type="refresh_token", refresh_token=one.tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("uri", ["http://ca.example/", "ca.example", "https://", "https://ca.example/#x", "ftp://a/",
                                 "javascript:alert(1)", "http://localhost.evil.example/", "https://a b/",
                                 "https://a/" + "x" * 512])
def test_addresses_that_no_client_may_register(appliance, ccadb, uri):
    answer = appliance.admin.ask("POST", f"{ADMIN}/clients", {"name": "bad", "redirectUri": uri})
    assert answer.status == 400 and "redirectUri" in answer.json["message"]


# ---- GetCertificateId ----

def test_the_seeds_examples_of_get_certificate_id(caller, existing):
    record_id, certificate = existing
    body = {"PEM": one_line(certificate), "SHA256": fingerprint(certificate), "RecordType": "Intermediate Certificate"}
    answer = caller.record_id(**body)
    assert answer.status == 200
    assert answer.json == {"ProcessingStatus": "Success", "Errors/Warnings": [], "RecordId": record_id}
    answer = caller.record_id(**dict(body, SHA256=body["SHA256"] + "x"))
    assert answer.status == 400
    assert answer.json == {"ProcessingStatus": "Fail", "Errors/Warnings": ["Certificate not found in CCADB."],
                           "RecordId": ""}


def test_a_record_id_by_either_and_of_either_kind(ccadb, caller, root, existing):
    record_id, certificate = existing
    kind = {"RecordType": "Intermediate Certificate"}
    for body in ({"PEM": one_line(certificate)}, {"SHA256": fingerprint(certificate).lower()},
                 {"PEM": certificate.public_bytes(Encoding.PEM).decode(), "SHA256": None}):
        assert caller.record_id(**body, **kind).json["RecordId"] == record_id
    found = caller.record_id(SHA256=fingerprint(root.certificate), RecordType="Root Certificate")
    assert found.json["RecordId"] == ccadb.root_id and has_check(ccadb.root_id)


def test_record_ids_that_are_not_found(caller, root, existing):
    _, certificate = existing
    good = {"PEM": one_line(certificate), "RecordType": "Intermediate Certificate"}
    for body in (dict(good, RecordType="Root Certificate"), dict(good, SHA256=fingerprint(root.certificate)),
                 dict(good, RecordType="Certificate"), dict(good, PEM="x"), dict(good, PEM=""), {"RecordType": "x"},
                 {"PEM": good["PEM"]}, dict(good, PEM=5), dict(good, SHA256=[]), {},
                 {"SHA256": "0" * 64, "RecordType": "Intermediate Certificate"}):
        answer = caller.record_id(**body)
        assert answer.status == 400 and answer.json["ProcessingStatus"] == "Fail", body
        assert answer.json["RecordId"] == "" and answer.json["Errors/Warnings"], body


def test_the_first_of_several_records_of_one_certificate_is_told(ccadb, caller, root, existing):
    record_id, certificate = existing
    ccadb.manage("POST", "owners", {"name": "Third CA"})
    ccadb.manage("POST", "roots", {"owner": "Third CA", "certificate": root.pem()})
    third = ccadb.caller("third", "Third CA")
    assert third.add(certificate, root.certificate, "Third CA") != record_id
    found = third.record_id(SHA256=fingerprint(certificate), RecordType="Intermediate Certificate")
    assert found.json["RecordId"] == record_id


# ---- AddUpdateIntermediateCert ----

AUDITS = ["Standard", "CodeSigning", "BR", "EVSSL", "EVCodeSigning", "VMC"]


def seed_add(certificate, parent):
    """The seed's own sample, but for what breaks its own rules: an audit at http, and CRL links in Markdown."""
    audits = {f"{what}Audit{part}": "" for what in AUDITS[1:]
              for part in ("", "Type", "StatementDate", "PeriodStartDate", "PeriodEndDate")}
    return {
        "CertificateInformation": information(certificate, parent, OWNER, ConsentforTechnicallyConstrainedCert=True),
        "RevocationInformation": {"RevocationStatus": "", "DateOfRevocation": None, "RevocationReasonCode": "",
                                  "AlternateCRL": ""},
        "OtherCAInformation": {"RecognizedCAADomains": "", "ProblemReportingMechanism": ""},
        "PertainingToCertificatesIssued": {
            "FullCRLIssuedByThisCA": "",
            "JSONArrayofPartitionedCRLs": ["http://cdn.example/crl-1.crl", "http://cdn.example/crl-2.crl"]},
        "AuditorInformation": {"Auditor": "Auditor Name", "AuditorLocation": "United States"},
        "AuditInformation": {
            "AuditSameAsParent": False, "StandardAudit": "https://URL/StandardAudit04FINAL.PDF",
            "StandardAuditType": "ETSI EN 319 411", "StandardAuditStatementDate": "2018-10-10",
            "StandardAuditPeriodStartDate": "2018-10-10", "StandardAuditPeriodEndDate": "2018-10-10", **audits},
        "PolicyInformation": {
            "CPCPSSameAsParent": False, "PolicyDocumentation": "",
            "DocumentRepositatory": "https://URL/repository/CA#CPS", "CertificatePolicy": "",
            "CertificationPracticeStatement": "https://URL/cps.pdf", "CPCPSLastUpdatedDate": "2019-02-01"},
        "Description": "",
        "PublicComments": "",
    }


def test_the_seeds_examples_of_adding_and_updating(ccadb, caller, root):
    certificate = intermediate(root)
    body = seed_add(certificate, root.certificate)
    added = caller.ask(SUBMIT, body)
    record_id = added.json["SalesforceRecordId"]
    assert (added.status, added.json) == (200, {"ProcessingStatus": "Success", "Errors/Warnings": [],
                                                "SalesforceRecordId": record_id})
    assert has_check(record_id)
    kept = ccadb.record(record_id)["attributes"]
    assert kept["DocumentRepository"] == "https://URL/repository/CA#CPS" and "DocumentRepositatory" not in kept
    assert kept["AuditSameAsParent"] is False and "BRAudit" not in kept and "Description" not in kept
    again = caller.submit(seed_add(certificate, root.certificate) | {"PublicComments": "again"})
    assert (again.status, again.json) == (400, {
        "ProcessingStatus": "Fail", "Errors/Warnings": ["This Intermediate Certificate already exists in CCADB."],
        "SalesforceRecordId": record_id})
    update = {"CertificateInformation": information(certificate, None, OWNER, SalesforceRecordId=record_id),
              "AuditorInformation": {"Auditor": "", "AuditorLocation": ""},
              "AuditInformation": {"AuditSameAsParent": True}, "PolicyInformation": {"CPCPSSameAsParent": True},
              "Description": "This is the description", "PublicComments": "This is the public comment"}
    updated = caller.ask(SUBMIT, update)
    assert (updated.status, updated.json) == (200, added.json)
    kept = ccadb.record(record_id)["attributes"]
    assert kept["AuditSameAsParent"] is True and kept["PublicComments"] == "This is the public comment"
    assert "Auditor" not in kept and kept["StandardAuditType"] == "ETSI EN 319 411"
    other = information(intermediate(root), None, OWNER, SalesforceRecordId=record_id)
    mixed = caller.submit(dict(update, CertificateInformation=other))
    assert (mixed.status, mixed.json) == (400, {
        "ProcessingStatus": "Fail", "SalesforceRecordId": "", "Errors/Warnings": [
            "The provided Salesforce Record ID and SHA-256 of the provided Intermediate Certificate does not match."]})


def test_the_seeds_sample_as_it_stands_breaks_its_own_rules(caller, root):
    body = seed_add(intermediate(root), root.certificate)
    body["AuditInformation"]["StandardAudit"] = "http://URL/StandardAudit04FINAL.PDF"
    body["PertainingToCertificatesIssued"]["JSONArrayofPartitionedCRLs"] = [
        "[http://cdn.example/crl-1.crl](http://cdn.example/crl-1.crl)"]
    answer = caller.submit(body)
    assert answer.status == 400 and len(answer.json["Errors/Warnings"]) == 2


def test_null_leaves_blank_clears_and_false_is_a_value(ccadb, caller, existing):
    record_id, certificate = existing

    def set_to(flag, text, date, urls, audit):
        answer = caller.update(record_id, certificate, OWNER, Description=text,
                               CertificateInformation=None or information(
                                   certificate, None, OWNER, SalesforceRecordId=record_id,
                                   ConsentforTechnicallyConstrainedCert=flag),
                               PolicyInformation={"CPCPSLastUpdatedDate": date},
                               PertainingToCertificatesIssued={"JSONArrayofPartitionedCRLs": urls},
                               AuditorInformation={"Auditor": audit})
        assert answer.status == 200, answer
        kept = ccadb.record(record_id)["attributes"]
        return [kept.get(name) for name in ("ConsentforTechnicallyConstrainedCert", "Description",
                                            "CPCPSLastUpdatedDate", "JSONArrayofPartitionedCRLs", "Auditor")]
    full = [True, "text", "2020-02-29", ["http://a.example/1"], "Auditor Name"]
    assert set_to(*full) == full
    assert set_to(None, None, None, None, None) == full
    assert set_to(False, "other", None, [""], None) == [False, "other", "2020-02-29", [""], "Auditor Name"]
    assert set_to("", "", "", [], "") == [None] * 5


def test_sections_may_be_missing_or_null_and_what_is_unknown_is_a_warning(caller, existing):
    record_id, certificate = existing
    answer = caller.update(record_id, certificate, OWNER, AuditInformation=None, RevocationInformation={},
                           PolicyInformation={"DocumentRepositry": "x"}, Something=1)
    assert answer.status == 200 and answer.json["ProcessingStatus"] == "SuccessWithWarnings"
    assert len(answer.json["Errors/Warnings"]) == 2
    assert any("DocumentRepositry" in one for one in answer.json["Errors/Warnings"])


def test_an_update_without_an_owner_takes_the_records_and_says_so(ccadb, caller, existing):
    record_id, certificate = existing
    wanted = information(certificate, None, OWNER, SalesforceRecordId=record_id)
    del wanted["CAOwner"]
    wanted["IntermediateCertificateName"] = "Renamed"
    answer = caller.submit({"CertificateInformation": wanted})
    assert (answer.status, answer.json["ProcessingStatus"]) == (200, "SuccessWithWarnings")
    assert ccadb.record(record_id)["name"] == "Renamed" and ccadb.record(record_id)["owner"] == OWNER
    assert caller.submit({"CertificateInformation": dict(wanted, CAOwner=None)}).status == 200
    assert caller.submit({"CertificateInformation": dict(wanted, CAOwner="")}).status == 400


NEWER = {
    "PertainingToCertificatesIssued": {
        "JSONArrayofAllFullCRLURLs": ["https://a.example/full.crl"], "DVACMEEndpoints": "https://acme.example/dv",
        "OtherOVAutomatedSolutionDescription": "https://a.example/ov", "CABForumCertificatePolicyIdentifier":
        "2.23.140.1.2.1", "IVAutomatedTestCertificateWebsite": "https://a.example/iv"},
    "AuditInformation": {f"{what}Audit{part}": value for what in ("NetSec", "TLSBR", "TLSEVG", "SMIME")
                         for part, value in (("", "https://a.example/audit"), ("Type", "WebTrust"),
                                             ("StatementDate", "2024-03-01"), ("PeriodStartDate", "2023-01-01"),
                                             ("PeriodEndDate", "2023-12-31"))},
    "NonAuditDocumentInformation": {
        "PolicyDocumentation": "text", "DocumentRepository": "https://a.example/", "CPSameAsParent": False,
        "CertificatePolicy": "https://a.example/cp", "CPEffectiveDate": "2024-01-01", "CPSSameAsParent": True,
        "CertificationPracticeStatement": "https://a.example/cps", "CPSEffectiveDate": "2024-01-01",
        "CPCPSSameAsParent": False, "CertificatePracticeAndPolicyStatement": "https://a.example/cpcps",
        "CPCPSEffectiveDate": "2024-01-01", "MarkdownOrAsciiDocCPCPSSameAsParent": False,
        "MarkdownOrAsciiDocCPCPS": "https://a.example/md", "MarkdownOrAsciiDocCPCPSEffectiveDate": "2024-01-01",
        "SelfAssessmentSameAsParent": False, "SelfAssessment": "https://a.example/self",
        "SelfAssessmentCompletionDate": "2024-01-01"},
}


def test_the_fields_of_the_newer_schema(ccadb, caller, root):
    record_id = caller.add(intermediate(root), root.certificate, OWNER, **NEWER)
    kept = ccadb.record(record_id)["attributes"]
    for section in NEWER.values():
        assert section.items() <= kept.items()


def audit(what="Standard", **changed):
    """Five fields of an audit; a name of |changed| is its last part."""
    good = {"": "https://a.example/x", "Type": "WebTrust", "StatementDate": "2024-03-01",
            "PeriodStartDate": "2023-01-01", "PeriodEndDate": "2023-12-31"}
    return {"AuditInformation": {f"{what}Audit{part}": value for part, value in {**good, **changed}.items()}}


ISSUED, REVOKED = "PertainingToCertificatesIssued", "RevocationInformation"
BAD = [
    *[("must be a valid https URL", audit(what, **{"": "http://a.example/"})) for what in AUDITS],
    ("must be a valid https URL", audit(**{"": "https://"})), ("must be a valid https URL", audit(**{"": "a"})),
    ("StandardAuditType: must be one of the values", audit(Type="Handshake")),
    ("StandardAuditType: is required", audit(Type="")),
    ("StandardAuditStatementDate: is required", audit(StatementDate="")),
    ("StandardAuditPeriodStartDate: is required", audit(PeriodStartDate=None)),
    ("VMCAuditPeriodEndDate: is required", audit("VMC", PeriodEndDate="")),
    *[("must be a date as yyyy-MM-dd", audit(StatementDate=day)) for day in (
        "2024-02-30", "2023-02-29", "24-02-03", "2024/02/03", "2024-2-3", "2024-13-01", "0000-01-01", "2024-01-00",
        "2024-01-01T00:00", " 2024-01-01", "x", 20240101, True)],
    ("EVSSLAuditPeriodEndDate: cannot be after", audit("EVSSL", PeriodEndDate="2024-03-02")),
    ("BRAuditPeriodStartDate: cannot be after", audit("BR", PeriodStartDate="2024-01-01")),
    ("AuditSameAsParent: must be true or false", {"AuditInformation": {"AuditSameAsParent": "true"}}),
    ("CPCPSSameAsParent: must be true or false", {"PolicyInformation": {"CPCPSSameAsParent": 1}}),
    ("CPCPSLastUpdatedDate: must be a date", {"PolicyInformation": {"CPCPSLastUpdatedDate": "today"}}),
    ("CertificatePolicy: is required", {"NonAuditDocumentInformation": {"CPEffectiveDate": "2024-01-01"}}),
    ("RevocationStatus: must be one of", {REVOKED: {"RevocationStatus": "revoked", "DateOfRevocation": "2024-01-01"}}),
    ("DateOfRevocation: is required", {REVOKED: {"RevocationStatus": "Revoked"}}),
    ("DateOfRevocation: must be a date", {REVOKED: {"RevocationStatus": "Revoked", "DateOfRevocation": "yesterday"}}),
    ("RevocationReasonCode: must be one of", {REVOKED: {"RevocationReasonCode": "boredom"}}),
    ("AlternateCRL: must be a valid http or https URL", {REVOKED: {"AlternateCRL": "ldap://a/"}}),
    ("FullCRLIssuedByThisCA: must be a valid", {ISSUED: {"FullCRLIssuedByThisCA": "http://a b/"}}),
    ("FullCRLIssuedByThisCA: must be a valid", {ISSUED: {"FullCRLIssuedByThisCA": ["http://a/"]}}),
    ("JSONArrayofPartitionedCRLs: must be a JSON array", {ISSUED: {"JSONArrayofPartitionedCRLs": "http://a/"}}),
    ("JSONArrayofPartitionedCRLs: item 2", {ISSUED: {"JSONArrayofPartitionedCRLs": ["http://a/", "x"]}}),
    ("JSONArrayofPartitionedCRLs: item 1", {ISSUED: {"JSONArrayofPartitionedCRLs": ["", ""]}}),
    ("JSONArrayofPartitionedCRLs: item 1", {ISSUED: {"JSONArrayofPartitionedCRLs": [5]}}),
    ("JSONArrayofPartitionedCRLs: must have at most 20000", {ISSUED: {"JSONArrayofPartitionedCRLs": [
        f"http://a.example/{number:0>90}" for number in range(200)]}}),
    ("Auditor: must be an auditor", {"AuditorInformation": {"Auditor": "Nobody"}}),
    ("AuditorLocation: must be a location", {"AuditorInformation": {"Auditor": "Auditor Name",
                                                                    "AuditorLocation": "Mars"}}),
    ("AuditorLocation: must be a location", {"AuditorInformation": {"Auditor": "Other Auditor",
                                                                    "AuditorLocation": "Germany"}}),
    ("Auditor: is required when", {"AuditorInformation": {"AuditorLocation": "Germany"}}),
    ("Description: must have at most", {"Description": "x" * 32769}),
    ("Description: must be a text", {"Description": 5}),
    ("control characters", {"Description": "a\u0001b"}), ("PolicyInformation: must be an object",
                                                          {"PolicyInformation": "none"}),
    ("CABForumCertificatePolicyIdentifier: must be", {ISSUED: {"CABForumCertificatePolicyIdentifier": "1.2.3"}}),
]


@pytest.mark.parametrize("error, sections", BAD, ids=range(len(BAD)))
def test_rules_of_the_fields(appliance, caller, existing, error, sections):
    record_id, certificate = existing
    before = appliance.state()
    answer = caller.update(record_id, certificate, OWNER, **sections)
    assert answer.status == 400 and answer.json["ProcessingStatus"] == "Fail", answer
    assert answer.json["SalesforceRecordId"] == "" and len(answer.json["Errors/Warnings"]) == 1, answer
    assert error in answer.json["Errors/Warnings"][0]
    assert appliance.state() == before


def test_good_values_at_the_bounds(caller, existing):
    record_id, certificate = existing
    for sections in (audit(PeriodEndDate="2024-03-01", PeriodStartDate="2024-03-01"), {"Description": "ä" * 32768},
                     {REVOKED: {"RevocationReasonCode": "aACompromise", "AlternateCRL": "http://a.example/x.crl"}},
                     {ISSUED: {"JSONArrayofPartitionedCRLs": ["http://a.example/" + "x" * 900] * 21}},
                     {"AuditorInformation": {"Auditor": "Auditor Name", "AuditorLocation": "Germany"}}):
        answer = caller.update(record_id, certificate, OWNER, **sections)
        assert (answer.status, answer.json["Errors/Warnings"]) == (200, []), sections


def test_all_errors_are_told_together(appliance, caller):
    before = appliance.state()
    answer = caller.submit({"CertificateInformation": {"CAOwner": OTHER, "ParentCertPEM": "x"},
                            **audit(Type="x", StatementDate="y"), "Description": 5,
                            "AuditorInformation": {"Auditor": "Nobody"}})
    fields = [one.split(":")[0] for one in answer.json["Errors/Warnings"]]
    assert answer.status == 400 and sorted(fields) == sorted(
        ["CAOwner", "IntermediateCertificateName", "IntermediateCertPEM", "ParentCertPEM", "StandardAuditType",
         "StandardAuditStatementDate", "Description", "Auditor"])
    assert appliance.state() == before


def test_words_that_are_added_and_removed_count_at_once(ccadb, caller, existing):
    record_id, certificate = existing
    assert caller.update(record_id, certificate, OWNER, **audit(Type="New Scheme 7")).status == 400
    ccadb.manage("POST", "words", {"list": "AuditType", "value": "New Scheme 7"})
    assert caller.update(record_id, certificate, OWNER, **audit(Type="New Scheme 7")).status == 200
    ccadb.manage("DELETE", "words/AuditType/New%20Scheme%207")
    refused = caller.update(record_id, certificate, OWNER, **audit(Type="New Scheme 7"))
    assert "StandardAuditType: must be one of the values" in refused.json["Errors/Warnings"][0]
    assert ccadb.record(record_id)["attributes"]["StandardAuditType"] == "New Scheme 7", "records keep it"
    assert caller.update(record_id, certificate, OWNER, **audit()).status == 200


def errors_of(caller, body):
    answer = caller.submit({"CertificateInformation": body})
    assert answer.status == 400, answer
    return " ".join(answer.json["Errors/Warnings"])


def test_hierarchies_and_parents(ccadb, caller, stranger_to_it, root, other_root, existing):
    record_id, certificate = existing
    new, below_other = intermediate(root), intermediate(other_root)
    good = information(new, root.certificate, OWNER)
    assert "must be the certificate that signed" in errors_of(caller, dict(
        good, ParentCertPEM=one_line(other_root.certificate)))
    unknown = Authority("Trusted Root CA G2")  # the same name, another key
    assert "must be the certificate that signed" in errors_of(caller, dict(
        good, ParentCertPEM=one_line(unknown.certificate)))
    assert "must already have a record" in errors_of(caller, information(intermediate(unknown), unknown.certificate,
                                                                         OWNER))
    assert "must already have a record in your" in errors_of(caller, information(below_other, other_root.certificate,
                                                                                 OWNER))
    assert "your own CA's hierarchy" in errors_of(caller, information(below_other, other_root.certificate, OTHER))
    assert "must not be a root" in errors_of(caller, information(root.certificate, root.certificate, OWNER))
    update = information(certificate, None, OTHER, SalesforceRecordId=record_id)
    assert "there is no intermediate certificate with this record id" in errors_of(stranger_to_it, update)
    assert "there is no intermediate certificate with this record id" in errors_of(caller, dict(
        information(root.certificate, None, OWNER), SalesforceRecordId=ccadb.root_id))
    assert "is not the owner" in errors_of(caller, update) or "own CA's" in errors_of(caller, update)


@pytest.mark.parametrize("bad", ["1300870009327", "001Mg0000000001", "001Mg0000000001IAB", "0010R00000damffAAA",
                                 "x" * 18, "0010r00000damffAAA", "001Mg0zzzzzzzzzAAA", "ä" * 18, 5])
def test_record_ids_that_are_none(caller, root, existing, bad):
    """The seed's own last sample answers with one of 13 digits, where it wants 18."""
    errors = errors_of(caller, information(existing[1], None, OWNER, SalesforceRecordId=bad))
    assert "SalesforceRecordId" in errors


def test_certificates_that_are_none(caller, root, existing):
    good = one_line(intermediate(root))
    body = good.removeprefix("-----BEGIN CERTIFICATE-----").removesuffix("-----END CERTIFICATE-----")
    for bad in (good[:-1], "x" + good, body, good + good, good.replace("MII", "!II", 1), good.replace(body, ""),
                good.replace(body, body[:-8]), good.replace("CERTIFICATE", "PRIVATE KEY"), "x" * 70000, " ", "-" * 60,
                good.replace(body, body + "-AAA")):
        information_ = dict(information(root.certificate, root.certificate, OWNER), IntermediateCertPEM=bad)
        assert "IntermediateCertPEM" in errors_of(caller, information_), bad[:80]


def test_a_parent_may_be_an_intermediate(ccadb, caller, root, existing):
    middle = Authority("Middle")
    request = x509.CertificateSigningRequestBuilder().subject_name(middle.name).sign(middle.key, hashes.SHA256())
    certificate = root.certify(request)
    middle_id = caller.add(certificate, root.certificate, OWNER)
    low_id = caller.add(intermediate(middle), certificate, OWNER)
    assert ccadb.record(low_id)["parent"] == middle_id and ccadb.record(middle_id)["parent"] == ccadb.root_id


# ---- limits, the API Log ----

def test_the_same_call_within_a_minute_is_refused(ccadb, caller, stranger_to_it):
    body = {"SHA256": "0" * 64, "RecordType": "Root Certificate", "nonce": secrets.token_hex(8)}
    path = "/services/apexrest/get/recordid"
    assert caller.ask(path, body).status == 400
    answer = caller.ask(path, body)
    assert answer.status == 429 and answer.json[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert stranger_to_it.ask(path, body).status == 400, "another user's call is another one"
    assert caller.ask(path, dict(body, nonce="other")).status == 400
    refresh = {"grant_type": "refresh_token", "refresh_token": caller.tokens["refresh_token"]}
    assert [ccadb.token(**refresh).status for _ in range(3)] == [200] * 3, "token calls are exempt"


def test_calls_of_a_user_in_a_minute_are_limited(ccadb):
    hasty = ccadb.caller("hasty", OWNER)
    statuses = []
    while len(statuses) < 2000 and 429 not in statuses:
        statuses.append(hasty.record_id(SHA256="0" * 64, RecordType="Root Certificate").status)
    assert statuses[-1] == 429 and statuses.count(400) >= 240
    answer = hasty.record_id(SHA256="0" * 64, RecordType="Root Certificate")
    if answer.status == 429:
        assert answer.headers["x-ratelimit-limit"].startswith("240") and int(answer.headers["retry-after"]) >= 1


def test_every_call_is_in_the_api_log(appliance, caller, root):
    certificate = intermediate(root)
    marker = secrets.token_hex(8)
    record_id = caller.add(certificate, root.certificate, OWNER, Description=marker)
    caller.update(record_id, certificate, OWNER, Description=marker, AuditorInformation={"Auditor": marker})
    entries = [one for one in appliance.admin.ask("GET", "/mintgate/v1/audit?max=20").json if marker in one["detail"]]
    assert [(one["operation"], one["outcome"], one["actor"]) for one in entries] == [
        ("ccadbUpdate", "refused", f"user:{caller.name}"), ("ccadbAdd", "done", f"user:{caller.name}")]
    assert entries[1]["object"] == f"ccadb/{record_id}" and "Success" in entries[1]["detail"]
    assert "BEGIN CERTIFICATE" not in entries[1]["detail"]


def test_secrets_are_in_the_database_as_hashes_alone_and_in_no_log(appliance, ccadb, caller):
    code = Browser(appliance, ccadb.client).code(caller.name)
    kept = b"".join(path.read_bytes() for path in appliance.database.parent.glob("control.db*"))
    log = appliance.log("control").read_text(errors="replace")
    for secret in (code, ccadb.client["secret"], caller.tokens["access_token"], caller.tokens["refresh_token"],
                   PASSWORD):
        assert secret.encode() not in kept and secret not in log


# ---- what records do to the appliance's intermediates ----

@pytest.fixture(scope="module")
def revoker(ccadb):
    return ccadb.caller("revoker", OWNER, may_revoke=True)


@pytest.fixture
def life(appliance, root):
    made = Life(appliance, root)
    numbers = []
    make = made.make

    def remembered(*words):
        numbers.append(make(*words))
        return numbers[-1]
    made.make = remembered
    yield made
    assert appliance.admin.ask("PUT", f"{CERTIFICATES}/makeDefault/1").status == 200
    for number in numbers:
        made.delete(number)


def ready(life, ccadb, name):
    """A finalized intermediate: its number, record id and certificate."""
    number = life.make(name, "CERT_READY")
    (record,) = [one for one in ccadb.records() if one["name"] == name]
    return number, record["id"], x509.load_pem_x509_certificate(ccadb.record(record["id"])["certificate"].encode())


REVOCATION = {REVOKED: {"RevocationStatus": "Revoked", "DateOfRevocation": "2026-01-01",
                        "RevocationReasonCode": "keyCompromise"}}


def test_a_finalized_intermediate_gets_its_record_if_its_issuer_has_one(ccadb, life, root):
    number, record_id, _ = ready(life, ccadb, "Gets one")
    record = ccadb.record(record_id)
    assert (record["owner"], record["parent"], record["kind"]) == (OWNER, ccadb.root_id, "intermediate")
    life.authority = Authority("A root without a record")
    life.make("Gets none", "CERT_READY")
    assert not [one for one in ccadb.records() if one["name"] == "Gets none"]
    ccadb.add_owner("Late CA", life.authority)  # and now it does
    assert [one["owner"] for one in ccadb.records() if one["name"] == "Gets none"] == ["Late CA"]


def default(appliance):
    return appliance.admin.ask("GET", "/mintgate/v1/default").json["id"]


def test_a_revoked_default_is_succeeded_first(appliance, ccadb, revoker, life):
    number, record_id, certificate = ready(life, ccadb, "To be revoked")
    successor, _, _ = ready(life, ccadb, "Successor")
    admin = appliance.admin
    assert admin.ask("PUT", f"/mintgate/v1/successor/{number}/{successor}").status == 200
    assert admin.ask("PUT", f"{CERTIFICATES}/makeDefault/{number}").status == 200
    answer = revoker.update(record_id, certificate, OWNER, **REVOCATION)
    assert (answer.status, answer.json["ProcessingStatus"]) == (200, "Success"), answer
    assert default(appliance) == successor and ccadb.record(record_id)["revoked"]
    refused = admin.ask("PUT", f"{CERTIFICATES}/makeDefault/{number}")
    assert refused.status == 403 and "revoked" in refused.json["message"]
    assert number not in [one["id"] for one in admin.ask("GET", f"{CERTIFICATES}/readyToUse").json]
    entries = admin.ask("GET", "/mintgate/v1/audit?max=10").json
    assert ("ccadbUse", f"intermediate/{number}") in [(one["operation"], one["object"]) for one in entries]
    # A hold that is over.
    assert revoker.update(record_id, certificate, OWNER, RevocationInformation={
        "RevocationStatus": "", "DateOfRevocation": "", "RevocationReasonCode": ""}).status == 200
    assert admin.ask("PUT", f"{CERTIFICATES}/makeDefault/{number}").status == 200


def test_it_takes_a_right_to_revoke_what_the_appliance_signs_with(appliance, ccadb, caller, life, root):
    number, record_id, certificate = ready(life, ccadb, "Stays")
    assert appliance.admin.ask("PUT", f"{CERTIFICATES}/makeDefault/{number}").status == 200
    before = appliance.state()
    answer = caller.update(record_id, certificate, OWNER, **REVOCATION)
    assert answer.status == 400 and "administrator must have granted" in answer.json["Errors/Warnings"][0]
    assert appliance.state() == before and default(appliance) == number
    elsewhere = intermediate(root)  # what concerns nobody here needs no more than the own hierarchy
    record_id = caller.add(elsewhere, root.certificate, OWNER)
    assert caller.update(record_id, elsewhere, OWNER, **REVOCATION).status == 200 and ccadb.record(record_id)["revoked"]


def test_a_revoked_default_without_a_successor_is_recorded_and_signs_nothing(appliance, ccadb, revoker, life):
    number, record_id, certificate = ready(life, ccadb, "Alone")
    admin = appliance.admin
    assert admin.ask("PUT", f"{CERTIFICATES}/makeDefault/{number}").status == 200
    answer = revoker.update(record_id, certificate, OWNER, **REVOCATION)
    assert (answer.status, answer.json["ProcessingStatus"]) == (200, "SuccessWithWarnings")
    assert "no successor" in answer.json["Errors/Warnings"][0] and ccadb.record(record_id)["revoked"]
    assert default(appliance) == number and "ALARM issuer_revoked" in appliance.log("control").read_text()


def test_a_certificate_that_was_revoked_before_it_came_is_never_used(appliance, ccadb, revoker, life, root):
    number = life.make("Too late", "CSRGEN_DONE")
    certificate = root.certify(life.request(number))
    record_id = revoker.add(certificate, root.certificate, OWNER, **REVOCATION)
    upload = form([("fileUpload", "c.pem", certificate.public_bytes(Encoding.PEM))])
    assert appliance.admin.ask("POST", f"{CERTIFICATES}/uploadCert/{number}", *upload).status == 200
    assert appliance.admin.ask("POST", f"{CERTIFICATES}/finalizeCert/{number}").status == 200
    for method, path, *body in (("PUT", f"/makeDefault/{number}"), ("PUT", f"/{number}", {"status": "ENABLED"})):
        assert appliance.admin.ask(method, CERTIFICATES + path, *body).status == 403
    assert [one["id"] for one in ccadb.records() if one["sha256"] == fingerprint(certificate)] == [record_id]


# ---- an administrator's side ----

def test_what_an_administrator_cannot_do(appliance, ccadb, root, existing):
    admin = appliance.admin
    leaf = one_line(existing[1])
    for status, method, path, body in [
            (409, "POST", "owners", {"name": OWNER.upper()}), (400, "POST", "owners", {"name": "a\u0001"}),
            (409, "POST", "roots", {"owner": OWNER, "certificate": root.pem()}),
            (404, "POST", "roots", {"owner": "Nobody", "certificate": root.pem()}),
            (400, "POST", "roots", {"owner": OWNER, "certificate": leaf}),
            (404, "PUT", "users/nobody", {"owner": OWNER}), (404, "PUT", "users/admin", {"owner": "Nobody"}),
            (404, "DELETE", "users/admin", None), (404, "DELETE", f"clients/{'0' * 64}", None),
            (409, "POST", "words", {"list": "AuditType", "value": "WebTrust"}),
            (400, "POST", "words", {"list": "Colours", "value": "red"}),
            (404, "DELETE", "words/AuditType/none", None), (404, "DELETE", "words/Colours/red", None),
            (403, "DELETE", "words/RevocationStatus/Revoked", None),
            (409, "POST", "auditors", {"name": "Auditor Name", "location": "Germany"}),
            (404, "GET", "records/0010r00000damffAAA", None), (400, "GET", "records?kind=leaf", None)]:
        assert admin.ask(method, f"{ADMIN}/{path}", body).status == status, (method, path)


def test_of_the_statuses_revoked_alone_stays(appliance, ccadb):
    admin, word = appliance.admin, {"list": "RevocationStatus", "value": "Parent Cert Revoked"}
    assert admin.ask("POST", f"{ADMIN}/words", word).status == 200
    assert admin.ask("DELETE", f"{ADMIN}/words/RevocationStatus/Parent%20Cert%20Revoked").status == 204
    assert word not in admin.ask("GET", f"{ADMIN}/words").json
    assert admin.ask("DELETE", f"{ADMIN}/words/RevocationStatus/Revoked").status == 403


def test_an_administrator_on_the_machine_may_call_for_every_owner(appliance, ccadb, root, other_root):
    for owner, authority in ((OWNER, root), (OTHER, other_root)):
        body = {"CertificateInformation": information(intermediate(authority), authority.certificate, owner)}
        answer = appliance.admin.ask("POST", SUBMIT, body)
        assert answer.status == 200, answer
    body["CertificateInformation"]["CAOwner"] = "Nobody"
    assert appliance.admin.ask("POST", SUBMIT, body).status == 400


def test_mintgatectl_manages_what_the_family_works_with(appliance, root, tmp_path):
    def ctl(*words, code=0):
        result = run(BUILD / "control/ctl/mintgatectl", "--socket", appliance.directory / "control.sock", "ccadb",
                     *words, check=False)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        return result.stdout + result.stderr
    path = tmp_path / "root.pem"
    path.write_text(root.pem())
    appliance.add_user("carol", "auditor", PASSWORD)
    ctl("owner", "add", "Command CA")
    assert "Command CA" in ctl("owner", "list")
    assert "A Root" in ctl("root", "add", path, "--owner", "Command CA", "--name", "A Root")
    (made,) = [one for one in json.loads(ctl("root", "list", "--json")) if one["name"] == "A Root"]
    assert fingerprint(root.certificate) in ctl("root", "show", made["id"])
    assert "yes" in ctl("user", "grant", "carol", "--owner", "Command CA", "--may-revoke")
    assert "Command CA" in ctl("user", "list")
    client = json.loads(ctl("client", "add", "from a shell", REDIRECT, "--json"))
    assert client["id"] in ctl("client", "list") and client["secret"] not in ctl("client", "list")
    ctl("client", "delete", client["id"])
    assert client["id"] not in ctl("client", "list")
    ctl("user", "revoke", "carol")
    assert "carol" not in ctl("user", "list")
    ctl("auditor", "add", "Shell Auditor", "Bern")
    ctl("word", "add", "AuditType", "Shell Audit")
    assert "Bern" in ctl("auditor", "list") and "Shell Audit" in ctl("word", "list")
    ctl("word", "remove", "AuditType", "Shell Audit")
    assert "Shell Audit" not in ctl("word", "list")
    for words in (["owner", "add", "Command CA"], ["root", "show", "x"],
                  ["user", "grant", "nobody", "--owner", "Nobody"],
                  ["root", "add", tmp_path / "none.pem", "--owner", "Command CA"]):
        ctl(*words, code=1)
    for words in (["owner"], ["owner", "add"], ["root", "add", path], ["user", "grant", "carol"], ["word", "add", "x"],
                  ["owner", "list", "--owner", "x"]):
        ctl(*words, code=2)


def test_records_in_pages(appliance, ccadb):
    everything = ccadb.records()
    pages = [ccadb.manage("GET", f"records?page={page}&pageSize=5") for page in range(1, len(everything) // 5 + 3)]
    assert [one for page in pages for one in page] == everything
    roots = ccadb.manage("GET", "records?kind=root")
    assert roots == [one for one in everything if one["kind"] == "root"]
    assert re.fullmatch(r"[0-9A-F]{64}", roots[0]["sha256"])


def test_mintgatectl_lists_more_records_than_a_page_has(appliance, ccadb, existing):
    database = sqlite3.connect(appliance.database, timeout=60)
    with database:
        database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)"
            " INSERT INTO ccadb_record (kind, owner_id, parent_id, name, sha256, subject, certificate, attributes,"
            " created_us, updated_us) SELECT kind, owner_id, parent_id, 'one of many', randomblob(32), subject,"
            " certificate, attributes, created_us, updated_us FROM ccadb_record, n WHERE kind = 'root' LIMIT 1100")
        database.execute("UPDATE ccadb_record SET kind = 'intermediate' WHERE name = 'one of many'")
    try:
        words = (BUILD / "control/ctl/mintgatectl", "--socket", appliance.directory / "control.sock", "ccadb", "record",
                 "list")
        ids = {one["id"] for one in json.loads(run(*words, "--json").stdout)}
        assert len(ids) > 1100 and existing[0] in ids
        assert run(*words).stdout.count("one of many") == 1100
    finally:
        with database:
            database.execute("DELETE FROM ccadb_record WHERE name = 'one of many'")
        database.close()


def test_paths_and_methods_of_the_family(appliance, caller):
    assert caller.http.ask("GET", SUBMIT).status == 405
    assert caller.http.ask("POST", "/services/apexrest/other", {}).json[0]["errorCode"] == "NOT_FOUND"
    assert appliance.stranger().ask("POST", "/services/apexrest/other", {}).status == 401
    assert appliance.stranger().ask("GET", TOKEN).status == 405
    answer = appliance.stranger().ask("POST", AUTHORIZE, urllib.parse.urlencode({"client_id": "x"}), FORM)
    assert answer.status == 400 and answer.media.startswith("text/html")
