"""Why an app or a unit is as it is, while a daemon runs. Part of `controllers.operator.service`."""

from supervisor.controllers.operator.event_log import EventLog
from supervisor.controllers.operator.status import StatusService
from supervisor.core.files.names import app_and_unit
from supervisor.core.status.why import why
from supervisor.core.status.why_material import Material, read_events
from supervisor.model.errors import Stalled
from supervisor.model.events import EventQuery
from supervisor.model.rollout import Hold, Scale, Suspension
from supervisor.model.why import Why


async def explain(name: str, *, statuses: StatusService, log: EventLog) -> Why:
    """Put it together. Raises Stalled for what is no app and no unit, and was no app before."""
    ledger, status = log.names.ledger, await statuses.look()
    apps = {one.name: one for one in status.apps}
    units = {one.name: [unit.name for unit in one.units] for one in status.apps}
    try:
        app, unit = app_and_unit(name, units, is_early=status.starting)
    except Stalled:
        if not log.names.is_known(name) and not ledger.events(EventQuery(app=name, limit=1)):
            raise
        app, unit = name, ""  # it has left, or no pass has seen it yet
    events, of_sources = read_events(ledger.events, app, unit)
    orders = (ledger.get(Suspension, app), ledger.get(Suspension))
    material = Material(
        app=app,
        unit=unit,
        standing=apps.get(app),
        incidents=tuple(one for one in status.incidents if one.app == app),
        applied=ledger.applied_app(app),
        rollouts=ledger.rollouts(app),
        held=ledger.get(Hold, app),
        suspensions=tuple(one for one in orders if one),
        scales=tuple(one for one in ledger.all(Scale).values() if one.app == app),
        events=events,
        of_sources=of_sources,
    )
    return why(material, statuses.clock.now())
