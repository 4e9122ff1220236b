# SPDX-License-Identifier: Apache-2.0
"""The control plane tells the engine what to serve: prepared, committed, kept over restarts; and what cannot be served
changes nothing."""

import pathlib

import pytest

from labkit import wait_until
from publishkit import ABORT, COMMIT, Control, built_in
from tlskit import s_client

pytestmark = pytest.mark.usefixtures("without_control")

EPOCH = "mintgate_dataplane_published_epoch"
ENDS = "mintgate_dataplane_publications_total"


@pytest.fixture
def control(lab):
    """A control plane that the engine has dialled; afterwards the engine serves the signer's default again."""
    with Control(lab) as made:
        yield made
    pathlib.Path(lab.env["LAB_DIR"], "published").unlink(missing_ok=True)
    lab.restart("engine")


def ends(lab):
    return {end: lab.metric(ENDS, f'end="{end}"') for end in ("committed", "refused", "aborted")}


def test_what_is_published_is_served_and_kept_over_a_restart(lab, control):
    assert control.hello.epoch == 0 and lab.metric("mintgate_dataplane_control_connected") == 1
    control.publish(5, built_in(lab))
    assert lab.metric(EPOCH) == 5 and ends(lab)["committed"] == 1
    control.commit(5)  # asked again: the same answer
    assert ends(lab)["committed"] == 1 and s_client(lab, "www.good.lab.test").verdict == 0
    lab.restart("engine")
    control.accept()
    assert control.hello.epoch == 5 and lab.metric(EPOCH) == 5
    assert s_client(lab, "www.good.lab.test").verdict == 0


def test_the_same_issuer_published_again_keeps_its_leaves(lab, control):
    assert s_client(lab, "www.good.lab.test").verdict == 0
    generation, entries = lab.metric("mintgate_minting_issuer_generation"), lab.metric("mintgate_cache_entries")
    assert control.publish(1, built_in(lab)) == []  # nothing to mint ahead
    assert lab.metric("mintgate_minting_issuer_generation") == generation
    assert lab.metric("mintgate_cache_entries") == entries


def test_a_key_that_the_signer_does_not_have_is_refused(lab, control):
    unknown = built_in(lab)._replace(name="unknown", key_id=bytes(16))
    generation = lab.metric("mintgate_minting_issuer_generation")
    reason, _ = control.prepare(1, unknown)
    assert "unknown_key" in reason
    assert ends(lab) == {"committed": 0, "refused": 1, "aborted": 0} and lab.metric(EPOCH) == 0
    assert lab.metric("mintgate_minting_issuer_generation") == generation
    assert s_client(lab, "www.good.lab.test").verdict == 0
    control.publish(2, built_in(lab))


def test_a_chain_that_cannot_be_served_is_named(lab, control):
    good = built_in(lab)
    for wrong, why in [(good._replace(chain=[b"no certificate"]), "wrong: "),
                       (good._replace(chain=good.chain[::-1]), "wrong: "),
                       (good._replace(key_type="RSA_4K"), "wrong: ")]:
        reason, _ = control.prepare(3, good, wrong._replace(name="wrong"))
        assert reason.startswith(why)
    assert ends(lab)["refused"] == 3 and lab.metric(EPOCH) == 0


def test_what_is_aborted_cannot_be_committed(lab, control):
    assert control.prepare(1, built_in(lab))[0] is None
    control.send(ABORT, 1)
    control.send(COMMIT, 1)
    assert control.has_hung_up()
    assert ends(lab) == {"committed": 0, "refused": 0, "aborted": 1}
    control.accept()
    assert control.hello.epoch == 0


@pytest.mark.parametrize("packet", [b"", b"\0", b"\x0b" + bytes(8), b"\5" + bytes(7), b"\1" + bytes(10)],
                         ids=["empty", "short", "unknown", "cut", "an engine's"])
def test_garbage_ends_the_connection_and_nothing_else(lab, control, packet):
    control.publish(1, built_in(lab))
    if packet:
        control.engine.send(packet)
        assert control.has_hung_up()
    else:
        control.engine.close()
        control.engine = None
    control.accept()
    assert control.hello.epoch == 1 and s_client(lab, "www.good.lab.test").verdict == 0


def test_a_later_preparation_replaces_one_that_is_under_way(lab, control):
    assert control.prepare(1, built_in(lab))[0] is None
    control.publish(2, built_in(lab, "another name"))
    assert lab.metric(EPOCH) == 2


def test_without_a_control_plane_the_engine_serves_the_signers_default(lab):
    wait_until(lambda: lab.metric("mintgate_dataplane_control_connected") == 0, what="no control plane")
    assert lab.metric(EPOCH) == 0 and s_client(lab, "www.good.lab.test").verdict == 0
