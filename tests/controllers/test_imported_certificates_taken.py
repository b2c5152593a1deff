"""What another client had issued is taken where a file asks for it, in the place of an order."""

import anyio
import pytest
from msgspec.structs import replace

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import KeyType, Stage
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings
from supervisor.model.errors import Stalled
from supervisor.model.imported import Imported
from supervisor.model.settings import Settings
from tests.fakes.certificate_house import SERVER, TODAY, House, asks, deployed
from tests.fakes.certificates import DAY, PLACE, make_pair

pytestmark = pytest.mark.anyio
NOW = TODAY + 1_000_000.0
"""When a house is opened first."""
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
SOURCE = "/home/pi/letsencrypt/live/web/fullchain.pem"


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


def leaves(house, text="certbot's", *, age=10.0, days=90.0, names=("web.example.org",), **more):
    """Another client has left one, of so many days ago."""
    pair = make_pair(text, names, now=NOW - age * DAY, days=days)
    more = {"directory": LETS_ENCRYPT, "key_type": KeyType.ECDSA_P256, "at": NOW} | more
    house.imported.put(Imported(facts=pair.facts, digest="", source=SOURCE, **more), pair)
    return pair


async def test_a_first_one_is_taken_and_nothing_is_ordered(house):
    pair = leaves(house)
    async with house.running(deployed("web", asks())):
        assert house.issuer.orders == []
        assert house.files.installed[f"{PLACE}/web"].pair == pair
        assert house.jobs == [("start", "web.service")]
        record = house.record()
        assert (record.stage, record.ready, record.failure) == (Stage.SERVED, None, None)
        assert record.current.terms == asks().terms
        assert record.orders == (), "of ten days ago: it counts no more"
        (event,) = house.events()
        assert event.reason.startswith("taken over, valid until 2027-")
        assert event.detail == f"it is in {SOURCE}"
        assert house.imported.waiting == {}


async def test_it_is_renewed_when_it_is_due_as_what_it_replaces(house):
    pair = leaves(house, age=50.0)
    async with house.running(deployed("web", asks())):
        assert house.issuer.orders == []
        await anyio.sleep(11 * DAY)
        (order,) = house.issuer.orders
        assert order.replaces == pair.facts.ari_id


async def test_it_waits_until_a_file_asks_for_it(house):
    pair = leaves(house, names=("late.example.org",))
    async with house.running(deployed("web", asks())):
        assert len(house.issuer.orders) == 1
        await house.deploy(deployed("web", asks()), deployed("late", asks("late")))
        assert len(house.issuer.orders) == 1
        assert house.files.installed[f"{PLACE}/late"].pair == pair


@pytest.mark.parametrize(
    "other",
    [
        {"names": ("web.example.org", "more.example.org")},
        {"key_type": KeyType.RSA_2048},
        {"directory": "https://ca.example.org/directory"},
        {"age": 91.0},
        {"age": -1.0},
    ],
)
async def test_one_that_does_not_fit_is_left_and_another_ordered(house, other):
    leaves(house, **other)
    async with house.running(deployed("web", asks())):
        assert len(house.issuer.orders) == 1
        assert len(house.imported.waiting) == 1


async def test_a_profile_that_is_asked_for_has_to_be_known(house):
    leaves(house)
    asked = asks()
    short = replace(asked, terms=replace(asked.terms, profile="shortlived"))
    async with house.running(deployed("web", short)):
        assert len(house.issuer.orders) == 1


async def test_one_of_an_issuer_of_the_settings_fits_by_its_directory(house):
    directory = "https://ca.example.org/directory"
    leaves(house, directory=f"{directory}/")
    issuers = {"own": IssuerSettings(directory=directory)}
    house.settings = Settings(certificates=CertificateSettings(issuers=issuers))
    async with house.running(deployed("web", asks(issuer="own"))):
        assert house.issuer.orders == []


async def test_one_of_whom_nobody_knows_is_used_and_never_said_to_be_replaced(house):
    leaves(house, age=50.0, directory="")
    async with house.running(deployed("web", asks())):
        assert house.issuer.orders == []
        await anyio.sleep(11 * DAY)
        (order,) = house.issuer.orders
        assert order.replaces == ""
        assert house.issuer.asked_for_info[:1] == [house.issuer.issued[0].facts.ari_id]


async def test_podvisors_own_authority_has_its_own(house):
    leaves(house, directory="", names=("web.home.arpa",))
    asked = asks(domains=("web.home.arpa",), issuer="internal")
    async with house.running(deployed("web", asked)):
        assert len(house.imported.waiting) == 1


async def test_what_is_valid_stays_unless_a_person_says_otherwise(house):
    async with house.running(deployed("web", asks())):
        there = house.record().current
        pair = leaves(house, age=0.0, at=house.clock.now() + 1)
        house.certificates.name_all()
        await house.rest()
        assert house.record().current == there
        leaves(house, age=0.0, at=house.clock.now() + 1, replaces_valid=True)
        house.certificates.name_all()
        await house.rest()
        assert house.files.installed[f"{PLACE}/web"].pair == pair
        assert house.jobs == [("start", "web.service"), ("reload", "web.service")]
        assert len(house.issuer.orders) == 1
        await anyio.sleep(70 * DAY)
        assert len(house.issuer.orders) == 2, "and is renewed like any other"


async def test_one_that_was_replaced_can_be_had_back(house):
    pair = leaves(house)
    async with house.running(deployed("web", asks())):
        house.certificates.actions().renew("web", at_once=True)
        await house.rest()
        assert house.files.installed[f"{PLACE}/web"].pair != pair
        leaves(house, at=house.clock.now() + 1, replaces_valid=True)
        house.certificates.name_all()
        await house.rest()
        assert house.files.installed[f"{PLACE}/web"].pair == pair
        assert house.imported.waiting == {}


async def test_one_that_was_put_back_is_taken_once_more_if_a_person_says_so_then(house):
    house.listen()
    async with house.running(deployed("web", asks(check=(SERVER,)))):
        house.effective = {"start"}
        pair = leaves(house, age=0.0, at=house.clock.now() + 1, replaces_valid=True)
        house.certificates.name_all()
        await anyio.sleep(120)
        refused = house.record().refused
        assert refused
        leaves(house, age=0.0, at=refused.at - 1, replaces_valid=True)
        house.certificates.name_all()
        await anyio.sleep(120)
        assert house.record().refused == refused
        house.effective = {"start", "reload"}
        leaves(house, age=0.0, at=house.clock.now() + 1, replaces_valid=True)
        house.certificates.name_all()
        await anyio.sleep(120)
        assert house.files.installed[f"{PLACE}/web"].pair == pair
        assert house.record().refused is None


async def test_a_better_one_takes_the_place_of_a_renewal(house):
    async with house.running(deployed("web", asks())):
        await anyio.sleep(50 * DAY)
        now = house.clock.now()
        pair = leaves(house, age=(NOW - now) / DAY, at=now)
        await anyio.sleep(20 * DAY)
        assert len(house.issuer.orders) == 1
        assert house.files.installed[f"{PLACE}/web"].pair == pair


async def test_one_that_failed_to_be_had_is_taken_at_once(house):
    refusal = OrderRefusal(kind=FailureKind.VALIDATION, message="no address")
    house.issuer.refusals["web"] = refusal
    async with house.running(deployed("web", asks())):
        assert house.record().failure
        leaves(house)
        assert await house.certificates.actions().take_imported() == ["web"]
        await house.rest()
        assert house.record().failure is None
        assert house.jobs == [("start", "web.service")]
        assert len(house.issuer.orders) == 1


async def test_a_stand_in_is_replaced_by_it_and_none_is_made(house):
    leaves(house)
    async with house.running(deployed("web", asks(standin=True))):
        assert house.issuer.standins == 0
        assert house.issuer.orders == []


async def test_what_was_issued_of_late_counts_at_its_issuer(house):
    leaves(house, age=2.0)
    async with house.running(deployed("web", asks())):
        (counted,) = house.record().orders
        assert counted.names == ("web.example.org",)
        assert counted.at == NOW - 2 * DAY


async def test_one_that_nobody_serves_is_taken_back_and_not_tried_again(house):
    house.listen()
    async with house.running(deployed("web", asks(check=(SERVER,)))):
        there = house.record().current
        house.effective = {"start"}
        leaves(house, age=0.0, at=house.clock.now() + 1, replaces_valid=True)
        house.certificates.name_all()
        await anyio.sleep(120)
        assert house.record().current.version == there.version
        assert house.record().refused


async def test_what_is_damaged_is_dropped_and_another_ordered(house):
    leaves(house)
    house.imported.pairs.clear()
    async with house.running(deployed("web", asks())):
        assert len(house.issuer.orders) == 1
        assert house.imported.waiting == {}


async def test_a_kill_between_keeping_and_dropping_does_no_harm(house):
    pair = leaves(house)
    house.imported.drop = no_disk
    async with house.running(deployed("web", asks())):
        assert house.files.installed[f"{PLACE}/web"].pair == pair
        assert len(house.imported.waiting) == 1
    async with house.running(deployed("web", asks())):
        house.certificates.name_all()
        await house.rest()
        assert house.issuer.orders == []
        assert house.jobs == [("start", "web.service")]


async def no_disk(_):
    raise Stalled("the disk cannot be written", hint="mend it")


async def test_a_revoked_one_is_not_taken_again(house):
    leaves(house)
    async with house.running(deployed("web", asks())):
        leaves(house)
        await house.certificates.actions().revoke("web")
        await house.rest()
        assert len(house.issuer.orders) == 1
