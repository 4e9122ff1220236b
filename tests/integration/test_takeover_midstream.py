# SPDX-License-Identifier: Apache-2.0
"""Flows whose beginning Mintgate has not seen: opened before the first rule, before the engine, or forgotten for being
idle. policy.midstream says whether they pass or end."""

import pytest

from labkit import wait_until
from tlskit import configured, connect_tls, client_context, counting, read_all, request, settle
from wire import Flow, client_hello, same_frames

HELLO = client_hello("www.good.lab.test")
WAYS = pytest.mark.parametrize("way", ["bypass", "block"])


def goes_on_as(way, flow):
    """What happens to the next segment of a flow that is not known."""
    frame, at_server, at_client = flow.send("client", "PA", HELLO)
    if way == "bypass":
        same_frames((at_server, at_client), ([frame], []))
        flow.passes("server", "PA", b"answer")
        return
    assert len(at_server) == len(at_client) == 1, "a RST each, and not the segment"
    assert all(frame[47] & 4 for frame in at_server + at_client)


@WAYS
def test_a_connection_older_than_the_first_rule(lab, wire, way):
    with configured(lab, policy={"midstream": way}):
        with configured(lab, policy={"rules": []}):
            flow = Flow(wire).open()
            flow.passes("client", "PA", b"before the rules")
        lab.mark()
        with counting(lab) as counts:
            goes_on_as(way, flow)
    assert counts["ways_out"] == {"midstream": 1} and counts["flows"] == 0 and counts["adoptions"] == {}
    (record,) = lab.records(reason="midstream")
    assert record["action"] == way
    flow.abort()


@pytest.fixture(scope="module")
def open_before(lab):
    """TLS connections to a bypassed server that are older than the engine, which soon forgets idle flows."""
    settle(lab)
    roots = client_context(lab.env["ORIGIN_ROOT_PEM"])
    older = [connect_tls(lab, "www.bypass.lab.test", roots) for _ in range(2)]
    with configured(lab, "engine", keep_connections=True, dataplane={"flow_idle_timeout": "1s"}):
        yield older
    for connection in older:
        connection.close()


def test_a_connection_older_than_the_engine_goes_on(lab, open_before):
    connection = open_before.pop()
    with counting(lab) as counts:
        connection.sendall(request("/bytes/100000"))
        assert len(read_all(connection)) > 100000
        connection.close()
    assert counts["ways_out"] == {"midstream": 1} and counts["adoptions"] == {}


def test_a_connection_older_than_the_engine_ends_where_policy_says_so(lab, open_before):
    connection = open_before.pop()
    with configured(lab, policy={"midstream": "block"}), counting(lab) as counts:
        connection.sendall(request("/"))
        with pytest.raises(OSError):  # a reset, which Python's ssl may call an end
            read_all(connection)
        connection.close()
    assert set(counts["ways_out"]) == {"midstream"} and counts["adoptions"] == {}


@WAYS
def test_an_idle_flow_is_forgotten(lab, wire, open_before, way):
    with configured(lab, policy={"midstream": way}):
        flow = Flow(wire).open()
        flow.passes("client", "PA", client_hello("www.bypass.lab.test"))
        wait_until(lambda: lab.metric("mintgate_dataplane_flows") == 0, what="the end of an idle flow")
        with counting(lab) as counts:
            goes_on_as(way, flow)
    assert counts["ways_out"] == {"midstream": 1}
    flow.abort()


def test_a_flow_with_packets_is_not_idle(lab, wire, open_before):
    """It outlives an idle one that was opened after it."""
    busy = Flow(wire).open()
    busy.passes("client", "PA", client_hello("www.bypass.lab.test"))
    Flow(wire).open()
    with counting(lab) as counts:
        def only_the_busy_one():
            busy.passes("server", "PA", b"tick")
            return lab.metric("mintgate_dataplane_flows") == 1
        wait_until(only_the_busy_one, what="the end of the idle flow")
        busy.passes("client", "PA", b"tock")
    assert counts["ways_out"] == {}
    busy.abort()


def test_a_connection_opened_by_a_server_passes(lab, wire):
    with configured(lab, policy={"midstream": "block"}), counting(lab) as counts:
        flow = Flow(wire)
        flow.passes("server", "S", options=flow.SYN_OPTIONS)
        flow.passes("client", "SA", options=flow.SYN_OPTIONS)
        flow.passes("server", "A")
        flow.passes("server", "PA", HELLO)
        flow.passes("client", "PA", HELLO)
        flow.abort()
    assert counts["ways_out"] == {} and counts["adoptions"] == {}
