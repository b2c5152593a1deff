"""HTTP/1.1 as far as asking podvisor takes it: requests to bytes, bytes to answers; no I/O.

Each request has a connection of its own, which ends with its answer.
"""

import json
from collections.abc import Mapping
from typing import Any

from supervisor.client.errors import ApiError, ClientError, Disconnected
from supervisor.client.place import Place

OK = 200
_LARGEST_HEAD = 64 << 10
_BODILESS = (204, 304)
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@/")
_WHERE = "systemctl --user status podvisor says how it is"


def request(
    place: Place,
    target: str,
    *,
    query: Mapping[str, object] | None = None,
    content: bytes | None = None,
) -> bytes:
    """Return the bytes of a GET, or of a POST of JSON; what is None in a query is not said."""
    said = {name: value for name, value in (query or {}).items() if value is not None}
    pairs = "&".join(f"{name}={_quoted(value)}" for name, value in said.items())
    method = "GET" if content is None else "POST"
    head = [
        f"{method} {place.prefix}{target}{'?' if pairs else ''}{pairs} HTTP/1.1",
        f"Host: {place.name}",
        "Connection: close",
        "Accept: application/json, application/x-ndjson, application/problem+json",
    ]
    if place.token:
        head.append(f"Authorization: Bearer {place.token}")
    if content is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, "", ""]).encode() + (content or b"")


def _quoted(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)


class Response:
    """An answer, as its bytes come."""

    def __init__(self, place: Place) -> None:
        self.status = 0
        """0 until its head has come."""
        self.is_over = False
        self._place = place
        self._pending = b""
        self._is_chunked = False
        self._left: int | None = 0
        """Bytes of the body, or of its chunk, that are to come; None is until the end."""
        self._after_chunk = False
        self._after_last_chunk = False

    def receive(self, data: bytes) -> bytes:
        """Take what came, or the end (no bytes); return what of it is body. Raises Disconnected."""
        if not data:
            self._end()
            return b""
        self._pending += data
        if not self.status and not self._read_head():
            return b""
        return self._dechunked() if self._is_chunked else self._plain()

    def problem(self, content: bytes) -> ApiError:
        """Return what an answer means that is not 200."""
        try:
            return problem(json.loads(content), self.status)
        except (ValueError, LookupError, TypeError):
            text = content.decode("utf-8", "replace").strip()
            said = f"{self._place.speaker} answered {self.status}: {text or 'nothing more'}"
            return ApiError(said, status=self.status)

    def cut_off(self) -> Disconnected:
        """Return what a connection that ended too early means."""
        hint = _WHERE if self._place.socket else ""
        if not self.status:
            return Disconnected(f"{self._place.speaker} hung up without an answer", hint)
        return Disconnected(f"{self._place.speaker} hung up in the middle of its answer", hint)

    def _end(self) -> None:
        if not self.status or self._is_chunked or self._left:
            raise self.cut_off()
        self.is_over = True

    def _read_head(self) -> bool:
        while True:
            head, found, rest = self._pending.partition(b"\r\n\r\n")
            if not found:
                if len(head) > _LARGEST_HEAD:
                    raise self._nonsense()
                return False
            self._pending = rest
            first, *lines = head.split(b"\r\n")
            words = first.split(None, 2)
            if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():  # noqa: PLR2004
                raise self._nonsense()
            status = int(words[1])
            if status >= OK:  # those before tell that there is one to come
                break
        named = (line.partition(b":") for line in lines)
        headers = {name.strip().lower(): value.strip().lower() for name, _, value in named}
        self.status = status
        self._is_chunked = headers.get(b"transfer-encoding") == b"chunked"
        length = headers.get(b"content-length")
        self._left = int(length) if length and length.isdigit() else None
        if self._is_chunked:
            self._left = 0
        elif self._left == 0 or status in _BODILESS:
            self._left, self.is_over = 0, True
        return True

    def _plain(self) -> bytes:
        content, self._pending = self._pending, b""
        if self._left is not None:
            content = content[: self._left]
            self._left -= len(content)
            self.is_over = not self._left
        return content

    def _dechunked(self) -> bytes:
        content = []
        while self._pending and not self.is_over:
            if self._left:
                part, self._pending = self._pending[: self._left], self._pending[self._left :]
                content.append(part)
                self._left -= len(part)
                self._after_chunk = not self._left
                continue
            line, found, rest = self._pending.partition(b"\r\n")
            if not found:
                if len(line) > _LARGEST_HEAD:
                    raise self._nonsense()
                break
            self._pending = rest
            self._read_line(line)
        return b"".join(content)

    def _read_line(self, line: bytes) -> None:
        """Take a line between chunks: the end of one, the size of the next, or after the last."""
        if self._after_last_chunk:
            self.is_over = not line
        elif self._after_chunk:
            self._after_chunk = False
            if line:
                raise self._nonsense()
        else:
            size = line.partition(b";")[0].strip()
            if not size or size.strip(b"0123456789abcdefABCDEF"):
                raise self._nonsense()
            self._left = int(size, 16)
            self._after_last_chunk = not self._left

    def _nonsense(self) -> ClientError:
        return ClientError(f"what {self._place.speaker} answers is no HTTP")


class Lines:
    """Cuts a body into its lines as it comes."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def receive(self, content: bytes) -> list[bytes]:
        """Return the lines that are whole now, but for empty ones."""
        *whole, rest = content.split(b"\n")
        if whole:
            whole[0] = b"".join([*self._begun, whole[0]])
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return [line for line in whole if line.strip()]

    @property
    def is_in_the_middle(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._begun)


def problem(said: Mapping[str, Any], status: int = 0) -> ApiError:
    """Return what problem details (`model.wire.Problem`) say as an error."""
    return ApiError(
        str(said["detail"]),
        str(said.get("hint") or ""),
        status=int(said.get("status") or status),
        title=str(said.get("title") or ""),
    )
