"""Webhooks, from what comes in to what is fetched, in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.core.githost.hosts import github
from supervisor.model.errors import Retry, Stalled
from supervisor.model.events import EventKind
from supervisor.model.git_url import GitUrl
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.settings import Settings, SourceSettings, WebhookSettings
from supervisor.model.webhook import WebhookMemory
from tests.core.githost.test_oidc import CLAIMS, NOW, token
from tests.fakes import webhooks as sent

pytestmark = pytest.mark.anyio
HOOK = SecretRef("file:/secret")
LISTEN = "127.0.0.1:9078"
BLOG = {"blog/web.container": "v=1"}
MORE = {"blog/web.container": "v=2"}


@pytest.fixture
def hooked(world):
    """A world whose source takes webhooks of GitHub's."""
    set_up(world)
    world.reader.put("home", BLOG)
    world.secrets.known[HOOK] = sent.SECRET
    return world


def set_up(world, *, webhook="github", secret=HOOK, source=None, **webhooks):
    home = SourceSettings(
        git=GitUrl("https://github.com/me/home.git"),
        webhook=webhook,
        webhook_secret=secret,
        **(source or {}),
    )
    webhooks = {"listen": LISTEN} | webhooks
    world.settings = msgspec.structs.replace(
        world.settings, sources={"home": home}, webhooks=WebhookSettings(**webhooks)
    )
    return world.settings


async def deliver(
    world, payload=None, *, name="github", path="/hooks/home", peer="198.51.100.7", **more
):
    """A delivery; returns the status of the answer and its text."""
    body = sent.as_json(sent.PUSHES[name] if payload is None else payload)
    headers = more.pop("headers", {})
    method = more.pop("method", "POST")
    if name != "gitlab-signed":
        more.pop("time", None)
    return await world.listener.knock(
        path,
        headers=sent.headers(name, body, **more) | headers,
        body=body,
        peer=peer,
        method=method,
    )


def another(number):
    """A push like others, but not the same."""
    return {**sent.GITHUB_PUSH, "after": f"{number:040x}"}


def hook(daemon):
    (source,) = daemon.service.status().sources
    return source.webhook


def hook_events(world):
    return [one for one in world.events(EventKind.WEBHOOK) if "listening" not in one.reason]


async def test_a_push_that_is_told_is_fetched_at_once_and_deployed(hooked):
    async with hooked.running() as daemon:
        assert hooked.listener.address == LISTEN
        fetched = len(hooked.reader.fetches)
        await anyio.sleep(10)
        hooked.reader.put("home", MORE)
        began = anyio.current_time()
        status, text = await deliver(hooked)
        assert (status, text) == (202, "podvisor looks at source home")
        assert anyio.current_time() - began < 0.001
        await daemon.queue.wait_idle()
        assert len(hooked.reader.fetches) == fetched + 1
        assert hooked.ledger.applied()["blog"].revision == hooked.reader.latest["home"].revision
        stands = hook(daemon)
        assert (stands.accepted, stands.works, stands.poll) == (1, True, 3_600)
    told, slower = hook_events(hooked)
    assert told.source == "home"
    assert told.subject == "d-1"
    assert told.reason == "pushed: 6113728f refs/heads/main"
    assert "polled less often" in slower.reason


async def test_the_secret_that_they_are_signed_with_is_in_no_repr(hooked):
    async with hooked.running() as daemon:
        assert (await deliver(hooked))[0] == 202
        router = hooked.listener.router
        for one in (daemon, router, *router.receivers[0].secrets._kept.values()):
            assert sent.SECRET.decode() not in repr(one)


async def test_a_storm_is_few_fetches_and_what_comes_last_is_found(hooked):
    async with hooked.running() as daemon:
        await anyio.sleep(10)
        fetched = len(hooked.reader.fetches)
        for number in range(1_000):
            hooked.reader.put("home", {"blog/web.container": f"v={number}"})
            assert (await deliver(hooked, another(number)))[0] == 202
            await anyio.sleep(0.005)
        await daemon.queue.wait_idle()
        assert len(hooked.reader.fetches) - fetched <= 5
        assert hooked.ledger.applied()["blog"].revision == hooked.reader.latest["home"].revision
        assert hooked.reader.trees["home"] == {"blog/web.container": "v=999"}
        assert hook(daemon).accepted == 1_000
    assert len([one for one in hook_events(hooked) if "pushed" in one.reason]) <= 5


async def test_what_is_told_while_it_is_fetched_is_fetched_after(hooked):
    async with hooked.running() as daemon:
        await anyio.sleep(10)
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await anyio.sleep(0.05)  # it is fetched just now
        assert daemon.queue.is_busy("source:home".__eq__)
        hooked.reader.put("home", {"blog/web.container": "v=3"})
        await deliver(hooked, another(3))
        await daemon.queue.wait_idle()
        assert hooked.reader.latest["home"].files[0].oid == sent_oid("v=3")


def sent_oid(text):
    from tests.fakes.ports import oid

    return oid(text)


@pytest.mark.parametrize(
    ("payload", "more", "status", "text"),
    [
        ({**sent.GITHUB_PUSH, "ref": "refs/heads/dev"}, {}, 202, "not of main"),
        ({**sent.GITHUB_PUSH, "repository": {"full_name": "a/b"}}, {}, 202, "it is of a/b"),
        (sent.GITHUB_PING, {"event": "ping"}, 200, "podvisor hears of source home"),
        ({"action": "opened"}, {"event": "issues"}, 202, "ignored: it is no push but"),
        (None, {"secret": b"wrong"}, 401, "x-hub-signature-256 is wrong"),
        (None, {"headers": {"x-hub-signature-256": ""}}, 401, "is wrong"),
        (None, {"path": "/hooks/other"}, 404, "nobody takes webhooks on /hooks/other"),
        (None, {"path": "/"}, 404, "nobody takes"),
        (None, {"path": "/hooks/"}, 404, "nobody takes"),
        (None, {"path": "/hooks/home/"}, 404, "nobody takes"),
        (None, {"path": "home"}, 404, "nobody takes"),
        (None, {"path": "/v1/status"}, 404, "nobody takes"),
        (None, {"method": "GET"}, 405, "with POST"),
        ({}, {}, 400, "a push names its ref"),
        ([1], {}, 400, "cannot read it"),
    ],
)
async def test_of_anything_else_nothing_comes(hooked, payload, more, status, text):
    async with hooked.running() as daemon:
        await anyio.sleep(10)
        fetched = len(hooked.reader.fetches)
        said = await deliver(hooked, payload, **more)
        assert said[0] == status
        assert text in said[1]
        assert not daemon.queue.is_busy()
        assert len(hooked.reader.fetches) == fetched
        assert hook(daemon).accepted == 0
        assert hook(daemon).last_ignored == bool(hook(daemon).ignored)
        refused = daemon.service.status().webhooks.refused
        assert sum(refused.values()) == (status >= 400)


@pytest.mark.parametrize("name", [name for name in sent.PUSHES if name != "gitlab-signed"])
async def test_every_kind_of_git_host(world, name):
    set_up(world, webhook=name)
    world.reader.put("home", BLOG)
    world.secrets.known[HOOK] = sent.SECRET
    async with world.running() as daemon:
        assert (await deliver(world, name=name))[0] == 202
        assert (await deliver(world, name=name, secret=b"wrong"))[0] == 401
        assert hook(daemon).accepted == 1


async def test_a_source_that_goes_while_its_webhook_is_heard(hooked):
    answers = []

    async def tell():
        answers.append(await deliver(hooked))

    async with hooked.running() as daemon, anyio.create_task_group() as tasks:
        hooked.secrets.slow[HOOK] = 1
        tasks.start_soon(tell)
        await anyio.sleep(0.5)
        await daemon.lifecycle.take_settings(msgspec.structs.replace(hooked.settings, sources={}))
        await anyio.sleep(1)
        assert answers == [(404, "refused: nobody takes webhooks on /hooks/home")]


async def test_a_secret_that_was_changed_counts_at_once(hooked):
    async with hooked.running() as daemon:
        assert (await deliver(hooked))[0] == 202
        await anyio.sleep(5)
        hooked.secrets.known[HOOK] = b"another"
        assert (await deliver(hooked, another(2), secret=b"another"))[0] == 202
        assert (await deliver(hooked, another(3)))[0] == 401
        assert hook(daemon).refused == 1


async def test_a_secret_that_is_not_there_is_said_before_anybody_knocks(hooked):
    hooked.secrets.known.clear()
    async with hooked.running() as daemon:
        await daemon.service.look()
        assert hook(daemon).problem == "cannot read file:/secret (make it)"
        hooked.secrets.known[HOOK] = sent.SECRET
        await daemon.service.look()
        assert hook(daemon).problem == ""


async def test_a_secret_that_is_not_there_is_said_here_and_not_outside(hooked):
    hooked.secrets.known.clear()
    async with hooked.running() as daemon:
        status, text = await deliver(hooked)
        assert status == 503
        assert "secret" not in text
        assert hook(daemon).problem == "cannot read file:/secret (make it)"
        hooked.secrets.known[HOOK] = sent.SECRET
        assert (await deliver(hooked))[0] == 202
        assert hook(daemon).problem == ""
    assert "cannot read file:/secret" in hook_events(hooked)[0].detail


async def test_who_is_refused_too_often_is_not_heard_for_a_while(hooked):
    set_up(hooked, refusals_per_minute=5)
    async with hooked.running() as daemon:
        for _ in range(5):
            assert (await deliver(hooked, secret=b"guess"))[0] == 401
        assert (await deliver(hooked, secret=b"guess"))[0] == 429
        assert (await deliver(hooked))[0] == 429, "not even with the right one"
        assert (await deliver(hooked, peer="203.0.113.9"))[0] == 202, "others are heard"
        await anyio.sleep(13)
        hooked.clock.offset -= 1e9
        assert (await deliver(hooked))[0] == 202, "whatever the clock says"
        assert daemon.service.status().webhooks.refused == {"signature": 5, "limit": 2}
    refusals = [one for one in hook_events(hooked) if not one.ok]
    assert [(one.subject, one.reason[:8]) for one in refusals] == [("198.51.100.7", "refused:")] * 2


async def test_who_is_well_known_is_never_too_often(hooked):
    set_up(hooked, refusals_per_minute=1)
    async with hooked.running():
        for number in range(200):
            assert (await deliver(hooked, another(number)))[0] == 202


async def test_behind_a_proxy_senders_are_told_apart(hooked):
    set_up(hooked, refusals_per_minute=2, trusted_proxies=("127.0.0.1",))
    bad = {"peer": "127.0.0.1", "secret": b"x", "headers": {"x-forwarded-for": "198.51.100.1"}}
    good = {"peer": "127.0.0.1", "headers": {"x-forwarded-for": "6.6.6.6, 203.0.113.5"}}
    async with hooked.running():
        for expected in (401, 401, 429):
            assert (await deliver(hooked, **bad))[0] == expected
        assert (await deliver(hooked, **good))[0] == 202


@pytest.mark.parametrize(
    "who", [{}, {"x-forwarded-for": "140.82.115.1"}], ids=["the proxy says nothing", "forged"]
)
async def test_nobody_silences_a_git_host_through_a_proxy(hooked, who):
    set_up(hooked, refusals_per_minute=2, trusted_proxies=("127.0.0.1",))
    async with hooked.running() as daemon:
        for expected in (401, 401, 429, 429):
            status, _ = await deliver(hooked, peer="127.0.0.1", secret=b"x", headers=who)
            assert status == expected
        assert (await deliver(hooked, peer="127.0.0.1", headers=who))[0] == 202
        assert daemon.service.status().webhooks.refused == {"signature": 2, "limit": 2}


async def test_refusals_are_logged_once_an_hour_and_hold_no_secret(hooked, caplog):
    async with hooked.running():
        for _ in range(20):
            await deliver(hooked, secret=b"guess")
        await anyio.sleep(3_700)
        await deliver(hooked, secret=b"guess")
        for number in range(2_000):
            await deliver(hooked, secret=b"guess", peer=f"10.1.{number // 256}.{number % 256}")
    refusals = [one for one in hook_events(hooked) if not one.ok]
    assert len(refusals) == 2 + 9, "of many addresses at once, some"
    said = caplog.text + "".join(str(one) for one in hooked.events())
    for secret in (sent.SECRET.decode(), "guess", sent.mac(sent.as_json(sent.GITHUB_PUSH))):
        assert secret not in said


async def test_a_recording_that_is_played_again_is_one_more_look_and_no_sign_of_life(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        assert hook(daemon).works
        await anyio.sleep(7_200)
        fetched = len(hooked.reader.fetches)
        assert (await deliver(hooked))[0] == 202
        await daemon.queue.wait_idle()
        assert len(hooked.reader.fetches) == fetched + 1
        assert hook(daemon).repeated == 1
        assert not [
            one for one in hooked.events(EventKind.STEP) if one.time > hooked.clock.now() - 60
        ]


async def test_a_recording_does_not_make_polls_seldom(hooked):
    async with hooked.running() as daemon:
        await anyio.sleep(10)
        await deliver(hooked)  # which finds nothing new
        await daemon.queue.wait_idle()
        hooked.reader.put("home", MORE)
        await anyio.sleep(10)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        assert hooked.reader.latest["home"].files[0].oid == sent_oid("v=2")
        assert not hook(daemon).works
        hooked.reader.put("home", BLOG)
        await anyio.sleep(10)
        await deliver(hooked, another(1))
        await daemon.queue.wait_idle()
        assert hook(daemon).works


async def test_polls_come_back_when_webhooks_stop_arriving(hooked):
    async with hooked.running() as daemon:
        await anyio.sleep(10)
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        before = len(hooked.reader.fetches)
        await anyio.sleep(3_500)
        assert len(hooked.reader.fetches) == before, "nobody asks: all is told"
        hooked.reader.put("home", BLOG)  # and its webhook is lost
        await anyio.sleep(4_000)
        assert len(hooked.reader.fetches) > before
        stands = hook(daemon)
        assert (stands.works, stands.poll) == (False, 300)
        before = len(hooked.reader.fetches)
        await anyio.sleep(3_600)
        assert len(hooked.reader.fetches) - before in (11, 12, 13)
    assert "as often as before" in hook_events(hooked)[-1].reason


async def test_a_webhook_that_is_slower_than_the_poll_is_none_that_was_missed(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        await hooked.push(daemon, BLOG)  # found by a poll, or by whoever asked for it
        assert not hook(daemon).works
        await anyio.sleep(20)
        await deliver(hooked, another(5))
        assert hook(daemon).works


async def test_a_webhook_that_comes_while_a_poll_finds_the_change_is_none_that_was_missed(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        await anyio.sleep(10)
        hooked.reader.put("home", BLOG)
        daemon.queue.add("source:home")
        await anyio.sleep(0.05)
        await deliver(hooked, another(5))
        await daemon.queue.wait_idle()
        assert hook(daemon).works


async def test_how_often_it_is_polled_outlasts_a_restart(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        heard = hook(daemon).heard_at
    hooked.reader.put("home", BLOG)  # pushed while nobody could hear
    async with hooked.running() as daemon:
        stands = hook(daemon)
        assert (stands.works, stands.poll, stands.heard_at) == (True, 3_600, heard)
        assert hooked.reader.latest["home"].files[0].oid == sent_oid("v=1")


async def test_what_is_told_while_the_git_host_is_down_is_not_taken_for_missed(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        await anyio.sleep(10)
        hooked.reader.failures["home"] = Retry("it is down")
        await deliver(hooked, another(7))
        await daemon.queue.wait_idle()
        hooked.reader.failures.clear()
        hooked.reader.put("home", BLOG)
        await anyio.sleep(60)
        assert hooked.reader.latest["home"].files[0].oid == sent_oid("v=1")
        assert hook(daemon).works


async def test_a_port_that_is_in_use_is_said_and_tried_again(hooked):
    hooked.listener.taken.add(LISTEN)
    async with hooked.running() as daemon:
        status = daemon.service.status()
        assert "cannot listen for webhooks on 127.0.0.1:9078" in status.problems[0].message
        assert not status.webhooks.open
        assert daemon.service.status().apps, "everything else is done"
        await anyio.sleep(1_000)
        hooked.listener.taken.clear()
        await anyio.sleep(400)
        status = daemon.service.status()
        assert not status.problems
        assert status.webhooks.open
    said = hooked.events(EventKind.WEBHOOK)
    assert [one.ok for one in said] == [False, True], "once, however often it was tried"


async def test_while_nobody_can_be_heard_it_polls_as_told(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        assert hook(daemon).poll == 3_600
        hooked.listener.taken.add("127.0.0.1:9079")
        hooked.reader.put("home", BLOG)
        new = set_up(hooked, listen="127.0.0.1:9079")
        await daemon.settings.take(new)
        await daemon.queue.wait_idle()
        assert hook(daemon).poll == 300
        assert daemon.queue.due_in("source:home") <= 300
        assert hook(daemon).works, "what could not be heard was not missed"


async def test_other_settings_move_and_close_the_listener(hooked):
    async with hooked.running() as daemon:
        await daemon.settings.take(set_up(hooked, listen="127.0.0.1:9100"))
        await daemon.queue.wait_idle()
        assert hooked.listener.address == "127.0.0.1:9100"
        await daemon.settings.take(set_up(hooked, listen=""))
        await daemon.queue.wait_idle()
        assert hooked.listener.address == ""
        assert daemon.service.status().webhooks is None
        await daemon.settings.take(Settings(sources={}))
        with pytest.raises(Retry, match="does not listen"):
            await deliver(hooked)
    said = [one.reason for one in hooked.events(EventKind.WEBHOOK)]
    assert said[:3] == ["listening on 127.0.0.1:9078", "listening on 127.0.0.1:9100",
                        "not listening any more"]  # fmt: skip


async def test_without_settings_for_it_nothing_listens_and_nothing_is_shown(world):
    world.reader.put("home", BLOG)
    async with world.running() as daemon:
        assert world.listener.moves == []
        assert daemon.service.status().webhooks is None
        assert hook(daemon) is None


async def test_at_rest_it_costs_nothing(hooked):
    async with hooked.running() as daemon:
        due = {key for key in daemon.queue._due if "webhook" in key}
        assert not due
        assert not daemon.queue.is_busy()


# GitLab's signed time, and clocks


async def signed_by_gitlab(world, time, number=1):
    body = sent.as_json({**sent.GITLAB_PUSH, "after": f"{number:040x}"})
    headers = sent.headers("gitlab-signed", body, time=time, delivery=f"id-{number}")
    return (await world.listener.knock("/hooks/home", headers=headers, body=body))[0]


async def test_a_clock_that_is_set_back_does_not_make_it_deaf(world):
    set_up(world, webhook="gitlab")
    world.reader.put("home", BLOG)
    world.secrets.known[HOOK] = sent.SIGNING_TOKEN
    async with world.running():
        assert await signed_by_gitlab(world, world.clock.now(), 1) == 202
        right = world.clock.now()
        world.clock.offset = -86_400 * 365
        await anyio.sleep(100)
        assert await signed_by_gitlab(world, right + 100, 2) == 202
        assert await signed_by_gitlab(world, right - 4_000, 3) == 401, "a recording"
        world.clock.slept = 50_000
        assert await signed_by_gitlab(world, right + 50_100, 4) == 202, "after a suspend"


async def test_a_clock_that_is_put_right_counts(world):
    set_up(world, webhook="gitlab")
    world.reader.put("home", BLOG)
    world.secrets.known[HOOK] = sent.SIGNING_TOKEN
    world.clock.offset = -900_000
    async with world.running():
        assert await signed_by_gitlab(world, 1_000_000, 1) == 401
        world.clock.offset = 0
        assert await signed_by_gitlab(world, world.clock.now(), 2) == 202


# Tokens of GitHub Actions


@pytest.fixture
def actions(world):
    ours = {"webhook_repository": "me/home", "webhook_audience": "podvisor-home"}
    set_up(world, webhook="github-actions", secret=SecretRef(""), source=ours)
    world.reader.put("home", BLOG)
    world.clock.offset = NOW - 1_000_000
    return world


async def by_token(world, text, body=b""):
    headers = {"authorization": f"Bearer {text}"}
    return await world.listener.knock("/hooks/home", headers=headers, body=body)


async def test_a_workflow_tells_by_its_token(actions):
    good = token()
    actions.tokens.genuine.add(good)
    async with actions.running() as daemon:
        actions.reader.put("home", MORE)
        assert await by_token(actions, good) == (202, "podvisor looks at source home")
        await daemon.queue.wait_idle()
        assert actions.ledger.applied()["blog"].revision == actions.reader.latest["home"].revision
        assert (await by_token(actions, good))[0] == 202
        assert actions.tokens.asked == 1, "once verified is enough"
        await anyio.sleep(1_000)
        assert (await by_token(actions, good))[0] == 401, "but not for ever"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no token"),
        (token(), "not signed by its issuer"),
        (token(repository="you/home"), "another repository"),
        (token(aud="sts.amazonaws.com"), "another audience"),
        (token({"alg": "none"}), "RS256"),
        (token(exp=CLAIMS["exp"] - 10_000), "expired"),
    ],
)
async def test_other_tokens_are_refused_and_most_without_much_ado(actions, text, said):
    async with actions.running():
        status, answer = await by_token(actions, text)
        assert status == 401
        assert said in answer
        assert actions.tokens.asked == (said == "not signed by its issuer")
        status, answer = await actions.listener.knock("/hooks/home", headers={}, body=b"")
        assert "Authorization: Bearer" in answer


async def test_an_issuer_that_cannot_be_asked_is_tried_again_by_the_sender(actions):
    actions.tokens.failure = Retry("cannot verify a token: no route to host")
    async with actions.running() as daemon:
        assert (await by_token(actions, token()))[0] == 503
        assert "no route" in hook(daemon).problem


# podvisor webhook test


@pytest.mark.parametrize("name", sent.PUSHES)
async def test_a_test_goes_the_whole_way(world, name):
    secret = sent.SIGNING_TOKEN if name == "gitlab-signed" else sent.SECRET
    set_up(world, webhook=name.removesuffix("-signed"))
    world.reader.put("home", BLOG)
    world.secrets.known[HOOK] = secret
    async with world.running() as daemon:
        world.reader.put("home", MORE)
        came = await daemon.service.test_webhook("home")
        assert (came.status, came.read, came.error) == (202, True, "")
        assert came.revision == world.reader.latest["home"].revision
        await daemon.queue.wait_idle()
        stands = hook(daemon)
        assert (stands.works, stands.heard_at) == (False, 0), "it shows nothing of what reaches it"
        assert stands.last == "a test of podvisor's own"
        world.reader.failures["home"] = Retry("it is down")
        await anyio.sleep(1)
        came = await daemon.service.test_webhook("home")
        assert (came.read, came.error) == (False, "it is down")


async def test_a_test_that_cannot_be_says_what_to_do(hooked, actions):
    async with actions.running() as daemon:
        with pytest.raises(Stalled, match="only GitHub can make its tokens"):
            await daemon.service.test_webhook("home")
        with pytest.raises(Stalled, match="no source or registry named away"):
            await daemon.service.test_webhook("away")
    set_up(hooked, webhook="")
    async with hooked.running() as daemon:
        with pytest.raises(Stalled, match="takes no webhooks"):
            await daemon.service.test_webhook("home")
    set_up(hooked, listen="")
    async with hooked.running() as daemon:
        with pytest.raises(Stalled, match="nothing listens"):
            await daemon.service.test_webhook("home")


async def test_a_poll_of_never_stays_so(hooked):
    set_up(hooked, source={"poll": Seconds(0)})
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        assert daemon.queue.due_in("source:home") is None


async def test_what_is_noted_is_small(hooked):
    async with hooked.running() as daemon:
        hooked.reader.put("home", MORE)
        await deliver(hooked)
        await daemon.queue.wait_idle()
        assert hooked.ledger.get(WebhookMemory, "home").works
    assert sent.SECRET not in hooked.path.read_bytes()
    proof = github.HOST.signature.sign(b"", secret=sent.SECRET, delivery="d", time=0)
    assert proof["x-hub-signature-256"] == f"sha256={sent.mac(b'')}"
