"""Sources that are artifacts: when they are read, in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry
from supervisor.model.events import EventKind
from supervisor.model.setting_types import Seconds, SecretRef
from supervisor.model.settings import (
    RegistryWebhookSettings,
    SourceSettings,
    WebhookSettings,
)
from tests.fakes import registry_webhooks as sent
from tests.fakes.webhooks import SECRET, as_json

pytestmark = pytest.mark.anyio
HOOK = SecretRef("file:/secret")
BLOG = {"blog/blog.container": "v=1"}
ARTIFACT = "registry.example.org:5000/me/apps:main"


@pytest.fixture
def followed(world):
    """A world whose one source is an artifact, and that hears its registry."""
    registries = {"ours": RegistryWebhookSettings(sender="distribution", secret=HOOK)}
    source = SourceSettings(oci=ARTIFACT, poll=Seconds(300))
    world.settings = msgspec.structs.replace(
        world.settings,
        sources={"home": source},
        webhooks=WebhookSettings(listen="127.0.0.1:9078", registries=registries),
    )
    world.secrets.known[HOOK] = SECRET
    return world


async def pushed(world, *, repository="me/apps", tag="main"):
    """Tell of a push; returns the text of the answer."""
    body = as_json({"events": [sent.distribution_event(repository=repository, tag=tag)]})
    headers = {"content-type": "application/json", **sent.proof("distribution", body)}
    return (await world.listener.knock("/hooks/images/ours", headers=headers, body=body))[1]


async def test_it_is_polled(followed):
    async with followed.running() as daemon:
        (source,) = daemon.service.status().sources
        assert source.location == ARTIFACT
        before = len(followed.reader.fetches)
        await anyio.sleep(3_000)
        assert 9 <= len(followed.reader.fetches) - before <= 11


async def test_a_push_has_it_read_at_once(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        before = len(followed.reader.fetches)
        followed.reader.put("home", BLOG)
        assert await pushed(followed) == f"podvisor asks for {ARTIFACT}"
        await daemon.queue.wait_idle()
        assert "blog" in followed.ledger.applied()
        await anyio.sleep(100)
        assert len(followed.reader.fetches) == before + 1


@pytest.mark.parametrize("after", [0.5, 5])
async def test_a_push_that_the_registry_does_not_know_yet_itself(followed, after):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await pushed(followed)
        await anyio.sleep(after)
        followed.reader.put("home", BLOG)
        await anyio.sleep(15)
        assert "blog" in followed.ledger.applied()
        before = len(followed.reader.fetches)
        await anyio.sleep(200)
        assert len(followed.reader.fetches) == before
        assert not daemon.queue.is_busy()


async def test_a_push_of_which_nothing_comes_is_looked_for_twice_more(followed):
    async with followed.running():
        await anyio.sleep(10)
        before = len(followed.reader.fetches)
        await pushed(followed)
        await anyio.sleep(100)
        assert len(followed.reader.fetches) == before + 3


@pytest.mark.parametrize("other", [{"repository": "me/other"}, {"tag": "other"}])
async def test_a_push_of_something_else_is_nothing(followed, other):
    async with followed.running():
        await anyio.sleep(10)
        before = len(followed.reader.fetches)
        assert (await pushed(followed, **other)).startswith("ignored: nothing here follows")
        await anyio.sleep(100)
        assert len(followed.reader.fetches) == before


async def test_a_storm_is_few_reads(followed):
    async with followed.running():
        await anyio.sleep(10)
        before = len(followed.reader.fetches)
        for _ in range(1_000):
            await pushed(followed)
        await anyio.sleep(100)
        assert len(followed.reader.fetches) <= before + 4


async def test_one_that_is_not_signed_yet_is_tried_again_soon(followed):
    followed.reader.failures["home"] = Retry("it is not signed", hint="sign it")
    async with followed.running() as daemon:
        (source,) = daemon.service.status().sources
        assert source.error == "it is not signed (sign it)"
        del followed.reader.failures["home"]
        followed.reader.put("home", BLOG)
        await anyio.sleep(8)
        assert "blog" in followed.ledger.applied()


# How often, while webhooks tell

HOUR = 3_600.0


async def told_of(world, daemon, files, *, late=0.0):
    """Push, and have the registry tell of it, so long before it knows of that itself."""
    await pushed(world)
    if late:
        await anyio.sleep(late)
    world.reader.put("home", files)
    await anyio.sleep(20)
    await daemon.queue.wait_idle()


async def polls(world, seconds):
    before = len(world.reader.fetches)
    await anyio.sleep(seconds)
    return len(world.reader.fetches) - before


def version(number):
    return {"blog/blog.container": f"v={number}"}


@pytest.mark.parametrize("late", [0.0, 0.5, 5.0])
async def test_it_is_polled_seldom_while_webhooks_tell_of_what_changes_and_never_never(
    followed, late
):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await told_of(followed, daemon, version(1), late=late)
        assert "blog" in followed.ledger.applied()
        assert 9 <= await polls(followed, 10 * HOUR) <= 11
        said = [one.reason for one in followed.events(EventKind.WEBHOOK)]
        assert said[-1] == "webhooks arrive: it is polled less often"
    async with followed.running():
        assert 9 <= await polls(followed, 10 * HOUR) <= 11


async def test_it_is_polled_as_told_again_when_no_webhook_told_of_a_change(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await told_of(followed, daemon, version(1))
        followed.reader.put("home", version(2))
        await anyio.sleep(1.1 * HOUR)
        assert 11 <= await polls(followed, HOUR) <= 13


async def test_a_webhook_of_which_nothing_comes_does_not_make_polls_seldom(followed):
    async with followed.running():
        await anyio.sleep(10)
        for _ in range(3):
            await pushed(followed)
            await anyio.sleep(600)
        assert 11 <= await polls(followed, HOUR) <= 13


async def test_what_a_poll_finds_does_not_count_as_told(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await pushed(followed)
        await anyio.sleep(100)
        await followed.push(daemon, version(1))
        assert 11 <= await polls(followed, HOUR) <= 13


async def test_while_nobody_can_be_heard_it_is_polled_as_told(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await told_of(followed, daemon, version(1))
        followed.listener.taken.add("127.0.0.1:9079")
        webhooks = msgspec.structs.replace(followed.settings.webhooks, listen="127.0.0.1:9079")
        await daemon.settings.take(msgspec.structs.replace(followed.settings, webhooks=webhooks))
        await daemon.queue.wait_idle()
        assert 11 <= await polls(followed, HOUR) <= 13


async def test_without_registries_that_tell_it_is_polled_as_told(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await told_of(followed, daemon, version(1))
    followed.settings = msgspec.structs.replace(
        followed.settings, webhooks=WebhookSettings(listen="127.0.0.1:9078")
    )
    async with followed.running():
        assert 11 <= await polls(followed, HOUR) <= 13


async def test_it_is_polled_as_told_once_no_registry_is_to_tell_any_more(followed):
    async with followed.running() as daemon:
        await anyio.sleep(10)
        await told_of(followed, daemon, version(1))
        webhooks = WebhookSettings(listen="127.0.0.1:9078")
        await daemon.settings.take(msgspec.structs.replace(followed.settings, webhooks=webhooks))
        await daemon.queue.wait_idle()
        assert 11 <= await polls(followed, HOUR) <= 13
