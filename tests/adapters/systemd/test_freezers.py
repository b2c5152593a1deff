"""Paused containers, in a folder of our own in the place of the kernel's cgroups."""

import asyncio
import shutil
from pathlib import Path

import pytest

from supervisor.adapters.systemd.freezers import Freezers

pytestmark = pytest.mark.anyio
UNITS = ["web.service", "db@one.service", "plain.service", "none.service"]


class Groups:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self, service: str, container: str, *, frozen: bool, populated: bool = True) -> None:
        folder = self.folder / service / f"libpod-payload-{container}"
        folder.mkdir(parents=True, exist_ok=True)
        text = f"populated {populated:d}\nfrozen {frozen:d}\n"
        (folder / "cgroup.events").write_text(text)

    def end(self, service: str) -> None:
        shutil.rmtree(self.folder / service)


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    groups = Groups(tmp_path)
    groups.set("app.slice/web.service", "a", frozen=False)
    groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=False)
    (tmp_path / "app.slice/plain.service").mkdir()
    return groups


async def heard(told: list[str], *units: str) -> None:
    for _ in range(100):
        if told == list(units):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(told)


async def test_whose_container_is_paused(groups: Groups) -> None:
    freezers = Freezers(groups.folder)
    assert freezers.paused(UNITS) == frozenset()
    groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=True)
    assert freezers.paused(UNITS) == {"db@one.service"}
    groups.set("app.slice/web.service", "a", frozen=True)
    assert freezers.paused(UNITS) == {"web.service", "db@one.service"}
    assert Freezers(groups.folder / "none").paused(UNITS) == frozenset()


async def test_every_pause_and_its_end_is_told_and_nothing_else(groups: Groups) -> None:
    told: list[str] = []
    freezers = Freezers(groups.folder)
    async with freezers.watch(told.append):
        freezers.paused(UNITS)
        groups.set("app.slice/web.service", "a", frozen=True)
        await heard(told, "web.service")
        groups.set("app.slice/web.service", "a", frozen=True, populated=False)
        groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=True)
        await heard(told, "web.service", "db@one.service")
        groups.set("app.slice/web.service", "a", frozen=False)
        await heard(told, "web.service", "db@one.service", "web.service")


async def test_a_container_that_took_the_place_of_another_is_followed(groups: Groups) -> None:
    told: list[str] = []
    freezers = Freezers(groups.folder)
    async with freezers.watch(told.append):
        freezers.paused(UNITS)
        groups.end("app.slice/web.service")
        groups.set("app.slice/web.service", "c", frozen=False)
        assert freezers.paused(UNITS) == frozenset()
        groups.set("app.slice/web.service", "c", frozen=True)
        await heard(told, "web.service")
