"""A person at the command line, and a daemon that answers what it is told to."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from supervisor.cli.app import run


@dataclass
class Asked:
    """A request that the fake daemon got."""

    method: str
    target: str
    body: object


@dataclass
class FakeDaemon:
    """Answers on the control socket: path to status and lines (each sent on its own).

    A line that can be called is asked each time.
    """

    answers: dict[str, tuple[int, list[object]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    cut: bool = False
    """Hang up in the middle of the last line."""

    def answer(self, path: str, *lines: object, status: int = 200) -> None:
        self.answers[path] = (status, list(lines))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, and no colours."""
    (tmp_path / "run/podvisor").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def daemon(home: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            fake.asked.append(Asked(self.command, self.path, body))
            status, lines = fake.answers[self.path.partition("?")[0]]
            self.send_response(status)
            self.end_headers()
            for number, line in enumerate(lines, 1):
                text = json.dumps(line() if callable(line) else line).encode()
                cut = fake.cut and number == len(lines)
                try:
                    self.wfile.write(text[:-3] if cut else text + b"\n")
                except BrokenPipeError:
                    return

        do_GET = do_POST = handle_any  # noqa: N815

        def address_string(self) -> str:
            return "unix"

        def log_message(self, *_: object) -> None:
            pass

    path = str(home / "run/podvisor/control.sock")
    with socketserver.ThreadingUnixStreamServer(path, Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield fake
        server.shutdown()


@dataclass
class Said:
    """What a command wrote and returned."""

    code: int
    out: str
    err: str


@pytest.fixture
def podvisor(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def call(*arguments: str) -> Said:
        code = run(arguments)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call
