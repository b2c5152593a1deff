"""What podvisor and its apps take of the machine."""

import pytest

from supervisor.controllers.operator.machine import port_in_words
from supervisor.model.errors import Stalled
from supervisor.model.published_port import PublishedPort

APPS = {"web/web.container": "v=1", "db/db.container": "v=1"}


async def test_what_runs_takes_memory_and_ports(world):
    async with world.running() as daemon:
        await world.push(daemon, APPS)
        found = await daemon.service.machine("")
        assert [(one.unit, one.app, one.memory) for one in found.units] == [
            ("db.service", "db", 1 << 20),
            ("web.service", "web", 1 << 20),
        ]
        assert found.samples[-1].cpu_seconds > 0
        assert found.process.resident_bytes > 0
        assert found.disks[0].free > 0
        found = await daemon.service.machine("db")
        assert [one.unit for one in found.units] == ["db.service"]
        with pytest.raises(Stalled, match="no app named"):
            await daemon.service.machine("none")


@pytest.mark.parametrize(
    ("address", "last", "words"),
    [("", 80, "80/tcp"), ("127.0.0.1", 80, "127.0.0.1:80/tcp"), ("::1", 90, "[::1]:80-90/tcp")],
)
def test_a_port_in_words(address, last, words):
    port = PublishedPort(address=address, first=80, last=last, protocol="tcp", path="web.container")
    assert port_in_words(port) == words
