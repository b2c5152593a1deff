"""Of which images it cannot be said whether there is a newer version: a line for each cause."""

import re
from collections.abc import Iterable

from supervisor.core.images.concerns import host_of
from supervisor.model.image import ImageKnowledge
from supervisor.model.status import UnknownImages


def unknown_images(known: Iterable[ImageKnowledge]) -> tuple[UnknownImages, ...]:
    """Gather what is unknown by its registry and the cause, whatever image that was met at."""
    gathered: dict[tuple[str, str], list[ImageKnowledge]] = {}
    for one in known:
        if one.problem:
            registry = host_of(one.question)
            gathered.setdefault((registry, _cause(one.problem, registry)), []).append(one)
    return tuple(
        UnknownImages(
            registry=registry,
            images=len({one.question.image for one in some}),
            since=min(filter(None, map(_since, some)), default=0.0),
            problem=cause,
        )
        for (registry, cause), some in sorted(gathered.items())
    )


def _since(one: ImageKnowledge) -> float:
    """Return when it was answered last; 0 for never, and for what was answered this time."""
    return one.answered_at if one.failures else 0.0


def _cause(problem: str, registry: str) -> str:
    """Return what follows the image: "cannot ask about quay.io/me/web:1: quay.io: timed out"."""
    named = re.search(rf"(?<!\S){re.escape(registry)}/\S+: ", problem)
    cause = problem[named.end() :] if named else problem
    return cause.removeprefix(f"{registry}: ")
