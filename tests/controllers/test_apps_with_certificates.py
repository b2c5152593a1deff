"""Apps that use certificates, in the whole daemon: they wait, take up a renewed one, and go on."""

import anyio
import pytest

from supervisor.model.acme import FailureKind, OrderRefusal
from supervisor.model.certificate import CertificateRecord
from supervisor.model.events import EventKind
from supervisor.model.need import NeedKind
from supervisor.model.rehearsal import CheckState, RehearsalRequest
from supervisor.model.rollout import Outcome
from supervisor.model.status import AppState, AppStatus, SyncRequest
from tests.fakes.certificates import PLACE

pytestmark = pytest.mark.anyio
SITE = "[Certificate]\nDomain=web.example.org\n"
HOUR = 3_600.0


@pytest.fixture
def world(world):
    """One whose clock is right: nothing is ordered by a clock that never was set."""
    world.clock.offset = 1_800_000_000.0
    return world


def certificate_needs(status):
    return [str(need) for need in status.waiting if need.kind is NeedKind.CERTIFICATE]


def app(daemon, name="web"):
    return next(one for one in daemon.service.status().apps if one.name == name)


def steps(world, unit):
    """What was done about a unit, and why."""
    events = world.events(EventKind.STEP)
    return [(one.step, one.reason) for one in events if one.unit == unit]


def version(world, unit="web.service", of="web"):
    return world.ledger.applied_app(of).units[unit].certificates.get("site")


async def test_a_first_deploy_waits_for_its_certificate_and_says_so(world):
    world.issuer.seconds = 60.0
    world.reader.put("home", {"web/web.container": "tls=site", "web/site.certificate": SITE})
    async with world.running(first_pass=False) as daemon:
        await anyio.sleep(30)
        (said,) = certificate_needs(app(daemon))
        assert said == "certificate site: it is asked of letsencrypt: there is none yet"
        assert app(daemon).state is AppState.CHANGING
        assert world.machine.running == {}
        (verdict,) = (await daemon.service.plan(["web"])).verdicts
        assert [need.subject for need in verdict.waiting] == ["site"]
        await anyio.sleep(60)
        assert app(daemon).state is AppState.READY
        assert certificate_needs(app(daemon)) == []
        assert "web.service" in world.machine.running
        assert version(world) == world.ledger.get(CertificateRecord, "site").version


async def test_a_sync_waits_for_it_and_hears_of_it(world):
    world.issuer.seconds = 60.0
    async with world.running() as daemon:
        files = {"web/web.container": "tls=site", "web/site.certificate": SITE}
        world.reader.put("home", files)
        heard = []

        async def tell(one):
            if isinstance(one, AppStatus):
                heard.extend(certificate_needs(one))

        await daemon.service.sync(SyncRequest(), tell)
        assert "web.service" in world.machine.running
        assert heard[0] == "certificate site: it is asked of letsencrypt: there is none yet"


async def test_one_that_cannot_be_had_fails_its_app_with_what_to_do(world):
    world.issuer.refusals["site"] = OrderRefusal(
        kind=FailureKind.VALIDATION, message="port 80 is closed", hint="open it"
    )
    world.reader.put("home", {"web/web.container": "tls=site", "web/site.certificate": SITE})
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert app(daemon).state is AppState.FAILING
        (said,) = certificate_needs(app(daemon))
        assert said.startswith("certificate site: port 80 is closed; open it; tried again at ")
        assert world.machine.running == {}
        del world.issuer.refusals["site"]
        await anyio.sleep(HOUR)
        assert app(daemon).state is AppState.READY


async def test_an_update_that_needs_one_leaves_what_runs_until_it_is_there(world):
    world.issuer.refusals["site"] = OrderRefusal(
        kind=FailureKind.VALIDATION, message="port 80 is closed"
    )
    world.reader.put("home", {"web/web.container": "v=1", "web/other.container": ""})
    async with world.running() as daemon:
        await world.push(
            daemon,
            {
                "web/web.container": "v=2 tls=site",
                "web/other.container": "",
                "web/site.certificate": SITE,
            },
        )
        await anyio.sleep(30)
        assert world.machine.running.keys() == {"web.service", "other.service"}
        assert steps(world, "web.service") == [("start", "new")]
        assert app(daemon).state is AppState.FAILING
        del world.issuer.refusals["site"]
        await anyio.sleep(HOUR)
        assert app(daemon).state is AppState.READY
        ((_, _), (step, reason)) = steps(world, "web.service")
        assert (step, reason) == ("restart", "its unit changed")


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("tls=site can=reload", "reload-unit"),
        ("tls=site can=reload fixed=yes", "restart"),
        ("tls=site", "restart"),
    ],
)
async def test_a_renewed_one_is_taken_up_and_no_release_comes_of_it(world, words, step):
    world.issuer.days = 0.1  # 144 minutes: renewed after half of them
    world.reader.put(
        "home",
        {
            "web/web.container": words,
            "web/site.certificate": SITE,
            "mail/mail.container": "tls=site",
        },
    )
    async with world.running() as daemon:
        await anyio.sleep(30)
        assert app(daemon).state is AppState.READY
        before = world.ledger.rollouts("web")
        first = version(world)
        await anyio.sleep(2 * HOUR)
        assert len(world.issuer.issued) == 2
        assert steps(world, "web.service") == [
            ("start", "new"),
            (step, "certificate site was renewed"),
        ]
        assert steps(world, "mail.service")[1:] == [("restart", "certificate site was renewed")]
        assert version(world) == version(world, "mail.service", "mail") != first
        assert world.ledger.rollouts("web") == before
        assert before[-1].outcome is Outcome.GOOD
        assert app(daemon).state is AppState.READY
    async with world.running():
        await anyio.sleep(60)
        assert len(steps(world, "web.service")) == 2, "a restart of podvisor's is none of theirs"


async def test_a_unit_that_fails_of_its_restart_is_repaired_and_not_taken_back(world):
    world.issuer.days = 0.1
    world.reader.put("home", {"web/web.container": "tls=site", "web/site.certificate": SITE})
    async with world.running() as daemon:
        await anyio.sleep(30)
        before = world.ledger.rollouts("web")
        world.machine.broken.add("web.service")
        await anyio.sleep(2 * HOUR)
        assert app(daemon).state is AppState.FAILING
        world.machine.broken.clear()
        await anyio.sleep(HOUR)
        assert app(daemon).state is AppState.READY
        assert world.ledger.rollouts("web") == before
        assert not world.events(EventKind.REVERTED)


async def test_one_that_no_app_describes_is_said_with_file_and_line(world):
    world.reader.put("home", {"web/web.container": "tls=site"})
    async with world.running() as daemon:
        (finding,) = app(daemon).findings
        assert (finding.path, finding.line) == ("web/web.container", 1)
        assert app(daemon).state is AppState.REFUSED
        await world.push(
            daemon,
            {
                "web/web.container": "tls=site",
                "proxy/proxy.container": "",
                "proxy/site.certificate": SITE,
            },
        )
        await anyio.sleep(30)
        assert app(daemon).state is AppState.READY


async def test_a_sync_has_damaged_files_put_back(world):
    world.reader.put("home", {"web/web.container": "tls=site", "web/site.certificate": SITE})
    async with world.running() as daemon:
        (folder,) = world.certificates.installed
        world.certificates.damaged.add(folder)

        async def ignore(_):
            pass

        await daemon.service.sync(SyncRequest(), ignore)
        await anyio.sleep(1)
        assert not world.certificates.damaged
        assert len(world.issuer.orders) == 1


@pytest.mark.parametrize("user", ["web", "other"])
async def test_a_folder_that_a_unit_mounts_stays_until_it_names_the_new_one(world, user):
    mounts = f"{user}/mounts.container"
    files = {"web/web.container": "", "web/site.certificate": SITE, mounts: "tls=site own=yes"}
    there = world.certificates.installed
    async with world.running() as daemon:
        await world.push(daemon, files)
        await anyio.sleep(100)
        assert "mounts.service" in world.machine.running
        files["web/site.certificate"] = SITE + "Directory=/srv/tls\n"
        await world.push(daemon, files)
        await anyio.sleep(100)
        assert f"{PLACE}/site" in there
        status = next(one for one in daemon.service.status().apps if one.name == user)
        assert status.state is AppState.REFUSED
        assert status.findings[0].path == mounts
        assert "mounts.service" in world.machine.running
        files[mounts] = "tls=site v2"
        await world.push(daemon, files)
        await anyio.sleep(100)
        assert there.keys() == {"/srv/tls"}
        assert {one.state for one in daemon.service.status().apps} == {AppState.READY}


async def tried(daemon, name="site"):
    """What is wrong, and what is well, of a rehearsal, each with its checks by what they are."""
    report = await daemon.service.certificate_service.rehearse(RehearsalRequest(name=name))
    wrong, well = {}, {}
    for one in report.checks:
        (wrong if one.state is CheckState.WRONG else well)[one.what] = one
    return wrong, well


async def test_a_rehearsal_judges_the_file_of_an_app_that_is_refused(world):
    files = {"web/web.container": "tls=site own=yes", "web/site.certificate": SITE}
    async with world.running() as daemon:
        await world.push(daemon, files)
        await anyio.sleep(100)
        wrong, well = await tried(daemon)
        assert not wrong
        assert well["folder"].about == f"{PLACE}/site"

        files["web/site.certificate"] = SITE + "Directory=/srv/tls\n"
        await world.push(daemon, files)
        await anyio.sleep(100)
        wrong, well = await tried(daemon)
        assert "names podvisor's own place" in wrong["app"].message
        assert wrong["app"].hint
        assert well["folder"].about == "/srv/tls", "not where it is installed still"

        files["web/other.secret"] = "[Secret]\nNonsense=\n"
        await world.push(daemon, files)
        await anyio.sleep(100)
        wrong, well = await tried(daemon)
        assert "app" in wrong
        assert well["folder"].about == "/srv/tls", "also where another file cannot be understood"

        files["web/site.certificate"] = SITE + "Directory=tls\n"
        await world.push(daemon, files)
        await anyio.sleep(100)
        wrong, well = await tried(daemon)
        assert "is relative" in wrong["file"].message
        assert not well, "of the former one nothing is said"


async def test_a_rehearsal_judges_the_file_of_an_app_that_never_was(world):
    files = {"web/web.container": "tls=site", "web/site.certificate": SITE}
    files["web/other.secret"] = "[Secret]\nNonsense=\n"
    async with world.running() as daemon:
        await world.push(daemon, files)
        await anyio.sleep(100)
        wrong, well = await tried(daemon)
        assert "app" in wrong
        assert well["folder"].about == f"{PLACE}/site"
