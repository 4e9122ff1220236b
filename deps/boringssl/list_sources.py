#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the source files of a BoringSSL tree, one 'kind path' a line, for meson.build.

Kinds: crypto, ssl (C and C++), asm (assembly for x86-64 Linux). Two generations of trees are read:
Debian's source packages list their files in make syntax (debian/sources.mk or Android's eureka.mk, which have
libssl's too); upstream's current tree lists them in gen/sources.json.
"""
import json
import pathlib
import re
import sys


def from_make(tree, lists):
    text = lists.read_text().replace("\\\n", " ")
    variables = dict(re.findall(r"^(\w+)\s*:?=\s*(.*)$", text, re.M))
    yield from (("crypto", f) for f in variables["crypto_sources"].split())
    yield from (("ssl", f) for f in variables["ssl_sources"].split())
    # test/trampoline is the harness of BoringSSL's own ABI tests.
    yield from (("asm", f) for f in variables["linux_x86_64_sources"].split() if "/test/" not in f)


def from_json(tree, lists):
    targets = json.loads(lists.read_text())
    for kind, names in (("crypto", ("bcm", "crypto")), ("ssl", ("ssl",))):
        for name in names:
            yield from ((kind, f) for f in targets[name]["srcs"])
            # Every file guards itself by architecture and system, so that all may be listed.
            yield from (("asm", f) for f in targets[name].get("asm", []) if f.endswith(".S"))


def main():
    tree = pathlib.Path(sys.argv[1])
    readers = {"gen/sources.json": from_json, "debian/sources.mk": from_make, "eureka.mk": from_make}
    for lists, reader in readers.items():
        if (tree / lists).is_file():
            for kind, name in reader(tree, tree / lists):
                print(kind, tree / name)
            return
    sys.exit(f"{tree}: has none of {', '.join(readers)}: not a BoringSSL tree this build can read")


if __name__ == "__main__":
    main()
