# SPDX-License-Identifier: Apache-2.0
"""A crowd: 20,000 connections to 20,000 names, 100 at a time. None fails, each is verified by the client for chain and
name, and no leaf is minted that need not be.

MG_NAMES: how many, for quick runs.
"""

import os

import pytest

from tlskit import counting

NAMES = int(os.environ.get("MG_NAMES", "20000"))
IN_FLIGHT = 100


@pytest.fixture(scope="module")
def cold_lab(lab):
    """An engine that has seen no name yet."""
    lab.restart("engine")
    return lab


def crowd(lab, domain):
    """One connection to each of the names below |domain|: the report, and what the engine counted."""
    with counting(lab) as counts:
        report = lab.loadgen("--name", f"n%d.{domain}", "--range", f"0-{NAMES - 1}", "--in-flight", IN_FLIGHT,
                             "--source", lab.env["CLIENT_IP4_RANGE"], cafile=lab.env["MINTGATE_ROOT_PEM"],
                             timeout=600)
    assert report["results"] == {"ok": NAMES} and report["unclean_closes"] == 0
    assert counts["sessions"] == {"intercepted": NAMES} and counts["adoptions"] == {"decided": NAMES}
    assert counts["decisions"] == {"intercept": NAMES} and counts["ways_out"] == counts["bounds"] == {}
    return report, counts


def leaves_shown(report):
    return report["distinct_leaves"], report["distinct_serials"]


def test_each_name_with_a_certificate_of_its_own_is_minted_once(cold_lab):
    report, counts = crowd(cold_lab, "fresh.lab.test")
    assert leaves_shown(report) == (NAMES, NAMES)
    assert counts["requested"] == counts["minted"] == NAMES and counts["hits"] == NAMES
    assert counts["chains"] == {"ok": NAMES}
    report, counts = crowd(cold_lab, "fresh.lab.test")  # and again
    assert leaves_shown(report) == (NAMES, NAMES)
    assert counts["requested"] == counts["misses"] == 0 and counts["hits"] == NAMES
    assert counts["chains"] == {"remembered": NAMES}


def test_names_that_share_a_certificate_share_one_leaf(cold_lab):
    report, counts = crowd(cold_lab, "good.lab.test")
    assert leaves_shown(report) == (1, 1)
    assert counts["requested"] == counts["minted"] == 1 and counts["hits"] == NAMES
