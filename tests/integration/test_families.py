# SPDX-License-Identifier: Apache-2.0
"""One family's clients can neither see nor touch another's objects: each family's credential against every route of the
others, of the program's own table."""

import base64

import pytest

import naverkit
import openapikit
from ccadbkit import Ccadb
from keyskit import Authority
from restkit import FAMILIES, Appliance, Certificates, fill, login_body

PASSWORD, API_KEY = "a long enough password", "0123456789abcdefghij"
PREFIXES = {"/api/v1/ca": "naver", "/api/v1": "zia", "/zia/api/v1": "zia", "/mintgate/v1": "mintgate",
            "/services": "ccadb", openapikit.ODATA: "sap", "/v1/organizations": "sap", "/v1/o": "sap",
            "/v1": "securosys"}


def family_of(path):
    longest = max((one for one in PREFIXES if path == one or path.startswith(one + "/")), key=len)
    return PREFIXES[longest]


def routes():
    """Those that need a credential, with their parameters filled in."""
    operations = {one.shape: one for one in openapikit.operations()}
    return [(one.method, fill(operations[one.shape], Certificates())) for one in openapikit.routes()
            if one.role != "anonymous"]


def test_every_family_has_routes():
    assert {family_of(path) for _, path in routes()} == {*FAMILIES, "ccadb", "naver"}


@pytest.fixture(scope="module")
def appliance(tmp_path_factory):
    made = Appliance(tmp_path_factory.mktemp("families"), rate_limits=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def ccadb(appliance):
    made = Ccadb(appliance)
    made.add_owner("An Owner", Authority("A Root"))
    return made


def bearer(appliance, family):
    return {"Authorization": f"Bearer {appliance.token('admin', [family])}"}


def legacy_session(appliance):
    """The session of the vendor's older clients, which log in as a person with an API key."""
    appliance.add_user("legacy", "admin", PASSWORD)
    appliance.add_api_key("legacy", API_KEY)
    answer = appliance.stranger().ask("POST", "/api/v1/authenticatedSession", login_body("legacy", PASSWORD, API_KEY))
    return {"Cookie": f"JSESSIONID={answer.json['jSessionID']}"}


def password_token(appliance):
    """What Apigee's clients get for a person's password."""
    appliance.add_user("edgar", "admin", PASSWORD)
    basic = base64.b64encode(b"edgecli:edgeclisecret").decode()
    answer = appliance.stranger(Authorization=f"Basic {basic}").ask(
        "POST", "/oauth/token", f"grant_type=password&username=edgar&password={PASSWORD.replace(' ', '+')}",
        "application/x-www-form-urlencoded")
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def api_key(appliance, role):
    answer = appliance.admin.ask("POST", "/mintgate/v1/ska/api-keys", {"name": role, "role": role})
    return {"X-API-KEY": answer.json["key"]}


# Credentials: the family, how to get headers, and a GET that they open there.
CREDENTIALS = {
    "zia token": ("zia", lambda appliance, _: bearer(appliance, "zia"), "/zia/api/v1/intermediateCaCertificate"),
    "zia session": ("zia", lambda appliance, _: legacy_session(appliance), "/zia/api/v1/intermediateCaCertificate"),
    "sap token": ("sap", lambda appliance, _: bearer(appliance, "sap"), f"{openapikit.ODATA}/CertificateStores"),
    "apigee token": ("sap", lambda appliance, _: password_token(appliance), "/v1/o/acme/e/test/keystores"),
    "securosys token": ("securosys", lambda appliance, _: bearer(appliance, "securosys"), "/v1/key"),
    "securosys key": ("securosys", lambda appliance, _: api_key(appliance, "keyManagementToken"), "/v1/key"),
    "mintgate token": ("mintgate", lambda appliance, _: bearer(appliance, "mintgate"), "/mintgate/v1/users"),
    "ccadb token": ("ccadb", lambda _, ccadb: ccadb.caller("caller", "An Owner").http.headers, None),
    "naver key": ("naver", None, "/api/v1/ca"),
}


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_familys_credential_opens_that_family_alone(appliance, ccadb, name):
    family, make, opened = CREDENTIALS[name]
    key = None if make else naverkit.add_key(appliance.admin, "admin")

    def headers(method, path):
        return naverkit.signature(method, path, key) if key else fixed
    fixed = make(appliance, ccadb) if make else None
    client = appliance.stranger()
    if opened:
        assert client.ask("GET", opened, headers=headers("GET", opened)).status == 200
    before = appliance.state()
    others = [(method, path) for method, path in routes() if family_of(path) != family]
    assert others
    for method, path in others:
        answer = client.ask(method, path, headers=headers(method, path))
        assert answer.status == 401, (name, method, path, answer)
    assert appliance.state() == before


def test_a_client_counts_where_it_was_made_for(appliance):
    """By default for the vendor's clients that there were first; and in several families where that is said."""
    made = appliance.admin.ask("POST", "/mintgate/v1/clients", {"id": "plain", "role": "auditor"})
    assert made.json["families"] == ["zia"]
    both = appliance.stranger(Authorization=f"Bearer {appliance.token('auditor', ['securosys', 'sap'])}")
    for path, status in (("/v1/key", 200), (f"{openapikit.ODATA}/CertificateStores", 200),
                         ("/zia/api/v1/intermediateCaCertificate", 401), ("/mintgate/v1/default", 401)):
        assert both.ask("GET", path).status == status, path
    for families in ([], ["ccadb"], ["zia", 5], "zia", ["zia"] * 5):
        answer = appliance.admin.ask("POST", "/mintgate/v1/clients",
                                     {"id": "bad", "role": "auditor", "families": families})
        assert answer.status == 400 and "families" in answer.json["message"], families
    assert "bad" not in appliance.admin.ask("GET", "/mintgate/v1/clients").text


def test_a_person_that_logs_in_to_mintgate_reaches_what_the_role_allows(appliance):
    """For mintgatectl, which asks all families in that person's name."""
    appliance.add_user("person", "auditor", PASSWORD)
    made = appliance.stranger().ask("POST", "/mintgate/v1/session", {"name": "person", "password": PASSWORD})
    session = appliance.stranger(Cookie=made.headers["set-cookie"].split(";")[0])
    for path in ("/zia/api/v1/intermediateCaCertificate", "/v1/key", f"{openapikit.ODATA}/CertificateStores",
                 "/mintgate/v1/default", "/mintgate/v1/pca/ca"):
        assert session.ask("GET", path).status == 200, path
