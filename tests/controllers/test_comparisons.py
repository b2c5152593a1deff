"""What two releases of an app differ in."""

import pytest

from supervisor.core.status.diff import LIMIT
from supervisor.model.comparison import CompareQuery
from supervisor.model.errors import Stalled

ONE = {"web/web.container": "v=1", "web/index.html": "one\n", "web/left": "gone\n"}
TWO = {"web/web.container": "v=2", "web/index.html": "two\n", "web/come": "new\n"}


async def releases(service):
    return [one.release for one in (await service.history("web")).rollouts]


async def test_files_that_differ_in_their_order(world):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        await world.push(daemon, TWO)
        new, old = await releases(daemon.service)
        found = await daemon.service.compare(CompareQuery(app="web", old=old[:4], new=new))
        assert (found.old, found.new) == (old, new)
        assert found.old_revision != found.new_revision
        texts = {one.path: (one.old, one.new) for one in found.files}
        assert texts == {
            "come": (None, "new\n"),
            "index.html": ("one\n", "two\n"),
            "left": ("gone\n", None),
            "web.container": ("v=1", "v=2"),
        }
        same = await daemon.service.compare(CompareQuery(app="web", old=new, new=new))
        assert (same.files, same.images) == ((), ())


async def test_what_is_too_large_or_not_stored_any_more_is_named(world):
    async with world.running() as daemon:
        await world.push(daemon, {**ONE, "web/large": "x" * (LIMIT + 1)})
        await world.push(daemon, TWO)
        new, old = await releases(daemon.service)
        world.reader.forget("one\n")
        found = await daemon.service.compare(CompareQuery(app="web", old=old, new=new))
        hidden = {one.path: one.hidden for one in found.files if one.hidden}
        assert hidden == {"index.html": "not stored any more", "large": "larger than 256K"}


@pytest.mark.parametrize("word", ["0" * 12, "zzz"])
async def test_a_release_that_is_not_there(world, word):
    async with world.running() as daemon:
        await world.push(daemon, ONE)
        (only,) = await releases(daemon.service)
        with pytest.raises(Stalled, match="no release of web begins with"):
            await daemon.service.compare(CompareQuery(app="web", old=only, new=word))
        with pytest.raises(Stalled, match="no app named"):
            await daemon.service.compare(CompareQuery(app="none", old=only, new=word))
