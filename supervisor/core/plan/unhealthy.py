"""Units that run and are unwell: those that are to be restarted for it.

What ended is for `core.plan.units`.
"""

from supervisor.core.health import played
from supervisor.core.health.unit_health import is_usual
from supervisor.core.plan.draft import Draft
from supervisor.kit.texts import count
from supervisor.model.app import DesiredApp, DesiredUnit
from supervisor.model.health import Health, OnFailure
from supervisor.model.need import unit_need
from supervisor.model.observed import Observed
from supervisor.model.plan import RestartUnit


def restart_unhealthy(app: DesiredApp, observed: Observed, now: float, draft: Draft) -> None:
    """Add the restarts of what a probe, or Podman's word on a `.kube`, finds unwell."""
    touched = draft.touched
    for name, unit in app.runtime_units.items():
        if name not in touched and is_usual(observed.units.get(name)):
            _plan_probed(unit, name, observed, now, draft)
            _plan_played(name, observed, now, draft)


def _plan_probed(
    unit: DesiredUnit, name: str, observed: Observed, now: float, draft: Draft
) -> None:
    """Restart what its probe finds unhealthy, if it says so, with the backoff of repairs."""
    probed = observed.probed.get(name)
    if probed is None or probed.health is not Health.UNHEALTHY:
        return
    if unit.probe is None or unit.probe.on_failure is not OnFailure.RESTART:
        return
    reason = f"its probe failed {count(probed.streak, 'time')} in a row: {probed.output}"
    _plan_restart(name, reason, observed, now, draft)


def _plan_played(name: str, observed: Observed, now: float, draft: Draft) -> None:
    """Restart the service of a `.kube` for a container that Podman leaves ended."""
    for one in observed.played:
        if one.unit != name:
            continue
        if at := played.calm_at(one, now):
            draft.look_again(at)
        if at := played.repaired_at(one, now):
            if at <= now:
                _plan_restart(name, played.how_it_ended(one), observed, now, draft)
                return
            draft.look_again(at)


def _plan_restart(name: str, reason: str, observed: Observed, now: float, draft: Draft) -> None:
    """Restart a unit that is active and unwell, with the backoff of repairs."""
    after = draft.repair(observed.repair(name), now)
    if after is None:
        draft.waiting.append(unit_need(name, reason))
        return
    draft.steps.append(RestartUnit(app=draft.app, unit=name, repair=after, reason=reason))
