"""Values to rows and back: the only place that knows both the model and the tables.

Everything here takes an open connection and may raise sqlite3.Error.
"""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supervisor.adapters.ledger import schema
from supervisor.model.events import EVERYTHING, Event, EventKind, EventQuery, code_of
from supervisor.model.ledger_documents import KINDS, D, Document

log = logging.getLogger(__name__)
_COLUMNS = Event.__struct_fields__
_NAMES = [f'"{name}"' for name in _COLUMNS]
_INSERT = (
    f"INSERT INTO events ({', '.join(_NAMES[1:])}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * (len(_COLUMNS) - 1))})"
)
_SELECT = f"SELECT {', '.join(_NAMES)} FROM events"  # noqa: S608
_KINDS = {str(kind): kind for kind in EventKind}

_LONGEST_TEXT = 8_000


def storable(event: Event, *, now: float) -> Event:
    """Return the entry as it can be written: without what UTF-8 cannot hold, and not endless.

    One without a time happened `now`.
    """
    texts = {
        field: _storable_text(value)
        for field in (
            "app",
            "unit",
            "source",
            "revision",
            "step",
            "subject",
            "reason",
            "detail",
            "author",
            "by",
        )
        if (value := getattr(event, field))
    }
    code = event.code or code_of(event.kind, event.step, ok=event.ok)
    return msgspec.structs.replace(event, time=event.time or now, code=code, **texts)


def _storable_text(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def insert_event(connection: sqlite3.Connection, event: Event) -> Event:
    """Write an entry, and return it with its id."""
    cursor = connection.execute(_INSERT, msgspec.structs.astuple(event)[1:])
    return msgspec.structs.replace(event, id=cursor.lastrowid)


def read_events(connection: sqlite3.Connection, query: EventQuery = EVERYTHING) -> list[Event]:
    """Entries in ascending order."""
    where, values = _conditions(query)
    order = "ASC" if query.goes_forward else "DESC"
    select = f"{_SELECT} WHERE {where} ORDER BY id {order} LIMIT ?"
    rows = connection.execute(select, [*values, query.limit or -1]).fetchall()
    if not query.goes_forward:
        rows.reverse()
    return [event for row in rows if (event := _event(row)) is not None]


def first_of_newest(connection: sqlite3.Connection, query: EventQuery) -> int:
    """Return the id of the oldest entry among the newest `limit` ones; 0 if there are not more."""
    where, values = _conditions(query)
    select = f"SELECT id FROM events WHERE {where} ORDER BY id DESC LIMIT 1 OFFSET ?"  # noqa: S608
    row = connection.execute(select, [*values, query.limit - 1]).fetchone()
    return 0 if row is None else int(row[0])


def _conditions(query: EventQuery) -> tuple[str, list[int | float | str]]:
    wishes: list[tuple[str, int | float | str]] = []
    # Of a page that is read forward the order of ids matters: without an index of times, none is
    # sorted anew for each page.
    time = "+time" if query.goes_forward and query.limit else "time"
    if query.after_id is not None:
        wishes.append(("id > ?", query.after_id))
    if query.before_id is not None:
        wishes.append(("id < ?", query.before_id))
    if query.since:
        wishes.append((f"{time} >= ?", query.since))
    if query.until is not None:
        wishes.append((f"{time} < ?", query.until))
    if query.failed:
        wishes.append(("ok = ?", 0))
    for name, value in (("app", query.app), ("unit", query.unit), ("code", query.code)):
        if value:
            # Said twice so that SQLite may use the index, which leaves the empty ones out.
            wishes.append((f"{name} = ? AND {name} <> ''", value))
    return " AND ".join(wish for wish, _ in wishes) or "TRUE", [value for _, value in wishes]


def _event(row: tuple[Any, ...]) -> Event | None:
    fields = dict(zip(_COLUMNS, row, strict=True))
    # A kind that a newer podvisor wrote is passed over.
    kind = _KINDS.get(fields.pop("kind"))
    return None if kind is None else Event(kind=kind, ok=bool(fields.pop("ok")), **fields)


def read_documents(
    connection: sqlite3.Connection, kind: type[D], key: str | None = None
) -> dict[str, dict[str, D]]:
    """Documents of a kind (of one key) by key and part.

    One that this podvisor cannot read, as a newer one wrote it, is said and passed over: it stays
    in the file. Fields that this one does not know are passed over, too.
    """
    found: dict[str, dict[str, D]] = {}
    for name, part, content in schema.contents(connection, KINDS[kind], key):
        try:
            found.setdefault(name, {})[part] = msgspec.json.decode(content, type=kind)
        except ValueError as error:
            what = " ".join(filter(None, (KINDS[kind], name, part)))
            log.warning("passed over in the ledger: %s cannot be read: %s", what, error)
    return found


def write_documents(
    connection: sqlite3.Connection,
    documents: Iterable[tuple[type[Document], str, str, Document | None]],
) -> None:
    """Write documents in place of what was there, each with its kind, key and part; None removes.

    No two of them have the same place.
    """
    gone: list[tuple[str, str, str]] = []

    def there() -> Iterator[tuple[str, str, str, bytes]]:
        for kind, key, part, document in documents:
            if document is None:
                gone.append((KINDS[kind], key, part))
            else:
                yield KINDS[kind], key, part, encode(document)

    encode = msgspec.json.Encoder().encode
    connection.executemany(
        "INSERT OR REPLACE INTO documents (kind, key, part, content) VALUES (?, ?, ?, ?)", there()
    )
    connection.executemany("DELETE FROM documents WHERE kind = ? AND key = ? AND part = ?", gone)
