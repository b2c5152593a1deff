"""What is wrong with a setting, before `core.config.reader` looks up its line."""

import re
from collections.abc import Iterator

import msgspec

from supervisor.core.config.toml_lines import Path
from supervisor.kit.texts import one_line

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NAMES_HINT = "names are of a-z 0-9 . _ -, begin with a letter or digit, and are 63 long at most"


class Problem(msgspec.Struct, frozen=True):
    """A finding whose line is yet to be looked up."""

    key: Path
    message: str
    hint: str = ""
    fatal: bool = True


def name_problems(key: Path, what: str) -> Iterator[Problem]:
    """Check what a person calls something, the last part of the key."""
    if not _NAME.fullmatch(key[-1]):
        yield Problem(key, f"cannot call {what} {shown_text(key[-1])}", _NAMES_HINT)


def shown_text(text: str, *, quotes: bool = True) -> str:
    """Write a text of the file for a message: in one line, and not too long."""
    plain = one_line(text, 60)
    return f"“{plain}”" if quotes else plain
