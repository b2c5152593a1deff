"""The `Systemd` port; the real adapter against a bus of our own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.adapters.systemd import SystemdManager
from supervisor.controllers.ports import Systemd
from supervisor.model.app import DesiredUnit, UnitKind
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
