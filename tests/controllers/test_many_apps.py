"""Thousands of apps: what a pass costs grows with them, not with their square."""

import time

import pytest

from supervisor.core.compose import compose
from supervisor.model.settings import LimitSettings, SourceSettings
from supervisor.model.source import Snapshot, TreeFile

pytestmark = pytest.mark.anyio


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
    async with world.running() as house:
        first = time.process_time() - began
        assert len(world.machine.running) == apps
        assert {one.state for one in house.board.apps.values()} == {"ready"}
        began = time.process_time()
        await world.push(house, {**files(apps), "apps/a7/site.conf": "new"})
        second = time.process_time() - began
        assert world.systemd.jobs[-1] == ("restart", "a7.service")
    return first, second


async def test_ten_times_the_apps_take_no_hundred_times_the_work(tmp_path):
    from tests.controllers.conftest import World

    few = await cost(World(tmp_path / "few.db"), 80)
    many = await cost(World(tmp_path / "many.db"), 800)
    assert many[0] < 40 * few[0]
    assert many[1] < 40 * few[1]


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
    settings = SourceSettings(git="https://git.example/home", overlay="hosts/%l")
    began = time.process_time()
    done = compose(snapshot, settings, LimitSettings(), specifiers={"l": "pi"})
    assert time.process_time() - began < 3
    assert len(done.candidates) == 5_000
    assert sum(bool(one.overlay) for one in done.candidates) == 100
