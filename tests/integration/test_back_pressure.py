# SPDX-License-Identifier: Apache-2.0
"""An end that does not read stops the other end's writing, not the engine's memory."""

import concurrent.futures
import contextlib
import hashlib
import select
import ssl

import pytest

from tlspeers import intercepted_peers

MUCH = 200_000_000
PART = bytes(range(256)) * 4096
NUM_STALLED = 40
# What one stalled session may cost the engine, in each direction:
# a record kept, a read-ahead buffer, TLS's own buffers.
BYTES_EACH = 256 * 1024


@pytest.fixture(scope="module")
def peers_of_module(lab, tmp_path_factory):
    with intercepted_peers(lab, tmp_path_factory.mktemp("keys")) as peers:
        yield peers


@pytest.fixture(params=["down", "up"])
def writer_and_reader(peers_of_module, request):
    def connect():
        ends = peers_of_module.connect()
        return ends if request.param == "up" else ends[::-1]

    yield connect
    peers_of_module.close()


def resident_bytes(lab):
    with open(f"/proc/{lab.engine_pid()}/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def write_until_stuck(end, patience=0.5):
    """Writes until nobody has taken anything for a while;
    returns how many bytes of PART, again and again, were taken."""
    end.tls.setblocking(False)
    taken = 0
    try:
        while taken < MUCH and select.select([], [end.tls], [], patience)[1]:
            offset = taken % len(PART)
            with contextlib.suppress(ssl.SSLWantWriteError):
                taken += end.tls.send(PART[offset:offset + 65536])
    finally:
        end.tls.settimeout(60)
    return taken


def write_rest(end, taken):
    """Up to MUCH bytes, and the end."""
    while taken < MUCH:
        offset = taken % len(PART)
        taken += end.tls.send(PART[offset:offset + min(65536, MUCH - taken)])
    end.close_notify()


def test_a_reader_that_does_not_read_stops_the_writer(lab, writer_and_reader):
    writer, reader = writer_and_reader()
    before = resident_bytes(lab)
    taken = write_until_stuck(writer)
    assert taken < MUCH // 2, "nothing ever stopped the writer"
    assert resident_bytes(lab) - before < 16 * BYTES_EACH
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        rest = pool.submit(write_rest, writer, taken)
        expected = hashlib.sha256(PART * (MUCH // len(PART)) + PART[:MUCH % len(PART)]).hexdigest()
        assert reader.digest(MUCH) == expected
        rest.result(60)
    assert reader.read() == (b"", "close_notify")


def test_many_stalled_sessions_have_bounded_memory(lab, writer_and_reader):
    before = resident_bytes(lab)
    pairs = [writer_and_reader() for _ in range(NUM_STALLED)]
    for writer, _ in pairs:
        write_until_stuck(writer, patience=0.01)
    assert resident_bytes(lab) - before < NUM_STALLED * BYTES_EACH
    writer, reader = writer_and_reader()  # and others are served as ever
    writer.send(b"still here")
    assert reader.read_exactly(10) == b"still here"
