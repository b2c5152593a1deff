"""TLS: authorities of one's own, and registries that nobody vouches for."""

import ssl
from pathlib import Path

import pytest

from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.certificates import context_for
from supervisor.model.errors import Stalled
from supervisor.model.podman import RegistryRule
from tests.fakes.registry_server import RegistryServer, certificate

pytestmark = pytest.mark.anyio


async def no_rules() -> tuple[RegistryRule, ...]:
    return ()


def folder(home: Path, server: RegistryServer) -> Path:
    found = home / ".config" / "containers" / "certs.d" / server.host
    found.mkdir(parents=True)
    return found


async def test_an_authority_of_ones_own(home: Path, tmp_path: Path) -> None:
    own, context = certificate(tmp_path)
    client = Asking(rules=no_rules)
    async with await RegistryServer().serve(context) as server:
        expected = server.push("web:1")
        image = f"{server.host}/web:1"
        with pytest.raises(Stalled, match="not trusted: self-signed") as failure:
            await client.digest(image)
        place = f"{home}/.config/containers/certs.d/{server.host}/ca.crt"
        assert place in failure.value.hint
        (folder(home, server) / "ca.crt").write_bytes(own.read_bytes())
        assert (await client.digest(image)).digest == expected
        assert server.is_secure


def test_an_authority_that_podman_takes_is_good_enough() -> None:
    flags = context_for("registry.example").verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


async def test_one_that_need_not_be_vouched_for(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    async with await RegistryServer().serve(context) as server:

        async def rules() -> tuple[RegistryRule, ...]:
            return (RegistryRule(prefix=server.host, is_insecure=True),)

        expected = server.push("web:1")
        found = await Asking(rules=rules).digest(f"{server.host}/web:1")
        assert found.digest == expected


@pytest.mark.parametrize(
    ("name", "content"), [("ca.crt", "nonsense"), ("me.cert", "nonsense"), ("me.cert", None)]
)
async def test_files_that_cannot_be_used_are_named(
    home: Path, tmp_path: Path, name: str, content: str | None
) -> None:
    own, context = certificate(tmp_path)
    async with await RegistryServer().serve(context) as server:
        path = folder(home, server) / name
        path.write_text(content or own.read_text())  # without the key that belongs to it
        with pytest.raises(Stalled, match=f"cannot use {path}") as failure:
            await Asking(rules=no_rules).digest(f"{server.host}/web:1")
        assert "containers-certs.d" in failure.value.hint
