"""Pulling over Podman's API, and what it tells of it meanwhile."""

from typing import Any

import msgspec
import pytest

from supervisor.adapters.podman.client import PodmanClient
from supervisor.model.errors import Retry, Stalled
from supervisor.model.image import PullProgress
from supervisor.model.podman import PullLogins
from tests.fakes.podman import FakePodman

pytestmark = pytest.mark.anyio
IMAGE = "quay.io/a/b@sha256:" + "1" * 64


def line(layer: str, status: str, *bytes_of: int) -> dict[str, Any]:
    detail = dict(zip(("current", "total"), bytes_of, strict=False))
    return {"status": status, "progressDetail": detail, "id": layer}


async def pulled(client: PodmanClient, image: str = IMAGE) -> list[PullProgress]:
    heard: list[PullProgress] = []
    await client.pull(image, timeout_seconds=5, show=heard.append)
    return heard


async def test_how_far_it_is(podman: FakePodman, client: PodmanClient) -> None:
    podman.told_lines = [
        line("a", "Already exists"),
        line("b", "Pulling fs layer"),
        line("b", "Downloading", 40, 100),
        line("b", "Downloading", 40, 100),
        line("b", "Download complete"),
        {"status": "odd"},
        {"status": 1, "id": "x"},
        {"status": "Downloading", "id": "c", "progressDetail": {"current": "x", "total": 7}},
        {"status": "Downloading", "id": "c", "progressDetail": "x"},
    ]
    assert await pulled(client) == [
        PullProgress(layers=1, layers_here=1),
        PullProgress(layers=2, layers_here=1),
        PullProgress(layers=2, layers_here=1, bytes=40, total=100),
        PullProgress(layers=2, layers_here=2, bytes=100, total=100),
        PullProgress(layers=3, layers_here=2, bytes=100, total=107),
    ]
    asked = [one for one in podman.asked if one.startswith("POST")]
    assert asked == [f"POST images/create?fromImage={IMAGE}"]


async def test_what_is_there_is_not_pulled(podman: FakePodman, client: PodmanClient) -> None:
    podman.add_image(IMAGE)
    assert await pulled(client) == []
    assert not [one for one in podman.asked if one.startswith("POST")]


async def test_what_is_there_is_verified_anew(podman: FakePodman, client: PodmanClient) -> None:
    """Podman verifies signatures where it asks the registry, and says when it is done."""
    podman.add_image(IMAGE)
    await client.pull(IMAGE, timeout_seconds=5, anew=True)
    assert podman.asked[-1] == f"POST images/pull?reference={IMAGE}&policy=always"
    podman.pull_lines = [{"error": "Source image rejected: A signature was required"}]
    with pytest.raises(Stalled):
        await client.pull(IMAGE, timeout_seconds=5, anew=True)
    podman.pull_lines = [{"stream": "Trying to pull"}]
    with pytest.raises(Retry, match="hung up before it was done"):
        await client.pull(IMAGE, timeout_seconds=5, anew=True)


async def test_why_it_failed_is_asked_of_podmans_own(
    podman: FakePodman, client: PodmanClient
) -> None:
    words = "Source image rejected: Running image docker://quay.io/a/b:1 is rejected by policy."
    podman.pull_lines = [{"error": words}]
    with pytest.raises(Stalled, match="lets nobody pull it"):
        await pulled(client, "quay.io/a/b:1")
    assert podman.asked[-1] == "POST images/pull?reference=quay.io/a/b:1&policy=missing"


async def test_where_a_mirrors_signatures_should_be(
    podman: FakePodman, client: PodmanClient
) -> None:
    rejected = "Source image rejected: A signature was required, but no signature exists"
    podman.pull_lines = [{"error": rejected}]
    podman.registries = {"quay.io": {"Location": "quay.io", "Mirrors": [{"Location": "m.example"}]}}
    with pytest.raises(Retry) as failure:
        await pulled(client, "quay.io/a/b:1")
    assert "for m.example/a/b and quay.io/a/b" in failure.value.hint
    podman.errors["GET info"] = (500, "it is locked")
    podman.registries = {}
    with pytest.raises(Retry, match="signature"):
        await pulled(client, "quay.io/a/b:1")


async def test_what_fails_in_the_middle_is_said_once(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.told_lines = [
        line("a", "Pulling fs layer"),
        {"errorDetail": {"message": "x"}, "error": "write /a: no space left on device"},
    ]
    with pytest.raises(Retry, match="the disk filled up in the middle"):
        await pulled(client)
    assert "images/pull" not in podman.asked[-1]


async def test_whoever_hears_of_it_can_end_it(podman: FakePodman, client: PodmanClient) -> None:
    podman.told_lines = [line("a", "Downloading", 1, 10**12), line("a", "Download complete")]
    heard: list[PullProgress] = []

    def show(progress: PullProgress) -> None:
        heard.append(progress)
        raise Retry("it does not fit")

    with pytest.raises(Retry, match="it does not fit"):
        await client.pull(IMAGE, timeout_seconds=5, show=show)
    assert len(heard) == 1


async def test_a_short_name_is_podmans_to_resolve(podman: FakePodman, client: PodmanClient) -> None:
    podman.told_lines = []
    await pulled(client, "nginx")
    assert podman.asked[-1] == "POST images/pull?reference=nginx&policy=missing"


async def test_what_is_free(client: PodmanClient, podman: FakePodman) -> None:
    room = await client.room()
    assert room
    assert room.layers == room.downloads == str(podman.root)
    assert room.is_one
    assert room.layers_free > 0
    podman.root.rename(podman.root.with_name("gone"))
    assert await client.room() is None


async def pulled_by(podman: FakePodman, authfile: str, image: str = IMAGE, **logins: Any) -> None:
    async def read(*asked: str) -> PullLogins:
        assert asked == (image, authfile)
        return PullLogins(config=msgspec.json.encode(logins), has_login=bool(logins))

    client = PodmanClient(podman.socket, logins=read)
    await client.pull(image, timeout_seconds=5, authfile=authfile)


@pytest.mark.parametrize("image", [IMAGE, "b"])
async def test_the_logins_of_an_authfile_come_along(podman: FakePodman, image: str) -> None:
    logins = {"quay.io": {"username": "pi", "password": "raspberry?>"}}
    podman.told_lines = []
    podman.private[image] = logins
    await pulled_by(podman, "/a.json", image, **logins)
    assert podman.logins == [logins]


async def test_a_login_that_is_refused_or_lacking_is_said_by_its_file(podman: FakePodman) -> None:
    podman.private[IMAGE] = {"quay.io": {}}
    with pytest.raises(Stalled, match=r"/a\.json has no login for quay\.io: auth") as lacking:
        await pulled_by(podman, "/a.json")
    assert lacking.value.hint.startswith("podman login --authfile /a.json quay.io;")
    logins = {"quay.io": {"username": "pi", "password": "hidden"}}
    with pytest.raises(Stalled, match=": authentication required") as refused:
        await pulled_by(podman, "/a.json", **logins)
    assert "no login" not in str(refused.value)
    shown = PullLogins(config=msgspec.json.encode(logins), has_login=True)
    assert "hidden" not in f"{refused.value!r} {refused.value.hint} {shown!r}"


async def test_without_an_authfile_podman_logs_in_as_it_does(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.told_lines = []
    await pulled(client)
    assert podman.logins == [None]
