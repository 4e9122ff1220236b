# SPDX-License-Identifier: Apache-2.0
"""The default intermediate is swapped: new connections have all of the new one, old ones notice nothing, and names in
use need no new mint. Under load: test_swap_load.py."""

import pathlib
import ssl

import pytest

from keyskit import Authority, Keys, new_intermediate
from publishkit import Control, built_in
from tlskit import client_context, configured, connect_tls, counting, request, s_client

pytestmark = pytest.mark.usefixtures("without_control")

NUM_WARM = 300
WARM = "warm%d.fresh.lab.test"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def intermediates(lab, authority):
    """Two of the corporation's, which stay in the signer."""
    with Keys(lab) as keys:
        made = [new_intermediate(keys, authority, name) for name in ("Lab One", "Lab Two")]
        yield made
        for issuer in made:
            keys.remove(issuer.key_id)
            keys.destroy(issuer.key_id)


@pytest.fixture
def control(lab):
    with Control(lab) as made:
        made.epoch = made.hello.epoch
        yield made
        made.publish(made.epoch + 1, built_in(lab))
    pathlib.Path(lab.env["LAB_DIR"], "published").unlink(missing_ok=True)
    lab.restart("engine")


def swap(control, *issuers, **options):
    control.epoch += 1
    return control.publish(control.epoch, *issuers, **options)


def common_name(name):
    (attribute,) = (one for one in name if one.rfc4514_attribute_name == "CN")
    return attribute.value


def shown(lab, roots, name="www.good.lab.test"):
    """The name of the intermediate that a client is shown, whose leaf and chain it verifies."""
    handshake = s_client(lab, name, roots=roots)
    assert handshake.verdict == 0, handshake.text
    assert handshake.chain[0].issuer == handshake.chain[1].subject
    return common_name(handshake.chain[1].subject)


def test_each_new_connection_shows_the_new_default(lab, control, roots, intermediates):
    one, two = intermediates
    for issuer in (one, two, one, built_in(lab), two):
        swap(control, issuer)
        expected = issuer.name if issuer in intermediates else "Mintgate Issuing CA"
        assert shown(lab, roots).startswith(expected)
        assert shown(lab, roots, "another.fresh.lab.test").startswith(expected)


def test_a_session_that_runs_notices_nothing_and_its_ticket_is_declined(lab, control, roots, intermediates):
    one, two = intermediates
    swap(control, one)
    context = client_context(roots, ssl.TLSVersion.TLSv1_2)
    with connect_tls(lab, "www.good.lab.test", context) as session:
        ticket = session.session
        with connect_tls(lab, "www.good.lab.test", context, ticket) as again:
            assert again.session_reused
        swap(control, two)
        session.sendall(request("/info"))
        assert b"200 OK" in session.recv(4096)
    with connect_tls(lab, "www.good.lab.test", context, ticket) as again:
        assert not again.session_reused


def warm_up(lab, roots):
    report = lab.loadgen("--name", WARM, "--range", f"1-{NUM_WARM}", "--in-flight", 50, cafile=roots)
    assert report["results"] == {"ok": NUM_WARM}


def test_what_is_in_use_is_minted_ahead(lab, control, roots, intermediates):
    one, two = intermediates
    swap(control, one)
    warm_up(lab, roots)
    before = lab.metrics()
    with counting(lab) as ahead:
        progress = swap(control, two)
    num_done, num_all = progress[-1]
    assert num_done == num_all >= NUM_WARM and progress == sorted(progress)
    assert ahead["minted"] >= NUM_WARM
    counted = {name: value - before[name] for name, value in lab.metrics().items()}
    assert counted["mintgate_dataplane_minted_ahead_total"] == num_all
    assert counted["mintgate_dataplane_minting_ahead_seconds_total"] > 0
    with counting(lab) as after:
        warm_up(lab, roots)
    assert after["minted"] == 0 and after["hits"] >= NUM_WARM
    # What the former default signed has left the cache.
    assert lab.metric("mintgate_cache_entries") <= num_all + 1


def test_minting_ahead_ends_in_time(lab, control, roots, intermediates):
    """What is not minted by then is minted when it is asked for."""
    one, two = intermediates
    swap(control, one)
    warm_up(lab, roots)
    progress = swap(control, two, premint_ms=1)
    assert progress[-1][0] < progress[-1][1]
    warm_up(lab, roots)
    assert shown(lab, roots) == "Lab Two"


def test_a_published_issuer_stays_warm_beside_the_default(lab, control, roots, intermediates):
    one, two = intermediates
    swap(control, one, two)
    warm_up(lab, roots)
    swap(control, two, one)
    with counting(lab) as counts:
        swap(control, one, two)
        warm_up(lab, roots)
    assert counts["minted"] - counts["requested"] == 0 and counts["misses"] == 0


def test_a_rule_may_name_its_issuer(lab, control, roots, intermediates):
    one, two = intermediates
    swap(control, one, two)
    rules = [{"name": "own", "sni": ["special.fresh.lab.test"], "action": "intercept", "issuer": "Lab Two"},
             {"name": "gone", "sni": ["gone.fresh.lab.test"], "action": "intercept", "issuer": "Lab Three"},
             {"name": "rest", "action": "intercept"}]
    with configured(lab, policy={"rules": rules}):
        assert shown(lab, roots, "special.fresh.lab.test") == "Lab Two"
        assert shown(lab, roots, "gone.fresh.lab.test") == "Lab One"
        assert shown(lab, roots) == "Lab One"
