# SPDX-License-Identifier: Apache-2.0
"""Bad input to every endpoint: the right status in the right shape (restkit holds each answer against the description
of the APIs), and nothing has changed. The cases are made from the description, so that a new endpoint gets them too."""

import datetime
import itertools
import json
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import openapikit
from keyskit import Authority
from restkit import (CERTIFICATES, STATES, UNKNOWN, Life, fill, form, good_body, good_request, message_of, number_for,
                     path_parameters)



def different():
    """Each operation once, and of those of the Securosys family that read the same body, one."""
    found = {}
    for one in openapikit.one_base():
        body = one.tree.get("requestBody", {}).get("$ref") if one.document.name == "securosys" else None
        found.setdefault((one.document.name, body) if body else one.tree["operationId"], one)
    return list(found.values())


OPERATIONS = different()
LIMITS = {route.shape: route.limit for route in openapikit.routes()}


def each(operations):
    """Parametrizes a test by operations."""
    return pytest.mark.parametrize("operation", operations, ids=[one.tree["operationId"] for one in operations])


def with_body(media):
    """The operations that read such a body."""
    return each([one for one in OPERATIONS if one.body()[0] == media])


@pytest.fixture(scope="module")
def life(appliance):
    return Life(appliance, Authority("Corporate Root"))


@pytest.fixture(scope="module")
def certificates(life):
    return life.one_of_each()


@pytest.fixture
def refused(appliance, certificates):
    """Asks, and must be refused with one of the statuses, nothing having changed."""
    def ask(statuses, method, path, *body, **options):
        before = appliance.state()
        answer = appliance.admin.ask(method, path, *body, **options)
        assert answer.status in statuses, (method, path, body[:1], answer)
        assert appliance.state() == before, (method, path, body[:1], answer)
        return answer
    return ask


# ---- members of JSON bodies ----

def members(document, schema):
    """The members that an object may have, by name."""
    schema = document.resolve(schema)
    found = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        found.update(members(document, part))
    return found


def candidates(document, schema):
    """Values of every type, and just beyond what the schema allows."""
    schema = document.resolve(schema)
    long = schema.get("maxLength", 0) + 1
    yield from (True, 0, -1, 1.5, [], [1], {}, {"a": 1})
    yield from ("", "x", "x" * long, "ä" * long, "a\nb", 'a"b', "a/b", "no word")
    yield from (schema[bound] + step for bound, step in (("minimum", -1), ("maximum", 1)) if bound in schema)


def bad_bodies(operation, good):
    """Bodies that differ in one member from a good one, and break the description by it."""
    document, (_, schema, _) = operation.document, operation.body()
    for name, member in members(document, schema).items():
        bad = [dict(good, **{name: value}) for value in candidates(document, member)]
        bad.append({key: value for key, value in good.items() if key != name})
        yield from (body for body in bad if document.errors(schema, body))


@with_body("application/json")
def test_members_of_a_wrong_type_or_length_or_word_or_missing(operation, certificates, refused):
    good = good_body(operation, certificates)
    known = number_for(operation, certificates) or all("example" in one for one in path_parameters(operation))
    for body in bad_bodies(operation, good):
        statuses = {400} if known else {400, 404}
        if len(json.dumps(body)) > LIMITS[operation.shape]:
            statuses = {413}
        answer = refused(statuses, operation.method, fill(operation, certificates), body)
        assert message_of(answer), answer


@with_body("application/json")
def test_numbers_that_no_computer_holds_and_texts_that_are_none(operation, certificates, refused):
    for name in members(operation.document, operation.body()[1]):
        for value in ("1" * 40, "1e999", '"\\u0000"', '"\\ud800"', '"\xff"'.encode("latin-1")):
            body = b'{"%s": %s}' % (name.encode(), value if isinstance(value, bytes) else value.encode())
            refused({400}, operation.method, fill(operation, certificates), body, "application/json")


def test_members_that_nobody_knows_are_ignored(appliance, certificates, life):
    number = certificates["GENERAL_DONE"]
    before = life.show(number)
    odd = {"unknown": 1, "id": 77, "currentState": "CERT_READY", "defaultCertificate": True, "publicKey": "mine",
           "certExpDate": 1, "__proto__": {}}
    assert appliance.admin.ask("PUT", f"{CERTIFICATES}/{number}", odd).status == 200
    assert life.show(number) == before


# ---- bodies as a whole ----

BROKEN = {"cut": b'{"a": 1', "comma": b'{"a": 1,}', "array": b"[]", "text": b'"a"', "null": b"null", "number": b"1",
          "twice": b'{"a": 1, "a": 2}', "behind": b"{} {}", "single quotes": b"{'a': 1}", "no UTF-8": b'{"a": "\xff"}',
          "NUL": b'{"a": "b\0c"}', "deep array": b'{"a": ' + b"[" * 33 + b"]" * 33 + b"}", "spaces": b"   ",
          "deep object": b'{"a":' * 40 + b"1" + b"}" * 40, "very deep": b"[" * 20000, "form": b"a=1&b=2"}


@with_body("application/json")
def test_json_that_is_broken(operation, certificates, refused):
    path = fill(operation, certificates)
    twice = json.dumps(good_body(operation, certificates)).replace("{", '{"a": 1, "a": 2, ', 1).replace(", }", "}")
    for name, body in {**BROKEN, "good, but for a name twice": twice.encode()}.items():
        # Nobody reads so much of a login.
        statuses = {400, 413} if len(body) > LIMITS[operation.shape] else {400}
        answer = refused(statuses, operation.method, path, body, "application/json")
        assert message_of(answer), (name, answer)


@each([one for one in OPERATIONS if one.body()[0] == "application/json" and "x-body" not in one.tree])
def test_json_of_another_media_type(operation, certificates, refused):
    body = json.dumps(good_body(operation, certificates))
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
                  "application/jsonx", "json", "/"):
        refused({415}, operation.method, fill(operation, certificates), body, media)


@each([one for one in OPERATIONS if one.body()[0]])
def test_a_body_that_is_too_long(operation, certificates, refused):
    media = operation.body()[0].replace("form-data", "form-data; boundary=x")
    path = fill(operation, certificates)
    for size in (LIMITS[operation.shape] + 1, 6 << 20):
        refused({413}, operation.method, path, b"{" + b" " * (size - 1), media)


@each([one for one in OPERATIONS if one.body()[0]])
def test_a_client_that_goes_away_in_the_middle(operation, appliance, certificates):
    before = appliance.state()
    body, media = (*good_request(operation, certificates), "application/json")[:2]
    body = json.dumps(body).encode() if isinstance(body, dict) else body if isinstance(body, bytes) else body.encode()
    head = (f"{operation.method} {fill(operation, certificates)} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: {media}\r\nContent-Length: {len(body) + 1}\r\n\r\n")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(appliance.directory / "control.sock"))
        client.sendall(head.encode() + body)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(60)
        assert b"200 OK" not in client.recv(4096)
    assert appliance.state() == before


# ---- forms ----

@with_body("application/x-www-form-urlencoded")
def test_forms_that_are_broken(operation, certificates, refused):
    media = operation.body()[0]
    good = good_request(operation, certificates)[0]
    too_many = "&".join(f"a{i}=1" for i in range(33))
    for body in ("", good + "&client_id=other", good + "&x=%zz", good + "&x=%00", good + "&x=%ff", too_many,
                 good.replace("client_credentials", "password"), "grant_type=client_credentials",
                 "client_id=a&client_secret=b", "grant_type=client_credentials&client_id=a"):
        refused({400}, operation.method, operation.path, body, media)
    for other in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        refused({415}, operation.method, operation.path, good, other)


@with_body("multipart/form-data")
def test_uploads_that_are_broken(operation, certificates, refused):
    path = fill(operation, certificates)
    body, media = form([("fileUpload", "a.pem", b"x")])
    two, _ = form([("fileUpload", "a.pem", b"x"), ("fileUpload", "b.pem", b"x")])
    nameless = body.replace(b'; name="fileUpload"', b"")
    text = body.replace(b'name="fileUpload"; filename="a.pem"', b'name="other"')
    for bad in (b"x", body[:20], body.replace(b"b0undary", b"other"), b"--b0undary", b"--b0undary--",
                b"--b0undary\r\n" * 99, nameless, text, two, b"\0" * 1000, body.replace(b"\r\n\r\n", b"\r\n"), body):
        answer = refused({400}, operation.method, path, bad, media)
        assert message_of(answer), answer
    for bad in ("multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="',
                f"multipart/form-data; boundary={'x' * 300}"):
        refused({400}, operation.method, path, body, bad)
    for other in ("application/json", "text/plain", "application/octet-stream", "multipart/mixed; boundary=b0undary"):
        assert refused({415}, operation.method, path, body, other).text == ""
    assert refused({415}, operation.method, path, b"", media).text == ""


# ---- paths, methods, queries ----

@each([one for one in OPERATIONS if "integer" in [parameter["schema"]["type"] for parameter in path_parameters(one)]])
def test_ids_that_are_none_or_nobodys(operation, certificates, refused):
    request = good_request(operation, certificates)
    for bad in ("x", "-1", "1.5", "0x10", "%31", "1%00", "+1", str(2**63), "9" * 400, "", "2;x", "*", "..", "%2e%2e"):
        refused({404, 405}, operation.method, fill(operation, certificates, id=bad), *request)
    for unknown in (0, UNKNOWN, 2**63 - 1):
        refused({404}, operation.method, fill(operation, certificates, id=unknown), *request)


def names_of(operation):
    """The names in its path that must be somebody's: Apigee's organizations and environments are anybody's."""
    return [one["name"] for one in path_parameters(operation)
            if one["schema"]["type"] == "string" and one["name"] not in ("org", "env")]


@each([one for one in OPERATIONS if names_of(one)])
def test_names_that_are_none_or_nobodys(operation, certificates, refused):
    request = good_request(operation, certificates)
    for bad in ("nobody", "x" * 64, "%6eobody", "a%20b", "x" * 65, "x" * 300, "%zz", "%00",
                "a%00", "%2f", "..", "%2e%2e", "%ff", "*"):
        path = fill(operation, certificates, **{name: bad for name in names_of(operation)})
        is_name = bad in ("nobody", "x" * 64, "%6eobody") and operation.document.name != "sap"
        refused({404} if is_name else {400, 404}, operation.method, path, *request)


def test_paths_that_lead_nowhere(refused):
    for path in ("//", "/api", "/api/v1", "/api/v1/", "/zia", CERTIFICATES + "/", CERTIFICATES + "/1/", "/health/",
                 CERTIFICATES.upper(), CERTIFICATES + "/keyPair/1/2", "/mintgate", "/mintgate/v1/",
                 "/mintgate/v2/default", "/zia/api/v1/nothing", "/api/v1/../v1/status", "/api/v1/status%2f",
                 "/ca.pem%00", "/crl/any.crl",
                 "/" + "a" * 8000, "/mintgate/v1/successor/1"):
        for method in ("GET", "POST", "DELETE"):
            refused({404}, method, path)


PATHS = list({operation.shape[1]: operation for operation in OPERATIONS}.values())
ALL_METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get"}


@each(PATHS)
def test_methods_that_are_not_served(operation, certificates, refused):
    path = fill(operation, certificates)
    served = {method for method in ALL_METHODS if openapikit.find(method, path)[0]}
    for method in ALL_METHODS - served:
        answer = refused({405}, method, path)
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == served


@each(OPERATIONS)
def test_queries_that_are_broken(operation, certificates, refused):
    path, request = fill(operation, certificates), good_request(operation, certificates)
    queries = ["a=%zz", "a=%", "a=%00", "a=%ff", "%c0%80=1", "a=1&a=2", "&".join(f"a{i}=1" for i in range(33))]
    for parameter in operation.parameters:
        if parameter["in"] == "query" and (parameter["schema"]["type"] == "integer" or "enum" in parameter["schema"]):
            values = ["x", "-1", "1.5", "", " ", "1x", str(2**64), "TRUE"]
            values += [str(parameter["schema"][bound] + step) for bound, step in (("minimum", -1), ("maximum", 1))
                       if bound in parameter["schema"]]
            queries += [f"{parameter['name']}={value}".replace(" ", "+") for value in values]
    for query in queries:
        refused({400}, operation.method, f"{path}?{query}", *request)


# ---- wrong order of steps ----

# In which states each operation is allowed: from, to.
RANGES = {
    ("POST", "/keyPair"): ("GENERAL_DONE", "GENERAL_DONE"),
    ("GET", "/downloadPublicKey"): ("KEYGEN_DONE", "CERT_READY"),
    ("POST", "/generateCsr"): ("KEYGEN_DONE", "CERTCHAIN_UPLOAD_DONE"),
    ("GET", "/downloadCsr"): ("CSRGEN_DONE", "CERT_READY"),
    ("GET", "/showCsr"): ("CSRGEN_DONE", "CERT_READY"),
    ("POST", "/uploadCert"): ("CSRGEN_DONE", "CERTCHAIN_UPLOAD_DONE"),
    ("GET", "/showCert"): ("INTCERT_UPLOAD_DONE", "CERT_READY"),
    ("POST", "/uploadCertChain"): ("INTCERT_UPLOAD_DONE", "CERTCHAIN_UPLOAD_DONE"),
    ("POST", "/finalizeCert"): ("INTCERT_UPLOAD_DONE", "CERTCHAIN_UPLOAD_DONE"),
    ("PUT", "/makeDefault"): ("CERT_READY", "CERT_READY"),
    # Software keys have none.
    ("GET", "/downloadAttestation"): (None, None),
    ("POST", "/downloadAttestation"): (None, None),
    ("POST", "/verifyKeyAttestation"): (None, None),
}


def is_allowed(bounds, state):
    if None in bounds:
        return False
    first, last = map(STATES.index, bounds)
    return first <= STATES.index("CERT_READY" if state == "default" else state) <= last


def files_for(word, life, number):
    """A form with a file that is good, but for the time at which it comes."""
    if not word.startswith("/upload"):
        return ()
    return form([("fileUpload", "good.pem", life.authority.pem().encode())])


@pytest.mark.parametrize("method, word", RANGES)
def test_steps_in_the_wrong_order(method, word, life, certificates, refused):
    for state, number in certificates.items():
        if not is_allowed(RANGES[method, word], state):
            answer = refused({403}, method, f"{CERTIFICATES}{word}/{number}", *files_for(word, life, number))
            assert answer.json["code"] == "INVALID_OPERATION", (state, answer)
        elif method == "GET" and state != "KEYGEN_DONE":
            assert life.admin.ask(method, f"{CERTIFICATES}{word}/{number}").status == 200


@pytest.mark.parametrize("word", ["/keyPair", "/generateCsr", "/uploadCert", "/uploadCertChain", "/finalizeCert"])
def test_steps_in_the_wrong_order_without_an_id_in_the_path(word, life, certificates, refused):
    for state, number in certificates.items():
        if not is_allowed(RANGES["POST", word], state):
            body = {"id": number, "fileUpload": life.authority.pem()}
            assert refused({403}, "POST", CERTIFICATES + word, body).json["code"] == "INVALID_OPERATION"


def test_what_is_ready_changes_no_more_and_the_default_stays(certificates, refused):
    for number in (certificates["CERT_READY"], certificates["default"]):
        for body in ({"name": "other"}, {"description": "other"}, {"fallbackCertId": 1}):
            refused({403}, "PUT", f"{CERTIFICATES}/{number}", body)
    default = f"{CERTIFICATES}/{certificates['default']}"
    refused({403}, "PUT", default, {"status": "DISABLED"})
    refused({403}, "DELETE", default)


def test_what_never_changes(certificates, refused):
    path = f"{CERTIFICATES}/{certificates['GENERAL_DONE']}"
    for body in ({"type": "CUSTOM_HSM"}, {"region": "US"}, {"keyType": "RSA_4K"}, {"type": "ZSCALER"},
                 {"fallbackCertId": UNKNOWN}, {"fallbackCertId": certificates["GENERAL_DONE"]}):
        refused({400}, "PUT", path, body)
    refused({409}, "PUT", path, {"name": "IN keygen_done"})


def test_a_ninth_certificate_and_others_that_cannot_be(appliance, certificates, life, refused):
    create = {"name": "ninth", "type": "CUSTOM_SW"}
    assert refused({403}, "POST", CERTIFICATES, create).json["code"] == "INVALID_OPERATION"
    for bad in (dict(create, type="ZSCALER"), dict(create, region="US"), dict(create, type="CUSTOM_HSM"),
                dict(create, type="CUSTOM_HSM", region="US"), dict(create, type="")):
        refused({400}, "POST", CERTIFICATES, bad)


def test_the_built_in_certificate(certificates, refused):
    pem = form([("fileUpload", "good.pem", b"x")])
    for method, path, *body in [
            ("POST", "/keyPair/1"), ("POST", "/generateCsr/1"), ("POST", "/finalizeCert/1"),
            ("POST", "/keyPair", {"id": 1}), ("GET", "/showCsr/1"), ("GET", "/showCert/1"), ("GET", "/downloadCsr/1"),
            ("POST", "/verifyKeyAttestation/1"), ("GET", "/downloadAttestation/1"), ("PUT", "/1", {"name": "mine"}),
            ("PUT", "/1", {"status": "DISABLED"}),
            ("DELETE", "/1"), ("POST", "/uploadCert/1", *pem), ("POST", "/uploadCertChain/1", *pem)]:
        answer = refused({403}, method, CERTIFICATES + path, *body)
        assert answer.json == {"code": "INVALID_INPUT_ARGUMENT",
                               "message": "This operation is not applicable for the Zscaler root certificate"}


# ---- certificates ----

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
CA_USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
LEAF_USAGE = x509.KeyUsage(True, False, False, False, False, False, False, False, False)


def sign(request, authority, key=None, ca=True, usage=CA_USAGE, begin=NOW - DAY, end=NOW + 90 * DAY, more=(),
         signer=None, digest=hashes.SHA256(), basic=True):
    builder = (x509.CertificateBuilder().subject_name(request.subject).issuer_name(authority.name)
               .public_key(key or request.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(begin).not_valid_after(end))
    extensions = [(x509.BasicConstraints(ca, None), True)] if basic else []
    for extension, critical in extensions + ([(usage, True)] if usage else []) + list(more):
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer or authority.key, digest).public_bytes(Encoding.PEM)


def bad_certificates(request, authority):
    good = sign(request, authority)
    der = x509.load_pem_x509_certificate(good).public_bytes(Encoding.DER)
    lines = good.splitlines(keepends=True)
    rsa_key = rsa.generate_private_key(65537, 2048)
    yield from {
        "empty file": b"", "text": b"no certificate", "NULs": bytes(500), "cut PEM": good[:200],
        "no end": b"".join(lines[:-1]), "no begin": b"".join(lines[1:]), "broken base64": good.replace(b"M", b"!", 1),
        "changed": good.replace(lines[3], lines[3][::-1].strip() + b"\n"), "empty PEM": lines[0] + lines[-1],
        "cut DER": der[:-1], "behind DER": der + b"x", "behind": good + good, "key": request.public_bytes(Encoding.PEM),
        "too long": good + b" " * (65 << 10),
        "another key": sign(request, authority, key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        "key of another kind": sign(request, authority, key=rsa_key.public_key()),
        "expired": sign(request, authority, begin=NOW - 9 * DAY, end=NOW - DAY),
        "no CA": sign(request, authority, ca=False), "no constraints": sign(request, authority, basic=False),
        "no keyCertSign": sign(request, authority, usage=LEAF_USAGE),
        "SHA-1": sign(request, authority, signer=rsa_key, digest=hashes.SHA1()),
        "weak signer": sign(request, authority, signer=rsa.generate_private_key(65537, 1024)),
        "for clients": sign(request, authority, more=[
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)]),
        "unknown critical": sign(request, authority, more=[(x509.UnrecognizedExtension(
            x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]),
    }.items()


def test_certificates_that_are_not_accepted(life, certificates, refused):
    number = certificates["CSRGEN_DONE"]
    request = life.request(number)
    for name, pem in bad_certificates(request, life.authority):
        upload = form([("fileUpload", "bad.pem", pem)])
        answer = refused({400, 413}, "POST", f"{CERTIFICATES}/uploadCert/{number}", *upload)
        assert message_of(answer), name
        if pem and b"\0" not in pem and pem.isascii():
            refused({400}, "POST", f"{CERTIFICATES}/uploadCert", {"id": number, "fileUpload": pem.decode()})


def test_file_names_that_are_not_accepted(life, certificates, refused):
    number = certificates["CSRGEN_DONE"]
    good = life.certificate(number)
    for name in (b"\xff.pem", b"a\x01b", b"a\x7f", "\u0085".encode(), b"\xed\xa0\x80", b"x" * 256):
        body, media = form([("fileUpload", "a.pem", good)])
        refused({400}, "POST", f"{CERTIFICATES}/uploadCert/{number}", body.replace(b"a.pem", name), media)


def test_chains_that_are_not_accepted(life, certificates, refused):
    number = certificates["INTCERT_UPLOAD_DONE"]
    good, other = life.authority.pem().encode(), Authority("Another Root").pem().encode()
    request = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])).sign(ec.generate_private_key(ec.SECP256R1()),
                                                                          hashes.SHA256())
    leaf = sign(request, life.authority, ca=False, usage=LEAF_USAGE)
    expired = sign(request, life.authority, begin=NOW - 9 * DAY, end=NOW - DAY)
    for name, pem in {"empty": b"", "text": b"no chain", "another": other, "both": good + other, "order": other + good,
                      "leaf": leaf, "expired": expired, "twice": good * 2, "nine": good * 9, "cut": good[:-30],
                      "too long": good + b" " * (257 << 10)}.items():
        upload = form([("fileUpload", "bad.pem", pem)])
        assert message_of(refused({400, 413}, "POST", f"{CERTIFICATES}/uploadCertChain/{number}", *upload)), name


# ---- who fails to log in ----

def test_logins_with_wrong_members(refused):
    good = {"apiKey": "0123456789ab", "username": "admin", "password": "x", "timestamp": 1}
    for bad in itertools.chain(({key: value for key, value in good.items() if key != name} for name in good),
                               [dict(good, timestamp=value) for value in ("", "x", "-1", 1.5, [], True, "1" * 40)]):
        refused({400}, "POST", "/api/v1/authenticatedSession", bad)
