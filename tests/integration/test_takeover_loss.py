# SPDX-License-Identifier: Apache-2.0
"""Adopted flows over a wire that loses and reorders: every byte arrives, in both directions, on both halves."""

import contextlib
import hashlib
import json
import random

import pytest

from labkit import run
from takeoverkit import Ends, pattern
from tlskit import connect_tls, counting, read_all, request

NAME = "www.good.lab.test"
SIZE = 2_000_000


@pytest.fixture(scope="module")
def ends(lab, raw_client, raw_server):
    return Ends(lab, raw_client, raw_server)


# ---- hosts of the kernel ----


@contextlib.contextmanager
def losing(lab, percent):
    """Both hosts lose so much of what comes to them by TCP."""
    rules = f"""table inet loss {{
        chain input {{
            type filter hook input priority 0;
            iifname eth0 meta l4proto tcp numgen random mod 1000 < {percent * 10} counter drop
        }}
    }}
    """
    namespaces = [lab.env["CLIENT_NS"], lab.env["SERVER_NS"]]
    for namespace in namespaces:
        run("ip", "netns", "exec", namespace, "nft", "-f", "-", input=rules)
    try:
        yield
        for namespace in namespaces:
            listed = run("ip", "netns", "exec", namespace, "nft", "-j", "list", "table", "inet", "loss").stdout
            (rule,) = [entry["rule"] for entry in json.loads(listed)["nftables"] if "rule" in entry]
            assert any(part.get("counter", {}).get("packets", 0) > 0 for part in rule["expr"]), "nothing was lost"
    finally:
        for namespace in namespaces:
            run("ip", "netns", "exec", namespace, "nft", "delete", "table", "inet", "loss")


@pytest.mark.parametrize("address", ["SERVER_IP4", "SERVER_IP6"])
@pytest.mark.parametrize("percent", [1, 5])
def test_transfers_are_whole_where_packets_are_lost(lab, percent, address):
    with counting(lab) as counts, losing(lab, percent):
        with connect_tls(lab, NAME, address=lab.env[address], timeout=60) as connection:
            connection.sendall(request(f"/bytes/{SIZE}"))
            answer = read_all(connection)
        assert hashlib.sha256(answer[-SIZE:]).hexdigest() == expected(lab)
        with connect_tls(lab, NAME, address=lab.env[address], timeout=60) as connection:
            body = pattern(SIZE)
            connection.sendall(b"PUT / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % SIZE)
            connection.sendall(body)
            assert hashlib.sha256(body).hexdigest().encode() in read_all(connection)
    assert sum(counts["adoptions"].values()) == 2 and counts["sessions"] == {"intercepted": 2}


def expected(lab):
    """What the origin's own program says that /bytes/SIZE is."""
    origin = lab.env["BUILD_DIR"] + "/tests/lab/mintgate-lab-origin"
    return run("sh", "-c", f"{origin} --pattern {SIZE} | sha256sum").stdout.split()[0]


# ---- hosts of our own: what they send is lost or reordered on its way to the engine ----


def mixed(burst):
    """A burst of segments in another order, none further than a few places from its own."""
    return sorted(burst, key=lambda offset, of=random.Random(len(burst)): offset + of.uniform(0, 6000))


def lost(percent):
    return lambda of=random.Random(percent): of.uniform(0, 100) < percent


WAYS = {"1%-lost": {"loses": lost(1)}, "5%-lost": {"loses": lost(5)}, "reordered": {"order": mixed},
        "5%-lost-and-reordered": {"loses": lost(5), "order": mixed}}


@pytest.mark.parametrize("options", [{}, {"sack": False, "timestamps": False}], ids=["all-options", "no-options"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_lost_or_reordered_on_its_way_to_the_engine_arrives(lab, ends, way, options):
    with counting(lab) as counts:
        flow, client, server = ends.intercepted(client=options, server=options)
        data = pattern(400_000)
        flow.client.transmit(client.encrypted(data), **WAYS[way])
        assert server.read(len(data)) == data
        flow.server.transmit(server.encrypted(data), **WAYS[way])
        assert client.read(len(data)) == data
        flow.reset()
    assert counts["sessions"] == {"intercepted": 1} and counts["bytes"] == {"client": len(data), "server": len(data)}


@pytest.mark.parametrize("options", [{}, {"sack": False, "timestamps": False}], ids=["all-options", "no-options"])
def test_what_the_engine_sends_is_sent_again_when_it_was_lost(ends, options):
    """To hosts that say nothing but what they have got in order."""
    flow, client, server = ends.intercepted(client=options, server=options)
    data = pattern(200_000)
    losses = lost(5)
    flow.client.host.loses = flow.server.host.loses = lambda segment: bool(segment.payload) and losses()
    try:
        flow.client.transmit(client.encrypted(data))
        assert server.read(len(data)) == data
        flow.server.transmit(server.encrypted(data))
        assert client.read(len(data)) == data
    finally:
        flow.client.host.loses = flow.server.host.loses = None
    flow.reset()
