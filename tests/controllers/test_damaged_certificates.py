"""Files of certificates that somebody damages or removes."""

import anyio
import pytest

from supervisor.model.events import EventKind
from supervisor.model.status import SyncRequest

pytestmark = pytest.mark.anyio
SITE = "[Certificate]\nDomain=web.example.org\n"
FILES = {
    "web/web.container": "tls=site",
    "web/site.certificate": SITE,
    "b/b.container": "tls=other",
    "b/other.certificate": SITE.replace("web", "b"),
}


async def nobody(_):
    pass


@pytest.mark.parametrize("is_lost", [False, True])
async def test_what_is_seen_to_be_damaged_is_mended_at_once_and_no_other(world, is_lost):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        await anyio.sleep(60)
        orders, files = len(world.issuer.orders), world.certificates
        before = len(files.installs)
        place = next(folder for folder, one in files.installed.items() if one.name == "site")
        (files.lose if is_lost else files.damage)(place)
        await anyio.sleep(2)
        assert [folder for folder, _ in files.installs[before:]] == [place]
        assert not files.damaged
        assert len(world.issuer.orders) == orders
        assert not daemon.queue.is_busy()


@pytest.mark.parametrize("is_lost", [False, True])
async def test_a_sync_returns_when_what_is_damaged_is_mended_and_in_use(world, is_lost):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        await anyio.sleep(60)
        kept = world.certificates.kept

        async def slow(name, issued):
            await anyio.sleep(1.5)
            return await kept(name, issued)

        world.certificates.kept = slow
        for _ in range(2):
            jobs = len(world.events(EventKind.STEP))
            places = {*world.certificates.installed}
            if is_lost:
                for one in places:
                    world.certificates.folder_ids.pop(one)
            world.certificates.damaged |= places
            await daemon.service.sync(SyncRequest(), nobody)
            assert not world.certificates.damaged
            said = [one.step for one in world.events(EventKind.STEP)[jobs:]]
            assert said == ["restart"] * 2 * is_lost


async def test_a_sync_does_not_wait_for_a_renewal(world):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        await anyio.sleep(60)
        world.issuer.seconds = 500.0
        daemon.service.certificate_service.actions().renew("site", at_once=False)
        await anyio.sleep(1)
        began = anyio.current_time()
        await daemon.service.sync(SyncRequest(), nobody)
        assert anyio.current_time() - began < 3


@pytest.mark.parametrize("apps", [(), ("web",)])
async def test_a_sync_mends_what_nobody_saw_being_damaged(world, apps):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        await anyio.sleep(60)
        assert {*world.machine.running} == {"web.service", "b.service"}
        orders = len(world.issuer.orders)
        world.certificates.damaged |= {*world.certificates.installed}
        await daemon.service.sync(SyncRequest(apps=apps), nobody)
        left = {world.certificates.installed[one].name for one in world.certificates.damaged}
        assert left == ({"other"} if apps else set())
        assert len(world.issuer.orders) == orders
