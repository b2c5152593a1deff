"""What a setting takes beyond its type: said at its field in `model.settings`, as an annotation."""

from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import msgspec

PATH = r"(?:/|~/)[^\x00-\x1f\"\\$%]+"
"""Of a file that ssh, too, takes as it stands."""
PATH_HINT = "write it from the root or from ~/, without quotes, \\, $ and %"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is not said is not asked. `core.config` holds settings to it, and makes the messages."""

    example: object = ""
    """A value as it would be written there."""
    may_be_zero: bool = False
    """A number may be 0; all are more than that else."""
    may_be_empty: bool = True
    """A text may be empty, which is as if it were not there."""
    pattern: str = ""
    """What a text is, as a regular expression; it is also printable."""
    refusal: str = ""
    """What is said of a text that is not: {} stands for it."""
    hint: str = ""
    format: str = ""
    """What a text is, where a pattern cannot say it: a name of `core.config.formats`."""
    over: str = ""
    """`git`, `https` or `ssh`: the only sources that have it; `signed` is `git` or `oci`."""
    idle: str = ""
    """Why it does nothing for a folder, which is no more than a warning."""
    idle_oci: str = ""
    """Why it does nothing for an artifact; so is that."""
    needs: str = ""
    """Another setting, without which this one means nothing."""
    needs_hint: str = ""


def typed(field: msgspec.structs.FieldInfo) -> tuple[Any, Rule]:
    """Return the plain type of a setting, and its rule; of `X | None` that is X."""
    kind, rule = field.type, Rule()
    for one in get_args(kind):
        if isinstance(one, Rule):
            kind, rule = get_args(kind)[0], one
    said = [one for one in get_args(kind) if one is not NoneType]
    return (said[0] if isinstance(kind, UnionType) and len(said) == 1 else kind), rule


def tables_of(kind: object) -> type[msgspec.Struct] | None:
    """Return the shape of the tables that a setting holds by name; None if it is no such one."""
    inner = get_args(kind)[-1] if get_origin(kind) is dict else None
    return inner if isinstance(inner, type) and issubclass(inner, msgspec.Struct) else None
