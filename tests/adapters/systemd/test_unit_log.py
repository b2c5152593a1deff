import json
from pathlib import Path

import pytest

from supervisor.adapters.systemd.unit_log import unit_log
from supervisor.model.errors import Retry


def journalctl(path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = path / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")


async def test_lines_that_people_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"MESSAGE": "one\x1b[31m red\nand two", "SYSLOG_IDENTIFIER": "web"},
        {"MESSAGE": None},
        {"MESSAGE": "a" * 64},
        {"MESSAGE": "x" * 3_000},
        {"MESSAGE": "made", "PODMAN_EVENT": "create"},
    ]
    said = (
        json.dumps({"__REALTIME_TIMESTAMP": "2500000", **one}, separators=(",", ":"))
        for one in entries
    )
    (tmp_path / "said").write_text("\n".join(said))
    journalctl(tmp_path, monkeypatch, f"cat {tmp_path}/said")
    lines = await unit_log("web.service", limit=5)
    assert [one.text for one in lines[:3]] == [
        "one red",
        "and two",
        "(more than 4 kB: podvisor logs shows it)",
    ]
    assert len(lines) == 4
    assert len(lines[3].text) == 1_000
    assert (lines[0].time, lines[0].by) == (2.5, "web")


async def test_a_journal_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journalctl(tmp_path, monkeypatch, "echo no journal >&2; exit 1")
    with pytest.raises(Retry, match="no journal"):
        await unit_log("web.service", limit=5)


async def test_what_podman_hands_on_of_a_container_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = {"_EXE": "/usr/bin/podman", "_COMM": "exe", "_TRANSPORT": "stdout"}
    entries = [
        {"MESSAGE": "Starting job.service...", "SYSLOG_IDENTIFIER": "systemd"},
        *({"MESSAGE": text, **podman} for text in ("a", "b", "b")),
        *({"MESSAGE": f"{text}\n", "CONTAINER_NAME": "job"} for text in ("a", "b", "b")),
        {"MESSAGE": "job", **podman},
    ]
    (tmp_path / "said").write_text("\n".join(map(json.dumps, entries)))
    journalctl(tmp_path, monkeypatch, f"cat {tmp_path}/said")
    for limit in (3, 50):
        lines = await unit_log("job.service", limit=limit)
        assert [one.text for one in lines][-3:] == ["a", "b", "b"]
        assert len(lines) == min(limit, 4)
