"""What a tag stands for, asked of registries of every manner."""

import json
from collections.abc import Sequence
from hashlib import sha256

import anyio
import pytest

from supervisor.adapters.registry import listing, session
from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.quirks import _QUIRKS, Quirk
from supervisor.model.errors import Retry, Stalled
from supervisor.model.podman import Mirror, RegistryRule
from tests.adapters.registry.conftest import plain
from tests.fakes.registry_server import Asked, RegistryServer, Told

pytestmark = pytest.mark.anyio


async def digest(client: Asking, server: RegistryServer, name: str = "web:1") -> str:
    with anyio.fail_after(60):
        return (await client.digest(f"{server.host}/{name}")).digest


async def refused(client: Asking, server: RegistryServer, words: str) -> Stalled:
    with pytest.raises(Stalled, match=words) as failure:
        await digest(client, server)
    assert failure.value.hint
    return failure.value


async def put_off(client: Asking, server: RegistryServer, words: str) -> Retry:
    with pytest.raises(Retry, match=words) as failure:
        await digest(client, server)
    return failure.value


async def test_one_head_says_what_is_wanted(client: Asking, server: RegistryServer) -> None:
    expected = server.push("web:1")
    assert await digest(client, server) == expected
    (asked,) = server.asked
    assert asked.line == "HEAD /v2/web/manifests/1"
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers
    for kind in ("image.index.v1", "manifest.list.v2", "image.manifest.v1", "manifest.v2"):
        assert f".{kind}+json" in asked.headers["accept"]


async def test_forty_questions_take_forty_requests_and_two_connections(
    client: Asking, server: RegistryServer
) -> None:
    rules, times = client.rules, 0

    async def counted() -> Sequence[RegistryRule]:
        nonlocal times
        times += 1
        return await rules()

    client.rules = counted
    names = [f"app{number}:1" for number in range(40)]
    for name in names:
        server.push(name)
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(digest, client, server, name)
    assert (len(server.asked), server.connections, times) == (40, 2, 1)
    with anyio.fail_after(20):
        await server.left.wait()


@pytest.mark.parametrize("status", [200, 405])
async def test_what_is_not_told_is_read_and_hashed(
    client: Asking, server: RegistryServer, status: int
) -> None:
    expected = server.push("web:1")
    server.tells_digest = False
    server.before = lambda asked: (
        Told(status=status) if asked.method == "HEAD" and status != 200 else None
    )
    assert await digest(client, server) == expected
    assert server.lines == ["HEAD /v2/web/manifests/1", "GET /v2/web/manifests/1"]


async def test_a_host_that_tells_only_with_the_manifest_is_asked_once(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_QUIRKS, server.host, Quirk(tells_at_get=True))
    expected = server.push("web:1")
    assert await digest(client, server) == expected
    assert server.lines == ["GET /v2/web/manifests/1"]


async def test_a_manifest_unlike_what_is_said_of_it_is_not_believed(
    client: Asking, server: RegistryServer
) -> None:
    wrong = (("Docker-Content-Digest", "sha256:" + "0" * 64),)
    body = b'{"schemaVersion": 2}'
    server.before = lambda asked: Told(headers=wrong if asked.method == "GET" else (), body=body)
    await put_off(client, server, f"digest is sha256:{sha256(body).hexdigest()}, and says")


@pytest.mark.parametrize("said", ["", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 32])
@pytest.mark.parametrize("body", [b"<html>log in</html>", b"[]", b'{"schemaVersion": 1}', b""])
async def test_what_is_no_manifest_is_no_version(
    client: Asking, server: RegistryServer, said: str, body: bytes
) -> None:
    server.before = lambda _: Told(headers=(("Docker-Content-Digest", said),), body=body)
    await put_off(client, server, "something that is no manifest")


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json; charset=utf-8",
    ],
)
async def test_each_format_of_today_is_taken(
    client: Asking, server: RegistryServer, kind: str
) -> None:
    said = "sha256:" + "1" * 64
    server.before = lambda _: Told(
        headers=(("Content-Type", kind), ("Docker-Content-Digest", said))
    )
    assert await digest(client, server) == said


@pytest.mark.parametrize(
    "manifests",
    [None, "none", [{}], [{"digest": 1}], [{"digest": "sha256:1"}, "and more"]],
    ids=str,
)
async def test_of_an_index_that_cannot_be_read_nothing_is_known(
    client: Asking, server: RegistryServer, manifests: object
) -> None:
    index = server.push("web:1", manifests=manifests)
    assert await client.manifests(f"{server.host}/web@{index}") == ()


async def test_an_index_that_is_another_one_is_not_believed(
    client: Asking, server: RegistryServer
) -> None:
    index = server.push_index("web:1", "mine")
    server.versions[f"web@{index}"] = b'{"schemaVersion": 2, "manifests": []}'
    with pytest.raises(Retry, match=f"where it is asked for {index}"):
        await client.manifests(f"{server.host}/web@{index}")


async def test_a_format_of_old_is_said(client: Asking, server: RegistryServer) -> None:
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    server.before = lambda _: Told(
        headers=(("Content-Type", kind), ("Docker-Content-Digest", "sha256:" + "1" * 64))
    )
    await refused(client, server, "a format that Podman cannot pull")


async def test_an_answer_that_never_ends_is_left(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on(body: bytes) -> None:
        server.before = lambda asked: (
            Told(body=body, is_endless=True) if asked.method == "GET" else Told(status=405)
        )

    go_on(b"x" * 65_536)
    failure = await refused(client, server, "larger than 4194304 bytes")
    assert "something else answers" in failure.hint
    go_on(b"x")
    monkeypatch.setattr(session, "_ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(listing, "LARGEST_MANIFEST", 1 << 40)
    await put_off(client, server, r"no end after 0\.05 s")


@pytest.mark.parametrize(
    ("status", "words", "hint"),
    [
        (403, "answers 403: it is so", "podman login"),
        (404, "has no such image or tag: it is so", "name and tag"),
        (451, "answers 451", "registry"),
        (304, "answers 304", "host that it is at"),
    ],
)
async def test_refusals_that_are_for_a_person(
    client: Asking, server: RegistryServer, status: int, words: str, hint: str
) -> None:
    server.tells_digest = False
    body = json.dumps({"errors": [{"code": "DENIED", "message": "it is so"}]}).encode()
    server.before = lambda asked: (
        Told(status=405) if asked.method == "HEAD" else Told(status=status, body=body)
    )
    failure = await refused(client, server, words)
    assert hint in failure.hint
    assert str(failure).startswith(f"cannot ask about {server.host}/web:1: ")


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
async def test_refusals_that_pass(client: Asking, server: RegistryServer, status: int) -> None:
    server.before = lambda _: Told(status=status, body=b"\x1b[31m<html>")
    assert not (await put_off(client, server, f"answers {status}$")).after_seconds


async def test_who_has_enough_is_left_alone_until_then(
    client: Asking, server: RegistryServer
) -> None:
    server.push("web:1")
    server.push("db:1")
    server.before = lambda _: Told(status=429, headers=(("Retry-After", "120"),))
    assert (await put_off(client, server, "answers 429")).after_seconds == 120
    server.before = lambda _: None
    with pytest.raises(Retry, match="answered 429, and is not asked") as failure:
        await digest(client, server, "db:1")
    assert 100 < failure.value.after_seconds <= 120
    assert len(server.asked) == 1
    client.end_rests()
    assert await digest(client, server, "db:1")


async def test_redirects_are_followed_and_lead_no_login_away(
    client: Asking, server: RegistryServer
) -> None:
    expected = server.push("web:1")

    async with RegistryServer() as other:
        other.push("web:1")

        def move(asked: Asked) -> Told | None:
            if "moved" in asked.path:
                return None
            where = f"{other.url}/v2/web/manifests/1?moved"
            return Told(status=307, headers=(("Location", where),))

        server.before = move
        client._memory.schemes[other.host] = "http"
        assert await digest(client, server) == expected
        other.login = "basic"
        failure = await refused(client, server, "which wants a login; none goes there")
        assert f" leads to {other.host}, which wants a login" in str(failure)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/v2/web/manifests/1", "and on and on"),
        ("ftp://localhost/", "no encrypted address"),
        ("https://me:x@localhost/", "no encrypted address"),
        ("http://[", "no encrypted address"),
        ("", "answers 302"),
    ],
)
async def test_redirects_that_lead_nowhere(
    client: Asking, server: RegistryServer, location: str, words: str
) -> None:
    headers = (("Location", location),) if location else ()
    server.before = lambda _: Told(status=302, headers=headers)
    await refused(client, server, words)
    assert len(server.asked) <= 6


async def test_a_redirect_to_no_name_of_a_host_is_said_in_short(
    client: Asking, server: RegistryServer
) -> None:
    headers = (("Location", f"https://{'a' * 5_000}/"),)
    server.before = lambda _: Told(status=302, headers=headers)
    assert len(str(await put_off(client, server, "a{200}…: "))) < 400


async def test_who_is_not_there_is_asked_again(client: Asking, server: RegistryServer) -> None:
    await server.close()
    await put_off(client, server, rf"cannot ask about {server.host}/web:1: {server.host}: ")


async def test_a_mirror_comes_first_and_the_registry_after_it(server: RegistryServer) -> None:
    async with RegistryServer() as mirror:
        mirrors = (Mirror(location=f"{mirror.host}/cache", is_insecure=True),)
        rule = RegistryRule(prefix=server.host, is_insecure=True, mirrors=mirrors)

        async def rules() -> tuple[RegistryRule, ...]:
            return (rule,)

        client = Asking(rules=rules)
        expected = server.push("web:1", "newer")
        assert await digest(client, server) == expected
        assert mirror.lines == ["HEAD /v2/cache/web/manifests/1"]
        cached = mirror.push("cache/web:1", "older")
        assert await digest(client, server) == cached
        await server.close()
        mirror.manifests.clear()
        await put_off(client, server, f"{server.host}: ")


async def test_what_need_not_be_encrypted_is_asked_so_once_it_is_known(
    server: RegistryServer,
) -> None:
    client = plain(server)()
    server.push("web:1")
    for _ in range(3):
        await digest(client, server)
    assert [one.path for one in server.asked].count("/v2/") == 1


@pytest.mark.parametrize("image", ["web:1", "localhost/web:1", "registry.example/Web", "a b", ""])
async def test_what_no_registry_can_be_asked_about(client: Asking, image: str) -> None:
    for asking in (client.digest(image), client.tags(image)):
        with pytest.raises(Stalled, match="cannot ask about") as failure:
            await asking
        assert failure.value.hint
