"""Sources that are artifacts: when they are read, in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.model.errors import Retry
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
