"""`podvisor bench idle` on this machine: short windows over small programs."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Podvisor = Callable[..., Any]
SHORT = ("bench", "idle", "--only", "--window=0.3s", "--settle=0s")
WAKING = "import time\nwhile True: time.sleep(0.01)"


@pytest.fixture
def waking() -> Iterator[int]:
    """A process that wakes a hundred times a second."""
    process = subprocess.Popen([sys.executable, "-c", WAKING])
    yield process.pid
    process.kill()
    process.wait()


def test_it_measures_side_by_side(podvisor: Podvisor, waking: int, tmp_path: Path) -> None:
    picture = tmp_path / "p.svg"
    done = podvisor(
        *SHORT, f"--pid=waking={waking}", f"--pid=me={os.getpid()}", "--json",
        f"--picture={picture}", "--floor=me",
    )  # fmt: skip
    assert done.code == 0
    report = json.loads(done.out)
    assert [one["label"] for one in report["targets"]] == ["waking", "me"]
    assert 60 * 3 < report["targets"][0]["wakeups"]["mean"] < 60 * 110  # fewer on a busy machine
    assert report["targets"][0]["memory"] > 1_000_000
    assert "window is short" in report["warnings"][0]
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - of our own making


def test_people_get_a_table(podvisor: Podvisor, waking: int) -> None:
    done = podvisor(*SHORT, f"--pid={waking}")
    assert done.code == 0
    assert "WAKE-UPS/MIN" in done.out
    assert f"\n{waking}  " in done.out
    assert "! the window is short (0.3s)" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--only needs something to measure"),
        (("--others", "--pid=1"), "--others is about podvisor"),
        (("--pid=1", "--window=0s"), "--window must be longer"),
        (("--pid=1", "--window=5"), "has no unit"),
        ((f"--pid=a={os.getpid()}", "--pid=a=1"), "two of them are called “a”"),
    ],
)
def test_what_makes_no_sense_is_refused(
    podvisor: Podvisor, arguments: tuple[str, ...], message: str
) -> None:
    done = podvisor("bench", "idle", "--only", *arguments)
    assert done.code == 64
    assert message in done.err


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--pid=999999999", "cannot measure 999999999: there is no such process"),
        ("--pid=self", "cannot measure self: there is no such process"),
        ("--cgroup=/nowhere", "cannot measure /nowhere: there is no such control group"),
    ],
)
def test_what_is_not_there_cannot_be_measured(
    podvisor: Podvisor, argument: str, message: str
) -> None:
    done = podvisor(*SHORT, argument)
    assert done.code == 1
    assert message in done.err
