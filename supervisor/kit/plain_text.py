"""Words of programs as they can be shown: without what is meant for a terminal."""

import re

_ESCAPE = re.compile(
    r"\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
"""ECMA-48: titles and links; colours, and where the cursor goes; what is shorter."""
_MOST_ESCAPED = 8
"""So many times as long as what is shown is looked through for it."""


def without_escapes(text: str) -> str:
    """Return a text without escape sequences."""
    return _ESCAPE.sub("", text)


def plain_line(text: str, longest: int) -> str:
    """Return a line without escape sequences and control characters, and not too long."""
    plain = without_escapes(text[: _MOST_ESCAPED * longest])
    plain = "".join(one if one.isprintable() else " " for one in plain).strip()
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
