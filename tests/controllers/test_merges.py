"""Merges that take much away, and names that change: what stops, and what does not."""

import pytest

from supervisor.model.status import AppState

pytestmark = pytest.mark.anyio
APPS = {
    f"apps/{name}/{name}.{suffix}": text
    for name in ("a", "b", "c", "d")
    for suffix, text in (("container", "image=img:1"), ("volume", "-"))
}
HALF = {path: text for path, text in APPS.items() if path.split("/")[1] in {"a", "b"}}


@pytest.fixture
def deployed(world):
    world.machine.images.add("img:1")
    world.reader.put("home", APPS)
    return world


async def test_a_merge_that_removes_half_of_the_apps_and_its_revert(deployed):
    async with deployed.running() as daemon:
        volumes = {f"systemd-{name}" for name in "abcd"}
        deployed.machine.volumes.update(volumes)
        before = list(deployed.systemd.jobs)
        await deployed.push(daemon, HALF)
        assert set(daemon.board.apps) == {"a", "b"}
        jobs = [job for job in deployed.systemd.jobs if job not in before]
        assert {unit for _, unit in jobs if unit.endswith(".service")} >= {"c.service", "d.service"}
        assert not {("restart", "a.service"), ("stop", "a.service")} & set(jobs)
        assert {event.app for event in deployed.events("removed")} == {"c", "d"}
        assert deployed.machine.volumes == volumes, "data stays"
        await deployed.push(daemon, APPS)
        assert {one.state for one in daemon.board.apps.values()} == {AppState.READY}
        assert {f"{name}.service" for name in "abcd"} <= set(deployed.machine.running)
        assert deployed.machine.volumes == volumes


async def test_only_if_all_would_go_they_are_kept(deployed):
    async with deployed.running() as daemon:
        await deployed.push(daemon, {})
        assert {one.state for one in daemon.board.apps.values()} == {AppState.KEPT}
        assert {f"{name}.service" for name in "abcd"} <= set(deployed.machine.running)


async def test_an_app_that_is_renamed_takes_its_units_along(deployed):
    renamed = {path.replace("apps/d/", "apps/new/"): text for path, text in APPS.items()}
    async with deployed.running() as daemon:
        before = list(deployed.systemd.jobs)
        await deployed.push(daemon, renamed)
        assert set(daemon.board.apps) == {"a", "b", "c", "new"}
        assert daemon.board.apps["new"].state is AppState.READY
        assert set(deployed.machine.manifests) == {"a", "b", "c", "new"}
        assert "d.service" in deployed.machine.running
        assert deployed.systemd.jobs == before, "nothing stopped, nothing started"


async def test_a_ref_that_is_forced_back_restarts_what_differs_alone(deployed):
    newer = {**APPS, "apps/a/a.container": "image=img:1 v=2"}
    async with deployed.running() as daemon:
        first = daemon.board.sources["home"].revision
        await deployed.push(daemon, newer)
        before = list(deployed.systemd.jobs)
        await deployed.push(daemon, APPS)
        assert daemon.board.sources["home"].revision == first
        assert deployed.systemd.jobs[len(before) :] == [("restart", "a.service")]
