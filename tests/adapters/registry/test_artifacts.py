"""What artifacts are made of, from registries that know little or mean no good."""

from pathlib import Path

import pytest

from supervisor.adapters.registry.asking import Asking
from supervisor.model.errors import Failure
from tests.fakes.artifacts import digest
from tests.fakes.registry_server import RegistryServer, Told

pytestmark = pytest.mark.anyio
BLOB = b"x" * (3 << 20)


async def fetch(
    client: Asking, server: RegistryServer, place: Path, *, blob: bytes = BLOB, seconds: float = 30
) -> bytes:
    image = f"{server.host}/apps@{digest(blob)}"
    await client.blob(image, size=len(blob), path=str(place), timeout_seconds=seconds)
    return place.read_bytes()  # noqa: ASYNC240  # a test


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503])
async def test_only_a_blob_may_be_as_large_as_one(
    status: int, client: Asking, server: RegistryServer, tmp_path: Path
) -> None:
    server.put("apps:1", b"{}", [BLOB])
    assert await fetch(client, server, tmp_path / "blob") == BLOB
    server.before = lambda _: Told(status=status, body=bytes(2 << 20))
    with pytest.raises(Failure, match="the answer is larger than 1048576 bytes"):
        await fetch(client, server, tmp_path / "blob")
