"""Where an image is asked for: its registry and its mirrors, as Podman would go through them.

containers-registries.conf(5); Podman itself has merged its files.
"""

from collections.abc import Iterator, Sequence

import msgspec

from supervisor.core.files.unitfile import Refused
from supervisor.core.images.mirrors import moved, rule_of
from supervisor.core.images.reference import Reference, parse_reference
from supervisor.model.errors import Stalled
from supervisor.model.podman import RegistryRule

_FOR_TAGS = ("", "all", "tag-only")
_FOR_DIGESTS = ("", "all", "digest-only")
_THIS_MACHINE = "localhost"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A repository on a registry."""

    host: str
    """With its port, as images are named."""
    path: str
    is_insecure: bool = False
    """Whether its certificate is not looked at, and plain HTTP will do."""

    @property
    def name(self) -> str:
        return f"{self.host}/{self.path}"


def whole_name(image: str) -> Reference:
    """Read `HOST/NAME[:TAG][@DIGEST]`. Raises Stalled if no registry can be asked about it."""
    try:
        reference = parse_reference(image)
    except Refused as refused:
        raise Stalled(f"cannot ask about it: {refused}", hint=refused.hint) from None
    if reference.host in ("", _THIS_MACHINE):
        raise Stalled(
            f"cannot ask about {image}: it does not say of which registry it is",
            hint="write the whole name, such as docker.io/library/nginx:1; what is built or tagged"
            " on this machine is followed with AutoUpdate=local",
        )
    return reference


def places(image: Reference, rules: Sequence[RegistryRule]) -> tuple[Endpoint, ...]:
    """Return the mirrors that serve what an image names, tag or digest, and at last its registry.

    Raises Stalled if it is blocked.
    """
    repository = image.repository
    rule = rule_of(repository, rules)
    if rule is None:
        return (_endpoint(repository),)
    if rule.is_blocked:
        raise Stalled(
            f"cannot ask about {repository}: {rule.prefix} is blocked on this machine",
            hint="see `blocked` in man containers-registries.conf",
        )
    return tuple(_places(image, rule))


def _places(image: Reference, rule: RegistryRule) -> Iterator[Endpoint]:
    repository, by_digest = image.repository, bool(image.digest)
    serve = _FOR_DIGESTS if by_digest else _FOR_TAGS
    for mirror in rule.mirrors:
        if mirror.pulls in serve and (by_digest or not rule.mirrors_are_for_digests):
            name = moved(repository, rule.prefix, mirror.location)
            yield _endpoint(name, is_insecure=mirror.is_insecure)
    name = moved(repository, rule.prefix, rule.location)
    yield _endpoint(name, is_insecure=rule.is_insecure)


def _endpoint(name: str, *, is_insecure: bool = False) -> Endpoint:
    place = whole_name(name)
    return Endpoint(host=place.host, path=place.path, is_insecure=is_insecure)
