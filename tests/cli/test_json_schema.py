"""The schema of what commands write with --json; tests/host holds real output against the types."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contrib.lib import json_schema
from tests.cli.test_reference import every_command

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/reference/json.schema.json").read_text())


def test_every_command_that_writes_json_says_what() -> None:
    told = {name for name, command in every_command() if json_schema.takes_json(command)}
    assert told == json_schema.WRITES.keys()


def test_nothing_is_referred_to_that_is_not_there() -> None:
    held = {f"#/$defs/{name}" for name in SCHEMA["$defs"]}
    assert set(references(SCHEMA)) - held == set()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)
