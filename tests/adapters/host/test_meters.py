"""Real counters of real processes: what they did is what is read."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor.adapters.host import meters
from supervisor.adapters.host.meters import Meter
from supervisor.core.measure import idle_cost
from supervisor.model.idle import Reading, Window

PROGRAM = """
import subprocess, sys, threading, time

def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass

def said(word):
    print(word, flush=True)
    sys.stdin.readline()

said("ready")
{work}
said(time.process_time())
"""
CHILD = "subprocess.run([sys.executable, '-c', '{}'])"
BURN = "import time\\nwhile time.process_time() < 0.3: pass"


@pytest.fixture
def doing() -> Iterator[Callable[..., tuple[Window, Reading, float]]]:
    """`doing(work)` measures a process while it works; and what the process says that it spent."""
    started: list[subprocess.Popen[str]] = []

    def measure(
        work: str, meter: Callable[[int], Meter] | None = None
    ) -> tuple[Window, Reading, float]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(work=work)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        one = meter(process.pid) if meter else Meter(pids=[process.pid])
        before = one.read()
        process.stdin.write("\n")
        process.stdin.flush()
        spent = float(process.stdout.readline())
        after = one.read(memory=True)
        return idle_cost.window_between(before, after), after, spent

    yield measure
    for process in started:
        process.kill()
        process.communicate()


def test_cpu_time_is_exact(doing: Callable[..., tuple[Window, Reading, float]]) -> None:
    found, _, spent = doing("burn(0.05)")
    assert 0.05 <= found.cpu_us / 1e6 <= spent
    assert found.user_us + found.system_us == found.cpu_us


def test_ended_threads_count(doing: Callable[..., tuple[Window, Reading, float]]) -> None:
    work = "one = threading.Thread(target=burn, args=(0.2,)); one.start(); one.join()"
    found, _, _ = doing(work)
    assert found.cpu_us >= 200_000


def test_ended_children_count_and_are_known_as_such(
    doing: Callable[..., tuple[Window, Reading, float]],
) -> None:
    found, _, _ = doing(CHILD.format(BURN))
    assert found.cpu_us >= 280_000
    assert found.ended_cpu_us >= 250_000


def test_running_children_count(doing: Callable[..., tuple[Window, Reading, float]]) -> None:
    work = (
        "child = subprocess.Popen([sys.executable, '-c', "
        "'import time\\nwhile time.process_time() < 0.2: pass\\nprint(flush=True)\\ntime.sleep(60)'"
        "], stdout=subprocess.PIPE); child.stdout.readline()"
    )
    found, last, _ = doing(work + "\nimport atexit; atexit.register(child.kill)")
    assert len(last.processes) == 2
    assert found.cpu_us >= 200_000
    assert found.ended_cpu_us == 0


def test_each_sleep_is_a_wakeup(doing: Callable[..., tuple[Window, Reading, float]]) -> None:
    found, _, _ = doing("for _ in range(50): time.sleep(0.001)")
    assert 50 <= found.wakeups <= 80
    assert found.switches >= found.wakeups


def test_children_that_end_just_then_hide_nothing_of_what_was_written() -> None:
    spawn = "import subprocess, sys\nwhile True: subprocess.run([sys.executable, '-c', ''])"
    process = subprocess.Popen([sys.executable, "-c", spawn])
    try:
        meter = Meter(pids=[process.pid])
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert all(one.written is not None for one in meter.read().processes.values())
    finally:
        process.kill()
        process.wait()


def test_memory_is_asked_for_at_the_end(
    doing: Callable[..., tuple[Window, Reading, float]],
) -> None:
    _, last, _ = doing("kept = b'x' * 30_000_000")
    (process,) = last.processes.values()
    assert process.pss is not None
    assert 30_000_000 < process.pss < 80_000_000


def test_a_group_counts_by_itself_and_knows_its_processes(
    tmp_path: Path, doing: Callable[..., tuple[Window, Reading, float]]
) -> None:
    stat = "usage_usec {}\nuser_usec 30\nsystem_usec 10\nnice_usec 0\n"
    (tmp_path / "inner").mkdir()
    (tmp_path / "cpu.stat").write_text(stat.format(5_000_000))

    def meter(pid: int) -> Meter:
        (tmp_path / "inner/cgroup.procs").write_text(f"{pid}\n")
        return Meter(groups=[tmp_path, tmp_path / "gone"])

    found, last, _ = doing("time.sleep(0.01)", meter)
    assert found.cpu_us == 0
    assert found.wakeups >= 1
    assert list(last.cpu_us.values()) == [5_000_000]


def test_what_is_gone_counts_nothing() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert Meter(pids=[process.pid]).read(memory=True).processes == {}


def test_the_load_grows_with_time() -> None:
    before, after = meters.load(), meters.load()
    assert 0 < before.busy < before.total <= after.total + 1
