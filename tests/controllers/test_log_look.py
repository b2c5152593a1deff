"""What a unit's programs wrote last, as it may be shown."""

import pytest

from supervisor.model.errors import Stalled
from supervisor.model.log import LogLine, LogQuery

APP = {"web/web.container": "v=1"}


async def test_the_newest_lines_of_a_unit(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        world.systemd.said["web.service"] = "one\ntwo\nthree"
        found = await daemon.service.logs(LogQuery(unit="web.service", limit=2))
        assert [one.text for one in found.lines] == ["two", "three"]
        with pytest.raises(Stalled, match=r"no unit named “sshd\.service”"):
            await daemon.service.logs(LogQuery(unit="sshd.service"))


async def test_words_that_only_podman_has_are_there_without_secrets(world):
    world.podman.has_secret("word", b"hunter2")
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "log=k8s-file secret=word"})
        world.systemd.said["web.service"] = "one\ntwo"
        kept = [LogLine(time=0.5, text="with hunter2"), LogLine(time=9.0, text="three")]
        world.podman.kept_lines["web.service"] = kept
        found = await daemon.service.logs(LogQuery(unit="web.service", limit=3))
        assert [one.text for one in found.lines] == ["with …", "two", "three"]


async def test_words_that_nobody_has_are_said_to_be_gone(world):
    async with world.running() as daemon:
        await world.push(daemon, {"web/web.container": "log=none"})
        world.systemd.said["web.service"] = "Started"
        found = await daemon.service.logs(LogQuery(unit="web.service"))
        assert [one.text for one in found.lines] == [
            "LogDriver=none: nobody keeps what it writes",
            "Started",
        ]
