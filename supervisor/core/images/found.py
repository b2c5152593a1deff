"""What a registry, or Podman, says of an image, as one of its versions."""

from collections.abc import Iterable

from supervisor.core.images.reference import name_and_tag
from supervisor.model.image import ImageVersion, TagDigest


def version_of(image: str, found: TagDigest, *, seen_at: float = 0.0) -> ImageVersion:
    """Return the version that an image, `HOST/NAME:TAG`, stands for at its registry."""
    repository, tag = name_and_tag(image)
    return ImageVersion(
        runs=f"{repository}@{found.digest}", tag=tag, seen_at=seen_at, pushed_at=found.pushed_at
    )


def own_digest(image: str, digests: Iterable[str]) -> str:
    """Return the first of an image's digests, `NAME@sha256:…`, of its own repository; else ""."""
    repository, _ = name_and_tag(image)
    return next((one for one in digests if one.startswith(f"{repository}@")), "")
