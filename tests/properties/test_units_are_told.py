"""Whatever happens to units, to the watch and to the bus, the last state of each is told.

A model of the daemon stands behind the watch: it reads units, has them followed, and reads those
again that are told of. In the end, what it has read last is what is.
"""

import asyncio
import tempfile
from functools import partial
from pathlib import Path

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.model.errors import Failure
from tests.examples import scaled
from tests.fakes.bus import BusError, FakeBus

UNITS = ("a.service", "b.service", "c.service")
STATES = (("inactive", "dead"), ("active", "running"), ("failed", "failed"))
SOON_SECONDS = 60.0

state = st.sampled_from(STATES)
change = st.tuples(st.just("change"), st.sampled_from(UNITS), state)
happening = st.one_of(
    change,
    change,
    st.tuples(st.just("watch"), st.sets(st.sampled_from(UNITS))),
    st.tuples(st.just("reload"), st.dictionaries(st.sampled_from(UNITS), state)),
    st.tuples(st.just("reexec"), st.dictionaries(st.sampled_from(UNITS), state)),
    st.tuples(st.just("restart the bus"), st.dictionaries(st.sampled_from(UNITS), state)),
    st.tuples(st.just("subscribe"), st.booleans()),
    st.tuples(st.just("refuse"), st.booleans()),
    st.tuples(st.just("breathe"), st.sampled_from([1, 2, 3, 5, 8, 12, 20, 40])),
    st.just(("settle",)),
)


class Daemon:
    """Reads what is told, one pass after another, as the loop does."""

    def __init__(self, manager: SystemdManager) -> None:
        self.known: dict[str, tuple[str, str]] = {}
        self._manager = manager
        self._wanted: set[str] = set()
        self._due: set[str] = set()
        self._more = asyncio.Event()

    def want(self, names: set[str]) -> None:
        self._due |= names - self._wanted
        self._wanted = names
        self._more.set()

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        async with self._manager.watch() as seen, anyio.create_task_group() as tasks:
            tasks.start_soon(self._passes)
            task_status.started()
            async for name in seen:
                self._due |= {name} if name else self._wanted
                self._more.set()

    async def _passes(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            due, self._due = self._due & self._wanted, set()
            try:
                found = await self._manager.units(due)
            except Failure:
                self._due |= due
                await anyio.sleep(0.001)
                self._more.set()
                continue
            await self._manager.watch_units(self._wanted)
            self.known.update({name: (one.active, one.sub) for name, one in found.items()})
            self.known = {name: self.known[name] for name in self._wanted & self.known.keys()}

    def knows(self, bus: FakeBus) -> bool:
        return self.known == {name: bus.units[name] for name in self._wanted}


async def live(bus: FakeBus, daemon: Daemon, happenings: list[tuple]) -> None:
    for what, *details in happenings:
        match what, details:
            case "change", [name, (active, sub)]:
                bus.change(name, active, sub)
            case "watch", [names]:
                daemon.want(names)
            case "reload", [changed]:
                bus.reload(changed)
            case "reexec", [changed]:
                bus.leave()
                bus.units.update(changed)
                await asyncio.sleep(0)
                bus.come()
            case "restart the bus", [changed]:
                await bus.die()
                bus.units.update(changed)
                await bus.serve()
            case "subscribe", [everything]:
                bus.subscribed = everything
            case "refuse", [refuses]:
                bus.errors.pop("ListUnitsByNames", None)
                if refuses:
                    bus.errors["ListUnitsByNames"] = BusError("Other", "not now")
            case "breathe", [turns]:
                for _ in range(turns):
                    await asyncio.sleep(0)
            case "settle", []:
                bus.errors.clear()
                await settled(bus, daemon)
            case _:
                raise AssertionError(what)


async def settled(bus: FakeBus, daemon: Daemon) -> None:
    with anyio.move_on_after(SOON_SECONDS):
        while not daemon.knows(bus):  # noqa: ASYNC110 - what is waited for is a state
            await anyio.sleep(0.0005)
    assert daemon.knows(bus), f"{daemon.known} is not {bus.units}"


async def scenario(happenings: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bus = FakeBus(Path(folder) / "bus")
        bus.units = dict.fromkeys(UNITS, STATES[0])
        await bus.serve()
        manager = SystemdManager(address=bus.address)
        daemon = Daemon(manager)
        async with anyio.create_task_group() as tasks:
            await tasks.start(daemon.run)
            await live(bus, daemon, [("watch", {*UNITS}), ("settle",), *happenings])
            bus.errors.clear()
            await settled(bus, daemon)
            tasks.cancel_scope.cancel()
        manager.close()
        await bus.die()


@given(st.lists(happening, max_size=30))
@settings(max_examples=scaled(50))
def test_the_last_state_of_every_unit_is_told(happenings: list[tuple]) -> None:
    anyio.run(partial(scenario, happenings))
