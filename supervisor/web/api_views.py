"""What programs ask: the API's questions and metrics, and the page's script for what is new."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress

import msgspec
from aiohttp import web

from supervisor import __version__
from supervisor.api.openapi import document
from supervisor.model.counters import Metrics
from supervisor.model.events import EventQuery
from supervisor.web import problems
from supervisor.web.daemon_client import Absent, DaemonClient, Refused

_PAGE = 100
_LARGEST_PAGE = 1_000
"""Entries of the event log in one answer."""
_LONGEST_NUMBER = 18
"""Digits."""
_HELLO = f"retry: 5000\nevent: version\ndata: {__version__}\n\n".encode()
"""Has a browser that loses the daemon wait a little, and one with another version load it anew."""


_HEARTBEAT_SECONDS = 25.0
"""Proxies hang up on who says nothing for a while: nginx and HAProxy after a minute."""
_HEARTBEAT = b":\n\n"


class ApiViews:
    """What answers each route."""

    def __init__(
        self, daemon: DaemonClient, *, heartbeat_seconds: float = _HEARTBEAT_SECONDS
    ) -> None:
        self._daemon = daemon
        self._heartbeat_seconds = heartbeat_seconds

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Say the number of each event as it comes, after the last one that the page knows.

        Of those that there are, only the newest. To one that knows of more than there are, as the
        log was lost or put back from a copy, that one, too.
        """
        after = request.headers.get("Last-Event-ID") or request.query.get("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) <= _LONGEST_NUMBER):
            raise web.HTTPBadRequest(text="after: a number")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        query = {"follow": "true", "limit": "1"} | ({"after_id": after} if int(after) else {})
        entries = self._daemon.lines("/v1/events", query)
        heart: asyncio.Task[None] | None = None
        try:
            await self._daemon.ask("/v1/events", {"limit": "1"})
            await response.write(_HELLO)
            heart = asyncio.create_task(self._beat(response))
            async with aclosing(entries):
                async for entry in entries:
                    await response.write(f"id: {entry['id']}\ndata: {entry['id']}\n\n".encode())
        except (Absent, Refused, ConnectionError):
            pass  # the browser asks again, after a while
        finally:
            if heart:
                heart.cancel()
        return response

    async def _beat(self, response: web.StreamResponse) -> None:
        """Say now and then that somebody is there, in comments, until whoever asked is gone."""
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._heartbeat_seconds)
                await response.write(_HEARTBEAT)

    async def metrics(self, _: web.Request) -> web.Response:
        from supervisor.api.metrics import exposition  # noqa: PLC0415  # seldom asked for

        try:
            body = await self._daemon.ask("/v1/metrics")
        except Absent:
            text = exposition(None)
        except Refused as refused:  # of an older podvisor, before it is started anew
            return problems.answer(refused.problem)
        else:
            text = exposition(msgspec.json.decode(body, type=Metrics))
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return web.Response(body=text, headers={"Content-Type": kind})

    async def question(self, request: web.Request) -> web.Response:
        """Hand a question on to the daemon, and its answer back."""
        try:
            body = await self._daemon.ask(request.path, request.query)
        except Absent:
            return problems.answer(problems.ABSENT)
        except Refused as refused:
            return problems.answer(refused.problem)
        return web.Response(body=body, content_type="application/json")

    async def entries(self, request: web.Request) -> web.StreamResponse:
        """Hand on entries of the event log, as they come: not all of them, unless asked for."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            async with self._daemon.answer("/v1/events", _bounded(request.query)) as answer:
                if link := answer.headers.get("Link"):
                    response.headers["Link"] = link
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(part)
        except Absent:
            if not response.prepared:
                return problems.answer(problems.ABSENT)
        except Refused as refused:
            return problems.answer(refused.problem)
        return response

    async def openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document(__version__))


def _bounded(query: Mapping[str, str]) -> dict[str, str]:
    """Have a page asked for where no number is said, or a large one; not of those to come."""
    said = {name: value for name, value in query.items() if value}
    try:
        wish = msgspec.convert(said, EventQuery, strict=False)
    except msgspec.ValidationError:
        return said  # the daemon says what is wrong with it
    if wish.limit or not wish.follow or wish.after_id is None:
        said["limit"] = str(min(wish.limit or _PAGE, _LARGEST_PAGE))
    return said
