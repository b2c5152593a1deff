"""Certificates that were had before, and are what is asked for now: nothing is ordered for them."""

import anyio
import pytest
from msgspec.structs import replace

from supervisor.model.certificate import KeyType
from tests.fakes.certificate_house import House, asks, deployed
from tests.fakes.certificates import DAY, PLACE

pytestmark = pytest.mark.anyio
WEB = asks()
SITE = replace(WEB, name="site", path="site.certificate")
STAGING = asks(issuer="letsencrypt-staging")
RSA = replace(WEB, terms=replace(WEB.terms, key_type=KeyType.RSA_2048))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


@pytest.mark.parametrize("other", [STAGING, RSA])
async def test_terms_that_are_changed_and_changed_back_are_one_order(house, other):
    async with house.running(deployed("web", WEB)):
        await house.deploy(deployed("web", other))
        await house.deploy(deployed("web", WEB))
        assert len(house.issuer.orders) == 2
        assert house.record().current.facts == house.issuer.issued[0].facts
        assert house.files.installed[f"{PLACE}/web"].pair == house.issuer.issued[0]
        assert [how for how, _ in house.jobs] == ["start", "reload", "reload"]
        told = house.events()[-1]
        assert (told.reason, told.detail) == (
            "the one that was there before is taken, valid until 2027-04-26",
            "Issuer= is letsencrypt now" if other is STAGING else "KeyType= is ecdsa-p256 now",
        )
        await house.deploy(deployed("web", other))
        assert len(house.issuer.orders) == 2
        await anyio.sleep(61 * DAY)
        assert len(house.issuer.orders) == 3, "it is renewed as any other"


async def test_one_that_is_due_lost_revoked_or_asked_for_anew_is_ordered(house):
    async with house.running(deployed("web", WEB)):
        await house.deploy(deployed("web", STAGING))
        house.files.pairs = {
            key: pair for key, pair in house.files.pairs.items() if pair != house.issuer.issued[0]
        }
        await house.deploy(deployed("web", WEB))
        assert len(house.issuer.orders) == 3, "it was lost"
        await house.deploy(deployed("web", STAGING))
        house.certificates.actions().renew("web", at_once=False)
        await house.deploy(deployed("web", WEB))
        assert len(house.issuer.orders) == 4, "a person asked for another one"
        await house.deploy(deployed("web", STAGING))
        await anyio.sleep(61 * DAY)
        orders = len(house.issuer.orders)
        await house.deploy(deployed("web", WEB))
        assert len(house.issuer.orders) == orders + 1, "it is due"


async def test_what_was_declared_void_is_never_taken_again(house):
    async with house.running(deployed("web", WEB)):
        await house.certificates.actions().revoke("web")
        await house.rest()
        await house.deploy(deployed("web", SITE))
        assert len(house.issuer.orders) == 2
        assert house.record("site").current.facts == house.issuer.issued[1].facts


async def test_a_certificate_with_another_name_is_the_same_one(house):
    async with house.running(deployed("web", WEB)):
        await house.deploy(deployed("web", SITE))
        assert len(house.issuer.orders) == 1
        assert house.files.installed[f"{PLACE}/site"].pair == house.issuer.issued[0]
        told = house.events(subject="site")[-1]
        assert told.reason == "taken from the certificate web, valid until 2027-04-26"
        assert told.detail == "no app asks for web any more"
        assert house.record("site").orders == (), "its issuer has counted it once"
        await anyio.sleep(61 * DAY)
        assert [one.name for one in house.issuer.orders] == ["web", "site"]
        assert house.issuer.orders[1].replaces == house.issuer.issued[0].facts.ari_id


async def test_it_is_taken_while_the_way_back_has_the_former_name(house):
    """Nobody has to be without: what there is serves until the app has moved on."""
    before, after = deployed("web", WEB), deployed("web", SITE)
    async with house.running(before):
        await house.deploy(replace(after, last_good=before.last_good))
        assert len(house.issuer.orders) == 1
        assert {f"{PLACE}/web", f"{PLACE}/site"} <= {*house.files.installed}


async def test_one_that_an_app_asks_for_is_left_to_it(house):
    async with house.running(deployed("web", WEB), deployed("other", SITE)):
        assert len(house.issuer.orders) == 2


async def test_nothing_is_taken_before_it_is_known_what_apps_ask_for(house):
    async with house.running(deployed("web", WEB)):
        pass
    async with house.running(deployed("web", SITE), is_read=False):
        assert len(house.issuer.orders) == 2
