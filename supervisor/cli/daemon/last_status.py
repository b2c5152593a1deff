"""How apps stood last, as the ledger says where no daemon runs.

It is plain JSON, as the daemon's answer is (see `client`): decoding it would cost a status more
than all the rest.
"""

import json
from pathlib import Path
from typing import Any

from supervisor import __version__
from supervisor.adapters.ledger import schema
from supervisor.adapters.ledger.reader import known_apps, names, plain_documents

_COMMIT = ("source", "revision", "subject", "author")


def status_from_ledger(path: str, app: str = "") -> bytes:
    """Return a `Status`, as JSON, of what was applied, or tried, last.

    Raises Stalled for an unknown app.
    """
    with schema.reading(Path(path)) as ledger:
        known, units = known_apps(ledger), names(ledger, "unit")
        applied = plain_documents(ledger, "applied", app or None)
        tried = {
            name: plain_documents(ledger, "rollout", name)[name]
            for name in names(ledger, "rollout").keys() & units.keys() - applied.keys()
            if app in ("", name)
        }
        repairs = plain_documents(ledger, "repair")
    if app and app not in known:
        from supervisor.core.files.names import unknown_app

        raise unknown_app(app, known)
    apps = [
        {
            "name": name,
            "source": "",
            "state": "unknown",
            "stale": True,
            **_newest(tried.get(name, {})),
            **_some(applied, name, *_COMMIT, "applied_at"),
            "units": [
                {"name": unit, "active": "", "sub": "", **_some(repairs, unit, "failures")}
                for unit in units.get(name, ())
            ],
        }
        for name in ([app] if app else sorted(known))
    ]
    status = {"running": False, "version": __version__, "apps": apps}
    return json.dumps(status, ensure_ascii=False, separators=(",", ":")).encode()


def _newest(tried: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return of which source and commit the release is that was tried last."""
    last = max(tried.values(), key=lambda one: one.get("began_at", 0.0), default={})
    return {field: last[field] for field in _COMMIT if field in last}


def _some(documents: dict[str, dict[str, Any]], key: str, *fields: str) -> dict[str, Any]:
    """Return these fields of a document, as far as it is there and has them."""
    document = documents.get(key, {}).get("", {})
    return {field: document[field] for field in fields if field in document}
