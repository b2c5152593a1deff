"""Which units should be running: what `[Install]` has a wanted target start, and its needs.

A target is wanted if it is reached, on the way there, or started with `default.target`, be that
directly or by way of others. So at a boot, where podvisor is up before `default.target` is, what
should run is the same as ever after.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from supervisor.kit.graph import reachable
from supervisor.model.app import Deployment, DesiredApp, DesiredUnit
from supervisor.model.observed import Observed, UnitState
from supervisor.model.quadlet import UnitKind
from supervisor.model.unit_name import DEFAULT_TARGET

SHUTDOWN_TARGET = "shutdown.target"
_NETWORK = UnitKind.NETWORK


def should_run(
    units: Mapping[str, DesiredUnit],
    wanted_targets: Collection[str],
    needed: Iterable[str] = (),
) -> dict[str, DesiredUnit]:
    """Return those of these units, by runtime name, that should be active.

    `needed` are names that something else needs which should be active.
    """
    # A job is run by a deploy, and by nothing else.
    units = {name: unit for name, unit in units.items() if not unit.before_deploy}
    wanted_by: dict[str, list[str]] = {}
    for name, unit in units.items():
        for target in unit.wanted_by:
            wanted_by.setdefault(target, []).append(name)
    by_target = (name for target in wanted_targets for name in wanted_by.get(target, ()))
    wanted = reachable(
        (*by_target, *needed),
        lambda name: (*units[name].requires, *wanted_by.get(name, ())) if name in units else (),
    )
    return {name: unit for name, unit in units.items() if name in wanted}


def needed_by(
    everything: Mapping[str, Deployment], wanted_targets: Collection[str]
) -> dict[str, dict[str, str]]:
    """Return the units that other apps need: each to their units that do, with the app of each.

    Only those of which should run count, be it in what is wanted of an app or in what is here.
    """
    found: dict[str, dict[str, str]] = {}
    wanted = {name: one.wanted for name, one in everything.items() if one.wanted}
    here = {
        name: one.last_good
        for name, one in everything.items()
        if one.last_good and (one.wanted or one.keep or one.findings)
    }
    changing = any(wanted.get(name) is not app for name, app in here.items())
    for apps in (wanted, here) if changing else (wanted,):
        for need, user, app in _between(apps, wanted_targets):
            found.setdefault(need, {})[user] = app
    return found


def _between(
    apps: Mapping[str, DesiredApp], wanted_targets: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """Yield units that another app needs, with the unit that needs each and its app."""
    if not any(one.looks_beyond for one in apps.values()):
        return
    owners = {name: app for app, one in apps.items() for name in one.runtime_units}
    units = {name: unit for one in apps.values() for name, unit in one.runtime_units.items()}
    networks = {unit.object_name: name for name, unit in units.items() if unit.kind is _NETWORK}
    for user, unit in should_run(units, wanted_targets).items():
        by_name = (networks[name] for name in unit.networks if name in networks)
        for need in (*unit.requires, *by_name):
            if owners.get(need, owners[user]) != owners[user]:
                yield need, user, owners[user]


def failed_need(app: str, unit: DesiredUnit, observed: Observed) -> str:
    """Say which unit that one of an app needs failed, and of what; empty if none did."""
    for need in unit.requires:
        state = observed.unit(need)
        if state.active == "failed":
            owner = next((a for a, one in observed.applied.items() if need in one.units), app)
            cause = str(observed.ending(need)) or state.result
            return f"{needs_failed(need, owner='' if owner == app else owner)}: {cause}"
    return ""


def needs_failed(need: str, *, owner: str) -> str:
    """Say of a unit that it needs another one that failed; `owner` is the app of that, if named."""
    return f"needs {need}{f' of app {owner}' if owner else ''}, which failed"


def wanted_targets(names: Collection[str], states: Mapping[str, UnitState]) -> frozenset[str]:
    """Return those of these targets that are wanted.

    `states` holds them, and what starts them (`UnitState.wanted_by`) as far as that matters: of a
    target that `is_begun` nothing more needs to be known.
    """
    return frozenset(name for name in names if _is_wanted(name, states))


def is_begun(state: UnitState) -> bool:
    """Whether a target is reached, on the way there, or at the root of what is."""
    return (
        state.is_up
        or state.active == "activating"
        or state.job in ("start", "restart")
        or (state.name == DEFAULT_TARGET and state.load == "loaded")
    )


def _is_wanted(name: str, states: Mapping[str, UnitState]) -> bool:
    """Whether it, or what starts it when it starts itself, is begun."""
    chain = reachable([name], lambda one: states[one].wanted_by if one in states else ())
    return any(is_begun(states.get(one) or UnitState(name=one)) for one in chain)
