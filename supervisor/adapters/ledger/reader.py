"""The ledger as the command line reads it where no daemon runs: nothing is made or changed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from supervisor.adapters.ledger import rows, schema
from supervisor.adapters.ledger.queries import Queries
from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.model.errors import Stalled
from supervisor.model.events import EVERYTHING, Event, EventQuery
from supervisor.model.ledger_documents import KINDS, D

_T = TypeVar("_T")


class ReadOnlyLedger(Queries):
    """One file, as it is now; a file that is not there is empty. Raises Stalled if unreadable."""

    def __init__(self, path: Path) -> None:
        super().__init__()
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

    def events(self, query: EventQuery = EVERYTHING) -> list[Event]:
        """Entries in ascending order."""
        return self._ask(lambda connection: rows.read_events(connection, query), [])

    def copy_to(self, ledger: SqliteLedger) -> None:
        """Put everything but the event log into another one."""
        with ledger.together():
            for kind in KINDS:
                for key, parts in self._of(kind).items():
                    for part, document in parts.items():
                        ledger.put(document, key, part)

    def _of(self, kind: type[D]) -> dict[str, dict[str, D]]:
        return self._ask(lambda connection: rows.read_documents(connection, kind), {})

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
