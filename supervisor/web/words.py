"""The daemon's answers in words, for the templates; all of it takes their plain JSON."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from supervisor.core.health.release import authors, images_in_words, marks
from supervisor.core.images.words import (
    in_turn,
    short_name,
    unknown_in_words,
    update_in_words,
    version_in_words,
)
from supervisor.core.status.diff import unified
from supervisor.core.status.incidents import incidents
from supervisor.core.status.overview import Line, overview
from supervisor.kit.plain_text import without_escapes
from supervisor.kit.texts import joined
from supervisor.model.diff import TextPair
from supervisor.model.image import Pin

_LONGEST_LINE = 2_000
_PERCENT = re.compile(r"\b(\d{1,3}) ?%")
_CENT = 100
_MOST_LINES = 2_000
"""Of a diff that are shown of one file."""
_SIGNS = {"+": "add", "-": "del", "@": "at"}


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release of an app, as its story tells it."""

    release: str
    source: str
    revision: str
    verdict: str
    marks: Sequence[str]
    """What it is just now."""
    at: float
    subject: str
    author: str
    """Of its commit; empty if that is the one of the release before."""
    by: str
    """Who ordered it, if somebody did."""
    images: str
    reason: str


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file in two releases."""

    path: str
    lines: Sequence[tuple[str, str]]
    """Of a unified diff, each with `add`, `del`, `at` or `same`."""


def printable(text: str) -> str:
    """Return a text with a sign in place of each character that has no shape of its own."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)


def line(text: str) -> str:
    """Return words of a program as they can be shown: cut, and without what is for terminals.

    Several lines become one.
    """
    cut = text[: 2 * _LONGEST_LINE]
    plain = without_escapes(cut)
    plain = printable(joined(plain) if "\n" in plain.strip() else plain)
    whole = len(plain) <= _LONGEST_LINE and len(cut) == len(text)
    return plain if whole else f"{plain[:_LONGEST_LINE]}…"


def percent(text: str) -> int | None:
    """Return how far something is, where its words say so."""
    found = _PERCENT.search(text)
    return int(found[1]) if found and int(found[1]) <= _CENT else None


def commit_link(sources: Sequence[dict[str, Any]], source: str, revision: str) -> str:
    """Return where the Git host shows a revision; empty if nobody knows."""
    page = next((one.get("commit_page", "") for one in sources if one["name"] == source), "")
    is_id = revision.isascii() and revision.isalnum()
    return page.replace("{revision}", revision) if page.startswith("http") and is_id else ""


def healths(app: dict[str, Any]) -> str:
    """Say of an app what its checks say, if there are any: the worst of it."""
    found = {unit["health"] for unit in app.get("units", ()) if unit.get("health")}
    return next((one for one in ("unhealthy", "starting", "healthy") if one in found), "")


def image_words(image: dict[str, Any]) -> str:
    """Say which image it is, and in which version it runs."""
    running = image.get("running")
    name = image["image"]
    return f"{short_name(name)} {version_words(running)}{in_turn(image)}" if running else name


def version_words(version: dict[str, Any]) -> str:
    """Say which version of an image it is."""
    return version_in_words(version["runs"], version.get("tag", ""))


def update(image: dict[str, Any], now: float) -> str:
    """Say which newer version of it is held back, why, and until when."""
    return update_in_words(image["image"], image["held"], now=now)


def unknown(image: dict[str, Any], now: float) -> str:
    """Say why it is not known whether there is a newer version of it; empty if it is known."""
    return unknown_in_words(image, now=now)


def releases_of(history: dict[str, Any]) -> list[Release]:
    """Return the story of an app, the newest first."""
    rollouts = history["rollouts"]
    told = zip(rollouts, authors(rollouts), marks(history), strict=True)
    return [
        Release(
            release=one["release"],
            source=one["source"],
            revision=one["revision"],
            verdict=_verdict(one, is_newest=age == 0),
            marks=words,
            at=one["began_at"],
            subject=one.get("subject", ""),
            author=author,
            by=one.get("by", ""),
            images=images_in_words(
                one.get("images", {}), [Pin(**pin) for pin in one.get("pins", ())]
            ),
            reason=one.get("reason", ""),
        )
        for age, (one, author, words) in enumerate(told)
    ]


def wrong_after(reply: dict[str, Any], app: str, now: float) -> Sequence[Line]:
    """Return what is wrong once an order was carried out with what it was for: an app, or all."""
    apps = [one for one in reply.get("apps", ()) if app in ("", one["name"])]
    of_app = {one["source"] for one in apps}
    sources = [one for one in reply.get("sources", ()) if not app or one["name"] in of_app]
    found = incidents({"apps": apps, "sources": sources}, now)
    return overview({"incidents": msgspec.to_builtins([*found.values()])}, now).troubles


class AppMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What an app takes."""

    name: str
    memory: int
    """Bytes; 0 where nobody counts them."""
    units: Sequence[dict[str, Any]]

    @property
    def ports(self) -> list[str]:
        """Ports of the host that its units publish."""
        return sorted({port for unit in self.units for port in unit.get("ports", ())})


def memory_by_app(units: Sequence[dict[str, Any]]) -> list[AppMemory]:
    """Return what each app takes, the largest first."""
    by_app: dict[str, list[dict[str, Any]]] = {}
    for unit in units:
        by_app.setdefault(unit["app"], []).append(unit)
    apps = (
        AppMemory(name=name, memory=sum(one.get("memory", 0) for one in some), units=some)
        for name, some in by_app.items()
    )
    return sorted(apps, key=lambda app: (-app.memory, app.name))


def changed_files(found: dict[str, Any]) -> list[ChangedFile]:
    """Return what changes in each file; takes long where much does, so: aside, in a thread."""
    return [
        ChangedFile(path=one["path"], lines=[*_shown(TextPair(**one), found["app"])])
        for one in found.get("files", ())
    ]


def _shown(texts: TextPair, app: str) -> Iterator[tuple[str, str]]:
    lines = unified(texts, below=app)
    for one in islice(lines, _MOST_LINES):
        yield _SIGNS.get(one[:1], "same"), one
    if next(lines, None) is not None:
        yield "at", f"… more than {_MOST_LINES} lines: git diff shows them"


def _verdict(one: dict[str, Any], *, is_newest: bool) -> str:
    outcome: str = one.get("outcome", "trial")
    is_over = not is_newest or one.get("ended_at")
    return "overtaken" if outcome == "trial" and is_over else outcome
