"""What the ledger says where no daemon runs; read without making or changing any file."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from supervisor import __version__
from supervisor.adapters.ledger.reader import ReadOnlyLedger
from supervisor.cli.daemon.client import Refused
from supervisor.core.files.names import unknown_app
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventQuery
from supervisor.model.rollout import Hold
from supervisor.model.status import AppState, AppStatus, History, Status, UnitStatus


def status_from_ledger(path: str, app: str = "") -> bytes:
    """Return a `Status`, as JSON, of what was applied last."""
    try:
        with ReadOnlyLedger(Path(path)) as ledger:
            applied, repairs = ledger.applied(), ledger.repairs()
    except Stalled as error:
        raise Refused(str(error), hint=error.hint) from error
    apps = [
        AppStatus(
            name=one.name,
            source=one.source,
            state=AppState.UNKNOWN,
            revision=one.revision,
            applied_at=one.applied_at,
            units=tuple(
                UnitStatus(
                    name=unit,
                    active="",
                    sub="",
                    failures=repairs[unit].failures if unit in repairs else 0,
                )
                for unit in sorted(one.units)
            ),
        )
        for name, one in sorted(applied.items())
        if app in ("", name)
    ]
    if app and not apps:
        raise _unknown(app, applied)
    return msgspec.json.encode(Status(running=False, version=__version__, apps=tuple(apps)))


def history_from_ledger(path: str, app: str) -> bytes:
    """Return a `History`, as JSON. Raises Refused for an app that the ledger does not know."""
    try:
        with ReadOnlyLedger(Path(path)) as ledger:
            applied, rollouts = ledger.applied(), ledger.rollouts(app)
            hold = ledger.get(Hold, app)
    except Stalled as error:
        raise Refused(str(error), hint=error.hint) from error
    if app not in applied and not rollouts:
        raise _unknown(app, applied)
    return msgspec.json.encode(
        History(
            app=app,
            running=applied[app].release if app in applied else "",
            held=hold,
            rollouts=tuple(reversed(rollouts)),
        )
    )


def events_from_ledger(path: str, query: EventQuery) -> list[Event]:
    """Return entries of the event log. Raises Refused for an app that the ledger does not know."""
    try:
        with ReadOnlyLedger(Path(path)) as ledger:
            found, app = ledger.events(query), query.app
            applied = ledger.applied()
            is_known = not app or app in applied or ledger.events(EventQuery(app=app, limit=1))
    except Stalled as error:
        raise Refused(str(error), hint=error.hint) from error
    if not is_known:
        raise _unknown(app, applied)
    return found


def _unknown(app: str, known: Iterable[str]) -> Refused:
    failure = unknown_app(app, known)
    return Refused(str(failure), hint=failure.hint)
