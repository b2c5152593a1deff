"""What a registry that refuses wants to be shown: `WWW-Authenticate` of RFC 9110, 11.6.1."""

import re
from collections.abc import Mapping

import msgspec

_PART = re.compile(
    r"[\s,]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r'(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?',
    re.ASCII,
)


class Challenge(msgspec.Struct, frozen=True):
    """One way to prove who one is."""

    scheme: str
    """In small letters: `bearer`, `basic` or another."""
    words: Mapping[str, str]
    """By names in small letters: `realm`, `service`, `scope`, `error`."""


def challenges_of(header: str) -> tuple[Challenge, ...]:
    """Read all that are in a header; what is not as it should be ends it."""
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while part := _PART.match(header, at):
        name, quoted, plain = part.groups()
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
        if value is None:
            found.append((name.lower(), {}))
        elif found:
            found[-1][1].setdefault(name.lower(), value)
        at = part.end()
    return tuple(Challenge(scheme, words) for scheme, words in found)


def chosen(challenges: tuple[Challenge, ...], *, has_login: bool) -> Challenge | None:
    """Return the one to answer: a token's if there is one, else Basic for who can log in."""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.words.get("realm"):
            return challenge
    return next((one for one in challenges if one.scheme == "basic" and has_login), None)
