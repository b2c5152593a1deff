"""The schema of what commands write with --json; tests/host holds real output against the types."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec.inspect
import pytest

from contrib.lib import json_schema
from tests.cli.test_reference import every_command

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/json.schema.json").read_text())


def test_every_command_writes_json_or_says_why_not() -> None:
    without = {name for name, command in every_command() if not json_schema.takes_json(command)}
    assert without == json_schema.WITHOUT.keys()


def test_every_command_that_writes_json_has_a_schema() -> None:
    told = {name for name, command in every_command() if json_schema.takes_json(command)}
    assert told == json_schema.WRITES.keys()
    assert {f"podvisor-{name.replace(' ', '-')}" for name in told} <= SCHEMA["$defs"].keys()


def test_nothing_is_referred_to_that_is_not_there() -> None:
    held = {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
    assert set(references(SCHEMA)) - held == set()


def test_what_is_as_usual_is_left_out_of_all_that_is_written() -> None:
    """Of every type that stands anywhere in the output of any command."""
    kinds = {kind for some, _ in json_schema.WRITES.values() for kind in some}
    found: dict[type, msgspec.inspect.StructType] = {}
    left = [msgspec.inspect.type_info(kind) for kind in kinds]
    while left:
        one = left.pop()
        if isinstance(one, msgspec.inspect.StructType):
            if one.cls in found:
                continue
            found[one.cls] = one
            left += [field.type for field in one.fields]
        for name in ("types", "item_types"):
            left += getattr(one, name, None) or ()
        inner = (getattr(one, name, None) for name in ("item_type", "key_type", "value_type"))
        left += [item for item in inner if item is not None]
    assert len(found) > 100
    writes_all = [
        kind.__name__
        for kind, info in found.items()
        if any(not field.required for field in info.fields)
        and not kind.__struct_config__.omit_defaults
    ]
    assert writes_all == []


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("status", "apps"),
        ("plan", "steps"),
        ("history", "rollouts"),
        ("images", "images"),
        ("secret-list", "secrets"),
        ("certs", "certificates"),
        ("notify", "notifiers"),
        ("doctor", "checks"),
    ],
)
def test_what_a_command_lists_always_stands(command: str, what: str) -> None:
    (reference,) = references(SCHEMA["$defs"][f"podvisor-{command}"])
    assert what in SCHEMA["$defs"][reference.rpartition("/")[2]]["required"]


def fits(written: Any, name: str) -> None:
    """Raise if that is not what the command writes."""
    reference = {"$ref": f"#/$defs/podvisor-{name}", "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(reference).validate(written)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)
