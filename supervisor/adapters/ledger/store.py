"""The ledger as the daemon writes it; serves `controllers.ports.Ledger`.

Documents are held in memory as well (they are small), and that is the truth; the file follows with
each call. So a full disk costs nothing but durability: what could not be written is remembered, and
goes into the file with the next call that finds room. Only one process writes.
"""

import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

import msgspec

from supervisor.adapters.ledger import retention, rows, schema
from supervisor.kit.clock import Clock
from supervisor.kit.ordered_by import ORDERED_BY
from supervisor.kit.texts import count
from supervisor.model.errors import Stalled
from supervisor.model.events import EVERYTHING, Event, EventFields, EventKind, EventQuery
from supervisor.model.ledger_documents import KINDS, D, Document
from supervisor.model.ledger_loss import LedgerLoss
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.rollout import Rollout
from supervisor.model.settings import LedgerSettings

_BUFFERED_ENTRIES = 1_000
"""Entries kept in memory while the file cannot be written; the oldest go first."""

_UNFINISHED = AppliedApp(name="", source="", revision="", content="", applied_at=0.0, units={})
_T = TypeVar("_T")


class SqliteLedger:
    """One file. Raises Stalled when it is made, for that of a podvisor too new; then never."""

    def __init__(self, path: Path, *, settings: LedgerSettings, clock: Clock) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._listeners: list[Callable[[Event], None]] = []
        self._documents: dict[type[Document], dict[str, dict[str, Any]]]
        self._documents = {kind: {} for kind in KINDS}
        self._applied: dict[str, AppliedApp] = {}
        """As `applied` put them together; gone with any change under their name."""
        self._unwritten: dict[tuple[type[Document], str, str], None] = {}
        """What is to be written, or removed: kind, key and part."""
        self._pending: deque[Event] = deque(maxlen=_BUFFERED_ENTRIES)
        self._together: list[Event] | None = None
        """Entries that are to be written together."""
        self._lost = 0
        self._until_trim = 0
        self._loaded = False
        self._problem = ""
        self._salvaged: Mapping[type[Document], Mapping[str, Mapping[str, Any]]] | None = None
        self._loss: LedgerLoss | None = None
        self._mover = schema.LogMover(path)
        self._attempt(self._open, may_stall=True)
        self._tell_troubles(before="")

    def close(self) -> None:
        """Write what is left, and let go of the file."""
        if self._pending or self._unwritten:
            self._commit()
        self._mover.wait()
        self._disconnect()

    def configure(self, settings: LedgerSettings) -> None:
        """Take other limits; they count from the next entry on."""
        self._settings = settings
        self._until_trim = 0

    @property
    def folder(self) -> str:
        """Where it is written."""
        return str(self._path.parent)

    def problem(self) -> str:
        """Why it cannot write now, empty if it can."""
        return self._problem

    def losses(self) -> tuple[LedgerLoss, ...]:
        """What was lost with damaged files that are still there."""
        for file in [one for one in self._of(LedgerLoss) if not Path(one).exists()]:
            self.drop(LedgerLoss, file)
        return tuple(self.all(LedgerLoss).values())

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Hear every entry as it is written; returns the way to stop."""
        self._listeners.append(listener)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is recorded meanwhile in one transaction at the end; wait for nothing."""
        if self._together is not None:
            yield
            return
        self._together = []
        try:
            yield
        finally:
            entries, self._together = self._together, None
            if entries or self._unwritten:
                self._commit(*entries)

    # The event log

    def log(self, kind: EventKind, **fields: Unpack[EventFields]) -> None:
        """Write an entry of what happened now."""
        fields.setdefault("by", ORDERED_BY.get())
        self.append(Event(kind=kind, **fields))

    def append(self, *events: Event) -> Event:
        """Write entries in one transaction; returns the last with its id.

        That is 0 if it cannot be written (see `problem`), or not before the end of `together`.
        """
        now = self._clock.now()
        return self._commit(*(rows.storable(event, now=now) for event in events))[-1]

    def events(self, query: EventQuery = EVERYTHING) -> list[Event]:
        """Entries in ascending order; on the last page all not written yet, without an id."""
        before = self._problem
        written = self._attempt(lambda: rows.read_events(self._open(), query)) or []
        self._tell_troubles(before)
        if query.goes_forward and len(written) == query.limit:
            return written
        found = [*written, *(one for one in self._pending if query.fits(one))]
        return found if query.goes_forward else found[-query.limit :]

    def first_of_newest(self, query: EventQuery) -> int:
        """Id of the oldest entry among the newest `limit` that fit; 0 if there are not more."""
        return self._attempt(lambda: rows.first_of_newest(self._open(), query)) or 0

    # Documents

    def get(self, kind: type[D], key: str = "", part: str = "") -> D | None:
        """Return a document, None if there is none."""
        return self._of(kind).get(key, {}).get(part)

    def all(self, kind: type[D]) -> dict[str, D]:
        """Documents of a kind by key."""
        return {key: parts[""] for key, parts in self._of(kind).items() if "" in parts}

    def applied(self) -> dict[str, AppliedApp]:
        """Apps by name. One whose first pass was cut short has units, but no revision yet."""
        for name in (*self._of(AppliedApp), *self._of(UnitInputs)):
            if name not in self._applied:
                self.applied_app(name)
        return dict(self._applied)

    def applied_app(self, name: str) -> AppliedApp | None:
        """Return one of `applied`, without a look at the others; None if it is none."""
        if name not in self._applied:
            app, units = self.get(AppliedApp, name), self._of(UnitInputs).get(name, {})
            if app is None and not units:
                return None
            app = app or _UNFINISHED
            self._applied[name] = msgspec.structs.replace(app, name=name, units=dict(units))
        return self._applied[name]

    def tried(self) -> frozenset[str]:
        """Apps of which a release was tried."""
        return frozenset(self._of(Rollout))

    def rollouts(self, app: str) -> tuple[Rollout, ...]:
        """Releases of an app that were tried, the newest last."""
        tried = tuple(self._of(Rollout).get(app, {}).values())
        return tuple(sorted(tried, key=lambda one: one.order)) if len(tried) > 1 else tried

    def repairs(self) -> dict[str, RepairState]:
        """Crash-loop memories by unit."""
        return self.all(RepairState)

    def put(self, document: Document, key: str = "", part: str = "") -> None:
        """Keep a document under its type, in place of what was there."""
        self._put(type(document), key, part, document)

    def drop(self, kind: type[D], key: str = "", part: str = "") -> D | None:
        """Forget a document; returns it if there was one."""
        document = self.get(kind, key, part)
        self._put(kind, key, part, None)
        return document

    def put_applied(self, app: AppliedApp) -> None:
        """Record an app as applied, its units with it."""
        with self.together():
            for unit in self._of(UnitInputs).get(app.name, {}).keys() - app.units.keys():
                self.drop(UnitInputs, app.name, unit)
            for unit, inputs in app.units.items():
                self.put(inputs, app.name, unit)
            self.put(msgspec.structs.replace(app, units={}), app.name)

    def put_unit(self, app: str, unit: str, inputs: UnitInputs) -> None:
        """Record what one unit was made of, once it runs with it: under this app alone."""
        self.put_units(app, {unit: inputs})

    def put_units(self, app: str, units: Mapping[str, UnitInputs]) -> None:
        """Record what units were made of, once they run with it: under this app alone."""
        with self.together():
            for other, known in tuple(self._of(UnitInputs).items()):
                if other != app and not units.keys().isdisjoint(known):
                    for unit in units.keys() & known.keys():
                        self.drop(UnitInputs, other, unit)
            for unit, inputs in units.items():
                self.put(inputs, app, unit)

    def take(self, path: Path) -> None:
        """Put everything but the event log of another file. Raises Stalled if it is unreadable."""
        with schema.reading(path) as connection:
            found = [rows.read_documents(connection, kind) for kind in KINDS]
        with self.together():
            for documents in found:
                for key, parts in documents.items():
                    for part, document in parts.items():
                        self.put(document, key, part)

    def drop_app(self, app: str) -> None:
        """Forget an app, its units and its releases."""
        with self.together():
            self.drop(AppliedApp, app)
            for unit in tuple(self._of(UnitInputs).get(app, ())):
                self.drop(UnitInputs, app, unit)
            self.drop_rollouts(app, tuple(self._of(Rollout).get(app, ())))

    def put_rollout(self, rollout: Rollout) -> None:
        """Record a release that is tried, or what came of it."""
        self.put(rollout, rollout.name, rollout.release)

    def drop_rollouts(self, app: str, releases: Collection[str]) -> None:
        """Forget these releases of an app."""
        with self.together():
            for release in releases:
                self.drop(Rollout, app, release)

    def put_repairs(self, states: Iterable[RepairState]) -> None:
        """Write these; one that remembers nothing is forgotten."""
        with self.together():
            for state in states:
                self._put(
                    RepairState, state.unit, "", state if state.failures or state.session else None
                )

    def _of(self, kind: type[D]) -> dict[str, dict[str, D]]:
        return self._documents[kind]

    def _put(self, kind: type[Document], key: str, part: str, document: Document | None) -> None:
        if self.get(kind, key, part) == document:
            return
        parts = self._documents[kind].setdefault(key, {})
        if document is not None:
            parts[part] = document
        else:
            del parts[part]
        if not parts:
            del self._documents[kind][key]
        self._applied.pop(key, None)
        self._unwritten[kind, key, part] = None
        self._commit()

    # Writing

    def _commit(self, *entries: Event) -> Sequence[Event]:
        """Write everything that is not in the file yet, and these; returns them with their ids."""
        if self._together is not None:
            self._together += entries
            return entries
        before, early = self._problem, list[Event]()
        for entry in entries:
            if len(self._pending) == self._pending.maxlen:
                early += self._attempt(self._write) or ()
                self._lost += len(self._pending) == self._pending.maxlen
            self._pending.append(entry)
        written = self._attempt(self._write)
        # Those that are written have their ids.
        told = [*early, *written][-len(entries) :] if written and entries else entries
        for entry in told:
            for listener in tuple(self._listeners):
                listener(entry)
        if written and self._until_trim <= 0:
            self._attempt(self._trim)
        if written is not None:
            self._mover.start_if_due()
        self._tell_troubles(before)
        return told

    def _write(self) -> list[Event]:
        """Write what is pending, all or nothing; returns the entries with their ids."""
        connection = self._open()
        if self._problem:
            # With a full buffer a failing try is dear; whether there is room shows in one page.
            schema.write_one_page(connection)
        connection.execute("BEGIN IMMEDIATE")
        rows.write_documents(connection, ((*place, self.get(*place)) for place in self._unwritten))
        written = [rows.insert_event(connection, event) for event in self._pending]
        connection.execute("COMMIT")
        self._unwritten.clear()
        self._pending.clear()
        self._until_trim -= len(written)
        self._problem = ""
        return written

    def _trim(self) -> None:
        more = retention.trim(self._open(), self._settings, now=self._clock.now())
        self._until_trim = 0 if more else retention.AFTER_ENTRIES

    # Opening, and what can go wrong

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = schema.open_for_writing(self._path)
            if self._loaded:
                # Whatever happened to the file meanwhile: memory is the truth.
                self._unwritten |= {
                    (kind, key, part): None
                    for kind, documents in self._documents.items()
                    for key, parts in documents.items()
                    for part in parts
                }
            else:
                self._load(self._connection)
                self._loaded = True
        return self._connection

    def _load(self, connection: sqlite3.Connection) -> None:
        """Read the file into memory; what was put there before it could be opened stays."""
        saved, self._salvaged = self._salvaged, None
        for kind, documents in self._documents.items():
            found = rows.read_documents(connection, kind) if saved is None else saved.get(kind, {})
            for key, parts in found.items():
                is_stale = kind is UnitInputs and (AppliedApp, key, "") in self._unwritten
                for part, document in parts.items():
                    if is_stale:
                        self._unwritten[kind, key, part] = None
                    elif (kind, key, part) not in self._unwritten:
                        documents.setdefault(key, {})[part] = document
                        if saved is not None:
                            self._unwritten[kind, key, part] = None
        self._applied.clear()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _roll_back(self, error: Exception) -> None:
        """Take back what was begun; let go of the file, where it may not be the same any more."""
        passing = schema.is_passing(error)
        try:
            if passing and self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            passing = False
        if not passing:
            self._disconnect()

    def _attempt(self, action: Callable[[], _T], *, may_stall: bool = False) -> _T | None:
        """Do it; if the file is damaged, do it on a new one; None, and `problem`, if it fails."""
        for again in (True, False):
            try:
                return action()
            except (sqlite3.Error, OSError, Stalled) as error:
                self._roll_back(error)
                if may_stall and isinstance(error, Stalled):
                    raise
                if again and schema.is_damage(error) and self._begin_anew():
                    continue
                self._problem = f"{self._path}: {schema.reason(error)}"
        return None

    def _begin_anew(self) -> bool:
        """Move the damaged file aside; whether that worked."""
        from supervisor.adapters.ledger.salvage import set_aside  # noqa: PLC0415  # seldom

        try:
            found = set_aside(self._path, now=self._clock.now(), is_known=self._loaded)
        except OSError:
            return False
        self._salvaged, self._loss = found
        return True

    def _tell_troubles(self, before: str) -> None:
        """Log what happened to the ledger itself since `before` was its problem."""
        if self._loss is not None:
            loss, self._loss = self._loss, None
            self.put(loss, loss.file)
            self.log(EventKind.ERROR, ok=False, by="", reason=loss.text, detail=loss.hint)
        if self._problem and not before:
            reason = f"cannot write the ledger: {self._problem}"
            self.log(EventKind.ERROR, ok=False, by="", reason=reason)
        elif before and not self._problem:
            lost, self._lost = self._lost, 0
            reason = "the ledger can be written again"
            detail = f"{count(lost, 'entry', 'entries')} could not be kept" if lost else ""
            self.log(EventKind.RECOVERED, by="", reason=reason, detail=detail)
