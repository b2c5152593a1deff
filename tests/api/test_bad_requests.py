"""What no client would send, to the page's process and to the daemon behind it."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from supervisor.client import ApiError, Client
from tests.fakes.control_service import TOKEN, Served, served

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
both = pytest.mark.parametrize("place", ["url", "control_url"])


@pytest.fixture(scope="module")
def podvisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("podvisor")) as running:
        yield running


def ask(url: str, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    """Return the status, what is allowed, and the body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body=body, headers=HEADERS)
        response = connection.getresponse()
        return response.status, response.headers.get("Allow", ""), response.read()
    finally:
        connection.close()


@both
@pytest.mark.parametrize(
    "body",
    [
        b'{"apps": ' + b"[" * 30_000,
        b'{"apps":' * 5_000,
        b'{"apps": ["\xff"]}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"[]",
        b"null",
        b'{"apps": ["a\\u0000b"]}',
        b'{"apps": ["\\ud800"]}',
    ],
)
def test_bodies(podvisor: Served, place: str, body: bytes) -> None:
    status, _, content = ask(getattr(podvisor, place), "POST", "/v1/sync", body)
    assert status == 400
    assert json.loads(content)["detail"].startswith("cannot read the request: ")


@both
@pytest.mark.parametrize(
    "query", ["app=%00", "app=a%0a", "limit=1&limit=x", "after_id=null", "x=1"]
)
def test_queries(podvisor: Served, place: str, query: str) -> None:
    assert ask(getattr(podvisor, place), "GET", f"/v1/events?{query}")[0] == 400


@both
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_methods(podvisor: Served, place: str, method: str) -> None:
    for path, allowed in (("/v1/status", "GET"), ("/v1/sync", "POST")):
        status, allow, _ = ask(getattr(podvisor, place), method, path)
        assert (status, {*allow.split(",")} - {"HEAD"}) == (405, {allowed})
    assert ask(getattr(podvisor, place), "GET", "/v1/none")[0] == 404


def test_heads_have_no_body(podvisor: Served) -> None:
    assert ask(podvisor.url, "HEAD", "/v1/status") == (200, "", b"")
    assert ask(podvisor.control_url, "HEAD", "/v1/status")[::2] == (405, b"")


def test_ten_megabytes(podvisor: Served) -> None:
    apps = [f"{number:0250}" for number in range(40_000)]
    with pytest.raises(ApiError, match="larger than 65536 bytes") as raised:
        Client(socket=podvisor.socket).plan(apps=apps)
    assert raised.value.status == 413


@both
@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "/v1/pin",
            {"app": "web", "words": ["nginx", " 1.0.0"]},
            "“ 1.0.0” is no version: there is a space in it",
        ),
        (
            "/v1/pin",
            {"app": "web", "words": ["1.0 "]},
            "“1.0 ” is no image and no version: there is a space in it",
        ),
        ("/v1/unpin", {"app": "web", "words": [""]}, "it names no image and no version"),
        ("/v1/pin", {"app": "web", "words": ["nginx", ""]}, "it names no version"),
        ("/v1/update", {"name": "größe"}, "“größe” is no name: there is “ö” in it"),
        (
            "/v1/rollback",
            {"apps": ["web"], "revision": "a_b"},
            "“a_b” is no revision: there is “_” in it",
        ),
        (
            "/v1/rollback",
            {"apps": ["web"], "revision": "a" * 65},
            f"“{'a' * 60}…” is no revision: it has 65 characters, and the most is 64",
        ),
        ("/v1/retry", {"apps": [""]}, "it names no app: the word is empty"),
        ("/v1/scale", {"app": "a\tb"}, "“a\\tb” is no app: there is a tab in it"),
        ("/v1/logs?unit=a%1bb", None, "“a\\x1bb” is no unit: there is a control character in it"),
        ("/v1/compare?app=web&old=A1&new=b", None, "“A1” is no release: there is “A” in it"),
    ],
)
def test_words_that_cannot_be_are_told_plainly(
    podvisor: Served, place: str, path: str, body: object, said: str
) -> None:
    method = "GET" if body is None else "POST"
    content = None if body is None else json.dumps(body).encode()
    status, _, answer = ask(getattr(podvisor, place), method, path, content)
    problem = json.loads(answer)
    assert status == 400
    assert problem["detail"].startswith(f"cannot read the request: {said}")
    assert "podvisor " in problem["hint"]
