"""How an app stands that nobody has looked at since the daemon started: as it stood last.

What is remembered of it is what was applied and tried, what people ordered, and what was wrong.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from supervisor.core.status.commits import asking, standing
from supervisor.core.status.incidents import BAD
from supervisor.model.app import Deployment
from supervisor.model.errors import Finding
from supervisor.model.health import Health
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import AppliedApp, RepairState
from supervisor.model.rollout import Rollout, Suspension
from supervisor.model.status import AppState, AppStatus, UnitStatus

_NOT_LOOKED_AT = Need(kind=NeedKind.STEP, subject="", text="not looked at yet")
_OTHER_STATES = {
    IncidentCode.APP_REFUSED: AppState.REFUSED,
    IncidentCode.JOB_FAILED: AppState.REFUSED,
    IncidentCode.APP_REVERTED: AppState.REVERTED,
    # Of these an app's state says nothing.
    IncidentCode.UNIT_FAILED: AppState.UNKNOWN,
    IncidentCode.UPDATE_FAILED: AppState.UNKNOWN,
    IncidentCode.CERTIFICATE_FAILING: AppState.UNKNOWN,
}
"""State of an app with such an incident; with any other one it is failing."""
_OF_FINDINGS = (
    IncidentCode.APP_REFUSED,
    IncidentCode.APP_REVERTED,
    IncidentCode.APP_FAILING,
    IncidentCode.JOB_FAILED,
)


def last_known(
    name: str,
    *,
    deployment: Deployment | None,
    applied: AppliedApp | None,
    rollouts: Sequence[Rollout],
    incidents: Collection[Incident],
    repairs: Mapping[str, RepairState],
    suspension: Suspension | None,
) -> AppStatus:
    """Return its status, which is stale; `rollouts` in their order, `incidents` are its own.

    One that never passed its gate is at what was tried last, once that was started.
    """
    units = applied.units if applied else {}
    wrong = {(one.code, one.subject): one.opened_at for one in incidents}
    tried = rollouts[-1] if rollouts and units else None
    there = applied if applied and applied.revision else tried
    status = AppStatus(
        name=name,
        source=there.source if there else deployment.source if deployment else "",
        state=AppState.SUSPENDED if suspension else _state(incidents),
        stale=True,
        applied_at=applied.applied_at if applied else 0.0,
        units=tuple(_unit(name, wrong, repairs.get(name)) for name in sorted(units)),
        waiting=(_NOT_LOOKED_AT,),
        suspension=suspension,
        findings=tuple(
            Finding(message=one.text, app=name) for one in incidents if one.code in _OF_FINDINGS
        ),
    )
    status = standing(status, there)
    return asking(status, deployment) if deployment else status


def _unit(
    name: str, wrong: Mapping[tuple[IncidentCode, str], float], memory: RepairState | None
) -> UnitStatus:
    """Return a unit's; of what is `wrong` by code and subject, since when."""
    unit = UnitStatus(name=name, active="", sub="")
    if memory and (IncidentCode.UNIT_DOWN, name) in wrong:
        unit = replace(unit, failures=memory.failures)
    if since := wrong.get((IncidentCode.UNIT_UNHEALTHY, name)):
        unit = replace(unit, health=Health.UNHEALTHY, health_since=since)
    return unit


def _state(incidents: Iterable[Incident]) -> AppState:
    states = {_OTHER_STATES.get(one.code, AppState.FAILING) for one in incidents}
    return next((AppState(word) for word in BAD if word in states), AppState.UNKNOWN)
