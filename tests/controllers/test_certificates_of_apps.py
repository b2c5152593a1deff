"""Certificates in the whole house: what waits for them, and what takes them up."""

import anyio
import msgspec
import pytest

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import CertificateRecord, Stage
from supervisor.model.events import EventKind
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import RepairSettings
from supervisor.model.status import AppState
from tests.fakes.certificate_house import TODAY
from tests.fakes.certificates import DAY
from tests.words import waiting

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


def record(world, name="web"):
    return world.ledger.get(CertificateRecord, name)


async def test_a_first_deploy_waits_for_its_certificate_and_says_why(world):
    world.issuer.seconds = 60.0
    async with world.running() as daemon:
        world.reader.put("home", {**APP, "apps/b/b.container": ""})
        daemon.queue.add("source:home")
        await anyio.sleep(30)
        assert world.machine.running.keys() == {"b.service"}
        status = {one.name: one for one in daemon.service.status().apps}
        assert status["web"].state is AppState.CHANGING
        assert "it is asked of letsencrypt: there is none yet" in waiting(status["web"])[0]
        await anyio.sleep(60)
        assert world.machine.running.keys() == {"b.service", "web.service"}
        assert daemon.board.apps["web"].state is AppState.READY
        assert record(world).stage is Stage.SERVED
        assert len(world.issuer.orders) == 1


async def test_a_certificate_that_cannot_be_had_says_why_and_stops_nothing(world):
    async with world.running() as daemon:
        await world.push(daemon, {"apps/web/web.container": "v1 can=reload"})
        world.issuer.refusals["web"] = OrderRefusal(
            kind=FailureKind.REFUSED,
            message="web.example.org is forbidden by CAA",
            hint="change it",
        )
        await world.push(daemon, APP)
        await anyio.sleep(100)
        (status,) = daemon.service.status().apps
        assert "web.example.org is forbidden by CAA; change it" in waiting(status)[0]
        assert "web.service" in world.machine.running
        assert ("stop", "web.service") not in world.systemd.jobs
        world.issuer.refusals.clear()
        await world.push(daemon, {**APP, "apps/web/web.certificate": f"{ASKS}Profile=tlsserver\n"})
        await anyio.sleep(100)
        assert daemon.board.apps["web"].state is AppState.READY


async def test_a_renewal_reloads_or_restarts_who_uses_it_and_is_no_release(world):
    files = {**APP, "apps/web/side.container": "tls=web", "apps/web/other.container": ""}
    async with world.running() as daemon:
        await world.push(daemon, files)
        await anyio.sleep(100)
        assert set(world.machine.running) == {"web.service", "side.service", "other.service"}
        applied = len(world.events(EventKind.APPLIED))
        world.systemd.jobs.clear()
        await anyio.sleep(62 * DAY)
        assert len(world.issuer.orders) == 2
        assert sorted(world.systemd.jobs) == [
            ("reload", "web.service"),
            ("restart", "side.service"),
        ]
        assert len(world.events(EventKind.APPLIED)) == applied
        assert record(world).stage is Stage.SERVED


async def test_what_nobody_serves_is_restarted_then_put_back(world):
    first = []

    def served():
        first.append(record(world).current.facts.fingerprint)
        return first[0]

    world.tls.servers[URL] = served
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/web/web.certificate": f"{ASKS}Check={URL}\n"})
        await anyio.sleep(100)
        assert record(world).stage is Stage.SERVED
        world.systemd.jobs.clear()
        await anyio.sleep(62 * DAY)
        assert [job for job, _ in world.systemd.jobs] == ["reload", "restart", "reload"]
        assert record(world).current.facts == world.issuer.issued[0].facts
        said = [one.reason for one in world.events(EventKind.CERTIFICATE) if not one.ok]
        assert said == [
            "it is not served: those who use it are restarted",
            "nobody served the new one: the former one was put back",
        ]


async def test_a_reload_that_fails_is_tried_less_and_less_often(world):
    files = {"apps/web/web.container": "reads=conf onchange=reload can=reload"}
    async with world.running() as daemon:
        await world.push(daemon, {**files, "apps/web/conf": "1"})
        world.systemd.unreloadable.add("web.service")
        world.systemd.jobs.clear()
        await world.push(daemon, {**files, "apps/web/conf": "2"})
        await anyio.sleep(100)
        assert set(world.systemd.jobs) == {("reload", "web.service")}
        assert 3 <= len(world.systemd.jobs) <= 6
        (status,) = daemon.service.status().apps
        assert status.state is AppState.FAILING
        assert "cannot reload web.service: failed exit code 1" in str(status.findings)
        assert "tries in a row; tried again at " in waiting(status)[0]
        world.systemd.unreloadable.clear()
        await anyio.sleep(100)
        assert daemon.board.apps["web"].state is AppState.READY
        assert not world.ledger.repairs()


async def test_a_stand_in_lets_the_server_start_that_answers_the_challenge(world):
    world.issuer.seconds = 60.0
    async with world.running() as daemon:
        world.reader.put("home", {**APP, "apps/web/web.certificate": f"{ASKS}Standin=yes\n"})
        daemon.queue.add("source:home")
        await anyio.sleep(30)
        assert "web.service" in world.machine.running
        await anyio.sleep(60)
        assert ("reload", "web.service") in world.systemd.jobs
        assert not record(world).current.standin


async def test_an_app_that_is_removed_takes_what_was_installed_with_it(world):
    async with world.running() as daemon:
        await world.push(daemon, {**APP, "apps/b/b.container": ""})
        await anyio.sleep(100)
        assert world.certificates.installed
        await world.push(daemon, {"apps/b/b.container": ""})
        await anyio.sleep(100)
        assert not world.certificates.installed
        assert world.certificates.pairs, "what is kept stays"
        await world.push(daemon, {**APP, "apps/b/b.container": ""})
        await anyio.sleep(100)
        assert "web.service" in world.machine.running
        assert len(world.issuer.orders) == 1


async def test_settings_that_name_another_issuer_have_another_one_ordered(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await anyio.sleep(100)
        certificates = msgspec.structs.replace(
            world.settings.certificates, issuer="letsencrypt-staging"
        )
        await daemon.settings.take(
            msgspec.structs.replace(world.settings, certificates=certificates)
        )
        await anyio.sleep(100)
        assert [one.issuer.name for one in world.issuer.orders] == [
            "letsencrypt",
            "letsencrypt-staging",
        ]
        assert "web.service" in world.machine.running


async def test_a_start_after_a_renewal_was_missed_serves_what_there_is_and_renews(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await anyio.sleep(100)
    world.clock.offset += 100 * DAY
    async with world.running():
        assert "web.service" in world.machine.running
        await anyio.sleep(100)
        assert len(world.issuer.orders) == 2


async def test_without_certificates_nothing_of_them_is_loaded_or_kept(world):
    async with world.running() as daemon:
        await world.push(daemon, {"apps/b/b.container": ""})
        assert not world.ledger.all(CertificateRecord)
        assert not [key for key in daemon.queue._due if key.startswith("certificate")]


async def test_who_reads_it_as_another_user_starts_when_it_belongs_to_that(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await anyio.sleep(100)
        assert record(world).installed_as == " 0600 "
        world.certificates.seconds = 30.0
        world.systemd.jobs.clear()
        world.reader.put(
            "home",
            {
                "apps/web/web.container": "tls=web can=reload user=999",
                "apps/web/web.certificate": f"{ASKS}Owner=999\n",
            },
        )
        daemon.queue.add("source:home")
        await anyio.sleep(10)
        assert not world.systemd.jobs
        (status,) = daemon.service.status().apps
        assert status.state is AppState.CHANGING
        assert waiting(status)[0].startswith("certificate web: ")
        await anyio.sleep(100)
        assert world.systemd.jobs == [("restart", "web.service")]
        assert {one.owner for one in world.certificates.installed.values()} == {(999, 0)}
        assert daemon.board.apps["web"].state is AppState.READY


async def test_one_that_cannot_be_installed_as_asked_keeps_its_app_as_it_was(world):
    async with world.running() as daemon:
        await world.push(daemon, APP)
        await anyio.sleep(100)
        world.systemd.jobs.clear()
        other = {
            "apps/web/web.container": "tls=web can=reload user=70000",
            "apps/web/web.certificate": f"{ASKS}Owner=70000\n",
        }
        await world.push(daemon, other)
        await anyio.sleep(100)
        assert not world.systemd.jobs
        (status,) = daemon.service.status().apps
        assert "cannot install web: there is no such id" in waiting(status)[0]
        await world.push(daemon, APP)
        await anyio.sleep(100)
        assert daemon.board.apps["web"].state is AppState.READY
