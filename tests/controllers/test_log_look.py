"""What a unit's programs wrote last, as it may be shown."""

import pytest

from supervisor.model.errors import Stalled
from supervisor.model.log import LogQuery

APP = {"web/web.container": "v=1"}


async def test_the_newest_lines_of_a_unit(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        world.systemd.said["web.service"] = "one\ntwo\nthree"
        found = await daemon.service.logs(LogQuery(unit="web.service", limit=2))
        assert [one.text for one in found.lines] == ["two", "three"]
        with pytest.raises(Stalled, match="no unit of an app"):
            await daemon.service.logs(LogQuery(unit="sshd.service"))
