"""What is wrong with a setting, before `core.config.reader` looks up its line."""

import msgspec

from supervisor.core.config.toml_lines import Path


class Problem(msgspec.Struct, frozen=True):
    """A finding whose line is yet to be looked up."""

    key: Path
    message: str
    hint: str = ""
    fatal: bool = True


def shown_text(text: str, *, quotes: bool = True) -> str:
    """Write a text of the file for a message: in one line, and not too long."""
    longest = 60
    plain = text if text.isprintable() else ascii(text)[1:-1]
    plain = plain if len(plain) <= longest else plain[:longest] + "…"
    return f"“{plain}”" if quotes else plain
