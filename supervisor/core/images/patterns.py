"""Regular expressions of people, for tags of strangers: those that can take for ever are refused.

Python's `re` goes back at each choice that it made. A choice that the next letter decides costs
nothing but to read on; the others multiply, and are counted here (in bits: a repeat of up to 128
letters is 7) before a pattern is ever used. Of a tag's 128 letters no match then takes longer than
some milliseconds, whoever wrote the tag.
"""

import importlib
import re
import string
from collections.abc import Iterable
from functools import lru_cache
from math import log2
from typing import Any, NamedTuple

from supervisor.kit.texts import one_line

LONGEST_PATTERN = 200
LONGEST_TAG = 128
_MOST_BITS = 9.0
_LETTERS = frozenset(string.ascii_letters + string.digits + "_.-")
"""All that tags are made of."""
_OF_CATEGORY = {
    "CATEGORY_DIGIT": frozenset(string.digits),
    "CATEGORY_WORD": frozenset(string.ascii_letters + string.digits + "_"),
    "CATEGORY_SPACE": frozenset[str](),
}
_FUTURE_SETS = ("[[", "--", "&&", "~~", "||")
"""Python warns of these within a set: they may come to mean something."""
_parser: Any = importlib.import_module("re._parser")
"""There is no other way to see what `re` made of a pattern."""


class _Part(NamedTuple):
    first: frozenset[str]
    """Letters that it can begin with."""
    is_empty: bool
    """Whether it can match nothing."""
    bits: float
    """Of the choices in it that the next letter does not decide."""


_NOTHING = _Part(frozenset(), is_empty=True, bits=0.0)


@lru_cache(maxsize=128)
def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile it, to be matched against whole tags; ValueError, with a sentence, if it will not do.

    The same text gives the same object, for as long as it is in use.
    """
    shown = one_line(text, 60)
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"the pattern {shown} is longer than {LONGEST_PATTERN} letters")
    if twice := next((one for one in _FUTURE_SETS if one in text), ""):
        raise ValueError(f"{twice} is not clear in a pattern; write \\ before the second")
    try:
        pattern = re.compile(text, re.ASCII)
        bits = _sequence(_parser.parse(text, re.ASCII), frozenset()).bits
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{shown} is no regular expression: {error}") from None
    if bits > _MOST_BITS:
        raise ValueError(
            f"{shown} could take for ever to match; write repeats of which the next letter says "
            r"where they end, such as \d+ or [^-]*"
        )
    return pattern


def named_groups(text: str) -> tuple[str, ...]:
    """Names of its groups, as they stand there. Raises as compile_pattern."""
    return tuple(compile_pattern(text).groupindex)


def _sequence(items: Iterable[Any], after: frozenset[str]) -> _Part:
    """Judge what stands one behind another; `after` are the letters that may come then."""
    first, is_empty, bits = frozenset[str](), True, 0.0
    for op, value in reversed(list(items)):
        part = _item(str(op), value, first | after if is_empty else first)
        first = part.first | first if part.is_empty else part.first
        is_empty = is_empty and part.is_empty
        bits += part.bits
    return _Part(first, is_empty, bits)


def _item(op: str, value: Any, after: frozenset[str]) -> _Part:
    match op:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, body = value
            return _repeat(least, most, body, after, is_final=op == "POSSESSIVE_REPEAT")
        case "SUBPATTERN":
            return _sequence(value[3], after)
        case "ATOMIC_GROUP":
            return _sequence(value, after)
        case "BRANCH":
            return _branch([_sequence(one, after) for one in value[1]])
        case "GROUPREF_EXISTS":
            ways = [_sequence(one, after) if one else _NOTHING for one in value[1:]]
            return _branch(ways)
        case "ASSERT" | "ASSERT_NOT":
            return _NOTHING._replace(bits=_sequence(value[1], _LETTERS).bits)
        case "AT":
            return _NOTHING
        case "GROUPREF":
            return _Part(_LETTERS, is_empty=True, bits=0.0)
    return _Part(_letters(op, value), is_empty=False, bits=0.0)


def _repeat(
    least: int, most: Any, body: Any, after: frozenset[str], *, is_final: bool = False
) -> _Part:
    most = min(int(most), LONGEST_TAG)
    begins = _sequence(body, frozenset()).first
    inner = _sequence(body, begins | after if most > 1 else after)
    own = 0.0
    if not is_final and most > least and begins & after:
        own = log2(most - least + 1)
    return _Part(begins, is_empty=not least or inner.is_empty, bits=own + most * inner.bits)


def _branch(ways: list[_Part]) -> _Part:
    first = frozenset[str]().union(*(way.first for way in ways))
    is_decided = len(first) == sum(len(way.first) for way in ways)
    is_empty = any(way.is_empty for way in ways)
    bits = max(way.bits for way in ways) + (0.0 if is_decided and not is_empty else log2(len(ways)))
    return _Part(first, is_empty, bits)


def _letters(op: str, value: Any) -> frozenset[str]:
    """Return at least the letters that one item of a pattern stands for, in either case."""
    match op:
        case "LITERAL":
            letter = chr(value)
            return frozenset({letter.lower(), letter.upper()})
        case "NOT_LITERAL":
            return _LETTERS - {chr(value)}
        case "RANGE":
            low, high = value
            inside = {one for one in _LETTERS if low <= ord(one) <= high}
            return frozenset(inside | {one.swapcase() for one in inside})
        case "CATEGORY":
            name = str(value)
            known = _OF_CATEGORY.get(name.replace("_NOT_", "_"), _LETTERS)
            return _LETTERS - known if "_NOT_" in name else known
        case "IN":
            return _set(value)
    return _LETTERS


def _set(items: list[Any]) -> frozenset[str]:
    kinds = [(str(op), value) for op, value in items]
    if kinds[0][0] != "NEGATE":
        return frozenset[str]().union(*(_letters(op, value) for op, value in kinds))
    out: set[str] = set()
    for op, value in kinds[1:]:
        # Only what is surely left out: a letter of the other case may not be.
        out.update({chr(value)} if op == "LITERAL" else ())
        if op == "RANGE":
            out.update(one for one in _LETTERS if value[0] <= ord(one) <= value[1])
        if op == "CATEGORY":
            out.update(_letters(op, value))
    return _LETTERS - out
