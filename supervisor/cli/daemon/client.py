"""Asks the daemon over its control socket: as much HTTP as that takes, and no library.

Requests are HTTP/1.0: a reply is plain bytes until the daemon hangs up. It is plain JSON, since
decoding it into the model's structs would cost a short command more than all the rest.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

from supervisor.cli.daemon import places
from supervisor.kit.failures import Failure

_OK = 200
_WHERE = "systemctl --user status podvisor says how it is"
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@/")


class NotRunning(Exception):
    """Nobody listens on the control socket."""


class Refused(Failure):
    """The daemon answered with an error, or a command refuses what is asked; `hint` helps."""


def ask(
    target: str,
    *,
    query: Mapping[str, object] | None = None,
    body: object = None,
    timeout_seconds: float | None = None,
) -> bytes:
    """Return the whole reply. Raises NotRunning or Refused."""
    with _reply(target, query, body, timeout_seconds) as reply, _hearing():
        return reply.read()


def stream(
    target: str, *, query: Mapping[str, object] | None = None, body: object = None
) -> Iterator[Any]:
    """Yield each line of the reply, decoded, as it comes. Raises NotRunning or Refused."""
    with _reply(target, query, body) as reply, _hearing():
        for line in reply:
            if not line.endswith(b"\n"):
                raise Refused("the daemon hung up in the middle of a line", hint="is it stopping?")
            if line.strip():
                yield json.loads(line)


def _reply(
    target: str,
    query: Mapping[str, object] | None,
    body: object,
    timeout_seconds: float | None = None,
) -> BinaryIO:
    """Send a request; return the body of its reply, with which the connection ends."""
    path = places.control_socket()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(path)
            connection.sendall(_request(target, query or {}, body))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning from error
        except OSError as error:
            why = error.strerror or error
            raise Refused(f"cannot reach the daemon at {path}: {why}") from error
        reply = connection.makefile("rb")
    try:
        with _hearing():
            _read_head(reply)
    except BaseException:
        reply.close()
        raise
    return reply


@contextmanager
def _hearing() -> Iterator[None]:
    """Read an answer, or raise Refused: it takes too long, or the daemon ends meanwhile."""
    try:
        yield
    except TimeoutError as error:
        raise Refused("the daemon does not answer", hint=_WHERE) from error
    except ConnectionResetError as error:
        raise Refused("the daemon hung up without an answer", hint=_WHERE) from error


def _request(target: str, query: Mapping[str, object], body: object) -> bytes:
    pairs = "&".join(f"{name}={_quoted(str(value))}" for name, value in query.items() if value)
    content = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{'GET' if body is None else 'POST'} {target}{'?' if pairs else ''}{pairs} HTTP/1.0",
        "Host: podvisor",
        f"Content-Length: {len(content)}",
        "Content-Type: application/json",
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


def _quoted(text: str) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw)


def _read_head(file: BinaryIO) -> None:
    """Read the status line and pass over the headers. Raises Refused for what is not 200."""
    words = file.readline().split(None, 2)
    while file.readline().strip():
        pass
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004
        raise Refused("the daemon hung up without an answer", hint=_WHERE)
    if int(words[1]) != _OK:
        raise _refusal(int(words[1]), file.read())


def refused(problem: Mapping[str, Any]) -> Refused:
    """Return what problem details (`model.wire.Problem`) say as an error."""
    return Refused(str(problem["detail"]), hint=str(problem.get("hint") or ""))


def _refusal(status: int, content: bytes) -> Refused:
    try:
        said = json.loads(content)
        return refused(said)
    except (ValueError, LookupError, TypeError):
        text = content.decode("utf-8", "replace").strip()
        return Refused(f"the daemon answered {status}: {text or 'nothing more'}")
