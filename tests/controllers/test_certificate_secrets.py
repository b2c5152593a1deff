"""Certificates as Podman secrets: made before who uses them starts, and kept as they are to be."""

import base64

import anyio
import msgspec
import pytest
import yaml

from supervisor.model.certificate import CertificateRecord
from supervisor.model.events import EventKind
from supervisor.model.setting_types import Seconds
from supervisor.model.settings import RepairSettings
from supervisor.model.status import AppState
from tests.fakes.certificate_house import TODAY
from tests.fakes.certificates import DAY
from tests.words import waiting

pytestmark = pytest.mark.anyio
ASKS = "[Certificate]\nDomain=web.example.org\n"
HELD = f"{ASKS}Secret=tls\n"
APP = {"apps/web/web.container": "secret=tls.key", "apps/web/web.certificate": HELD}
NAMES = {"tls.key", "tls.crt", "tls"}
URL = "https://web.example.org:443"


@pytest.fixture(autouse=True)
def today(world):
    """Months pass here: nothing else wakes the house meanwhile."""
    world.clock.offset = TODAY
    home = msgspec.structs.replace(world.settings.sources["home"], poll=Seconds(0))
    world.settings = msgspec.structs.replace(
        world.settings, sources={"home": home}, repair=RepairSettings(resync=Seconds(0))
    )


async def push(world, daemon, files):
    await world.push(daemon, files)
    await settle(daemon)


async def settle(daemon):
    """What the watches saw is seen to, and who can be ready is."""
    await anyio.sleep(100)
    await daemon.queue.wait_idle()


def record(world):
    return world.ledger.get(CertificateRecord, "web")


def holds(world, pair):
    """Whether all secrets hold that."""
    secrets, of_kubernetes = world.podman.secrets, yaml.safe_load(world.podman.secrets["tls"])
    data = {key: base64.b64decode(text) for key, text in of_kubernetes["data"].items()}
    return (
        [secrets["tls.key"], secrets["tls.crt"]]
        == [data["tls.key"], data["tls.crt"]]
        == [pair.key.encode(), pair.chain.encode()]
    )


async def test_who_names_one_waits_until_it_is_there(world):
    world.issuer.seconds = 60.0
    async with world.running() as daemon:
        world.reader.put("home", APP)
        daemon.queue.add("source:home")
        await anyio.sleep(30)
        (status,) = daemon.service.status().apps
        (need,) = waiting(status)
        assert need.startswith("certificate web: it is asked of letsencrypt")
        assert not world.podman.secrets
        await settle(daemon)
        assert daemon.board.apps["web"].state is AppState.READY
        assert world.podman.secrets.keys() == NAMES
        assert holds(world, world.issuer.issued[0])
        assert world.systemd.jobs == [("start", "web.service")]


async def test_another_one_restarts_them_once_and_is_in_the_secrets_by_then(world):
    files = {
        **APP,
        "apps/b/b.container": "secret=tls",
        "apps/b/c.container": "can=reload tls=web",
    }
    async with world.running() as daemon:
        await push(world, daemon, files)
        world.systemd.jobs.clear()
        await anyio.sleep(62 * DAY)
        assert sorted(world.systemd.jobs) == [
            ("reload", "c.service"),
            ("restart", "b.service"),
            ("restart", "web.service"),
        ]
        assert holds(world, world.issuer.issued[1])


async def test_what_nobody_serves_is_taken_out_of_them_again(world):
    first = []

    def served():
        first.append(record(world).current.facts.fingerprint)
        return first[0]

    world.tls.servers[URL] = served
    async with world.running() as daemon:
        await push(world, daemon, {**APP, "apps/web/web.certificate": f"{HELD}Check={URL}\n"})
        await anyio.sleep(62 * DAY)
        assert len(world.issuer.issued) == 2
        assert record(world).current.facts == world.issuer.issued[0].facts
        assert holds(world, world.issuer.issued[0])


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_one_that_was_removed_comes_back_without_an_order_or_a_restart(world, name):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        world.systemd.jobs.clear()
        world.podman.loses_secret(name)
        await settle(daemon)
        assert holds(world, world.issuer.issued[0])
        assert (len(world.issuer.orders), world.systemd.jobs) == (1, [])
        assert daemon.board.apps["web"].state is AppState.READY
        event = world.events(EventKind.CERTIFICATE)[-1]
        assert event.reason == "its Podman secrets were made"
        assert event.detail == f"it is not in secret {name}"


async def test_nothing_is_made_again_that_is_as_it_should_be(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        puts = list(world.podman.puts)
        daemon.queue.add("certificate:web", "app:web", "resync")
        await settle(daemon)
        assert sorted(world.podman.puts) == sorted(puts) == sorted(NAMES)


async def test_a_plan_says_which_are_to_be_made(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        del world.podman.secrets["tls"], world.podman.labels["tls"]  # nobody tells of it
        (step,) = (await daemon.service.plan(["web"])).steps
        assert (step.certificate, step.reason) == ("web", "it is not in secret tls")
        assert "tls" not in world.podman.secrets, "nothing is done"


async def test_secrets_for_a_certificate_that_is_there_already(world):
    async with world.running() as daemon:
        await push(world, daemon, {"apps/web/web.container": "", "apps/web/web.certificate": ASKS})
        assert not world.podman.secrets
        await push(world, daemon, APP)
        assert len(world.issuer.orders) == 1
        assert holds(world, world.issuer.issued[0])
        assert daemon.board.apps["web"].state is AppState.READY


async def test_somebody_elses_secret_is_not_touched(world):
    world.podman.has_secret("tls.crt", b"mine")
    async with world.running() as daemon:
        await push(world, daemon, {"apps/web/web.container": "", "apps/web/web.certificate": ASKS})
        await push(world, daemon, APP)
        status = daemon.board.apps["web"]
        assert status.state is AppState.REFUSED
        (finding,) = status.findings
        assert "Podman has a secret tls.crt already, which is not podvisor's" in finding.message
        assert (finding.path, finding.line) == ("apps/web/web.certificate", 3)
        assert "podman secret rm tls.crt" in finding.hint
        assert world.podman.secrets == {"tls.crt": b"mine"}
        assert "web.service" in world.machine.running
        world.podman.loses_secret("tls.crt")
        await anyio.sleep(7_200)
        await settle(daemon)
        assert daemon.board.apps["web"].state is AppState.READY
        assert holds(world, world.issuer.issued[0])


async def test_one_that_a_person_replaced_is_theirs_and_that_is_said(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        world.podman.has_secret("tls.key", b"mine")
        await settle(daemon)
        assert world.podman.secrets["tls.key"] == b"mine"
        (one,) = (await daemon.service.certificates()).certificates
        assert one.error == "cannot make secret tls.key: Podman has one that is not podvisor's"
        assert "podman secret rm tls.key" in one.hint


async def test_one_that_was_generated_is_not_lost(world):
    secret = {"apps/web/web.container": "", "apps/web/tls.key.secret": "[Secret]\nGenerate=32\n"}
    async with world.running() as daemon:
        await push(world, daemon, secret)
        value = world.podman.secrets["tls.key"]
        await push(world, daemon, APP)
        (finding,) = daemon.board.apps["web"].findings
        assert "tls.key already, which is generated for app web" in finding.message
        assert world.podman.secrets == {"tls.key": value}


async def test_they_go_with_the_last_who_uses_them(world):
    files = {**APP, "apps/b/b.container": "secret=tls.crt"}
    async with world.running() as daemon:
        await push(world, daemon, files)
        await push(world, daemon, {"apps/b/b.container": "secret=tls.crt"})
        assert world.podman.secrets.keys() == NAMES
        daemon.queue.add("app:b")
        await settle(daemon)
        (finding,) = daemon.board.apps["b"].findings
        assert "uses the certificate web, which no app describes any more" in finding.message
        await push(world, daemon, {"apps/b/b.container": ""})
        assert not world.podman.secrets


async def test_other_names_take_the_place_of_those_before(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        other = {
            "apps/web/web.container": "secret=new.key",
            "apps/web/web.certificate": f"{ASKS}Secret=new\n",
        }
        await push(world, daemon, other)
        assert world.podman.secrets.keys() == {"new.key", "new.crt", "new"}
        assert record(world).secrets == ("new.key", "new.crt", "new")
        await push(world, daemon, {**other, "apps/web/web.certificate": ASKS})
        assert world.podman.secrets.keys() == {"new.key"}, "it is in use"
        (finding,) = daemon.board.apps["web"].findings
        assert "secret new.key of the certificate web, which is not kept there" in finding.message
        assert finding.hint == "have a file web.certificate say Secret=new"
        await push(world, daemon, {"apps/web/web.container": "", "apps/web/web.certificate": ASKS})
        assert not world.podman.secrets
        assert len(world.issuer.orders) == 1


async def test_they_stay_as_they_are_when_their_file_has_another_name(world):
    """The way back, of which they were, leaves them to who is to have them."""
    async with world.running() as daemon:
        await push(world, daemon, APP)
        moved = {"apps/web/web.container": "secret=tls.key", "apps/web/site.certificate": HELD}
        await push(world, daemon, moved)
        assert daemon.board.apps["web"].state is AppState.READY
        assert holds(world, world.issuer.issued[0])
        told = [one for one in world.ledger.events() if one.kind is EventKind.CERTIFICATE]
        assert [one.subject for one in told] == ["web", "site", "web"]
        assert told[-1].reason == "removed"
        assert world.podman.secrets.keys() == NAMES
        assert world.systemd.jobs.count(("restart", "web.service")) == 1
        assert len(world.issuer.orders) == 1


async def test_a_secret_file_takes_the_name_of_what_a_certificate_was_kept_as(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        secret = {"apps/web/tls.key.secret": "[Secret]\nGenerate=32\n"}
        await push(world, daemon, {"apps/web/web.container": "secret=tls.key", **secret})
        assert world.podman.secrets == {"tls.key": b"generated-1"}
        assert world.systemd.jobs[-1] == ("restart", "web.service")


async def test_the_key_is_nowhere_else(world):
    async with world.running() as daemon:
        await push(world, daemon, APP)
        body = world.issuer.issued[0].key.splitlines()[1]
        told = repr([*world.ledger.events(), record(world), daemon.service.status()])
        assert body not in told
        stands = await daemon.service.secrets()
        assert [(one.name, one.state, one.source) for one in stands.secrets] == [
            (name, "current", "certificate:web") for name in sorted(NAMES)
        ]
