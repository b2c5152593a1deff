"""The ledger as the command line reads it where no daemon runs: plain JSON.

Decoding it into the model would cost a status more than all the rest. Kinds are named as
`model.ledger_documents` has them.
"""

import json
import sqlite3
from typing import Any

from supervisor.adapters.ledger import schema


def plain_documents(
    connection: sqlite3.Connection, kind: str, key: str | None = None
) -> dict[str, dict[str, Any]]:
    """Documents of a kind (of one key) by key and part; one that is no JSON is passed over."""
    found: dict[str, dict[str, Any]] = {}
    for name, part, content in schema.contents(connection, kind, key):
        try:
            found.setdefault(name, {})[part] = json.loads(content)
        except ValueError:
            continue
    return found


def names(connection: sqlite3.Connection, kind: str) -> dict[str, list[str]]:
    """Keys of a kind, each with its parts in order."""
    found: dict[str, list[str]] = {}
    select = "SELECT key, part FROM documents WHERE kind = ? ORDER BY key, part"
    for key, part in connection.execute(select, (kind,)):
        found.setdefault(key, []).append(part)
    return found


def known_apps(connection: sqlite3.Connection) -> set[str]:
    """Apps of which something was applied or tried, or with which something is wrong."""
    found = {name for kind in ("applied", "unit", "rollout") for name in names(connection, kind)}
    ailing = (one.get("", {}) for one in plain_documents(connection, "incident").values())
    return found | {one["app"] for one in ailing if one.get("app")}
