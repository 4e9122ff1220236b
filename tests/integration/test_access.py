# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what, over TLS: strangers nothing but what is listed, auditors and operators no more than theirs. The
cases are made from the program's own table of routes, so that a new route is covered as it comes."""

import base64
import itertools
import time

import pytest

import openapikit
from keyskit import Authority
from labkit import wait_until
from restkit import CERTIFICATES, Life, fill, good_request, is_refused_by_role, login_body, obfuscate

ROLES = ["auditor", "operator", "admin"]  # each may what the ones before it may
USER, PASSWORD, API_KEY = "somebody", "a long enough password", "0123456789abcdefghij"
SESSION = "/api/v1/authenticatedSession"
# Families whose clients have credentials of their own, which say nothing of roles: their tests say who may.
OWN_CREDENTIALS = ("/services/apexrest",)
# What is no GET, and yet for those who only read: the own session, and what the vendor's documents read by POST.
READERS_OWN = {("DELETE", "/authenticatedSession"), ("DELETE", "/session"),
               ("POST", "/key/attributes"), ("POST", "/filteredRequests"),
               ("POST", "/intermediateCaCertificate/downloadAttestation/{}")}


@pytest.fixture(scope="module")
def life(appliance):
    appliance.add_user(USER, "auditor", PASSWORD)
    appliance.add_api_key("theirs", API_KEY)
    return Life(appliance, Authority("Corporate Root"))


@pytest.fixture(scope="module")
def certificates(life):
    return life.one_of_each()


def log_in(appliance, password=PASSWORD, user=USER):
    return appliance.stranger().ask("POST", SESSION, login_body(user, password, API_KEY))


def session(appliance):
    answer = log_in(appliance)
    assert answer.status == 200, answer
    return answer.json["jSessionID"]


def ended(appliance, **headers):
    """Credentials that counted, until they were given back."""
    client = appliance.stranger(**headers)
    assert client.ask("GET", SESSION).status == 200
    assert client.ask("DELETE", SESSION).status in (200, 204)
    return headers


@pytest.fixture(scope="module")
def no_credentials(appliance, life):
    """Headers that name nobody."""
    cookie, token = session(appliance), appliance.token("admin")
    name, secret = appliance.add_client("admin")
    lost = f"Bearer {appliance.token('admin')}", f"JSESSIONID={session(appliance)}"
    appliance.restart_control()
    live = session(appliance)
    basic = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "}, {"Authorization": "Bearer " + "0" * 64},
            {"Authorization": "Bearer x"}, {"Cookie": "JSESSIONID=" + "0" * 32}, {"Cookie": "JSESSIONID="},
            {"Cookie": "JSESSIONID"}, {"Authorization": lost[0]}, {"Cookie": lost[1]},
            {"Authorization": f"Basic {basic}"}, {"Authorization": f"Bearer {live}"}, {"Cookie": f"JSESSIONID={token}"},
            {"Authorization": f"Bearer {cookie}"}, {"Cookie": f"OTHER={live}"},
            {"Cookie": f"JSESSIONID={live[:-1]}"}, {"Authorization": "Basic cm9vdDpyb290"}, {"X-User": "unix:0"},
            ended(appliance, Cookie=f"JSESSIONID={session(appliance)}"),
            ended(appliance, Authorization=f"Bearer {appliance.token('auditor')}")]


def operation_of(route):
    return next(one for one in openapikit.operations() if (one.method, one.shape) == (route.method, route.shape))


def routes(*methods):
    return [one for one in openapikit.routes() if one.role != "anonymous" and (not methods or one.method in methods)]


def request_for(route, certificates):
    operation = operation_of(route)
    return route.method, fill(operation, certificates), *good_request(operation, certificates)


def test_every_route_but_the_anonymous_refuses_strangers(appliance, certificates, no_credentials):
    before = appliance.state()
    stranger = appliance.stranger()
    for route, headers in itertools.product(routes(), no_credentials):
        if openapikit.prefix_of(route.path) and "Basic" in headers.get("Authorization", ""):
            continue  # to Apigee's family that is a guess of a password, and slowed: test_sap.py
        answer = stranger.ask(*request_for(route, certificates), headers=headers)
        assert answer.status == 401, (route, headers, answer)
        assert "x-ratelimit-limit" not in answer.headers
    assert appliance.state() == before


def test_strangers_do_not_learn_what_exists(appliance, certificates):
    stranger = appliance.stranger()
    for method, path in itertools.product(("GET", "POST", "PUT", "PATCH", "OPTIONS"),
                                          ("/api/v1/nothing", "/zia/api/v1/a/b/c", "/mintgate/v1/nothing", "/api/v1",
                                           f"{CERTIFICATES}/77", f"{CERTIFICATES}/1", CERTIFICATES)):
        assert stranger.ask(method, path).status == 401, (method, path)
    for path in ("//", "/nothing", "/crl/any.crl", "/metrics"):
        assert stranger.ask("GET", path).status == 404


def test_the_anonymous_routes_answer_strangers(appliance):
    stranger = appliance.stranger()
    for route in openapikit.routes():
        if route.role == "anonymous":
            while (answer := stranger.ask(route.method, route.path)).status == 429:
                time.sleep(int(answer.headers["retry-after"]))
            needs = openapikit.find(route.method, route.path)[0].parameters
            good = route.method == "GET" and not any(one.get("required") for one in needs)
            assert answer.status == (200 if good else 400), route


def test_what_readers_may_beside_get_is_this():
    shapes = {(one.method, openapikit.shape(one.path).split("/v1", 1)[-1]) for one in routes()
              if one.method != "GET" and one.role == "auditor"}
    assert shapes == READERS_OWN


@pytest.mark.parametrize("role", ["auditor", "operator"])
def test_a_role_does_not_what_is_for_higher_ones(appliance, certificates, role):
    client = appliance.client(role)
    before = appliance.state()
    higher = [one for one in routes() if ROLES.index(one.role) > ROLES.index(role)
              and not one.path.startswith(OWN_CREDENTIALS)]
    assert higher
    for route in higher:
        answer = client.ask(*request_for(route, certificates))
        assert is_refused_by_role(answer), (route, answer)
    assert appliance.state() == before


def looked_at(operation):
    """What may come of it; a private CA that is signed has no request to show, and of the Securosys family's objects,
    which have names, there are none."""
    if operation.document.name == "securosys":
        return (200, 403, 404)
    if operation.document.name == "sap":
        return (200, 400, 403, 404)  # nor of stores: test_sap.py
    return (400,) if operation.tree["operationId"] == "getSubCsr" else (200, 403)


def test_no_read_of_an_auditor_changes_anything(appliance, life, certificates):
    readers = [one for one in openapikit.one_base() if one.tree["x-role"] == "auditor" and one.method != "DELETE"]
    for operation in readers:
        for number in certificates.values() if "{id}" in operation.path else [0]:
            client = appliance.client("auditor")  # each has rate limits of its own: nobody has to wait
            before = appliance.state()
            request = good_request(operation, certificates) if operation.document.name == "securosys" else ()
            answer = client.ask(operation.method, fill(operation, certificates, id=number), *request)
            assert answer.status in looked_at(operation), (operation.path, answer)
            assert appliance.state() == before, operation.path
    assert life.show(certificates["KEYGEN_DONE"])["currentState"] == "KEYGEN_DONE"


def test_no_get_of_an_administrator_changes_anything_but_the_public_key_read(appliance, certificates):
    for operation in openapikit.one_base():
        needs_more = any(one.get("required") and one["in"] == "query" for one in operation.parameters)
        if operation.method == "GET" and not needs_more and operation.tree["operationId"] != "downloadPublicKey":
            for number in certificates.values() if "{id}" in operation.path else [0]:
                before = appliance.state()
                answer = appliance.admin.ask("GET", fill(operation, certificates, id=number))
                assert answer.status in looked_at(operation), (operation.path, answer)
                assert appliance.state() == before, operation.path


def test_a_session_has_the_role_of_its_user_and_ends(appliance, life):
    client = appliance.stranger(Cookie=f"JSESSIONID={session(appliance)}")
    assert client.ask("GET", SESSION).json["authType"] == "ADMIN_LOGIN"
    assert client.ask("POST", CERTIFICATES, {"name": "mine", "type": "CUSTOM_SW"}).status == 403
    assert client.ask("DELETE", SESSION).status == 204
    assert client.ask("GET", SESSION).status == 401


def test_a_session_of_a_user_that_was_disabled_is_over(appliance, life):
    appliance.add_user("leaver", "admin", PASSWORD)
    client = appliance.stranger(Cookie=f"JSESSIONID={log_in(appliance, user='leaver').json['jSessionID']}")
    assert client.ask("GET", SESSION).status == 200
    appliance.disable_user("leaver")
    assert client.ask("GET", SESSION).status == 401
    assert log_in(appliance, user="leaver").status == 401


def test_a_login_does_not_say_what_was_wrong(appliance, life):
    appliance.add_user("hinted", "auditor", PASSWORD)
    now = int(time.time() * 1000)
    good = {"username": "hinted", "password": PASSWORD, "timestamp": now, "apiKey": obfuscate(API_KEY, now)}
    texts = {appliance.stranger().ask("POST", SESSION, dict(good, **bad)).text
             for bad in ({"password": "another password"}, {"username": "nobody at all"}, {"apiKey": "0" * 12},
                         {"timestamp": now - 3600_000, "apiKey": obfuscate(API_KEY, now - 3600_000)})}
    assert len(texts) == 1 and "AUTHENTICATION_FAILED" in texts.pop()


def test_guessing_is_slowed_and_a_right_password_waits_too(appliance, life):
    appliance.add_user("guessed", "auditor", PASSWORD)
    for _ in range(20):
        answer = log_in(appliance, "a wrong password", "guessed")
        if answer.status == 429:
            break
        assert answer.status == 401
    assert answer.status == 429 and int(answer.headers["retry-after"]) >= 1, "nobody was slowed"
    assert log_in(appliance).status == 200, "another user has to wait"
    for _ in range(10):  # the wait may be over while we ask: then it is a failure again, and the next wait is longer
        if log_in(appliance, "a wrong password", "guessed").status == 429 and \
                (answer := log_in(appliance, user="guessed")).status == 429:
            break
    assert answer.status == 429
    wait_until(lambda: log_in(appliance, user="guessed").status == 200, seconds=120, what="the end of the wait")
