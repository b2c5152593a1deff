"""What goes over the user's bus while containers are checked; run inside as a user (test_wakes).

Arguments: seconds to listen, and `subscribe` to do what podvisor does not, for comparison. Prints
JSON: how many messages there were from systemd, how many of them about health checks, and how many
from or to podvisor.
"""

import asyncio
import json
import sys

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"


async def call(bus: MessageBus, member: str, signature: str = "", *body: object, **to: str) -> list:
    target = {"destination": BUS, "path": BUS_PATH, "interface": BUS} | to
    answer = await bus.call(Message(member=member, signature=signature, body=[*body], **target))
    assert answer.message_type is MessageType.METHOD_RETURN, answer.body
    return answer.body


async def main() -> None:
    counts = {"systemd": 0, "checks": 0, "podvisor": 0}
    other, monitor = await MessageBus().connect(), await MessageBus().connect()
    (systemd,) = await call(other, "GetNameOwner", "s", SYSTEMD)
    (pid,) = await call(
        other,
        "GetUnit",
        "s",
        "podvisor.service",
        destination=SYSTEMD,
        path=SYSTEMD_PATH,
        interface=f"{SYSTEMD}.Manager",
    )
    (variant,) = await call(
        other,
        "Get",
        "ss",
        f"{SYSTEMD}.Service",
        "MainPID",
        destination=SYSTEMD,
        path=pid,
        interface=f"{BUS}.Properties",
    )
    (names,) = await call(other, "ListNames")
    podvisor = set()
    for name in names:
        if name.startswith(":"):
            (process,) = await call(other, "GetConnectionUnixProcessID", "s", name)
            if process == variant.value:
                podvisor.add(name)
    assert podvisor, "podvisor is on the bus"
    if "subscribe" in sys.argv:
        await call(
            other,
            "Subscribe",
            destination=SYSTEMD,
            path=SYSTEMD_PATH,
            interface=f"{SYSTEMD}.Manager",
        )

    def see(message: Message) -> bool:
        if message.sender == systemd and message.message_type is MessageType.SIGNAL:
            counts["systemd"] += 1
            # Transient units of health checks are named by the container's id.
            words = [message.path, *[word for word in message.body if isinstance(word, str)]]
            counts["checks"] += any(is_check(word.rpartition("/")[2]) for word in words)
        counts["podvisor"] += bool(podvisor & {message.sender, message.destination})
        return message.message_type is not MessageType.METHOD_RETURN

    monitor.add_message_handler(see)
    await call(monitor, "BecomeMonitor", "asu", [], 0, interface=f"{BUS}.Monitoring")
    await asyncio.sleep(float(sys.argv[1]))
    print(json.dumps(counts))  # noqa: T201


def is_check(name: str) -> bool:
    """Whether a unit's name or path begins with a container's id."""
    name = name.removeprefix("_3")  # a digit that comes first
    return len(name) > 64 and set(name[:60]) <= set("0123456789abcdef")


asyncio.run(main())
