"""`ImagePolicy=` and `ImageFilter=`, as people write them."""

import re
from collections.abc import Collection

import msgspec

from supervisor.core.images.patterns import compile_pattern, named_groups
from supervisor.core.images.policy import names_commit, newest
from supervisor.core.images.versions import parse_range
from supervisor.core.images.words import policy_words
from supervisor.kit.texts import meant
from supervisor.model.image import ImagePolicy, PolicyKind, TagOrder

_FORMS = "write digest, semver:RANGE, regex:PATTERN or newest"
_VARIANT = re.compile(
    r"([vV]?)\d+(?:\.\d+)*-(?P<variant>(?:[A-Za-z]|(?=\d+[a-f])[0-9a-f]{7,40}(?!\w))[\w.-]*)",
    re.ASCII,
)
_COMMIT = re.compile(r"(?<![0-9A-Za-z])(g?)[0-9a-f]{7,40}(?![0-9A-Za-z])", re.ASCII)
"""What looks like a commit's id, which is another one in each tag."""
_EARLY = re.compile(
    r"(?:a|alpha|b|beta|c|canary|cr|dev|ea|edge|m|milestone|next|nightly|pre|preview|rc|snapshot)"
    r"(?![a-z])",
    re.ASCII | re.IGNORECASE,
)
"""How the name of a pre-release begins."""
_ORDER = re.compile(r"(numeric|alphabetical)(?::(\w+))?", re.ASCII)


def read_policy(text: str) -> ImagePolicy:
    r"""Read `digest`, `semver:^1.4`, `regex:^v(?P<n>\d+)$ numeric:n` or `newest`.

    Raises ValueError, with a sentence.
    """
    word, colon, rest = text.partition(":")
    rest = rest.strip()
    if word not in list(PolicyKind):
        raise ValueError(_instead_of(text, word))
    kind = PolicyKind(word)
    if kind in (PolicyKind.DIGEST, PolicyKind.NEWEST):
        if colon:
            raise ValueError(f"{kind} stands alone")
        return ImagePolicy(kind=kind)
    if not rest:
        raise ValueError(
            f"say which tags: {'semver:^1.4' if kind is PolicyKind.SEMVER else _FORMS}"
        )
    if kind is PolicyKind.SEMVER:
        parse_range(rest)
        return ImagePolicy(kind=kind, pattern=rest)
    pattern, _, last = rest.rpartition(" ")
    order = _ORDER.fullmatch(last)
    if not pattern.strip() or not order:
        pattern, order = rest, None
    pattern = pattern.strip()
    groups = named_groups(pattern)
    if order and order[2] and order[2] not in groups:
        raise ValueError(_no_group(order[2], groups))
    return ImagePolicy(
        kind=kind,
        pattern=pattern,
        group=(order[2] or "") if order else "",
        order=TagOrder(order[1]) if order else TagOrder.NUMERIC,
    )


def read_filter(text: str) -> str:
    """Return a pattern that can be used. Raises ValueError, with a sentence."""
    compile_pattern(text)
    return text


def complete(policy: ImagePolicy, *, pattern: str = "", prereleases: bool = False) -> ImagePolicy:
    """Put a policy together with its filter: the one named group of them is what is compared.

    Raises ValueError, with a sentence, where several could be.
    """
    group = policy.group
    for text in (policy.pattern if policy.kind is PolicyKind.REGEX else "", pattern):
        if not group and text:
            groups = named_groups(text)
            if len(groups) > 1:
                raise ValueError(_which_of(groups, policy.kind))
            group = groups[0] if groups else ""
    return msgspec.structs.replace(policy, group=group, filter=pattern, prereleases=prereleases)


def nothing_fits(repository: str, policy: ImagePolicy, near: Collection[str]) -> tuple[str, str]:
    """Say that no tag is what a policy asks for, and what to do: a sentence, and a hint.

    `near` is as of `TagChoice`.
    """
    problem = f"no tag of {repository} fits {policy_words(policy)}"
    if not near:
        return problem, "it has no tags"
    with_prereleases = msgspec.structs.replace(policy, prereleases=True)
    if early := newest(near, with_prereleases).tag:
        return problem, f"{early} is a pre-release: write ImagePrereleases=yes, if that is meant"
    nearest = f"the nearest are {', '.join(near)}"
    if policy.kind is PolicyKind.NEWEST and any(map(names_commit, near)):
        then = "follow a tag that moves (ImagePolicy=digest), or put a date or a number before it"
        return problem, f"{nearest}; a commit's id does not say which is newer: {then}"
    return problem, nearest


def variant_left(tag: str, policy: ImagePolicy) -> tuple[str, str] | None:
    """Say that a unit whose `Image=` has this tag, of a variant, gets another variant by a policy.

    A sentence, and a hint; None if that is not so.
    """
    found = _VARIANT.fullmatch(tag)
    by_version = policy.kind in (PolicyKind.SEMVER, PolicyKind.NEWEST) and not policy.filter
    if found is None or not by_version or _EARLY.match(found["variant"]):
        return None
    parts = _COMMIT.split(found["variant"])
    behind = "".join(
        _like(one) if at % 2 == 0 else one + "[0-9a-f]+" for at, one in enumerate(parts)
    )
    run = f"tags without -{found['variant']} run, which may be another variant of the image"
    if len(parts) > 1:
        run = "tags with nothing behind their version run, if there are such"
    problem = f"{policy_words(policy)} takes {tag} for a pre-release: {run}"
    version = "v?" if found[1] else ""
    return problem, rf"to stay with it, add ImageFilter=(?P<version>{version}[\d.]+)-{behind}"


def _like(text: str) -> str:
    """Return a pattern of what differs from a text in its numbers only."""
    return re.sub(r"\d+", r"\\d+", re.escape(text).replace(r"\-", "-"))


def _instead_of(text: str, word: str) -> str:
    try:
        parse_range(text)
    except ValueError:
        return meant(word, list(PolicyKind), _FORMS, form="{}")
    return f"write semver:{text}"


def _no_group(name: str, groups: Collection[str]) -> str:
    there = f"there is {', '.join(groups)}" if groups else "it has none: write (?P<n>…)"
    return f"the pattern has no group {name}; {there}"


def _which_of(groups: Collection[str], kind: PolicyKind) -> str:
    if kind is PolicyKind.REGEX:
        return f"say by which group tags are compared, such as numeric:{next(iter(groups))}"
    return f"of the groups {', '.join(groups)} only one can be named; write the others as (?:…)"
