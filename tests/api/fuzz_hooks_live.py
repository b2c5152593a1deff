"""What schemathesis is to do otherwise where a real daemon answers: see test_api_of_a_daemon.py."""

import os
from typing import Any

import schemathesis
from fuzz_hooks import map_body

__all__ = ["before_call", "map_body"]

_APP = os.environ["FUZZED_APP"]
_THERE = {"app": _APP, "name": _APP, "unit": f"{_APP}.service"}
_LONGEST_NAME = 255


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case, __: dict[str, Any]) -> None:
    """Ask of what there is in place of what there is not, and follow nothing for ever.

    What is no name stays what it is.
    """
    for values in (case.query, case.body):
        if not isinstance(values, dict):
            continue
        for name, there in _THERE.items():
            if _is_name(values.get(name)):
                values[name] = there
        if isinstance(apps := values.get("apps"), list) and apps and all(map(_is_name, apps)):
            values["apps"] = [_APP]
        if values.get("follow") in (True, "true"):
            values["follow"] = "false"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
