"""Certificates as the whole daemon tells of them, and takes orders for them."""

import anyio
import pytest

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import KeyType
from supervisor.model.certificate_status import CertificateState, RenewRequest
from supervisor.model.errors import Retry
from supervisor.model.events import Event, EventKind
from supervisor.model.imported import Imported
from supervisor.model.status import AppState
from tests.fakes.certificates import make_pair

pytestmark = pytest.mark.anyio
FILES = {
    "web/web.container": "tls=site",
    "web/site.certificate": "[Certificate]\nDomain=web.example.org\n",
}
HOUR = 3_600.0


@pytest.fixture
def world(world):
    world.clock.offset = 1_800_000_000.0
    world.reader.put("home", FILES)
    return world


def refuse(world):
    world.issuer.refusals["site"] = OrderRefusal(
        kind=FailureKind.VALIDATION, message="port 80 is closed", hint="open it"
    )


async def status(daemon):
    (app,) = (await daemon.service.look()).apps
    return app


async def test_a_renewal_that_fails_stands_beside_an_app_that_is_well(world):
    world.issuer.days = 0.1
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert (await status(daemon)).certificates == ()
        refuse(world)
        await anyio.sleep(2 * HOUR)
        app = await status(daemon)
        assert app.state is AppState.READY
        (one,) = app.certificates
        assert (one.name, one.state) == ("site", CertificateState.FAILING)
        assert one.error == "port 80 is closed"
        await anyio.sleep(HOUR)
        (one,) = (await status(daemon)).certificates
        assert one.state is CertificateState.EXPIRED
        world.issuer.refusals.clear()
        await anyio.sleep(12 * HOUR)
        world.issuer.days = 90.0
        await anyio.sleep(12 * HOUR)
        assert (await status(daemon)).certificates == ()


async def test_what_an_app_waits_for_is_not_said_twice(world):
    refuse(world)
    async with world.running() as daemon:
        await anyio.sleep(30)
        app = await status(daemon)
        assert [need.subject for need in app.waiting] == ["site"]
        assert app.certificates == ()
        (one,) = (await daemon.service.certificates()).certificates
        assert one.state is CertificateState.FAILING


async def test_whoever_orders_another_one_hears_what_is_done(world):
    heard = []

    async def tell(one):
        heard.append(one)

    async with world.running() as daemon:
        await anyio.sleep(30)
        (before,) = (await daemon.service.certificates()).certificates
        (after,) = (await daemon.service.renew(RenewRequest(name="site"), tell)).certificates
        assert after.state is CertificateState.VALID
        assert after.serial != before.serial
        said = [one for one in heard if isinstance(one, Event)]
        assert any(one.kind is EventKind.CERTIFICATE and one.ok for one in said)
        assert any(one.unit == "web.service" for one in said), "who uses it takes it up"


async def test_whoever_orders_another_one_hears_what_it_waits_for_and_nothing_of_others(world):
    heard = []

    async def tell(one):
        heard.append(one)

    async with world.running() as daemon:
        await anyio.sleep(30)
        world.issuer.seconds = 100.0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.service.renew, RenewRequest(name="site"), tell)
            await anyio.sleep(10)
            await world.push(daemon, {**FILES, "db/db.container": "1"})
        events = [one for one in heard if isinstance(one, Event)]
        assert {one.app for one in events} == {"web"}
        waits = [one for one in heard if not isinstance(one, Event)]
        assert {one.name for one in waits} == {"web"}
        (need,) = waits[0].waiting
        assert str(need).startswith("certificate site: it is asked of letsencrypt: a person")


async def test_an_issuer_out_of_reach_is_asked_again_when_a_network_comes_up(world):
    out = OrderRefusal(kind=FailureKind.PASSING, message="cannot reach it")
    world.issuer.refusals["site"] = out
    async with world.running() as daemon:
        await anyio.sleep(30 * HOUR)
        assert (await status(daemon)).state is not AppState.READY
        world.issuer.refusals.clear()
        world.host.changes.queue.put_nowait("network")
        await anyio.sleep(30)
        assert (await status(daemon)).state is AppState.READY


async def test_a_renewal_that_is_had_stands_beside_an_app_that_is_well(world):
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert (await status(daemon)).waiting == ()
        world.issuer.seconds = 300.0
        daemon.service.certificate_service.actions().renew("site", at_once=False)
        await anyio.sleep(60)
        app = await status(daemon)
        assert app.state is AppState.READY
        (need,) = app.waiting
        assert str(need) == "certificate site: it is asked of letsencrypt: a person asked for it"
        assert app.certificates == ()
        (one,) = (await daemon.service.certificates()).certificates
        assert one.state is CertificateState.ORDERED
        await anyio.sleep(300)
        assert (await status(daemon)).waiting == ()


async def planned(daemon):
    plan = await daemon.service.plan(())
    steps = [
        (one.__struct_config__.tag, one.app, one.certificate, one.reason)
        for one in plan.steps
        if hasattr(one, "certificate")
    ]
    needs = [str(one) for verdict in plan.verdicts for one in verdict.waiting]
    return steps, needs


async def test_a_plan_says_what_becomes_of_certificates(world):
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert await planned(daemon) == ([], [])
        orders = len(world.issuer.orders)
        place = next(iter(world.certificates.installed))
        world.certificates.damaged.add(place)
        why = "its files are damaged or gone, or have another mode or owner"
        assert await planned(daemon) == ([("install-certificate", "web", "site", why)], [])
        world.certificates.pairs.clear()
        why = "its files are damaged or gone, and so is what was kept of them"
        assert await planned(daemon) == ([("order-certificate", "web", "site", why)], [])
        assert len(world.issuer.orders) == orders, "nothing is done"
        assert world.certificates.damaged


async def test_a_plan_says_of_an_order_that_waits_what_it_waits_for(world):
    refuse(world)
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert await planned(daemon) == ([], ["certificate site: port 80 is closed"])
        world.issuer.refusals.clear()
        world.clock.offset += HOUR
        why = "there is none yet"
        steps = [("order-certificate", "web", "site", why)]
        assert (await planned(daemon))[0] == steps


async def test_a_plan_of_what_was_never_deployed_orders_its_certificate(world):
    async with world.running() as daemon:
        more = {"b/b.container": "tls=two", "b/two.certificate": "[Certificate]\nDomain=b.test\n"}
        world.reader.put("home", {**FILES, **more})
        steps, needs = await planned(daemon)
        assert steps == [("order-certificate", "b", "two", "there is none yet")]
        assert needs == ["certificate two: it is not there yet"]
        steps = (await daemon.service.plan(["web"])).steps
        assert steps == (), "it is not asked for"


async def test_a_plan_of_a_certificate_with_another_name_orders_nothing(world):
    async with world.running() as daemon:
        await anyio.sleep(30)
        files = {
            "web/web.container": "tls=two",
            "web/two.certificate": FILES["web/site.certificate"],
        }
        world.reader.put("home", files)
        why = "no app asks for site any more"
        assert (await planned(daemon))[0] == [("install-certificate", "web", "two", why)]


async def test_what_was_imported_is_planned_taken_and_told_of(world):
    refuse(world)
    async with world.running() as daemon:
        await anyio.sleep(30)
        now = world.clock.now()
        pair = make_pair("certbot's", ("web.example.org",), now=now)
        issuer = "https://acme-v02.api.letsencrypt.org/directory"
        about = {"directory": issuer, "key_type": KeyType.ECDSA_P256, "digest": "", "at": now}
        one = Imported(facts=pair.facts, source="/le/live/web/fullchain.pem", **about)
        world.imported.put(one, pair)
        why = "it is in /le/live/web/fullchain.pem"
        steps, _ = await planned(daemon)
        assert steps == [("install-certificate", "web", "site", why)]
        told = []

        async def tell(one):
            told.append(one)

        (found,) = (await daemon.service.take_imported(tell)).certificates
        assert (found.state, found.serial) == (CertificateState.VALID, pair.facts.serial)
        assert any(one.reason.startswith("taken over, valid until") for one in told)
        assert (await status(daemon)).state is AppState.READY
        assert len(world.issuer.orders) == 1, "the one that was refused"


@pytest.mark.parametrize("is_first", [True, False])
async def test_what_cannot_be_installed_is_said_once_and_beside_its_app(world, is_first):
    full = Retry("cannot install site: no space left", hint="make room")
    install = world.certificates.install

    async def fails(certificate, pair):
        if world.certificates.installs or is_first:
            raise full
        return await install(certificate, pair)

    world.certificates.install = fails
    async with world.running() as daemon:
        await anyio.sleep(30)
        if not is_first:
            daemon.service.certificate_service.actions().renew("site", at_once=True)
            await anyio.sleep(30)
        found = await daemon.service.look()
        (app,) = found.apps
        assert found.problems == ()
        if is_first:
            (need,) = app.waiting
            assert "no space left; make room; tried again at" in str(need)
            assert app.state is AppState.FAILING
        else:
            (one,) = app.certificates
            assert (one.error, one.hint) == (str(full), "make room")
        assert "certificate:site" in daemon.board.problems, "the loop knows of it"
