# SPDX-License-Identifier: Apache-2.0
"""ClientHellos out of the ordinary: hostile names, sizes up to and over the bound, old versions, ECH."""

import pytest

from hellokit import ECH, SERVER_NAME, client_hello, exchange, server_name
from tlskit import configured, connect, counting, names_of, s_client

GOOD = "www.good.lab.test"
ACCESS_DENIED = 49
INITIAL_WINDOW = 10 * 1448
# What GREASE ECH looks like (RFC 9849 section 6.2): outer, HKDF-SHA256, AES-128-GCM, an id, a key, a payload.
GREASE_ECH = bytes([0, 0, 1, 0, 1, 7]) + b"\0\x20" + bytes(range(32)) + b"\0\x90" + bytes(144)


def send(lab, *hello, **options):
    """What a client that sends this hello gets, and the record about it."""
    return send_records(lab, client_hello(*hello, **options))


def send_records(lab, records):
    lab.mark()
    with connect(lab) as connection:
        answer = exchange(connection, records)
    (record,) = lab.records()
    return answer, record


def is_minted(answer):
    return answer.server_hello and "Mintgate" in answer.chain[0].issuer.rfc4514_string()


def is_refused(answer):
    return answer.alert == ACCESS_DENIED and not answer.server_hello


# ---- names ----

HOSTILE = {
    "NUL": b"www.good.lab.test\0.evil.test",
    "comma": b"www.good.lab.test,DNS:evil.test",
    "space": b"www.good .lab.test",
    "newline": b"www.good.lab.test\n",
    "slash": b"www.good.lab.test/",
    "wildcard": b"*.good.lab.test",
    "empty label": b"www..good.lab.test",
    "only a dot": b".",
    "not ASCII": "bücher.good.lab.test".encode(),
    "long label": b"l" * 64 + b".good.lab.test",
    "300 bytes": b"a." * 143 + b"good.lab.test",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_name_that_no_host_can_have_is_refused_and_counted(lab, name):
    with counting(lab) as counts:
        answer, record = send(lab, name)
    assert is_refused(answer)
    assert counts["hostile"] == 1 and counts["ways_out"] == {"hello_too_large": 1}
    assert counts["adoptions"] == {} and counts["requested"] == 0
    assert (record["action"], record["reason"]) == ("block", "hostile_sni") and "sni" not in record


def test_a_hostile_name_passes_where_policy_lets_it(lab):
    with configured(lab, policy={"hello_too_large": "bypass"}), counting(lab) as counts:
        answer, record = send(lab, HOSTILE["comma"])
    assert answer.server_hello and not is_minted(answer) and record["action"] == "bypass"
    assert counts["hostile"] == 1 and counts["ways_out"] == {"hello_too_large": 1} and counts["adoptions"] == {}


@pytest.mark.parametrize("name", [b"198.18.1.1", b"fd6d:6974:6e74::1:1", b"[fd6d:6974:6e74::1:1]"])
def test_an_address_for_a_name_is_no_name(lab, name):
    """RFC 6066 section 3: "Literal IPv4 and IPv6 addresses are not permitted in HostName"."""
    with counting(lab) as counts:
        answer, record = send(lab, name)
    assert is_minted(answer)
    assert counts["hostile"] == 0 and counts["adoptions"] == {"decided": 1}
    assert "sni" not in record and record["upstream_verdict"] == "ok"


def test_case_and_a_last_dot_do_not_matter(lab):
    assert is_minted(send(lab, GOOD)[0])
    with counting(lab) as counts:
        answer, record = send(lab, "WWW.Good.Lab.Test.")
    assert is_minted(answer) and names_of(answer.chain[0]) == {("DNS", "good.lab.test"), ("DNS", "*.good.lab.test")}
    assert counts["minted"] == 0 and counts["hits"] == 1
    assert record["sni"] == GOOD


MALFORMED = {
    "two name extensions": client_hello(GOOD, (SERVER_NAME, server_name(b"evil.test"))),
    "an empty name": client_hello(b""),
    "a name of no known kind": client_hello(None, (SERVER_NAME, b"\0\6\1\0\3abc")),
    "more after the names": client_hello(None, (SERVER_NAME, server_name(GOOD.encode()) + b"x")),
    "a list longer than its extension": client_hello(None, (SERVER_NAME, b"\0\x20\0\0\3abc")),
}


@pytest.mark.parametrize("hello", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_hello_is_refused(lab, hello):
    with counting(lab) as counts:
        answer, record = send_records(lab, hello)
    assert is_refused(answer) and record["reason"] == "hello_malformed"
    assert counts["ways_out"] == {"hello_too_large": 1} and counts["hostile"] == 0 and counts["adoptions"] == {}


# ---- sizes ----

@pytest.mark.parametrize("record_max", [16384, 1000])
@pytest.mark.parametrize("size", [1800, 16384, 16385, 40000, 65000])
def test_a_large_hello_is_answered_with_a_minted_certificate(lab, size, record_max):
    with counting(lab) as counts:
        answer, record = send(lab, GOOD, size=size, record_max=record_max)
    assert is_minted(answer) and record["sni"] == GOOD and counts["ways_out"] == {}
    # What is held is not acknowledged: a client sends its first ten segments (RFC 6928), and then the first once more.
    assert counts["adoptions"] == {"decided" if size < INITIAL_WINDOW else "retransmission": 1}


def test_a_hello_over_64_kib_is_refused(lab):
    with counting(lab) as counts:
        answer, record = send(lab, GOOD, size=64 * 1024 + 1, more_ciphers=1000)
    assert is_refused(answer) and record["reason"] == "hello_too_large"
    assert counts["ways_out"] == {"hello_too_large": 1} and counts["adoptions"] == {}


def test_a_hello_of_64_kib_is_not(lab):
    answer, record = send(lab, GOOD, size=64 * 1024, more_ciphers=1000)
    assert is_minted(answer) and record["sni"] == GOOD


# ---- versions ----

def below_minimum(lab, name):
    return s_client(lab, name, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")


def test_a_client_below_the_minimum_is_blocked(lab):
    lab.mark()
    with counting(lab) as counts:
        shown = below_minimum(lab, GOOD)
        assert shown.chain == [] and f"SSL alert number {ACCESS_DENIED}" in shown.text
    assert counts["ways_out"] == {"below_minimum": 1} and counts["adoptions"] == {}
    (record,) = lab.records(sni=GOOD)
    assert (record["action"], record["reason"]) == ("block", "below_minimum")


def test_a_client_below_the_minimum_is_let_pass_by_policy(lab):
    with configured(lab, policy={"below_minimum": "bypass"}), counting(lab) as counts:
        lab.mark()
        shown = below_minimum(lab, "tls10.lab.test")
        assert "Protocol  : TLSv1.1" in shown.text and "Lab Origin" in shown.chain[0].issuer.rfc4514_string()
    assert counts["ways_out"] == {"below_minimum": 1} and counts["adoptions"] == {}
    (record,) = lab.records(sni="tls10.lab.test")
    assert (record["action"], record["reason"]) == ("bypass", "below_minimum")


def test_the_minimum_is_configurable(lab):
    lab.mark()
    with configured(lab, tls={"min_version": "1.3"}), counting(lab) as counts:
        assert s_client(lab, GOOD, "-tls1_2").chain == []
        assert s_client(lab, GOOD, "-tls1_3").verdict == 0
    assert counts["ways_out"] == {"below_minimum": 1} and counts["sessions"] == {"intercepted": 1}
    lab.records(2)


# ---- Encrypted Client Hello ----

def test_ech_is_intercepted_for_the_outer_name(lab):
    with counting(lab) as counts:
        answer, record = send(lab, GOOD, (ECH, GREASE_ECH))
    assert is_minted(answer) and ("DNS", "*.good.lab.test") in names_of(answer.chain[0]) and record["sni"] == GOOD
    assert counts["ways_out"] == {} and counts["adoptions"] == {"decided": 1}


@pytest.mark.parametrize("action", ["bypass", "block"])
def test_ech_may_be_bypassed_or_blocked(lab, action):
    with configured(lab, policy={"ech": action}), counting(lab) as counts:
        assert is_minted(send(lab, GOOD)[0])  # without it
        answer, record = send(lab, GOOD, (ECH, GREASE_ECH))
    assert is_refused(answer) if action == "block" else answer.server_hello and not is_minted(answer)
    assert counts["ways_out"] == {"ech": 1} and counts["adoptions"] == {"decided": 1}
    assert (record["action"], record["reason"], record["sni"]) == (action, "ech", GOOD)
