#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The table of crash points: at which moments of an intermediate's life, of a swap and of a start a program is killed
with SIGKILL, and what the restart must find. tests/integration/test_crash_points.py runs each row, docs/crash_points.md
shows them.

usage: crash_points.py          the page of the documentation, on standard output
       crash_points.py --check  says how the page in the tree differs, and exits with 1 where it does
"""

import difflib
import pathlib
import sys
import typing

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs/crash_points.md"


class Message(typing.NamedTuple):
    """Before a message (wire/signer_control.h, wire/publish.h) arrives: its sender has done all that leads to it, its
    receiver knows nothing of it. What a dead program has said or was told last is lost."""
    sender: str
    receiver: str
    name: str

    def __str__(self):
        return f"{self.name} ({self.sender} → {self.receiver}) has not arrived"


class Write(typing.NamedTuple):
    """Before the |nth| system call |call| on |file|, counted from when |behind| has arrived."""
    file: str
    call: str
    nth: int = 1
    behind: typing.Optional[Message] = None

    def __str__(self):
        which = f"{self.call} {self.nth}" if self.nth else f"each {self.call}"
        behind = f" behind {self.behind.name}" if self.behind else ""
        return f"before {which} on {self.file}{behind}"


class Answer(typing.NamedTuple):
    """The API's answer has been sent, and its client has not read it."""

    def __str__(self):
        return "the API's answer is on its way"


# What the restart finds of the step.
NOTHING, DONE, EITHER = "nothing", "done", "nothing or done"
EACH = 0  # Write.nth: a row for every such call that the step makes


class Row(typing.NamedTuple):
    step: str
    victim: str
    at: typing.Union[Message, Write, Answer]
    left: str
    always: bool = True  # else only where MG_CRASH_POINTS=all

    def __str__(self):
        return f"{self.step} | {self.victim} | {self.at}"


CONTROL, SIGNER, ENGINE = "control", "signer", "engine"
DATABASE, KEYS, PUBLISHED = "control.db-wal", "the signer's keys", "minting.published"


def asked(name):
    return Message(CONTROL, SIGNER, name)


def answered(name):
    return Message(SIGNER, CONTROL, f"{name} reply")


def told(name):
    return Message(CONTROL, ENGINE, name)


def said(name):
    return Message(ENGINE, CONTROL, name)


def committing(step, behind=None):
    """The transaction that ends a step."""
    return [
        Row(step, CONTROL, Write(DATABASE, "pwrite64", 1, behind), NOTHING),
        *[Row(step, CONTROL, Write(DATABASE, call, EACH, behind), EITHER, False) for call in ("pwrite64", "fdatasync")],
        Row(step, CONTROL, Answer(), DONE),
    ]


def without_signer(known):
    """What the signer's death leaves of a step that control knows as |known|: one that is back soon is asked again."""
    return DONE if known == DONE else EITHER


def asking(step, name, known=NOTHING):
    """A call to the signer, until which control has written what makes the step |known|."""
    return [Row(step, CONTROL, message, known) for message in (asked(name), answered(name))] + [
        Row(step, SIGNER, message, without_signer(known)) for message in (asked(name), answered(name))]


def writing(step, places, calls=("fsync", "rename"), known=NOTHING):
    """The files that the signer writes in a step by |calls|; at |places|, a call and its number each, always."""
    left = without_signer(known)
    return [Row(step, SIGNER, Write(KEYS, call, nth), left) for call, nth in places] + [
        Row(step, SIGNER, Write(KEYS, call, EACH), left, False) for call in calls]


def telling(step, before, engines=DONE):
    """A publication: until it is committed the database has made the step |before|, and of it |engines| where an engine
    is killed."""
    first, second = (told("PREPARE"), said("PREPARED")), (told("COMMIT"), said("COMMITTED"))
    return ([Row(step, CONTROL, message, before) for message in first] +
            [Row(step, CONTROL, message, DONE) for message in second] +
            [Row(step, ENGINE, message, engines, message.name != "PREPARED") for message in first + second])


ROWS = [
    # The life of an intermediate.
    *committing("create"),
    *asking("make key", "MAKE_KEY"),
    *asking("make key", "PUBLIC_KEY"),
    *writing("make key", [("rename", 1)]),
    *committing("make key", answered("PUBLIC_KEY")),
    Row("make key, then give up", CONTROL, asked("MAKE_KEY"), NOTHING),
    Row("make key, then give up", CONTROL, answered("MAKE_KEY"), NOTHING),
    Row("make key, then give up", CONTROL, answered("PUBLIC_KEY"), NOTHING),
    *committing("read public key"),
    Row("verify attestation", CONTROL, Answer(), NOTHING),
    *asking("make CSR", "MAKE_CSR"),
    *committing("make CSR"),
    *committing("upload certificate"),
    *committing("upload chain"),
    *asking("finalize", "INSTALL"),
    *writing("finalize", [("rename", 1)]),
    *committing("finalize", answered("INSTALL")),
    Row("finalize", CONTROL, told("PREPARE"), DONE),
    Row("finalize", CONTROL, told("COMMIT"), DONE),
    *committing("disable"),
    Row("disable", CONTROL, told("PREPARE"), DONE),
    Row("disable", CONTROL, said("COMMITTED"), DONE),
    *committing("delete"),
    Row("delete", CONTROL, told("PREPARE"), DONE),
    Row("delete", CONTROL, told("COMMIT"), DONE),
    *asking("delete", "DESTROY", DONE),
    *writing("delete", [("rename", 2), ("unlink", 1)], ("fsync", "rename", "unlink"), DONE),

    # A swap of the default.
    *telling("swap", NOTHING),
    Row("swap", CONTROL, said("PROGRESS"), NOTHING),
    *committing("swap"),
    Row("swap", ENGINE, said("PROGRESS"), DONE, False),
    Row("swap", ENGINE, Write(PUBLISHED, "rename", 1), DONE),
    Row("swap", ENGINE, Write(PUBLISHED, "fsync", EACH), DONE, False),
    Row("swap", SIGNER, told("PREPARE"), EITHER),
    Row("swap", SIGNER, said("PREPARED"), DONE),
    Row("swap", SIGNER, told("COMMIT"), DONE),
    Row("swap", SIGNER, said("COMMITTED"), DONE),
    Row("refused swap", CONTROL, told("ABORT"), NOTHING),
    Row("refused swap", ENGINE, told("ABORT"), NOTHING),
    Row("refused swap", SIGNER, told("ABORT"), NOTHING),

    # A start of the control plane.
    Row("start", CONTROL, asked("LIST"), NOTHING),
    Row("start", SIGNER, asked("LIST"), NOTHING),
    Row("start", SIGNER, answered("LIST"), NOTHING, False),
    Row("start", CONTROL, asked("INSTALL"), NOTHING),
    Row("start", SIGNER, asked("INSTALL"), NOTHING),
    Row("start", SIGNER, answered("INSTALL"), NOTHING, False),
    Row("start", CONTROL, said("HELLO"), NOTHING),
    Row("start", ENGINE, said("HELLO"), NOTHING),
    *[row._replace(left=NOTHING, always=row.victim == CONTROL) for row in telling("start", NOTHING)],
]

PAGE_TEXT = """# Crash points

Each row is a test: at that moment a program is killed with SIGKILL, and started again. This page is written by
`tests/crash_points.py` from the table that `tests/integration/test_crash_points.py` runs; how is in
[adr/0023](adr/0023-crash-points.md).

*Found* says what the restart finds of the step: *nothing*, as if it had not been asked for; *done*, whole, with one
entry in the audit record; or one of the two. After each row, whatever it was:

- there is one default, and the database, the API, the engine's metrics and a client of the lab, which verifies the
  chain that it is shown, agree on it; the engine serves the epoch of the database;
- each intermediate has what its state says, and no more; the signer has the key of each that has one, signs with those
  that are ready, and with no other that control had made; no key is without an intermediate;
- no file that was being written is left, neither the signer's, the engine's nor the control plane's;
- the step asked for again does it, or says what it says of one that is done;
- after a start a key is destroyed only once the engine no longer knows its issuer;
- where control was killed, and control alone, no connection failed: clients connect all the time, to names that are
  cached and to new ones.

A client whose answer was lost asks again. Where the signer or the engine was killed the request is answered: as always
if the signer is back soon, at the worst by SERVICE_UNAVAILABLE, and a swap by ENGINE_NOT_READY, with nothing changed.

Rows marked * are run by `MG_CRASH_POINTS=all` only, the others by every run of the tests; *each* stands for one row for
every such system call. A first start of the signer and of the control plane is cut short likewise, at the system
calls that make its files, and made good by the next.

| Step | Killed | When | Found |
|---|---|---|---|
"""


def page():
    lines = [f"| {row.step} | {row.victim}{'' if row.always else ' *'} | {row.at} | {row.left} |\n" for row in ROWS]
    return PAGE_TEXT + "".join(lines)


def main():
    if sys.argv[1:] != ["--check"]:
        sys.stdout.write(page())
        return 0
    kept = PAGE.read_text() if PAGE.exists() else ""
    different = list(difflib.unified_diff(kept.splitlines(), page().splitlines(), PAGE.name, "the table", n=0,
                                          lineterm=""))
    print("\n".join(different))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
