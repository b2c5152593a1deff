import os
import subprocess
import threading
import time
from pathlib import Path

from supervisor.kit import own_usage


def test_cpu_time_grows_with_work() -> None:
    before = sum(own_usage.rusage()[:2])
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert sum(own_usage.rusage()[:2]) - before >= 0.04


def test_a_wait_is_a_voluntary_switch() -> None:
    reading, writing = os.pipe()
    before = own_usage.rusage()[2]
    timer = threading.Timer(0.05, os.write, (writing, b"x"))
    timer.start()
    os.read(reading, 1)
    timer.join()
    os.close(reading)
    os.close(writing)
    assert own_usage.rusage()[2] > before


def test_children_count_for_themselves() -> None:
    before = sum(own_usage.rusage(children=True)[:2])
    work = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done"
    subprocess.run(["/bin/sh", "-c", work], check=True)
    assert sum(own_usage.rusage(children=True)[:2]) > before


def test_memory_and_files() -> None:
    assert own_usage.resident_bytes() > 1 << 20
    before = own_usage.open_files()
    with Path(os.devnull).open("rb"):
        assert own_usage.open_files() == before + 1
