#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/api/reference.md, on standard output, from the OpenAPI documents in docs/api/openapi."""
import json
import pathlib
import re
import textwrap

import yaml

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs/api/openapi"
METHODS = ("get", "post", "put", "delete", "patch")
INTRODUCTION = """# The APIs: reference

What `mintgate-control` serves. *Who* is the least role that may: an operator may what an auditor may, an admin
everything. *Weight* tells which rate limits count, on TCP. *Answer* is the one to what is done; the others are in the
tables of errors. The same for programs: [openapi](openapi). What was chosen where a vendor's documents say nothing:
[zia.md](zia.md), [ccadb.md](ccadb.md), [naver.md](naver.md), [securosys.md](securosys.md), [sap.md](sap.md).

Made by `scripts/docs` from docs/api/openapi; do not edit."""


class Document:
    def __init__(self, path):
        self.tree = yaml.safe_load(path.read_text())

    def resolve(self, node):
        """What a reference stands for, and its name; None where it is none."""
        name = None
        while "$ref" in node:
            target = self.tree
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node, name

    # ---- types ----

    def type_of(self, schema):
        """A schema in a few words."""
        inner, name = self.resolve(schema)
        if name and inner.get("type") == "object":
            return f"[{name}](#{anchor(self.object_title(name))})"
        if "enum" in inner:
            return ", ".join(f"`{json.dumps(value).strip(chr(34))}`" for value in inner["enum"] if value != "")
        if "allOf" in inner:
            return " and ".join(filter(None, map(self.type_of, inner["allOf"])))
        if "oneOf" in inner:
            return " or ".join(map(self.type_of, inner["oneOf"]))
        if inner.get("type") == "array":
            return f"array of {self.type_of(inner['items'])}"
        if inner.get("type") == "object":
            return ", ".join(self.inline(inner)) or "object"
        return {"string": "text", "integer": "number", "boolean": "true or false", None: ""}[inner.get("type")]

    def inline(self, schema):
        return [f"`{name}`" for name in schema.get("properties", {})]

    def bounds(self, schema):
        """The rules of a value beyond its type."""
        schema, _ = self.resolve(schema)
        low, high = schema.get("minLength", schema.get("minimum")), schema.get("maxLength", schema.get("maximum"))
        unit = " characters" if "maxLength" in schema else ""
        if low is not None and high is not None:
            return f"{low} to {high}{unit}"
        if high is not None:
            return f"up to {high}{unit}"
        return f"from {low}" if low and "minimum" in schema else ""

    def object_title(self, name):
        return f"{name} ({self.tree['info']['title']})" if name in SHARED else name

    # ---- operations ----

    def operations(self):
        for pattern, item in self.tree["paths"].items():
            for method in METHODS:
                if method in item:
                    base = item["servers"][0]["url"] if "servers" in item else ""
                    yield method.upper(), base + pattern, item[method], item.get("parameters", [])

    def body(self, operation):
        if "requestBody" not in operation:
            return "–"
        body, _ = self.resolve(operation["requestBody"])
        ((media, content),) = body["content"].items()
        words = {"multipart/form-data": "form with the file ", "application/x-www-form-urlencoded": "form: "}
        text = words.get(media, "") + self.type_of(content["schema"])
        return "`{}`" if text == "object" else text

    def answers(self, operation):
        found = []
        for status, response in operation["responses"].items():
            response, _ = self.resolve(response)
            if int(status) < 300:
                given = [self.type_of(one["schema"]) if media == "application/json" else f"`{media}`"
                         for media, one in response.get("content", {}).items()]
                found.append(" ".join([status, *given]))
        return "; ".join(found) or "never"

    def parameters(self, operation, shared):
        for parameter in shared + operation.get("parameters", []):
            parameter, _ = self.resolve(parameter)
            if parameter["in"] == "query":
                schema = parameter["schema"]
                rules = [self.bounds(schema) or self.type_of(schema)]
                rules += [f"by default {schema['default']}"] if "default" in schema else []
                yield f"`?{parameter['name']}` ({', '.join(rules)}): {parameter.get('description', '')}"

    def table(self, tag):
        yield "| Call | Who | Weight | Body | Answer | |"
        yield "|---|---|---|---|---|---|"
        for method, path, operation, shared in self.operations():
            if tag in operation["tags"]:
                text = " ".join([operation["summary"] + ".", operation.get("description", ""),
                                 *self.parameters(operation, shared)])
                yield (f"| `{method} {path}` | {operation['x-role']} | {operation['x-weight']} | "
                       f"{self.body(operation)} | {self.answers(operation)} | {squeeze(text)} |")

    # ---- errors, objects ----

    def errors(self):
        """Each response that tells of an error, with its statuses. 405 belongs to no operation."""
        statuses = {"MethodNotAllowed": {"405"}}
        for _, _, operation, _ in self.operations():
            for status, response in operation["responses"].items():
                if int(status) >= 300:
                    statuses.setdefault(self.resolve(response)[1], set()).add(status)
        yield "| Status | Codes | When |"
        yield "|---|---|---|"
        for name, numbers in sorted(statuses.items(), key=lambda one: sorted(one[1])):
            response = self.tree["components"]["responses"][name]
            yield f"| {', '.join(sorted(numbers))} | {self.codes(response)} | {squeeze(response['description'])} |"

    def codes(self, response):
        for content in response.get("content", {}).values():
            return ", ".join(f"`{one}`" for one in self.codes_of(content["schema"]))
        return "no body"

    def codes_of(self, schema):
        """The words or numbers that tell errors of such a shape apart."""
        schema, _ = self.resolve(schema)
        if "oneOf" in schema:
            return [code for one in schema["oneOf"] for code in self.codes_of(one)]
        if schema.get("type") == "array":
            return self.codes_of(schema["items"])
        members = schema.get("properties", {})  # none: a page
        code = members.get("code", members.get("error", {}))
        return code.get("properties", {}).get("errorCode", code).get("enum", [])

    def objects(self):
        for name, schema in self.tree["components"]["schemas"].items():
            if "properties" in schema:
                yield f"### {self.object_title(name)}\n"
                if "description" in schema:
                    yield paragraph(schema["description"])
                yield "| Member | Type | | |"
                yield "|---|---|---|---|"
                for member, one in schema["properties"].items():
                    must = " (always)" if member in schema.get("required", []) else ""
                    text = self.resolve(one)[0].get("description", "")
                    yield f"| `{member}`{must} | {self.type_of(one)} | {self.bounds(one)} | {squeeze(text)} |"
                yield ""

    def page(self):
        info = self.tree["info"]
        yield f"## {info['title']}\n"
        yield paragraph(info["description"])
        bases = " and ".join(f"`{one['url']}`" for one in self.tree["servers"])
        if bases != "`/`":
            yield paragraph(f"Paths are behind {bases}, but for those that say more.")
        for tag in self.tree["tags"]:
            yield f"### {tag['name']}\n"
            yield paragraph(tag["description"])
            yield from self.table(tag["name"])
            yield ""
        yield f"### Errors of {info['title'].split(': ')[-1]}\n"
        yield from self.errors()
        yield ""
        yield from self.objects()


def squeeze(text):
    return " ".join(text.split()).replace("|", "\\|")


def paragraph(text):
    return "\n".join(textwrap.wrap(" ".join(text.split()), 120)) + "\n"


def anchor(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


DOCUMENTS = [Document(path) for path in sorted(FOLDER.glob("*.yaml"), reverse=True)]
NAMES = [name for document in DOCUMENTS for name in document.tree["components"]["schemas"]]
SHARED = {name for name in NAMES if NAMES.count(name) > 1}

print(INTRODUCTION + "\n")
for document in DOCUMENTS:
    print("\n".join(document.page()).rstrip() + "\n")
