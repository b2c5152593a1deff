"""An image that only some credentials open."""

import anyio
import pytest

from supervisor.model.need import NeedKind

pytestmark = pytest.mark.anyio


@pytest.fixture
def private(world):
    """An image that only a file opens."""
    world.podman.registry.add("img:2")
    world.podman.private["img:2"] = "/good.json"
    return world


def image_needs(daemon, app):
    (status,) = (one for one in daemon.service.status().apps if one.name == app)
    return [str(need) for need in status.waiting if need.kind is NeedKind.IMAGE]


async def test_the_first_deploy_pulls_by_the_apps_own_credentials(private):
    private.reader.put("home", {"web/web.container": "image=img:2 authfile=/good.json"})
    async with private.running():
        assert private.podman.pulls == ["img:2"]
        assert "web.service" in private.machine.running


async def test_of_several_apps_credentials_those_that_open_it_serve_all(private):
    files = {"a/a.container": "image=img:2 authfile=/bad.json", "b/b.container": "image=img:2"}
    private.reader.put("home", files)
    async with private.running() as daemon:
        for app in ("a", "b"):
            words = "image img:2: cannot be pulled: unauthorized (by /bad.json)"
            assert image_needs(daemon, app) == [words]
        files["c/c.container"] = "image=img:2 authfile=/good.json"
        private.reader.put("home", files)
        daemon.queue.add("source:home")
        await anyio.sleep(100)
        assert private.machine.running.keys() >= {"a.service", "b.service", "c.service"}


async def test_other_credentials_are_tried_at_once(private):
    private.reader.put("home", {"web/web.container": "image=img:2 authfile=/bad.json"})
    async with private.running() as daemon:
        await anyio.sleep(10)
        private.reader.put("home", {"web/web.container": "image=img:2 authfile=/good.json"})
        daemon.queue.add("source:home")
        await anyio.sleep(100)
        assert "web.service" in private.machine.running
