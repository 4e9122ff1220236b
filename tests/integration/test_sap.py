# SPDX-License-Identifier: Apache-2.0
"""Key stores and trust stores through SAP's and Apigee's addresses, with everything that their documents show."""

import base64
import datetime
import json
import re
import secrets
import sqlite3
import stat
import struct
import urllib.parse
import zipfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from labkit import BUILD, run, wait_until
from restkit import form
from storeskit import EDGE, ODATA, Party, Stores, jar, text

FORM = "application/x-www-form-urlencoded"
PASSWORD = "pass-word"
FORBIDDEN = "!%^&#:/?[]@$'()*+,;="


@pytest.fixture(scope="module")
def stores(appliance):
    made = Stores(appliance.admin)
    made.make("strict", "KEYSTORE")
    made.make("formats", "KEYSTORE")
    return made


@pytest.fixture(scope="module")
def root():
    return Party("Root", ca=True)


@pytest.fixture(scope="module")
def leaf(root):
    return Party("leaf.example", Party("Intermediate", root, ca=True), names=["leaf.example", "*.leaf.example"])


@pytest.fixture
def refused(appliance):
    """Nothing has changed."""
    before = appliance.state()
    yield
    assert appliance.state() == before


def code(answer):
    return answer.json["error"]["code"]


def keys(appliance):
    return {path.name for path in (appliance.directory / "signer/keys").glob("*.key")}


# ---- OData: stores and references, as documented ----

def test_references_as_documented(stores, root):
    stores.make("ts1", "TRUSTSTORE")
    stores.make("ts2", "TRUSTSTORE")
    made = stores.odata("POST", "CertificateStoreReferences", {"name": "r1", "certificateStoreName": "ts1"}, 201).json
    assert set(made) == {"d"}
    entity = made["d"]
    uri = f"https://localhost{ODATA}/CertificateStoreReferences('r1')"
    assert entity["__metadata"] == {"id": uri, "uri": uri, "type": "apiportal.CertificateStoreReference"}
    assert (entity["name"], entity["certificateStoreName"], entity["storeType"]) == ("r1", "ts1", "TRUSTSTORE")
    assert entity["life_cycle"]["__metadata"] == {"type": "apiportal.History"}
    assert re.fullmatch(r"/Date\(\d{13}\)/", entity["life_cycle"]["changed_at"])
    assert stores.odata("GET", "CertificateStoreReferences", status=200).json == {"d": {"results": [entity]}}
    swung = stores.odata("PUT", "CertificateStoreReferences('r1')", {"certificateStoreName": "ts2"}, 204)
    assert swung.text == ""
    now = stores.odata("GET", "CertificateStoreReferences('r1')", status=200).json["d"]
    assert now["certificateStoreName"] == "ts2"
    assert now["life_cycle"]["created_at"] == entity["life_cycle"]["created_at"]
    stores.odata("DELETE", "CertificateStoreReferences(%27r1%27)", status=204)
    assert stores.odata("GET", "CertificateStoreReferences", status=200).json == {"d": {"results": []}}


def test_refusals_of_references_are_400_with_their_codes(stores, refused):
    prefix = "CERTIFICATE_STORE_REFERENCE"
    linked = "LINKED_CERTIFICATE_STORE_VALIDATION_ERROR"
    ask = stores.odata
    for method, path, body, expected in [
            ("POST", "", {"name": "r9", "certificateStoreName": "none"}, f"{prefix}_CREATE_FAILED_{linked}"),
            ("GET", "('none')", None, "NO_SUCH_CERTIFICATE_STORE_REFERENCE_EXISTS"),
            ("PUT", "('none')", {"certificateStoreName": "ts1"}, "NO_SUCH_CERTIFICATE_STORE_REFERENCE_EXISTS"),
            ("DELETE", "('none')", None, "NO_SUCH_CERTIFICATE_STORE_REFERENCE_EXISTS"),
            ("POST", "", {"name": "a b", "certificateStoreName": "ts1"}, f"{prefix}_VALIDATION_ERROR")]:
        assert code(ask(method, f"CertificateStoreReferences{path}", body, 400)) == expected
    for path in ("('none)", "(none)", "()", "(name=none)", "('a','b')", "(other='none')", "('none'')"):
        assert ask("GET", f"CertificateStoreReferences{path}").status in (400, 404)


def test_a_reference_is_made_once_and_keeps_its_kind(stores, appliance):
    stores.make("kind-t", "TRUSTSTORE")
    stores.make("kind-k", "KEYSTORE")
    new = {"name": "kept", "certificateStoreName": "kind-t"}
    stores.odata("POST", "CertificateStoreReferences", new, 201)
    before = appliance.state()
    assert code(stores.odata("POST", "CertificateStoreReferences", new, 400)) == \
        "CERTIFICATE_STORE_REFERENCE_NAME_DUPLICATION_ERROR"
    answer = stores.odata("PUT", "CertificateStoreReferences('kept')", {"certificateStoreName": "kind-k"}, 400)
    assert code(answer) == \
        "CERTIFICATE_STORE_REFERENCE_UPDATE_FAILED_LINKED_CERTIFICATE_STORE_VALIDATION_ERROR"
    assert code(stores.odata("DELETE", "CertificateStores('kind-t')", status=400)) == \
        "CERTIFICATE_STORE_DELETE_FAILED_LINKED_REFERENCE_ERROR"
    stores.odata("PUT", "CertificateStoreReferences('kept')", {"certificateStoreName": "kind-t"}, 204)
    assert appliance.state() == before, "the same store again is no change"
    stores.odata("DELETE", "CertificateStoreReferences('kept')", status=204)
    stores.odata("DELETE", "CertificateStores('kind-t')", status=204)


def test_stores_come_and_go(stores):
    made = stores.odata("POST", "CertificateStores",
                        {"name": "come", "storeType": "KEYSTORE", "description": "and gö"}, 201).json["d"]
    assert (made["name"], made["storeType"], made["description"]) == ("come", "KEYSTORE", "and gö")
    assert stores.odata("GET", "CertificateStores(name='come')", status=200).json["d"] == made
    assert made in stores.odata("GET", "CertificateStores", status=200).json["d"]["results"]
    again = stores.odata("POST", "CertificateStores", {"name": "come", "storeType": "TRUSTSTORE"}, 400)
    assert code(again) == "CERTIFICATE_STORE_NAME_DUPLICATION_ERROR"
    stores.odata("DELETE", "CertificateStores('come')", status=204)
    assert code(stores.odata("GET", "CertificateStores('come')", status=400)) == "NO_SUCH_CERTIFICATE_STORE_EXISTS"


# ---- files of every kind ----

def test_every_format_of_a_key_store(stores, leaf):
    key = text(leaf.key_pem())
    both = leaf.chain_pem() + leaf.key_pem(PASSWORD)
    for name, kind, content, more in [
            ("jar", "JAR", leaf.jar(), {}), ("jar-locked", "JAR", leaf.jar(PASSWORD), {"password": PASSWORD}),
            ("p12", "PKCS12", leaf.p12(PASSWORD), {"password": PASSWORD}),
            ("pem", "PEM", leaf.chain_pem(), {"privateKey": key}), ("pem-both", "PEM", both, {"password": PASSWORD}),
            ("der", "DER", leaf.der(), {"privateKey": key}), ("cer", "PEM", leaf.der(), {"privateKey": key})]:
        made = stores.put("formats", name, kind, content, 201, **more).json["d"]
        assert made["hasPrivateKey"] and not made["overwritten"] and made["format"] == kind, made
        assert base64.b64decode(made["content"]).startswith(leaf.pem())
        assert made["subject"] == "CN=leaf.example" and made["issuer"] == "CN=Intermediate"
        shown = stores.odata("GET", f"Certificates(storeName='formats',name='{name}')", status=200).json["d"]
        assert shown == {name: value for name, value in made.items() if name != "overwritten"}
    listed = stores.odata("GET", "Certificates", status=200).json["d"]["results"]
    assert {"jar", "jar-locked", "p12", "pem", "pem-both", "der", "cer"} <= {one["name"] for one in listed}


def test_a_trust_store_takes_certificates(stores, root, leaf):
    stores.make("trust", "TRUSTSTORE")
    bundle = b"some text\n" + root.pem() + leaf.pem()
    for name, kind, content in [("pem", "PEM", root.pem()), ("der", "DER", root.der()), ("bundle", "PEM", bundle)]:
        made = stores.put("trust", name, kind, content, 201).json["d"]
        assert not made["hasPrivateKey"] and made["numCertificates"] == (2 if name == "bundle" else 1)


def test_a_files_name_says_what_is_in_it(stores, leaf, root):
    """Every ending that the document lists, and in whatever case: .cer, .jar, .der, .pem, .p12, .pkcs."""
    key = text(leaf.key_pem())

    def put(store, file, content, **more):
        name = f"file-{file.replace('.', '-')}"
        body = {"name": name, "storeName": store, "fileName": file, "content": text(content), **more}
        return stores.odata("POST", "Certificates", body)
    for file, content, kind, more in [
            ("a.cer", leaf.chain_pem(), "PEM", {"privateKey": key}), ("b.cer", leaf.der(), "PEM", {"privateKey": key}),
            ("a.jar", leaf.jar(), "JAR", {}), ("a.der", leaf.der(), "DER", {"privateKey": key}),
            ("a.pem", leaf.chain_pem() + leaf.key_pem(), "PEM", {}),
            ("a.p12", leaf.p12(PASSWORD), "PKCS12", {"password": PASSWORD}),
            ("my.store.PKCS", leaf.p12(PASSWORD), "PKCS12", {"password": PASSWORD})]:
        answer = put("formats", file, content, **more)
        assert answer.status == 201 and answer.json["d"]["format"] == kind, (file, answer)
    stores.make("by-name", "TRUSTSTORE")
    for file, content in (("t.pem", root.pem()), ("t.der", root.der()), ("t.cer", root.der())):
        assert put("by-name", file, content).status == 201, file
    for file in ("t.jks", "pem", "t.", "t.pem.exe"):
        assert code(put("by-name", file, root.pem())) == "CERTIFICATE_VALIDATION_ERROR", file
    for file, content in (("t.p12", leaf.p12(PASSWORD)), ("t.jar", leaf.jar())):
        assert "PEM or DER" in put("by-name", file, content, password=PASSWORD).json["error"]["message"]["value"]
    stores.odata("DELETE", "CertificateStores('by-name')", status=204)


def test_what_has_expired_is_refused_in_every_format(stores, root, leaf, appliance):
    stores.make("fresh", "TRUSTSTORE")
    before = appliance.state()
    expired = Party("expired", root, days=-1)
    below = Party("below", Party("expired CA", root, ca=True, days=-1))
    for party in (expired, below):
        for kind, content, more in [("PKCS12", party.p12(PASSWORD), {"password": PASSWORD}), ("JAR", party.jar(), {}),
                                    ("PEM", party.chain_pem() + party.key_pem(), {})]:
            answer = stores.put("strict", "x", kind, content, 400, **more)
            assert "has expired" in answer.json["error"]["message"]["value"], (kind, answer)
    for kind, content in (("PEM", root.pem() + expired.pem()), ("DER", expired.der())):
        answer = stores.put("fresh", "x", kind, content, 400)
        assert "has expired" in answer.json["error"]["message"]["value"], (kind, answer)
    assert appliance.state() == before
    stores.odata("DELETE", "CertificateStores('fresh')", status=204)


def refusals(leaf, root, expired):
    key, other = leaf.key_pem(), Party("other").key_pem()
    chain, backwards = leaf.chain_pem(), root.pem() + leaf.pem()
    good_p12 = leaf.p12(PASSWORD)
    yield from {
        "another key": ("PEM", chain, {"privateKey": text(other)}, "is not the first certificate's"),
        "no key": ("PEM", chain, {}, "no private key"),
        "order": ("PEM", backwards, {"privateKey": text(key)}, "is not the first certificate's"),
        "gap": ("PEM", leaf.pem() + root.pem(), {"privateKey": text(key)}, "has not issued"),
        "expired": ("PEM", expired.pem(), {"privateKey": text(expired.key_pem())}, "has expired"),
        "locked": ("PEM", chain + leaf.key_pem(PASSWORD), {}, "password: is needed"),
        "wrong password": ("PEM", chain + leaf.key_pem(PASSWORD), {"password": "other"}, "password: does not open"),
        "p12 password": ("PKCS12", good_p12, {"password": "other"}, "password: does not open"),
        "p12 without": ("PKCS12", good_p12, {}, "password: does not open"),
        "p12 cut": ("PKCS12", good_p12[:-9], {"password": PASSWORD}, "PKCS#12"),
        "no p12": ("PKCS12", chain, {"password": PASSWORD}, "PKCS#12"),
        "no jar": ("JAR", chain, {}, "JAR"),
        "no pem": ("PEM", b"nothing", {"privateKey": text(key)}, "cannot be read"),
        "too long": ("PEM", chain + b" " * 51200, {"privateKey": text(key)}, "at most 51200 bytes"),
        "no format": ("JKS", chain, {}, "format"),
    }.items()


def test_files_that_are_refused_leave_nothing(stores, leaf, root, appliance):
    before = appliance.state()
    expired = Party("expired", days=-1)
    for name, (kind, content, more, words) in refusals(leaf, root, expired):
        answer = stores.put("strict", "x", kind, content, 400, **more)
        assert code(answer) == "CERTIFICATE_VALIDATION_ERROR", (name, answer)
        assert words in answer.json["error"]["message"]["value"], (name, answer)
    assert stores.put("nowhere", "x", "PEM", leaf.pem(), 400).json["error"]["code"] == "NO_SUCH_CERTIFICATE_EXISTS"
    assert appliance.state() == before
    stores.put("strict", "x", "PEM", expired.pem(), 201, privateKey=text(expired.key_pem()),
               ignoreExpiryValidation=True)


def test_forbidden_characters_of_a_password_are_named(stores, leaf, refused):
    content = leaf.p12(PASSWORD)  # the password is looked at first
    for character in FORBIDDEN:
        password = f"ab{character}cd"
        answer = stores.put("strict", "y", "PKCS12", content, 400, password=password)
        assert f"the character '{character}'" in answer.json["error"]["message"]["value"]
        assert password not in answer.text


def test_allowed_special_characters_of_a_password_work(stores, leaf):
    password = "aZ09-_.~\"<>\\|{} `"
    stores.put("formats", "special", "PKCS12", leaf.p12(password), 201, password=password)


# ---- hostile files ----

def bombs(leaf):
    files = {"main.pem": leaf.chain_pem(), "privateKey.pem": leaf.key_pem()}
    link = zipfile.ZipInfo("link.pem")
    link.external_attr, link.create_system = (stat.S_IFLNK | 0o777) << 16, 3
    plain = jar(files)
    yield from {
        "bomb": jar(files, more=[("bomb", bytes(4_000_000))]),
        "small bomb": jar(files, more=[("bomb", bytes(51_000))]),
        "climbs": jar(files, more=[("../../etc/cron.d/x", b"x")]),
        "absolute": jar(files, more=[("/etc/passwd", b"x")]),
        "link": jar(files, more=[(link, b"/etc/shadow")]),
        "twice": jar(files, more=[("main.pem", b"x")]),
        "twice in another case": jar(files, more=[("MAIN.pem", b"x")]),
        "many": jar(files, more=[(f"e{i}", b"") for i in range(80)]),
        "no descriptor": jar(files, descriptor=None),
        "descriptor leads out": jar(files, b"certFile=../main.pem\nkeyFile=privateKey.pem\n"),
        "descriptor names nothing": jar(files, b"certFile=main.pem\nkeyFile=none.pem\n"),
        "cut": plain[:-30], "begun": plain[:100], "directory alone": plain[-22:],
        "sizes that lie": plain.replace(struct.pack("<I", len(files["main.pem"])), struct.pack("<I", 49_000)),
    }.items()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_jars_are_refused_and_leave_nothing(stores, leaf, refused):
    for name, content in bombs(leaf):
        for answer in (stores.put("strict", "z", "JAR", content),
                       stores.upload("/strict/aliases?alias=z&format=keycertjar", file=content)):
            assert answer.status in (400, 413), (name, answer)


def test_pkcs12_with_absurd_iterations_is_refused_at_once(stores, leaf, refused, tmp_path):
    """The number stands at the end of the file, in the MAC (RFC 7292 section 4)."""
    pem, made = tmp_path / "both.pem", tmp_path / "made.p12"
    pem.write_bytes(leaf.pem() + leaf.key_pem())
    run("openssl", "pkcs12", "-export", "-passout", f"pass:{PASSWORD}", "-in", pem, "-out", made)
    good = made.read_bytes()
    assert good[-4:] == b"\x02\x02\x08\x00", "2048"
    bad = bytearray(good[:-4] + b"\x02\x04\x7f\xff\xff\xff")
    for at in range(len(bad) - 1):  # every length around it grows by two
        if bad[at] == 0x30 and bad[at + 1] == 0x82:
            end = at + 4 + int.from_bytes(bad[at + 2:at + 4], "big")
            if end == len(good):
                bad[at + 2:at + 4] = (end - at - 4 + 2).to_bytes(2, "big")
        elif bad[at] == 0x30 and at + 2 + bad[at + 1] == len(good) and bad[at + 1] < 0x7e:
            bad[at + 1] += 2
    answer = stores.put("strict", "z", "PKCS12", bytes(bad), 400, password=PASSWORD)
    assert "iterations" in answer.json["error"]["message"]["value"], answer


def test_bodies_that_are_huge_or_deep_are_refused(stores, appliance, refused):
    for body in (b'{"name":' * 50_000, b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", b"[" * 15_000):
        answer = appliance.admin.ask("POST", f"{ODATA}/CertificateStores", body, "application/json")
        assert answer.status in (400, 413)
    for size in (200_000, 5_000_000):
        assert stores.upload("/strict/aliases?alias=z&format=keycertjar", 413, file=bytes(size))
    parts = form([(f"p{i}", "", b"x") for i in range(40)])
    assert stores.edge("POST", "/strict/aliases?alias=z&format=keycertjar", *parts).status == 400
    for xml in (b"<KeyStore", b'<!DOCTYPE x [<!ENTITY a "b">]><KeyStore name="&a;"/>', b"<a>" * 5000):
        assert appliance.admin.ask("POST", EDGE, xml, "application/xml").status == 400


# ---- keys ----

def entry_key(appliance, store, name):
    database = sqlite3.connect(f"file:{appliance.database}?mode=ro", uri=True)
    row = database.execute("SELECT hex(e.key_id) FROM sap_entry AS e JOIN sap_store AS s ON s.id = e.store_id"
                           " WHERE s.name = ? AND e.name = ? AND is_current = 1", (store, name)).fetchone()
    database.close()
    return row[0].lower()


def test_a_private_key_is_with_the_signer_alone(stores, appliance, leaf):
    stores.make("secret", "KEYSTORE")
    stores.put_key("secret", "mine", leaf)
    assert f"{entry_key(appliance, 'secret', 'mine')}.key" in keys(appliance)
    raw = leaf.key.private_numbers().private_value.to_bytes(32, "big")
    needles = [raw, raw.hex().encode(), base64.b64encode(leaf.key_pem()), leaf.key_pem().splitlines()[1]]
    for path in appliance.directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(needle in content for needle in needles), path
    text_of_all = "".join(appliance.admin.answers)
    assert not any(needle.decode(errors="replace") in text_of_all for needle in needles[1:])


def test_overwriting_is_reported_and_can_be_taken_back(stores, appliance, root):
    stores.make("renewed", "KEYSTORE")
    first, second, third = (Party(f"number {i}", root) for i in range(3))
    stores.put_key("renewed", "mine", first)
    answer = stores.put_key("renewed", "mine", second, 200).json["d"]
    assert answer["overwritten"] and answer["hasPreviousVersion"] and answer["subject"] == "CN=number 1"
    first_key = entry_key(appliance, "renewed", "mine")
    restored = appliance.admin.ask("POST", "/mintgate/v1/stores/renewed/mine/restore")
    assert restored.status == 200, restored
    show = stores.odata("GET", "Certificates(name='mine',storeName='renewed')", status=200).json["d"]
    assert show["subject"] == "CN=number 0" and show["hasPreviousVersion"]
    appliance.admin.ask("POST", "/mintgate/v1/stores/renewed/mine/restore")
    assert entry_key(appliance, "renewed", "mine") == first_key
    # The third pushes the first out, and its key with it.
    before = keys(appliance)
    stores.put_key("renewed", "mine", third, 200)
    wait_until(lambda: len(keys(appliance)) == len(before), seconds=60, what="the oldest key's end")
    stores.odata("DELETE", "Certificates(name='mine',storeName='renewed')", status=204)
    wait_until(lambda: len(keys(appliance)) == len(before) - 2, seconds=60, what="the other keys' end")
    assert appliance.admin.ask("POST", "/mintgate/v1/stores/renewed/mine/restore").status == 404


def test_an_import_that_a_crash_cut_off_leaves_no_key(stores, appliance, leaf):
    """A wish that was noted, and a key that was made of it, which no record has: the next start finds both."""
    stores.make("crashed", "KEYSTORE")
    stores.put_key("crashed", "mine", leaf)
    key_id = entry_key(appliance, "crashed", "mine")
    label = (appliance.directory / "signer/keys" / f"{key_id}.key").read_bytes()
    token = bytes.fromhex(re.search(rb"import ([0-9a-f]{32})", label)[1].decode())
    database = sqlite3.connect(appliance.database, timeout=60)
    with database:
        database.execute("INSERT INTO sap_wish VALUES (?)", (token,))
    appliance.restart_control()
    wait_until(lambda: not database.execute("SELECT count(*) FROM sap_wish").fetchone()[0], what="the wish's end")
    assert f"{key_id}.key" in keys(appliance), "a key that a record has stays"
    with database:
        database.execute("INSERT INTO sap_wish VALUES (?)", (token,))
        database.execute("DELETE FROM sap_entry WHERE key_id = ?", (bytes.fromhex(key_id),))
    database.close()
    appliance.restart_control()
    wait_until(lambda: f"{key_id}.key" not in keys(appliance), seconds=60, what="the key's end")


def test_keys_of_no_supported_kind_are_refused(stores, leaf, refused):
    odd = Party.__new__(Party)
    odd.key, odd.above = ec.generate_private_key(ec.SECP521R1()), []
    odd.certificate = certificate_for(odd.key)
    answer = stores.put("strict", "odd", "PEM", odd.chain_pem(), 400, privateKey=text(odd.key_pem()))
    assert "P-256" in answer.json["error"]["message"]["value"]


def certificate_for(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256()))


# ---- Apigee Edge ----

def test_an_edge_store_from_its_making_to_its_end(stores, leaf):
    empty = {"aliases": [], "certs": [], "keys": [], "name": "ks1"}
    assert stores.edge("POST", "", {"name": "ks1"}, status=201).json == empty
    assert stores.edge("GET", "/ks1", status=200).json == empty
    assert "ks1" in stores.edge("GET", "", status=200).json
    assert stores.edge("POST", "", {"name": "ks1"}).status == 409
    assert stores.edge("POST", "", {"name": "not-alphanumeric"}).status == 400
    made = stores.upload("/ks1/aliases?alias=A&format=keycertjar", 201, file=leaf.jar(PASSWORD),
                         password=PASSWORD.encode())
    assert made.headers["x-mintgate-overwritten"] == "false"
    info = made.json["certsInfo"]["certInfo"]
    assert (made.json["alias"], made.json["keyName"], made.json["certsInfo"]["certName"]) == ("A", "A", "A-cert")
    assert [one["subject"] for one in info] == ["CN=leaf.example", "CN=Intermediate", "CN=Root"]
    first = info[0]
    assert first["basicConstraints"] == "CA:FALSE" and first["isValid"] == "Yes" and first["version"] == 3
    assert first["sigAlgName"] == "SHA256withECDSA" and first["publicKey"] == "EC Public Key, 256 bits"
    assert first["subjectAlternativeNames"] == ["DNS:leaf.example", "DNS:*.leaf.example"]
    expiry = leaf.certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc)
    assert first["expiryDate"] == int(expiry.timestamp()) * 1000
    assert int(first["serialNumber"].replace(":", ""), 16) == leaf.certificate.serial_number
    assert stores.edge("GET", "/ks1", status=200).json == {
        "aliases": [{"aliasName": "A", "cert": "A-cert", "key": "A"}], "certs": ["A-cert"], "keys": ["A"],
        "name": "ks1"}
    assert stores.edge("GET", "/ks1/aliases", status=200).json == ["A"]
    assert stores.edge("GET", "/ks1/aliases/A", status=200).json == made.json
    assert stores.edge("GET", "/ks1/aliases/A/certificate", status=200).text.encode() == leaf.chain_pem()
    request = x509.load_pem_x509_csr(stores.edge("GET", "/ks1/aliases/A/csr", status=200).text.encode())
    assert request.is_signature_valid and request.subject == leaf.certificate.subject
    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    assert request.public_key().public_bytes(*spki) == leaf.key.public_key().public_bytes(*spki)
    assert stores.edge("GET", "/ks1/certs", status=200).json == ["A-cert"]
    assert stores.edge("GET", "/ks1/certs/A-cert", status=200).json == made.json["certsInfo"]
    assert stores.edge("GET", "/ks1/certs/A-cert/export", status=200).text.encode() == leaf.chain_pem()
    assert stores.edge("DELETE", "/ks1/aliases/A", status=200).json == made.json
    assert stores.edge("GET", "/ks1/aliases/A").status == 404
    assert stores.edge("DELETE", "/ks1", status=200).json == empty
    assert stores.edge("GET", "/ks1").status == 404


def test_edge_formats_and_the_replacing_of_certificates(stores, root, leaf, appliance):
    stores.edge("POST", "", {"name": "formats2"}, status=201)
    stores.upload("/formats2/aliases?alias=P&format=pkcs12", 201, file=leaf.p12(PASSWORD), password=PASSWORD.encode())
    stores.upload("/formats2/aliases?alias=F&format=keycertfile", 201, certFile=leaf.chain_pem(),
                  keyFile=leaf.key_pem(PASSWORD), password=PASSWORD.encode())
    stores.upload("/formats2/keys?alias=J", 204, file=leaf.jar())
    again = stores.upload("/formats2/aliases?alias=F&format=keycertfile", 200, certFile=leaf.pem(),
                          keyFile=leaf.key_pem(), password=b"")
    assert again.headers["x-mintgate-overwritten"] == "true"
    key = entry_key(appliance, "formats2", "F")
    stores.upload("/formats2/aliases/F", 200, "PUT", certFile=leaf.chain_pem())
    assert entry_key(appliance, "formats2", "F") == key, "the key stays where only the certificate is replaced"
    other = Party("other", root)
    assert "another key" in stores.upload("/formats2/aliases/F", 400, "PUT", certFile=other.pem()).json["message"]
    stores.upload("/formats2/aliases/F", 200, "PUT", certFile=other.chain_pem(), keyFile=other.key_pem())
    assert stores.upload("/formats2/aliases/none", 404, "PUT", certFile=leaf.pem())
    assert entry_key(appliance, "formats2", "F") != key
    for query in ("alias=x", "format=pkcs12", "alias=x&format=selfsignedcert", "alias=a%20b&format=pkcs12",
                  "alias=x&format=pkcs12&ignoreExpiryValidation=maybe"):
        assert stores.upload(f"/formats2/aliases?{query}", 400, file=leaf.p12(PASSWORD))


def test_an_edge_trust_store(stores, root, leaf):
    stores.edge("POST", "", b'<?xml version="1.0"?>\n<KeyStore name="ts9"/>', "application/xml", status=201)
    stores.upload("/ts9/aliases?alias=root&format=keycertfile", 201, certFile=root.pem())
    stores.upload("/ts9/certs?alias=leaf", 204, file=leaf.pem())
    assert stores.edge("GET", "/ts9", status=200).json == {
        "aliases": [{"aliasName": "leaf", "cert": "leaf-cert"}, {"aliasName": "root", "cert": "root-cert"}],
        "certs": ["leaf-cert", "root-cert"], "keys": [], "name": "ts9"}
    assert stores.edge("GET", "/ts9/aliases/root/csr").status == 400
    assert stores.upload("/ts9/aliases?alias=k&format=pkcs12", 400, file=leaf.p12(PASSWORD))
    shown = stores.odata("GET", "CertificateStores('ts9')", status=200).json["d"]
    assert shown["storeType"] == "TRUSTSTORE", "the other family sees what it has become"
    assert stores.edge("DELETE", "/ts9/certs/leaf-cert", status=200).json["certName"] == "leaf-cert"


def test_expired_certificates_and_joined_lines_by_flags(stores, leaf):
    stores.edge("POST", "", {"name": "flags"}, status=201)
    expired, joined = Party("expired", days=-1), leaf.chain_pem().replace(b"-----\n-----", b"----------")
    path = "/flags/aliases?format=keycertfile&alias="
    assert "expired" in stores.upload(f"{path}old", 400, certFile=expired.pem()).json["message"]
    made = stores.upload(f"{path}old&ignoreExpiryValidation=true", 201, certFile=expired.pem()).json
    assert made["certsInfo"]["certInfo"][0]["isValid"] == "No"
    stores.upload(f"{path}joined", 201, certFile=joined)
    answer = stores.upload(f"{path}strict&ignoreNewlineValidation=false", 400, certFile=joined)
    assert "ignoreNewlineValidation" in answer.json["message"]
    stores.upload(f"{path}strict&ignoreNewlineValidation=false", 201, certFile=leaf.chain_pem())


def test_what_the_vendors_own_client_does(stores, appliance, leaf):
    """contracts.md sections 0.4 and 3.4: a slash at the end, a quoted boundary, no dashes behind the last delimiter, a
    text part without a blank line."""
    for base in ("/v1/organizations", "/v1/o"):
        for path in ("/acme/", "/acme"):
            answer = appliance.admin.ask("GET", base + path)
            assert answer.status == 200 and answer.json["properties"]["property"] == []
    stores.edge("POST", "", {"name": "theirs"}, status=201)
    boundary = "YYY0123456789"
    body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"password\"\r\n{PASSWORD}\r\n"
            f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jar\"\r\n"
            "Content-Type: application/octet-stream\r\n\r\n").encode() + leaf.jar(PASSWORD) + \
        f"\r\n--{boundary}\r\n".encode()
    answer = appliance.admin.ask("POST", "/v1/o/acme/e/test/keystores/theirs/aliases?alias=A&format=keycertjar", body,
                                 f'multipart/form-data; boundary="{boundary}"')
    assert answer.status == 201, answer


# ---- who may ----

def token_request(appliance, method, fields, basic=None, query=False):
    headers = {"Authorization": "Basic " + base64.b64encode(":".join(basic).encode()).decode()} if basic else {}
    body = urllib.parse.urlencode(fields)
    client = appliance.stranger(**headers)
    return client.ask(method, f"/oauth/token?{body}") if query else client.ask(method, "/oauth/token", body, FORM)


def test_tokens_by_get_and_post(appliance):
    basic = appliance.add_client("auditor")
    grant = {"grant_type": "client_credentials"}
    for answer in (token_request(appliance, "GET", grant, basic, query=True),
                   token_request(appliance, "POST", grant, basic, query=True),
                   token_request(appliance, "POST", grant, basic)):
        assert answer.status == 200, answer
        client = appliance.stranger(Authorization=f"Bearer {answer.json['access_token']}")
        assert client.ask("GET", f"{ODATA}/CertificateStores").status in (200, 429), "each request counts"
    wrong = basic[0], secrets.token_hex(32)
    assert token_request(appliance, "GET", grant, wrong, query=True).status == 401
    assert token_request(appliance, "GET", {}, basic, query=True).status == 400
    in_address = {**grant, "client_id": basic[0], "client_secret": basic[1]}
    assert token_request(appliance, "GET", in_address, query=True).status == 400


def test_a_users_password_makes_a_token_and_is_taken_as_basic(appliance):
    password = "a long enough password"
    appliance.add_user("edgar", "auditor", password)
    fields = {"grant_type": "password", "username": "edgar", "password": password}
    made = token_request(appliance, "POST", fields, ("edgecli", "edgeclisecret"))
    assert made.status == 200, made
    assert appliance.stranger(Authorization=f"Bearer {made.json['access_token']}").ask("GET", EDGE).status == 200
    assert token_request(appliance, "POST", {**fields, "password": "another"}).status == 401
    basic = base64.b64encode(f"edgar:{password}".encode()).decode()
    client = appliance.stranger(Authorization=f"Basic {basic}")
    assert client.ask("GET", EDGE).status in (200, 429)
    assert client.ask("POST", EDGE, {"name": "no"}).status == 403
    assert client.ask("GET", f"{ODATA}/CertificateStores").status == 401, "SAP's family has tokens alone"
    bad = base64.b64encode(b"edgar:wrong").decode()
    answer = appliance.stranger(Authorization=f"Basic {bad}").ask("GET", EDGE)
    assert (answer.status, answer.text) == (401, "")


def test_readers_see_everything_and_change_nothing(stores, appliance, leaf):
    stores.make("read", "KEYSTORE")
    stores.put_key("read", "mine", leaf)
    stores.odata("POST", "CertificateStoreReferences", {"name": "read", "certificateStoreName": "read"}, 201)
    odata = [f"{ODATA}/{path}" for path in (
        "CertificateStores", "CertificateStores('read')", "Certificates", "Certificates(name='mine',storeName='read')",
        "CertificateStoreReferences", "CertificateStoreReferences('read')")]
    edge = [f"{EDGE}/read{path}" for path in (
        "", "/aliases", "/aliases/mine", "/aliases/mine/certificate", "/aliases/mine/csr", "/certs", "/certs/mine-cert",
        "/certs/mine-cert/export")]
    paths = [*odata, *edge, EDGE, "/v1/o/acme/"]
    readers = [appliance.client("auditor") for _ in paths]  # each has rate limits of its own: nobody has to wait
    before = appliance.state()
    for reader, path in zip(readers, paths):
        assert reader.ask("GET", path).status == 200, path
    assert appliance.state() == before


def test_each_change_is_in_the_audit_record(stores, appliance, root):
    stores.make("audited", "TRUSTSTORE")
    stores.put("audited", "root", "PEM", root.pem(), 201)
    stores.odata("POST", "CertificateStoreReferences", {"name": "seen", "certificateStoreName": "audited"}, 201)
    stores.odata("DELETE", "CertificateStoreReferences('seen')", status=204)
    stores.odata("DELETE", "Certificates(name='root',storeName='audited')", status=204)
    stores.odata("DELETE", "CertificateStores('audited')", status=204)
    entries = appliance.admin.ask("GET", "/mintgate/v1/audit?max=6").json
    assert [(one["operation"], one["object"]) for one in reversed(entries)] == [
        ("createStore", "store/audited"), ("putCertificate", "store/audited/root"),
        ("createReference", "reference/seen"), ("deleteReference", "reference/seen"),
        ("deleteCertificate", "store/audited/root"), ("deleteStore", "store/audited")]
    assert all(one["actor"] and isinstance(json.loads(one["detail"]), dict) for one in entries)


# ---- an intermediate of a key store ----

def import_body(party, **more):
    return {"name": "imported", "format": "PEM", "content": text(party.chain_pem()),
            "privateKey": text(party.key_pem()), **more}


def test_a_key_store_becomes_an_intermediate_that_is_ready(appliance, root):
    ca = Party("Imported CA", root, ca=True)
    made = appliance.admin.ask("POST", "/mintgate/v1/intermediate", import_body(ca, enabled=True))
    assert made.status == 201, made
    path = f"/zia/api/v1/intermediateCaCertificate/{made.json['id']}"
    shown = appliance.admin.ask("GET", path).json
    assert (shown["currentState"], shown["status"], shown["type"]) == ("CERT_READY", "ENABLED", "CUSTOM_SW")
    swapped = appliance.admin.ask("PUT", f"/mintgate/v1/default/{made.json['id']}")
    assert swapped.status == 200, swapped
    assert appliance.admin.ask("PUT", "/mintgate/v1/default/1").status == 200
    before = keys(appliance)
    assert appliance.admin.ask("DELETE", path).status == 204
    wait_until(lambda: len(keys(appliance)) == len(before) - 1, seconds=60, what="the key's end")


def test_what_is_no_ca_becomes_no_intermediate(appliance, root, leaf, refused):
    expired = Party("Expired CA", root, ca=True, days=-1)
    for party, words in ((leaf, "CA:TRUE"), (expired, "expired")):
        answer = appliance.admin.ask("POST", "/mintgate/v1/intermediate", import_body(party))
        assert answer.status == 400 and words in answer.json["message"], answer
    other = import_body(Party("One", root, ca=True), privateKey=text(leaf.key_pem()))
    assert appliance.admin.ask("POST", "/mintgate/v1/intermediate", other).status == 400


def test_imports_count_to_the_quota(appliance, root):
    ca = Party("Many", root, ca=True)
    made = []
    for number in range(20):
        answer = appliance.admin.ask("POST", "/mintgate/v1/intermediate", import_body(ca, name=f"many {number}"))
        if answer.status != 201:
            break
        made.append(answer.json["id"])
    before = keys(appliance)
    assert (answer.status, answer.json["code"]) == (403, "INVALID_OPERATION"), answer
    assert appliance.admin.ask("POST", "/mintgate/v1/intermediate", import_body(ca, name="many 0")).status in (403, 409)
    assert keys(appliance) == before, "the signer is given nothing that is refused"
    for number in made:
        assert appliance.admin.ask("DELETE", f"/zia/api/v1/intermediateCaCertificate/{number}").status == 204


# ---- mintgatectl ----

@pytest.fixture
def ctl(appliance):
    """Runs mintgatectl, which must end with |code|; its output, and its error's text if it failed."""
    def ask(*words, code=0, stdin=""):
        result = run(BUILD / "control/ctl/mintgatectl", "--config", appliance.config, *words, check=False,
                     input=stdin)
        assert result.returncode == code, (words, result.stdout, result.stderr)
        return result.stderr if code else result.stdout
    return ask


def test_stores_by_the_command_line(ctl, appliance, root, leaf, tmp_path):
    files = {"root.pem": root.pem(), "mine.p12": leaf.p12(PASSWORD), "chain.pem": leaf.chain_pem(),
             "key.pem": leaf.key_pem(PASSWORD), "store.jar": leaf.jar()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert "TRUSTSTORE" in ctl("truststore", "create", "cli-trust", "--description", "by hand")
    ctl("keystore", "create", "cli-keys")
    assert "by hand" in ctl("truststore", "list") and "cli-keys" not in ctl("truststore", "list")
    assert re.search(r"root +PEM +no +no +CN=Root", ctl("truststore", "add", "cli-trust", tmp_path / "root.pem"))
    ctl("keystore", "add", "cli-keys", tmp_path / "mine.p12", "--passphrase", stdin=f"{PASSWORD}\n")
    ctl("keystore", "add", "cli-keys", tmp_path / "store.jar", "--name", "mine")
    ctl("keystore", "add", "cli-keys", tmp_path / "chain.pem", "--key", tmp_path / "key.pem", "--passphrase",
        stdin=f"{PASSWORD}\n")
    shown = json.loads(ctl("keystore", "show", "cli-keys", "--json"))
    assert {(one["name"], one["format"], one["hasPreviousVersion"]) for one in shown} == {
        ("mine", "JAR", True), ("chain", "PEM", False)}
    assert "PKCS12" in ctl("keystore", "restore", "cli-keys", "mine")
    ctl("truststore", "reference-set", "cli-ref", "cli-trust")
    ctl("truststore", "create", "cli-other")
    ctl("truststore", "reference-set", "cli-ref", "cli-other")
    assert re.search(r"cli-ref +TRUSTSTORE +cli-other", ctl("truststore", "reference-list"))
    assert "is no TRUSTSTORE" in ctl("truststore", "reference-set", "cli-ref", "cli-keys", code=1)
    assert "names this store" in ctl("truststore", "delete", "cli-other", code=1)
    assert "does not open" in ctl("keystore", "add", "cli-keys", tmp_path / "mine.p12", "--passphrase", code=1,
                                  stdin="wrong\n")
    assert "there is no store nobody" in ctl("truststore", "show", "nobody", code=1)
    ctl("truststore", "show", "no'body", code=2)
    ctl("truststore", "reference-delete", "cli-ref")
    ctl("keystore", "remove", "cli-keys", "mine")
    for noun, name in (("keystore", "cli-keys"), ("truststore", "cli-trust"), ("truststore", "cli-other")):
        ctl(noun, "delete", name)


def test_an_intermediate_is_imported_by_the_command_line(ctl, root, tmp_path):
    ca = Party("By hand", root, ca=True)
    (tmp_path / "ca.p12").write_bytes(ca.p12(PASSWORD))
    said = ctl("intermediate", "import", "by hand", tmp_path / "ca.p12", "--passphrase", stdin=f"{PASSWORD}\n")
    number = re.fullmatch(r"Intermediate (\d+) is ready\.\n", said)[1]
    assert "CERT_READY" in ctl("intermediate", "show", number)
    assert "another" in ctl("intermediate", "import", "by hand", tmp_path / "ca.p12", "--passphrase", code=1,
                            stdin=f"{PASSWORD}\n")
    ctl("intermediate", "delete", number)


def test_the_command_line_at_an_address(appliance, tmp_path):
    appliance.add_user("remote", "admin", "a long enough password")
    words = ("--url", f"https://127.0.0.1:{appliance.port}", "--ca", appliance.directory / "control/server.pem",
             "--login", "remote", "truststore", "list")
    result = run(BUILD / "control/ctl/mintgatectl", *words, check=False, input="a long enough password\n")
    assert result.returncode == 0 and "NAME" in result.stdout, (result.stdout, result.stderr)
