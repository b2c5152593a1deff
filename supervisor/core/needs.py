"""Which units should be running: what `[Install]` wants in an active target, and its needs."""

from collections.abc import Collection, Mapping

from supervisor.core.names import runtime_names
from supervisor.model.app import DesiredUnit


def should_run(
    units: Mapping[str, DesiredUnit], active_targets: Collection[str]
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
        if any(target in active_targets for target in unit.wanted_by)
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
