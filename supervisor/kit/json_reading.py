"""JSON that others wrote, which may be anything."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read_json(content: bytes, kind: type[T]) -> T | None:
    """Read it as this type; None for what is no such JSON, or nested too deeply."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        return None
