"""What two releases of an app differ in: the body of `GET /v1/compare`."""

from typing import Annotated

import msgspec

from supervisor.model.diff import TextPair
from supervisor.model.wire import Name

ReleaseWord = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"\A[0-9a-z]+\Z")]
"""The id of a release, or the beginning of it."""


class CompareQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `GET /v1/compare`."""

    app: Name
    old: ReleaseWord
    new: ReleaseWord


class ImagePair(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an image was in each of them."""

    image: str
    """As units name it."""
    old: str = ""
    """Podman's id of it; empty where it was not used, or nobody knows."""
    new: str = ""


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of it; without files and images, nothing."""

    app: str
    old: str
    """The release's whole id."""
    new: str
    old_revision: str
    new_revision: str
    old_author: str = ""
    """Of the commit, as it says itself; left out where there is none."""
    new_author: str = ""
    files: tuple[TextPair, ...] = ()
    images: tuple[ImagePair, ...] = ()
