"""What the installed systemd cannot read, asked as the generator's adapter asks it."""

import shutil
from pathlib import Path

import pytest

from supervisor.adapters.quadlet.values import SystemdValues

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd"),
]

GOOD = [
    ("Unit", "StartLimitBurst", "5"),
    ("Service", "Restart", "always"),
    ("Service", "Environment", ""),
    ("Service", "TimeoutStopSec", "1min 30s"),
    ("Service", "ExecStartPre", "/bin/test -e %h/%i"),
    ("Service", "Environment", 'A="b c" D=%n'),
    ("Install", "WantedBy", "default.target"),
    ("Timer", "OnCalendar", "*-*-* 04:00"),
    ("Socket", "ListenStream", "%t/a.socket"),
    ("Path", "PathExists", "/x"),
]
BAD = [
    ("Unit", "StartLimitBurst", "many"),
    ("Service", "Restart", "allways"),
    ("Service", "TimeoutStopSec", "soon"),
    ("Service", "RemainAfterExit", "perhaps"),
    ("Timer", "OnCalendar", "Frday"),
]


async def test_each_value_that_means_nothing_is_found_among_others() -> None:
    values = SystemdValues()
    lines = [one for pair in zip(GOOD, BAD * 2, strict=True) for one in pair]
    found = await values.unread(lines)
    assert list(found) == BAD
    assert found["Service", "Restart", "allways"].startswith("Failed to parse")


async def test_what_may_be_a_secret_is_not_repeated() -> None:
    line = ("Service", "LoadCredential", "hunter2:hunter2:hunter2 x")
    for words in (await SystemdValues().unread([line])).values():
        assert "hunter2" not in words


async def test_nothing_is_asked_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "systemd-analyze"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho x >>{calls}\necho "$last:2: Odd, ignoring: y" >&2\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    values = SystemdValues()
    for _ in range(2):
        assert await values.unread(BAD[1:2]) == {BAD[1]: "Odd"}
    assert await values.unread([]) == {}
    assert calls.read_text() == "x\n"
    assert await values.unread(BAD[1:3]) == {BAD[1]: "Odd", BAD[2]: "Odd"}
    assert calls.read_text() == "x\nx\n"


async def test_without_systemd_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = SystemdValues()
    with monkeypatch.context() as there:
        there.setenv("PATH", str(tmp_path))
        assert await values.unread(BAD) == {}
    assert list(await values.unread(BAD)) == BAD
