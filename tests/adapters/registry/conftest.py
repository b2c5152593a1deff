"""A registry of our own that is asked over plain HTTP, and a home where nobody is logged in."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from supervisor.adapters.registry.asking import Asking
from supervisor.model.podman import RegistryRule
from tests.fakes.registry_server import RegistryServer

FROM_OUTSIDE = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in (*FROM_OUTSIDE, *PROXIES, *map(str.lower, PROXIES)):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
async def server() -> AsyncIterator[RegistryServer]:
    async with RegistryServer() as served:
        yield served


def plain(*servers: RegistryServer) -> Callable[[], Asking]:
    """Make a client of these registries, which are asked without encryption."""

    async def rules() -> tuple[RegistryRule, ...]:
        return tuple(RegistryRule(prefix=one.host, is_insecure=True) for one in servers)

    return lambda: Asking(rules=rules)


@pytest.fixture
def client(server: RegistryServer) -> Asking:
    made = plain(server)()
    # What is spoken there is known already.
    made._memory.schemes[server.host] = "http"
    return made
