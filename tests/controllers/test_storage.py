"""What a pass costs in memory and in transactions, however much it writes."""

import pytest

from supervisor.model.errors import Retry
from supervisor.model.events import EventKind

pytestmark = pytest.mark.anyio

MEBIBYTE = 1 << 20


def large(apps: int, files: int) -> dict[str, str]:
    """Apps of files of one MiB each, of which no two are the same."""
    return {f"app{app}/app{app}.container": "reads=conf" for app in range(apps)} | {
        f"app{app}/conf/{file:03}": f"{app}-{file}-".ljust(MEBIBYTE, "x")
        for app in range(apps)
        for file in range(files)
    }


async def test_files_are_held_in_memory_a_few_at_a_time(world):
    files = large(apps=3, files=20)
    world.reader.put("home", files)
    async with world.running():
        assert sum(map(len, world.machine.files.values())) == len(files)
        assert world.reader.largest_read <= 4 * MEBIBYTE


async def test_each_file_that_was_written_stands_in_the_event_log(world):
    files = {"web/web.container": ""} | {f"web/conf/{n}": str(n) for n in range(600)}
    world.reader.put("home", files)
    async with world.running() as daemon:
        written = [one for one in world.events(EventKind.STEP) if one.step == "write"]
        assert {f"web/{one.subject}" for one in written} == files.keys()
        assert [one.id for one in written] == sorted({one.id for one in written})
        await world.push(daemon, {"web/web.container": ""})
        removed = [one for one in world.events(EventKind.STEP) if one.step == "remove"]
        assert len(removed) == 600


async def test_files_that_cannot_be_written_are_told_of_once(world):
    world.reader.put("home", {"web/web.container": "", "web/a": "1", "web/b": "2"})
    world.folder.full = True
    async with world.running():
        (failed, *_) = [one for one in world.events(EventKind.STEP) if not one.ok]
        assert failed.subject == "a and 2 more"
        assert "disk full" in failed.detail


async def test_an_app_whose_content_cannot_be_read_keeps_no_other_from_being_written(world):
    read = world.reader.read

    async def broken(name, oids):
        found = await read(name, oids)
        if b"2" in found.values():
            raise Retry("cannot read what is stored of source home")
        return found

    world.reader.put("home", {f"{a}/{a}.container": "reads=x" for a in "abc"})
    world.reader.trees["home"] |= {"a/x": "1", "b/x": "2", "c/x": "3"}
    world.reader.read = broken
    async with world.running() as daemon:
        states = {one.name: one.state for one in daemon.service.status().apps}
        assert (states["a"], states["c"]) == ("ready", "ready")
        assert states["b"] != "ready"
