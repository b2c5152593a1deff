"""Which apps and certificates an event of Podman's is about: only these get a key.

See `controllers.watches`. When in doubt the answer is yes: a pass too many finds nothing to do.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from supervisor.core.images.reference import full_name, has_registry, name_and_tag
from supervisor.model.app import DesiredUnit
from supervisor.model.certificate import DesiredCertificate
from supervisor.model.podman import CHANGED, PodmanEvent
from supervisor.model.quadlet import RUNNING, UnitKind
from supervisor.model.unit_name import template_of

_NAMED_KINDS = {
    "network": frozenset({UnitKind.NETWORK}),
    "volume": frozenset({UnitKind.VOLUME}),
    "container": RUNNING,
    "pod": RUNNING,
}
_ENDS = frozenset({CHANGED, "died", "remove", "rename"})
"""What of a container or pod matters, its health aside; that it starts says its unit."""
_BEGINNINGS = frozenset({"create", "init", "start"})
_LEAST_OF_ID = 12


def apps_of(
    event: PodmanEvent,
    units: Iterable[tuple[str, Iterable[DesiredUnit]]],
    offered: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Yield the apps that use what the event is about; `units` are those of each app.

    `offered` maps the secrets that some app describes to that app.
    """
    if event.type in {"container", "pod"} and not _matters(event):
        if event.action in _BEGINNINGS and template_of(event.unit) != event.unit:
            yield from _of_too_many(event.unit, units)
        return
    described = set()
    if event.type == "secret":
        nameless = not event.name and not event.id
        described = {app for name, app in (offered or {}).items() if nameless or name == event.name}
    is_about = _uses(event)
    for app, those in units:
        if app in described or any(map(is_about, those)):
            yield app


def certificates_of(
    event: PodmanEvent, certificates: Iterable[DesiredCertificate]
) -> Iterator[str]:
    """Yield those of these certificates that are kept as the secret that the event is about."""
    if event.type != "secret":
        return
    nameless = not event.name and not event.id
    for one in certificates:
        if one.secrets and (nameless or event.name in one.podman_secrets):
            yield one.name


def _of_too_many(
    instance: str, units: Iterable[tuple[str, Iterable[DesiredUnit]]]
) -> Iterator[str]:
    """Yield the app whose template was started under a name that is none of its replicas."""
    template = template_of(instance)
    for app, those in units:
        mine = tuple(those)
        has_replicas = any(unit.name == template and unit.has_replicas for unit in mine)
        if has_replicas and all(instance not in unit.runtime_names for unit in mine):
            yield app


def _matters(event: PodmanEvent) -> bool:
    if event.action == "health_status":
        return event.health != "healthy"
    return event.action in _ENDS


def _uses(event: PodmanEvent) -> Callable[[DesiredUnit], bool]:
    """Return what says of a unit whether it uses what the event is about."""
    nameless = not event.name and not event.id
    match event.type:
        case "image":
            return lambda unit: any(nameless or same_image(one, event) for one in unit.images)
        case "secret":
            return lambda unit: bool(unit.secrets) if nameless else event.name in unit.secrets
    kinds = _NAMED_KINDS.get(event.type, frozenset())
    names = {event.unit, template_of(event.unit)}
    return lambda unit: (
        unit.name in names or (unit.kind in kinds and (nameless or event.name == unit.object_name))
    )


def same_image(wanted: str, event: PodmanEvent) -> bool:
    """Whether what a unit asks for may be the image that an event names.

    A short name may be of any registry, and a digest of any tag.
    """
    name, identity = event.name, event.id
    bare = wanted.removeprefix("sha256:")
    if len(bare) >= _LEAST_OF_ID and any(text.startswith(bare) for text in (name, identity)):
        return True
    repository, tag = name_and_tag(wanted)
    other, other_tag = name_and_tag(name)
    if tag and other_tag and tag != other_tag:
        return False
    if has_registry(repository):
        return other == full_name(repository)
    return other == repository or other.endswith(f"/{repository}")
