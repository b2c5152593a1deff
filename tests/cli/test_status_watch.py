"""`status -w`: what changes is shown as it changes, and nothing else."""

import json
import os
import pty
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import codes

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30


class Told:
    """A daemon whose status changes, and that tells of events when it is told to."""

    def __init__(self, daemon: Any) -> None:
        self._entries: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.status = status("ready")
        daemon.answer("/v1/status", lambda: self.status)
        daemon.answer("/v1/events", *[self._entries.get] * 9)
        self._daemon = daemon

    def becomes(self, one: dict[str, Any]) -> None:
        self.status = one
        self.event()

    def event(self) -> None:
        self._entries.put({"id": 1, "time": 1.0, "kind": "applied"})

    def end(self) -> None:
        for _ in range(9):
            self.event()


def status(state: str, **more: Any) -> dict[str, Any]:
    app = {"name": "web", "source": "home", "state": state, "applied_at": 1.0}
    return {"running": True, "version": "1", "apps": [{**app, **more}]}


@pytest.fixture
def told(daemon: Any) -> Iterator[Told]:
    made = Told(daemon)
    yield made
    made.end()


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # What runs tests in the background may have it ignore this signal.
            ["env", "--default-signal=INT", sys.executable, "-m", "supervisor", "status", *words],
            cwd=ROOT,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def within(process: subprocess.Popen[str], read: Callable[[], Any]) -> Any:
    """Return what is read, or kill the process that says nothing."""
    timer = threading.Timer(PATIENCE_SECONDS, process.kill)
    timer.start()
    try:
        return read()
    finally:
        timer.cancel()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, errors.strip()


def test_each_change_is_a_line_of_json(told: Told, begun: Any) -> None:
    process = begun("-w", "--json")

    def next_state() -> str:
        state: str = json.loads(process.stdout.readline())["apps"][0]["state"]
        return state

    assert within(process, next_state) == "ready"
    told.event()  # of which nothing comes
    told.becomes(status("failing"))
    assert within(process, next_state) == "failing"
    told.becomes(status("ready"))
    assert within(process, next_state) == "ready"
    assert ended(process) == (codes.INTERRUPTED, "")


def test_in_a_pipe_each_change_is_a_block(told: Told, begun: Any) -> None:
    process = begun("web", "-w")

    def block() -> list[str]:
        return [line.rstrip() for line in iter(process.stdout.readline, "\n")]

    first = within(process, block)
    assert first[0].startswith("20")
    assert first[2].startswith("web  ready")
    told.becomes(status("refused"))
    assert within(process, block)[2].startswith("web  refused")
    assert ended(process) == (codes.INTERRUPTED, "")


def test_what_is_under_way_is_looked_at_without_an_event(told: Told, begun: Any) -> None:
    told.status = status("changing")
    process = begun("-w", "--json")
    assert '"changing"' in within(process, process.stdout.readline)
    told.status = status("ready")
    assert '"ready"' in within(process, process.stdout.readline)
    assert ended(process) == (codes.INTERRUPTED, "")


def test_a_terminal_is_drawn_over(told: Told, begun: Any) -> None:
    ours, theirs = pty.openpty()
    process = begun("-w", stdout=theirs)
    os.close(theirs)
    seen = ""

    def read_until(text: str) -> None:
        nonlocal seen
        while text not in seen:
            seen += os.read(ours, 65536).decode()

    within(process, lambda: read_until("ready"))
    assert seen.startswith("\x1b[H\x1b[J")
    seen = ""
    told.becomes(status("failing"))
    within(process, lambda: read_until("\x1b[J"))
    assert seen.startswith("\x1b[H")
    assert "failing" in seen
    assert ended(process) == (codes.INTERRUPTED, "")
    os.close(ours)


def test_without_a_daemon_there_is_nothing_to_follow(podvisor: Callable[..., Any]) -> None:
    assert podvisor("status", "-w").code == codes.NOT_RUNNING
