"""Say plainly which word of a request cannot be what it stands for; loaded when one is refused."""

import ast
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from supervisor.kit.texts import one_line

_MOST_SHOWN = 60
_SAID = re.compile(
    r"Expected `str` (?:matching regex (?P<pattern>'.*')|of length (?P<length>[<>]= \d+))"
    r" - at `\$(?P<place>\S+)`",
    re.DOTALL,
)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
_KINDS = {
    "app": ("app", "podvisor status lists them all"),
    "apps": ("app", "podvisor status lists them all"),
    "unit": ("unit", "podvisor status APP lists those of an app"),
    "name": ("name", "podvisor status and podvisor images list what there is"),
    "revision": ("revision", "podvisor history APP lists those that there are"),
    "old": ("release", "podvisor history APP lists those that there are"),
    "new": ("release", "podvisor history APP lists those that there are"),
    "words[0]": ("image and no version", "podvisor images APP lists both"),
    "words[1]": ("version", "write a tag or a digest, as podvisor images APP shows them"),
    "target": ("source, registry or image", "podvisor status lists the sources"),
}
"""Field to what its text should be, and where that is found."""
_NAMED = {" ": "a space", "\n": "a line break", "\t": "a tab"}


class WrongWord(ValueError):
    """A word that cannot be what it stands for."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def in_words(error: msgspec.ValidationError, said: Any) -> ValueError:
    """Return what is wrong of a request that says `said`: its word, or else msgspec's own words."""
    found = _SAID.match(str(error))
    steps = _STEP.findall(found["place"]) if found else []
    word = _at(said, steps)
    if found is None or not isinstance(word, str):
        return ValueError(str(error))
    field = found["place"].removeprefix(".")
    kind, hint = _KINDS.get(field) or _KINDS.get(steps[0][0]) or (steps[-1][0], "")
    if not word:
        return WrongWord(f"it names no {kind}: the word is empty", hint)
    if found["length"]:
        most = f"the most is {found['length'].split()[1]}"
        why = f"it has {len(word)} characters, and {most}"
    else:
        why = f"there is {_odd_one(word, found['pattern'])} in it"
    return WrongWord(f"“{one_line(word, _MOST_SHOWN)}” is no {kind}: {why}", hint)


def _at(said: Any, steps: Iterable[tuple[str, str]]) -> Any:
    """Return what stands at a place of a request."""
    for key, index in steps:
        said = said[key] if key else said[int(index)]
    return said


def _odd_one(word: str, pattern: str) -> str:
    """Name the first character that a pattern does not take; all patterns go by characters."""
    rule = re.compile(ast.literal_eval(pattern))
    odd = next((one for one in word if not rule.search(one)), "")
    if not odd:
        return "something that cannot be"
    return _NAMED.get(odd) or (f"“{odd}”" if odd.isprintable() else "a control character")
