"""How the event log stays within its limits: a little at a time, from its old end.

`store` calls `trim` when enough was appended; there is no timer.
"""

import sqlite3

from supervisor.model.settings import LedgerSettings

AFTER_ENTRIES = 256
"""Appended entries between two looks at the limits."""

_AT_ONCE = 1_000
"""Entries removed in one go: some milliseconds, also on an SD card."""
_PAGES_AT_ONCE = 500


def trim(connection: sqlite3.Connection, settings: LedgerSettings, *, now: float) -> bool:
    """Remove entries that are too old or too many; whether there is more to remove."""
    old = _remove_until(connection, _first_kept_by_age(connection, now - settings.keep_age))
    large = _used_bytes(connection) > settings.keep_size and _remove_until(connection, None)
    if old or large:
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
    return old >= _AT_ONCE or (bool(large) and _used_bytes(connection) > settings.keep_size)


def _first_kept_by_age(connection: sqlite3.Connection, moment: float) -> int | None:
    """Id of the first entry that is young enough; None if none is.

    Entries that a clock not yet set dated too old are kept until those before them go.
    """
    row = connection.execute(
        "SELECT id FROM events WHERE time >= ? ORDER BY id LIMIT 1", (moment,)
    ).fetchone()
    return None if row is None else int(row[0])


def _remove_until(connection: sqlite3.Connection, first_kept: int | None) -> int:
    """Remove the oldest entries before an id (None: any), and say how many."""
    return connection.execute(
        "DELETE FROM events WHERE id IN"
        " (SELECT id FROM events WHERE ?1 IS NULL OR id < ?1 ORDER BY id LIMIT ?2)",
        (first_kept, _AT_ONCE),
    ).rowcount


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Bytes of the pages in use; the file itself follows as they are given back."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)
