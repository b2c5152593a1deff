"""`certs test`: what the daemon looks at itself, and that nothing comes of it."""

import anyio
import pytest
from msgspec.structs import replace

from supervisor.model.certificate import CertificateRecord
from supervisor.model.certificate_settings import CertificateSettings, IssuerSettings
from supervisor.model.errors import Finding, Retry, Stalled
from supervisor.model.rehearsal import Check, CheckState, RehearsalRequest, Rehearsed
from supervisor.model.settings import Settings
from tests.fakes.certificate_house import SERVER, House, asks, deployed
from tests.fakes.certificates import PLACE

pytestmark = pytest.mark.anyio

OK, UNSURE, WRONG = CheckState.OK, CheckState.UNSURE, CheckState.WRONG
HOME = IssuerSettings(directory="https://ca.example/directory", email="me@example.org")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


async def tried(house, name="web", **more):
    return await house.certificates.actions().rehearsals.rehearse(
        RehearsalRequest(name=name, **more)
    )


def states(report):
    return {one.what: one.state for one in report.checks}


def set_issuer(house, **home):
    issuers = {"home": replace(HOME, **home), "other": HOME}
    house.settings = Settings(certificates=CertificateSettings(issuers=issuers))


async def test_it_is_tried_at_staging_and_nothing_comes_of_it(house):
    house.listen()
    async with house.running(deployed("web", asks(check=(SERVER,)))):
        before = house.ledger.all(CertificateRecord), house.events(), [*house.issuer.orders]
        order = Check(what="order", about="letsencrypt-staging", message="it issued one")
        house.issuer.rehearsed = Rehearsed(checks=(order,), is_issued=True)
        report = await tried(house)
        assert report.is_well
        assert (report.issuer, report.tried_at) == ("letsencrypt", "letsencrypt-staging")
        assert states(report) == dict.fromkeys(("file", "order", "folder", "users", "served"), OK)
        (asked,) = house.issuer.rehearsals
        assert asked.order.issuer.name == "letsencrypt"
        assert "staging" in asked.staging.directory
        after = house.ledger.all(CertificateRecord), house.events(), [*house.issuer.orders]
        assert after == before


@pytest.mark.parametrize(
    ("issuer", "staging", "at"),
    [
        ("letsencrypt", "", "letsencrypt-staging"),
        ("letsencrypt-staging", "", "letsencrypt-staging"),
        ("home", "", ""),
        ("home", "other", "other"),
        ("home", "home", "home"),
        ("home", "https://staging.ca.example/directory", "home-staging"),
    ],
)
async def test_where_it_is_tried_is_in_the_settings(house, issuer, staging, at):
    set_issuer(house, staging=staging)
    async with house.running(deployed("web", asks(issuer=issuer))):
        report = await tried(house)
        assert report.tried_at == at
        (asked,) = house.issuer.rehearsals
        assert (asked.staging.name if asked.staging else "") == at
        if "://" in staging:
            assert asked.staging.directory == staging
            assert asked.staging.email == HOME.email


async def test_who_asks_may_name_another_one(house):
    set_issuer(house)
    async with house.running(deployed("web", asks(issuer="home"))):
        assert (await tried(house, issuer="other")).tried_at == "other"
        with pytest.raises(Stalled, match="describe none of this name"):
            await tried(house, issuer="nobody")
        with pytest.raises(Stalled, match="counts against its limits") as refused:
            await tried(house, issuer="letsencrypt")
        assert "letsencrypt-staging" in refused.value.hint


async def test_an_issuer_that_nobody_describes_is_said(house):
    async with house.running(deployed("web", asks(issuer="nobody"))):
        report = await tried(house)
        (check,) = [one for one in report.checks if one.what == "issuer"]
        assert (check.state, "describe none" in check.message) == (WRONG, True)
        assert not house.issuer.rehearsals


async def test_one_that_no_app_asks_for_is_refused(house):
    async with house.running(deployed("web", asks())):
        with pytest.raises(Stalled, match="no app asks for a certificate weg") as refused:
            await tried(house, "weg")
        assert "web" in refused.value.hint
        with pytest.raises(Stalled, match="no app asks for") as refused:
            await tried(house, "something")
        assert "podvisor sync" in refused.value.hint


async def test_what_keeps_a_file_out_is_said(house):
    finding = Finding(
        message="26 names are too many", path="apps/web/mail.certificate", line=3, hint="make two"
    )
    one = replace(deployed("web", asks()), findings=(finding,))
    async with house.running(one):
        report = await tried(house, "mail")
        (check,) = report.checks
        assert (check.what, check.about) == ("file", "apps/web/mail.certificate:3")
        assert (check.state, check.message, check.hint) == (WRONG, finding.message, "make two")
        assert not house.issuer.rehearsals


async def test_a_warning_of_its_file_is_said(house):
    finding = Finding(message="odd", path="web.certificate", line=2, fatal=False)
    async with house.running(replace(deployed("web", asks()), findings=(finding,))):
        assert states(await tried(house))["file"] is UNSURE


async def test_what_looks_wrong_from_here_is_not_if_the_issuer_came_through(house):
    look = Check(what="answer", state=WRONG, message="nobody listens", hint="open it")
    caa = Check(what="caa", state=WRONG, message="forbidden")
    async with house.running(deployed("web", asks())):
        house.issuer.rehearsed = Rehearsed(checks=(look, caa), is_issued=True)
        found = states(await tried(house))
        assert (found["answer"], found["caa"]) == (UNSURE, WRONG)
        house.issuer.rehearsed = Rehearsed(checks=(look, caa))
        assert states(await tried(house))["answer"] is WRONG


@pytest.mark.parametrize(("name", "state"), [("web.home.arpa", OK), ("example.org", WRONG)])
async def test_podvisors_own_authority_says_whether_it_may(house, name, state):
    async with house.running(deployed("web", asks(issuer="internal", domains=(name,)))):
        issued = len(house.authority.issued)
        report = await tried(house)
        assert states(report)["authority"] is state
        assert len(house.authority.issued) == issued
        assert not house.issuer.rehearsals


async def test_a_folder_that_cannot_be_written_is_said(house):
    async with house.running(deployed("web", asks())):
        house.files.unwritable.add(f"{PLACE}/web")
        (check,) = [one for one in (await tried(house)).checks if one.what == "folder"]
        assert (check.state, check.about) == (WRONG, f"{PLACE}/web")


async def test_an_owner_that_containers_do_not_have_is_said(house):
    async with house.running(deployed("web", asks())):
        await house.deploy(deployed("web", asks(owner=(99_999_999, 0))))
        (check,) = [one for one in (await tried(house)).checks if one.what == "folder"]
        assert (check.state, "no such id" in check.message) == (WRONG, True)


@pytest.mark.parametrize(("foreign", "state"), [("mine.key", WRONG), ("other", OK)])
async def test_a_secret_that_is_somebody_elses_is_said(house, foreign, state):
    house.podman.has_secret(foreign, b"theirs")
    async with house.running(deployed("web", asks(secrets=("mine",)))):
        (check,) = [one for one in (await tried(house)).checks if one.what == "secrets"]
        assert check.state is state
        assert check.about == "mine.key mine.crt mine"
        assert bool(check.hint) is (state is WRONG)
        assert house.podman.secrets[foreign] == b"theirs"


async def test_one_that_nobody_uses_is_said(house):
    one = deployed("web", asks())
    unused = replace(one, wanted=replace(one.wanted, units=()), last_good=None)
    async with house.running(unused):
        assert states(await tried(house))["users"] is UNSURE


async def test_what_is_served_is_looked_at(house):
    house.listen()
    async with house.running(deployed("web", asks(check=(SERVER,)))):
        house.serves["web.service"] = "another"
        (check,) = [one for one in (await tried(house)).checks if one.what == "served"]
        assert (check.state, check.about) == (WRONG, SERVER)
        assert check.message == "it serves another certificate"
        assert f"what is in {PLACE}/web" in check.hint
        house.tls.servers.clear()
        (check,) = [one for one in (await tried(house)).checks if one.what == "served"]
        assert (check.state, check.message) == (WRONG, "connection refused")
        assert check.hint == "have what serves it listen there, or have Check= name where it does"


async def test_it_is_refused_while_an_order_is_under_way(house):
    house.issuer.seconds = 100.0
    async with house.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.deploy, deployed("web", asks()))
            await anyio.sleep(1)
            assert house.issuer.orders
            with pytest.raises(Retry, match="it is being ordered") as refused:
                await tried(house)
            assert "try again" in refused.value.hint
        assert house.record().current


async def test_an_order_waits_while_it_is_tried(house):
    async with house.running(deployed("web", asks())):
        house.issuer.seconds = 50.0
        orders = len(house.issuer.orders)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tried, house)
            await anyio.sleep(1)
            house.certificates.actions().renew("web", at_once=True)
            await anyio.sleep(30)
            assert len(house.issuer.orders) == orders
        await house.rest()
        assert len(house.issuer.orders) == orders + 1
