"""The `Registry` port; the real adapter against a registry of our own, over real HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.registry.client import RegistryClient
from supervisor.controllers.ports import Registry
from supervisor.model.errors import Failure, Retry, Stalled
from supervisor.model.podman import RegistryRule
from tests.fakes.registry import FakeRegistry, digest_of
from tests.fakes.registry_server import RegistryServer, Told

pytestmark = pytest.mark.anyio


class FakeSide:
    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.registry.seconds = 0
        self.host = "registry.example"

    async def open(self) -> None:
        pass

    def push(self, name: str, content: str = "") -> str:
        return self.registry.push(f"{self.host}/{name}", content)

    def push_index(self, name: str, *contents: str) -> str:
        return self.registry.push_index(f"{self.host}/{name}", *contents)

    async def is_gone(self) -> None:
        self.registry.failures[self.host] = Retry("cannot ask: connection refused")

    def has_enough(self) -> None:
        self.registry.failures[self.host] = Retry("cannot ask: it answers 429", after_seconds=90)

    def has_room(self) -> None:
        self.registry.failures.clear()

    def wants_a_login(self) -> None:
        self.registry.failures[self.host] = Stalled("cannot ask: log in", hint="podman login")

    async def close(self) -> None:
        pass


class RealSide:
    def __init__(self) -> None:
        self.server = RegistryServer()
        self.registry = RegistryClient(rules=self._rules)
        self.host = ""

    async def _rules(self) -> tuple[RegistryRule, ...]:
        return (RegistryRule(prefix=self.host, is_insecure=True),)

    async def open(self) -> None:
        await self.server.serve()
        self.host = self.server.host

    def push(self, name: str, content: str = "") -> str:
        return self.server.push(name, content)

    def push_index(self, name: str, *contents: str) -> str:
        return self.server.push_index(name, *contents)

    async def is_gone(self) -> None:
        await self.server.close()

    def has_enough(self) -> None:
        told = Told(status=429, headers=(("Retry-After", "90"),))
        self.server.before = lambda asked: None if asked.path == "/v2/" else told

    def has_room(self) -> None:
        self.server.before = lambda _: None

    def wants_a_login(self) -> None:
        self.server.login = "basic"

    async def close(self) -> None:
        await self.server.close()


@pytest.fixture(params=[FakeSide, RealSide])
async def side(
    request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FakeSide | RealSide]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    made: FakeSide | RealSide = request.param()
    await made.open()
    yield made
    await made.close()


async def digest(side: FakeSide | RealSide, name: str) -> str:
    registry: Registry = side.registry
    return (await registry.digest(f"{side.host}/{name}")).digest


async def tags(side: FakeSide | RealSide, name: str) -> tuple[str, ...]:
    registry: Registry = side.registry
    return tuple(await registry.tags(f"{side.host}/{name}"))


async def test_a_tag_stands_for_what_was_pushed_last(side: FakeSide | RealSide) -> None:
    first = side.push("apps/web:1", "good")
    assert await digest(side, "apps/web:1") == first
    second = side.push("apps/web:1", "better")
    assert first != second == await digest(side, "apps/web:1")
    assert second.startswith("sha256:")


async def test_a_version_is_there_by_its_digest_whatever_tag_it_has(
    side: FakeSide | RealSide,
) -> None:
    first = side.push("apps/web:1", "good")
    side.push("apps/web:1", "better")
    assert await digest(side, f"apps/web@{first}") == first
    with pytest.raises(Stalled) as failure:
        await digest(side, f"apps/web@sha256:{'d' * 64}")
    assert failure.value.hint


async def test_an_index_tells_what_it_has_for_each_platform(side: FakeSide | RealSide) -> None:
    registry: Registry = side.registry
    name = f"{side.host}/apps/web"
    index = side.push_index("apps/web:1", "mine", "another's")
    found = await registry.digest(f"{name}:1")
    assert (found.digest, found.is_index) == (index, True)
    assert await registry.manifests(f"{name}@{index}") == (
        digest_of("mine"),
        digest_of("another's"),
    )
    single = side.push("apps/web:1", "mine alone")
    assert await registry.manifests(f"{name}@{single}") == ()
    with pytest.raises(Stalled):
        await registry.manifests(f"{name}@sha256:{'d' * 64}")


async def test_tags_come_in_the_registrys_order_none_twice(side: FakeSide | RealSide) -> None:
    names = ("1.2", "1.10", "latest", "1.9-rc.1")
    for name in names:
        side.push(f"apps/web:{name}")
    assert await tags(side, "apps/web") == names


async def test_what_is_not_there_is_for_a_person(side: FakeSide | RealSide) -> None:
    side.push("apps/web:1")
    for asking in (digest(side, "apps/web:2"), digest(side, "apps/db:1"), tags(side, "apps/db")):
        with pytest.raises(Stalled) as failure:
            await asking
        assert failure.value.hint


async def test_who_wants_a_login_is_for_a_person(side: FakeSide | RealSide) -> None:
    side.push("apps/web:1")
    side.wants_a_login()
    for asking in (digest(side, "apps/web:1"), tags(side, "apps/web")):
        with pytest.raises(Stalled) as failure:
            await asking
        assert "podman login" in failure.value.hint


async def test_who_is_gone_is_asked_again(side: FakeSide | RealSide) -> None:
    side.push("apps/web:1")
    await side.is_gone()
    for asking in (digest(side, "apps/web:1"), tags(side, "apps/web")):
        with pytest.raises(Retry, match="cannot"):
            await asking


async def test_who_has_enough_says_for_how_long(side: FakeSide | RealSide) -> None:
    side.push("apps/web:1")
    side.has_enough()
    for asking in (digest(side, "apps/web:1"), tags(side, "apps/web")):
        with pytest.raises(Failure) as failure:
            await asking
        assert isinstance(failure.value, Retry)
        assert 80 < failure.value.after_seconds <= 90


async def test_who_had_enough_is_asked_again_as_a_person_says(side: FakeSide | RealSide) -> None:
    pushed = side.push("apps/web:1")
    side.has_enough()
    with pytest.raises(Retry):
        await digest(side, "apps/web:1")
    side.has_room()
    registry: Registry = side.registry
    registry.end_rests()
    assert await digest(side, "apps/web:1") == pushed
