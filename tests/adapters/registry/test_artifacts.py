"""What artifacts are made of, from registries that know little or mean no good."""

from pathlib import Path

import anyio
import pytest

from supervisor.adapters.registry.asking import Asking
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.podman import Mirror, RegistryRule
from tests.adapters.registry.conftest import plain
from tests.fakes.artifacts import digest
from tests.fakes.registry_server import INDEX, RegistryServer, Told

pytestmark = pytest.mark.anyio
BLOB = b"x" * (3 << 20)


async def fetch(
    client: Asking, server: RegistryServer, place: Path, *, blob: bytes = BLOB, seconds: float = 30
) -> bytes:
    image = f"{server.host}/apps@{digest(blob)}"
    await client.blob(image, size=len(blob), path=str(place), timeout_seconds=seconds)
    return place.read_bytes()  # noqa: ASYNC240  # a test


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (302, Stalled),
        (400, Stalled),
        (401, Stalled),
        (403, Stalled),
        (404, Stalled),
        (429, Retry),
        (500, Retry),
        (503, Retry),
    ],
)
async def test_what_is_no_blob_is_judged_by_its_status_however_large(
    status: int, failure: type[Failure], client: Asking, server: RegistryServer, tmp_path: Path
) -> None:
    server.put("apps:1", b"{}", [BLOB])
    assert await fetch(client, server, tmp_path / "blob") == BLOB
    large = Told(status=status, body=bytes(2 << 20))
    server.before = lambda asked: large if "/blobs/" in asked.path else None
    with pytest.raises(failure, match=rf"{server.host} (answers {status}|has no|wants a login)"):
        await fetch(client, server, tmp_path / "blob")


async def test_a_manifest_that_is_too_large_is_said_to_be_none_of_a_registrys(
    client: Asking, server: RegistryServer
) -> None:
    server.before = lambda _: Told(body=bytes(5 << 20))
    with pytest.raises(Stalled, match="larger than 4194304 bytes") as failure:
        await client.manifest(f"{server.host}/apps:1")
    assert "something else answers" in failure.value.hint


# Referrers

OF = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "told",
    [
        Told(status=400),
        Told(status=404),
        Told(status=405),
        Told(status=406),
        Told(body=b"<html>"),
        Told(headers=(("Content-Type", "text/html; charset=utf-8"),), body=b"<html>"),
        Told(headers=(("Content-Type", "application/json"),), body=b'{"manifests": []}'),
    ],
    ids=["400", "404", "405", "406", "untyped", "page", "json"],
)
async def test_where_nobody_knows_of_referrers_the_tag_is_asked(
    told: Told, client: Asking, server: RegistryServer
) -> None:
    server.before = lambda asked: told if "/referrers/" in asked.path else None
    image = f"{server.host}/apps@{OF}"
    assert await client.referrers(image) == b""
    server.put(f"apps:{OF.replace(':', '-')}", b"by tag", [])
    assert await client.referrers(image) == b"by tag"


async def test_where_referrers_are_known_the_tag_is_not_asked(
    client: Asking, server: RegistryServer
) -> None:
    kind = (("Content-Type", f"{INDEX}; charset=utf-8"),)
    server.before = lambda _: Told(headers=kind, body=b"{}")
    assert await client.referrers(f"{server.host}/apps@{OF}") == b"{}"
    assert server.lines == [f"GET /v2/apps/referrers/{OF}"]


@pytest.mark.parametrize(("status", "failure"), [(500, Retry), (429, Retry), (403, Stalled)])
async def test_who_cannot_say_now_is_not_taken_for_one_who_does_not_know(
    status: int, failure: type[Failure], client: Asking, server: RegistryServer
) -> None:
    server.put(f"apps:{OF.replace(':', '-')}", b"by tag", [])
    server.before = lambda _: Told(status=status)
    with pytest.raises(failure):
        await client.referrers(f"{server.host}/apps@{OF}")


# Mirrors


async def test_a_mirror_that_stalls_leaves_time_for_the_registry(
    server: RegistryServer, tmp_path: Path
) -> None:
    async with RegistryServer() as one, RegistryServer() as other:
        mirrors = tuple(Mirror(location=at.host, is_insecure=True) for at in (one, other))
        rule = RegistryRule(prefix=server.host, is_insecure=True, mirrors=mirrors)

        async def rules() -> tuple[RegistryRule, ...]:
            return (rule,)

        client, blobs = Asking(rules=rules), (b"first", b"second")
        server.put("apps:1", b"{}", blobs)
        one.before = lambda asked: Told(body=b"f", stalls=True) if "/blobs/" in asked.path else None
        with anyio.fail_after(10):
            async with client.together():
                for blob in blobs:
                    place = tmp_path / "blob"
                    assert await fetch(client, server, place, blob=blob, seconds=3) == blob
        assert len(one.lines) == 1, "who stalled once is not asked again in this round"
        assert len(other.lines) == len(server.lines) == len(blobs)


async def test_who_has_no_mirror_has_all_the_time(server: RegistryServer, tmp_path: Path) -> None:
    server.before = lambda asked: Told(stalls=True) if "/blobs/" in asked.path else None
    with pytest.raises(Retry, match=r"no end after 0\.[12]\d* s"):
        await fetch(plain(server)(), server, tmp_path / "blob", seconds=0.2)
