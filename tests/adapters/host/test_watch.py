"""Suspends, from a system bus of our own. Networks that come up are for tests/host."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from supervisor.adapters.host import suspend
from supervisor.adapters.host.watch import HostWatch
from tests.fakes.bus import FakeBus

LOGIND = "org.freedesktop.login1"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[FakeBus]:
    bus = FakeBus(tmp_path / "bus")
    await bus.serve()
    yield bus
    await bus.die()


def tell(bus: FakeBus, *, sleeps: bool, sender: str = LOGIND) -> None:
    path, interface = "/org/freedesktop/login1", f"{LOGIND}.Manager"
    bus.signal(path, interface, "PrepareForSleep", "b", [sleeps], sender=sender)


async def listened_to(bus: FakeBus) -> None:
    with anyio.fail_after(60):
        while not bus.rules:  # noqa: ASYNC110 - the fake has nothing to wait for
            await anyio.sleep(0.01)


async def test_waking_up_is_told_and_falling_asleep_is_not(bus: FakeBus) -> None:
    async with HostWatch(system_bus=bus.address).watch() as seen:
        await listened_to(bus)
        tell(bus, sleeps=True)
        tell(bus, sleeps=False, sender="org.example.Liar")
        tell(bus, sleeps=False)
        with anyio.fail_after(60):
            assert await anext(seen) == "resumed"
        with anyio.move_on_after(0.05) as waited:
            await anext(seen)
        assert waited.cancelled_caught, "once"


async def test_a_bus_that_was_lost_may_have_had_something_to_say(
    bus: FakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspend, "_AGAIN_SECONDS", (0.01, 10))
    async with HostWatch(system_bus=bus.address).watch() as seen:
        await listened_to(bus)
        await bus.die()
        await bus.serve()
        with anyio.fail_after(60):
            assert await anext(seen) == "resumed"
        tell(bus, sleeps=False)
        with anyio.fail_after(60):
            assert await anext(seen) == "resumed"


async def test_without_a_system_bus_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(suspend, "_AGAIN_SECONDS", (0.01, 0.01))
    with anyio.fail_after(60):
        await suspend.follow(f"unix:path={tmp_path}/none", lambda: None)
    (record,) = caplog.records
    assert "cannot hear of suspends" in record.message
    assert "No such file" in record.message


@pytest.mark.anyio
async def test_what_is_free_is_told_once_of_each_file_system(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    free = await HostWatch().free([str(inner), str(tmp_path), str(tmp_path / "gone")])
    assert free.keys() == {str(inner)}
    assert free[str(inner)] >= 0
