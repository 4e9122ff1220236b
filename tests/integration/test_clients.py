# SPDX-License-Identifier: Apache-2.0
"""Clients of four TLS libraries accept what Mintgate shows them, whatever the wire is like, and see the protocol
that the server chose."""

import json
import re

import pytest

from labkit import ROOT
from tlskit import counting, s_client

NAME = "www.good.lab.test"
# What of the versions each client calls it.
OPENSSL = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
GNUTLS = {"TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}
CURL = {"TLSv1.2": ["--tlsv1.2", "--tls-max", "1.2"], "TLSv1.3": ["--tlsv1.3"]}


@pytest.fixture(scope="module", params=["IPv4", "IPv6", "100 IPv4", "100 IPv6", "100.200 IPv4", "100.200 IPv6"],
                ids=lambda way: way.replace("100.200", "QinQ").replace("100", "VLAN"))
def way(lab, request):
    """The server's address on one way to it, and the tags that are in the record."""
    *tags, family = request.param.split()
    if not tags:
        yield lab.env["SERVER_IP4" if family == "IPv4" else "SERVER_IP6"], None
        return
    lab.command("vlan", "up", tags[0])
    address = lab.env["VLAN_SERVER_IP4" if family == "IPv4" else "VLAN_SERVER_IP6"]
    yield address, [int(tag) for tag in tags[0].split(".")]
    lab.command("vlan", "down")


def with_port(address):
    return f"[{address}]:443" if ":" in address else f"{address}:443"


def by_curl(lab, address, version, protocol):
    http = "--http2" if protocol == "h2" else "--http1.1"
    result = lab.curl("-v", http, *CURL[version], "--cacert", lab.env["MINTGATE_ROOT_PEM"], "--connect-to",
                      f"::{with_port(address)}", f"https://{NAME}/info")
    assert "SSL certificate verify ok." in result.stderr and "issuer: O=Mintgate" in result.stderr
    info = json.loads(result.stdout)
    assert info["sni"] == NAME and info["alpn"] == protocol
    return (re.search(r"SSL connection using (\S+)", result.stderr)[1],
            re.search(r"server accepted (\S+)", result.stderr)[1])


def by_openssl(lab, address, version, protocol):
    shown = s_client(lab, NAME, OPENSSL[version], "-alpn", protocol, connect_to=with_port(address))
    assert shown.verdict == 0, shown.text
    return re.search(r"^New, (\S+), ", shown.text, re.M)[1], re.search(r"ALPN protocol: (\S+)", shown.text)[1]


def by_gnutls(lab, address, version, protocol):
    result = lab.client("gnutls-cli", "--x509cafile", lab.env["MINTGATE_ROOT_PEM"], "-p", "443", "--sni-hostname", NAME,
                        "--verify-hostname", NAME, "--priority", GNUTLS[version], "--alpn", protocol, address, input="")
    assert "Status: The certificate is trusted." in result.stdout, result.stdout
    seen = re.search(r"Description: \((TLS)(1\.\d)", result.stdout)
    return f"{seen[1]}v{seen[2]}", re.search(r"Application protocol: (\S+)", result.stdout)[1]


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("client", [by_curl, by_openssl, by_gnutls])
def test_a_client_accepts_the_minted_chain(lab, way, client, version, protocol):
    address, tags = way
    lab.mark()
    with counting(lab) as counts:
        assert client(lab, address, version, protocol) == (version, protocol)
    assert counts["sessions"] == {"intercepted": 1} and counts["adoptions"] == {"decided": 1}
    (record,) = lab.records(sni=NAME)
    assert record["client_version"] == version and record["alpn"] == protocol and record["issuer"] == "trust"
    assert record.get("vlan") == tags and record["server"] == with_port(address)


def by_chromium(lab, root_pem, screenshot):
    """The page as Chromium has it; it verifies as for anybody who has added a root of their own."""
    return lab.client(ROOT / "scripts/lib/browse", root_pem, f"https://{NAME}/", screenshot).stdout


def test_chromium_shows_the_page(lab, tmp_path):
    screenshot = tmp_path / "page.png"
    lab.mark()
    assert f"<h1>{NAME}</h1>" in by_chromium(lab, lab.env["MINTGATE_ROOT_PEM"], screenshot)
    assert screenshot.read_bytes().startswith(b"\x89PNG")
    records = lab.records(sni=NAME)
    assert {(record["alpn"], record["client_version"]) for record in records} == {("h2", "TLSv1.3")}
    # When it has its picture it exits, whatever may still be under way.
    assert {record["reason"] for record in records} <= {"rule", "reset", "client_reset"}


def test_chromium_without_the_root_says_so_in_an_alert(lab, tmp_path):
    lab.mark()
    assert f"<h1>{NAME}</h1>" not in by_chromium(lab, "", tmp_path / "page.png")
    (record, *_) = lab.records(sni=NAME, reason="client_alert")
    assert record["client_alert"] == 46  # certificate_unknown, as BoringSSL's clients call it
