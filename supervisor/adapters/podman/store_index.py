"""Which images and secrets there are, from the index of Podman's own stores.

Podman's log is no better: it comes some tenths of a second later, is silent or nameless on
secrets, and tells of a pull for every container that starts.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from supervisor.core.images.reference import stored_name
from supervisor.core.images.stored import digest_names, references
from supervisor.kit.json_reading import read_json
from supervisor.model.image import StoredImage

T = TypeVar("T")

_LARGEST_INDEX = 64 << 20
_MANIFEST = "manifest-"
"""What containers/storage calls a manifest by: `manifest-sha256:…`."""

Contents = Mapping[str, str]
"""Name (or id, for what has no name) to what it stands for."""


class _Image(msgspec.Struct, rename={"items": "big-data-names"}):
    id: str
    digest: str = ""
    names: list[str] | None = None
    items: list[str] | None = None


class _Secrets(msgspec.Struct, rename={"ids": "nameToID"}):
    ids: dict[str, str] | None = None


def read_images(path: Path) -> Contents | None:
    """Read names, names by digest, and ids of a store's `images.json`.

    None if it cannot be understood.
    """
    images = stored_images(path)
    if images is None:
        return None
    contents = {}
    for image in images:
        contents[image.id] = image.id
        contents.update(dict.fromkeys(digest_names(image), image.id))
    for image in images:
        contents.update(dict.fromkeys(image.names, image.id))
    return contents


def stored_images(path: Path) -> tuple[StoredImage, ...] | None:
    """Read an image store's `images.json`; None if it cannot be understood."""
    images = _read(path, list[_Image])
    if images is None:
        return None
    return tuple(
        StoredImage(
            id=one.id,
            digest=one.digest,
            names=tuple(one.names or ()),
            digests=tuple(
                item.removeprefix(_MANIFEST)
                for item in one.items or ()
                if item.startswith(_MANIFEST)
            ),
        )
        for one in images
    )


def stored_digests(paths: Iterable[Path], reference: str) -> tuple[str, ...]:
    """Return by which digests an image may be asked for, its own last: `NAME@sha256:…`.

    `paths` are the stores' indexes, the first counts; empty if none of them tells.
    """
    name = stored_name(reference) or reference
    for path in paths:
        for one in stored_images(path) or ():
            if name in references(one):
                own = f"@{one.digest}"
                return tuple(sorted(digest_names(one), key=lambda x: (x.endswith(own), x)))
    return ()


def read_secrets(path: Path) -> Contents | None:
    """Read names and ids of `secrets.json`; None if it cannot be understood."""
    secrets = _read(path, _Secrets)
    return None if secrets is None else secrets.ids or {}


class Index(msgspec.Struct):
    """An index file, with what it held when it was looked at last."""

    path: Path
    read: Callable[[Path], Contents | None]
    _contents: Contents | None = None

    def __post_init__(self) -> None:
        self._contents = self.read(self.path)

    def changes(self) -> set[str]:
        """Names that came, went or stand for something else; "" if that cannot be told."""
        before, self._contents = self._contents, self.read(self.path)
        if before is None or self._contents is None:
            return {""}
        return {name for name, _ in before.items() ^ self._contents.items()}


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        with path.open("rb") as file:
            return read_json(file.read(_LARGEST_INDEX + 1), kind)
    except FileNotFoundError:
        return kind()  # there are none yet
    except OSError:
        return None
