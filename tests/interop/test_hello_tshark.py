# SPDX-License-Identifier: Apache-2.0
"""The ClientHello library beside tshark, on the hellos of real clients.

Each client connects over the loopback of a network namespace that this test makes and removes; dumpcap writes down
what it sends. From the TCP payload hello_dump has to read the same as tshark does, field by field. The loopback is set
to an Ethernet's MTU without segmentation offload, so that a large hello is seen in the segments that a wire would
carry.

Needs root, tshark, curl, openssl, gnutls-bin, chromium and, in MG_BUILD, the build directory.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

NAMESPACE = f"mintgate-hello-{os.getpid()}"
SERVER_NAME = "hello.lab.test"
PORT = 443
X25519_MLKEM768 = "11ec"

# Takes each connection's bytes until the client pauses, and hangs up. What the clients make of it does not matter.
SINK = f"""
import socket, threading
def drain(connection):
    connection.settimeout(0.5)
    try:
        while connection.recv(65536):
            pass
    except OSError:
        pass
    connection.close()
listener = socket.create_server(("127.0.0.1", {PORT}), backlog=64)
print("ready", flush=True)
while True:
    threading.Thread(target=drain, args=(listener.accept()[0],), daemon=True).start()
"""

RESOLVE = f"{SERVER_NAME}:{PORT}:127.0.0.1"
URL = f"https://{SERVER_NAME}/"
S_CLIENT = ["openssl", "s_client", "-connect", f"127.0.0.1:{PORT}"]
GNUTLS = ["gnutls-cli", "--insecure", f"--port={PORT}", "127.0.0.1"]
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom"]

CLIENTS = {
    "curl": ["curl", "-sk", "--resolve", RESOLVE, URL],
    "curl-http1": ["curl", "-sk", "--http1.1", "--resolve", RESOLVE, URL],
    "curl-tls12": ["curl", "-sk", "--tls-max", "1.2", "--resolve", RESOLVE, URL],
    "curl-address": ["curl", "-sk", "https://127.0.0.1/"],
    "openssl": S_CLIENT + ["-servername", SERVER_NAME, "-alpn", "h2,http/1.1"],
    "openssl-no-sni": S_CLIENT + ["-noservername"],
    "openssl-psk": S_CLIENT + ["-servername", SERVER_NAME, "-psk_identity", "client", "-psk", "0123456789abcdef"],
    "openssl-tls12": S_CLIENT + ["-servername", SERVER_NAME, "-tls1_2", "-no_ticket"],
    "openssl-tls10": S_CLIENT + ["-noservername", "-tls1", "-cipher", "ALL:@SECLEVEL=0"],
    "openssl-all-ciphers": S_CLIENT + ["-servername", SERVER_NAME, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
    "gnutls": GNUTLS + [f"--sni-hostname={SERVER_NAME}", "--alpn=h2", "--alpn=http/1.1"],
    "gnutls-tls12": GNUTLS + [f"--sni-hostname={SERVER_NAME}", "--priority=NORMAL:-VERS-TLS1.3"],
    "gnutls-ecdsa": GNUTLS + ["--disable-sni", "--priority=SECURE128:-SIGN-ALL:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384"],
    "chromium": CHROMIUM,
}


def inside(command, **options):
    return subprocess.Popen(["ip", "netns", "exec", NAMESPACE] + command, **options)


@pytest.fixture(scope="module")
def namespace():
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        subprocess.run(["ip", "-n", NAMESPACE, "link", "set", "lo", "mtu", "1500", "gso_max_segs", "1", "up"],
                       check=True)
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(inside([sys.executable, "-c", SINK], stdout=subprocess.PIPE, text=True))
            stack.callback(sink.kill)
            assert sink.stdout.readline() == "ready\n"
            yield NAMESPACE
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)


@contextlib.contextmanager
def capturing(path):
    """Runs dumpcap around the body. It says "File:" once it captures, and reads out its buffer on SIGINT."""
    command = ["dumpcap", "-q", "-i", "lo", "-f", f"tcp dst port {PORT}", "-w", str(path)]
    with inside(command, stderr=subprocess.PIPE, text=True) as dumpcap:
        while not (line := dumpcap.stderr.readline()).startswith("File:"):
            assert line, "dumpcap did not start"
        yield
        dumpcap.send_signal(signal.SIGINT)
        dumpcap.communicate(timeout=20)


def run_client(name, directory):
    command = list(CLIENTS[name])
    if name == "chromium":
        command += [f"--user-data-dir={directory}/profile", URL]
    # HOME: no configuration of the user's, and nothing left there.
    environment = dict(os.environ, HOME=str(directory))
    with inside(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=environment) as client:
        client.wait(timeout=60)


def tshark(*arguments):
    return subprocess.run(["tshark", "-o", "tcp.desegment_tcp_streams:TRUE", *arguments], check=True,
                          capture_output=True, text=True).stdout


def segments_by_stream(capture):
    """{stream number: [(offset, payload), ...] in the order of their arrival}"""
    first, streams = {}, {}
    fields = ["tcp.stream", "tcp.seq_raw", "tcp.flags.syn", "tcp.payload"]
    output = tshark("-r", str(capture), "-T", "fields", *(word for field in fields for word in ("-e", field)))
    for line in output.splitlines():
        stream, sequence, syn, payload = line.split("\t")
        if syn in ("1", "True"):
            first[stream] = int(sequence) + 1
        elif payload:
            offset = (int(sequence) - first[stream]) % 2**32
            streams.setdefault(stream, []).append((offset, bytes.fromhex(payload)))
    return streams


def children(element, name):
    return [field.get("value") for field in element.iter("field") if field.get("name") == name]


def numbers(element, name):
    return [value.lower() for value in children(element, name)]


def texts(element, name):
    return [bytes.fromhex(value).decode("latin-1") for value in children(element, name)]


def read_as_tshark(handshake):
    """One ClientHello of tshark's PDML, in the words of hello_dump."""
    found = {}
    for element in handshake.iter("field"):
        kinds = [field.get("value") for field in element.findall("field")
                 if field.get("name") == "tls.handshake.extension.type"]
        if kinds:
            found[kinds[0].lower()] = element
    nothing = ElementTree.Element("field")

    def extension(number):
        return found.get(number, nothing)

    names = texts(extension("0000"), "tls.handshake.extensions_server_name")
    return {
        "legacy_version": numbers(handshake, "tls.handshake.version")[0],
        "random": children(handshake, "tls.handshake.random")[0],
        "session_id": "".join(children(handshake, "tls.handshake.session_id")),
        "cipher_suites": numbers(handshake, "tls.handshake.ciphersuite"),
        "compression_methods": "".join(children(handshake, "tls.handshake.comp_method")),
        "extensions": numbers(handshake, "tls.handshake.extension.type"),
        "server_name": names[0] if names else None,
        "alpn": texts(extension("0010"), "tls.handshake.extensions_alpn_str"),
        "supported_versions": numbers(extension("002b"), "tls.handshake.extensions.supported_version"),
        "supported_groups": numbers(extension("000a"), "tls.handshake.extensions_supported_group"),
        "key_shares": numbers(extension("0033"), "tls.handshake.extensions_key_share_group"),
        "signature_algorithms": numbers(extension("000d"), "tls.handshake.sig_hash_alg"),
        "signature_algorithms_cert": numbers(extension("0032"), "tls.handshake.sig_hash_alg"),
        "ech": "outer" if "fe0d" in found else "none",
    }


def hellos_by_stream(capture):
    """{stream number: (what tshark reads, tshark's own JA4 or None)}"""
    hellos = {}
    document = ElementTree.fromstring(tshark("-r", str(capture), "-Y", "tls.handshake.type == 1", "-T", "pdml"))
    for packet in document.iter("packet"):
        stream = next(field.get("show") for field in packet.iter("field") if field.get("name") == "tcp.stream")
        handshake = next(field for field in packet.iter("field") if field.get("name") == "tls.handshake")
        ja4 = [field.get("show") for field in handshake.iter("field") if field.get("name") == "tls.handshake.ja4"]
        hellos.setdefault(stream, (read_as_tshark(handshake), ja4[0] if ja4 else None))
    return hellos


def is_grease(number):
    return number[0] == number[2] and number[1] == number[3] == "a"


def without_grease(numbers_):
    return [number for number in numbers_ if not is_grease(number)]


def versions(hello):
    """(lowest, highest) by RFC 8446 section 4.2.1."""
    if "002b" in hello["extensions"]:
        real = [version for version in hello["supported_versions"] if "0300" <= version <= "0304"]
        return (min(real), max(real)) if real else ("0000", "0000")
    return "0300", min(hello["legacy_version"], "0303")


def ja4(hello):
    """JA4 by its specification, from tshark's fields."""
    offered = without_grease(hello["supported_versions"]) or [hello["legacy_version"]]
    version = {"0304": "13", "0303": "12", "0302": "11", "0301": "10", "0300": "s3"}[max(offered)]
    extensions, ciphers = without_grease(hello["extensions"]), without_grease(hello["cipher_suites"])
    alpn = hello["alpn"][0][0] + hello["alpn"][0][-1] if hello["alpn"] else "00"
    hashed = sorted(number for number in extensions if number not in ("0000", "0010"))
    algorithms = without_grease(hello["signature_algorithms"])

    def short(text):
        return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12

    start = f"t{version}{'d' if '0000' in extensions else 'i'}{min(len(ciphers), 99):02}{min(len(extensions), 99):02}"
    last = "_".join([",".join(hashed)] + ([",".join(algorithms)] if algorithms else []))
    return f"{start}{alpn}_{short(','.join(sorted(ciphers)))}_{short(last)}"


def hello_dump(segments, directory):
    program = pathlib.Path(os.environ["MG_BUILD"]) / "dataplane/hello/hello_dump"
    arguments = []
    for number, (offset, payload) in enumerate(segments):
        path = pathlib.Path(directory) / f"segment-{number}"
        path.write_bytes(payload)
        arguments.append(f"{offset}:{path}")
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def captures(namespace, tmp_path_factory):
    """{client: [(segments, what tshark reads, tshark's JA4), ...]}, each client run once."""
    assert namespace
    results = {}
    for name in CLIENTS:
        directory = tmp_path_factory.mktemp(name)
        capture = directory / "capture.pcapng"
        with capturing(capture):
            run_client(name, directory)
        streams = segments_by_stream(capture)
        results[name] = [(streams[stream], hello, ja4_) for stream, (hello, ja4_) in hellos_by_stream(capture).items()]
    return results


@pytest.mark.parametrize("client", CLIENTS)
def test_every_field_is_what_tshark_reads(captures, client, tmp_path):
    assert captures[client], "no ClientHello was captured"
    for segments, expected, tshark_ja4 in captures[client]:
        dump = hello_dump(segments, tmp_path)
        assert {key: dump[key] for key in expected} == expected
        assert (dump["min_version"], dump["max_version"]) == versions(expected)
        assert dump["ja4"] == ja4(expected)
        # Up to now tshark's own JA4 counts GREASE among the signature algorithms, against the specification.
        if tshark_ja4 and not any(map(is_grease, expected["signature_algorithms"])):
            assert dump["ja4"] == tshark_ja4


@pytest.mark.parametrize("client", CLIENTS)
def test_order_and_repetition_of_segments_change_nothing(captures, client, tmp_path):
    for segments, _, _ in captures[client]:
        assert hello_dump((segments + segments)[::-1], tmp_path) == hello_dump(segments, tmp_path)


def test_chromium_hello_spans_two_segments_with_its_post_quantum_share(captures):
    for segments, hello, _ in captures["chromium"]:
        assert X25519_MLKEM768 in hello["key_shares"]
        assert len(segments) >= 2 and max(len(payload) for _, payload in segments) <= 1460


def test_the_clients_differ_as_meant(captures):
    """So that a client which ignored its options does not pass for another."""
    hellos = {name: results[0][1] for name, results in captures.items()}
    assert hellos["curl"]["alpn"] == ["h2", "http/1.1"] and hellos["curl-http1"]["alpn"] == ["http/1.1"]
    assert hellos["curl-tls12"]["supported_versions"] == [] and "0304" in hellos["curl"]["supported_versions"]
    assert hellos["openssl-no-sni"]["server_name"] is None and hellos["openssl"]["server_name"] == SERVER_NAME
    assert hellos["openssl-psk"]["extensions"][-1] == "0029"
    assert hellos["openssl-tls10"]["legacy_version"] == "0301"
    assert len(hellos["openssl-all-ciphers"]["cipher_suites"]) > 80
    assert hellos["gnutls-ecdsa"]["signature_algorithms"] == ["0403", "0503"]
    assert hellos["chromium"]["ech"] == "outer"
    assert SERVER_NAME in [hello["server_name"] for _, hello, _ in captures["chromium"]]
