"""Which questions are about an image that somebody names: a webhook, Podman, a person."""

import re
from collections.abc import Iterable, Iterator

from supervisor.core.images.reference import full_name, name_and_tag
from supervisor.core.images.reference import has_registry as is_whole
from supervisor.model.image import ImageQuestion

_THREE_NUMBERS = re.compile(r"v?\d+\.\d+\.\d+(?!\d)(?!\.)", re.ASCII)


def repository_of(question: ImageQuestion) -> str:
    """Return `HOST/NAME`."""
    return name_and_tag(question.image)[0]


def host_of(question: ImageQuestion) -> str:
    """Return the registry that is asked: `docker.io`."""
    return question.image.partition("/")[0]


def lists_tags(question: ImageQuestion) -> bool:
    """Whether the answer is found among all tags of the repository."""
    return not question.names_tag


def named(name: str) -> tuple[str, str]:
    """Return repository and tag of what a webhook or a person names; no tag is any."""
    repository, _, _ = name.partition("@")
    head, colon, tag = repository.rpartition(":")
    if not colon or "/" in tag:
        head, tag = repository, ""
    return (full_name(head) if is_whole(head) else head), tag


def is_about(name: str, image: str) -> bool:
    """Whether a name as for `named` is that of an image, or of any version of it."""
    repository, tag = named(name)
    ours, our_tag = name_and_tag(image)
    whole = full_name(ours)
    is_same = whole == repository if is_whole(repository) else whole.endswith(f"/{repository}")
    return is_same and tag in ("", our_tag)


def concerned(questions: Iterable[ImageQuestion], tag: str) -> Iterator[ImageQuestion]:
    """Yield those of a repository's questions that a tag (any, if empty) may answer anew."""
    for one in questions:
        if not tag or lists_tags(one) or name_and_tag(one.image)[1] == tag:
            yield one


def is_fixed(tag: str) -> bool:
    """Whether a tag is meant to be pushed once: it names a whole version, as `1.27.3-alpine`."""
    return bool(_THREE_NUMBERS.match(tag))
