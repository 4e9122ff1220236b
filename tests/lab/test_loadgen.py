# SPDX-License-Identifier: Apache-2.0
"""The load generator on the bare wire: it counts what happened, all of it, and nothing else."""

import json

import pytest

OK = {"ok"}


def fresh(count):
    return ["--name", "n%d.fresh.lab.test", "--range", f"0-{count - 1}"]


def test_two_thousand_names_each_verified_none_failed(lab):
    before = lab.origin_stats()
    report = lab.loadgen(*fresh(2000), "--get", "/info", "--source", lab.env["CLIENT_IP4_RANGE"])
    assert report["status"] == 0 and report["results"] == {"ok": 2000}
    assert report["distinct_leaves"] == report["distinct_serials"] == 2000
    assert [name.split(",")[0] for name in report["issuers"]] == ["Lab Origin Intermediate"]
    assert report["unclean_closes"] == 0
    after = lab.origin_stats()
    assert after["minted"] - before["minted"] == 2000
    again = lab.loadgen(*fresh(2000), connect=f"[{lab.env['SERVER_IP6']}]:443")
    assert again["results"] == {"ok": 2000} and again["distinct_leaves"] == 2000
    assert lab.origin_stats()["minted"] == after["minted"]


def test_many_names_of_one_wildcard_show_one_leaf(lab):
    report = lab.loadgen("--name", "n%d.good.lab.test", "--range", "0-299", "--threads", "2")
    assert report["results"] == {"ok": 300} and report["distinct_leaves"] == 1


def test_the_wrong_root_fails_every_connection_as_such(lab):
    report = lab.loadgen(*fresh(100), cafile=f"{lab.env['PKI_DIR']}/impostor-ca.pem")
    assert report["status"] == 1 and report["failed"] == 100
    assert report["results"] == {"handshake: verify failed: unable to get local issuer certificate": 100}


@pytest.mark.parametrize("name, result", [
    ("expired", "handshake: verify failed: certificate has expired"),
    ("notyet", "handshake: verify failed: certificate is not yet valid"),
    ("wrongname", "handshake: verify failed: Hostname mismatch"),
    ("cnonly", "handshake: verify failed: Hostname mismatch"),
    ("selfsigned", "handshake: verify failed: self signed certificate"),
    ("untrusted", "handshake: verify failed: self signed certificate in certificate chain"),
    ("incomplete", "handshake: verify failed: unable to get local issuer certificate"),
    ("alert", "handshake: alert 40 (handshake failure)"),
    ("reset", "handshake: reset"),
    ("silent", "handshake: timeout"),
])
def test_failures_are_told_apart(lab, name, result):
    report = lab.loadgen("--name", f"{name}.lab.test", "--timeout", "1", "--connections", "3")
    assert report["results"] == {result: 3}


@pytest.mark.parametrize("path, options, result", [
    ("/reset", [], "response: reset"),
    ("/truncate", [], "response: end of file"),
    ("/alert", [], "response: alert 80 (internal error)"),
    ("/nothing", [], "response: http status 404"),
    ("/bytes/10", ["--expect-length", "11"], "response: http length"),
    ("/bytes/10", ["--expect-length", "10"], "ok"),
    ("/nothing", ["--expect-status", "404"], "ok"),
])
def test_answers_are_checked(lab, path, options, result):
    report = lab.loadgen("--name", "www.good.lab.test", "--get", path, "--connections", "2", *options)
    assert report["results"] == {result: 2}


def test_a_refused_connection_is_tried_once(lab):
    report = lab.loadgen("--name", "www.good.lab.test", "--connections", "5", connect=f"{lab.env['SERVER_IP4']}:444")
    assert report["results"] == {"connect: refused": 5} and report["connections"] == 5


def test_options_of_the_handshake_are_kept(lab):
    report = lab.loadgen("--name", "tls12.lab.test", "--tls", "1.2", "--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384",
                         "--groups", "P-256", "--alpn", "h2,http/1.1")
    assert report["parameters"] == {"TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384 P-256 h2": 1}
    report = lab.loadgen("--name", "www.good.lab.test", "--tls", "1.3", "--groups", "P-384")
    assert report["parameters"] == {"TLSv1.3 TLS_AES_128_GCM_SHA256 P-384 -": 1}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumption_happens_when_asked_for_alone(lab, version):
    words = ["--name", "n%d.good.lab.test", "--range", "0-3", "--connections", "20", "--in-flight", "1",
             "--tls", version, "--get", "/info"]
    assert lab.loadgen(*words)["resumed"] == 0
    before = lab.origin_stats()
    report = lab.loadgen(*words, "--resume")
    assert report["results"] == {"ok": 20} and report["resumed"] == 16
    assert lab.origin_stats()["resumed"] - before["resumed"] == 16


def test_as_many_connections_resume_as_is_asked_for(lab):
    words = ["--name", "n%d.good.lab.test", "--range", "0-3", "--connections", "100", "--in-flight", "1",
             "--get", "/info", "--resume-percent", "50"]
    report = lab.loadgen(*words)
    assert report["results"] == {"ok": 100}
    assert 30 <= report["resumed"] == report["offered"] <= 70


def test_large_answers_count_every_byte(lab):
    report = lab.loadgen("--name", "www.good.lab.test", "--get", "/bytes/3000000", "--expect-length", "3000000",
                         "--connections", "8")
    assert report["results"] == {"ok": 8} and report["body_bytes"] == 24_000_000


def test_open_loop_latency_counts_from_the_intended_start(lab):
    """One connection at a time, each with an answer that takes 50 ms, wanted every 5 ms:
    the queue is in the figures."""
    words = ["--name", "www.good.lab.test", "--get", "/slow?ms=50", "--connections", "20", "--in-flight", "1"]
    open_loop = lab.loadgen(*words, "--rate", "200")
    closed_loop = lab.loadgen(*words)
    waited_us = 19 * (50_000 - 5_000)
    assert open_loop["latency_us"]["total"]["max"] >= waited_us
    assert open_loop["latency_us"]["start_lag"]["max"] >= waited_us
    assert closed_loop["latency_us"]["total"]["p50"] < waited_us
    assert closed_loop["latency_us"]["start_lag"]["p50"] < 5_000


@pytest.mark.parametrize("options", [[], ["--poisson", "--threads", "2"]])
def test_what_an_overloaded_open_loop_cannot_start_is_reported(lab, options):
    """Two hundred a second are due, ten can be served: each of those due in the first second is started or counted."""
    report = lab.loadgen("--name", "www.good.lab.test", "--get", "/slow?ms=200", "--connections", 10**6, "--in-flight",
                         "2", "--rate", "200", "--max-seconds", "1", *options)
    assert report["results"] == {"ok": report["connections"]}
    due = report["connections"] + report["not_started"]
    assert report["not_started"] > 100 and 150 <= due <= 250
    lag = report["latency_us"]["start_lag"]
    assert lag["max"] > 500_000 and lag["p50"] > 150_000  # of all that were due


@pytest.mark.parametrize("options", [[], ["--poisson"], ["--threads", "2"], ["--poisson", "--threads", "2"]])
def test_arrivals_keep_the_rate(lab, options):
    report = lab.loadgen("--name", "www.good.lab.test", "--rate", "200", "--connections", "200", *options)
    assert report["results"] == {"ok": 200}
    assert 0.5 < report["seconds"] < 4  # a second, give or take chance and a busy machine


def test_a_seed_gives_the_same_names_with_any_number_of_threads(lab, tmp_path):
    def names(*options):
        path = tmp_path / "records"
        lab.loadgen(*fresh(1000), "--random-names", "--connections", "50", "--records", path, *options)
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(records) == 50 and {record["result"] for record in records} == OK
        return {record["index"]: record["name"] for record in records}

    first = names("--seed", "7")
    assert len(set(first.values())) > 30
    assert names("--seed", "7", "--threads", "3") == first
    assert names("--seed", "8") != first


def test_fifty_thousand_names_as_popular_as_zipf_says_in_little_memory(lab, tmp_path):
    """A few names have much of the load, and most of the many are never asked for; nothing is kept for each of them."""
    path = tmp_path / "records"
    report = lab.loadgen("--name", "n%d.fresh.lab.test", "--range", "0-49999", "--zipf", "1", "--connections", "600",
                         "--records", path, "--distribution")
    names = [json.loads(line)["name"].split(".")[0] for line in path.read_text().splitlines()]
    assert report["results"] == {"ok": 600} and report["distinct_leaves"] == len(set(names))
    counts = [names.count(f"n{i}") for i in range(3)]
    assert 25 <= counts[0] <= 90 and counts[0] > counts[2]  # 600 / (log 50,000 + 0.58) = 53
    assert 250 <= len(set(names)) <= 480
    for latency in report["latency_us"].values():
        values = [value for value, count in latency["distribution"] for _ in range(count)]
        assert len(values) == 600 and values == sorted(values)
        assert latency["p50"] == values[299] and latency["p99.99"] == values[-1] <= latency["max"]


def test_fresh_names_come_between_those_that_come_again(lab, tmp_path):
    """Only the latter are resumed; each connection's record says when, whose leaf and whose issuer."""
    path = tmp_path / "records"
    report = lab.loadgen("--name", "n%d.good.lab.test", "--range", "0-1", "--fresh", "once%d.good.lab.test",
                         "--fresh-percent", "40", "--connections", "100", "--in-flight", "1", "--resume",
                         "--rate", "200", "--get", "/info", "--records", path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert report["results"] == {"ok": 100} == {"ok": len(records)}
    fresh_names = [record["name"] for record in records if record["name"].startswith("once")]
    assert 20 <= len(fresh_names) == len(set(fresh_names)) <= 60
    assert not any(record["resumed"] for record in records if record["name"] in fresh_names)
    assert report["resumed"] == 100 - len(fresh_names) - 2
    assert len({record["leaf"] for record in records}) == len({record["issuer"] for record in records}) == 1
    (issuer,) = report["issuers"]
    assert records[0]["issuer"].startswith(issuer.split()[-1])
    assert all(abs(record["intended_s"] - record["index"] / 200) < 0.001 for record in records)
    assert report["started_at"] > 0


def test_timeline_adds_up(lab):
    report = lab.loadgen("--name", "www.good.lab.test", "--rate", "100", "--connections", "150", "--timeline")
    assert sum(second["ok"] for second in report["timeline"]) == 150
    assert len(report["timeline"]) >= 2


def test_in_flight_is_a_bound(lab):
    """Ten at a time at a server that answers none of them: they time out ten by ten."""
    report = lab.loadgen("--name", "silent.lab.test", "--connections", "20", "--in-flight", "10", "--timeout", "1")
    assert report["results"] == {"handshake: timeout": 20}
    assert report["seconds"] >= 2
