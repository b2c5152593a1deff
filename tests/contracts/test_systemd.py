"""The `Systemd` port; the real adapter against a bus of our own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.adapters.systemd.manager import SystemdManager
from supervisor.controllers.ports import Systemd
from supervisor.model.app import DesiredUnit
from supervisor.model.errors import OutOfReach, Retry
from supervisor.model.quadlet import UnitKind
from tests.fakes.bus import BusError, FakeBus
from tests.fakes.machine import Machine
from tests.fakes.ports import FakeSystemd

pytestmark = pytest.mark.anyio
WEB = DesiredUnit(name="web.service", kind=UnitKind.PLAIN, path="web.service", digest="1")


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.machine = Machine()
        self.machine.loaded[WEB.name] = WEB
        self.systemd = FakeSystemd(self.machine)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def breaks(self) -> None:
        self.machine.broken.add(WEB.name)

    def hangs(self) -> None:
        """No job of the unit comes to its end."""
        self.systemd.slow[WEB.name] = self.systemd.slow_to_stop[WEB.name] = 100_000

    def has_instances(self) -> None:
        """Two of a template: one runs, one has failed."""
        self.machine.running["web@1.service"] = "1"
        self.machine.failed.add("web@x.service")

    async def is_lost(self) -> None:
        """Nobody answers on the bus."""
        self.systemd.lost = True

    async def is_back(self) -> None:
        self.systemd.lost = False


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.bus = FakeBus(folder / "bus")
        self.bus.units[WEB.name] = ("inactive", "dead")
        self.systemd = SystemdManager(
            address=self.bus.address, owned_root=folder / "owned", user_units=folder / "units"
        )

    async def open(self) -> None:
        await self.bus.serve()

    async def close(self) -> None:
        self.systemd.close()
        await self.bus.die()

    def breaks(self) -> None:
        self.bus.results[WEB.name] = "failed"

    def hangs(self) -> None:
        self.bus.results[WEB.name] = ""

    def has_instances(self) -> None:
        self.bus.units |= {
            "web@1.service": ("active", "running"),
            "web@2.service": ("inactive", "dead"),
            "web@x.service": ("failed", "failed"),
            "web@.service": ("inactive", "dead"),
            "webs@1.service": ("active", "running"),
        }

    async def is_lost(self) -> None:
        self.bus.leave()

    async def is_back(self) -> None:
        self.bus.come()


@pytest.fixture(params=[FakeSide, RealSide])
async def side(request: Any, tmp_path: Path) -> AsyncIterator[FakeSide | RealSide]:
    made = request.param(tmp_path)
    await made.open()
    yield made
    await made.close()
    await anyio.sleep(0.02)


async def test_every_unit_that_is_asked_for_is_told(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    found = await systemd.units([WEB.name, "none.service"])
    assert found.keys() == {WEB.name, "none.service"}
    assert found[WEB.name].load == "loaded"
    assert (found["none.service"].load, found["none.service"].active) == ("not-found", "inactive")
    assert await systemd.units([]) == {}


async def test_a_job_that_goes_well_says_nothing(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    assert await systemd.start(WEB.name, timeout_seconds=30) is None
    assert await systemd.restart(WEB.name, timeout_seconds=30) is None
    assert await systemd.stop(WEB.name, timeout_seconds=30) is None


async def test_a_job_that_fails_is_no_failure_of_the_port(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    side.breaks()
    failed = await systemd.start(WEB.name, timeout_seconds=30)
    assert failed is not None
    assert (failed.unit, failed.result) == (WEB.name, "failed")


async def test_a_job_that_does_not_end_is_waited_for_no_longer_than_that(
    side: FakeSide | RealSide,
) -> None:
    systemd: Systemd = side.systemd
    await systemd.start(WEB.name, timeout_seconds=30)
    side.hangs()
    for job in (systemd.start, systemd.stop, systemd.restart, systemd.reload_unit):
        with anyio.fail_after(60), pytest.raises(Retry, match=r"not ended after 0\.05 s"):
            await job(WEB.name, timeout_seconds=0.05)


async def test_what_systemd_does_not_have_cannot_be_started(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    for job in (systemd.start, systemd.restart):
        failed = await job("none.service", timeout_seconds=30)
        assert failed is not None
        assert (failed.unit, failed.result) == ("none.service", "refused")


async def answers(systemd: Systemd) -> bool:
    try:
        await systemd.units([WEB.name])
    except Retry:
        return False
    return True


async def test_while_nobody_answers_everything_is_tried_again(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    await systemd.units([WEB.name])
    await side.is_lost()
    for asked in (
        systemd.units([WEB.name]),
        systemd.health_checks(),
        systemd.instances(["web@.service"]),
        systemd.start(WEB.name, timeout_seconds=30),
        systemd.stop(WEB.name, timeout_seconds=30),
        systemd.restart(WEB.name, timeout_seconds=30),
        systemd.reload_unit(WEB.name, timeout_seconds=30),
        systemd.run_once("x.service", command=["/bin/true"], folder="", timeout_seconds=30),
        systemd.reload(),
        systemd.reset_failed(WEB.name),
    ):
        with anyio.fail_after(60), pytest.raises(OutOfReach, match="cannot") as met:
            await asked
        assert met.value.what == "systemd"
    await side.is_back()
    with anyio.fail_after(60):
        while not await answers(systemd):  # noqa: ASYNC110 - nothing tells
            await anyio.sleep(0.01)
    assert (await systemd.units([WEB.name]))[WEB.name].load == "loaded"
    assert await systemd.start(WEB.name, timeout_seconds=30) is None


async def test_forgetting_a_failure_that_is_none_is_well(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    if isinstance(side, RealSide):
        name = "org.freedesktop.systemd1.NoSuchUnit"
        side.bus.errors["ResetFailedUnit"] = BusError(name, "not loaded")
        side.bus.errors["StopUnit"] = BusError(name, "not loaded")
    await systemd.reset_failed("none.service")
    assert await systemd.stop("none.service", timeout_seconds=30) is None


async def test_without_health_checks_there_are_none(side: FakeSide | RealSide) -> None:
    systemd: Systemd = side.systemd
    assert await systemd.health_checks() == {}
    assert await systemd.health_checks(troubled=True) == {}


async def test_instances_are_those_that_are_anything_but_inactive(
    side: FakeSide | RealSide,
) -> None:
    systemd: Systemd = side.systemd
    side.has_instances()
    found = await systemd.instances(["web@.service", "none@.service"])
    assert found.keys() == {"web@1.service", "web@x.service"}
    assert {*found.values()} <= {"active", "activating", "failed"}
    assert await systemd.instances(["none@.service"]) == {}
