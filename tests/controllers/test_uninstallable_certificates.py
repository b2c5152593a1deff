"""Certificates that cannot be installed, or of which nobody has the newer one: told in time."""

import anyio
import pytest

from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from tests.fakes.certificate_house import SERVER, House, asks, deployed
from tests.fakes.certificates import DAY, PLACE

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
CHECKED = asks(check=(SERVER,))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


async def test_a_folder_that_cannot_be_written_orders_nothing_anew(house):
    house.files.unwritable.add("/srv/tls")
    async with house.running(deployed("web", asks(directory="/srv/tls"))):
        await anyio.sleep(2 * HOUR)
        assert len(house.issuer.orders) == 1
        assert house.certificates.is_failing("web")
        said = "cannot install web in /srv/tls; let it be written; tried again at "
        assert house.certificates.certificate_detail("web").startswith(said)
        (one,) = house.certificates.statuses()
        assert (one.error, one.hint) == ("cannot install web in /srv/tls", "let it be written")
        assert (one.at_once, one.retry_at > house.clock.now()) == ("podvisor sync", True)
        (said,) = house.events(ok=False)
        assert (said.reason, said.detail) == (
            "cannot install web in /srv/tls",
            "let it be written",
        )
        assert "certificate:web" in house.board.problems
    async with house.running(deployed("web", asks(directory="/srv/tls"))):
        house.files.unwritable.clear()
        await anyio.sleep(HOUR)
        assert len(house.issuer.orders) == 1
        assert house.jobs == [("start", "web.service")]
        assert not house.board.problems


async def test_a_full_disk_orders_nothing_anew(house):
    house.files.failure = Retry("cannot keep web: no space left on device")
    async with house.running(deployed("web", asks())):
        await anyio.sleep(DAY)
        assert len(house.issuer.orders) == 1
        assert house.certificates.is_failing("web")
        house.files.failure = None
        await anyio.sleep(HOUR * 1.1)
        assert len(house.issuer.orders) == 1
        assert house.jobs == [("start", "web.service")]


async def test_a_newer_one_that_cannot_be_installed_is_told_of_before_the_end_once_a_day(house):
    asked = asks(directory="/srv/tls")
    async with house.running(deployed("web", asked)):
        house.files.unwritable.add("/srv/tls")
        await anyio.sleep(61 * DAY)
        assert len(house.issuer.issued) == 2
        tries = house.record().files_failure
        assert tries.count > 50
        assert (tries.message, tries.hint) == (
            "cannot install web in /srv/tls",
            "let it be written",
        )
    async with house.running(deployed("web", asked)):
        await anyio.sleep(28 * DAY)
        told = [one for one in house.events(ok=False) if "expires" in one.reason]
        assert 15 <= len(told) <= 18
        assert "a newer one cannot be installed (" in told[0].reason
        assert "tries, the first " in told[0].reason
        assert told[0].detail == "let it be written"
        assert len([one for one in house.events(ok=False) if one not in told]) == 1
        house.files.unwritable.clear()
        await anyio.sleep(HOUR)
        assert house.record().files_failure is None
        assert house.record().current.facts == house.issuer.issued[1].facts
        (said,) = house.events(EventKind.RECOVERED)
        assert said.reason == "it could be installed"


async def test_one_that_is_put_back_again_and_again_is_told_of_before_the_end(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        house.effective.clear()
        await anyio.sleep(89 * DAY)
        told = [one for one in house.events(ok=False) if "expires" in one.reason]
        assert 15 <= len(told) <= 18
        assert "a newer one was put back" in told[0].reason


async def test_a_stand_in_that_cannot_be_made_stands_in_the_status(house):
    house.issuer.failure = Retry("cannot make one: no memory", hint="wait")
    async with house.running(deployed("web", asks(standin=True))):
        (one,) = house.certificates.statuses()
        assert (one.error, one.hint) == ("cannot make one: no memory", "wait")
        assert one.retry_at > house.clock.now()


async def test_what_does_not_stay_as_it_was_written_stands_in_the_status(house):
    async with house.running(deployed("web", asks())):
        for _ in range(8):
            house.files.damaged.add(f"{PLACE}/web")
            house.certificates.name_all()
            await house.rest()
        (one,) = house.certificates.statuses()
        assert "does not stay in" in one.error
        assert one.is_ailing


async def test_who_uses_one_takes_it_up_though_where_it_was_cannot_be_cleared(house):
    async with house.running(deployed("web", asks())):

        async def full(name, directory):
            raise Retry(f"cannot remove {name} from {directory}")

        remove, house.files.remove = house.files.remove, full
        house.jobs.clear()
        await house.deploy(deployed("web", asks(directory="/srv/tls")))
        house.named.clear()
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(30)
        assert "web" in house.named
        house.files.remove = remove
        await anyio.sleep(HOUR)
        assert house.files.installed.keys() == {"/srv/tls"}


@pytest.mark.parametrize("how", ["folder", "secret"])
async def test_what_cannot_be_mended_keeps_saying_why(house, how):
    """Tries that came to nothing are none after which it did not stay."""
    asked = asks(directory="/srv/tls", secrets=("tls",))
    async with house.running(deployed("web", asked)):
        if how == "folder":
            house.files.unwritable.add("/srv/tls")
            house.files.damage("/srv/tls")
            why = "cannot install web in /srv/tls"
        else:
            house.podman.has_secret("tls.key", b"mine")
            why = "cannot make secret tls.key: Podman has one that is not podvisor's"
        house.certificates.name_all()
        await anyio.sleep(6 * HOUR)
        assert house.record().files_failure.message == why
        assert house.record().files_failure.count > 10
        assert [one.reason for one in house.events(ok=False)] == [why]
