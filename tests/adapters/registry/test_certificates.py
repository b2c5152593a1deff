"""TLS: authorities of one's own, and registries that nobody vouches for."""

import ssl
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.certificates import context_for
from supervisor.adapters.registry.session import Round
from supervisor.model.errors import Retry, Stalled
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
    flags = context_for(None).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN


def test_hosts_without_a_folder_share_what_is_trusted(home: Path) -> None:
    own = home / ".config" / "containers" / "certs.d" / "own.example"
    own.mkdir(parents=True)
    together = Round()
    shared = together.context("a.example", is_insecure=False)
    for name in ("b.example:5000", "a" * 5_000, ".."):
        assert together.context(name, is_insecure=False) is shared
    assert together.context("own.example", is_insecure=False) is not shared
    assert together.context("a.example", is_insecure=True) is not shared


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


async def test_a_client_certificate_is_shown(home: Path, tmp_path: Path) -> None:
    own, context = certificate(tmp_path)
    context.load_verify_locations(own)
    context.verify_mode = ssl.CERT_REQUIRED
    async with await RegistryServer().serve(context) as server:
        expected = server.push("web:1")
        place = folder(home, server)
        (place / "ca.crt").write_bytes(own.read_bytes())
        client, image = Asking(rules=no_rules), f"{server.host}/web:1"
        with pytest.raises(Retry, match=server.host):
            await client.digest(image)
        for suffix in (".cert", ".key"):
            (place / f"me{suffix}").write_bytes(own.with_suffix(suffix).read_bytes())
        assert (await client.digest(image)).digest == expected


async def test_a_proxy_is_gone_through(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "registry.example"
    own, context = certificate(tmp_path, name)
    place = home / ".config" / "containers" / "certs.d" / name
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(own.read_bytes())
    asked: list[bytes] = []
    async with await RegistryServer().serve(context) as server:

        async def forward(client: ByteStream) -> None:
            async with client, await anyio.connect_tcp("127.0.0.1", server.port) as registry:
                asked.append(await client.receive())
                await client.send(b"HTTP/1.1 200 Connected\r\n\r\n")
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(pump, client, registry)
                    await pump(registry, client)
                    tasks.cancel_scope.cancel()

        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(listener.serve, forward)
            port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:pw@127.0.0.1:{port}")
            expected = server.push("web:1")
            client = Asking(rules=no_rules)
            for _ in range(2):
                assert (await client.digest(f"{name}/web:1")).digest == expected
            tasks.cancel_scope.cancel()
    assert asked[0].startswith(b"CONNECT registry.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cHc=\r\n" in asked[0]
    assert "authorization" not in server.asked[0].headers


async def pump(source: ByteStream, target: ByteStream) -> None:
    with suppress(anyio.BrokenResourceError, anyio.EndOfStream):
        while True:
            await target.send(await source.receive())
