"""The ledger as the command line reads it where no daemon runs: nothing is made or changed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from supervisor.adapters.ledger import rows, schema
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.model.errors import Stalled
from supervisor.model.events import Event
from supervisor.model.observed import AppliedApp, RepairState
from supervisor.model.rollout import Rollout

_T = TypeVar("_T")


class ReadOnlyLedger:
    """One file, as it is now; a file that is not there is empty. Raises Stalled if unreadable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        if path.exists():
            try:
                self._connection = schema.open_for_reading(path)
            except sqlite3.Error as error:
                raise self._unreadable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def events(
        self,
        *,
        after_id: int = 0,
        since: float = 0.0,
        app: str = "",
        unit: str = "",
        limit: int = 0,
    ) -> list[Event]:
        """Entries in ascending order, the newest `limit` of them (0: all)."""

        def read(connection: sqlite3.Connection) -> list[Event]:
            return rows.read_events(
                connection, after_id=after_id, since=since, app=app, unit=unit, limit=limit
            )

        return self._ask(read, [])

    def applied(self) -> dict[str, AppliedApp]:
        """Apps by name. One whose first pass was cut short has units, but no revision yet."""
        return self._ask(rows.read_applied, {})

    def copy_to(self, ledger: SqliteLedger) -> None:
        """Put everything but the event log into another one."""
        for app in self.applied().values():
            ledger.put_applied(app)
        rollouts: dict[str, dict[str, Rollout]] = self._ask(rows.read_rollouts, {})
        for mine in rollouts.values():
            for one in mine.values():
                ledger.put_rollout(one)
        ledger.put_repairs(self.repairs().values())
        notes: dict[str, str] = self._ask(rows.read_notes, {})
        for key, text in notes.items():
            ledger.put_note(key, text)

    def rollouts(self, app: str) -> tuple[Rollout, ...]:
        """Revisions of an app that were tried, the newest last."""
        found: dict[str, dict[str, Rollout]] = self._ask(rows.read_rollouts, {})
        return tuple(found.get(app, {}).values())

    def repairs(self) -> dict[str, RepairState]:
        """Crash-loop memories by unit."""
        return self._ask(rows.read_repairs, {})

    def note(self, key: str) -> str:
        """Return a small text kept under a key, empty if none."""
        notes: dict[str, str] = self._ask(rows.read_notes, {})
        return notes.get(key, "")

    def _ask(self, question: Callable[[sqlite3.Connection], _T], nothing: _T) -> _T:
        if self._connection is None:
            return nothing
        try:
            return question(self._connection)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> Stalled:
        return Stalled(
            f"cannot read the ledger {self._path}: {error}",
            hint="the daemon sets a damaged ledger aside when it starts, and begins a new one",
        )
