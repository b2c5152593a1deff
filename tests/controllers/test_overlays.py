"""Overlays through the daemon: deployed, changed, taken back, and the way back."""

import os

import anyio
import msgspec
import pytest

from supervisor.model.git_url import GitUrl
from supervisor.model.rollout import Outcome
from supervisor.model.settings import Settings, SourceSettings
from supervisor.model.status import AppState, OrderRequest

pytestmark = pytest.mark.anyio
HERE = f"hosts/{os.uname().nodename.partition('.')[0]}"
BASE = {
    "apps/web/web.container": "image=img:1 reads=site.conf",
    "apps/web/site.conf": "for all",
    "apps/web/more.conf": "for all",
}


@pytest.fixture
def fleet(world):
    world.settings = Settings(
        sources={"home": SourceSettings(git=GitUrl("https://git.example/home"), overlay="hosts/%l")}
    )
    world.machine.images.update({"img:1", "img:2"})
    return world


def installed(world, path):
    return world.reader.blobs[world.machine.files["web"][path].oid].decode()


async def test_an_overlaid_file_is_installed_and_leaves_with_the_overlay(fleet):
    fleet.reader.put("home", {**BASE, f"{HERE}/web/site.conf": "for the pi"})
    async with fleet.running() as daemon:
        assert installed(fleet, "site.conf") == "for the pi"
        assert installed(fleet, "more.conf") == "for all"
        assert fleet.machine.manifests["web"].overlay == f"{HERE}/web"
        before = list(fleet.systemd.jobs)
        await fleet.push(daemon, {**BASE, "hosts/another one/web/site.conf": "for the vps"})
        assert installed(fleet, "site.conf") == "for all"
        assert [job for job in fleet.systemd.jobs if job not in before] == [
            ("restart", "web.service")
        ]
        found = daemon.service.status().sources[0].findings
        assert [(one.path, one.fatal) for one in found] == [(HERE, False)]


async def test_another_hosts_overlay_changes_nothing_here(fleet):
    files = {**BASE, f"{HERE}/web/site.conf": "for the pi"}
    fleet.reader.put("home", files)
    async with fleet.running() as daemon:
        before = list(fleet.systemd.jobs)
        await fleet.push(daemon, {**files, "hosts/another one/web/site.conf": "for the vps"})
        assert fleet.systemd.jobs == before


@pytest.mark.parametrize("restarted", [False, True])
async def test_the_last_good_state_is_found_with_its_overlay(fleet, restarted):
    good = {**BASE, f"{HERE}/web/site.conf": "for the pi"}
    fleet.reader.put("home", good)
    refused = {**BASE, f"{HERE}/web/web.container": "refuse=why", f"{HERE}/web/site.conf": "bad"}
    async with fleet.running() as daemon:
        await fleet.push(daemon, refused)
        if not restarted:
            await _holds_the_last_good(fleet, daemon)
    if restarted:
        async with fleet.running() as daemon:
            await _holds_the_last_good(fleet, daemon)


async def test_an_overlay_that_the_settings_bring_is_tried_as_a_commit_is(fleet):
    fleet.reader.put("home", {**BASE, f"{HERE}/web/site.conf": "for the pi"})
    with_overlay = fleet.settings
    (source,) = with_overlay.sources.values()
    without = msgspec.structs.replace(source, overlay="")
    fleet.settings = msgspec.structs.replace(with_overlay, sources={"home": without})
    async with fleet.running() as daemon:
        await anyio.sleep(30)
        assert installed(fleet, "site.conf") == "for all"
    fleet.settings = with_overlay
    async with fleet.running() as daemon:
        await anyio.sleep(30)
        assert installed(fleet, "site.conf") == "for the pi"
        newest, before = (await daemon.service.history("web")).rollouts
        assert (newest.outcome, newest.revision) == (Outcome.GOOD, before.revision)
        order = OrderRequest(apps=("web",), revision=before.release)
        await daemon.service.rollback(order, _hear)
        assert installed(fleet, "site.conf") == "for all"


async def _holds_the_last_good(world, daemon):
    assert daemon.board.apps["web"].state is AppState.REFUSED
    assert installed(world, "site.conf") == "for the pi"
    world.machine.files["web"].pop("site.conf")
    world.folder.touched.queue.put_nowait("web")
    world.systemd.dies("web.service")
    await anyio.sleep(3)
    await daemon.queue.wait_idle()
    assert installed(world, "site.conf") == "for the pi", "repaired from the overlay"
    assert "web.service" in world.machine.running


async def test_content_that_moves_between_base_and_overlay_restarts_nothing(fleet):
    fleet.reader.put("home", {**BASE, f"{HERE}/web/site.conf": "for the pi"})
    async with fleet.running() as daemon:
        before = list(fleet.systemd.jobs)
        await fleet.push(daemon, {**BASE, "apps/web/site.conf": "for the pi"})
        assert fleet.systemd.jobs == before
        manifest = fleet.machine.manifests["web"]
        assert (manifest.overlay, manifest.revision) == ("", daemon.board.sources["home"].revision)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_rollback_brings_the_overlay_of_that_revision_back(fleet, restarted):
    fleet.reader.put("home", {**BASE, f"{HERE}/web/site.conf": "first"})
    async with fleet.running() as daemon:
        await anyio.sleep(60)
        await fleet.push(daemon, {**BASE, f"{HERE}/web/site.conf": "second"})
        await anyio.sleep(60)
        assert installed(fleet, "site.conf") == "second"
        if not restarted:
            await _rolled_back(fleet, daemon)
    if restarted:
        async with fleet.running() as daemon:
            await _rolled_back(fleet, daemon)


async def _hear(event):
    pass


async def _rolled_back(world, daemon):
    await daemon.service.rollback(OrderRequest(apps=("web",)), _hear)
    assert installed(world, "site.conf") == "first"
    assert installed(world, "more.conf") == "for all"
