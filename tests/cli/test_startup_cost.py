"""What a short command costs, against an interpreter that does nothing; CPU time, in one run."""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.adapters.ledger.store import SqliteLedger
from supervisor.cli import codes
from supervisor.kit.clock import SystemClock
from supervisor.model.observed import AppliedApp, UnitInputs
from supervisor.model.settings import LedgerSettings
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
    status = Status(running=True, version="1", apps=())
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
    daemon.answer("/v1/status", msgspec.to_builtins(Status(running=True, version="1", apps=())))
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


def test_nothing_dear_is_imported_for_a_status_without_a_daemon(home: Path) -> None:
    """It was ready since the settings were written, and then stopped."""
    unit, config = (
        home / "config/systemd/user/podvisor.service",
        home / "config/podvisor/config.toml",
    )
    systemctl = home / "programs/systemctl"
    for file in (unit, config, systemctl):
        file.parent.mkdir(parents=True)
        file.touch(0o700)
    systemctl.write_text(
        "#!/bin/sh\nprintf 'ActiveState=inactive\nActiveEnterTimestamp=@4000000000'\n"
    )
    settings = LedgerSettings()
    ledger = SqliteLedger(home / "state/podvisor/ledger.db", settings=settings, clock=SystemClock())
    units = {"web.service": UnitInputs(digest="1")}
    words = {"name": "web", "source": "main", "revision": "1", "content": ""}
    ledger.put_applied(AppliedApp(**words, applied_at=1.0, units=units))
    ledger.close()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "supervisor", "status"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{systemctl.parent}:{os.environ['PATH']}"},
    )
    assert done.returncode == codes.NOT_RUNNING
    assert "systemctl --user start podvisor starts it" in done.stdout
    assert "web  unknown" in done.stdout
    imported = imports_told(done.stderr)
    assert "supervisor.adapters.ledger.reader" in imported
    dear = {"click", "msgspec", "rich", "asyncio", "logging", "hashlib", "shutil"}
    assert not imported & {*dear, "supervisor.model"}
    core = {name for name in imported if name.startswith("supervisor.core.")}
    assert core <= {"supervisor.core.status", "supervisor.core.status.in_words"}


def imports_told(errors: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in errors.splitlines()}
