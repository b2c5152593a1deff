"""Registries' webhooks, from what comes in to the images that are asked about, in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.core.registryhost.proofs import path_token
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import RegistryWebhookSettings, WebhookSettings
from tests.fakes import registry_webhooks as sent
from tests.fakes.webhooks import SECRET, as_json

pytestmark = pytest.mark.anyio
HOOK = SecretRef("file:/secret")
LISTEN = "127.0.0.1:9078"
EVENT = sent.distribution_event
PEER = "198.51.100.7"


@pytest.fixture
def hooked(world):
    """A world that hears the registry `ours`, a Distribution."""
    return set_up(world, "distribution")


def set_up(world, sender, *, registry="", **webhooks):
    ours = RegistryWebhookSettings(sender=sender, secret=HOOK, registry=registry)
    webhooks = {"listen": LISTEN} | webhooks
    settings = WebhookSettings(registries={"ours": ours}, **webhooks)
    world.settings = msgspec.structs.replace(world.settings, webhooks=settings)
    world.secrets.known[HOOK] = SECRET
    return world


class Follower:
    """Follows some images, and remembers what it was told."""

    def __init__(self, world, *images):
        self.images = images
        self.heard = []
        for one in world.listener.router.receivers:
            if hasattr(one, "told"):
                one.told = self

    def __call__(self, images):
        self.heard.append(images)
        return [one for one in images if one.startswith(self.images)]


async def deliver(world, payload, *, sender="distribution", path="/hooks/images/ours", **more):
    """A delivery; returns the status of the answer and its text."""
    body = payload if isinstance(payload, bytes) else as_json(payload)
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    headers |= sent.proof(sender, body, secret=more.pop("secret", SECRET))
    return await world.listener.knock(path, headers=headers, body=body, **{"peer": PEER, **more})


def stands(daemon):
    (one,) = daemon.service.status().registry_webhooks
    return one


def hook_events(world):
    return [one for one in world.events(EventKind.WEBHOOK) if "listening" not in one.reason]


@pytest.mark.parametrize(("sender", "payload", "headers", "image"), sent.PUSHES.values())
async def test_every_sender(world, sender, payload, headers, image):
    set_up(world, sender, registry=sent.REGISTRY.get(sender, ""))
    path = "/hooks/images/ours"
    if not sent.proof(sender, b""):
        path += f"/{path_token(SECRET, 'ours')}"
    async with world.running() as daemon:
        follower = Follower(world, image)
        status, text = await deliver(world, payload, sender=sender, path=path, headers=headers)
        assert (status, text) == (202, f"podvisor asks for {image}")
        assert follower.heard == [(image,)]
        assert stands(daemon).accepted == 1
        wrong = {"path": path[:-1] + "-"} if path.count("/") > 3 else {"secret": b"wrong"}
        more = {"sender": sender, "path": path, "headers": headers} | wrong
        assert (await deliver(world, payload, **more))[0] == 401
        assert (stands(daemon).accepted, stands(daemon).refused) == (1, 1)
        assert follower.heard == [(image,)]
    (pushed, refused) = hook_events(world)
    assert pushed.reason == f"pushed: {image}"
    assert not refused.ok
    assert SECRET.decode() not in str(world.events())
    assert path_token(SECRET, "ours") not in str(world.events())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"events": [EVENT("pull")]}, "it is of no image that was pushed"),
        ({"events": [EVENT(tag=None)]}, "it is of a manifest without a tag"),
        ({"events": [EVENT(repository="you/else")]}, "nothing here follows registry.example.org"),
        (b"[" * 100_000, "cannot read it"),
        (b"\xff", "cannot read it"),
        ({"events": 5}, "cannot read it"),
    ],
)
async def test_what_is_authentic_is_never_sent_again(hooked, payload, why):
    async with hooked.running() as daemon:
        Follower(hooked, "registry.example.org:5000/me/web")
        status, text = await deliver(hooked, payload)
        assert status == 202
        assert text.startswith(f"ignored: {why}")
        assert (stands(daemon).accepted, stands(daemon).ignored) == (0, 1)
        assert stands(daemon).last_ignored
        assert stands(daemon).heard_at == hooked.clock.now()
        assert not daemon.queue.is_busy()
    assert hook_events(hooked) == []


async def test_a_storm_is_answered_and_told_of_seldom(hooked):
    async with hooked.running() as daemon:
        follower = Follower(hooked, "registry.example.org:5000/me/web")
        began = anyio.current_time()
        for _ in range(1_000):
            assert (await deliver(hooked, sent.DISTRIBUTION))[0] == 202
        assert anyio.current_time() - began < 0.001
        assert len(follower.heard) == stands(daemon).accepted == 1_000
    assert len(hook_events(hooked)) == 1


@pytest.mark.parametrize(
    ("sender", "path", "status"),
    [
        ("distribution", "/hooks/images", 404),
        ("distribution", "/hooks/images/", 404),
        ("distribution", "/hooks/images/other", 404),
        ("distribution", "/hooks/images/ours/", 404),
        ("distribution", f"/hooks/images/ours/{path_token(SECRET, 'ours')}", 404),
        ("distribution", "/hooks/ours", 404),
        ("docker-hub", "/hooks/images/ours", 404),
        ("docker-hub", "/hooks/images/ours/", 401),
        ("docker-hub", f"/hooks/images/ours/{path_token(SECRET, 'another')}", 401),
        ("docker-hub", f"/hooks/images/ours/{path_token(SECRET, 'ours')}/", 401),
    ],
)
async def test_paths_that_are_nobodys(world, sender, path, status):
    set_up(world, sender)
    async with world.running() as daemon:
        said, text = await deliver(world, sent.DOCKER_HUB, sender=sender, path=path)
        assert said == status
        assert path_token(SECRET, "ours") not in text
        assert sum(daemon.service.status().webhooks.refused.values()) == 1


async def test_a_secret_that_cannot_be_read_is_said_and_the_registry_tries_again(hooked):
    hooked.secrets.known.clear()
    async with hooked.running() as daemon:
        await daemon.service.look()
        assert stands(daemon).problem == "cannot read file:/secret (make it)"
        status, text = await deliver(hooked, sent.DISTRIBUTION)
        assert (status, text) == (503, "refused: it cannot be checked at present")
        hooked.secrets.known[HOOK] = b"another"
        assert (await deliver(hooked, sent.DISTRIBUTION, secret=b"another"))[0] == 202
        assert stands(daemon).problem == ""


async def test_who_guesses_is_not_heard_for_a_while(world):
    set_up(world, "docker-hub", refusals_per_minute=5)
    good = f"/hooks/images/ours/{path_token(SECRET, 'ours')}"
    async with world.running():
        for _ in range(5):
            assert (await deliver(world, {}, path="/hooks/images/ours/guess"))[0] == 401
        assert (await deliver(world, sent.DOCKER_HUB, path=good))[0] == 429
        assert (await deliver(world, sent.DOCKER_HUB, path=good, peer="203.0.113.9"))[0] == 202


async def test_when_it_was_heard_outlives_the_daemon(hooked):
    async with hooked.running():
        await anyio.sleep(5)
        await deliver(hooked, {"events": []})
        heard_at = hooked.clock.now()
    async with hooked.running() as daemon:
        assert stands(daemon).heard_at == pytest.approx(heard_at, abs=1)
        assert stands(daemon).ignored == 0


async def test_other_settings_count_at_once(hooked):
    async with hooked.running() as daemon:
        await deliver(hooked, {"events": []})
        set_up(hooked, "harbor")
        await daemon.lifecycle.take_settings(hooked.settings)
        assert stands(daemon).sender == "harbor"
        status, text = await deliver(hooked, {"type": "PULL_ARTIFACT"}, sender="harbor")
        assert (status, text) == (202, "ignored: it is no push but “PULL_ARTIFACT”")
        plain = msgspec.structs.replace(hooked.settings, webhooks=WebhookSettings(listen=LISTEN))
        await daemon.lifecycle.take_settings(plain)
        assert daemon.service.status().registry_webhooks == ()
        assert (await deliver(hooked, {}))[0] == 404


async def test_a_registry_that_goes_while_it_is_heard(hooked):
    answers = []

    async def tell():
        answers.append(await deliver(hooked, sent.DISTRIBUTION))

    async with hooked.running() as daemon, anyio.create_task_group() as tasks:
        hooked.secrets.slow[HOOK] = 1
        tasks.start_soon(tell)
        await anyio.sleep(0.5)
        plain = msgspec.structs.replace(hooked.settings, webhooks=WebhookSettings(listen=LISTEN))
        await daemon.lifecycle.take_settings(plain)
        await anyio.sleep(1)
        assert answers == [(404, "refused: nobody takes webhooks on /hooks/images/ours")]


@pytest.mark.parametrize("sender", ["distribution", "ghcr", "docker-hub", "quay", "zot", "generic"])
async def test_podvisor_tests_it_itself(world, sender):
    set_up(world, sender, registry="registry.example.org:5000" if sender == "zot" else "")
    async with world.running() as daemon:
        came = await daemon.service.test_webhook("ours")
        assert came.is_registry
        assert came.status == 202
        assert came.answer.startswith("ignored: nothing here follows ")
        assert path_token(SECRET, "ours") not in str(came)
        with pytest.raises(Stalled, match="no source or registry named away"):
            await daemon.service.test_webhook("away")
