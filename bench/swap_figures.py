# SPDX-License-Identifier: Apache-2.0
"""What swaps of the default did to a load of which each handshake is recorded (tests/swapkit.py): who was slower, who
failed, and when the new issuer was seen. Times of CLOCK_MONOTONIC in seconds, figures in milliseconds.

The second around a swap is the one whose middle is makeDefault's return; between swaps is what is neither in such a
second nor within a call.
"""

import math
import pathlib
import sys
import typing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from swapkit import hit_ratio, percentile  # noqa: E402

HALF_SECOND = 0.5
BIN = 0.1  # of the profile
PERCENTILES = {"p50_ms": 50, "p90_ms": 90, "p99_ms": 99, "p99_9_ms": 99.9}


class Spans(typing.NamedTuple):
    """From and to, by what they are about."""
    before: tuple  # the half second before the call
    during: tuple  # the call
    after: tuple   # the half second after its return
    around: tuple
    between: tuple


def spans_of(swaps, end):
    """One for each swap; |end|: of the load."""
    def one(swap, next_called, next_returned):
        return Spans(before=(swap.called - HALF_SECOND, swap.called), during=(swap.called, swap.returned),
                     after=(swap.returned, swap.returned + HALF_SECOND),
                     around=(swap.returned - HALF_SECOND, swap.returned + HALF_SECOND),
                     between=(swap.returned + HALF_SECOND, min(next_called, next_returned - HALF_SECOND)))

    following = [*((swap.called, swap.returned) for swap in swaps[1:]), (end, end + HALF_SECOND)]
    return [one(swap, *times) for swap, times in zip(swaps, following)]


def within(handshakes, span):
    """Those that should have started in |span|."""
    return [one for one in handshakes if span[0] <= one.intended < span[1]]


def sample(handshakes, names=("p50_ms", "p99_ms")):
    latencies = [1000 * one.latency for one in handshakes]
    return {**{name: percentile(latencies, PERCENTILES[name]) for name in names}, "max_ms": max(latencies),
            "handshakes": len(latencies)}


def around_and_between(handshakes, spans):
    """Two lists of samples, one for each swap that has both."""
    pairs = [(within(handshakes, one.around), within(handshakes, one.between)) for one in spans]
    pairs = [(sample(around), sample(between)) for around, between in pairs if around and between]
    assert pairs, "the load was too light to say anything"
    return [list(samples) for samples in zip(*pairs)]


def distribution(handshakes):
    """Pairs of microseconds and how many handshakes took no less, and less than the next value: within 1 in 40."""
    counts = {}
    for one in handshakes:
        step = math.floor(math.log(max(one.latency * 1e6, 1)) / math.log(1.025))
        counts[step] = counts.get(step, 0) + 1
    return [[round(1.025 ** step), counts[step]] for step in sorted(counts)]


def of_all(handshakes, spans, which):
    """The handshakes of one kind of span, of all swaps together."""
    return [handshake for one in spans for handshake in within(handshakes, getattr(one, which))]


def profile(handshakes, swaps):
    """By time from the return of the swap that is next to it: milliseconds, and the handshakes of all swaps in the BIN
    that begins there; as far as the shortest half of a period goes on both sides."""
    reach = min((later.returned - earlier.returned for earlier, later in zip(swaps, swaps[1:])), default=1.0) / 2
    steps = range(-int(reach / BIN), int(reach / BIN))
    bins = [(step, [handshake for swap in swaps for handshake in
                    within(handshakes, (swap.returned + step * BIN, swap.returned + (step + 1) * BIN))])
            for step in steps]
    return [(round(1000 * step * BIN), found) for step, found in bins if found]


def sightings(handshakes, swaps):
    """For each swap whose issuer a client saw before the next one: what it took, from the call and from the return, to
    the end of the first handshake that showed the new issuer; and the call itself."""
    found = []
    for swap, end in zip(swaps, [*(swap.called for swap in swaps[1:]), math.inf]):
        ends = [one.intended + one.latency for one in handshakes
                if one.issuer == swap.issuer and not one.resumed and swap.called <= one.intended + one.latency < end]
        if ends:
            found.append({"call_ms": 1000 * (swap.returned - swap.called),
                          "call_to_leaf_ms": 1000 * (min(ends) - swap.called),
                          "return_to_leaf_ms": 1000 * (min(ends) - swap.returned)})
    return found


def hit_ratios(samples):
    """After each swap, and before the next one."""
    pairs = [(hit_ratio(after, half), hit_ratio(half, before))
             for after, half, before in zip(samples.after, samples.half_way, samples.before[1:])]
    return [pair for pair in pairs if None not in pair]


def minted_ahead(before, after):
    """What one swap minted ahead, by the engine's counters; None: nothing."""
    leaves, seconds = after.ahead - before.ahead, after.ahead_seconds - before.ahead_seconds
    return {"leaves_per_second": leaves / seconds, "leaves": leaves} if leaves and seconds else None


def timeline(handshakes, swaps, samples):
    """For the plot: p99 by second, and what was at each swap; seconds since the first handshake should have started."""
    start = min(one.intended for one in handshakes)
    seconds = {}
    for one in handshakes:
        seconds.setdefault(int(one.intended - start), []).append(1000 * one.latency)
    return {"p99_ms": [percentile(seconds.get(i, [0]), 99) for i in range(max(seconds) + 1)],
            "swaps": [swap.returned - start for swap in swaps],
            "memory": [sample.memory for sample in samples.after],
            "hit_ratios": hit_ratios(samples)}
