"""What tells one release of an app from another, and says it in words."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from supervisor.core.images.words import pin_in_words
from supervisor.kit.texts import quoted, short_id
from supervisor.model.image import Pin
from supervisor.model.rollout import Rollout
from supervisor.model.source import AppRevision

_SHORT = 12


def release_id(content: str, images: Mapping[str, str]) -> str:
    """Return the id of a release: another one for another content, and for another image.

    `content` is as of `AppRevision`, `images` as of `Rollout`.
    """
    words = [content, *(word for one in sorted(images.items()) for word in one)]
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).hexdigest()[:_SHORT]


def images_in_words(images: Mapping[str, str], pins: Iterable[Pin] = ()) -> str:
    """Say which images a release runs with: each with its version, or the beginning of its id."""
    followed = {one.runs: one for one in pins}
    words = [*map(pin_in_words, followed.values())]
    others = ((name, one) for name, one in images.items() if name not in followed)
    words.extend(f"{name}@{one[:_SHORT]}" for name, one in others)
    return ", ".join(sorted(words))


def images_between(one: AppRevision | None, other: AppRevision) -> tuple[Pin, ...]:
    """Return the versions of images that the other has, and one has not, if that is all."""
    if one is None or one.base != other.base:
        return ()
    return tuple(pin for pin in other.pins if pin not in one.pins)


def in_words(app: AppRevision, beside: AppRevision | None) -> str:
    """Say shortly what an app is at: its revision, or its images where only these are others."""
    images = dict.fromkeys(map(pin_in_words, images_between(beside, app)))
    return ", ".join(images) or short_id(app.revision)


def with_author(words: str, app: AppRevision) -> str:
    """Name the author of the commit that an app is at, where these words name it; not an image."""
    is_commit = words == short_id(app.revision)
    return f"{words} (author {quoted(app.author)})" if app.author and is_commit else words


def authors(rollouts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield who made the commit of each of these, in JSON and the newest first.

    Of one that is at the revision of the one before, that is nobody: it came of something else.
    """
    for one, before in zip_longest(rollouts, rollouts[1:]):
        is_same = before is not None and before["revision"] == one["revision"]
        yield "" if is_same else one.get("author", "")


def release_in_words(rollout: Rollout) -> str:
    """Say which release it is, in one line."""
    images = images_in_words(rollout.images, rollout.pins)
    return f"release {short_id(rollout.release)}" + (f" runs with {images}" if images else "")


def marks(history: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield of each release of a history what is to be said of it now.

    It takes the plain JSON of a `model.status.History`.
    """
    good, held = history.get("running", ""), (history.get("held") or {}).get("release", "")
    rollouts = history["rollouts"]
    tried = rollouts[0] if rollouts else {}
    is_tried = tried.get("outcome", "trial") == "trial" and not tried.get("ended_at")
    running = tried["release"] if tried and is_tried else good
    for one in rollouts:
        release = one["release"]
        words = {"runs": running, "last good": good if running != good else "", "held": held}
        yield [word for word, named in words.items() if named == release]
