# SPDX-License-Identifier: Apache-2.0
"""Made-up documents of mintgate-bench's subcommands, for tests of what scripts/bench makes of them. Rows are made by
bench/labbench.py, as those of the subcommands that need a lab are; those of the ones in C have the same fields."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from labbench import BASELINE, LIMIT, OURS, SCHEMA, Row  # noqa: E402
from suite import collect  # noqa: E402
from suite.commands import COMMANDS  # noqa: E402

COMMIT = "0123456789abcdef"
MACHINE = {"cpu": "A CPU", "kernel": "6.1", "processors": 2, "ifma": True, "load": 0.5}
WOBBLE = (0.9, 1.0, 1.1)  # of three rounds


def samples(value, name, **more):
    return [dict({one: number * wobble for one, number in more.items()}, **{name: value * wobble})
            for wobble in WOBBLE]


def group(title, *rows):
    """|rows|: (name, role, samples, compares, more)."""
    made = [Row(name, role, of_rounds, compares, **more) for name, role, of_rounds, compares, more in rows]
    documents = [{"name": row.name, "role": row.role, "compares": row.compares, "values": row.values(),
                  "samples": row.samples, **row.more} for row in made]
    for row, told in zip(made[1:], documents[1:]):
        told["ratios"] = row.ratios_to(made[0])
    return {"title": title, "rows": documents}


def document(name, groups, **ratios):
    of_rows = {row["key"]: row["ratios"][row["compares"]]["median"]
               for one in groups for row in one["rows"] if row.get("key")}
    return {"schema": SCHEMA, "subcommand": name, "commit": COMMIT, "machine": MACHINE,
            "method": {"rounds": 3, "milliseconds": 100, "processor": 1}, "groups": groups, "ratios": of_rows | ratios}


def simple(title, value, ratios):
    """A group of a limit and a row of ours for each key, whose ratio to the limit is the one given; None: no key."""
    limit = ("what is possible", LIMIT, samples(100.0, value), value, {})
    return group(title, limit, *(("ours", OURS, [{value: 100.0 * wobble * ratio} for wobble in WOBBLE], value,
                                  {"key": key}) for key, ratio in ratios.items()))


def mint():
    rate = "per_cpu_second"
    groups = []
    for issuer, signatures in (("EC P-256", 150000.0), ("RSA-2048", 8000.0)):
        keys = ({"key": "mint_in_signer_vs_limit"}, {"key": "mint_end_to_end_vs_limit"}) if issuer == "EC P-256" \
            else ({}, {})
        groups.append(group(f"mint: {issuer} issuer, crypto_mb",
                            ("signatures alone", LIMIT, samples(signatures, rate), rate, {}),
                            ("inside the signer", OURS, samples(0.8 * signatures, rate), rate, keys[0]),
                            ("end to end", OURS, samples(0.7 * signatures, rate), rate, keys[1]),
                            ("X509_sign", BASELINE, samples(0.1 * signatures, rate), rate, {})))
    return document("mint", groups, mint_vs_x509_sign=7.5)


def hsm():
    rate = "per_second"
    token = ("C_Sign alone", LIMIT, samples(18000.0, rate), rate, {})
    batches = group("hsm: EC P-256, 1 session: one batch at a time", token,
                    *((f"batches of {size}", OURS, samples(17000.0 * size / (size + 2), rate, p50_ns=60e3 * (size + 2)),
                       rate, {"parameter": size}) for size in (1, 2, 4, 8, 16, 32, 64)))
    return document("hsm", [simple("hsm: EC P-256, 1 session: rate", rate, {"hsm_vs_raw": 0.95}), batches])


def cache():
    rate = "per_cpu_second"
    groups = [group(f"cache: {entries:,} entries, Zipf, all found",
                    ("liburcu's table alone", LIMIT, samples(9e6 / (1 + entries / 5e5), rate), rate, {}),
                    ("cache_lookup", OURS, samples(8.5e6 / (1 + entries / 5e5), rate), rate, {}),
                    ("a table behind a mutex, two threads", BASELINE, samples(2e6, rate), rate, {"threads": 2}))
              for entries in (1000, 10000, 100000, 1000000)]
    groups[2]["rows"][1]["key"] = "cache_vs_lfht"
    groups.append(group("cache: 100,000 entries, by threads",
                        *((f"{role}, {threads}", role, samples(rate_of_one * threads, "per_second"), "per_second",
                           {"threads": threads})
                          for role, rate_of_one in ((OURS, 8e6), (LIMIT, 8.5e6)) for threads in (1, 2))))
    groups.append(group("cache: 100,000 entries, in company",
                        ("one reader alone", OURS, samples(8e6, rate), rate, {}),
                        ("beside a writer", OURS, samples(7.3e6, rate), rate, {"key": "cache_reader_slowdown"})))
    groups.append(group("cache: memory", ("the certificate", LIMIT, samples(480.0, "bytes"), "bytes", {}),
                        ("a leaf", OURS, samples(1100.0, "bytes"), "bytes", {"bytes_key": "cache_bytes_per_leaf"})))
    return document("cache", groups, cache_two_threads_vs_one=1.9, cache_bytes_per_leaf=1100.0)


def hello():
    rate = "per_cpu_second"
    return document("hello", [group("hello: Chromium's", ("walked", LIMIT, samples(4e6, rate), rate, {}),
                                    ("parsed", OURS, samples(1.6e6, rate), rate, {"ns_key": "hello_ns"}))],
                    hello_ns=625.0)


def handshake():
    parts = {"takeover": 60.0, "upstream handshake": 200.0, "client handshake": 180.0, "relay": 20.0, "kernel": 180.0}
    groups = []
    for kind, floor, ratio in (("cold", 550.0, 1.45), ("warm", 360.0, 1.9)):
        total = floor * ratio
        stages = [{name: part * wobble * total / 640 for name, part in parts.items()} for wobble in WOBBLE]
        groups.append(group(f"handshake: {kind}, TLS 1.3",
                            ("the floor", LIMIT, samples(floor, "cpu_us"), "cpu_us", {}),
                            (f"intercepted, {kind}", OURS, samples(total, "cpu_us", per_second=900.0), "cpu_us",
                             {"key": f"conn_{kind}_vs_floor", "at_most": True, "aim": 1.8, "stages": stages})))
    return document("handshake", groups)


def swap():
    timeline = {"p99_ms": [9.0, 10.0, 15.0, 9.5, 9.0, 14.0, 10.0], "swaps": [2.1, 5.2]}
    steady = ("between swaps", LIMIT, samples(10.0, "p99_ms"), "p99_ms", {"distribution": [[2000, 900], [9000, 100]]})
    around = ("around swaps", OURS, samples(11.5, "p99_ms"), "p99_ms",
              {"key": "swap_p99_vs_steady", "at_most": True, "timeline": timeline,
               "distribution": [[2000, 980], [9000, 99], [30000, 1]]})
    profile = [(f"from {offset} ms", OURS, samples(10.0 + offset / 100, "p99_ms"), "p99_ms", {"parameter": offset})
               for offset in range(-800, 800, 50)]
    return document("swap", [group("full handshakes", steady, around), group("by time", (*steady[:4], {}), *profile)],
                    swap_failures=0)


def peers():
    rows = [("Mintgate", OURS, samples(0.6, "cpu_ms"), "cpu_ms", {})]
    for name, times in (("sslsplit", 4.5), ("haproxy", 3.0), ("squid", 12.0), ("mitmproxy", 40.0)):
        rows.append((name, BASELINE, [{"cpu_ms": 0.6 * wobble * times} for wobble in WOBBLE], "cpu_ms",
                     {"key": f"{name}_vs_us", "note": "as packaged", "text": f"# {name}.conf\nlisten 1\n"}))
    return document("peers", [group("peers: warm", *rows)])


def documents():
    return {"mint": mint(), "hsm": hsm(), "cache": cache(), "hello": hello(),
            "forward": document("forward", [simple(f"frames of {size} bytes", "per_cpu_second", {key: 0.9})
                                            for size, key in ((64, "forward_vs_testpmd"), (1500, None))]),
            "handshake": handshake(),
            "bulk": document("bulk", [simple("bulk: one connection", "gbit_per_second", {"bulk_vs_gcm": 0.5})]),
            "swap": swap(), "peers": peers()}


def outcomes(**changed):
    """Those of all subcommands, all well but for what |changed| says of some by name."""
    well = {name: {"status": collect.OK, "seconds": 1.5, "command": [name], "document": one}
            for name, one in documents().items()}
    return {command.name: changed.get(command.name, well[command.name]) for command in COMMANDS}


def suite(setting="quick", **changed):
    where = {"commit": COMMIT, "machine": MACHINE}
    return collect.suite(setting, where, "2026-01-02 03:04 UTC", 300.4, outcomes(**changed))
