"""Units that go from one app to another: whom that concerns (`core.plan.moves`: how they go)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from supervisor.core.files.names import unit_kind
from supervisor.kit.graph import reachable
from supervisor.model.app import Candidate, Deployment, DesiredApp, DesiredUnit
from supervisor.model.observed import Manifest
from supervisor.model.quadlet import UnitKind


def still_needed(leaving: Mapping[str, Manifest], refused: Iterable[Candidate]) -> dict[str, str]:
    """Return apps that must stay although they left, with the reason.

    Their units are in another app of their source now, and that one cannot be deployed.
    """
    places = {
        (one.source, file.path.rpartition("/")[2]): one.name
        for one in refused
        for file in one.files
        if unit_kind(file.path)
    }
    kept = {}
    for name, manifest in leaving.items():
        for file in manifest.files:
            base = file.path.rpartition("/")[2]
            if taker := places.get((manifest.source, base)):
                kept[name] = f"its {base} is in app {taker} now, which is refused"
                break
    return kept


def leaned_on(leaving: Mapping[str, Manifest], standing: Iterable[DesiredApp]) -> dict[str, str]:
    """Return apps that must stay although they left, with the reason.

    Apps that stay as they are (`standing`) need units of theirs: without these they would stop.
    """
    users = {unit: one.name for one in standing for own in one.units for unit in own.requires}
    kept = {}
    for name, manifest in leaving.items():
        for unit in sorted(manifest.units):
            if users.get(unit, name) != name:
                kept[name] = f"app {users[unit]}, which stays as it is, needs its {unit}"
                break
    return kept


def owners_of(everything: Mapping[str, Deployment]) -> dict[str, str]:
    """Return units with the app that wants each; no two want one."""
    apps = ((name, one.wanted) for name, one in everything.items() if one.wanted)
    return {unit: name for name, app in apps for unit in app.by_name}


def along(names: Collection[str], everything: Mapping[str, Deployment]) -> set[str]:
    """Return the other apps that have to be in one pass with these.

    Units go between them; or a network of the one changes and units of the other are stopped and
    started for that: meanwhile none of them may be repaired, which would bring the old one back;
    or a unit goes that the other needs.
    """
    if not names:
        return set()
    moving = {name: one for name, one in everything.items() if one.wanted is not one.last_good}
    owners = owners_of(everything) if moving else {}
    unsteady = {unit: name for name, one in moving.items() for unit in _unsteady(one)}
    between: dict[str, set[str]] = defaultdict(set)
    for name, one in (everything if unsteady else moving).items():
        units = units_of(one.last_good)
        others = {owners.get(unit, name) for unit in units}
        for own in units.values() if unsteady else ():
            others.update(unsteady[need] for need in own.requires if need in unsteady)
        for other in others - {name}:
            between[name].add(other)
            between[other].add(name)
    return reachable(names, between.__getitem__).keys() - set(names)


def _unsteady(one: Deployment) -> Iterator[str]:
    """Yield the units that are to go, and those of networks that are to become others."""
    if one.last_good is None or one.wanted is one.last_good or (one.wanted is None and one.keep):
        return
    new = units_of(one.wanted)
    for unit in one.last_good.units:
        now = new.get(unit.name)
        if now is None or (now.kind is UnitKind.NETWORK and now.digest != unit.digest):
            yield unit.name


def units_of(app: DesiredApp | None) -> Mapping[str, DesiredUnit]:
    """Return an app's units by name; none of no app."""
    return app.by_name if app else {}
