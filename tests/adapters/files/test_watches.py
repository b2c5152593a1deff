"""The watches, with real inotify: everything that counts wakes, nothing else does."""

import shutil
import time
from contextlib import asynccontextmanager
from itertools import pairwise

import anyio
import anyio.lowlevel
import msgspec
import pytest

from supervisor.adapters.files.watch import SourceFolders
from supervisor.kit.inotify import InotifyEvent, Mask

pytestmark = pytest.mark.anyio
SILENCE = 0.1


class Heard:
    def __init__(self, names) -> None:
        self._names = names

    async def next(self):
        with anyio.fail_after(30):
            return await anext(self._names)

    async def nothing(self):
        with anyio.move_on_after(SILENCE):
            raise AssertionError(f"woken by {await anext(self._names)}")


@asynccontextmanager
async def listening(watch):
    """Listen as the daemon does, in a task of its own, so that a wait can be given up."""
    send, receive = anyio.create_memory_object_stream[str](100)
    async with watch as names, anyio.create_task_group() as group, send, receive:

        async def listen() -> None:
            async for name in names:
                await send.send(name)

        group.start_soon(listen)
        yield Heard(receive.__aiter__())
        group.cancel_scope.cancel()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "deep/er/source"
    (path / "apps/web").mkdir(parents=True)
    (path / "apps/web/a.container").write_text("x")
    (path / ".git/objects").mkdir(parents=True)
    return path


@asynccontextmanager
async def source(folder, **more):
    sources = SourceFolders()
    await sources.watch_folders({"s": str(folder), **more})
    async with listening(sources.watch()) as heard:
        yield heard


async def test_every_kind_of_change_below_a_source_wakes(folder):
    web = folder / "apps/web"
    changes = [
        lambda: (web / "a.container").write_text("y"),
        (web / "b.container").touch,
        lambda: (web / "b.container").rename(web / "c.container"),
        lambda: (web / "c.container").chmod(0o755),
        lambda: (web / "link").symlink_to("a.container"),
        (web / "link").unlink,
        lambda: (folder / "top").write_text("x"),
        (folder / "empty").mkdir,
        (folder / "empty").rmdir,
    ]
    async with source(folder) as heard:
        for change in changes:
            change()
            assert await heard.next() == "s"
            await heard.nothing()


async def test_git_and_reading_wake_nobody(folder):
    async with source(folder) as heard:
        (folder / ".git/index").write_text("x")
        (folder / ".git/objects/ab").mkdir()
        shutil.rmtree(folder / ".git")
        (folder / ".git").mkdir()
        (folder / "apps/web/a.container").read_text()
        list((folder / "apps").iterdir())
        (folder.parent / "sibling").write_text("x")
        await heard.nothing()


async def test_new_folders_are_watched_with_all_that_is_in_them(folder):
    async with source(folder) as heard:
        (folder / "new/deep/er").mkdir(parents=True)
        assert await heard.next() == "s"
        (folder / "new/deep/er/file").write_text("x")
        assert await heard.next() == "s"
        (folder / "new/deep").rename(folder / "moved")
        assert await heard.next() == "s"
        (folder / "moved/er/file").write_text("y")
        assert await heard.next() == "s"
        outside = folder.parent / "outside"
        (folder / "moved").rename(outside)
        assert await heard.next() == "s"
        (outside / "er/file").write_text("z")
        await heard.nothing()
        outside.rename(folder / "back")
        assert await heard.next() == "s"
        (folder / "back/er/file").write_text("z")
        assert await heard.next() == "s"


async def test_a_source_that_goes_and_comes_again_is_noticed(folder):
    async with source(folder) as heard:
        shutil.rmtree(folder)
        assert await heard.next() == "s"
        (folder.parent / "other").touch()
        await heard.nothing()
        folder.mkdir()
        assert await heard.next() == "s"
        (folder / "file").write_text("x")
        assert await heard.next() == "s"
        (folder.parent / "elsewhere").touch()
        await heard.nothing()
        shutil.rmtree(folder.parent.parent)
        assert await heard.next() == "s"
        (folder / "apps").mkdir(parents=True)
        assert await heard.next() == "s"
        (folder / "apps/x").write_text("x")
        assert await heard.next() == "s"


async def test_a_folder_on_the_way_that_is_moved_is_noticed(folder):
    async with source(folder) as heard:
        folder.parent.rename(folder.parent.parent / "away")
        assert await heard.next() == "s"
        (folder.parent.parent / "away").rename(folder.parent)
        assert await heard.next() == "s"
        (folder / "x").write_text("x")
        assert await heard.next() == "s"


async def test_a_link_to_a_source_that_is_turned_is_noticed(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    async with source(link) as heard:
        (folder / "x").write_text("x")
        assert await heard.next() == "s"
        (tmp_path / "new").symlink_to(other)
        (tmp_path / "new").rename(link)
        assert await heard.next() == "s"
        (other / "x").write_text("x")
        assert await heard.next() == "s"
        (folder / "x").write_text("y")
        await heard.nothing()


async def test_a_source_that_was_never_there_is_waited_for(tmp_path):
    async with source(tmp_path / "a/b/c") as heard:
        (tmp_path / "x").touch()
        await heard.nothing()
        (tmp_path / "a").mkdir()
        assert await heard.next() == "s"
        (tmp_path / "a/b/c").mkdir(parents=True)
        assert await heard.next() == "s"
        (tmp_path / "a/b/c/file").write_text("x")
        assert await heard.next() == "s"


async def test_sources_may_share_folders_and_change(folder):
    sources = SourceFolders()
    async with listening(sources.watch()) as heard:
        await sources.watch_folders({"a": str(folder), "b": str(folder / "apps")})
        (folder / "apps/web/a.container").write_text("y")
        assert {await heard.next(), await heard.next()} == {"a", "b"}
        (folder / "top").write_text("y")
        assert await heard.next() == "a"
        await sources.watch_folders({"b": str(folder / "apps")})
        (folder / "top").write_text("z")
        await heard.nothing()
        (folder / "apps/x").write_text("y")
        assert await heard.next() == "b"
        await sources.watch_folders({})
        (folder / "apps/x").write_text("z")
        await heard.nothing()


async def test_a_burst_is_told_once_and_not_too_late(folder):
    async with source(folder) as heard:
        for number in range(200):
            (folder / f"f{number}").write_text("x")
        assert await heard.next() == "s"
        await heard.nothing()
        written = [time.monotonic()]
        async with anyio.create_task_group() as group:

            async def keep_writing() -> None:
                while True:
                    (folder / "busy").write_text("x")
                    written.append(time.monotonic())
                    await anyio.sleep(0.01)

            group.start_soon(keep_writing)
            assert await heard.next() == "s"
            held = time.monotonic() - written[0]
            group.cancel_scope.cancel()
        # On a machine that is too busy to write steadily, the burst was over earlier.
        longest_rest = max(after - before for before, after in pairwise(written))
        assert held > 0.5 or longest_rest >= 0.05


async def test_an_overflow_names_every_source(folder, tmp_path):
    sources = SourceFolders()
    await sources.watch_folders({"a": str(folder), "b": str(tmp_path / "none")})
    async with sources.watch():
        assert sources._judge([InotifyEvent(-1, Mask.OVERFLOW, "")]) == {"a", "b"}


async def test_owned_files_wake_when_anyone_touches_them(home):
    await home.write("web", {"a.container": "x", "conf/b": "x"})
    await home.write("db", {"c.container": "x"})
    await home.folder.observe("web")
    web = home.root / "web"
    async with listening(home.folder.watch()) as heard:
        await home.folder.observe("db")
        await heard.nothing()
        with (web / "a.container").open("a") as file:
            file.write("y")
            file.flush()
            await heard.nothing()
        assert await heard.next() == "web"
        (web / "a.container").chmod(0o600)
        assert await heard.next() == "web"
        (web / "new").write_text("y")
        (web / "new").rename(web / "a.container")
        assert await heard.next() == "web"
        await heard.nothing()
        await home.folder.observe("web")
        (web / "a.container").write_text("z")
        assert await heard.next() == "web"
        (web / "conf/b").unlink()
        assert await heard.next() == "web"
        (home.root / "db").rename(home.root / "moved")
        assert await heard.next() == "db"


async def test_containers_that_write_beside_wake_nobody(home):
    await home.write("web", {"a.container": "x", "data/seed": "x"})
    await home.folder.observe("web")
    async with listening(home.folder.watch()) as heard:
        (home.root / "web/data/db").write_text("x")
        (home.root / "web/data/db").rename(home.root / "web/data/db2")
        (home.root / "web/data/wal").mkdir()
        (home.root / "web/log").write_text("x")
        (home.root / "web/data/seed").read_text()
        await heard.nothing()


async def test_own_writes_wake_nobody_and_what_was_written_is_watched(home):
    manifest = await home.write("web", {"a.container": "x", "conf/b": "x"})
    await home.folder.observe("web")
    async with listening(home.folder.watch()) as heard:
        await home.write("web", {"a.container": "y", "conf/b": "y", "web.service.d/c.conf": "y"})
        await home.folder.remove_files("web", ["conf/b"])
        await heard.nothing()
        (home.root / "web/a.container").write_text("z")
        assert await heard.next() == "web"
        (home.units / "web.service.d/podvisor-web-c.1b044626.conf").unlink()
        assert await heard.next() == "web"
        await home.folder.remove_files("web", ["a.container"])
        await home.folder.remove_files("web", ["web.service.d/c.conf"])
        await home.folder.write_manifest(msgspec.structs.replace(manifest, files=()))
        await heard.nothing()
        assert not (home.root / "web").exists()


async def test_links_of_enabled_units_are_watched(home):
    await home.write("web", {"a.service": "[Service]\n"}, units=("a.service",))
    home.units.mkdir(parents=True)
    (home.units / "a.service").symlink_to(home.root / "web/a.service")
    assert (await home.folder.observe("web")).links == {"a.service": "a.service"}
    async with listening(home.folder.watch()) as heard:
        (home.units / "a.service").unlink()
        assert await heard.next() == "web"


async def test_the_root_that_goes_names_every_app(home):
    await home.write("web", {"a": "x"})
    await home.write("db", {"b": "x"})
    async with listening(home.folder.watch()) as heard:
        home.root.rename(home.root.parent / "away")
        assert {await heard.next(), await heard.next()} == {"web", "db"}


async def test_a_watch_can_be_opened_again(home):
    await home.write("web", {"a": "x"})
    for content in ("y", "z"):
        async with listening(home.folder.watch()) as heard:
            await home.folder.observe("web")
            (home.root / "web/a").write_text(content)
            assert await heard.next() == "web"


async def test_a_file_that_took_the_place_of_a_watched_one_is_watched(home, tmp_path):
    await home.write("web", {"conf/b": "x"})
    target = home.root / "web/conf/b"
    with target.open("rb"):  # as a container has it: the old one is not gone
        await home.folder.observe("web")
        async with listening(home.folder.watch()) as heard:
            (tmp_path / "new").write_text("y")
            (tmp_path / "new").rename(target)
            assert await heard.next() == "web"
            await home.folder.observe("web")
            target.write_text("z")
            assert await heard.next() == "web"
            await home.folder.observe("web")
            await heard.nothing()


async def test_files_by_the_thousand_leave_others_their_turn(home):
    await home.write_at_once("web", {f"conf/{n}": str(n) for n in range(1_000)})
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with listening(home.folder.watch()), anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await home.folder.observe("web")
        assert turns >= 10
        tasks.cancel_scope.cancel()
