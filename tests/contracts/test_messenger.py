"""The `Messenger` port; the real Apprise against an HTTP server of our own."""

import contextlib
import json
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from supervisor.adapters.notify import sender
from supervisor.adapters.notify.apprise_process import send as send_here
from supervisor.adapters.notify.sender import AppriseMessenger
from supervisor.controllers.ports import Messenger
from supervisor.kit import helper
from supervisor.model.errors import Retry, Stalled
from supervisor.model.notify import Message, MessageType
from tests.fakes.answers import answer_here
from tests.fakes.messenger import FakeMessenger
from tests.fakes.web import Web

pytestmark = pytest.mark.anyio
TOKEN = "t0ken-of-this-test"
MESSAGE = Message(title="pi: web is down", body="exit-code\n  <b>*x*</b>", type=MessageType.FAILURE)


class FakeSide:
    def __init__(self) -> None:
        self.messenger: Messenger = FakeMessenger()
        self.url = f"json://127.0.0.1:1/{TOKEN}".encode()

    def _fails_of(self, failure: Exception) -> None:
        assert isinstance(self.messenger, FakeMessenger)
        self.messenger.failures[self.url] = failure

    def arrived(self) -> list[tuple[str, str, str]]:
        assert isinstance(self.messenger, FakeMessenger)
        return [(one.title, one.body, one.type.value) for _, one in self.messenger.sent]

    def is_gone(self) -> None:
        self._fails_of(Retry("no route to host"))

    def hangs(self) -> None:
        self._fails_of(Retry("no answer"))

    def is_overloaded(self) -> None:
        self._fails_of(Retry("error=503"))

    def refuses(self) -> None:
        self._fails_of(Stalled("error=401", hint="compare the URL"))

    def close(self) -> None:
        pass


class RealSide:
    def __init__(self) -> None:
        self.web = Web()
        self.messenger: Messenger = AppriseMessenger()
        self.url = f"json://127.0.0.1:{self.web.port}/{TOKEN}".encode()

    def arrived(self) -> list[tuple[str, str, str]]:
        bodies = [json.loads(body) for _, body in self.web.asked]
        return [(one["title"], one["message"], one["type"]) for one in bodies]

    def is_gone(self) -> None:
        self.web.close()

    def hangs(self) -> None:
        self.web.hang()

    def is_overloaded(self) -> None:
        self.web.status = 503

    def refuses(self) -> None:
        self.web.status = 401

    def close(self) -> None:
        self.web.close()


@pytest.fixture(params=[FakeSide, RealSide])
def side(request: Any) -> Iterator[FakeSide | RealSide]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def without_a_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Apprise takes more than a second to load, and what it answers is the same."""
    answer_here(monkeypatch, helper, send_here)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in a process of its own
        yield


async def send(side: FakeSide | RealSide, url: bytes = b"") -> None:
    with anyio.fail_after(120):
        await side.messenger.send(url or side.url, MESSAGE)


async def test_it_arrives_as_it_was_written(side: FakeSide | RealSide) -> None:
    await send(side)
    assert side.arrived() == [(MESSAGE.title, MESSAGE.body, "failure")]


@pytest.mark.usefixtures("without_a_process")
async def test_who_is_gone_or_overloaded_is_tried_again(side: FakeSide | RealSide) -> None:
    side.is_overloaded()
    with pytest.raises(Retry) as caught:
        await send(side)
    assert TOKEN not in str(caught.value)
    side.is_gone()
    with pytest.raises(Retry) as caught:
        await send(side)
    assert TOKEN not in str(caught.value)


@pytest.mark.usefixtures("without_a_process")
async def test_who_refuses_is_for_a_person(side: FakeSide | RealSide) -> None:
    side.refuses()
    with pytest.raises(Stalled, match="401") as caught:
        await send(side)
    assert caught.value.hint
    assert TOKEN not in f"{caught.value} {caught.value.hint}"


async def test_who_never_answers_is_tried_again(
    side: FakeSide | RealSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_TIMEOUT_SECONDS", 3.0)
    side.hangs()
    with pytest.raises(Retry, match="no answer"):
        await send(side)


@pytest.mark.parametrize("url", [b"hunter2", b"\0://x", b"ntfy://a\nntfy://b", b"ntfy://a b"])
async def test_what_is_no_url_is_for_a_person(side: FakeSide | RealSide, url: bytes) -> None:
    with pytest.raises(Stalled) as caught:
        await send(side, url)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("without_a_process")
async def test_a_service_that_apprise_does_not_know_is_for_a_person() -> None:
    with pytest.raises(Stalled, match="Apprise cannot use the URL") as caught:
        await AppriseMessenger().send(b"nosuchthing://hunter2/secret", MESSAGE)
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value)


def what_all_may_see() -> bytes:
    """Return arguments and environments of all processes."""
    seen = b""
    for what in ("cmdline", "environ"):
        for place in Path("/proc").glob(f"[0-9]*/{what}"):
            with contextlib.suppress(OSError):
                seen += place.read_bytes()
    return seen


async def test_the_url_is_in_no_argument_and_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)  # noqa: FBT003  # as it is called
        port = server.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            url = f"json://127.0.0.1:{port}/{TOKEN}".encode()
            tasks.start_soon(AppriseMessenger().send, url, MESSAGE)
            await anyio.wait_readable(server)
            seen = what_all_may_see()
            tasks.cancel_scope.cancel()
    assert b"apprise_process" in seen
    assert TOKEN.encode() not in seen
