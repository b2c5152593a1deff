"""What Git hosts are asked, letter by letter, and answers that they do not give."""

import json

import pytest

from supervisor.adapters.githost import exchange
from supervisor.adapters.githost.pull_requests import PullRequestClient
from supervisor.core.githost.api import api_of
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl
from supervisor.model.pull_request import Proposal
from tests.fakes.git_host_server import GitHostServer

pytestmark = pytest.mark.anyio
TOKEN = "t0ken-of-this-test"
WANTED = Proposal(head="updates/pi", to="main", title="t", body="b")
MERGE_REQUESTS = "/api/v4/projects/me%2Fhome/merge_requests"
CLIENT = PullRequestClient()


@pytest.fixture(params=["gitea"])
def server(request):
    made = GitHostServer(request.param, token=TOKEN, repository="me/home")
    yield made
    made.close()


def api(server, path="me/home.git"):
    return api_of(server.kind, git=GitUrl(f"{server.url}/{path}"))


async def find(server):
    return await CLIENT.find(api(server), head="updates/pi", to="main", token=TOKEN.encode())


async def look(server):
    return await CLIENT.look(api(server), 1, token=TOKEN.encode())


async def open_one(server):
    return await CLIENT.open(api(server), WANTED, token=TOKEN.encode())


@pytest.mark.parametrize(
    ("server", "asked"),
    [
        ("github", "/api/v3/repos/me/home/pulls?state=open&head=me:updates%2Fpi&base=main"),
        (
            "gitea",
            "/api/v1/repos/me/home/pulls?state=open&sort=recentupdate&base_branch=main&limit=20",
        ),
        (
            "gitlab",
            f"{MERGE_REQUESTS}?state=opened&source_branch=updates%2Fpi&target_branch=main",
        ),
    ],
    indirect=["server"],
)
async def test_how_one_is_looked_for(server, asked):
    await find(server)
    assert server.asked == [("GET", asked, {})]


@pytest.mark.parametrize(
    ("server", "body", "method", "closing"),
    [
        ("github", ("head", "base", "body"), "PATCH", {"state": "closed"}),
        ("forgejo", ("head", "base", "body"), "PATCH", {"state": "closed"}),
        (
            "gitlab",
            ("source_branch", "target_branch", "description"),
            "PUT",
            {"state_event": "close"},
        ),
    ],
    indirect=["server"],
)
async def test_what_is_sent(server, body, method, closing):
    opened = await open_one(server)
    head, to, text = body
    assert server.asked[-1][2] == {head: "updates/pi", to: "main", "title": "t", text: "b"}
    await CLIENT.edit(api(server), opened.number, WANTED, token=TOKEN.encode())
    assert (server.asked[-1][0], server.asked[-1][2]) == (method, {"title": "t", text: "b"})
    await CLIENT.close(api(server), opened.number, token=TOKEN.encode())
    assert (server.asked[-1][0], server.asked[-1][2]) == (method, closing)


@pytest.mark.parametrize(
    ("status", "headers", "failure", "said"),
    [
        (401, {}, Stalled, "repository: read and write"),
        (403, {}, Stalled, "writeback_pull_request = false"),
        (403, {"Retry-After": "60"}, Retry, ""),
        (429, {}, Retry, ""),
        (404, {}, Stalled, "takes pull requests"),
        (301, {"Location": "/elsewhere"}, Stalled, "status_url"),
        (422, {}, Stalled, "page"),
        (423, {}, Stalled, "page"),
        (500, {}, Retry, ""),
    ],
)
async def test_what_is_refused_says_why_but_not_the_token(server, status, headers, failure, said):
    errors = [{"message": "No commits between main and x"}, "and more"]
    message = {"message": f"Bad {TOKEN}\n\x1b[1m" + "y" * 50, "errors": errors}
    server.refusal = (status, headers, json.dumps(message).encode())
    with pytest.raises(failure, match=f"answers {status}: Bad \\*\\*\\*") as caught:
        await open_one(server)
    text = f"{caught.value} {getattr(caught.value, 'hint', '')}"
    assert TOKEN not in text
    assert text.isprintable()
    assert "No commits between main and x: and more" in text
    assert len(str(caught.value)) < 400
    assert said in text


@pytest.mark.parametrize("before", [0, 150, 190, 195, 199, 250])
@pytest.mark.parametrize("shape", ["{}", ["{}"], {"base": ["{}"]}])
async def test_no_part_of_the_token_is_told_wherever_the_words_are_cut(server, before, shape):
    echo = json.dumps({"message": shape}).replace("{}", f"{'y' * before}{TOKEN} is bad")
    server.refusal = (422, {}, echo.encode())
    with pytest.raises(Stalled) as caught:
        await open_one(server)
    assert TOKEN[:2] not in str(caught.value).partition("answers 422")[2]


@pytest.mark.parametrize(
    ("errors", "more"),
    [
        (["one", {"message": "two"}, {"code": "missing"}, 3, None], ": one: two: 3"),
        ({"base": ["odd"]}, ""),
        ("odd", ""),
        (7, ""),
        (None, ""),
    ],
)
async def test_its_message_is_told_whatever_shape_the_rest_has(server, errors, more):
    server.refusal = (422, {}, json.dumps({"message": "No commits", "errors": errors}).encode())
    with pytest.raises(Stalled, match=f"answers 422: No commits{more}$"):
        await open_one(server)


@pytest.mark.parametrize("name", [b"message", b"errors", b"else"])
@pytest.mark.parametrize("odd", [b"[" * 60_000, b'"\xff"}'])
async def test_a_refusal_that_cannot_be_read_says_nothing(server, name, odd):
    server.refusal = (422, {}, b'{"' + name + b'": ' + odd)
    with pytest.raises(Stalled, match=r"answers 422$"):
        await open_one(server)


WHOLE = {
    "number": 1,
    "state": "open",
    "html_url": "u",
    "head": {"ref": "updates/pi", "repo": {"id": 1}},
    "base": {"ref": "main", "repo": {"id": 1}},
}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"else": ' + b"[" * 100_000,
        b'{"else": "\xff"}',
        b'{"number": 1, "state": "open", "html_url": "\xff"}',
        json.dumps([WHOLE, WHOLE]).encode(),
        *(
            json.dumps(WHOLE | odd).encode()
            for odd in (
                {"number": 0},
                {"number": -1},
                {"number": 2**60},
                {"number": "1/../../x"},
                {"state": "odd"},
                {"head": None},
                {"html_url": 5},
            )
        ),
    ],
)
async def test_an_answer_that_cannot_be_one_is_asked_for_again(server, answer):
    server.refusal = (200, {}, answer)
    with pytest.raises(Retry, match="says nothing of a pull request"):
        await look(server)


async def test_an_endless_answer_is_cut_off(server):
    server.refusal = (200, {}, b" " * (5 << 20))
    with pytest.raises(Retry, match="larger than"):
        await find(server)
    server.refusal = (500, {}, b" " * (1 << 20))
    with pytest.raises(Retry, match="larger than"):
        await find(server)


async def test_who_never_answers_is_asked_again(server, monkeypatch):
    monkeypatch.setattr(exchange, "_TIMEOUT_SECONDS", 0.1)
    server.hang()
    with pytest.raises(Retry, match="cannot look"):
        await look(server)


async def test_a_fork_that_is_gone_is_not_ours(server):
    gone = WHOLE | {"head": {"ref": "updates/pi", "repo": None}}
    server.refusal = (200, {}, json.dumps([gone]).encode())
    assert await find(server) is None
