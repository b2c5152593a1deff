"""Who asks: challenges, tokens, logins; and that they go where they belong, and nowhere else."""

import base64
import json
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.quirks import _QUIRKS, Quirk
from supervisor.adapters.registry.tokens import read_token
from supervisor.kit.http import connection
from supervisor.kit.http.pool import Reply
from supervisor.model.errors import Failure, Retry, Stalled
from tests.fakes.registry_server import (
    IDENTITY,
    PASSWORD,
    TOKEN,
    USER,
    Asked,
    RegistryServer,
    Told,
    basic,
)

pytestmark = pytest.mark.anyio
HEAD = "HEAD /v2/web/manifests/1"
GET_TOKEN = "GET /token"


def log_in(home: Path, key: str, password: str = PASSWORD, **more: str) -> None:
    path = home / ".config" / "containers" / "auth.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {key: {"auth": auth, **more}}}))


async def digest(client: Asking, server: RegistryServer, name: str = "web:1") -> str:
    with anyio.fail_after(60):
        return (await client.digest(f"{server.host}/{name}")).digest


async def refused(client: Asking, server: RegistryServer) -> Failure:
    with pytest.raises(Failure) as failure:
        await digest(client, server)
    shown = f"{failure.value} {failure.value.hint} {client!r}"
    for secret in (PASSWORD, TOKEN, IDENTITY, basic(USER, PASSWORD)[6:]):
        assert secret not in shown
    return failure.value


async def test_basic(client: Asking, server: RegistryServer, home: Path) -> None:
    expected = server.push("web:1")
    server.login = "basic"
    assert "wants a login" in str(await refused(client, server))
    log_in(home, server.host, "wrong")
    failure = await refused(client, server)
    assert "refuses the login" in str(failure)
    assert f"podman login {server.host}, with --authfile ~/" in failure.hint
    assert "outlast a reboot" in failure.hint
    log_in(home, server.host)
    assert await digest(client, server) == expected
    server.asked.clear()
    assert await digest(client, server) == expected
    assert server.lines == [HEAD]  # it is known by now what is wanted


async def test_a_token_is_got_once_for_each_repository(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    expected = server.push("web:1")
    server.push("db:1")
    server.login = "bearer"
    assert "wants a login" in str(await refused(client, server))
    log_in(home, f"{server.host}/web")
    server.asked.clear()
    for _ in range(3):
        assert await digest(client, server) == expected
    assert server.lines.count(GET_TOKEN) == 1
    asked = next(one for one in server.asked if one.path == "/token")
    assert asked.headers["authorization"] == basic(USER, PASSWORD)
    scope = "repository:web:pull"
    assert asked.query == {"service": "registry, here", "scope": scope, "account": USER}
    with pytest.raises(Stalled, match="wants a login"):
        await digest(client, server, "db:1")


async def test_many_who_need_one_token_get_it_once(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.login, server.is_for_all = "bearer", True
    monkeypatch.setitem(_QUIRKS, server.host, Quirk(one_anonymous_token=True))
    server._is_let_in = lambda asked: TOKEN in asked.headers.get("authorization", "")
    names = [f"app{number}:1" for number in range(20)]
    for name in names:
        server.push(name)
    for _ in range(2):
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(digest, client, server, name)
    assert server.lines.count(GET_TOKEN) == 1


async def test_a_token_that_is_good_no_more_is_replaced(
    client: Asking, server: RegistryServer
) -> None:
    expected = server.push("web:1")
    server.login, server.is_for_all = "bearer", True
    await digest(client, server)
    server.forget_tokens()
    server.asked.clear()
    assert await digest(client, server) == expected
    assert server.lines == [HEAD, GET_TOKEN, HEAD]


async def test_a_scope_that_was_not_enough_is_asked_for(
    client: Asking, server: RegistryServer
) -> None:
    expected = server.push("web:1")
    server.login, server.is_for_all = "bearer", True
    tries, more = 0, "repository:web:pull,delete"

    def want_more(asked: Asked) -> Told | None:
        nonlocal tries
        if asked.method != "HEAD" or "authorization" not in asked.headers:
            return None
        tries += 1
        if tries > 1:
            server.login = ""
            return None
        server.forget_tokens()
        said = f'Bearer realm="{server.url}/token",error="insufficient_scope",scope="{more}"'
        return Told(status=401, headers=(("WWW-Authenticate", said),))

    server.before = want_more
    assert await digest(client, server) == expected
    scopes = [one.query["scope"] for one in server.asked if one.path == "/token"]
    assert scopes == ["repository:web:pull", more]


@pytest.mark.parametrize(
    "challenges",
    [
        ("Negotiate", 'Basic realm="x"', 'bEaReR ReAlM="{realm}" , service=s'),
        ('Basic realm="a, b", Bearer realm="{realm}",service="s"',),
        ('Bearer service="s", realm="{realm}", Digest qop="auth, x"',),
    ],
)
async def test_of_several_ways_the_one_with_a_token_is_taken(
    client: Asking, server: RegistryServer, challenges: tuple[str, ...]
) -> None:
    expected = server.push("web:1")
    server.login, server.is_for_all = "bearer", True
    realm = f"{server.url}/token"
    server.challenges = tuple(one.replace("{realm}", realm) for one in challenges)
    assert await digest(client, server) == expected


async def test_who_refuses_without_a_word_is_asked_where_all_say_it(
    client: Asking, server: RegistryServer
) -> None:
    expected = server.push("web:1")
    server.login, server.is_for_all = "bearer", True
    server.before = lambda asked: (
        Told(status=401)
        if asked.method == "HEAD" and "authorization" not in asked.headers
        else None
    )
    assert await digest(client, server) == expected


async def test_an_identity_token_is_exchanged(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    expected = server.push("web:1")
    server.login = "bearer"
    log_in(home, server.host, "", identitytoken=IDENTITY)
    assert await digest(client, server) == expected
    posted = next(one for one in server.asked if one.path == "/token")
    assert posted.method == "POST"
    assert b"grant_type=refresh_token" in posted.body
    assert IDENTITY not in posted.path
    server.forget_tokens()
    server.is_for_all = True
    server.before = lambda asked: Told(status=404) if asked.method == "POST" else None
    assert await digest(client, server) == expected
    assert GET_TOKEN in server.lines


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("http://token.example/", "without encryption"),
        ("ftp://token.example/", "without encryption"),
        ("//token.example", "without encryption"),
        ("https://me:x@token.example/", "a user in it"),
        ("https://[", "no proper address"),
        ("https://token.example:x/", "no proper address"),
    ],
)
async def test_tokens_at_odd_addresses_are_not_got(
    server: RegistryServer, home: Path, realm: str, words: str
) -> None:
    from supervisor.adapters.registry.challenges import Challenge
    from supervisor.adapters.registry.tokens import realm_of

    with pytest.raises(Stalled, match=words):
        realm_of(Challenge("bearer", {"realm": realm}), doing="", host="h", allows_plain=False)


async def test_a_registry_of_the_internet_leads_into_no_private_network(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.push("web:1")
    async with RegistryServer() as inside:
        inside.is_for_all = True
        server.login, server.realm = "bearer", f"http://127.0.0.1:{inside.port}/token"
        # From one that is in a private network itself, it may lead there.
        await digest(client, server)
        assert inside.lines == [GET_TOKEN]
        server.forget_tokens()
        inside.forget_tokens()
        inside.asked.clear()

        def is_the_registry(one: ByteStream) -> bool:
            return one.extra(SocketAttribute.remote_port) == server.port  # noqa: S610

        monkeypatch.setattr(connection, "_is_public", is_the_registry)
        failure = await refused(client, server)
        assert "127.0.0.1 is an address of a private network" in str(failure)
        assert not inside.asked


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(body=b"<html>"), "no token"),
        (Told(body=b"{}"), "no token"),
        (Told(body=b'{"token": 1}'), "no token"),
        (Told(body=b'{"token": "a b"}'), "odd characters"),
        (Told(body='{"token": "é\\r\\nX: y"}'.encode()), "odd characters"),
        (Told(body=b'{"token": "%s"}' % (b"x" * 30_000)), "no token"),
        (Told(status=500), "answers 500"),
        (Told(status=302, headers=(("Location", "https://evil.example/"),)), "answers 302"),
        (Told(status=429, headers=(("Retry-After", "9"),)), "answers 429"),
        (Told(status=400, body=b'{"details": "bad"}'), "answers 400: bad"),
        (Told(body=b"x" * 2_000_000), "larger than 1048576 bytes"),
    ],
)
async def test_answers_that_are_no_token(
    client: Asking, server: RegistryServer, told: Told, words: str
) -> None:
    server.login = "bearer"
    server.before = lambda asked: told if asked.path == "/token" else None
    failure = await refused(client, server)
    assert words in str(failure)
    if told.status == 429:
        assert isinstance(failure, Retry)
        assert failure.after_seconds == 9
    if "larger" in words:
        assert "something else answers" in failure.hint


async def test_what_a_registry_echoes_is_not_shown(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    log_in(home, server.host)
    server.login = "basic"

    def echo(asked: Asked) -> Told | None:
        shown = asked.headers.get("authorization", "")
        if asked.method == "HEAD" or not shown:
            return Told(status=405) if asked.method == "HEAD" else None
        said = f"you, {shown}, with {PASSWORD}, may not"
        return Told(status=403, body=json.dumps({"message": said}).encode())

    server.before = echo
    assert "you, Basic ***, with ***, may not" in str(await refused(client, server))


async def test_an_echo_is_not_shown_where_it_is_cut(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    password = PASSWORD * 20
    log_in(home, server.host, password)
    server.login = "basic"

    def echo(asked: Asked) -> Told | None:
        shown = asked.headers.get("authorization", "")
        if asked.method == "HEAD" or not shown:
            return Told(status=405) if shown else None
        said = f"{password} {shown} {'x' * 9_999}"
        return Told(status=429, body=json.dumps({"message": said}).encode())

    server.before = echo
    failure = await refused(client, server)
    assert "answers 429: *** Basic *** xxx" in str(failure)
    assert len(str(failure)) < 400


async def test_an_echo_in_an_address_is_not_shown(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    password = "S3cret-" * 20
    log_in(home, server.host, password)
    server.login = "basic"

    def echo(asked: Asked) -> Told | None:
        if "authorization" not in asked.headers:
            return None
        if "tags" in asked.path:
            link = f'<https://{password}.example/?a>; rel="next"'
            return Told(headers=(("Link", link),), body=b'{"tags": ["1"]}')
        return Told(status=302, headers=(("Location", f"ftp://{password}.example/"),))

    server.before = echo
    failure = await refused(client, server)
    assert "leads to ***.example, which is no encrypted address" in str(failure)
    with pytest.raises(Stalled, match=r"another host, \*\*\*\.example$"):
        await client.tags(f"{server.host}/web")


async def test_a_token_is_good_for_a_day_at_most() -> None:
    body = b'{"token": "x", "expires_in": %s}' % (b"9" * 400)
    reply = Reply(status=200, headers={}, body=body, is_public=False)
    assert read_token(reply)[1] <= 86_400


async def test_a_login_does_not_go_along_to_another_host(
    client: Asking, server: RegistryServer, home: Path
) -> None:
    log_in(home, server.host)
    async with RegistryServer() as other:
        other.push("web:1")
        server.push("web:1")
        server.login = "basic"
        where = f"{other.url}/v2/web/manifests/1"
        server.before = lambda asked: (
            Told(status=307, headers=(("Location", where),))
            if "authorization" in asked.headers
            else None
        )
        await digest(client, server)
        assert [one.line for one in other.asked] == [HEAD]
        assert "authorization" not in other.asked[0].headers


async def test_a_login_of_an_authfile_is_another_ones(
    client: Asking, server: RegistryServer, home: Path, tmp_path: Path
) -> None:
    server.push("web:1")
    server.login = "bearer"
    log_in(home, server.host)
    await digest(client, server)
    other = tmp_path / "other.json"
    other.write_text('{"auths": {}}')
    other.chmod(0o600)
    with pytest.raises(Stalled, match="wants a login"):
        await client.digest(f"{server.host}/web:1", authfile=str(other))
    with pytest.raises(Stalled, match="no such file"):
        await client.digest(f"{server.host}/web:1", authfile=str(tmp_path / "none.json"))
