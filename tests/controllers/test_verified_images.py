"""Images that somebody has to have signed, on the whole daemon in virtual time."""

import anyio
import msgspec
import pytest

from supervisor.controllers.keys import Kind
from supervisor.model.errors import Stalled
from supervisor.model.events import EventKind
from supervisor.model.image import VerifiedImage
from supervisor.model.image_status import UpdateRequest
from supervisor.model.need import NeedKind
from supervisor.model.podman import Mirror, RegistryRule
from supervisor.model.setting_types import SecretRef
from supervisor.model.settings import RegistryWebhookSettings, WebhookSettings
from supervisor.model.status import AppState, OrderRequest, SyncRequest
from tests.fakes import registry_webhooks as sent
from tests.fakes.ports import oid
from tests.fakes.webhooks import SECRET, as_json

pytestmark = pytest.mark.anyio

NAME = "reg.example/web"
A, B = (f"{NAME}@sha256:{letter * 64}" for letter in "ab")
PULL = 60
ME = frozenset({"me"})


def web(image: str, *more: str) -> dict[str, str]:
    """An app that runs this image; what stands behind the # is no part of what systemd runs."""
    return {"web/web.container": " ".join((f"image={image}", "#", *more))}


@pytest.fixture
def world(world):
    world.podman.registry.update((A, B))
    return world


async def deploy(world, daemon, files):
    world.reader.put("home", files)
    daemon.queue.add("source:home")
    await anyio.sleep(PULL + 30)
    await daemon.queue.wait_idle()


def waits(daemon, app="web"):
    (status,) = (one for one in daemon.service.status().apps if one.name == app)
    return [str(need) for need in status.waiting if need.kind is NeedKind.IMAGE]


def runs(world, unit="web.service"):
    """The image of a unit that runs."""
    digests = {oid(f"image={image}"): image for image in (A, B)}
    return digests.get(world.machine.running.get(unit))


async def tell(_):
    pass


async def sync(daemon, *apps):
    await daemon.service.sync(SyncRequest(apps=apps), tell)


async def test_what_nobody_verifies_is_not_run(world):
    world.podman.signed[A] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(10)
        assert "web.service" not in world.machine.running
        assert not world.podman.pulls, "and nothing is fetched for nothing"
        (need,) = waits(daemon)
        assert "asks for a signature with me.pub" in need
        assert "policy.json, its entry, does not (podvisor trust" in need
        world.podman.demands[NAME] = ME
        await sync(daemon, "web")
        assert runs(world) == A
        assert not waits(daemon)
        assert world.ledger.get(VerifiedImage, A) == VerifiedImage(keys=("me",))


async def test_where_its_signatures_lie(world):
    """Podman fetches by a mirror's name what it verifies by the image's."""
    mirror = Mirror(location="m.example/cache")
    world.podman.rules = (RegistryRule(prefix="reg.example", mirrors=(mirror,)),)
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(10)
        (asked,) = (await daemon.service.signatures()).images
    assert asked.repository == NAME
    assert asked.fetched_as == ("m.example/cache/web", NAME)


async def test_another_key_than_podman_asks_for_is_none(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = frozenset({"somebody"})
    world.reader.put("home", web(A, "verify=me"))
    async with world.running():
        await anyio.sleep(10)
        assert "web.service" not in world.machine.running


async def test_what_is_not_signed_leaves_the_former_one_running(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        await deploy(world, daemon, web(B, "verify=me"))
        assert runs(world) == A
        assert "no signature exists" in waits(daemon)[0]
        # It is signed a moment later, as cosign does it: the next try takes it.
        world.podman.signed[B] = ME
        await anyio.sleep(2 * PULL + 200)
        assert runs(world) == B


# What a registry tells

HOOK = SecretRef("file:/secret")


async def signed(world, image):
    """Tell of a signature of an image; returns the text of the answer."""
    name, _, of = image.partition("@")
    host, _, repository = name.partition("/")
    event = sent.distribution_event(tag=f"{of.replace(':', '-')}.sig", repository=repository)
    event["request"]["host"] = host
    body = as_json({"events": [event]})
    headers = {"content-type": "application/json", **sent.proof("distribution", body)}
    return (await world.listener.knock("/hooks/images/ours", headers=headers, body=body))[1]


@pytest.fixture
def hearing(world):
    registries = {"ours": RegistryWebhookSettings(sender="distribution", secret=HOOK)}
    webhooks = WebhookSettings(listen="127.0.0.1:9078", registries=registries)
    world.settings = msgspec.structs.replace(world.settings, webhooks=webhooks)
    world.secrets.known[HOOK] = SECRET
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    return world


@pytest.mark.parametrize("late", [-1.0, 0.5, 65.0])
async def test_a_signature_of_which_a_registry_tells_has_its_image_tried_at_once(hearing, late):
    """Whether it is there when that is told, or a moment later."""
    async with hearing.running() as daemon:
        await deploy(hearing, daemon, web(B, "verify=me"))
        await anyio.sleep(3 * 3_600)
        assert runs(hearing) == A
        if late < 0:
            hearing.podman.signed[B] = ME
        assert await signed(hearing, B) == f"podvisor looks for the signature of {B}"
        if late > 0:
            await anyio.sleep(PULL + late)
            hearing.podman.signed[B] = ME
        await anyio.sleep(2 * PULL + 20)
        assert runs(hearing) == B
        said = [one.reason for one in hearing.events(EventKind.WEBHOOK)]
        assert said[-1] == f"signed: {B}"


async def test_the_signature_of_what_a_list_has_for_this_platform_is_one_of_the_image(hearing):
    """As `cosign sign --recursive` makes it, after that of the list itself."""
    async with hearing.running() as daemon:
        await deploy(hearing, daemon, web(B, "verify=me"))
        await anyio.sleep(3 * 3_600)
        assert runs(hearing) == A
        hearing.podman.signed[B] = ME
        await signed(hearing, f"{NAME}@sha256:{'c' * 64}")
        await anyio.sleep(2 * PULL + 20)
        assert runs(hearing) == B


async def test_a_signature_that_comes_while_its_image_is_pulled_is_not_missed(hearing):
    async with hearing.running() as daemon:
        await anyio.sleep(2 * PULL)
        hearing.reader.put("home", web(B, "verify=me"))
        daemon.queue.add("source:home")
        await anyio.sleep(PULL / 2)
        await signed(hearing, B)
        await anyio.sleep(PULL / 2 + 10)
        hearing.podman.signed[B] = ME
        await anyio.sleep(PULL + 5)
        assert runs(hearing) == B


async def test_a_signature_of_which_nothing_comes_is_looked_for_twice_more(hearing):
    async with hearing.running() as daemon:
        await deploy(hearing, daemon, web(B, "verify=me"))
        await anyio.sleep(3 * 3_600)
        before = len(hearing.podman.pulls)
        await signed(hearing, B)
        await anyio.sleep(15 * 60)
        assert len(hearing.podman.pulls) == before + 3


@pytest.mark.parametrize(
    ("wanted", "other"), [(B, B.replace("web", "other")), (A, B), (A, f"{NAME}@sha256:{'c' * 64}")]
)
async def test_a_signature_of_what_nobody_waits_for_is_no_news(hearing, wanted, other):
    async with hearing.running() as daemon:
        await deploy(hearing, daemon, web(wanted, "verify=me"))
        await anyio.sleep(3 * 3_600)
        before = len(hearing.podman.pulls), len(hearing.registry.asked)
        assert (
            await signed(hearing, other)
            == f"ignored: nothing here waits for a signature of {other}"
        )
        await anyio.sleep(60)
        assert (len(hearing.podman.pulls), len(hearing.registry.asked)) == before


async def test_a_person_has_it_tried_at_once(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))

    async def retry():
        await daemon.service.retry(OrderRequest(apps=("web",)), tell)

    async with world.running() as daemon:
        await deploy(world, daemon, web(B, "verify=me"))
        await anyio.sleep(3600)
        world.podman.signed[B] = ME
        await retry()
        assert runs(world) == B
        await anyio.sleep(600)
        with pytest.raises(Stalled, match="nothing failed"):
            await retry()


async def test_what_was_here_before_is_verified_before_it_counts(world):
    """Podman verifies what it pulls, not what is here: so it is asked to pull it again."""
    world.machine.images.add(A)
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A))
    async with world.running() as daemon:
        await anyio.sleep(10)
        assert runs(world) == A
        assert not world.podman.pulls
        await deploy(world, daemon, web(A, "verify=me"))
        assert world.podman.pulls
        assert "no signature exists" in waits(daemon)[0]
        assert runs(world) == A, "it is left as it is"
        world.podman.signed[A] = ME
        await sync(daemon, "web")
        assert not waits(daemon)
        (status,) = daemon.service.status().apps
        assert status.state is AppState.READY


async def test_what_was_verified_is_not_asked_for_again(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        assert world.podman.pulls == [A]
        # Neither a policy that somebody loosened, nor a registry that is down, matters to it.
        world.podman.demands.clear()
        world.podman.registry.clear()
        world.machine.stop("web.service")
        world.machine.failed.add("web.service")
        daemon.queue.add(Kind.APP.key("web"))
        await anyio.sleep(60)
        await daemon.queue.wait_idle()
        assert runs(world) == A
        assert world.podman.pulls == [A]


async def test_another_key_is_another_question(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        await deploy(world, daemon, web(A, "verify=you"))
        assert "asks for a signature with you.pub" in waits(daemon)[0]
        assert runs(world) == A


async def test_what_is_pulled_ahead_is_verified_then(world):
    def push(image):
        world.registry.repositories[NAME] = {"1": image.partition("@")[2]}
        world.podman.signed[image] = ME

    follows = "track=digest update=download verify=me"
    world.podman.demands[NAME] = ME
    world.reader.put("home", {"web/web.container": f"image={NAME}:1 # {follows}"})
    push(A)
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        assert world.podman.pulls == [A]
        push(B)
        daemon.queue.add(Kind.IMAGE_CHECK.key(f"{NAME}:1 digest"))
        await anyio.sleep(PULL + 30)
        assert world.podman.pulls == [A, B]
        world.podman.registry.clear()
        await daemon.service.update(UpdateRequest(now=True), tell)
        assert world.machine.images >= {A, B}
        assert not waits(daemon)
        (image,) = (await daemon.service.images("web")).images
        assert image.running
        assert image.running.runs == B


async def test_a_tag_is_nothing_that_could_be_verified(world):
    tag = f"{NAME}:1"
    world.podman.registry.add(tag)
    world.podman.signed[tag] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(tag, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        assert "web.service" not in world.machine.running
        assert "may change afterwards" in waits(daemon)[0]


async def test_one_app_that_asks_for_too_much_keeps_no_other(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    files = {
        "a/a.container": f"image={A}",
        "b/b.container": f"image={A} # verify=me",
        "c/c.container": f"image={A} # verify=you",
    }
    world.reader.put("home", files)
    async with world.running() as daemon:
        await anyio.sleep(2 * PULL + 60)
        assert runs(world, "a.service") == runs(world, "b.service") == A
        assert "c.service" not in world.machine.running
        assert not waits(daemon, "a")
        assert not waits(daemon, "b")
        assert "you.pub" in waits(daemon, "c")[0]
        told = [one for one in world.events(EventKind.WAITING) if not one.ok]
        assert {one.app for one in told} == {"c"}


async def test_a_policy_that_changes_during_the_pull_proves_nothing(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running(first_pass=False):
        await anyio.sleep(PULL / 2)
        world.podman.demands.clear()
        await anyio.sleep(PULL)
        assert "web.service" not in world.machine.running


async def test_what_is_gone_is_verified_anew(world):
    world.podman.signed[A] = ME
    world.podman.demands[NAME] = ME
    world.reader.put("home", web(A, "verify=me"))
    async with world.running() as daemon:
        await anyio.sleep(PULL + 30)
        world.machine.images.clear()
        daemon.queue.add(Kind.KEPT_IMAGES)
        await daemon.queue.wait_idle()
        assert world.ledger.get(VerifiedImage, A) is None
