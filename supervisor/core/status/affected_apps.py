"""Which apps an event of Podman's is about: only these get a key. See `controllers.watches`.

When in doubt the answer is yes: a pass too many finds nothing to do.
"""

from collections.abc import Iterable, Iterator, Mapping

from supervisor.model.app import DesiredUnit
from supervisor.model.podman import CHANGED, PodmanEvent
from supervisor.model.quadlet import RUNNING, UnitKind

_NAMED_KINDS = {
    "network": frozenset({UnitKind.NETWORK}),
    "volume": frozenset({UnitKind.VOLUME}),
    "container": RUNNING,
    "pod": RUNNING,
}
_ENDS = frozenset({CHANGED, "died", "remove", "rename"})
"""What of a container or pod matters, its health aside; that it starts says its unit."""
_DEFAULT_REGISTRY = "docker.io/"
_LEAST_OF_ID = 12


def apps_of(
    event: PodmanEvent,
    units: Mapping[str, Iterable[DesiredUnit]],
    offered: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Yield the apps that use what the event is about; `units` are those of each app.

    `offered` maps the secrets that some app describes to that app.
    """
    if event.type in {"container", "pod"} and not _matters(event):
        return
    described = set()
    if event.type == "secret":
        nameless = not event.name and not event.id
        described = {app for name, app in (offered or {}).items() if nameless or name == event.name}
    for app, those in units.items():
        if app in described or any(_is_about(event, unit) for unit in those):
            yield app


def _matters(event: PodmanEvent) -> bool:
    if event.action == "health_status":
        return event.health != "healthy"
    return event.action in _ENDS


def _is_about(event: PodmanEvent, unit: DesiredUnit) -> bool:
    nameless = not event.name and not event.id
    match event.type:
        case "image":
            return any(nameless or same_image(image, event) for image in unit.images)
        case "secret":
            return bool(unit.secrets) if nameless else event.name in unit.secrets
        case _:
            if event.unit and event.unit in unit.runtime_names:
                return True
            kinds = _NAMED_KINDS.get(event.type, frozenset())
            return unit.kind in kinds and (nameless or event.name == unit.object_name)


def same_image(wanted: str, event: PodmanEvent) -> bool:
    """Whether what a unit asks for may be the image that an event names.

    A short name may be of any registry, and a digest of any tag.
    """
    name, identity = event.name, event.id
    bare = wanted.removeprefix("sha256:")
    if len(bare) >= _LEAST_OF_ID and any(text.startswith(bare) for text in (name, identity)):
        return True
    repository, tag = _parts(wanted)
    other, other_tag = _parts(name)
    if tag and other_tag and tag != other_tag:
        return False
    if _has_registry(repository):
        return other == _full(repository)
    return other == repository or other.endswith(f"/{repository}")


def _parts(reference: str) -> tuple[str, str]:
    """Repository and tag of a reference; no tag where a digest says which."""
    repository, at, _ = reference.partition("@")
    head, colon, tag = repository.rpartition(":")
    if colon and "/" not in tag:
        return head, "" if at else tag
    return repository, "" if at else "latest"


def _has_registry(repository: str) -> bool:
    first, slash, _ = repository.partition("/")
    return bool(slash) and (bool(set(".:") & set(first)) or first == "localhost")


def _full(repository: str) -> str:
    """Write Docker Hub's official images as Podman stores them."""
    rest = repository.removeprefix(_DEFAULT_REGISTRY)
    if rest != repository and "/" not in rest:
        return f"{_DEFAULT_REGISTRY}library/{rest}"
    return repository
