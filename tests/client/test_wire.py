"""Answers as their bytes come, however they are cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.client import ClientError, Disconnected
from supervisor.client.place import Place, place_of
from supervisor.client.wire import Lines, Response, request

SOCKET = Place(socket="/run/podvisor/control.sock")
BODY = b'{"a": 1}\n{"b": 2}\n' * 5
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\n" + BODY[:5] + b"\r\n" + b"%x\r\n" % (len(BODY) - 5) + BODY[5:] + b"\r\n"
    b"0\r\nTrailer: x\r\n\r\n"
)
KNOWN = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
UNTIL_THE_END = b"HTTP/1.0 200\r\n\r\n" + BODY
AFTER_ANOTHER = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + KNOWN


def received(response: Response, parts: list[bytes]) -> bytes:
    return b"".join(map(response.receive, parts))


@given(
    st.sampled_from([CHUNKED, KNOWN, UNTIL_THE_END, AFTER_ANOTHER]),
    st.lists(st.integers(1, 260), max_size=12).map(sorted),
)
def test_however_it_is_cut_it_is_the_same(answer: bytes, cuts: list[int]) -> None:
    parts = [answer[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]
    response = Response(SOCKET)
    assert received(response, [part for part in parts if part]) == BODY
    assert response.status == 200
    if answer is UNTIL_THE_END:
        assert not response.is_over
        response.receive(b"")
    assert response.is_over


@pytest.mark.parametrize("answer", [CHUNKED, KNOWN, b"HTTP/1.1 200 OK\r\n"])
def test_one_that_is_cut_off(answer: bytes) -> None:
    for end in range(1, len(answer)):
        response = Response(SOCKET)
        response.receive(answer[:end])
        with pytest.raises(Disconnected, match="the daemon hung up"):
            response.receive(b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"\x16\x03\x01\x00\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"SSH-2.0-OpenSSH_10\r\n\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
    ],
)
def test_what_is_no_http(answer: bytes) -> None:
    with pytest.raises(ClientError, match="is no HTTP"):
        Response(SOCKET).receive(answer)


@given(st.binary(min_size=1))
def test_nothing_is_a_defect(answer: bytes) -> None:
    response = Response(SOCKET)
    try:
        response.receive(answer)
        response.receive(b"")
    except ClientError:
        pass


@given(st.lists(st.binary(max_size=5), max_size=10))
def test_lines(parts: list[bytes]) -> None:
    lines = Lines()
    found = [line for part in parts for line in lines.receive(part)]
    *whole, rest = b"".join(parts).split(b"\n")
    assert found == [line for line in whole if line.strip()]
    assert lines.is_in_the_middle == bool(rest)


def test_a_problem_without_its_details_is_told_as_it_came() -> None:
    response = Response(SOCKET)
    response.receive(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
    for content in (b"<h1>Bad Gateway</h1>", b"[]", b'{"title": 1}', b"\xff"):
        error = response.problem(content)
        assert (error.status, error.hint) == (502, "")
        assert "the daemon answered 502: " in str(error)


def test_a_request() -> None:
    place = place_of("https://[::1]:8443/podvisor/", "t0k=n")
    head, _, body = request(
        place, "/v1/plan", query={"a": "é &", "b": True, "c": None}, content=b"{}"
    ).partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "POST /podvisor/v1/plan?a=%C3%A9%20%26&b=true HTTP/1.1",
        "Host: [::1]:8443",
        "Connection: close",
        "Accept: application/json, application/x-ndjson, application/problem+json",
        "Authorization: Bearer t0k=n",
        "Content-Type: application/json",
        "Content-Length: 2",
    ]
    assert json.loads(body) == {}


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("podvisor.example.org", ""),
        ("ftp://podvisor.example.org", ""),
        ("http:///v1", ""),
        ("http://user:password@podvisor.example.org", ""),
        ("http://podvisor.example.org/?a", ""),
        ("http://podvisor.example.org:x", ""),
        ("http://podvisor.example.org/a b", ""),
        ("http://podvisor.example.org/\r\nX: y", ""),
        ("http://podvisor.example.org", "a\r\nX: y"),
        ("http://podvisor.example.org", "tokén"),
    ],
)
def test_a_url_or_a_token_that_is_none(url: str, token: str) -> None:
    with pytest.raises(ValueError):
        place_of(url, token)
