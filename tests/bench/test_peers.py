# SPDX-License-Identifier: Apache-2.0
"""mintgate-bench peers: how peers are told what to do, and a tiny round with one of them."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import labbench  # noqa: E402
import lab_peers  # noqa: E402
import peers  # noqa: E402
import processes  # noqa: E402
from labkit import run, wait_until  # noqa: E402

PREFIX = f"mgp{os.getpid()}-"


@pytest.fixture
def files(tmp_path):
    trust = tmp_path / "trust.pem"
    trust.write_text("")
    return peers.Files(tmp_path / "peer", trust, "198.18.1.1")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Mintgate, haproxy and one that is not there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MG_LAB_PREFIX", PREFIX)
        patch.setattr(peers, "PEERS", tuple(peer for peer in peers.PEERS if peer.name == "haproxy") + (
            peers.Peer("absent", "no-package", None, ("no-such-program",), 1, 1, ""),))
        json_file = tmp_path_factory.mktemp("peers") / "peers.json"
        options = lab_peers.options_of(["--rounds", "1", "--connections", "40", "--json", str(json_file), "--missing",
                                        "no-package=not in the archive"])
        with lab_peers.contenders_of(options) as (direct, contenders):
            yield options, direct, contenders
    assert PREFIX not in run("ip", "netns").stdout
    assert not run("pgrep", "-f", f"{PREFIX}|{json_file.parent}", check=False).stdout


def test_every_peer_says_whom_it_trusts_and_signs_with_keys_of_p256(files):
    assert f"ca-file {files.trust}" in peers.haproxy_config(files) and "verify required" in peers.haproxy_config(files)
    assert "VerifyPeer yes" in peers.sslsplit_config(files)
    assert f"cafile={files.trust}" in peers.squid_config(files)
    assert f"ssl_verify_upstream_trusted_ca={files.trust}" in peers.start_mitmproxy(files)
    for name in ("ca.key", "ca-pair.pem", "leaf.key"):
        assert "BEGIN EC PRIVATE KEY" in (files.directory / name).read_text()


def test_every_peers_package_is_installed_by_the_script():
    wanted = (ROOT / "scripts/packages/peers.txt").read_text().split("\n")
    assert {peer.package for peer in peers.PEERS} <= set(wanted)


def test_a_tiny_round_with_haproxy(bench, capsys):
    options, direct, contenders = bench
    figures = {who.name: lab_peers.Figures() for who in contenders}
    lab_peers.round_of(direct, contenders, options, 0, figures)
    report = labbench.Report("peers", options)
    lab_peers.report_on(report, contenders, figures)
    report.finish()
    document = json.loads(pathlib.Path(options.json).read_text())
    assert document["schema"] == "mintgate-bench/1" and document["subcommand"] == "peers"
    for group in document["groups"]:
        assert [row["name"] for row in group["rows"]] == ["Mintgate", "haproxy", "absent"], group["title"]
    ours, haproxy, absent = document["groups"][0]["rows"]
    assert ours["samples"][0]["cpu_us"] > 0 and haproxy["samples"][0]["cpu_us"] > 0
    assert document["ratios"] == {"haproxy_vs_us": haproxy["ratios"]["cpu_us"]["median"]}
    assert haproxy["facts"]["leaf"] == "EC secp256r1" and haproxy["facts"]["verifies the chain"]
    assert "ssl verify required" in haproxy["text"] and str(contenders[1].lab.directory) not in haproxy["text"]
    assert absent["note"] == "not installed: not in the archive" and absent["samples"] == [{}]
    assert "not installed: not in the archive" in capsys.readouterr().out


def test_every_connection_is_verified_with_the_peers_ca(bench):
    options, direct, (ours, haproxy, _) = bench
    own, haproxy.cafile = haproxy.cafile, direct.cafile
    try:
        with pytest.raises(AssertionError, match="40 of 40 failed.*verify failed"):
            lab_peers.load(haproxy, options, "v%d.fresh.lab.test", 1, 40, 40)
    finally:
        haproxy.cafile = own
    report = lab_peers.load(haproxy, options, "v%d.fresh.lab.test", 1, 40, 40)
    assert list(report["issuers"]) == [who for who in report["issuers"] if who.startswith("Peer CA")]
    assert list(report["parameters"]) == ["TLSv1.3 TLS_AES_128_GCM_SHA256 X25519 -"] and report["resumed"] == 0


def test_a_peer_that_fails_is_reported_and_the_others_go_on(bench):
    options, direct, (ours, haproxy, absent) = bench
    figures = {who.name: lab_peers.Figures() for who in (ours, haproxy)}
    os.kill(haproxy.lab.process.pid, signal.SIGKILL)
    lab_peers.round_of(direct, [ours, haproxy, absent], options, 1, figures)
    assert "failed" in haproxy.trouble and not figures["haproxy"].growth and len(figures["Mintgate"].growth) == 1


class Losing:
    """A lab of whose connections some fail."""

    def __init__(self, failed):
        self.failed = failed

    def loadgen(self, *unused, **unused_too):
        return {"failed": self.failed, "results": {"timeout": self.failed}}


def test_a_few_failures_of_a_peer_are_told_and_no_more():
    options = lab_peers.options_of([])
    peer = lab_peers.Rival(peers.PEERS[0], Losing(2))
    peer.cafile = ""
    assert lab_peers.load(peer, options, "n%d", 1, 200, 200) and peer.failed == 2
    with pytest.raises(AssertionError, match="2 of 199 failed"):
        lab_peers.load(peer, options, "n%d", 1, 199, 199)
    ours = lab_peers.Direct.__new__(lab_peers.Direct)
    ours.lab, ours.cafile = Losing(1), ""
    with pytest.raises(AssertionError, match="1 of 2000 failed"):
        lab_peers.load(ours, options, "n%d", 1, 2000, 2000)


def test_mints_lost_in_the_noise_are_none():
    figures = lab_peers.Figures()
    for kind, microseconds in (("cold", 100.0), ("warm", 120.0)):
        figures.samples[kind] = [{"cpu_us": microseconds, "per_second": 1.0}]
    assert figures.mints() == [{"cpu_us": -20.0, "per_second": 0.0}]


def test_the_cpu_of_a_process_tree_counts_children():
    busy = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'while True: pass']).wait()"
    process = subprocess.Popen([sys.executable, "-c", busy])
    try:
        wait_until(lambda: len(processes.tree(process.pid)) == 2, 60)
        wait_until(lambda: sum(processes.tree_cpu(process.pid).values()) > processes.process_cpu(process.pid) + 0.1, 60)
    finally:
        for pid in reversed(processes.tree(process.pid)):
            os.kill(pid, signal.SIGKILL)
        process.wait()
