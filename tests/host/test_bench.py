"""`podvisor bench idle` tells the truth: of a program that keeps its own books, and of podvisor."""

import json
import xml.etree.ElementTree as ET

import pytest
from scenes import active, deploy_folder, main_pid, ready, service

# Ten times a second it works a little; once a second it writes a megabyte and has a child work.
# On tmpfs, where nothing counts as written, it notes what it has spent and done.
PROGRAM = """
import os, resource, subprocess, sys, time
begun, round, written = time.monotonic(), 0, 0
notes = open(os.environ["XDG_RUNTIME_DIR"] + "/notes", "w")
while True:
    until = time.process_time() + 0.004
    while time.process_time() < until:
        pass
    if round % 10 == 0:
        with open(os.path.expanduser("~/written"), "wb") as file:
            written += file.write(os.urandom(1_000_000))
            file.flush()
            os.fsync(file.fileno())
        subprocess.run([sys.executable, "-c", "sum(range(2_000_000))"])
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = [one.ru_utime + one.ru_stime for one in (own, ended)]
    print(time.monotonic() - begun, *cpu, own.ru_nvcsw, written, file=notes, flush=True)
    round += 1
    time.sleep(max(0, begun + round / 10 - time.monotonic()))
"""


@pytest.fixture
def podvisor(user):
    """A user with podvisor at rest over one small app."""
    deploy_folder(user, {"app/app.service": service()})
    ready(user, "app")
    user.wait_for(lambda: active(user, "podvisor.service"))
    return user


def bench(user, *arguments):
    done = user.podvisor("bench", "idle", "--json", *arguments)
    return json.loads(done.stdout)


def started_units(user):
    return user.systemctl("list-units", "--plain", "--no-legend", "podvisor-bench*").stdout


def test_it_measures_what_a_program_spends(podvisor):
    user = podvisor
    user.write("program.py", PROGRAM)
    report = bench(
        user,
        *("--settle=1s", "--window=8s", "--picture=idle.svg", "--floor=sleeper"),
        "--command=busy=exec python3 $HOME/program.py",
        "--command=sleeper=exec sleep infinity",
    )
    own, busy, sleeper = report["targets"]
    lines = user.run("cat", f"{user.runtime}/notes").stdout.splitlines()
    first, last = ([float(word) for word in lines[at].split()] for at in (10, -2))
    minutes = (last[0] - first[0]) / 60
    cpu, ended, wakeups, written = (
        (end - begin) / minutes for begin, end in zip(first[1:], last[1:], strict=True)
    )
    assert busy["cpu_ms"]["mean"] == pytest.approx(1000 * (cpu + ended), rel=0.25)
    assert busy["ended_cpu_ms"] == pytest.approx(1000 * ended, rel=0.4)
    assert busy["user_ms"] + busy["system_ms"] == pytest.approx(busy["cpu_ms"]["mean"])
    assert busy["wakeups"]["mean"] == pytest.approx(wakeups, rel=0.25)
    assert not busy["switches_complete"]
    assert busy["written"] == pytest.approx(written * 8 / 60, abs=2_500_000)

    assert sleeper["cpu_ms"]["mean"] < 10
    assert sleeper["wakeups"]["mean"] < 30
    assert (sleeper["written"], sleeper["processes"]) == (0, ["sleep"])
    assert 5_000_000 < own["memory"] < 100_000_000
    assert own["memory"] > 10 * sleeper["memory"]
    assert any("window is short" in warning for warning in report["warnings"])
    assert "the floor" in "".join(ET.fromstring(user.read("idle.svg")).itertext())  # noqa: S314
    assert started_units(user) == ""


def test_it_measures_what_podvisor_makes_others_do(podvisor):
    user = podvisor
    before = main_pid(user, "podvisor.service")
    report = bench(user, "--others", "--settle=0s", "--window=1s")
    assert [one["label"] for one in report["targets"]] == ["podvisor"]
    assert {"systemd (user)", "session bus", "journal"} == {
        one["label"] for one in report["others"]
    }
    for one in report["others"]:
        assert len(one["with_ms"]["parts"]) == len(one["without_ms"]["parts"]) == 4
    assert main_pid(user, "podvisor.service") != before
    assert active(user, "podvisor.service", "app.service")


def test_killed_it_leaves_things_as_they_were(podvisor):
    user = podvisor
    bench = ("podvisor", "bench", "idle", "--others", "--settle=0s", "--window=2s")
    done = user.run("timeout", "5", *bench, "--command=sleep infinity", check=False)
    assert done.returncode == 124
    assert started_units(user) == ""
    user.wait_for(lambda: active(user, "podvisor.service", "app.service"), what="both as before")


def test_a_busy_machine_is_said(plain_user, host):
    busy = [f"--command={number}=while :; do :; done" for number in range(4)]
    done = plain_user.podvisor("bench", "idle", "--only", "--settle=0s", "--window=2s", *busy)
    assert "the processors were asked for too much" in done.stdout
