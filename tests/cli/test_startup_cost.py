"""What a short command costs, against an interpreter that does nothing; CPU time, in one run."""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.cli import codes
from supervisor.model.status import Status

ROOT = Path(__file__).parents[2]
ROUNDS = 7


def cpu_seconds(*arguments: str) -> float:
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime


def times_of_nothing(*arguments: str) -> float:
    """Median cost of a command, in units of `python -c pass`; taken in turns."""
    pairs = [(cpu_seconds("-c", "pass"), cpu_seconds(*arguments)) for _ in range(ROUNDS)]
    return statistics.median(cost for _, cost in pairs) / statistics.median(
        nothing for nothing, _ in pairs
    )


def test_the_version_costs_little_more_than_nothing() -> None:
    assert times_of_nothing("-m", "supervisor", "--version") <= 2.5


def test_a_status_costs_a_few_times_nothing(daemon: Any) -> None:
    status = Status(running=True, version="1")
    daemon.answer("/v1/status", msgspec.to_builtins(status))
    assert times_of_nothing("-m", "supervisor", "status") <= 6


@pytest.mark.parametrize(
    ("arguments", "dear"),
    [
        (["--version"], {"click", "json", "re", "msgspec", "supervisor.cli"}),
        (["status"], {"click", "msgspec", "rich", "asyncio", "sqlite3", "supervisor.model"}),
        (["sync"], {"click", "msgspec", "rich", "asyncio", "sqlite3", "supervisor.model"}),
        (["events"], {"msgspec", "rich", "asyncio", "sqlite3", "supervisor.model"}),
    ],
)
def test_nothing_dear_is_imported(arguments: list[str], dear: set[str], daemon: Any) -> None:
    daemon.answer("/v1/status", msgspec.to_builtins(Status(running=True, version="1")))
    daemon.answer("/v1/events")
    daemon.answer("/v1/sync", {"reply": {}})
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "supervisor", *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    imported = imports_told(done.stderr)
    assert "supervisor" in imported
    assert not imported & dear


def test_nothing_dear_is_imported_for_a_status_without_a_daemon(tmp_path: Path) -> None:
    places = {"HOME": tmp_path, "XDG_RUNTIME_DIR": tmp_path, "XDG_STATE_HOME": tmp_path}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "supervisor", "status"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **{name: str(place) for name, place in places.items()}},
    )
    assert done.returncode == codes.NOT_RUNNING
    imported = imports_told(done.stderr)
    assert "supervisor.adapters.ledger.reader" in imported
    assert not imported & {"click", "rich", "asyncio", "logging", "hashlib"}


def imports_told(errors: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in errors.splitlines()}
