"""The Registry port against real registries; run inside a host as a user (test_contract_registry).

Arguments: HOST:PORT of one that is open, which holds `web:1` to `web:120`, and of one with TLS by
an own CA (`~/secure/ca.crt`) and a password (pi, raspberry), which holds `web:1`; the digest of all
of these; that of `web:multi`, an index, in the first.
"""
# A plain program, without pytest's help:
# ruff: noqa: ASYNC240, PT017, T201

import base64
import json
import os
import sys
import time
from pathlib import Path

import uvloop

from supervisor.adapters.podman.client import PodmanClient
from supervisor.adapters.registry.client import RegistryClient
from supervisor.model.errors import Failure, Retry, Stalled

OPEN, SECURE, DIGEST, INDEX = sys.argv[1:]
SOCKET = Path(os.environ["XDG_RUNTIME_DIR"], "podman", "podman.sock")
SETTINGS = Path.home() / ".config/containers"
NOBODY = "localhost:9"


async def refused(registry: RegistryClient, image: str, kind: type[Failure], *words: str) -> None:
    """See that a question fails, and says why."""
    try:
        found = await registry.digest(image)
    except (Retry, Stalled) as failure:
        assert isinstance(failure, kind), repr(failure)
        said = f"{failure}; {failure.hint}"
        print(said)
        assert all(word in said for word in (image, *words)), said
    else:
        raise AssertionError(found)


async def open_one(registry: RegistryClient) -> None:
    found = await registry.digest(f"{OPEN}/web:1")
    assert (found.digest, found.pushed_at) == (DIGEST, 0.0), found
    assert (await registry.digest(f"{OPEN}/web:multi")).digest == INDEX, "never a platform's"
    tags = await registry.tags(f"{OPEN}/web")
    assert set(tags) == {*(str(number) for number in range(1, 121)), "multi"}, tags
    assert len(tags) == 121, tags
    await refused(registry, f"{OPEN}/web:0", Stalled)
    await refused(registry, f"{OPEN}/none:1", Stalled)
    await refused(registry, f"{NOBODY}/web:1", Retry)


async def secure_one(registry: RegistryClient) -> None:
    image = f"{SECURE}/web:1"
    await refused(registry, image, Stalled, "certs.d")
    folder = SETTINGS / "certs.d" / SECURE
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text(Path("secure/ca.crt").read_text())
    await refused(registry, image, Stalled, "podman login")
    login("wrong", SETTINGS / "auth.json")
    await refused(registry, image, Stalled, "podman login")
    login("raspberry", SETTINGS / "auth.json")
    assert (await registry.digest(image)).digest == DIGEST
    assert list(await registry.tags(f"{SECURE}/web")) == ["1"]
    login("wrong", SETTINGS / "auth.json")
    login("raspberry", Path("other.json"))
    found = await registry.digest(image, authfile=str(Path("other.json").absolute()))
    assert found.digest == DIGEST


def login(password: str, path: Path) -> None:
    pair = base64.b64encode(f"pi:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {SECURE: {"auth": pair}}}))
    path.chmod(0o600)


async def one_after_another(registry: RegistryClient) -> None:
    began, spent = time.monotonic(), time.process_time()
    for number in range(1, 101):
        assert (await registry.digest(f"{OPEN}/web:{number}")).digest == DIGEST
    took, cpu = time.monotonic() - began, time.process_time() - spent
    print(f"100 digests: {1000 * took:.0f} ms, {1000 * cpu:.0f} ms of CPU")


async def main() -> None:
    registry = RegistryClient(rules=PodmanClient(SOCKET).registry_rules)
    await open_one(registry)
    await secure_one(registry)
    await one_after_another(registry)


uvloop.run(main())
