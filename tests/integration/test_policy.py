# SPDX-License-Identifier: Apache-2.0
"""Policy on real traffic: what no rule names is not touched, rules decide by name, address and port, and --explain says
what then happens. Files that are reloaded: test_reload.py; hellos out of the ordinary: test_hellos.py."""

import ipaddress
import re
import socket
import subprocess
import typing

import pytest
import yaml

from hellokit import client_hello, exchange
from labkit import BUILD, run, wait_until
from tlskit import connect, counting, inside, read_all, request

GOOD = "www.good.lab.test"
ACCESS_DENIED = 49
OTHER_PORT = 9443
BANNER = b"220 lab.test says hello first\r\n"


def use(lab, *rules, **policy):
    """A context with these rules and other keys of the policy, and the shipped default for the rest."""
    tree = yaml.safe_load(lab.config)
    tree["policy"] = {"rules": list(rules), **policy}
    return lab.with_config(yaml.safe_dump(tree, sort_keys=False))


def intercept(**conditions):
    return dict(conditions, name="intercept", action="intercept")


def block(**conditions):
    return dict(conditions, name="block", action="block")


def outcome(lab, name=None, **where):
    """What becomes of a connection: whose certificate its client sees, or how it was refused."""
    try:
        with connect(lab, **where) as connection:
            answer = exchange(connection, client_hello(name))
    except ConnectionRefusedError:
        return "refused"
    if answer.chain:
        return "minted" if "Mintgate" in answer.chain[0].issuer.rfc4514_string() else "origin"
    if answer.alert is not None:
        return f"alert {answer.alert}"
    return answer.end


@pytest.fixture(scope="module")
def other_port(lab):
    """A TLS server on a port that is not 443."""
    env = lab.env
    chain = f"{env['PKI_DIR']}/servers/good.lab.test.pem"
    address = f"{env['SERVER_IP4']}:{OTHER_PORT}"
    server = subprocess.Popen(
        ["ip", "netns", "exec", env["SERVER_NS"], "openssl", "s_server", "-accept", address, "-cert", chain,
         "-cert_chain", chain, "-key", chain.replace(".pem", ".key"), "-quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: address in run("ip", "netns", "exec", env["SERVER_NS"], "ss", "-Hlnt").stdout)
    yield OTHER_PORT
    server.terminate()
    server.wait(10)


# ---- what ships ----

def test_without_a_policy_nothing_is_touched(lab):
    tree = yaml.safe_load(lab.config)
    del tree["policy"]
    with lab.with_config(yaml.safe_dump(tree)), counting(lab) as counts:
        for name in (GOOD, "blocked.lab.test", "expired.lab.test"):
            assert outcome(lab, name) == "origin"
        with connect(lab) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert datagrams_answered(lab, 3) == 3
    for name in ("decisions", "ways_out", "bounds", "adoptions", "sessions"):
        assert counts[name] == {}
    assert counts["flows"] == 0


def test_what_no_rule_names_is_not_touched(lab):
    with use(lab, intercept(server=[lab.env["IMPOSTOR_IP4"]])), counting(lab) as counts:
        assert outcome(lab, GOOD) == "origin"
        assert counts["flows"] == 0
        assert outcome(lab, GOOD, address=lab.env["IMPOSTOR_IP4"]) == f"alert {ACCESS_DENIED}"
    assert counts["flows"] == 1 and counts["ways_out"] == {"bad_upstream": 1}


@pytest.mark.parametrize("policy", [{"rules": [block(sni=[GOOD])]}, {"rules": [block(port=[443])]},
                                    {"rules": [], "default": "block"}],
                         ids=["by name", "by port", "by default"])
def test_blocking_needs_no_rule_that_intercepts(lab, policy):
    with use(lab, *policy.pop("rules"), **policy), counting(lab) as counts:
        assert outcome(lab, GOOD) == f"alert {ACCESS_DENIED}"
    assert counts["decisions"] == {"block": 1} and counts["adoptions"] == {}


# ---- rules ----

class Case(typing.NamedTuple):
    rule: str
    becomes: str
    sni: typing.Optional[str] = GOOD
    server: str = "SERVER_IP4"
    port: int = 443
    client: int = 0  # counted from the client's first address


RULES = [
    {"name": "exempt client", "client": ["{client1}"], "action": "bypass"},
    {"name": "exempt servers", "server": ["{IMPOSTOR_IP4}/31", "{SERVER_IP6}"], "port": ["440-443"],
     "action": "bypass"},
    {"name": "one name", "sni": ["one.good.lab.test"], "action": "block", "block_with": "reset"},
    {"name": "below", "sni": ["*.deep.good.lab.test"], "client": ["{client2}/32"], "action": "bypass"},
    {"name": "nameless", "sni": ["none"], "client": ["{client3}", "{CLIENT_IP6}"], "action": "block"},
    {"name": "none or one", "sni": ["none", "two.good.lab.test"], "client": ["{client4}"], "action": "bypass"},
    {"name": "ports", "port": ["9400-9499"], "sni": ["*.good.lab.test"], "action": "intercept"},
    {"name": "https", "port": [443], "action": "intercept"},
]
CASES = [
    Case("https", "minted"),
    Case("https", "minted", sni=None),
    Case("https", "minted", sni="deep.good.lab.test"),
    Case("exempt client", "origin", client=1),
    Case("exempt client", "origin", client=1, sni="one.good.lab.test"),
    Case("exempt servers", "origin", server="IMPOSTOR_IP4"),
    Case("exempt servers", "origin", server="SERVER_IP6"),
    Case("https", f"alert {ACCESS_DENIED}", server="IMPOSTOR_IP6"),  # a bad server
    Case("one name", "reset", sni="one.good.lab.test"),
    Case("one name", "reset", sni="ONE.good.lab.test."),
    Case("https", f"alert {ACCESS_DENIED}", sni="below.one.good.lab.test"),  # which its certificate does not cover
    Case("below", "origin", sni="a.deep.good.lab.test", client=2),
    Case("below", "origin", sni="a.b.deep.good.lab.test", client=2),
    Case("https", "minted", sni="deep.good.lab.test", client=2),
    Case("https", "minted", sni="notdeep.good.lab.test", client=2),
    Case("nameless", f"alert {ACCESS_DENIED}", sni=None, client=3),
    Case("nameless", f"alert {ACCESS_DENIED}", sni="198.18.1.1", client=3),
    Case("https", "minted", client=3),
    Case("none or one", "origin", sni=None, client=4),
    Case("none or one", "origin", sni="two.good.lab.test", client=4),
    Case("https", "minted", sni="three.good.lab.test", client=4),
    Case("ports", "minted", port=OTHER_PORT),
    Case("default", "origin", sni="good.lab.test", port=OTHER_PORT),
    Case("default", "origin", sni=None, port=OTHER_PORT),
    Case("one name", "reset", sni="one.good.lab.test", port=OTHER_PORT),
]


def client_address(lab, number):
    return str(ipaddress.ip_address(lab.env["CLIENT_IP4"]) + number)


@pytest.fixture(scope="module")
def rules(lab, other_port):
    addresses = {f"client{i}": client_address(lab, i) for i in range(1, 5)}
    filled = [{key: [str(item).format(**lab.env, **addresses) for item in value] if isinstance(value, list) else value
               for key, value in rule.items()} for rule in RULES]
    with use(lab, *filled):
        yield lab


def explained(lab, case, client):
    """The rule, and the action, that --explain names."""
    sni = [] if case.sni is None or case.sni[0].isdigit() else ["--sni", case.sni]
    text = run(BUILD / "dataplane/mintgate", "--config", lab.env["CONFIG"], "--explain", "--client", client, "--server",
               lab.env[case.server], "--port", case.port, *sni).stdout
    last = text.splitlines()[-1]
    rule, action = re.fullmatch(r"rule \d+ (.*): matches: (\w+)|no rule matches: policy.(default): (\w+)", last).group(
        *((3, 4) if last.startswith("no ") else (1, 2)))
    return rule, action


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_decides_as_explained(rules, case):
    lab = rules
    ipv6 = case.server.endswith("6")
    client = lab.env["CLIENT_IP6"] if ipv6 else client_address(lab, case.client)
    actions = {"minted": "intercept", "origin": "bypass"}
    rule, action = explained(lab, case, client)
    assert rule == case.rule
    lab.mark()
    with counting(lab) as counts:
        assert outcome(lab, case.sni, address=lab.env[case.server], port=case.port, source=client) == case.becomes
    bad_server = "bad_upstream" in counts["ways_out"]
    assert action == ("intercept" if bad_server else actions.get(case.becomes, "block"))
    if action == "bypass" and counts["flows"] == 0:
        assert counts["decisions"] == {}  # no name could have had it touched
    else:
        assert counts["flows"] == 1 and counts["decisions"] == {action: 1}
    if action != "bypass":
        (record,) = lab.records()
        assert record["rule"] == rule and record["action"] == ("block" if bad_server else action)


def test_a_dead_port_and_a_dead_host_fail_as_without_mintgate(lab):
    with use(lab, intercept()), counting(lab) as counts:
        assert outcome(lab, GOOD, port=444) == "refused"
        with pytest.raises(OSError):
            outcome(lab, GOOD, address=str(ipaddress.ip_address(lab.env["SERVER_IP4"]) + 77), timeout=0.3)
    assert counts["adoptions"] == {} and counts["decisions"] == {}


# ---- what is not TLS ----

def http_page(lab):
    with connect(lab, port=80) as connection:
        connection.sendall(request("/info"))
        return read_all(connection)


def banner(lab):
    with connect(lab, port=2525) as connection:
        return connection.recv(1000)


def test_what_is_not_tls_passes_where_rules_cover_all_ports(lab):
    lab.mark()
    with use(lab, intercept()), counting(lab) as counts:
        assert b"200 OK" in http_page(lab)
        with connect(lab, port=2525) as connection:
            assert connection.recv(1000) == BANNER
            connection.sendall(b"EHLO\r\n")
            assert connection.recv(1000) == b"EHLO\r\n"
    assert counts["ways_out"] == {"not_tls": 2} and counts["adoptions"] == {} and counts["decisions"] == {}
    assert [record["action"] for record in lab.records(2, reason="not_tls")] == ["bypass", "bypass"]


def test_what_is_not_tls_is_blocked_by_policy(lab):
    lab.mark()
    with use(lab, intercept(), not_tls="block", block_with="reset"), counting(lab) as counts:
        with pytest.raises(ConnectionResetError):
            http_page(lab)
        with pytest.raises(ConnectionResetError):
            banner(lab)
    assert counts["ways_out"] == {"not_tls": 2} and counts["adoptions"] == {}
    assert [record["action"] for record in lab.records(2, reason="not_tls")] == ["block", "block"]


# ---- QUIC ----

def datagrams_answered(lab, num, source=None, port=443):
    """How many of |num| datagrams the server's echo answers."""
    with inside(lab.env["CLIENT_NS"]):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        client.bind((source or lab.env["CLIENT_IP4"], 0))
        client.settimeout(0.5)
        for i in range(num):
            client.sendto(b"quic %d" % i, (lab.env["SERVER_IP4"], port))
        answered = 0
        try:
            while answered < num:
                assert client.recv(100).startswith(b"quic")
                answered += 1
        except TimeoutError:
            pass
        return answered


@pytest.mark.parametrize("action", ["intercept", "block"])
def test_quic_is_dropped_between_addresses_that_a_rule_touches(lab, action):
    exempt = client_address(lab, 1)
    rules = [{"name": "exempt", "client": [exempt], "action": "bypass"},
             {"name": "names", "sni": ["*.bank.example"], "action": "bypass"},
             {"name": "rest", "port": [8443], "action": action}]
    with use(lab, *rules), counting(lab) as counts:
        assert datagrams_answered(lab, 5) == 0
        assert datagrams_answered(lab, 5, source=exempt) == 5
    assert counts["ways_out"] == {"quic": 5}


def test_quic_is_forwarded_by_policy(lab):
    with use(lab, intercept(), quic="forward"), counting(lab) as counts:
        assert datagrams_answered(lab, 5) == 5
    assert counts["ways_out"] == {}


def test_other_datagrams_pass(lab):
    with use(lab, intercept()), counting(lab) as counts:
        assert "198.18" in lab.client("getent", "ahostsv4", GOOD).stdout
    assert counts["ways_out"] == {}


# ---- blocking ----

def test_a_block_rule_says_how(lab):
    rules = [block(sni=["by-reset.lab.test"], block_with="reset"),
             dict(block(sni=["by-alert.lab.test"], block_with="alert"), name="alert"),
             dict(block(sni=["as-usual.lab.test"]), name="usual")]
    for usual, seen in (("reset", "reset"), ("alert", f"alert {ACCESS_DENIED}")):
        with use(lab, *rules, block_with=usual), counting(lab) as counts:
            assert outcome(lab, "by-reset.lab.test") == "reset"
            assert outcome(lab, "by-alert.lab.test") == f"alert {ACCESS_DENIED}"
            assert outcome(lab, "as-usual.lab.test") == seen
        assert counts["decisions"] == {"block": 3} and counts["adoptions"] == {}


def test_a_blocked_server_hears_nothing(lab):
    def heard():
        stats = lab.origin_stats()
        return (stats["handshakes"], stats["spliced"]), stats["handshakes_failed"]

    with use(lab, block(sni=["blocked.lab.test"])):
        before, failed = heard()
        assert outcome(lab, "blocked.lab.test") == f"alert {ACCESS_DENIED}"
        after, failed_after = heard()
        # Its TCP connection is reset before a byte has come, which it counts as one that failed, early or late.
        assert after == before and failed_after - failed <= 1
        assert outcome(lab, "bypass.lab.test") == "origin"
        assert heard()[0] != before
