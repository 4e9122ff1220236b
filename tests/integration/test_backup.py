# SPDX-License-Identifier: Apache-2.0
"""A backup taken back onto a fresh machine: the same intermediates, the same default, and a signer that signs with the
keys that were in it, so that a client sees what it saw; and archives that are refused with nothing written."""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import tarfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from controlplane import ControlPlane
from keyskit import Authority
from labkit import BUILD, run, wait_until
from tlskit import s_client

DONE, REFUSED, USAGE, UNREACHABLE = range(4)
GOOD = "www.good.lab.test"
PASSPHRASE = "a passphrase of many words"


class Machine:
    """The lab's programs and where their state lies now: every path below |root|."""

    def __init__(self, lab):
        self.lab, self.root = lab, pathlib.Path(lab.env["LAB_DIR"])
        self.control = ControlPlane(lab)

    def ctl(self, *words, code=DONE, typed=()):
        result = run(BUILD / "control/ctl/mintgatectl", "--config", self.lab.env["CONFIG"], *words, check=False,
                     input="".join(line + "\n" for line in typed))
        assert result.returncode == code, (words, result.stdout, result.stderr)
        assert "Sanitizer" not in result.stderr
        assert not [line for line in typed if line in result.stdout + result.stderr]
        return result.stderr if code else result.stdout

    def state(self):
        return self.root / "signer", self.root / "control", self.root / "signer.kek", self.root / "published"

    def stop(self):
        self.control.stop()
        for pid in (self.lab.engine_pid(), self.lab.signer_pid()):
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda gone=pid: not pathlib.Path(f"/proc/{gone}").exists(), 30, "the end of the programs")

    def start(self):
        self.lab.restart("signer", "engine")
        self.control.start()

    def become_fresh(self):
        """The programs stand still, and nothing of what they knew is left: it is set aside, not deleted."""
        aside = self.root / "aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        self.stop()
        for path in self.state():
            if path.exists():
                path.rename(aside / path.name)

    def become_old(self):
        for path in self.state():
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            kept = self.root / "aside" / path.name
            if kept.exists():
                kept.rename(path)

    def files(self):
        """All that a restore could write."""
        return sorted(str(path) for one in self.state() for path in [one, *one.rglob("*")] if path.exists())


@pytest.fixture(scope="module")
def authority():
    return Authority("Backup Root")


@pytest.fixture(scope="module")
def machine(lab, authority, tmp_path_factory):
    """A machine that has more than it began with: an intermediate, which is the default, another one, and a user."""
    made = Machine(lab)
    try:
        directory = tmp_path_factory.mktemp("machine")
        for name in ("Kept CA", "Other CA"):
            make_intermediate(made, authority, name, directory)
        made.ctl("intermediate", "default", "Kept CA")
        made.ctl("user", "create", "ann", "--role", "auditor", typed=[PASSPHRASE])
        yield made
    finally:
        made.control.close()
        lab.restart("signer", "engine")


def make_intermediate(machine, authority, name, directory):
    signed, chain = directory / "signed.pem", directory / "chain.pem"
    machine.ctl("intermediate", "create", name, "--enabled")
    machine.ctl("intermediate", "keygen", name)
    request = x509.load_pem_x509_csr(machine.ctl("intermediate", "csr", name, "--cn", name).encode())
    signed.write_bytes(authority.certify(request).public_bytes(Encoding.PEM))
    chain.write_text(authority.pem())
    machine.ctl("intermediate", "upload-cert", name, signed)
    machine.ctl("intermediate", "upload-chain", name, chain)
    machine.ctl("intermediate", "finalize", name)


@pytest.fixture(scope="module")
def backups(machine, tmp_path_factory):
    """One with the key-encryption key, and one without."""
    directory = tmp_path_factory.mktemp("backups")
    whole, apart = directory / "whole.tar", directory / "apart.tar"
    assert "under the passphrase" in machine.ctl("backup", whole, "--passphrase", typed=[PASSPHRASE])
    assert "keep a copy of that apart" in machine.ctl("backup", apart)
    return whole, apart


@pytest.fixture(scope="module")
def kek(machine):
    return (machine.root / "signer.kek").read_bytes()


@pytest.fixture(scope="module")
def fresh(machine, backups, kek):
    """The same machine with all of its state away and nothing running."""
    machine.become_fresh()
    yield machine
    machine.become_old()
    machine.start()


def shown(lab, authority, directory):
    roots = directory / "roots.pem"
    roots.write_text(authority.pem() + pathlib.Path(lab.env["ROOT_PEM"]).read_text())
    handshake = s_client(lab, GOOD, roots=str(roots))
    assert handshake.verdict == 0, handshake.text
    return [one.public_bytes(Encoding.PEM) for one in handshake.chain[1:]]


def test_a_backup_is_for_its_owner_alone_whole_and_recorded(machine, backups, kek):
    for path in backups:
        assert path.stat().st_mode & 0o777 == 0o600
        with tarfile.open(path) as archive:
            names = archive.getnames()
            assert kek not in path.read_bytes() and PASSPHRASE.encode() not in path.read_bytes()
        keys = {one.name for one in (machine.root / "signer/keys").iterdir()}
        assert names[0] == "manifest.json" and names[-1] == "manifest.sha256" and "control.db" in names
        assert {name.removeprefix("keys/") for name in names if name.startswith("keys/")} == keys
    assert [name for name in machine.root.joinpath("control").iterdir() if ".copy-" in name.name] == []
    entries = json.loads(machine.ctl("audit", "--json"))
    assert len([one for one in entries if one["operation"] == "backup"]) == 2


def test_what_is_there_is_never_replaced(machine, backups):
    before = backups[0].read_bytes()
    assert "is not replaced" in machine.ctl("backup", backups[0], code=REFUSED)
    assert backups[0].read_bytes() == before
    assert "stop it first" in machine.ctl("restore", backups[0], code=REFUSED)
    assert "at least 12 bytes" in machine.ctl("backup", str(backups[0]) + ".short", "--passphrase", typed=["short"],
                                              code=REFUSED)
    assert "on the machine itself" in machine.ctl("--url", "https://127.0.0.1:1", "--login", "admin", "backup", "x",
                                                  code=USAGE)
    assert not os.path.exists(str(backups[0]) + ".short")


def test_a_copy_that_nobody_took_is_removed_at_the_next_start(machine):
    code, answer = machine.control.ask("POST", "/mintgate/v1/backup")
    copy = pathlib.Path(answer["database"])
    assert code == 200 and copy.stat().st_mode & 0o777 == 0o600 and copy.parent == machine.root / "control"
    machine.control.stop()
    assert copy.exists()
    machine.control.start()
    assert not copy.exists()


def test_a_fresh_machine_goes_on_where_the_old_one_was(lab, machine, authority, backups, kek, tmp_path):
    known = [json.loads(machine.ctl(*words, "--json")) for words in (["intermediate", "list"], ["user", "list"])]
    default, seen = machine.control.default(), shown(lab, authority, tmp_path)
    machine.become_fresh()
    try:
        assert machine.ctl("restore", backups[0], typed=[PASSPHRASE]).startswith("Restored: the database and ")
        for name in "control/control.db", "signer.kek":
            assert machine.root.joinpath(name).stat().st_mode & 0o777 == 0o600
        assert not list(machine.root.rglob("*.restoring"))
        machine.start()
        assert [json.loads(machine.ctl(*words, "--json")) for words in (["intermediate", "list"], ["user", "list"])
                ] == known
        assert machine.control.default()["id"] == default["id"]
        assert machine.root.joinpath("signer.kek").read_bytes() == kek
        machine.control.stop()
        machine.control.start()
        recorded = [(one["operation"], one["actor"]) for one in json.loads(machine.ctl("audit", "--json"))]
        assert recorded.count(("restore", "mintgate-control")) == 1  # by the first start, and not by the second
        fetched = shown(lab, authority, tmp_path)
        assert fetched == seen and x509.load_pem_x509_certificate(fetched[0]).subject.rfc4514_string() == "CN=Kept CA"
        machine.ctl("intermediate", "default", "Other CA")
        machine.ctl("intermediate", "default", "Kept CA")
    finally:
        if machine.control.process.poll() is None:
            machine.stop()
        machine.become_old()
        machine.start()


def rewrite(source, target, change):
    """The archive with each member as |change| gives it: (name, content, more of its header) or None for none."""
    with tarfile.open(source) as old, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as new:
        for member in old.getmembers():
            for name, content, more in change(member.name, old.extractfile(member).read()):
                info = tarfile.TarInfo(name)
                info.size = len(content) if more.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else 0
                for field, value in more.items():
                    setattr(info, field, value)
                new.addfile(info, io.BytesIO(content))
    return target


def only(wanted, made):
    """A change of the members called |wanted|."""
    return lambda name, content: made(name, content) if re.fullmatch(wanted, name) else [(name, content, {})]


def flip(name, content):
    return [(name, content[:40] + bytes([content[40] ^ 1]) + content[41:], {})]


HOSTILE = {
    "a path upwards": only("control.db", lambda name, content: [("../control.db", content, {})]),
    "an absolute path": only("control.db", lambda name, content: [("/control.db", content, {})]),
    "a link": only("control.db", lambda name, content: [(name, b"", {"type": tarfile.SYMTYPE, "linkname": "/x"})]),
    "a hard link": only("control.db", lambda name, content: [(name, b"", {"type": tarfile.LNKTYPE, "linkname": "/x"})]),
    "a device": only("control.db", lambda name, content: [(name, b"", {"type": tarfile.CHRTYPE})]),
    "a file too many": only("manifest.sha256", lambda name, content: [(name, content, {}), ("more", b"x", {})]),
    "a file twice": only("control.db", lambda name, content: [(name, content, {}), (name, content, {})]),
    "a file missing": only("control.db", lambda name, content: []),
    "no manifest": only("manifest.json", lambda name, content: []),
    "a longer file": only("control.db", lambda name, content: [(name, content + b"x", {})]),
    "a shorter file": only("control.db", lambda name, content: [(name, content[:-1], {})]),
    "another database": only("control.db", flip),
    "another key": only(r"keys/.*\.key", flip),
    "another manifest": only("manifest.json", lambda name, content: [
        (name, content.replace(b'"made":1', b'"made":2'), {})]),
    "a hostile name in the manifest": only("manifest.json", lambda name, content: [
        (name, content.replace(b"keys/", b"keys/../../", 1), {})]),
    "no manifest's hash": only("manifest.sha256", lambda name, content: []),
    "another wrapped key": only("key-encryption-key.json", lambda name, content: [
        (name, re.sub(rb'"sealed":"(.)', lambda found: b'"sealed":"' + (b"0" if found[1] != b"0" else b"1"), content),
         {})]),
    "no wrapped key": only("key-encryption-key.json", lambda name, content: []),
    "a wrapped key that costs more": only("key-encryption-key.json", lambda name, content: [
        (name, content.replace(b"scrypt-17", b"scrypt-30"), {})]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_changed_archive_is_refused_with_nothing_written(fresh, backups, tmp_path, what):
    path = rewrite(backups[0], tmp_path / "changed.tar", HOSTILE[what])
    before = fresh.files()
    fresh.ctl("restore", path, typed=[PASSPHRASE], code=REFUSED)
    assert fresh.files() in (before, [str(fresh.root / "control"), str(fresh.root / "signer")])


def test_whoever_has_no_passphrase_can_change_nothing(fresh, backups, tmp_path):
    """Not even with the hash of the manifest made anew."""
    with tarfile.open(backups[0]) as archive:
        manifest = archive.extractfile("manifest.json").read().replace(b'"made":1', b'"made":2')
    new = {"manifest.json": manifest, "manifest.sha256": hashlib.sha256(manifest).hexdigest().encode()}
    path = rewrite(backups[0], tmp_path / "forged.tar", lambda name, content: [(name, new.get(name, content), {})])
    assert "was changed" in fresh.ctl("restore", path, typed=[PASSPHRASE], code=REFUSED)
    assert [one for one in fresh.files() if not os.path.isdir(one)] == []


def test_an_archive_that_is_cut_off_is_refused_wherever_that_is(fresh, backups, tmp_path):
    whole, path = backups[0].read_bytes(), tmp_path / "cut.tar"
    end = len(whole.rstrip(b"\0"))
    for length in [0, 1, 511, 512, 700, end // 3, end // 2, end - 600, end - 1]:
        path.write_bytes(whole[:length])
        fresh.ctl("restore", path, typed=[PASSPHRASE], code=REFUSED)
        assert [one for one in fresh.files() if not os.path.isdir(one)] == []
    path.write_bytes(os.urandom(4096))
    fresh.ctl("restore", path, typed=[PASSPHRASE], code=REFUSED)


def test_another_passphrase_is_refused(fresh, backups):
    assert "not the backup's" in fresh.ctl("restore", backups[0], typed=["another passphrase"], code=REFUSED)
    assert "none was given" in fresh.ctl("restore", backups[0], code=REFUSED)
    assert [one for one in fresh.files() if not os.path.isdir(one)] == []


def test_without_the_key_encryption_key_it_says_what_is_missing(fresh, backups, kek):
    path = fresh.root / "signer.kek"
    assert "put your copy of it there first" in fresh.ctl("restore", backups[1], code=REFUSED)
    path.write_bytes(bytes(32))
    path.chmod(0o600)
    for backup in backups:
        assert "is not the key-encryption key of this backup" in fresh.ctl("restore", backup, typed=[PASSPHRASE],
                                                                           code=REFUSED)
    path.unlink()


@pytest.mark.parametrize("where", ["control/control.db", "signer/keys/x", "published"])
def test_only_a_fresh_machine_takes_one(fresh, backups, where):
    path = fresh.root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    try:
        fresh.ctl("restore", backups[0], typed=[PASSPHRASE], code=REFUSED)
        assert path.read_text() == "mine"
    finally:
        path.unlink()


def test_the_operators_copy_of_the_key_encryption_key_does_too(fresh, backups, kek):
    key, keys = fresh.root / "signer.kek", fresh.root / "signer/keys"
    key.write_bytes(kek)
    key.chmod(0o600)
    fresh.ctl("restore", backups[1])
    was = {one.name: one.read_bytes() for one in (fresh.root / "aside/signer/keys").iterdir()}
    assert {one.name: one.read_bytes() for one in keys.iterdir()} == was
    with contextlib.closing(sqlite3.connect(fresh.root / "control/control.db")) as database:
        assert [row[0] for row in database.execute("SELECT name FROM credential_users")] == ["admin", "ann"]
