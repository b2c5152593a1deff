"""The durable record, by role."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, Unpack

from supervisor.model.events import Event, EventFields, EventKind, EventQuery
from supervisor.model.ledger_documents import D, Document
from supervisor.model.ledger_loss import LedgerLoss
from supervisor.model.observed import AppliedApp, RepairState, UnitInputs
from supervisor.model.rollout import Rollout


class Events(Protocol):
    """What happened, to what, and why."""

    def log(self, kind: EventKind, **fields: Unpack[EventFields]) -> None:
        """Write an entry of what happened now."""

    def append(self, *events: Event) -> Event:
        """Write entries, all at once; returns the last with its id.

        That is 0 if the disk is full; then it is written later (see `problem`).
        """

    def events(self, query: EventQuery = ...) -> list[Event]:
        """Entries in ascending order, as there are now; all, if nothing is asked."""

    def first_of_newest(self, query: EventQuery) -> int:
        """Id of the oldest entry among the newest `limit` that fit; 0 if there are not more."""

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Hear every entry as it is written; returns the way to stop."""


class Documents(Protocol):
    """What outlives a restart, by type and key; see `model.ledger_documents`.

    One that cannot be read, as that of another podvisor, counts as none.
    """

    def get(self, kind: type[D], key: str = "") -> D | None: ...

    def all(self, kind: type[D]) -> dict[str, D]:
        """Documents of a type by key."""

    def put(self, document: Document, key: str = "") -> None: ...

    def drop(self, kind: type[D], key: str = "") -> D | None:
        """Forget a document; returns it if there was one."""


class AppliedState(Protocol):
    """What was applied, tried and repaired."""

    def applied(self) -> dict[str, AppliedApp]:
        """Apps by name. One whose first pass was cut short has units, but no revision yet."""

    def applied_app(self, name: str) -> AppliedApp | None:
        """Return one of them, without a look at the others; None if it is none."""

    def tried(self) -> frozenset[str]:
        """Apps of which a release was tried."""

    def put_applied(self, app: AppliedApp) -> None: ...

    def put_unit(self, app: str, unit: str, inputs: UnitInputs) -> None:
        """Record what one unit was made of, once it runs with it: under this app alone."""

    def put_units(self, app: str, units: Mapping[str, UnitInputs]) -> None:
        """Record what units were made of, once they run with it: under this app alone."""

    def drop_app(self, app: str) -> None:
        """Forget an app, its units and its releases."""

    def rollouts(self, app: str) -> tuple[Rollout, ...]:
        """Releases of an app that were tried, the newest last."""

    def put_rollout(self, rollout: Rollout) -> None:
        """Record a release that is tried, or what came of it."""

    def drop_rollouts(self, app: str, releases: Collection[str]) -> None: ...

    def repairs(self) -> dict[str, RepairState]: ...

    def put_repairs(self, states: Iterable[RepairState]) -> None:
        """Write these; one that remembers nothing is forgotten."""


class Ledger(Events, Documents, AppliedState, Protocol):
    """The durable record. Synchronous: SQLite in WAL mode, microseconds for an entry."""

    @property
    def folder(self) -> str:
        """Where it is written."""

    def together(self) -> AbstractContextManager[None]:
        """Write what is recorded within in one transaction, and tell of it, at the end.

        Nothing may be waited for within.
        """

    def losses(self) -> tuple[LedgerLoss, ...]:
        """What was lost with damaged files that are still there."""

    def problem(self) -> str:
        """Why it cannot write now, empty if it can."""
