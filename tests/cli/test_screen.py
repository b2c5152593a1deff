import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli import screen

ROOT = Path(__file__).parents[2]

PROGRAM = """
from supervisor.cli import screen
screen.say(("bad", "bad"), " plain")
screen.table([[("web", "strong"), "x" * 30], ["\\x1b[31m", "y"]], header=("APP", "WHAT"))
"""


@pytest.fixture
def on_terminal() -> Callable[..., str]:
    """What the program writes to a terminal of 24 columns."""

    def run(**environ: str) -> str:
        near, far = pty.openpty()
        env = {"PATH": os.environ["PATH"], "COLUMNS": "24", "TERM": "xterm-256color", **environ}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdout=far, stdin=far, cwd=ROOT, env=env
        )
        os.close(far)
        written = b""
        while True:
            try:
                chunk = os.read(near, 65_536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not chunk:
                break
            written += chunk
        os.close(near)
        assert process.wait() == 0
        return written.decode()

    return run


def test_a_terminal_gets_colours_and_a_table_that_fits(on_terminal: Callable[..., str]) -> None:
    written = on_terminal()
    assert "\x1b[31mbad\x1b[0m plain" in written
    assert "\x1b[1mweb" in written
    assert "x" * 25 not in written
    assert written.count("x") == 30
    assert "�[31m" in written


def test_colours_can_be_refused(on_terminal: Callable[..., str]) -> None:
    for refusal in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        written = on_terminal(**refusal)
        assert "\x1b[31m" not in written
        assert "bad plain" in written


def test_elsewhere_it_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    screen.table([["a", ("bb", "good"), ""], ["ccc"]], header=("X", "Y"), indent="  ")
    screen.table([])
    assert capsys.readouterr().out == "  X    Y\n  a    bb\n  ccc\n"


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    cleaned = screen.clean(text)
    assert cleaned.isprintable()
    assert len(cleaned) == len(text)
