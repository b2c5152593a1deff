"""Users of a certificate that cannot take up another one: restarted, then the former is back."""

import anyio
import msgspec
import pytest

from supervisor.model.certificate import CertificateRecord, Stage
from supervisor.model.events import EventKind
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import RepairSettings
from supervisor.model.status import AppState
from tests.fakes.certificate_house import TODAY

pytestmark = pytest.mark.anyio
ASKS = "[Certificate]\nDomain=web.example.org\n"
APP = {"apps/web/web.container": "tls=web can=reload", "apps/web/web.certificate": ASKS}
URL = "https://web.example.org:443"


@pytest.fixture(autouse=True)
def today(world):
    """Months pass here: nothing else wakes the house meanwhile."""
    world.clock.offset = TODAY
    home = msgspec.structs.replace(world.settings.sources["home"], poll=Seconds(0))
    world.settings = msgspec.structs.replace(
        world.settings, sources={"home": home}, repair=RepairSettings(resync=Seconds(0))
    )


def record(world):
    return world.ledger.get(CertificateRecord, "web")


def said(world):
    return [(one.reason, one.detail) for one in world.events(EventKind.CERTIFICATE) if not one.ok]


def renew(world, daemon):
    world.systemd.jobs.clear()
    daemon.service.certificate_service.actions().renew("web", at_once=True)


@pytest.mark.parametrize("check", ["", f"Check={URL}\n"])
async def test_who_cannot_be_reloaded_is_restarted(world, check):
    world.tls.servers[URL] = lambda: record(world).current.facts.fingerprint
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/web/web.certificate": f"{ASKS}{check}"})
        await anyio.sleep(100)
        world.systemd.unreloadable.add("web.service")
        renew(world, daemon)
        await anyio.sleep(100)
        assert [job for job, _ in world.systemd.jobs] == ["reload", "restart"]
        assert record(world).stage is Stage.SERVED
        assert record(world).current.facts == world.issuer.issued[1].facts
        assert daemon.board.apps["web"].state is AppState.READY
        (event,) = said(world)
        assert event == (
            "it is not served: those who use it are restarted",
            "cannot reload web.service: failed exit code 1",
        )


async def test_who_cannot_be_reloaded_and_serves_the_former_is_restarted_with_it(world):
    first = []

    def served():
        first.append(record(world).current.facts.fingerprint)
        return first[0]

    world.tls.servers[URL] = served
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/web/web.certificate": f"{ASKS}Check={URL}\n"})
        await anyio.sleep(100)
        world.systemd.unreloadable.add("web.service")
        renew(world, daemon)
        await anyio.sleep(200)
        assert [job for job, _ in world.systemd.jobs] == ["reload", "restart", "restart"]
        assert record(world).current.facts == world.issuer.issued[0].facts


@pytest.mark.parametrize("can_reload", [True, False])
async def test_what_its_server_does_not_start_with_is_put_back(world, can_reload):
    unit = "tls=web can=reload" if can_reload else "tls=web"
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/web/web.container": unit})
        await anyio.sleep(100)
        world.systemd.said["web.service"] = "key type is not supported"
        world.machine.broken.add("web.service")
        renew(world, daemon)
        await anyio.sleep(20)
        assert len(world.issuer.issued) == 2
        assert record(world).current.facts == world.issuer.issued[0].facts
        assert record(world).stage is Stage.SERVED
        (status,) = daemon.service.certificate_service.news.statuses()
        assert "key type is not supported" in status.error
        assert status.is_ailing
        assert len(said(world)) == 2
        world.machine.broken.clear()
        await anyio.sleep(700)
        assert "web.service" in world.machine.running
        assert daemon.board.apps["web"].state is AppState.READY


async def test_who_was_down_before_is_no_reason_to_put_back(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await anyio.sleep(100)
        world.machine.broken.add("web.service")
        world.systemd.dies("web.service")
        await anyio.sleep(1000)
        renew(world, daemon)
        await anyio.sleep(2000)
        assert record(world).current.facts == world.issuer.issued[1].facts
        assert not said(world)
