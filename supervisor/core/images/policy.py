"""Which of a registry's tags a policy chooses. Tags are data of strangers: any text may be one."""

import heapq
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from supervisor.core.images.patterns import LONGEST_TAG, compile_pattern
from supervisor.core.images.reference import is_tag
from supervisor.core.images.versions import natural_key, parse_range, version_key
from supervisor.model.image import ImagePolicy, PolicyKind, TagOrder

_NEAR = 3
_OF_DIGEST = re.compile(r"sha\d+-[0-9a-f]{32,}(?:\.\w+)?", re.ASCII)
"""Tags that stand for a signature or an attestation of an image, and for no image."""
_COMMIT = re.compile(
    r"(?<![0-9A-Za-z])g?(?:(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,40}|[0-9]{7})(?![0-9A-Za-z])"
)
"""A commit's id, whole or short, which says nothing of what is newer."""
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?", re.ASCII)

_Key = tuple[Any, ...]
_Ranked = Callable[[str], _Key | None]


class TagChoice(msgspec.Struct, frozen=True):
    """What a policy makes of some tags."""

    tag: str = ""
    """The newest; empty if none fits."""
    near: tuple[str, ...] = ()
    """If none fits: the highest of those that come nearest."""


def newest(tags: Iterable[str], policy: ImagePolicy, *, named: str = "") -> TagChoice:
    """Choose the tag that a policy asks for; `named` is the one that the unit's `Image=` has.

    The same for any order of the tags; of two that are the same version (`1.27`, `1.27.0`,
    `v1.27.0`) the one that says most. Raises nothing, whatever the tags; a policy that cannot be
    read (`read_policy`) fits none.
    """
    if policy.kind is PolicyKind.DIGEST:
        return TagChoice(named)
    try:
        ranked, text_of = _ranking(policy), _text_of(policy)
    except ValueError:
        return TagChoice()
    best, best_key, there = "", None, [tag for tag in tags if len(tag) <= LONGEST_TAG]
    for tag in there:
        text = text_of(tag)
        key = ranked(text) if text is not None else None
        if key is None or (best_key is not None and key < best_key) or not _is_image(tag):
            continue
        if key != best_key or _tie(tag) > _tie(best):
            best, best_key = tag, key
    return TagChoice(best) if best else TagChoice(near=_nearest(there, text_of))


def comes_after(tag: str, other: str, by: ImagePolicy) -> bool:
    """Whether a tag is newer than another by a policy; it is than one that the policy has not.

    Never where the policy is `digest`: tags tell nothing then.
    """
    return bool(tag) and tag != other and newest((tag, other), by).tag == tag


def names_commit(tag: str) -> bool:
    """Whether a commit's id is all that a tag says of which image it is."""
    return bool(_COMMIT.search(tag)) and _any(tag, prereleases=True) is None


def _is_image(tag: str) -> bool:
    return is_tag(tag) and not _OF_DIGEST.fullmatch(tag)


def _tie(tag: str) -> _Key:
    return natural_key(tag), tag


def _text_of(policy: ImagePolicy) -> Callable[[str], str | None]:
    """Return what says of a tag by which text it is compared; None if it does not count."""
    patterns = [policy.pattern] if policy.kind is PolicyKind.REGEX else []
    patterns += [policy.filter] if policy.filter else []
    compiled = [compile_pattern(one) for one in patterns]
    if not compiled:
        return lambda tag: tag
    by = next((at for at, one in enumerate(compiled) if policy.group in one.groupindex), None)

    def text_of(tag: str) -> str | None:
        found = [one.fullmatch(tag) for one in compiled]
        if not all(found):
            return None
        with_group = found[by] if by is not None else None
        return with_group[policy.group] if with_group else tag

    return text_of


def _ranking(policy: ImagePolicy) -> _Ranked:
    """Return what puts a text in order; None of it if the policy does not want it."""
    match policy.kind:
        case PolicyKind.SEMVER:
            wanted = parse_range(policy.pattern)
            some = policy.prereleases or wanted.names_prereleases

            def in_range(text: str) -> _Key | None:
                key = version_key(text, prereleases=some)
                return key if key and wanted.holds(key, prereleases=policy.prereleases) else None

            return in_range
        case PolicyKind.REGEX if policy.order is TagOrder.NUMERIC:
            return _number
        case PolicyKind.REGEX:
            return lambda text: (text,)
    return lambda text: _any(text, prereleases=policy.prereleases)


def _number(text: str) -> _Key | None:
    found = _NUMBER.fullmatch(text)
    return (int(found[1]), (found[2] or "").rstrip("0")) if found else None


def _any(text: str, *, prereleases: bool) -> _Key | None:
    """Put versions first, then what holds a number; words and commits alone are in no order."""
    if key := version_key(text):
        return (1, key) if key[1] or prereleases else None
    words = natural_key(_COMMIT.sub("", text))
    return (0, words) if any(kind for kind, *_ in words) else None


def _nearest(tags: Iterable[str], text_of: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the highest tags of those that the filter lets through, or else of all."""
    real = list(filter(_is_image, dict.fromkeys(tags)))
    through = [tag for tag in real if text_of(tag) is not None]
    heights = ((_any(tag, prereleases=True) or (-1,), tag) for tag in through or real)
    return tuple(tag for _, tag in heapq.nlargest(_NEAR, heights))
