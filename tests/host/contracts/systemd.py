"""The Systemd port against a real systemd; run inside a host as a user (test_contract_systemd)."""
# A plain program, without pytest's help:
# ruff: noqa: ASYNC110, ASYNC115, PERF401, PT017, PT018, T201

import os
import random
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import uvloop
from dbus_fast import Message, MessageType

from supervisor.adapters.systemd.bus import connect, default_address
from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.adapters.systemd.names import manager_rule, unit_path
from supervisor.model.errors import Retry, Stalled

QUIET_SECONDS = 0.6
"""So long nothing is told: all that is on its way has come, on a slow machine too."""

CONFIG = Path.home() / ".config"
OWNED = CONFIG / "containers/systemd/podvisor/app"
UNITS = CONFIG / "systemd/user"

FILES = {
    "ct-ok.service": "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=default.target\n",
    # What a program says in its very last moments may come too late for the journal to place.
    "ct-bad.service": "[Service]\nType=oneshot\n"
    "ExecStart=/bin/sh -c 'echo so it goes; sleep 1; exit 7'\n",
    "ct-dep.service": "[Unit]\nRequires=ct-bad.service\nAfter=ct-bad.service\n"
    "[Service]\nExecStart=/bin/sleep 1000\n",
    "ct-slow.service": "[Service]\nType=notify\nTimeoutStartSec=60\nExecStart=/bin/sleep 1000\n",
    "ct-other.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "ct-plain.timer": "[Timer]\nOnCalendar=*-01-01\n[Install]\nWantedBy=timers.target\n",
    "ct-plain.service": "[Service]\nExecStart=/bin/true\n",
    "ct-late.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 3\n",
    "ct-quick.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "ct-reload.service": "[Service]\nExecStart=/bin/sleep 1000\n"
    "ExecReload=/bin/sh -c 'touch %h/reloaded'\n",
    "ct-no-reload.service": "[Service]\nExecStart=/bin/sleep 1000\n"
    "ExecReload=/bin/sh -c 'echo it will not; exit 3'\n",
    "ct-foe.service": "[Unit]\nConflicts=ct-other.service\n"
    "[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\nTimeoutStartSec=60\n",
    "ct-keeper.service": "[Unit]\nWants=ct-unwilling.service\nAfter=ct-unwilling.service\n"
    "[Service]\nExecStart=/bin/sleep 1000\n",
    "ct-unwilling.service": "[Service]\nExecCondition=/bin/false\nExecStart=/bin/sleep 1000\n",
    "ct-many@.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "ct-odd\\x2dname@.service": "[Service]\nExecStart=/bin/sleep 1000\n",
}


def systemctl(*arguments: str) -> str:
    done = subprocess.run(
        ["systemctl", "--user", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


async def changes(seen: AsyncIterator[str], into: list[str]) -> None:
    async for name in seen:
        into.append(name)


async def settle(into: list[str], wanted: set[str], seconds: float = 60) -> set[str]:
    with anyio.move_on_after(seconds):
        while not wanted <= set(into):
            await anyio.sleep(0.02)
    heard = -1
    while heard != len(into):  # one change of a unit is told in several signals
        heard = len(into)
        await anyio.sleep(QUIET_SECONDS)
    got = set(into)
    into.clear()
    return got


async def states(manager: SystemdManager) -> None:
    found = await manager.units(
        [
            *("ct-ok.service", "ct-gone.service", "not a name", "web@.service"),
            *("default.target", "timers.target", "basic.target"),
        ],
        details=[
            *("ct-ok.service", "ct-gone.service"),
            *("default.target", "timers.target", "basic.target"),
        ],
    )
    assert "basic.target" in found["timers.target"].wanted_by
    assert "default.target" in found["basic.target"].wanted_by
    assert found["ct-gone.service"].load == "not-found"
    assert found["not a name"].load == "not-found"
    assert found["web@.service"].active == "inactive"
    assert found["default.target"].active == "active"
    assert found["default.target"].ever_started
    ok = found["ct-ok.service"]
    assert (ok.load, ok.active) == ("loaded", "inactive"), ok
    assert ok.path == str(UNITS / "ct-ok.service") or ok.path == str(OWNED / "ct-ok.service"), ok
    assert not ok.ever_started


async def what_keeps_one_down(manager: SystemdManager) -> None:
    async def unmet(name: str) -> str:
        return (await manager.units([name], details=[name]))[name].unmet

    assert await manager.start("ct-other.service", timeout_seconds=60) is None
    assert await unmet("ct-other.service") == ""
    systemctl("start", "--no-block", "ct-foe.service")
    with anyio.fail_after(60):
        while await unmet("ct-other.service") != "Conflicts=ct-foe.service":
            await anyio.sleep(0.05)
    assert await manager.stop("ct-foe.service", timeout_seconds=60) is None
    assert await unmet("ct-other.service") == ""

    await manager.start("ct-keeper.service", timeout_seconds=60)  # else systemd forgets it
    found = await manager.units(["ct-unwilling.service"], details=["ct-unwilling.service"])
    unwilling = found["ct-unwilling.service"]
    assert (unwilling.active, unwilling.unmet) == ("inactive", "ExecCondition="), unwilling
    assert unwilling.tested_at > 0


async def jobs(manager: SystemdManager) -> None:
    assert await manager.start("ct-ok.service", timeout_seconds=60) is None
    ok = (await manager.units(["ct-ok.service"], details=["ct-ok.service"]))["ct-ok.service"]
    assert (ok.active, ok.sub, ok.ever_started, ok.job) == ("active", "running", True, "")
    assert not ok.before_load
    await manager.reload()
    ok = (await manager.units(["ct-ok.service"], details=["ct-ok.service"]))["ct-ok.service"]
    assert ok.before_load, "what runs may be what it was before"
    assert await manager.start("ct-ok.service", timeout_seconds=60) is None, "again is well"
    assert await manager.restart("ct-ok.service", timeout_seconds=60) is None
    assert await manager.stop("ct-ok.service", timeout_seconds=60) is None
    assert await manager.stop("ct-gone.service", timeout_seconds=60) is None

    failed = await manager.start("ct-bad.service", timeout_seconds=60)
    assert failed and failed.result == "failed", failed
    assert failed.detail == "exit status 7: so it goes", failed
    bad = (await manager.units(["ct-bad.service"], details=["ct-bad.service"]))["ct-bad.service"]
    assert (bad.active, bad.result) == ("failed", "exit-code"), bad
    await manager.reset_failed("ct-bad.service")
    assert (await manager.units(["ct-bad.service"]))["ct-bad.service"].active == "inactive"
    await manager.reset_failed("ct-gone.service")

    failed = await manager.start("ct-dep.service", timeout_seconds=60)
    assert failed and failed.result == "dependency", failed
    failed = await manager.start("ct-gone.service", timeout_seconds=60)
    assert failed and failed.result == "refused" and "not found" in failed.detail, failed

    began = time.monotonic()
    try:
        await manager.start("ct-slow.service", timeout_seconds=0.5)
    except Retry as error:
        assert "has not ended after 0.5 s" in str(error)
    else:
        raise AssertionError("a job that does not end in time is tried again")
    assert time.monotonic() - began < 50, "not until systemd ends it"
    slow = (await manager.units(["ct-slow.service"]))["ct-slow.service"]
    assert (slow.active, slow.job) == ("activating", "start"), slow
    await manager.stop("ct-slow.service", timeout_seconds=60)

    async with anyio.create_task_group() as tasks:  # many at once, two for one unit
        for name in ("ct-ok.service", "ct-other.service", "ct-ok.service"):
            tasks.start_soon(lambda n=name: manager.start(n, timeout_seconds=60))
    found = await manager.units(["ct-ok.service", "ct-other.service"])
    assert {one.active for one in found.values()} == {"active"}
    odd = "ct-odd\\x2dname@7.service"
    assert await manager.start(odd, timeout_seconds=60) is None
    assert (await manager.units([odd], details=[odd]))[odd].active == "active"
    await manager.stop(odd, timeout_seconds=60)


async def unit_reloads(manager: SystemdManager) -> None:
    """A reload keeps the process; one that fails or is not there says so, and stops nothing."""
    for name in ("ct-reload.service", "ct-no-reload.service", "ct-ok.service"):
        assert await manager.start(name, timeout_seconds=60) is None
    pid = systemctl("show", "-P", "MainPID", "ct-reload.service")
    assert await manager.reload_unit("ct-reload.service", timeout_seconds=60) is None
    assert (Path.home() / "reloaded").exists()
    assert systemctl("show", "-P", "MainPID", "ct-reload.service") == pid
    failed = await manager.reload_unit("ct-no-reload.service", timeout_seconds=60)
    assert failed and failed.result == "failed", failed
    failed = await manager.reload_unit("ct-ok.service", timeout_seconds=60)
    assert failed and failed.result == "refused", failed
    await manager.stop("ct-reload.service", timeout_seconds=60)
    failed = await manager.reload_unit("ct-reload.service", timeout_seconds=60)
    assert failed, "what does not run cannot be reloaded"
    found = await manager.units(["ct-no-reload.service", "ct-ok.service"])
    assert {one.active for one in found.values()} == {"active"}
    for name in found:
        await manager.stop(name, timeout_seconds=60)


async def run_once(manager: SystemdManager) -> None:
    target = Path.home() / "made"
    failed = await manager.run_once(
        "podvisor-ct.service",
        command=["/bin/sh", "-c", "pwd > made; echo $$(id -u)"],
        folder=str(Path.home()),
        timeout_seconds=60,
    )
    assert failed is None, failed
    assert target.read_text().strip() == str(Path.home())
    failed = await manager.run_once(
        "podvisor-ct.service",
        command=["/bin/sh", "-c", "echo oh no; exit 3"],
        folder="",
        timeout_seconds=60,
    )
    assert failed and failed.result == "failed", failed
    failed = await manager.run_once(
        "podvisor-ct.service", command=["/bin/sleep", "60"], folder="", timeout_seconds=1
    )
    assert failed and failed.result in ("timeout", "failed"), failed
    assert (await manager.units(["podvisor-ct.service"]))["podvisor-ct.service"].active in (
        "inactive",
        "failed",
    )


async def files(manager: SystemdManager) -> None:
    for name in ("ct-plain.timer", "ct-plain.service"):
        await manager.enable(str(OWNED / name), install=name.endswith("timer"))
        await manager.enable(str(OWNED / name), install=name.endswith("timer"))  # again is well
    await manager.reload()
    assert (UNITS / "ct-plain.timer").is_symlink()
    assert (UNITS / "timers.target.wants/ct-plain.timer").is_symlink()
    assert not list(UNITS.glob("*.wants/ct-plain.service"))
    # the app moved: a link of ours that leads elsewhere is ours to replace
    moved = OWNED.parent / "moved"
    moved.mkdir(exist_ok=True)
    (moved / "ct-plain.service").write_text(FILES["ct-plain.service"])
    await manager.enable(str(moved / "ct-plain.service"), install=False)
    assert str((UNITS / "ct-plain.service").readlink()) == str(moved / "ct-plain.service")
    for name in ("ct-plain.timer", "ct-plain.service", "ct-plain.service", "ct-never.timer"):
        await manager.disable(name)
    assert not (UNITS / "ct-plain.timer").is_symlink()
    assert not (UNITS / "ct-plain.service").is_symlink()
    assert not (UNITS / "timers.target.wants/ct-plain.timer").is_symlink()
    # what is not ours is not touched
    (UNITS / "ct-plain.service").write_text("[Service]\nExecStart=/bin/false\n")
    try:
        await manager.enable(str(OWNED / "ct-plain.service"), install=False)
    except Stalled as error:
        assert "ct-plain.service" in str(error), error
        assert error.hint
    else:
        raise AssertionError("a foreign file in the way is not replaced")
    (UNITS / "ct-plain.service").unlink()
    (UNITS / "ct-plain.timer").symlink_to("/dev/null")
    try:
        await manager.enable(str(OWNED / "ct-plain.timer"), install=True)
    except Stalled as error:
        print(error)
    else:
        raise AssertionError("a masked unit is not replaced")
    (UNITS / "ct-plain.timer").unlink()


async def reloads(manager: SystemdManager) -> None:
    begun: list[str] = []

    def count(member: str, _: str, body: list[object]) -> None:
        if member == "Reloading" and body[0]:
            begun.append(member)

    listener = await connect(default_address(), count)
    listener.post_rule("AddMatch", manager_rule("Reloading"))
    await listener.call("Subscribe")
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(manager.reload)
    with anyio.fail_after(60):
        while not begun:
            await anyio.sleep(0.02)
    await anyio.sleep(0.2)
    listener.close()
    assert 1 <= len(begun) <= 2, f"ten reloads at once became {len(begun)}"


async def job_ends(manager: SystemdManager) -> None:
    """Whoever asks for a job is told of its end, without a subscription and a reference."""
    other = SystemdManager()
    ends: list[object] = []

    async def ask(asked: SystemdManager, verb: str, name: str) -> None:
        ends.append(await getattr(asked, verb)(name, timeout_seconds=60))

    async with anyio.create_task_group() as tasks:  # somebody else's job, which we join
        tasks.start_soon(ask, other, "start", "ct-late.service")
        while not (await manager.units(["ct-late.service"]))["ct-late.service"].job:
            await anyio.sleep(0.01)
        tasks.start_soon(ask, manager, "start", "ct-late.service")
        await anyio.sleep(0.1)
        systemctl("daemon-reload")  # the job goes on, and so does the waiting
    assert ends == [None, None], ends
    ends.clear()
    await manager.stop("ct-late.service", timeout_seconds=60)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, manager, "start", "ct-late.service")
        while not (await other.units(["ct-late.service"]))["ct-late.service"].job:
            await anyio.sleep(0.01)
        systemctl("stop", "ct-late.service")  # somebody else thinks better of it
    (end,) = ends
    assert end and end.result == "canceled", end  # type: ignore[attr-defined]
    for _ in range(50):  # as short as jobs get
        assert await manager.start("ct-quick.service", timeout_seconds=60) is None
        assert (
            await manager.run_once(
                "podvisor-ct.service", command=["/bin/true"], folder="", timeout_seconds=60
            )
            is None
        )
    other.close()


async def watching(manager: SystemdManager) -> None:
    await manager.stop("ct-ok.service", timeout_seconds=60)
    await manager.stop("ct-other.service", timeout_seconds=60)
    seen: list[str] = []
    await manager.units(["ct-ok.service"])
    systemctl("start", "ct-ok.service")  # between the pass and the watch
    await manager.watch_units(["ct-ok.service", "ct-bad.service", "ct-dep.service"])
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(changes, stream, seen)
        await manager.watch_units(["ct-ok.service", "ct-bad.service"])
        await settle(seen, {"ct-ok.service"})
        systemctl("kill", "--signal=KILL", "ct-ok.service")
        got = await settle(seen, {"ct-ok.service"})
        assert got == {"ct-ok.service"}, got
        heard = listen(manager)
        systemctl("start", "ct-other.service")
        systemctl("start", "ct-bad.service")
        got = await settle(seen, {"ct-bad.service"})
        assert got == {"ct-bad.service"}, f"{got}: only what is watched"
        paths = {path for _, path in heard}
        assert paths == {unit_path("ct-bad.service")}, f"{paths}: nothing else comes over the bus"
        await manager.units(["ct-other.service"])
        systemctl("stop", "ct-other.service")
        await manager.watch_units(["ct-other.service"])
        assert await settle(seen, {"ct-other.service"}) == {"ct-other.service"}, "ended since"
        systemctl("start", "ct-ok.service")
        systemctl("start", "ct-other.service")
        got = await settle(seen, {"ct-other.service"})
        assert got == {"ct-other.service"}, got
        systemctl("daemon-reload")
        await anyio.sleep(0.5)
        assert seen == [], f"{seen}: a reload changes no state"
        systemctl("stop", "ct-other.service")
        assert await settle(seen, {"ct-other.service"}) == {"ct-other.service"}, "after a reload"
        # own actions are told as well: the pass that did them looks at what came of it
        await manager.start("ct-other.service", timeout_seconds=60)
        assert await settle(seen, {"ct-other.service"}) == {"ct-other.service"}
        # the time from a unit's death to its name
        delays = []
        for _ in range(5):
            await manager.start("ct-other.service", timeout_seconds=60)
            await anyio.sleep(0.2)
            seen.clear()
            (pid,) = [systemctl("show", "--property=MainPID", "--value", "ct-other.service")]
            began = time.monotonic()
            os.kill(int(pid), 9)
            while "ct-other.service" not in seen:
                await anyio.sleep(0)
            delays.append(time.monotonic() - began)
            await anyio.sleep(0.2)
            await manager.reset_failed("ct-other.service")
        print("from death to name, ms:", [round(one * 1000, 1) for one in delays])
        assert min(delays) < 0.5, delays
        tasks.cancel_scope.cancel()


async def coming_and_going(manager: SystemdManager) -> None:
    """Units that are followed before they exist, and let go when they no longer do."""
    new, odd = "ct-new.service", "ct-odd\\x2dname@7.service"
    seen: list[str] = []
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(changes, stream, seen)
        await manager.units([new, odd])
        await manager.watch_units([new, odd])
        await followed(manager, {new, odd})
        (UNITS / new).write_text(FILES["ct-other.service"])
        await manager.reload()
        systemctl("start", new)
        got = await settle(seen, {new})  # a reload may have all of them looked at once more
        assert new in got, f"{got}: it is there now"
        systemctl("start", odd)
        assert await settle(seen, {odd}) == {odd}
        systemctl("stop", new, odd)
        assert await settle(seen, {new, odd}) == {new, odd}
        (UNITS / new).unlink()
        await manager.reload()
        assert new in systemctl("list-units", "--all", "--plain", "ct-*"), "it is held"
        await manager.watch_units([odd])
        await followed(manager, {odd})
        await manager.reload()
        assert new not in systemctl("list-units", "--all", "--plain", "ct-*"), "it is let go"
        tasks.cancel_scope.cancel()


async def losses(manager: SystemdManager) -> None:
    """The bus is lost, systemd is executed anew, the bus is restarted: all is read anew."""
    name = "ct-other.service"
    seen: list[str] = []
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(changes, stream, seen)
        await manager.units([name])
        await manager.watch_units([name])
        await followed(manager, {name})
        await settle(seen, set())

        async def still_follows(what: str) -> None:
            assert await settle(seen, {""}) == {""}, what
            await followed(manager, {name})
            systemctl("stop", name)
            assert name in await settle(seen, {name}), what
            systemctl("start", name)
            assert name in await settle(seen, {name}), what
            await settle(seen, set())

        manager._connection._bus._sock.shutdown(2)
        await still_follows("the connection was lost")
        systemctl("daemon-reexec")
        await still_follows("systemd was executed anew")
        systemctl("restart", "dbus.service")
        await still_follows("the bus was restarted")
        tasks.cancel_scope.cancel()


async def five_hundred(manager: SystemdManager) -> None:
    """Many units: followed at once, while some of them change; none is missed."""
    names = [f"ct-many@{number}.service" for number in range(500)]
    seen: list[str] = []
    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(changes, stream, seen)
        await manager.units(names)
        systemctl("start", "--no-block", *names[::50])
        began = time.monotonic()
        await manager.watch_units(names)
        await followed(manager, set(names))
        print(f"500 units are followed after {time.monotonic() - began:.3f} s")
        assert await settle(seen, set(names[::50])) == set(names[::50])
        tasks.cancel_scope.cancel()
    systemctl("stop", *names[::50])


async def churn(manager: SystemdManager) -> None:
    """Units change while the set of followed ones does: what a pass read last is what is."""
    names = [f"ct-many@{number}.service" for number in range(30)]
    wanted = set(names[:20])
    due, known = set(wanted), {}
    chance = random.Random(7)  # noqa: S311

    async def take(stream: AsyncIterator[str]) -> None:
        async for name in stream:
            due.update({name} if name else wanted)

    async def passes() -> None:
        while True:
            now = due & wanted
            due.clear()
            try:
                found = await manager.units(now)
            except Retry:  # systemd is being executed anew
                due.update(now)
            else:
                await manager.watch_units(wanted)
                known.update({name: (one.active, one.sub) for name, one in found.items()})
            await anyio.sleep(0.01)

    async with manager.watch() as stream, anyio.create_task_group() as tasks:
        tasks.start_soon(take, stream)
        tasks.start_soon(passes)
        for turn in range(40):
            verb = chance.choice(["start", "stop"])
            await anyio.run_process(
                ["systemctl", "--user", "--no-block", verb, *chance.sample(names, 5)]
            )
            if turn % 5 == 0:
                before, wanted = wanted, set(chance.sample(names, 20))
                due.update(wanted - before)
            if turn in (15, 30):
                await anyio.run_process(
                    ["systemctl", "--user", "daemon-reload" if turn == 15 else "daemon-reexec"]
                )
        other = SystemdManager()
        with anyio.move_on_after(60):
            while True:
                found = await other.units(wanted)
                states = {name: (one.active, one.sub) for name, one in found.items()}
                if states == {name: known.get(name) for name in wanted}:
                    break
                await anyio.sleep(0.1)
        missed = {name: (state, known.get(name)) for name, state in states.items()}
        assert all(state == read for state, read in missed.values()), missed
        other.close()
        tasks.cancel_scope.cancel()
    systemctl("stop", "ct-many@*.service")


def listen(manager: SystemdManager) -> list[tuple[str, str]]:
    """Member and path of each signal that comes from now on."""
    heard: list[tuple[str, str]] = []

    def take(message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            heard.append((message.member, message.path))

    manager._connection._bus.add_message_handler(take)
    return heard


async def followed(manager: SystemdManager, names: set[str]) -> None:
    with anyio.fail_after(60):
        while manager._units._followed != names or manager._units._doubtful:
            await anyio.sleep(0.01)
    await manager.units([])


async def no_bus() -> None:
    manager = SystemdManager(address="unix:path=/nonexistent/bus")
    for attempt in (manager.units(["a.service"]), manager.reload()):
        try:
            await attempt
        except Stalled as error:
            assert "cannot reach the user bus" in str(error)
            assert "enable-linger" in error.hint
        else:
            raise AssertionError("no bus is for a person to mend")


async def main() -> None:
    OWNED.mkdir(parents=True, exist_ok=True)
    UNITS.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (OWNED / name).write_text(text)
        if "plain" not in name:
            (UNITS / name).unlink(missing_ok=True)
            (UNITS / name).symlink_to(OWNED / name)
    manager = SystemdManager()
    await manager.reload()
    try:
        for part in PARTS:
            await part(manager)
            print("ok", part.__name__)
        await no_bus()
        print("ok no_bus")
    finally:
        for name in FILES:
            systemctl("stop", name.replace("@.", "@7."))
            (UNITS / name).unlink(missing_ok=True)
        manager.close()


PARTS = (
    *(states, what_keeps_one_down, jobs, unit_reloads, job_ends, run_once, files),
    *(reloads, watching, coming_and_going, losses, five_hundred, churn),
)
uvloop.run(main())  # as the daemon does
