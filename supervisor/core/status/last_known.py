"""How an app stands that nobody has looked at since the daemon started: as it stood last.

What is remembered of it is what was applied and tried, what people ordered, and what was wrong.
"""

from collections.abc import Iterable, Mapping, Sequence

from supervisor.core.status.incidents import BAD
from supervisor.model.app import Deployment
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.need import Need, NeedKind
from supervisor.model.observed import AppliedApp
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


def last_known(
    name: str,
    *,
    deployment: Deployment | None,
    applied: AppliedApp | None,
    rollouts: Sequence[Rollout],
    incidents: Iterable[Incident],
    suspension: Suspension | None,
) -> AppStatus:
    """Return its status, which is stale; `rollouts` in their order, `incidents` are its own.

    One that never passed its gate is at what was tried last, once that was started.
    """
    units = applied.units if applied else {}
    tried = rollouts[-1] if rollouts and units else None
    there = applied if applied and applied.revision else tried
    return AppStatus(
        name=name,
        source=there.source if there else deployment.source if deployment else "",
        state=AppState.SUSPENDED if suspension else _state(incidents),
        stale=True,
        revision=there.revision if there else "",
        wanted_revision=deployment.wanted_revision if deployment else "",
        applied_at=applied.applied_at if applied else 0.0,
        units=tuple(UnitStatus(name=unit, active="", sub="") for unit in sorted(units)),
        waiting=(_NOT_LOOKED_AT,),
        suspension=suspension,
    )


def by_app(incidents: Mapping[str, Incident]) -> dict[str, list[Incident]]:
    """Return those of apps, by the name of the app."""
    found: dict[str, list[Incident]] = {}
    for one in incidents.values():
        if one.app:
            found.setdefault(one.app, []).append(one)
    return found


def _state(incidents: Iterable[Incident]) -> AppState:
    states = {_OTHER_STATES.get(one.code, AppState.FAILING) for one in incidents}
    return next((AppState(word) for word in BAD if word in states), AppState.UNKNOWN)
