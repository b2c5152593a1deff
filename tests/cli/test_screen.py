import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.show import screen

ROOT = Path(__file__).parents[2]

PROGRAM = """
from supervisor.cli.show import screen
screen.say(("bad", "bad"), " plain")
screen.table([[("web", "strong"), "x" * 30], ["\\x1b[31m", "y"]], header=("APP", "WHAT"))
"""


@pytest.fixture
def on_terminal() -> Callable[..., str]:
    """What a program writes to a terminal of 24 columns."""

    def run(program: str = PROGRAM, **environ: str) -> str:
        near, far = pty.openpty()
        env = {"PATH": os.environ["PATH"], "COLUMNS": "24", "TERM": "xterm-256color", **environ}
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=far, stdin=far, cwd=ROOT, env=env
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


def test_what_may_be_cut_gives_way_to_what_must_be_read(on_terminal: Callable[..., str]) -> None:
    row = ["home", "https://git.example.org/me/home.git", "ready", "1a2b3c4d and its subject"]
    program = f"""
from supervisor.cli.show import screen
screen.table([{row}], header=("SOURCE", "FROM", "STATE", "REVISION"), cut=("FROM", "REVISION"))
"""
    written = on_terminal(program, COLUMNS="48", NO_COLOR="1")
    assert max(map(len, written.split("\r\n"))) <= 48
    assert written.count("\r\n") == 2  # nothing was folded
    for text in ("SOURCE", "home", "https://git", "ready", "1a2b3c4d"):
        assert text in written
    assert row[1] not in written
    assert row[1] in on_terminal(program, COLUMNS="120")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_is_folded_is_read_whole(on_terminal: Callable[..., str], columns: int) -> None:
    row = ["web", "valid", "example.org www.example.org", "letsencrypt", "in 80 days", "in 50 days"]
    row.append("two thirds of its life are over")
    header = ("NAME", "STATE", "DOMAINS", "ISSUER", "EXPIRES", "RENEWAL", "WHY THEN")
    program = f"""
from supervisor.cli.show import screen
screen.table([{row}], header={header}, fold=("WHY THEN", "ISSUER", "NAME", "DOMAINS"))
"""
    written = on_terminal(program, COLUMNS=str(columns), NO_COLOR="1")
    assert max(map(len, written.split("\r\n"))) <= columns
    assert "…" not in written
    if columns >= 80:
        assert {"example.org", "www.example.org"} <= {*written.split()}
    if columns >= 120:
        assert {*" ".join(row).split()} <= {*written.split()}


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        (80, ["APP", "STATE", "RUNNING", "REVISION", "APPLIED"]),
        (60, ["APP", "STATE", "RUNNING", "REVISION"]),
        (46, ["APP", "STATE", "REVISION"]),
        (30, ["APP", "STATE"]),
        (20, ["APP", "STATE"]),
    ],
)
def test_columns_go_before_what_must_be_typed_is_taken_apart(
    on_terminal: Callable[..., str], columns: int, kept: list[str]
) -> None:
    header = ("APP", "STATE", "RUNNING", "REVISION", "APPLIED")
    rows = [["log-journald", "suspended", "1/1", "3f2a91c0 → ab12", "12 minutes ago"]]
    rows.append(["web", "ready", "1/1", "3f2a91c0", "2 hours ago"])
    program = f"""
from supervisor.cli.show import screen
screen.table({rows}, header={header}, fold=("APP",), drop=("APPLIED", "RUNNING", "REVISION"))
"""
    written = on_terminal(program, COLUMNS=str(columns), NO_COLOR="1")
    lines = written.split("\r\n")
    assert max(map(len, lines)) <= columns
    assert lines[0].split() == kept
    if columns > 20:
        assert [line.split()[0] for line in lines[1:] if line] == ["log-journald", "web"]
    assert "suspended" in written


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "C.UTF-8"}, "✓ “a” → b…"),
        ({"LC_ALL": "C"}, '+ "a" -> b...'),
        ({"LANG": "POSIX"}, '+ "a" -> b...'),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8", "LC_ALL": "C.UTF-8"}, "✓ “a” → b…"),
        ({"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"}, '+ "a" -> b...'),
    ],
)
def test_a_terminal_of_ascii_gets_ascii(
    on_terminal: Callable[..., str], environ: dict[str, str], expected: str
) -> None:
    program = """
from supervisor.cli.show import screen
screen.write_what_it_can_show()
screen.say("✓ “a” → b…")
"""
    assert on_terminal(program, **environ).strip() == expected


def test_json_holds_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["\x9b31m", "\x7f", "\x1b[0m", "é"]
    screen.write_json({"said": texts})
    screen.write_json(json.dumps(texts, ensure_ascii=False).encode())
    out = capsys.readouterr().out
    assert "é" in out
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in out.replace("\n", ""))
    first, second = out.splitlines()
    assert (json.loads(first)["said"], json.loads(second)) == (texts, texts)


def test_what_is_to_be_copied_stays_in_one_line(on_terminal: Callable[..., str]) -> None:
    program = """
from supervisor.cli.show.screen import say
say("    ", ("sudo usermod -aG systemd-journal pi", "good"), whole=True)
"""
    assert "    sudo usermod -aG systemd-journal pi\r\n" in on_terminal(program, NO_COLOR="1")


def test_lines_in_a_place_of_one_line_are_still_told_apart(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = "failed (exit status 3): cannot open /data\n  giving up\n"
    screen.say("✗ ", said)
    screen.table([["web", said]])
    apart = "failed (exit status 3): cannot open /data / giving up"
    assert capsys.readouterr().out == f"✗ {apart}\nweb  {apart}\n"
