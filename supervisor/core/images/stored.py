"""What an image in Podman's store can be called."""

from supervisor.core.images.reference import name_and_tag
from supervisor.model.image import StoredImage


def digest_names(image: StoredImage) -> frozenset[str]:
    """Return what it can be called by digest, whether it has that name or not: `NAME@sha256:…`.

    Podman runs what was pulled by a tag by its digest, too, of the manifest or of the index.
    """
    repositories = {name_and_tag(name)[0] for name in image.names}
    return frozenset(f"{one}@{digest}" for one in repositories for digest in image.digests)


def references(image: StoredImage) -> frozenset[str]:
    """Return all that `Image=` may say for Podman to run it: its names, by digest too, its id."""
    return digest_names(image) | {image.id, *image.names}
