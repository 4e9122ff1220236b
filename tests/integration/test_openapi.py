# SPDX-License-Identifier: Apache-2.0
"""The description of the APIs is OpenAPI, describes what is served and nothing else, and to whom."""

import jsonschema
import pytest
import yaml

import openapikit

# Who is let in without a credential; each has its reason in control/http/anonymous.c.
ANONYMOUS = {("GET", "/health"), ("GET", "/ca.pem"), ("POST", "/api/v1/authenticatedSession"),
             ("POST", "/zia/api/v1/authenticatedSession"), ("POST", "/oauth2/v1/token"),
             ("POST", "/mintgate/v1/session"), ("GET", "/services/oauth2/authorize"), ("GET", "/"),
             ("POST", "/services/oauth2/authorize"), ("POST", "/services/oauth2/token"),
             ("POST", "/v1/approval"), ("PATCH", "/v1/task"), ("GET", "/oauth/token"), ("POST", "/oauth/token"),
             *(("POST", f"/v1/filtered{kind}ApprovalTask") for kind in
               ("All", "Sign", "Decrypt", "UnwrapKey", "BlockKey", "UnblockKey", "ModifyKey"))}


@pytest.mark.parametrize("document", openapikit.documents(), ids=lambda one: one.name)
def test_each_document_is_openapi(document):
    jsonschema.validate(document.tree, yaml.safe_load(openapikit.META.read_text()), jsonschema.Draft4Validator)
    names = [operation.tree["operationId"] for operation in document.operations()]
    bases = max([len(item.get("servers", document.tree["servers"])) for item in document.tree["paths"].values()] +
                [document.tree.get("x-bases", 1)])
    assert all(names.count(name) <= bases for name in names), "an operationId is there twice"


@pytest.mark.parametrize("document", openapikit.documents(), ids=lambda one: one.name)
def test_each_schema_is_a_schema_and_each_reference_leads_somewhere(document):
    def walk(node):
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            document.resolve(node)
            if "schema" in node:
                jsonschema.Draft4Validator.check_schema(node["schema"])
            for item in node.values():
                walk(item)
    walk(document.tree)


def test_every_route_is_described_and_every_described_operation_is_served():
    served = {(*route.shape, route.role, route.weight) for route in openapikit.routes()}
    described = {(*one.shape, one.tree["x-role"], one.tree["x-weight"]) for one in openapikit.operations()}
    assert served == described


def test_bodies_are_read_as_they_are_described():
    kinds = {"application/json": "json", "multipart/form-data": "multipart",
             "application/x-www-form-urlencoded": "form", None: "none"}
    served = {(*route.shape, route.body) for route in openapikit.routes()}
    described = {(*one.shape, one.tree.get("x-body", kinds[one.body()[0]])) for one in openapikit.operations()}
    assert served == described


def test_the_anonymous_routes_are_these():
    assert {(route.method, route.path) for route in openapikit.routes() if route.role == "anonymous"} == ANONYMOUS


def test_a_route_without_a_role_is_described_as_open_and_no_other():
    for operation in openapikit.operations():
        is_open = operation.tree.get("security") == []
        assert is_open == (operation.tree["x-role"] == "anonymous"), operation.path


@pytest.mark.parametrize("operation", openapikit.operations(), ids=lambda one: f"{one.method} {one.path}")
def test_examples_are_as_they_are_described(operation):
    _, schema, example = operation.body()
    assert example is None or not operation.document.errors(schema, example)


def test_an_answer_that_is_not_described_is_seen():
    good = openapikit.Answer(200, None, "application/json", '{"status": "ok"}')
    openapikit.check("GET", "/health", good)
    for wrong in (good._replace(status=201), good._replace(media="text/plain"), good._replace(text='{"status": 1}'),
                  good._replace(text='{"status": "ok", "more": 1}'), good._replace(text="{}")):
        with pytest.raises(AssertionError):
            openapikit.check("GET", "/health", wrong)
    with pytest.raises(AssertionError):
        openapikit.check("GET", "/nowhere", good)
