# SPDX-License-Identifier: Apache-2.0
"""mintgatectl root sign-csr: the throw-away root's files, and what it refuses."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from labkit import BUILD, run

DONE, REFUSED, USAGE = range(3)


def request_pem(name="Lab Intermediate"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    return (x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
            .public_bytes(Encoding.PEM).decode())


def verify(certificate, authority):
    authority.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))


class Root:
    def __init__(self, directory):
        self.key, self.certificate = directory / "root.key", directory / "root.pem"
        self.request = directory / "request.pem"
        self.request.write_text(request_pem())

    def sign(self, *words, code=DONE):
        """The certificate as text; what it says where it is to end with another |code|."""
        result = run(BUILD / "control/ctl/mintgatectl", "root", "sign-csr", self.request, "--key", self.key, "--cert",
                     self.certificate, *words, check=False)
        assert result.returncode == code, result
        assert "Sanitizer" not in result.stderr
        return result.stdout if code == DONE else result.stderr

    def names(self):
        """What there is of it."""
        return {path.name for path in self.key.parent.iterdir()} - {self.request.name}


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path)


def test_a_root_is_made_once_and_its_key_is_secret(root):
    one = x509.load_pem_x509_certificate(root.sign().encode())
    files = root.key.read_bytes(), root.certificate.read_bytes()
    two = x509.load_pem_x509_certificate(root.sign().encode())
    assert (root.key.read_bytes(), root.certificate.read_bytes()) == files
    assert root.key.stat().st_mode & 0o777 == 0o600
    authority = x509.load_pem_x509_certificate(files[1])
    assert "Throw-away" in authority.subject.rfc4514_string()
    for certificate in (one, two):
        assert certificate.issuer == authority.subject
        verify(certificate, authority)


def test_it_goes_to_a_file_and_ends_when_it_is_told(root, tmp_path):
    out = tmp_path / "signed.pem"
    assert root.sign("--out", out, "--for", "2h") == ""
    signed = x509.load_pem_x509_certificate(out.read_bytes())
    # The beginning is an hour before the signature.
    assert signed.not_valid_after - signed.not_valid_before == datetime.timedelta(hours=3)


def test_a_root_of_which_only_the_key_was_written_is_completed(root):
    root.sign()
    key = root.key.read_bytes()
    root.certificate.unlink()
    signed = x509.load_pem_x509_certificate(root.sign().encode())
    assert root.key.read_bytes() == key
    verify(signed, x509.load_pem_x509_certificate(root.certificate.read_bytes()))


@pytest.mark.parametrize("text, why", [
    ("", "PKCS#10"), ("no request", "PKCS#10"), (request_pem()[:200], "PKCS#10"), (request_pem(""), "subject: "),
], ids=["empty", "garbage", "cut", "no subject"])
def test_a_request_that_is_refused_makes_no_root(root, text, why):
    root.request.write_text(text)
    said = root.sign(code=REFUSED)
    assert why in said and "request.pem" in said
    assert root.names() == set()


def test_files_that_are_missing_or_too_large_are_named(root):
    root.request.unlink()
    assert "request.pem" in root.sign(code=REFUSED)
    root.request.write_text("x" * 100000)
    assert "request.pem" in root.sign(code=REFUSED)
    assert root.names() == set()


def test_a_certificate_without_its_key_is_refused(root):
    root.sign()
    root.key.unlink()
    assert "--key: there is no" in root.sign(code=REFUSED)
    assert root.names() == {"root.pem"}


def test_a_key_that_others_may_read_is_refused(root):
    root.sign()
    root.key.chmod(0o644)
    assert "root.key" in root.sign(code=REFUSED)


def test_what_is_no_root_is_refused(root):
    signed = root.sign()
    good = root.certificate.read_text()
    for text, why in ((signed, "of the root's key"), ("no certificate", "must be a certificate")):
        root.certificate.write_text(text)
        said = root.sign(code=REFUSED)
        assert why in said and "root.pem" in said
    root.certificate.write_text(good)
    root.key.write_text("no key")
    assert "must be a private key" in root.sign(code=REFUSED)


@pytest.mark.parametrize("words", [[], ["--key", "x"], ["--cert", "x"], ["--key", "", "--cert", "x"],
                                   ["--key", "x", "--cert", "x", "--for", "soon"],
                                   ["--key", "x", "--cert", "x", "--for", "367d"],
                                   ["--key", "x", "--cert", "x", "--cn", "x"],
                                   ["another", "--key", "x", "--cert", "x"]])
def test_wrong_usage(root, words):
    result = run(BUILD / "control/ctl/mintgatectl", "root", "sign-csr", root.request, *words, check=False)
    assert result.returncode == USAGE and "Try mintgatectl --help." in result.stderr
    assert root.names() == set()
