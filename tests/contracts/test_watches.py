"""The `FolderWatch` and `Host` ports; of suspends the real one hears from a bus of our own.

Networks that come up are for tests/host/test_contract_host.py.
"""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.adapters.files.watch import SourceFolders
from supervisor.adapters.host.watch import HostWatch
from supervisor.controllers.ports import FolderWatch, Host
from tests.fakes.bus import FakeBus
from tests.fakes.ports import FakeFolders, FakeHost

pytestmark = pytest.mark.anyio
LOGIND = "org.freedesktop.login1"


# --- folders


class FakeFolderSide:
    def __init__(self) -> None:
        self.folders = FakeFolders()

    def writes(self, folder: Path) -> None:
        self.folders.touch(str(folder))


class RealFolderSide:
    def __init__(self) -> None:
        self.folders = SourceFolders()

    def writes(self, folder: Path) -> None:
        (folder / "a.container").write_text("x")


@pytest.fixture(params=[FakeFolderSide, RealFolderSide])
def folder_side(request: Any) -> FakeFolderSide | RealFolderSide:
    made: FakeFolderSide | RealFolderSide = request.param()
    return made


async def told(names: AsyncIterator[str]) -> str:
    with anyio.fail_after(60):
        return await anext(names)


async def test_only_what_is_watched_is_told(
    folder_side: FakeFolderSide | RealFolderSide, tmp_path: Path
) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for folder in (one, two, other):
        folder.mkdir()
    folders: FolderWatch = folder_side.folders
    await folders.watch_folders({"home": str(one)})
    async with folders.watch() as names:
        folder_side.writes(other)
        folder_side.writes(one)
        assert await told(names) == "home"
        await folders.watch_folders({"work": str(two)})
        folder_side.writes(one)
        folder_side.writes(two)
        assert await told(names) == "work", "and no more of what is not watched any more"


async def test_two_sources_of_one_folder_are_both_told(
    folder_side: FakeFolderSide | RealFolderSide, tmp_path: Path
) -> None:
    folders: FolderWatch = folder_side.folders
    await folders.watch_folders({"home": str(tmp_path), "work": str(tmp_path)})
    async with folders.watch() as names:
        folder_side.writes(tmp_path)
        assert {await told(names), await told(names)} == {"home", "work"}


# --- the host


class FakeHostSide:
    def __init__(self, _: Path) -> None:
        self.host = FakeHost()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def wakes_up(self) -> None:
        self.host.changes.queue.put_nowait("resumed")

    @asynccontextmanager
    async def listening(self, protocol: str) -> AsyncIterator[int]:
        """Have somebody listen on a port."""
        self.host.holders[8080, protocol] = "web.service"
        yield 8080
        del self.host.holders[8080, protocol]


class RealHostSide:
    def __init__(self, folder: Path) -> None:
        self.bus = FakeBus(folder / "bus")
        self.host = HostWatch(system_bus=self.bus.address)

    async def open(self) -> None:
        await self.bus.serve()

    async def close(self) -> None:
        await self.bus.die()

    async def wakes_up(self) -> None:
        with anyio.fail_after(60):
            while not self.bus.rules:  # noqa: ASYNC110 - the bus has nothing to wait for
                await anyio.sleep(0.01)
        for sleeps in (True, False):
            path, interface = "/org/freedesktop/login1", f"{LOGIND}.Manager"
            self.bus.signal(path, interface, "PrepareForSleep", "b", [sleeps], sender=LOGIND)

    @asynccontextmanager
    async def listening(self, protocol: str) -> AsyncIterator[int]:
        port, tcp, udp = both_of_one_port()
        server, other = (tcp, udp) if protocol == "tcp" else (udp, tcp)
        other.close()
        with server:
            yield port


def both_of_one_port() -> tuple[int, socket.socket, socket.socket]:
    """A listener and a datagram socket on a port below those that programs are given by chance."""
    for port in range(10_000 + os.getpid() % 20_000, 32_768):
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            tcp.bind(("", port))
            udp.bind(("", port))
        except OSError:
            tcp.close()
            udp.close()
            continue
        tcp.listen()
        return port, tcp, udp
    raise AssertionError("no port is free")


@pytest.fixture(params=[FakeHostSide, RealHostSide])
async def host_side(request: Any, tmp_path: Path) -> AsyncIterator[FakeHostSide | RealHostSide]:
    made = request.param(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_waking_up_is_told_each_time(host_side: FakeHostSide | RealHostSide) -> None:
    host: Host = host_side.host
    async with host.watch() as seen:
        for _ in range(2):
            await host_side.wakes_up()
            assert await told(seen) == "resumed"


@pytest.mark.parametrize(("protocol", "other"), [("tcp", "udp"), ("udp", "tcp")])
async def test_who_has_a_port_is_named(
    host_side: FakeHostSide | RealHostSide, protocol: str, other: str
) -> None:
    host: Host = host_side.host
    async with host_side.listening(protocol) as port:
        holder = await host.port_holder(port, protocol)
        assert holder
        assert await host.port_holder(port, "") == holder
        assert await host.port_holder(port, other) == ""
    assert await host.port_holder(port, protocol) == ""
