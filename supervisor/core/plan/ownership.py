"""Podman's objects that the units of an app make: whose they are, and which of them are to go.

What was not there when an app first asked for it is podvisor's: its manifest says so before the
unit that makes it is written. Anything else is somebody's: it is used where a unit says
`Adopt=yes`, else the app is refused; and it is never made anew or removed.
"""

from collections.abc import Mapping

from supervisor.core.plan.draft import Draft
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.observed import Inventory, Observed, PodmanObject
from supervisor.model.plan import RemoveNetwork, RemovePod, RemoveVolume
from supervisor.model.quadlet import OWNED, UnitKind


def object_of(unit: DesiredUnit) -> PodmanObject | None:
    """Return what a unit makes, if it is of a kind that belongs to somebody."""
    if unit.kind not in OWNED or not unit.object_name:
        return None
    return PodmanObject(unit.kind, unit.object_name)


def is_there(one: PodmanObject, inventory: Inventory) -> bool | None:
    """Whether Podman has it; None is "not asked"."""
    names = {
        UnitKind.NETWORK: inventory.networks,
        UnitKind.VOLUME: inventory.volumes,
        UnitKind.POD: inventory.pods,
        UnitKind.BUILD: inventory.images,
    }[one.kind]
    return None if names is None else one.name in names


def is_owned(one: PodmanObject, observed: Observed) -> bool:
    """Whether it is podvisor's, for any app of this pass or one that is gone."""
    return one in observed.left or one in _of_others("", observed)


def owned_after(app: DesiredApp, observed: Observed) -> tuple[PodmanObject, ...]:
    """Return what is podvisor's once the app is as wanted: for its manifest."""
    before = frozenset(observed.app(app.name).objects) or _lost(app, observed)
    wanted = {one for unit in app.units if (one := object_of(unit)) and not unit.adopt}
    if wanted == before:  # as in nearly every pass
        return tuple(sorted(wanted))
    elsewhere = _of_others(app.name, observed)
    claimed = {
        one
        for one in wanted - before
        if one in elsewhere
        or one in observed.left
        or is_there(one, observed.inventory) is False
        or _is_of_units(one, observed)
    }
    kept = {
        one
        for one in before
        if one in wanted
        or (one not in elsewhere and is_there(one, observed.inventory) is not False)
    }
    return tuple(sorted(claimed | kept))


def stranger(unit: DesiredUnit, app: str, observed: Observed) -> PodmanObject | None:
    """Return what a unit would take over from somebody who did not say so, if there is any."""
    one = object_of(unit)
    if one is None or unit.adopt or not is_there(one, observed.inventory):
        return None
    if is_owned(one, observed) or _is_of_units(one, observed):
        return None
    records = [
        known.units[name]
        for known in observed.applied.values()
        for name in unit.runtime_names
        if name in known.units
    ]
    if records:
        # It was used here before; nobody knows any more who made it.
        used = any(
            r.kind is None or (r.kind, r.object_name) == (one.kind, one.name) for r in records
        )
        return None if used else one
    return None if unit.name in observed.app(app).units else one


def _is_of_units(one: PodmanObject, observed: Observed) -> bool:
    """Whether it is a pod that a unit of an app made without being its `.pod`: a `.kube`."""
    if one.kind is not UnitKind.POD:
        return False
    within = {c.unit for c in observed.inventory.containers or () if c.pod == one.name}
    kinds: dict[str, UnitKind | None] = {
        name: None for folder in observed.apps.values() for name in folder.units
    }
    for known in observed.applied.values():
        kinds.update({name: inputs.kind for name, inputs in known.units.items()})
    return any(kinds.get(unit, UnitKind.POD) in {UnitKind.KUBE, None} for unit in within)


def plan_leftovers(
    app: DesiredApp | None,
    observed: Observed,
    owners: Mapping[str, str],
    draft: Draft,
    *,
    reason: str = "no longer in the source",
) -> None:
    """Remove what is podvisor's and no unit of the app makes any more, volumes apart."""
    for one in _left_by(draft.app, app, observed, owners):
        if one.kind is UnitKind.NETWORK:
            draft.steps.append(RemoveNetwork(app=draft.app, network=one.name, reason=reason))
        elif one.kind is UnitKind.POD:
            draft.steps.append(RemovePod(app=draft.app, pod=one.name, reason=reason))


def pruned_volumes(
    name: str, app: DesiredApp | None, observed: Observed, owners: Mapping[str, str]
) -> list[RemoveVolume]:
    """Return the removal of podvisor's volumes that no unit of the app makes any more."""
    reason = "no longer in the source, and the app says Prune=volumes"
    return [
        RemoveVolume(app=name, volume=one.name, reason=reason)
        for one in _left_by(name, app, observed, owners)
        if one.kind is UnitKind.VOLUME
    ]


def _left_by(
    name: str, app: DesiredApp | None, observed: Observed, owners: Mapping[str, str]
) -> list[PodmanObject]:
    """Return what is podvisor's of an app and is there, and what no unit asks for any more."""
    left = set(observed.app(name).objects).difference(map(object_of, app.units if app else ()))
    return [
        one
        for one in sorted(left and left - _of_others(name, observed))
        if is_there(one, observed.inventory) and not _moves(one, name, observed, owners)
    ]


def _of_others(app: str, observed: Observed) -> frozenset[PodmanObject]:
    """What is podvisor's, for other apps of this pass: it may be on its way to or from them."""
    return frozenset(
        one for name, folder in observed.apps.items() if name != app for one in folder.objects
    )


def _lost(app: DesiredApp, observed: Observed) -> frozenset[PodmanObject]:
    """Return what was podvisor's, as the ledger has it, where the manifest was taken away."""
    known = observed.applied.get(app.name)
    if known is None or observed.app(app.name).manifest:
        return frozenset()
    adopted = {object_of(unit) for unit in app.units if unit.adopt}
    made = {
        PodmanObject(one.kind, one.object_name)
        for one in known.units.values()
        if one.kind in OWNED and one.object_name
    }
    return frozenset(made - adopted)


def _moves(one: PodmanObject, app: str, observed: Observed, owners: Mapping[str, str]) -> bool:
    """Whether the unit that made it is another app's now."""
    return any(
        (inputs.kind, inputs.object_name) == (one.kind, one.name) and owners.get(name, app) != app
        for known in observed.applied.values()
        for name, inputs in known.units.items()
    )
