"""Containers that are paused, or end, in a folder of our own in place of the kernel's cgroups."""

import asyncio
import shutil
from pathlib import Path

import pytest

from supervisor.adapters.systemd.cgroups import Cgroups

pytestmark = pytest.mark.anyio
UNITS = ["web.service", "db@one.service", "plain.service", "none.service"]


class Groups:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self, service: str, container: str, *, frozen: bool, populated: bool = True) -> None:
        folder = self.folder / service / f"libpod-payload-{container}"
        folder.mkdir(parents=True, exist_ok=True)
        self.monitor(service, lives=True)
        text = f"populated {populated:d}\nfrozen {frozen:d}\n"
        (folder / "cgroup.events").write_text(text)

    def monitor(self, service: str, *, lives: bool) -> None:
        folder = self.folder / service / "runtime"
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.events").write_text(f"populated {lives:d}\nfrozen 0\n")

    def freeze(self, service: str, *, frozen: bool) -> None:
        """Write what systemd's freezing, and thawing, does to the unit's own cgroup."""
        text = f"populated 1\nfrozen {frozen:d}\n"
        (self.folder / service).mkdir(parents=True, exist_ok=True)
        (self.folder / service / "cgroup.events").write_text(text)

    def remove(self, service: str, container: str) -> None:
        shutil.rmtree(self.folder / service / f"libpod-payload-{container}")

    def move(self, service: str, name: str) -> None:
        (self.folder / service).rename(self.folder / name)

    def end(self, service: str) -> None:
        shutil.rmtree(self.folder / service)


@pytest.fixture
def groups(tmp_path: Path) -> Groups:
    groups = Groups(tmp_path)
    groups.set("app.slice/web.service", "a", frozen=False)
    groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=False)
    groups.freeze("app.slice/web.service", frozen=False)
    groups.freeze("app.slice/app-db.slice/db@one.service", frozen=False)
    groups.freeze("app.slice/plain.service", frozen=False)
    return groups


async def heard(told: list[str], *units: str) -> None:
    for _ in range(100):
        if told == list(units):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(told)


async def test_whose_container_is_paused(groups: Groups) -> None:
    cgroups = Cgroups(groups.folder)
    assert (await cgroups.read(UNITS)).paused == frozenset()
    groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=True)
    assert (await cgroups.read(UNITS)).paused == {"db@one.service"}
    groups.set("app.slice/web.service", "a", frozen=True)
    assert (await cgroups.read(UNITS)).paused == {"web.service", "db@one.service"}
    assert (await Cgroups(groups.folder / "none").read(UNITS)).paused == frozenset()


async def test_who_froze_it_is_known_by_the_cgroup_of_the_unit(groups: Groups) -> None:
    cgroups = Cgroups(groups.folder)
    groups.set("app.slice/web.service", "a", frozen=True)
    assert (await cgroups.read(UNITS)).frozen == frozenset()
    groups.freeze("app.slice/web.service", frozen=True)
    groups.freeze("app.slice/plain.service", frozen=True)
    kernel = await cgroups.read(UNITS)
    assert kernel.paused == kernel.frozen == {"web.service", "plain.service"}
    assert not kernel.ending
    groups.freeze("app.slice/web.service", frozen=False)
    groups.freeze("app.slice/plain.service", frozen=False)
    kernel = await cgroups.read(UNITS)
    assert (kernel.paused, kernel.frozen) == ({"web.service"}, frozenset())


async def test_a_unit_whose_containers_have_ended_is_not_alive_by_its_monitor(
    groups: Groups,
) -> None:
    groups.remove("app.slice/web.service", "a")
    assert (await Cgroups(groups.folder).read(UNITS)).ending == {"web.service"}


async def test_a_unit_ends_with_the_last_of_its_containers(groups: Groups) -> None:
    cgroups = Cgroups(groups.folder)
    assert (await cgroups.read(UNITS)).ending == frozenset()
    groups.set("app.slice/web.service", "a", frozen=False, populated=False)
    assert (await cgroups.read(UNITS)).ending == {"web.service"}
    groups.remove("app.slice/web.service", "a")
    assert (await cgroups.read(UNITS)).ending == {"web.service"}
    groups.set("app.slice/web.service", "b", frozen=False)
    assert (await cgroups.read(UNITS)).ending == frozenset()


async def test_what_has_ended_with_its_monitor_is_not_about_to(groups: Groups) -> None:
    """systemd keeps the cgroup of what is `active (exited)`: RemainAfterExit=yes."""
    cgroups = Cgroups(groups.folder)
    groups.remove("app.slice/web.service", "a")
    groups.monitor("app.slice/web.service", lives=False)
    assert (await cgroups.read(UNITS)).ending == frozenset()


async def test_every_pause_and_its_end_is_told_and_nothing_else(groups: Groups) -> None:
    told: list[str] = []
    cgroups = Cgroups(groups.folder)
    async with cgroups.watch(told.append):
        await cgroups.read(UNITS)
        groups.set("app.slice/web.service", "a", frozen=True)
        await heard(told, "web.service")
        groups.set("app.slice/web.service", "a", frozen=True, populated=False)
        groups.set("app.slice/app-db.slice/db@one.service", "b", frozen=True)
        await heard(told, "web.service", "db@one.service")
        groups.set("app.slice/web.service", "a", frozen=False)
        await heard(told, "web.service", "db@one.service", "web.service")


async def test_a_container_that_took_the_place_of_another_is_followed(groups: Groups) -> None:
    told: list[str] = []
    cgroups = Cgroups(groups.folder)
    async with cgroups.watch(told.append):
        await cgroups.read(UNITS)
        groups.end("app.slice/web.service")
        groups.set("app.slice/web.service", "c", frozen=False)
        assert (await cgroups.read(UNITS)).paused == frozenset()
        groups.set("app.slice/web.service", "c", frozen=True)
        await heard(told, "web.service")


async def test_a_plain_unit_that_is_frozen_is_told(groups: Groups) -> None:
    told: list[str] = []
    plain = "app.slice/plain.service"
    cgroups = Cgroups(groups.folder)
    async with cgroups.watch(told.append):
        await cgroups.read(UNITS)
        groups.freeze(plain, frozen=True)
        await heard(told, "plain.service")
        groups.freeze(plain, frozen=False)
        await heard(told, *["plain.service"] * 2)


async def test_a_plain_unit_that_runs_anew_is_followed(groups: Groups) -> None:
    told: list[str] = []
    plain = "app.slice/plain.service"
    cgroups = Cgroups(groups.folder)
    async with cgroups.watch(told.append):
        await cgroups.read(UNITS)
        for times in (1, 3):
            # The kernel ends the watch of a cgroup that is gone as little as that of this file.
            groups.move(plain, f"gone-{times}")
            groups.freeze(plain, frozen=False)
            await cgroups.read(UNITS)
            groups.freeze(plain, frozen=True)
            await heard(told, *["plain.service"] * times)
            groups.freeze(plain, frozen=False)
            await heard(told, *["plain.service"] * (times + 1))


async def test_one_that_was_paused_before_it_was_frozen_is_told_when_it_is_thawed(
    groups: Groups,
) -> None:
    told: list[str] = []
    web = "app.slice/web.service"
    cgroups = Cgroups(groups.folder)
    async with cgroups.watch(told.append):
        groups.set(web, "a", frozen=True)
        await cgroups.read(UNITS)
        groups.freeze(web, frozen=True)
        await heard(told, "web.service")
        assert (await cgroups.read(UNITS)).frozen == {"web.service"}
        groups.freeze(web, frozen=False)
        await heard(told, *["web.service"] * 2)
