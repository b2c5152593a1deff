"""The Host port on a real host; run inside as root with a user's id (test_contract_host).

A shell stays behind as root to change routes; everything else is done as the user. The system bus
is a private one, on which this program is logind.
"""
# A plain program, without pytest's help:
# ruff: noqa: ASYNC110, ASYNC220, ASYNC221, T201

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import anyio
import uvloop
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from supervisor.adapters.host import suspend
from supervisor.adapters.host.watch import HostWatch

LOGIND = "org.freedesktop.login1"
DEFAULT = "default via 10.255.255.1 dev eth0 onlink"
ELSEWHERE = "ip link set lo up && ip route add default dev lo"


class Root:
    """A shell that may do everything."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def does(self, command: str) -> None:
        print(f"{command}; echo $?", file=self._shell.stdin, flush=True)
        assert self._shell.stdout.readline() == "0\n", command


async def collect(seen: AsyncIterator[str], words: list[str]) -> None:
    async for word in seen:
        words.append(word)  # noqa: PERF401


async def heard(words: list[str], wanted: list[str]) -> None:
    with anyio.move_on_after(60):
        while words[: len(wanted)] != wanted:
            await anyio.sleep(0.02)
    assert words == wanted, f"{words} is not {wanted}"
    words.clear()


async def listened_to(words: list[str], root: Root) -> None:
    """Wait until changes of routes are heard: nothing else says that somebody listens by now."""
    with anyio.fail_after(60):
        while not words:
            root.does(f"ip route add {DEFAULT} metric 7 && ip route del {DEFAULT} metric 7")
            await anyio.sleep(0.1)
    await anyio.sleep(1.2)  # bursts are told once
    words.clear()


async def networks(root: Root, words: list[str]) -> None:
    root.does("ip route add 10.99.0.0/16 dev lo")
    root.does("ip route del 10.99.0.0/16 dev lo")
    root.does("ip addr add 10.98.0.1/24 dev lo")
    root.does("ip addr del 10.98.0.1/24 dev lo")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", ELSEWHERE], check=False
    )
    assert done.returncode == 0
    root.does(f"ip route add {DEFAULT}")
    await heard(words, ["network"])  # and of all that was before, nothing
    await anyio.sleep(1.2)  # bursts are told once
    root.does(f"ip route replace {DEFAULT} metric 5 && ip -6 route add default dev eth0")
    root.does(f"ip route del {DEFAULT} && ip -6 route del default dev eth0")
    await heard(words, ["network"])
    await anyio.sleep(1.2)
    assert words in ([], ["network"]), words
    words.clear()


async def suspends(logind: MessageBus, words: list[str]) -> None:
    with anyio.fail_after(60):
        while not words:  # nothing else says that somebody listens by now
            await prepares(logind, sleeps=False)
            await anyio.sleep(0.1)
    await anyio.sleep(0.5)
    words.clear()
    for sleeps in (True, False):
        await prepares(logind, sleeps=sleeps)
    await heard(words, ["resumed"])


async def prepares(logind: MessageBus, *, sleeps: bool) -> None:
    await logind.send(
        Message.new_signal(
            "/org/freedesktop/login1", f"{LOGIND}.Manager", "PrepareForSleep", "b", [sleeps]
        )
    )


async def main() -> None:
    root = Root()
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
    real = await MessageBus(bus_address=suspend.default_address()).connect()
    real.disconnect()  # a user can reach the system's own
    daemon = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        text=True,
    )
    words: list[str] = []
    try:
        address = daemon.stdout.readline().strip()
        logind = await MessageBus(bus_address=address).connect()
        await logind.request_name(LOGIND)
        async with (
            HostWatch(system_bus=address).watch() as seen,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(collect, seen, words)
            await listened_to(words, root)
            await networks(root, words)
            print("ok networks")
            await suspends(logind, words)
            print("ok suspends")
            tasks.cancel_scope.cancel()
        logind.disconnect()
    finally:
        daemon.kill()
    for process in (daemon, root._shell):
        process.communicate(timeout=60)


uvloop.run(main())  # as the daemon does
