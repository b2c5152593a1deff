"""Values to rows and back: the only place that knows both the model and the tables.

Used by `store` and `reader`; everything here takes an open connection and may raise sqlite3.Error.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from supervisor.model.events import Event, EventKind
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.rollout import Rollout

_COLUMNS = Event.__struct_fields__
_INSERT = (
    f"INSERT INTO events ({', '.join(_COLUMNS[1:])}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * (len(_COLUMNS) - 1))})"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM events WHERE id > ?"  # noqa: S608
_KINDS = {str(kind): kind for kind in EventKind}

_LONGEST_TEXT = 8_000
_T = TypeVar("_T")


def storable(event: Event) -> Event:
    """Return the entry as it can be written: without what UTF-8 cannot hold, and not endless."""
    texts = {
        field: _storable_text(value)
        for field in ("app", "unit", "source", "revision", "step", "subject", "reason", "detail")
        if (value := getattr(event, field))
    }
    return msgspec.structs.replace(event, **texts)


def _storable_text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def insert_event(connection: sqlite3.Connection, event: Event) -> Event:
    """Write an entry, and return it with its id."""
    cursor = connection.execute(_INSERT, msgspec.structs.astuple(event)[1:])
    return msgspec.structs.replace(event, id=cursor.lastrowid)


def read_events(
    connection: sqlite3.Connection,
    *,
    after_id: int = 0,
    since: float = 0.0,
    app: str = "",
    unit: str = "",
    limit: int = 0,
) -> list[Event]:
    """Entries in ascending order, the newest `limit` of them (0: all)."""
    query = _SELECT
    values: list[int | float | str] = [after_id or -1]
    for clause, value in (("time >= ?", since), ("app = ?", app), ("unit = ?", unit)):
        if value:
            query += f" AND {clause}"
            values.append(value)
    # Said so that SQLite may use the indexes, which leave the empty names out.
    query += " AND app <> ''" * bool(app) + " AND unit <> ''" * bool(unit)
    query += " ORDER BY id DESC LIMIT ?"
    rows = connection.execute(query, [*values, limit or -1]).fetchall()
    return [event for row in reversed(rows) if (event := _event(row)) is not None]


def _event(row: tuple[Any, ...]) -> Event | None:
    fields = dict(zip(_COLUMNS, row, strict=True))
    # A kind that a newer podvisor wrote is passed over.
    kind = _KINDS.get(fields.pop("kind"))
    return None if kind is None else Event(kind=kind, ok=bool(fields.pop("ok")), **fields)


def read_applied(connection: sqlite3.Connection) -> dict[str, AppliedApp]:
    """Apps by name. One whose first pass was cut short has units, but no revision yet."""
    units: dict[str, dict[str, UnitInputs]] = {}
    for app, name, inputs in connection.execute("SELECT app, name, inputs FROM units"):
        if (read := _decoded(inputs, UnitInputs)) is not None:
            units.setdefault(app, {})[name] = read
    applied = {app: unfinished(app, parts) for app, parts in units.items()}
    columns = "name, source, revision, root, applied_at"
    for name, source, revision, root, applied_at in connection.execute(
        f"SELECT {columns} FROM apps"  # noqa: S608
    ):
        applied[name] = AppliedApp(
            name=name,
            source=source,
            revision=revision,
            root=root,
            applied_at=applied_at,
            units=units.get(name, {}),
        )
    return applied


def unfinished(app: str, units: dict[str, UnitInputs]) -> AppliedApp:
    """Return an app of which units ran, but which was never applied as a whole."""
    return AppliedApp(name=app, source="", revision="", root="", applied_at=0.0, units=units)


def write_app(connection: sqlite3.Connection, name: str, app: AppliedApp | None) -> None:
    """Write an app with all its units in place of what was there; None removes it."""
    connection.execute("DELETE FROM units WHERE app = ?", (name,))
    connection.execute("DELETE FROM apps WHERE name = ?", (name,))
    if app is None:
        return
    if app.revision:
        connection.execute(
            "INSERT INTO apps (name, source, revision, root, applied_at) VALUES (?, ?, ?, ?, ?)",
            (name, app.source, app.revision, app.root, app.applied_at),
        )
    for unit, inputs in app.units.items():
        write_unit(connection, name, unit, inputs)


def write_unit(connection: sqlite3.Connection, app: str, unit: str, inputs: UnitInputs) -> None:
    """Write what one unit was made of."""
    connection.execute(
        "INSERT OR REPLACE INTO units (app, name, inputs) VALUES (?, ?, ?)",
        (app, unit, msgspec.json.encode(inputs)),
    )


def read_repairs(connection: sqlite3.Connection) -> dict[str, RepairState]:
    """Crash-loop memories by unit."""
    rows = connection.execute("SELECT unit, failures, last_at, next_at FROM repairs")
    return {
        unit: RepairState(unit=unit, failures=failures, last_at=last_at, next_at=next_at)
        for unit, failures, last_at, next_at in rows
    }


def write_repair(connection: sqlite3.Connection, unit: str, state: RepairState | None) -> None:
    """Write one crash-loop memory; None forgets it."""
    if state is None:
        connection.execute("DELETE FROM repairs WHERE unit = ?", (unit,))
    else:
        connection.execute(
            "INSERT OR REPLACE INTO repairs (unit, failures, last_at, next_at) VALUES (?, ?, ?, ?)",
            (unit, state.failures, state.last_at, state.next_at),
        )


def read_rollouts(connection: sqlite3.Connection) -> dict[str, dict[str, Rollout]]:
    """Revisions that were tried, by app and revision, the oldest first."""
    rollouts: dict[str, dict[str, Rollout]] = {}
    for app, revision, content in connection.execute(
        "SELECT app, revision, rollout FROM rollouts ORDER BY began_at"
    ):
        if (rollout := _decoded(content, Rollout)) is not None:
            rollouts.setdefault(app, {})[revision] = rollout
    return rollouts


def write_rollout(
    connection: sqlite3.Connection, app: str, revision: str, rollout: Rollout | None
) -> None:
    """Write one revision that was tried; None forgets it."""
    if rollout is None:
        connection.execute("DELETE FROM rollouts WHERE app = ? AND revision = ?", (app, revision))
    else:
        connection.execute(
            "INSERT OR REPLACE INTO rollouts (app, revision, began_at, rollout)"
            " VALUES (?, ?, ?, ?)",
            (app, revision, rollout.began_at, msgspec.json.encode(rollout)),
        )


def _decoded(content: bytes, kind: type[_T]) -> _T | None:
    """Decode what is kept as JSON; None for what a newer podvisor wrote, which stays in the file.

    Fields that this one does not know are passed over.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        return None


def read_notes(connection: sqlite3.Connection) -> dict[str, str]:
    """Small texts by key."""
    return dict(connection.execute("SELECT key, text FROM notes"))


def write_note(connection: sqlite3.Connection, key: str, text: str | None) -> None:
    """Write a small text; None removes it."""
    if text is None:
        connection.execute("DELETE FROM notes WHERE key = ?", (key,))
    else:
        connection.execute("INSERT OR REPLACE INTO notes (key, text) VALUES (?, ?)", (key, text))


def matching(
    events: Iterable[Event], *, since: float = 0.0, app: str = "", unit: str = ""
) -> list[Event]:
    """Choose among entries that are not in the file as `read_events` does among those that are."""
    return [
        event
        for event in events
        if event.time >= since and app in ("", event.app) and unit in ("", event.unit)
    ]
