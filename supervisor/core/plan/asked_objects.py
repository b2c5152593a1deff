"""What a pass has to know of Podman's objects: no more is asked of Podman than its plan needs."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from supervisor.core.health.gate import stands
from supervisor.core.plan.certificates import taken_up_by
from supervisor.model.app import Deployment, DesiredUnit
from supervisor.model.observed import AppliedApp, ObservedApp, UnitInputs, UnitState
from supervisor.model.quadlet import UnitKind


def asked_images(
    deployments: Sequence[Deployment],
    units: Mapping[str, UnitState],
    applied: Mapping[str, AppliedApp],
    *,
    changing: Collection[str],
    certificates: Mapping[str, str],
) -> set[str]:
    """Return the images that these apps need where something is about to start.

    `changing` are those of them that are not installed as they should be; `certificates` as of
    `Observed`.
    """
    images = {
        image
        for one in deployments
        for unit in one.units
        if one.name in changing or _may_start(one, unit, units, applied, certificates=certificates)
        for image in unit.images
    }
    if images or any(one.name in changing and any(_built(one)) for one in deployments):
        images.update(name for one in deployments for name in _built(one))
    return images


def asked_kinds(
    deployments: Iterable[Deployment],
    apps: Mapping[str, ObservedApp],
    applied: Mapping[str, AppliedApp],
    *,
    changing: Collection[str],
) -> set[str]:
    """Return of which kinds all objects are to be listed: fields of `Inventory`."""
    asked: set[str] = set()
    for one in deployments:
        known = applied[one.name].units if one.name in applied else {}
        asked.update(_kinds(one, apps[one.name], known, changes=one.name in changing))
    return asked


def _kinds(
    one: Deployment, there: ObservedApp, known: Mapping[str, UnitInputs], *, changes: bool
) -> Iterator[str]:
    units = tuple(one.units)
    kinds = {unit.kind for unit in units}
    kinds.update(made.kind for made in there.objects)
    plays = any(unit.pods for unit in units)
    remade = changes and (plays or UnitKind.NETWORK in kinds)
    if remade or _comes_or_goes(one, there) or _is_another(one, known):
        yield "containers"
    if changes and (plays or UnitKind.POD in kinds):
        yield "pods"
    if UnitKind.NETWORK in kinds:
        yield "networks"
    if UnitKind.VOLUME in kinds or any(app.options.snapshot for app in one.apps):
        yield "volumes"
    certificates = (certificate for app in one.apps for certificate in app.certificates)
    makes_some = any(app.secrets for app in one.apps) or any(one.secrets for one in certificates)
    if makes_some or any(unit.secrets for unit in units):
        yield "secrets"


def _comes_or_goes(one: Deployment, there: ObservedApp) -> bool:
    """Whether the app, or a unit of it, is not installed as yet, or not wanted any more."""
    installed = set(there.units)
    if one.wanted is None and not one.keep and not one.findings:
        return True
    left = installed - one.wanted.by_name.keys() if one.wanted else ()
    return bool(left) or any(unit.name not in installed for unit in one.units)


def _is_another(one: Deployment, known: Mapping[str, UnitInputs]) -> bool:
    """Whether a unit makes something else than when it was started, or its network is another."""
    return one.wanted is not None and any(
        (was.kind is not None and (was.kind, was.object_name) != (unit.kind, unit.object_name))
        or (unit.kind is UnitKind.NETWORK and was.digest != unit.digest)
        for name, unit in one.wanted.runtime_units.items()
        if (was := known.get(name))
    )


def _may_start(
    one: Deployment,
    unit: DesiredUnit,
    units: Mapping[str, UnitState],
    applied: Mapping[str, AppliedApp],
    *,
    certificates: Mapping[str, str],
) -> bool:
    """Whether a pass may (re)start a unit of an app whose files are as they should be."""
    stays = one.wanted is one.last_good and one.wanted and stands(one.wanted, applied)
    states = [units.get(name) for name in unit.runtime_names]
    if not stays or not all(state and state.is_up for state in states) or unit.secrets:
        return True
    known = applied[one.name].units
    return any(
        had.digest != unit.digest
        or any(
            had.certificates.get(one) != certificates.get(one)
            for one in taken_up_by(unit.under(name))
        )
        for name in unit.runtime_names
        if (had := known.get(name))
    )


def _built(one: Deployment) -> Iterator[str]:
    """Yield the names of the images that an app builds."""
    for unit in one.units:
        if unit.kind is UnitKind.BUILD and unit.object_name:
            yield unit.object_name
