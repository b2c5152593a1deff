"""Which units should be running: what `[Install]` has a wanted target start, and its needs.

A target is wanted if it is reached, on the way there, or started with `default.target`, be that
directly or by way of others. So at a boot, where podvisor is up before `default.target` is, what
should run is the same as ever after.
"""

from collections.abc import Collection, Mapping

from supervisor.core.names import runtime_names
from supervisor.model.app import DesiredUnit
from supervisor.model.observed import UnitState

DEFAULT_TARGET = "default.target"
SHUTDOWN_TARGET = "shutdown.target"


def should_run(
    units: Mapping[str, DesiredUnit], wanted_targets: Collection[str]
) -> dict[str, DesiredUnit]:
    """Names that should be active (instances in place of templates), with what they come from."""
    by_runtime_name = {
        name: unit
        for unit in units.values()
        if not unit.before_deploy  # a job is run by a deploy, and by nothing else
        for name in runtime_names(unit.name, unit.instances)
    }
    wanted: dict[str, DesiredUnit] = {}
    queue = [
        name
        for name, unit in by_runtime_name.items()
        if any(target in wanted_targets for target in unit.wanted_by)
    ]
    wanted_by: dict[str, list[str]] = {}
    for name, unit in by_runtime_name.items():
        for target in unit.wanted_by:
            wanted_by.setdefault(target, []).append(name)
    while queue:
        name = queue.pop()
        if name in wanted or name not in by_runtime_name:
            continue
        unit = by_runtime_name[name]
        wanted[name] = unit
        queue.extend(unit.requires)
        queue.extend(wanted_by.get(name, ()))
    return wanted


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
    chain = [name]
    for one in chain:  # grows
        state = states.get(one, UnitState(name=one))
        if is_begun(state):
            return True
        chain.extend(starter for starter in state.wanted_by if starter not in chain)
    return False
