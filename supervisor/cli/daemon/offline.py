"""What the ledger says where no daemon runs, but for the status; no file is made or changed."""

from pathlib import Path

import msgspec

from supervisor.adapters.ledger import schema
from supervisor.adapters.ledger.reader import known_apps
from supervisor.adapters.ledger.rows import read_documents, read_events
from supervisor.core.files.names import unknown_app
from supervisor.model.events import Event, EventQuery
from supervisor.model.observed import AppliedApp
from supervisor.model.rollout import Hold, Rollout
from supervisor.model.status import History


def history_from_ledger(path: str, app: str) -> bytes:
    """Return a `History`, as JSON. Raises Stalled for an app that the ledger does not know."""
    with schema.reading(Path(path)) as ledger:
        known, applied = known_apps(ledger), read_documents(ledger, AppliedApp, app).get(app)
        held = read_documents(ledger, Hold, app).get(app, {}).get("")
        tried = read_documents(ledger, Rollout, app).get(app, {}).values()
    if app not in known and not tried:
        raise unknown_app(app, known)
    return msgspec.json.encode(
        History(
            app=app,
            running=applied[""].release if applied else "",
            held=held,
            rollouts=tuple(sorted(tried, key=lambda one: one.order, reverse=True)),
        )
    )


def events_from_ledger(path: str, query: EventQuery) -> list[Event]:
    """Return entries of the event log. Raises Stalled for an app that the ledger does not know."""
    app = query.app
    with schema.reading(Path(path)) as ledger:
        found = read_events(ledger, query)
        if app and not found and not read_events(ledger, EventQuery(app=app, limit=1)):
            known = known_apps(ledger)
            if app not in known:
                raise unknown_app(app, known)
    return found
