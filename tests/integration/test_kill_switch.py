# SPDX-License-Identifier: Apache-2.0
"""The kill switch: a file that turns the engine into a wire."""

import os
import pathlib
import time

import pytest

from labkit import wait_until
from rawclient import wait_for
from takeoverkit import Ends
from tlskit import connect_tls, counting, request, s_client

LEFT = "mintgate_dataplane_kill_switch_seconds"
GOOD, BLOCKED = "www.good.lab.test", "blocked.lab.test"


class Switch:
    def __init__(self, lab):
        self.lab = lab
        self.path = pathlib.Path(lab.env["LAB_DIR"], "bypass")

    def write(self, text):
        """As mintgatectl does: whole, by rename."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.rename(new, self.path)

    def on(self, seconds=600):
        self.write(f"{int(time.time()) + seconds}\nby a test\n")
        wait_until(lambda: 0 < self.lab.metric(LEFT) <= seconds, what="the switch to be on")

    def off(self):
        self.path.unlink(missing_ok=True)
        wait_until(lambda: self.lab.metric(LEFT) == 0, what="the switch to be off")


@pytest.fixture
def switch(lab):
    made = Switch(lab)
    yield made
    made.off()


def shows(lab, name):
    """Whose certificate a client is shown, or None."""
    chain = s_client(lab, name).chain
    if not chain:
        return None
    return "origin" if "Lab Origin" in chain[0].issuer.rfc4514_string() else "mintgate"


def test_while_it_is_on_nothing_is_intercepted_or_blocked(lab, switch):
    assert (shows(lab, GOOD), shows(lab, BLOCKED)) == ("mintgate", None)
    with counting(lab) as counts:
        switch.on()
        assert (shows(lab, GOOD), shows(lab, BLOCKED)) == ("origin", "origin")
    assert counts["decisions"] == {} and counts["adoptions"] == {} and counts["flows"] == 0
    switch.off()
    assert (shows(lab, GOOD), shows(lab, BLOCKED)) == ("mintgate", None)


def test_a_session_that_runs_goes_on(lab, switch):
    with connect_tls(lab, GOOD) as session:
        switch.on()
        session.sendall(request("/info"))
        assert b"200 OK" in session.recv(4096)


def test_a_flow_that_is_watched_passes(lab, raw_client, raw_server, switch):
    """Its handshake was before, its ClientHello is after."""
    ends = Ends(lab, raw_client, raw_server)
    with counting(lab) as counts:
        flow = ends.open()
        switch.on()
        client = ends.client_tls(flow)
        flow.client.at(0, client.hello())
        wait_for(lambda: flow.server.received, "the ClientHello at the server")
        flow.reset()
    assert counts["ways_out"] == {"kill_switch": 1} and counts["adoptions"] == {}


def test_it_ends_by_itself(lab, switch):
    switch.on(2)
    wait_until(lambda: lab.metric(LEFT) == 0, what="its end")
    assert shows(lab, GOOD) == "mintgate"


def test_it_outlives_a_restart_of_the_engine(lab, switch):
    switch.on()
    lab.restart("engine")
    assert lab.metric(LEFT) > 0 and shows(lab, GOOD) == "origin"


@pytest.mark.parametrize("text", ["", "soon\n", "-1\n", "12x\n", "9" * 40, "1" + " " * 5000])
def test_a_file_that_makes_no_sense_changes_nothing(lab, switch, text):
    said = lab.engine_log().count("the kill switch stays as it is")
    switch.on()
    switch.write(text)
    wait_until(lambda: lab.engine_log().count("the kill switch stays as it is") > said, what="a word about it")
    assert lab.metric(LEFT) > 0
