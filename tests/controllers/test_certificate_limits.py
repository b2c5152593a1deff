"""Issuers' limits, whatever asks for certificates."""

import anyio
import pytest

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import CertificateRecord
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings
from supervisor.model.settings import Settings
from tests.fakes.certificate_house import House, asks, deployed
from tests.fakes.certificates import DAY

pytestmark = pytest.mark.anyio

SAME = ("example.org",)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


async def test_certificates_for_the_same_names_that_come_at_once_share_their_limits(house):
    apps = [deployed(f"app{n}", asks(f"c{n}", domains=SAME)) for n in range(8)]
    async with house.running(*apps):
        await anyio.sleep(600)
        assert len(house.issuer.issued) == 5
        await anyio.sleep(8 * DAY)
        assert len(house.issuer.issued) == 8


async def test_orders_that_have_a_name_in_common_are_made_one_after_the_other(house):
    house.issuer.seconds = 10.0
    sets = (
        ("a.test", "b.test"),
        ("*.b.test", "c.test"),
        ("d.test", "e.test"),
        ("e.test", "c.test"),
    )
    apps = [deployed(f"app{n}", asks(f"c{n}", domains=one)) for n, one in enumerate(sets)]
    async with house.running():
        house.state.deployments = {one.name: one for one in apps}
        house.queue.add("all-apps")
        await anyio.sleep(5)
        assert {one.name for one in house.issuer.orders} == {"c0", "c2"}
        await anyio.sleep(10)
        assert {one.name for one in house.issuer.orders[2:]} in ({"c1"}, {"c3"})
        await anyio.sleep(20)
        assert len(house.issuer.issued) == 4


async def test_one_issuer_by_two_names_has_its_limits_once(house):
    same = IssuerSettings(directory="https://acme-v02.api.letsencrypt.org/directory")
    house.settings = Settings(certificates=CertificateSettings(issuers={"le": same}))
    names = ["le", "letsencrypt"] * 4
    apps = [
        deployed(f"app{n}", asks(f"c{n}", domains=SAME, issuer=one)) for n, one in enumerate(names)
    ]
    async with house.running(*apps):
        await anyio.sleep(600)
        assert len(house.issuer.issued) == 5


async def test_an_app_that_goes_and_comes_begins_no_count_anew(house):
    refusal = OrderRefusal(kind=FailureKind.VALIDATION, message="nobody answers")
    house.issuer.refusals["web"] = refusal
    async with house.running():
        for _ in range(8):
            await house.deploy(deployed("web", asks()))
            await house.deploy()
        assert len(house.issuer.orders) == 5


async def test_what_was_forgotten_is_so_in_the_end(house):
    house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.VALIDATION, message="no")
    async with house.running(deployed("web", asks())):
        await house.deploy()
        assert house.ledger.get(CertificateRecord, "web").failed_validations
        await anyio.sleep(30 * DAY)
        assert house.ledger.get(CertificateRecord, "web") is None


async def test_who_is_impatient_is_told_until_when_an_issuer_is_not_asked(house):
    house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.VALIDATION, message="no")
    elsewhere = IssuerSettings(directory="https://ca.example.org/directory")
    settings = CertificateSettings(issuers={"letsencrypt": elsewhere})
    house.settings = Settings(certificates=settings)
    async with house.running(deployed("web", asks())):
        first = house.clock.now()
        for _ in range(8):
            house.certificates.actions().renew("web", at_once=True)
            await anyio.sleep(3)
        assert len(house.issuer.orders) == 5
        (status,) = house.certificates.statuses()
        assert status.error == "no"
        assert 3500 < status.retry_at - first <= 3610
        assert status.is_ailing


@pytest.mark.parametrize(
    ("issuer", "why"),
    [("internl", "cannot ask the issuer internl"), ("internal", "may not sign for")],
)
async def test_what_the_settings_or_the_file_do_not_allow_waits_for_a_change(house, issuer, why):
    async with house.running(deployed("web", asks(issuer=issuer))):
        await anyio.sleep(DAY)
        (status,) = house.certificates.statuses()
        assert why in status.error
        assert status.hint
        assert not status.retry_at
        assert house.record().failure.count == 1
        await house.deploy(deployed("web", asks()))
        assert house.record().current


async def test_what_a_network_may_mend_is_tried_when_one_comes_up_and_soon_again(house):
    down = OrderRefusal(kind=FailureKind.PASSING, message="cannot reach it")
    house.issuer.refusals["web"] = down
    async with house.running(deployed("web", asks())):
        await anyio.sleep(DAY)
        tries = len(house.issuer.orders)
        house.certificates.network_changed()
        await anyio.sleep(10)
        assert len(house.issuer.orders) == tries + 1
        await anyio.sleep(90)
        assert len(house.issuer.orders) == tries + 2, "names may not resolve at once"
        assert house.record().failure.count == tries + 2
        house.issuer.refusals.clear()
        house.certificates.network_changed()
        await anyio.sleep(10)
        assert house.record().current


async def test_a_network_that_comes_up_while_an_order_fails_counts_for_the_next(house):
    house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.PASSING, message="no")
    async with house.running(deployed("web", asks())):
        await anyio.sleep(DAY)
        house.issuer.seconds = 60
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(10)
        house.certificates.network_changed()
        tries = len(house.issuer.orders)
        await anyio.sleep(150)
        assert len(house.issuer.orders) > tries


@pytest.mark.parametrize(
    "refusal",
    [
        OrderRefusal(kind=FailureKind.VALIDATION, message="no"),
        OrderRefusal(kind=FailureKind.LIMITED, message="no"),
        OrderRefusal(kind=FailureKind.REFUSED, message="no"),
        OrderRefusal(kind=FailureKind.PASSING, message="no", retry_after=5_000.0),
    ],
    ids=lambda one: f"{one.kind}-{one.retry_after}",
)
async def test_what_no_network_mends_waits_whatever_comes_up(house, refusal):
    house.issuer.refusals["web"] = refusal
    async with house.running(deployed("web", asks())):
        for _ in range(5):
            house.certificates.network_changed()
            await anyio.sleep(10)
        assert len(house.issuer.orders) == 1
