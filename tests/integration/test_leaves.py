# SPDX-License-Identifier: Apache-2.0
"""What is in the leaves that clients are shown, beside the certificates that they stand for:
twenty servers that differ."""

import datetime
import pathlib

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import (
    AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID,
)

import zlintkit
from labkit import wait_until
from tlskit import certificates, configured, connect_tls, names_of, request, s_client

VARIANTS = """address bare clientauth fullsubject hundred idn long longlabel longname mailbox mixedcase newborn
nosubject p521 plain pointers rsa3072 short utf8subject wildcard""".split()
EC, RSA = "ECDSA", "RSA"
# Clients by the leaf key that they can verify.
CLIENTS = {
    "1.3, all": (EC, ["-tls1_3"]),
    "1.2, all": (EC, ["-tls1_2"]),
    "1.3, RSA alone": (RSA, ["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"]),
    "1.2, RSA alone": (RSA, ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]),
}
LIMIT = datetime.timedelta(days=199)  # minting.max_validity
SECOND = datetime.timedelta(seconds=1)
EXTENSIONS = {ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE,
              ExtensionOID.EXTENDED_KEY_USAGE, ExtensionOID.SUBJECT_KEY_IDENTIFIER,
              ExtensionOID.AUTHORITY_KEY_IDENTIFIER}


def host(variant):
    return f"{variant}.vary.lab.test"


def origin_certificate(lab, name):
    """What the server of |name| has."""
    return certificates(pathlib.Path(lab.env["PKI_DIR"], f"servers/{name}.pem").read_text())[0]


def chain_shown(lab, name, *options, root=None):
    """The chain that a client gets and accepts."""
    shown = s_client(lab, name, *options, roots=root)
    assert shown.verdict == 0 and shown.chain, (name, shown.text)
    return shown.chain


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind).value


@pytest.fixture(scope="module")
def shown(lab):
    """The chains of all servers for all clients, by variant and client."""
    assert len(VARIANTS) == 20
    return {(variant, client): chain_shown(lab, host(variant), *options)
            for client, (_, options) in CLIENTS.items() for variant in VARIANTS}


@pytest.fixture(params=VARIANTS)
def pairs(lab, shown, request):
    """What stands for one server: (its certificate, leaf, issuer, kind of the leaf's key), for each client."""
    origin = origin_certificate(lab, host(request.param))
    return [(origin, *shown[request.param, client], key) for client, (key, _) in CLIENTS.items()]


def dns_and_ip(names):
    return {(kind, value.lower()) for kind, value in names if kind in ("DNS", "IP")}


def test_names_are_the_servers(pairs):
    for origin, leaf, _, _ in pairs:
        assert names_of(leaf) == dns_and_ip(names_of(origin))
        assert leaf.subject == origin.subject
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert san.critical == (len(list(leaf.subject)) == 0)  # RFC 5280 section 4.2.1.6


def test_validity_is_the_servers_within_the_issuers_and_the_limit(pairs):
    now = datetime.datetime.utcnow()
    for origin, leaf, issuer, _ in pairs:
        begin = max(origin.not_valid_before, issuer.not_valid_before)
        end = min(origin.not_valid_after, issuer.not_valid_after)
        length = leaf.not_valid_after - leaf.not_valid_before + SECOND
        if end - begin < LIMIT:
            assert (leaf.not_valid_before, leaf.not_valid_after) == (begin, end)
        else:
            assert length == LIMIT and begin <= leaf.not_valid_before <= now < leaf.not_valid_after <= end


def test_the_key_is_ours_and_of_a_kind_that_the_client_verifies(pairs):
    for origin, leaf, issuer, key in pairs:
        public = leaf.public_key()
        if key == EC:
            assert isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name == "secp256r1"
        else:
            assert isinstance(public, rsa.RSAPublicKey) and public.key_size == 2048
        for other in (origin, issuer):
            assert other.public_key().public_numbers() != public.public_numbers()


def test_the_issuer_is_named_by_its_own_words_and_signs_by_its_own_key(pairs):
    for _, leaf, issuer, _ in pairs:
        assert leaf.issuer.public_bytes() == issuer.subject.public_bytes()
        issuer_id = extension(issuer, x509.SubjectKeyIdentifier).digest
        assert extension(leaf, x509.AuthorityKeyIdentifier).key_identifier == issuer_id
        assert extension(leaf, x509.SubjectKeyIdentifier).digest != issuer_id
        assert leaf.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256


def test_extensions_are_those_of_a_server_and_no_others(pairs):
    for _, leaf, _, key in pairs:
        assert {found.oid for found in leaf.extensions} == EXTENSIONS
        assert not extension(leaf, x509.BasicConstraints).ca
        assert list(extension(leaf, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.SERVER_AUTH]
        usage = extension(leaf, x509.KeyUsage)
        assert usage.digital_signature and usage.key_encipherment == (key == RSA)
        assert not (usage.key_cert_sign or usage.crl_sign or usage.key_agreement or usage.content_commitment)


def test_addresses_of_the_issuer_are_written_where_they_are_configured(lab, tmp_path):
    aia, crl = "http://pki.lab.test/ca.der", "http://pki.lab.test/ca.crl"
    with configured(lab, "engine", minting={"aia_url": aia, "crl_url": crl}):
        chain = chain_shown(lab, host("plain"))
    (access,) = extension(chain[0], x509.AuthorityInformationAccess)
    assert access.access_method == AuthorityInformationAccessOID.CA_ISSUERS and access.access_location.value == aia
    (point,) = extension(chain[0], x509.CRLDistributionPoints)
    assert [name.value for name in point.full_name] == [crl]
    assert zlint_errors([chain], tmp_path) == {}


def test_serials_are_random_and_sixteen_bytes_long(shown):
    """RFC 5280 section 4.1.2.2: positive; no leading zero, so that 16 bytes it is."""
    leaves = {(variant, CLIENTS[client][0]): chain[0] for (variant, client), chain in shown.items()}
    serials = [leaf.serial_number for leaf in leaves.values()]
    assert all(121 <= serial.bit_length() <= 127 for serial in serials)
    upper_halves = {serial >> 64 for serial in serials}
    lower_halves = {serial & (1 << 64) - 1 for serial in serials}
    assert len(upper_halves) == len(lower_halves) == len(serials)


def test_a_leaf_serves_all_versions_and_one_kind_of_key(shown):
    """TLS 1.2 and 1.3 share it: cached by what the client verifies, not by what it speaks."""
    for variant in VARIANTS:
        assert shown[variant, "1.3, all"][0] == shown[variant, "1.2, all"][0]
        assert shown[variant, "1.3, RSA alone"][0] == shown[variant, "1.2, RSA alone"][0]


def test_the_chain_is_leaf_and_intermediate_without_the_root(lab, shown):
    (root,) = certificates(pathlib.Path(lab.env["MINTGATE_ROOT_PEM"]).read_text())
    for chain in shown.values():
        assert len(chain) == 2 and chain[1].issuer == root.subject and chain[1] != root


def zlint_errors(chains, directory):
    """What zlint finds by RFC 5280 in the leaves of |chains|."""
    leaves = {chain[0].serial_number: chain[0] for chain in chains}
    for serial, leaf in leaves.items():
        (directory / f"{serial:x}.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    found = zlintkit.errors(sorted(directory.glob("*.pem")), "-includeSources=RFC5280")
    assert len(found) == len(leaves)
    return {path.name: names for path, names in found.items() if names}


def test_zlint_finds_no_error(shown, tmp_path):
    assert len(set(chain[0] for chain in shown.values())) == 2 * len(VARIANTS)
    assert zlint_errors(shown.values(), tmp_path) == {}


# ---- names that policy treats otherwise ----

def with_rule(lab, **rule):
    """A context in which a further rule comes first."""
    rules = yaml.safe_load(lab.config)["policy"]["rules"]
    return configured(lab, policy={"rules": [{"name": "further", **rule}, *rules]})


def test_names_that_are_bypassed_or_blocked_are_left_out(lab):
    """A browser would reuse the connection for them (RFC 9113 section 9.1.1)."""
    name = host("hundred")
    all_names = dns_and_ip(names_of(origin_certificate(lab, name)))
    for action in ("bypass", "block"):
        with with_rule(lab, sni=[f"n7.{name}", f"n99.{name}"], action=action):
            leaf = chain_shown(lab, name)[0]
        assert names_of(leaf) == all_names - {("DNS", f"n7.{name}"), ("DNS", f"n99.{name}")}
    assert names_of(chain_shown(lab, name)[0]) == all_names


def test_a_wildcard_over_a_bypassed_name_gives_way_to_the_name_asked_for(lab):
    name = host("wildcard")
    with with_rule(lab, sni=[host("secret")], action="bypass"):
        assert names_of(chain_shown(lab, name)[0]) == {("DNS", name), ("DNS", f"*.{name}")}
    assert names_of(chain_shown(lab, name)[0]) == {("DNS", host("*")), ("DNS", f"*.{name}")}


def test_each_name_below_such_a_wildcard_has_a_leaf_for_itself_alone(lab):
    """*.lab.test covers bypass.lab.test, which the lab bypasses."""
    for name in ("one.lab.test", "two.lab.test"):
        assert names_of(chain_shown(lab, name)[0]) == {("DNS", "lab.test"), ("DNS", name)}
    nameless = s_client(lab, None)
    assert nameless.verdict == 0 and names_of(nameless.chain[0]) == {("DNS", "lab.test")}


# ---- other issuers ----

def generation(lab):
    return lab.metric("mintgate_minting_issuer_generation")


@pytest.mark.usefixtures("without_control")  # whose word would outweigh the signer's
@pytest.mark.parametrize("key_type, algorithm", [("RSA_2K", SignatureAlgorithmOID.RSA_WITH_SHA256),
                                                 ("EC_P384", SignatureAlgorithmOID.ECDSA_WITH_SHA384)])
def test_an_issuer_of_another_kind_takes_over_while_sessions_go_on(lab, tmp_path, key_type, algorithm):
    """The signer comes back with other keys: new connections have all of the new issuer, old ones notice nothing."""
    lints = tmp_path / "leaves"
    lints.mkdir()
    state = tmp_path / "state"
    before = generation(lab)
    old = chain_shown(lab, host("plain"))
    with connect_tls(lab, "www.good.lab.test") as session:
        with configured(lab, "signer", signer={"state_dir": str(state), "builtin_key_type": key_type,
                                               "key_encryption_key": str(tmp_path / "kek")}):
            wait_until(lambda: generation(lab) > before, what="the new issuer")
            chains = [chain_shown(lab, host(variant), *options, root=state / "root.pem")
                      for variant in ("plain", "rsa3072") for _, options in CLIENTS.values()]
            for leaf, issuer in chains:
                assert leaf.signature_algorithm_oid == algorithm and issuer != old[1]
                assert leaf.issuer.public_bytes() == issuer.subject.public_bytes()
            assert zlint_errors(chains, lints) == {}
            session.sendall(request("/info"))
            assert b"200 OK" in session.recv(4096)
            during = generation(lab)
    wait_until(lambda: generation(lab) > during, what="the old issuer again")
    assert chain_shown(lab, host("plain"))[1] == old[1]
