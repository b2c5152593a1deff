"""Units that go from one app to another: who gives one away keeps it until the other takes it.

So a unit is never without a definition while the app that takes it waits for an image, for a job,
or for another app. Serves `core.plan.planner`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from supervisor.core.desired.dependencies import comes_after
from supervisor.core.files.names import unit_kind
from supervisor.model.app import Candidate, Deployment, DesiredApp, DesiredUnit
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import Manifest, Observed
from supervisor.model.quadlet import UnitKind


def holds_of_giver(
    deployment: Deployment,
    observed: Observed,
    *,
    owners: Mapping[str, str],
    taken: Collection[str],
) -> Iterator[Need]:
    """Say what an app has to wait for before it gives its units away.

    `owners` maps units to the apps that want them; `taken` are those that these have, or get now.
    """
    told: set[str] = set()
    for unit in observed.app(deployment.name).units:
        taker = owners.get(unit, deployment.name)
        if taker != deployment.name and unit not in taken and taker not in told:
            told.add(taker)
            text = f"waits for app {taker}, which takes over {unit}"
            yield Need(kind=NeedKind.MOVE, subject=unit, text=text, app=taker)


def holds_of_taker(
    deployment: Deployment, kept: Mapping[str, str], suspended: Collection[str]
) -> Iterator[Need]:
    """Say what an app has to wait for before it takes units of others, who have `kept` them.

    Of two files of one name Podman would take either.
    """
    givers: dict[str, str] = {}
    for unit in deployment.wanted.units if deployment.wanted else ():
        giver = kept.get(unit.name, deployment.name)
        if giver != deployment.name:
            givers.setdefault(giver, unit.name)
    for giver, name in givers.items():
        why = "is suspended and" if giver in suspended else "still"
        text = f"waits for app {giver}, which {why} has {name}"
        yield Need(kind=NeedKind.MOVE, subject=name, text=text, app=giver)


def holds_of_needed(
    deployment: Deployment,
    observed: Observed,
    users: Iterable[Deployment],
    *,
    owners: Mapping[str, str],
) -> Iterator[Need]:
    """Say what an app has to wait for before its units go that others still need.

    `users` are apps that are not as wanted, or not yet. One that comes after this app must not be
    waited for: one of the two must begin.
    """
    name = deployment.name
    stays = _units(deployment.wanted)
    goes = {
        unit
        for unit in observed.app(name).units
        if unit not in stays and owners.get(unit, name) == name
    }
    for user in users if goes else ():
        comes_after = user.wanted and any(need.app == name for need in user.wanted.options.after)
        if user.name == name or comes_after:
            continue
        needs = {need for unit in _units(user.last_good).values() for need in unit.requires}
        if lacking := sorted(goes & needs):
            text = f"waits for app {user.name}, which still needs {lacking[0]}"
            yield Need(kind=NeedKind.MOVE, subject=lacking[0], text=text, app=user.name)


def changing(names: Collection[str], everything: Mapping[str, Deployment]) -> list[Deployment]:
    """Return others than these apps that may still run as what they were."""
    return [
        one
        for name, one in everything.items()
        if name not in names and one.last_good and one.wanted is not one.last_good
    ]


def kept_units(observed: Observed, complete: Collection[str]) -> dict[str, str]:
    """Return units on disk of those apps that are not `complete`, with each one's app."""
    return {
        unit: name
        for name, folder in observed.apps.items()
        if name not in complete
        for unit in folder.units
    }


def lost_for_good(
    deployment: Deployment,
    everything: Mapping[str, Deployment],
    observed: Observed,
    *,
    owners: Mapping[str, str],
    complete: Collection[str],
) -> Iterator[str]:
    """Yield units that an app gave away, and that its way back cannot bring back: others have them.

    `everything` are the apps of this pass. Who is taken back at the same time gives back.
    """
    mine = observed.app(deployment.name).units
    for unit in _units(deployment.last_good):
        owner = owners.get(unit, deployment.name)
        if owner == deployment.name or unit in mine:
            continue
        other = everything.get(owner)
        was_theirs = other and unit in _units(other.last_good)
        theirs = observed.app(owner).units
        if other is None or (unit in theirs and (owner in complete or was_theirs)):
            yield unit


def keeping(deployment: Deployment, holds: Iterable[Need], gone: Collection[str]) -> Deployment:
    """Return the deployment of an app that keeps what it gives away for now, but for what is gone.

    Such as jobs: one runs as it is where it is wanted; of two files of one name Podman would take
    either.
    """
    last = deployment.last_good
    if last:
        units = [unit for unit in last.units if unit.name in gone]
        paths = {path for unit in units for path in (unit.path, *unit.drop_ins)}
        last = msgspec.structs.replace(
            last,
            units=tuple(unit for unit in last.units if unit not in units),
            files=tuple(file for file in last.files if file.path not in paths),
        )
    waits = (*deployment.waits, *holds)
    return msgspec.structs.replace(deployment, waits=waits, last_good=last)


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
    return {unit: name for name, one in everything.items() for unit in _units(one.wanted)}


def units_by_source(apps: Iterable[DesiredApp]) -> dict[str, frozenset[str]]:
    """Return the names of the units of these apps, for each source."""
    units: dict[str, set[str]] = {}
    for app in apps:
        units.setdefault(app.source, set()).update(app.by_name)
    return {source: frozenset(names) for source, names in units.items()}


def taken_units(everything: Mapping[str, Deployment]) -> frozenset[str]:
    """Return the units that nobody has to keep for those who want them.

    They have them; or they come after the app that has them, so that one of the two must begin.
    """
    units = {name: _units(one.last_good) for name, one in everything.items()}
    taken: set[str] = set()
    for name, one in everything.items():
        if one.wanted is one.last_good:
            taken.update(units[name])
        elif one.wanted:
            before = comes_after(name, everything) if one.wanted.options.after else {name}
            taken.update(
                unit
                for unit in one.wanted.by_name
                if any(unit in units.get(other, ()) for other in before)
            )
    return frozenset(taken)


def gives_to(names: Collection[str], everything: Mapping[str, Deployment]) -> Iterator[str]:
    """Yield the apps that have a unit which another one, of these, wants."""
    wanted = owners_of({name: everything[name] for name in names if name in everything})
    for other, one in everything.items():
        if any(wanted.get(unit, other) != other for unit in _units(one.last_good)):
            yield other


def elsewhere(names: Collection[str], everything: Mapping[str, Deployment]) -> dict[str, str]:
    """Return units that others than these apps have and are to give away, with those others."""
    return {
        unit: one.name
        for one in changing(names, everything)
        for unit in _units(one.last_good).keys() - _units(one.wanted).keys()
    }


def along(names: Collection[str], everything: Mapping[str, Deployment]) -> set[str]:
    """Return the other apps that have to be in one pass with these.

    Units go between them; or a network of the one changes and units of the other are stopped and
    started for that: meanwhile none of them may be repaired, which would bring the old one back;
    or a unit goes that the other needs.
    """
    owners = owners_of(everything)
    between: dict[str, set[str]] = {}
    for name, one in everything.items():
        for unit in _units(one.last_good):
            taker = owners.get(unit, name)
            if taker != name:
                between.setdefault(name, set()).add(taker)
                between.setdefault(taker, set()).add(name)
    unsteady = {unit: name for name, one in everything.items() for unit in _unsteady(one)}
    for name, one in everything.items() if unsteady else ():
        for own in _units(one.last_good).values():
            for maker in {unsteady[need] for need in own.requires if need in unsteady} - {name}:
                between.setdefault(name, set()).add(maker)
                between.setdefault(maker, set()).add(name)
    found = dict.fromkeys(names)
    queue = list(names)
    for name in queue:
        for other in between.get(name, set()) - found.keys():
            found[other] = None
            queue.append(other)
    return found.keys() - set(names)


def _unsteady(one: Deployment) -> Iterator[str]:
    """Yield the units that are to go, and those of networks that are to become others."""
    if one.last_good is None or one.wanted is one.last_good or (one.wanted is None and one.keep):
        return
    new = _units(one.wanted)
    for unit in one.last_good.units:
        now = new.get(unit.name)
        if now is None or (now.kind is UnitKind.NETWORK and now.digest != unit.digest):
            yield unit.name


def _units(app: DesiredApp | None) -> Mapping[str, DesiredUnit]:
    return app.by_name if app else {}
