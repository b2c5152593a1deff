"""The ledger as the command line reads it where no daemon runs: plain JSON.

Decoding it into the model would cost a status more than all the rest.
"""

import json
import sqlite3
from typing import Any


def plain_documents(connection: sqlite3.Connection, kind: str) -> dict[str, dict[str, Any]]:
    """Documents of a kind (as `model.ledger_documents` names it) by key and part.

    One that is no JSON is passed over.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, part, content in connection.execute(
        "SELECT key, part, content FROM documents WHERE kind = ?", (kind,)
    ):
        try:
            found.setdefault(key, {})[part] = json.loads(content)
        except ValueError:
            continue
    return found
