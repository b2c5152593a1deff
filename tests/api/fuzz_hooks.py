"""What schemathesis is to do otherwise: see test_fuzzed.py."""

from typing import Any

import schemathesis


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """Write whole numbers as such: to JSON Schema, 3.0 is an integer, and to nobody else."""
    if isinstance(body, dict):
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in body.items()
        }
    return body
