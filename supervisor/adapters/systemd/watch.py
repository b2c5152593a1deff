"""Following units: a reference on each, and match rules that name them one by one.

systemd signals the changes of a unit only while somebody subscribes to all of them or holds a
reference on this one (`Unit.Ref`), which spares everybody the health checks and timers of others.

What is told are changes only, against what was told last, or was read before a unit was followed.
The order is rules, reference, reading, comparing, so nothing is lost in between. After the bus was
lost, or systemd was, everything is told to be read anew.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec

from supervisor.adapters.systemd.bus import AT_ONCE, Connection
from supervisor.adapters.systemd.names import UNIT, can_be_loaded, unit_path, unit_rules
from supervisor.kit.streams import DistinctQueue
from supervisor.model.errors import Failure
from supervisor.model.observed import UnitState

_AGAIN_SECONDS = (
    0.05,  # the bus is being restarted
    0.25,
    1,
    5,
    15,
    60,  # the session is ending, or somebody is mending it
)

_SOCKET = ".socket"

State = tuple[str, str]


class UnitWatch(msgspec.Struct, kw_only=True):
    """The set of units to follow, and the stream of their changes."""

    connect: Callable[[], Awaitable[Connection]]
    states: Callable[[Collection[str]], Awaitable[dict[str, UnitState]]]
    _names: dict[str, str] = {}
    """Object path to name of each unit that is to be followed."""
    _connection: Connection | None = None
    _followed: set[str] = set()
    """Names of the units that are followed on this connection."""
    _told: dict[str, State | None] = {}
    """State told last of each; None if whatever comes next is news."""
    _read: dict[str, State | None] = {}
    """What was read of units that are not followed yet; None if not always the same."""
    _doubtful: set[str] = set()
    """Units that may have changed without a signal."""
    _heard: set[str] = set()
    """Units of which a signal came while they were being read."""
    _due: anyio.Event = msgspec.field(default_factory=anyio.Event)
    _asked: frozenset[str] = frozenset()
    _news: DistinctQueue[str] = msgspec.field(default_factory=DistinctQueue)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[str]]:
        """Give the stream of names. Raises Stalled if there is no bus."""
        self._connection = await self.connect()
        self._doubtful.update(self._names.values())
        self._due.set()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_up)
                yield aiter(self._news)
                tasks.cancel_scope.cancel()
        finally:
            self._connection.close()  # it takes its rules and references along
            self._connection = None
            self._followed.clear()

    def set_names(self, names: Collection[str]) -> None:
        """Set the units to follow; what is read of new ones is compared with what was read."""
        asked = frozenset(names)
        if asked == self._asked:  # as in nearly every pass
            self._read.clear()
            return
        self._asked = asked
        wanted = {unit_path(name): name for name in names if can_be_loaded(name)}
        for path in self._names.keys() - wanted.keys():
            self._told.pop(self._names[path], None)
            self._doubtful.discard(self._names[path])
        for path in wanted.keys() - self._names.keys():
            self._told[wanted[path]] = self._read.get(wanted[path])
            self._doubtful.add(wanted[path])
        if wanted.keys() != self._names.keys():
            self._names = wanted
            self._due.set()
        self._read.clear()

    def note_read(self, states: Iterable[UnitState]) -> None:
        """Take note of what a pass has read of units, which may be followed from now on."""
        for one in states:
            if one.name not in self._told:
                state = (one.active, one.sub)
                self._read[one.name] = state if self._read.get(one.name, state) == state else None

    def on_properties(self, path: str, body: list[Any]) -> None:
        """Take in a unit's PropertiesChanged."""
        name = self._names.get(path)
        if name is None:
            return
        changed = body[1]
        if "ActiveState" not in changed or "SubState" not in changed:
            self._doubt(name)
            return
        self._heard.add(name)
        state = changed["ActiveState"].value, changed["SubState"].value
        if name.endswith(_SOCKET) and self._told.get(name) == state:
            # It has taken a connection: with Accept=yes an instance of this was started.
            self._news.put_nowait(f"{name.removesuffix(_SOCKET)}@.service")
        self._tell(name, state)

    def on_new(self, name: str) -> None:
        """Take in a UnitNew: after a reload it comes instead of a signal of what has changed."""
        if name in self._told:
            self._doubt(name)

    def tell(self, name: str) -> None:
        """Tell of a unit that is not as it was, though its state is, if it is to be followed."""
        if name in self._told:
            self._news.put_nowait(name)

    def on_lost(self) -> None:
        """Take in that the connection is lost."""
        self._due.set()

    def _doubt(self, name: str) -> None:
        self._doubtful.add(name)
        self._due.set()

    def _tell(self, name: str, state: State) -> None:
        if self._told.get(name) != state:
            self._told[name] = state
            self._news.put_nowait(name)

    async def _keep_up(self) -> None:
        """Follow what is to be followed, then read what is in doubt, whenever either is due."""
        failures = 0
        while True:
            await self._due.wait()
            self._due = anyio.Event()
            try:
                await self._follow(await self.connect())
                await self._compare()
            except Failure:
                pause = _AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)]
                with anyio.move_on_after(pause) as waiting:
                    await self._due.wait()
                # What cuts the pause short is a sign of life.
                failures = failures + 1 if waiting.cancelled_caught else 0
                self._due.set()
            else:
                failures = 0

    async def _follow(self, connection: Connection) -> None:
        """Put rules and references where the set differs; all of them on a new connection."""
        anew = connection is not self._connection
        if anew:
            self._followed.clear()
        wanted = set(self._names.values())
        try:
            await _change(connection, "RemoveMatch", "Unref", self._followed - wanted)
            await _change(connection, "AddMatch", "Ref", wanted - self._followed)
        except BaseException:
            connection.close()  # what stands on it is not known
            raise
        self._followed = wanted
        if anew:
            self._connection = connection
            self._told = dict.fromkeys(self._told)
            self._doubtful.clear()
            self._news.put_nowait("")

    async def _compare(self) -> None:
        """Read the units in doubt, and tell of those that are not as they were last known."""
        names = sorted(self._doubtful & self._followed)
        if not names:
            return
        self._doubtful.difference_update(names)
        self._heard.clear()
        try:
            found = await self.states(names)
        except Failure:
            self._doubtful.update(name for name in names if name in self._told)
            raise
        for state in found.values():
            now = (state.active, state.sub)
            if state.name in self._told and self._told[state.name] != now:
                # Where a signal came meanwhile, which of the two is newer cannot be known.
                self._told[state.name] = None if state.name in self._heard else now
                self._news.put_nowait(state.name)


async def _change(
    connection: Connection, on_rules: str, on_unit: str, names: Collection[str]
) -> None:
    """Post what follows these units, or what ends it, a handful at a time."""
    todo = sorted(names)
    few = AT_ONCE // 3
    for start in range(0, len(todo), few):
        for name in todo[start : start + few]:
            for rule in unit_rules(name):
                connection.post_rule(on_rules, rule)
            connection.post(on_unit, path=unit_path(name), interface=UNIT)
        await connection.taken()
