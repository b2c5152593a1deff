"""When a tag was pushed, where somebody tells: once for each digest, and never a wrong one."""

import json

import pytest

from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.quirks import _QUIRKS, Quirk
from tests.fakes.registry_server import Asked, RegistryServer, Told

pytestmark = pytest.mark.anyio
ANOTHER = "sha256:" + "0" * 64


class Hub:
    """Answers beside the registry."""

    def __init__(self, server: RegistryServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told = Told()
        self.asked = 0
        monkeypatch.setitem(_QUIRKS, server.host, Quirk(push_times=f"{server.url}/hub"))
        server.before = self.answer

    def answer(self, asked: Asked) -> Told | None:
        if not asked.path.startswith("/hub/"):
            return None
        assert asked.path == "/hub/team/web/tags/1"
        assert "authorization" not in asked.headers
        self.asked += 1
        return self.told

    def says(self, **words: object) -> None:
        self.told = Told(body=json.dumps(words).encode())


@pytest.fixture
def hub(server: RegistryServer, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(server, monkeypatch)


async def time_of(client: Asking, server: RegistryServer) -> float:
    return (await client.digest(f"{server.host}/team/web:1")).pushed_at


async def test_it_is_asked_once_for_each_digest(
    client: Asking, server: RegistryServer, hub: Hub
) -> None:
    hub.says(digest=server.push("team/web:1"), tag_last_pushed="2026-01-02T03:04:05.5Z")
    for _ in range(3):
        assert await time_of(client, server) == 1_767_323_045.5
    assert hub.asked == 1
    hub.says(digest=server.push("team/web:1", "new"), tag_last_pushed="2026-01-02T03:04:06Z")
    assert await time_of(client, server) == 1_767_323_046
    assert hub.asked == 2


@pytest.mark.parametrize(
    "words",
    [
        {"tag_last_pushed": "2026-01-02T03:04:05Z", "digest": ANOTHER},
        {"tag_last_pushed": "2026-01-02T03:04:05Z", "digest": ""},
        {"tag_last_pushed": "2026-01-02T03:04:05"},
        {"tag_last_pushed": "9999-01-02T03:04:05Z"},
        {"tag_last_pushed": "0001-01-01T00:00:00Z"},
        {"tag_last_pushed": "yesterday"},
        {"tag_last_pushed": 5},
        {"tag_last_pushed": None},
    ],
)
async def test_what_cannot_be_is_not_believed(
    client: Asking, server: RegistryServer, hub: Hub, words: dict[str, object]
) -> None:
    hub.says(**{"digest": server.push("team/web:1"), **words})
    assert await time_of(client, server) == 0
    assert hub.asked == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_who_does_not_tell_keeps_nobody_from_the_digest(
    client: Asking, server: RegistryServer, hub: Hub, status: int
) -> None:
    expected = server.push("team/web:1")
    hub.told = Told(status=status)
    for _ in range(2):
        found = await client.digest(f"{server.host}/team/web:1")
        assert (found.digest, found.pushed_at) == (expected, 0)
    assert hub.asked == 1


async def test_nobody_is_asked_when_a_digest_was_pushed(
    client: Asking, server: RegistryServer, hub: Hub
) -> None:
    expected = server.push("team/web:1")
    found = await client.digest(f"{server.host}/team/web@{expected}")
    assert (found.digest, found.pushed_at, hub.asked) == (expected, 0, 0)
