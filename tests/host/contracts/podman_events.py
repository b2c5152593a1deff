"""Podman's events against a real Podman; run inside a host as a user (test_podman_events).

Argument: the place that is to be chosen (`journal`, `file`, `api`, `stores`); how Podman logs was
set by the test.
"""
# A plain program, without pytest's help:
# ruff: noqa: T201

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import uvloop

from supervisor.adapters.podman.client import PodmanClient
from supervisor.model.podman import PodmanEvent
from supervisor.model.status import WatchStatus

SOCKET = Path(os.environ["XDG_RUNTIME_DIR"], "podman", "podman.sock")
IMAGE = "localhost/podvisor-test:1"
HEALTH = '--health-cmd \'["/bin/busybox","true"]\''
QUIET_SECONDS = 1.0
AWAITED_SECONDS = 9.0
"""For no longer is it awaited that a log tells of an end; then any container may have changed.

A sign waits 1 s for the end of a burst, and comes at worst at the beginning of the last read of
two, of 3.8 s each.
"""
ENDS = ("changed", "died", "remove")
"""Actions that are a reason to look."""


class Watcher:
    def __init__(self) -> None:
        self.events: list[PodmanEvent] = []
        self.statuses: list[WatchStatus] = []

    async def collect(self, stream: AsyncIterator[PodmanEvent]) -> None:
        async for event in stream:
            self.events.append(event)

    async def wait(self, there: Callable[[], bool], what: str) -> None:
        with anyio.move_on_after(120):
            while not there():  # noqa: ASYNC110
                await anyio.sleep(0.01)
            return
        raise AssertionError(f"{what}: {self.events} {self.statuses}")

    async def quiet(self) -> None:
        """Wait until nothing more comes of what was done."""
        heard = -1
        while heard != len(self.events):
            heard = len(self.events)
            await anyio.sleep(QUIET_SECONDS)

    async def tells(self, command: str, type: str, name: str, action: str = "") -> None:  # noqa: A002
        """A command is followed by an event; any action, if none is given."""
        self.events.clear()
        await sh(command)

        def told() -> bool:
            return any(
                (one.type, one.name) == (type, name) and (not action or one.action == action)
                for one in self.events
            )

        await self.wait(told, command)
        await self.quiet()

    async def silent(self, command: str) -> None:
        await anyio.sleep(AWAITED_SECONDS)  # of the end before, something may come yet
        await self.quiet()
        self.events.clear()
        await sh(command)
        await anyio.sleep(QUIET_SECONDS)
        mine = [one for one in self.events if one.action in ENDS]
        assert mine == [], f"{command}: {mine}"


async def sh(command: str) -> str:
    with tempfile.TemporaryFile() as file:  # a pipe would be held open by what stays behind
        process = await asyncio.create_subprocess_shell(
            command, stdout=file, stderr=subprocess.STDOUT
        )
        code = await process.wait()
        file.seek(0)
        output = file.read().decode().strip()
    assert code == 0, f"{command}: {output}"
    return output


async def containers(watcher: Watcher, way: str) -> None:
    """What no store can tell by itself."""
    await sh(f"podman run -d --name pe-box --network none {HEALTH} {IMAGE}")
    await sh("podman run -d --name pe-other --network none localhost/podvisor-test:2")
    if way == "stores":
        await watcher.tells("podman rm -ft0 pe-other", "container", "")
    else:
        await watcher.tells("podman kill pe-box", "container", "pe-box", "died")
        await sh("podman start pe-box")
        await watcher.tells("podman rm -ft0 pe-other", "container", "pe-other", "remove")
    if way != "api":
        await watcher.silent(
            "podman healthcheck run pe-box; podman exec pe-box /bin/busybox true; podman ps"
        )
    await sh("podman rm -ft0 pe-box")


async def stores(watcher: Watcher) -> None:
    """What the stores tell, wherever the log is."""
    await watcher.tells(f"podman tag {IMAGE} localhost/pe-image:1", "image", "localhost/pe-image:1")
    await watcher.tells("podman rmi localhost/pe-image:1", "image", "localhost/pe-image:1")
    build = f"printf 'FROM {IMAGE}\\nENV A=1\\n' | podman build -q -t localhost/pe-built:1 -"
    await watcher.tells(build, "image", "localhost/pe-built:1")
    await watcher.tells("podman rmi localhost/pe-built:1", "image", "localhost/pe-built:1")
    for create, remove, kind in (
        ("podman network create pe-x", "podman network rm pe-x", "network"),
        ("podman volume create pe-x", "podman volume rm pe-x", "volume"),
        ("printf x | podman secret create pe-x -", "podman secret rm pe-x", "secret"),
    ):
        for command in (create, remove):
            await watcher.tells(command, kind, "pe-x")
            assert {(one.type, one.name) for one in watcher.events} == {(kind, "pe-x")}, (
                watcher.events
            )


async def broken_stream(watcher: Watcher) -> None:
    """Podman's service is killed while things happen: nothing is lost, nothing comes twice."""
    watcher.events.clear()
    names = [f"pe-{number}" for number in range(4)]
    for name in names:
        await sh(f"podman create --name {name} --network none {IMAGE}")
        await sh("systemctl --user kill --signal=KILL podman.service || true")
        await sh(f"podman rm {name}")

    def removed() -> list[str]:
        return [one.name for one in watcher.events if one.action == "remove" and one.name in names]

    await watcher.wait(lambda: set(removed()) >= set(names), "after a kill")
    await watcher.quiet()
    assert sorted(removed()) == names, removed()


async def rotated(watcher: Watcher) -> None:
    """Podman rotates its log (its settings say: very soon) while it is read."""
    for number in range(4):
        name = f"pe-{number}"
        await watcher.tells(
            f"podman create --name {name} --network none {IMAGE} && podman rm {name}",
            *("container", name, "remove"),
        )
        mine = [one for one in watcher.events if (one.action, one.name) == ("remove", name)]
        assert len(mine) == 1, mine


async def kept_alive() -> str:
    """Processes of Podman's, and of ours."""
    return await sh("pgrep -u $USER -f '[p]odman system service|[j]ournalctl' || true")


async def main(way: str) -> None:
    await sh("systemctl --user start podman.socket")
    watcher = Watcher()
    podman = PodmanClient(SOCKET)
    async with (
        podman.watch(watcher.statuses.append) as stream,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(watcher.collect, stream)
        await watcher.wait(lambda: bool(watcher.statuses), "the choice")
        assert watcher.statuses[-1].way == way, watcher.statuses
        await anyio.sleep(QUIET_SECONDS)
        assert watcher.events == [], f"its own test is no event: {watcher.events}"
        await containers(watcher, way)
        if way == "journal":
            await stores(watcher)
        if way == "api":
            await broken_stream(watcher)
        if way == "file":
            await rotated(watcher)
        if way == "stores":
            command = f"podman tag {IMAGE} localhost/pe:1"
            await watcher.tells(command, "image", "localhost/pe:1")
        if way != "api":
            await watcher.quiet()
            await sh("systemctl --user stop podman.service")
            for _ in range(60):
                if not (kept := await kept_alive()):
                    break
                await anyio.sleep(1)
            assert kept == "", "nothing is kept running at rest"
        tasks.cancel_scope.cancel()
    print("ok", way)


uvloop.run(main(sys.argv[1]))  # as the daemon does
