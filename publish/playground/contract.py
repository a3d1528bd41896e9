"""Holding requests and answers against Azure's own description of its services (openapi/README.md).

Strictly: the documents allow properties that they do not name, and so would let every slip of the pen through.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

FOLDER = Path(__file__).parent / "openapi"
DOCUMENTS = (
    "GalleryRP/stable/2024-03-03/gallery.json",
    "DiskRP/stable/2024-03-02/disk.json",
    "ComputeRP/stable/2024-07-01/image.json",
    "Authorization/stable/2022-04-01/authorization-RoleAssignmentsCalls.json",
    "Skus/stable/2021-07-01/skus.json",
)
ANYTHING = "/{roleAssignmentId}"
"""A path that every other one would fit."""
METHODS = ("get", "put", "patch", "post", "delete")
NEWER = {"systemData": {"type": "object"}}
"""Properties of answers that later API versions added to every resource."""
Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """What one method at one path takes and gives; `name` is the document's operationId."""

    name: str
    method: str
    path: "re.Pattern[str]"
    body: Schema | None
    answers: Mapping[str, Schema | None]


def request_faults(method: str, path: str, body: Any) -> list[str]:
    """What is wrong with a request; nothing where no document knows it."""
    found = find(method, path)
    if not found or found.body is body is None:
        return []
    if found.body is None or body is None:
        return [f"{found.name} takes no body" if found.body is None else f"{found.name} needs a body"]
    return _faults(found.name, found.body, body)


def answer_faults(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer."""
    found = find(method, path)
    if not found:
        return []
    if status >= 400:
        error = body.get("error") if isinstance(body, dict) else None
        known = isinstance(error, dict) and {"code", "message"} <= error.keys()
        return [] if known else [f"{found.name}: an error without code and message"]
    if str(status) not in found.answers:
        return [f"{found.name} never answers {status}"]
    schema = found.answers[str(status)]
    return _faults(found.name, schema, body) if schema and body is not None else []


def find(method: str, path: str) -> Operation | None:
    """The operation that a request means."""
    return next((one for one in operations() if one.method == method.lower() and one.path.fullmatch(path)), None)


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation of the documents, longer paths first."""
    return tuple(sorted(_operations(), key=lambda one: -len(one.path.pattern)))


def _operations() -> Iterator[Operation]:
    for name in DOCUMENTS:
        document = _document(name)
        for path, methods in document["paths"].items():
            if path == ANYTHING:
                continue
            for method, told in methods.items():
                if method in METHODS:
                    yield _operation(name, path, method, told)


def _operation(document: str, path: str, method: str, told: Mapping[str, Any]) -> Operation:
    parameters = [_parameter(document, one) for one in told.get("parameters", ())]
    body = next((one["schema"] for one in parameters if one.get("in") == "body"), None)
    answers = {
        status: _strict(document, one["schema"], request=False) if "schema" in one else None
        for status, one in told["responses"].items()
        if status != "default"
    }
    pattern = re.sub(r"\\\{scope\\\}", ".+", re.escape(path).replace("/\\{scope", "/?\\{scope"))
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
    return Operation(
        told["operationId"],
        method,
        re.compile(pattern, re.IGNORECASE),
        _strict(document, body, request=True) if body else None,
        answers,
    )


def _parameter(document: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter, or what it refers to; that lies in documents of which not all are kept."""
    try:
        return _referred(document, told["$ref"])[1] if "$ref" in told else told
    except (FileNotFoundError, ValueError):
        return {}


@cache
def _document(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return told


def _strict(document: str, schema: Mapping[str, Any], *, request: bool, within: tuple[str, ...] = ()) -> Schema:
    """A schema with everything that it refers to, where only what is named may stand."""
    if "$ref" in schema:
        where, told = _referred(document, schema["$ref"])
        if where in within:
            return {}
        return _strict(where.split("#")[0], told, request=request, within=(*within, where))
    made: Schema = {key: value for key, value in schema.items() if key in PLAIN}
    if "enum" in schema and request:
        made["enum"] = schema["enum"]
    if "items" in schema:
        made["items"] = _strict(document, schema["items"], request=request, within=within)
    properties, required = _properties(document, schema, request=request, within=within)
    if properties:
        made |= {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            made["required"] = sorted(required)
    elif isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _strict(document, schema["additionalProperties"], request=request, within=within)
    return made


PLAIN = ("type", "pattern", "minLength", "maxLength", "minimum", "maximum")


def _properties(
    document: str, schema: Mapping[str, Any], *, request: bool, within: tuple[str, ...]
) -> tuple[dict[str, Schema], set[str]]:
    """Properties of a schema and of all that it is made of. A request has none that are only read."""
    properties: dict[str, Schema] = {}
    required = set(schema.get("required", ()))
    for base in schema.get("allOf", ()):
        where, told = _referred(document, base["$ref"])
        if where not in within:
            more, needed = _properties(where.split("#")[0], told, request=request, within=(*within, where))
            properties |= more
            required |= needed
    for name, told in schema.get("properties", {}).items():
        if not (request and told.get("readOnly")):
            properties[name] = _strict(document, told, request=request, within=within)
    if not request and {"id", "location"} <= properties.keys():
        properties |= NEWER
    return properties, required & properties.keys()


def _referred(document: str, reference: str) -> tuple[str, dict[str, Any]]:
    """A reference as document#pointer, and what stands there."""
    file, _, pointer = reference.partition("#")
    where = (
        document if not file else str((FOLDER / document).parent.joinpath(file).resolve().relative_to(FOLDER.resolve()))
    )
    told: Any = _document(where)
    for part in pointer.strip("/").split("/"):
        told = told[part]
    return f"{where}#{pointer}", told


def _faults(name: str, schema: Schema, body: Any) -> list[str]:
    found = Draft4Validator(schema).iter_errors(body)
    return [f"{name}: {'.'.join(map(str, one.absolute_path)) or 'body'}: {one.message[:300]}" for one in found]
