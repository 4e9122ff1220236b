#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of the tree that need no running program. Prints one line a check; exits with the number of failures.

usage: lint.py [--build DIR]   DIR: a build whose programs are looked at
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]

# Who may include whom (design: arrows run one way). Everybody may include itself and base.
ROOMS = {
    "base": set(),
    "config": set(),
    "wire": set(),
    "cache": set(),
    "metrics": set(),
    "ossl": set(),
    # minting sees of the cache what a value is and the door to RCU
    "minting": {"wire", "cache"},
    "dataplane": {"config", "wire", "cache", "minting", "metrics"},
    "hsm": {"config", "wire", "metrics", "ossl"},
    "control": {"config", "wire", "metrics", "ossl"},
    "bench": {"config", "wire", "cache", "minting", "metrics", "hsm", "dataplane"},
}
# Libraries that belong to some rooms only: header prefix -> rooms.
LIBRARIES = {
    "urcu": {"cache", "bench"},
    "rte_": {"dataplane", "bench"},
    "yaml.h": {"config"},
    "microhttpd.h": {"metrics", "control"},
    "crypto_mb/": {"hsm", "bench"},
    "libp11.h": {"hsm"},
    "p11-kit/": {"hsm", "bench"},
    "sqlite3.h": {"control"},
    "openssl/": {"minting", "dataplane", "ossl", "hsm", "control", "bench"},
}
SPDX = "SPDX-License-Identifier: Apache-2.0"
CODE = (".c", ".h", ".py", ".build", ".sh")
COLUMNS = 120


def tracked():
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listing, cwd=TOP, check=True, capture_output=True, text=True).stdout
    return [TOP / name for name in names.splitlines() if (TOP / name).is_file()]


def text_of(path):
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def is_script(path):
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def check_rooms(files):
    for path in files:
        room = path.relative_to(TOP).parts[0]
        if room not in ROOMS or path.suffix not in (".c", ".h"):
            continue
        for number, line in enumerate(text_of(path).splitlines(), 1):
            own = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            other = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if own:
                target = own.group(1).split("/")[0]
                if "/" not in own.group(1):
                    yield f"{path.relative_to(TOP)}:{number}: include as \"room/header.h\": {own.group(1)}"
                elif target in ROOMS and target not in ROOMS[room] | {room, "base"}:
                    yield f"{path.relative_to(TOP)}:{number}: {room} may not use {target}"
            if other:
                for prefix, rooms in LIBRARIES.items():
                    if other.group(1).startswith(prefix) and room not in rooms:
                        yield f"{path.relative_to(TOP)}:{number}: {room} may not use <{other.group(1)}>"


def check_rcu_door(files):
    for path in files:
        parts = path.relative_to(TOP).parts
        if path.suffix in (".c", ".h") and parts[0] not in ("cache", "tests", "bench"):
            if re.search(r"\burcu_|\bcds_", text_of(path)):
                yield f"{path.relative_to(TOP)}: liburcu is used through cache/rcu.h only"


def check_spdx(files):
    for path in files:
        if (path.suffix in CODE or is_script(path)) and SPDX not in (text_of(path) or "")[:400]:
            yield f"{path.relative_to(TOP)}: no SPDX line"


def check_format(files):
    version = ""
    if shutil.which("clang-format"):
        version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if "version 14." not in version:
        return  # other versions format otherwise; Debian 12's is the one that counts
    sources = [str(p) for p in files if p.suffix in (".c", ".h")]
    command = ["clang-format", "--dry-run", "--Werror", "--ferror-limit=1", *sources]
    result = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    yield from sorted({line for line in result.stderr.splitlines() if "error:" in line})


def check_columns(files):
    """Not of C, which clang-format wraps. A line of one URL alone cannot be wrapped."""
    for path in files:
        if path.suffix not in (".py", ".sh", ".build") and not is_script(path):
            continue
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            if len(line) > COLUMNS and not re.fullmatch(r"[\s#]*https?://\S+", line):
                yield f"{path.relative_to(TOP)}:{number}: {len(line)} columns"


def check_shell(files):
    if not shutil.which("shellcheck"):
        yield "shellcheck is not installed"
        return
    scripts = [str(p) for p in files if p.suffix == ".sh" or (is_script(p) and b"sh" in p.open("rb").readline())]
    result = subprocess.run(["shellcheck", "-x", "-f", "gcc", *scripts], cwd=TOP, capture_output=True, text=True)
    yield from result.stdout.splitlines()


def check_places(files):
    """No path of this machine, no host of a package registry."""
    # Spelled so that this line does not find itself.
    words = r"://[^/ ]*(deb" r"ian|npm" r"js)[^/ ]*/"
    for place in (TOP, TOP.parent):
        if str(place) not in ("/", "/home", "/opt", "/root", "/srv", "/tmp", "/var"):  # those are on every machine
            words += "|" + re.escape(str(place)) + "/"
    for path in files:
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            if re.search(words, line):
                yield f"{path.relative_to(TOP)}:{number}: a path of this machine or a registry's address"


def check_unfinished(files):
    for path in files:
        if path.suffix in (".c", ".h"):
            for number, line in enumerate(text_of(path).splitlines(), 1):
                if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                    yield f"{path.relative_to(TOP)}:{number}: {line.strip()}"


def check_scars():
    """Each test that docs/scars.md names exists."""
    page = (TOP / "docs/scars.md").read_text()
    for name, test in re.findall(r"`(tests/[\w/]+\.(?:c|py))::(\w+)`", page):
        path = TOP / name
        if not path.is_file() or not re.search(rf"\b{test}\(", path.read_text()):
            yield f"docs/scars.md: there is no {name}::{test}"


def check_metrics():
    """Names of metrics: mintgate_<room>_<thing>, _total behind what counts up, and nowhere else (design section 9).
    That the tables are what programs serve: tests/integration/test_metrics.py."""
    page = (TOP / "docs/operations.md").read_text()
    for name, kind in re.findall(r"^\| `(mintgate_\w+)` \| (\w+) \|", page, re.M):
        if name.split("_")[1] not in ROOMS:
            yield f"docs/operations.md: {name}: no room of that name"
        if name.endswith("_total") != (kind == "counter"):
            yield f"docs/operations.md: {name}: a {kind}"


def check_api_reference():
    made = subprocess.run([sys.executable, TOP / "scripts/lib/api_reference.py"], capture_output=True, text=True)
    if made.returncode:
        yield made.stderr.splitlines()[-1]
    elif made.stdout != (TOP / "docs/api/reference.md").read_text():
        yield "docs/api/reference.md is not what scripts/lib/api_reference.py makes: run scripts/docs"


def check_crash_points():
    """docs/crash_points.md is the table that the test runs."""
    made = subprocess.run([sys.executable, TOP / "tests/crash_points.py", "--check"], capture_output=True, text=True)
    if made.returncode != 0:
        yield f"docs/crash_points.md is not what tests/crash_points.py prints: run scripts/docs\n{made.stdout}"


def check_reference(build):
    program = build / "dataplane/mintgate"
    page = TOP / "docs/configuration.md"
    made = subprocess.run([program, "--config-reference"], check=True, capture_output=True, text=True).stdout
    if not page.is_file() or made not in page.read_text():
        yield "docs/configuration.md is not what mintgate --config-reference prints: run scripts/docs"


def check_libcrypto(build):
    """No program has two libcryptos: BoringSSL is linked in, OpenSSL is a shared library."""
    for program in sorted(p for p in build.rglob("*") if p.is_file() and not p.suffix and p.stat().st_mode & 0o100):
        with program.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                continue
        needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        symbols = subprocess.run(["nm", "-C", program], capture_output=True, text=True).stdout
        boringssl = "CRYPTO_BUFFER_new" in symbols or "OPENSSL_ia32cap_P" in symbols
        if boringssl and "libcrypto.so" in needed:
            yield f"{program.relative_to(build)}: BoringSSL and OpenSSL in one program"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path)
    arguments = parser.parse_args()
    files = tracked()
    checks = [
        ("rooms include only what they may", check_rooms(files)),
        ("liburcu has one door", check_rcu_door(files)),
        ("SPDX line in each file", check_spdx(files)),
        ("formatted", check_format(files)),
        (f"no line longer than {COLUMNS} columns", check_columns(files)),
        ("shellcheck", check_shell(files)),
        ("no machine paths, no registry hosts", check_places(files)),
        ("nothing marked unfinished", check_unfinished(files)),
        ("tests named in docs/scars.md exist", check_scars()),
        ("metrics are named by the rule", check_metrics()),
        ("API reference is current", check_api_reference()),
        ("the page of crash points is their table", check_crash_points()),
    ]
    if arguments.build:
        checks += [
            ("configuration reference is current", check_reference(arguments.build.resolve())),
            ("one libcrypto per program", check_libcrypto(arguments.build.resolve())),
        ]
    num_failed = 0
    for name, findings in checks:
        findings = list(findings)
        print(f"{'FAIL' if findings else 'ok  '} {name}")
        for finding in findings[:40]:
            print(f"     {finding}")
        num_failed += bool(findings)
    print(f"lint: {len(checks) - num_failed} passed, {num_failed} failed")
    sys.exit(1 if num_failed else 0)


if __name__ == "__main__":
    main()
