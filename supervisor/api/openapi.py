"""The OpenAPI document of what can be asked, from the table and its types.

Format: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), whose schemas are JSON Schema 2020-12,
as msgspec writes them. Only who asks for the document loads this.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from supervisor.api.endpoints import ENDPOINTS, Answer, Endpoint
from supervisor.kit.field_docs import class_docs
from supervisor.model.events import Event
from supervisor.model.status import AppStatus
from supervisor.model.wire import NoRequest, Problem

_REFERENCE = "#/components/schemas/{name}"
_JSON, _LINES, _PROBLEM = "application/json", "application/x-ndjson", "application/problem+json"
_ABOUT = """\
What the command line asks of podvisor's daemon, others may ask as well.

It is answered on the control socket, `$XDG_RUNTIME_DIR/podvisor/control.sock` (mode 0600, no token:
whoever may open it may do all that podvisor may), and over HTTP by the process of the page: its
questions always, its orders where the settings say `actions = true`, with a token.
"""
_TAGS = {
    "questions": "Nothing is changed by asking.",
    "orders": "Something is done. Who hangs up misses how it ends; it is done all the same.",
}
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("Bad Request", "It cannot be read.", "cannot read the request: Expected `array`"),
    401: ("Unauthorized", "Over HTTP: who asks has to say who that is.", "send the token"),
    403: ("Forbidden", "Over HTTP: who asks may not.", "the page takes no orders"),
    404: ("Not Found", "There is no such thing, or a person is needed.", "no app named wbe"),
    405: ("Method Not Allowed", "That is asked in another way.", "there is no PUT /v1/status"),
    413: ("Content Too Large", "It is larger than 64 KiB.", "it is larger than 65536 bytes"),
    415: ("Unsupported Media Type", "Over HTTP: it is no JSON.", "send it as application/json"),
    421: ("Misdirected Request", "Over HTTP: it is not known by this name.", "not known"),
    429: ("Too Many Requests", "Over HTTP: too many tokens were wrong.", "wait a minute"),
    503: ("Service Unavailable", "It could not be done now.", "the daemon is not running"),
}
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "status": {"app": "web"},
    "history": {"app": "web"},
    "compare": {"app": "web", "old": "3f2a91c0", "new": "8d0c7e55"},
    "events": {"app": "web", "failed": True, "limit": 20},
    "why": {"name": "web"},
    "images": {"app": "web"},
    "plan": {"apps": ["web"]},
    "diff": {"apps": ["web"], "units": True},
    "test_certificate": {"name": "web"},
    "sync": {"apps": ["web"]},
    "suspend": {"apps": ["web"], "seconds": 3600, "reason": "the disk is replaced"},
    "resume": {"apps": ["web"]},
    "rollback": {"apps": ["web"], "reason": "the new one is slow"},
    "restore": {"apps": ["web"], "revision": "3f2a91c0"},
    "retry": {"apps": ["web"]},
    "scale": {"app": "web", "replicas": 3},
    "update": {"name": "web", "now": True},
    "pin": {"app": "web", "words": ["1.27"], "reason": "1.28 loses requests"},
    "unpin": {"app": "web"},
    "rotate_secret": {"name": "web-session-key"},
    "renew_certificate": {"name": "web"},
    "revoke_certificate": {"name": "web"},
    "machine": {"app": "web"},
    "logs": {"unit": "web.service"},
    "test_notifier": {"name": "phone"},
    "test_webhook": {"target": "home"},
}
"""What some are asked with, by the name of the operation."""


def document(version: str) -> dict[str, Any]:
    """Return it as plain values, for podvisor of this version."""
    types: set[type[msgspec.Struct]] = {Event, AppStatus, Problem}
    types.update(kind for one in ENDPOINTS for kind in (one.request, one.reply))
    types.discard(NoRequest)
    _, schemas = msgspec.json.schema_components(
        sorted(types, key=lambda one: one.__name__), ref_template=_REFERENCE
    )
    _describe(schemas)
    paths: dict[str, Any] = {}
    for one in ENDPOINTS:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "podvisor",
            "summary": "Keeps the rootless Podman containers of one machine as Git says.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
            "version": version,
        },
        "servers": [
            {"url": ".", "description": "where this document was got: the process of the page"},
            {"url": "http://podvisor", "description": "by any name, over the control socket"},
        ],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        # Without a token, too: on the control socket, and where the page lets anybody look.
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _error(status) for status in _ERRORS},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "That of the settings; never in a URL.",
                }
            },
        },
    }


def _describe(schemas: dict[str, Any]) -> None:
    """Say of each field what its struct's source says of it."""
    modules = [
        module for name, module in sys.modules.items() if name.startswith("supervisor.model")
    ]
    docs = {name: one for module in modules for name, one in class_docs(module).items()}
    for name, schema in schemas.items():
        for field, said in schema.get("properties", {}).items():
            if text := docs.get(name, ("", {}))[1].get(field):
                said["description"] = text


def _operation(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary[0].upper() + one.summary[1:],
        "tags": ["orders" if one.is_order else "questions"],
    }
    schema = schemas.get(one.request.__name__, {})
    if one.method == "GET" and one.request is not NoRequest:
        operation["parameters"] = [*_parameters(schema, _EXAMPLES.get(one.name, {}))]
    elif one.request is not NoRequest:
        body: dict[str, Any] = {"schema": _ref(one.request)}
        if one.name in _EXAMPLES:
            body["example"] = _EXAMPLES[one.name]
        operation["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {_JSON: body},
        }
    operation["responses"] = {
        "200": _success(one),
        **{
            str(status): {"$ref": f"#/components/responses/{status}"}
            for status in _ERRORS
            if status not in _unlikely(one)
        },
    }
    return operation


def _parameters(schema: Mapping[str, Any], example: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, kind in schema.get("properties", {}).items():
        said: dict[str, Any] = {"name": name, "in": "query"}
        is_needed = name in schema.get("required", ())
        if is_needed:
            said["required"] = True
        if text := kind.get("description"):
            said["description"] = text
        said["schema"] = _said(kind, is_needed=is_needed)
        if name in example:
            said["example"] = example[name]
        yield said


def _said(kind: Mapping[str, Any], *, is_needed: bool) -> dict[str, Any]:
    """Return the schema of what is said, if it is: in a query, nothing is null."""
    schema = {key: value for key, value in kind.items() if key not in {"description", "anyOf"}}
    if schema.get("default", 0) is None:
        del schema["default"]
    for one in kind.get("anyOf", ()):
        if one != {"type": "null"}:
            schema.update(one)
    if "default" not in schema and not is_needed:
        schema.pop("minLength", None)  # one that is empty is as if it were not said
    return schema


def _unlikely(one: Endpoint) -> set[int]:
    """Return the errors that are none of this one's: it has no body, or is not read."""
    if one.method == "GET":
        return {400, 413, 415} if one.request is NoRequest else {413, 415}
    return set()


def _success(one: Endpoint) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": one.answer.value[0].upper() + one.answer.value[1:],
        "content": _content(one),
    }
    if one.answer is Answer.STREAM:
        said["headers"] = {
            "Link": {
                "description": 'With `limit`: where the next page is (RFC 8288, rel="next").',
                "schema": {"type": "string"},
                "example": '<?limit=20&before_id=4711>; rel="next"',
            }
        }
    return said


def _content(one: Endpoint) -> dict[str, Any]:
    """Return the schema of the body, or of each of its lines."""
    if one.answer is Answer.WHOLE:
        return {_JSON: {"schema": _ref(one.reply)}}
    if one.answer is Answer.STREAM:
        return {_LINES: {"schema": _ref(one.reply)}}
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
    return {_LINES: {"schema": {"oneOf": lines}}}


def _error(status: int) -> dict[str, Any]:
    title, text, detail = _ERRORS[status]
    example = Problem(title=title, status=status, detail=detail)
    body = {"schema": _ref(Problem), "example": msgspec.to_builtins(example)}
    return {"description": text, "content": {_PROBLEM: body}}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}
