"""Make as many unit signals and signs of Podman as can be, for some seconds.

    python storm.py UNIT SECONDS

Run inside the host as the user, with podvisor's own Python. UNIT is a oneshot that ends at once.
Prints how many restarts of it, and how many signs, there were.
"""

import itertools
import socket
import sys
import time
from pathlib import Path

import anyio
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

STORES = Path.home() / ".local/share/containers/storage"
EVENT = """\
PODMAN_EVENT=tag
PODMAN_TYPE=image
PODMAN_NAME=localhost/podvisor-test:1
PODMAN_ID=0
PODMAN_TIME=2026-01-01T00:00:00Z
SYSLOG_IDENTIFIER=podman
MESSAGE=tag
"""


async def restart(bus: MessageBus, unit: str, until: float, counts: dict[str, int]) -> None:
    while time.monotonic() < until:
        await bus.call(
            Message(
                destination="org.freedesktop.systemd1",
                path="/org/freedesktop/systemd1",
                interface="org.freedesktop.systemd1.Manager",
                member="RestartUnit",
                signature="ss",
                body=[unit, "replace"],
            )
        )
        counts["restarts"] += 1


async def signs(until: float, counts: dict[str, int]) -> None:
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.setblocking(False)  # noqa: FBT003
    indexes = [STORES / "overlay-images/images.json", *(STORES / "networks").glob("*.lock")]
    for number in itertools.count():
        if time.monotonic() > until:
            return
        for index in indexes:
            if index.exists():
                index.open("a").close()
        try:
            journal.sendto(EVENT.encode(), "/run/systemd/journal/socket")
        except BlockingIOError:
            await anyio.sleep(0.01)
        counts["signs"] += 1
        if number % 20 == 0:
            await anyio.sleep(0.01)


async def main() -> None:
    unit, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
    counts = {"restarts": 0, "signs": 0}
    bus = await MessageBus(bus_type=BusType.SESSION).connect()
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(restart, bus, unit, until, counts)
        tasks.start_soon(signs, until, counts)
    sys.stdout.write(f"{counts['restarts']} {counts['signs']}\n")


anyio.run(main)
