"""Podman's REST API on its Unix socket: each question on a connection of its own.

`podman.service` ends by itself a few seconds after the last connection; nothing is held open here.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from supervisor.kit.http import client as http
from supervisor.model.errors import Retry

_BASE = "http://podman/v5.0.0/libpod"
_DOCKERS_BASE = "http://podman/v1.41"
_ANSWER_SECONDS = 120.0
"""A machine that is just starting thirty containers answers late."""
_ANSWER_LIMIT = 64 << 20
_ERROR_LIMIT = 1 << 20
_NOT_FOUND = 404
_FIRST_ERROR = 400
_UNQUOTED = "/:@"

ENABLE = "systemctl --user enable --now podman.socket"


class ApiError(Exception):
    """Podman answered with an error; in its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_not_found(self) -> bool:
        """Whether what was asked about is not there."""
        return self.status == _NOT_FOUND


class Api(msgspec.Struct):
    """Asks Podman. All of it raises Retry if Podman cannot be reached."""

    socket: Path

    async def get(self, path: str, **query: str) -> Any:
        """GET and read the JSON. Raises ApiError."""
        return json.loads(await self._read("GET", path, query))

    async def get_bytes(self, path: str, **query: str) -> bytes:
        """GET what is not JSON. Raises ApiError."""
        return await self._read("GET", path, query)

    async def inspect(self, kind: str, name: str, **query: str) -> Any:
        """GET what is told of one object (`kind` as in `containers`); None if it is not there."""
        try:
            return await self.get(f"/{kind}/{name_in_path(name)}/json", **query)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        """POST a JSON object. Raises ApiError."""
        await self._read("POST", path, {}, body=json.dumps(body).encode())

    async def post_bytes(self, path: str, content: bytes, **query: str) -> None:
        """POST something that is not JSON. Raises ApiError."""
        await self._read("POST", path, query, body=content, kind="application/octet-stream")

    async def delete(self, path: str, **query: str) -> None:
        """DELETE; gone already is well. Raises ApiError, also for an error in a good answer."""
        try:
            text = await self._read("DELETE", path, query)
        except ApiError as error:
            if error.is_not_found:
                return
            raise
        reports = json.loads(text) if text.strip() else []
        for report in reports if isinstance(reports, list) else [reports]:
            if isinstance(report, dict) and report.get("Err"):
                raise ApiError(500, str(report["Err"]))

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, /, **query: str
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """Ask, and give the JSON lines as they come, without a time limit. Raises ApiError."""
        unlimited = float("inf")
        async with self._ask(
            method, path, query, headers=headers, timeout_seconds=unlimited
        ) as answer:
            yield _objects(answer)

    @asynccontextmanager
    async def dockers_stream(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, /, **query: str
    ) -> AsyncIterator[AsyncIterator[Mapping[str, Any]]]:
        """As `stream`, of the API that Podman has in common with Docker."""
        unlimited = float("inf")
        async with self._ask(
            method, path, query, headers=headers, base=_DOCKERS_BASE, timeout_seconds=unlimited
        ) as answer:
            yield _objects(answer)

    async def _read(self, method: str, path: str, query: Mapping[str, str], **body: Any) -> bytes:
        async with self._ask(method, path, query, **body) as answer:
            return await answer.read(limit=_ANSWER_LIMIT)

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        kind: str = "application/json",
        base: str = _BASE,
        timeout_seconds: float = _ANSWER_SECONDS,
    ) -> AsyncIterator[http.Answer]:
        url = f"{base}{path}?{urlencode(query, quote_via=quote, safe=_UNQUOTED)}"
        try:
            async with http.ask(
                method,
                url,
                unix=self.socket,
                headers={**(headers or {}), **({"Content-Type": kind} if body else {})},
                body=body,
                timeout_seconds=timeout_seconds,
            ) as answer:
                if answer.status >= _FIRST_ERROR:
                    said = _object(await answer.read(limit=_ERROR_LIMIT))
                    words = said.get("message") or said.get("cause") or answer.reason
                    raise ApiError(answer.status, str(words))
                yield answer
        except http.Unreachable as error:
            raise Retry(f"cannot reach Podman at {self.socket}: {error} ({ENABLE})") from error
        except http.HttpError as error:
            raise Retry(f"cannot ask Podman: {error}") from error


def name_in_path(name: str) -> str:
    """Write a name so that it is one part (or, for images, the rest) of a path."""
    return quote(name, safe=_UNQUOTED)


async def _objects(answer: http.Answer) -> AsyncIterator[Mapping[str, Any]]:
    async for line in answer.lines():
        if line.strip():
            yield _object(line)


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace").strip()[:500]}
    return value if isinstance(value, dict) else {}


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say of a refusal what was refused; what is in use now may not be for long."""
    try:
        yield
    except ApiError as error:
        raise Retry(f"cannot {what}: {error}") from error
