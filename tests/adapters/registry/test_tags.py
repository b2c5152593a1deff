"""Lists of tags: long ones, hostile ones, and those that did not change."""

import json

import anyio
import pytest

from supervisor.adapters.registry import asking, listing
from supervisor.adapters.registry.asking import Asking
from supervisor.adapters.registry.pages import next_query
from supervisor.model.errors import Retry, Stalled
from tests.fakes.registry_server import Asked, RegistryServer, Told

pytestmark = pytest.mark.anyio


async def tags(client: Asking, server: RegistryServer) -> tuple[str, ...]:
    with anyio.fail_after(60):
        return tuple(await client.tags(f"{server.host}/web"))


async def refused(client: Asking, server: RegistryServer, words: str) -> Stalled:
    with pytest.raises(Stalled, match=words) as failure:
        await tags(client, server)
    assert failure.value.hint
    return failure.value


def fill(server: RegistryServer, count: int) -> tuple[str, ...]:
    names = tuple(f"1.{number}.0" for number in range(count))
    server.manifests["web"] = dict.fromkeys(names, b"{}")
    return names


def page(tags: object, link: str = "") -> Told:
    headers = (("Link", link),) if link else ()
    return Told(headers=headers, body=json.dumps({"name": "web", "tags": tags}).encode())


@pytest.mark.parametrize(("count", "size"), [(0, 3), (1, 3), (3, 3), (10, 3), (20_000, 1_000)])
async def test_pages_are_followed_to_the_end(
    client: Asking, server: RegistryServer, count: int, size: int
) -> None:
    names = fill(server, count)
    server.page = size
    assert await tags(client, server) == names
    assert len(server.asked) == max(1, -(-count // size)) + (count == 20_000)
    assert server.asked[0].query["n"] == "1000"


async def test_a_full_page_that_says_nothing_of_more_is_asked_what_follows(
    client: Asking, server: RegistryServer
) -> None:
    names = [f"{number:05}" for number in range(2_500)]

    def cut(asked: Asked) -> Told:
        last = asked.query.get("last", "")
        return page([name for name in names if name > last][: int(asked.query["n"])])

    server.before = cut
    assert list(await tags(client, server)) == names
    assert len(server.asked) == 3


@pytest.mark.parametrize("most", [100, 50])
async def test_a_registry_that_gives_no_page_so_large_is_asked_for_smaller_ones(
    client: Asking, server: RegistryServer, most: int
) -> None:
    names, server.page = fill(server, 250), 1_000

    def refuse(asked: Asked) -> Told | None:
        is_too_many = int(asked.query.get("n", 0)) > most
        body = b'{"errors": [{"code": "TOO_MANY_TAGS_REQUESTED", "message": "max is less"}]}'
        return Told(status=400, body=body) if is_too_many else None

    server.before = refuse
    if most < 100:
        assert "max is less" in str(await refused(client, server, "answers 400"))
        assert len(server.asked) == 2
    else:
        assert await tags(client, server) == names
        assert [one.query["n"] for one in server.asked] == ["1000", "100", "100", "100"]


async def test_digests_signatures_and_nonsense_are_no_versions(
    client: Asking, server: RegistryServer
) -> None:
    other = "sha256-" + "a" * 64
    found = ["1", "sha256:" + "a" * 64, f"{other}.sig", other, "", "-x", "a/b", "é", "2", "1"]
    server.before = lambda _: page([*found, "x" * 129])
    assert await tags(client, server) == ("1", "2")


async def test_nothing_at_all_is_an_empty_list(client: Asking, server: RegistryServer) -> None:
    server.before = lambda _: page(None)
    assert await tags(client, server) == ()


@pytest.mark.parametrize("body", [b'{"tags": [1]}', b'{"tags": {}}', b"[" * 9_999, b""])
async def test_what_is_no_list(client: Asking, server: RegistryServer, body: bytes) -> None:
    server.before = lambda _: Told(body=body)
    await refused(client, server, "no list of tags")


@pytest.mark.parametrize(
    "page_of_a_network",
    [
        Told(body=b"<!DOCTYPE html><title>Log in</title>"),
        Told(body=b"\n <html>"),
        Told(body=b"Please log in", headers=(("Content-Type", "text/html; charset=utf-8"),)),
    ],
)
async def test_a_web_page_in_place_of_a_list(
    client: Asking, server: RegistryServer, page_of_a_network: Told
) -> None:
    server.before = lambda _: page_of_a_network
    with pytest.raises(Retry, match="sends a web page, and no list of tags") as failure:
        await tags(client, server)
    assert failure.value.hint == "check that the network needs no login of its own"
    assert not failure.value.after_seconds


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ('</v2/web/tags/list?n=1000>; rel="next"', "in a circle"),
        ('<https://evil.example/v2/web/tags/list?last=1>; rel="next"', "another host, evil"),
        ("<//evil.example/?last=1>; rel=next", "another host, evil"),
    ],
)
async def test_lists_that_lead_astray(
    client: Asking, server: RegistryServer, link: str, words: str
) -> None:
    server.before = lambda _: page(["1"], link)
    await refused(client, server, words)
    assert len(server.asked) == 1


async def test_a_link_of_which_only_the_query_fits_is_followed(
    client: Asking, server: RegistryServer
) -> None:
    # Without the prefix that Artifactory has, or with the port that a proxy hides.
    link = '<http://localhost:5000/elsewhere?last=1&n=1>; a="b"; REL="next", <x>; rel="prev"'
    server.before = lambda asked: page(["2"]) if "last" in asked.query else page(["1"], link)
    assert await tags(client, server) == ("1", "2")
    assert server.lines == ["GET /v2/web/tags/list"] * 2


async def test_a_list_that_always_goes_on_has_an_end(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_MOST_PAGES", 20)

    def more(_: Asked) -> Told:
        return page([f"{len(server.asked)}"], f'<?last={len(server.asked)}>; rel="next"')

    server.before = more
    await refused(client, server, "more than 20 tags")


async def test_megabytes_of_tags_are_refused_with_a_way_out(
    client: Asking, server: RegistryServer
) -> None:
    server.before = lambda _: page([f"{number:0100}" for number in range(30_000)])
    failure = await refused(client, server, "larger than 2097152 bytes")
    assert "ImagePolicy=digest" in failure.hint


async def test_what_did_not_change_is_not_read_again(
    client: Asking, server: RegistryServer
) -> None:
    names = fill(server, 100)
    server.etag = '"1"'
    for _ in range(3):
        assert await tags(client, server) == names
    assert [one.headers.get("if-none-match") for one in server.asked] == [None, '"1"', '"1"']
    server.etag = '"2"'
    names = fill(server, 101)
    assert await tags(client, server) == names


async def test_the_mark_of_a_first_page_says_nothing_of_the_others(
    client: Asking, server: RegistryServer
) -> None:
    server.etag, server.page = '"1"', 10
    fill(server, 15)
    await tags(client, server)
    names = fill(server, 16)
    assert await tags(client, server) == names


async def test_a_list_that_is_forgotten_while_it_is_asked_for_is_not_empty(
    client: Asking, server: RegistryServer
) -> None:
    names = fill(server, 3)
    server.etag = '"1"'
    await tags(client, server)
    server.before = lambda _: client._memory._lists.clear()
    assert await tags(client, server) == names


async def test_a_mark_that_cannot_be_sent_back_is_not_kept(
    client: Asking, server: RegistryServer
) -> None:
    body = b'{"tags": ["1"]}'
    server.before = lambda _: Told(headers=(("ETag", '"\u00e9"'),), body=body)
    for _ in range(2):
        assert await tags(client, server) == ("1",)


async def test_a_list_of_which_each_page_takes_its_time_has_an_end(
    client: Asking, server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_QUESTION_SECONDS", 0.05)
    server.before = lambda _: page(
        [f"{len(server.asked)}"], f'<?last={len(server.asked)}>; rel="next"'
    )
    with pytest.raises(Retry, match=rf"{server.host}: no end after 0\.05 s"):
        await tags(client, server)


@pytest.mark.parametrize(
    ("link", "query"),
    [
        ('<?a>; rel="next"', "a"),
        ("<?a>; rel=next", "a"),
        ('<?a>; title="rel=next"; rel=prev, <?b>; REL="prev Next"', "b"),
        ("<?a>; rel=nextest", ""),
        ('<?a>; rel="x-next"', ""),
        ("<?a>" + '; rel="next' * 3_000, ""),
        ("<?a>" + ';rel="' + "next " * 6_000 + "!", ""),
        ('<?a>; x="' + 'rel="' * 6_000, ""),
    ],
)
def test_links(link: str, query: str) -> None:
    assert next_query(link, url="https://a.example/v2/web/tags/list") == query
