"""What Podman says of registries, and that it is asked for it no more than needed."""

import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.podman.registries import registry_rules
from supervisor.model.errors import Retry
from supervisor.model.podman import Mirror, RegistryRule
from tests.fakes.podman import FakePodman

pytestmark = pytest.mark.anyio
FOUND: dict[str, Any] = {
    "search": ["docker.io"],
    "a.example": {
        "Prefix": "a.example",
        "Location": "b.example/a",
        "Insecure": True,
        "PullFromMirror": "",
        "Mirrors": [{"Location": "m", "Insecure": False, "PullFromMirror": "tag-only"}],
        "Blocked": False,
        "MirrorByDigestOnly": True,
        "Unknown": 1,
    },
    "c.example": {"Blocked": True, "Mirrors": None},
}


def test_rules_as_podman_tells_them() -> None:
    assert registry_rules(FOUND) == (
        RegistryRule(
            prefix="a.example",
            location="b.example/a",
            is_insecure=True,
            mirrors=(Mirror(location="m", pulls="tag-only"),),
            mirrors_are_for_digests=True,
        ),
        RegistryRule(prefix="c.example", is_blocked=True),
    )
    assert registry_rules(None) == ()


async def test_it_is_asked_again_only_when_a_file_changed(
    podman: FakePodman, client: PodmanClient, tmp_path: Path
) -> None:
    podman.registries = FOUND
    for _ in range(3):
        assert len(await client.registry_rules()) == 2
    assert podman.asked.count("GET info") == 1
    folder = tmp_path / "config" / "containers" / "registries.conf.d"
    folder.mkdir()
    os.utime(folder, (1, 1))
    await client.registry_rules()
    await client.registry_rules()
    assert podman.asked.count("GET info") == 2


async def test_what_cannot_be_read_is_asked_again(podman: FakePodman, client: PodmanClient) -> None:
    podman.registries = {"a.example": {"Location": 1}}
    with pytest.raises(Retry, match="what Podman says of registries"):
        await client.registry_rules()
    podman.errors["GET info"] = (500, "it is locked")
    with pytest.raises(Retry, match="it is locked"):
        await client.registry_rules()
