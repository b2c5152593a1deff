"""Statuses to a small HTTP server that records what it is sent and answers as it is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from supervisor.adapters.githost.commit_status import CommitStatusSender
from supervisor.core.githost.api import api_of
from supervisor.model.commit_status import CommitState, CommitStatus
from supervisor.model.errors import Retry, Stalled
from supervisor.model.git_url import GitUrl

pytestmark = pytest.mark.anyio
REVISION = "1234567890" * 4
TOKEN = b"t0ken-of-this-test"
FAILURE = CommitStatus(
    revision=REVISION,
    state=CommitState.FAILURE,
    description="web is refused:\nbad “key”" + "x" * 200,
)


class Handler(BaseHTTPRequestHandler):
    requests: list
    answer: list

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.path, dict(self.headers), json.loads(body)))
        status, headers, content = self.answer[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server():
    handler = type("Here", (Handler,), {"requests": [], "answer": [(201, {}, b"{}")]})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


async def tell(server, kind, status=FAILURE, *, url="", path="me/home.git", token=TOKEN):
    base = f"http://127.0.0.1:{server.server_port}"
    api = api_of(kind, git=GitUrl(f"{base}/{path}"), url=url and f"{base}{url}")
    await CommitStatusSender().tell(api, status, context="podvisor/pi", token=token)


def answer(server, status, body=b"", **headers):
    handler = server.RequestHandlerClass
    handler.answer[0] = (status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


@pytest.mark.parametrize(
    ("kind", "path", "header", "value"),
    [
        ("github", f"/api/v3/repos/me/home/statuses/{REVISION}", "Authorization", "Bearer "),
        ("gitea", f"/api/v1/repos/me/home/statuses/{REVISION}", "Authorization", "token "),
        ("forgejo", f"/api/v1/repos/me/home/statuses/{REVISION}", "Authorization", "token "),
    ],
)
async def test_a_failure_with_its_reason(server, kind, path, header, value):
    await tell(server, kind)
    ((asked, headers, body),) = server.RequestHandlerClass.requests
    assert asked == path
    assert headers[header] == value + TOKEN.decode()
    assert (body["state"], body["context"]) == ("failure", "podvisor/pi")
    assert body["description"].startswith("web is refused: bad “key”xxx")
    assert len(body["description"]) == 140


async def test_gitlab_has_words_of_its_own(server):
    await tell(server, "gitlab", path="group/sub/home.git")
    ((asked, headers, body),) = server.RequestHandlerClass.requests
    assert asked == f"/api/v4/projects/group%2Fsub%2Fhome/statuses/{REVISION}"
    assert headers["PRIVATE-TOKEN"] == TOKEN.decode()
    assert (body["state"], body["name"]) == ("failed", "podvisor/pi")


@pytest.mark.parametrize("state", list(CommitState))
async def test_the_base_can_be_elsewhere(server, state):
    status = msgspec.structs.replace(FAILURE, state=state)
    await tell(server, "gitea", status, url="/git/api/v1/")
    ((asked, _, body),) = server.RequestHandlerClass.requests
    assert asked.startswith("/git/api/v1/repos/me/home/")
    assert body["state"] == state.value


@pytest.mark.parametrize(
    ("status", "headers", "failure", "said"),
    [
        (401, {}, Stalled, "status_token"),
        (403, {}, Stalled, "status_token"),
        (403, {"Retry_After": "60"}, Retry, ""),
        (403, {"X_RateLimit_Remaining": "0"}, Retry, ""),
        (429, {}, Retry, ""),
        (404, {}, Stalled, "status_url"),
        (301, {"Location": "/elsewhere"}, Stalled, "the API is elsewhere"),
        (422, {}, Stalled, "status_url"),
        (500, {}, Retry, ""),
        (503, {}, Retry, ""),
    ],
)
async def test_what_is_refused_says_why_but_not_the_token(server, status, headers, failure, said):
    message = json.dumps({"message": f"Bad credentials {TOKEN.decode()}\n" + "y" * 500})
    answer(server, status, message.encode(), **headers)
    with pytest.raises(failure, match=f"answers {status}: Bad credentials \\*\\*\\*") as caught:
        await tell(server, "github")
    assert TOKEN.decode() not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert said in getattr(caught.value, "hint", "")


async def test_gitlab_refuses_what_it_was_told_already_and_that_is_well(server):
    answer(server, 400, b'{"message": "Cannot transition status via :run from :running"}')
    await tell(server, "gitlab")
    with pytest.raises(Stalled):
        await tell(server, "gitea")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"message": {"a": [1]}}'])
async def test_odd_answers_are_no_matter(server, body):
    answer(server, 500, body)
    with pytest.raises(Retry, match="answers 500"):
        await tell(server, "github")


async def test_an_endless_answer_is_cut_off(server):
    answer(server, 500, b"x" * (1 << 20))
    with pytest.raises(Retry, match="larger than"):
        await tell(server, "github")


async def test_nobody_there_is_tried_again():
    api = api_of("gitea", git=GitUrl("http://127.0.0.1:1/me/home.git"))
    with pytest.raises(Retry, match=r"127\.0\.0\.1:1/api/v1 how 12345678 fares"):
        await CommitStatusSender().tell(api, FAILURE, context="x", token=TOKEN)


@pytest.mark.parametrize("token", [b"\xff", b"two\nlines"])
async def test_a_token_that_cannot_be_sent(server, token):
    with pytest.raises(Stalled, match="odd characters") as caught:
        await tell(server, "gitea", token=token)
    assert "lines" not in str(caught.value)
    assert not server.RequestHandlerClass.requests
