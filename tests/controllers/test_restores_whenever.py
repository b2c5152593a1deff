"""Whatever fails, and whatever a person says when: nothing runs on half of a restore, none is lost.

Nor are data: what is emptied was exported, and no snapshot holds half of one.
"""

from contextlib import suppress
from functools import partial

import anyio
import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.settings import ImageSettings, RolloutSettings
from supervisor.model.status import OrderRequest
from tests.controllers.test_volume_snapshots import (
    SETTLE,
    VOLUME,
    at,
    dies,
    files,
    nothing,
    remembered,
    runs,
    settle,
)
from tests.examples import scaled

FAILURE = Retry("no space left on device")
restores = st.tuples(st.just("restore"), st.integers(0, 3))
acts = st.one_of(
    restores,
    restores,
    restores,
    st.tuples(st.just("resume"), st.none()),
    st.tuples(st.just("push"), st.integers(1, 4)),
    st.tuples(st.just("fail"), st.sampled_from(["failure", "load_failure", "both", "none"])),
    st.tuples(st.just("remove"), st.none()),
    st.tuples(st.just("restart"), st.booleans()),
)
# An export takes 30 s, and so does a load; what failed is tried again after a minute.
gaps = st.sampled_from([1, 15, 40, 400])
quick = settings(
    max_examples=scaled(10), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Watch:
    """Looks at each load and each start."""

    def __init__(self, world) -> None:
        self.world, self.wrong, self.loaded = world, [], []
        self.load, self.start = world.archive.load, world.machine.start
        world.archive.load, world.machine.start = self.loads, self.starts

    def check(self, holds, what) -> None:
        if not holds:
            self.wrong.append((anyio.current_time(), what))

    async def loads(self, app, snapshot, *, timeout_seconds) -> None:
        held, kept = self.world.machine.data.get(VOLUME), self.world.archive.kept.values()
        self.check(held in {None, "half"} or any(held in one.values() for one in kept), "lost")
        self.check(orders(self.world)[-1:] == [snapshot.id], "not ordered")
        await self.load(app, snapshot, timeout_seconds=timeout_seconds)
        self.loaded.append(snapshot.id)

    def starts(self, app, unit, inputs) -> None:
        is_half = self.world.machine.data.get(VOLUME) == "half" or remembered(self.world).half
        self.check(unit != "web.service" or not is_half, "runs on half")
        self.start(app, unit, inputs)

    def look(self) -> None:
        kept = [held for one in self.world.archive.kept.values() for held in one.values()]
        self.check("half" not in kept, "half exported")
        self.check(runs(self.world) is None or self.world.machine.data[VOLUME] != "half", "runs")


def orders(world):
    """Ids of the snapshots that were ordered, "" where an order was given up."""
    said = []
    for one in world.events(EventKind.RESTORING, EventKind.RESUMED):
        if one.kind is EventKind.RESTORING:
            said.append(one.reason.rpartition(" ")[2])
        elif "its volumes are not put back" in one.reason:
            said.append("")
    return said


async def say(question, **words):
    with suppress(Stalled):  # it cannot be ordered now
        await question(OrderRequest(apps=("web",), **words), nothing)


@quick
@given(script=st.lists(st.tuples(acts, gaps), min_size=3, max_size=8))
@example(script=[(("restore", 0), 15), (("resume", None), 400)])
@example(script=[(("restore", 0), 40), (("restore", 1), 400)])
@example(script=[(("restore", 0), 40), (("restart", True), 1), (("restore", 1), 400)])
def test_nothing_runs_on_half_of_a_restore_and_nothing_is_lost(in_world, script):
    async def case(world):
        world.settings = msgspec.structs.replace(
            world.settings,
            rollout=RolloutSettings(settle=SETTLE, gate_timeout=600),
            images=ImageSettings(keep=50),
        )
        left = [*script]
        start = world.systemd.start
        watch = Watch(world)
        async with world.running() as daemon:
            await at(world, daemon, 1, 2)
        while left:
            world.systemd.start = start
            async with world.running(first_pass=False) as daemon, anyio.create_task_group() as asks:
                while left:
                    (act, which), gap = left.pop(0)
                    if act == "restart":
                        if which:
                            world.systemd.start = dies  # it is killed
                        break
                    await do(world, daemon, act, which, asks=asks)
                    for _ in range(4):
                        await anyio.sleep(gap / 4)
                        watch.look()
                    if runs(world):
                        world.machine.data[VOLUME] = f"written at {anyio.current_time()}"
                asks.cancel_scope.cancel()
        world.systemd.start = start
        world.archive.failure = world.archive.load_failure = None
        async with world.running() as daemon:
            await anyio.sleep(3 * 3600)
            await settle(daemon)
            assert runs(world), daemon.board.apps["web"]
        watch.look()
        assert not watch.wrong
        known = remembered(world)
        assert known == msgspec.structs.replace(known, restore=None, half=(), failure=None)
        last = orders(world)[-1:]
        assert last in ([], [""]) or watch.loaded[-1:] == last

    in_world(case)


async def do(world, daemon, act, which, *, asks):
    machine, archive = world.machine, world.archive
    match act:
        case "restore":
            known = remembered(world).snapshots
            wish = known[which % len(known)].id
            asks.start_soon(partial(say, daemon.service.restore, revision=wish))
        case "resume":
            asks.start_soon(partial(say, daemon.service.resume))
        case "push":
            world.reader.put("home", files(which))
            daemon.queue.add("source:home")
        case "fail":
            archive.failure = FAILURE if which in {"failure", "both"} else None
            archive.load_failure = FAILURE if which in {"load_failure", "both"} else None
        case "remove" if not runs(world):
            machine.volumes.discard(VOLUME)
            machine.data.pop(VOLUME, None)
