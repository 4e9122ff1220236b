# SPDX-License-Identifier: Apache-2.0
"""The NAVER Private CA family through the real server: signed requests, the life of CAs, what they sign, and CRLs, held
against the openssl program."""

import base64
import json
import re
import sqlite3
import time
import urllib.error
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, SignatureAlgorithmOID

import naverkit
from keyskit import Authority
from labkit import BUILD, run, wait_until
from naverkit import Authorities, pem_of, request_for
from restkit import CERTIFICATES, Appliance, Client, Life, form, free_port

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    port = free_port()
    made = Appliance(tmp_path_factory.mktemp("naver"), rate_limits=False, crl_listen=f"127.0.0.1:{port}")
    made.crl_port = port
    yield made
    made.stop()


@pytest.fixture(scope="module")
def key(appliance):
    return naverkit.add_key(appliance.admin, "admin")


@pytest.fixture(scope="module")
def cas(appliance):
    """As an administrator on the Unix socket."""
    return Authorities(appliance.admin)


@pytest.fixture(scope="module")
def root(cas):
    return cas.create(commonName="The Root", period="MAX")


@pytest.fixture(scope="module")
def root_tag(root):
    return root["caInfo"]["caTag"]


def load(pem):
    return x509.load_pem_x509_certificate(pem.encode())


def verify(tmp_path, leaf, chain, root, crls=()):
    """The openssl program's judgement of |leaf| under |root|, with |crls| where there are any."""
    for name, text in {"leaf": leaf, "chain": "\n".join(chain), "root": root, "crls": "\n".join(crls)}.items():
        (tmp_path / name).write_text(text + "\n")
    options = ["-crl_check_all", "-CRLfile", str(tmp_path / "crls")] if crls else []
    untrusted = ["-untrusted", str(tmp_path / "chain")] if chain else []
    result = run("openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "root", *untrusted, *options,
                 tmp_path / "leaf", check=False)
    return result.returncode == 0, result.stdout + result.stderr


def refused(cas, status, code, method, path, body=None):
    answer = cas.ask(method, path, body)
    assert (answer.status, answer.json.get("code")) == (status, code), answer
    assert answer.json["msg"] and answer.json["data"] is None


# ---- the seed ----

def test_the_seed_document_replayed(appliance, key, root_tag, cas):
    """The request as the document has it, with curl, and every member of its answer."""
    seed = request_for("An Intermediate")[0]
    target = f"/api/v1/ca/{cas.tag('PRIVATE_SUB', root_tag)}/sub/sign"
    lines = pem_of(seed).split("\n")
    one_line = "\n".join([lines[0], "".join(lines[1:-2]), lines[-2]])
    headers = naverkit.signature("POST", target, key)
    result = run("curl", "-sS", "--cacert", appliance.directory / "control/server.pem", "-k", "--location", "--request",
                 "POST", f"https://127.0.0.1:{appliance.port}{target}",
                 *[word for name, value in headers.items() for word in ("--header", f"{name}: {value}")],
                 "--header", "Content-Type: application/json", "--data",
                 json.dumps({"period": "10", "csrPem": one_line}))
    answer = json.loads(result.stdout)
    assert list(answer) == ["code", "msg", "data"] and (answer["code"], answer["msg"]) == ("SUCCESS", "Success")
    data = answer["data"]
    assert set(data) == {"certificate", "caChain", "ocspResponder", "issuer", "serialNo"}
    assert isinstance(data["caChain"], list) and len(data["caChain"]) == 2 and data["ocspResponder"] == ""
    assert re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){19}", data["serialNo"])
    for pem in [data["certificate"], data["issuer"], *data["caChain"]]:
        assert pem.startswith("-----BEGIN CERTIFICATE-----\n") and pem.endswith("\n-----END CERTIFICATE-----")
    certificate = load(data["certificate"])
    assert data["caChain"][0] == data["issuer"] and load(data["issuer"]).subject == certificate.issuer
    assert certificate.serial_number == int(data["serialNo"].replace(":", ""), 16) > 0
    assert (certificate.not_valid_after - certificate.not_valid_before).days == 10
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca


def test_the_newline_rule_of_requests(cas, root_tag):
    good = pem_of(request_for("An Intermediate")[0]).strip()
    flat = good.replace("\n", "")
    no_begin = good.replace("REQUEST-----\n", "REQUEST-----", 1)
    no_end = good.replace("\n-----END", "-----END")
    for bad in (flat, no_begin, no_end, good + "\nmore", "x" + good, good[:-5], good.replace("\nMI", "\n?I", 1),
                good.replace("CERTIFICATE REQUEST", "CERTIFICATE")):
        refused(cas, 400, "INVALID_REQUEST", "POST", f"/{root_tag}/sub/sign", {"period": "10", "csrPem": bad})
    for fine in (good.replace("\n", "\r\n"), f"\n{good}\n", good.replace("BEGIN C", "BEGIN NEW C").replace(
            "END C", "END NEW C")):
        cas.do("POST", f"/{root_tag}/sub/sign", {"period": 10, "csrPem": fine})


# ---- who asks ----

@pytest.fixture
def ask(appliance, key):
    """Asks over TLS with headers of one's own making."""
    def asked(method, target, headers, body=None):
        return Client(appliance.connect_tls).ask(method, target, body, headers=headers)
    return asked


def test_both_headers_with_and_without_the_query(ask, key):
    target = "/api/v1/ca?pageNo=1"
    for version, signed in ((1, target), (1, "/api/v1/ca"), (2, target)):
        headers = naverkit.signature("GET", target, key, version=version, signed_target=signed)
        assert ask("GET", target, headers).status == 200, (version, signed)
    headers = naverkit.signature("GET", target, key, version=2, signed_target="/api/v1/ca")
    assert ask("GET", target, headers).status == 401


def test_signatures_that_do_not_count(ask, key, appliance):
    good = naverkit.signature("GET", "/api/v1/ca", key)
    other = naverkit.add_key(appliance.admin, "admin")
    now = naverkit.now_ms()
    bad = [{name: value for name, value in good.items() if name != gone} for gone in good]
    bad += [dict(good, **{name: value}) for name in good for value in ("", "x", good[name] + "=", good[name][:-2])]
    bad += [naverkit.signature("POST", "/api/v1/ca", key), naverkit.signature("GET", "/api/v1/cb", key),
            naverkit.signature("GET", "/api/v1/ca", (key[0], other[1])),
            naverkit.signature("GET", "/api/v1/ca", (other[0], key[1])),
            naverkit.signature("GET", "/api/v1/ca", ("A" * 20, "")),
            *(naverkit.signature("GET", "/api/v1/ca", key, timestamp=now + step * MINUTE_MS)
              for step in (-6, 6, -60 * 24, 60 * 24))]
    for headers in bad:
        answer = ask("GET", "/api/v1/ca", headers)
        assert (answer.status, answer.json["error"]["errorCode"]) == (401, "200"), (headers, answer)
    for step in (-4, 4):
        headers = naverkit.signature("GET", "/api/v1/ca", key, timestamp=now + step * MINUTE_MS)
        assert ask("GET", "/api/v1/ca", headers).status == 200


def test_a_signature_on_a_change_counts_once(appliance, ask, key, root_tag):
    """However it is written, and also after a restart."""
    target = f"/api/v1/ca/{root_tag}/crl/rotate"
    headers = naverkit.signature("POST", target, key)
    assert ask("POST", target, headers).status == 200
    before = appliance.state()["pca_ca"]
    as_v1 = {name.replace("-v2", "-v1"): value for name, value in headers.items()}
    for again in (headers, as_v1):
        assert ask("POST", target, again).status == 401
        assert ask("POST", target + "?x=1", again).status == 401
    appliance.restart_control()
    assert ask("POST", target, headers).status == 401
    assert appliance.state()["pca_ca"] == before
    reading = naverkit.signature("GET", "/api/v1/ca", key)
    assert [ask("GET", "/api/v1/ca", reading).status for _ in range(2)] == [200, 200]


def test_a_key_that_is_deleted_lets_nobody_in(appliance, ask):
    gone = naverkit.add_key(appliance.admin, "auditor")
    assert ask("GET", "/api/v1/ca", naverkit.signature("GET", "/api/v1/ca", gone)).status == 200
    listed = appliance.admin.ask("GET", naverkit.KEYS)
    assert gone[0] in listed.text and gone[1] not in listed.text
    assert appliance.admin.ask("DELETE", f"{naverkit.KEYS}/{gone[0]}").status == 204
    assert appliance.admin.ask("DELETE", f"{naverkit.KEYS}/{gone[0]}").status == 404
    assert ask("GET", "/api/v1/ca", naverkit.signature("GET", "/api/v1/ca", gone)).status == 401


def test_no_family_opens_another(appliance, key):
    signed = naverkit.signature("GET", CERTIFICATES, key)
    assert appliance.stranger().ask("GET", CERTIFICATES, headers=signed).status == 401
    token = appliance.stranger(Authorization=f"Bearer {appliance.token('admin')}")
    assert token.ask("GET", "/api/v1/ca").status == 401


def test_what_is_not_served_is_answered_as_by_the_gateway(cas, root_tag):
    for method, path, status in (("GET", f"/{root_tag}/users", 404), ("POST", f"/{root_tag}/trim", 404),
                                 ("PATCH", "", 405), ("GET", f"/{root_tag}/activate", 405)):
        answer = cas.ask(method, path)
        assert (answer.status, answer.json["error"]["errorCode"]) == (status, "300"), answer
    assert cas.ask("POST", "?caType=PRIVATE_ROOT", "{", media="application/json").json["error"]["errorCode"] == "100"


# ---- the life of CAs ----

def test_a_root_is_active_and_certifies_itself(root, tmp_path):
    info, certificate = root["caInfo"], load(root["caCertInfo"]["certPem"])
    assert (info["status"], info["caType"], info["signingCount"]) == ("ACTIVE", "PRIVATE_ROOT", 0)
    assert certificate.subject == certificate.issuer and root["caCertInfo"]["chainPem"] == ""
    assert info["destroyDate"] is None and abs(info["rgstDate"] - time.time() * 1000) < 600_000
    assert root["caCertInfo"]["issuerName"] == "The Root"
    good, text = verify(tmp_path, root["caCertInfo"]["certPem"], [], root["caCertInfo"]["certPem"])
    assert good, text


@pytest.mark.parametrize("kind", ["RSA2048", "EC256", "EC521"])
def test_a_sub_below_a_root_is_active_at_once(cas, root, root_tag, kind, tmp_path):
    made = cas.create("PRIVATE_SUB", root_tag, keyType=kind, X509CaParameters={"commonName": f"Sub {kind}"},
                      x509Parameters=None)
    assert made["caInfo"]["status"] == "ACTIVE" and made["caCertInfo"]["publicKeyAlgorithm"].startswith(kind[:2])
    assert made["caCertInfo"]["chainPem"] == root["caCertInfo"]["certPem"]
    tag = made["caInfo"]["caTag"]
    chain = cas.do("GET", f"/{tag}/chain")
    assert chain.count("BEGIN CERTIFICATE") == 2
    issued = cas.do("POST", f"/{tag}/cert", {"keyType": "EC256", "period": "5", "x509Parameters": {
        "commonName": "www.example.com", "useCnAsSan": True}})
    crls = [cas.do("GET", f"/{one}/crl") for one in (tag, root_tag)]
    good, text = verify(tmp_path, issued["certificate"], [made["caCertInfo"]["certPem"]], root["caCertInfo"]["certPem"],
                        crls)
    assert good, text
    refused(cas, 400, "INVALID_CA_STATUS", "GET", f"/{tag}/sub/csr")


def test_a_root_of_the_longest_curve_signs_subs(appliance, cas, tmp_path):
    """RFC 5758 section 3.2: what the longest curve signs is hashed with SHA-512."""
    root = cas.create(keyType="EC521", commonName="Root of EC521")
    certificate = load(root["caCertInfo"]["certPem"])
    assert isinstance(certificate.public_key().curve, ec.SECP521R1)
    assert certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA512
    assert root["caCertInfo"]["publicKeyAlgorithm"] == "EC521"
    tag = root["caInfo"]["caTag"]
    made = cas.do("POST", f"/{tag}/sub/sign", {"period": "10", "csrPem": pem_of(request_for("below")[0])})
    good, text = verify(tmp_path, made["certificate"], [], root["caCertInfo"]["certPem"],
                        [cas.do("GET", f"/{tag}/crl")])
    assert good, text
    life = Life(appliance, None)
    number = life.make("below the longest curve", "CSRGEN_DONE")
    csr = appliance.admin.ask("GET", f"{CERTIFICATES}/downloadCsr/{number}").text
    made = cas.do("POST", f"/{tag}/sub/sign", {"period": "10", "csrPem": csr})
    for path, text in (("uploadCert", made["certificate"]), ("uploadCertChain", "\n".join(made["caChain"]))):
        upload = form([("fileUpload", "some.pem", text.encode())])
        assert appliance.admin.ask("POST", f"{CERTIFICATES}/{path}/{number}", *upload).status == 200
    assert appliance.admin.ask("POST", f"{CERTIFICATES}/finalizeCert/{number}", {}).status == 200
    life.delete(number)
    pending = cas.tag("PRIVATE_SUB", keyType="EC521")
    assert x509.load_pem_x509_csr(cas.do("GET", f"/{pending}/sub/csr")["csrPem"].encode()).is_signature_valid


def test_the_life_of_a_sub_that_is_signed_elsewhere(cas, tmp_path):
    outside = Authority("An Outer Root")
    made = cas.create("PRIVATE_SUB", memo="of others", x509Parameters={
        "commonName": "Sub", "contry": "CH", "stateProvince": "ZH", "locality": "Zürich", "organization": "Ex",
        "organicationUnit": "Sec"})
    tag = made["caInfo"]["caTag"]
    assert made["caInfo"]["status"] == "PENDING" and made["caCertInfo"] is None
    for method, path, body in (("GET", "/chain", None), ("GET", "/crl", None), ("POST", "/crl/rotate", None),
                               ("POST", "/sub/sign", {"period": "1", "csrPem": pem_of(request_for("X")[0])}),
                               ("PUT", "", {"status": "ACTIVE"})):
        refused(cas, 400, "INVALID_CA_STATUS", method, f"/{tag}{path}", body)
    csr = x509.load_pem_x509_csr(cas.do("GET", f"/{tag}/sub/csr")["csrPem"].encode())
    assert csr.is_signature_valid
    assert [one.value for one in csr.subject] == ["CH", "ZH", "Zürich", "Ex", "Sec", "Sub"]
    wrong = pem_of(outside.certify(request_for("Sub")[0]))
    refused(cas, 400, "INVALID_INPUT_CERT", "POST", f"/{tag}/activate", {"certPem": wrong})
    good = pem_of(outside.certify(csr))
    refused(cas, 400, "INVALID_INPUT_CA_CHAIN", "POST", f"/{tag}/activate", {"certPem": good,
            "caChainPem": Authority("Another").pem()})
    refused(cas, 400, "EMPTY_CERT", "POST", f"/{tag}/activate", {})
    active = cas.do("POST", f"/{tag}/activate", {"certPem": good, "caChainPem": outside.pem()})
    assert active["caInfo"]["status"] == "ACTIVE" and active["caCertInfo"]["locality"] == "Zürich"
    refused(cas, 400, "INVALID_CA_STATUS", "POST", f"/{tag}/activate", {"certPem": good})
    issued = cas.do("POST", f"/{tag}/cert", {"keyType": "EC256", "x509Parameters": {"commonName": "leaf"}})
    assert load(issued["certificate"]).issuer == csr.subject
    # The outer root allowed it no CA of its own.
    refused(cas, 400, "INVALID_ISSUER_CA", "POST", f"/{tag}/sub/sign",
            {"period": "1", "csrPem": pem_of(request_for("X")[0])})
    refused(cas, 400, "INVALID_ISSUER_CA", "POST", f"?caType=PRIVATE_SUB&issuerTag={tag}", {
        "alias": "too-deep", "keyType": "EC256", "period": "1", "x509Parameters": {"commonName": "X"}})


def test_statuses_and_the_end_of_a_ca(appliance, cas):
    before = len(appliance.state()["keys"])
    tag = cas.tag()
    assert cas.do("PUT", f"/{tag}", {"status": "DEACTIVATED", "memo": "for a while"})["memo"] == "for a while"
    refused(cas, 400, "INVALID_CA_STATUS", "POST", f"/{tag}/cert", {"x509Parameters": {"commonName": "x"}})
    refused(cas, 400, "INVALID_CA_STATUS", "DELETE", f"/{tag}")
    refused(cas, 400, "INVALID_INPUT_STATUS", "PUT", f"/{tag}", {"status": "PENDING"})
    refused(cas, 400, "EMPTY_STATUS", "PUT", f"/{tag}", {})
    assert cas.do("PUT", f"/{tag}", {"status": "ACTIVE"})["status"] == "ACTIVE"
    doomed = cas.do("PUT", f"/{tag}", {"status": "DESTROYING"})
    assert 2.9 < (doomed["destroyDate"] - doomed["statusUpdateDate"]) / 86_400_000 < 3.1
    assert cas.do("PUT", f"/{tag}", {"status": "DEACTIVATED"})["destroyDate"] is None
    cas.do("PUT", f"/{tag}", {"status": "DESTROYING"})
    assert cas.do("DELETE", f"/{tag}") is None
    refused(cas, 404, "NOT_FOUND", "GET", f"/{tag}")
    wait_until(lambda: len(appliance.state()["keys"]) == before, seconds=60, what="the end of the key")


def test_lists_come_in_pages_of_ten(cas, root_tag):
    first = cas.do("GET", "")
    assert first["currentPageNo"] == 1 and first["totalCnt"] >= len(first["caInfoList"]) > 0
    assert first["totalPageNo"] == -(-first["totalCnt"] // 10)
    assert cas.do("GET", "?pageNo=1000")["caInfoList"] == []
    for bad in ("0", "x", "-1", "1.5", "99999999999"):
        refused(cas, 400, "INVALID_INPUT_PAGENUMBBER", "GET", f"?pageNo={bad}")
        refused(cas, 400, "INVALID_INPUT_PAGENUMBBER", "GET", f"/{root_tag}/cert?pageNo={bad}")


# ---- what is refused of a CA ----

@pytest.mark.parametrize("change, status, code", [
    ({"alias": None}, 400, "EMPTY_CA_ALIAS"), ({"alias": "ab"}, 400, "INVALID_INPUT"),
    ({"alias": "1abc"}, 400, "INVALID_INPUT"), ({"alias": "a" * 16}, 400, "INVALID_INPUT"),
    ({"alias": 'a"b c'}, 400, "INVALID_INPUT"), ({"keyType": None}, 400, "EMPTY_KEY_TYPE"),
    ({"keyType": "EC255"}, 400, "INVALID_X509_KEY_TYPE"), ({"period": "0"}, 400, "INVALID_INPUT_PERIOD"),
    ({"period": "3651"}, 400, "INVALID_INPUT_PERIOD"), ({"period": None}, 400, "INVALID_INPUT_PERIOD"),
    ({"x509Parameters": None}, 400, "EMPTY_X509_PARAMETERS"), ({"x509Parameters": {}}, 400, "EMPTY_COMMON_NAME"),
    ({"x509Parameters": {"commonName": "x" * 65}}, 400, "EXCEED_COMMON_NAME"),
    ({"x509Parameters": {"commonName": "x", "country": "che"}}, 400, "INVALID_REQUEST"),
    ({"x509Parameters": {"commonName": "x", "country": "ch"}}, 400, "INVALID_REQUEST"),
    ({"x509Parameters": {"commonName": "x", "ip": "1.2.3"}}, 400, "INVALID_X509_IP"),
    ({"x509Parameters": {"commonName": "x", "altName": "a,,b"}}, 400, "INVALID_REQUEST"),
])
def test_a_wish_for_a_ca_that_breaks_a_rule(appliance, cas, change, status, code):
    before = appliance.state()
    good = {"alias": "good", "keyType": "EC256", "period": "10", "x509Parameters": {"commonName": "x"}}
    refused(cas, status, code, "POST", "?caType=PRIVATE_ROOT", {**good, **change})
    assert appliance.state() == before


def test_a_wish_that_does_not_fit_what_there_is(cas, root, root_tag):
    good = {"alias": "fits", "keyType": "EC256", "period": "10", "x509Parameters": {"commonName": "x"}}
    for query, status, code in (("", 400, "EMPTY_CA_TYPE"), ("?caType=0xc000012345", 400, "INVALID_REQUEST"),
                                ("?caType=PRIVATE_SUB&issuerTag=00000000-00000000", 404, "NOT_EXIST_ISSUER_CA"),
                                (f"?caType=PRIVATE_ROOT&issuerTag={root_tag}", 400, "INVALID_ISSUER_CA")):
        refused(cas, status, code, "POST", query, good)
    refused(cas, 409, "ALREADY_EXIST_ALIAS", "POST", "?caType=PRIVATE_ROOT", dict(good, alias=root["caInfo"]["alias"]))
    short = cas.tag(period="5")
    refused(cas, 400, "EXCEED_EXPIRY_DATE", "POST", f"?caType=PRIVATE_SUB&issuerTag={short}", good)
    refused(cas, 400, "INVALID_REQUEST", "POST", f"?caType=PRIVATE_SUB&issuerTag={root_tag}",
            dict(good, x509Parameters={"commonName": "The Root"}))
    assert cas.create("PRIVATE_SUB", short, period="MAX")["caInfo"]["status"] == "ACTIVE"


# ---- what is signed ----

def test_path_lengths_are_what_is_asked_for_within_what_is_allowed(cas, root_tag):
    def path_length(tag, asked):
        wish = [(x509.BasicConstraints(True, asked), True)]
        csr = request_for(f"asks for {asked}", extensions=wish)[0]
        data = cas.do("POST", f"/{tag}/sub/sign", {"period": "1", "csrPem": pem_of(csr)})
        return load(data["certificate"]).extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    assert [path_length(root_tag, asked) for asked in (None, 0, 3)] == [None, 0, 3]
    # One that may have a CA below it, but none below that.
    pending = cas.tag("PRIVATE_SUB")
    csr = x509.load_pem_x509_csr(cas.do("GET", f"/{pending}/sub/csr")["csrPem"].encode())
    outside = Authority("Outside")
    signed = outside._sign(csr.subject, csr.public_key(), 1)
    cas.do("POST", f"/{pending}/activate", {"certPem": pem_of(signed), "caChainPem": outside.pem()})
    assert [path_length(pending, asked) for asked in (None, 0, 1, 5)] == [0, 0, 0, 0]


def test_requests_that_are_not_signed(cas, root_tag, root):
    weak = request_for("weak", rsa.generate_private_key(65537, 1024))[0]
    der = request_for("forged")[0].public_bytes(serialization.Encoding.DER).replace(b"forged", b"f0rged")
    forged = pem_of(x509.load_der_x509_csr(der))  # whole, but its name is not what was signed
    own_name = request_for("The Root")[0]
    for csr in (pem_of(weak), forged, pem_of(own_name), pem_of(request_for("")[0]),
                root["caCertInfo"]["certPem"]):
        refused(cas, 400, "INVALID_REQUEST", "POST", f"/{root_tag}/sub/sign", {"period": "10", "csrPem": csr})
    good = pem_of(request_for("good")[0])
    for period in ("0", "3651", "MAX", "x", 0, None, "-1", 1.5, ["1"]):
        refused(cas, 400, "INVALID_INPUT_PERIOD", "POST", f"/{root_tag}/sub/sign", {"period": period, "csrPem": good})
    refused(cas, 400, "EMPTY_CSR", "POST", f"/{root_tag}/sub/sign", {"period": "10"})
    refused(cas, 404, "NOT_FOUND", "POST", "/00000000-00000000/sub/sign", {"period": "10", "csrPem": good})


def test_issued_certificates_say_what_was_asked(cas, root_tag):
    data = cas.do("POST", f"/{root_tag}/cert", {"keyType": "EC521", "period": 3, "X509EndCertParameters": {
        "commonName": "device.example.com", "altName": "*.example.com, someone@example.com",
        "ip": "192.0.2.1,2001:db8::1",
        "uri": "https://example.com/x", "other": "1.3.6.1.4.1.311.20.2.3;UTF8:user@realm", "useCnAsSan": True,
        "streetAddress": "Main 1", "postalCode": "8000", "keyUsage": ["DIGITAL_SIGNATURE", "KeyAgreement"],
        "extendedKeyUsage": ["CLIENT_AUTH", "emailProtection"]}})
    certificate = load(data["certificate"])
    key = serialization.load_pem_private_key(data["privateKey"].encode(), None)
    assert isinstance(key.curve, ec.SECP521R1)
    assert key.public_key().public_numbers() == certificate.public_key().public_numbers()
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.example.com", "device.example.com"]
    assert names.get_values_for_type(x509.RFC822Name) == ["someone@example.com"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["https://example.com/x"]
    assert len(names.get_values_for_type(x509.OtherName)) == 1
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.key_agreement and not usage.key_cert_sign
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert certificate.subject.get_attributes_for_oid(NameOID.POSTAL_CODE)[0].value == "8000"
    assert isinstance(data["caChain"], str) and data["caChain"].startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.parametrize("parameters, code", [
    ({"uri": "no uri"}, "INVALID_X509_URI"), ({"other": "1.2.3;X:y"}, "INVALID_X509_OTHER"),
    ({"other": "x;UTF8:y"}, "INVALID_X509_OTHER"), ({"keyUsage": ["KEY_CERT_SIGN"]}, "INVALID_X509_KEY_USAGE"),
    ({"keyUsage": "x"}, "INVALID_X509_KEY_USAGE"), ({"extendedKeyUsage": ["x"]}, "INVALID_X509_EXTENDED_KEY_USAGE"),
    ({"altName": "DNS:a,email:copy"}, "INVALID_REQUEST"), ({"altName": "a b"}, "INVALID_REQUEST"),
    ({"commonName": "no host", "useCnAsSan": True}, "INVALID_REQUEST"),
])
def test_a_certificate_that_may_not_be(cas, root_tag, parameters, code):
    body = {"keyType": "EC256", "x509Parameters": {"commonName": "x", **parameters}}
    refused(cas, 400, code, "POST", f"/{root_tag}/cert", body)


def test_an_end_entitys_request_is_signed_as_one(cas, root_tag):
    wish = [(x509.BasicConstraints(True, None), True),
            (x509.KeyUsage(True, False, False, False, False, True, True, False, False), True),
            (x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), False)]
    csr, key = request_for("", extensions=wish)
    data = cas.do("POST", f"/{root_tag}/cert/sign", {"csrPem": pem_of(csr), "keyType": "EC", "keyBits": 256})
    certificate = load(data["certificate"])
    assert certificate.public_key().public_numbers() == key.public_key().public_numbers()
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.key_cert_sign and not usage.crl_sign
    assert certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).critical
    der = csr.public_bytes(serialization.Encoding.DER)
    again = cas.do("POST", f"/{root_tag}/cert/sign", {"csrPemDer": base64.b64encode(der).decode(), "period": "2"})
    assert again["serialNo"] != data["serialNo"]
    refused(cas, 400, "INVALID_REQUEST", "POST", f"/{root_tag}/cert/sign", {"csrPem": pem_of(request_for("")[0])})
    refused(cas, 400, "EMPTY_CSR", "POST", f"/{root_tag}/cert/sign", {})


def test_what_was_issued_is_listed_and_shown_and_counted(cas):
    tag = cas.tag(period="50")
    serials = [cas.do("POST", f"/{tag}/cert/sign", {"csrPem": pem_of(request_for(f"leaf {number}")[0])})["serialNo"]
               for number in range(12)]
    first, second = (cas.do("GET", f"/{tag}/cert?pageNo={page}") for page in (1, 2))
    assert (first["totalCnt"], first["totalPageNo"]) == (12, 2)
    assert first["listCerts"] + second["listCerts"] == serials
    assert cas.do("GET", f"/{tag}")["caInfo"]["signingCount"] == 12
    shown = cas.do("GET", f"/{tag}/cert/{serials[3]}")
    assert (shown["serialNo"], shown["commonName"], shown["revokeDate"]) == (serials[3], "leaf 3", None)
    assert load(shown["certPem"]).serial_number == int(serials[3].replace(":", ""), 16)
    assert cas.do("GET", f"/{tag}/cert/{serials[3].replace(':', '%3A').upper().replace('%3A', '%3a')}") == shown
    refused(cas, 404, "NOT_FOUND", "GET", f"/{tag}/cert/00:11")
    refused(cas, 400, "INVALID_INPUT_SERIAL_NO", "GET", f"/{tag}/cert/xyz")
    # A period that nobody asked for ends with the CA.
    ends = cas.do("GET", f"/{tag}")["caCertInfo"]["notAfterDate"]
    assert shown["notAfterDate"] == ends


def test_urls_stand_in_certificates(appliance, cas):
    tag = cas.tag()
    url = f"https://pca.example.com/ext/{tag}/ocsp"
    assert cas.do("PUT", f"/{tag}/urls", {"ocsp_servers": url}) is None
    data = cas.do("POST", f"/{tag}/cert", {"keyType": "EC256", "x509Parameters": {"commonName": "x"}})
    assert data["ocspResponder"] == url and cas.do("GET", f"/{tag}")["caInfo"]["urlInfo"]["ocsp"] == [url]
    access = load(data["certificate"]).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert access[0].access_location.value == url
    points = load(data["certificate"]).extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == f"http://127.0.0.1:{appliance.crl_port}/crl/{tag}.crl"
    assert cas.do("DELETE", f"/{tag}/urls") is None
    bare = cas.do("POST", f"/{tag}/cert", {"keyType": "EC256", "x509Parameters": {"commonName": "x"}})
    assert bare["ocspResponder"] == ""
    with pytest.raises(x509.ExtensionNotFound):
        load(bare["certificate"]).extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    refused(cas, 400, "INVALID_X509_URI", "PUT", f"/{tag}/urls", {"ocsp_servers": "ftp://x"})


# ---- revocation ----

def fetch(appliance, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{appliance.crl_port}{path}", timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read()


def crl_of(appliance, tag):
    media, der = fetch(appliance, f"/crl/{tag}.crl")
    assert media == "application/pkix-crl"
    return x509.load_der_x509_crl(der)


def test_a_revoked_certificate_fails_with_openssl_and_the_rest_goes_on(appliance, cas, root, root_tag, tmp_path):
    made = cas.create("PRIVATE_SUB", root_tag)
    tag, sub = made["caInfo"]["caTag"], made["caCertInfo"]["certPem"]
    good, bad = (cas.do("POST", f"/{tag}/cert/sign", {"csrPem": pem_of(request_for(name)[0])}) for name in ("a", "b"))
    anchor = root["caCertInfo"]["certPem"]

    def judged(issued):
        crls = [pem_of(crl_of(appliance, one)) for one in (tag, root_tag)]
        return verify(tmp_path, issued["certificate"], [sub], anchor, crls)
    assert judged(good)[0] and judged(bad)[0]
    before = crl_of(appliance, tag).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert cas.do("POST", f"/{tag}/cert/{bad['serialNo']}/revoke") is None
    assert judged(good)[0]
    assert not judged(bad)[0] and "revoked" in judged(bad)[1]
    crl = crl_of(appliance, tag)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == before + 1
    assert crl.is_signature_valid(load(sub).public_key())
    (tmp_path / "one.crl").write_text(pem_of(crl))
    (tmp_path / "sub.pem").write_text(sub)
    shown = run("openssl", "crl", "-in", tmp_path / "one.crl", "-CAfile", tmp_path / "sub.pem", "-noout", "-text")
    assert bad["serialNo"].replace(":", "").upper() in shown.stdout and "verify OK" in shown.stderr
    assert cas.do("POST", f"/{tag}/cert/{bad['serialNo']}/revoke") is None  # and stays so
    assert crl_of(appliance, tag).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == before + 1
    assert cas.do("GET", f"/{tag}/cert/{bad['serialNo']}")["revokeDate"] > 0
    refused(cas, 404, "NOT_FOUND", "POST", f"/{tag}/cert/00:11/revoke")


def test_crls_are_rotated_and_last_as_long_as_configured(appliance, cas, root_tag):
    tag = cas.tag()
    first = crl_of(appliance, tag)
    assert (first.next_update - first.last_update).days == 7
    assert cas.do("GET", f"/{tag}/crl/config") == {"expiry": "7"}
    assert cas.do("POST", f"/{tag}/crl/rotate") is None
    assert cas.do("PUT", f"/{tag}/crl/config", {"expiry": "5"}) == {"expiry": "5"}
    now = crl_of(appliance, tag)
    assert (now.next_update - now.last_update).days == 5
    assert now.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 3
    assert x509.load_pem_x509_crl(cas.do("GET", f"/{tag}/crl").encode()) == now
    for bad in ("2", "366", "x", "", None, 2, -1):
        refused(cas, 400, "INVALID_INPUT", "PUT", f"/{tag}/crl/config", {"expiry": bad})


def test_a_crl_is_renewed_when_half_of_its_time_is_over_and_a_ca_ends_when_its_day_has_come(appliance, cas):
    """The CRL also of a CA that is deactivated."""
    tag, doomed = cas.tag(), cas.tag()
    cas.do("PUT", f"/{tag}", {"status": "DEACTIVATED"})
    cas.do("PUT", f"/{doomed}", {"status": "DESTROYING"})
    appliance.processes["control"].terminate()
    appliance.processes["control"].wait(timeout=60)
    database = sqlite3.connect(appliance.database)
    with database:
        database.execute("UPDATE pca_ca SET crl_this_update = crl_this_update - 4 * 86400,"
                         " crl_next_update = crl_next_update - 4 * 86400 WHERE tag = ?", (tag,))
        database.execute("UPDATE pca_ca SET destroy_us = 1 WHERE tag = ?", (doomed,))
    database.close()
    appliance.start("control", "control/program/mintgate-control")
    wait_until(appliance._is_up, seconds=60, what="the control plane")
    wait_until(lambda: crl_of(appliance, tag).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2,
               seconds=60, what="the new CRL")
    wait_until(lambda: cas.ask("GET", f"/{doomed}").status == 404, seconds=60, what="the end of the other CA")
    assert "destroyPrivateCa" in appliance.admin.ask("GET", "/mintgate/v1/audit?max=20").text


def crl_requests(appliance):
    """Requests at the address of the CRLs, by class of status."""
    page = run("curl", "-sS", "--unix-socket", appliance.directory / "control-metrics.sock",
               "http://localhost/metrics").stdout
    return {name: int(count)
            for name, count in re.findall(r'^mintgate_control_crl_requests_total\{status="(.xx)"\} (\d+)$', page, re.M)}


def test_requests_for_crls_are_counted_by_their_results(appliance, root_tag):
    before = crl_requests(appliance)
    crl_of(appliance, root_tag)
    with pytest.raises(urllib.error.HTTPError):
        fetch(appliance, "/crl/none.crl")

    def grown():
        return {name: count - before[name] for name, count in crl_requests(appliance).items()}
    wait_until(lambda: grown()["4xx"] == 1, what="the count of the second")  # made once the answer has left
    assert grown() == {"1xx": 0, "2xx": 1, "3xx": 0, "4xx": 1, "5xx": 0}


def test_at_the_address_of_the_crls_there_is_nothing_else(appliance, root_tag):
    for path in ("/", "/crl", "/crl/", "/crl/none.crl", f"/crl/{root_tag}", "/crl/%00.crl", "/health", "/ca.pem",
                 "/api/v1/ca", "/mintgate/v1/users", "/crl/00000000-00000000.crl", f"/crl/{root_tag}.crl/x"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(appliance, path)
        assert caught.value.code == 404, path
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{appliance.crl_port}/crl/{root_tag}.crl", data=b"x", timeout=60)
    assert caught.value.code == 405


# ---- keys, journal, crashes ----

def test_no_private_key_is_in_control_s_files_or_logs(appliance, cas, root_tag):
    data = cas.do("POST", f"/{root_tag}/cert", {"keyType": "EC256", "x509Parameters": {"commonName": "x"}})
    secret = data["privateKey"].split("\n")[1].encode()
    content = b"".join(path.read_bytes() for path in appliance.directory.rglob("*") if path.is_file())
    assert secret not in content and b"BEGIN PRIVATE KEY" not in b"".join(
        path.read_bytes() for path in appliance.database.parent.glob("control.db*"))


def test_what_was_signed_is_in_the_journal_and_the_audit_record(appliance, cas, root_tag):
    serial = cas.do("POST", f"/{root_tag}/cert/sign", {"csrPem": pem_of(request_for("noted")[0])})["serialNo"]
    journal = "".join(path.read_text() for path in (appliance.directory / "signer").rglob("*") if path.is_file()
                      and "journal" in str(path))
    assert serial.replace(":", "") in journal
    audit = appliance.admin.ask("GET", "/mintgate/v1/audit?max=5").text
    assert "signCertificate" in audit and serial in audit and f"privateCa/{root_tag}" in audit


def test_while_the_signer_is_away_nothing_changes_and_reading_goes_on(appliance, cas, root_tag):
    serial = cas.do("POST", f"/{root_tag}/cert/sign", {"csrPem": pem_of(request_for("kept")[0])})["serialNo"]
    longest = cas.tag(keyType="EC521")
    appliance.processes["signer"].terminate()
    assert appliance.processes["signer"].wait(timeout=60) == 0
    try:
        before = appliance.state()
        loose = before.pop("pca_loose_key")
        for path, body in ((f"/{root_tag}/cert/{serial}/revoke", None), (f"/{root_tag}/crl/rotate", None),
                           (f"/{root_tag}/cert/sign", {"csrPem": pem_of(request_for("x")[0])}),
                           ("?caType=PRIVATE_ROOT", {"alias": "away", "keyType": "EC256", "period": "1",
                                                     "x509Parameters": {"commonName": "x"}})):
            answer = cas.ask("POST", path, body)
            assert answer.status == 503 and answer.json["error"]["errorCode"] == "500", answer
        after = appliance.state()
        assert len(after.pop("pca_loose_key")) == len(loose) + 1, "the wish for a key is noted"
        assert after == before
        assert cas.do("GET", f"/{root_tag}/cert/{serial}")["revokeDate"] is None
    finally:
        appliance.start("signer", "hsm/mintgate-signer")
    wait_until(lambda: cas.ask("POST", f"/{root_tag}/crl/rotate").status == 200, seconds=60, what="the signer")
    cas.do("POST", f"/{longest}/crl/rotate")
    wait_until(lambda: not appliance.state()["pca_loose_key"], seconds=90, what="the end of the key that nobody wants")


# ---- the whole life of an intermediate against one Mintgate ----

def test_the_life_of_a_zia_intermediate_below_a_private_ca(appliance, key, root_tag, tmp_path, root):
    client = Client(appliance.connect_tls, access_key=key)
    life = Life(appliance, None)
    number = life.make("from a private CA", "CSRGEN_DONE")
    csr = appliance.admin.ask("GET", f"{CERTIFICATES}/downloadCsr/{number}").text
    answer = client.ask("POST", f"/api/v1/ca/{root_tag}/sub/sign", {"period": "365", "csrPem": csr})
    assert answer.status == 200, answer
    data = answer.json["data"]
    upload = form([("fileUpload", "certificate.pem", data["certificate"].encode())])
    assert appliance.admin.ask("POST", f"{CERTIFICATES}/uploadCert/{number}", *upload).status == 200
    chain = form([("fileUpload", "chain.pem", "\n".join(data["caChain"]).encode())])
    assert appliance.admin.ask("POST", f"{CERTIFICATES}/uploadCertChain/{number}", *chain).status == 200
    final = appliance.admin.ask("POST", f"{CERTIFICATES}/finalizeCert/{number}", {})
    assert final.status == 200 and final.json["currentState"] == "CERT_READY", final
    good, text = verify(tmp_path, data["certificate"], [], root["caCertInfo"]["certPem"])
    assert good, text


# ---- mintgatectl ----

@pytest.fixture
def ctl(appliance):
    def ask(*words, code=0):
        result = run(BUILD / "control/ctl/mintgatectl", "--socket", appliance.directory / "control.sock", *words,
                     check=False)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        assert "Sanitizer" not in result.stderr
        return result.stderr if code else result.stdout
    return ask


def test_the_command_line_makes_cas_and_signs_the_request_of_an_intermediate(appliance, ctl, tmp_path):
    root = json.loads(ctl("--json", "pca", "ca", "create", "cli-root", "--type", "root", "--cn", "CLI Root"))
    root_tag = root["caInfo"]["caTag"]
    sub = json.loads(ctl("--json", "pca", "ca", "create", "cli-sub", root_tag, "--type", "sub", "--for", "90d"))
    tag = sub["caInfo"]["caTag"]
    table = ctl("pca", "ca", "list")
    assert all(word in table for word in ("TAG", "cli-root", root_tag, "cli-sub", tag, "ACTIVE"))
    assert "cli-sub" in ctl("pca", "ca", "show", tag)
    number = Life(appliance, None).make("by the command line", "CSRGEN_DONE")
    (tmp_path / "csr.pem").write_text(ctl("intermediate", "download-csr", str(number)))
    ctl("pca", "sign-csr", tag, tmp_path / "csr.pem", "--for", "30d", "--out", tmp_path / "signed.pem")
    ctl("pca", "ca", "chain", tag, "--out", tmp_path / "chain.pem")
    for words in (("upload-cert", number, tmp_path / "signed.pem"), ("upload-chain", number, tmp_path / "chain.pem"),
                  ("finalize", number)):
        ctl("intermediate", *map(str, words))
    signed = load((tmp_path / "signed.pem").read_text())
    ctl("pca", "revoke", tag, ":".join(
        re.findall("..", f"{signed.serial_number:040x}")))
    assert x509.load_pem_x509_crl(ctl("pca", "ca", "crl", tag).encode()).get_revoked_certificate_by_serial_number(
        signed.serial_number)
    assert "DEACTIVATED" in ctl("pca", "ca", "set-status", tag, "deactivated")
    assert "must be ACTIVE" in ctl("pca", "sign-csr", tag, tmp_path / "csr.pem", code=1)
    ctl("pca", "ca", "set-status", tag, "destroying")
    ctl("pca", "ca", "delete", tag)
    assert "no such CA" in ctl("pca", "ca", "show", tag, code=1)


def test_the_command_line_looks_after_certificates_and_crls(cas, ctl, tmp_path):
    tag = cas.tag()
    (tmp_path / "csr.pem").write_text(pem_of(request_for("by hand")[0]))
    for number in range(11):  # more than a page
        ctl("pca", "cert", "sign", tag, tmp_path / "csr.pem", "--for", "5d", "--out", tmp_path / f"{number}.pem")
    serials = ctl("pca", "cert", "list", tag).split()
    assert len(serials) == 11 and json.loads(ctl("--json", "pca", "cert", "list", tag)) == serials
    assert ctl("pca", "cert", "show", tag, serials[10]) == (tmp_path / "10.pem").read_text()
    signed = load((tmp_path / "10.pem").read_text())
    assert (signed.not_valid_after - signed.not_valid_before).days == 5
    ctl("pca", "ca", "set-crl-days", tag, "9")
    ctl("pca", "ca", "rotate-crl", tag)
    crl = x509.load_pem_x509_crl(ctl("pca", "ca", "crl", tag).encode())
    assert (crl.next_update - crl.last_update).days == 9
    ctl("pca", "ca", "set-ocsp", tag, "http://ocsp.example/")
    assert cas.do("GET", f"/{tag}")["caInfo"]["urlInfo"]["ocsp"] == ["http://ocsp.example/"]
    ctl("pca", "ca", "set-ocsp", tag)
    assert cas.do("GET", f"/{tag}")["caInfo"]["urlInfo"]["ocsp"] == []
    for words in (("pca", "ca", "set-crl-days", tag, "1"), ("pca", "ca", "set-ocsp", tag, "ftp://x"),
                  ("pca", "cert", "show", tag, "00:11"), ("pca", "cert", "sign", tag, tmp_path / "none.pem")):
        ctl(*words, code=1)


def test_the_command_line_brings_a_sub_its_certificate_and_manages_access_keys(ctl, ask, tmp_path):
    made = json.loads(ctl("--json", "pca", "ca", "create", "cli-outer", "--type", "sub", "--o", "Example"))
    tag, outside = made["caInfo"]["caTag"], Authority("Outside of CLI")
    csr = x509.load_pem_x509_csr(ctl("pca", "ca", "csr", tag).encode())
    (tmp_path / "own.pem").write_text(pem_of(outside.certify(csr)))
    (tmp_path / "above.pem").write_text(outside.pem())
    assert "ACTIVE" in ctl("pca", "ca", "activate", tag, tmp_path / "own.pem", tmp_path / "above.pem")
    key = json.loads(ctl("--json", "pca", "key", "add", "--role", "auditor"))
    signed = naverkit.signature("GET", "/api/v1/ca", (key["accessKey"], key["secretKey"]))
    assert ask("GET", "/api/v1/ca", signed).status == 200
    listed = ctl("pca", "key", "list")
    assert key["accessKey"] in listed and key["secretKey"] not in listed
    ctl("pca", "key", "delete", key["accessKey"])
    assert key["accessKey"] not in ctl("pca", "key", "list")
    for words in (("pca",), ("pca", "ca"), ("pca", "ca", "create", "x"), ("pca", "key", "add"),
                  ("pca", "ca", "create", "abc", "--type", "root", "--for", "90m"),
                  ("pca", "ca", "create", "abc", "a&b", "--type", "sub")):
        ctl(*words, code=2)
