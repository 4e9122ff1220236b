# SPDX-License-Identifier: Apache-2.0
"""Each way in which a token can fail, under load, through the whole product: a token alone fails as the policy says, a
pair's partner takes over, other keys and cached leaves notice nothing, and everything recovers by itself."""

import collections
import contextlib
import itertools
import time
import typing

import pytest
import yaml

from hsmkit import Hsm, journal
from keyskit import Authority
from labkit import wait_until
from swapkit import API, Load, UnixConnection, ask, failed, fingerprint, new_intermediate
from tlskit import configured, counting, edited, s_client

ALONE, PAIRED, PARTNER = "europe", "global-1", "global-2"
FAULTY = (ALONE, PAIRED)
# Deadlines of tokens, in seconds: one that a slow machine may exceed too, so that nothing is said of when, and one that
# nothing exceeds.
SHORT, LONG = 1, 60
NUM_WARM = 10
RATE = 12  # of each load; a half is for names that nobody has asked for before
BURST = 80  # new names, more than a token may fail in a row
MAX_STARTS = 10  # with pauses that double from 0.1 s, that many take 50 s
REFUSED = "handshake: alert 80 (internal error)"
_numbers = itertools.count()


class Group(typing.NamedTuple):
    """Names that have the same issuer."""
    word: str
    issuer: str  # fingerprint

    def warm(self):
        return ["--name", f"warm%d.{self.word}.fresh.lab.test", "--range", f"1-{NUM_WARM}"]

    def load(self):
        return [*self.warm(), "--random-names", "--fresh", f"n{next(_numbers)}x%d.{self.word}.fresh.lab.test",
                "--fresh-percent", 50, "--rate", RATE, "--connections", 1000000, "--in-flight", 1000]

    def burst(self, num):
        return ["--name", f"b{next(_numbers)}x%d.{self.word}.fresh.lab.test", "--range", f"1-{num}",
                "--in-flight", num]


# ---- the lab ----

@pytest.fixture(scope="module")
def hsm(lab):
    return Hsm(lab)


@pytest.fixture(scope="module")
def authority():
    return Authority("Failing Root")


@pytest.fixture(scope="module")
def intermediates(lab, hsm, authority):
    """One on the token that is alone, one on the pair."""
    hsm.wait_up()
    with contextlib.closing(UnixConnection(lab.env["CONTROL_SOCKET"])) as api:
        made = [new_intermediate(api, authority, name, type="CUSTOM_HSM", region=region)
                for name, region in (("Alone", "EUROPE"), ("Paired", "GLOBAL"))]
        lab.command("replicate")
        yield made
        hsm.wait_up()
        for issuer in made:
            assert ask(api, "DELETE", f"{API}/{issuer.id}").status == 204
    lab.command("replicate")


@pytest.fixture(scope="module")
def groups(lab, intermediates):
    """The two, and the signer's own key. The engine waits so long for a leaf that what fails does so because the signer
    says so. All is recorded from here on."""
    rules = [{"name": issuer.name, "sni": [f"*.{issuer.name.lower()}.fresh.lab.test"], "action": "intercept",
              "issuer": issuer.name} for issuer in intermediates]
    with configured(lab, "signer", "engine", minting={"timeout": "10s"},
                    policy={"rules": [*rules, {"name": "rest", "action": "intercept"}]}):
        lab.mark()
        own = fingerprint(s_client(lab, "www.good.lab.test").chain[1])
        yield [*(Group(issuer.name.lower(), issuer.fingerprint) for issuer in intermediates), Group("own", own)]


def new_signer(lab, hsm, deadline):
    """It has no failures behind it, after which it would wait longer and longer."""
    tokens = yaml.safe_load(lab.config)["signer"]["tokens"]
    for token in tokens:
        token["deadline"] = f"{deadline if token['name'] in FAULTY else LONG}s"
    lab.config = edited(lab.config, signer={"tokens": tokens})
    lab.restart("signer")
    hsm.wait_up()


# ---- what happens ----

class Before:
    """Processes and counts, to be compared with."""

    def __init__(self, lab, hsm):
        self.lab, self.hsm = lab, hsm
        self.signer, self.processes = lab.signer_pid(), hsm.processes()
        self.metrics, self.logins = hsm.metrics(), {token: hsm.logins(token) for token in FAULTY}

    def grown(self, token, name):
        sample = f'mintgate_hsm_token_{name}{{token="{token}"}}'
        return int(self.hsm.metrics()[sample] - self.metrics[sample])

    def tried_pins(self, token):
        return self.hsm.logins(token) - self.logins[token]


class Episode:
    """The tokens that are to fail do, while three loads go on; they are mended, and the loads end."""

    def __init__(self, lab, hsm, groups, roots, directory):
        self.lab, self.hsm, self.groups, self.roots, self.directory = lab, hsm, groups, roots, directory
        self.results = collections.Counter()  # of all but the loads

    def burst(self, group, num=BURST):
        """The results of as many new names at one time."""
        results = self.lab.loadgen(*group.burst(num), cafile=self.roots)["results"]
        self.results.update(results)
        return results

    @contextlib.contextmanager
    def load(self, deadline):
        """While tokens fail and recover."""
        self.deadline = deadline
        new_signer(self.lab, self.hsm, deadline)
        for group in self.groups:
            assert self.lab.loadgen(*group.warm(), cafile=self.roots)["results"] == {"ok": NUM_WARM}
        self.before = Before(self.lab, self.hsm)
        with counting(self.lab) as self.counts, contextlib.ExitStack() as stack:
            loads = [stack.enter_context(Load(self.lab, self.directory, *group.load(), cafile=self.roots))
                     for group in self.groups]
            self.wait_minted(10)
            yield
            self.wait_minted(20)
            self.handshakes = {group.word: load.end()[1] for group, load in zip(self.groups, loads)}

    def wait_minted(self, num):
        before = self.counts["minted"]
        wait_until(lambda: self.counts["minted"] >= before + num, 30, f"{num} new leaves")

    def mend(self, *tokens):
        for token in tokens:
            self.hsm.fault(token)
        self.mended_at = time.clock_gettime(time.CLOCK_BOOTTIME)

    def await_recovery(self):
        """Waits until all tokens are up and a new name is served by the one that was alone, as it must be then on. A
        process that was there before it was mended may have met its end already, and not ended yet."""
        self.hsm.wait_up()
        if any(self.hsm.is_older(token, self.mended_at) for token in FAULTY):
            time.sleep(SHORT + 1)
            self.hsm.wait_up()
        wait_until(lambda: self.burst(self.groups[0], 1) == {"ok": 1}, what="a new name that is served")
        self.recovered, self.processes = time.monotonic(), self.hsm.processes()


def assert_as_promised(episode):
    """The one alone fails until it has recovered, with an alert, and counted; nobody else does."""
    results = episode.results
    for group in episode.groups:
        handshakes = episode.handshakes[group.word]
        wrong = failed(handshakes)
        assert {one.issuer for one in handshakes if one.result == "ok"} == {group.issuer}
        assert group.word == "alone" or wrong == []
        assert {one.result for one in wrong} <= {REFUSED}
        assert not [one for one in wrong if one.name.startswith("warm")]
        late = [one for one in wrong if one.began > episode.recovered]
        assert late == [] or episode.deadline == SHORT, episode.recovered
        results.update(one.result for one in handshakes)
    counts = episode.counts
    assert counts["ways_out"].get("minting_failed", 0) == results[REFUSED]  # and late packets of what has ended
    assert counts["sessions"] == {"intercepted": results["ok"], "minting_failed": results[REFUSED]}
    assert set(results) == {"ok", REFUSED}
    assert counts["timed_out"] == counts["dropped_replies"] == counts["signer_lost"] == 0


def assert_nobody_else_restarted(episode):
    before, now = episode.before, episode.hsm.processes()
    assert episode.lab.signer_pid() == before.signer
    assert now[PARTNER] == before.processes[PARTNER]
    assert all(now[token] != before.processes[token] for token in FAULTY)
    assert now == episode.processes or episode.deadline == SHORT


@pytest.fixture
def episode(lab, hsm, groups, roots, tmp_path):
    yield Episode(lab, hsm, groups, roots, tmp_path)
    for token in FAULTY:
        hsm.mend(token)


ERRS = ["C_Sign fail 5"]  # CKR_GENERAL_ERROR, which only many in a row end it for
PULLED = ["C_Sign fail 32", "C_GetTokenInfo fail e0", "C_OpenSession fail e0"]  # CKR_DEVICE_REMOVED, _TOKEN_NOT_PRESENT


@pytest.mark.parametrize("faults", [["C_Sign crash"], ["C_Sign hang"], ERRS, PULLED, ["C_Sign fail 101"]],
                         ids=["crashes", "hangs", "errs", "is pulled", "logs out"])
def test_a_token_that(hsm, groups, episode, faults):
    alone, paired, _ = groups
    hangs = faults == ["C_Sign hang"]
    with episode.load(SHORT if hangs else LONG):
        for token in FAULTY:
            hsm.fault(token, *faults)
        assert episode.burst(alone) == {REFUSED: BURST}
        assert episode.burst(paired) == {"ok": BURST}
        for token in FAULTY:
            wait_until(lambda: episode.before.grown(token, "exits_total") > 0, 30, "the end of its process")
        episode.mend(*FAULTY)
        episode.await_recovery()
    assert_as_promised(episode)
    assert_nobody_else_restarted(episode)
    before = episode.before
    assert before.grown(ALONE, "turned_away_total") > 0 or faults == ERRS  # the circuit was broken
    assert before.grown(PAIRED, "moved_total") >= BURST and before.grown(PARTNER, "moved_total") == 0
    for token in FAULTY:
        assert before.tried_pins(token) <= before.grown(token, "starts_total") <= MAX_STARTS
        assert (before.grown(token, "kills_total") > 0) == hangs


def test_a_token_that_refuses_its_pin(hsm, groups, episode):
    """And one that says that it is locked, whose PIN is not tried at all. Both come back when the PIN file tells
    another one."""
    alone, paired, _ = groups
    with episode.load(LONG):
        hsm.change_pin(ALONE)
        hsm.fault(ALONE, "C_Sign crash")
        hsm.fault(PAIRED, "C_Sign crash", "C_GetTokenInfo flags 40000")  # CKF_USER_PIN_LOCKED
        assert episode.burst(alone) == {REFUSED: BURST}
        assert episode.burst(paired) == {"ok": BURST}
        for token in FAULTY:
            wait_until(lambda: episode.before.grown(token, "refused_pins_total") >= 1, 30, "the refusal")
        episode.mend(*FAULTY)
        assert [episode.before.tried_pins(token) for token in FAULTY] == [1, 0]
        hsm.change_pin(PAIRED)
        for token in FAULTY:
            hsm.tell_pin(token)
        episode.await_recovery()
    assert_as_promised(episode)
    assert_nobody_else_restarted(episode)
    assert [episode.before.tried_pins(token) for token in FAULTY] == [2, 1]
    assert [episode.before.grown(token, "starts_total") for token in FAULTY] == [2, 2]


def test_nothing_was_signed_twice_with_different_content(lab, groups):
    """A request that was tried again stands in the journal again, as it was; each leaf that a client saw is there."""
    recorded = collections.defaultdict(set)
    for record in journal(lab):
        recorded[record["serial"]].add((record["issuer"], record["key_sha256"], tuple(record["names"])))
    assert [serial for serial, contents in recorded.items() if len(contents) > 1] == []
    shown = lab.records(count=BURST, action="intercept", upstream_verdict="ok")
    leaves = {(record["leaf_serial"], record["sni"]) for record in shown if "leaf_serial" in record}
    assert len(leaves) > BURST
    for serial, name in leaves:
        ((_, _, names),) = recorded[serial]
        assert name in names or name == "www.good.lab.test"
    assert len({serial for serial, _ in leaves}) == len({name for _, name in leaves})
