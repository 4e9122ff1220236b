# SPDX-License-Identifier: Apache-2.0
"""What is counted is what was done, exactly: no more, no less, and nothing else."""

import pytest

from tlskit import counting, settle

COLD, WARM, BYPASSED, BLOCKED, PLAIN = 17, 29, 11, 7, 5


@pytest.fixture
def fresh_lab(lab):
    """An engine that has counted nothing yet."""
    lab.restart("engine")
    return lab


def connections(lab, name, count, results, first=0):
    """|count| connections of one request each to |name|, numbered if it has a number."""
    report = lab.loadgen("--name", name, *(["--range", f"{first}-{first + count - 1}"] if "%d" in name else []),
                         "--connections", count, "--in-flight", "5", "--get", "/info")
    assert report["results"] == results


def signer_counts(lab):
    """The signer's counters by name."""
    return lab.metrics("SIGNER_METRICS_SOCKET")


def test_decisions_adoptions_mints_and_hits_are_those_of_the_test(fresh_lab):
    lab = fresh_lab
    lab.mark()
    signed = signer_counts(lab)
    before = lab.origin_stats()
    with counting(lab) as counts:
        connections(lab, "c%d.fresh.lab.test", COLD, {"ok": COLD})
        connections(lab, "c0.fresh.lab.test", WARM, {"ok": WARM})
        connections(lab, "b%d.bypass.lab.test", BYPASSED, {"ok": BYPASSED})
        connections(lab, "blocked.lab.test", BLOCKED, {"handshake: alert 49 (access denied)": BLOCKED})
        for _ in range(PLAIN):
            lab.curl(f"http://{lab.env['SERVER_IP4']}/info")
    intercepted = COLD + WARM
    assert counts["decisions"] == {"intercept": intercepted, "bypass": BYPASSED, "block": BLOCKED}
    assert counts["flows"] == intercepted + BYPASSED + BLOCKED + PLAIN  # the lab blocks names on any port
    assert counts["adoptions"] == {"decided": intercepted}
    assert counts["sessions"] == {"intercepted": intercepted}
    assert counts["requested"] == counts["minted"] == COLD
    # A connection that had to wait for its leaf looks it up again when it is there.
    assert counts["misses"] == COLD and counts["hits"] == COLD + WARM
    assert counts["chains"] == {"ok": COLD, "remembered": WARM}
    assert counts["ways_out"] == {"not_tls": PLAIN}
    assert counts["bounds"] == counts["refused"] == {}
    for nothing in ("hostile", "resumed", "timed_out", "dropped_replies", "signer_lost", "evicted", "expired"):
        assert counts[nothing] == 0
    after = lab.origin_stats()
    assert after["handshakes"] - before["handshakes"] == intercepted
    signed_after = signer_counts(lab)
    for name in ('mintgate_hsm_results_total{status="ok"}', "mintgate_hsm_journal_records_total"):
        assert signed_after[name] - signed[name] == COLD
    assert len(lab.records(intercepted, action="intercept", reason="rule")) == intercepted
    assert len(lab.records(BLOCKED, action="block", reason="rule")) == BLOCKED
    looks = 2  # at the origin's counters, over the same wire
    assert len(lab.records(PLAIN + looks, action="bypass", reason="not_tls")) == PLAIN + looks


def test_plaintext_bytes_are_those_of_the_records(lab):
    settle(lab)
    lab.mark()
    with counting(lab) as counts:
        connections(lab, "www.good.lab.test", 10, {"ok": 10})
    records = lab.records(10, sni="www.good.lab.test")
    assert counts["bytes"] == {"client": sum(record["bytes_from_client"] for record in records),
                               "server": sum(record["bytes_from_server"] for record in records)}


def test_a_resumed_session_is_counted_and_costs_no_mint(lab):
    with counting(lab) as counts:
        report = lab.loadgen("--name", "www.good.lab.test", "--connections", "12", "--in-flight", "1", "--resume",
                             "--get", "/info")
    assert report["results"] == {"ok": 12} and report["resumed"] == 11
    assert counts["resumed"] == 11 and counts["sessions"] == {"intercepted": 12}


def test_bypassed_flows_never_reach_the_stack(lab):
    names = ["mintgate_dataplane_stack_tx_packets_total", "mintgate_dataplane_stack_rx_packets_total"]
    settle(lab)
    before = lab.metrics()
    connections(lab, "b%d.bypass.lab.test", 20, {"ok": 20})
    lab.curl("--cacert", lab.env["ORIGIN_ROOT_PEM"], "https://bypass.lab.test/bytes/3000000", "-o", "/dev/null")
    after = lab.metrics()
    assert [after[name] - before[name] for name in names] == [0, 0]
