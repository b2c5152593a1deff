"""What is wrong with a setting, before `core.config.reader` looks up its line."""

import msgspec

from supervisor.core.config.toml_lines import Path
from supervisor.kit.texts import one_line


class Problem(msgspec.Struct, frozen=True):
    """A finding whose line is yet to be looked up."""

    key: Path
    message: str
    hint: str = ""
    fatal: bool = True


def shown_text(text: str, *, quotes: bool = True) -> str:
    """Write a text of the file for a message: in one line, and not too long."""
    plain = one_line(text, 60)
    return f"“{plain}”" if quotes else plain
