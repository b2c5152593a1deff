"""What `podvisor status -w` does: shows how everything stands, and again whenever that changes.

The daemon's event log says when to look. While something is under way, steps and pulls go on
without an entry: only then it looks by the clock, too.
"""

import io
import json
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, Self

from supervisor.cli.daemon.client import NotRunning, Refused, ask, stream
from supervisor.cli.show import screen

_PATIENCE_SECONDS = 10.0
_TOGETHER_SECONDS = 0.2
"""Entries come in bursts, and the end of a pass shortly after its last one."""
_STEP_SECONDS = 1.0
"""Between looks at what is under way, and for a daemon that went away."""
_CLOCKS = frozenset(("next_poll_at", "next_pull_at", "read_at"))
"""What is another one each time that somebody asks, though nothing changed."""
_TO_BEGIN, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


class _Signs:
    """Signs that it is time to look: entries of the event log, and signals of this process.

    A signal that comes just before a lock or a queue is waited for would be seen after it only.
    """

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(-1)
        self._ours.close()
        self._theirs.close()

    def put(self) -> None:
        """Give one."""
        with suppress(OSError):  # there are enough of them, or nobody waits any more
            self._theirs.send(b".")

    def wait(self, seconds: float | None = None) -> bool:
        """Take those that there are, or wait for one for so long; whether there was one."""
        found, _, _ = select.select((self._ours,), (), (), seconds)
        if found:
            self._ours.recv(4096)
        return bool(found)


def watch(app: str, *, as_json: bool) -> int:
    """Show it until interrupted. Raises NotRunning if no daemon runs at first, and Refused."""
    show = _as_lines if as_json else _Screen() if screen.is_terminal() else _Blocks()
    shown: object = None
    status = _ask(app)
    with _Signs() as signs, _resizes() as resized:
        threading.Thread(target=_hear, args=(signs,), daemon=True).start()
        while True:
            now = _without_clocks(status)
            if now != shown or resized():
                shown = now
                show(status, app)
            _wait(signs, is_moving=_is_moving(status))
            status = _ask_on(app, status)


def _ask(app: str) -> dict[str, Any]:
    body = ask("/v1/status", query={"app": app}, timeout_seconds=_PATIENCE_SECONDS)
    status: dict[str, Any] = json.loads(body)
    return status


def _ask_on(app: str, before: dict[str, Any]) -> dict[str, Any]:
    """Ask again; a daemon that went away may come back, and one that ends may hang up."""
    try:
        try:
            return _ask(app)
        except Refused:
            time.sleep(_STEP_SECONDS)
            return _ask(app)
    except NotRunning:
        return {**before, "running": False}


def _hear(signs: _Signs) -> None:
    """Say of each entry of the event log that there is one, for good."""
    last = 0
    while True:
        try:
            for event in stream("/v1/events", query={"follow": 1, "limit": 1, "after_id": last}):
                last = event.get("id") or last
                signs.put()
        except (NotRunning, Refused, OSError, ValueError):
            pass
        signs.put()
        time.sleep(_STEP_SECONDS)


def _wait(signs: _Signs, *, is_moving: bool) -> None:
    """Wait for a sign, and for those that come with it."""
    if not signs.wait(_STEP_SECONDS if is_moving else None):
        return
    until = time.monotonic() + _STEP_SECONDS
    while time.monotonic() < until and signs.wait(_TOGETHER_SECONDS):
        pass


def _is_moving(status: dict[str, Any]) -> bool:
    states = {app["state"] for app in status.get("apps", ())}
    return "changing" in states or bool(status.get("starting"))


def _without_clocks(one: Any) -> Any:
    if isinstance(one, dict):
        return {key: _without_clocks(value) for key, value in one.items() if key not in _CLOCKS}
    return [_without_clocks(part) for part in one] if isinstance(one, list) else one


@contextmanager
def _resizes() -> Iterator[Any]:
    """Have another size of the terminal be a sign; returns what says whether there was one."""
    seen = False

    def note(*_: object) -> None:
        nonlocal seen
        seen = True

    def was_seen() -> bool:
        nonlocal seen
        before, seen = seen, False
        return before

    if threading.current_thread() is not threading.main_thread():
        yield was_seen
        return
    before = signal.signal(signal.SIGWINCH, note)
    try:
        yield was_seen
    finally:
        signal.signal(signal.SIGWINCH, before)


def _as_lines(status: dict[str, Any], app: str) -> None:  # noqa: ARG001  # as the others
    screen.write_json(status)


def _draw(status: dict[str, Any], app: str) -> None:
    from supervisor.cli.show.status_view import show

    show(status, named=[app] if app else ())


class _Blocks:
    """Writes each into a pipe, after its moment."""

    def __call__(self, status: dict[str, Any], app: str) -> None:
        screen.say(time.strftime("%Y-%m-%d %H:%M:%S"))
        _draw(status, app)
        screen.say()


class _Painted(io.StringIO):
    """Takes what is meant for the terminal."""

    encoding = property(lambda _: sys.__stdout__ and sys.__stdout__.encoding)
    errors = property(lambda _: sys.__stdout__ and sys.__stdout__.errors)

    def isatty(self) -> bool:
        return True


class _Screen:
    """Draws over what it drew before, as far as there is room; the last one stays."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, status: dict[str, Any], app: str) -> None:
        from shutil import get_terminal_size

        painted = _Painted()
        with redirect_stdout(painted):
            _draw(status, app)
        lines = painted.getvalue().splitlines()
        room = max(get_terminal_size().lines - 1, 2)
        if len(lines) > room:
            left = len(lines) - room + 1
            lines = [*lines[: room - 1], f"({left} more lines)"]
        begin = f"{_TO_BEGIN}{_TO_END}" if self._is_first else _TO_BEGIN
        self._is_first = False
        body = "".join(f"{line}{_TO_LINE_END}\n" for line in lines)
        sys.stdout.write(f"{begin}{body}{_TO_END}")
        sys.stdout.flush()
