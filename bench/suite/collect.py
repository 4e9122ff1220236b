# SPDX-License-Identifier: Apache-2.0
"""One document out of those of the subcommands. Pure.

The document (schema mintgate-bench-suite/1) has
  setting, commit, machine, started (UTC), seconds: what ran, where and when;
  ratios: a number or null for each key of figures.FIGURES, and no other key;
  missing: why, for each null;
  subcommands: by name {status, seconds, command, document, output}: status is "ok", "failed" or "not run", document
    is the subcommand's own (bench/report.h, bench/labbench.py), output the end of what a failed one said.
"""

import math

from .figures import FIGURES

SCHEMA = "mintgate-bench-suite/1"
SUBCOMMAND_SCHEMA = "mintgate-bench/1"  # REPORT_SCHEMA of bench/report.h
KEY_NAMES = ("key", "ns_key", "bytes_key")  # under which a row tells a figure
OK, FAILED, NOT_RUN = "ok", "failed", "not run"


def wrong_with(document, name):
    """What is wrong with what a subcommand wrote, or None. The report relies on no more than this."""
    if not isinstance(document, dict) or document.get("schema") != SUBCOMMAND_SCHEMA:
        return f"its JSON is not of schema {SUBCOMMAND_SCHEMA}"
    if document.get("subcommand") != name:
        return f"its JSON is of the subcommand {document.get('subcommand')}"
    if not isinstance(document.get("ratios"), dict) or not isinstance(document.get("groups"), list):
        return "its JSON has no ratios or no groups"
    told = [row[name] for group in document["groups"] for row in group.get("rows", []) for name in KEY_NAMES
            if row.get(name)]
    twice = sorted(key for key in set(told) if told.count(key) > 1)
    return f"its JSON tells {twice[0]} in more than one row" if twice else None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def reason_for(figure, outcome):
    """Why the outcome of a subcommand has no number for a figure of it."""
    if outcome["status"] == NOT_RUN:
        return f"{figure.subcommand} was not asked for"
    if outcome["status"] == FAILED:
        return f"{figure.subcommand} failed: {outcome['reason']}"
    told = outcome["document"].get("missing", {}).get(figure.key)
    if told:
        return told
    if figure.aim_without_ifma is not None and not outcome["document"].get("machine", {}).get("ifma", True):
        return f"{figure.subcommand} tells it with crypto_mb only: this processor has no AVX-512 IFMA"
    return f"{figure.subcommand} did not tell it"


def not_run():
    return {"status": NOT_RUN, "seconds": 0}


def ratios_of(outcomes):
    """The flat object of all keys, and the reasons of those that are null."""
    ratios, missing = {}, {}
    for figure in FIGURES:
        outcome = outcomes.get(figure.subcommand, not_run())
        value = outcome["document"]["ratios"].get(figure.key) if outcome["status"] == OK else None
        ratios[figure.key] = value if is_number(value) else None
        if ratios[figure.key] is None:
            missing[figure.key] = reason_for(figure, outcome)
    return ratios, missing


def suite(setting, where, started, seconds, outcomes):
    """|where|: commit and machine, as `mintgate-bench machine` says; |outcomes| by the subcommands' names, all of
    them."""
    ratios, missing = ratios_of(outcomes)
    return {"schema": SCHEMA, "setting": setting, **where, "started": started, "seconds": round(seconds),
            "ratios": ratios, "missing": missing, "subcommands": outcomes}


def without_samples(value):
    """The document without the single samples, which are most of it: spreads stay."""
    if isinstance(value, dict):
        return {name: without_samples(one) for name, one in value.items() if name != "samples"}
    return [without_samples(one) for one in value] if isinstance(value, list) else value
