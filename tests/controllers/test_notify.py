"""What people are told through the whole daemon: when, how often, and not at all."""

import time

import anyio
import msgspec
import pytest

from supervisor.core.notify.news import of_event
from supervisor.core.status.overview import overview
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind, EventQuery
from supervisor.model.incident import Incident
from supervisor.model.notify import Outbox
from supervisor.model.notify_settings import NotifyKind, NotifySettings
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.settings import RolloutSettings
from supervisor.model.status import OrderRequest

pytestmark = pytest.mark.anyio
PHONE, MAIL = SecretRef("file:~/phone"), SecretRef("file:~/mail")
URL, MAIL_URL = b"ntfy://hunter2", b"mailto://me:pw@example.org"
PHOTOS = {"photos/gallery.container": ""}
REFUSED = {"photos/gallery.container": "refuse=unsupported-key"}


async def nothing(_):
    """Nobody looks at what is reported."""


def notifier(url=PHONE, **more):
    return NotifySettings(url=url, **more)


def set_notifiers(world, **notifiers):
    world.settings = msgspec.structs.replace(world.settings, notify=notifiers)


@pytest.fixture
def told(world):
    world.secrets.known |= {PHONE: URL, MAIL: MAIL_URL}
    set_notifiers(world, phone=notifier())
    world.reader.put("home", PHOTOS)
    return world


async def crash(world, seconds=100):
    world.machine.broken.add("gallery.service")
    world.systemd.dies("gallery.service")
    await anyio.sleep(seconds)


async def mend(world, seconds=4_000):
    world.machine.broken.clear()
    await anyio.sleep(seconds)


async def test_a_crash_is_told_once_with_what_to_do_and_its_end_once(told):
    async with told.running():
        await crash(told, 3_000)
        ((url, message),) = told.messenger.sent
        assert url == URL
        assert "photos" in message.title
        assert "gallery.service" in message.body
        assert "Next: podvisor " in message.body
        assert message.type == "failure"
        await mend(told)
        _, after = told.messenger.sent
        assert "photos is well again" in after[1].title
        assert after[1].type == "success"
        await anyio.sleep(80_000)
        assert len(told.messenger.sent) == 2
    assert not told.ledger.get(Outbox, "phone").told


async def test_what_is_removed_is_gone_and_not_well_again(told):
    bad = {"photos/b.container": "image=gone:1", "photos/c.container": "image=gone:2"}
    async with told.running() as daemon:
        web = {"web/web.container": ""}
        await told.push(daemon, PHOTOS | bad | web)
        await anyio.sleep(100)
        await told.push(daemon, web)
        await anyio.sleep(100)
        assert told.messenger.titles == ["2 problems: photos", "photos was removed"]
        after = told.messenger.sent[1][1]
        assert after.body == "photos was removed, and with it what was wrong"
        assert after.type == "info"
        assert not told.ledger.get(Outbox, "phone").told
        for event in told.events(EventKind.REMOVED):
            command = of_event(event).command.split()
            assert command[:2] == ["podvisor", "events"]
            query = EventQuery(app=command[2])
            assert [one async for one in daemon.service.events(query)], "what is named, answers"


@pytest.mark.parametrize("passes", [True, False])
async def test_an_app_on_trial_is_not_well_again(told, passes):
    rollout = RolloutSettings(settle=300, gate_timeout=600)
    told.settings = msgspec.structs.replace(told.settings, rollout=rollout)
    async with told.running() as daemon:
        await told.push(daemon, PHOTOS)
        await anyio.sleep(310)
        await told.push(daemon, REFUSED)
        await anyio.sleep(100)
        assert len(told.messenger.sent) == 1
        await told.push(daemon, {"photos/gallery.container": "v=2"})
        await anyio.sleep(200)
        assert len(told.messenger.sent) == 1, "nobody knows yet"
        if not passes:
            told.systemd.dies("gallery.service")
        await anyio.sleep(200)
        (_, (_, after)) = told.messenger.sent
        if passes:
            assert after.title.endswith("photos is well again")
            return
        assert after.title.endswith("1 taken back, 1 over: photos")
        assert after.body.index("was taken back") < after.body.index("is no longer refused")
        assert after.type == "failure"


async def test_quiet_hours_are_those_of_the_time_zone_that_the_machine_has_now(told, set_zone):
    set_zone("UTC0")
    set_notifiers(told, phone=notifier(quiet="22:00..23:30"))
    async with told.running():
        await anyio.sleep(1)
        assert time.strftime("%H %Z", time.localtime(told.clock.now())) == "13 UTC"
        set_zone("ABC-9")
        await crash(told, 600)
        assert not told.messenger.sent, "it is a quarter to eleven at night"
        await anyio.sleep(2_400)
        assert len(told.messenger.sent) == 1


async def test_what_is_over_before_it_was_sent_is_not_sent(told):
    set_notifiers(told, phone=notifier(after=Seconds(600)))
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(500)
        await told.push(daemon, PHOTOS)
        await anyio.sleep(5_000)
        assert not told.messenger.tries
        assert not told.ledger.get(Outbox, "phone").waiting


async def test_a_push_that_fails_in_five_apps_is_one_message(told):
    names = [f"app{number}" for number in range(5)]
    async with told.running() as daemon:
        bad = {f"{name}/{name}.container": "refuse=why" for name in names}
        await told.push(daemon, PHOTOS | bad)
        await anyio.sleep(100)
        assert told.messenger.titles == ["5 problems: app0, app1, app2 and 2 more"]
        body = told.messenger.sent[0][1].body
        assert all(name in body for name in names)


async def test_a_restart_neither_loses_nor_repeats(told):
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(1)
    async with told.running():
        await anyio.sleep(100)
        assert len(told.messenger.sent) == 1
    async with told.running() as daemon:
        await anyio.sleep(100)
        assert len(told.messenger.sent) == 1
    told.reader.put("home", PHOTOS)
    async with told.running():
        await anyio.sleep(100)
        assert told.messenger.titles[1:] == ["photos is well again"]


async def test_what_was_deployed_is_told_to_who_asks_for_it_also_after_a_kill(told):
    async with told.running() as daemon:
        await told.push(daemon, {"photos/gallery.container": "v2"})
        await anyio.sleep(100)
        assert not told.messenger.sent, "no news that a person has to know"
    set_notifiers(told, phone=notifier(events=(NotifyKind.DEPLOYED,)))
    async with told.running() as daemon:
        await anyio.sleep(100)
        assert not told.messenger.sent, "that was before"
        await told.push(daemon, {"photos/gallery.container": "v3"})
        outbox = told.ledger.get(Outbox, "phone")
        assert outbox.waiting
    # As if it had been killed before it wrote that down.
    newest = told.ledger.events()[-1].id
    early = msgspec.structs.replace(outbox, waiting=(), event_id=outbox.event_id - 1)
    assert early.event_id < newest
    told.ledger.put(early, "phone")
    async with told.running() as daemon:
        await anyio.sleep(100)
        assert told.messenger.titles == ["photos was deployed"]


async def test_a_start_after_a_crash_is_told_once(told):
    async with told.running():
        pass
    for _ in range(2):
        async with told.running(first_pass=False) as daemon:
            if not told.messenger.sent:
                # As the daemon does before anything else.
                why = "podvisor 1; the one before was killed"
                told.ledger.log(EventKind.STARTED, ok=False, code="started-crashed", reason=why)
            await daemon.queue.wait_idle()
            daemon.first_pass_is_over()
            await anyio.sleep(100)
            ((_, message),) = told.messenger.sent
            assert "did not stop as it should" in message.title
            assert "the one before was killed" in message.body
            assert message.type == "warning"


async def test_only_what_is_asked_for(told):
    set_notifiers(
        told,
        web=notifier(apps=("web*",)),
        gone=notifier(MAIL, events=(NotifyKind.CERTIFICATE,)),
        db=notifier(MAIL, apps=("d?",)),
    )
    told.reader.put("home", PHOTOS | {"db/db.container": ""})
    async with told.running() as daemon:
        await told.push(daemon, {"db/db.container": "refuse=why"} | REFUSED)
        await anyio.sleep(100)
        assert [url for url, _ in told.messenger.sent] == [MAIL_URL]
        assert "photos" not in told.messenger.sent[0][1].body


async def test_one_that_fails_is_shown_told_by_others_and_tried_again(told):
    set_notifiers(told, phone=notifier(), mail=notifier(MAIL))
    told.messenger.failures[URL] = Retry("no route to host")
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(200)
        assert [url for url, _ in told.messenger.sent] == [MAIL_URL] * 2
        assert "notifier phone cannot send: no route to host" in told.messenger.sent[1][1].body
        (problem,) = daemon.service.status().problems
        assert problem.message == "notifier phone cannot send: no route to host"
        assert problem.command == "podvisor notify test phone"
        await anyio.sleep(50_000)
        assert 10 < told.messenger.tries < 40
        told.messenger.failures.clear()
        await anyio.sleep(4_000)
        assert not daemon.service.status().problems
        bodies = [message.body for url, message in told.messenger.sent if url == URL]
        assert len(bodies) == 1
        assert "unsupported-key" in bodies[0]
        assert "notifier" not in bodies[0]


async def test_what_a_person_has_to_mend_is_said_and_seen_after_a_restart(told):
    told.messenger.failures[URL] = Stalled("error=401", hint="compare the URL")
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(200)
        tries = told.messenger.tries
        count = (await daemon.service.metrics()).counters.notifiers["phone"]
        assert (count.sent, count.failed, count.waiting, count.failing) == (0, tries, 1, True)
        assert daemon.service.status().problems[0].hint == "compare the URL"
        (one,) = (await daemon.service.notifiers()).notifiers
        assert (one.failure, len(one.waiting)) == ("error=401", 1)
        assert one.next_at > told.clock.now()
        assert tries <= 2
    told.messenger.seconds = 1_000_000
    async with told.running() as daemon:
        assert "error=401" in daemon.service.status().problems[0].message


async def test_a_test_says_what_came_of_it_and_has_the_rest_go_on(told):
    told.messenger.failures[URL] = Retry("no route to host")
    async with told.running() as daemon:
        service = daemon.service
        await told.push(daemon, REFUSED)
        await anyio.sleep(200)
        (one,) = (await service.test_notifier("")).results
        assert one.failure == "no route to host"
        told.messenger.failures.clear()
        (one,) = (await service.test_notifier("phone")).results
        assert not one.failure
        await anyio.sleep(5)
        test, waited = told.messenger.titles
        count = (await service.metrics()).counters.notifiers["phone"]
        assert (count.sent, count.waiting, count.failing) == (2, 0, False)
        assert "test" in test
        assert "photos" in waited
        with pytest.raises(Stalled, match="no notifier named fax") as caught:
            await service.test_notifier("fax")
        assert caught.value.hint == "there are: phone"
        told.secrets.known.clear()
        (one,) = (await service.test_notifier("phone")).results
        assert one.failure


async def test_no_url_ever_stands_in_the_ledger_or_the_status(told):
    told.messenger.failures[URL] = Retry("no route to host")
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(100)
        assert b"hunter2" not in msgspec.json.encode(daemon.service.status())
        assert b"hunter2" not in msgspec.json.encode(await daemon.service.notifiers())
    told.close()
    for file in told.path.parent.iterdir():
        assert b"hunter2" not in file.read_bytes()


async def test_a_slow_one_keeps_nothing_waiting(told):
    told.messenger.seconds = 3_600
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(60)
        assert told.messenger.tries == 1
        told.reader.put("home", PHOTOS)
        daemon.queue.add("source:home")
        await daemon.queue.wait_idle(lambda key: not key.startswith("notify:"))
        assert not told.ledger.all(Incident)
        told.messenger.seconds = 0.1
        await anyio.sleep(4_000)
        # It came through after all, and so does its end.
        assert told.messenger.titles[1:] == ["photos is well again"]


async def test_a_message_that_is_under_way_at_a_stop_comes_once(told):
    told.messenger.seconds = 3.0
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(31)
        assert (told.messenger.tries, len(told.messenger.sent)) == (1, 0)
    assert len(told.messenger.sent) == 1
    async with told.running():
        await anyio.sleep(200)
    assert told.messenger.tries == 1


async def test_one_that_hangs_does_not_keep_the_daemon_from_ending(told):
    told.messenger.seconds = 3_600
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        await anyio.sleep(31)
        asked = told.clock.now()
    assert told.clock.now() < asked + 6
    told.messenger.seconds = 0.1
    async with told.running():
        await anyio.sleep(100)
    assert len(told.messenger.sent) == 1


async def test_other_settings_hold_at_once(told):
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        none = msgspec.structs.replace(told.settings, notify={})
        await daemon.lifecycle.take_settings(none)
        await anyio.sleep(100)
        assert not told.messenger.tries
        assert not told.ledger.all(Outbox)
        await daemon.lifecycle.take_settings(told.settings)
        await anyio.sleep(100)
        assert len(told.messenger.sent) == 1


async def test_a_clock_set_back_holds_nothing_up(told):
    async with told.running() as daemon:
        await told.push(daemon, REFUSED)
        told.clock.offset = -500_000
        await anyio.sleep(200)
        assert len(told.messenger.sent) == 1


async def test_nothing_is_armed_where_nobody_is_told(told):
    set_notifiers(told)
    async with told.running() as daemon:
        await crash(told)
        assert daemon.queue.due_in("notify:phone") is None
        assert not told.messenger.tries


async def test_an_app_that_is_suspended_while_it_is_down_is_not_said_to_be_well(told):
    async with told.running() as daemon:
        await crash(told)
        assert len(told.messenger.sent) == 1
        await daemon.service.suspend(OrderRequest(apps=("photos",), reason="I look at it"))
        await anyio.sleep(4_000)
        assert len(told.messenger.sent) == 1
        status = daemon.service.status()
        assert [one.app for one in status.incidents] == ["photos"]
        seen = overview(msgspec.to_builtins(status), told.clock.now())
        assert any("I look at it" in line.text for line in seen.waiting)
    async with told.running() as daemon:
        await anyio.sleep(200)
        assert len(told.messenger.sent) == 1, "nor after a restart"
        await daemon.service.resume(OrderRequest(apps=("photos",)), nothing)
        await anyio.sleep(200)
        assert len(told.messenger.sent) == 1, "nor anew, once it is tried again"
        await mend(told)
        assert told.messenger.titles[1:] == ["photos is well again"]


async def test_what_is_down_in_a_suspension_is_no_news(told):
    async with told.running() as daemon:
        await daemon.service.suspend(OrderRequest(apps=("photos",)))
        await crash(told)
        assert not told.messenger.sent


async def test_of_two_that_are_sick_one_that_is_well_is_no_all_clear(told):
    told.reader.put("home", PHOTOS | {"photos/thumbs.container": ""})
    async with told.running():
        for unit in ("gallery.service", "thumbs.service"):
            told.machine.broken.add(unit)
            told.systemd.dies(unit)
        await anyio.sleep(100)
        assert told.messenger.titles == ["2 problems: photos"]
        told.machine.broken.remove("thumbs.service")
        await anyio.sleep(4_000)
        assert told.messenger.titles[1:] == ["one problem of photos is over, 1 goes on"]
        message = told.messenger.sent[1][1]
        assert message.type == "warning"
        assert "thumbs.service is no longer down" in message.body
        await mend(told)
        assert told.messenger.titles[2:] == ["photos is well again"]


@pytest.mark.parametrize("fails", [True, False])
async def test_what_is_down_again_is_not_told_to_be_well_while_its_pass_goes_on(told, fails):
    over = anyio.Event()
    async with told.running() as daemon:
        daemon.incidents.subscribe(lambda _, ended: over.set() if ended else None)
        await crash(told, 3)
        told.machine.broken.clear()
        await over.wait()
        await anyio.sleep(20)
        assert len(told.messenger.sent) == 1
        told.systemd.slow["gallery.service"] = 60
        if fails:
            told.machine.broken.add("gallery.service")
        told.systemd.dies("gallery.service")
        await anyio.sleep(40)
        assert daemon.queue.is_busy("app:photos".__eq__)
        assert len(told.messenger.sent) == 1
        told.systemd.slow.clear()
        await anyio.sleep(60)
        assert len(told.messenger.sent) == (1 if fails else 2)
        await mend(told)
        assert len(told.messenger.sent) == 2
        assert "photos is well again" in told.messenger.sent[-1][1].title
