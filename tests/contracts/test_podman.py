"""The `Podman` port; the real adapter against an API of our own."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.registry.client import pull_logins
from supervisor.controllers.ports import Podman
from supervisor.model.errors import Retry, Stalled
from supervisor.model.image import StoredImage
from supervisor.model.secret import (
    APP_LABEL,
    CERTIFICATE_LABEL,
    CONTENT_LABEL,
    MADE_OF_LABEL,
    REMOVAL_LABEL,
    OwnedSecret,
)
from tests.fakes.machine import Machine
from tests.fakes.podman import FakePodman as FakeApi
from tests.fakes.ports import FakePodman

pytestmark = pytest.mark.anyio
PINNED = "localhost:5000/x@sha256:" + "1" * 64
LABELS = {APP_LABEL: "web", MADE_OF_LABEL: "m", CONTENT_LABEL: "c", REMOVAL_LABEL: "never"}


class FakeSide:
    def __init__(self, _: Path) -> None:
        self.machine = Machine()
        self.podman = FakePodman(self.machine)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def has(self, *, image: str, network: str, volume: str) -> None:
        self.machine.images.add(image)
        self.machine.networks.add(network)
        self.machine.volumes.add(volume)

    def has_user(self, volume: str) -> None:
        self.podman.in_use.add(volume)

    def pulled(self, image: str, *digests: str) -> None:
        self.machine.images.add(image)
        self.podman.digests[image] = digests

    def has_secret(self, name: str) -> None:
        self.podman.has_secret(name, b"theirs")

    def has_private(self, image: str, authfile: Path) -> None:
        self.podman.private[image] = str(authfile)
        self.podman.registry.add(image)
        self.podman.pull_seconds = 0.0

    async def is_gone(self) -> None:
        self.podman.down = True

    async def is_back(self) -> None:
        self.podman.down = False


class RealSide:
    def __init__(self, folder: Path) -> None:
        self.api = FakeApi(folder)
        self.podman = PodmanClient(self.api.socket, logins=pull_logins)

    async def open(self) -> None:
        await self.api.serve()

    async def close(self) -> None:
        await self.api.close()

    def has(self, *, image: str, network: str, volume: str) -> None:
        self.api.add_image(image)
        self.api.add_network(network)
        self.api.add_volume(volume)

    def has_user(self, volume: str) -> None:
        labels = {"PODMAN_SYSTEMD_UNIT": "theirs.service"}
        user = {"Id": "0" * 64, "Names": ["theirs"], "Labels": labels, "State": "running"}
        self.api.containers.append(user)
        self.api.volume_users[volume] = [user]

    def pulled(self, image: str, *digests: str) -> None:
        self.api.add_image(image)
        self.api.inspected_images[image] = {"Id": "1" * 64, "RepoDigests": list(digests)}

    def has_secret(self, name: str) -> None:
        self.api.add_secret(name, "1" * 25)
        self.api.secret_data[name] = b"theirs"

    def has_private(self, image: str, authfile: Path) -> None:
        login = {"auth": b64encode(b"pi:raspberry").decode()}
        authfile.write_text(json.dumps({"auths": {"quay.io": login}}))
        authfile.chmod(0o600)
        self.api.private[image] = {"quay.io": {"username": "pi", "password": "raspberry"}}
        self.api.told_lines = []

    async def is_gone(self) -> None:
        await self.api.close()

    async def is_back(self) -> None:
        await self.api.serve()


@pytest.fixture(params=[FakeSide, RealSide])
async def side(
    request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FakeSide | RealSide]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = request.param(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_what_is_not_asked_for_is_none(side: FakeSide | RealSide) -> None:
    side.has(image="localhost/x:1", network="net", volume="data")
    podman: Podman = side.podman
    found = await podman.inventory()
    assert (found.images, found.networks, found.volumes) == (None, None, None)
    assert (found.pods, found.secrets, found.containers) == (None, None, None)
    found = await podman.inventory(images=["localhost/x:1", "localhost/y:1"], volumes=True)
    assert found.images
    assert found.images.keys() == {"localhost/x:1"}
    assert found.volumes is not None
    assert "data" in found.volumes
    assert (found.networks, found.secrets) == (None, None)


async def test_who_uses_volumes(side: FakeSide | RealSide) -> None:
    podman: Podman = side.podman
    side.has_user("data")
    (user,) = await podman.volume_users(["data", "other"])
    assert (user.name, user.unit, user.pod) == ("theirs", "theirs.service", "")
    assert await podman.volume_users(["other"]) == ()
    assert await podman.volume_users([]) == ()


async def test_by_which_digests_an_image_is_known(side: FakeSide | RealSide) -> None:
    podman: Podman = side.podman
    digests = (f"quay.io/me/x@sha256:{'a' * 64}", f"quay.io/me/x@sha256:{'b' * 64}")
    side.pulled("quay.io/me/x:1", *digests)
    side.has(image="localhost/built:1", network="net", volume="data")
    assert await podman.image_digests("quay.io/me/x:1") == digests
    assert await podman.image_digests("localhost/built:1") == ()
    assert await podman.image_digests("quay.io/me/none:1") == ()


async def test_an_image_is_pulled_by_the_credentials_that_open_it(
    side: FakeSide | RealSide, tmp_path: Path
) -> None:
    podman: Podman = side.podman
    image, authfile = "quay.io/me/x:1", tmp_path / "auth.json"
    side.has_private(image, authfile)
    for other in ("", str(tmp_path / "none.json")):
        with pytest.raises(Stalled):
            await podman.pull(image, timeout_seconds=30, authfile=other)
    await podman.pull(image, timeout_seconds=30, authfile=str(authfile))


async def test_what_is_removed_is_gone_and_what_is_gone_is_well(side: FakeSide | RealSide) -> None:
    side.has(image="localhost/x:1", network="net", volume="data")
    podman: Podman = side.podman
    for _ in range(2):
        await podman.remove_network("net")
        await podman.remove_volume("data")
        await podman.remove_container("none")
        found = await podman.inventory(networks=True, volumes=True)
        assert found.networks is not None
        assert "net" not in found.networks
        assert found.volumes == frozenset()


async def test_an_image_goes_with_its_last_name_unless_that_is_only_taken_from_it(
    side: FakeSide | RealSide,
) -> None:
    podman: Podman = side.podman
    others = set(await podman.stored_images())

    async def added() -> set[StoredImage]:
        return set(await podman.stored_images()) - others

    side.has(image=PINNED, network="net", volume="data")
    (image,) = await added()
    assert (image.names, image.digests) == ((PINNED,), (PINNED.partition("@")[2],))
    for asked, name in ((PINNED, "localhost/a:1"), (image.id, "localhost/b:1"), ("none", "c:1")):
        await podman.tag_image(asked, name)
    (image,) = await added()
    assert sorted(image.names) == ["localhost/a:1", "localhost/b:1", PINNED]
    assert await podman.inventory(images=["localhost/a:1"]) != await podman.inventory(images=["c"])
    await podman.untag_image("localhost/a:1")
    for _ in range(2):
        await podman.remove_image(PINNED)
        (image,) = await added()
        assert image.names == ("localhost/b:1",)
    await podman.remove_image("localhost/b:1")
    await podman.untag_image("localhost/b:1")
    assert not await added()


async def test_secrets_that_podvisor_made_and_those_of_others(side: FakeSide | RealSide) -> None:
    podman: Podman = side.podman
    side.has_secret("theirs")
    with pytest.raises(Stalled, match="not podvisor's"):
        await podman.put_secret("theirs", b"ours", labels=LABELS)
    await podman.remove_secret("theirs")
    await podman.put_secret("own", b"one", labels=LABELS)
    found = await podman.inventory(secrets=True)
    assert found.secrets is not None
    assert found.secrets.keys() == {"theirs", "own"}
    assert found.secrets["own"] == "c", "what is in it, by podvisor's own mark"
    (own,) = found.owned_secrets.values()
    assert (own.app, own.made_of, own.content, own.stays) == ("web", "m", "c", True)
    await podman.put_secret("own", b"two", labels=LABELS)
    await podman.remove_secret("own")
    await podman.remove_secret("own")
    assert await podman.secret("own") is None


async def test_a_secret_that_holds_a_certificate_is_told_by_that(
    side: FakeSide | RealSide,
) -> None:
    """Its users take up another one by the certificate's version."""
    podman: Podman = side.podman
    labels = {APP_LABEL: "web", CERTIFICATE_LABEL: "tls", MADE_OF_LABEL: "one", REMOVAL_LABEL: "x"}
    for made_of in ("one", "two"):
        text = made_of.encode()
        await podman.put_secret("tls.key", text, labels=labels | {MADE_OF_LABEL: made_of})
        found = await podman.inventory(secrets=True)
        assert found.secrets == {"tls.key": "certificate tls"}
        owned = OwnedSecret(app="web", certificate="tls", made_of=made_of)
        assert found.owned_secrets == {"tls.key": owned}


async def test_health_of_what_is_gone_is_left_out(side: FakeSide | RealSide) -> None:
    podman: Podman = side.podman
    assert await podman.health(["0" * 64]) == {}
    assert await podman.failed_checks(["0" * 64]) == frozenset()
    assert await podman.played(["none.service"]) == ()
    await podman.set_health_interval("0" * 64, 30.0)


async def test_while_podman_does_not_answer_everything_is_tried_again(
    side: FakeSide | RealSide,
) -> None:
    podman: Podman = side.podman
    side.has(image="localhost/x:1", network="net", volume="data")
    await podman.put_secret("own", b"one", labels=LABELS)
    await side.is_gone()
    for asked in (
        podman.inventory(volumes=True),
        podman.pull("localhost/y:1", timeout_seconds=30),
        podman.image_digests("localhost/x:1"),
        podman.health(["0" * 64]),
        podman.secret("own"),
        podman.put_secret("own", b"two", labels=LABELS),
        podman.put_secret("new", b"two", labels=LABELS),
        podman.remove_secret("own"),
        podman.tag_image("localhost/x:1", "localhost/y:1"),
        podman.untag_image("localhost/x:1"),
        podman.remove_image("localhost/x:1"),
        podman.remove_container("none"),
        podman.remove_pod("none"),
        podman.remove_network("net"),
        podman.remove_volume("data"),
    ):
        with pytest.raises(Retry):
            await asked
    await side.is_back()
    found = await podman.inventory(networks=True, volumes=True, secrets=True)
    assert found.networks is not None
    assert "net" in found.networks
    assert (found.volumes, found.secrets) == (frozenset({"data"}), {"own": "c"})
    assert await podman.secret("own") == b"one"


async def test_what_is_asked_of_no_one_needs_no_podman(side: FakeSide | RealSide) -> None:
    podman: Podman = side.podman
    await side.is_gone()
    found = await podman.inventory()
    assert (found.images, found.volumes) == (None, None)
    assert await podman.failed_checks([]) == frozenset()
