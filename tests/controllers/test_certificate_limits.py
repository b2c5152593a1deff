"""Issuers' limits, whatever asks for certificates."""

import anyio
import pytest

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import CertificateRecord
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
