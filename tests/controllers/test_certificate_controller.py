"""Certificates, from the file that asks for one to the server that serves it."""

import anyio
import pytest
from msgspec.structs import replace

from supervisor.model.acme import FailureKind, OrderRefusal, RenewalInfo
from supervisor.model.app import Deployment
from supervisor.model.certificate import Stage
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.rollout import Suspension
from tests.fakes.certificate_house import SERVER, House, asks, deployed
from tests.fakes.certificates import DAY, PLACE
from tests.fakes.machine import app, deploy

pytestmark = pytest.mark.anyio
HOUR = 3_600.0
CHECKED = asks(check=(SERVER,))


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "ledger.db")


async def test_a_first_one_is_ordered_installed_and_then_its_users_start(house):
    async with house.running(deployed("web", asks())):
        (order,) = house.issuer.orders
        assert order.terms.domains == ("web.example.org",)
        assert order.replaces == ""
        assert house.jobs == [("start", "web.service")]
        assert house.files.installed[f"{PLACE}/web"].pair == house.issuer.issued[0]
        record = house.record()
        assert (record.app, record.stage, record.ready) == ("web", Stage.SERVED, None)
        assert record.current.installed_at > 0
        (event,) = house.events()
        assert (event.app, event.subject, event.ok) == ("web", "web", True)
        assert event.reason.startswith("issued by letsencrypt, until 2027-04-")
        assert event.detail == "there is none yet"
        assert len(house.files.pairs) == 1


@pytest.mark.parametrize("is_refused", [True, False])
async def test_what_else_came_of_an_order_is_told_once(house, is_refused):
    house.issuer.notes = ("another account was made at letsencrypt",)
    if is_refused:
        house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.PASSING, message="down")
    async with house.running(deployed("web", asks())):
        await anyio.sleep(2 * DAY)
        reasons = [one.reason for one in house.events()]
        assert reasons[0] == "another account was made at letsencrypt"
        assert len([one for one in reasons if "another account" in one]) == 1


async def test_what_waits_for_one_says_why(house):
    house.issuer.seconds = 60.0
    async with house.running():
        house.state.deployments = {"web": deployed("web", asks())}
        house.queue.add("all-apps")
        await anyio.sleep(30)
        detail = house.certificates.certificate_detail("web")
        assert detail == "it is asked of letsencrypt: there is none yet"
        assert not house.certificates.is_failing("web")
        assert not house.jobs
        await anyio.sleep(40)
        assert house.jobs == [("start", "web.service")]


async def test_nothing_is_ordered_twice_whatever_wakes_it(house):
    async with house.running(deployed("web", asks())):
        house.certificates.name_all()
        await house.rest()
        await house.deploy(deployed("web", asks()))
    async with house.running(deployed("web", asks())):
        await anyio.sleep(30 * DAY)
        assert len(house.issuer.orders) == 1
        assert house.jobs == [("start", "web.service")]


async def test_a_stand_in_serves_until_there_is_one(house):
    house.issuer.seconds = 60.0
    async with house.running():
        house.state.deployments = {"web": deployed("web", asks(standin=True))}
        house.queue.add("all-apps")
        await anyio.sleep(30)
        assert house.record().current.standin
        assert house.jobs == [("start", "web.service")]
        await anyio.sleep(40)
        assert house.jobs == [("start", "web.service"), ("reload", "web.service")]
        assert not house.record().current.standin
        assert house.record().previous is None


async def test_those_who_answer_the_challenge_start_before_it_is_asked_for(house):
    """With a stand-in; whom it takes long, nobody waits for without an end."""
    house.suspended.add("web")  # as one that is still starting
    async with house.running(deployed("web", asks(standin=True))):
        await anyio.sleep(300)
        assert house.record().current.standin
        assert not house.issuer.orders
        house.suspended.clear()
        house.queue.add("app:web")
        await anyio.sleep(30)
        assert len(house.issuer.orders) == 1
        house.suspended.add("mail")
        await house.deploy(deployed("mail", asks("mail", standin=True)))
        await anyio.sleep(700)
        assert len(house.issuer.orders) == 2


async def test_a_renewal_is_taken_up_and_seen_to_be_served(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        assert house.record().stage is Stage.SERVED
        await anyio.sleep(61 * DAY)
        first, second = house.issuer.issued
        assert house.issuer.orders[1].replaces == first.facts.ari_id
        assert house.jobs == [("start", "web.service"), ("reload", "web.service")]
        assert house.serves["web.service"] == second.facts.fingerprint
        record = house.record()
        assert (record.stage, record.current.facts) == (Stage.SERVED, second.facts)
        assert record.previous.facts == first.facts
        assert house.events()[-1].reason == "it was seen to be served"
        assert {name for _, _, name in house.tls.asked} == {"web.example.org"}


async def test_what_a_reload_does_not_take_up_a_restart_does(house):
    house.listen()
    house.effective.discard("reload")
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(61 * DAY)
        assert [how for how, _ in house.jobs] == ["start", "reload", "restart"]
        assert house.record().stage is Stage.SERVED
        assert house.record().current.facts == house.issuer.issued[1].facts
        (said,) = house.events(ok=False)
        assert said.reason == "it is not served: those who use it are restarted"
        assert said.detail == f"{SERVER} serves the former certificate still"


async def test_what_nobody_serves_is_put_back_and_not_tried_again_by_itself(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        house.effective.clear()
        await anyio.sleep(61 * DAY)
        first, _ = house.issuer.issued
        record = house.record()
        assert record.current.facts == first.facts
        assert record.refused
        assert house.files.installed[f"{PLACE}/web"].pair == first
        _, said = house.events(ok=False)
        assert said.reason == "nobody served the new one: the former one was put back"
        assert said.detail == f"{SERVER} serves the former certificate still"
        house.certificates.name_all()
        await anyio.sleep(DAY)
        assert len(house.issuer.issued) == 2
        house.effective.update({"reload", "restart"})
        house.certificates.actions().renew("web", at_once=False)
        await anyio.sleep(60)
        assert house.record().current.facts == house.issuer.issued[2].facts
        assert house.record().stage is Stage.SERVED
        assert house.record().refused is None


async def test_a_server_that_takes_its_time_to_start_is_let_be(house):
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(90)
        assert house.jobs == [("start", "web.service")]
        assert not house.events(ok=False)
        house.listen()
        await anyio.sleep(5)
        assert house.record().stage is Stage.SERVED
        house.tls.servers.clear()
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(30)
        assert [how for how, _ in house.jobs] == ["start", "reload", "restart"]


async def test_what_is_damaged_where_it_is_installed_comes_from_what_is_kept(house):
    async with house.running(deployed("web", asks())):
        house.files.damaged.add(f"{PLACE}/web")
        house.certificates.name_all()
        await house.rest()
        assert not house.files.damaged
        assert len(house.issuer.orders) == 1
        assert house.events()[-1].reason == "installed again"


@pytest.mark.parametrize("directory", ["", "/srv/tls"])
async def test_who_has_mounted_a_folder_that_is_gone_is_restarted(house, directory):
    place = directory or f"{PLACE}/web"
    async with house.running(deployed("web", asks(directory=directory))):
        for time in (1, 2):
            house.jobs.clear()
            house.files.lose(place)
            house.certificates.name_all()
            await house.rest()
            assert house.jobs == [("restart", "web.service")], time
        house.jobs.clear()
        house.files.damaged.add(place)
        house.certificates.name_all()
        await house.rest()
        assert house.jobs == []
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(30)
        assert house.jobs == [("reload", "web.service")]
        house.files.lose(place)
        house.certificates.actions().renew("web", at_once=True)
        await anyio.sleep(30)
        assert [how for how, _ in house.jobs] == ["reload", "restart", "reload"]
        assert len(house.issuer.orders) == 3


async def test_killed_where_a_folder_was_made_anew_its_users_are_restarted(house):
    web, calls = deployed("web", asks()), []

    def whether(name, _args):
        calls.append(name)
        is_next = calls[-2:] == ["certificates.install", "certificates.folder_id"]
        return Retry("the process is gone") if is_next and calls.count("lost") else None

    house.whether = whether
    async with house.running(web):
        house.jobs.clear()
        house.files.lose(f"{PLACE}/web")
        calls.append("lost")
        house.certificates.name_all()
        await anyio.sleep(0.1)
        assert calls[-1] == "certificates.folder_id"
    house.whether = None
    assert house.jobs == []
    async with house.running(web):
        await anyio.sleep(1)
        assert house.jobs == [("restart", "web.service")]


async def test_what_never_stays_as_it_was_written_is_no_endless_loop(house):
    async with house.running(deployed("web", asks())):
        place = f"{PLACE}/web"
        install = house.files.install

        async def spoiled(certificate, pair):
            folder = await install(certificate, pair)
            house.files.damaged.add(folder)
            return folder

        house.files.install = spoiled
        house.files.damaged.add(place)
        house.certificates.name_all()
        await anyio.sleep(DAY)
        assert len(house.files.installs) < 130
        assert "does not stay in" in str(house.board.problems["certificate:web"])
        house.files.install = install
        await anyio.sleep(HOUR)
        assert not house.files.damaged
        assert not house.board.problems
        assert len(house.issuer.orders) == 1


async def test_what_is_lost_altogether_is_ordered_anew(house):
    async with house.running(deployed("web", asks())):
        house.files.damaged.add(f"{PLACE}/web")
        house.files.pairs.clear()
        house.certificates.name_all()
        await house.rest()
        assert len(house.issuer.orders) == 2
        assert "damaged or gone" in house.events()[-1].detail
        assert house.jobs[-1] == ("reload", "web.service")


async def test_other_terms_have_another_one_ordered_and_users_run_on(house):
    async with house.running(deployed("web", asks())):
        await house.deploy(deployed("web", asks(domains=("web.example.org", "www.example.org"))))
        assert len(house.issuer.orders) == 2
        assert house.jobs == [("start", "web.service"), ("reload", "web.service")]


async def test_an_issuer_that_fails_for_two_days_leaves_what_runs_alone(house):
    async with house.running(deployed("web", asks())):
        house.issuer.refusals["web"] = OrderRefusal(
            kind=FailureKind.PASSING, message="cannot reach letsencrypt", hint="wait"
        )
        await anyio.sleep(62 * DAY)
        record = house.record()
        assert record.failure.message == "cannot reach letsencrypt"
        assert record.current.facts == house.issuer.issued[0].facts
        assert len(house.issuer.orders) < 80
        (said,) = house.events(ok=False)
        assert (said.reason, said.app) == ("cannot reach letsencrypt", "web")
        assert said.detail.startswith("wait; tried again at 20")
        assert house.certificates.is_failing("web")
        assert house.certificates.certificate_detail("web").startswith("cannot reach letsencrypt")
        assert house.jobs == [("start", "web.service")]
        house.issuer.refusals.clear()
        await anyio.sleep(2 * HOUR)
        assert house.record().failure is None
        assert house.jobs[1:] == [("reload", "web.service")]
        assert house.events(EventKind.RECOVERED)


async def test_an_end_that_comes_near_is_told_once_a_day(house):
    async with house.running(deployed("web", asks())):
        house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.PASSING, message="no")
        await anyio.sleep(89 * DAY)
        told = [one for one in house.events(ok=False) if "expires" in one.reason]
        assert 15 <= len(told) <= 18
        assert told[0].time < house.clock.now() - 15 * DAY
        await anyio.sleep(2 * DAY)
        assert "expired" in house.events(ok=False)[-1].reason
        assert house.jobs == [("start", "web.service")], "what runs runs on"


async def test_failed_validations_stay_within_the_limits(house):
    house.issuer.refusals["web"] = OrderRefusal(kind=FailureKind.VALIDATION, message="no such name")
    async with house.running(deployed("web", asks())):
        times = []
        for _ in range(48):
            await anyio.sleep(HOUR / 2)
            times.append(len(house.issuer.orders))
        assert times[1] <= 5
        assert len(house.issuer.orders) <= 8
        assert not house.jobs


async def test_what_an_issuer_limits_waits_as_long_as_it_says(house):
    house.issuer.refusals["web"] = OrderRefusal(
        kind=FailureKind.LIMITED, message="too many", retry_after=5 * HOUR
    )
    async with house.running(deployed("web", asks())):
        await anyio.sleep(4.9 * HOUR)
        assert len(house.issuer.orders) == 1
        house.issuer.refusals.clear()
        await anyio.sleep(HOUR)
        assert house.jobs == [("start", "web.service")]


async def test_what_was_refused_waits_for_a_person_or_other_settings(house):
    house.issuer.refusals["web"] = OrderRefusal(
        kind=FailureKind.REFUSED, message="no such profile", hint="another"
    )
    async with house.running(deployed("web", asks())):
        await anyio.sleep(20 * DAY)
        assert len(house.issuer.orders) == 1
        detail = house.certificates.certificate_detail("web")
        assert "podvisor certs renew web --now" in detail
        settings = house.settings
        certificates = replace(settings.certificates, email="me@example.org")
        await house.take(replace(settings, certificates=certificates))
        assert len(house.issuer.orders) == 2
        house.issuer.refusals.clear()
        house.certificates.actions().renew("web", at_once=True)
        await house.rest()
        assert house.jobs == [("start", "web.service")]


async def test_an_issuer_that_nobody_described_is_said_and_tried_with_other_settings(house):
    async with house.running(deployed("web", asks(issuer="mine"))):
        assert house.certificates.is_failing("web")
        assert "[certificates.issuers.mine]" in house.certificates.certificate_detail("web")
        assert not house.issuer.orders


async def test_two_apps_share_one(house):
    async with house.running(deployed("web", asks()), deployed("mail", uses=["web"])):
        assert len(house.issuer.orders) == 1
        assert sorted(house.jobs) == [("start", "mail.service"), ("start", "web.service")]
        assert [one.app for one in house.events()] == ["mail", "web"]
        await anyio.sleep(61 * DAY)
        assert sorted(house.jobs[2:]) == [("reload", "mail.service"), ("reload", "web.service")]


async def test_podvisors_own_authority_needs_no_settings(house):
    home = asks(domains=("web.home.arpa",), issuer="internal")
    async with house.running(deployed("web", home)):
        assert house.jobs == [("start", "web.service")]
        assert not house.issuer.orders
        house.certificates.actions().renew("web", at_once=False)
        await house.rest()
        assert len(house.authority.issued) == 2


async def test_a_suspended_apps_certificate_is_renewed_and_looked_at_when_it_goes_on(house):
    house.listen()
    async with house.running(deployed("web", CHECKED)):
        house.suspended.add("web")
        house.ledger.put(Suspension(app="web", at=house.clock.now()), "web")
        await anyio.sleep(61 * DAY)
        assert house.record().current.facts == house.issuer.issued[1].facts
        assert house.record().stage is Stage.INSTALLED
        assert house.jobs == [("start", "web.service")]
        assert not house.events(ok=False)
        (status,) = house.certificates.statuses()
        assert status.error == "web is suspended"
        assert status.is_ailing
        house.suspended.clear()
        house.ledger.drop(Suspension, "web")
        house.queue.add("app:web")
        await anyio.sleep(10)
        assert house.record().stage is Stage.SERVED


async def test_what_an_app_is_gone_with_is_removed_and_kept_until_it_expires(house):
    async with house.running(deployed("web", asks())):
        await house.deploy()
        await house.rest()
        house.certificates.name_all()
        await house.rest()
        assert not house.files.installed
        assert house.files.pairs
        assert house.record().version == ""
        assert house.events()[-1].reason == "removed"
        await house.deploy(deployed("web", asks()))
        assert len(house.issuer.orders) == 1, "it was kept"
        assert house.jobs[-1] == ("start", "web.service")
        await house.deploy()
        house.certificates.name_all()
        await anyio.sleep(91 * DAY)
        assert not house.files.pairs
        assert house.record().current is None


async def test_nothing_is_removed_while_it_is_not_known_what_an_app_asks_for(house):
    async with house.running(deployed("web", asks())):
        pass
    async with house.running():
        unknown = Deployment(name="web", wanted=None, keep=True, failure=Retry("cannot read it"))
        await house.deploy(unknown)
        house.certificates.name_all()
        await house.rest()
        assert house.files.installed
        assert house.record().version


async def test_nothing_is_forgotten_before_the_sources_are_read(house):
    """A start: an order that was cut short is to go on, what no unit uses stays installed."""
    house.issuer.seconds = 60.0
    async with house.running():
        house.state.deployments = {"web": deployed("web", asks())}
        house.queue.add("all-apps")
        await anyio.sleep(30)
        assert house.record().app == "web"
    async with house.running(is_read=False):
        house.certificates.name_all()
        await house.rest()
        assert house.record().app == "web"
        assert not house.files.forgotten
        house.state.is_read = True
        await house.deploy()
        assert house.files.forgotten == ["web"]


async def test_nothing_is_removed_before_it_is_known_what_apps_ask_for(house):
    outside = deploy(replace(app("web"), certificates=(asks(),)))
    async with house.running(outside):
        assert house.files.installed
    async with house.running():
        house.queue.add("all-apps")
        await house.rest()
        await house.take(replace(house.settings))
        assert house.files.installed
        await house.deploy(outside)
        assert len(house.issuer.orders) == 1
        await house.deploy()
        assert not house.files.installed


async def test_what_others_use_still_stays_installed(house):
    both = (deployed("web", asks()), deployed("mail", uses=["web"]))
    async with house.running(*both):
        await house.deploy(both[1])
        house.certificates.name_all()
        await house.rest()
        assert house.files.installed
        await house.deploy()
        house.certificates.name_all()
        await house.rest()
        assert not house.files.installed


async def test_another_directory_is_installed_to_without_an_order(house):
    async with house.running(deployed("web", asks())):
        await house.deploy(deployed("web", asks(directory="/srv/tls")))
        assert house.files.installed.keys() == {"/srv/tls"}
        assert len(house.issuer.orders) == 1


async def test_where_it_was_it_stays_until_its_app_has_moved_on(house):
    old, new = deployed("web", asks()), deployed("web", asks(directory="/srv/tls"))
    async with house.running(old):
        await house.deploy(replace(new, last_good=old.wanted))
        assert house.files.installed.keys() == {"/srv/tls", f"{PLACE}/web"}
        await house.deploy(new)
        assert house.files.installed.keys() == {"/srv/tls"}


async def test_an_issuer_is_asked_when_to_renew_and_its_word_counts(house):
    async with house.running(deployed("web", asks())):
        (first,) = house.issuer.issued
        assert house.issuer.asked_for_info == [first.facts.ari_id]
        now = house.clock.now()
        house.issuer.info[first.facts.ari_id] = RenewalInfo(
            start=now + 3 * DAY, end=now + 4 * DAY, explanation="https://ca.example/why"
        )
        await anyio.sleep(2 * DAY)
        assert len(house.issuer.orders) == 1
        assert house.record().renewal.explanation == "https://ca.example/why"
        await anyio.sleep(2.5 * DAY)
        assert len(house.issuer.orders) == 2
        assert house.issuer.orders[1].replaces == first.facts.ari_id


async def test_one_that_its_issuer_has_declared_void_is_replaced_when_that_is_told(house):
    async with house.running(deployed("web", asks())):
        (first,) = house.issuer.issued
        now, why = house.clock.now(), "https://ca.example/incident"
        house.issuer.info[first.facts.ari_id] = RenewalInfo(
            start=now - 2 * DAY, end=now - DAY, explanation=why
        )
        await anyio.sleep(DAY * 1.1)
        assert len(house.issuer.orders) == 2
        (said,) = [one for one in house.events() if one.detail.startswith("its issuer suggests")]
        assert said.detail.endswith(f"({why})")
        assert house.record().current.facts == house.issuer.issued[1].facts


async def test_an_issuer_that_cannot_be_asked_when_to_renew_is_asked_later(house):
    house.issuer.seconds = 0.1
    async with house.running(deployed("web", asks())):
        house.issuer.failure = Retry("cannot reach it")
        await anyio.sleep(20 * DAY)
        assert 20 <= len(house.issuer.asked_for_info) <= 90
        assert not house.events(ok=False)
        assert not house.board.problems


async def test_what_a_person_has_declared_void_is_replaced(house):
    async with house.running(deployed("web", asks(reuse_key=True))):
        await house.certificates.actions().revoke("web")
        await house.rest()
        first, second = house.issuer.issued
        assert house.issuer.revoked == [first.chain]
        assert house.record().current.facts == second.facts
        assert house.issuer.orders[1].key == "", "its key may be known to others"
        with pytest.raises(Stalled, match="no app asks"):
            await house.certificates.actions().revoke("nobody")


async def test_a_key_is_used_again_where_that_is_asked_for(house):
    async with house.running(deployed("web", asks(reuse_key=True))):
        await anyio.sleep(61 * DAY)
        first, second = house.issuer.issued
        assert second.key == first.key
        other = deployed("web", asks(reuse_key=False))
        await house.deploy(other)
        house.certificates.actions().renew("web", at_once=False)
        await house.rest()
        assert house.issuer.issued[2].key != first.key


async def test_two_are_ordered_at_a_time(house):
    house.issuer.seconds = 10.0
    apps = [deployed(f"app{number}", asks(f"c{number}")) for number in range(6)]
    async with house.running():
        house.state.deployments = {one.name: one for one in apps}
        house.queue.add("all-apps")
        await anyio.sleep(9)
        assert len(house.issuer.orders) == 2
        await anyio.sleep(25)
        assert len(house.issuer.issued) == 6


async def test_what_nobody_asks_for_any_more_when_its_turn_comes_is_not_ordered(house):
    house.issuer.seconds = 10.0
    apps = [deployed(f"app{number}", asks(f"c{number}")) for number in range(3)]
    async with house.running():
        house.state.deployments = {one.name: one for one in apps}
        house.queue.add("all-apps")
        await anyio.sleep(5)
        await house.deploy(*apps[:2])
        assert sorted(one.name for one in house.issuer.orders) == ["c0", "c1"]


@pytest.mark.once
async def test_many_that_have_nothing_to_do_wake_nobody(house):
    house.issuer.seconds = 0.0
    apps = [deployed(f"app{number}", asks(f"c{number}")) for number in range(200)]
    async with house.running(*apps):
        house.rings = 0
        asked = len(house.issuer.asked_for_info)
        assert asked == 200
        await anyio.sleep(DAY * 0.9)
        assert house.rings <= 1
        await anyio.sleep(DAY * 9.1)
        assert house.rings <= 20
        assert len(house.issuer.asked_for_info) <= 200 * 12


@pytest.mark.parametrize("seconds", [0.05, 1.0, 2.02, 2.1])
async def test_killed_at_any_moment_it_goes_on(house, seconds):
    house.listen()
    for _ in range(3):
        async with house.running():
            house.state.deployments = {"web": deployed("web", CHECKED)}
            house.queue.add("all-apps", "app:web")
            await anyio.sleep(seconds)
    async with house.running(deployed("web", CHECKED)):
        await anyio.sleep(60)
        assert house.record().stage is Stage.SERVED
        assert house.serves["web.service"] == house.record().current.facts.fingerprint
        assert len(house.issuer.issued) == 1


CALLS = [
    "certificates.keep",
    "certificates.kept",
    "certificates.install",
    "certificates.is_installed",
    "certificates.folder_id",
    "certificates.forget",
    "issuer.issue",
    "issuer.standin",
    "issuer.renewal_info",
    "tls.served",
]


@pytest.mark.parametrize("failure", [Retry("try again"), Stalled("mend it", hint="so")])
@pytest.mark.parametrize("call", CALLS)
async def test_whatever_fails_it_converges_with_one_order(house, call, failure):
    house.listen()
    counts = {}

    def whether(name, _args):
        counts[name] = counts.get(name, 0) + 1
        return failure if name == call and counts[name] <= 3 else None

    house.whether = whether
    wanted = replace(CHECKED, standin=True)
    async with house.running(deployed("web", wanted)):
        await anyio.sleep(3 * HOUR)
        assert house.record().stage is Stage.SERVED
        assert not house.record().current.standin
        assert len(house.issuer.issued) == 1
        assert not house.board.problems


@pytest.mark.parametrize("time", [1, 2, 3])
@pytest.mark.parametrize("call", CALLS)
async def test_killed_at_each_call_it_goes_on_with_one_order(house, call, time):
    house.listen()
    counts = {}
    killed = anyio.Event()

    def whether(name, _args):
        counts[name] = counts.get(name, 0) + 1
        if name == call and counts[name] == time:
            killed.set()
            return Retry("the process is gone")
        return None

    house.whether = whether
    wanted = deployed("web", replace(CHECKED, standin=True))
    async with house.running():
        house.state.deployments = {"web": wanted}
        house.queue.add("all-apps", "app:web")
        with anyio.move_on_after(3 * HOUR):
            await killed.wait()
    house.whether = None
    async with house.running(wanted):
        await anyio.sleep(3 * HOUR)
        record = house.record()
        assert record.stage is Stage.SERVED
        assert not record.current.standin
        assert house.serves["web.service"] == record.current.facts.fingerprint
        assert house.files.installed[f"{PLACE}/web"].pair.facts == record.current.facts
        assert len(house.issuer.issued) == 1
