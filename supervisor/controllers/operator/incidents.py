"""Incidents: notices what becomes wrong and what is over, and remembers since when."""

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from supervisor.controllers.desired.desired_state import DesiredState
from supervisor.controllers.isolate import failure_of
from supervisor.controllers.keys import Kind, parse
from supervisor.controllers.ports import Ledger
from supervisor.controllers.state.status_board import StatusBoard
from supervisor.core.health.crash_backoff import LONGEST_CALM_SECONDS
from supervisor.core.status.incidents import BAD, SUSPENDED, incidents
from supervisor.kit.clock import Clock
from supervisor.model.events import EventKind, EventQuery
from supervisor.model.incident import Incident, IncidentCode
from supervisor.model.notify import Outbox
from supervisor.model.status import AppStatus, Status

_ANYWAY = (Kind.CERTIFICATE, Kind.ALL_APPS, Kind.WEBHOOKS, Kind.DISK, Kind.RESYNC)
"""After these there may be others without a sign that is cheap to see."""

_SIGNS = (*BAD, SUSPENDED)

_STARTED_ANEW = (IncidentCode.UNIT_DOWN, IncidentCode.UNIT_UNHEALTHY)
"""What an order seems to end: it has units started anew, without a memory of what they did."""
_ORDER_SECONDS = float(LONGEST_CALM_SECONDS)
"""So long after an order, what it seemed to end and is there again has gone on all the time."""

Listener = Callable[[Sequence[Incident], Sequence[Incident]], None]
"""Hears which incidents were opened, and which are over."""


class _Over(NamedTuple):
    incident: Incident
    at: float
    ordered_at: float


class IncidentLog(msgspec.Struct, kw_only=True):
    """One for the daemon. What is wrong stands in its status; this adds the memory."""

    board: StatusBoard
    desired_state: DesiredState
    ledger: Ledger
    clock: Clock
    others: Callable[[], Iterable[object]] = tuple
    """What else may be wrong, besides what stands on the board."""
    _listeners: list[Listener] = []
    _signs: list[object] = []
    """What `follow` saw last; held, so that nothing else gets the same identity."""
    _ailing: frozenset[str] = frozenset()
    """Apps with an incident."""
    _telling: dict[str, AppStatus] = {}
    """How apps stand of which that may be wrong, or be over, by their names."""
    _over: dict[str, _Over] = {}
    """What an order has ended, as it seems, by its key."""

    def subscribe(self, listener: Listener) -> None:
        """Hear of what is opened or over from now on."""
        self._listeners.append(listener)

    def within(self, status: Status) -> Status:
        """Return the status with what is wrong in it, each since when."""
        now = self.clock.now()
        known = self.ledger.all(Incident)
        found = incidents(msgspec.to_builtins(status), now, known=known)
        return replace(
            status, incidents=tuple(self._since(one, known, now) for one in found.values())
        )

    def follow(self, status: Callable[[], Status], *, after: Collection[str]) -> None:
        """Open and close incidents after a pass over these keys, where there is a sign of any.

        `status` is how everything stands, with incidents; it is dear, and asked for with a sign
        alone. No app but those of these keys is looked at, or all if there are none. Before the
        first pass is through nothing is said to be over.
        """
        keys = [parse(key) for key in after]
        mine = (name for kind, name in keys if kind is Kind.APP)
        self._look_at(mine if keys else {*self.board.apps, *self._telling})
        others = [*self._other_signs()]
        signs = [*self._telling.values(), *others]
        is_same = len(signs) == len(self._signs) and all(map(operator.is_, signs, self._signs))
        if is_same and not any(kind in _ANYWAY for kind, _ in keys):
            return
        try:
            self._compare(status())
            self._look_at({*self.board.apps, *self._telling})
            self._signs = [*self._telling.values(), *others]
        except Exception as error:  # noqa: BLE001  # the pass has ended all the same
            failure_of(error, doing="looking for incidents")
            self._signs = []

    def _compare(self, status: Status) -> None:
        known = self.ledger.all(Incident)
        # What is being done says something of this moment alone.
        found = {one.key: replace(one, meanwhile="") for one in status.incidents}
        opened = [one for key, one in found.items() if key not in known]
        over = [one for key, one in known.items() if key not in found and self.board.has_looked]
        with self.ledger.together():
            for key, one in found.items():
                if one != known.get(key):
                    self.ledger.put(one, key)
            for one in over:
                self.ledger.drop(Incident, one.key)
        now = self.clock.now()
        self._over = {key: one for key, one in self._over.items() if _is_fresh(one, now)}
        self._over.update((one.incident.key, one) for one in self._ended_by_orders(over, now))
        self._ailing = frozenset(one.app for one in found.values())
        if opened or over:
            for listener in self._listeners:
                listener(opened, over)

    def _since(self, one: Incident, known: dict[str, Incident], now: float) -> Incident:
        before = known.get(one.key)
        last = self._over.get(one.key)
        if before is None and last and _is_fresh(last, now) and not self._is_told(last):
            before = last.incident
        return replace(one, opened_at=before.opened_at if before else now)

    def _ended_by_orders(self, over: Iterable[Incident], now: float) -> Iterator[_Over]:
        """Yield what may be over only since a person had its units started anew."""
        if not (mine := [one for one in over if one.code in _STARTED_ANEW]):
            return
        orders = self.ledger.events(EventQuery(code=EventKind.ORDERED, since=now - _ORDER_SECONDS))
        for one in mine:
            at = max((order.time for order in orders if order.app in ("", one.app)), default=0.0)
            if at > one.opened_at:
                yield _Over(incident=one, at=now, ordered_at=at)

    def _is_told(self, one: _Over) -> bool:
        """Whether anybody was told of the end: what comes then is something new."""
        ends = (box.ended.get(one.incident.key, ()) for box in self.ledger.all(Outbox).values())
        return any(at >= one.at for some in ends for at in some)

    def _look_at(self, apps: Iterable[str]) -> None:
        for name in apps:
            app = self.board.apps.get(name)
            if app and (app.state in _SIGNS or name in self._ailing or _has_failed(app)):
                self._telling[name] = app
            else:
                self._telling.pop(name, None)

    def _other_signs(self) -> Iterable[object]:
        board = self.board
        yield from (one.error for one in board.sources.values() if one.error)
        yield from (one.read_at > 0 for one in board.sources.values())
        yield from board.problems.values()
        yield from (found for found in self.desired_state.source_findings.values() if found)
        yield self.ledger.problem() or None
        yield from self.ledger.losses()
        yield from self.others()
        yield board.has_looked


def _has_failed(app: AppStatus) -> bool:
    failed = (one.active == "failed" for one in app.units)
    return any(failed) or any(one.failed for one in app.updates)


def _is_fresh(one: _Over, now: float) -> bool:
    return abs(now - one.ordered_at) < _ORDER_SECONDS
