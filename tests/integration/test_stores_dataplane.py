# SPDX-License-Identifier: Apache-2.0
"""The engine verifies servers by the trust store that its configuration names, as the control plane has it now: a
change, or the swing of a reference, takes effect at once, and connections that are there stay."""

import contextlib
import json
import socket
import ssl
import threading

import pytest

from labkit import BUILD, run, wait_until
from restkit import Client, UnixConnection
from storeskit import Party, Stores
from tlskit import Load, configured, connect_tls, inside, s_client

METRIC = "mintgate_dataplane_trust_store_"
REFERENCE = "servers"
RULES = [{"name": "stores", "port": ["8440-8449"], "action": "intercept"},
         {"name": "keys", "port": ["8450"], "action": "intercept", "client_certificate": "partner"},
         {"name": "lab-intercept", "port": ["443"], "action": "intercept"}]


class Origin:
    """A server of the test's own, beside the lab's. What it is sent it sends back."""

    def __init__(self, lab, directory, port, party):
        self.name, self.port = f"origin{port}.stores.test", port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = [directory / f"{port}.pem", directory / f"{port}.key"]
        files[0].write_bytes(party.chain_pem())
        files[1].write_bytes(party.key_pem())
        context.load_cert_chain(*files)
        with inside(lab.env["SERVER_NS"]):
            self.listener = socket.create_server((lab.env["SERVER_IP4"], port), backlog=64)
        threading.Thread(target=self._accept, args=(context,), daemon=True).start()

    def _accept(self, context):
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(context, raw), daemon=True).start()

    @staticmethod
    def _serve(context, raw):
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as connection:
            while data := connection.recv(4096):
                connection.sendall(data)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Roots:
    """The CAs and what stands under them, by the ports of their servers."""

    def __init__(self):
        self.one, self.two = Party("Stores Root One", ca=True), Party("Stores Root Two", ca=True)
        self.middle = Party("Stores Intermediate", self.two, ca=True)
        self.exact = Party("exact", names=[name(8442)])
        self.parties = {
            8440: Party("one", self.one, names=[name(8440)]),
            8441: Party("two", self.two, names=[name(8441)]),
            8442: self.exact,
            8443: Party("issued by no CA", self.exact, names=[name(8443)]),
            8444: Party("of an intermediate", self.middle, names=[name(8444)]),
        }


def name(port):
    return f"origin{port}.stores.test"


@pytest.fixture(scope="module")
def roots():
    return Roots()


@pytest.fixture(scope="module")
def origins(lab, roots, tmp_path_factory):
    directory = tmp_path_factory.mktemp("origins")
    made = {port: Origin(lab, directory, port, party) for port, party in roots.parties.items()}
    yield made
    for origin in made.values():
        origin.close()


@pytest.fixture(scope="module")
def named(lab, origins):
    """The engine is told to trust what REFERENCE stands for."""
    with configured(lab, tls={"trust_store_name": REFERENCE}, policy={"rules": RULES}):
        yield lab


def ctl(lab, *words):
    return run(BUILD / "control/ctl/mintgatectl", "--socket", lab.env["CONTROL_SOCKET"], *words).stdout


@pytest.fixture
def add(named, tmp_path):
    """Puts certificates into a trust store, as one of its entries."""
    def put(store, entry, *parties):
        file = tmp_path / f"{entry}.pem"
        file.write_bytes(b"".join(party.pem() for party in parties))
        ctl(named, "truststore", "add", store, file, "--name", entry)
    return put


@pytest.fixture
def stores(named):
    """Makes trust stores; at the end there are none."""
    made = []

    def make(store):
        ctl(named, "truststore", "create", store)
        made.append(store)
        return store
    yield make
    with contextlib.suppress(AssertionError):
        ctl(named, "truststore", "reference-delete", REFERENCE)
    for store in made:
        ctl(named, "truststore", "delete", store)
    wait_until(lambda: report(named)["present"] == 0, what="word that the store is gone")


def report(lab):
    metrics = lab.metrics()
    return {what: metrics[METRIC + what] for what in ("wanted", "present", "epoch", "anchors", "exact")}


def in_force(lab, anchors, exact=0):
    """Waits until the store that is in force holds so many."""
    wait_until(lambda: (report(lab)["present"], report(lab)["anchors"], report(lab)["exact"]) == (1, anchors, exact),
               what=f"{anchors} anchors and {exact} certificates")


def aim(lab, store):
    """Swings the reference, and waits until the engine knows."""
    before = report(lab)
    ctl(lab, "truststore", "reference-set", REFERENCE, store)
    wait_until(lambda: report(lab)["present"] and report(lab)["epoch"] != before["epoch"], what="the swing")


def verdict(lab, origin):
    """What the engine finds of a server; its client is served if, and only if, that is good."""
    lab.mark()
    served = False
    with contextlib.suppress(ssl.SSLError), connect_tls(lab, origin.name, port=origin.port) as connection:
        served = echoes(connection)
    (record,) = lab.records(sni=origin.name)
    assert served == (record["upstream_verdict"] == "ok"), record
    return record["upstream_verdict"]


def echoes(connection):
    connection.sendall(b"still there?")
    return connection.recv(64) == b"still there?"


def test_a_root_counts_from_the_moment_it_is_in_the_store_until_it_is_taken_out(named, origins, roots, stores, add):
    assert report(named)["wanted"] == 1
    assert verdict(named, origins[8440]) == "unknown_issuer", "no such reference: nobody is trusted"
    aim(named, stores("corporate"))
    assert verdict(named, origins[8440]) == "unknown_issuer", "an empty store: nobody is trusted"
    assert s_client(named, "www.good.lab.test").verdict is None, "the roots of the file neither"
    add("corporate", "one", roots.one)
    in_force(named, 1)
    assert verdict(named, origins[8440]) == "ok" and verdict(named, origins[8440]) == "ok"
    assert verdict(named, origins[8441]) == "unknown_issuer"
    with connect_tls(named, origins[8440].name, port=8440) as kept:
        assert echoes(kept)
        ctl(named, "truststore", "remove", "corporate", "one")
        in_force(named, 0)
        assert verdict(named, origins[8440]) == "unknown_issuer", "what was remembered is forgotten"
        assert echoes(kept), "who was there stays"


def test_an_intermediate_is_an_anchor_where_the_store_says_so(named, origins, roots, stores, add):
    aim(named, stores("narrow"))
    add("narrow", "middle", roots.middle)
    in_force(named, 1)
    assert verdict(named, origins[8444]) == "ok"
    assert verdict(named, origins[8441]) == "unknown_issuer", "its issuer is not trusted for that"


def test_a_certificate_of_no_ca_is_trusted_for_itself_and_for_nothing_that_it_signed(named, origins, roots, stores,
                                                                                     add):
    aim(named, stores("exact"))
    add("exact", "server", roots.exact)
    in_force(named, 0, 1)
    assert verdict(named, origins[8442]) == "ok"
    assert verdict(named, origins[8443]) != "ok"
    with contextlib.suppress(ssl.SSLError), connect_tls(named, "other.stores.test", port=8442):
        raise AssertionError("the name counts")
    ctl(named, "truststore", "remove", "exact", "server")
    in_force(named, 0, 0)
    assert verdict(named, origins[8442]) == "self_signed"


def served_by(lab, origin):
    with connect_tls(lab, origin.name, port=origin.port) as connection:
        assert echoes(connection)


def test_a_reference_swings_under_load_and_no_connection_fails(named, origins, roots, stores, add):
    both, alone = stores("both"), stores("alone")
    add(both, "all", roots.one, roots.two)
    add(alone, "one", roots.one)
    aim(named, both)
    with connect_tls(named, origins[8441].name, port=8441) as kept, \
            Load(lambda: served_by(named, origins[8440])) as load:
        for store, found in [(alone, "unknown_issuer"), (both, "ok")] * 2:
            served = len(load.seen)
            aim(named, store)
            wait_until(lambda: load.failures or len(load.seen) >= served + 5, 30, "load after the swing")
            assert verdict(named, origins[8441]) == found
        assert echoes(kept)
    assert load.failures == [] and len(load.seen) > 20


def test_the_store_stays_while_the_control_plane_is_away_and_comes_back_after_a_restart(named, origins, roots, stores,
                                                                                        add):
    aim(named, stores("kept"))
    add("kept", "one", roots.one)
    in_force(named, 1)
    named.command("stop", "control")
    try:
        wait_until(lambda: named.metric("mintgate_dataplane_control_connected") == 0, what="no control plane")
        assert verdict(named, origins[8440]) == "ok"
        named.reload()
        assert verdict(named, origins[8440]) == "ok", "a reload that names it still keeps it"
        named.restart("engine")
        assert report(named)["present"] == 0
        assert verdict(named, origins[8440]) == "unknown_issuer", "nobody has said yet what is trusted"
    finally:
        named.command("start", "control")
    in_force(named, 1)
    assert verdict(named, origins[8440]) == "ok"


def test_the_file_counts_too_where_the_configuration_says_so(named, origins, roots, stores, add):
    aim(named, stores("beside"))
    add("beside", "one", roots.one)
    in_force(named, 1)
    with configured(named, tls={"trust_store_and_file": True}):
        assert s_client(named, "www.good.lab.test").verdict == 0 and verdict(named, origins[8440]) == "ok"
    with configured(named, tls={"trust_store_name": "", "trust_store_and_file": True}):
        assert report(named)["wanted"] == 0
        assert s_client(named, "www.good.lab.test").verdict == 0
        assert verdict(named, origins[8440]) == "unknown_issuer"
    in_force(named, 1)  # it is wanted again
    assert s_client(named, "www.good.lab.test").verdict is None


def test_a_store_of_more_certificates_than_one_packet_takes(named, origins, roots, stores, add):
    aim(named, stores("many"))
    add("many", "a", *[Party(f"a{i}", ca=True) for i in range(32)])
    add("many", "b", *[Party(f"b{i}", ca=True) for i in range(32)])
    add("many", "c", *[Party(f"c{i}") for i in range(31)], roots.one)
    in_force(named, 65, 31)
    page = json.loads(named.get("/trust"))
    assert (page["store"], page["storePresent"], page["anchors"], page["exact"]) == (REFERENCE, True, 65, 31)
    assert page["keyStores"] == [{"name": "partner", "present": False, "epoch": 0, "keys": 0, "unusable": 0}]
    assert verdict(named, origins[8440]) == "ok"


def test_a_key_store_that_a_rule_names_travels_too_and_one_of_the_other_kind_does_not(named, roots):
    def keys():
        metrics = named.metrics()
        return [metrics[f"mintgate_dataplane_{what}"] for what in ("key_stores", "key_stores_missing", "client_keys")]
    client = Stores(Client(lambda: UnixConnection(named.env["CONTROL_SOCKET"])))
    wait_until(lambda: keys() == [1, 1, 0], what="word that there is no such key store")
    client.make("partner", "KEYSTORE")
    try:
        wait_until(lambda: keys() == [1, 0, 0], what="the empty key store")
        client.put_key("partner", "first", roots.parties[8444])
        wait_until(lambda: keys() == [1, 0, 1], what="its key")
        client.odata("DELETE", "Certificates(name='first',storeName='partner')")
        wait_until(lambda: keys() == [1, 0, 0], what="its end")
    finally:
        client.odata("DELETE", "CertificateStores('partner')")
    client.make("partner", "TRUSTSTORE")
    try:
        wait_until(lambda: keys() == [1, 1, 0], what="word that it is no key store")
    finally:
        client.odata("DELETE", "CertificateStores('partner')")
