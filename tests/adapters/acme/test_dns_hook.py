"""A program of the user's own changes the zone."""

import time
from pathlib import Path

import dns.name
import pytest

from supervisor.adapters.acme.dns_error import DnsError, FailureKind
from supervisor.adapters.acme.dns_hook import Hook
from supervisor.model.acme import ZoneAccess

NAME = dns.name.from_text("_acme-challenge.example.test")
ZONE = dns.name.from_text("example.test")


def a_hook(tmp_path: Path, script: str, *, seconds: float = 60.0, mode: int = 0o755) -> Hook:
    program = tmp_path / "hook"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(mode)
    access = ZoneAccess(zone="example.test", provider="hook", hook=str(program))
    return Hook(access=access, timeout_seconds=seconds)


def fails(hook: Hook) -> DnsError:
    with pytest.raises(DnsError) as caught:
        hook.put(NAME, ["one"], zone=ZONE)
    assert str(caught.value).startswith(f"cannot change example.test by {hook.access.hook}: ")
    return caught.value


def test_it_is_told_what_to_do_and_has_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OTHERS", "x")
    hook = a_hook(tmp_path, f'echo "$@" >>{tmp_path}/told; env >{tmp_path}/env')
    hook.put(NAME, ["one", "two"], zone=ZONE)
    hook.take(NAME, ["one", "two"], zone=ZONE)
    name = "_acme-challenge.example.test"
    assert (tmp_path / "told").read_text().splitlines() == [
        *(f"present {name} one", f"present {name} two"),
        *(f"cleanup {name} one", f"cleanup {name} two"),
    ]
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "HOME", "LANG"}


def test_its_last_words_are_told(tmp_path: Path) -> None:
    error = fails(a_hook(tmp_path, "echo first; echo 'no such zone' >&2; exit 3"))
    assert str(error).endswith("`present` failed (exit code 3): no such zone")
    assert error.kind is FailureKind.PASSING
    assert str(fails(a_hook(tmp_path, "exit 1"))).endswith("(exit code 1): it said nothing")
    assert "(signal 9)" in str(fails(a_hook(tmp_path, "kill -9 $$")))


def test_nonsense_is_not_repeated(tmp_path: Path) -> None:
    error = fails(a_hook(tmp_path, r"printf '\377\033[31mred\0\n\n' >&2; exit 1"))
    assert str(error).isprintable()
    assert "red" in str(error)
    long = fails(a_hook(tmp_path, "head -c 9999 /dev/zero | tr '\\0' x >&2; exit 1"))
    assert len(str(long)) < 600
    assert "printed more than 1 MiB" in str(fails(a_hook(tmp_path, "exec yes")))


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    hook = a_hook(tmp_path, f"sleep 600 & echo $! >{tmp_path}/pid; wait", seconds=0.5)
    error = fails(hook)
    assert "`present` did not end within" in str(error)
    # Nothing may be written yet, if the machine is that slow: then nothing was started either.
    if (tmp_path / "pid").exists() and (pid := (tmp_path / "pid").read_text().strip()):
        until = time.monotonic() + 60
        while _runs(int(pid)) and time.monotonic() < until:
            time.sleep(0.01)
        assert not _runs(int(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("mode", "said"), [(0o644, "it is not a program"), (0o757, "everybody may write it")]
)
def test_what_must_not_be_run_is_refused(tmp_path: Path, mode: int, said: str) -> None:
    error = fails(a_hook(tmp_path, "exit 0", mode=mode))
    assert said in str(error)
    assert "chmod" in error.hint
    assert error.kind is FailureKind.REFUSED


def test_what_is_not_there_or_cannot_be_started_is_refused(tmp_path: Path) -> None:
    hook = a_hook(tmp_path, "")
    Path(hook.access.hook).write_bytes(b"\x7fELF nothing")
    assert "it cannot be started" in str(fails(hook))
    Path(hook.access.hook).unlink()
    assert "No such file" in str(fails(hook))
    assert fails(hook).kind is FailureKind.REFUSED


def test_all_that_stands_is_taken_away_though_one_cannot_be(tmp_path: Path) -> None:
    hook = a_hook(tmp_path, f'echo "$3" >>{tmp_path}/told; test "$3" != one')
    with pytest.raises(DnsError, match="`cleanup` failed"):
        hook.take(NAME, ["one", "two"], zone=ZONE)
    assert (tmp_path / "told").read_text() == "one\ntwo\n"
