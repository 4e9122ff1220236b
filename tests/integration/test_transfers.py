# SPDX-License-Identifier: Apache-2.0
"""Much data through an intercepted connection comes out as it went in, both ways."""

import hashlib
import json
import subprocess

import pytest

from labkit import BUILD
from tlskit import counting

NAME = "www.good.lab.test"
GIGABYTE = 1_000_000_007  # not a multiple of anything
# What curl is told, how much it transfers, and what of the client's TLS must be in the record.
WAYS = {
    "1 GB": (["-4", "--http1.1"], GIGABYTE, "TLSv1.3"),
    "100 MB by TLS 1.2": (["-6", "--http1.1", "--tls-max", "1.2"], GIGABYTE // 10, "TLSv1.2"),
    "100 MB by h2": (["-4", "--http2"], GIGABYTE // 10, "TLSv1.3"),
}
ORIGIN = BUILD / "tests/lab/mintgate-lab-origin"


@pytest.fixture(scope="module")
def digest_of():
    """SHA-256 of the origin's pattern by its length, in hexadecimal."""
    known = {}

    def digest(size):
        if size not in known:
            with subprocess.Popen([ORIGIN, "--pattern", str(size)], stdout=subprocess.PIPE) as made:
                known[size] = hashlib.file_digest(made.stdout, "sha256").hexdigest()
        return known[size]

    return digest


def transfer(lab, pipeline):
    """Runs a pipeline in the client's namespace: what it prints, what was counted, and the session's record."""
    lab.mark()
    with counting(lab) as counts:
        output = lab.client("bash", "-o", "pipefail", "-c", pipeline).stdout
    (record,) = lab.records(sni=NAME)
    assert counts["sessions"] == {"intercepted": 1}
    assert counts["bytes"] == {"client": record["bytes_from_client"], "server": record["bytes_from_server"]}
    return output, record


def curl(lab, options, path):
    trust = lab.env["MINTGATE_ROOT_PEM"]
    return f"curl -sS --max-time 110 --cacert {trust} {' '.join(options)} https://{NAME}{path}"


@pytest.mark.parametrize("way", WAYS)
def test_a_download_is_byte_identical(lab, way, digest_of):
    options, size, version = WAYS[way]
    output, record = transfer(lab, f"{curl(lab, options, f'/bytes/{size}')} | sha256sum")
    assert output.split()[0] == digest_of(size)
    assert record["client_version"] == version and size < record["bytes_from_server"] < size * 1.01


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_is_byte_identical(lab, way, digest_of):
    options, size, version = WAYS[way]
    output, record = transfer(lab, f"{ORIGIN} --pattern {size} | {curl(lab, [*options, '-T', '-'], '/up')}")
    seen = json.loads(output)
    assert seen["length"] == size and seen["sha256"] == digest_of(size)
    assert record["client_version"] == version and size < record["bytes_from_client"] < size * 1.01
