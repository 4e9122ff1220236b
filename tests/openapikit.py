# SPDX-License-Identifier: Apache-2.0
"""The description of the APIs (docs/api/openapi): every answer that a test gets is held against it."""

import functools
import json
import pathlib
import re
import typing
import urllib.parse

import jsonschema
import yaml

from labkit import BUILD, ROOT, run

FOLDER = ROOT / "docs/api/openapi"
# The vendor-neutral schema of OpenAPI 3.0 itself, of the package openapi-specification.
META = pathlib.Path("/usr/share/openapi-specification/schemas/v3.0/schema.yaml")
METHODS = ("get", "post", "put", "delete", "patch")
MAX_ID = 2**63 - 1


class Route(typing.NamedTuple):
    """A line of `mintgate-control --routes`."""
    method: str
    path: str
    role: str
    weight: str
    body: str
    limit: int

    @property
    def shape(self):
        return self.method, shape(self.path)


def shape(path):
    """A path's pattern, whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", path)


def split_word(pattern):
    """A segment of a pattern: the parameter's name, and the text before and behind it; None if there is none."""
    return re.fullmatch(r"(?P<before>[^{]*)\{(?P<name>\w+)\}(?P<behind>.*)", pattern)


@functools.lru_cache
def routes():
    """What the program says that it serves."""
    lines = run(BUILD / "control/program/mintgate-control", "--routes").stdout.splitlines()
    return [Route(*words[:5], int(words[5])) for words in map(str.split, lines)]


class Document:
    """One file of the description."""

    def __init__(self, path):
        self.name = path.stem
        self.tree = yaml.safe_load(path.read_text())

    def resolve(self, node):
        """What a reference stands for."""
        while "$ref" in node:
            target = self.tree
            for word in node["$ref"].removeprefix("#/").split("/"):
                target = target[word]
            node = target
        return node

    def errors(self, schema, instance):
        resolver = jsonschema.RefResolver("", self.tree)
        return [error.message for error in jsonschema.Draft4Validator(schema, resolver=resolver).iter_errors(instance)]

    def operations(self):
        for pattern, item in self.tree["paths"].items():
            bases = [one["url"].rstrip("/") for one in item.get("servers", self.tree["servers"])]
            for method in METHODS:
                for base in bases if method in item else []:
                    yield Operation(self, method.upper(), base + pattern, item[method],
                                    item.get("parameters", []) + item[method].get("parameters", []))


class Operation(typing.NamedTuple):
    document: Document
    method: str
    path: str
    tree: dict
    raw_parameters: list

    @property
    def shape(self):
        return self.method, shape(self.path)

    @property
    def parameters(self):
        return [self.document.resolve(one) for one in self.raw_parameters]

    def matches(self, path):
        """How literal the pattern is that takes |path|; None if it does not."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given) or not all(map(self._takes, wanted, given)):
            return None
        return ["{" not in want for want in wanted]

    def _takes(self, want, have):
        word = split_word(want)
        if not word:
            return want == have
        before, name, behind = word["before"], word["name"], word["behind"]
        if not (have.startswith(before) and have.endswith(behind) and len(have) > len(before + behind)):
            return False
        (kind,) = {one["schema"]["type"] for one in self.parameters if one["name"] == name and one["in"] == "path"}
        return kind == "string" or re.fullmatch(r"[0-9]+", have) and int(have) <= MAX_ID

    def body(self):
        """Media type, schema and example of the body that is read; (None, None, None) if there is none."""
        if "requestBody" not in self.tree:
            return None, None, None
        ((media, content),) = self.document.resolve(self.tree["requestBody"])["content"].items()
        return media, content["schema"], content.get("example")

    def check(self, answer):
        """Complains of an answer that is not as described."""
        responses = self.tree["responses"]
        assert str(answer.status) in responses, f"{self.method} {self.path} may not answer {answer}"
        check_answer(self.document, responses[str(answer.status)], answer)


class Answer(typing.NamedTuple):
    status: int
    headers: dict  # names in lower case; None: they are not known
    media: str  # "" if there is none
    text: str

    @property
    def json(self):
        return json.loads(self.text)


def check_answer(document, response, answer):
    response = document.resolve(response)
    content = response.get("content", {})
    media = answer.media.split(";")[0]
    if answer.headers is not None:
        for name, header in response.get("headers", {}).items():
            assert not document.resolve(header).get("required") or name.lower() in answer.headers, (name, answer)
    if not content:
        assert (media, answer.text) == ("", ""), f"an answer without a body: {answer}"
        return
    assert media in content, f"of another media type than {list(content)}: {answer}"
    instance = answer.json if media == "application/json" else answer.text
    complaints = document.errors(content[media]["schema"], instance)
    assert not complaints, f"{answer} is not as described: {complaints}"


@functools.lru_cache
def documents():
    return [Document(path) for path in sorted(FOLDER.glob("*.yaml"))]


@functools.lru_cache
def operations():
    return [operation for document in documents() for operation in document.operations()]


def one_base():
    """Each operation once: both base paths of a family have the same table."""
    return list({(one.document.name, one.method, one.tree["operationId"]): one for one in operations()}.values())


def find(method, path):
    """The operation that answers, and whether the path is served at all."""
    found = [(rank, operation) for operation in operations() if (rank := operation.matches(path)) is not None]
    if not found:
        return None, False
    best = max(rank for rank, _ in found)
    chosen = [operation for rank, operation in found if rank == best and operation.method == method]
    return (chosen[0] if chosen else None), True


def family_of(path):
    """The document whose shape an error has where no operation answers."""
    bases = {"/api/v1/ca": "naver", "/mintgate/v1/pca": "naver", "/api/v1": "zia", "/zia/api/v1": "zia",
             ODATA: "sap", **{base: "sap" for base in EDGE}, "/v1": "securosys", "/services/apexrest": "ccadb"}
    names = [name for base, name in bases.items() if path == base or path.startswith(base + "/")]
    return next(one for one in documents() if one.name == (names or ["mintgate"])[0])


ODATA, EDGE = "/apiportal/api/1.0/Management.svc", ("/v1/organizations", "/v1/o")


def prefix_of(path):
    """What the names of the responses begin with, in a document with two families' shapes."""
    return "Edge" if path.startswith(tuple(base + "/" for base in EDGE)) or path in EDGE else ""


def check(method, target, answer):
    """Holds an answer of the real server against the description."""
    path = urllib.parse.urlsplit(target).path
    operation, is_served = find(method, path)
    if operation:
        operation.check(answer)
        return
    if path.startswith(("/oauth2/v1", "/services/oauth2", "/oauth/")) or path == "/oauth":
        assert answer.status in (404, 405) and set(answer.json) == {"error", "error_description"}, answer
        return
    document = family_of(path)
    expected = {401: "Unauthenticated", 405 if is_served else 404: "MethodNotAllowed" if is_served else "NotFound"}
    assert answer.status in expected, f"{method} {path} is not described: {answer}"
    name = prefix_of(path) + expected[answer.status]
    check_answer(document, document.tree["components"]["responses"][name], answer)
