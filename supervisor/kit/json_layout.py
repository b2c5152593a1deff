"""Change one value of a JSON text (RFC 8259), and leave all else as somebody wrote it."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

_SPACE = re.compile(r"[ \t\n\r]*")
_INDENT = re.compile(r"\{[ \t\r]*\n([ \t]+)\"")
_DEFAULT_INDENT = "    "
_DECODER = json.JSONDecoder()


class _Member(NamedTuple):
    key: str
    start: int
    """Of its key."""
    value: int
    end: int


class _Object(NamedTuple):
    opening: int
    members: list[_Member]
    close: int


def put(text: str, path: Sequence[str], value: object) -> str:
    """Return the text with this value at the path, whose objects are made where they lack.

    Raises ValueError, with a sentence, where the text is no JSON, what is to hold the value is no
    object, or a key of the path stands there twice.
    """
    _check(text)
    first = _INDENT.search(text)
    indent = first[1] if first else _DEFAULT_INDENT
    at = _skip(text, 0)
    for depth, key in enumerate(path):
        if text[at] != "{":
            raise ValueError(f"{'.'.join(path[:depth]) or 'the whole'} is no object")
        found = _object(text, at)
        mine = [one for one in found.members if one.key == key]
        if len(mine) > 1:
            raise ValueError(f"“{key}” stands there twice")
        if not mine:
            for outer in reversed(path[depth + 1 :]):
                value = {outer: value}
            return _insert(text, found, {key: value}, indent)
        at = mine[0].value
    end = _DECODER.raw_decode(text, at)[1]
    return text[:at] + _dump(value, _margin(text, at), indent) + text[end:]


def _check(text: str) -> None:
    try:
        json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _object(text: str, opening: int) -> _Object:
    """Return the object that begins here."""
    members: list[_Member] = []
    at = opening
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = at
        key, at = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, at) + 1)  # past the colon
        _, end = _DECODER.raw_decode(text, value)
        members.append(_Member(key, start, value, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return _Object(opening, members, at)


def _insert(text: str, there: _Object, new: dict[str, object], indent: str) -> str:
    """Add a member behind the last one."""
    opening, members, close = there
    if not members:
        return text[:opening] + _dump(new, _margin(text, opening), indent) + text[close + 1 :]
    before, after = text[: members[-1].end], text[members[-1].end :]
    if "\n" not in text[opening : members[0].start]:
        return f"{before}, {json.dumps(new, ensure_ascii=False)[1:-1]}{after}"
    margin = _margin(text, members[0].start)
    ((key, value),) = new.items()
    line = f"{json.dumps(key, ensure_ascii=False)}: {_dump(value, margin, indent)}"
    return f"{before},\n{margin}{line}{after}"


def _margin(text: str, at: int) -> str:
    """Return the white space that the line begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _dump(value: object, margin: str, indent: str) -> str:
    lines = json.dumps(value, indent=indent, ensure_ascii=False).split("\n")
    return f"\n{margin}".join(lines)
