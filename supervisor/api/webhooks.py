"""The listener for webhooks: the only thing of podvisor's that the network reaches.

Asks a `WebhookRouter` who may be heard, and what to answer; `kit.http.public_server` keeps
the limits.

| request | answer |
| --- | --- |
| `POST /hooks/SOURCE`, signed as the source's `webhook` says | 202, and what comes of it |
| the same, signed but senseless | 400 |
| `POST /hooks/images/REGISTRY`, as its `sender` proves itself | 202, and what comes of it |
| `POST /hooks/images/REGISTRY/TOKEN`, if it can prove nothing | the same |
| one of these, not so proved; too large | 401; 413 |
| another method, anything else | 405, 404 |
| whatever, from an address that was refused too often | 429 |
| the same, behind a trusted proxy, not so signed | 429 |
| if the secret cannot be read | 503 |
"""

import socket
from collections.abc import Mapping
from functools import partial
from typing import Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from supervisor.core.githost.client_address import parse_listen
from supervisor.kit.http import client as http
from supervisor.kit.http.public_server import LimitedServer, Limits, listen
from supervisor.kit.http.server import Request
from supervisor.model.errors import Retry
from supervisor.model.webhook import Answer, Delivery, Sender

_KNOCK_SECONDS = 15.0
_KNOCK_LIMIT = 16 << 10


class WebhookRouter(Protocol):
    """Who decides; `controllers.webhooks.router` does."""

    @property
    def body_size(self) -> int: ...

    def sender(self, peer: str, headers: Mapping[str, str]) -> Sender: ...

    def admit(self, sender: Sender, *, method: str, path: str) -> Answer | None: ...

    def too_large(self, sender: Sender) -> Answer: ...

    def too_slow(self, sender: Sender) -> None: ...

    async def receive(self, sender: Sender, *, path: str, delivery: Delivery) -> Answer: ...


class WebhookListener:
    """Opens, moves and closes the listener while the daemon runs. The `Listener` port."""

    def __init__(self) -> None:
        self._tasks: TaskGroup | None = None
        self._door: LimitedServer | None = None
        self._address = ""
        self._scope = anyio.CancelScope()
        self._closed = anyio.Event()

    @property
    def address(self) -> str:
        """Where it listens now; empty if it does not."""
        return self._address

    async def run(
        self,
        router: WebhookRouter,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve whatever is opened, until cancelled."""
        self._door = LimitedServer(
            partial(_answer, router),
            limits=Limits(),
            on_slow=partial(_count_slow, router),
        )
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            task_status.started()
            await anyio.sleep_forever()

    async def move(self, address: str) -> None:
        """Listen there, and nowhere else (nowhere, if empty). Raises Retry.

        Where it cannot listen, it does not listen at all.
        """
        if address == self._address or self._tasks is None or self._door is None:
            return
        if self._address:
            self._scope.cancel()
            await self._closed.wait()
            self._address = ""
        if not address:
            return
        try:
            listener = listen(*parse_listen(address))
        except OSError as error:
            raise Retry(f"cannot listen for webhooks on {address}: {error.strerror}") from error
        self._address = address
        self._closed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._tasks.start_soon(self._serve, self._door, listener, self._scope, self._closed)

    async def knock(self, path: str, *, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Send it a request, as others do; returns the answer. Raises Retry."""
        if not self._address:
            raise Retry("cannot reach the listener for webhooks: it does not listen")
        host, port = parse_listen(self._address)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not to bind
        url = f"http://[{host}]:{port}{path}" if ":" in host else f"http://{host}:{port}{path}"
        try:
            async with http.ask(
                "POST", url, headers=headers, body=body, timeout_seconds=_KNOCK_SECONDS
            ) as answer:
                return answer.status, (await answer.read(limit=_KNOCK_LIMIT)).decode().strip()
        except http.HttpError as error:
            raise Retry(f"cannot reach the listener for webhooks at {url}: {error}") from error

    @staticmethod
    async def _serve(
        door: LimitedServer, listener: socket.socket, scope: anyio.CancelScope, closed: anyio.Event
    ) -> None:
        try:
            with listener, scope:
                await door.serve(listener)
        finally:
            closed.set()


async def _answer(router: WebhookRouter, request: Request, peer: str) -> None:
    sender = router.sender(peer, request.headers)
    answer = router.admit(sender, method=request.method, path=request.path)
    if answer is None:
        try:
            body = await request.read(limit=router.body_size)
        except ValueError:
            answer = router.too_large(sender)
        else:
            delivery = Delivery(headers=request.headers, body=body)
            answer = await router.receive(sender, path=request.path, delivery=delivery)
    content = answer.text.encode() + b"\n"
    await request.reply(answer.status, content, content_type="text/plain; charset=utf-8")


def _count_slow(router: WebhookRouter, request: Request, peer: str) -> None:
    # Who only looks whether somebody is there, as a proxy may, has done nothing wrong.
    if request.is_begun:
        router.too_slow(router.sender(peer, request.headers))
