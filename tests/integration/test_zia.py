# SPDX-License-Identifier: Apache-2.0
"""The eight steps of the vendor's description, by curl, through to a client that sees the new intermediate; and what
must be refused on the way."""

import hashlib
import itertools
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane import ControlPlane
from keyskit import Authority
from tlskit import s_client

API = "/zia/api/v1/intermediateCaCertificate"
GOOD = "www.good.lab.test"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def control(lab):
    with ControlPlane(lab) as made:
        yield made
        made.ask("PUT", f"{API}/makeDefault/1")


@pytest.fixture(scope="module")
def authority():
    return Authority("Corporate Root")


@pytest.fixture
def roots(lab, authority, tmp_path):
    path = tmp_path / "roots.pem"
    path.write_text(authority.pem() + pathlib.Path(lab.env["ROOT_PEM"]).read_text())
    return str(path)


class Certificates:
    """The API, as a client of it would use it; what it makes is deleted afterwards."""

    def __init__(self, control, authority, directory):
        self.control, self.authority, self.directory = control, authority, directory
        self.made = []

    def json(self, method, path, body=None):
        options = ["-H", "Content-Type: application/json", "-d", body] if body is not None else []
        return self.control.ask(method, API + path, *options)

    def done(self, method, path, body=None, code=200):
        got, answer = self.json(method, path, body)
        assert got == code, (method, path, got, answer)
        return answer

    def create(self, **more):
        fields = {"name": f"corp {next(_numbers)}", "type": "CUSTOM_SW", "status": "ENABLED", "keyType": "EC_P256",
                  **more}
        body = "{" + ", ".join(f'"{key}": "{value}"' for key, value in fields.items()) + "}"
        answer = self.done("POST", "", body)
        self.made.append(answer["id"])
        assert answer["currentState"] == "GENERAL_DONE" and answer["defaultCertificate"] is False
        return answer["id"]

    def upload(self, where, number, pem):
        path = self.directory / "upload.pem"
        path.write_text(pem)
        return self.control.ask("POST", f"{API}/{where}/{number}", "-F",
                                f"fileUpload=@{path};filename=certificate.pem;type=application/octet-stream")

    def signed(self, number, **unusual):
        """The certificate that the authority makes of its request."""
        code, pem = self.control.get(f"{API}/downloadCsr/{number}")
        assert code == 200
        certificate = self.authority.certify(x509.load_pem_x509_csr(pem.encode()), **unusual)
        return certificate.public_bytes(Encoding.PEM).decode()

    def ready(self, chain=True, unusual=None, **more):
        """A certificate after step 7, signed as keyskit.Authority.certify takes |unusual|."""
        number = self.create(**more)
        assert self.done("POST", f"/keyPair/{number}", "{}")["currentState"] == "KEYGEN_DONE"
        assert self.done("POST", f"/generateCsr/{number}", "{}")["certId"] == number
        code, answer = self.upload("uploadCert", number, self.signed(number, **(unusual or {})))
        assert (code, answer["currentState"]) == (200, "INTCERT_UPLOAD_DONE"), answer
        if chain:
            code, answer = self.upload("uploadCertChain", number, self.authority.pem())
            assert (code, answer["currentState"]) == (200, "CERTCHAIN_UPLOAD_DONE"), answer
        assert self.done("POST", f"/finalizeCert/{number}")["currentState"] == "CERT_READY"
        return number

    def make_default(self, number):
        answer = self.done("PUT", f"/makeDefault/{number}", "{}")
        assert answer["defaultCertificate"] is True
        return answer


@pytest.fixture
def api(control, authority, tmp_path):
    made = Certificates(control, authority, tmp_path)
    yield made
    made.make_default(1)
    for number in made.made:
        code, answer = made.json("DELETE", f"/{number}")
        assert code in (204, 404), answer


def shown(lab, roots):
    handshake = s_client(lab, GOOD, roots=roots)
    assert handshake.verdict == 0, handshake.text
    assert handshake.chain[0].issuer == handshake.chain[1].subject
    return handshake.chain


def name_of(certificate):
    return certificate.subject.rfc4514_string()


def test_the_eight_steps_to_a_client_that_sees_the_new_intermediate(lab, api, roots):
    number = api.ready(name="Corp Inspection CA")
    assert {"id": number, "name": "Corp Inspection CA", "defaultCertificate": False} in api.done("GET", "/readyToUse")
    api.make_default(number)
    assert "Corp Inspection CA" in name_of(shown(lab, roots)[1])
    (default,) = [one for one in api.done("GET", "") if one["defaultCertificate"]]
    assert default["id"] == number
    api.make_default(1)
    assert "Mintgate Issuing CA" in name_of(shown(lab, roots)[1])


def test_without_a_chain_leaf_and_intermediate_alone_are_sent(lab, api, roots):
    number = api.ready(chain=False)
    api.make_default(number)
    assert len(shown(lab, roots)) == 2


@pytest.mark.parametrize("key_type", ["RSA_2K", "EC_P384"])
def test_keys_of_other_kinds(lab, api, roots, key_type):
    number = api.ready(keyType=key_type)
    api.make_default(number)
    assert shown(lab, roots)[1].issuer == api.authority.name


def test_a_certificate_without_subject_key_identifier_is_given_a_computed_one(lab, api, roots):
    api.make_default(api.ready(unusual={"has_key_identifier": False}))
    leaf, intermediate = shown(lab, roots)[:2]
    # RFC 7093 section 2 method 1: of the bits of the key
    bits = intermediate.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    named = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert named == hashlib.sha256(bits).digest()[:20]


def test_what_must_be_refused_is_and_changes_nothing(lab, api, control):
    number = api.ready()
    api.make_default(number)
    before = api.done("GET", f"/{number}")
    for method, path, body in [("DELETE", f"/{number}", None), ("DELETE", "/1", None),
                               ("POST", f"/keyPair/{number}", "{}"), ("POST", f"/generateCsr/{number}", "{}"),
                               ("POST", f"/finalizeCert/{number}", "{}"), ("POST", "/keyPair/1", "{}"),
                               ("PUT", f"/{number}", '{"status": "DISABLED"}'),
                               ("PUT", f"/{number}", '{"name": "other"}')]:
        code, answer = api.json(method, path, body)
        assert code == 403 and set(answer) == {"code", "message"}, (method, path, code, answer)
    assert api.done("GET", f"/{number}") == before
    code, answer = api.upload("uploadCert", number, api.authority.pem())
    assert code == 403, answer


def test_a_certificate_for_another_key_is_refused(api):
    number = api.create()
    api.done("POST", f"/keyPair/{number}", "{}")
    api.done("POST", f"/generateCsr/{number}", "{}")
    for pem in (api.authority.pem(), "no certificate"):
        code, answer = api.upload("uploadCert", number, pem)
        assert code == 400 and set(answer) == {"code", "message"}, answer
    assert api.done("GET", f"/{number}")["currentState"] == "CSRGEN_DONE"


def test_a_deleted_intermediate_leaves_no_key(lab, api):
    keys = pathlib.Path(lab.env["LAB_DIR"], "signer/keys")
    before = sorted(path.name for path in keys.iterdir())
    number = api.ready()
    assert len(sorted(keys.iterdir())) > len(before)
    assert api.json("DELETE", f"/{number}")[0] == 204
    assert sorted(path.name for path in keys.iterdir()) == before


def test_the_previous_default_comes_back_in_one_call(lab, api, control, roots):
    one, two = api.ready(), api.ready()
    api.make_default(one)
    api.make_default(two)
    code, answer = control.ask("PUT", "/mintgate/v1/default/previous")
    assert (code, answer["id"]) == (200, one)
    assert shown(lab, roots)[1].subject == shown(lab, roots)[0].issuer
