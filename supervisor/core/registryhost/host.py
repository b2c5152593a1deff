"""What there is to know of a registry's webhooks; `core.registryhost.senders` says it of each."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from supervisor.core.githost.host import Form, Signature
from supervisor.core.images.reference import name_and_tag
from supervisor.core.registryhost.names import NotAnImage, pushed_image
from supervisor.model.registry_webhook import ImageNews
from supervisor.model.webhook import Delivery

_MOST_IMAGES = 64
_CHART = "application/vnd.cncf.helm.config.v1+json"
_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.container.image.rootfs.config+json",
    # Of artifacts, which sources may be: those of flux, and of oras.
    "application/vnd.cncf.flux.config.v1+json",
    "application/vnd.oci.empty.v1+json",
    "application/vnd.unknown.config.v1+json",
}


class Said(msgspec.Struct, frozen=True):
    """Where a payload names an image: parts that are not checked yet."""

    host: str
    """Empty where the payload does not tell."""
    path: str
    tag: str
    """Or a digest; empty if there is none."""
    is_one_of_several: bool = False
    """Others may have been pushed with it that the sender does not name."""


class RegistryHost(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of registry, or whoever else tells what was pushed."""

    name: str
    """The value of `sender` in the settings."""
    title: str
    form: Form
    """Besides those of Git hosts' forms, {registry} stands for the registry's host."""
    checked_by: str
    """What proves it, for people."""
    signature: Signature | None
    """None where nothing but the path can: it then ends with a token."""
    read: Callable[[Delivery], Iterable[Said] | ImageNews]
    """Raises ValueError or Unreadable."""
    sample: Callable[[Said], tuple[Mapping[str, str], object]]
    """Makes headers and JSON of a push."""
    hosts: tuple[str, ...] = ()
    """Of registries that are known to be such, for `podvisor webhook show IMAGE`."""
    tells_host: bool = True
    """Otherwise, the settings have to."""


def is_image_config(media_type: str) -> bool:
    """Whether a manifest with such a config is one of an image, or of files; an index has none."""
    return not media_type or media_type in _CONFIGS


def is_chart(media_type: str) -> bool:
    """Whether it is the config of a Helm chart."""
    return media_type == _CHART


def news_of(said: Iterable[Said], *, registry: str) -> ImageNews:
    """Check what a payload names; `registry`, if any, stands for its hosts."""
    images: dict[str, None] = {}
    signed: dict[str, None] = {}
    ignored = "it is of no image that was pushed"
    for one in said:
        try:
            image = pushed_image(registry or one.host, one.path, one.tag)
            if "@" in image:
                signed[image] = None
            else:
                images[name_and_tag(image)[0] if one.is_one_of_several else image] = None
        except NotAnImage as error:
            ignored = str(error)
        if len(images) + len(signed) == _MOST_IMAGES:
            break
    return ImageNews(
        images=tuple(images),
        signed=tuple(signed),
        ignored="" if images or signed else ignored,
    )
