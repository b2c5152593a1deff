"""What an OCI artifact that is a source says of its files: `flux push artifact`, `oras push`.

The manifest is that of github.com/opencontainers/image-spec. Flux has one layer, a tar of all
files (fluxcd/pkg, oci); oras a layer for each file, named by its title, or for each folder, as a
tar whose paths begin with that name (oras-go, content/file).
"""

import re
from typing import Any

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.kit.json_reading import read_json
from supervisor.kit.texts import format_size, one_line

MOST_LAYERS = 256
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_TITLE = "org.opencontainers.image.title"
_REVISION = "org.opencontainers.image.revision"
_UNPACK = "io.deis.oras.content.unpack"
_FLUX = "application/vnd.cncf.flux.content.v1.tar+gzip"
_OF_IMAGES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_HOW = "push a folder with `oras push` or `flux push artifact`"
_LONGEST = 200


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """Of a blob, as a manifest has it."""

    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None

    def said(self, name: str) -> str:
        """Return an annotation; empty if it is not there."""
        return (self.annotations or {}).get(name, "")


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """An image manifest; `manifests` shows that it is an index instead."""

    schema_version: int
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: Any = None
    annotations: dict[str, str] | None = None


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A blob with files."""

    digest: str
    size: int
    file: str = ""
    """The path of the file that it is; empty for a compressed tar of several."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be fetched."""

    layers: tuple[Layer, ...]
    subject: str = ""
    """From which revision of something else it was made, if it says so."""


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest whose blobs can be asked for. Raises Refused."""
    found = read_json(content, Manifest)
    if found is None:
        raise Refused("it is no manifest of an artifact", _HOW)
    if found.manifests is not None:
        hint = f"name the digest of one of them, or {_HOW}"
        raise Refused("it is an index of several manifests", hint)
    if found.schema_version != 2 or found.layers is None:  # noqa: PLR2004
        raise Refused("it is no manifest of an artifact", _HOW)
    if len(found.layers) > MOST_LAYERS:
        raise Refused(f"it has more than {MOST_LAYERS} layers", _HOW)
    for layer in found.layers:
        if not DIGEST.fullmatch(layer.digest) or layer.size < 0:
            raise Refused("one of its layers has no proper digest or size", _HOW)
    return found


def artifact_of(content: bytes, *, largest: int) -> Artifact:
    """Read a manifest as a source, of `largest` bytes at most. Raises Refused."""
    manifest = parse_manifest(content)
    config = manifest.config
    # What stands in for no files at all is the empty config once more.
    found = [one for one in manifest.layers or () if not config or one.digest != config.digest]
    is_image = config is not None and config.media_type in _OF_IMAGES
    if is_image and not any(one.said(_TITLE) for one in found):
        raise Refused("it is the image of a container, and holds no apps", _HOW)
    if not found:
        raise Refused("it holds no files", _HOW)
    size = sum(one.size for one in found)
    if size > largest:
        raise Refused(
            f"it brings {format_size(size)}, more than {format_size(largest)}",
            "keep large files out of it, or raise [limits] fetch_size",
        )
    said = (manifest.annotations or {}).get(_REVISION, "")
    layers = tuple(_layer(number, one) for number, one in enumerate(found, 1))
    return Artifact(layers=layers, subject=one_line(said, _LONGEST))


def _layer(number: int, found: Descriptor) -> Layer:
    title = found.said(_TITLE)
    if found.media_type == _FLUX or found.said(_UNPACK) == "true":
        return Layer(digest=found.digest, size=found.size)
    if not title:
        kind = one_line(found.media_type, _LONGEST)
        message = f"its layer {number} is of type {kind}, and says not of which file ({_TITLE})"
        raise Refused(message, _HOW)
    return Layer(digest=found.digest, size=found.size, file=title.removeprefix("./"))
