# SPDX-License-Identifier: Apache-2.0
"""Every origin is what its name says, as OpenSSL and curl see it on the bare wire."""

import concurrent.futures
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from labkit import BUILD

INTERMEDIATE = "Lab Origin Intermediate"


def handshake(lab, name, *options, connect=None):
    """openssl s_client: the chain as PEM texts, and the verification's result."""
    target = connect or f"{lab.env['SERVER_IP4']}:443"
    result = lab.client(
        "openssl", "s_client", "-connect", target, "-servername", name, "-verify_hostname", name, "-showcerts",
        "-CAfile", lab.env["ROOT_PEM"], "-no-CApath", "-no-CAstore", *options, check=False, input="",
    )
    text = result.stdout
    chain = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)
    verdict = re.search(r"Verify return code: (\d+)", text)
    return chain, int(verdict.group(1)) if verdict else None, text + result.stderr


def describe(pem, *options):
    """One fact about a certificate, from openssl x509."""
    return subprocess.run(["openssl", "x509", "-noout", *options], input=pem, capture_output=True, text=True,
                          check=True).stdout


# Name, OpenSSL's verdict (X509_V_ERR_*), size of the key, certificates sent.
@pytest.mark.parametrize("name, verdict, key, sent", [
    ("www.good.lab.test", 0, "256 bit", 2),
    ("a.fresh.lab.test", 0, "256 bit", 2),
    ("rsa.lab.test", 0, "2048 bit", 2),
    ("p384.lab.test", 0, "384 bit", 2),
    ("bypass.lab.test", 0, "256 bit", 2),
    ("blocked.lab.test", 0, "256 bit", 2),
    ("www.rsa.lab.test", 0, "2048 bit", 2),
    ("unheard-of.lab.test", 0, "256 bit", 2),
    ("expired.lab.test", 10, "256 bit", 2),
    ("notyet.lab.test", 9, "256 bit", 2),
    ("wrongname.lab.test", 62, "256 bit", 2),
    ("selfsigned.lab.test", 18, "256 bit", 1),
    ("untrusted.lab.test", 19, "256 bit", 2),
    ("incomplete.lab.test", 21, "256 bit", 1),
    ("weaksig.lab.test", 0, "256 bit", 2),
    ("weakkey.lab.test", 0, "1024 bit", 2),
])
def test_name_gets_its_certificate(lab, name, verdict, key, sent):
    chain, seen, text = handshake(lab, name, "-cipher", "DEFAULT@SECLEVEL=0")
    assert seen == verdict, text
    assert len(chain) == sent
    assert f"({key})" in describe(chain[0], "-text")


def test_weak_ones_are_weak(lab):
    chain, _, _ = handshake(lab, "weaksig.lab.test", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "ecdsa-with-SHA1" in describe(chain[0], "-text")
    for name, verdict in (("weaksig.lab.test", 68), ("weakkey.lab.test", 66)):
        assert handshake(lab, name)[1] == verdict  # at OpenSSL's usual security level


def test_the_missing_intermediate_completes_the_chain(lab):
    bundle = f"{lab.env['PKI_DIR']}/missing-intermediates.pem"
    assert handshake(lab, "incomplete.lab.test")[1] == 21
    both = lab.directory / "both.pem"
    both.write_text(Path(bundle).read_text() + Path(lab.env["ROOT_PEM"]).read_text())
    assert handshake(lab, "incomplete.lab.test", "-CAfile", both)[1] == 0


@pytest.mark.parametrize("name, offered, version", [
    ("tls10.lab.test", "-tls1", "TLSv1"), ("tls10.lab.test", "-tls1_2", None),
    ("tls12.lab.test", "-tls1_2", "TLSv1.2"), ("tls12.lab.test", "-tls1_3", None),
    ("tls13.lab.test", "-tls1_3", "TLSv1.3"), ("tls13.lab.test", "-tls1_2", None),
    ("www.good.lab.test", "-tls1_2", "TLSv1.2"), ("www.good.lab.test", "-tls1_3", "TLSv1.3"),
    ("www.good.lab.test", "-tls1_1", None), ("rsa.lab.test", "-tls1_1", None),
])
def test_versions_are_those_of_the_name(lab, name, offered, version):
    _, _, text = handshake(lab, name, offered, "-cipher", "DEFAULT@SECLEVEL=0")
    seen = re.search(r"^New, (TLSv[\d.]+|\(NONE\))", text, re.M)
    protocol = re.search(r"^\s+Protocol\s*: (TLSv[\d.]+)$", text, re.M)
    if version is None:
        assert "alert" in text or (seen and seen.group(1) == "(NONE)")
    elif version == "TLSv1.3":
        assert seen.group(1) == version
    else:
        assert protocol.group(1) == version


def test_fresh_names_keep_their_certificate_and_share_none(lab):
    first, again, other = (handshake(lab, name)[0] for name in ("k1.fresh.lab.test", "K1.fresh.lab.test",
                                                                "k2.fresh.lab.test"))
    assert first == again
    assert first[0] != other[0] and first[1] == other[1]
    assert describe(first[0], "-ext", "subjectAltName").split()[-1] == "DNS:k1.fresh.lab.test"
    assert INTERMEDIATE in describe(first[0], "-issuer")


def test_good_names_share_one_certificate_whoever_serves_them(lab):
    by_origin = handshake(lab, "a.good.lab.test", "-alpn", "http/1.1")
    by_nginx = handshake(lab, "b.good.lab.test", "-alpn", "h2")
    assert "ALPN protocol: http/1.1" in by_origin[2] and "ALPN protocol: h2" in by_nginx[2]
    assert by_origin[0] == by_nginx[0]


def test_twenty_differing_certificates_reach_the_client_as_made(lab):
    files = sorted(Path(lab.env["PKI_DIR"], "servers").glob("*.vary.lab.test.pem"))
    assert len(files) >= 20
    for path in files:
        chain, verdict, text = handshake(lab, path.stem)
        assert verdict == 0, (path.stem, text)
        assert chain[0] in path.read_text()


@pytest.mark.parametrize("address", ["IMPOSTOR_IP4", "IMPOSTOR_IP6"])
def test_the_impostor_shows_good_names_with_certificates_nobody_trusts(lab, address):
    ip = lab.env[address]
    target = f"[{ip}]:443" if ":" in ip else f"{ip}:443"
    for name in ("www.good.lab.test", "a.fresh.lab.test", "rsa.lab.test"):
        chain, verdict, _ = handshake(lab, name, connect=target)
        assert verdict == 19 and "Lab Impostor CA" in describe(chain[0], "-issuer")
        assert f"DNS:{name}" in describe(chain[0], "-ext", "subjectAltName")


def test_mtls_asks_for_a_certificate_and_serves_who_has_one(lab):
    assert "Acceptable client certificate CA names" in handshake(lab, "mtls.lab.test")[2]
    url = "https://mtls.lab.test/info"
    assert lab.curl(url, "-o", "/dev/null", "-w", "%{http_code}").stdout == "400"
    env = lab.env
    assert lab.curl(url, "--cert", env["CLIENT_CERT_PEM"], "--key", env["CLIENT_CERT_KEY"], "-o", "/dev/null", "-w",
                    "%{http_code}").stdout == "200"


@pytest.mark.parametrize("name, http, alpn", [("www.good.lab.test", "--http2", "h2"),
                                              ("www.good.lab.test", "--http1.1", "http/1.1"),
                                              ("a.fresh.lab.test", "--http2", "http/1.1"),
                                              ("rsa.lab.test", "--http2", "h2")])
def test_pages_tell_what_they_were_asked_with(lab, name, http, alpn):
    info = json.loads(lab.curl(http, "--tls-max", "1.2", "-4", f"https://{name}/info").stdout)
    assert info["sni"] == name and info["alpn"] == alpn and info["version"] == "TLSv1.2"
    assert info["client"].startswith(f"[{lab.env['CLIENT_IP4']}]:")  # through nginx too
    assert f"<h1>{name}</h1>" in lab.curl(http, f"https://{name}/").stdout


@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_downloads_are_the_pattern(lab, http):
    size = 20_000_003
    made = subprocess.run([BUILD / "tests/lab/mintgate-lab-origin", "--pattern", str(size)], capture_output=True,
                          check=True).stdout
    path = lab.directory / f"download{http}"
    lab.curl(http, "-o", path, f"https://www.good.lab.test/bytes/{size}")
    assert path.read_bytes() == made


@pytest.mark.parametrize("http, encoding", [("--http1.1", "length"), ("--http1.1", "chunked"), ("--http2", "length"),
                                            ("--http2", "chunked")])
def test_uploads_are_counted_and_hashed(lab, http, encoding):
    data = hashlib.shake_256(b"upload").digest(5_000_001)
    path = lab.directory / "upload"
    path.write_bytes(data)
    source = ["-T", path] if encoding == "length" else ["-X", "POST", "-T", "-"]
    options = {} if encoding == "length" else {"stdin": path.open("rb")}
    answer = subprocess.run(
        [str(word) for word in ("ip", "netns", "exec", lab.env["CLIENT_NS"], "curl", "-sS", http, *source,
                                "https://www.good.lab.test/up")], capture_output=True, check=True, **options).stdout
    seen = json.loads(answer)
    assert seen["length"] == len(data) and seen["sha256"] == hashlib.sha256(data).hexdigest()


TLS_CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
raw = socket.create_connection((sys.argv[1], 443), timeout=20)
tls = context.wrap_socket(raw, server_hostname=sys.argv[3], suppress_ragged_eofs=False)
"""


def tls_client(lab, script, name="www.good.lab.test"):
    """Runs Python in the client's namespace, with |tls| connected to |name|."""
    return lab.client("/usr/bin/python3", "-c", TLS_CLIENT + script, lab.env["SERVER_IP4"], lab.env["ROOT_PEM"],
                      name).stdout


def test_half_close_is_answered_after_the_clients_end(lab):
    script = """
raw = socket.create_connection((sys.argv[1], 80), timeout=20)
raw.sendall(b"GET /half-close HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
raw.settimeout(0.3)
try:
    print("early", raw.recv(100))
except TimeoutError:
    print("silent until then")
raw.settimeout(20)
raw.shutdown(socket.SHUT_WR)
text = b""
while part := raw.recv(1000):
    text += part
print(text.decode().splitlines()[-1])
"""
    assert tls_client(lab, script).splitlines() == ["silent until then", "you finished with close_notify"]


def test_half_close_under_tls_tells_how_the_client_ended(lab):
    request = 'tls.sendall(b"GET /half-close HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")\n'
    read = """
text = b""
try:
    while part := tls.recv(1000):
        text += part
except ssl.SSLError as error:
    print(error)
print(text.decode().splitlines()[-1])
"""
    cut = "raw = socket.socket(fileno=tls.fileno())\nraw.shutdown(socket.SHUT_WR)\n"
    ragged = tls_client(lab, request + cut + read)
    assert ragged.splitlines()[-1] == "you finished without close_notify"
    # GnuTLS's client sends close_notify at the end of its input, and then still reads.
    result = lab.client("sh", "-c", "printf 'GET /half-close HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | gnutls-cli --logfile "
                        f"/dev/null --x509cafile {lab.env['ROOT_PEM']} -p 443 --sni-hostname www.good.lab.test "
                        f"--verify-hostname www.good.lab.test {lab.env['SERVER_IP4']}", check=False)
    assert "you finished with close_notify" in result.stdout, result.stdout + result.stderr


def test_the_end_of_an_idle_client_reaches_nginx(lab):
    """A FIN alone, which nginx answers with its own at once: through the origin's relay and back."""
    script = """
raw = socket.socket(fileno=tls.detach())
raw.settimeout(20)
raw.shutdown(socket.SHUT_WR)
while raw.recv(1000):  # tickets, perhaps an alert
    pass
print("ended")
"""
    assert tls_client(lab, script, name="rsa.lab.test") == "ended\n"


def test_slow_answers_come_when_asked(lab):
    fast, slow = (float(lab.curl(f"https://www.good.lab.test/slow?ms={ms}", "-o", "/dev/null", "-w",
                                 "%{time_total}").stdout) for ms in (1, 400))
    assert slow >= 0.4 and fast < slow


@pytest.mark.parametrize("path, error", [("/reset", 56), ("/alert", 56), ("/truncate", 18)])
def test_broken_answers_break_as_named(lab, path, error):
    result = lab.curl("--http1.1", f"https://www.good.lab.test{path}", "-o", "/dev/null", "-w", "%{size_download}",
                      check=False)
    # OpenSSL 3 calls a missing close_notify an error of its own, so that curl reports 56 for /truncate too.
    assert result.returncode in (error, 56)
    assert 0 < int(result.stdout) <= 131072
    if path == "/alert":
        assert "alert internal error" in result.stderr


@pytest.mark.parametrize("name, error", [("silent", 28), ("reset", 35), ("alert", 35)])
def test_broken_servers_break_as_named(lab, name, error):
    result = lab.curl(f"https://{name}.lab.test/", "--max-time", "1", check=False)
    assert result.returncode == error, result.stderr
    if name == "alert":
        assert "alert handshake failure" in result.stderr


def test_plain_http_line_echo_and_udp_echo(lab):
    script = """
line = socket.create_connection((sys.argv[1], 2525), timeout=20)
print(line.recv(100).decode().strip())
line.sendall(b"echo this\\r\\n")
print(line.recv(100).decode().strip())
line.shutdown(socket.SHUT_WR)
print(line.recv(100))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(20)
udp.connect((sys.argv[1], 443))
udp.send(b"quic?")
print(udp.recv(100))
"""
    assert tls_client(lab, script).splitlines() == ["220 lab.test says hello first", "echo this", "b''", "b'quic?'"]
    assert "Lab origin" in lab.curl(f"http://{lab.env['SERVER_IP4']}/").stdout


def test_hello_of_many_kilobytes_is_taken(lab):
    """A ClientHello over BoringSSL's usual 16 KiB: OpenSSL pads it with a long ALPN list."""
    protocols = ",".join(f"{i:0250d}" for i in range(200)) + ",http/1.1"
    _, _, text = handshake(lab, "a.fresh.lab.test", "-alpn", protocols)
    assert "ALPN protocol: http/1.1" in text
    _, _, text = handshake(lab, "rsa.lab.test", "-alpn", protocols)
    assert "ALPN protocol: http/1.1" in text  # and passed on to nginx whole


def test_keep_alive_serves_many_requests_on_one_connection(lab):
    before = lab.origin_stats()
    lab.curl("--http1.1", "-4", "https://www.good.lab.test/bytes/[0-49]", "-o", "/dev/null")
    after = lab.origin_stats()
    assert after["requests"] - before["requests"] == 51  # and the first look at the counters
    assert after["handshakes"] - before["handshakes"] == 1


def test_many_downloads_at_one_time_are_whole(lab):
    made = subprocess.run([BUILD / "tests/lab/mintgate-lab-origin", "--pattern", "2000000"], capture_output=True,
                          check=True).stdout
    digest = hashlib.sha256(made).hexdigest()

    def fetch(number):
        path = lab.directory / f"many{number}"
        lab.curl("--http1.1" if number % 2 else "--http2", f"https://n{number}.good.lab.test/bytes/2000000", "-o", path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, range(16))) == {digest}
