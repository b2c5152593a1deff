"""The OpenAPI document of what can be asked, from the table and its types.

Format: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), whose schemas are JSON Schema 2020-12,
as msgspec writes them. Only who asks for the document loads this.
"""

from typing import Any

import msgspec

from supervisor.api.endpoints import ENDPOINTS, Answer, Endpoint
from supervisor.model.events import Event
from supervisor.model.status import AppStatus
from supervisor.model.wire import NoRequest, Problem

_REFERENCE = "#/components/schemas/{name}"


def document(version: str) -> dict[str, Any]:
    """Return it as plain values, for podvisor of this version."""
    types: set[type[msgspec.Struct]] = {Event, AppStatus, Problem}
    types.update(kind for one in ENDPOINTS for kind in (one.request, one.reply))
    types.discard(NoRequest)
    _, schemas = msgspec.json.schema_components(
        sorted(types, key=lambda one: one.__name__), ref_template=_REFERENCE
    )
    paths: dict[str, Any] = {}
    for one in ENDPOINTS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.1",
        "info": {"title": "podvisor", "version": version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": ["orders" if one.is_order else "questions"],
    }
    if one.method == "GET":
        fields = schemas.get(one.request.__name__, {}).get("properties", {})
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": schema} for name, schema in fields.items()
        ]
    elif one.request is not NoRequest:
        operation["requestBody"] = {"content": {"application/json": {"schema": _ref(one.request)}}}
    operation["responses"] = {
        "200": {"description": one.answer.value, "content": _content(one)},
        "default": {
            "description": "why not",
            "content": {"application/problem+json": {"schema": _ref(Problem)}},
        },
    }
    return operation


def _content(one: Endpoint) -> dict[str, Any]:
    """Return the schema of the body, or of each of its lines."""
    if one.answer is Answer.WHOLE:
        return {"application/json": {"schema": _ref(one.reply)}}
    if one.answer is Answer.STREAM:
        return {"application/x-ndjson": {"schema": _ref(one.reply)}}
    kinds: dict[str, type[msgspec.Struct]] = {
        "event": Event,
        "waiting": AppStatus,
        "reply": one.reply,
        "problem": Problem,
    }
    lines = [
        {"type": "object", "properties": {name: _ref(kind)}, "required": [name]}
        for name, kind in kinds.items()
    ]
    return {"application/x-ndjson": {"schema": {"anyOf": lines}}}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
