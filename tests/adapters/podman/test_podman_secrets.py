"""Making, replacing and removing Podman's secrets; those of others are left alone."""

import pytest

from supervisor.adapters.podman.client import PodmanClient
from supervisor.model.errors import Retry, Stalled
from supervisor.model.secret import OwnedSecret
from tests.fakes.podman import FakePodman

LABELS = {
    "io.podvisor.app": "web",
    "io.podvisor.made-of": "m1",
    "io.podvisor.content": "c1",
    "io.podvisor.removal": "never",
}


async def test_makes_one_with_its_labels(podman: FakePodman, client: PodmanClient) -> None:
    await client.put_secret("db", b"\xff\x00 1", labels=LABELS)
    assert podman.secret_data["db"] == b"\xff\x00 1"
    found = await client.inventory(secrets=True)
    assert found.secrets == {"db": "c1"}, "what tells its content is not Podman's id"
    assert found.owned_secrets == {
        "db": OwnedSecret(app="web", made_of="m1", content="c1", stays=True)
    }


async def test_replaces_its_own(podman: FakePodman, client: PodmanClient) -> None:
    await client.put_secret("db", b"1", labels=LABELS)
    await client.put_secret("db", b"2", labels=LABELS | {"io.podvisor.content": "c2"})
    assert podman.secret_data["db"] == b"2"
    assert (await client.inventory(secrets=True)).secrets == {"db": "c2"}


async def test_replaces_its_own_where_podman_cannot(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.replaces = False
    await client.put_secret("db", b"1", labels=LABELS)
    await client.put_secret("db", b"2", labels=LABELS)
    assert podman.secret_data["db"] == b"2"


async def test_after_a_failure_it_asks_what_is_there(
    podman: FakePodman, client: PodmanClient
) -> None:
    await client.put_secret("db", b"1", labels=LABELS)
    podman.rest()
    assert (await client.inventory(secrets=True)).secrets == {"db": "c1"}
    podman.errors["POST secrets/create"] = (500, "it took too long")
    labels = LABELS | {"io.podvisor.content": "c2"}
    with pytest.raises(Retry):
        await client.put_secret("db", b"2", labels=labels)
    podman.secret_labels["db"] = labels  # it was made all the same
    assert (await client.inventory(secrets=True)).secrets == {"db": "c2"}


async def test_a_value_that_nobody_can_make_again_is_never_without_a_place(
    podman: FakePodman, client: PodmanClient
) -> None:
    podman.replaces = False
    await client.put_secret("db", b"1", labels=LABELS)
    old = podman.secrets["db"]
    podman.errors[f"DELETE secrets/{old}"] = (500, "the machine was switched off")
    with pytest.raises(Retry):
        await client.put_secret("db", b"2", labels=LABELS)
    del podman.errors[f"DELETE secrets/{old}"]
    assert sorted(podman.secret_data.values()) == [b"1", b"2"]
    # So it may be found: the old one is gone, the new one was not made.
    await client.remove_secret("none")
    del podman.secrets["db"], podman.secret_data["db"]
    assert (await client.inventory(secrets=True)).secrets == {}
    assert await client.secret("db") == b"2"
    await client.put_secret("db", b"2", labels=LABELS)
    assert podman.secrets.keys() == {"db"}


async def test_never_replaces_or_removes_anothers(podman: FakePodman, client: PodmanClient) -> None:
    podman.add_secret("db", "1")
    with pytest.raises(Stalled, match="not podvisor's") as caught:
        await client.put_secret("db", b"2", labels=LABELS)
    assert "podman secret rm db" in caught.value.hint
    await client.remove_secret("db")
    assert podman.secrets == {"db": "1"}


async def test_removes_its_own_by_its_whole_name(podman: FakePodman, client: PodmanClient) -> None:
    await client.put_secret("web", b"1", labels=LABELS)
    identity = podman.secrets["web"]
    await client.remove_secret(identity[:6])
    assert "web" in podman.secrets, "Podman takes the beginning of an id for a name"
    await client.remove_secret("web")
    assert podman.secrets == {}
    await client.remove_secret("web")


async def test_a_podman_that_refuses(podman: FakePodman, client: PodmanClient) -> None:
    podman.errors["POST secrets/create"] = (500, "no space left on device")
    with pytest.raises(Retry, match="cannot make secret db: no space left"):
        await client.put_secret("db", b"c4n4ry", labels=LABELS)
