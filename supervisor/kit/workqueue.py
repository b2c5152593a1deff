"""The queue of keys: each key once, never twice at the same time, and one armed alarm.

The sets are those of a Kubernetes work queue (ready, running, and named again while running); to
them come keys that are due later, over which a single timer is armed (`alarm` says for when), and
keys that are held until a burst is over. It grows only with the number of different keys that wait.
"""

import asyncio
import math
from collections.abc import Callable, Iterable

import msgspec

from supervisor.kit import alarm
from supervisor.kit.alarm import Window

_QUIET_SECONDS = 0.25
"""A burst is over when nothing was seen for so long."""
_APART_SECONDS = 0.6
"""Passes that a watch asks for begin so far apart; what comes first, after a rest, is not held."""
_LONGEST_SECONDS = 2.0
"""No burst holds a key for longer."""


class _Burst(msgspec.Struct):
    """Wake-ups for one key, since the first that was held."""

    first: float
    last: float
    pass_began: float

    def ends(self) -> float:
        """When the key is ready, if nothing more is seen."""
        settled = max(self.last + _QUIET_SECONDS, self.pass_began + _APART_SECONDS)
        return min(settled, self.first + _LONGEST_SECONDS)


class WorkQueue:
    """Keys that wait to be reconciled. To be used from one event loop."""

    def __init__(self) -> None:
        self._ready: dict[str, None] = {}
        self._running: dict[str, int] = {}
        """Key to the turn in which it was taken."""
        self._turn = 0
        self._again: set[str] = set()
        self._held: dict[str, _Burst] = {}
        self._began: dict[str, float] = {}
        """When the newest passes began, in that order; no older ones than matter."""
        self._due: dict[str, Window] = {}
        self._epoch = _now()
        """From which rhythms are counted."""
        self._alarm: asyncio.TimerHandle | None = None
        self._arming: asyncio.Handle | None = None
        self._changed = asyncio.Event()
        self._asked: dict[str, asyncio.Event] = {}
        """Key to the end of its next pass, if somebody waits for that."""
        self._served: dict[str, asyncio.Event] = {}
        """Key to the end of the pass that runs."""

    def add(self, *keys: str) -> None:
        """Make keys ready; one that runs will run once more after."""
        for key in keys:
            if key in self._running:
                self._again.add(key)
            else:
                self._ready[key] = None
        self._wake()

    def add_debounced(self, *keys: str) -> None:
        """Make keys ready for which something was seen: the first at once, a burst when it ends.

        A key is held if its last pass began just now, until nothing more is seen for a moment; so a
        storm costs few passes, and what was seen last is always looked at.
        """
        now = _now()
        for key in keys:
            began = self._began.get(key, -math.inf)
            if key in self._held:
                self._held[key].last = now
            elif key in self._running or now < began + _APART_SECONDS:
                self._held[key] = _Burst(now, now, began)
                self._rearm()
            else:
                self.add(key)

    def add_in(self, key: str, seconds: float, *, slack: float | None = None) -> None:
        """Make a key ready in some time, or up to `slack` seconds later, when others are due too.

        `alarm.slack` says how much, if it is not given. Of several times the nearest counts.
        """
        seconds = max(0.0, seconds)
        self._add_at(key, _now() + seconds, alarm.slack(seconds) if slack is None else slack)

    def add_by_rhythm(self, key: str, period: float, *, slack: float | None = None) -> None:
        """Make a key ready within a period, at the moment that it shares with others of the same.

        `slack` is as in `add_in`.
        """
        at = self._epoch + alarm.next_multiple(period, now=_now() - self._epoch)
        self._add_at(key, at, alarm.slack(period) if slack is None else slack)

    def expedite(self, concerns: Callable[[str], bool]) -> None:
        """Make ready now what is due later and of concern."""
        self.add(*[key for key in self._due if concerns(key)])

    def advance(self, seconds: float) -> None:
        """Bring everything that is due later this much nearer.

        For time that the event loop's clock has not seen: it stands still in a suspend.
        """
        for key, (earliest, latest) in self._due.items():
            self._due[key] = Window(earliest - seconds, latest - seconds)
        self._rearm()

    def forget(self, key: str) -> None:
        """Take back what `add_in` asked for."""
        self._due.pop(key, None)

    def due_in(self, key: str) -> float | None:
        """Seconds until a key is due by `add_in`; None if it is not."""
        stretch = self._due.get(key)
        return None if stretch is None else max(0.0, stretch.earliest - _now())

    async def take(self) -> tuple[str, ...]:
        """Wait for keys that are ready, and take all of them; safe to cancel.

        What was asked for them later is taken away: a pass asks anew.
        """
        while not self._ready:
            await self._changed.wait()
        self._release()  # what may come now needs no waking of its own
        self._turn += 1
        return self._begin(self._ready)

    def take_along(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Take these into the turn that `take` began; one that runs will run once more after."""
        chosen = tuple(keys)
        self._again.update(key for key in chosen if key in self._running)
        return self._begin(key for key in chosen if key not in self._running)

    def _begin(self, chosen: Iterable[str]) -> tuple[str, ...]:
        keys = tuple(chosen)
        now = _now()
        for key in keys:
            self._ready.pop(key, None)
            self._running[key] = self._turn
            self._due.pop(key, None)
            self._held.pop(key, None)
            self._served[key] = self._asked.pop(key, asyncio.Event())
            self._began.pop(key, None)
            self._began[key] = now
        self._forget_old_passes(now)
        return keys

    def done(self, keys: Iterable[str]) -> None:
        """Say that the pass for these keys, which `take` returned, has ended."""
        for key in keys:
            self._running.pop(key, None)
            if ended := self._served.pop(key, None):
                ended.set()
            if key in self._again:
                self._again.discard(key)
                self._ready[key] = None
        self._wake()

    def generation(self) -> int:
        """Return a moment, for `wait_for_pass`."""
        return self._turn

    async def wait_for_pass(self, keys: Iterable[str], *, since: int | None = None) -> None:
        """Have each key go through a whole pass that begins after `since` (now, if not given)."""
        mark = self._turn if since is None else since
        ends = []
        for key in keys:
            if self._running.get(key, mark) > mark:
                ends.append(self._served[key])
            else:
                ends.append(self._asked.setdefault(key, asyncio.Event()))
                self.add(key)
        for end in ends:
            await end.wait()

    def is_busy(
        self, concerns: Callable[[str], bool] = lambda _key: True, *, bursts: bool = True
    ) -> bool:
        """Whether a key of concern is ready, running or (with `bursts`) held; not one due later."""
        busy = (self._ready, self._running, self._held if bursts else ())
        return any(concerns(key) for keys in busy for key in keys)

    def lengths(self) -> tuple[int, int, int, int]:
        """Return how many keys are ready, running, held until a burst is over, and due later."""
        return len(self._ready), len(self._running), len(self._held), len(self._due)

    async def wait_idle(
        self, concerns: Callable[[str], bool] = lambda _key: True, *, bursts: bool = True
    ) -> None:
        """Wait until the queue is not busy; in a storm, that is seldom but without `bursts`."""
        while self.is_busy(concerns, bursts=bursts):
            await self._changed.wait()

    def _add_at(self, key: str, at: float, slack: float) -> None:
        if key not in self._due or at + slack < self._due[key].latest:
            self._due[key] = Window(at, at + slack)
            self._rearm()

    def _wake(self) -> None:
        """Have everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _rearm(self) -> None:
        """Arm the alarm anew, once for all that changes before the loop sleeps."""
        if self._arming is None:
            self._arming = asyncio.get_running_loop().call_soon(self._arm)

    def _arm(self) -> None:
        self._arming = None
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        bursts = (Window(end, end) for end in (one.ends() for one in self._held.values()))
        at = alarm.ring_at((*self._due.values(), *bursts))
        if at is not None:
            self._alarm = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._release()
        self._rearm()

    def _release(self) -> None:
        """Make ready what may come now, and what was held long enough."""
        now = _now() + alarm.TICK_SECONDS
        due = [key for key, stretch in self._due.items() if stretch.earliest <= now]
        over = [key for key, burst in self._held.items() if burst.ends() <= now]
        for key in due:
            del self._due[key]
        for key in over:
            del self._held[key]
        if due or over:
            self.add(*due, *over)

    def _forget_old_passes(self, now: float) -> None:
        for key, began in tuple(self._began.items()):
            if began + _APART_SECONDS > now:
                break
            del self._began[key]


def _now() -> float:
    return asyncio.get_running_loop().time()
