"""What a setting takes beyond its type: said at its field in `model.settings`, as an annotation."""

from typing import Any, get_args

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
    """`git`, `https` or `ssh`: the only sources that have it."""
    idle: str = ""
    """Why it does nothing for a folder, which is no more than a warning."""
    needs: str = ""
    """Another setting, without which this one means nothing."""
    needs_hint: str = ""


def typed(field: msgspec.structs.FieldInfo) -> tuple[Any, Rule]:
    """Return the plain type of a setting, and its rule."""
    for one in get_args(field.type):
        if isinstance(one, Rule):
            return get_args(field.type)[0], one
    return field.type, Rule()
