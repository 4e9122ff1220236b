# SPDX-License-Identifier: Apache-2.0
"""Minted leaves before other implementations: OpenSSL, GnuTLS and zlint.

mint_samples makes some hundreds of leaves for servers of all kinds, from every type of issuer and with every type of
leaf key. OpenSSL and GnuTLS verify each as a client that trusts the root does; zlint finds no error in any, but for the
lints listed in tests/zlintkit.py, each with its reason.

Needs openssl, certtool (gnutls-bin), zlint (tests/zlintkit.py), and in MG_BUILD the build directory.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import typing

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import zlintkit  # noqa: E402
from zlintkit import BEYOND_LDH, NOT_PUBLICLY_TRUSTED  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MG_BUILD", ROOT / "build/plain")).resolve()
UNTRUSTED = "untrust"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"

class Leaf(typing.NamedTuple):
    path: pathlib.Path
    issuer: str
    asked: str
    is_ldh: bool

    @property
    def root(self):
        return self.path.parent / "root.pem"

    @property
    def intermediate(self):
        return self.path.parent / "intermediate.pem"

    @property
    def asked_for_ip(self):
        return ":" in self.asked or self.asked.replace(".", "").isdigit()


@pytest.fixture(scope="module")
def leaves(tmp_path_factory):
    directory = tmp_path_factory.mktemp("leaves")
    subprocess.run([BUILD / "tests/unit/minting/mint_samples", directory], check=True, stdout=subprocess.DEVNULL)
    rows = [line.split("\t") for line in (directory / "index.tsv").read_text().splitlines()]
    made = [Leaf(directory / issuer / name, issuer, asked, syntax == "ldh") for name, issuer, asked, syntax in rows]
    assert len(made) >= 300
    assert len({leaf.issuer for leaf in made}) == 6
    return made


def failures(leaves, command):
    """Runs command(leaf), a list and its standard input, for each; the outputs of those that fail."""

    def run(leaf):
        arguments, text = command(leaf)
        done = subprocess.run(arguments, input=text, capture_output=True, text=True)
        return None if done.returncode == 0 else f"{leaf.path.name}: {done.stdout}{done.stderr}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [output for output in pool.map(run, leaves) if output is not None]


def openssl_verify(leaf, *more):
    asked = ["-verify_ip" if leaf.asked_for_ip else "-verify_hostname", leaf.asked]
    # Leaves of the forward-untrust issuer mimic certificates that have expired: here all but their time is checked.
    when = ["-no_check_time"] if leaf.issuer == UNTRUSTED else []
    return ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *asked, *when, *more, "-CAfile", leaf.root,
            "-untrusted", leaf.intermediate, leaf.path]


def test_openssl_accepts_every_leaf(leaves):
    assert failures(leaves, lambda leaf: (openssl_verify(leaf), None)) == []


def test_openssl_refuses_every_leaf_under_another_root(leaves):
    other = next(leaf for leaf in leaves if leaf.issuer == "p384")
    wrong = [leaf for leaf in leaves if leaf.issuer == "p256"]
    refused = failures(wrong, lambda leaf: (["openssl", "verify", "-partial_chain", "-trusted", other.intermediate,
                                             leaf.path], None))
    assert len(refused) == len(wrong)


def test_openssl_refuses_what_is_expired_or_not_yet_valid(leaves):
    odd = [leaf for leaf in leaves if "expired" in leaf.path.name or "not-yet-valid" in leaf.path.name]
    assert len(odd) > 0
    refused = failures(odd, lambda leaf: ([a for a in openssl_verify(leaf) if a != "-no_check_time"], None))
    assert len(refused) == len(odd)
    assert all("expired" in output or "not yet valid" in output for output in refused)


def test_gnutls_accepts_every_leaf(leaves):
    def command(leaf):
        name = [] if leaf.asked_for_ip else [f"--verify-hostname={leaf.asked}"]
        chain = leaf.path.read_text() + leaf.intermediate.read_text()
        return ["certtool", "--verify", f"--load-ca-certificate={leaf.root}", f"--verify-purpose={SERVER_AUTH}",
                *name], chain

    assert failures([leaf for leaf in leaves if leaf.issuer != UNTRUSTED], command) == []


def lint(leaves, *options):
    """The names of the lints that found an error, by leaf."""
    found = zlintkit.errors([leaf.path for leaf in leaves], *options)
    return {leaf: found[leaf.path] for leaf in leaves}


def unexpected(found, expected):
    return {leaf.path.name: names - expected for leaf, names in found.items() if names - expected}


def test_zlint_finds_no_error_of_rfc_5280(leaves):
    found = lint(leaves, "-includeSources=RFC5280")
    ldh = {leaf: names for leaf, names in found.items() if leaf.is_ldh}
    beyond = {leaf: names for leaf, names in found.items() if not leaf.is_ldh}
    assert unexpected(ldh, set()) == {}
    assert unexpected(beyond, BEYOND_LDH) == {}
    assert set().union(*beyond.values()) == BEYOND_LDH, "an exclusion that nothing needs"


def test_zlint_finds_no_error_of_any_source_but_those_of_public_trust(leaves):
    found = lint(leaves)
    assert unexpected(found, NOT_PUBLICLY_TRUSTED | BEYOND_LDH) == {}
    assert set().union(*found.values()) == NOT_PUBLICLY_TRUSTED | BEYOND_LDH, "an exclusion that nothing needs"
