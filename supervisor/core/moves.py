"""Units that go from one app to another: who gives one away keeps it until the other takes it.

So a unit is never without a definition while the app that takes it waits for an image, for a job,
or for another app. Serves `core.planner`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from supervisor.core.names import unit_kind
from supervisor.core.order import comes_after
from supervisor.model.app import Candidate, Deployment, DesiredApp, Wait
from supervisor.model.observed import Manifest, Observed


def holds_of_giver(
    deployment: Deployment,
    observed: Observed,
    *,
    owners: Mapping[str, str],
    taken: Collection[str],
) -> Iterator[Wait]:
    """Say what an app has to wait for before it gives its units away.

    `owners` maps units to the apps that want them; `taken` are those that these have, or get now.
    """
    folder = observed.apps.get(deployment.name)
    told: set[str] = set()
    for unit in folder.manifest.units if folder and folder.manifest else ():
        taker = owners.get(unit, deployment.name)
        if taker != deployment.name and unit not in taken and taker not in told:
            told.add(taker)
            yield Wait(app=taker, text=f"waits for app {taker}, which takes over {unit}")


def keeping(deployment: Deployment, holds: tuple[Wait, ...], jobs: Collection[str]) -> Deployment:
    """Return the deployment of an app that keeps what it gives away for now, its `jobs` apart.

    A job runs as it is where it is wanted; of two files of one name Podman would take either.
    """
    last = deployment.last_good
    if last:
        gone = [unit for unit in last.units if unit.name in jobs]
        paths = {path for unit in gone for path in (unit.path, *unit.drop_ins)}
        last = msgspec.structs.replace(
            last,
            units=tuple(unit for unit in last.units if unit not in gone),
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


def owners_of(everything: Mapping[str, Deployment]) -> dict[str, str]:
    """Return units with the app that wants each; no two want one."""
    return {
        unit.name: name
        for name, one in everything.items()
        if one.wanted
        for unit in one.wanted.units
    }


def units_by_source(apps: Iterable[DesiredApp]) -> dict[str, frozenset[str]]:
    """Return the names of the units of these apps, for each source."""
    units: dict[str, set[str]] = {}
    for app in apps:
        units.setdefault(app.source, set()).update(unit.name for unit in app.units)
    return {source: frozenset(names) for source, names in units.items()}


def taken_units(everything: Mapping[str, Deployment]) -> frozenset[str]:
    """Return the units that nobody has to keep for those who want them.

    They have them; or they come after the app that has them, so that one of the two must begin.
    """
    units = {
        name: {unit.name for unit in one.last_good.units}
        for name, one in everything.items()
        if one.last_good
    }
    taken: set[str] = set()
    for name, one in everything.items():
        if one.wanted is one.last_good:
            taken |= units.get(name, set())
        elif one.wanted:
            before = comes_after(name, everything) if one.wanted.after else {name}
            taken.update(
                unit.name
                for unit in one.wanted.units
                if any(unit.name in units.get(other, ()) for other in before)
            )
    return frozenset(taken)


def gives_to(name: str, everything: Mapping[str, Deployment]) -> Iterator[str]:
    """Yield the apps that have a unit which this one wants."""
    mine = everything.get(name)
    wanted = {unit.name for unit in mine.wanted.units} if mine and mine.wanted else set()
    for other, one in everything.items():
        has = one.last_good.units if one.last_good and other != name else ()
        if any(unit.name in wanted for unit in has):
            yield other
