# SPDX-License-Identifier: Apache-2.0
"""The engine proves itself to servers that ask for a client certificate, from the key store that the policy rule names:
the signer has the key."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from labkit import BUILD, run, stopped, wait_until
from restkit import Client, UnixConnection
from storeskit import Party, Stores
from tlskit import Load, certificates, configured, connect, connect_tls, counting, inside, request, s_client

RESULTS = "mintgate_dataplane_client_certificates_total"
REFUSED = "mintgate_dataplane_client_certificates_refused_total"
PROOFS = "mintgate_minting_proofs_requested_total"
CONNECTIONS = "mintgate_minting_connections_total"
MTLS = "mtls.lab.test"
IN_TIME = 3
TLS12, TLS13 = "-tls1_2", "-tls1_3"
HANDSHAKE_FAILURE, UNKNOWN_CA = 40, 48  # alerts
PORTS = range(8460, 8470)


def rule(name, sni, store=None):
    return {"name": name, "sni": [sni], "action": "intercept", **({"client_certificate": store} if store else {})}


RULES = [rule("partner", "*.partner.test", "partner"), rule("bank", "*.bank.test", "bank"),
         rule("nobody", "*.nobody.test", "nobody"), rule("plain", "*.plain.test"), rule("lab", MTLS, "lab"),
         {"name": "lab-intercept", "port": ["443"], "action": "intercept"}]


class People:
    """Who certifies whom. What servers trust of clients is |clients|, or |bank|."""

    def __init__(self):
        self.servers = Party("Servers Root", ca=True)
        self.clients, self.bank = Party("Clients Root", ca=True), Party("Bank Root", ca=True)
        names = [f"{port}.{zone}.test" for port in PORTS for zone in ("partner", "bank", "nobody", "plain")]
        self.server = Party("server", self.servers, names=names)
        middle = Party("Clients Intermediate", self.clients, ca=True)
        self.entries = {
            "a": Party("partner a", middle),
            "b": Party("partner b", self.clients, key=rsa.generate_private_key(65537, 2048)),
            "c": Party("partner c", self.clients, key=ec.generate_private_key(ec.SECP384R1())),
            "d": Party("partner d", self.bank),
        }


class Server:
    """One that asks for a client certificate; its pages have that which it was given. Verified by the CA |trusts|."""

    def __init__(self, lab, directory, people, port, trusts, *options):
        self.port = port
        chain, key, roots = (directory / f"{port}.{kind}" for kind in ("pem", "key", "roots"))
        chain.write_bytes(people.server.chain_pem())
        key.write_bytes(people.server.key_pem())
        roots.write_bytes(trusts.pem())
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", lab.env["SERVER_NS"], "openssl", "s_server", "-www",
             "-accept", f"{lab.env['SERVER_IP4']}:{port}", "-cert", chain, "-key", key, "-CAfile", roots,
             "-Verify", "3", "-verify_return_error", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: run("ip", "netns", "exec", lab.env["SERVER_NS"], "ss", "-Hltn",
                               f"sport = :{port}").stdout, what=f"a server on {port}")

    def close(self):
        self.process.kill()
        self.process.wait()


class Echo:
    """Another, for many connections at a time: it says the client's name and ends."""

    def __init__(self, lab, directory, people, port):
        self.port = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = [directory / f"{port}.pem", directory / f"{port}.key"]
        files[0].write_bytes(people.server.chain_pem())
        files[1].write_bytes(people.server.key_pem())
        self.context.load_cert_chain(*files)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(cadata=people.clients.pem().decode() + people.bank.pem().decode())
        with inside(lab.env["SERVER_NS"]):
            self.listener = socket.create_server((lab.env["SERVER_IP4"], port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        with contextlib.suppress(OSError), self.context.wrap_socket(raw, server_side=True) as connection:
            subject = dict(pair for (pair,) in connection.getpeercert()["subject"])
            connection.sendall(subject["commonName"].encode())
            connection.recv(64)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Refusing(Echo):
    """One of TLS 1.2 that has an alert for every certificate, handshake_failure, which it may as well send for other
    reasons."""

    def _serve(self, raw):
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(OSError), raw:
            incoming.write(raw.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            raw.sendall(outgoing.read())
            raw.recv(65536)  # the certificate
            raw.sendall(bytes([21, 3, 3, 0, 2, 2, HANDSHAKE_FAILURE]))
            raw.recv(65536)


@pytest.fixture(scope="module")
def people():
    return People()


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("client-certificates")


@pytest.fixture(scope="module")
def lab(lab, people, directory):
    """An engine that trusts these servers, with key stores "clients" (all but d), "other" (d alone), "empty" and "lab".
    "partner" refers to the first, "bank" to the second; nothing is known of "nobody". The signer has some seconds."""
    stores = Stores(Client(lambda: UnixConnection(lab.env["CONTROL_SOCKET"])))
    root = directory / "root.pem"
    root.write_bytes(people.servers.pem())
    ctl(lab, "truststore", "create", "upstream")
    ctl(lab, "truststore", "add", "upstream", root, "--name", "root")
    for store, entries in {"clients": "abc", "other": "d", "lab": "", "empty": ""}.items():
        ctl(lab, "keystore", "create", store)
        for entry in entries:
            stores.put_key(store, entry, people.entries[entry])
    ctl(lab, "keystore", "add", "lab", lab.env["CLIENT_CERT_PEM"], "--key", lab.env["CLIENT_CERT_KEY"], "--name", "lab")
    aim(lab, "partner", "clients")
    aim(lab, "bank", "other")
    try:
        with configured(lab, "engine", policy={"rules": RULES, "not_interceptable": "bypass"},
                        tls={"trust_store_name": "upstream", "trust_store_and_file": True},
                        minting={"timeout": f"{IN_TIME}s"}):
            wait_for_stores(lab)
            yield lab
    finally:
        for reference in ("partner", "bank"):
            ctl(lab, "keystore", "reference-delete", reference)
        for store in ("clients", "other", "lab", "empty"):
            ctl(lab, "keystore", "delete", store)
        ctl(lab, "truststore", "delete", "upstream")


@pytest.fixture
def serve_once(lab, directory, people):
    """A context in which there is a server, with options of openssl's."""
    return lambda trusts, *options: contextlib.closing(Server(lab, directory, people, PORTS[0], trusts, *options))


@pytest.fixture(scope="module")
def serve(lab, directory, people):
    """Starts servers, each on a port of its own, until the end of the module."""
    with contextlib.ExitStack() as ending:
        def start(trusts, *options, kind=Server):
            made = kind(lab, directory, people, next(ports), *([trusts, *options] if kind is Server else []))
            ending.callback(made.close)
            return made
        ports = iter(PORTS[1:])
        yield start


@pytest.fixture(scope="module")
def echo(serve):
    return serve(None, kind=Echo)


def ctl(lab, *words):
    return run(BUILD / "control/ctl/mintgatectl", "--socket", lab.env["CONTROL_SOCKET"], *words).stdout


def aim(lab, reference, store):
    ctl(lab, "keystore", "reference-set", reference, store)


def wait_for_stores(lab):
    """Word about each store that is named has come: four, and one that is not there; four certificates, and one."""
    wait_until(lambda: lab.metric("mintgate_dataplane_key_stores") == 4 and
               lab.metric("mintgate_dataplane_client_keys") == 5 and
               lab.metric("mintgate_dataplane_trust_store_present") == 1, what="the stores")


def results(lab):
    """How often which result came about."""
    return {name.split('"')[1]: value for name, value in lab.metrics().items() if name.startswith(RESULTS)}


@contextlib.contextmanager
def resulting(lab, **expected):
    before = results(lab)
    yield
    grown = {name: value - before[name] for name, value in results(lab).items() if value != before[name]}
    assert grown == expected


def seen_by(lab, server, zone="partner"):
    """The common name of the client certificate that the server was given."""
    with connect_tls(lab, f"{server.port}.{zone}.test", port=server.port) as connection:
        connection.sendall(request("/"))
        page = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                page += part
    (certificate,) = certificates(page.decode())
    return certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


def said_by(lab, echo, zone="partner"):
    with connect_tls(lab, f"{echo.port}.{zone}.test", port=echo.port) as connection:
        return connection.recv(64).decode()


def fails(lab, port, reason, zone="partner"):
    """A connection that does not come about, or ends with nothing said, and its record."""
    lab.mark()
    with pytest.raises(OSError), connect_tls(lab, f"{port}.{zone}.test", port=port) as connection:
        connection.sendall(request("/"))
        assert connection.recv(64) == b""
        raise ConnectionError("ended")
    (record,) = lab.records(sni=f"{port}.{zone}.test")
    assert record["reason"] == reason, record
    return record


CHOICES = [(TLS12, "rsa_pkcs1_sha256", "b"), (TLS12, "rsa_pss_rsae_sha256", "b"),
           (TLS12, "ecdsa_secp256r1_sha256", "a"), (TLS12, "ecdsa_secp384r1_sha384:rsa_pkcs1_sha512", "a"),
           (TLS13, "rsa_pss_rsae_sha384", "b"), (TLS13, "ecdsa_secp256r1_sha256", "a"),
           (TLS13, "ecdsa_secp384r1_sha384", "c")]


@pytest.mark.parametrize("version,schemes,entry", CHOICES)
def test_a_server_sees_and_verifies_the_certificate_that_goes_with_what_it_accepts(lab, people, serve_once, version,
                                                                                   schemes, entry):
    lab.mark()
    with serve_once(people.clients, version, "-client_sigalgs", schemes) as server, resulting(lab, proved=1):
        assert seen_by(lab, server) == f"partner {entry}"
    (record,) = lab.records(sni=f"{server.port}.partner.test")
    assert record["client_certificate"] == f"partner/{entry}" and record["rule"] == "partner"
    assert record["server_version"] == {TLS12: "TLSv1.2", TLS13: "TLSv1.3"}[version]


def test_a_certificate_of_an_authority_that_the_server_names_goes_before_others(lab, people, serve):
    stores = Stores(Client(lambda: UnixConnection(lab.env["CONTROL_SOCKET"])))
    server = serve(people.bank)
    stores.put_key("clients", "d", people.entries["d"])
    wait_until(lambda: lab.metric("mintgate_dataplane_client_keys") == 6, what="the new entry")
    try:
        assert seen_by(lab, server) == "partner d", "it is the last by name"
    finally:
        ctl(lab, "keystore", "remove", "clients", "d")
    wait_for_stores(lab)
    with resulting(lab, proved=1):
        record = fails(lab, server.port, "client_certificate_refused")
    assert record["client_certificate"] == "partner/a" and record["server_alert"] == UNKNOWN_CA


def test_rules_by_name_say_which_store(lab, echo):
    assert said_by(lab, echo, "partner") == "partner a"
    assert said_by(lab, echo, "bank") == "partner d"
    assert said_by(lab, echo, "partner") == "partner a"


def test_nginx_serves_the_page(lab):
    """In both versions of TLS; other tests show that without the rule it is refused."""
    for version in (TLS12, TLS13):
        assert s_client(lab, MTLS, version).verdict == 0
        page = lab.curl("--cacert", lab.env["MINTGATE_ROOT_PEM"], "--connect-to", f"::{lab.env['SERVER_IP4']}:443",
                        *{TLS12: ["--tls-max", "1.2"], TLS13: ["--tlsv1.3"]}[version], f"https://{MTLS}/info").stdout
        assert MTLS in page


def bypasses(lab):
    return lab.get("/bypasses").strip()


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_certificate_that_the_server_will_not_have_is_no_reason_to_let_later_flows_pass(lab, people, serve_once,
                                                                                       version):
    before = lab.metric(REFUSED)
    with serve_once(people.bank, version) as server:
        for _ in range(2):
            record = fails(lab, server.port, "client_certificate_refused")
            assert record["action"] == "intercept" and record["server_alert"] == UNKNOWN_CA
    assert lab.metric(REFUSED) == before + 2
    assert bypasses(lab) == "[]"


def test_a_refusal_without_a_reason_is_no_reason_either(lab, serve):
    server = serve(None, kind=Refusing)
    for _ in range(2):
        fails(lab, server.port, "client_certificate_refused")
    assert bypasses(lab) == "[]"


def test_without_a_store_in_the_rule_the_server_is_not_answered_as_before(lab, echo):
    with resulting(lab, not_configured=1):
        record = fails(lab, echo.port, "client_certificate_asked", "plain")
    assert "client_certificate" not in record
    assert f"{echo.port}.plain.test" in bypasses(lab), "policy.not_interceptable has it pass"
    rules = [rule("now", "*.plain.test", "bank"), *RULES]
    with configured(lab, policy={"rules": rules}):
        assert said_by(lab, echo, "plain") == "partner d", "what was learned does not count where there is a store"


def test_a_store_that_is_not_there_and_one_without_anything_that_suits(lab, people, echo, serve_once):
    with resulting(lab, no_store=2):
        for _ in range(2):
            fails(lab, echo.port, "client_certificate_no_store", "nobody")
    with serve_once(people.clients, TLS13, "-client_sigalgs", "ecdsa_secp521r1_sha512") as server:
        with resulting(lab, none_suits=1):
            fails(lab, server.port, "client_certificate_none_suits")
    assert f"{echo.port}.nobody.test" not in bypasses(lab) and f"{server.port}.partner" not in bypasses(lab)
    aim(lab, "bank", "empty")
    try:
        wait_until(lambda: lab.metric("mintgate_dataplane_client_keys") == 4, what="the swing")
        fails(lab, echo.port, "client_certificate_none_suits", "bank")
    finally:
        aim(lab, "bank", "other")
        wait_for_stores(lab)


def test_a_server_that_does_not_prove_itself_is_proved_nothing(lab, echo):
    with configured(lab, policy={"bad_upstream": "forward-untrust"}), resulting(lab, bad_upstream=1):
        with configured(lab, policy={"rules": [rule("wrong", "wrong.partner.com", "partner"), *RULES]}):
            lab.mark()
            shown = s_client(lab, "wrong.partner.com", connect_to=f"{lab.env['SERVER_IP4']}:{echo.port}")
            (record,) = lab.records(sni="wrong.partner.com")
    assert shown.chain == [] and "client_certificate" not in record
    assert (record["upstream_verdict"], record["reason"]) == ("wrong_name", "client_certificate_bad_upstream")


def test_a_reference_swings_under_load_and_no_connection_fails(lab, echo):
    with Load(lambda: said_by(lab, echo)) as load:
        for store, name in [("other", "partner d"), ("clients", "partner a")] * 2:
            aim(lab, "partner", store)
            wait_until(lambda: load.failures or load.seen[-4:] == [name] * 4, 30, f"{name} after the swing")
    assert load.failures == [] and len(load.seen) > 16
    wait_for_stores(lab)


def test_a_signer_that_is_killed_fails_connections_cleanly_and_one_that_comes_back_serves_them(lab, echo):
    assert said_by(lab, echo) == "partner a"
    os.kill(lab.signer_pid(), signal.SIGKILL)
    try:
        with resulting(lab, timed_out=1):
            record = fails(lab, echo.port, "client_certificate_timed_out")
            assert record["client_certificate"] == "partner/a"
    finally:
        before = lab.metric(CONNECTIONS)
        lab.restart("signer")
        wait_until(lambda: lab.metric(CONNECTIONS) > before, what="the engine's connection to the signer")
    assert said_by(lab, echo) == "partner a"


def test_a_client_that_leaves_while_the_signature_is_under_way(lab, echo):
    """Its session ends at once, and nobody minds the answer that comes late."""
    assert said_by(lab, echo) == "partner a"
    proofs = lab.metric(PROOFS)
    with counting(lab) as counts, stopped(lab.signer_pid()):
        for i in range(8):
            raw = connect(lab, port=echo.port)
            context = ssl.create_default_context(cafile=lab.env["MINTGATE_ROOT_PEM"])
            tls = context.wrap_socket(raw, server_hostname=f"{echo.port}.partner.test", do_handshake_on_connect=False)
            tls.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            wait_until(lambda n=i: lab.metric(PROOFS) == proofs + n + 1, what="a proof under way")
            tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            tls.close()
        wait_until(lambda: lab.metric("mintgate_dataplane_sessions") == 0, what="the end of the sessions")
        wait_until(lambda: counts["cancelled"] == 8, what="the end of what they asked")
    assert said_by(lab, echo) == "partner a"


def test_an_engine_that_starts_again_knows_the_stores(lab, echo):
    lab.restart("engine")
    wait_for_stores(lab)
    assert said_by(lab, echo) == "partner a" and said_by(lab, echo, "bank") == "partner d"
    shown = {store["name"]: (store["present"], store["keys"]) for store in json.loads(lab.get("/trust"))["keyStores"]}
    assert shown == {"partner": (True, 3), "bank": (True, 1), "lab": (True, 1), "nobody": (False, 0)}
