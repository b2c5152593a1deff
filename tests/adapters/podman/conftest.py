"""A Podman of our own, and a home without settings of anybody's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.adapters.podman.client import PodmanClient
from tests.fakes.podman import FakePodman


@pytest.fixture
async def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakePodman]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "containers").mkdir(parents=True)
    podman = FakePodman(tmp_path)
    await podman.serve()
    yield podman
    await podman.close()


@pytest.fixture
def client(podman: FakePodman) -> PodmanClient:
    return PodmanClient(podman.socket)
