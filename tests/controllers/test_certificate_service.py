"""What people ask about certificates, and order of them."""

import anyio
import pytest
from msgspec.structs import replace

from supervisor.controllers.keys import Kind
from supervisor.controllers.operator.certificates import CertificateService
from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import Counted
from supervisor.model.certificate_status import CertificateState, RenewRequest, RevokeRequest
from supervisor.model.errors import Stalled
from supervisor.model.events import Event, EventKind
from supervisor.model.rollout import Suspension
from tests.fakes.certificate_house import SERVER, House, asks, deployed
from tests.fakes.certificates import DAY, PLACE

pytestmark = pytest.mark.anyio

CHECKED = asks(check=(SERVER,))
REFUSAL = OrderRefusal(kind=FailureKind.VALIDATION, message="port 80 is closed", hint="open it")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


def service(house):
    return CertificateService(
        news=house.certificates,
        actions=house.certificates.actions,
        queue=house.queue,
        ledger=house.ledger,
    )


async def listed(house):
    return {one.name: one for one in (await service(house).list()).certificates}


async def test_where_no_app_asks_for_one_nothing_is_loaded_to_say_so(house):
    async with house.running():
        assert await listed(house) == {}
        assert house.certificates._controller is None


async def test_all_are_listed_with_who_uses_them(house):
    house.listen()
    async with house.running(deployed("web", CHECKED), deployed("db", asks("db"), uses=["web"])):
        found = await listed(house)
        assert list(found) == ["db", "web"]
        one = found["web"]
        assert (one.app, one.domains, one.issuer) == ("web", ("web.example.org",), "letsencrypt")
        assert one.units == ("web.service", "db.service")
        assert one.directory == f"{PLACE}/web"
        assert one.serial == house.record().current.facts.serial
        assert one.expires == house.record().current.facts.not_after
        assert house.clock.now() < one.renew_at < one.expires
        assert one.why_then


async def test_what_nobody_asks_for_any_more_is_listed_while_it_is_installed(house):
    async with house.running(deployed("web", asks()), deployed("db", uses=["web"])):
        await house.deploy(deployed("db", uses=["web"]))
        assert (await listed(house))["web"].app == "web"
        await house.deploy()
        assert await listed(house) == {}


async def test_a_failing_one_says_why_and_when_it_is_tried_again(house):
    house.issuer.refusals["web"] = REFUSAL
    async with house.running(deployed("web", asks())):
        one = (await listed(house))["web"]
        assert one.state is CertificateState.FAILING
        assert (one.error, one.hint) == (REFUSAL.message, REFUSAL.hint)
        assert one.retry_at > house.clock.now()
        assert one.is_ailing


async def test_another_one_is_had_and_waited_for_until_it_is_served(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        first = house.record().current
        (one,) = (await service(house).renew(RenewRequest(name="web"))).certificates
        assert one.state is CertificateState.VALID
        assert one.serial != first.facts.serial
        assert house.serves["web.service"] == house.record().current.facts.fingerprint
        assert len(house.issuer.orders) == 2


async def test_it_is_waited_for_also_where_only_a_restart_helps(house):
    house.listen()
    house.effective.discard("reload")
    async with house.running(deployed("web", CHECKED)):
        (one,) = (await service(house).renew(RenewRequest(name="web"))).certificates
        assert one.state is CertificateState.VALID
        assert house.jobs[-1] == ("restart", "web.service")


async def test_it_is_waited_for_also_where_it_is_put_back(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        house.effective.clear()
        (one,) = (await service(house).renew(RenewRequest(name="web"))).certificates
        assert one.state is CertificateState.FAILING
        why, _, seen = one.error.partition(": ")
        assert why == "a newer one was not served, so the former one was put back"
        assert seen.startswith("https://web.example.org serves")
        assert one.at_once == "podvisor certs renew web"
        assert one.retry_at > house.clock.now()
        assert one.is_ailing


async def test_what_failed_before_waits_unless_now_is_said(house):
    house.issuer.refusals["web"] = REFUSAL
    async with house.running(deployed("web", asks())):
        reply = await service(house).renew(RenewRequest(name="web"))
        (one,) = reply.certificates
        assert (one.state, len(house.issuer.orders)) == (CertificateState.FAILING, 1)
        assert reply.untried == "the last try failed; tried again in 15min, at once with --now"
        reply = await service(house).renew(RenewRequest(name="web", now=True))
        assert (reply.untried, len(house.issuer.orders)) == ("", 2)
        del house.issuer.refusals["web"]
        reply = await service(house).renew(RenewRequest(name="web", now=True))
        (one,) = reply.certificates
        assert reply.untried == ""
        assert (one.state, len(house.issuer.orders)) == (CertificateState.VALID, 3)


async def test_what_the_issuers_limits_keep_back_is_said(house):
    async with house.running(deployed("web", asks())):
        full = [Counted(at=house.clock.now(), issuer="letsencrypt", names=("web.example.org",))]
        house.issuer.refusals["web"] = REFUSAL
        house.ledger.put(replace(house.record(), failed_validations=tuple(full * 20)), "web")
        reply = await service(house).renew(RenewRequest(name="web", now=True))
        assert len(house.issuer.orders) == 1
        assert "a person asked for it, but letsencrypt is asked" in reply.untried
        assert "; looked at again in " in reply.untried


async def test_who_orders_one_does_not_hear_of_others(house):
    async with house.running(deployed("web", asks()), deployed("db", asks("db"))):
        hears = service(house).is_told
        said = Event(kind=EventKind.CERTIFICATE, app="db", subject="db", reason="issued")
        assert not hears(said, "web")
        assert not hears(replace(said, kind=EventKind.RECOVERED), "web")
        assert not hears(replace(said, app="web"), "web")
        assert hears(said, "db")
        assert not hears(replace(said, kind=EventKind.STEP), "web")
        assert not hears(replace(said, kind=EventKind.STEP, app=""), "web")
        assert hears(replace(said, kind=EventKind.STEP, app="web"), "web")


async def test_one_is_declared_void_and_another_one_had_with_a_new_key(house):
    desired = replace(asks(), reuse_key=True)
    async with house.running(deployed("web", desired)):
        first = house.issuer.issued[0]
        (one,) = (await service(house).revoke(RevokeRequest(name="web"))).certificates
        assert one.state is CertificateState.VALID
        assert house.issuer.issued[-1].key != first.key


async def test_one_that_nobody_asks_for_cannot_be_ordered(house):
    async with house.running(deployed("web", asks())):
        with pytest.raises(Stalled, match="no app asks for a certificate wbe"):
            await service(house).renew(RenewRequest(name="wbe"))
        for word in ("wbe", "web.certificate"):
            with pytest.raises(Stalled) as raised:
                await service(house).revoke(RevokeRequest(name=word))
            assert raised.value.hint == "did you mean “web”?"


async def test_an_expired_one_is_said_to_be(house):
    async with house.running(deployed("web", asks())):
        house.issuer.refusals["web"] = REFUSAL
        house.clock.offset += 91 * DAY
        house.queue.add(Kind.CERTIFICATE.key("web"))
        await house.rest()
        one = (await listed(house))["web"]
        assert one.state is CertificateState.EXPIRED
        assert one.is_ailing


async def test_of_a_first_one_it_is_said_at_once_that_nobody_answers(house):
    async with house.running(deployed("web", CHECKED)):
        (one,) = (await listed(house)).values()
        assert one.state is CertificateState.INSTALLED
        assert SERVER.removeprefix("https://") in one.error
        assert "former" not in one.error
        assert one.is_ailing
        await anyio.sleep(DAY)
        assert house.jobs == [("start", "web.service")], "nobody is restarted for that"
        house.listen()
        await anyio.sleep(DAY)
        assert (await listed(house))["web"].state is CertificateState.VALID


async def test_that_an_app_is_suspended_is_the_reply(house):
    async with house.running(deployed("web", asks())):
        house.suspended.add("web")
        house.ledger.put(Suspension(app="web", at=house.clock.now()), "web")
        (one,) = (await service(house).renew(RenewRequest(name="web"))).certificates
        assert (one.state, one.error) == (CertificateState.INSTALLED, "web is suspended")
        assert one.is_ailing


async def test_that_nobody_answers_for_a_first_one_is_the_reply_and_stays_so(house):
    house.issuer.refusals["web"] = REFUSAL
    async with house.running(deployed("web", CHECKED)):
        del house.issuer.refusals["web"]
        (one,) = (await service(house).renew(RenewRequest(name="web", now=True))).certificates
        assert one.state is CertificateState.INSTALLED
        assert SERVER.removeprefix("https://") in one.error
        for _ in range(100):
            assert (await listed(house))["web"].is_ailing
            await anyio.sleep(3)


async def test_a_server_that_answers_late_with_another_one_has_its_time_to_take_it_up(house):
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(60)
        house.tls.servers[SERVER] = lambda: "another"
        await anyio.sleep(6)
        assert house.jobs == [("start", "web.service")]
        await anyio.sleep(10)
        assert house.jobs == [("start", "web.service"), ("restart", "web.service")]


async def test_of_what_is_had_it_is_said_since_when_and_of_what_waits_for_its_turn_that(house):
    house.issuer.seconds = 100.0
    async with house.running():
        names = ("a", "b", "c")
        house.state.deployments = {one: deployed(one, asks(one)) for one in names}
        house.queue.add("all-apps")
        await anyio.sleep(30)
        found = (await listed(house)).values()
        said = sorted(one.waits_for.partition(" to be")[0] for one in found)
        asked = "it is asked of letsencrypt: there is none yet"
        assert said == [asked, asked, "it waits for its turn"]
        for one in found:
            assert house.clock.now() - one.had_since == pytest.approx(30, abs=1)
        await anyio.sleep(100)
        (one,) = [one for one in (await listed(house)).values() if one.had_since]
        assert one.waits_for == asked
        assert house.clock.now() - one.had_since == pytest.approx(30, abs=1)
        await anyio.sleep(100)
        assert not [one for one in (await listed(house)).values() if one.had_since]
