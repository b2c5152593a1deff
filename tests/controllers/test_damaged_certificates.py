"""Files of certificates that somebody damages or removes, of which nobody tells."""

import anyio
import pytest

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


@pytest.mark.parametrize("apps", [(), ("web",)])
async def test_a_sync_mends_what_is_not_as_it_was_installed(world, apps):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    async with world.running() as daemon:
        await anyio.sleep(60)
        assert {*world.machine.running} == {"web.service", "b.service"}
        orders = len(world.issuer.orders)
        world.certificates.damaged |= {*world.certificates.installed}
        await daemon.service.sync(SyncRequest(apps=apps), nobody)
        await anyio.sleep(1)
        left = {world.certificates.installed[one].name for one in world.certificates.damaged}
        assert left == ({"other"} if apps else set())
        assert len(world.issuer.orders) == orders
