"""Thousands of apps: what a pass costs grows with them, not with their square."""

import asyncio
import time
from functools import partial

import pytest
from msgspec.structs import replace

from supervisor.controllers.desired.said import Said
from supervisor.core.desired.discovery import compose
from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.file_references import Place
from supervisor.core.health.unit_health import unit_health
from supervisor.core.render.drop_ins import report_reaching
from supervisor.core.render.plain_units import read_plain_units
from supervisor.core.render.reading import Reading
from supervisor.model.app import Candidate
from supervisor.model.git_url import GitUrl
from supervisor.model.health import Checked, ContainerHealth, Health
from supervisor.model.observed import Inventory, Observed
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile

pytestmark = pytest.mark.anyio
LIMIT = 50
"""How many times the work ten times as much may take: its square would take a hundred times."""
TRIES = 3
"""CPU time, too, differs from run to run on a machine that does other things."""


def files(apps):
    made = {}
    for number in range(apps):
        made[f"apps/a{number}/a{number}.container"] = "image=img:1 reads=site.conf"
        made[f"apps/a{number}/site.conf"] = f"of {number}"
    return made


async def cost(world, apps):
    """CPU time of the first pass, and of one in which an app changed."""
    world.machine.images.add("img:1")
    world.reader.put("home", files(apps))
    began = time.process_time()
    async with world.running() as daemon:
        first = time.process_time() - began
        assert len(world.machine.running) == apps
        assert {one.state for one in daemon.board.apps.values()} == {"ready"}
        began = time.process_time()
        await world.push(daemon, {**files(apps), "apps/a7/site.conf": "new"})
        second = time.process_time() - began
        assert world.systemd.jobs[-1] == ("restart", "a7.service")
    return first, second


@pytest.mark.once
async def test_ten_times_the_apps_take_no_hundred_times_the_work(tmp_path):
    from tests.controllers.conftest import World

    for attempt in range(TRIES):
        few = await cost(World(tmp_path / f"few{attempt}.db"), 80)
        many = await cost(World(tmp_path / f"many{attempt}.db"), 800)
        if all(more < LIMIT * less for more, less in zip(many, few, strict=True)):
            return
    raise AssertionError(f"{many} s of CPU, against {few} s")


async def test_an_app_that_a_push_does_not_touch_stays_the_same_object(world):
    """With all that was worked out of it; so a push costs what it changes."""
    world.machine.images.add("img:1")
    world.reader.put("home", files(3))
    async with world.running() as daemon:
        before = dict(await daemon.desired_state.deployments())
        await world.push(daemon, {**files(3), "apps/a1/site.conf": "new"})
        after = await daemon.desired_state.deployments()
        assert [name for name, one in after.items() if one is not before[name]] == ["a1"]


async def test_who_is_out_is_gathered_as_often_for_many_apps_as_for_few(tmp_path, monkeypatch):
    from tests.controllers.conftest import World

    gathered = []
    gather = Said.out.fget
    monkeypatch.setattr(Said, "out", property(lambda said: gathered.append(1) or gather(said)))

    async def times(apps):
        world = World(tmp_path / f"{apps}.db")
        world.machine.images.add("img:1")
        world.reader.put("home", files(apps))
        async with world.running() as daemon:
            gathered.clear()
            daemon.desired_state.invalidate()
            await daemon.desired_state.deployments()
            return len(gathered)

    assert await times(9) == await times(3)


@pytest.mark.once
async def test_ten_times_the_units_of_an_app_take_no_hundred_times_the_work(tmp_path):
    from tests.controllers.conftest import World

    async def took(units, attempt):
        world = World(tmp_path / f"{units}-{attempt}.db")
        made = {f"apps/big/b{n}.service": "reads=" for n in range(units)}
        world.reader.put("home", made)
        began = time.process_time()
        async with world.running() as daemon:
            assert len(daemon.board.apps["big"].units) == units
            assert daemon.board.apps["big"].state == "inactive"
        return time.process_time() - began

    for attempt in range(TRIES):
        few, many = await took(200, attempt), await took(2_000, attempt)
        if many < LIMIT * few:
            return
    raise AssertionError(f"{many} s of CPU, against {few} s")


class Counted(tuple):
    """Counts how often it is gone through."""

    __slots__ = ()
    times = 0

    def __iter__(self):
        Counted.times += 1
        return super().__iter__()


def test_checked_containers_are_gone_through_once_for_all_units_of_an_app():
    names = [f"b{n}.service" for n in range(100)]
    container = partial(ContainerHealth, id="1", interval=30.0)
    observed = Observed(
        units={},
        targets=frozenset(),
        apps={},
        inventory=Inventory(),
        applied={},
        checked=Counted(
            Checked(container=container(name=one, unit=one, health=Health.UNHEALTHY), since=1.0)
            for one in names
        ),
        owned_root="/owned",
    )
    Counted.times = 0
    assert {unit_health(one, observed, 5.0).health for one in names} == {Health.UNHEALTHY}
    assert not unit_health("other.service", observed, 5.0).health
    assert Counted.times == 1


async def test_the_jobs_of_many_units_are_begun_in_turns(world):
    world.machine.images.add("img:1")
    world.reader.put("home", {f"apps/big/b{n}.container": "image=img:1" for n in range(200)})
    turns, start = [0], world.systemd.start

    async def begins(unit, **more):
        if not turns[-1]:
            asyncio.get_running_loop().call_soon(turns.append, 0)
        turns[-1] += 1
        return await start(unit, **more)

    world.systemd.start = begins
    async with world.running():
        assert sum(turns) == len(world.machine.running) == 200
        assert max(turns) <= 50


async def test_what_ends_by_itself_has_no_units_of_others_read_again(world):
    world.machine.images.add("img:1")
    world.reader.put("home", {f"apps/a{n}/a{n}.container": "image=img:1" for n in range(100)})
    world.systemd.slow = {f"a{n}.service": 1.0 + n for n in range(100)}
    read, units = [], world.systemd.units

    async def reads(names, **more):
        read.extend(names)
        return await units(names, **more)

    world.systemd.units = reads
    async with world.running() as daemon:
        assert {one.state for one in daemon.board.apps.values()} == {"ready"}
        assert len(read) < 20 * 100


async def test_no_more_jobs_are_begun_than_systemd_keeps_up_with(world):
    world.machine.images.add("img:1")
    world.reader.put("home", {f"apps/big/b{n}.container": "image=img:1" for n in range(500)})
    asked, most, reset, units = set(), [], world.systemd.reset_failed, world.systemd.units

    async def resets(unit):
        asked.add(unit)
        most.append(len(asked))
        await asyncio.sleep(1)
        asked.remove(unit)
        await reset(unit)

    async def reads(names, **more):
        before = set(asked)
        while before & asked:  # noqa: ASYNC110  # its answers keep the order
            await asyncio.sleep(0.1)
        return await units(names, **more)

    world.systemd.reset_failed, world.systemd.units = resets, reads
    async with world.running():
        assert len(world.machine.running) == 500
        assert max(most) <= 50


async def test_what_many_units_came_to_is_worked_out_beside_the_event_loop(world):
    world.reader.put("home", {f"apps/big/b{n}.service": "" for n in range(200)})
    asked, ports = [], world.ports

    async def aside(work, *, items):
        asked.append(items)
        return work()

    world.ports = lambda: replace(ports(), aside=aside)
    async with world.running() as daemon:
        assert len(daemon.board.apps["big"].units) == 200
        asked.clear()
        daemon.queue.add("app:big")
        await daemon.queue.wait_idle()
    assert asked == [200, 200, 200], "the plan, the gate, and how it stands"


@pytest.mark.once
def test_ten_times_the_plain_units_take_no_hundred_times_the_reading():
    def took(units):
        text = b"[Service]\nExecStart=/bin/true\n"
        paths = [path for n in range(units) for path in (f"b{n}.service", f"b{n}.service.d/x.conf")]
        app = Candidate(
            name="big",
            source="home",
            revision="r1",
            root="big",
            files=tuple(TreeFile(path=path, oid="0" * 40, size=len(text)) for path in paths),
        )
        began = time.process_time()
        reading = Reading(AppFiles(app, {"0" * 40: text}))
        read_plain_units(reading, Place(stage="/stage", live="/live", home="/home/pi"))
        report_reaching(reading)
        assert len(reading.units) == units
        assert all(len(one.drop_ins) == 1 for one in reading.units)
        return time.process_time() - began

    for _ in range(TRIES):
        few, many = took(200), took(2_000)
        if many < LIMIT * few:
            return
    raise AssertionError(f"{many} s of CPU, against {few} s")


@pytest.mark.once
def test_five_thousand_apps_are_divided_in_a_moment():
    snapshot = Snapshot(
        source="home",
        revision="r1",
        files=tuple(
            sorted(TreeFile(path=path, oid="0" * 40, size=1) for path in files(5_000))
            + [
                TreeFile(path=f"hosts/pi/a{number}/site.conf", oid="1" * 40)
                for number in range(100)
            ]
        ),
    )
    settings = SourceSettings(git=GitUrl("https://git.example/home"), overlay="hosts/%l")
    began = time.process_time()
    done = compose(snapshot, settings, LimitSettings(), specifiers={"l": "pi"})
    assert time.process_time() - began < 10
    assert len(done.candidates) == 5_000
    assert sum(bool(one.overlay) for one in done.candidates) == 100
