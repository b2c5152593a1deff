"""What can still be read of a damaged file: documents, wherever their pages are whole.

SQLite ends a reading at the first page that it cannot use. So each kind of document is read from
both its ends. Whatever stands there is hostile: it counts if it is a document of its kind, and
neither its amount nor the time that it takes is endless.
"""

import contextlib
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from supervisor.adapters.ledger import schema
from supervisor.model.ledger_documents import KINDS, Document
from supervisor.model.ledger_loss import LedgerLoss

_MOST_DOCUMENTS = 200_000
_MOST_BYTES = 256 << 20
_LONGEST_SECONDS = 5.0
_STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock."""

Documents = Mapping[type[Document], Mapping[str, Mapping[str, Any]]]
"""By kind, key and part."""


def set_aside(path: Path, *, now: float, is_known: bool) -> tuple[Documents | None, LedgerLoss]:
    """Move a damaged file aside; return what could be read in it, and what is lost.

    None where all of it `is_known` anyway. Raises OSError if it cannot be moved.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    file = schema.move_aside(path, stamp=stamp)
    if is_known:
        return None, LedgerLoss(file=str(file), whole=True)
    found, is_whole = salvage(file)
    number = sum(len(parts) for kind in found.values() for parts in kind.values())
    return found, LedgerLoss(file=str(file), taken_over=number, whole=is_whole)


def salvage(path: Path) -> tuple[Documents, bool]:
    """Read what can be read, and tell whether that is all. Raises nothing for what it finds."""
    found: dict[type[Document], dict[str, dict[str, Any]]] = {}
    rows, is_whole = _rows(path)
    for (name, key, part), content in rows.items():
        kind = _KINDS.get(name)
        try:
            document = msgspec.json.decode(content, type=kind) if kind else None
            place = key.decode(), part.decode()
        except (ValueError, TypeError):
            is_whole = False
            continue
        if kind and document is not None:
            found.setdefault(kind, {}).setdefault(place[0], {})[place[1]] = document
    return found, is_whole


_KINDS = {name.encode(): kind for kind, name in KINDS.items()}
_Rows = dict[tuple[bytes, bytes, bytes], bytes]


def _rows(path: Path) -> tuple[_Rows, bool]:
    rows: _Rows = {}
    is_whole = True
    until = time.monotonic() + _LONGEST_SECONDS
    try:
        connection = sqlite3.connect(f"{schema.address(path)}?mode=ro", uri=True)
    except sqlite3.Error:
        return rows, False
    with contextlib.closing(connection):
        connection.text_factory = bytes
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON"):
            with contextlib.suppress(sqlite3.Error):
                connection.execute(f"PRAGMA {pragma}")
        for kind in KINDS.values():
            for order in ("ASC", "DESC"):
                if _read(connection, kind, order, rows):
                    break
                is_whole = False
    return rows, is_whole


def _read(connection: sqlite3.Connection, kind: str, order: str, rows: _Rows) -> bool:
    """Read the documents of a kind from one end; returns whether the other end was reached."""
    size = sum(map(len, rows.values()))
    select = (
        "SELECT kind, key, part, content FROM documents WHERE kind = ?"  # noqa: S608 - our own
        f" ORDER BY key {order}, part {order}"
    )
    try:
        for row in connection.execute(select, [kind]):
            if not all(isinstance(one, bytes) for one in row):
                return False
            size += len(row[3])
            if len(rows) >= _MOST_DOCUMENTS or size > _MOST_BYTES:
                return False
            rows[row[0], row[1], row[2]] = row[3]
    except sqlite3.Error:
        return False
    return True
