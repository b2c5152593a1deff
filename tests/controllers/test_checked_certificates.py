"""What `Check=` names: looked at when it changes, and what is put back for what was seen there."""

import anyio
import pytest

from supervisor.controllers.operator.certificates import CertificateService
from supervisor.model.certificate import CheckedServer, Stage
from supervisor.model.certificate_status import CertificateState, RenewRequest
from tests.fakes.certificate_house import SERVER, House, asks, deployed
from tests.fakes.certificates import DAY

pytestmark = pytest.mark.anyio
CHECKED = asks(check=(SERVER,))
ELSEWHERE = "https://web.example.org:8443"
REFUSED = f"cannot look at what {ELSEWHERE} serves: connection refused"


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


def status(house):
    (one,) = house.certificates.statuses()
    return one


def hows(house):
    return [how for how, _ in house.jobs]


def service(house):
    return CertificateService(
        news=house.certificates,
        actions=house.certificates.actions,
        queue=house.queue,
        ledger=house.ledger,
    )


async def test_another_address_is_asked_at_once_and_nothing_is_restarted(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        assert (status(house).state, status(house).unseen) == (CertificateState.VALID, ())
        await house.deploy(deployed("web", asks(check=(ELSEWHERE,))))
        assert house.tls.asked[-1][1] == ELSEWHERE
        one = status(house)
        assert (one.state, one.unseen) == (CertificateState.INSTALLED, (ELSEWHERE,))
        assert one.waits_for == f"it is not seen to be served yet: {REFUSED}"
        await anyio.sleep(40)
        one = status(house)
        assert (one.state, one.error) == (CertificateState.INSTALLED, REFUSED)
        (said,) = house.events(ok=False)
        assert (said.reason, said.detail) == ("it is not served", REFUSED)
        looks = len(house.tls.asked)
        await anyio.sleep(DAY)
        assert len(house.tls.asked) - looks <= 25
        assert len(house.events(ok=False)) == 1
        house.listen(url=ELSEWHERE)
        await anyio.sleep(3700)
        assert (status(house).state, status(house).error) == (CertificateState.VALID, "")
        assert hows(house) == ["start"]


async def test_an_address_that_is_added_mended_or_back_again_is_asked(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        house.listen(url=ELSEWHERE)
        await house.deploy(deployed("web", asks(check=(SERVER, ELSEWHERE))))
        await anyio.sleep(1)
        assert {url for _, url, _ in house.tls.asked} == {SERVER, ELSEWHERE}
        assert status(house).state is CertificateState.VALID
        version = house.record().version
        assert house.record().servers == (
            CheckedServer(url=SERVER, is_seen=True, version=version),
            CheckedServer(url=ELSEWHERE, is_seen=True, version=version),
        )
        house.tls.servers.pop(SERVER)
        await house.deploy(deployed("web", asks(check=(ELSEWHERE,))))
        await anyio.sleep(1)
        assert status(house).state is CertificateState.VALID
        await house.deploy(deployed("web", CHECKED))
        await anyio.sleep(1)
        assert (status(house).state, status(house).unseen) == (
            CertificateState.INSTALLED,
            (SERVER,),
        )
        await house.deploy(deployed("web", asks()))
        assert status(house).state is CertificateState.VALID
        assert hows(house) == ["start"]


async def test_what_was_seen_is_remembered_across_a_restart(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(1)
    looks = len(house.tls.asked)
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(DAY)
        assert status(house).state is CertificateState.VALID
    assert len(house.tls.asked) == looks


@pytest.mark.parametrize("was_well", [True, False])
async def test_a_new_one_stays_where_the_former_was_never_seen(house, was_well):
    """Be it that the address was wrong from the beginning, or is since it was served."""
    house.listen()
    async with house.running(deployed("web", CHECKED if was_well else asks(check=(ELSEWHERE,)))):
        await anyio.sleep(200)
        await house.deploy(deployed("web", asks(check=(ELSEWHERE,))))
        await anyio.sleep(61 * DAY)
        first, second = house.issuer.issued
        assert house.record().current.facts == second.facts
        assert house.record().refused is None
        assert hows(house) == ["start", "reload"]
        one = status(house)
        assert (one.state, one.error) == (CertificateState.INSTALLED, REFUSED)
        assert one.is_ailing
        # It is no trial any more: whoever does not run months later is no reason to go back.
        assert house.record().stage is Stage.SERVED
        await house.deploy(deployed("web", CHECKED))
        await anyio.sleep(1)
        assert status(house).state is CertificateState.VALID
        assert first.facts != second.facts
        assert hows(house) == ["start", "reload"]


async def test_who_serves_another_one_there_is_restarted_once_and_the_new_one_stays(house):
    house.tls.servers[ELSEWHERE] = lambda: "of somebody else"
    async with house.running(deployed("web", CHECKED)):
        house.listen()
        await anyio.sleep(130)
        await house.deploy(deployed("web", asks(check=(ELSEWHERE,))))
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(200)
        assert hows(house) == ["start", "reload", "restart"]
        assert house.record().current.facts == house.issuer.issued[1].facts
        one = status(house)
        assert one.state is CertificateState.INSTALLED
        assert one.error == f"{ELSEWHERE} serves another certificate still"


async def test_what_was_put_back_is_tried_at_once_when_its_check_is_mended(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(1)
        house.effective.clear()
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(100)
        first, second = house.issuer.issued
        assert house.record().current.facts == first.facts
        assert "was put back" in status(house).error
        house.effective.update({"reload", "restart"})
        house.listen(url=ELSEWHERE)
        await house.deploy(deployed("web", asks(check=(ELSEWHERE,))))
        await anyio.sleep(20)
        assert house.record().current.facts == second.facts
        assert len(house.issuer.orders) == 2, "it was kept"
        one = status(house)
        assert (one.state, one.error) == (CertificateState.VALID, "")
        assert [one.url for one in house.record().servers] == [ELSEWHERE]


async def test_what_was_put_back_and_is_damaged_is_no_endless_loop(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(1)
        house.effective.clear()
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(100)
        first, second = house.issuer.issued
        house.files.pairs = {
            key: pair for key, pair in house.files.pairs.items() if pair.facts != second.facts
        }
        await house.deploy(deployed("web", asks()))
        await anyio.sleep(20)
        assert house.record().current.facts == first.facts
        assert (house.record().refused, house.record().ready) == (None, None)
        assert status(house).state is CertificateState.VALID


async def test_whoever_orders_another_one_does_not_wait_for_a_first_that_nobody_serves(house):
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(1)
        began = house.clock.now()
        await service(house).renew(RenewRequest(name="web"))
        assert house.issuer.issued[1].facts.not_before - began < 5


async def test_whoever_orders_another_one_hears_that_nobody_serves_it(house):
    async with house.running(deployed("web", asks(check=(ELSEWHERE,)))):
        await anyio.sleep(200)
        (one,) = (await service(house).renew(RenewRequest(name="web"))).certificates
        assert one.state is CertificateState.INSTALLED
        assert one.waits_for == f"it is not seen to be served yet: {REFUSED}"
        assert house.record().current.facts == house.issuer.issued[1].facts
