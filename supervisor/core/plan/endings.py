"""Units that end since nothing starts them any more, though their files are still there."""

from collections.abc import Collection

from supervisor.core.plan.unit_inputs import is_enabled, recorded
from supervisor.model.app import DesiredApp
from supervisor.model.observed import AppliedApp, Observed


def ending_units(
    app: DesiredApp, wanted: Collection[str], applied: AppliedApp | None, observed: Observed
) -> dict[str, str]:
    """Return what runs, or would, and comes to an end with what had it started, each with why.

    What needs such a unit and is not wanted either goes with it: to start it would start both.
    """
    units = {
        name: unit
        for name, unit in app.runtime_units.items()
        if not unit.before_deploy and name not in wanted
    }
    ending: dict[str, str] = {}
    for name, unit in units.items():
        old = recorded(name, applied, observed)
        if old and old.installed and not is_enabled(unit, observed):
            lost = f"there is no {unit.wanted_by[0]}" if unit.wanted_by else "its [Install] is gone"
            ending[name] = f"nothing starts it any more: {lost}"
    queue = list(ending)
    for one in queue:  # grows
        for name, unit in units.items():
            if name not in ending and one in unit.requires:
                ending[name] = f"nothing starts {one} any more, which it needs"
                queue.append(name)
    return ending
