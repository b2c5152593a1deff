"""The `Listener` port, with whoever decides what is answered."""

import itertools
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Protocol

import anyio
import pytest
from anyio.abc import TaskStatus

from supervisor.api.webhooks import WebhookListener, WebhookRouter
from supervisor.controllers.ports import Listener
from supervisor.model.errors import Retry
from supervisor.model.webhook import Answer, Delivery, Sender
from tests.fakes.ports import FakeListener

pytestmark = pytest.mark.anyio
PATH = "/hooks/home"


class Here:
    """Takes webhooks for one path, of a hundred bytes at most."""

    body_size = 100

    def __init__(self) -> None:
        self.got: list[Delivery] = []

    def sender(self, peer: str, headers: Mapping[str, str]) -> Sender:
        return Sender(peer)

    def admit(self, sender: Sender, *, method: str, path: str) -> Answer | None:
        assert sender.address.startswith("127.")
        return None if (method, path) == ("POST", PATH) else Answer(status=404, text="nobody")

    def too_large(self, sender: Sender) -> Answer:
        return Answer(status=413, text="too large")

    def too_slow(self, sender: Sender) -> None:
        raise AssertionError(sender)

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer:
        self.got.append(delivery)
        return Answer(status=202, text="well")


class Running(Listener, Protocol):
    async def run(self, router: WebhookRouter, *, task_status: TaskStatus[None]) -> None: ...


class FakeSide:
    def __init__(self) -> None:
        self.listener = FakeListener()

    def takes(self, address: str) -> None:
        """Somebody else listens there."""
        self.listener.taken.add(address)

    def leaves(self, address: str) -> None:
        self.listener.taken.remove(address)


class RealSide:
    def __init__(self) -> None:
        self.listener = WebhookListener()
        self.others: dict[str, socket.socket] = {}

    def takes(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.others[address] = socket.create_server((host, int(port)))

    def leaves(self, address: str) -> None:
        self.others.pop(address).close()


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture(params=[FakeSide, RealSide])
async def side(request: Any, here: Here) -> AsyncIterator[FakeSide | RealSide]:
    made = request.param()
    listener: Running = made.listener
    async with anyio.create_task_group() as tasks:
        await tasks.start(listener.run, here)
        yield made
        tasks.cancel_scope.cancel()


def _addresses() -> Iterator[str]:
    """Of this process alone: no free port is looked for that another could take meanwhile."""
    high, low = divmod(os.getpid() % 65_536, 256)
    return (f"127.{high}.{low}.{number}:9078" for number in itertools.cycle(range(1, 255)))


ADDRESSES = _addresses()


async def knock(listener: Listener, body: bytes = b"x", path: str = PATH) -> tuple[int, str]:
    with anyio.fail_after(60):
        return await listener.knock(path, headers={"X-Event": "push"}, body=body)


async def test_what_is_sent_is_what_is_heard(side: FakeSide | RealSide, here: Here) -> None:
    listener: Listener = side.listener
    assert listener.address == ""
    address = next(ADDRESSES)
    await listener.move(address)
    assert listener.address == address
    assert await knock(listener, b"body") == (202, "well")
    (delivery,) = here.got
    assert delivery.body == b"body"
    assert delivery.headers["x-event"] == "push", "names in small letters, whoever sends them"
    assert "X-Event" not in delivery.headers


async def test_what_is_refused_is_not_heard(side: FakeSide | RealSide, here: Here) -> None:
    listener: Listener = side.listener
    await listener.move(next(ADDRESSES))
    assert await knock(listener, path="/else") == (404, "nobody")
    assert await knock(listener, b"x" * (here.body_size + 1)) == (413, "too large")
    assert here.got == []
    assert await knock(listener, b"x" * here.body_size) == (202, "well")


async def test_it_listens_at_one_place_at_a_time(side: FakeSide | RealSide) -> None:
    listener: Listener = side.listener
    first, second = next(ADDRESSES), next(ADDRESSES)
    for address in (first, second, second, first):
        await listener.move(address)
        assert listener.address == address
        assert (await knock(listener))[0] == 202
    await listener.move("")
    assert listener.address == ""
    with pytest.raises(Retry, match="webhooks"):
        await knock(listener)


async def test_where_somebody_else_listens_is_tried_again(side: FakeSide | RealSide) -> None:
    listener: Listener = side.listener
    free, taken = next(ADDRESSES), next(ADDRESSES)
    side.takes(taken)
    await listener.move(free)
    with pytest.raises(Retry, match=f"cannot listen for webhooks on {taken}: .*in use"):
        await listener.move(taken)
    assert listener.address == "", "nowhere rather than at the old place"
    side.leaves(taken)
    await listener.move(taken)
    assert listener.address == taken
    assert (await knock(listener))[0] == 202
